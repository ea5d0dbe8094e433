"""Links to jobs and their logs in the AWS console. Pure.

Only the ``aws`` partition has Braket. The address of a single job's page is not documented, so there is none here.
"""

from functools import lru_cache
from typing import Final
from urllib.parse import quote

from exporter.core import in_aws_partition, parse_job_arn


@lru_cache(maxsize=64)
def jobs_url(region: str) -> str | None:
    """Return the address of the list of a Region's jobs; ``None`` outside of the ``aws`` partition."""
    if not in_aws_partition(region):
        return None
    return f"https://{region}.console.aws.amazon.com/braket/home?region={region}#/jobs"


def logs_url(arn: str, name: str) -> str | None:
    """Return the address of the list of a job's log streams; ``None`` when it cannot be derived.

    The streams of a job are ``<name>/<uuid>/...``; those of an older job with its name in the ARN are ``<name>/...``.
    """
    try:
        job = parse_job_arn(arn)
    except ValueError:
        return None
    if job.partition != "aws" or not name:
        return None
    identifier = arn.rpartition("/")[2]
    prefix = f"{name}/" if identifier == name else f"{name}/{identifier}/"
    # The Region has only letters, digits and dashes, or the ARN would not have been read.
    streams = f"{_LOG_GROUP}$3FlogStreamNameFilter$3D{_in_fragment(prefix)}"
    home = f"https://{job.region}.console.aws.amazon.com/cloudwatch/home?region={job.region}"
    return f"{home}#logsV2:log-groups/log-group/{streams}"


def _in_fragment(text: str) -> str:
    """Encode as the CloudWatch console does behind the ``#``: percent-encoded twice, with ``$`` for the outer ``%``."""
    return quote(text, safe="", errors="replace").replace("%", "$25")


_LOG_GROUP: Final = _in_fragment("/aws/braket/jobs")
