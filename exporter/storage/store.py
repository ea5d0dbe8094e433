"""The store: the records of all jobs and the aggregates. It is the only mutable state of jobs.

``RenderedLines`` has the lines for scrapes, ``SealedJobs`` the blocks of finished jobs, ``SeriesLimit`` the jobs beyond
``max_jobs``, and ``WriteBehind`` the changes that are not persisted yet.

A response is persisted before a scrape shows it, so a counter never falls after a restart. Other changes are persisted
with the next response, or by ``flush``. A change that cannot be persisted is in memory, and in the next write.

A write replaces a job's record and its lines together. A reader copies references under the same short lock. Neither
waits for the other's work: rendering happens before the lock, compressing and joining after it.

Finished jobs rarely change, so they are sealed in blocks of a few hundred. The records of a block are packed; its lines
are compressed once and served as they are. When a job of a block changes or is forgotten, the block is unsealed: its
other jobs are open until they are sealed again. The newest jobs are sealed first. Those that expire next stay open, so
a block is unsealed once.

Work on many jobs is done in batches, and locks are released in between. Jobs with counters that could not be persisted
are an exception: they are written together with the counters, so that a restart counts no job again.

Locks, in the order in which a thread takes them; it may skip some:

1. ``WriteBehind.writing``: serializes writes and counter updates. The persistence's own lock is next.
2. The lock of ``Enforcement``: serializes enforcements of the limit. A thread that finds it held does not enforce.
3. ``SealedJobs.sealing``: serializes sealing and unsealing. A thread that finds it held does not seal.
4. ``Store._lock``: guards records, lines, blocks, counters, limit and dirty set. Held for copies of references and
   small updates: under it, no other lock is taken, no file is written, and nothing is rendered or compressed.

The ledger calls ``everything`` under ``writing`` and its own lock, and at the start the methods of ``restoration``
and ``everything`` under its own lock. ``everything`` takes ``Store._lock``, then the lock of the
tombstones.
"""

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from threading import Lock

from exporter.core import Increment, JobRecord, Target
from exporter.metrics import Aggregates, JobFamily, Row, TagValues, Totals, aggregate_families, render
from exporter.storage.device_store import DeviceStore
from exporter.storage.enforcement import Enforcement
from exporter.storage.job_index import BlockSummary
from exporter.storage.persistence import Entry, Persistence, Tombstone, is_saved
from exporter.storage.rendered_lines import RenderedLines, View
from exporter.storage.restoration import Restoration
from exporter.storage.sealed_jobs import SealedJobs
from exporter.storage.series_limit import Rank, Ranked, SeriesLimit
from exporter.storage.spending_limit_store import SpendingLimitStore
from exporter.storage.tombstones import Tombstones
from exporter.storage.write_behind import WriteBehind


class Store:
    """Current records by ARN.

    Attributes:
        restoration: takes the jobs from before a restart.
        tombstones: the forgotten jobs.
        devices: the devices.
        spending_limits: the spending limits.

    Args:
        job_families: the families to render for each job; none with ``per_job_metrics: false``.
        persistence: where changes are persisted; ``None`` for nowhere.
        most: the number of jobs that may have lines.
        tag_keys: the tag keys that are labels of the aggregate families.
        count_other: counts a job with a value too many of a tag key.
    """

    def __init__(
        self,
        job_families: Sequence[JobFamily],
        persistence: Persistence | None = None,
        most: float = float("inf"),
        tag_keys: Sequence[str] = (),
        count_other: Callable[[str], None] = lambda _: None,
    ) -> None:
        self._count_other = count_other
        self._lock = Lock()
        self._records: dict[str, JobRecord] = {}
        """Records of the open jobs."""
        self._aggregate_families = aggregate_families(tag_keys)
        self._aggregates = Aggregates(tag_values=TagValues(tag_keys))
        self._lines = RenderedLines(job_families)
        self._sealed = SealedJobs(self._records, self._lines, self._lock)
        self._limit = SeriesLimit()
        self._enforcement = Enforcement(self._limit, self._records, self._lines, self._sealed, self._lock)
        self.restoration = Restoration(
            self._aggregates,
            self._lines,
            self._sealed,
            self._lock,
            has_room=self._enforcement.has_room,
            add=self._set,
        )
        self.tombstones, self.devices, self.spending_limits = Tombstones(), DeviceStore(), SpendingLimitStore()
        self._write_behind = WriteBehind(persistence, self._lock, self.find, self._aggregates.totals, self.everything)
        self.set_limit(most)

    @property
    def hidden(self) -> int:
        """The number of jobs without lines because of ``max_jobs``."""
        return len(self._lines.hidden)

    def set_limit(self, most: float) -> None:
        """Change the limit of jobs with lines; ``enforce_limit`` applies it. Without job families there is none."""
        with self._lock:
            self._limit.set(most if self._lines.families else float("inf"))

    def record(self, arn: str) -> JobRecord:
        """Return the record of a job.

        Raises:
            KeyError: the job is not watched.
        """
        record = self.find(arn)
        if record is None:
            raise KeyError(arn)
        return record

    def find(self, arn: str) -> JobRecord | None:
        """Return the record of a job; ``None`` if it is not watched."""
        with self._lock:
            record, block = self._records.get(arn), self._sealed.by_arn.get(arn)
        return record if block is None else block.record(arn)

    def __len__(self) -> int:
        """Return the number of watched jobs."""
        with self._lock:
            return self._enforcement.jobs

    def __contains__(self, arn: str) -> bool:
        """Return whether a job is watched."""
        with self._lock:
            return arn in self._records or arn in self._sealed.by_arn

    def add(self, record: JobRecord, listed: Rank | None = None) -> bool:
        """Add a job; return ``False`` if it is already watched.

        Args:
            record: its record.
            listed: its rank until the first GetJob response.
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

    def records(self) -> list[JobRecord]:
        """Return the record of every job."""
        return [*self.scan()]

    def scan(self) -> Iterator[JobRecord]:
        """Yield the record of every job, all of one moment; at most one block of sealed jobs is unpacked at a time."""
        with self._lock:
            blocks, records = [*self._sealed.blocks], [*self._records.values()]
        for block in blocks:
            yield from block.records()
        yield from records

    def summaries(self) -> tuple[list[JobRecord], list[BlockSummary]]:
        """Return the records of open jobs and the summaries of blocks, all of one moment."""
        with self._lock:
            blocks, records = [*self._sealed.blocks], [*self._records.values()]
        return records, [block.summary for block in blocks]

    def put(self, record: JobRecord, increments: Sequence[Increment] = ()) -> None:
        """Persist and replace a job's record, and add its increments to the aggregates."""
        with self._write_behind.writing:
            with self._lock:
                labelled, others = self._aggregates.labelled(increments), self._aggregates.others(increments)
            totals = self._aggregates.after(labelled)
            written = self._write_behind.write(record, totals)
            self._take_in((record,), totals, note=None if written else self._write_behind.incremented)
        for key in others:
            self._count_other(key)
        self._sealed.seal_newest()

    def amend(self, *records: JobRecord) -> None:
        """Replace the records of jobs; the next write persists them."""
        self._take_in(records, Totals(), note=self._write_behind.changed)
        self._sealed.seal_newest()

    def open(self, arns: Iterable[str], *, leaving: bool = False) -> None:
        """Unseal jobs, so that a change of them soon afterwards takes no long time.

        Args:
            arns: the jobs; other ARNs are ignored.
            leaving: whether the change is that they are forgotten, so that they need no lines any more.
        """
        with self._sealed.opened(*arns, leaving=leaving):
            self._limit.moved |= leaving  # a job that is not forgotten after all gets its lines back

    def by_block(self, arns: Iterable[str]) -> list[str]:
        """Return jobs in an order in which a batch of them unseals few blocks."""
        blocks = sorted((id(self._sealed.by_arn.get(arn)), arn) for arn in arns)
        return [arn for _, arn in blocks]

    def forget(self, tombstones: Mapping[str, Mapping[int, Tombstone]]) -> None:
        """Drop a batch of jobs and their series; the aggregates keep their increments.

        Args:
            tombstones: for each job, its tombstone by mark, if it has one.
        """
        with self._sealed.opened(*tombstones, leaving=True):
            for arn, tombstone in tombstones.items():
                self._aggregates.move(self._records.pop(arn).snapshot, None)
                self._lines.drop(arn)
                self._limit.forget(arn)
                self._write_behind.forgotten(arn, tombstone)
        self._sealed.seal_newest()

    def enforce_limit(self, stopped: Callable[[], bool] = lambda: False) -> tuple[Sequence[Ranked], int]:
        """Decide which jobs have lines; return the jobs beyond the limit, and the number of jobs that lost their lines.

        A forgotten job that was beyond the limit makes no room, since it had no lines. While there is room for all
        jobs, no job is ranked. While another thread enforces the limit, nothing is done.

        Args:
            stopped: whether to leave the rest to a later call; checked between batches of jobs.
        """
        return self._enforcement.enforce(stopped)

    def save_tombstones(self, tombstones: Mapping[int, Tombstone]) -> None:
        """Persist tombstones of forgotten jobs, by mark; they replace earlier ones."""
        self._write_behind.save_tombstones(tombstones)

    def drop_tombstones(self, marks: Iterable[int], floor: float = 0.0) -> None:
        """Delete persisted tombstones, and persist their new floor, unix seconds."""
        self._write_behind.drop_tombstones(marks, floor)

    def flush(self) -> bool:
        """Persist the changes that are not persisted yet; return whether none is left. Without a state file none is."""
        return self._write_behind.flush()

    def active_devices(self, target: Target) -> frozenset[str]:
        """Return the devices of the active jobs of an account and Region."""
        with self._lock:
            return self._aggregates.active_devices(target)

    def everything(self) -> Entry:
        """Return the whole state, for a new state file. Its records can be read once, one block at a time."""
        with self._lock:
            totals = self._aggregates.totals()
        records = filter(is_saved, self.scan())
        return Entry(records, tombstones=self.tombstones.all(), totals=totals, floor=self.tombstones.floor)

    def view(self) -> View:
        """Return the content of a scrape."""
        with self._lock:
            rows = list(self._lines.rows.values())
            blocks, chains = [*self._sealed.blocks], self._lines.chains
            values = self._aggregates.values()
        sealed = self._sealed.chains(blocks, chains)
        aggregates = zip(self._aggregate_families, render(self._aggregate_families, values), strict=True)
        others = (*self.devices.lines(), *self.spending_limits.lines())
        return View(self._lines.families, rows, sealed, [*aggregates, *others])

    def _take_in(self, records: Sequence[JobRecord], totals: Totals, note: Callable[[str], None] | None) -> None:
        rows = [self._lines.render(record) for record in records]
        with self._sealed.opened(*(record.arn for record in records)):
            self._aggregates.set(totals)
            for record, row in zip(records, rows, strict=True):
                before = self._records.get(record.arn)
                self._aggregates.move(None if before is None else before.snapshot, record.snapshot)
                self._set(record, row)
                if note is not None:
                    note(record.arn)

    def _set(self, record: JobRecord, row: Row) -> None:
        before = self._records.get(record.arn)
        self._limit.note(before, record)
        self._records[record.arn] = record
        if before is None and not self._enforcement.has_room():
            self._lines.refuse(record.arn)
        else:
            self._lines.put(record, row)
