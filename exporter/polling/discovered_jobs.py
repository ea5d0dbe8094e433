"""The discovered jobs of a target, and the expiry of their series. All times are unix seconds."""

from collections.abc import Callable, Iterator, Sequence
from heapq import heappop, heappush

from exporter.core import DESELECTED, RETENTION, JobRecord, Selector, expires_at
from exporter.polling.decision import Known
from exporter.polling.policy import Retention
from exporter.polling.records import tombstone_of
from exporter.polling.schedule import JobSchedule
from exporter.polling.selection import Era, Selection
from exporter.storage import BATCH_JOBS, Tombstone, Tombstones


class DiscoveredJobs:
    """The discovered jobs, the jobs marked for removal, and the expiry times.

    Attributes:
        selection: the jobs that the target selects.
        members: the jobs that the target discovered and watches.

    Args:
        selector: the active selector.
        since: when the exporter started to watch; a job created later is new.
        retention: how long series are kept.
        tombstones: the tombstones of all targets.
        owner: the key of the target.
    """

    def __init__(
        self, selector: Selector, *, since: float, retention: Retention, tombstones: Tombstones, owner: str = ""
    ) -> None:
        self.selection = Selection(owner, (Era(since, selector),))
        self._retention, self._tombstones = retention, tombstones
        self.members: set[str] = set()
        self._let_go: dict[str, tuple[float, str]] = {}
        self._heap: list[tuple[float, str]] = []
        self._outdated: list[str] = []
        """Members with an expiry time by the former retention."""
        self._expires_at: dict[str, float] = {}
        """The expiry time of each member; other entries of the heap are stale."""
        self._due: list[str] = []
        """Members that were taken from the heap because their expiry time has come."""

    def known(
        self,
        arn: str,
        *,
        stored: bool = False,
        schedule: JobSchedule | None = None,
        record: JobRecord | None = None,
    ) -> Known:
        """Return the state of a job before a page.

        Args:
            arn: the job.
            stored: whether the store has the job.
            schedule: its schedule, unless no GetJob call is pending.
            record: its record, if it has a schedule.
        """
        return Known(
            selection=self.selection,
            retention=self._retention,
            floor=self._tombstones.floor,
            tombstone=None if stored else self._tombstones.get(arn),
            stored=stored,
            discovered=arn in self.members,
            let_go=arn in self._let_go,
            schedule=schedule,
            record=record,
        )

    def correct_start(self, corrected: Callable[[float], float]) -> None:
        """Correct the start times of the selectors, once the true time is known."""
        self.selection = self.selection.corrected(corrected)

    def select(self, selector: Selector, now: float, owner: str = "") -> None:
        """Select other jobs, and keep the baseline times of the former selectors."""
        self.selection = self.selection.with_selector(selector, now, owner)

    def set_retention(self, retention: Retention) -> None:
        """Keep series for another time; ``update_outdated`` computes the expiry times."""
        self._retention, self._outdated = retention, [*self.members]

    def update_outdated(self, find: Callable[[str], JobRecord | None]) -> bool:
        """Compute a batch of expiry times after the retention changed; return whether all are computed.

        Jobs are dropped only then, the first to expire first: such jobs are in the same blocks.
        """
        batch = self._outdated[-BATCH_JOBS:]
        del self._outdated[-BATCH_JOBS:]
        for record in filter(None, map(find, batch)):
            self.update_expiry(record)
        return not self._outdated

    @property
    def outdated(self) -> bool:
        """Whether ``update_outdated`` has more to do."""
        return bool(self._outdated)

    def has_more(self, now: float) -> bool:
        """Return whether ``update_outdated`` or ``expired`` has more to do."""
        return bool(self._outdated or self._due or (self._heap and self._heap[0][0] <= now))

    def add(self, arn: str) -> int | None:
        """Make a job a member and remove its tombstone; return the tombstone's mark, if there was one."""
        self.members.add(arn)
        return self._tombstones.remove(arn)

    def take_over(self, record: JobRecord, now: float) -> None:
        """Make a known job a member marked for removal, unless a page shows that it is selected here."""
        self.add(record.arn)
        self.let_go(record, DESELECTED, now)

    def release(self, arn: str) -> None:
        """Remove a job that another target watches."""
        self.members.discard(arn)
        self._let_go.pop(arn, None)
        self._expires_at.pop(arn, None)

    def let_go(self, record: JobRecord, reason: str, now: float) -> None:
        """Mark a member for removal: it expires after its retention, counted from now."""
        if record.arn in self.members and record.arn not in self._let_go:
            self._let_go[record.arn] = (now, reason)
            self.update_expiry(record)

    def reselect(self, arn: str) -> None:
        """Remove the mark for removal from a job."""
        self._let_go.pop(arn, None)

    def update_expiry(self, record: JobRecord) -> None:
        """Compute the expiry time of a member from its record."""
        expiry = self._expiry(record) if record.arn in self.members else None
        if expiry is not None and self._expires_at.get(record.arn) != expiry[0]:
            self._expires_at[record.arn] = expiry[0]
            heappush(self._heap, (expiry[0], record.arn))

    def due(self, now: float) -> Sequence[str]:
        """Return the jobs of the next batch that may be expired; ``expired`` handles them."""
        while len(self._due) < BATCH_JOBS and self._heap and self._heap[0][0] <= now:
            expires, arn = heappop(self._heap)
            if self._expires_at.get(arn) == expires:
                del self._expires_at[arn]
                self._due.append(arn)
        return self._due

    def expired(self, find: Callable[[str], JobRecord | None], now: float) -> Iterator[tuple[JobRecord, str]]:
        """Remove and yield the expired jobs of a batch, with the reason.

        Args:
            find: returns a job's record; ``None`` for a job that cannot be dropped now, and is updated later.
            now: the time.
        """
        for arn in self.due(now):
            record = find(arn)
            expiry = None if record is None or arn not in self.members else self._expiry(record)
            if record is None or expiry is None:
                continue
            if expiry[0] > now:
                self.update_expiry(record)
                continue
            self._bury(record)
            yield record, expiry[1]
        self._due = []

    def drop(self, arn: str, created: float) -> None:
        """Drop a finished job before it expires: no later page brings it back, for any status."""
        self.release(arn)
        self._tombstones.add(arn, Tombstone(created, None, self.selection.owner))

    def prune(self, before: float) -> list[int]:
        """Drop the tombstones of jobs created before a time that no scan reaches; return their marks."""
        self.selection = self.selection.pruned(before)
        return self._tombstones.prune(self.selection.owner, before)

    def _expiry(self, record: JobRecord) -> tuple[float, str] | None:
        """Return when a job expires, with the reason; ``None`` for an active job without a mark for removal."""
        let_go = self._let_go.get(record.arn)
        usual, failed = self._retention.usual, self._retention.failed
        after_end = expires_at(record, retention=usual, retention_failed=failed)
        expiries = [] if after_end is None else [(after_end, RETENTION)]
        if let_go is not None:
            expiries.append((let_go[0] + usual, let_go[1]))
        return min(expiries, default=None)

    def _bury(self, record: JobRecord) -> None:
        self.members.discard(record.arn)
        self._let_go.pop(record.arn, None)
        tombstone = tombstone_of(record, self.selection.owner)
        if tombstone is not None:
            self._tombstones.add(record.arn, tombstone)
