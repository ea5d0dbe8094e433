"""What a configuration will cost: calls to AWS and series in Prometheus. Pure."""

from collections.abc import Sequence
from dataclasses import dataclass

from exporter.families import FLEET_FAMILIES, JobFamily
from exporter.fleet import Fleet
from exporter.lifecycle import observe
from exporter.model import EventKey, JobEvent, JobRecord, JobSnapshot

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
class Prediction:
    """What to expect while every job is active, the dearest case.

    Attributes:
        calls_per_minute: GetJob calls over all targets.
        staleness: how old the answers get, seconds, where the budget does not allow the wished interval.
        series_per_job: series of a job that ran to its end.
        series_of_jobs: those of all jobs.
        series_per_device: fleet series for each device and Region that jobs run on.
    """

    calls_per_minute: float
    staleness: float
    series_per_job: int
    series_of_jobs: int
    series_per_device: int


def predict(
    jobs_per_target: Sequence[int], *, interval: float, rate: float, families: Sequence[JobFamily]
) -> Prediction:
    """Predict calls and series.

    Args:
        jobs_per_target: how many jobs each account and Region has.
        interval: the wished poll interval, seconds.
        rate: the budget of each target, requests a second.
        families: the families exposed for each job.
    """
    intervals = [max(interval, jobs / rate) for jobs in jobs_per_target]
    per_job = _series_per_job(families)
    return Prediction(
        calls_per_minute=sum(60 * jobs / every for jobs, every in zip(jobs_per_target, intervals, strict=True)),
        staleness=max(intervals, default=interval),
        series_per_job=per_job,
        series_of_jobs=per_job * sum(jobs_per_target),
        series_per_device=_series_per_device(),
    )


def _series_per_job(families: Sequence[JobFamily]) -> int:
    record = observe(JobRecord("arn"), _TYPICAL, since=0.0, now=122.0).record
    return sum(len([*family.samples(record)]) for family in families)


def _series_per_device() -> int:
    fleet = Fleet()
    seen = observe(JobRecord("arn"), _TYPICAL, since=0.0, now=122.0)
    fleet.move(None, _TYPICAL)
    fleet.apply(seen.increments)
    return sum(len([*fleet.samples(family)]) for family in FLEET_FAMILIES)
