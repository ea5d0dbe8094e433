"""Handlers of the SDK's events for the requests of a call: its own request, and requests for credentials.

The call's own request is sent here with the SDK's signer and connections. The SDK's retries would break the rate limit,
and its parser raises anything for a member of an unexpected shape.
"""

import re
import time
from collections.abc import Mapping
from contextlib import suppress
from html import unescape
from typing import Any, Final
from urllib.parse import unquote_to_bytes

from botocore.awsrequest import create_request_object

from exporter.aws.attempt import CURRENT, LateError, Phase, RefusedError
from exporter.aws.wire import read_json

_CARRIERS: Final = (
    ("X-Amz-Security-Token", "the session token"),
    ("Authorization", "the access key ID"),
    ("x-amz-sso_bearer_token", "the SSO token"),
)
"""The headers with parts of credentials, and the name of each part."""

_XML: Final = {
    name: re.compile(rf"<{name}>([^<]{{1,4096}})</{name}>".encode()) for name in ("Account", "Arn", "Code", "Message")
}
_ROLE: Final = re.compile(rb"(?:^|&)RoleArn=([^&]{1,600})")
_ROLE_ARN: Final = re.compile(r"arn:aws[a-z-]{0,10}:iam::\d{12}:role/[\w+=,.@/-]{1,512}", re.ASCII)


class ErrorResponseError(Exception):
    """The service responded with an error, which is in the attempt."""


def exchange(model: Any, params: dict[str, Any], request_signer: Any, **_: object) -> tuple[Any, dict[str, Any]] | None:  # noqa: ANN401 -- botocore's
    """Handle the SDK's event ``before-call``: send the call's own request, and store the response in the attempt.

    Raises:
        ErrorResponseError: the service responded with an error.
        RefusedError: the request cannot or may not be sent.
    """
    attempt = CURRENT.get()
    if attempt is None or attempt.operation.name != model.name:
        return None  # a request for credentials
    attempt.phase = Phase.SIGNING
    request = create_request_object(params)
    request.context["signing"] = request.context.get("signing", {}) | {"request_credentials": attempt.credentials}
    request_signer.sign(model.name, request)
    _check(request.headers)
    attempt.depart()
    response = attempt.http.send(request.prepare())
    attempt.phase, attempt.status, attempt.received = Phase.RECEIVED, response.status_code, time.time()
    attempt.date = response.headers.get("date")
    is_json = attempt.operation.service != "sts"
    if response.status_code >= 300:
        read_error = _json_error if is_json else _xml_error
        attempt.code, attempt.message = read_error(response.headers, response.content)
        raise ErrorResponseError
    attempt.payload = read_json(response.content) if is_json else _xml_members(response.content)
    return response, {}


def sending(event_name: str, request: Any, **_: object) -> None:  # noqa: ANN401 -- botocore's
    """Handle the SDK's event ``before-send``, which only occurs for credentials.

    Raises:
        RefusedError: the request cannot or may not be sent.
    """
    attempt = CURRENT.get()
    if attempt is not None:
        _check({name: _text(request.headers.get(name, b"")) for name, _part in _CARRIERS})
        if attempt.closed:
            raise LateError
        service, attempt.request = event_name.removeprefix("before-send.").rsplit(".", 1)
        attempt.issuer, attempt.served, attempt.role = service.upper(), False, _role(request.body)


def receiving(**_: object) -> None:
    """Handle the SDK's event ``before-parse``, which only occurs for credentials."""
    attempt = CURRENT.get()
    if attempt is not None:
        attempt.served = True


def _check(headers: Mapping[str, str]) -> None:
    for name, part in _CARRIERS:
        value = headers.get(name, "")
        if not (value.isascii() and value.isprintable()):
            raise RefusedError(f"{part} contains a character that is not valid in an HTTP header, such as a line end")


def _text(value: bytes | str) -> str:
    return value if isinstance(value, str) else value.decode("latin-1")


def _json_error(headers: Mapping[str, str], body: bytes) -> tuple[str, str]:
    content: object = None
    with suppress(ValueError):
        content = read_json(body)
    members: dict[str, object] = content if isinstance(content, dict) else {}
    code = headers.get("x-amzn-errortype") or members.get("code") or members.get("__type") or ""
    message = members.get("message") or members.get("Message") or ""
    return str(code)[:256].partition(":")[0].rpartition("#")[2], str(message)[:4096]


def _xml_error(_: Mapping[str, str], body: bytes) -> tuple[str, str]:
    members = _xml_members(body)
    return members.get("Code", ""), members.get("Message", "")


def _xml_members(body: bytes) -> dict[str, str]:
    found = ((name, pattern.search(body)) for name, pattern in _XML.items())
    return {name: unescape(match[1].decode("utf-8", "replace")) for name, match in found if match}


def _role(body: object) -> str:
    """Return the role in a request to STS; empty without one."""
    content = body.encode() if isinstance(body, str) else body
    match = _ROLE.search(content) if isinstance(content, bytes) else None
    role = "" if match is None else unquote_to_bytes(match[1]).decode("ascii", "replace")
    return role if _ROLE_ARN.fullmatch(role) else ""
