"""The state of one call of the SDK: its phase and its response. The phase of a failure decides its error."""

import re
from collections.abc import Mapping
from contextvars import ContextVar
from datetime import UTC, datetime
from enum import IntEnum
from typing import Any, Final, NamedTuple

CLOCK_TOLERANCE: Final = 5.0
"""Clock differences up to this are ignored, seconds: the header has whole seconds, and a response takes time."""

_DATE: Final = re.compile(r"[A-Z][a-z]{2}, (\d\d) ([A-Z][a-z]{2}) (\d{4}) (\d\d):(\d\d):(\d\d) GMT", re.ASCII)
_MONTHS: Final = ("Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec")


class Phase(IntEnum):
    """The phase of a call."""

    CREDENTIALS = 0
    CLIENT = 1
    SIGNING = 2
    SENDING = 3
    RECEIVED = 4


class Operation(NamedTuple):
    """An operation of a service.

    Attributes:
        service: its name in the SDK.
        name: its name in the service's API.
        members: the members of a response; each response has at least one of them.
        may_be_empty: whether a response may have no member at all.
    """

    service: str
    name: str
    members: tuple[str, ...]
    may_be_empty: bool = False

    def is_response(self, payload: object) -> bool:
        """Return whether a successful response is the service's: proxies and login pages respond with 200 as well."""
        if not isinstance(payload, dict):
            return False
        return any(payload.get(member) is not None for member in self.members) or (self.may_be_empty and not payload)


class RefusedError(Exception):
    """The exporter itself ends a call within the SDK; the text is the exporter's own and has no secret."""


class LateError(RefusedError):
    """The deadline of the call is over, so nothing may be sent."""


class Attempt:
    """One call of an operation. The thread of the call writes it; the caller reads it after the end.

    Attributes:
        operation: the operation.
        parameters: the arguments.
        until: the deadline, monotonic seconds.
        phase: the current phase.
        endpoint: the URL of the service; empty before there is a client.
        http: the SDK's HTTP session of the client.
        credentials: sign the request.
        issuer: the service of the last request for credentials, such as ``STS``; empty before.
        request: the operation of that request, such as ``AssumeRole``.
        served: whether the issuer responded.
        role: the role in that request; empty without one.
        assuming: whether the role of the settings is being assumed.
        process: whether a ``credential_process`` was started.
        oversized: whether the response exceeds the size limit.
        status: the HTTP status; 0 before the response.
        date: the response's ``Date`` header.
        received: the time of the complete response, unix seconds.
        code: the code of an error response, unverified.
        message: its message, unverified.
        payload: the content of a successful response.
    """

    __slots__ = (
        "_unsent",
        "assuming",
        "code",
        "credentials",
        "date",
        "endpoint",
        "http",
        "issuer",
        "message",
        "operation",
        "oversized",
        "parameters",
        "payload",
        "phase",
        "process",
        "received",
        "request",
        "role",
        "served",
        "status",
        "until",
    )

    def __init__(self, operation: Operation, parameters: Mapping[str, Any], until: float) -> None:
        self.operation, self.parameters, self.until = operation, parameters, until
        self.phase = Phase.CREDENTIALS
        self.endpoint = self.issuer = self.request = self.role = self.code = self.message = ""
        self.served = self.assuming = self.process = self.oversized = False
        self.status, self.received = 0, 0.0
        self.date: str | None = None
        self.http: Any = None
        self.credentials: Any = None
        self.payload: Any = None
        self._unsent = [True]

    @property
    def clock_offset(self) -> float:
        """The seconds by which the ``Date`` header is ahead of this host's clock; 0 if small or unknown."""
        date = _date(self.date or "")
        offset = 0.0 if date is None else date - self.received
        return offset if abs(offset) > CLOCK_TOLERANCE else 0.0

    @property
    def closed(self) -> bool:
        """Whether the request was sent, or may no longer be sent."""
        return not self._unsent

    def depart(self) -> None:
        """Note that the request is about to be sent.

        Raises:
            LateError: it may no longer be sent.
        """
        if not self._claim():
            raise LateError
        self.phase = Phase.SENDING

    def close(self) -> bool:
        """Prevent the request; return whether it was already sent."""
        return not self._claim()

    def _claim(self) -> bool:
        try:
            self._unsent.pop()  # atomic: either the thread that sends gets it, or the one that gives up
        except IndexError:
            return False
        return True


CURRENT: Final[ContextVar[Attempt | None]] = ContextVar("CURRENT", default=None)
"""The call of this thread."""


def _date(text: str) -> float | None:
    """Read a ``Date`` header as unix seconds; ``None`` if it is not valid."""
    match = _DATE.fullmatch(text)
    if match is None or match[2] not in _MONTHS:
        return None
    day, _, year, hour, minute, second = match.groups()
    try:
        moment = datetime(int(year), _MONTHS.index(match[2]) + 1, int(day), int(hour), int(minute), tzinfo=UTC)
    except ValueError:
        return None
    return moment.timestamp() + int(second)
