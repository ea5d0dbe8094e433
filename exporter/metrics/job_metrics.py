"""The metrics of jobs as a table. A further metric of a job is one more row.

Label *names* stand beside the function that gives their *values*, in the same order; the renderer joins the two
strictly. Pure.
"""

from collections.abc import Callable, Iterable, Iterator, Sequence
from functools import lru_cache
from typing import Final

from exporter.core import EVENT_TYPES, STATUSES, JobRecord, JobSnapshot, parse_device
from exporter.metrics.family import GROUP_LABELS, Sample, SubjectFamily, tag_label

JobFamily = SubjectFamily[JobRecord]

_Samples = Iterable[Sample]
"""Samples without the labels that every family of jobs has."""

_JOB_LABELS: Final = ("job_arn", "job_name")


def job_families(tag_labels: Sequence[str] = ()) -> tuple[JobFamily, ...]:
    """List the families of single jobs, with the given tag keys as labels of ``braket_job_info``."""
    return (
        _gauge(
            "braket_job_info",
            "Attributes of the hybrid job that do not change, as labels; the value is always 1.",
            _of_snapshot(lambda job: [((*_info(job), *_tag_values(job, tag_labels)), 1.0)]),
            *(*GROUP_LABELS, "device_name", "device_provider", "device_type", "instance_type"),
            *map(tag_label, tag_labels),
        ),
        _gauge(
            "braket_job_status",
            "Current status of the job: 1 for the current status, 0 for the others.",
            _of_snapshot(_status),
            "status",
            repetitive=True,
        ),
        _gauge(
            "braket_job_queue_position",
            "Position of the job in the queue of its device; N where Braket reports >N, no sample without a position.",
            _optional(lambda job: job.queue_position),
        ),
        _gauge(
            "braket_job_queue_position_is_floor",
            "Precision of the queue position: 1 where Braket reports >N, so that the true position is higher, else 0.",
            _optional(lambda job: None if job.queue_position is None else job.queue_position_is_floor),
        ),
        _gauge(
            "braket_job_billable_duration_seconds",
            "Billed run time of each instance of the job, in seconds; no sample until Braket reports it.",
            _optional(lambda job: job.billable_seconds),
        ),
        _gauge(
            "braket_job_instances",
            "Number of instances of the job.",
            _optional(lambda job: job.instance_count),
        ),
        _gauge(
            "braket_job_max_runtime_seconds",
            "Maximum run time of the job, in seconds; Braket stops the job after it.",
            _optional(lambda job: job.max_runtime_seconds),
        ),
        _gauge(
            "braket_job_created_timestamp_seconds",
            "Unix time of the creation of the job.",
            _optional(lambda job: job.created),
        ),
        _gauge(
            "braket_job_started_timestamp_seconds",
            "Unix time of the start of the job on its instance; earlier than its RUNNING event.",
            _optional(lambda job: job.started),
        ),
        _gauge(
            "braket_job_ended_timestamp_seconds",
            "Unix time of the end of the job.",
            _optional(lambda job: job.ended),
        ),
        JobFamily(
            "braket_job_events_total",
            "Number of distinct events of the job, by type; every known type starts at 0.",
            "counter",
            (*_JOB_LABELS, "event_type"),
            own_samples=_event_counts,
            shared=_job,
            repetitive=True,
        ),
        _gauge(
            "braket_job_event_timestamp_seconds",
            "Unix time of the latest event of the type; no sample without an event.",
            _event_times,
            "event_type",
        ),
        _gauge(
            "braket_job_failure",
            "Failure of the job, by category: 1 where Braket reports a failure reason, otherwise no sample.",
            _of_snapshot(lambda job: [] if (category := job.failure_category) is None else [((category,), 1.0)]),
            "category",
        ),
        _gauge(
            "braket_job_reserved",
            "Reservation of the device: 1 for a job that runs in one, otherwise no sample.",
            _optional(lambda job: None if job.reservation_arn is None else 1.0),
        ),
        _gauge(
            "braket_job_last_poll_timestamp_seconds",
            "Unix time of the last successful GetJob call for the job; constant after the end of the job.",
            lambda record: _one(record.polled_at),
        ),
        _gauge(
            "braket_job_poll_failing",
            "Failure of the GetJob calls for this job, by error code: 1 while they fail, otherwise no sample.",
            lambda record: [] if record.failing is None else [((record.failing,), 1.0)],
            "code",
        ),
    )


def _gauge(
    name: str, text: str, samples: Callable[[JobRecord], _Samples], *labels: str, repetitive: bool = False
) -> JobFamily:
    return JobFamily(
        name, text, "gauge", (*_JOB_LABELS, *labels), own_samples=samples, shared=_job, repetitive=repetitive
    )


def _job(record: JobRecord) -> tuple[str, ...]:
    """Return the values of the labels that every family of jobs has."""
    return (record.arn, "" if record.snapshot is None else record.snapshot.name)


def _of_snapshot(samples: Callable[[JobSnapshot], _Samples]) -> Callable[[JobRecord], _Samples]:
    return lambda record: () if record.snapshot is None else samples(record.snapshot)


def _optional(value: Callable[[JobSnapshot], float | None]) -> Callable[[JobRecord], _Samples]:
    return _of_snapshot(lambda job: _one(value(job)))


def _one(value: float | None) -> _Samples:
    return () if value is None else [((), float(value))]


def _info(job: JobSnapshot) -> tuple[str, ...]:
    device = parse_device(job.device)
    return (job.account, job.region, job.device, device.name, device.provider, device.type, job.instance_type)


def _tag_values(job: JobSnapshot, keys: Sequence[str]) -> Iterator[str]:
    tags = dict(job.tags)
    return (tags.get(key, "") for key in keys)


def _status(job: JobSnapshot) -> _Samples:
    return _status_samples(job.status)


@lru_cache(64)
def _status_samples(status: str) -> Sequence[Sample]:
    names = STATUSES if status in STATUSES else (*STATUSES, status)
    return [((name,), float(name == status)) for name in names]


def _event_counts(record: JobRecord) -> _Samples:
    if record.snapshot is None:
        return []
    seen = [key.type for key in record.events if key.type is not None]
    counts = dict.fromkeys((*EVENT_TYPES, *sorted(set(seen).difference(EVENT_TYPES))), 0.0)
    for kind in seen:
        counts[kind] += 1.0
    return [((kind,), count) for kind, count in counts.items()]


def _event_times(record: JobRecord) -> _Samples:
    latest: dict[str, float] = {}
    for kind, time in record.events:
        if kind is not None and time is not None:
            latest[kind] = max(time, latest.get(kind, time))
    return [((kind,), latest[kind]) for kind in sorted(latest)]
