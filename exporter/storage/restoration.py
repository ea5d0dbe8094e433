"""Restores the jobs of a state file: they are known at once, and their metric lines are rendered later.

An exporter polls as soon as it knows its jobs. Rendering takes half of the time of a restart.
"""

from collections.abc import Callable, Sequence
from threading import Event, Lock

from exporter.core import JobRecord
from exporter.metrics import Aggregates, Row, Totals
from exporter.storage.block import BLOCK_JOBS
from exporter.storage.rendered_lines import RenderedLines
from exporter.storage.sealed_jobs import SealedJobs


class Restoration:
    """Takes jobs and aggregates from before a restart, which are already persisted.

    Args:
        aggregates: the store's aggregates.
        lines: the store's lines.
        sealed: the store's blocks.
        lock: the store's lock, which guards all of them.
        has_room: returns whether a number of further jobs may have lines; called with the lock.
        add: adds an open job with its lines; called with the lock.
    """

    def __init__(
        self,
        aggregates: Aggregates,
        lines: RenderedLines,
        sealed: SealedJobs,
        lock: Lock,
        *,
        has_room: Callable[[int], bool],
        add: Callable[[JobRecord, Row], None],
    ) -> None:
        self._aggregates, self._lines, self._sealed = aggregates, lines, sealed
        self._has_room, self._add, self._lock = has_room, add, lock
        self._rendered, self._rendering_ended = True, Event()
        self._rendering_ended.set()

    def restore_totals(self, totals: Totals) -> None:
        """Set the aggregates, before the first job."""
        with self._lock:
            self._aggregates.restore(totals)

    def restore_jobs(self, records: Sequence[JobRecord]) -> None:
        """Add jobs. Finished jobs that fill a block are sealed at once, and ``render`` renders their lines later."""
        with self._lock:
            fits = len(records) == BLOCK_JOBS and self._has_room(BLOCK_JOBS)
        if fits and not any(record.active for record in records):
            self._restore_block(records)
        else:
            for record in records:
                self._restore_open(record)

    def render(self, stopped: Callable[[], bool] = lambda: False) -> None:
        """Render the lines of the blocks, once, in one thread.

        Args:
            stopped: whether to end early, because nobody needs the lines any more; checked between blocks.
        """
        try:
            for block in self._sealed.current():
                if stopped():
                    return
                if block in self._sealed.blocks:  # it may be unsealed meanwhile
                    block.segments()
            self._sealed.chains(self._sealed.current(), None)
            self._rendered = True
        finally:
            self._rendering_ended.set()

    def wait_for_lines(self, seconds: float) -> bool:
        """Wait until the lines are rendered; return ``False`` if that does not end in time, or ended early."""
        return self._rendering_ended.wait(seconds) and self._rendered

    def _restore_block(self, records: Sequence[JobRecord]) -> None:
        block = self._sealed.block_of(records)
        with self._lock:
            for record in records:
                self._aggregates.move(None, record.snapshot)
            self._sealed.restore(block)
            self._rendered = False
            self._rendering_ended.clear()

    def _restore_open(self, record: JobRecord) -> None:
        row = self._lines.render(record)
        with self._lock:
            self._aggregates.move(None, record.snapshot)
            self._add(record, row)
        self._sealed.seal_newest()
