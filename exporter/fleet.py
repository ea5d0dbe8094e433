"""The fleet's counters and histograms: sums over jobs that outlive the jobs' own series. A small state."""

from bisect import bisect_left
from collections import Counter, defaultdict
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from itertools import accumulate
from typing import NamedTuple

from exporter.families import FLEET_FAMILIES, JOBS, Family
from exporter.model import STATUSES, Increment, JobSnapshot

Labels = tuple[str, ...]
Group = tuple[str, str, str]
"""Account, Region and device: what every family of the fleet is grouped by."""

_FAMILIES = {family.name: family for family in FLEET_FAMILIES}


class FleetSample(NamedTuple):
    """One line of a fleet family; a histogram's lines differ in name and labels."""

    name: str
    label_names: Labels
    label_values: Labels
    value: float


@dataclass(slots=True)
class Histogram:
    """Observations per bucket, the last one being +Inf, and their sum."""

    observations: list[int]
    sum: float = 0.0


@dataclass(slots=True)
class Fleet:
    """Everything that the fleet's families are rendered from, by family name and label values."""

    jobs: Counter[tuple[Group, str]] = field(default_factory=Counter)
    counters: defaultdict[str, dict[Labels, float]] = field(default_factory=lambda: defaultdict(dict))
    histograms: defaultdict[str, dict[Labels, Histogram]] = field(default_factory=lambda: defaultdict(dict))

    def apply(self, increments: Iterable[Increment]) -> None:
        """Add steps to the counters and observations to the histograms."""
        for metric, labels, amount in increments:
            family = _FAMILIES[metric]
            if family.type == "histogram":
                self._observe(family, labels, amount)
            else:
                counter = self.counters[metric]
                counter[labels] = counter.get(labels, 0.0) + (amount or 0.0)

    def move(self, before: JobSnapshot | None, after: JobSnapshot | None) -> None:
        """Count a job under its new status and no longer under its old one."""
        if before is not None:
            self.jobs[_group(before), before.status] -= 1
        if after is not None:
            self.jobs[_group(after), after.status] += 1

    def samples(self, family: Family) -> Iterator[FleetSample]:
        """Yield a family's samples, sorted by label values, the lines of one histogram together."""
        if family.type == "histogram":
            for labels, histogram in sorted(self.histograms[family.name].items(), key=lambda item: item[0]):
                yield from _histogram_samples(family, labels, histogram)
            return
        values = self._jobs_by_status() if family is JOBS else self.counters[family.name]
        for labels, value in sorted(values.items()):
            yield FleetSample(family.name, family.labels, labels, value)

    def _observe(self, family: Family, labels: Labels, value: float | None) -> None:
        histogram = self.histograms[family.name].setdefault(labels, Histogram([0] * (len(family.buckets) + 1)))
        if value is None:
            return
        histogram.observations[bisect_left(family.buckets, value)] += 1
        histogram.sum += value

    def _jobs_by_status(self) -> dict[Labels, float]:
        known = ((group, status) for group, _ in self.jobs for status in STATUSES)
        return {(*group, status): float(self.jobs[group, status]) for group, status in (*known, *self.jobs)}


def _histogram_samples(family: Family, labels: Labels, histogram: Histogram) -> Iterator[FleetSample]:
    cumulative = tuple(accumulate(histogram.observations))
    bounds = (*map(str, family.buckets), "+Inf")
    for bound, count in zip(bounds, cumulative, strict=True):
        yield FleetSample(f"{family.name}_bucket", (*family.labels, "le"), (*labels, bound), float(count))
    yield FleetSample(f"{family.name}_count", family.labels, labels, float(cumulative[-1]))
    yield FleetSample(f"{family.name}_sum", family.labels, labels, histogram.sum)


def _group(job: JobSnapshot) -> Group:
    return job.account, job.region, job.device
