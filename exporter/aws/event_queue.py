"""Client of one SQS queue with EventBridge's events."""

from collections.abc import Callable, Sequence
from typing import Any, Final, TypeVar

from exporter.aws.attempt import Attempt, Operation
from exporter.aws.error_codes import OTHER
from exporter.aws.event_messages import parse_event
from exporter.aws.members import ParseError, encodable, kind_of
from exporter.aws.service_calls import RequestCounter, ServiceCalls
from exporter.aws.sessions import CredentialsSession
from exporter.core import (
    DELETE_MESSAGE_BATCH,
    GET_QUEUE_ATTRIBUTES,
    RECEIVE_MESSAGE,
    BraketError,
    QueueMessage,
    Target,
    UnavailableError,
    parse_queue_url,
)

MOST_MESSAGES: Final = 10
"""The maximum number of messages of one call."""

RECEIVE_DEADLINE: Final = 28.0
CALL_DEADLINE: Final = 15.0
"""Deadlines of a whole call, seconds. SQS waits up to 20 seconds for messages."""

MAX_ID: Final = 256
MAX_RECEIPT: Final = 4096
"""Characters of a message's ID and receipt; a longer one is refused, since it cannot be cut."""

MESSAGES_ATTRIBUTE: Final = "ApproximateNumberOfMessages"

_RECEIVE: Final = Operation("sqs", RECEIVE_MESSAGE, ("Messages",), may_be_empty=True)
_DELETE: Final = Operation("sqs", DELETE_MESSAGE_BATCH, ("Successful", "Failed"))
_ATTRIBUTES: Final = Operation("sqs", GET_QUEUE_ATTRIBUTES, ("Attributes",))

_T = TypeVar("_T")


class EventQueueClient:
    """Receives and deletes the messages of one queue. Thread-safe.

    The constructor does no I/O. Each call ends within its deadline, and raises a ``BraketError`` that names the queue
    for any exception of the SDK.

    Args:
        session: the source of credentials and endpoints.
        url: the URL of the queue.
        region: the Region of the queue if the URL has none.
        count: counts every HTTP attempt.

    Attributes:
        url: the URL of the queue.
        target: the account and Region of the queue.
        label: the account and name of the queue.
        arn: the ARN of the queue.
    """

    def __init__(self, session: CredentialsSession, url: str, region: str, count: RequestCounter) -> None:
        queue = parse_queue_url(url)
        self.url, self.target = url, Target(queue.account, queue.region or region)
        self.label, self._name = queue.label, queue.name

        def counted(operation: str, code: str, seconds: float) -> None:
            count(self.target, operation, code, seconds)

        # A long poll that hangs does not hold up the calls that delete messages.
        self._receiving = ServiceCalls(session, self.target.region, counted, RECEIVE_DEADLINE)
        self._calls = ServiceCalls(session, self.target.region, counted, CALL_DEADLINE)

    @property
    def arn(self) -> str:
        """The ARN of the queue, in the partition of the Region; ``aws`` before the first call."""
        clients = self._calls.clients | self._receiving.clients
        partition = str(clients["sqs"].meta.partition) if "sqs" in clients else "aws"
        return f"arn:{partition}:sqs:{self.target.region}:{self.target.account}:{self._name}"

    @property
    def endpoint(self) -> str:
        """The URL of SQS that is used; empty before the first call."""
        clients = self._calls.clients | self._receiving.clients
        return str(clients["sqs"].meta.endpoint_url) if "sqs" in clients else ""

    def receive(self, wait: int) -> list[QueueMessage]:
        """Wait that many seconds, at most 20, for messages; return at most ten.

        Raises:
            BraketError: the call failed; the subclass is the kind of failure.
        """
        parameters = {"MaxNumberOfMessages": MOST_MESSAGES, "WaitTimeSeconds": wait}
        return self._call(self._receiving, _RECEIVE, parameters, lambda attempt: _messages(attempt.payload))

    def delete(self, messages: Sequence[QueueMessage]) -> None:
        """Delete at most ten messages. A message with a receipt that has expired is delivered again.

        Raises:
            BraketError: the call failed; the subclass is the kind of failure.
        """
        if not messages:
            return
        entries = [{"Id": str(number), "ReceiptHandle": message.receipt} for number, message in enumerate(messages)]
        self._call(self._calls, _DELETE, {"Entries": entries}, _check_deleted)

    def count_messages(self) -> int | None:
        """Return the approximate number of messages; ``None`` if the response does not have it.

        Raises:
            BraketError: the call failed; the subclass is the kind of failure.
        """
        parameters = {"AttributeNames": [MESSAGES_ATTRIBUTE]}
        return self._call(
            self._calls, _ATTRIBUTES, parameters, lambda attempt: _number(attempt.payload.get("Attributes"))
        )

    def _call(
        self, calls: ServiceCalls, operation: Operation, parameters: dict[str, Any], read: Callable[[Attempt], _T]
    ) -> _T:
        try:
            return calls.call(operation, {"QueueUrl": self.url, **parameters}, read)
        except BraketError as error:
            raise type(error)(error.code, f"queue {self.label}: {error}") from None


def _messages(payload: dict[str, Any]) -> list[QueueMessage]:
    """Read the messages. A message without a receipt cannot be deleted, so it is skipped.

    Raises:
        ParseError: there are messages, and none of them can be used.
    """
    entries = payload.get("Messages") or []
    if not isinstance(entries, list):
        raise ParseError(f"Messages: expected a list, got {kind_of(entries)}")
    read = [_message(entry) for entry in entries[:MOST_MESSAGES] if isinstance(entry, dict)]
    messages = [message for message in read if message.receipt]
    if entries and not messages:
        raise ParseError("Messages: no message has a receipt")
    return messages


def _message(entry: dict[str, Any]) -> QueueMessage:
    body, receipt = entry.get("Body"), _text(entry.get("ReceiptHandle"), MAX_RECEIPT)
    return QueueMessage(
        id=_text(entry.get("MessageId"), MAX_ID) or receipt,
        receipt=receipt,
        event=parse_event(body) if isinstance(body, str) else None,
    )


def _text(value: object, limit: int) -> str:
    """Return a text; empty for anything else, and for a text that is longer than any valid one."""
    return encodable(value) if isinstance(value, str) and len(value) <= limit else ""


def _check_deleted(attempt: Attempt) -> None:
    """Check that SQS deleted the messages, except those with an expired receipt, which are the sender's fault.

    Raises:
        UnavailableError: SQS did not delete some of them.
    """
    failed = attempt.payload.get("Failed") or []
    entries = failed if isinstance(failed, list) else [failed]
    faults = [entry for entry in entries if not (isinstance(entry, dict) and entry.get("SenderFault") is True)]
    if faults:
        total = len(attempt.parameters["Entries"])
        raise UnavailableError(OTHER, f"SQS did not delete {min(len(faults), total)} of {total} messages")


def _number(attributes: object) -> int | None:
    text = attributes.get(MESSAGES_ATTRIBUTE) if isinstance(attributes, dict) else None
    return int(text) if isinstance(text, str) and text.isdecimal() and len(text) <= 18 else None
