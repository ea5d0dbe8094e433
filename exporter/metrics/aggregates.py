"""Aggregates: counters and histograms over all jobs, which outlive the series of the jobs. Mutable."""

from bisect import bisect_left
from collections import Counter, defaultdict
from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass, field
from math import inf
from typing import TypeVar

from exporter.core import Increment, JobSnapshot
from exporter.metrics.aggregate_metrics import AGGREGATE_FAMILIES, AggregateValues, Group
from exporter.metrics.family import Family, Histogram, Labels

_FAMILIES = {family.name: family for family in AGGREGATE_FAMILIES}

T = TypeVar("T")

Series = tuple[str, Labels]
"""The name of a family, and label values in its order."""


@dataclass(frozen=True, slots=True)
class Totals:
    """The values of some counters and histograms."""

    counters: Mapping[Series, float] = field(default_factory=dict)
    histograms: Mapping[Series, Histogram] = field(default_factory=dict)

    def checked(self) -> "Totals":
        """Return the values of existing families; call it for values from a file.

        A histogram of an older build gets the buckets of its family. A histogram with unknown buckets is dropped: it
        must not make the rest of the file unreadable.

        Raises:
            ValueError: a value does not match its family.
        """
        counters = {series: value for series, value in self.counters.items() if series[0] in _FAMILIES}
        known = {series: value for series, value in self.histograms.items() if series[0] in _FAMILIES}
        fitted = {series: _fitted(_FAMILIES[series[0]], value) for series, value in known.items()}
        histograms = {series: value for series, value in fitted.items() if value is not None}
        for metric, labels in (*counters, *histograms):
            if len(labels) != len(_FAMILIES[metric].labels) or not all(map(_is_text, labels)):
                raise ValueError(f"{metric} has no labels {labels!a}")
        for (metric, _), value in counters.items():
            if _FAMILIES[metric].type != "counter" or not 0 <= value < inf:
                raise ValueError(f"{metric} is no counter of {value}")
        for (metric, _), histogram in histograms.items():
            if _FAMILIES[metric].type != "histogram":
                raise ValueError(f"{metric} is not a histogram")
            if min(histogram.observations) < 0 or not 0 <= histogram.sum < inf:
                raise ValueError(f"{metric} is no histogram of {histogram}")
        return Totals(counters, histograms)

    def replaced_by(self, newer: "Totals") -> "Totals":
        """Return these values, updated with newer ones."""
        return Totals({**self.counters, **newer.counters}, {**self.histograms, **newer.histograms})


@dataclass(slots=True)
class Aggregates:
    """The current values, by family name and label values."""

    jobs: Counter[tuple[Group, str]] = field(default_factory=Counter)
    counters: defaultdict[str, dict[Labels, float]] = field(default_factory=lambda: defaultdict(dict))
    histograms: defaultdict[str, dict[Labels, Histogram]] = field(default_factory=lambda: defaultdict(dict))

    def apply(self, increments: Iterable[Increment]) -> None:
        """Add increments to the counters and observations to the histograms."""
        self.set(self.after(increments))

    def after(self, increments: Iterable[Increment]) -> Totals:
        """Return the values after some increments, without a change here."""
        counters: dict[Series, float] = {}
        histograms: dict[Series, Histogram] = {}
        for metric, labels, amount in increments:
            family, series = _FAMILIES[metric], (metric, labels)
            if family.type == "histogram":
                before = histograms.get(series) or self.histograms[metric].get(labels) or _nothing_in(family)
                histograms[series] = before if amount is None else _observed(before, family, amount)
            else:
                counted = counters.get(series, self.counters[metric].get(labels, 0.0))
                counters[series] = counted + (amount or 0.0)
        return Totals(counters, histograms)

    def set(self, totals: Totals) -> None:
        """Set counters and histograms to values."""
        for (metric, labels), value in totals.counters.items():
            self.counters[metric][labels] = value
        for (metric, labels), histogram in totals.histograms.items():
            self.histograms[metric][labels] = histogram

    def totals(self, wanted: Collection[Series] | None = None) -> Totals:
        """Return the values of some counters and histograms; of all by default."""
        return Totals(_picked(self.counters, wanted), _picked(self.histograms, wanted))

    def move(self, before: JobSnapshot | None, after: JobSnapshot | None) -> None:
        """Count a job under its new status instead of its old one."""
        if before is not None:
            self.jobs[_group(before), before.status] -= 1
        if after is not None:
            self.jobs[_group(after), after.status] += 1

    def values(self) -> AggregateValues:
        """Return a copy of all values."""
        families: tuple[Mapping[str, Mapping[Labels, float | Histogram]], ...] = (self.counters, self.histograms)
        series = {metric: dict(series) for family in families for metric, series in family.items()}
        return AggregateValues(self.jobs.copy(), series)


def _picked(families: Mapping[str, Mapping[Labels, T]], wanted: Collection[Series] | None) -> dict[Series, T]:
    every = ((metric, labels, value) for metric, series in families.items() for labels, value in series.items())
    return {(metric, labels): value for metric, labels, value in every if wanted is None or (metric, labels) in wanted}


def _is_text(label: object) -> bool:
    """Return whether a label can be encoded as UTF-8; JSON can contain lone surrogates, which cannot."""
    return isinstance(label, str) and label.encode(errors="replace").decode() == label


def _nothing_in(family: Family) -> Histogram:
    return Histogram((0,) * (len(family.buckets) + 1))


def _fitted(family: Family, histogram: Histogram) -> Histogram | None:
    """Move the counts to the bounds of the family; ``None`` if no build had this number of buckets.

    A count keeps its bound, so no bucket with this bound falls after an update.
    """
    for bounds in (family.buckets, *family.former_buckets):
        if len(histogram.observations) == len(bounds) + 1:
            counts = dict(zip((*bounds, inf), histogram.observations, strict=True))
            return Histogram(tuple(counts.get(bound, 0) for bound in (*family.buckets, inf)), histogram.sum)
    return None


def _observed(histogram: Histogram, family: Family, value: float) -> Histogram:
    place = bisect_left(family.buckets, value)
    counts = (count + (number == place) for number, count in enumerate(histogram.observations))
    return Histogram(tuple(counts), histogram.sum + value)


def _group(job: JobSnapshot) -> Group:
    return job.account, job.region, job.device
