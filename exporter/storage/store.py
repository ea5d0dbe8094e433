"""The one cell that changes: what is known of every job, its lines of text, and the fleet's counters.

What an answer brought is written down before it is shown, if there is a ledger, so that no counter that was scraped is
lower after a restart. All else is written with the next answer, or when ``flush`` is called. What could not be
written is kept for the next time; it is in memory anyway.

A write replaces a job's record and its lines together; a reader copies references under the same short lock, so neither
waits for the other's work: rendering happens before the lock, compressing and joining after it.

Finished jobs hardly ever change, so they are sealed, a few hundred to a chunk: what is known of them is packed, their
lines are compressed together and served as they are. When one of a chunk's jobs does change, or is forgotten, the chunk
melts: the others are open until they are sealed again. The newest are sealed first, so that those which are about to be
forgotten stay open, and a chunk melts once.

Only so many jobs have lines. One beyond that is hidden: what is known of it is here, and the fleet counts it. Who has
lines is decided anew whenever ``fit`` is called; in between a new job has them if there is room.
"""

import heapq
import threading
from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Final

from exporter.core.jobs import Increment, JobRecord
from exporter.metrics.aggregates import Fleet, Totals
from exporter.metrics.exposition import JobRow, Lines, render_fleet, render_job
from exporter.metrics.families import FLEET_FAMILIES, Family, JobFamily
from exporter.metrics.gzip_stream import Chain
from exporter.storage.block import CHUNK_JOBS, Chunk, chains_of, seal
from exporter.storage.job_index import Pile
from exporter.storage.persistence import Backlog, Entry, Former, Ledger, Past, lasts
from exporter.storage.series_limit import Rank, Ranked, lowest, rank_of

OPEN_FINISHED_JOBS: Final = 2 * CHUNK_JOBS
"""How many finished jobs stay open until a chunk of them is sealed."""


@dataclass(frozen=True, slots=True)
class View:
    """What one scrape sees, all of one moment: job families and fleet families, each with its lines."""

    job_families: Sequence[JobFamily]
    job_rows: Sequence[JobRow]
    sealed: Sequence[Chain]
    fleet: Sequence[tuple[Family, bytes]]

    def families(self) -> Iterator[tuple[Family, Lines]]:
        """Yield each family with its lines; samples of one family stand together."""
        for index, (family, sealed) in enumerate(zip(self.job_families, self.sealed, strict=True)):
            yield family, Lines([row[index] for row in self.job_rows], sealed)
        for fleet_family, lines in self.fleet:
            yield fleet_family, Lines([lines])


class Store:
    """Current records by ARN.

    Args:
        job_families: the families to render for each job; none when only the fleet is of interest.
        ledger: where to write down what is known; ``None`` for nowhere.
        most: how many jobs may have lines.
    """

    def __init__(
        self, job_families: Sequence[JobFamily], ledger: Ledger | None = None, most: float = float("inf")
    ) -> None:
        self._job_families, self._ledger = tuple(job_families), ledger
        self._backlog = Backlog()
        self._writing = threading.Lock()
        """Held by who writes to the ledger or steps the counters; taken before the other locks."""
        self._records: dict[str, JobRecord] = {}
        """Of the open jobs, as are the two that follow."""
        self._open: dict[str, JobRow] = {}
        self._finished: set[str] = set()
        self._hidden: dict[str, bool] = {}
        """Open jobs without lines, and whether that was decided; the others came when there was no room."""
        self._listed: dict[str, Rank] = {}
        """Ranks of jobs that never answered, as a list told them."""
        self._beyond: Sequence[Ranked] = ()
        self._moved = False
        """Whether a rank, or the number of jobs, changed since it was last decided who is beyond the limit."""
        self._sealed: dict[str, Chunk] = {}
        self._chunks: dict[Chunk, None] = {}
        self._chains = chains_of((), len(self._job_families))
        self._fleet = Fleet()
        self._lock = threading.Lock()
        self._sealing = threading.Lock()
        """Held by who makes or melts chunks; taken before the other lock."""
        self.limit(most)

    @property
    def hidden(self) -> int:
        """How many jobs have no lines because there are too many."""
        return len(self._hidden)

    def limit(self, most: float) -> None:
        """Let so many jobs have lines from the next ``fit`` on; where no job has any, all of them may."""
        with self._lock:
            self._most = most if self._job_families else float("inf")
            self._moved = True

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
            record, chunk = self._records.get(arn), self._sealed.get(arn)
        return record if chunk is None else chunk.record(arn)

    def __len__(self) -> int:
        """Return how many jobs are watched."""
        with self._lock:
            return len(self._records) + len(self._sealed)

    def __contains__(self, arn: str) -> bool:
        """Tell whether a job is watched."""
        with self._lock:
            return arn in self._records or arn in self._sealed

    def add(self, record: JobRecord, listed: Rank | None = None) -> bool:
        """Take in a job that is not watched yet; return whether that is so.

        Args:
            record: what is known of it.
            listed: its rank until it answers.
        """
        row = render_job(self._job_families, record)
        with self._lock:
            if record.arn in self._records or record.arn in self._sealed:
                return False
            self._fleet.move(None, record.snapshot)
            if listed is not None:
                self._listed[record.arn] = listed
            self._set(record, row)
            self._changed(record.arn)
        self._seal_many()
        return True

    def restore(self, past: Past) -> None:
        """Take in what was known before a restart, which is written down already."""
        for record in past.records:
            row = render_job(self._job_families, record)
            with self._lock:
                self._fleet.move(None, record.snapshot)
                self._set(record, row)
            self._seal_many()
        with self._lock:
            self._fleet.set(past.totals)

    def records(self) -> list[JobRecord]:
        """Return what is known of every job."""
        return [*self.scan()]

    def scan(self) -> Iterator[JobRecord]:
        """Yield what is known of every job, all of one moment, with never more than a chunk of sealed ones unpacked."""
        with self._lock:
            chunks, records = [*self._chunks], [*self._records.values()]
        for chunk in chunks:
            yield from chunk.records()
        yield from records

    def piles(self) -> tuple[list[JobRecord], list[Pile]]:
        """Return what is known of every open job, and the sealed ones in piles, all of one moment."""
        with self._lock:
            chunks, records = [*self._chunks], [*self._records.values()]
        return records, [chunk.pile for chunk in chunks]

    def put(self, record: JobRecord, increments: Iterable[Increment] = ()) -> None:
        """Write down and take in what is known of a job now, and what it adds to the fleet's counters."""
        with self._writing:
            totals = self._fleet.after(increments)
            written = self._write(record, totals)
            self._take_in(record, totals, changed=not written)
        self._seal_many()

    def amend(self, record: JobRecord) -> None:
        """Take in what is known of a job now, where that can wait to be written down."""
        self._take_in(record, Totals(), changed=True)
        self._seal_many()

    def forget(self, arn: str, former: Mapping[int, Former]) -> None:
        """Drop a job and its series; what it added to the fleet's counters stays.

        Args:
            arn: the job.
            former: its tombstone by its mark, if it has one.
        """
        with self._unsealed(arn):
            self._fleet.move(self._records.pop(arn).snapshot, None)
            self._open.pop(arn, None)
            self._hidden.pop(arn, None)
            self._listed.pop(arn, None)
            self._finished.discard(arn)
            self._moved = True
            self._changed(arn)
            if self._ledger is not None:
                self._backlog.forgotten.add(arn)
                self._backlog.formers |= former

    def fit(self) -> tuple[Sequence[Ranked], int]:
        """Decide who has lines; return the jobs beyond the limit, and how many of them were not when it last decided.

        A job beyond the limit that is forgotten makes no room: those that have lines are the others. While there is
        room for all of them, nothing is looked at.
        """
        with self._lock:
            if self._excess <= 0 and not self._hidden:
                return (), 0
        with self._sealing:
            with self._lock:
                if not self._moved:
                    return self._beyond, 0
                self._moved = False
                excess, chunks, records = self._excess, [*self._chunks], [*self._records.values()]
                listed, hidden = self._listed.copy(), set(self._hidden)
            ranked = (Ranked(listed.get(record.arn) or rank_of(record), record.arn) for record in records)
            beyond = lowest(max(0, excess), ranked, ((chunk.lowest, chunk.ranked) for chunk in chunks))
            leaving = {arn for _, arn in beyond}
            self._melt([chunk for chunk in chunks if not leaving.isdisjoint(chunk.arns)], without=leaving)
            coming = [
                (record, render_job(self._job_families, record))
                for record in records
                if record.arn in hidden and record.arn not in leaving
            ]
            with self._lock:
                self._beyond = beyond
                dropped = sum(self._hide(arn) for arn in leaving)
                for record, row in coming:
                    self._show(record, row)
            return beyond, dropped

    def remember(self, formers: Mapping[int, Former]) -> None:
        """Have this remembered of jobs that were forgotten, by their mark, in place of what is."""
        if self._ledger is not None:
            with self._lock:
                self._backlog.formers |= formers

    def unremember(self, marks: Iterable[int], floor: float = 0.0) -> None:
        """Drop tombstones from what is written down, and note to where their floor rose, unix seconds."""
        dropped = dict.fromkeys(marks)
        if self._ledger is not None and dropped:
            with self._lock:
                self._backlog.formers |= dropped
                self._backlog.floor = max(self._backlog.floor, floor)

    def flush(self) -> None:
        """Write down what is not yet."""
        with self._writing:
            self._write(None, Totals())

    def everything(self) -> Entry:
        """Tell all that is known, for a ledger that begins anew, which is the only one to ask."""
        with self._lock:
            totals = self._fleet.totals()
        return Entry([record for record in self.scan() if lasts(record)], totals=totals)

    def view(self) -> View:
        """Return what a scrape shows."""
        with self._lock:
            rows = list(self._open.values())
            sealed = list(self._chains)
            fleet = [(family, list(self._fleet.samples(family))) for family in FLEET_FAMILIES]
        return View(self._job_families, rows, sealed, [(family, render_fleet(samples)) for family, samples in fleet])

    @property
    def _excess(self) -> int:
        return int(max(-1.0, len(self._records) + len(self._sealed) - self._most))

    @property
    def _room(self) -> bool:
        return len(self._open) + len(self._sealed) < self._most

    def _hide(self, arn: str) -> bool:
        """Take its lines from a job; return whether they are newly lost, or newly refused."""
        if arn not in self._records or self._hidden.get(arn):
            return False
        self._open.pop(arn, None)
        self._finished.discard(arn)
        self._hidden[arn] = True
        return True

    def _show(self, record: JobRecord, row: JobRow) -> None:
        """Give its lines to a hidden job, unless it changed meanwhile, or others took the room: then next time."""
        if self._records.get(record.arn) is record and self._room:
            self._hidden.pop(record.arn, None)
            self._set(record, row)
        else:
            self._moved = True

    def _write(self, record: JobRecord | None, totals: Totals) -> bool:
        """Write down the backlog, with a record and totals that are not taken in yet; return whether that is done."""
        if self._ledger is None:
            return True
        if self._ledger.open:
            with self._lock:
                backlog, self._backlog = self._backlog, Backlog()
                moved = self._fleet.totals(backlog.series)
            known = {arn: self.find(arn) for arn in backlog.arns} | ({} if record is None else {record.arn: record})
            entry = backlog.entry(known, moved.replaced_by(totals))
            if not entry or self._ledger.write(entry):
                return True
            with self._lock:
                self._backlog.give_back(backlog)
        with self._lock:
            self._backlog.series.update(totals.counters, totals.histograms)
        return False

    def _take_in(self, record: JobRecord, totals: Totals, *, changed: bool) -> None:
        row = render_job(self._job_families, record)
        with self._unsealed(record.arn):
            before = self._records.get(record.arn)
            self._fleet.move(None if before is None else before.snapshot, record.snapshot)
            self._fleet.set(totals)
            self._set(record, row)
            if changed:
                self._changed(record.arn)

    def _changed(self, arn: str) -> None:
        if self._ledger is not None:
            self._backlog.arns.add(arn)

    def _set(self, record: JobRecord, row: JobRow) -> None:
        before = self._records.get(record.arn)
        if record.snapshot is not None:
            self._listed.pop(record.arn, None)
        if before is None or rank_of(before) != rank_of(record):
            self._moved = True
        self._records[record.arn] = record
        if record.arn in self._hidden:
            return
        if before is None and not self._room:
            self._hidden[record.arn] = False
            return
        self._open[record.arn] = row
        if record.snapshot is not None and record.snapshot.finished:
            self._finished.add(record.arn)
        else:
            self._finished.discard(record.arn)

    @contextmanager
    def _unsealed(self, arn: str) -> Iterator[None]:
        """Hold the lock while a job is in no chunk."""
        while True:
            self._melt_chunk_of(arn)
            with self._lock:
                if arn not in self._sealed:
                    yield
                    return

    def _melt_chunk_of(self, arn: str) -> None:
        if arn not in self._sealed:
            return
        with self._sealing:
            chunk = self._sealed.get(arn)
            if chunk is None:
                return
            self._melt([chunk])

    def _melt(self, chunks: Collection[Chunk], without: Collection[str] = ()) -> None:
        """Open the jobs of chunks; hide those that are to be ``without`` lines. Its caller holds ``_sealing``."""
        if not chunks:
            return
        records = {record.arn: record for chunk in chunks for record in chunk.records()}
        rows = {arn: render_job(self._job_families, record) for arn, record in records.items() if arn not in without}
        chains = chains_of((other for other in self._chunks if other not in chunks), len(self._job_families))
        with self._lock:
            for chunk in chunks:
                del self._chunks[chunk]
            self._chains = chains
            self._records |= records
            self._open |= rows
            self._finished.update(rows)
            self._hidden.update(dict.fromkeys(records.keys() - rows.keys(), False))
            for arn in records:
                del self._sealed[arn]

    def _seal_many(self) -> None:
        """Seal a chunk where that is worth it, in this thread, unless another one is about it."""
        if len(self._finished) < OPEN_FINISHED_JOBS or not self._sealing.acquire(blocking=False):
            return
        try:
            with self._lock:
                arns = tuple(heapq.nlargest(CHUNK_JOBS, self._finished, key=self._end_of))
                rows, records = [self._open[arn] for arn in arns], [self._records[arn] for arn in arns]
            chunk = seal(records, rows)
            chains = tuple(each.add(piece) for each, piece in zip(self._chains, chunk.pieces, strict=True))
            with self._lock:
                if any(self._open.get(arn) is not row for arn, row in zip(arns, rows, strict=True)):
                    return
                self._chunks[chunk] = None
                self._chains = chains
                self._finished.difference_update(arns)
                for arn in arns:
                    del self._open[arn], self._records[arn]
                    self._sealed[arn] = chunk
        finally:
            self._sealing.release()

    def _end_of(self, arn: str) -> float:
        snapshot = self._records[arn].snapshot
        return 0.0 if snapshot is None or snapshot.ended is None else snapshot.ended
