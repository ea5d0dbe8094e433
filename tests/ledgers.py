"""A ledger in memory."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace

from exporter.core import JobRecord
from exporter.metrics import Histogram, Series, Totals
from exporter.storage import Entry, SavedState, Tombstone


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

    def past(self, polled: float, baselines: Mapping[str, float]) -> SavedState:
        """Tell what somebody would read who begins after a restart."""
        totals = Totals({**self.counters}, {**self.histograms})
        return SavedState(polled, [*self.jobs.values()], {**self.tombstones}, baselines, totals, self.floor)
