"""Parser of GetJob responses: a JSON value in, a snapshot out. Pure.

A response without a usable ``status``, or with the ``jobArn`` of another job, has no information about the job
(``ParseError``). An invalid entry of ``events`` or tag costs only itself; any other member with an unexpected shape has
no value. Each member without a usable value is reported in ``JobSnapshot.unknown``.
"""

import re
from collections.abc import Iterable, Iterator
from typing import Final

from exporter.aws.members import (
    MAX_CODE,
    MAX_DEVICE,
    MAX_MESSAGE,
    MAX_NAME,
    MAX_RESOURCE_ARN,
    MAX_SHOWN_ARN,
    MAX_TAG_VALUE,
    Members,
    ParseError,
    encodable,
    json_object,
    kind_of,
    missing_or_not_text,
    whole_number,
)
from exporter.core import EVENT_TYPES, RESERVATION, STATUSES, EventKey, JobEvent, JobSnapshot, parse_job_arn

MAX_EVENTS: Final = 100
"""Entries of ``events`` that are read, the last ones. Braket sends at most 20."""

MAX_ASSOCIATIONS: Final = 10
"""Entries of ``associations`` that are read, the last ones. Braket accepts one."""

_POSITION: Final = re.compile(r"(>?)\s*(\d{1,9})", re.ASCII)
_MAX_POSITION: Final = 999_999_999
_NO_POSITION: Final = ("", "none")


def parse_job(arn: str, response: object, tag_keys: frozenset[str] = frozenset()) -> JobSnapshot:
    """Read the GetJob response for a job.

    Args:
        arn: the requested ARN. It identifies the job, also when the response does not repeat it.
        response: the JSON value of the response.
        tag_keys: the tags to keep.

    Raises:
        ParseError: the response is not an object, does not have a status, or belongs to another job.
        ValueError: ``arn`` is not a job ARN.
    """
    parts = parse_job_arn(arn)
    members = json_object("response", response)
    if (owner := members.get("jobArn")) not in (None, arn):
        shown = encodable(owner[:MAX_SHOWN_ARN]) if isinstance(owner, str) else kind_of(owner)
        raise ParseError(f"jobArn: expected {arn}, got {shown}")
    status = members.get("status")
    if not status or not isinstance(status, str):
        raise ParseError(f"status: {missing_or_not_text(status)}")
    status, unexpected = encodable(status[:MAX_CODE]), list[tuple[str, str]]()
    job = Members(members, unexpected)
    instances, queue = job.child("instanceConfig"), job.child("queueInfo")
    position_value, billable = queue.value("position"), job.count("billableDuration")
    events, associations = tuple(_events(job)), dict(_associations(job))
    position, is_floor = parse_queue_position(position_value)
    return JobSnapshot(
        arn=arn,
        name=job.text("jobName", MAX_NAME),
        status=status,
        account=parts.account,
        region=parts.region,
        device=job.child("deviceConfig").text("device", MAX_DEVICE),
        instance_type=instances.text("instanceType", MAX_CODE),
        instance_count=instances.count("instanceCount"),
        max_runtime_seconds=job.child("stoppingCondition").count("maxRuntimeInSeconds"),
        created=job.time("createdAt"),
        started=job.time("startedAt"),
        ended=job.time("endedAt"),
        billable_seconds=None if billable is None else billable / 1000,
        queue_position=position,
        queue_position_is_floor=is_floor,
        failure_reason=job.text("failureReason", MAX_MESSAGE) or None,
        events=events,
        tags=tuple(sorted(job.child("tags").texts(tag_keys, MAX_TAG_VALUE))),
        reservation_arn=associations.get(RESERVATION),
        queue=queue.text("queue", MAX_CODE),
        queue_message=queue.text("message", MAX_MESSAGE),
        unknown=(
            *_unknown(status, events, position_value if position is None else None),
            *(("associationType", kind) for kind in sorted(associations) if kind not in {RESERVATION, ""}),
            *dict.fromkeys(unexpected),
        ),
    )


def parse_queue_position(value: object) -> tuple[int | None, bool]:
    """Read a queue position: ``"2"`` and 2 are 2, ``">15"`` is 15 and a floor, everything else is not a position."""
    if isinstance(value, str):
        match = _POSITION.fullmatch(value[:MAX_CODE].strip())
        return (int(match[2]), bool(match[1])) if match else (None, False)
    number = whole_number(value)
    return (None if number is None or number != value or number > _MAX_POSITION else number, False)


def _events(job: Members) -> Iterator[JobEvent]:
    for event in job.children("events", MAX_EVENTS):
        key = EventKey(event.text("eventType", MAX_CODE) or None, event.time("timeOfEvent"))
        yield JobEvent(key, event.text("message", MAX_MESSAGE))


def _associations(job: Members) -> Iterator[tuple[str, str]]:
    """Yield the type and the ARN of each association."""
    for association in job.children("associations", MAX_ASSOCIATIONS):
        yield association.text("type", MAX_CODE), association.text("arn", MAX_RESOURCE_ARN)


def _unknown(status: str, events: Iterable[JobEvent], position: object) -> Iterator[tuple[str, str]]:
    """Yield the values that this release does not know; ``position`` is one that cannot be read."""
    if status not in STATUSES:
        yield "status", status
    types = {event.key.type for event in events}
    for kind in sorted(kind for kind in types if kind is not None and kind not in EVENT_TYPES):
        yield "eventType", kind
    if isinstance(position, str):
        if position[:MAX_CODE].strip().lower() not in _NO_POSITION:
            yield "queuePosition", encodable(position[:MAX_CODE])
    elif position is not None:
        yield "queuePosition", f"expected text or a whole number, got {kind_of(position)}"
