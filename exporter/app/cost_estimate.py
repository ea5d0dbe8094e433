"""The predicted costs of a configuration: calls to AWS and series in Prometheus. Pure."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Final

from exporter.core import LONG_POLL_SECONDS, PHASES, STATUSES, TERMINAL_STATUSES, EventKey, JobRecord, JobSnapshot
from exporter.metrics import AGGREGATE_FAMILIES, Family, JobFamily
from exporter.polling import GET_JOB_SHARE

FINISHED_JOB: Final = JobRecord(
    "arn",
    JobSnapshot(
        arn="arn",
        name="name",
        status="COMPLETED",
        account="account",
        region="region",
        device="device",
        instance_type="ml.m5.large",
        instance_count=1,
        max_runtime_seconds=432000,
        created=1.0,
        started=43.0,
        ended=122.0,
        billable_seconds=80.0,
    ),
    events=(
        EventKey("STARTING_INSTANCE", 2.0),
        EventKey("DOWNLOADING_DATA", 43.0),
        EventKey("RUNNING", 84.0),
        EventKey("UPLOADING_RESULTS", 110.0),
        EventKey("COMPLETED", 122.0),
    ),
    polled_at=122.0,
)
"""A completed job with its usual events."""

LABEL_SETS_PER_DEVICE: Final[Mapping[str, int]] = {
    "braket_jobs": len(STATUSES),
    "braket_job_transitions_total": 1,
    "braket_job_outcomes_total": len(TERMINAL_STATUSES) + 1,
    "braket_billable_seconds_total": 1,
    "braket_job_queue_duration_seconds": 1,
    "braket_job_run_duration_seconds": len(TERMINAL_STATUSES),
    "braket_job_phase_seconds_total": len(PHASES),
    "braket_job_phases_total": len(PHASES),
}
"""The label sets of each aggregate family for a device with jobs of one instance type and one kind of transition."""


@dataclass(frozen=True, slots=True)
class Demand:
    """The demand of one account and Region.

    Attributes:
        jobs: the number of configured active jobs.
        discovers: whether it discovers jobs.
    """

    jobs: int
    discovers: bool


@dataclass(frozen=True, slots=True)
class Prediction:
    """The costs while every configured job is active, which is the most expensive case.

    Attributes:
        calls_per_minute: GetJob calls for configured jobs and SearchJobs calls for discovery, over all targets.
        calls_per_found_job: GetJob calls a minute for each discovered active job.
        most_calls_per_minute: the sum of the rate limits, over all targets.
        most_calls_per_operation: the rate limit of each target and operation, a minute.
        alone: the most active jobs of a target that GetJob alone keeps fresh; SearchJobs polls the status of more.
        staleness: the data age of configured jobs, seconds; above the poll interval where the rate limit is too low.
        series_per_job: the series of a completed job.
        series_of_jobs: the series of all configured jobs.
        most_series_of_jobs: the series of ``max_jobs`` jobs.
        series_per_device: aggregate series for each device and Region that jobs run on.
    """

    calls_per_minute: float
    calls_per_found_job: float
    most_calls_per_minute: float
    most_calls_per_operation: float
    alone: int
    staleness: float
    series_per_job: int
    series_of_jobs: int
    most_series_of_jobs: int
    series_per_device: int


@dataclass(frozen=True, slots=True)
class EventCosts:
    """The costs of event queues while they are healthy.

    Attributes:
        queues: the number of queues.
        interval: the poll interval of RUNNING jobs, seconds.
    """

    queues: int
    interval: float

    @property
    def calls_per_running_job(self) -> float:
        """GetJob calls a minute for each RUNNING job."""
        return 60 / self.interval

    @property
    def receives_per_minute(self) -> float:
        """ReceiveMessage calls a minute to all queues, if they are empty; each event may end a call early."""
        return self.queues * 60 / LONG_POLL_SECONDS


def predict(
    demands: Sequence[Demand],
    *,
    interval: float,
    discovery_interval: float,
    rate: float,
    max_jobs: int,
    families: Sequence[JobFamily],
) -> Prediction:
    """Predict calls and series.

    Args:
        demands: the demand of each account and Region.
        interval: the poll interval, seconds.
        discovery_interval: the discovery interval, seconds.
        rate: the rate limit of each target and operation, requests a second.
        max_jobs: the maximum number of jobs with series.
        families: the families of each job.
    """
    jobs = [demand.jobs for demand in demands]
    searching = sum(demand.discovers for demand in demands)
    get_rates = [min(number / interval, rate) for number in jobs]
    per_job = _series_per_job(families)
    return Prediction(
        calls_per_minute=60 * (sum(get_rates) + searching * min(1 / discovery_interval, rate)),
        calls_per_found_job=60 / interval,
        most_calls_per_minute=60 * rate * (len(demands) + searching),
        most_calls_per_operation=60 * rate,
        alone=int(GET_JOB_SHARE * rate * interval),
        staleness=max((max(interval, number / rate) for number in jobs), default=interval),
        series_per_job=per_job,
        series_of_jobs=per_job * min(sum(jobs), max_jobs),
        most_series_of_jobs=per_job * max_jobs,
        series_per_device=_series_per_device(),
    )


def _series_per_job(families: Sequence[JobFamily]) -> int:
    return sum(len([*family.samples(FINISHED_JOB)]) for family in families)


def _series_per_device() -> int:
    return sum(LABEL_SETS_PER_DEVICE[family.name] * _series_per_label_set(family) for family in AGGREGATE_FAMILIES)


def _series_per_label_set(family: Family) -> int:
    """Count the series of one label set; a histogram has those of +Inf, sum and count, too."""
    return len(family.buckets) + 3 if family.type == "histogram" else 1
