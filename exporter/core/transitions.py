"""Changes of a job between two polls: transitions, events and increments; and the retention of its series. Pure.

A job created before the exporter started is *baseline*: its earlier changes are not logged or counted. A job created
later is news, however late it is found, so a job that started and failed between two polls is logged and counted.
"""

from collections.abc import Iterable, Iterator
from dataclasses import replace
from typing import Final, NamedTuple, TypeVar

from exporter.core.jobs import (
    MAX_RUNTIME_EXCEEDED,
    TERMINAL_STATUSES,
    Increment,
    JobEvent,
    JobRecord,
    JobSnapshot,
    Transition,
)
from exporter.core.phases import PHASES, phase_seconds

T = TypeVar("T")

OUTCOMES = (*TERMINAL_STATUSES, MAX_RUNTIME_EXCEEDED)
"""Outcomes of a job. A job that exceeded its run time counts under its status *and* under MAX_RUNTIME_EXCEEDED."""

QUEUE: Final = "queue"
"""The mark of a job with a counted queue time."""

MOST_EVENTS: Final = 1000
"""The maximum number of distinct events in a record."""

MOST_UNKNOWN: Final = 100
"""The maximum number of unknown values in a record."""

PHASE_SECONDS: Final = "braket_job_phase_seconds_total"
PHASE_COUNT: Final = "braket_job_phases_total"

_ALL_COUNTS = ("outcome", MAX_RUNTIME_EXCEEDED, "billable", QUEUE, "run", "phases")
_REQUEUED = ("DEPRIORITIZED_DUE_TO_INACTIVITY", "WAITING_FOR_PRIORITY", "QUEUED_FOR_EXECUTION")


class Observation(NamedTuple):
    """The result of one GetJob response.

    Attributes:
        record: the new record.
        transition: the change of status, if it is news.
        events: new events, oldest first.
        increments: increments of the aggregates.
        unknown: new values that this release does not know, as (field, value).
        discovered: whether this was the first response for the job.
        queue: the job's queue in the response; empty without one.
        queue_message: Braket's text about it; empty without one.
    """

    record: JobRecord
    transition: Transition | None
    events: tuple[JobEvent, ...]
    increments: tuple[Increment, ...]
    unknown: tuple[tuple[str, str], ...]
    discovered: bool
    queue: str = ""
    queue_message: str = ""


def observe(record: JobRecord, snapshot: JobSnapshot, *, since: float, now: float) -> Observation:
    """Apply one response to a record.

    Args:
        record: the record so far.
        snapshot: the response.
        since: the baseline time, unix seconds; jobs created up to then are baseline.
        now: the time of the response, unix seconds.
    """
    before = record.snapshot
    if before is not None and before.finished and not snapshot.finished:
        snapshot = before  # an outdated response: a finished job does not become active again
    after = replace(
        record,
        # Records are kept for days, so they are small: messages are logged now, and the record has the keys of events.
        snapshot=replace(snapshot, events=(), queue="", queue_message=""),
        events=_with(record.events, (event.key for event in snapshot.events))[:MOST_EVENTS],
        polled_at=record.polled_at if before is not None and before.finished else now,
        failing=None,
        unknown=_with(record.unknown, snapshot.unknown)[:MOST_UNKNOWN],
        first_listed_status=None,
    )
    if before is None and not _is_news(record, snapshot, since):
        counted = _ALL_COUNTS if snapshot.finished else ()
        return Observation(
            record=replace(after, counted=counted),
            transition=None,
            events=(),
            increments=_tagged(snapshot, _declarations(snapshot)),
            unknown=snapshot.unknown,
            discovered=True,
            queue=snapshot.queue,
            queue_message=snapshot.queue_message,
        )
    transition = diff(_status_before(record, snapshot, since), snapshot, now)
    countable = [(mark, step) for mark, step in _countable(before, snapshot, after) if mark not in record.counted]
    return Observation(
        record=replace(after, counted=_with(record.counted, (mark for mark, _ in countable))),
        transition=transition,
        events=tuple(
            event
            for event in _new_events(
                record, snapshot, None if before is not None or _is_new(snapshot, since) else since
            )
            if event.key in after.events
        ),
        increments=_tagged(
            snapshot,
            (
                *(_declarations(snapshot) if before is None else ()),
                *(step for _, step in countable),
                *([] if transition is None else [_transition_step(transition)]),
            ),
        ),
        unknown=tuple(pair for pair in after.unknown if pair not in record.unknown),
        discovered=before is None,
        queue=snapshot.queue,
        queue_message=snapshot.queue_message,
    )


def _tagged(job: JobSnapshot, increments: tuple[Increment, ...]) -> tuple[Increment, ...]:
    """Add the job's tags to its increments."""
    return tuple(increment._replace(tags=job.tags) for increment in increments) if job.tags else increments


def _with(known: tuple[T, ...], more: Iterable[T]) -> tuple[T, ...]:
    """Add new values, in the order of their first occurrence."""
    return tuple(dict.fromkeys((*known, *more)))


def diff(from_status: str | None, after: JobSnapshot, now: float) -> Transition | None:
    """Return the transition from a status, ``None`` for a new job, to that of a response, if it differs."""
    if from_status == after.status:
        return None
    return Transition(after, from_status, entered_at(from_status, after), now)


def entered_at(from_status: str | None, snapshot: JobSnapshot) -> float | None:
    """Return Braket's time of the change to the current status, unix seconds; there is none for CANCELLING."""
    if snapshot.finished:
        return snapshot.ended if snapshot.ended is not None else _latest(snapshot, (snapshot.status,))
    if snapshot.status == "RUNNING":
        requeued = _latest(snapshot, _REQUEUED) if from_status == "QUEUED" else None
        first_run = requeued is None or snapshot.started is None or requeued <= snapshot.started
        return snapshot.started if first_run and snapshot.started is not None else _latest(snapshot, ("RUNNING",))
    if snapshot.status == "QUEUED":
        return snapshot.created if from_status is None else _latest(snapshot, _REQUEUED)
    return None


def ran_out_of_time(record: JobRecord) -> bool:
    """Return whether the job exceeded its maximum run time; only the event decides."""
    return _has_event(record, MAX_RUNTIME_EXCEEDED)


def _has_event(record: JobRecord, kind: str) -> bool:
    for event, _ in record.events:  # noqa: SIM110 -- a generator takes twice the time, and each job comes here often
        if event == kind:
            return True
    return False


def is_failure(record: JobRecord) -> bool:
    """Return whether ``retention_failed`` applies: the job FAILED, or exceeded its run time with any status."""
    return record.snapshot is not None and (record.snapshot.status == "FAILED" or ran_out_of_time(record))


def expires_at(record: JobRecord, *, retention: float, retention_failed: float) -> float | None:
    """Return the end of a job's retention, unix seconds; ``None`` for an active or configured job."""
    if record.configured or record.snapshot is None or not record.snapshot.finished:
        return None
    end = record.snapshot.ended if record.snapshot.ended is not None else record.polled_at
    return None if end is None else end + (retention_failed if is_failure(record) else retention)


def is_complete(record: JobRecord) -> bool:
    """Return whether a finished job has its end, its terminal event and, if it ever ran, its billable time."""
    job = record.snapshot
    if job is None or not job.finished or job.ended is None:
        return False
    return _has_event(record, job.status) and (job.billable_seconds is not None or job.started is None)


def _is_news(record: JobRecord, snapshot: JobSnapshot, since: float) -> bool:
    """Return whether a first response is news: the job is new, or it changed after SearchJobs listed it as active."""
    if _is_new(snapshot, since):
        return True
    if record.first_listed_status in {None, snapshot.status}:
        return False
    entered = entered_at(record.first_listed_status, snapshot)
    return entered is None or entered > since


def _is_new(snapshot: JobSnapshot, since: float) -> bool:
    return snapshot.created is not None and snapshot.created > since


def _status_before(record: JobRecord, snapshot: JobSnapshot, since: float) -> str | None:
    if record.snapshot is not None:
        return record.snapshot.status
    return None if _is_new(snapshot, since) else record.first_listed_status


def _countable(before: JobSnapshot | None, job: JobSnapshot, record: JobRecord) -> Iterator[tuple[str, Increment]]:
    """Yield the increments that the job allows so far, each with its mark for exactly-once counting."""
    group = _group(job)
    just_started = job.started is not None and (before is None or before.started is None)
    if job.queue_seconds is not None and (just_started or job.finished):
        yield QUEUE, Increment("braket_job_queue_duration_seconds", group, job.queue_seconds)
    if not job.finished:
        return
    yield "outcome", Increment("braket_job_outcomes_total", (*group, job.status), 1.0)
    if ran_out_of_time(record):
        yield (
            MAX_RUNTIME_EXCEEDED,
            Increment("braket_job_outcomes_total", (*group, MAX_RUNTIME_EXCEEDED), 1.0),
        )
    if job.run_seconds is not None:
        yield "run", Increment("braket_job_run_duration_seconds", (*group, job.status), job.run_seconds)
    if job.billable_seconds is not None:
        instances = 1 if job.instance_count is None else job.instance_count
        labels = (*group, job.instance_type)
        yield "billable", Increment("braket_billable_seconds_total", labels, job.billable_seconds * instances)
    for phase, seconds in phase_seconds(job, record.events).items():
        yield "phases", Increment(PHASE_SECONDS, (*group, phase), seconds)
        yield "phases", Increment(PHASE_COUNT, (*group, phase), 1.0)


def _transition_step(transition: Transition) -> Increment:
    labels = (*_group(transition.snapshot), transition.from_status or "", transition.to_status)
    return Increment("braket_job_transitions_total", labels, 1.0)


def _declarations(job: JobSnapshot) -> tuple[Increment, ...]:
    """Create the job's counters at zero, so that ``increase()`` includes their first increment."""
    group = _group(job)
    return (
        *(Increment("braket_job_outcomes_total", (*group, outcome), None) for outcome in OUTCOMES),
        Increment("braket_billable_seconds_total", (*group, job.instance_type), None),
        Increment("braket_job_queue_duration_seconds", group, None),
        *(Increment("braket_job_run_duration_seconds", (*group, status), None) for status in TERMINAL_STATUSES),
        *(Increment(name, (*group, phase), None) for name in (PHASE_SECONDS, PHASE_COUNT) for phase in PHASES),
    )


def _group(job: JobSnapshot) -> tuple[str, str, str]:
    return job.account, job.region, job.device


def _new_events(record: JobRecord, snapshot: JobSnapshot, since: float | None) -> tuple[JobEvent, ...]:
    """Return each new event after ``since`` once, oldest first; events without a time are last."""
    new = {
        event.key: event
        for event in snapshot.events
        if event.key not in record.events and (since is None or event.key.time is None or event.key.time > since)
    }
    return tuple(sorted(new.values(), key=lambda event: (event.key.time is None, event.key.time or 0.0)))


def _latest(snapshot: JobSnapshot, types: tuple[str, ...]) -> float | None:
    times = [event.key.time for event in snapshot.events if event.key.type in types and event.key.time is not None]
    return max(times, default=None)
