"""The rest-json wire: timestamps, replies, errors, and who signed a request."""

import json
import re
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from http.client import responses
from typing import TypeAlias

JsonObject: TypeAlias = dict[str, object]

# Of signature version 4 only the scope matters here: who asks, and in which Region.
_CREDENTIAL = re.compile(r"Credential=([^/,\s]+)/\d{8}/([a-z0-9-]+)/([a-z]+)/aws4_request")


@dataclass(frozen=True, slots=True)
class Reply:
    """One HTTP answer, before it is put into bytes.

    Attributes:
        status: HTTP status code.
        body: The bytes that are really sent.
        content_type: Value of the header of that name.
        error_type: Value of `x-amzn-errortype`, where rest-json names the exception.
        declared_length: Content-Length where it lies about the body; None for the truth.
    """

    status: int
    body: bytes
    content_type: str = "application/json"
    error_type: str | None = None
    declared_length: int | None = None


@dataclass(frozen=True, slots=True)
class Credential:
    """What the Authorization header of a signed request says about its sender."""

    access_key_id: str
    region: str


class ServiceError(Exception):
    """A modelled Braket error, which becomes a reply.

    Args:
        status: HTTP status code.
        error_type: Name of the exception in the service model.
        message: The text of the error.
    """

    def __init__(self, status: int, error_type: str, message: str) -> None:
        super().__init__(message)
        self.reply = error_reply(status, error_type, message)


def invalid(message: str) -> ServiceError:
    """The error for input that breaks the service model."""
    return ServiceError(400, "ValidationException", message)


def json_reply(document: object, status: int = 200) -> Reply:
    """A reply with `document` as JSON."""
    return Reply(status, json.dumps(document, separators=(",", ":")).encode())


def error_reply(status: int, error_type: str, message: str) -> Reply:
    """An error as rest-json writes it: the type in a header, the message in the body."""
    return Reply(status, json.dumps({"message": message}).encode(), error_type=error_type)


def queue_error(code: str, message: str, status: int = 400) -> Reply:
    """An error as SQS writes it: the type in the body."""
    document = {"__type": f"com.amazonaws.sqs#{code}", "message": message}
    return Reply(status, json.dumps(document).encode(), content_type="application/x-amz-json-1.0")


def encoded(reply: Reply, request_id: str, *, head_only: bool = False) -> bytes:
    """The whole answer, head and body, as one piece of bytes: one write, one segment."""
    length = len(reply.body) if reply.declared_length is None else reply.declared_length
    head = [
        f"HTTP/1.1 {reply.status} {responses.get(reply.status, 'Unknown')}",
        f"Content-Type: {reply.content_type}",
        f"Content-Length: {length}",
        f"x-amzn-RequestId: {request_id}",
    ]
    if reply.error_type is not None:
        head.append(f"x-amzn-errortype: {reply.error_type}")
    return "\r\n".join((*head, "\r\n")).encode("latin-1") + (b"" if head_only else reply.body)


def credential(authorization: str, service: str) -> Credential | None:
    """Who signed a request; None when it was not signed for this service.

    Args:
        authorization: The header, `AWS4-HMAC-SHA256 Credential=AKID/20250101/us-east-1/braket/aws4_request,
            ...`. The signature itself is not checked.
        service: The service's name in the scope of the signature, such as `braket`.
    """
    scope = _CREDENTIAL.search(authorization)
    return None if scope is None or scope[3] != service else Credential(scope[1], scope[2])


def timestamp(seconds: float) -> str:
    """Unix seconds as the service writes them: ISO 8601, UTC, milliseconds, `Z`."""
    moment = datetime.fromtimestamp(round(seconds, 3), UTC)
    return moment.isoformat(timespec="milliseconds")[:-6] + "Z"


def unix_seconds(text: str) -> float:
    """An ISO 8601 time as unix seconds; one without a zone is UTC.

    Raises:
        ValueError: If `text` is no such time.
    """
    moment = datetime.fromisoformat(text)
    return (moment if moment.tzinfo else moment.replace(tzinfo=UTC)).timestamp()


def region_of(arn: str) -> str:
    """The Region of a job's ARN; empty when there is none."""
    return _arn_part(arn, 3)


def account_of(arn: str) -> str:
    """The account of a job's ARN; empty when there is none."""
    return _arn_part(arn, 4)


def _arn_part(arn: str, position: int) -> str:
    parts = arn.split(":", 5)
    return parts[position] if len(parts) > position else ""


def plain(members: Mapping[str, object]) -> JsonObject:
    """The members that are there: rest-json leaves out what is None."""
    return {name: value for name, value in members.items() if value is not None}
