"""The GetJob schedule of a job: when it is polled next, and how urgent that is. Pure; all times are monotonic seconds.

An active job is polled every poll interval, and at once when SearchJobs shows a change. The response that shows a
job's end may lack the terminal event or the billable time. So a finished job is polled a few times more, and then never
again.
"""

from dataclasses import dataclass, replace
from enum import IntEnum
from typing import Final

from exporter.core import TERMINAL_STATUSES, JobRecord, JobSummary, is_complete
from exporter.polling.retry_policy import call_backoff, job_backoff

MAX_POLLS_AFTER_END: Final = 3
"""The polls of a finished job without all details; a cancelled job may never show them."""

LATE_DETAILS_SECONDS: Final = 900.0
"""A job that ended longer ago than this shows no further details."""

REPOLL_SECONDS: Final = 2.0
"""GetJob may lag behind a page that shows a job's end; the job is polled again after this time."""

GET_JOB_SHARE: Final = 0.8
"""The share of the GetJob rate limit that active jobs may use before SearchJobs reports their status instead."""


Rank = tuple[int, float]


class Priority(IntEnum):
    """The reason for a GetJob call, the most urgent first."""

    CHANGED = 0
    """SearchJobs shows a change, or a job that was created since the exporter started to watch."""
    NEW = 1
    """The job was never polled."""
    DUE = 2
    """No page shows the job's status, its last call failed, or details of its end are missing."""
    REFRESH = 3
    """The job is active: its queue position and its events change."""
    BACKFILL = 4
    """The job ended before it was discovered, so only its own series depend on its details."""


@dataclass(frozen=True, slots=True)
class JobSchedule:
    """The schedule of one job that is still polled.

    Attributes:
        arn: the job.
        due: when the job is polled next.
        responded_at: when the job was last polled successfully, or when its schedule started.
        failures: consecutive failed calls.
        polls_after_end: the successful polls that showed the end of the job.
        never_returned: whether Braket refuses this job and never returned it, as for a mistyped ARN.
        ended: whether the job has ended, so that only details are missing.
        priority: the reason for the next call.
        order: the rank among finished jobs that were never polled; the smallest comes first.
        created: when the job was created, unix seconds, if that is known.
        listed_at: when SearchJobs last showed the job's status.
        listed_status: the status that SearchJobs last showed.
        relaxed: whether the job is polled less often than every poll interval, because events report its changes.
    """

    arn: str
    due: float
    responded_at: float
    failures: int = 0
    polls_after_end: int = 0
    never_returned: bool = False
    ended: bool = False
    priority: Priority = Priority.REFRESH
    order: Rank = (0, 0.0)
    created: float | None = None
    listed_at: float | None = None
    listed_status: str | None = None
    relaxed: bool = False

    @property
    def rank(self) -> Rank:
        """The rank among schedules of the same priority; the smallest comes first."""
        return self.order if self.priority is Priority.BACKFILL else (0, self.due)

    @property
    def confirmed_at(self) -> float:
        """When either operation last showed the job's status, or when the schedule started."""
        return self.responded_at if self.listed_at is None else max(self.responded_at, self.listed_at)


_TURNS_GET_JOB_ONLY: Final = (Priority.BACKFILL, Priority.DUE, Priority.DUE, Priority.DUE, Priority.DUE)
_TURNS: Final = (Priority.BACKFILL, Priority.DUE, Priority.REFRESH, Priority.DUE, Priority.BACKFILL)


def first_priority(calls: int, *, get_job_only: bool) -> Priority:
    """Return the priority that goes first, so that no priority waits without end when the rate limit is too low.

    Args:
        calls: the number of GetJob calls so far.
        get_job_only: whether only GetJob reports the status of active jobs. It can spare the rest of its share then.
    """
    turns = _TURNS_GET_JOB_ONLY if get_job_only else _TURNS
    return turns[calls % len(turns)]


def get_job_suffices(active: float, *, rate: float, interval: float) -> bool:
    """Return whether GetJob alone keeps all active jobs fresh. It returns more details than SearchJobs.

    Args:
        active: the number of active jobs; a job that is polled less often counts as a part of one.
        rate: the rate limit of GetJob, requests a second.
        interval: the poll interval, seconds.
    """
    return active <= GET_JOB_SHARE * rate * interval


def first_schedule(arn: str, now: float) -> JobSchedule:
    """Return the schedule of a configured job without a state."""
    return JobSchedule(arn, due=now, responded_at=now, priority=Priority.NEW)


def discovered_schedule(job: JobSummary, priority: Priority, now: float) -> JobSchedule:
    """Return the schedule of a job that was just discovered. Among finished jobs, failed and recent ones come first."""
    return JobSchedule(
        job.arn,
        due=now,
        responded_at=now,
        ended=job.finished,
        priority=priority,
        order=(0 if job.status == "FAILED" else 1, -(job.ended or job.created or 0.0)),
        created=job.created,
        listed_status=job.status,
    )


def after_response(
    schedule: JobSchedule,
    record: JobRecord,
    *,
    requested_at: float,
    interval: float,
    wall: float,
    relaxed_interval: float | None = None,
) -> JobSchedule | None:
    """Return the schedule after a successful poll; ``None`` if no further details are expected.

    Args:
        schedule: the schedule before.
        record: the job's record with the response.
        requested_at: when GetJob was called.
        interval: the poll interval, seconds.
        wall: unix time now, to compare with the end of the job.
        relaxed_interval: the poll interval of a RUNNING job while events report its changes; ``None`` without events.
    """
    fresh = replace(schedule, responded_at=requested_at, failures=0, never_returned=False, relaxed=False)
    if record.active:
        if relaxed_interval is not None and record.snapshot is not None and record.snapshot.status == "RUNNING":
            interval, fresh = relaxed_interval, replace(fresh, relaxed=True)
        created = None if record.snapshot is None else record.snapshot.created
        return _after_active_response(replace(fresh, ended=False, created=created), requested_at, interval)
    if is_complete(record) or schedule.polls_after_end >= MAX_POLLS_AFTER_END or _ended_long_ago(record, wall):
        return None
    due, polls = requested_at + interval * 2**schedule.polls_after_end, schedule.polls_after_end + 1
    return replace(fresh, due=due, polls_after_end=polls, ended=True, priority=Priority.DUE)


def after_page(
    schedule: JobSchedule, known_status: str | None, listed_status: str, *, requested_at: float, now: float
) -> JobSchedule:
    """Return the schedule after a page that shows the job. A changed status has GetJob called at once.

    SearchJobs may lag behind GetJob, so the same difference causes one call.

    Args:
        schedule: the schedule before.
        known_status: the status that GetJob last returned, if there is one.
        listed_status: the status on the page.
        requested_at: when the page was requested.
        now: the time.
    """
    changed = known_status not in (None, listed_status) and listed_status != schedule.listed_status
    listed = replace(schedule, listed_at=requested_at, listed_status=listed_status)
    if not changed or schedule.failures or schedule.ended:
        return listed
    return replace(listed, due=min(schedule.due, now), priority=Priority.CHANGED)


def unless_listed(schedule: JobSchedule, *, interval: float) -> JobSchedule:
    """Return the schedule of a job that shares no SearchJobs page with another active job: GetJob polls it in time."""
    if schedule.failures or schedule.priority < Priority.DUE:
        return schedule
    due = schedule.confirmed_at + interval
    if schedule.priority is Priority.DUE:
        due = min(due, schedule.due)
    return replace(schedule, due=due, priority=Priority.DUE)


def _after_active_response(schedule: JobSchedule, requested_at: float, interval: float) -> JobSchedule:
    if schedule.listed_status in TERMINAL_STATUSES:
        due = requested_at + min(interval, REPOLL_SECONDS)
        return replace(schedule, due=due, priority=Priority.DUE, listed_status=None)
    return replace(schedule, due=requested_at + interval, priority=Priority.REFRESH)


def after_job_failure(schedule: JobSchedule, record: JobRecord, *, requested_at: float, interval: float) -> JobSchedule:
    """Return the schedule of a job that Braket refuses: the backoff doubles from the poll interval."""
    due, failures = requested_at + job_backoff(schedule.failures, interval=interval), schedule.failures + 1
    never_returned = record.snapshot is None
    return replace(schedule, due=due, failures=failures, never_returned=never_returned, priority=Priority.DUE)


def after_target_failure(schedule: JobSchedule, *, now: float, interval: float) -> JobSchedule:
    """Return the schedule after a failed call: within the poll interval, but later than the other jobs' calls."""
    due = now + call_backoff(schedule.failures, interval=interval)
    return replace(schedule, due=due, failures=schedule.failures + 1, priority=Priority.DUE)


def resumed(record: JobRecord, *, now: float, wall: float) -> JobSchedule | None:
    """Return the schedule of a job after a restart; ``None`` if no further details are expected.

    Args:
        record: the saved record.
        now: the time.
        wall: unix time now.
    """
    if not record.active and (_ended_long_ago(record, wall) or is_complete(record)):
        return None
    age = 0.0 if record.polled_at is None else max(0.0, wall - record.polled_at)
    created = None if record.snapshot is None else record.snapshot.created
    schedule = JobSchedule(record.arn, due=now, responded_at=now - age, priority=Priority.NEW, created=created)
    if record.active:
        return schedule
    return replace(schedule, polls_after_end=1, ended=True, priority=Priority.DUE)


def brought_forward(schedule: JobSchedule, *, now: float, interval: float) -> JobSchedule:
    """Return the schedule within a poll interval that is shorter now."""
    return schedule if schedule.due <= now + interval else replace(schedule, due=now + interval)


def _ended_long_ago(record: JobRecord, wall: float) -> bool:
    ended = None if record.snapshot is None else record.snapshot.ended
    return ended is not None and wall - ended > LATE_DETAILS_SECONDS
