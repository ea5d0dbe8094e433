"""What ARNs and device strings tell."""

import pytest

from exporter.core.arn import BRAKET_REGIONS, account_of, check_region, in_aws_partition, parse_device, parse_job_arn

UUID = "5d3c7bb0-6f0f-4d3c-9c55-5a2b1f1c0f01"


@pytest.mark.parametrize(
    ("text", "parts"),
    [
        (f"arn:aws:braket:us-west-2:123456789012:job/{UUID}", ("aws", "us-west-2", "123456789012")),
        ("arn:aws:braket:eu-north-1:000000000001:job/my-vqe-1690000000", ("aws", "eu-north-1", "000000000001")),
        ("arn:aws:braket:us-west-1:123456789012:job/x", ("aws", "us-west-1", "123456789012")),
        (f"arn:aws-cn:braket:cn-north-1:123456789012:job/{UUID}", ("aws-cn", "cn-north-1", "123456789012")),
        (
            f"arn:aws-us-gov:braket:us-gov-west-1:123456789012:job/{UUID}",
            ("aws-us-gov", "us-gov-west-1", "123456789012"),
        ),
        (
            f"arn:aws-iso-b:braket:us-isob-east-1:123456789012:job/{UUID}",
            ("aws-iso-b", "us-isob-east-1", "123456789012"),
        ),
    ],
)
def test_a_job_arn_tells_partition_region_and_account(text: str, parts: tuple[str, str, str]) -> None:
    assert parse_job_arn(text) == parts


@pytest.mark.parametrize("region", ["us-east-1", "us-west-1", "us-west-2", "eu-west-2", "eu-north-1"])
def test_every_region_with_braket_is_accepted(region: str) -> None:
    assert region in BRAKET_REGIONS
    assert parse_job_arn(f"arn:aws:braket:{region}:123456789012:job/x").region == region


@pytest.mark.parametrize("region", ["eu-central-1", "us-east-2", "ap-southeast-1", "us-west-22"])
def test_a_region_that_is_new_to_braket_is_accepted(region: str) -> None:
    assert parse_job_arn(f"arn:aws:braket:{region}:123456789012:job/x").region == region


@pytest.mark.parametrize(
    "text",
    [
        "",
        UUID,
        f"job/{UUID}",
        f"arn:aws:braket:us-west-2:123456789012:job/{UUID}\n",
        f" arn:aws:braket:us-west-2:123456789012:job/{UUID}",
        "arn:aws:braket:us-west-2:123456789012:job/",
        "arn:aws:braket:us-west-2:123456789012:job/a/b",
        "arn:aws:braket:us-west-2:123456789012:job/a,b",
        "arn:aws:braket:us-west-2:123456789012:job/a b",
        "arn:aws:braket:us-west-2:12345678901:job/x",
        "arn:aws:braket:us-west-2:1234567890123:job/x",
        "arn:aws:braket:us-west-2::job/x",
        "arn:aws:braket::123456789012:job/x",
        "arn:aws:braket:us-west:123456789012:job/x",
        "arn:aws:sagemaker:us-west-2:123456789012:job/x",
        "arn:aws:braket:us-west-2:123456789012:quantum-task/x",
        "arn:gcp:braket:us-west-2:123456789012:job/x",
        "ARN:AWS:BRAKET:US-WEST-2:123456789012:JOB/X",
        "arn:aws:braket:::device/quantum-simulator/amazon/sv1",
    ],
)
def test_what_is_no_job_arn_is_refused_with_an_example(text: str) -> None:
    with pytest.raises(ValueError, match=r"^not a job ARN; expected arn:aws:braket:<region>:<account>:job/<id>$"):
        parse_job_arn(text)


@pytest.mark.parametrize(
    "text",
    [
        "arn:aws:braket:us-west-2:\N{ARABIC-INDIC DIGIT ONE}23456789012:job/x",
        "arn:aws-cn:braket:cn-north-\N{FULLWIDTH DIGIT ONE}:123456789012:job/x",
        "arn:aws:braket:us-west-2:123456789012:job/\udc80",
        "arn:aws:braket:us-west-2:123456789012:job/a\x00b",
    ],
)
def test_an_arn_with_characters_that_aws_never_uses_is_refused(text: str) -> None:
    with pytest.raises(ValueError, match="not a job ARN"):
        parse_job_arn(text)


@pytest.mark.parametrize(
    ("text", "account"),
    [
        ("arn:aws:iam::123456789012:role/braket-exporter", "123456789012"),
        ("arn:aws-cn:iam::123456789012:role/path/to/it", "123456789012"),
        (f"arn:aws:braket:us-west-2:210987654321:job/{UUID}", "210987654321"),
        ("arn:aws:iam::123456789012:role/a:b:c", "123456789012"),
        ("arn:aws:braket:::device/quantum-simulator/amazon/sv1", ""),
        ("arn:aws:s3:::bucket", ""),
        ("arn:aws:iam", ""),
        ("no ARN at all", ""),
        ("", ""),
    ],
)
def test_an_arn_tells_its_account_if_it_names_one(text: str, account: str) -> None:
    assert account_of(text) == account


@pytest.mark.parametrize(
    "region",
    [
        *("us-east-1", "us-west-1", "us-west-2", "eu-west-2", "eu-north-1"),
        *("cn-north-1", "us-gov-west-1", "us-iso-east-1", "us-isob-east-1", "us-isof-south-1"),
        *("eu-isoe-west-1", "eusc-de-east-1", "eu-central-1", "us-east-2", "us-west-22", "il-central-1"),
    ],
)
def test_a_name_that_a_region_can_have_is_valid(region: str) -> None:
    check_region(region)


@pytest.mark.parametrize(
    "region",
    [
        *("", "us-east", "US-EAST-1", " us-east-1", "us-east-1\n", "us-east-1a", "us_east_1", "*", "aws-global"),
        *("cn-north", "us-gov-", "us-east-\N{ARABIC-INDIC DIGIT ONE}", "us-east-1,us-west-2", "us-east-1/x"),
    ],
)
def test_a_name_that_no_region_can_have_is_refused_with_the_regions_of_braket(region: str) -> None:
    with pytest.raises(ValueError, match=r"^is not the name of a Region; Braket is in: us-east-1, .*, eu-north-1$"):
        check_region(region)
    assert not in_aws_partition(region)


@pytest.mark.parametrize(
    ("region", "expected"),
    [
        ("us-east-1", True),
        ("eu-central-1", True),
        ("cn-north-1", False),
        ("us-gov-west-1", False),
        ("us-isob-east-1", False),
        ("eu-isoe-west-1", False),
        ("eusc-de-east-1", False),
    ],
)
def test_a_region_tells_whether_it_is_of_the_aws_partition(region: str, expected: bool) -> None:  # noqa: FBT001
    assert in_aws_partition(region) is expected


@pytest.mark.parametrize(
    ("device", "parts"),
    [
        ("arn:aws:braket:::device/quantum-simulator/amazon/sv1", ("sv1", "amazon", "simulator")),
        ("arn:aws:braket:::device/quantum-simulator/amazon/tn1", ("tn1", "amazon", "simulator")),
        ("arn:aws:braket:eu-north-1::device/qpu/iqm/Garnet", ("Garnet", "iqm", "qpu")),
        ("arn:aws:braket:us-east-1::device/qpu/ionq/Forte-Enterprise-1", ("Forte-Enterprise-1", "ionq", "qpu")),
        ("arn:aws:braket:::device/qpu/rigetti/Aspen-8", ("Aspen-8", "rigetti", "qpu")),
        ("arn:aws:braket:::device/qpu/d-wave/DW_2000Q_6", ("DW_2000Q_6", "d-wave", "qpu")),
        ("arn:aws-us-gov:braket:us-gov-west-1::device/qpu/iqm/Garnet", ("Garnet", "iqm", "qpu")),
        ("arn:aws:braket:us-west-2:123456789012:device/qpu/iqm/Garnet/v2", ("Garnet/v2", "iqm", "qpu")),
        ("arn:aws:braket:::device/annealer/acme/One", ("One", "acme", "")),
        ("local:pennylane/lightning.qubit", ("lightning.qubit", "pennylane", "local")),
        ("local:braket/braket.local.qubit", ("braket.local.qubit", "braket", "local")),
        ("local:none/none", ("none", "none", "local")),
        ("local:default", ("default", "", "local")),
        ("local:", ("", "", "local")),
        ("", ("", "", "")),
        ("sv1", ("sv1", "", "")),
        ("arn:aws:braket:::device/qpu/iqm", ("arn:aws:braket:::device/qpu/iqm", "", "")),
        ('odd "device"\\\n', ('odd "device"\\\n', "", "")),
    ],
)
def test_a_device_tells_its_name_its_provider_and_its_type(device: str, parts: tuple[str, str, str]) -> None:
    assert parse_device(device) == parts
