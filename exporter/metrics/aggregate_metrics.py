"""The aggregate metrics as a table: sums over jobs, which outlive the series of the jobs. Pure."""

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from operator import itemgetter
from typing import Final

from exporter.core import STATUSES
from exporter.metrics.family import GROUP_LABELS, Histogram, Labels, Sample, SubjectFamily, tag_label

Group = tuple[str, ...]
"""Account, Region, device and tags: the labels of every aggregate family."""

_MINUTE: Final = 60.0
_HOUR: Final = 3600.0
_DAY: Final = 86400.0

_UP_TO_EIGHT_HOURS: Final = (
    *(10.0, 30.0, _MINUTE, 2 * _MINUTE, 5 * _MINUTE, 10 * _MINUTE, 30 * _MINUTE),
    *(_HOUR, 2 * _HOUR, 4 * _HOUR, 8 * _HOUR),
)

RUN_BUCKETS: Final = (*_UP_TO_EIGHT_HOURS, _DAY, 2 * _DAY, 5 * _DAY)
"""Upper bounds in seconds. Braket stops a job after at most five days."""

QUEUE_BUCKETS: Final = (
    *(*_UP_TO_EIGHT_HOURS, 12 * _HOUR, 16 * _HOUR, 20 * _HOUR),
    *(_DAY, 2 * _DAY, 3 * _DAY, 5 * _DAY, 7 * _DAY, 10 * _DAY, 14 * _DAY),
)
"""Upper bounds in seconds. A QPU is available for some hours a day, so jobs wait until the next day, or for weeks."""


@dataclass(frozen=True, slots=True)
class AggregateValues:
    """The values of all aggregates at one moment.

    Attributes:
        jobs: the number of jobs by group and status.
        series: the values of the counters and histograms, by family name and label values.
    """

    jobs: Mapping[tuple[Group, str], int] = field(default_factory=dict)
    series: Mapping[str, Mapping[Labels, float | Histogram]] = field(default_factory=dict)


AggregateFamily = SubjectFamily[AggregateValues]


def _jobs(values: AggregateValues) -> Iterable[Sample]:
    known = ((group, status) for group, _ in values.jobs for status in STATUSES)
    jobs = {(*group, status): float(values.jobs.get((group, status), 0)) for group, status in (*known, *values.jobs)}
    return sorted(jobs.items())


def _series(name: str) -> Callable[[AggregateValues], Iterable[Sample]]:
    return lambda values: sorted(values.series.get(name, {}).items(), key=itemgetter(0))


def _counter(name: str, text: str, *labels: str) -> AggregateFamily:
    return AggregateFamily(name, text, "counter", (*GROUP_LABELS, *labels), own_samples=_series(name))


def _histogram(
    name: str, text: str, buckets: tuple[float, ...], *labels: str, former: tuple[tuple[float, ...], ...] = ()
) -> AggregateFamily:
    return AggregateFamily(
        name, text, "histogram", (*GROUP_LABELS, *labels), buckets, former_buckets=former, own_samples=_series(name)
    )


AGGREGATE_FAMILIES: Final = (
    AggregateFamily(
        "braket_jobs",
        "Number of watched hybrid jobs, by status.",
        "gauge",
        (*GROUP_LABELS, "status"),
        own_samples=_jobs,
    ),
    _counter(
        "braket_job_transitions_total",
        "Number of status changes of jobs; from_status is empty for a new job.",
        *("from_status", "to_status"),
    ),
    _counter(
        "braket_job_outcomes_total",
        "Number of jobs that ended, by outcome; a job that ran out of time also counts under MAX_RUNTIME_EXCEEDED.",
        "outcome",
    ),
    _counter(
        "braket_billable_seconds_total",
        "Billed time of jobs that ended, times their number of instances, in seconds.",
        "instance_type",
    ),
    _histogram(
        "braket_job_queue_duration_seconds",
        "Time from the creation to the start of a job, in seconds.",
        QUEUE_BUCKETS,
        former=(RUN_BUCKETS,),
    ),
    _histogram(
        "braket_job_run_duration_seconds",
        "Time from the start to the end of a job, in seconds, by its last status.",
        RUN_BUCKETS,
        "outcome",
    ),
    _counter(
        "braket_job_phase_seconds_total",
        "Time that jobs that ended were in each phase, in seconds; the phases of a job add up to its whole life.",
        "phase",
    ),
    _counter("braket_job_phases_total", "Number of jobs that ended and had the phase.", "phase"),
)


def aggregate_families(tag_keys: Sequence[str] = ()) -> tuple[AggregateFamily, ...]:
    """List the aggregate families, with the given tag keys as further labels of each."""
    if not tag_keys:
        return AGGREGATE_FAMILIES
    tags, fixed = tuple(map(tag_label, tag_keys)), len(GROUP_LABELS)
    return tuple(
        replace(family, labels=(*family.labels[:fixed], *tags, *family.labels[fixed:])) for family in AGGREGATE_FAMILIES
    )
