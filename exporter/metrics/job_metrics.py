"""The metrics of jobs as a table. A further metric of a job is one more row.

Label *names* stand beside the function that gives their *values*, in the same order; the renderer joins the two
strictly. Pure.
"""

import re
from collections.abc import Callable, Iterable, Iterator, Sequence
from typing import Final

from exporter.core import EVENT_TYPES, STATUSES, JobRecord, JobSnapshot, parse_device
from exporter.metrics.family import GROUP_LABELS, Sample, SubjectFamily

JobFamily = SubjectFamily[JobRecord]

_Samples = Iterable[tuple[tuple[str, ...], float]]
"""Samples without the labels that every family of jobs has."""

_JOB_LABELS: Final = ("job_arn", "job_name")


def job_families(tag_labels: Sequence[str] = ()) -> tuple[JobFamily, ...]:
    """List the families of single jobs, with the given tag keys as labels of ``braket_job_info``."""
    return (
        _gauge(
            "braket_job_info",
            "What does not change about the hybrid job; the value is always 1.",
            _of_snapshot(lambda job: [((*_info(job), *_tag_values(job, tag_labels)), 1.0)]),
            *(*GROUP_LABELS, "device_name", "device_provider", "device_type", "instance_type"),
            *map(tag_label, tag_labels),
        ),
        _gauge(
            "braket_job_status",
            "1 for the status that the job is in, 0 for the others.",
            _of_snapshot(_status),
            "status",
        ),
        _gauge(
            "braket_job_queue_position",
            "Place in the device's job queue, or the N of Braket's >N; no sample while Braket names none.",
            _optional(lambda job: job.queue_position),
        ),
        _gauge(
            "braket_job_queue_position_is_floor",
            "1 when Braket gave the queue position as >N, so the true one is higher.",
            _optional(lambda job: None if job.queue_position is None else job.queue_position_is_floor),
        ),
        _gauge(
            "braket_job_billable_duration_seconds",
            "Wall-clock time billed per instance; no sample until Braket tells it.",
            _optional(lambda job: job.billable_seconds),
        ),
        _gauge(
            "braket_job_instances",
            "Number of instances that the job requests.",
            _optional(lambda job: job.instance_count),
        ),
        _gauge(
            "braket_job_max_runtime_seconds",
            "Run time after which Braket stops the job.",
            _optional(lambda job: job.max_runtime_seconds),
        ),
        _gauge(
            "braket_job_created_timestamp_seconds",
            "When the job was created, unix time.",
            _optional(lambda job: job.created),
        ),
        _gauge(
            "braket_job_started_timestamp_seconds",
            "When the job's instance began to prepare it, unix time; earlier than its RUNNING event.",
            _optional(lambda job: job.started),
        ),
        _gauge(
            "braket_job_ended_timestamp_seconds",
            "When the job ended, unix time.",
            _optional(lambda job: job.ended),
        ),
        JobFamily(
            "braket_job_events_total",
            "Distinct events of the job that were ever seen, by type; every known type starts at 0.",
            "counter",
            (*_JOB_LABELS, "event_type"),
            samples=_of_job(_event_counts),
        ),
        _gauge(
            "braket_job_event_timestamp_seconds",
            "When the latest event of that type happened, unix time; only types that were seen.",
            _event_times,
            "event_type",
        ),
        _gauge(
            "braket_job_failure",
            "1 when Braket gives a failure reason, by its class.",
            _of_snapshot(lambda job: [] if (category := job.failure_category) is None else [((category,), 1.0)]),
            "category",
        ),
        _gauge(
            "braket_job_last_poll_timestamp_seconds",
            "When GetJob last answered for the job, unix time; stands still once the job is finished.",
            lambda record: _one(record.polled_at),
        ),
        _gauge(
            "braket_job_poll_failing",
            "1 while GetJob fails for this very job, by error code.",
            lambda record: [] if record.failing is None else [((record.failing,), 1.0)],
            "code",
        ),
    )


def tag_label(key: str) -> str:
    """Turn a tag's key into a label name: characters that Prometheus does not allow become underscores."""
    return "tag_" + re.sub(r"[^a-zA-Z0-9_]", "_", key)


def _gauge(name: str, text: str, samples: Callable[[JobRecord], _Samples], *labels: str) -> JobFamily:
    return JobFamily(name, text, "gauge", (*_JOB_LABELS, *labels), samples=_of_job(samples))


def _of_job(samples: Callable[[JobRecord], _Samples]) -> Callable[[JobRecord], Iterable[Sample]]:
    """Add the values of the labels that every family of jobs has."""

    def of_job(record: JobRecord) -> list[Sample]:
        job = (record.arn, "" if record.snapshot is None else record.snapshot.name)
        return [((*job, *values), value) for values, value in samples(record)]

    return of_job


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
    names = STATUSES if job.status in STATUSES else (*STATUSES, job.status)
    return [((name,), float(name == job.status)) for name in names]


def _event_counts(record: JobRecord) -> _Samples:
    if record.snapshot is None:
        return []
    seen = [key.type for key in record.events if key.type is not None]
    types = (*EVENT_TYPES, *sorted(set(seen).difference(EVENT_TYPES)))
    return [((kind,), float(seen.count(kind))) for kind in types]


def _event_times(record: JobRecord) -> _Samples:
    latest: dict[str, float] = {}
    for kind, time in record.events:
        if kind is not None and time is not None:
            latest[kind] = max(time, latest.get(kind, time))
    return [((kind,), latest[kind]) for kind in sorted(latest)]
