"""One call of the SDK: how far it has come. The SDK's own events say so, so a failure is classified by its place."""

import re
import time
from collections.abc import Mapping
from contextvars import ContextVar
from datetime import UTC, datetime
from enum import IntEnum
from typing import Any, Final, NamedTuple
from urllib.parse import unquote_to_bytes

from exporter.wire import read_json

_PLAIN: Final = re.compile(rb"[ -~]*")
"""What an HTTP header can carry, and every valid credential consists of."""

_CARRIERS: Final = (("X-Amz-Security-Token", "the session token"), ("Authorization", "the access key ID"))
"""The headers that carry parts of credentials, and the part that each carries."""

_FOREIGN_CARRIERS: Final = (*_CARRIERS, ("x-amz-sso_bearer_token", "the SSO token"))
"""Likewise for the services that give credentials."""

CLOCK_TOLERANCE: Final = 5.0
"""Smallest difference of clocks that counts, seconds: the header has whole seconds, and a response takes some."""

_DATE: Final = re.compile(r"[A-Z][a-z]{2}, (\d\d) ([A-Z][a-z]{2}) (\d{4}) (\d\d):(\d\d):(\d\d) GMT", re.ASCII)
_MONTHS: Final = ("Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec")

_ROLE: Final = re.compile(rb"(?:^|&)RoleArn=([^&]{1,600})")
_ROLE_ARN: Final = re.compile(r"arn:aws[a-z-]{0,10}:iam::\d{12}:role/[\w+=,.@/-]{1,512}", re.ASCII)


class Phase(IntEnum):
    """The part of the call that is under way."""

    LOGIN = 0
    CLIENT = 1
    SIGNING = 2
    SENDING = 3
    RECEIVED = 4


class Operation(NamedTuple):
    """An operation of a service, as the SDK names it.

    Attributes:
        service: the service, as the SDK names it in events.
        name: the operation.
        reads_json: whether a response is read as plain JSON, without the SDK's parser.
    """

    service: str
    name: str
    reads_json: bool


class RefusedError(Exception):
    """The exporter itself ends a call within the SDK; the text is the exporter's own and holds no secret."""


class LateError(RefusedError):
    """The deadline of the call is over: nothing is sent any more."""


class Attempt:
    """One call of an operation. The thread that makes the call writes it; the caller reads it after the end.

    Attributes:
        operation: what is called.
        parameters: the arguments.
        until: the deadline, monotonic seconds.
        phase: how far the call has come.
        endpoint: the URL of the service; empty before there is a client.
        issuer: the service that credentials were last requested from, such as ``STS``; empty before.
        request: what was requested there, such as ``AssumeRole``.
        served: whether the issuer responded.
        role: the role that was requested there; empty if none.
        assuming: whether the role of the settings is being assumed.
        process: whether a ``credential_process`` was started.
        oversized: whether the response is longer than what is read.
        status: the HTTP status; 0 before the response.
        date: the response's ``Date`` header.
        received: when the response was complete, unix seconds.
        payload: the response's JSON.
    """

    __slots__ = (
        "_unsent",
        "assuming",
        "date",
        "endpoint",
        "issuer",
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
        self.phase = Phase.LOGIN
        self.endpoint = self.issuer = self.request = self.role = ""
        self.served = self.assuming = self.process = self.oversized = False
        self.status, self.received = 0, 0.0
        self.date: str | None = None
        self.payload: Any = None
        self._unsent = [True]

    @property
    def clock_offset(self) -> float:
        """The seconds by which the ``Date`` header is ahead of this host's clock; 0 if small or unknown."""
        date = _date(self.date or "")
        offset = 0.0 if date is None else date - self.received
        return offset if abs(offset) > CLOCK_TOLERANCE else 0.0

    def close(self) -> bool:
        """Let nothing be sent from now on; return whether the request was sent before."""
        return not self._claim()

    def signs(self, event_name: str) -> None:
        """Take note that a request is signed."""
        if self._is_own(event_name):
            self.phase = Phase.SIGNING

    def sends(self, event_name: str, headers: Mapping[str, bytes], body: object) -> None:
        """Take note that a signed request is about to be sent.

        Raises:
            RefusedError: the request cannot or must not be sent.
        """
        own = self._is_own(event_name)
        for name, part in _CARRIERS if own else _FOREIGN_CARRIERS:
            if not _PLAIN.fullmatch(headers.get(name, b"")):
                raise RefusedError(f"{part} has a character that an HTTP header cannot carry, such as a line end")
        if not (self._claim() if own else self._unsent):
            raise LateError
        if own:
            self.phase = Phase.SENDING
        else:
            service, _, self.request = event_name.partition(".")[2].rpartition(".")
            self.issuer, self.served, self.role = service.upper(), False, _role(body)

    def receives(self, event_name: str, response: dict[str, Any]) -> None:
        """Take note that a response is complete, and read JSON here: the SDK's parser fails on any odd member."""
        if not self._is_own(event_name):
            self.served = True
            return
        self.phase, self.status, self.received = Phase.RECEIVED, response["status_code"], time.time()
        self.date = response["headers"].get("date")
        if self.operation.reads_json and self.status < 300:
            body, response["body"] = response["body"], b""
            self.payload = read_json(body)

    def _claim(self) -> bool:
        try:
            self._unsent.pop()  # atomic: the thread that sends and the one that gives up never both get it
        except IndexError:
            return False
        return True

    def _is_own(self, event_name: str) -> bool:
        return event_name.endswith(self.operation.name) and f".{self.operation.service}." in event_name


CURRENT: Final[ContextVar[Attempt | None]] = ContextVar("CURRENT", default=None)
"""The call that this thread makes."""


def signing(event_name: str, **_: object) -> None:
    """Follow the SDK's event ``before-sign``."""
    if attempt := CURRENT.get():
        attempt.signs(event_name)


def sending(event_name: str, request: Any, **_: object) -> None:  # noqa: ANN401 -- botocore's
    """Follow the SDK's event ``before-send``."""
    if attempt := CURRENT.get():
        attempt.sends(event_name, request.headers, request.body)


def receiving(event_name: str, response_dict: dict[str, Any], **_: object) -> None:
    """Follow the SDK's event ``before-parse``."""
    if attempt := CURRENT.get():
        attempt.receives(event_name, response_dict)


def _date(text: str) -> float | None:
    """Read a ``Date`` header as unix seconds; ``None`` if it is not one."""
    match = _DATE.fullmatch(text)
    if match is None or match[2] not in _MONTHS:
        return None
    day, _, year, hour, minute, second = match.groups()
    try:
        moment = datetime(int(year), _MONTHS.index(match[2]) + 1, int(day), int(hour), int(minute), tzinfo=UTC)
    except ValueError:
        return None
    return moment.timestamp() + int(second)


def _role(body: object) -> str:
    """Find the role that a request to STS is about."""
    content = body.encode() if isinstance(body, str) else body
    match = _ROLE.search(content) if isinstance(content, bytes) else None
    role = "" if match is None else unquote_to_bytes(match[1]).decode("ascii", "replace")
    return role if _ROLE_ARN.fullmatch(role) else ""
