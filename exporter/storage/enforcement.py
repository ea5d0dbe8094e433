"""Enforcement of ``max_jobs`` in batches: jobs beyond the limit lose their lines, and others get them back."""

from collections.abc import Callable, Iterable, Iterator, Sequence
from collections.abc import Set as AbstractSet
from threading import Lock

from exporter.core import JobRecord
from exporter.storage.batches import in_batches
from exporter.storage.block import Block
from exporter.storage.rendered_lines import RenderedLines
from exporter.storage.sealed_jobs import BATCH_BLOCKS, SealedJobs
from exporter.storage.series_limit import Ranked, SeriesLimit


class Enforcement:
    """Enforces the limit, one thread at a time. No thread waits for it.

    Args:
        limit: the store's limit.
        records: the store's records of open jobs.
        lines: the store's lines.
        sealed: the store's blocks.
        lock: the store's lock, which guards all of them.
    """

    def __init__(
        self, limit: SeriesLimit, records: dict[str, JobRecord], lines: RenderedLines, sealed: SealedJobs, lock: Lock
    ) -> None:
        self._limit, self._records, self._lines, self._sealed, self._store_lock = limit, records, lines, sealed, lock
        self._enforcing = Lock()

    @property
    def jobs(self) -> int:
        """The number of jobs. The caller holds the store's lock."""
        return len(self._records) + len(self._sealed.by_arn)

    def has_room(self, jobs: int = 1) -> bool:
        """Return whether more jobs may have lines. The caller holds the store's lock."""
        return self._limit.has_room(len(self._lines.rows) + len(self._sealed.by_arn), jobs)

    def enforce(self, stopped: Callable[[], bool]) -> tuple[Sequence[Ranked], int]:
        """Decide which jobs have lines; see ``Store.enforce_limit``."""
        with self._store_lock:
            if self._limit.excess(self.jobs) <= 0 and not self._lines.hidden:
                return (), 0
            if not self._limit.moved:
                return self._limit.beyond, 0
        if not self._enforcing.acquire(blocking=False):
            return (), 0
        try:
            return self._enforce(stopped)
        finally:
            self._enforcing.release()

    def _enforce(self, stopped: Callable[[], bool]) -> tuple[Sequence[Ranked], int]:
        with self._store_lock:
            decision = self._limit.decision(self.jobs)
            blocks, records, hidden = [*self._sealed.blocks], [*self._records.values()], set(self._lines.hidden)
        beyond = decision.beyond(records, ((block.lowest, block.ranked) for block in blocks))
        leaving = {arn for _, arn in beyond}
        coming = [record for record in records if record.arn in hidden and record.arn not in leaving]
        dropped = 0
        for newly_hidden in self._steps(leaving, blocks, coming):
            dropped += newly_hidden
            if stopped():
                break
        with self._store_lock:
            self._limit.beyond = beyond
            self._limit.moved |= stopped()
        return beyond, dropped

    def _steps(self, leaving: AbstractSet[str], blocks: Iterable[Block], coming: Iterable[JobRecord]) -> Iterator[int]:
        """Hide and show jobs, a batch at a time; yield how many are newly hidden in each."""
        for group in in_batches((block for block in blocks if not leaving.isdisjoint(block.arns)), BATCH_BLOCKS):
            self._sealed.unseal(group, without=leaving)
            yield self._hide([arn for block in group for arn in block.arns if arn in leaving])
        for arns in in_batches(leaving):
            yield self._hide(arns)
        for records in in_batches(coming):
            self._show(records)
            yield 0

    def _hide(self, arns: Sequence[str]) -> int:
        """Hide jobs; return how many are newly hidden. The next enforcement hides those that were sealed meanwhile."""
        with self._store_lock:
            self._limit.moved |= any(arn in self._sealed.by_arn for arn in arns)
            return sum(self._lines.hide(arn) for arn in arns if arn in self._records)

    def _show(self, records: Iterable[JobRecord]) -> None:
        """Show hidden jobs. The next enforcement shows those that changed meanwhile and those without room."""
        rows = [(record, self._lines.render(record)) for record in records]
        with self._store_lock:
            for record, row in rows:
                if self._records.get(record.arn) is record and self.has_room():
                    self._lines.show(record, row)
                else:
                    self._limit.moved = True
