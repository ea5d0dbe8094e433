"""The operations of SQS on the queues of a world, in the AWS JSON protocol."""

import json
from collections.abc import Callable
from hashlib import md5
from urllib.parse import urlsplit

from exporter.simulator.queues import Queue
from exporter.simulator.wire import Credential, JsonObject, Reply, queue_error

RECEIVE_MESSAGE = "ReceiveMessage"
OPERATIONS = (RECEIVE_MESSAGE, "DeleteMessage", "DeleteMessageBatch", "GetQueueAttributes", "SendMessage")

_TARGET = "AmazonSQS."
_CONTENT_TYPE = "application/x-amz-json-1.0"
_MOST_MESSAGES = 10
_LONGEST_WAIT = 20
_LONGEST_VISIBILITY = 43_200
_LARGEST_BODY = 1_048_576


class _RefusedError(Exception):
    """The response is an error."""

    def __init__(self, code: str, message: str) -> None:
        super().__init__(message)
        self.reply = queue_error(code, message)


def operation_of(target: str) -> str | None:
    """The operation in the header `X-Amz-Target`; None for one of another service or an unknown one."""
    name = target.removeprefix(_TARGET)
    return name if name != target and name in OPERATIONS else None


def wait_seconds(body: bytes) -> int:
    """How long a ReceiveMessage request waits for messages; 0 for a request that is not valid."""
    try:
        return _number(_document(body), "WaitTimeSeconds", 0, 0, _LONGEST_WAIT)
    except _RefusedError:
        return 0


def reply_to(operation: str, body: bytes, signer: Credential | None, queues: dict[str, Queue], now: float) -> Reply:
    """The reply at `now`, unix seconds. A ReceiveMessage request does not wait for messages here."""
    if signer is None:
        return queue_error("MissingAuthenticationToken", "The request is not signed for SQS", 403)
    try:
        document = _document(body)
        members = _OPERATIONS[operation](_queue(document, queues), document, now)
    except _RefusedError as error:
        return error.reply
    return Reply(200, json.dumps(members).encode(), content_type=_CONTENT_TYPE)


def is_empty(reply: Reply) -> bool:
    """Whether a reply to ReceiveMessage has no messages."""
    return reply.status == 200 and reply.body == b"{}"


def _document(body: bytes) -> JsonObject:
    try:
        document = json.loads(body)
    except ValueError:
        document = None
    if not isinstance(document, dict):
        raise _RefusedError("SerializationException", "The body is not a JSON object")
    return document


def _queue(document: JsonObject, queues: dict[str, Queue]) -> Queue:
    queue = queues.get(urlsplit(str(document.get("QueueUrl", ""))).path)
    if queue is None:
        raise _RefusedError("QueueDoesNotExist", "The specified queue does not exist.")
    return queue


def _number(document: JsonObject, name: str, usual: int, least: int, most: int) -> int:
    value = document.get(name, usual)
    if not isinstance(value, int) or isinstance(value, bool) or not least <= value <= most:
        raise _RefusedError("InvalidParameterValue", f"{name} must be {least} to {most}")
    return value


def _receive(queue: Queue, document: JsonObject, now: float) -> JsonObject:
    most = _number(document, "MaxNumberOfMessages", 1, 1, _MOST_MESSAGES)
    _number(document, "WaitTimeSeconds", 0, 0, _LONGEST_WAIT)
    hidden = None
    if "VisibilityTimeout" in document:
        hidden = float(_number(document, "VisibilityTimeout", 0, 0, _LONGEST_VISIBILITY))
    messages = [
        {"MessageId": each.id, "ReceiptHandle": each.receipt, "MD5OfBody": _md5(each.body), "Body": each.body}
        for each in queue.receive(now, most, hidden)
    ]
    return {"Messages": messages} if messages else {}


def _delete(queue: Queue, document: JsonObject, _: float) -> JsonObject:
    if not queue.delete(str(document.get("ReceiptHandle", ""))):
        raise _RefusedError("ReceiptHandleIsInvalid", "The receipt handle is not valid")
    return {}


def _delete_batch(queue: Queue, document: JsonObject, _: float) -> JsonObject:
    entries = document.get("Entries")
    if not isinstance(entries, list) or not all(isinstance(entry, dict) for entry in entries):
        raise _RefusedError("InvalidParameterValue", "Entries must be a list of objects")
    if not entries:
        raise _RefusedError("EmptyBatchRequest", "Entries must not be empty")
    if len(entries) > _MOST_MESSAGES:
        raise _RefusedError("TooManyEntriesInBatchRequest", f"Entries must be at most {_MOST_MESSAGES}")
    if len({str(entry.get("Id")) for entry in entries}) != len(entries):
        raise _RefusedError("BatchEntryIdsNotDistinct", "The IDs of entries must be distinct")
    deleted, failed = [], []
    for entry in entries:
        if queue.delete(str(entry.get("ReceiptHandle", ""))):
            deleted.append({"Id": entry.get("Id")})
        else:
            failed.append({"Id": entry.get("Id"), "SenderFault": True, "Code": "ReceiptHandleIsInvalid"})
    return {"Successful": deleted, "Failed": failed}


def _attributes(queue: Queue, document: JsonObject, now: float) -> JsonObject:
    visible, hidden = queue.numbers(now)
    attributes = {
        "QueueArn": f"arn:aws:sqs:us-east-1:{queue.account}:{queue.name}",
        "ApproximateNumberOfMessages": str(visible),
        "ApproximateNumberOfMessagesNotVisible": str(hidden),
        "VisibilityTimeout": f"{queue.visibility_seconds:.0f}",
    }
    wanted = document.get("AttributeNames")
    names = wanted if isinstance(wanted, list) else []
    return {"Attributes": {name: value for name, value in attributes.items() if name in names or "All" in names}}


def _send(queue: Queue, document: JsonObject, _: float) -> JsonObject:
    body = document.get("MessageBody")
    if not isinstance(body, str) or not 1 <= len(body.encode("utf-8", "replace")) <= _LARGEST_BODY:
        raise _RefusedError("InvalidParameterValue", f"MessageBody must be a text of 1 to {_LARGEST_BODY} bytes")
    (identity,) = queue.send(body)
    return {"MessageId": identity, "MD5OfMessageBody": _md5(body)}


def _md5(body: str) -> str:
    return md5(body.encode("utf-8", "replace"), usedforsecurity=False).hexdigest()


_OPERATIONS: dict[str, Callable[[Queue, JsonObject, float], JsonObject]] = {
    RECEIVE_MESSAGE: _receive,
    "DeleteMessage": _delete,
    "DeleteMessageBatch": _delete_batch,
    "GetQueueAttributes": _attributes,
    "SendMessage": _send,
}
