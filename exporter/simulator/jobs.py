"""A hybrid job as a timeline: what GetJob and SearchJobs answer is a pure function of the time.

Times are unix seconds, offsets are seconds after the job's creation.
"""

import math
from bisect import bisect_right
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Protocol

from exporter.simulator.phases import RECORDED_LIFE, TERMINAL, Event, Phase, Status
from exporter.simulator.wire import JsonObject, account_of, plain, region_of, timestamp

# The service model allows no longer list of events in an answer.
MOST_EVENTS = 20
# The service model's upper limit of maxRuntimeInSeconds: five days.
LONGEST_RUNTIME_SECONDS = 432_000
# CancelJob returns at once; the job ends later.
_CANCELLING_SECONDS = 5.0
SV1 = "arn:aws:braket:::device/quantum-simulator/amazon/sv1"


class Job(Protocol):
    """What a world can hold."""

    @property
    def arn(self) -> str:
        """The job's ARN, which also says its Region and account."""

    @property
    def created(self) -> float:
        """Unix seconds that the `createdAt` filter of SearchJobs compares."""

    def answer(self, now: float, *, queue_info: bool) -> JsonObject | None:
        """The GetJob JSON at `now`; None while there is no such job."""

    def summary(self, now: float) -> JsonObject | None:
        """The job's entry in SearchJobs at `now`; None while there is no such job."""


@dataclass(frozen=True, slots=True)
class SimulatedJob:
    """A job that follows its phases.

    `startedAt` is the first phase with status RUNNING, `endedAt` the first with a terminal one, and
    `failureReason` and `billableDuration` are there from the end on.

    Attributes:
        arn: The job's ARN.
        name: Its name, which need not be unique.
        created: Unix seconds; before them the job does not exist.
        phases: Its life, in order of time; the first has offset 0 and a status.
        device: Device ARN, or `local:<provider>/<simulator>` for an embedded simulator.
        instance_type: Classical instance type.
        instance_count: How many of them.
        max_runtime_seconds: The stopping condition, 1 to 432000.
        tags: The job's tags.
        hyper_parameters: The job's hyperparameters.
        failure_reason: Text that is answered once the job has ended; None for none.
        reservation_arn: The reservation in which the job runs; None for none.

    Raises:
        ValueError: If the phases are no such life.
    """

    arn: str
    name: str
    created: float
    phases: tuple[Phase, ...] = RECORDED_LIFE
    device: str = SV1
    instance_type: str = "ml.m5.large"
    instance_count: int = 1
    max_runtime_seconds: int = LONGEST_RUNTIME_SECONDS
    tags: Mapping[str, str] = field(default_factory=dict)
    hyper_parameters: Mapping[str, str] = field(default_factory=dict)
    failure_reason: str | None = None
    reservation_arn: str | None = None

    def __post_init__(self) -> None:
        offsets = [phase.offset for phase in self.phases]
        if offsets != sorted(offsets):
            raise ValueError(f"the phases of {self.name} are not in order of time: {offsets}")
        if not self.phases or self.phases[0].offset != 0 or self.phases[0].status is None:
            raise ValueError(f"the first phase of {self.name} must have offset 0 and a status")

    def answer(self, now: float, *, queue_info: bool = False) -> JsonObject | None:
        """The GetJob JSON at `now` (unix seconds); None before the job is created."""
        past = self._past(now)
        if not past:
            return None
        return {
            **self._shared(past),
            **_configuration(self),
            **self._ending(past),
            **self._associations(),
            "events": [self._event(phase) for phase in past if phase.event is not None][-MOST_EVENTS:],
            **({"queueInfo": _queue_info(past)} if queue_info else {}),
        }

    def summary(self, now: float) -> JsonObject | None:
        """The entry in SearchJobs at `now` (unix seconds); None before the job is created."""
        past = self._past(now)
        return {**self._shared(past), "device": self.device} if past else None

    def cancelled(self, now: float) -> "SimulatedJob | None":
        """The job as CancelJob at `now` changes it; None when it has ended. A second call changes nothing."""
        past = self._past(now)
        status = _latest_status(past)
        if status in TERMINAL or status is None:
            return None
        if status == Status.CANCELLING:
            return self
        offset = round(now - self.created, 3)
        ending = (
            Phase(offset, Status.CANCELLING),
            Phase(offset + _CANCELLING_SECONDS, Status.CANCELLED, Event.CANCELLED),
        )
        return replace(self, phases=(*past, *ending), failure_reason=None)

    def changes(self, now: float) -> list[tuple[float, str]]:
        """The changes of its status up to `now`: unix seconds and status."""
        return [(self.created + phase.offset, phase.status) for phase in self._past(now) if phase.status is not None]

    def truth(self) -> JsonObject:
        """The whole schedule, future included: times in unix seconds."""
        return {
            "arn": self.arn,
            "name": self.name,
            "device": self.device,
            "instanceType": self.instance_type,
            "instanceCount": self.instance_count,
            "created": self.created,
            "started": self._time_of(self.phases, {Status.RUNNING}),
            "ended": self._time_of(self.phases, TERMINAL),
            "failureReason": self.failure_reason,
            "transitions": [
                {"time": self._at(phase), "status": phase.status} for phase in self.phases if phase.status is not None
            ],
            "events": [
                {"time": self._at(phase), "type": phase.event} for phase in self.phases if phase.event is not None
            ],
        }

    def _at(self, phase: Phase) -> float:
        return round(self.created + phase.offset, 3)

    def _past(self, now: float) -> tuple[Phase, ...]:
        return self.phases[: bisect_right(self.phases, now, key=lambda phase: self.created + phase.offset)]

    def _time_of(self, phases: Sequence[Phase], statuses: set[Status] | frozenset[Status]) -> float | None:
        return next((self._at(phase) for phase in phases if phase.status in statuses), None)

    def _event(self, phase: Phase) -> JsonObject:
        event: JsonObject = {"eventType": phase.event, "timeOfEvent": timestamp(self._at(phase))}
        return {**event, "message": phase.message} if phase.message else event

    def _shared(self, past: Sequence[Phase]) -> JsonObject:
        started, ended = self._time_of(past, {Status.RUNNING}), self._time_of(past, TERMINAL)
        return plain(
            {
                "jobArn": self.arn,
                "jobName": self.name,
                "status": _latest_status(past),
                "createdAt": timestamp(self.created),
                "startedAt": None if started is None else timestamp(started),
                "endedAt": None if ended is None else timestamp(ended),
                "tags": dict(self.tags),
            }
        )

    def _associations(self) -> JsonObject:
        if self.reservation_arn is None:
            return {}
        return {"associations": [{"arn": self.reservation_arn, "type": "RESERVATION_TIME_WINDOW_ARN"}]}

    def _ending(self, past: Sequence[Phase]) -> JsonObject:
        started, ended = self._time_of(past, {Status.RUNNING}), self._time_of(past, TERMINAL)
        if ended is None:
            return {}
        billable = None if started is None else billable_milliseconds(started, ended)
        return plain({"failureReason": self.failure_reason, "billableDuration": billable})


def job_arn(job_id: str, region: str = "us-east-1", account: str = "123456789012") -> str:
    """The ARN of a job; `job_id` is a UUID for new jobs and the job's name for very old ones."""
    return f"arn:aws:braket:{region}:{account}:job/{job_id}"


def billable_milliseconds(started: float, ended: float) -> int:
    """Run time rounded up to whole seconds, in milliseconds: 79.354 s were recorded as 80000."""
    return math.ceil(round(ended - started, 3)) * 1000


def _latest_status(past: Sequence[Phase]) -> str | None:
    return next((phase.status for phase in reversed(past) if phase.status is not None), None)


def _queue_info(past: Sequence[Phase]) -> JsonObject:
    """The queue position; outside the queue the service writes the string `None`, and a message."""
    status = _latest_status(past)
    place = next((phase.position for phase in reversed(past) if phase.position is not None), None)
    if status == Status.QUEUED:
        return {"queue": "JOBS_QUEUE", "position": "None" if place is None else place}
    message = f"Job is in {status} status. Amazon Braket does not show a queue position for this status."
    return {"queue": "JOBS_QUEUE", "position": "None", "message": message}


def _configuration(job: SimulatedJob) -> JsonObject:
    """The members that say how the job was created; they never change."""
    region, account = region_of(job.arn), account_of(job.arn)
    folder = f"s3://amazon-braket-{region}-{account}/jobs/{job.name}"
    image = f"292282985366.dkr.ecr.{region}.amazonaws.com/amazon-braket-base-jobs:latest"
    return {
        "roleArn": f"arn:aws:iam::{account}:role/service-role/AmazonBraketJobsExecutionRole",
        "hyperParameters": dict(job.hyper_parameters),
        "inputDataConfig": [],
        "outputDataConfig": {"s3Path": f"{folder}/data"},
        "checkpointConfig": {"localPath": "/opt/jobs/checkpoints", "s3Uri": f"{folder}/checkpoints"},
        "stoppingCondition": {"maxRuntimeInSeconds": job.max_runtime_seconds},
        "algorithmSpecification": {
            "scriptModeConfig": {
                "entryPoint": "algorithm.main:run",
                "s3Uri": f"{folder}/script/source.tar.gz",
                "compressionType": "GZIP",
            },
            "containerImage": {"uri": image},
        },
        "instanceConfig": {
            "instanceType": job.instance_type,
            "volumeSizeInGb": 30,
            "instanceCount": job.instance_count,
        },
        "deviceConfig": {"device": job.device},
    }
