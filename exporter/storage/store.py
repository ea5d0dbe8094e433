"""The store: the one mutable cell. It keeps the records of all jobs and the fleet's counters, and coordinates.

``RenderedLines`` has the lines that scrapes get, ``SealedJobs`` the blocks of finished jobs, ``SeriesLimit`` the jobs
that may not have lines, and ``WriteBehind`` the changes that are not yet in the ledger.

A response is written before it is shown, so that no counter that was scraped is lower after a restart. Other changes
are written with the next response, or by ``flush``. A change that could not be written is kept for the next write; it
is in memory in any case.

A write replaces a job's record and its lines together; a reader copies references under the same short lock, so neither
waits for the other's work: rendering happens before the lock, compressing and joining after it.

Finished jobs rarely change, so they are sealed, a few hundred to a block: their records are packed, their lines are
compressed together and served as they are. When one job of a block changes, or is forgotten, the block is unsealed: its
other jobs are open until they are sealed again. The newest are sealed first, so that those that will be forgotten next
stay open, and a block is unsealed once.

Locks, in the order in which a thread takes them; it may skip some:

1. ``WriteBehind.writing``: held by who writes to the ledger or steps the counters. The ledger's own lock comes next.
2. ``SealedJobs.sealing``: held by who makes or unseals blocks. A thread that would seal, and finds it held, goes on.
3. ``Store._lock``: guards records, lines, blocks, counters, limit and backlog. Held for copies of references and small
   updates: under it, no other lock is taken, no file is written, and nothing is rendered or compressed.

The ledger calls ``everything`` under ``writing`` and its own lock; that takes the last lock only.
"""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from threading import Lock

from exporter.core import Increment, JobRecord
from exporter.metrics import AGGREGATE_FAMILIES, Aggregates, JobFamily, Row, Totals, render
from exporter.storage.block import Block
from exporter.storage.job_index import BlockSummary
from exporter.storage.persistence import Entry, Persistence, SavedState, Tombstone, is_saved
from exporter.storage.rendered_lines import RenderedLines, View
from exporter.storage.sealed_jobs import SealedJobs
from exporter.storage.series_limit import Rank, Ranked, SeriesLimit
from exporter.storage.write_behind import WriteBehind


class Store:
    """Current records by ARN.

    Args:
        job_families: the families to render for each job; none when only the fleet is of interest.
        ledger: where to write down what is known; ``None`` for nowhere.
        most: how many jobs may have lines.
    """

    def __init__(
        self, job_families: Sequence[JobFamily], persistence: Persistence | None = None, most: float = float("inf")
    ) -> None:
        self._lock = Lock()
        self._records: dict[str, JobRecord] = {}
        """Records of the open jobs."""
        self._aggregates = Aggregates()
        self._lines = RenderedLines(job_families)
        self._sealed = SealedJobs(self._records, self._lines, self._lock)
        self._limit = SeriesLimit()
        self._write_behind = WriteBehind(persistence, self._lock, self.find, self._aggregates.totals)
        self.set_limit(most)

    @property
    def hidden(self) -> int:
        """How many jobs have no lines because there are too many."""
        return len(self._lines.hidden)

    def set_limit(self, most: float) -> None:
        """Let so many jobs have lines from the next ``enforce_limit`` on; where no job has any, all of them may."""
        with self._lock:
            self._limit.set(most if self._lines.families else float("inf"))

    def record(self, arn: str) -> JobRecord:
        """Return what is known of a job.

        Raises:
            KeyError: the job is not watched.
        """
        record = self.find(arn)
        if record is None:
            raise KeyError(arn)
        return record

    def find(self, arn: str) -> JobRecord | None:
        """Return what is known of a job, or ``None`` for one that is not watched."""
        with self._lock:
            record, block = self._records.get(arn), self._sealed.by_arn.get(arn)
        return record if block is None else block.record(arn)

    def __len__(self) -> int:
        """Return how many jobs are watched."""
        with self._lock:
            return self._jobs

    def __contains__(self, arn: str) -> bool:
        """Tell whether a job is watched."""
        with self._lock:
            return arn in self._records or arn in self._sealed.by_arn

    def add(self, record: JobRecord, listed: Rank | None = None) -> bool:
        """Take in a job that is not watched yet; return whether that is so.

        Args:
            record: what is known of it.
            listed: its rank until it answers.
        """
        row = self._lines.render(record)
        with self._lock:
            if record.arn in self._records or record.arn in self._sealed.by_arn:
                return False
            self._aggregates.move(None, record.snapshot)
            if listed is not None:
                self._limit.listed[record.arn] = listed
            self._set(record, row)
            self._write_behind.changed(record.arn)
        self._sealed.seal_newest()
        return True

    def restore(self, saved: SavedState) -> None:
        """Take in what was known before a restart, which is written down already."""
        for record in saved.records:
            row = self._lines.render(record)
            with self._lock:
                self._aggregates.move(None, record.snapshot)
                self._set(record, row)
            self._sealed.seal_newest()
        with self._lock:
            self._aggregates.set(saved.totals)

    def scan(self) -> Iterator[JobRecord]:
        """Yield what is known of every job, all of one moment, with never more than a chunk of sealed ones unpacked."""
        with self._lock:
            blocks, records = [*self._sealed.blocks], [*self._records.values()]
        for block in blocks:
            yield from block.records()
        yield from records

    def summaries(self) -> tuple[list[JobRecord], list[BlockSummary]]:
        """Return what is known of every open job, and the sealed ones in piles, all of one moment."""
        with self._lock:
            blocks, records = [*self._sealed.blocks], [*self._records.values()]
        return records, [block.summary for block in blocks]

    def put(self, record: JobRecord, increments: Iterable[Increment] = ()) -> None:
        """Write down and take in what is known of a job now, and what it adds to the fleet's counters."""
        with self._write_behind.writing:
            totals = self._aggregates.after(increments)
            written = self._write_behind.write(record, totals)
            self._take_in(record, totals, changed=not written)
        self._sealed.seal_newest()

    def amend(self, record: JobRecord) -> None:
        """Take in what is known of a job now, where that can wait to be written down."""
        self._take_in(record, Totals(), changed=True)
        self._sealed.seal_newest()

    def forget(self, arn: str, tombstone: Mapping[int, Tombstone]) -> None:
        """Drop a job and its series; what it added to the fleet's counters stays.

        Args:
            arn: the job.
            tombstone: its tombstone by its mark, if it has one.
        """
        with self._sealed.opened(arn):
            self._aggregates.move(self._records.pop(arn).snapshot, None)
            self._lines.drop(arn)
            self._limit.forget(arn)
            self._write_behind.forgotten(arn, tombstone)

    def enforce_limit(self) -> tuple[Sequence[Ranked], int]:
        """Decide which jobs have lines; return the jobs beyond the limit, and how many of them are newly beyond it.

        A job beyond the limit that is forgotten makes no room: the jobs with lines are the others. While there is room
        for all of them, no job is looked at.
        """
        with self._lock:
            if self._limit.excess(self._jobs) <= 0 and not self._lines.hidden:
                return (), 0
        with self._sealed.sealing:
            with self._lock:
                if not self._limit.moved:
                    return self._limit.beyond, 0
                decision = self._limit.decision(self._jobs)
                blocks, records, hidden = [*self._sealed.blocks], [*self._records.values()], set(self._lines.hidden)
            beyond = decision.beyond(records, ((block.lowest, block.ranked) for block in blocks))
            return beyond, self._enforce(beyond, blocks, [record for record in records if record.arn in hidden])

    def save_tombstones(self, tombstones: Mapping[int, Tombstone]) -> None:
        """Write tombstones of forgotten jobs, by their mark, in place of the earlier ones."""
        self._write_behind.save_tombstones(tombstones)

    def drop_tombstones(self, marks: Iterable[int], floor: float = 0.0) -> None:
        """Drop tombstones from the ledger, and note their new floor, unix seconds."""
        self._write_behind.drop_tombstones(marks, floor)

    def flush(self) -> None:
        """Write the changes that are not written yet."""
        self._write_behind.flush()

    def everything(self) -> Entry:
        """Tell all that is known, for a ledger that begins anew, which is the only one to ask."""
        with self._lock:
            totals = self._aggregates.totals()
        return Entry([record for record in self.scan() if is_saved(record)], totals=totals)

    def view(self) -> View:
        """Return what a scrape shows."""
        with self._lock:
            rows = list(self._lines.rows.values())
            sealed = list(self._lines.chains)
            values = self._aggregates.values()
        aggregates = zip(AGGREGATE_FAMILIES, render(AGGREGATE_FAMILIES, values), strict=True)
        return View(self._lines.families, rows, sealed, [*aggregates])

    @property
    def _jobs(self) -> int:
        return len(self._records) + len(self._sealed.by_arn)

    @property
    def _room(self) -> bool:
        return self._limit.room(len(self._lines.rows) + len(self._sealed.by_arn))

    def _enforce(self, beyond: Sequence[Ranked], blocks: Iterable[Block], hidden: Iterable[JobRecord]) -> int:
        """Hide the jobs beyond the limit and show the other hidden ones; return how many are newly hidden."""
        leaving = {arn for _, arn in beyond}
        self._sealed.unseal([block for block in blocks if not leaving.isdisjoint(block.arns)], without=leaving)
        coming = [(record, self._lines.render(record)) for record in hidden if record.arn not in leaving]
        with self._lock:
            self._limit.beyond = beyond
            dropped = sum(self._lines.hide(arn) for arn in leaving if arn in self._records)
            for record, row in coming:
                self._show(record, row)
        return dropped

    def _show(self, record: JobRecord, row: Row) -> None:
        """Show a hidden job, unless it changed meanwhile or there is no room: the next ``enforce_limit`` does."""
        if self._records.get(record.arn) is record and self._room:
            self._lines.show(record, row)
        else:
            self._limit.moved = True

    def _take_in(self, record: JobRecord, totals: Totals, *, changed: bool) -> None:
        row = self._lines.render(record)
        with self._sealed.opened(record.arn):
            before = self._records.get(record.arn)
            self._aggregates.move(None if before is None else before.snapshot, record.snapshot)
            self._aggregates.set(totals)
            self._set(record, row)
            if changed:
                self._write_behind.changed(record.arn)

    def _set(self, record: JobRecord, row: Row) -> None:
        before = self._records.get(record.arn)
        self._limit.note(before, record)
        self._records[record.arn] = record
        if before is None and not self._room:
            self._lines.refuse(record.arn)
        else:
            self._lines.put(record, row)
