"""Aggregates: counters and histograms over all jobs, which outlive the series of the jobs. Mutable."""

from bisect import bisect_left
from collections import Counter, defaultdict
from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass, field
from math import inf
from typing import Final, TypeVar

from exporter.core import Increment, JobSnapshot, Target
from exporter.metrics.aggregate_metrics import AGGREGATE_FAMILIES, AggregateValues, Group
from exporter.metrics.family import GROUP_LABELS, Family, Histogram, Labels
from exporter.metrics.tag_values import TagValues

_FIXED: Final = len(GROUP_LABELS)
"""The number of labels before those of the tags."""

_FAMILIES = {family.name: family for family in AGGREGATE_FAMILIES}

T = TypeVar("T")

Series = tuple[str, Labels]
"""The name of a family, and label values in its order."""


@dataclass(frozen=True, slots=True)
class Totals:
    """The values of some counters and histograms."""

    counters: Mapping[Series, float] = field(default_factory=dict)
    histograms: Mapping[Series, Histogram] = field(default_factory=dict)

    def checked(self, tags: int = 0) -> "Totals":
        """Return the values of existing families, with a number of tags; call it for values from a file.

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
            if len(labels) != len(_FAMILIES[metric].labels) + tags or not all(map(_is_text, labels)):
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
    """The current values, by family name and label values.

    Attributes:
        jobs: the number of jobs by group and status.
        active: the number of active jobs by account and Region, and device.
        counters: the values of the counters.
        histograms: the values of the histograms.
        tag_values: the tags that are labels.
    """

    jobs: Counter[tuple[Group, str]] = field(default_factory=Counter)
    active: defaultdict[Target, Counter[str]] = field(default_factory=lambda: defaultdict(Counter))
    counters: defaultdict[str, dict[Labels, float]] = field(default_factory=lambda: defaultdict(dict))
    histograms: defaultdict[str, dict[Labels, Histogram]] = field(default_factory=lambda: defaultdict(dict))

    tag_values: TagValues = field(default_factory=TagValues)

    def apply(self, increments: Iterable[Increment]) -> None:
        """Add increments to the counters and observations to the histograms."""
        self.set(self.after(self.labelled(increments)))

    def labelled(self, increments: Iterable[Increment]) -> list[Increment]:
        """Add the labels of the tags to increments."""
        if not self.tag_values.keys:
            return [*increments]
        return [step._replace(labels=with_tags(step.labels, self.tag_values.labels(step.tags))) for step in increments]

    def others(self, increments: Iterable[Increment]) -> list[str]:
        """Return the tag keys that have a value too many, if the increments are of the first response for a job."""
        first = next((step for step in increments if step.amount is None), None)
        return [] if first is None else self.tag_values.others(first.tags)

    def restore(self, totals: Totals) -> None:
        """Set counters and histograms to the values from before a restart, and learn the values of their tags."""
        self.set(totals)
        for _, labels in (*totals.counters, *totals.histograms):
            self.tag_values.learn(fixed_and_tags(labels, len(self.tag_values.keys))[1])

    def after(self, increments: Iterable[Increment]) -> Totals:
        """Return the values after some labelled increments, without a change here."""
        counters: dict[Series, float] = {}
        histograms: dict[Series, Histogram] = {}
        for metric, labels, amount, _ in increments:
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
            self._count(before, -1)
        if after is not None:
            self._count(after, 1)

    def active_devices(self, target: Target) -> frozenset[str]:
        """Return the devices of the active jobs of an account and Region."""
        return frozenset(device for device, jobs in self.active.get(target, {}).items() if jobs)

    def values(self) -> AggregateValues:
        """Return a copy of all values."""
        families: tuple[Mapping[str, Mapping[Labels, float | Histogram]], ...] = (self.counters, self.histograms)
        series = {metric: dict(series) for family in families for metric, series in family.items()}
        return AggregateValues(self.jobs.copy(), series)

    def _count(self, job: JobSnapshot, change: int) -> None:
        self.jobs[self._group(job), job.status] += change
        if not job.finished:
            self.active[Target(job.account, job.region)][job.device] += change

    def _group(self, job: JobSnapshot) -> Group:
        return (job.account, job.region, job.device, *self.tag_values.labels(job.tags))


def fixed_and_tags(labels: Labels, tags: int) -> tuple[Labels, Labels]:
    """Split label values into those of the family and those of a number of tags."""
    return (*labels[:_FIXED], *labels[_FIXED + tags :]), labels[_FIXED : _FIXED + tags]


def with_tags(labels: Labels, tags: Labels) -> Labels:
    """Add the label values of tags to those of a family."""
    return (*labels[:_FIXED], *tags, *labels[_FIXED:])


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
