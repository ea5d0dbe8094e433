"""Blocks of finished jobs: their records are packed one by one, and their lines are compressed together. Pure."""

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from typing import Final

from exporter.core import JobRecord
from exporter.metrics import BEST_LEVEL, Row, Segment, SegmentChain, chain, compress
from exporter.storage.codec import PackedRecords, pack
from exporter.storage.job_index import BlockSummary, status_summaries
from exporter.storage.series_limit import Rank, Ranked, rank_of

BLOCK_JOBS: Final = 256
"""Jobs of a block. Their lines of one family fill the compression window; a larger block does not compress better."""


@dataclass(frozen=True, slots=True, eq=False)
class Block:
    """Sealed jobs.

    Attributes:
        packed: the records.
        segments: the compressed lines of each family.
        lowest: the lowest rank of a job.
        summary: the summary for the status page.
    """

    packed: PackedRecords
    segments: tuple[Segment, ...]
    lowest: Rank
    summary: BlockSummary

    @property
    def arns(self) -> tuple[str, ...]:
        """The jobs."""
        return self.packed.arns

    def records(self) -> list[JobRecord]:
        """Return the records of all jobs."""
        return [*self.packed]

    def record(self, arn: str) -> JobRecord:
        """Return the record of one job, without unpacking the others."""
        return self.packed[self.arns.index(arn)]

    def ranked(self) -> Iterator[Ranked]:
        """Yield all jobs with their ranks."""
        return (Ranked(rank_of(record), record.arn) for record in self.packed)


def seal(records: Sequence[JobRecord], rows: Iterable[Row]) -> Block:
    """Make a block of jobs.

    Args:
        records: their records.
        rows: their lines, in the same order.
    """
    packed = pack(records)
    return Block(
        packed=packed,
        segments=tuple(compress(b"".join(lines), BEST_LEVEL) for lines in zip(*rows, strict=True)),
        lowest=min(map(rank_of, records)),
        summary=BlockSummary(len(records), status_summaries(records), packed.__iter__),
    )


def chains_of(blocks: Iterable[Block], families: int) -> tuple[SegmentChain, ...]:
    """Chain the segments of blocks, for each family."""
    chains = tuple(map(chain, zip(*(block.segments for block in blocks), strict=True)))
    return chains or tuple(SegmentChain() for _ in range(families))
