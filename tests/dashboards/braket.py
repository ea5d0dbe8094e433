"""A Braket with one job of each kind, which has no problems until it has all of them."""

import time
from collections.abc import Callable
from typing import Any, Final

from processes import GARNET, iso, wire_event, wire_job

from exporter.simulator import (
    DeviceState,
    Fault,
    FaultKind,
    ScriptedJob,
    SimulatedDevice,
    SimulatedLimit,
    SimulatorServer,
    World,
    job_arn,
    limit_arn,
)

DAY: Final = 86400.0
SV1: Final = "arn:aws:braket:::device/quantum-simulator/amazon/sv1"


class Braket:
    """An endpoint with one job of each kind; all are well until ``trouble`` comes."""

    def __init__(self) -> None:
        now = time.time()
        self._answers: dict[str, dict[str, Any]] = {}
        self._add("queued", "QUEUED", now - 600, queueInfo={"queue": "JOBS_QUEUE", "position": "3"})
        self._add("running", "RUNNING", now - 600, tags={"team": "chemistry"}, **_started(now - 500))
        self._add("done", "QUEUED", now - 60)
        for name in ("failed", "out-of-time", "near-limit", "cancelling", "hidden", "odd", "garbled"):
            self._add(name, "RUNNING", now - 600, **_started(now - 500))
        self._add("stuck", "QUEUED", now - 300, queueInfo={"queue": "JOBS_QUEUE", "position": "5"})
        self._add("old", "RUNNING", now - 7200, **_started(now - 7000))
        scripts = [ScriptedJob(arn, now - 600, self._script(arn)) for arn in self._answers]
        limit = SimulatedLimit(limit_arn("gate", "us-east-1"), GARNET, now - DAY, now + DAY, 100.0, 70.0, queued=5.0)
        self.server = SimulatorServer(World(scripts, limits=[limit]), clock=time.time)

    @property
    def arns(self) -> list[str]:
        return [*self._answers]

    def live(self) -> None:
        """A job starts; a little later it ends as it should."""
        self.change("done", status="RUNNING", **_started(time.time() - 20))

    def end(self) -> None:
        now = time.time()
        events = [
            wire_event("DEPRIORITIZED_DUE_TO_INACTIVITY", now - 14),
            wire_event("STARTING_INSTANCE", now - 12),
            wire_event("RUNNING", now - 10),
            wire_event("UPLOADING_RESULTS", now - 2),
            wire_event("COMPLETED", now),
        ]
        self.change("done", status="COMPLETED", endedAt=iso(now), billableDuration=20000, events=events)

    def trouble(self) -> None:
        """Everything that a dashboard has a place for goes wrong."""
        now = time.time()
        reason = "AlgorithmError: FileNotFoundError, exit code: 1"
        over = {"endedAt": iso(now), "billableDuration": 500000}
        self.change("failed", status="FAILED", failureReason=reason, events=[wire_event("FAILED", now)], **over)
        self.change("out-of-time", status="COMPLETED", events=[wire_event("MAX_RUNTIME_EXCEEDED", now)], **over)
        self.change("near-limit", stoppingCondition={"maxRuntimeInSeconds": 600})
        self.change("cancelling", status="CANCELLING")
        self.change("stuck", createdAt=iso(now - 2 * DAY), queueInfo={"queue": "JOBS_QUEUE", "position": ">15"})
        self.change("odd", events=[wire_event("A_NEW_EVENT", now)])
        self.change("garbled", status=7)
        self.change("old", status="COMPLETED", **{**over, "endedAt": iso(now - 3600 + 5)})
        busy = DeviceState(0.0, "PAUSED", "MAINTENANCE", 3600.0, ">4000", "12", "0 (1 prioritized job(s) running)")
        self.server.world.devices[SV1] = SimulatedDevice(SV1, (busy,), since=now)
        self.server.faults.put(Fault(FaultKind.ACCESS_DENIED, "GetJob", arn=job_arn("hidden")))

    def change(self, name: str, **members: object) -> None:
        self._answers[job_arn(name)] |= members

    def _add(self, name: str, status: str, created: float, **members: object) -> None:
        arn = job_arn(name)
        device = {"deviceConfig": {"device": GARNET}} if name != "running" else {}
        self._answers[arn] = wire_job(arn, status, jobName=name, createdAt=iso(created), **device, **members)

    def _script(self, arn: str) -> Callable[[float], dict[str, Any]]:
        return lambda _: dict(self._answers[arn])


def _started(start: float) -> dict[str, Any]:
    limit = {"stoppingCondition": {"maxRuntimeInSeconds": 36000}}
    return {"startedAt": iso(start), "events": [wire_event("RUNNING", start + 5)], **limit}
