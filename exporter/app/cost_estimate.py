"""What a configuration will cost: calls to AWS and series in Prometheus. Pure."""

from collections.abc import Sequence
from dataclasses import dataclass

from exporter.core import EventKey, JobEvent, JobRecord, JobSnapshot, observe
from exporter.metrics import FLEET_FAMILIES, Aggregates, JobFamily
from exporter.polling import GET_JOB_SHARE

_TYPICAL = JobSnapshot(
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
    events=tuple(
        JobEvent(EventKey(kind, time), "")
        for kind, time in (
            ("STARTING_INSTANCE", 2.0),
            ("DOWNLOADING_DATA", 43.0),
            ("RUNNING", 84.0),
            ("UPLOADING_RESULTS", 110.0),
            ("COMPLETED", 122.0),
        )
    ),
)
"""A job that ran to its end, with the events that such a job has been seen to have."""


@dataclass(frozen=True, slots=True)
class Demand:
    """What one account and Region asks for: jobs that are named, and whether others are looked for."""

    jobs: int
    discovers: bool


@dataclass(frozen=True, slots=True)
class Prediction:
    """What to expect while every named job is active, the dearest case.

    Attributes:
        calls_per_minute: GetJob calls for the named jobs and SearchJobs calls to look for others, over all targets.
        calls_per_found_job: GetJob calls a minute for each active job that is found.
        most_calls_per_minute: what the budgets allow, over all targets.
        alone: active jobs in a target that GetJob keeps fresh; with more, SearchJobs tells their status.
        staleness: how old the answers for named jobs get, seconds, where the budget does not allow the wished interval.
        series_per_job: series of a job that ran to its end.
        series_of_jobs: those of all named jobs.
        most_series_of_jobs: those of as many jobs as may have series.
        series_per_device: fleet series for each device and Region that jobs run on.
    """

    calls_per_minute: float
    calls_per_found_job: float
    most_calls_per_minute: float
    alone: int
    staleness: float
    series_per_job: int
    series_of_jobs: int
    most_series_of_jobs: int
    series_per_device: int


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
        demands: what each account and Region asks for.
        interval: the wished poll interval, seconds.
        discovery_interval: how often new jobs are looked for, seconds.
        rate: the budget of each target and operation, requests a second.
        max_jobs: how many jobs may have series.
        families: the families exposed for each job.
    """
    jobs = [demand.jobs for demand in demands]
    searching = sum(demand.discovers for demand in demands)
    get_rates = [min(number / interval, rate) for number in jobs]
    per_job = _series_per_job(families)
    return Prediction(
        calls_per_minute=60 * (sum(get_rates) + searching * min(1 / discovery_interval, rate)),
        calls_per_found_job=60 / interval,
        most_calls_per_minute=60 * rate * (len(demands) + searching),
        alone=int(GET_JOB_SHARE * rate * interval),
        staleness=max((max(interval, number / rate) for number in jobs), default=interval),
        series_per_job=per_job,
        series_of_jobs=per_job * min(sum(jobs), max_jobs),
        most_series_of_jobs=per_job * max_jobs,
        series_per_device=_series_per_device(),
    )


def _series_per_job(families: Sequence[JobFamily]) -> int:
    record = observe(JobRecord("arn"), _TYPICAL, since=0.0, now=122.0).record
    return sum(len([*family.samples(record)]) for family in families)


def _series_per_device() -> int:
    fleet = Aggregates()
    seen = observe(JobRecord("arn"), _TYPICAL, since=0.0, now=122.0)
    fleet.move(None, _TYPICAL)
    fleet.apply(seen.increments)
    return sum(len([*fleet.samples(family)]) for family in FLEET_FAMILIES)
