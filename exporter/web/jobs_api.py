"""``GET /api/v1/jobs``: every known job as JSON. Pure."""

import json
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import replace
from itertools import islice
from types import MappingProxyType
from typing import Any, Final

from exporter.core import (
    DeviceKey,
    DeviceRecord,
    JobEvent,
    JobRecord,
    JobSnapshot,
    Transition,
    entered_at,
    parse_job_arn,
    ran_out_of_time,
)
from exporter.telemetry import job_fields, outcome_fields, rfc3339, transition_fields
from exporter.web.console_links import jobs_url, logs_url
from exporter.web.device_cell import device_of

Devices = Mapping[DeviceKey, DeviceRecord]

_JOBS_PER_PART: Final = 100
"""Jobs that are rendered at once; a client that reads slowly never keeps the whole list in memory."""


def render_jobs(records: Iterable[JobRecord], devices: Devices = MappingProxyType({})) -> Iterator[bytes]:
    """Render ``{"jobs": [...]}``, a job a line, in parts; ``devices`` are those with a record."""
    documents, separator = (json.dumps(job_document(record, devices)) for record in records), "\n"
    yield b'{"jobs": ['
    while part := [*islice(documents, _JOBS_PER_PART)]:
        yield (separator + ",\n".join(part)).encode()
        separator = ",\n"
    yield b"\n]}\n"


def job_document(record: JobRecord, devices: Devices = MappingProxyType({})) -> dict[str, Any]:
    """Return a job as JSON values: the fields of the log event ``job_transition``, and more that the page shows.

    The transition is the one into the current status. ``None`` stands for an unknown value; for a job without a GetJob
    response, most values are unknown.
    """
    arn = parse_job_arn(record.arn)
    document = {
        **dict.fromkeys(_FIELDS),
        "job_arn": record.arn,
        "aws_account_id": arn.account,
        "aws_region": arn.region,
        "status": record.first_listed_status,
        "max_runtime_exceeded": ran_out_of_time(record),
        "poll_error": record.failing,
        "url": jobs_url(arn.region),
    }
    if record.snapshot is None:
        return document
    return document | _polled_fields(record, record.snapshot) | _device_fields(record.snapshot, devices)


def _polled_fields(record: JobRecord, job: JobSnapshot) -> dict[str, Any]:
    return {
        **job_fields(job),
        **_transition_fields(record, job),
        **outcome_fields(job),
        "status": job.status,
        "created": rfc3339(job.created),
        "started": rfc3339(job.started),
        "ended": rfc3339(job.ended),
        "queue_position": job.queue_position,
        "queue_position_is_floor": None if job.queue_position is None else job.queue_position_is_floor,
        "instances": job.instance_count,
        "logs_url": logs_url(job.arn, job.name),
    }


def _device_fields(job: JobSnapshot, devices: Devices) -> dict[str, Any]:
    """Return the state of the device of an active job."""
    record = None if job.finished else device_of(job, devices)
    if record is None:
        return {}
    return {
        "device_status": record.snapshot.status,
        "device_status_reason": record.snapshot.reason or None,
        "device_status_estimated_end": rfc3339(record.snapshot.estimated_end),
    }


def _transition_fields(record: JobRecord, job: JobSnapshot) -> dict[str, Any]:
    """Return the fields of the transition into the current status that follow from the last response."""
    before = "QUEUED" if job.status == "RUNNING" else None if job.started is None else "RUNNING"
    events = tuple(JobEvent(key, "") for key in record.events)
    entered = entered_at(before, replace(job, events=events))
    if entered is None:
        return {"to_status": job.status}
    fields = transition_fields(Transition(job, None, entered, entered))
    return {name: fields[name] for name in ("to_status", "event_time", "transition_id")}


_FIELDS: Final = (
    *("job_arn", "job_name", "aws_account_id", "aws_region", "device", "instance_type"),
    *("from_status", "to_status", "event_time", "observed_time", "lag_seconds", "transition_id"),
    *("failure_reason", "billable_duration_seconds", "queue_duration_seconds", "run_duration_seconds"),
    *("status", "created", "started", "ended", "queue_position", "queue_position_is_floor"),
    *("instances", "max_runtime_exceeded", "poll_error"),
    *("device_status", "device_status_reason", "device_status_estimated_end"),
    *("url", "logs_url"),
)
"""Every field of a job; the first three rows are those of the log event ``job_transition``."""
