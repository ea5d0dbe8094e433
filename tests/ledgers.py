"""A ledger in memory, and the content of a state file."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace

from exporter.core import JobRecord
from exporter.metrics import Histogram, Series, Totals
from exporter.storage import Entry, SavedState, Store, Tombstone, in_batches
from exporter.storage.job_rows import ROWS_AT_ONCE
from exporter.storage.sqlite_file import State


@dataclass
class Book:
    """Keeps its entries and what they add up to, and takes them or does not."""

    open: bool = True
    takes: bool = True
    meanwhile: Callable[[], object] = lambda: None
    entries: list[Entry] = field(default_factory=list)
    jobs: dict[str, JobRecord] = field(default_factory=dict)
    tombstones: dict[int, Tombstone] = field(default_factory=dict)
    counters: dict[Series, float] = field(default_factory=dict)
    histograms: dict[Series, Histogram] = field(default_factory=dict)
    floor: float = 0.0

    def write(self, entry: Entry, _: Callable[[], Entry]) -> bool:
        assert self.open
        self.entries.append(replace(entry, records=tuple(entry.records), gone=tuple(entry.gone)))
        self.meanwhile()
        if not self.takes:
            return False
        self.jobs |= {each.arn: each for each in entry.records}
        for gone in entry.gone:
            self.jobs.pop(gone, None)
        for mark, tombstone in entry.tombstones.items():
            if tombstone is None:
                self.tombstones.pop(mark, None)
            else:
                self.tombstones[mark] = tombstone
        self.counters |= entry.totals.counters
        self.histograms |= entry.totals.histograms
        self.floor = max(self.floor, entry.floor)
        return True

    @property
    def totals(self) -> Totals:
        return Totals(self.counters, self.histograms)

    def past(self, polled: float, baselines: Mapping[str, float]) -> "Past":
        """Tell what somebody would read who begins after a restart."""
        totals = Totals({**self.counters}, {**self.histograms})
        return Past(polled, [*self.jobs.values()], {**self.tombstones}, baselines, totals, self.floor)


@dataclass
class Past:
    """All that is known from before a restart. It takes what is read from a file."""

    polled: float = 0.0
    records: list[JobRecord] = field(default_factory=list)
    tombstones: Mapping[int, Tombstone] = field(default_factory=dict)
    baselines: Mapping[str, float] = field(default_factory=dict)
    totals: Totals = field(default_factory=Totals)
    floor: float = 0.0

    def restore_totals(self, totals: Totals) -> None:
        assert (self.records, self.totals) == ([], Totals())
        self.totals = totals

    def restore_jobs(self, records: Sequence[JobRecord]) -> None:
        self.records += records

    def give(self, store: Store) -> SavedState:
        """Give a store what it has after a restart."""
        store.restoration.restore_totals(self.totals)
        for records in in_batches(self.records, ROWS_AT_ONCE):
            store.restoration.restore_jobs(records)
        store.tombstones.restore(self.tombstones, self.floor)
        return SavedState(self.polled, len(self.records), self.tombstones, self.baselines, self.floor)


def past_in(state: State, check: Callable[[JobRecord], object] = lambda _: None) -> Past | None:
    """Read the content of an open file."""
    past = Past()
    saved = state.read(past, check)
    if saved is None:
        assert past == Past()
        return None
    assert saved.jobs == len(past.records)
    return Past(saved.polled, past.records, saved.tombstones, saved.baselines, past.totals, saved.floor)
