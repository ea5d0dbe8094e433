"""The jobs that discovery brought: which are worth watching, which are let go, when their series end. A small state.

All times are unix seconds.
"""

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from heapq import heappop, heappush

from exporter.ledger import Former, mark_of
from exporter.lifecycle import expires_at
from exporter.model import JobRecord, JobSummary
from exporter.selector import Selector

RETENTION = "retention"
DESELECTED = "deselected"
NOT_FOUND = "not_found"
MAX_JOBS = "max_jobs"
DROP_REASONS = (RETENTION, DESELECTED, NOT_FOUND, MAX_JOBS)
"""Why a job loses its series: it ended long ago, its tags or name are not selected any more, Braket has no such job,
there are too many others."""


@dataclass(frozen=True, slots=True)
class Retention:
    """How long series are kept after a job's end, or after it was let go, seconds."""

    usual: float
    failed: float


class Roster:
    """Remembers of each discovered job what its record does not tell.

    Attributes:
        members: the jobs that were found here and are watched.

    Args:
        selector: which jobs are watched.
        since: when the exporter began to watch for them; jobs created later are news.
        retention: how long series are kept.
        lane: the key of the lane that looks for them.
        formers: what is remembered of jobs that were forgotten before a restart, by their mark.
    """

    def __init__(
        self,
        selector: Selector,
        *,
        since: float,
        retention: Retention,
        lane: str = "",
        formers: Mapping[int, Former] | None = None,
    ) -> None:
        self._retention, self._lane = retention, lane
        self._eras = [(since, selector)]
        """Each selector with the time from which on it decided; the last one decides now."""
        self.members: set[str] = set()
        self._let_go: dict[str, tuple[float, str]] = {}
        self._formers = {} if formers is None else {**formers}
        self._elsewhere: dict[str, tuple[float, float]] = {}
        """When somebody else was last seen to watch a job, behind the time of its creation."""
        self._ends: list[tuple[float, str]] = []
        self._noted: dict[str, float] = {}
        """When each member's series end, as last noted; what else is said of it in ``_ends`` is out of date."""

    @property
    def selector(self) -> Selector:
        """Which jobs are watched."""
        return self._eras[-1][1]

    @property
    def formers(self) -> Mapping[int, Former]:
        """What is remembered of jobs that were forgotten, by their mark."""
        return self._formers

    @property
    def watching_since(self) -> float:
        """When the exporter began to watch for such jobs."""
        return self._eras[-1][0]

    def select(self, selector: Selector, now: float, lane: str = "") -> None:
        """Watch other jobs from now on; what was in force before still tells since when a job was watched for."""
        self._eras.append((now, selector))
        self._lane = lane
        self._formers = {mark: former._replace(lane=lane) for mark, former in self._formers.items()}

    def keep(self, retention: Retention, find: Callable[[str], JobRecord | None]) -> None:
        """Keep series for another time from now on."""
        self._retention = retention
        for record in filter(None, map(find, self.members)):
            self.note(record)

    def since(self, job: JobSummary) -> float:
        """Tell since when, without a break, jobs such as this one have been watched for; and not by somebody else."""
        began = float("inf")
        for era, selector in reversed(self._eras):
            if not selector.selects(job):
                break
            began = era
        _, elsewhere = self._elsewhere.get(job.arn, (0.0, began))
        return max(began, elsewhere)

    def wanted(self, job: JobSummary, now: float) -> bool:
        """Tell whether a job that is not watched should be.

        One that had ended before the exporter began is wanted while its series would be kept. One that was created
        later is news however late it is found; but not twice, even if a list that lags says that it is active. One that
        was let go before its end is wanted again.
        """
        if not self.selector.selects(job):
            return False
        former = self._formers.get(mark_of(job.arn))
        if former is not None:
            return former.record is not None
        if not job.finished or self.is_news(job):
            return True
        kept = self._retention.failed if job.status == "FAILED" else self._retention.usual
        return job.ended is None or job.ended + kept > now

    def is_news(self, job: JobSummary) -> bool:
        """Tell whether the job was created since the exporter began to watch for such jobs."""
        return job.created > self.since(job)

    def beginning(self, job: JobSummary) -> JobRecord:
        """Return the record with which to begin; a job that was let go goes on where it was."""
        former = self._formers.get(mark_of(job.arn))
        if former is not None and former.record is not None:
            return former.record
        status = None if job.finished else job.status
        return JobRecord(job.arn, sighted=status, named=False, since=self.since(job), lane=self._lane)

    def take_in(self, arn: str) -> bool:
        """Make a job a member; return whether it is one that was forgotten."""
        self.members.add(arn)
        return self._formers.pop(mark_of(arn), None) is not None

    def met(self, record: Callable[[str], JobRecord], job: JobSummary, now: float) -> None:
        """Note whether a watched job is still selected, or that somebody else watches it.

        Args:
            record: gives what is known of one that is selected no more.
            job: the job.
            now: the time.
        """
        if job.arn not in self.members:
            self._elsewhere[job.arn] = (job.created, now)
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
        self._formers[mark_of(arn)] = Former(created, None, self._lane)

    def former(self, record: JobRecord) -> tuple[int, Former] | None:
        """Tell what is remembered of a job that was forgotten, after its mark."""
        mark = mark_of(record.arn)
        return None if mark not in self._formers else (mark, self._formers[mark])

    def prune(self, before: float) -> list[int]:
        """Drop what is remembered of jobs created before a time, which no list tells any more; return their marks."""
        old = [mark for mark, former in self._formers.items() if former.created < before]
        for mark in old:
            del self._formers[mark]
        self._elsewhere = {arn: seen for arn, seen in self._elsewhere.items() if seen[0] >= before}
        while len(self._eras) > 1 and self._eras[1][0] < before:
            del self._eras[0]
        return old

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
        created = None if record.snapshot is None else record.snapshot.created
        if created is not None:
            self._formers[mark_of(record.arn)] = Former(created, None if not record.active else record, self._lane)
