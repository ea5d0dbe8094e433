"""Which job to ask for next, and when to ask again. Pure; all times are monotonic seconds.

A job is asked for every ``interval`` while it is active. The answer that shows its end may lack the terminal event or
the billable time, so it is asked for a few times more; then never again.
"""

from collections.abc import Iterable
from dataclasses import dataclass, replace
from typing import Final

from exporter.lifecycle import complete
from exporter.model import JobRecord

QUESTIONS_AFTER_END: Final = 3
"""How often a finished job is asked for what its last answer lacked; a job that was stopped may never tell it."""

LATE_DETAILS_SECONDS: Final = 900.0
"""A job that ended longer ago than this will not tell more than it did."""

LONGEST_JOB_BACKOFF: Final = 300.0
LONGEST_TARGET_BACKOFF: Final = 60.0


@dataclass(frozen=True, slots=True)
class Watch:
    """One job that is still asked for.

    Attributes:
        arn: the job.
        due: when to ask next.
        answered: when it last answered, or when the watch began.
        failures: failed questions since the last answer.
        after_end: answers since the one that showed the end, counting that one.
        refused: Braket answers, but not for this job.
    """

    arn: str
    due: float
    answered: float
    failures: int = 0
    after_end: int = 0
    refused: bool = False


def most_urgent(watches: Iterable[Watch]) -> Watch | None:
    """Pick the watch that is due first."""
    return min(watches, key=lambda watch: watch.due, default=None)


def after_answer(watch: Watch, record: JobRecord, *, asked: float, interval: float, wall: float) -> Watch | None:
    """Tell when to ask again, or that there is nothing left to ask.

    Args:
        watch: the watch that was due.
        record: what is known of the job now.
        asked: when the question was sent.
        interval: how stale an active job may become, seconds.
        wall: unix time now, which a job's end is told in.
    """
    if record.active:
        return Watch(watch.arn, due=asked + interval, answered=asked)
    if complete(record) or watch.after_end >= QUESTIONS_AFTER_END or _ended_long_ago(record, wall):
        return None
    wait = interval * 2**watch.after_end
    return Watch(watch.arn, due=asked + wait, answered=asked, after_end=watch.after_end + 1)


def after_job_failure(watch: Watch, *, asked: float, interval: float) -> Watch:
    """Back off from a job that Braket does not answer for, doubling from ``interval``."""
    wait = max(interval, _doubled(interval, watch.failures, LONGEST_JOB_BACKOFF))
    return replace(watch, due=asked + wait, failures=watch.failures + 1, refused=True)


def after_target_failure(watch: Watch, *, now: float, interval: float) -> Watch:
    """Ask again soon, within ``interval``, yet not at once: one bad job must not crowd out the others."""
    wait = _doubled(1.0, watch.failures, interval)
    return replace(watch, due=now + wait, failures=watch.failures + 1)


def target_backoff(failures: int, jitter: float) -> float:
    """Tell how long to leave a failing target alone: doubling from 1 s to a minute, shortened by up to half.

    Args:
        failures: consecutive failed attempts, at least 1.
        jitter: a random number in [0, 1), so that exporters do not come back in step.
    """
    return _doubled(1.0, failures - 1, LONGEST_TARGET_BACKOFF) * (1 - jitter / 2)


def _doubled(first: float, times: int, most: float) -> float:
    """Double a wait so many times, up to the most; a night's outage doubles more often than a float can."""
    return min(most, first * 2.0 ** min(times, 64))


def _ended_long_ago(record: JobRecord, wall: float) -> bool:
    ended = None if record.snapshot is None else record.snapshot.ended
    return ended is not None and wall - ended > LATE_DETAILS_SECONDS
