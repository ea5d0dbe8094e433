"""Parsers of job ARNs, device names and Region names. Pure."""

import re
from functools import lru_cache

from exporter.core.jobs import Device, JobArn

BRAKET_REGIONS = ("us-east-1", "us-west-1", "us-west-2", "eu-west-2", "eu-north-1")
"""Regions with Amazon Braket (service endpoints page of the AWS General Reference): a hint, since others may follow."""

REGIONS_HINT = f"Braket is in: {', '.join(BRAKET_REGIONS)}"
"""The hint in errors and warnings."""

_JOB_ARN = re.compile(r"arn:(aws[a-z-]*):braket:([a-z]{2}[a-z0-9-]*-\d+):(\d{12}):job/[\w.-]+", re.ASCII)
_REGION = re.compile(r"[a-z]{2}[a-z0-9-]*-\d+", re.ASCII)
_OTHER_PARTITIONS = ("cn-", "us-gov-", "us-iso", "eu-isoe-", "eusc-")
_DEVICE_ARN = re.compile(r"arn:aws[a-z-]*:braket:[a-z0-9-]*:\d*:device/([^/]+)/([^/]+)/(.+)")
_DEVICE_TYPES = {"qpu": "qpu", "quantum-simulator": "simulator"}


def parse_job_arn(arn: str) -> JobArn:
    """Split a job's ARN, ``arn:aws:braket:<region>:<account>:job/<id>``.

    The ARN of a newer job ends in a UUID, that of an older one in the job's name. The Region matters: Braket in another
    Region returns ResourceNotFoundException, as for a deleted job.

    Raises:
        ValueError: the text is not such an ARN.
    """
    match = _JOB_ARN.fullmatch(arn)
    if match is None:
        raise ValueError("not a job ARN; expected arn:aws:braket:<region>:<account>:job/<id>")
    return JobArn(*match.groups())


def account_of(arn: str) -> str:
    """Return the account of an ARN; empty without one."""
    return (arn.split(":", 5) + [""] * 5)[4]


def check_region(region: str) -> None:
    """Check that a text has the form of a Region name, of any partition.

    Raises:
        ValueError: it does not.
    """
    if _REGION.fullmatch(region) is None:
        raise ValueError(f"is not the name of a Region; {REGIONS_HINT}")


def in_aws_partition(region: str) -> bool:
    """Return whether a Region belongs to the ``aws`` partition, as far as its name shows."""
    return _REGION.fullmatch(region) is not None and not region.startswith(_OTHER_PARTITIONS)


@lru_cache(maxsize=1024)
def parse_device(device: str) -> Device:
    """Split a ``deviceConfig.device`` string.

    The ARN of a simulator has no Region; the ARN of a QPU mostly has one. An embedded simulator has no ARN, but
    ``local:<provider>/<name>`` (Braket developer guide, "Embedded simulators").
    """
    if match := _DEVICE_ARN.fullmatch(device):
        kind, provider, name = match.groups()
        return Device(name, provider, _DEVICE_TYPES.get(kind, ""))
    if device.startswith("local:"):
        provider, _, name = device.removeprefix("local:").rpartition("/")
        return Device(name, provider, "local")
    return Device(device, "", "")


def region_of_device(device: str) -> str:
    """Return the Region in the ARN of a device; empty for a device of any Region, such as a simulator."""
    return (device.split(":", 4) + [""] * 4)[3] if device.startswith("arn:") else ""


def short_device(device: str) -> str:
    """Return a device's provider and name; a text that is not an ARN is returned unchanged."""
    parts = parse_device(device)
    return f"{parts.provider}/{parts.name}" if parts.type in {"qpu", "simulator"} else device
