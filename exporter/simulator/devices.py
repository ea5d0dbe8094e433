"""Devices on a timeline, and spending limits that fill up: what Braket answers is a pure function of the time.

Times are unix seconds.
"""

from bisect import bisect_right
from collections.abc import Sequence
from dataclasses import dataclass

from exporter.simulator.wire import JsonObject, plain, timestamp

_KINDS = {"qpu": "QPU", "quantum-simulator": "SIMULATOR"}


@dataclass(frozen=True, slots=True)
class DeviceState:
    """The state of a device from a time on.

    Attributes:
        offset: Seconds after the start of the device's timeline, or of each repetition of it.
        status: Its status.
        reason: The reason of the status; None for none.
        estimated_seconds: How long the state is expected to last, seconds; None if unknown.
        tasks: The size of the queue of tasks, as the service writes it.
        priority_tasks: The size of the queue of prioritized tasks; None where there is none.
        jobs: The size of the queue of jobs.
    """

    offset: float = 0.0
    status: str = "ONLINE"
    reason: str | None = None
    estimated_seconds: float | None = None
    tasks: str = "0"
    priority_tasks: str | None = None
    jobs: str = "0"


@dataclass(frozen=True, slots=True)
class SimulatedDevice:
    """A device that follows its states.

    Attributes:
        arn: Its ARN.
        states: Its states in order of time; the first has offset 0.
        since: The start of the timeline.
        cycle_seconds: The states repeat after this time; None for once.
    """

    arn: str
    states: tuple[DeviceState, ...] = (DeviceState(),)
    since: float = 0.0
    cycle_seconds: float | None = None

    def answer(self, now: float) -> JsonObject:
        """The GetDevice JSON at `now`."""
        state, began = self._state(now)
        _, kind, provider, name = [*self.arn.rpartition(":")[2].split("/"), "", "", ""][:4]
        return plain(
            {
                "deviceArn": self.arn,
                "deviceName": name,
                "providerName": provider,
                "deviceType": _KINDS.get(kind, "QPU"),
                "deviceStatus": state.status,
                "deviceStatusReason": _reason(state, began),
                "deviceCapabilities": '{"service": {"executionWindows": []}}',
                "deviceQueueInfo": _queues(state),
            }
        )

    def status(self, now: float) -> tuple[str, float]:
        """The status at `now`, and when the state with it began."""
        state, began = self._state(now)
        return state.status, began

    def _state(self, now: float) -> tuple[DeviceState, float]:
        """The state at `now`, and when it began."""
        elapsed = max(0.0, now - self.since)
        into = elapsed if self.cycle_seconds is None else elapsed % self.cycle_seconds
        state = self.states[bisect_right(self.states, into, key=lambda each: each.offset) - 1]
        return state, now - (into - state.offset)


@dataclass(frozen=True, slots=True)
class SimulatedLimit:
    """A spending limit that fills up while time passes.

    Attributes:
        arn: Its ARN, which says its Region and account.
        device: The ARN of its device.
        start: The start of its period.
        end: The end of its period.
        limit: US dollars that may be spent in the period.
        spent: US dollars spent at the start of the period.
        per_second: US dollars spent in each second, until the limit is reached.
        queued: US dollars of queued tasks.
    """

    arn: str
    device: str
    start: float
    end: float
    limit: float
    spent: float = 0.0
    per_second: float = 0.0
    queued: float = 0.0

    def entry(self, now: float) -> JsonObject:
        """The entry in SearchSpendingLimits at `now`; amounts are texts with cents."""
        total = min(self.limit, self.spent + self.per_second * max(0.0, min(now, self.end) - self.start))
        return {
            "spendingLimitArn": self.arn,
            "deviceArn": self.device,
            "timePeriod": {"startAt": self.start, "endAt": self.end},
            "spendingLimit": f"{self.limit:.2f}",
            "queuedSpend": f"{min(self.queued, self.limit - total):.2f}",
            "totalSpend": f"{total:.2f}",
            "createdAt": timestamp(self.start),
            "updatedAt": timestamp(max(self.start, now)),
            "tags": {},
        }


def limit_arn(name: str, region: str, account: str = "123456789012") -> str:
    """The ARN of a spending limit."""
    return f"arn:aws:braket:{region}:{account}:spending-limit/{name}"


def _reason(state: DeviceState, began: float) -> JsonObject | None:
    if state.reason is None:
        return None
    end = None if state.estimated_seconds is None else timestamp(began + state.estimated_seconds)
    started = timestamp(began)
    return plain({"reason": state.reason, "startedAt": started, "estimatedEndAt": end, "updatedAt": started})


def _queues(state: DeviceState) -> Sequence[JsonObject]:
    tasks = "QUANTUM_TASKS_QUEUE"
    priority = [] if state.priority_tasks is None else [(tasks, state.priority_tasks, "Priority")]
    queues = [(tasks, state.tasks, "Normal"), *priority, ("JOBS_QUEUE", state.jobs, None)]
    return [plain({"queue": queue, "queueSize": size, "queuePriority": level}) for queue, size, level in queues]
