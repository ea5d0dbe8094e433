"""EventBridge's events: each change of a job's or a device's status becomes one event, in its envelope."""

import json
from collections.abc import Iterable, Iterator
from datetime import UTC, datetime
from threading import Lock
from uuid import NAMESPACE_URL, uuid5

from exporter.simulator.devices import SimulatedDevice
from exporter.simulator.jobs import Job, SimulatedJob
from exporter.simulator.phases import TERMINAL
from exporter.simulator.wire import JsonObject, account_of, region_of

JOB_STATE_CHANGE = "Braket Job State Change"
DEVICE_STATUS_CHANGE = "Braket Device Status Change"

# The members of a job's event that SearchJobs has as well.
_SHARED = ("jobArn", "jobName", "status", "createdAt", "startedAt", "endedAt", "tags")


class EventFeed:
    """The events after the first call, each once. Jobs with literal responses have no events. Thread-safe.

    Args:
        account: The account in the events of devices.
    """

    def __init__(self, account: str) -> None:
        self._account = account
        self._collecting = Lock()
        self._started = False
        self._reported: dict[str, int] = {}
        self._over: set[str] = set()
        self._statuses: dict[str, str] = {}

    def due(self, jobs: Iterable[Job], devices: Iterable[SimulatedDevice], now: float) -> list[str]:
        """The events up to `now` that no earlier call returned, in order of time, as JSON."""
        with self._collecting:
            events = [*self._of_jobs(jobs, now), *self._of_devices(devices, now)]
            self._started, news = True, events if self._started else []
        return [json.dumps(event) for _, event in sorted(news, key=lambda pair: pair[0])]

    def _of_jobs(self, jobs: Iterable[Job], now: float) -> Iterator[tuple[float, JsonObject]]:
        for job in jobs:
            if job.arn in self._over or not isinstance(job, SimulatedJob):
                continue
            changes = job.changes(now)
            reported = self._reported.get(job.arn, 0)
            self._reported[job.arn] = len(changes)
            if changes and changes[-1][1] in TERMINAL:
                self._over.add(job.arn)
            for number, (time, status) in enumerate(changes[reported:], reported):
                yield time, job_event(job, number, time, status)

    def _of_devices(self, devices: Iterable[SimulatedDevice], now: float) -> Iterator[tuple[float, JsonObject]]:
        for device in devices:
            status, since = device.status(now)
            before = self._statuses.setdefault(device.arn, status)
            self._statuses[device.arn] = status
            if status != before:
                yield since, device_event(device.arn, status, since, self._account)


def job_event(job: SimulatedJob, number: int, time: float, status: str) -> JsonObject:
    """The event of a job's change to a status; `number` counts its changes."""
    summary = job.summary(time) or {}
    detail = {**{name: summary[name] for name in _SHARED if name in summary}, "status": status}
    envelope = _envelope(f"{job.arn}#{number}", time, job.arn, account_of(job.arn))
    return {**envelope, "detail-type": JOB_STATE_CHANGE, "detail": detail}


def device_event(arn: str, status: str, time: float, account: str) -> JsonObject:
    """The event of a device's change to a status."""
    envelope = _envelope(f"{arn}#{time:.0f}", time, arn, account)
    return {**envelope, "detail-type": DEVICE_STATUS_CHANGE, "detail": {"deviceArn": arn, "status": status}}


def _envelope(identity: str, time: float, arn: str, account: str) -> JsonObject:
    """The envelope; its time has whole seconds, and its ID is the same in each run."""
    return {
        "version": "0",
        "id": str(uuid5(NAMESPACE_URL, identity)),
        "source": "aws.braket",
        "account": account,
        "time": datetime.fromtimestamp(int(time), UTC).isoformat().replace("+00:00", "Z"),
        "region": region_of(arn) or "us-east-1",
        "resources": [arn],
    }
