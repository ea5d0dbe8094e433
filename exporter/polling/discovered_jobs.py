"""The jobs that discovery brought: which are worth watching, which are let go, when their series end. A small state.

All times are unix seconds.
"""

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, replace
from heapq import heappop, heappush

from exporter.core import DESELECTED, QUEUE, RETENTION, JobRecord, JobSummary, Selector, expires_at
from exporter.storage import Tombstone, Tombstones


@dataclass(frozen=True, slots=True)
class Retention:
    """How long series are kept after a job's end, or after it was let go, seconds."""

    usual: float
    failed: float


class DiscoveredJobs:
    """Remembers of each discovered job what its record does not tell.

    Attributes:
        members: the jobs that were found here and are watched.

    Args:
        selector: which jobs are watched.
        since: when the exporter began to watch for them; jobs created later are news.
        retention: how long series are kept.
        lane: the key of the lane that looks for them.
        tombstones: what is remembered of forgotten jobs, by whichever target.
    """

    def __init__(
        self,
        selector: Selector,
        *,
        since: float,
        retention: Retention,
        tombstones: Tombstones,
        lane: str = "",
    ) -> None:
        self._retention, self._lane = retention, lane
        self._eras = [(since, selector)]
        """Each selector with the time from which on it decided; the last one decides now."""
        self.members: set[str] = set()
        self._let_go: dict[str, tuple[float, str]] = {}
        self._tombstones = tombstones
        self._ends: list[tuple[float, str]] = []
        self._noted: dict[str, float] = {}
        """When each member's series end, as last noted; what else is said of it in ``_ends`` is out of date."""

    @property
    def selector(self) -> Selector:
        """Which jobs are watched."""
        return self._eras[-1][1]

    @property
    def watching_since(self) -> float:
        """When the exporter began to watch for such jobs."""
        return self._eras[-1][0]

    def begin(self, began: Callable[[float], float]) -> None:
        """Correct the times from which each selector decided, once the true time is known."""
        self._eras = [(began(era), selector) for era, selector in self._eras]

    def select(self, selector: Selector, now: float, lane: str = "") -> Mapping[int, Tombstone]:
        """Select other jobs from now on, and keep the baseline times of the former selectors.

        Returns:
            The tombstones that changed hands because the lane has another key, by their marks.
        """
        self._eras.append((now, selector))
        before, self._lane = self._lane, lane
        return self._tombstones.change_owner(before, lane)

    def keep(self, retention: Retention, find: Callable[[str], JobRecord | None]) -> None:
        """Keep series for another time from now on."""
        self._retention = retention
        for record in filter(None, map(find, self.members)):
            self.note(record)

    def since(self, job: JobSummary) -> float:
        """Return the baseline time of a job: since when, without a break, the selectors have selected it.

        It is never before the floor of the tombstones: a job created up to that may have been forgotten before.
        """
        began = float("inf")
        for era, selector in reversed(self._eras):
            if not selector.selects(job):
                break
            began = era
        return max(began, self._tombstones.floor)

    def wanted(self, job: JobSummary, now: float) -> bool:
        """Tell whether a job that is not watched should be.

        One that had ended before the exporter began is wanted while its series would be kept. One that was created
        later is news however late it is found; but not twice, even if a list that lags says that it is active. One that
        was let go before its end is wanted again.
        """
        if not self.selector.selects(job):
            return False
        tombstone = self._tombstones.get(job.arn)
        if tombstone is not None:
            return tombstone.record is not None
        if not job.finished or self.is_news(job):
            return True
        kept = self._retention.failed if job.status == "FAILED" else self._retention.usual
        return job.ended is None or job.ended + kept > now

    def is_news(self, job: JobSummary) -> bool:
        """Return whether the job is known to be created since the exporter began to watch for such jobs."""
        return job.created is not None and job.created > self.since(job)

    def beginning(self, job: JobSummary) -> JobRecord:
        """Return the first record of a job; a job that was let go goes on where it was.

        A job from before the floor may have been forgotten without a tombstone, so the status that the list shows is no
        evidence of a change, and its queue time may have counted.
        """
        tombstone = self._tombstones.get(job.arn)
        if tombstone is not None and tombstone.record is not None:
            return replace(tombstone.record, owner=self._lane)
        begun = JobRecord(job.arn, configured=False, baseline_at=self.since(job), owner=self._lane)
        if job.created is not None and job.created <= self._tombstones.floor:
            return replace(begun, counted=(QUEUE,))
        return begun if job.finished else replace(begun, first_listed_status=job.status)

    def take_in(self, arn: str) -> int | None:
        """Make a job a member; return the mark of its tombstone, which is dropped, if it was forgotten before."""
        self.members.add(arn)
        return self._tombstones.remove(arn)

    def met(self, record: Callable[[str], JobRecord], job: JobSummary, now: float) -> None:
        """Note whether a watched job is still selected.

        Args:
            record: returns the record of a job that is selected no more.
            job: the job.
            now: the time.
        """
        if job.arn not in self.members:
            return
        if self.selector.selects(job):
            self._let_go.pop(job.arn, None)
        elif job.arn not in self._let_go:
            self.let_go(record(job.arn), DESELECTED, now)

    def take_over(self, record: JobRecord, now: float) -> None:
        """Make a known job a member that is let go, unless a list shows that it is selected here."""
        self.take_in(record.arn)
        self.let_go(record, DESELECTED, now)

    def release(self, arn: str) -> None:
        """Leave a job to somebody else."""
        self.members.discard(arn)
        self._let_go.pop(arn, None)
        self._noted.pop(arn, None)

    def let_go(self, record: JobRecord, reason: str, now: float) -> None:
        """Have a job forgotten after its retention, counted from now."""
        if record.arn in self.members and record.arn not in self._let_go:
            self._let_go[record.arn] = (now, reason)
            self.note(record)

    def note(self, record: JobRecord) -> None:
        """Note when the job's series end, as far as its record tells now."""
        end = self._end(record) if record.arn in self.members else None
        if end is not None and self._noted.get(record.arn) != end[0]:
            self._noted[record.arn] = end[0]
            heappush(self._ends, (end[0], record.arn))

    def expired(self, find: Callable[[str], JobRecord | None], now: float) -> Iterator[tuple[JobRecord, str]]:
        """Yield each job whose time is over, with the reason; it is expected to be forgotten.

        Args:
            find: gives a job's record, or ``None`` for one that may not be forgotten now, and will be noted later.
            now: the time.
        """
        while self._ends and self._ends[0][0] <= now:
            noted, arn = heappop(self._ends)
            if self._noted.get(arn) != noted:
                continue
            del self._noted[arn]
            record = find(arn)
            end = None if record is None else self._end(record)
            if record is None or end is None:
                continue
            if end[0] > now:
                self.note(record)
                continue
            self._forget(record)
            yield record, end[1]

    def drop(self, arn: str, created: float) -> None:
        """Forget a job that has ended before its time: no list brings it back, whatever it tells."""
        self.release(arn)
        self._tombstones.add(arn, Tombstone(created, None, self._lane))

    def prune(self, before: float) -> list[int]:
        """Drop the tombstones of jobs created before a time, to which no list reaches back; return their marks."""
        while len(self._eras) > 1 and self._eras[1][0] < before:
            del self._eras[0]
        return self._tombstones.prune(self._lane, before)

    def _end(self, record: JobRecord) -> tuple[float, str] | None:
        let_go = self._let_go.get(record.arn)
        usual, failed = self._retention.usual, self._retention.failed
        ended = expires_at(record, retention=usual, retention_failed=failed)
        ends = [] if ended is None else [(ended, RETENTION)]
        if let_go is not None:
            ends.append((let_go[0] + usual, let_go[1]))
        return min(ends, default=None)

    def _forget(self, record: JobRecord) -> None:
        self.members.discard(record.arn)
        self._let_go.pop(record.arn, None)
        tombstone = tombstone_of(record, self._lane)
        if tombstone is not None:
            self._tombstones.add(record.arn, tombstone)


def named_record(arn: str, since: float, tombstones: Tombstones) -> JobRecord:
    """Return the first record of a job that the settings name; a job that was forgotten goes on where it was.

    Args:
        arn: the job.
        since: a job created later is news, unix seconds.
        tombstones: what is remembered of forgotten jobs.
    """
    tombstone = tombstones.get(arn)
    if tombstone is not None and tombstone.record is not None:
        return replace(tombstone.record, configured=True, owner="")
    return JobRecord(arn, baseline_at=max(since, tombstones.floor, 0.0 if tombstone is None else tombstone.created))


def tombstone_of(record: JobRecord, lane: str = "") -> Tombstone | None:
    """Return the tombstone of a job that is forgotten; ``None`` for one that never answered: nothing of it counted.

    A job without a creation time lasts as long as one that was created when it was last polled.
    """
    job = record.snapshot
    if job is None:
        return None
    created = next((time for time in (job.created, record.polled_at) if time is not None), 0.0)
    return Tombstone(created, None if job.finished else record, lane)
