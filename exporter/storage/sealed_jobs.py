"""Sealed jobs: finished jobs in blocks. Jobs are moved into blocks (sealed) and out of them (unsealed)."""

from collections.abc import Collection, Iterable, Iterator, Sequence
from contextlib import contextmanager
from threading import Lock
from typing import Final

from exporter.core import JobRecord
from exporter.storage.batches import BATCH_JOBS, in_batches
from exporter.storage.block import BLOCK_JOBS, Block, seal, seal_unrendered
from exporter.storage.rendered_lines import Chains, RenderedLines

OPEN_FINISHED_JOBS: Final = 2 * BLOCK_JOBS
"""The number of open finished jobs at which a block of them is sealed."""

BATCH_BLOCKS: Final = BATCH_JOBS // BLOCK_JOBS
"""The blocks that are unsealed under one lock."""

MOST_SEALED: Final = 40
"""The blocks that one call seals. It takes half a second."""


class SealedJobs:
    """The blocks of sealed jobs. All other jobs are open.

    Args:
        records: the store's records of open jobs.
        lines: the store's lines.
        lock: the store's lock, which guards both, and the attributes below.

    Attributes:
        sealing: the lock of sealing and unsealing.
        by_arn: the block of each sealed job.
        blocks: the blocks, oldest first.
    """

    def __init__(self, records: dict[str, JobRecord], lines: RenderedLines, lock: Lock) -> None:
        self._records, self._lines, self._lock = records, lines, lock
        self.sealing = Lock()
        self.by_arn: dict[str, Block] = {}
        self.blocks: dict[Block, None] = {}

    @contextmanager
    def opened(self, *arns: str, leaving: bool = False) -> Iterator[None]:
        """Unseal jobs, and hold the store's lock.

        Args:
            arns: the jobs.
            leaving: whether the jobs need no lines any more.
        """
        while True:
            self._unseal_blocks_of(arns, arns if leaving else ())
            with self._lock:
                if not any(arn in self.by_arn for arn in arns):
                    yield
                    return

    def unseal(self, blocks: Iterable[Block], without: Collection[str] = ()) -> None:
        """Unseal those of the blocks that are still sealed; hide the jobs in ``without``."""
        with self.sealing:
            sealed = {block for block in blocks if block in self.blocks}
            if sealed:
                self._unseal(sealed, without)

    def _unseal(self, blocks: Collection[Block], without: Collection[str]) -> None:
        records = {record.arn: record for block in blocks for record in block.records()}
        rows = {arn: self._lines.render(record) for arn, record in records.items() if arn not in without}
        with self._lock:
            for block in blocks:
                del self.blocks[block]
            self._lines.unseal(rows, records.keys() - rows.keys())
            self._records.update(records)
            for arn in records:
                del self.by_arn[arn]

    def restore(self, block: Block) -> None:
        """Add a block of jobs that were never open. The caller holds the store's lock."""
        self.blocks[block] = None
        self.by_arn.update(dict.fromkeys(block.arns, block))
        self._lines.chains = None

    def block_of(self, records: Sequence[JobRecord]) -> Block:
        """Make a block of jobs that were never open. Its lines are rendered when they are first needed."""
        return seal_unrendered(records, self._lines.render)

    def current(self) -> list[Block]:
        """Return the blocks of this moment."""
        with self._lock:
            return [*self.blocks]

    def chains(self, blocks: Sequence[Block], known: Chains | None) -> Chains:
        """Return the chains of all blocks for a scrape, and keep them. They are not made for each change of a block.

        Args:
            blocks: the blocks.
            known: their chains, if they are known.
        """
        if known is not None:
            return known
        chains = self._lines.chains_of(blocks)
        with self._lock:
            if [*self.blocks] == blocks:
                self._lines.chains = chains
        return chains

    def seal_newest(self) -> None:
        """Seal the newest finished jobs while enough of them are open, unless another thread is sealing."""
        if len(self._lines.finished) < OPEN_FINISHED_JOBS:
            return
        with self._lock:
            finished = [self._records[arn] for arn in self._lines.finished]
        blocks = min(MOST_SEALED, len(finished) // BLOCK_JOBS - 1)
        newest = sorted(finished, key=_end_of, reverse=True)[: blocks * BLOCK_JOBS]
        for records in in_batches(newest, BLOCK_JOBS):
            if not self.sealing.acquire(blocking=False):
                return
            try:
                self._seal(records)
            finally:
                self.sealing.release()

    def _unseal_blocks_of(self, arns: Iterable[str], without: Collection[str]) -> None:
        blocks = {block: None for arn in arns if (block := self.by_arn.get(arn)) is not None}
        for group in in_batches(blocks, BATCH_BLOCKS):
            self.unseal(group, frozenset(without))

    def _seal(self, candidates: Iterable[JobRecord]) -> None:
        with self._lock:
            records = [record for record in candidates if self._is_shown(record)]
            rows = [self._lines.rows[record.arn] for record in records]
        if not records:
            return
        block = seal(records, rows)
        chains = self._lines.chains_with(block)
        with self._lock:
            if not all(self._is_shown(record) for record in records):
                return
            self.blocks[block] = None
            self._lines.seal(block.arns, chains)
            for arn in block.arns:
                del self._records[arn]
                self.by_arn[arn] = block

    def _is_shown(self, record: JobRecord) -> bool:
        """Return whether the job is open, has lines and did not change. Empty lines are all the same object."""
        return self._records.get(record.arn) is record and record.arn in self._lines.rows


def _end_of(record: JobRecord) -> float:
    ended = None if record.snapshot is None else record.snapshot.ended
    return 0.0 if ended is None else ended
