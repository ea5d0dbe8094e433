"""What is written down, so that a restart loses nothing: entries on the way out, the past on the way in. Pure."""

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, field
from hashlib import blake2b
from typing import Final, NamedTuple, Protocol

from exporter.core import JobRecord, parse_job_arn, parse_time
from exporter.metrics import Series, Totals

_TOO_MUCH: Final = 1e300
"""JSON brings whole numbers that are no float any more."""


class Tombstone(NamedTuple):
    """What is remembered of a job that was forgotten.

    Attributes:
        created: when it was created, unix seconds; lists tell nothing of it any more once that is out of the lookback.
        record: with which to go on if it is chosen again; ``None`` for one that has ended.
        owner: the key of the target that forgot it.
    """

    created: float
    record: JobRecord | None
    owner: str = ""


@dataclass(frozen=True, slots=True)
class Entry:
    """What is new since the last one. All values are whole, so that an entry may be written twice.

    Attributes:
        records: jobs that are new or changed.
        gone: ARNs of jobs that are known no more.
        tombstones: what is remembered of forgotten jobs, by ``mark_of`` their ARN; ``None`` for nothing any more.
        totals: counters and histograms that moved.
        floor: the floor of the tombstones, unix seconds; 0 when it did not rise.
    """

    records: Sequence[JobRecord] = ()
    gone: Sequence[str] = ()
    tombstones: Mapping[int, Tombstone | None] = field(default_factory=dict)
    totals: Totals = field(default_factory=Totals)
    floor: float = 0.0

    def __bool__(self) -> bool:
        """Tell whether there is anything in it."""
        return bool(self.records or self.gone or self.tombstones or self.totals.counters or self.totals.histograms)


@dataclass(slots=True)
class DirtySet:
    """What is to be written down. A small state.

    Attributes:
        arns: jobs that are new, changed or known no more.
        forgotten: jobs that were forgotten, whether or not they are watched again by now.
        tombstones: what is remembered of forgotten ones, by ``mark_of`` their ARN.
        series: counters and histograms that moved.
        floor: the floor of the tombstones, unix seconds, if it rose.
    """

    arns: set[str] = field(default_factory=set)
    forgotten: set[str] = field(default_factory=set)
    tombstones: dict[int, Tombstone | None] = field(default_factory=dict)
    series: set[Series] = field(default_factory=set)
    floor: float = 0.0

    def give_back(self, older: "DirtySet") -> None:
        """Take in what could not be written; what came meanwhile counts."""
        self.arns |= older.arns
        self.forgotten |= older.forgotten
        self.tombstones = older.tombstones | self.tombstones
        self.series |= older.series
        self.floor = max(self.floor, older.floor)

    def entry(self, known: Mapping[str, JobRecord | None], totals: Totals) -> Entry:
        """Make the entry of it.

        Args:
            known: what is known of each of its jobs, and of others that go along.
            totals: what each of its counters and histograms has come to.
        """
        records = [record for record in known.values() if record is not None and is_saved(record)]
        kept = {record.arn for record in records}
        gone = [arn for arn, record in known.items() if record is None or (arn in self.forgotten and arn not in kept)]
        return Entry(records, gone, self.tombstones, totals, self.floor)


@dataclass(frozen=True, slots=True)
class SavedState:
    """What was known before a restart.

    Attributes:
        polled: when it was last written down, unix seconds; jobs created later are news.
        records: the jobs; they may be read from the file each time, and then hold no memory.
        tombstones: what is remembered of forgotten ones, by ``mark_of`` their ARN.
        baselines: the baseline time of each target that discovers jobs, unix seconds, by its key.
        totals: the fleet's counters and histograms.
        floor: the floor of the tombstones, unix seconds.
    """

    polled: float
    records: Collection[JobRecord] = ()
    tombstones: Mapping[int, Tombstone] = field(default_factory=dict)
    baselines: Mapping[str, float] = field(default_factory=dict)
    totals: Totals = field(default_factory=Totals)
    floor: float = 0.0


class Persistence(Protocol):
    """Where entries are written down."""

    @property
    def open(self) -> bool:
        """Whether it is worth a try to write now."""
        ...

    def write(self, entry: Entry) -> bool:
        """Write an entry down, all of it or nothing; return whether that succeeded."""
        ...


def check_record(record: JobRecord) -> None:
    """Check that a record that comes from a file can be one of ours, so that it can be served, logged and asked for.

    Raises:
        ValueError: it cannot.
    """
    parse_job_arn(record.arn)
    job = record.snapshot
    times = [record.polled_at, record.baseline_at, *(key.time for key in record.events)]
    if job is not None:
        if job.arn != record.arn:
            raise ValueError(f"a job's answer is another one's: {record.arn} and {job.arn}")
        times += [job.created, job.started, job.ended]
        for amount in (job.instance_count, job.max_runtime_seconds, job.queue_position, job.billable_seconds):
            if not 0 <= (amount or 0) < _TOO_MUCH:
                raise ValueError(f"an amount is {amount}")
    for time in times:
        parse_time(time or 0.0)


def is_saved(record: JobRecord) -> bool:
    """Tell whether a record is worth writing down; a list shows one anew that had ended before it was asked for."""
    return record.configured or record.snapshot is not None or record.first_listed_status is not None


def mark_of(arn: str) -> int:
    """Make a number by which a forgotten job is recognised; its ARN need not be kept."""
    return int.from_bytes(blake2b(arn.encode(), digest_size=8).digest(), signed=True)
