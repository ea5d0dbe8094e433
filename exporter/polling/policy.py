"""The polling policy: the intervals and retention times of the settings, all in seconds."""

from dataclasses import dataclass
from typing import Final, NamedTuple

TOMBSTONE_SLACK: Final = 86400.0
"""A tombstone is kept this much longer than any scan reaches, seconds: a call in flight was planned earlier."""


class Retention(NamedTuple):
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
        device_interval: the interval of the polls of a device; ``None`` for no such polls.
        spending_limit_interval: the interval of the polls of spending limits; ``None`` for no such polls.
        event_poll_interval: the maximum data age of a RUNNING job while its events arrive; ``None`` for no events.
    """

    poll_interval: float
    discovery_interval: float
    lookback: float
    retention: Retention
    device_interval: float | None = None
    spending_limit_interval: float | None = None
    event_poll_interval: float | None = None
