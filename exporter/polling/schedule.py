"""When to ask for a job, and how urgent that is. Pure; all times are monotonic seconds.

A job is asked for every ``interval`` while it is active, and at once when SearchJobs shows that it changed. The answer
that shows its end may lack the terminal event or the billable time, so it is asked for a few times more; then never
again.
"""

from dataclasses import dataclass, replace
from enum import IntEnum
from typing import Final

from exporter.core import TERMINAL_STATUSES, JobRecord, is_complete
from exporter.polling.retry_policy import call_backoff, job_backoff

QUESTIONS_AFTER_END: Final = 3
"""How often a finished job is asked for what its last answer lacked; a job that was stopped may never tell it."""

LATE_DETAILS_SECONDS: Final = 900.0
"""A job that ended longer ago than this will not tell more than it did."""

SECOND_LOOK_SECONDS: Final = 2.0
"""GetJob may lag behind a list that told a job's end; it is asked once more after so long."""

ROOM: Final = 0.8
"""The share of the GetJob budget that may go to active jobs before SearchJobs tells their statuses instead."""


Rank = tuple[int, float]


class Priority(IntEnum):
    """Why a job is asked for, the most urgent first."""

    CHANGED = 0
    """SearchJobs told a change, or a job that was created since the exporter began to watch."""
    NEW = 1
    """It was never asked for."""
    DUE = 2
    """Nobody else tells its status, its last question failed, or its end lacked something."""
    REFRESH = 3
    """It is active: its place in the queue and its events move on."""
    FILL = 4
    """It had ended before it was found, so nothing depends on its details but its own series."""


@dataclass(frozen=True, slots=True)
class JobSchedule:
    """One job that is still asked for.

    Attributes:
        arn: the job.
        due: when to ask next.
        answered: when it last answered, or when the watch began.
        failures: failed questions since the last answer.
        after_end: answers since the one that showed the end, counting that one.
        refused: Braket answers, but not for this job.
        ended: the job has ended; what is asked for are its details.
        urgency: which watches it goes before.
        order: its place among finished jobs that were never asked for; the smallest comes first.
        created: when the job was created, unix seconds, once that is known.
        told: when SearchJobs last told its status.
        listed: the status that SearchJobs last told.
    """

    arn: str
    due: float
    answered: float
    failures: int = 0
    after_end: int = 0
    refused: bool = False
    ended: bool = False
    urgency: Priority = Priority.REFRESH
    order: Rank = (0, 0.0)
    created: float | None = None
    told: float | None = None
    listed: str | None = None

    @property
    def rank(self) -> Rank:
        """Its place among watches of the same urgency; the smallest comes first."""
        return self.order if self.urgency is Priority.FILL else (0, self.due)

    @property
    def confirmed(self) -> float:
        """When its status was last told, by whichever operation, or when the watch began."""
        return self.answered if self.told is None else max(self.answered, self.told)


_TURNS_ALONE: Final = (Priority.FILL, Priority.DUE, Priority.DUE, Priority.DUE, Priority.DUE)
_TURNS: Final = (Priority.FILL, Priority.DUE, Priority.REFRESH, Priority.DUE, Priority.FILL)


def whose_turn(questions: int, *, alone: bool) -> Priority:
    """Tell whose turn it is, so that none of those that a budget may not suffice for waits for ever.

    Args:
        questions: how many there have been.
        alone: whether GetJob alone follows the active jobs; what it has to spare then is the rest of ``ROOM``.
    """
    turns = _TURNS_ALONE if alone else _TURNS
    return turns[questions % len(turns)]


def suffices_alone(active: int, *, rate: float, interval: float) -> bool:
    """Tell whether GetJob alone keeps so many jobs as fresh as wished: it tells more than SearchJobs does.

    Args:
        active: jobs that have not ended.
        rate: the budget of GetJob, requests a second.
        interval: how stale an active job may become, seconds.
    """
    return active <= ROOM * rate * interval


def after_answer(
    watch: JobSchedule, record: JobRecord, *, asked: float, interval: float, wall: float
) -> JobSchedule | None:
    """Tell when to ask again, or that there is nothing left to ask.

    Args:
        watch: the watch that was due.
        record: what is known of the job now.
        asked: when the question was sent.
        interval: how stale an active job may become, seconds.
        wall: unix time now, which a job's end is told in.
    """
    fresh = replace(watch, answered=asked, failures=0, refused=False)
    if record.active:
        created = None if record.snapshot is None else record.snapshot.created
        return _after_active_answer(replace(fresh, ended=False, created=created), asked, interval)
    if is_complete(record) or watch.after_end >= QUESTIONS_AFTER_END or _ended_long_ago(record, wall):
        return None
    wait = interval * 2**watch.after_end
    return replace(fresh, due=asked + wait, after_end=watch.after_end + 1, ended=True, urgency=Priority.DUE)


def after_list(
    watch: JobSchedule, known_status: str | None, listed_status: str, *, asked: float, now: float
) -> JobSchedule:
    """Take in the status that a SearchJobs page told, and ask GetJob at once if that is a change.

    A list may lag behind GetJob: the same difference is looked into once.

    Args:
        watch: the watch of the job.
        known_status: what GetJob last told, if it did.
        listed_status: what the page told.
        asked: when the page was asked for.
        now: the time.
    """
    changed = known_status not in (None, listed_status) and listed_status != watch.listed
    told = replace(watch, told=asked, listed=listed_status)
    if not changed or watch.failures or watch.ended:
        return told
    return replace(told, due=min(watch.due, now), urgency=Priority.CHANGED)


def unless_told(watch: JobSchedule, *, interval: float) -> JobSchedule:
    """Have GetJob tell the status of a job that shares no SearchJobs page with another active one."""
    if watch.failures or watch.urgency < Priority.DUE:
        return watch
    due = watch.confirmed + interval
    return replace(watch, due=min(due, watch.due) if watch.urgency is Priority.DUE else due, urgency=Priority.DUE)


def _after_active_answer(watch: JobSchedule, asked: float, interval: float) -> JobSchedule:
    if watch.listed in TERMINAL_STATUSES:
        second_look = asked + min(interval, SECOND_LOOK_SECONDS)
        return replace(watch, due=second_look, urgency=Priority.DUE, listed=None)
    return replace(watch, due=asked + interval, urgency=Priority.REFRESH)


def after_job_failure(watch: JobSchedule, *, asked: float, interval: float) -> JobSchedule:
    """Back off from a job that Braket does not answer for, doubling from ``interval``."""
    wait = job_backoff(watch.failures, interval=interval)
    return replace(watch, due=asked + wait, failures=watch.failures + 1, refused=True, urgency=Priority.DUE)


def after_target_failure(watch: JobSchedule, *, now: float, interval: float) -> JobSchedule:
    """Ask again soon, within ``interval``, yet not at once: one bad job must not crowd out the others."""
    wait = call_backoff(watch.failures, interval=interval)
    return replace(watch, due=now + wait, failures=watch.failures + 1, urgency=Priority.DUE)


def resumed(record: JobRecord, *, now: float, wall: float) -> JobSchedule | None:
    """Make the watch with which to go on after a restart; ``None`` when there is nothing left to ask.

    Args:
        record: what was known before.
        now: the time.
        wall: unix time now.
    """
    age = 0.0 if record.polled_at is None else max(0.0, wall - record.polled_at)
    created = None if record.snapshot is None else record.snapshot.created
    watch = JobSchedule(record.arn, due=now, answered=now - age, urgency=Priority.NEW, created=created)
    if record.active:
        return watch
    if is_complete(record) or _ended_long_ago(record, wall):
        return None
    return replace(watch, after_end=1, ended=True, urgency=Priority.DUE)


def brought_forward(watch: JobSchedule, *, now: float, interval: float) -> JobSchedule:
    """Have a job asked for within an interval that has become shorter."""
    return watch if watch.due <= now + interval else replace(watch, due=now + interval)


def _ended_long_ago(record: JobRecord, wall: float) -> bool:
    ended = None if record.snapshot is None else record.snapshot.ended
    return ended is not None and wall - ended > LATE_DETAILS_SECONDS
