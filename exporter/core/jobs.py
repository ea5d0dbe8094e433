"""Data about jobs: Braket's responses, and the exporter's records.

All classes are frozen. Times are unix seconds, durations are seconds; a member that Braket did not return is ``None``.
"""

import hashlib
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final, NamedTuple

STATUSES: Final = ("QUEUED", "RUNNING", "COMPLETED", "FAILED", "CANCELLING", "CANCELLED")
"""Every documented status; an unknown one keeps its own name."""

TERMINAL_STATUSES: Final = ("COMPLETED", "FAILED", "CANCELLED")
"""Statuses that a job never leaves. CANCELLING is not one of them."""

MAX_RUNTIME_EXCEEDED: Final = "MAX_RUNTIME_EXCEEDED"
"""An event, never a status. The status in which such a job ends is undocumented, so only the event decides."""

EVENT_TYPES: Final = (
    "WAITING_FOR_PRIORITY",
    "QUEUED_FOR_EXECUTION",
    "STARTING_INSTANCE",
    "DOWNLOADING_DATA",
    "RUNNING",
    "DEPRIORITIZED_DUE_TO_INACTIVITY",
    "UPLOADING_RESULTS",
    "COMPLETED",
    "FAILED",
    MAX_RUNTIME_EXCEEDED,
    "CANCELLED",
)
"""Every documented ``eventType`` of GetJob."""

RESERVATION: Final = "RESERVATION_TIME_WINDOW_ARN"
"""The type of an association with a reservation of the device."""

FAILURE_CATEGORIES: Final = ("AlgorithmError", "ClientError", "InternalServerError", "CapacityError")
"""Classes before the first colon of ``failureReason``; any other text is ``Other``."""


class JobArn(NamedTuple):
    """The parts of a job's ARN."""

    partition: str
    region: str
    account: str


class Target(NamedTuple):
    """One account in one Region: the scope of quotas, credentials and failures.

    The account is empty until it is known: credentials do not contain it, but ARNs of jobs do.
    """

    account: str
    region: str


class Device(NamedTuple):
    """The parts of a device string; a missing part is empty.

    ``type`` is ``qpu``, ``simulator`` or ``local``.
    """

    name: str
    provider: str
    type: str


class EventKey(NamedTuple):
    """Identity of an event of a job, since GetJob returns no identifier: events with equal keys are the same event."""

    type: str | None
    time: float | None


@dataclass(frozen=True, slots=True)
class JobEvent:
    """One entry of GetJob's ``events``; every member of it is optional."""

    key: EventKey
    message: str


@dataclass(frozen=True, slots=True)
class JobSnapshot:
    """One GetJob response.

    Attributes:
        queue_position: the number, or N of ``">N"``; ``None`` without a position.
        queue_position_is_floor: whether the position was ``">N"``.
        billable_seconds: wall-clock seconds per instance (the response has milliseconds).
        max_runtime_seconds: the job's own limit, at most 432,000.
        tags: the tags to keep, sorted.
        unknown: values that this release does not know, as (field, value), for the log and a counter.
        reservation_arn: the reservation in which the job runs; empty if Braket reports one without its ARN.
        queue: the queue of the job; empty without one.
        queue_message: Braket's text about the position in the queue; empty without one.
    """

    arn: str
    name: str
    status: str
    account: str
    region: str
    device: str = ""
    instance_type: str = ""
    instance_count: int | None = None
    max_runtime_seconds: int | None = None
    created: float | None = None
    started: float | None = None
    ended: float | None = None
    billable_seconds: float | None = None
    queue_position: int | None = None
    queue_position_is_floor: bool = False
    failure_reason: str | None = None
    events: tuple[JobEvent, ...] = ()
    tags: tuple[tuple[str, str], ...] = ()
    unknown: tuple[tuple[str, str], ...] = ()
    reservation_arn: str | None = None
    queue: str = ""
    queue_message: str = ""

    @property
    def finished(self) -> bool:
        """Whether the status is terminal."""
        return self.status in TERMINAL_STATUSES

    @property
    def queue_seconds(self) -> float | None:
        """Seconds from creation to start."""
        return _elapsed(self.created, self.started)

    @property
    def run_seconds(self) -> float | None:
        """Seconds from start to end."""
        return _elapsed(self.started, self.ended)

    @property
    def failure_category(self) -> str | None:
        """The class before the first colon of the failure reason, for any status."""
        if self.failure_reason is None:
            return None
        category = self.failure_reason.partition(":")[0].strip()
        return category if category in FAILURE_CATEGORIES else "Other"


class JobSummary(NamedTuple):
    """One entry of a SearchJobs page: enough to select jobs and to detect a change.

    It has no events, billable time, queue position or failure reason; those need GetJob. The ARN is enough for
    discovery: any other member may be missing, since GetJob returns it.

    Attributes:
        status: ``None`` when the entry has none.
        created: unix seconds; ``None`` when the entry has none.
        device: the plain device string; empty when the entry has none.
        tags: ``None`` when the entry has no ``tags`` member; a job without tags has an empty mapping.
    """

    arn: str
    name: str = ""
    status: str | None = None
    created: float | None = None
    started: float | None = None
    ended: float | None = None
    device: str = ""
    tags: Mapping[str, str] | None = None

    @property
    def finished(self) -> bool:
        """Whether the status is terminal."""
        return self.status in TERMINAL_STATUSES


class Span(NamedTuple):
    """Creation times from ``start`` to ``end``, both included, unix seconds; without an end, until now."""

    start: float
    end: float | None


class EntryProblem(NamedTuple):
    """One SearchJobs entry that cannot be used: its ARN, where it has a readable one, and the reason."""

    arn: str | None
    reason: str


class SearchPage(NamedTuple):
    """One SearchJobs response.

    Attributes:
        jobs: its entries, in no defined order.
        problems: entries that cannot be used, each with the reason.
        token: the token of the next page; ``None`` on the last page.
    """

    jobs: tuple[JobSummary, ...]
    problems: tuple[EntryProblem, ...]
    token: str | None


@dataclass(frozen=True, slots=True)
class JobRecord:
    """The exporter's state of one job, and the source of its metrics.

    Attributes:
        arn: the job's ARN.
        snapshot: the last successful GetJob response, without its events and its queue's text; a failed poll keeps it.
        events: every distinct event ever seen. GetJob returns at most 20, so older ones are only here.
        counted: the aggregates that already include this job.
        polled_at: the time of the last successful GetJob call, unix seconds.
        failing: the error code while GetJob fails for this job.
        unknown: every value of this job that this release does not know, as (field, value).
        first_listed_status: the status in the first SearchJobs response with the job, until GetJob responds;
            ``None`` for a job that had ended by then.
        configured: listed in the setting ``jobs`` and kept while it is listed; other jobs were discovered.
        baseline_at: unix seconds; a job created later is news, an older one is baseline.
        owner: the key of the ``TargetConfig`` that discovered it; empty for a configured job.
    """

    arn: str
    snapshot: JobSnapshot | None = None
    events: tuple[EventKey, ...] = ()
    counted: tuple[str, ...] = ()
    polled_at: float | None = None
    failing: str | None = None
    unknown: tuple[tuple[str, str], ...] = ()
    first_listed_status: str | None = None
    configured: bool = True
    baseline_at: float = 0.0
    owner: str = ""

    @property
    def active(self) -> bool:
        """Whether the job is still polled: it has no response yet, or is not finished."""
        return self.snapshot is None or not self.snapshot.finished


class Transition(NamedTuple):
    """One change of a job's status.

    Attributes:
        snapshot: the response that showed it.
        from_status: ``None`` for a new job.
        event_time: Braket's time of the change, if there is one.
        observed_time: the time of the response.
    """

    snapshot: JobSnapshot
    from_status: str | None
    event_time: float | None
    observed_time: float

    @property
    def to_status(self) -> str:
        """The current status."""
        return self.snapshot.status

    @property
    def lag_seconds(self) -> float | None:
        """Seconds from the change to the response; never negative, although clocks differ."""
        return None if self.event_time is None else max(0.0, self.observed_time - self.event_time)

    @property
    def transition_id(self) -> str:
        """An identifier that is stable across polls and restarts: it depends on ARN, status and time only."""
        millis = "" if self.event_time is None else round(self.event_time * 1000)
        text = f"{self.snapshot.arn} {self.to_status} {millis}"
        return hashlib.sha256(text.encode()).hexdigest()[:16]


class Increment(NamedTuple):
    """An increment of an aggregate counter, or one observation of an aggregate histogram.

    ``labels`` are label values in the family's order. Without an amount, it only creates the series at 0, so that
    ``increase()`` includes the first increment.

    ``tags`` are those of the job, from which the aggregates take further labels.
    """

    metric: str
    labels: tuple[str, ...]
    amount: float | None
    tags: tuple[tuple[str, str], ...] = ()


def _elapsed(start: float | None, end: float | None) -> float | None:
    return None if start is None or end is None else max(0.0, end - start)
