"""The polling policy: the intervals and retention times of the settings, all in seconds."""

from dataclasses import dataclass
from typing import Final

TOMBSTONE_SLACK: Final = 86400.0
"""A tombstone is kept this much longer than any scan reaches, seconds: a call in flight was planned earlier."""


@dataclass(frozen=True, slots=True)
class Retention:
    """How long series are kept after a job's end, or after the job is marked for removal.

    Attributes:
        usual: the retention of a job that did not fail, and of a job that is marked for removal.
        failed: the retention of a failed job.
    """

    usual: float
    failed: float


@dataclass(frozen=True, slots=True)
class Policy:
    """The intervals of the settings.

    Attributes:
        poll_interval: the maximum data age of an active job.
        discovery_interval: the interval of the scan for new jobs.
        lookback: the age of the oldest jobs to discover.
        retention: how long series are kept.
    """

    poll_interval: float
    discovery_interval: float
    lookback: float
    retention: Retention
