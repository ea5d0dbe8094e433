"""Enforcement of ``max_jobs``: which jobs keep their series.

Active jobs keep them longest, then failed ones, then other finished ones; among equals, the newest.
"""

from collections.abc import Callable, Iterable, Mapping, Sequence
from enum import IntEnum
from heapq import nsmallest
from operator import itemgetter
from typing import Final, NamedTuple

from exporter.core import JobRecord, JobSummary, is_failure

UNKNOWN: Final = float("-inf")
"""A time that Braket did not return: the job counts as the oldest."""


class Standing(IntEnum):
    """Class of a job; the lowest loses its series first."""

    FINISHED = 0
    FAILED = 1
    """The job failed or exceeded its run time."""
    ACTIVE = 2


class Rank(NamedTuple):
    """Sort key of a job: the lowest loses its series first.

    Attributes:
        standing: the class.
        time: the end of a finished job, the creation of an active one, unix seconds.
    """

    standing: Standing
    time: float


class Ranked(NamedTuple):
    """A job with its rank; the ARN decides between equal ranks, so the result is stable."""

    rank: Rank
    arn: str


Group = tuple[Rank, Callable[[], Iterable[Ranked]]]
"""A block of jobs: the lowest rank, and a function that unpacks the block."""


def rank_of(record: JobRecord) -> Rank:
    """Rank a job by its record; a job without a response may be active."""
    job = record.snapshot
    if job is None:
        return Rank(Standing.ACTIVE, UNKNOWN)
    if not job.finished:
        return Rank(Standing.ACTIVE, UNKNOWN if job.created is None else job.created)
    end = record.polled_at if job.ended is None else job.ended
    return Rank(Standing.FAILED if is_failure(record) else Standing.FINISHED, UNKNOWN if end is None else end)


def rank_of_listed(job: JobSummary, *, ended: bool) -> Rank:
    """Rank a job without a GetJob response by its SearchJobs entry.

    Args:
        job: the entry.
        ended: whether the job ended before it was first seen. Any other job counts as active until it is polled.
    """
    created = UNKNOWN if job.created is None else job.created
    if not ended:
        return Rank(Standing.ACTIVE, created)
    standing = Standing.FAILED if job.status == "FAILED" else Standing.FINISHED
    return Rank(standing, created if job.ended is None else job.ended)


def lowest(count: int, jobs: Iterable[Ranked], groups: Iterable[Group] = ()) -> Sequence[Ranked]:
    """Return the lowest ranked jobs. A group is unpacked only if it may contain one of them.

    Args:
        count: the number of jobs to return.
        jobs: open jobs.
        groups: blocks of sealed jobs.
    """
    found = [*jobs]
    for bound, members in sorted(groups, key=itemgetter(0)):
        if len(found) >= count:
            found = nsmallest(count, found)
            if not found or found[-1].rank < bound:
                break
        found.extend(members())
    return nsmallest(count, found)


class Decision(NamedTuple):
    """The state of the limit at one moment, which determines the jobs beyond it. Pure.

    Attributes:
        excess: the number of jobs beyond the limit.
        listed: ranks of jobs without a response.
    """

    excess: int
    listed: Mapping[str, Rank]

    def beyond(self, records: Iterable[JobRecord], groups: Iterable[Group]) -> Sequence[Ranked]:
        """Return the jobs beyond the limit.

        Args:
            records: open jobs.
            groups: blocks of sealed jobs.
        """
        ranked = (Ranked(self.listed.get(record.arn) or rank_of(record), record.arn) for record in records)
        return lowest(max(0, self.excess), ranked, groups)


class SeriesLimit:
    """The number of jobs that may have series, and the jobs beyond it at the last decision.

    It has no lock: the store holds its own around every call.

    Attributes:
        listed: ranks of jobs without a response, from their SearchJobs entries.
        beyond: the jobs beyond the limit at the last decision.
        moved: whether a rank, the number of jobs or the limit changed since then.
    """

    def __init__(self) -> None:
        self._most = float("inf")
        self.listed: dict[str, Rank] = {}
        self.beyond: Sequence[Ranked] = ()
        self.moved = False

    def set(self, most: float) -> None:
        """Change the limit."""
        self._most, self.moved = most, True

    def has_room(self, shown: int, jobs: int = 1) -> bool:
        """Return whether a number of jobs may have series besides those shown."""
        return shown + jobs <= self._most

    def excess(self, jobs: int) -> int:
        """Return the number of jobs beyond the limit; negative if there is room."""
        return int(max(-1.0, jobs - self._most))

    def note(self, before: JobRecord | None, record: JobRecord) -> None:
        """Note a new or changed job."""
        if record.snapshot is not None:
            self.listed.pop(record.arn, None)
        if before is None or rank_of(before) != rank_of(record):
            self.moved = True

    def forget(self, arn: str) -> None:
        """Note that a job was forgotten."""
        self.listed.pop(arn, None)
        self.moved = True

    def decision(self, jobs: int) -> Decision:
        """Start a decision on a number of jobs; later changes count for the next one."""
        self.moved = False
        return Decision(self.excess(jobs), self.listed.copy())
