"""The metrics of jobs and of the fleet as a table: a name, a help text, a type, labels and where the samples come from.

Adding a metric of a job is one row here. Label *names* stand beside the function that gives their *values*, in the same
order; the renderer joins the two strictly. Pure.
"""

import re
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from typing import Final, Literal

from exporter.core import EVENT_TYPES, STATUSES, JobRecord, JobSnapshot, parse_device

Sample = tuple[tuple[str, ...], float]
"""The values of a family's labels, in order, and the sample's value."""

Samples = Iterable[Sample]

_MINUTE: Final = 60.0
_HOUR: Final = 3600.0
_DAY: Final = 86400.0

_UP_TO_EIGHT_HOURS: Final = (
    *(10.0, 30.0, _MINUTE, 2 * _MINUTE, 5 * _MINUTE, 10 * _MINUTE, 30 * _MINUTE),
    *(_HOUR, 2 * _HOUR, 4 * _HOUR, 8 * _HOUR),
)

RUN_BUCKETS: Final = (*_UP_TO_EIGHT_HOURS, _DAY, 2 * _DAY, 5 * _DAY)
"""Upper bounds in seconds. Braket stops a job after five days at the latest."""

QUEUE_BUCKETS: Final = (
    *(*_UP_TO_EIGHT_HOURS, 12 * _HOUR, 16 * _HOUR, 20 * _HOUR),
    *(_DAY, 2 * _DAY, 3 * _DAY, 5 * _DAY, 7 * _DAY, 10 * _DAY, 14 * _DAY),
)
"""Upper bounds in seconds. A QPU that is open for some hours a day makes jobs wait until the next day, or for weeks."""


@dataclass(frozen=True, slots=True)
class Family:
    """One metric family as it is exposed; a counter's name ends in ``_total``.

    Attributes:
        buckets: upper bounds of a histogram without +Inf.
        former_buckets: the bounds of older builds, as state files may still have them; each is a part of ``buckets``
            and differs from the others in length, because a state file has the counts alone.
    """

    name: str
    help: str
    type: Literal["gauge", "counter", "histogram"]
    labels: tuple[str, ...]
    buckets: tuple[float, ...] = ()
    former_buckets: tuple[tuple[float, ...], ...] = ()


@dataclass(frozen=True, slots=True)
class JobFamily(Family):
    """A family with samples of single jobs.

    Attributes:
        samples: gives the values of the labels after ``job_arn`` and ``job_name``, and the value.
    """

    samples: Callable[[JobRecord], Samples] = lambda _: ()


JOB_LABELS: Final = ("job_arn", "job_name")
ACCOUNT_LABELS: Final = ("aws_account_id", "aws_region")
TARGET_LABELS: Final = (*ACCOUNT_LABELS, "target")
GROUP_LABELS: Final = (*ACCOUNT_LABELS, "device")


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
            ("event_type",),
            samples=_event_counts,
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


JOBS: Final = Family("braket_jobs", "Hybrid jobs that are watched, by status.", "gauge", (*GROUP_LABELS, "status"))

FLEET_FAMILIES: Final = (
    JOBS,
    Family(
        "braket_job_transitions_total",
        "Changes of status that were seen; from_status is empty for a new job.",
        "counter",
        (*GROUP_LABELS, "from_status", "to_status"),
    ),
    Family(
        "braket_job_outcomes_total",
        "Jobs that ended; one that ran out of time counts under its status and under MAX_RUNTIME_EXCEEDED.",
        "counter",
        (*GROUP_LABELS, "outcome"),
    ),
    Family(
        "braket_billable_seconds_total",
        "Billable duration times instance count of jobs that ended.",
        "counter",
        (*GROUP_LABELS, "instance_type"),
    ),
    Family(
        "braket_job_queue_duration_seconds",
        "Time from creation to start, each job once.",
        "histogram",
        GROUP_LABELS,
        QUEUE_BUCKETS,
        former_buckets=(RUN_BUCKETS,),
    ),
    Family(
        "braket_job_run_duration_seconds",
        "Time from start to end, each job once, by the status it ended in.",
        "histogram",
        (*GROUP_LABELS, "outcome"),
        RUN_BUCKETS,
    ),
)
"""The families of the fleet; their samples are kept by ``exporter.metrics.aggregates``."""


EXPORTER_FAMILIES: Final = (
    Family(
        "braket_exporter_build_info",
        "Versions; the value is always 1.",
        "gauge",
        ("version", "python_version", "boto3_version"),
    ),
    Family(
        "braket_exporter_target_up",
        "State of the target: 1 while it can be polled, 0 while it fails as a whole (credentials, network, throttling, "
        "overdue call); present from the first attempt on.",
        "gauge",
        TARGET_LABELS,
    ),
    Family(
        "braket_exporter_target_last_success_timestamp_seconds",
        "Unix time of the last successful call.",
        "gauge",
        TARGET_LABELS,
    ),
    Family(
        "braket_exporter_target_poll_duration_seconds",
        "Duration of the last pass over all jobs that were due, in seconds.",
        "gauge",
        TARGET_LABELS,
    ),
    Family(
        "braket_exporter_target_staleness_seconds",
        "Age of the data of the active job that was polled longest ago, in seconds.",
        "gauge",
        TARGET_LABELS,
    ),
    Family("braket_exporter_target_jobs", "Number of watched jobs, by state.", "gauge", (*TARGET_LABELS, "state")),
    Family(
        "braket_exporter_api_requests_total",
        "Number of HTTP attempts, by result: ok, a known error code, timeout, connection, malformed, other.",
        "counter",
        (*ACCOUNT_LABELS, "operation", "code"),
    ),
    Family(
        "braket_exporter_api_request_duration_seconds",
        "Duration of an HTTP attempt, in seconds.",
        "histogram",
        (*ACCOUNT_LABELS, "operation"),
        (0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0),
    ),
    Family(
        "braket_exporter_api_budget_requests_per_second",
        "Current rate limit of the exporter's own requests, in requests per second.",
        "gauge",
        (*ACCOUNT_LABELS, "operation"),
    ),
    Family(
        "braket_exporter_jobs_dropped_total",
        "Jobs that lost their series, by reason.",
        "counter",
        ("reason",),
    ),
    Family("braket_exporter_parse_errors_total", "Answers that could not be read.", "counter", ()),
    Family(
        "braket_exporter_unknown_values_total",
        "Values in answers that this release does not know, by field; each counts when a job first shows it.",
        "counter",
        ("field",),
    ),
    Family(
        "braket_exporter_config_last_reload_successful",
        "1 when the settings and the web_config_file that were last read are in force.",
        "gauge",
        (),
    ),
    Family(
        "braket_exporter_config_last_reload_success_timestamp_seconds",
        "When the settings in force were read, unix time.",
        "gauge",
        (),
    ),
    Family(
        "braket_exporter_state_up",
        "1 while the state file takes what is written, 0 while it does not and all is kept in memory only; "
        "absent without state_file.",
        "gauge",
        (),
    ),
    Family(
        "braket_exporter_state_size_bytes",
        "Size of the state file and its write-ahead log.",
        "gauge",
        (),
    ),
    Family(
        "braket_exporter_state_last_write_timestamp_seconds",
        "When the state file was last written, unix time.",
        "gauge",
        (),
    ),
)
"""The families of the exporter itself, kept with prometheus_client by ``exporter.telemetry.self_metrics``."""


def tag_label(key: str) -> str:
    """Turn a tag's key into a label name: characters that Prometheus does not allow become underscores."""
    return "tag_" + re.sub(r"[^a-zA-Z0-9_]", "_", key)


def _gauge(name: str, text: str, samples: Callable[[JobRecord], Samples], *labels: str) -> JobFamily:
    return JobFamily(name, text, "gauge", labels, samples=samples)


def _of_snapshot(samples: Callable[[JobSnapshot], Samples]) -> Callable[[JobRecord], Samples]:
    return lambda record: () if record.snapshot is None else samples(record.snapshot)


def _optional(value: Callable[[JobSnapshot], float | None]) -> Callable[[JobRecord], Samples]:
    return _of_snapshot(lambda job: _one(value(job)))


def _one(value: float | None) -> Samples:
    return () if value is None else [((), float(value))]


def _info(job: JobSnapshot) -> tuple[str, ...]:
    device = parse_device(job.device)
    return (job.account, job.region, job.device, device.name, device.provider, device.type, job.instance_type)


def _tag_values(job: JobSnapshot, keys: Sequence[str]) -> Iterator[str]:
    tags = dict(job.tags)
    return (tags.get(key, "") for key in keys)


def _status(job: JobSnapshot) -> Samples:
    names = STATUSES if job.status in STATUSES else (*STATUSES, job.status)
    return [((name,), float(name == job.status)) for name in names]


def _event_counts(record: JobRecord) -> Samples:
    if record.snapshot is None:
        return []
    seen = [key.type for key in record.events if key.type is not None]
    types = (*EVENT_TYPES, *sorted(set(seen).difference(EVENT_TYPES)))
    return [((kind,), float(seen.count(kind))) for kind in types]


def _event_times(record: JobRecord) -> Samples:
    latest: dict[str, float] = {}
    for kind, time in record.events:
        if kind is not None and time is not None:
            latest[kind] = max(time, latest.get(kind, time))
    return [((kind,), latest[kind]) for kind in sorted(latest)]
