"""Persistent state: entries with changes, the state saved before a restart, and the port that writes entries. Pure."""

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from hashlib import blake2b
from typing import Final, NamedTuple, Protocol

from exporter.core import JobRecord, check_time, parse_job_arn
from exporter.metrics import Series, Totals

_TOO_MUCH: Final = 1e300
"""JSON can contain whole numbers beyond the range of floating-point numbers."""


class Tombstone(NamedTuple):
    """Trace of a forgotten job.

    Attributes:
        created: its creation time, unix seconds; SearchJobs no longer lists it once this is before the lookback.
        record: the record to continue with if the job is selected again; ``None`` if the job has ended.
        owner: the key of the target that forgot it.
    """

    created: float
    record: JobRecord | None
    owner: str = ""


@dataclass(frozen=True, slots=True)
class Entry:
    """Changes since the previous entry. Values are absolute, so writing an entry again has no effect.

    Attributes:
        records: new or changed records; they may be an iterator, so that not all of them are in memory.
        gone: ARNs of removed jobs.
        tombstones: tombstones by ``mark_of`` their ARN; ``None`` deletes one.
        totals: changed counters and histograms.
        floor: the floor of the tombstones, unix seconds; 0 when it did not rise.
    """

    records: Iterable[JobRecord] = ()
    gone: Sequence[str] = ()
    tombstones: Mapping[int, Tombstone | None] = field(default_factory=dict)
    totals: Totals = field(default_factory=Totals)
    floor: float = 0.0

    def __bool__(self) -> bool:
        """Return whether there is a change."""
        return bool(self.records or self.gone or self.tombstones or self.totals.counters or self.totals.histograms)


@dataclass(slots=True)
class DirtySet:
    """Changes that are not persisted yet. Mutable.

    Jobs with increments that are not persisted are written together with their counters, so that a restart counts
    no job again. The other jobs can be written in batches.

    Attributes:
        arns: new, changed or removed jobs.
        counted: such jobs with increments that are not persisted; they are not in ``arns``.
        forgotten: forgotten jobs, including those that are watched again.
        tombstones: tombstones by ``mark_of`` their ARN; ``None`` deletes one.
        series: changed counters and histograms.
        floor: the floor of the tombstones, unix seconds, if it rose.
    """

    arns: set[str] = field(default_factory=set)
    counted: set[str] = field(default_factory=set)
    forgotten: set[str] = field(default_factory=set)
    tombstones: dict[int, Tombstone | None] = field(default_factory=dict)
    series: set[Series] = field(default_factory=set)
    floor: float = 0.0

    def __bool__(self) -> bool:
        """Return whether there is a change."""
        return bool(self.arns or self.counted or self.tombstones or self.series)

    def changed(self, arn: str) -> None:
        """Add a new, changed or removed job."""
        if arn not in self.counted:
            self.arns.add(arn)

    def incremented(self, arn: str) -> None:
        """Add a changed job with increments that are not persisted."""
        self.arns.discard(arn)
        self.counted.add(arn)

    def take(self, most: int) -> "DirtySet":
        """Remove and return the jobs with increments, and other changes up to a number."""
        arns = {self.arns.pop() for _ in range(min(most, len(self.arns)))}
        taken = DirtySet(arns, self.counted, series=self.series, floor=self.floor)
        self.counted, self.series = set(), set()
        for arn in (*arns, *taken.counted):
            if arn in self.forgotten:  # its tombstone is written together with its removal
                self.forgotten.discard(arn)
                taken.forgotten.add(arn)
                self._give_tombstone(mark_of(arn), taken)
        for _ in range(min(most - len(arns), len(self.tombstones))):
            taken.tombstones.update((self.tombstones.popitem(),))
        if not self.tombstones:
            self.floor = 0.0
        return taken

    def _give_tombstone(self, mark: int, taken: "DirtySet") -> None:
        if mark in self.tombstones:
            taken.tombstones[mark] = self.tombstones.pop(mark)

    def give_back(self, older: "DirtySet") -> None:
        """Take back changes that could not be written; newer changes win."""
        self.counted |= older.counted
        self.arns = (self.arns | older.arns) - self.counted
        self.forgotten |= older.forgotten
        self.tombstones = older.tombstones | self.tombstones
        self.series |= older.series
        self.floor = max(self.floor, older.floor)

    def entry(self, known: Mapping[str, JobRecord | None], totals: Totals) -> Entry:
        """Make an entry of the changes.

        Args:
            known: the current record of each job, and of other jobs to include.
            totals: the current values of the counters and histograms.
        """
        records = [record for record in known.values() if record is not None and is_saved(record)]
        kept = {record.arn for record in records}
        gone = [arn for arn, record in known.items() if record is None or (arn in self.forgotten and arn not in kept)]
        return Entry(records, gone, self.tombstones, totals, self.floor)


@dataclass(frozen=True, slots=True)
class SavedState:
    """State from before a restart, without what a ``Restorer`` takes.

    Attributes:
        polled: the time of the last write, unix seconds; jobs created later are news.
        jobs: the number of jobs.
        tombstones: tombstones by ``mark_of`` their ARN.
        baselines: the baseline time of each target that discovers jobs, unix seconds, by its key.
        floor: the floor of the tombstones, unix seconds.
    """

    polled: float
    jobs: int = 0
    tombstones: Mapping[int, Tombstone] = field(default_factory=dict)
    baselines: Mapping[str, float] = field(default_factory=dict)
    floor: float = 0.0


class Restorer(Protocol):
    """Takes saved state while it is read, so that few records are in memory."""

    def restore_totals(self, totals: Totals) -> None:
        """Take all counters and histograms, before the first job."""
        ...

    def restore_jobs(self, records: Sequence[JobRecord]) -> None:
        """Take a batch of jobs."""
        ...


class Persistence(Protocol):
    """Writes entries."""

    @property
    def open(self) -> bool:
        """Whether a write may succeed now."""
        ...

    def write(self, entry: Entry, everything: Callable[[], Entry]) -> bool:
        """Write an entry, all of it or nothing; return whether that succeeded.

        Args:
            entry: the changes.
            everything: returns the whole state, for a new file.
        """
        ...


def check_record(record: JobRecord) -> None:
    """Check that a record from a file is valid, so that it can be exposed, logged and polled.

    Raises:
        ValueError: it is not valid.
    """
    parse_job_arn(record.arn)
    job = record.snapshot
    times = [record.polled_at, record.baseline_at, *(key.time for key in record.events)]
    if job is not None:
        if job.arn != record.arn:
            raise ValueError(f"the response of {record.arn} has the ARN of another job, {job.arn}")
        times += [job.created, job.started, job.ended]
        for amount in (job.instance_count, job.max_runtime_seconds, job.queue_position, job.billable_seconds):
            if not 0 <= (amount or 0) < _TOO_MUCH:
                raise ValueError(f"an amount is not valid: {amount}")
    for time in times:
        if time is not None:
            check_time(time)


def is_saved(record: JobRecord) -> bool:
    """Return whether a record is persisted. SearchJobs returns a job that ended before its first poll again."""
    return record.configured or record.snapshot is not None or record.first_listed_status is not None


def mark_of(arn: str) -> int:
    """Return a hash that identifies a job without its ARN."""
    return int.from_bytes(blake2b(arn.encode(), digest_size=8).digest(), signed=True)
