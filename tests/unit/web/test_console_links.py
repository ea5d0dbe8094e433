"""Addresses in the AWS console."""

import pytest
from builders import ARN, arn

from exporter.web.console_links import jobs_url, logs_url

HOME = "https://eu-north-1.console.aws.amazon.com"


def test_the_jobs_of_a_region_have_a_page() -> None:
    assert jobs_url("eu-north-1") == f"{HOME}/braket/home?region=eu-north-1#/jobs"


def test_a_region_that_is_new_to_braket_has_such_a_page_too() -> None:
    home = "https://eu-central-1.console.aws.amazon.com"
    assert jobs_url("eu-central-1") == f"{home}/braket/home?region=eu-central-1#/jobs"
    assert str(logs_url(arn(1, region="eu-central-1"), "vqe")).startswith(
        f"{home}/cloudwatch/home?region=eu-central-1#"
    )


@pytest.mark.parametrize("region", ["", "us-gov-west-1", "cn-north-1", "x.example/", "us-west-2/", "eu-central"])
def test_outside_of_the_aws_partition_there_is_no_page(region: str) -> None:
    assert jobs_url(region) is None


LOGS = (
    f"{HOME}/cloudwatch/home?region=eu-north-1"
    "#logsV2:log-groups/log-group/$252Faws$252Fbraket$252Fjobs$3FlogStreamNameFilter$3D"
)


def test_the_log_streams_of_a_job_begin_with_its_name_and_its_identifier() -> None:
    url = logs_url(arn(1, region="eu-north-1"), "vqe-1")
    assert url == f"{LOGS}vqe-1$252F00000000-0000-4000-8000-000000000001$252F"


def test_the_log_streams_of_an_older_job_begin_with_its_name_and_a_slash() -> None:
    assert logs_url("arn:aws:braket:eu-north-1:123456789012:job/vqe-1", "vqe-1") == f"{LOGS}vqe-1$252F"


@pytest.mark.parametrize(
    ("name", "encoded"),
    [
        ("a b", "a$2520b"),
        ("a/b?c=d&e#f", "a$252Fb$253Fc$253Dd$2526e$2523f"),
        ("$25", "$252425"),
        ("ü", "$25C3$25BC"),
        ("\ud800", "$253F"),
        ('"><script>', "$2522$253E$253Cscript$253E"),
    ],
)
def test_a_name_is_encoded_as_the_console_does(name: str, encoded: str) -> None:
    url = logs_url(ARN, name)
    assert url is not None
    assert url.rpartition("$3D")[2] == f"{encoded}$252F5d3c7bb0-6f0f-4d3c-9c55-5a2b1f1c0f01$252F"


@pytest.mark.parametrize(
    ("job", "name"),
    [
        (ARN, ""),
        ("", "vqe"),
        ("javascript:alert(1)", "vqe"),
        ("arn:aws-us-gov:braket:us-gov-west-1:123456789012:job/x", "vqe"),
        ("arn:aws-cn:braket:us-west-2:123456789012:job/x", "vqe"),
    ],
)
def test_what_is_no_job_of_the_aws_partition_has_no_logs_there(job: str, name: str) -> None:
    assert logs_url(job, name) is None
