"""Blocks of finished jobs: their records are packed one by one, and their lines are compressed together. Pure."""

from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from functools import cache
from typing import Final

from exporter.core import JobRecord
from exporter.metrics import BEST_LEVEL, Row, Segment, SegmentChain, chain, compress
from exporter.storage.codec import PackedRecords, pack
from exporter.storage.job_index import BlockSummary, status_summaries
from exporter.storage.series_limit import Rank, Ranked, rank_of

BLOCK_JOBS: Final = 256
"""Jobs of a block. Their lines of one family fill the compression window; a larger block does not compress better."""


Segments = tuple[Segment, ...]
"""Compressed lines, for each family."""


@dataclass(frozen=True, slots=True, eq=False)
class Block:
    """Sealed jobs.

    Attributes:
        packed: the records.
        segments: returns the compressed lines of each family; the first call may take tens of milliseconds.
        lowest: the lowest rank of a job.
        summary: the summary for the status page.
    """

    packed: PackedRecords
    segments: Callable[[], Segments]
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
    segments = _segments(rows)
    return _block(records, pack(records), lambda: segments)


def seal_unrendered(records: Sequence[JobRecord], render: Callable[[JobRecord], Row]) -> Block:
    """Make a block of jobs. Their lines are rendered when they are first needed.

    Args:
        records: their records.
        render: renders the lines of a job.
    """
    packed = pack(records)
    return _block(records, packed, cache(lambda: _segments(map(render, packed))))


def chains_of(blocks: Iterable[Block], families: int) -> tuple[SegmentChain, ...]:
    """Chain the segments of blocks, for each family."""
    chains = tuple(map(chain, zip(*(block.segments() for block in blocks), strict=True)))
    return chains or tuple(SegmentChain() for _ in range(families))


def _block(records: Sequence[JobRecord], packed: PackedRecords, segments: Callable[[], Segments]) -> Block:
    return Block(
        packed=packed,
        segments=segments,
        lowest=min(map(rank_of, records)),
        summary=BlockSummary(len(records), status_summaries(records), packed.__iter__),
    )


def _segments(rows: Iterable[Row]) -> Segments:
    return tuple(compress(b"".join(lines), BEST_LEVEL) for lines in zip(*rows, strict=True))
