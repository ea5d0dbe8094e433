"""The effect of a SearchJobs page on one job: ignore it, take it up, keep it or mark it for removal. Pure."""

from dataclasses import dataclass, replace
from typing import NamedTuple

from exporter.core import JobRecord, JobSummary
from exporter.polling.policy import Retention
from exporter.polling.records import discovered_record
from exporter.polling.schedule import JobSchedule, Priority, after_page
from exporter.polling.selection import Selection
from exporter.storage import Tombstone


class Known(NamedTuple):
    """The state of one job before a page, and the selection of the target that reads the page.

    Attributes:
        selection: the jobs that the target selects.
        retention: how long series are kept.
        floor: the creation time, unix seconds, up to which a job may have been dropped without a tombstone.
        tombstone: the job's tombstone, if it was dropped.
        stored: whether the store has the job, for whichever target.
        discovered: whether the target discovered the job and watches it.
        let_go: whether the job is marked for removal.
        schedule: the schedule of the job, unless no GetJob call is pending.
        record: the record of a job with a schedule.
    """

    selection: Selection
    retention: Retention
    floor: float = 0.0
    tombstone: Tombstone | None = None
    stored: bool = False
    discovered: bool = False
    let_go: bool = False
    schedule: JobSchedule | None = None
    record: JobRecord | None = None


@dataclass(frozen=True, slots=True)
class Ignore:
    """The job is not watched."""


class TakeUp(NamedTuple):
    """The job is watched from now on.

    Attributes:
        record: its first record.
        priority: the priority of its first GetJob call.
    """

    record: JobRecord
    priority: Priority


class Seen(NamedTuple):
    """The job stays watched, by this target or another one.

    Attributes:
        schedule: its next schedule; ``None`` for no change.
        reselected: whether it was marked for removal and is selected again.
    """

    schedule: JobSchedule | None = None
    reselected: bool = False


class LetGo(NamedTuple):
    """The job is not selected any more: it is dropped after its retention.

    Attributes:
        schedule: its next schedule; ``None`` for no change.
    """

    schedule: JobSchedule | None = None


Decision = Ignore | TakeUp | Seen | LetGo


def decide(job: JobSummary, known: Known, *, requested_at: float, now: float, wall: float) -> Decision:
    """Return the effect of a page on a job.

    Args:
        job: the entry of the page.
        known: the state of the job.
        requested_at: when the page was requested, monotonic seconds.
        now: monotonic seconds.
        wall: unix seconds.
    """
    if not known.stored:
        return _take_up(job, known) if _is_wanted(job, known, wall) else Ignore()
    schedule, selected = _next_schedule(job, known, requested_at, now), known.selection.selects(job)
    if known.discovered and not selected and not known.let_go:
        return LetGo(schedule)
    return Seen(schedule, reselected=known.let_go and selected)


def _is_wanted(job: JobSummary, known: Known, wall: float) -> bool:
    """Return whether a job that is not stored should be watched.

    A job that was dropped after its end is never wanted again, even if a late page shows it as active. A job that was
    dropped before its end is wanted again. A job that ended before the exporter started is wanted while its series
    would be kept. A new job is wanted, however late it is discovered.
    """
    if not known.selection.selects(job):
        return False
    if known.tombstone is not None:
        return known.tombstone.record is not None
    if not job.finished or _is_new(job, known):
        return True
    kept = known.retention.failed if job.status == "FAILED" else known.retention.usual
    return job.ended is None or job.ended + kept > wall


def _take_up(job: JobSummary, known: Known) -> TakeUp:
    record = discovered_record(
        job,
        baseline_at=_baseline_at(job, known),
        floor=known.floor,
        tombstone=known.tombstone,
        owner=known.selection.owner,
    )
    return TakeUp(record, _first_priority(job, known))


def _first_priority(job: JobSummary, known: Known) -> Priority:
    if _is_new(job, known):
        return Priority.CHANGED
    return Priority.BACKFILL if job.finished else Priority.NEW


def _is_new(job: JobSummary, known: Known) -> bool:
    """Return whether the job was created after its baseline time."""
    return job.created is not None and job.created > _baseline_at(job, known)


def _baseline_at(job: JobSummary, known: Known) -> float:
    """Return the baseline time of a job: since when it is selected without a break, but never before the floor."""
    return max(known.selection.selected_since(job), known.floor)


def _next_schedule(job: JobSummary, known: Known, requested_at: float, now: float) -> JobSchedule | None:
    if known.schedule is None or known.record is None or job.status is None:
        return None
    snapshot = known.record.snapshot
    status = known.record.first_listed_status if snapshot is None else snapshot.status
    schedule = after_page(known.schedule, status, job.status, requested_at=requested_at, now=now)
    if snapshot is not None and schedule.priority is Priority.NEW:
        # After a restart, the page confirms the status from before it. So the first GetJob call is not urgent.
        return replace(schedule, priority=Priority.REFRESH)
    return schedule
