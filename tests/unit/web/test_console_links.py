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


def test_a_jobs_logs_are_found_by_its_name() -> None:
    assert logs_url(arn(1, region="eu-north-1"), "vqe-h2") == (
        f"{HOME}/cloudwatch/home?region=eu-north-1"
        "#logsV2:log-groups/log-group/$252Faws$252Fbraket$252Fjobs$3FlogStreamNameFilter$3Dvqe-h2"
    )


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
    assert url.rpartition("$3D")[2] == encoded


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
