"""The nouns of the house: what Braket says of a job, and what the exporter remembers of it.

Everything here is frozen. Times are unix seconds, durations are seconds; what Braket did not say is ``None``.
"""

import hashlib
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final, NamedTuple

STATUSES: Final = ("QUEUED", "RUNNING", "COMPLETED", "FAILED", "CANCELLING", "CANCELLED")
"""Every status that Braket documents; a new one is carried through under its own name."""

TERMINAL_STATUSES: Final = ("COMPLETED", "FAILED", "CANCELLED")
"""Statuses that a job never leaves. CANCELLING is not one of them."""

MAX_RUNTIME_EXCEEDED: Final = "MAX_RUNTIME_EXCEEDED"
"""An event, never a status. Which status such a job ends in is undocumented, so only the event decides."""

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
"""Every ``eventType`` of GetJob that Braket documents."""

FAILURE_CATEGORIES: Final = ("AlgorithmError", "ClientError", "InternalServerError", "CapacityError")
"""Classes that stand before the first colon of ``failureReason``; anything else is ``Other``."""


class JobArn(NamedTuple):
    """The parts of a job's ARN that metrics are grouped by."""

    partition: str
    region: str
    account: str


class Target(NamedTuple):
    """Where quotas, credentials and failures live: one account in one Region.

    The account is empty until it is known: credentials do not tell it, the jobs found with them do.
    """

    account: str
    region: str


class Device(NamedTuple):
    """What a device string tells about the device; parts that it does not tell are empty.

    ``type`` is ``qpu``, ``simulator`` or ``local``.
    """

    name: str
    provider: str
    type: str


class EventKey(NamedTuple):
    """What makes two events of one job the same event: GetJob gives them no identifier."""

    type: str | None
    time: float | None


@dataclass(frozen=True, slots=True)
class JobEvent:
    """One entry of GetJob's ``events``; Braket marks every member of it as optional."""

    key: EventKey
    message: str


@dataclass(frozen=True, slots=True)
class JobSnapshot:
    """One GetJob answer.

    Attributes:
        queue_position: the number, or N of ``">N"``; ``None`` when Braket names no position.
        queue_position_is_floor: the position was ``">N"``.
        billable_seconds: wall-clock seconds per instance (the wire has milliseconds).
        max_runtime_seconds: the job's own limit, at most 432,000.
        tags: the pairs whose keys were asked for, sorted.
        unknown: values that this release does not know, as (field, value), for the log and a counter.
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

    @property
    def finished(self) -> bool:
        """Whether the status is terminal."""
        return self.status in TERMINAL_STATUSES

    @property
    def queue_seconds(self) -> float | None:
        """Created to started, as Braket tells it."""
        return _elapsed(self.created, self.started)

    @property
    def run_seconds(self) -> float | None:
        """Started to ended, as Braket tells it."""
        return _elapsed(self.started, self.ended)

    @property
    def failure_category(self) -> str | None:
        """The class before the first colon of the failure reason, whatever the status is."""
        if self.failure_reason is None:
            return None
        category = self.failure_reason.partition(":")[0].strip()
        return category if category in FAILURE_CATEGORIES else "Other"


@dataclass(frozen=True, slots=True)
class JobSummary:
    """One entry of a SearchJobs page: enough to choose jobs and to see that one changed.

    It has no events, billable time, queue position or failure reason; those need GetJob. The ARN alone is enough for
    discovery: every other member may be missing from an entry, and GetJob then decides.

    Attributes:
        status: ``None`` when the entry has none.
        created: unix seconds; ``None`` when the entry has none.
        device: the plain device string; empty when the entry has none.
        tags: ``None`` when the entry has no ``tags`` member, which differs from a job without tags.
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
    """Jobs created from ``start`` to ``end``, both included, unix seconds; without an end, until now."""

    start: float
    end: float | None


class EntryProblem(NamedTuple):
    """One SearchJobs entry that cannot be used: its ARN, where it has a readable one, and the reason."""

    arn: str | None
    reason: str


class SearchPage(NamedTuple):
    """One SearchJobs response.

    Attributes:
        jobs: its entries, in no order that could be relied upon.
        problems: entries that cannot be used, each with the reason.
        token: asks for the next page; ``None`` when this is the last.
    """

    jobs: tuple[JobSummary, ...]
    problems: tuple[EntryProblem, ...]
    token: str | None


@dataclass(frozen=True, slots=True)
class JobRecord:
    """What the exporter remembers of one job, and all that its metrics are made from.

    Attributes:
        arn: the job's ARN.
        snapshot: the last good GetJob answer, but for its events; a failed poll keeps it.
        events: every distinct event ever seen. GetJob tells at most 20, so older ones stay only here.
        counted: which of the fleet's counters this job has already been counted in.
        polled_at: when GetJob last answered, unix seconds.
        failing: the error code while GetJob fails for this very job.
        unknown: every value that this release does not know and that the job ever showed, as (field, value).
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
        """Whether there is anything left to ask: not known yet, or not finished."""
        return self.snapshot is None or not self.snapshot.finished


@dataclass(frozen=True, slots=True)
class Transition:
    """One change of a job's status.

    Attributes:
        snapshot: the answer that told it.
        from_status: ``None`` at first sight.
        event_time: when Braket says it happened, if it does.
        observed_time: when the exporter learned of it.
    """

    snapshot: JobSnapshot
    from_status: str | None
    event_time: float | None
    observed_time: float

    @property
    def to_status(self) -> str:
        """The status that the job is in now."""
        return self.snapshot.status

    @property
    def lag_seconds(self) -> float | None:
        """How long the exporter took to learn of it; never negative, clocks differ."""
        return None if self.event_time is None else max(0.0, self.observed_time - self.event_time)

    @property
    def transition_id(self) -> str:
        """Stable across polls and restarts: the same ARN, status and time give the same identifier."""
        millis = "" if self.event_time is None else round(self.event_time * 1000)
        text = f"{self.snapshot.arn} {self.to_status} {millis}"
        return hashlib.sha256(text.encode()).hexdigest()[:16]


class Increment(NamedTuple):
    """A step of one fleet counter, or one observation of a fleet histogram.

    ``labels`` are label values in the family's order. Without an amount it only makes the series exist, at 0, so that
    ``increase()`` sees the first step.
    """

    metric: str
    labels: tuple[str, ...]
    amount: float | None


def _elapsed(start: float | None, end: float | None) -> float | None:
    return None if start is None or end is None else max(0.0, end - start)
