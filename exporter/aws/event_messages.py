"""Parser of EventBridge's events about Braket: the body of a message in, an event out. Pure.

Every sender to the queue can choose the body, so no body raises. A member with an unexpected shape does not have a
value. An event is malformed only without the valid job or device that its detail type has.
"""

import re
from typing import Any, Final

from exporter.aws.members import MAX_CODE, MAX_DEVICE, MAX_NAME, encodable
from exporter.aws.safe_text import account_in
from exporter.aws.search_jobs import MAX_ARN
from exporter.aws.wire import read_json_text
from exporter.core import (
    DETAIL_TYPES,
    DEVICE_DETAIL_TYPES,
    JOB_STATE_CHANGE,
    OTHER_DETAIL_TYPE,
    BraketEvent,
    device_key,
    parse_job_arn,
    parse_time,
)

MAX_BODY: Final = 262_144
"""The maximum size of an event in bytes: EventBridge's own limit."""

_SOURCE: Final = "aws.braket"
_RFC_3339: Final = re.compile(r"\d{4}-\d\d-\d\d[Tt]\d\d:\d\d:\d\d(\.\d{1,9})?([Zz]|[+-]\d\d:\d\d)", re.ASCII)


def parse_event(body: str) -> BraketEvent | None:
    """Read the body of a message; ``None`` if it is not an event."""
    envelope = _envelope(body)
    source, kind = envelope.get("source"), envelope.get("detail-type")
    if not isinstance(source, str) or not isinstance(kind, str):
        return None
    event = BraketEvent(
        detail_type=kind if source == _SOURCE and kind in DETAIL_TYPES else OTHER_DETAIL_TYPE,
        account=account_in(envelope.get("account")),
        region=_text(envelope.get("region"), MAX_NAME),
        time=_time(envelope.get("time")),
    )
    detail = envelope.get("detail")
    if event.detail_type == JOB_STATE_CHANGE:
        return _job_event(event, detail)
    if event.detail_type in DEVICE_DETAIL_TYPES:
        return _device_event(event, detail, envelope.get("resources"))
    return event


def _envelope(body: str) -> dict[str, Any]:
    """Return the members of the body; none if it is not a JSON object or too large."""
    if len(body) > MAX_BODY or len(body.encode("utf-8", "replace")) > MAX_BODY:
        return {}
    try:
        envelope = read_json_text(body)
    except ValueError:
        return {}
    return envelope if isinstance(envelope, dict) else {}


def _job_event(event: BraketEvent, detail: object) -> BraketEvent:
    if not isinstance(detail, dict):
        return event
    arn = detail.get("jobArn")
    if not isinstance(arn, str) or len(arn) > MAX_ARN:
        return event
    try:
        parse_job_arn(arn)
    except ValueError:
        return event
    return event._replace(job_arn=arn, status=_status(detail))


def _device_event(event: BraketEvent, detail: object, resources: object) -> BraketEvent:
    """Read the event of a device, which is in the detail or the first of the envelope's resources."""
    members: dict[str, Any] = detail if isinstance(detail, dict) else {}
    arn = members.get("deviceArn")
    if arn is None and isinstance(resources, list) and resources:
        arn = resources[0]
    if not isinstance(arn, str) or len(arn) > MAX_DEVICE or not arn.isascii() or device_key(arn, event.region) is None:
        return event
    return event._replace(account="", device_arn=arn, status=_status(members))


def _status(detail: dict[str, Any]) -> str | None:
    return _text(detail.get("status"), MAX_CODE) or None


def _text(value: object, limit: int) -> str:
    return encodable(value[:limit]) if isinstance(value, str) else ""


def _time(value: object) -> float | None:
    if not isinstance(value, str) or _RFC_3339.fullmatch(value) is None:
        return None
    try:
        return parse_time(value.upper())
    except (ValueError, OverflowError):
        return None
