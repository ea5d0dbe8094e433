"""The rendered lines of jobs, ready for a scrape."""

from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from operator import itemgetter
from typing import NamedTuple, overload

from exporter.core import JobRecord
from exporter.metrics import Family, JobFamily, Lines, Row, SegmentChain, render
from exporter.storage.block import Block, chains_of

Chains = tuple[SegmentChain, ...]
"""The compressed lines of all blocks, for each family."""


class View(NamedTuple):
    """The content of one scrape: job families and other families, each with its lines."""

    job_families: Sequence[JobFamily]
    job_rows: Sequence[Row]
    sealed: Sequence[SegmentChain]
    aggregates: Sequence[tuple[Family, bytes]]

    def families(self) -> Iterator[tuple[Family, Lines]]:
        """Yield each family with its lines."""
        for index, (family, sealed) in enumerate(zip(self.job_families, self.sealed, strict=True)):
            yield family, Lines(_Column(self.job_rows, index), sealed)
        for aggregate_family, lines in self.aggregates:
            yield aggregate_family, Lines([lines])


class _Column(Sequence[bytes]):
    """The lines of one family. The rows are not copied: a slow reader of the page would keep each copy."""

    def __init__(self, rows: Sequence[Row], index: int) -> None:
        self._rows, self._index = rows, index

    @overload
    def __getitem__(self, place: int) -> bytes: ...

    @overload
    def __getitem__(self, place: slice) -> Sequence[bytes]: ...

    def __getitem__(self, place: int | slice) -> bytes | Sequence[bytes]:
        if isinstance(place, slice):
            return _Column(self._rows[place], self._index)
        return self._rows[place][self._index]

    def __len__(self) -> int:
        return len(self._rows)

    def __iter__(self) -> Iterator[bytes]:
        return map(itemgetter(self._index), self._rows)


class RenderedLines:
    """Lines of open jobs by ARN, and compressed lines of blocks. An open job without lines is hidden.

    It has no lock: the store holds its own around every call, except ``render`` and the two methods that make chains.

    Args:
        families: the families to render for each job; none with ``per_job_metrics: false``.

    Attributes:
        families: the families to render for each job.
        rows: the lines of each open job that has lines.
        finished: the ARNs of the finished jobs among them, which can be sealed.
        hidden: open jobs without lines. ``True`` where ``max_jobs`` was enforced; ``False`` where there was no room
            when the job was added.
        chains: the lines of all blocks, for each family; ``None`` after a block was unsealed or restored, until
            the next scrape.
    """

    def __init__(self, families: Sequence[JobFamily]) -> None:
        self.families = tuple(families)
        self.rows: dict[str, Row] = {}
        self.finished: set[str] = set()
        self.hidden: dict[str, bool] = {}
        self.chains: Chains | None = self.chains_of(())

    def render(self, record: JobRecord) -> Row:
        """Render the lines of a job."""
        return render(self.families, record)

    def chains_with(self, block: Block) -> Chains | None:
        """Return the chains with one more block."""
        chains = self.chains
        if chains is None:
            return None
        return tuple(each.add(segment) for each, segment in zip(chains, block.segments(), strict=True))

    def chains_of(self, blocks: Iterable[Block]) -> Chains:
        """Return the chains of some blocks."""
        return chains_of(blocks, len(self.families))

    def put(self, record: JobRecord, row: Row) -> None:
        """Show new lines of an open job, unless it is hidden."""
        if record.arn in self.hidden:
            return
        self.rows[record.arn] = row
        if record.snapshot is not None and record.snapshot.finished:
            self.finished.add(record.arn)
        else:
            self.finished.discard(record.arn)

    def show(self, record: JobRecord, row: Row) -> None:
        """Show a hidden job."""
        self.hidden.pop(record.arn, None)
        self.put(record, row)

    def refuse(self, arn: str) -> None:
        """Hide a new job because there is no room."""
        self.hidden[arn] = False

    def hide(self, arn: str) -> bool:
        """Hide an open job because of ``max_jobs``; return ``False`` if it was already hidden for that reason."""
        if self.hidden.get(arn):
            return False
        self.drop(arn)
        self.hidden[arn] = True
        return True

    def drop(self, arn: str) -> None:
        """Drop an open job."""
        self.rows.pop(arn, None)
        self.finished.discard(arn)
        self.hidden.pop(arn, None)

    def seal(self, arns: Collection[str], chains: Chains | None) -> None:
        """Replace the lines of open jobs by chains that include their block."""
        self.finished.difference_update(arns)
        for arn in arns:
            del self.rows[arn]
        self.chains = chains

    def unseal(self, rows: Mapping[str, Row], hidden: Iterable[str]) -> None:
        """Drop the chains because some blocks were unsealed; their jobs are open again, with lines or hidden."""
        self.rows |= rows
        self.finished.update(rows)
        self.hidden.update(dict.fromkeys(hidden, False))
        self.chains = None
