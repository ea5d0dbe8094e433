"""Parser of GetDevice responses: a JSON value in, a snapshot out. Pure.

A response without a usable ``deviceStatus``, or with the ``deviceArn`` of another device, has no information about the
device (``ParseError``). Any other member with an unexpected shape has no value, and is reported in ``unknown``.
``deviceCapabilities`` is not read: it is long, and its schema changes.
"""

import re
from collections.abc import Iterator
from typing import Final

from exporter.aws.members import (
    MAX_CODE,
    MAX_SHOWN_ARN,
    Members,
    ParseError,
    encodable,
    json_object,
    kind_of,
    missing_or_not_text,
    whole_number,
)
from exporter.core import DEVICE_STATUSES, STATUS_REASONS, DeviceKey, DeviceSnapshot, QueueSize

MAX_QUEUES: Final = 20
"""Entries of ``deviceQueueInfo`` that are read, the last ones. Braket sends at most 3."""

_SIZE: Final = re.compile(r"(>?)\s*(\d{1,9})(?:\s*\(\s*(\d{1,9}) prioritized\b.*\))?", re.ASCII)
_QUEUES: Final = {"JOBS_QUEUE": "jobs", "QUANTUM_TASKS_QUEUE": "tasks"}
_PRIORITIES: Final = {"Normal": "normal", "Priority": "priority", "": ""}

_Unknown = list[tuple[str, str]]


def parse_device_response(key: DeviceKey, response: object) -> DeviceSnapshot:
    """Read the GetDevice response for a device.

    Args:
        key: the requested device.
        response: the JSON value of the response.

    Raises:
        ParseError: the response is not an object, does not have a status, or belongs to another device.
    """
    members, unexpected = json_object("response", response), list[tuple[str, str]]()
    if (arn := members.get("deviceArn")) not in (None, key.arn):
        shown = encodable(arn[:MAX_SHOWN_ARN]) if isinstance(arn, str) else kind_of(arn)
        raise ParseError(f"deviceArn: expected {key.arn}, got {shown}")
    status = members.get("deviceStatus")
    if not status or not isinstance(status, str):
        raise ParseError(f"deviceStatus: {missing_or_not_text(status)}")
    status, device = encodable(status[:MAX_CODE]), Members(members, unexpected)
    cause = device.child("deviceStatusReason")
    reason = cause.text("reason", MAX_CODE)
    read = [*_queues(device, unexpected)]
    if status not in DEVICE_STATUSES:
        unexpected.append(("deviceStatus", status))
    if reason and reason not in STATUS_REASONS:
        unexpected.append(("deviceStatusReason", reason))
    return DeviceSnapshot(
        key=key,
        status=status,
        reason=reason,
        reason_started=cause.time("startedAt"),
        estimated_end=cause.time("estimatedEndAt"),
        queues=tuple({(size.queue, size.priority): size for size, _ in read}.values()),
        running_priority_jobs=max((running for _, running in read if running is not None), default=None),
        unknown=tuple(dict.fromkeys(unexpected)),
    )


def parse_queue_size(value: object) -> tuple[int, bool, int | None] | None:
    """Read a queue size: the number, whether it is a floor, and the number of prioritized jobs that run.

    ``"12"`` and 12 are 12, ``">4000"`` is 4000 and a floor, ``"0 (3 prioritized job(s) running)"`` is 0 and 3.
    Everything else is not a size.
    """
    if isinstance(value, str):
        match = _SIZE.fullmatch(value[:MAX_CODE].strip())
        return None if match is None else (int(match[2]), bool(match[1]), None if match[3] is None else int(match[3]))
    number = whole_number(value)
    return None if number is None or number != value else (number, False, None)


def _queues(device: Members, unknown: _Unknown) -> Iterator[tuple[QueueSize, int | None]]:
    """Yield each queue with a size, and the number of prioritized jobs that run."""
    for entry in device.children("deviceQueueInfo", MAX_QUEUES):
        queue, priority = entry.text("queue", MAX_CODE), entry.text("queuePriority", MAX_CODE)
        if queue not in _QUEUES and queue:
            unknown.append(("queue", queue))
        if priority not in _PRIORITIES:
            unknown.append(("queuePriority", priority))
        size = parse_queue_size(entry.value("queueSize"))
        if size is not None and queue:
            number, is_floor, running = size
            yield QueueSize(_QUEUES.get(queue, queue), _PRIORITIES.get(priority, priority), number, is_floor), running
        elif isinstance(value := entry.value("queueSize"), str):
            unknown.append(("queueSize", encodable(value[:MAX_CODE])))
