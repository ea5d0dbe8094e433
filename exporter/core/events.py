"""EventBridge's events about Braket, as a queue delivers them. Pure."""

from collections.abc import Mapping
from typing import Final, NamedTuple

from exporter.core.jobs import TERMINAL_STATUSES

JOB_STATE_CHANGE: Final = "Braket Job State Change"
DEVICE_DETAIL_TYPES: Final = ("Braket Device Status Change", "Braket QPU Status Change")
DETAIL_TYPES: Final = (JOB_STATE_CHANGE, "Braket Task State Change", *DEVICE_DETAIL_TYPES)
"""The detail types of Braket's events."""

OTHER_DETAIL_TYPE: Final = "other"
"""Stands for any other detail type, and for a message without one."""

EVENT_APPLIED: Final = "applied"
"""GetJob was called for the job of the event, or the device was polled."""
EVENT_KNOWN: Final = "known"
"""The exporter has the status already, or the job has ended."""
EVENT_UNSELECTED: Final = "unselected"
"""The settings do not select the job, or the exporter does not need the event."""
EVENT_FOREIGN: Final = "foreign"
"""No target of the queue is in the account and Region of the event."""
EVENT_MALFORMED: Final = "malformed"
EVENT_OUTCOMES: Final = (EVENT_APPLIED, EVENT_KNOWN, EVENT_UNSELECTED, EVENT_FOREIGN, EVENT_MALFORMED)

GET_QUEUE_ATTRIBUTES: Final = "GetQueueAttributes"
RECEIVE_MESSAGE: Final = "ReceiveMessage"
DELETE_MESSAGE_BATCH: Final = "DeleteMessageBatch"

LONG_POLL_SECONDS: Final = 20
"""The longest time that SQS waits for messages: its own limit."""


class BraketEvent(NamedTuple):
    """One event.

    Attributes:
        detail_type: one of ``DETAIL_TYPES``, or ``other``.
        account: the account of the envelope; empty for devices, and if it is not valid.
        region: the Region of the envelope.
        time: when it happened, unix seconds; ``None`` without a valid time.
        job_arn: the job of a job event.
        status: the status of the job in the event, if it has one. It is a hint only: GetJob returns the true one.
        device_arn: the device of a device event.
    """

    detail_type: str
    account: str
    region: str
    time: float | None = None
    job_arn: str | None = None
    status: str | None = None
    device_arn: str | None = None

    @property
    def malformed(self) -> bool:
        """Whether the event lacks the valid job or device that its detail type has."""
        subjects = {JOB_STATE_CHANGE: self.job_arn, **dict.fromkeys(DEVICE_DETAIL_TYPES, self.device_arn)}
        return subjects.get(self.detail_type, "") is None


class QueueMessage(NamedTuple):
    """One message of a queue.

    Attributes:
        id: identifies the message over all its deliveries.
        receipt: the receipt handle of this delivery, which deletes the message.
        event: the event, which may be malformed; ``None`` for a message that is not an event.
    """

    id: str
    receipt: str
    event: BraketEvent | None


class QueueStatus(NamedTuple):
    """The status of one event queue.

    Attributes:
        up: whether the last call succeeded; ``None`` before the first.
        last_receive: the last successful ReceiveMessage call, unix seconds; ``None`` before the first.
    """

    up: bool | None
    last_receive: float | None


_RANKS: Final[Mapping[str, int]] = {
    "QUEUED": 1,
    "RUNNING": 2,
    "CANCELLING": 3,
    **dict.fromkeys(TERMINAL_STATUSES, 4),
}


def is_behind(known: str | None, reported: str | None) -> bool:
    """Return whether a status is certainly older than the one in an event.

    Args:
        known: the status that GetJob returned; ``None`` for a job that was never polled.
        reported: the status in the event, if it has one.
    """
    return _RANKS.get(known or "", 5) < _RANKS.get(reported or "", 0)


def is_news(known: str | None, reported: str | None) -> bool:
    """Return whether an event may report a status that the exporter does not have.

    Args:
        known: the status that GetJob returned; ``None`` for a job that was never polled.
        reported: the status in the event, if it has one.
    """
    if known is None or reported is None or reported not in _RANKS or known not in _RANKS:
        return known is None or known != reported
    return is_behind(known, reported)
