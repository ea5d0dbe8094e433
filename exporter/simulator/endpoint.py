"""What the server does with a request, short of the network: answer it, spoil it, remember it."""

import json
import time
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass
from threading import Event, Lock

from exporter.simulator.faults import (
    OF_THE_RESPONSE,
    OPERATIONS,
    Fault,
    FaultBoard,
    FaultKind,
    fault_from_json,
    spoiled,
)
from exporter.simulator.jobs import SimulatedJob
from exporter.simulator.service import Call, Request, call_of, reply_to
from exporter.simulator.sqs import RECEIVE_MESSAGE, is_empty, wait_seconds
from exporter.simulator.wire import JsonObject, Reply, error_reply, json_reply
from exporter.simulator.world import World

# How long a message may be there before a long poll delivers it.
_LOOK_SECONDS = 0.02

CONTROL_PREFIX = "/_simulator/"

# Under these a client never sees a status.
_SILENT = (FaultKind.HANG, FaultKind.RESET)


@dataclass(frozen=True, slots=True)
class RequestRecord:
    """One request, recorded before the response.

    Attributes:
        time: Unix seconds by the injected clock.
        operation: As in `Call`.
        arn: The job of a GetJob or CancelJob request.
        region: The Region that the caller signed for.
        access_key_id: The caller's key.
        status: HTTP status of the response; None when a fault suppresses it.
        fault: The fault that applied, if any.
    """

    time: float
    operation: str | None
    arn: str | None
    region: str | None
    access_key_id: str | None
    status: int | None
    fault: FaultKind | None


@dataclass(frozen=True, slots=True)
class Outcome:
    """The answer to a request, and the fault to send it with."""

    reply: Reply
    fault: Fault | None = None


class Endpoint:
    """A world behind an interface of requests and outcomes.

    Args:
        world: The jobs.
        clock: Unix seconds.
        keep_requests: Whether `requests` grows; a process that runs for weeks only counts.

    Attributes:
        world: The jobs.
        faults: The faults in place.
        requests: Every request so far.
        closing: Set at the end; whoever waits for something gives up then.
    """

    def __init__(self, world: World, clock: Callable[[], float], *, keep_requests: bool) -> None:
        self.world = world
        self.faults = FaultBoard(clock)
        self.requests: list[RequestRecord] = []
        self.closing = Event()
        self._clock = clock
        self._keep_requests = keep_requests
        self._counts: Counter[tuple[str, str]] = Counter()
        self._counting = Lock()

    def respond(self, request: Request, is_gone: Callable[[], bool] = lambda: False) -> Outcome:
        """The outcome of a request now; a long poll ends when its client `is_gone`."""
        now = self._clock()
        self.world.advance(now)
        if request.target.startswith(CONTROL_PREFIX):
            return Outcome(self._control(request, now))
        call = call_of(request)
        fault = self.faults.strike(call.operation, call.arn) if call.operation in OPERATIONS else None
        if call.operation == RECEIVE_MESSAGE:
            reply = json_reply({}) if fault and fault.kind not in OF_THE_RESPONSE else self._received(call, is_gone)
        else:
            reply = reply_to(call, self.world, now)
        outcome = Outcome(reply if fault is None else spoiled(fault, reply), fault)
        self._note(_record(call, outcome, now))
        return outcome

    def _received(self, call: Call, is_gone: Callable[[], bool]) -> Reply:
        """Wait for messages as long as a ReceiveMessage request wants."""
        until = time.monotonic() + wait_seconds(call.body)
        while True:
            if is_gone():
                return json_reply({})  # nobody reads it, and no message is delivered to nobody
            now = self._clock()
            self.world.advance(now)
            reply = reply_to(call, self.world, now)
            if not is_empty(reply) or time.monotonic() >= until or self.closing.wait(_LOOK_SECONDS):
                return reply

    def _note(self, record: RequestRecord) -> None:
        answer = str(record.fault if record.status is None else record.status)
        with self._counting:
            self._counts[record.operation or "Unknown", answer] += 1
        if self._keep_requests:
            self.requests.append(record)

    def _control(self, request: Request, now: float) -> Reply:
        match request.method, request.target.removeprefix(CONTROL_PREFIX):
            case "GET", "jobs":
                return json_reply([job.arn for job in self.world.existing(now)])
            case "GET", "truth":
                return json_reply(self._truth(now))
            case "GET", "requests":
                return json_reply(self._tally())
            case "POST", "faults":
                return self._put_faults(request.body)
            case "DELETE", "faults":
                self.faults.clear()
                return json_reply({})
            case _:
                return error_reply(404, "UnknownOperationException", "There is no such control")

    def _truth(self, now: float) -> JsonObject:
        jobs = [job.truth() for job in self.world.existing(now) if isinstance(job, SimulatedJob)]
        return {"now": now, "jobs": jobs}

    def _tally(self) -> dict[str, dict[str, int]]:
        with self._counting:
            counts = sorted(self._counts.items())
        tally: dict[str, dict[str, int]] = {}
        for (operation, answer), number in counts:
            tally.setdefault(operation, {})[answer] = number
        return tally

    def _put_faults(self, body: bytes) -> Reply:
        try:
            document = json.loads(body)
            faults = [fault_from_json(one) for one in (document if isinstance(document, list) else [document])]
        except ValueError as error:
            return json_reply({"message": str(error)}, 400)
        self.faults.put(*faults)
        return json_reply({"added": len(faults)})


def _record(call: Call, outcome: Outcome, now: float) -> RequestRecord:
    kind = None if outcome.fault is None else outcome.fault.kind
    return RequestRecord(
        time=now,
        operation=call.operation,
        arn=call.arn,
        region=call.signer.region if call.signer else None,
        access_key_id=call.signer.access_key_id if call.signer else None,
        status=None if kind in _SILENT else outcome.reply.status,
        fault=kind,
    )
