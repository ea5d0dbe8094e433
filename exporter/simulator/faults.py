"""Injected faults, with the requests that they affect and their duration."""

import math
from collections.abc import Callable
from dataclasses import dataclass, replace
from enum import StrEnum
from threading import Lock

from exporter.simulator.sqs import OPERATIONS as QUEUE_OPERATIONS
from exporter.simulator.wire import Reply, error_reply, queue_error

JOB_OPERATIONS = ("GetJob", "SearchJobs")
OPERATIONS = (*JOB_OPERATIONS, "GetDevice", "SearchSpendingLimits", *QUEUE_OPERATIONS)

_LONGEST_DELAY_SECONDS = 3600.0
# Answers with these carry no body, so a gateway's page cannot come with them.
_BODILESS = (204, 205, 304)


class FaultKind(StrEnum):
    """The kinds of faults.

    For status 200 with a body that is not JSON (an HTML page, half of the JSON, nothing), boto3 returns only
    ResponseMetadata: it neither parses strictly nor compares the body with its Content-Length.

    Attributes:
        THROTTLE: 429 ThrottlingException, always or only above a rate.
        INTERNAL_ERROR: 500 InternalServiceException.
        ACCESS_DENIED: 403 AccessDeniedException.
        EXPIRED_TOKEN: 403 ExpiredTokenException.
        NOT_FOUND: 404 ResourceNotFoundException.
        NO_QUEUE: 400 QueueDoesNotExist, as for a queue that was deleted; for operations on queues only.
        GATEWAY: An HTML page with a configurable status, as a gateway in front of the service sends it.
        DELAY: The correct response, delayed.
        HANG: No response on an open connection.
        RESET: The connection is reset (TCP RST) without a response.
        TRUNCATED_JSON: The first half of the correct body, with the Content-Length of that half.
        CUT_BODY: The first half of the correct body, with the Content-Length of the whole; then the connection closes.
        EMPTY_BODY: 200 without a body.
    """

    THROTTLE = "throttle"
    INTERNAL_ERROR = "internal_error"
    ACCESS_DENIED = "access_denied"
    EXPIRED_TOKEN = "expired_token"  # noqa: S105 - the name of an error
    NOT_FOUND = "not_found"
    NO_QUEUE = "no_queue"
    GATEWAY = "gateway"
    DELAY = "delay"
    HANG = "hang"
    RESET = "reset"
    TRUNCATED_JSON = "truncated_json"
    CUT_BODY = "cut_body"
    EMPTY_BODY = "empty_body"


@dataclass(frozen=True, slots=True)
class Fault:
    """A fault that applies until it is cleared, or until `times` or `seconds` are used up.

    Attributes:
        kind: The kind of fault.
        operation: One of `OPERATIONS`; None for each of `JOB_OPERATIONS`.
        arn: Only for jobs with this text in their ARN; None for every request. SearchJobs has no ARN, so a
            fault with an ARN does not apply to it.
        times: The number of requests; None for any number.
        seconds: The duration after it is put in place; None without end.
        status: HTTP status of a `gateway` fault.
        delay: Seconds of a `delay` fault.
        above_rate: Only for `throttle`: requests a second that succeed, counted over all requests that the
            fault applies to.
        burst: Only with `above_rate`: requests that succeed at once after a pause; None for those of one second (at
            least one). AWS allows 25 for GetJob, and 50 for SearchJobs.

    Raises:
        ValueError: If a member is outside its range.
    """

    kind: FaultKind
    operation: str | None = None
    arn: str | None = None
    times: int | None = None
    seconds: float | None = None
    status: int = 502
    delay: float = 1.0
    above_rate: float | None = None
    burst: float | None = None

    def __post_init__(self) -> None:
        problem = _problem(self)
        if problem is not None:
            raise ValueError(problem)

    def concerns(self, operation: str, arn: str | None) -> bool:
        """Whether a request is one of those that this fault is meant for."""
        meant = operation in JOB_OPERATIONS if self.operation is None else operation == self.operation
        return meant and (self.arn is None or (arn is not None and self.arn in arn))


@dataclass(slots=True)
class _Armed:
    """A fault in place, and what is left of it."""

    fault: Fault
    until: float
    left: float
    allowance: float
    refilled: float

    def is_spent(self, now: float) -> bool:
        return self.left <= 0 or now >= self.until

    def strikes(self, now: float) -> bool:
        """Whether the request at `now` gets the fault; each call is one request."""
        if self.fault.above_rate is not None and self._lets_through(now, self.fault.above_rate):
            return False
        self.left -= 1
        return True

    def _lets_through(self, now: float, rate: float) -> bool:
        self.allowance = min(_burst(self.fault), self.allowance + (now - self.refilled) * rate)
        self.refilled = now
        if self.allowance < 1:
            return False
        self.allowance -= 1
        return True


class FaultBoard:
    """The faults in place now.

    Args:
        clock: Unix seconds; durations and rates are counted by it.
    """

    def __init__(self, clock: Callable[[], float]) -> None:
        self._clock = clock
        self._armed: list[_Armed] = []
        self._lock = Lock()

    def put(self, *faults: Fault) -> None:
        """Add faults; the first fault that matches a request applies."""
        now = self._clock()
        with self._lock:
            self._armed += [_armed(fault, now) for fault in faults]

    def clear(self) -> None:
        """Remove all faults."""
        with self._lock:
            self._armed.clear()

    def strike(self, operation: str, arn: str | None) -> Fault | None:
        """The fault that a request gets, which counts as one of its times; None for none."""
        now = self._clock()
        with self._lock:
            self._armed = [armed for armed in self._armed if not armed.is_spent(now)]
            meant = (armed for armed in self._armed if armed.fault.concerns(operation, arn))
            return next((armed.fault for armed in meant if armed.strikes(now)), None)


# Faults that send the right response, or a part of it.
OF_THE_RESPONSE = frozenset({FaultKind.DELAY, FaultKind.TRUNCATED_JSON, FaultKind.CUT_BODY})

# Faults that send the same response to each request.
_FIXED_REPLIES = {
    FaultKind.THROTTLE: error_reply(429, "ThrottlingException", "Rate exceeded"),
    FaultKind.INTERNAL_ERROR: error_reply(500, "InternalServiceException", "An internal error occurred"),
    FaultKind.ACCESS_DENIED: error_reply(403, "AccessDeniedException", "User is not authorized to do this"),
    FaultKind.EXPIRED_TOKEN: error_reply(403, "ExpiredTokenException", "The security token is expired"),
    FaultKind.NOT_FOUND: error_reply(404, "ResourceNotFoundException", "The job cannot be found"),
    FaultKind.NO_QUEUE: queue_error("QueueDoesNotExist", "The specified queue does not exist."),
    FaultKind.EMPTY_BODY: Reply(200, b""),
}


def spoiled(fault: Fault, reply: Reply) -> Reply:
    """What is sent under `fault` in place of the right `reply`."""
    half = reply.body[: len(reply.body) // 2]
    match fault.kind:
        case FaultKind.GATEWAY:
            return Reply(fault.status, _gateway_page(fault.status), content_type="text/html")
        case FaultKind.TRUNCATED_JSON:
            return replace(reply, body=half)
        case FaultKind.CUT_BODY:
            return replace(reply, body=half, declared_length=len(reply.body))
        case kind:
            fixed = _FIXED_REPLIES.get(kind, reply)
    if fault.operation in QUEUE_OPERATIONS and fixed.error_type is not None:
        return queue_error(fixed.error_type, "A fault of the simulator", fixed.status)
    return fixed


def fault_from_json(document: object) -> Fault:
    """A fault from JSON that has the members of `Fault`; null is as good as absent.

    Raises:
        ValueError: With one message that says what is wrong.
    """
    if not isinstance(document, dict):
        raise ValueError('a fault must be a JSON object, such as {"kind": "throttle"}')  # noqa: TRY004 - one type
    given = {name: value for name, value in document.items() if value is not None}
    for name, value in given.items():
        _check_member(name, value)
    if given.get("kind") not in tuple(FaultKind):
        raise ValueError(f"kind must be one of {', '.join(FaultKind)}, not {given.get('kind')!r}")
    return Fault(**{**given, "kind": FaultKind(given["kind"])})


_STRING: tuple[str, tuple[type, ...]] = ("a string", (str,))
_WHOLE: tuple[str, tuple[type, ...]] = ("a whole number", (int,))
_NUMBER: tuple[str, tuple[type, ...]] = ("a number", (int, float))
_MEMBERS = {
    "kind": _STRING,
    "operation": _STRING,
    "arn": _STRING,
    "times": _WHOLE,
    "seconds": _NUMBER,
    "status": _WHOLE,
    "delay": _NUMBER,
    "above_rate": _NUMBER,
    "burst": _NUMBER,
}


def _check_member(name: str, value: object) -> None:
    if name not in _MEMBERS:
        raise ValueError(f"{name!r} is no member of a fault; there are {', '.join(_MEMBERS)}")
    wanted, types = _MEMBERS[name]
    if type(value) not in types:
        raise ValueError(f"{name} must be {wanted}, not {value!r}")


def _problem(fault: Fault) -> str | None:
    checks = {
        f"operation must be one of {', '.join(OPERATIONS)}": fault.operation in (None, *OPERATIONS),
        "times must be 1 or more": fault.times is None or fault.times >= 1,
        "seconds must be greater than 0": fault.seconds is None or fault.seconds > 0,
        "status must be an HTTP status with a body, 200 to 599": fault.status not in _BODILESS
        and 200 <= fault.status <= 599,
        f"delay must be 0 to {_LONGEST_DELAY_SECONDS:g} seconds": 0 <= fault.delay <= _LONGEST_DELAY_SECONDS,
        "above_rate must be greater than 0": fault.above_rate is None or fault.above_rate > 0,
        "above_rate goes with throttle only": fault.above_rate is None or fault.kind == FaultKind.THROTTLE,
        "burst must be 1 or more": fault.burst is None or fault.burst >= 1,
        f"no_queue needs an operation, one of {', '.join(QUEUE_OPERATIONS)}": fault.kind != FaultKind.NO_QUEUE
        or fault.operation in QUEUE_OPERATIONS,
        "burst goes with above_rate only": fault.burst is None or fault.above_rate is not None,
    }
    return next((problem for problem, holds in checks.items() if not holds), None)


def _burst(fault: Fault) -> float:
    return max(fault.above_rate or 0.0, 1.0) if fault.burst is None else fault.burst


def _armed(fault: Fault, now: float) -> _Armed:
    return _Armed(
        fault,
        until=math.inf if fault.seconds is None else now + fault.seconds,
        left=math.inf if fault.times is None else fault.times,
        allowance=_burst(fault),
        refilled=now,
    )


def _gateway_page(status: int) -> bytes:
    return f"<html><head><title>{status}</title></head><body><h1>{status}</h1></body></html>".encode()
