"""Which jobs keep their series where there are more than ``max_jobs``.

What people look at first is kept longest: of two jobs, the active one; of two that ended, the failed one; of two alike,
the younger one.
"""

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from enum import IntEnum
from heapq import nsmallest
from operator import itemgetter
from typing import Final, NamedTuple

from exporter.core import JobRecord, JobSummary, is_failure

UNKNOWN: Final = float("-inf")
"""A time that Braket did not tell: nothing shows that the job is young."""


class Standing(IntEnum):
    """The lowest loses its series first."""

    FINISHED = 0
    FAILED = 1
    """It ended, and people will want to look at it for longer."""
    ACTIVE = 2


class Rank(NamedTuple):
    """A job's place among all: the smallest loses its series first.

    Attributes:
        standing: what comes before the time.
        time: the end of a job that ended, the creation of an active one, unix seconds.
    """

    standing: Standing
    time: float


class Ranked(NamedTuple):
    """A job with its rank; the ARN decides between two of the same rank, so that it is always the same one."""

    rank: Rank
    arn: str


Group = tuple[Rank, Callable[[], Iterable[Ranked]]]
"""Jobs that take time to look at: a rank that none of them is below, and what gives them all."""


def rank_of(record: JobRecord) -> Rank:
    """Rank a job by what is known of it; one that never answered may be active."""
    job = record.snapshot
    if job is None:
        return Rank(Standing.ACTIVE, UNKNOWN)
    if not job.finished:
        return Rank(Standing.ACTIVE, UNKNOWN if job.created is None else job.created)
    end = record.polled_at if job.ended is None else job.ended
    return Rank(Standing.FAILED if is_failure(record) else Standing.FINISHED, UNKNOWN if end is None else end)


def rank_of_listed(job: JobSummary, *, ended: bool) -> Rank:
    """Rank a job that was not asked for yet by what a list told of it.

    Args:
        job: the job.
        ended: it had ended before anybody watched; another one is to be told of first, whatever its status is.
    """
    created = UNKNOWN if job.created is None else job.created
    if not ended:
        return Rank(Standing.ACTIVE, created)
    standing = Standing.FAILED if job.status == "FAILED" else Standing.FINISHED
    return Rank(standing, created if job.ended is None else job.ended)


def lowest(count: int, jobs: Iterable[Ranked], groups: Iterable[Group] = ()) -> Sequence[Ranked]:
    """Return so many of all jobs, those that lose their series first; a group is looked at only if it may matter.

    Args:
        count: how many.
        jobs: those that are quickly looked at.
        groups: the others.
    """
    found = [*jobs]
    for bound, members in sorted(groups, key=itemgetter(0)):
        if len(found) >= count:
            found = nsmallest(count, found)
            if not found or found[-1].rank < bound:
                break
        found.extend(members())
    return nsmallest(count, found)


@dataclass(frozen=True, slots=True)
class Decision:
    """Which jobs are beyond the limit, given what is known at one moment. Pure.

    Attributes:
        excess: how many jobs are beyond it.
        listed: ranks of jobs that never answered.
    """

    excess: int
    listed: Mapping[str, Rank]

    def beyond(self, records: Iterable[JobRecord], groups: Iterable[Group]) -> Sequence[Ranked]:
        """Return the jobs beyond the limit.

        Args:
            records: the jobs that are quickly looked at.
            groups: the others.
        """
        ranked = (Ranked(self.listed.get(record.arn) or rank_of(record), record.arn) for record in records)
        return lowest(max(0, self.excess), ranked, groups)


class SeriesLimit:
    """How many jobs may have series, and which jobs are beyond that limit since the last decision.

    It has no lock: the store holds its own around every call.

    Attributes:
        listed: ranks of jobs that never answered, as a list reported them.
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

    def room(self, shown: int) -> bool:
        """Return whether one more job may have series."""
        return shown < self._most

    def excess(self, jobs: int) -> int:
        """Return how many of all jobs are beyond the limit; negative where there is room."""
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
        """Begin a decision among so many jobs; changes from now on count for the next one."""
        self.moved = False
        return Decision(self.excess(jobs), self.listed.copy())
