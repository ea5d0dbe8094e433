"""An answer of GetJob or SearchJobs becomes a snapshot or a page, or one ``ParseError`` that says what was wrong. Pure.

A member that is absent or null is no value. A value that this release does not know is carried on and named in
``JobSnapshot.unknown``. A member of the wrong shape is an unreadable answer.
"""

import re
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from typing import Any, Final

from exporter.arn import parse_job_arn
from exporter.model import EVENT_TYPES, STATUSES, EntryProblem, EventKey, JobEvent, JobSnapshot, JobSummary, SearchPage

MAX_MESSAGE: Final = 2500
"""Longest event message and, to be generous, failure reason that is kept; Braket's own limits are 2,500 and 1,024."""

MAX_NAME: Final = 256
"""Longest name, status or event type that is kept; Braket's own names have at most 50 characters."""

_YEAR_1: Final = -62135596800.0
_YEAR_10000: Final = 253402300800.0
_POSITION: Final = re.compile(r"(>?)\s*(\d{1,9})", re.ASCII)
_NO_POSITION: Final = ("", "none")


class ParseError(ValueError):
    """The answer cannot be read; the text names the member and what stood there."""


def parse_job(arn: str, answer: object, tag_keys: frozenset[str] = frozenset()) -> JobSnapshot:
    """Read the answer to GetJob for ``arn``.

    Args:
        arn: the ARN that was asked for; it identifies the job, whatever the answer repeats.
        answer: the answer's members: JSON values, with timestamps as text, unix seconds or ``datetime``.
        tag_keys: the tags to keep.

    Raises:
        ParseError: the answer is no object, has no status, is another job's, or has a member of the wrong shape.
        ValueError: ``arn`` is no job ARN.
    """
    parts = parse_job_arn(arn)
    job = _Members(answer, "answer")
    answered = job.text("jobArn")
    if answered not in (None, arn):
        raise ParseError(f"jobArn: asked for {arn}, got {answered}")
    status = job.text("status", MAX_NAME)
    if not status:
        raise ParseError("status: missing")
    instances, stopping, queue = (
        job.child("instanceConfig"),
        job.child("stoppingCondition"),
        job.child("queueInfo"),
    )
    events = tuple(_event(event) for event in job.children("events"))
    position_text = queue.text("position") or ""
    position, is_floor = parse_queue_position(position_text)
    return JobSnapshot(
        arn=arn,
        name=job.text("jobName", MAX_NAME) or "",
        status=status,
        account=parts.account,
        region=parts.region,
        device=job.child("deviceConfig").text("device") or "",
        instance_type=instances.text("instanceType") or "",
        instance_count=instances.count("instanceCount"),
        max_runtime_seconds=stopping.count("maxRuntimeInSeconds"),
        created=job.time("createdAt"),
        started=job.time("startedAt"),
        ended=job.time("endedAt"),
        billable_seconds=_milliseconds(job.count("billableDuration")),
        queue_position=position,
        queue_position_is_floor=is_floor,
        failure_reason=job.text("failureReason", MAX_MESSAGE) or None,
        events=events,
        tags=tuple(sorted(job.child("tags").texts(tag_keys))),
        unknown=tuple(_unknown(status, events, position_text, position)),
    )


def parse_page(answer: object) -> SearchPage:
    """Read the answer to SearchJobs. An entry that cannot be read costs the page nothing but itself.

    Raises:
        ParseError: the answer is no object, or has no list of jobs.
    """
    page = _Members(answer, "answer")
    entries = page.items("jobs")
    if entries is None:
        raise ParseError("jobs: missing")
    jobs, problems = [], []
    for entry in entries:
        try:
            jobs.append(_summary(_Members(entry, "jobs")))
        except ValueError as error:
            problems.append(EntryProblem(None, str(error)))
    return SearchPage(tuple(jobs), tuple(problems), page.text("nextToken") or None)


def _summary(job: "_Members") -> JobSummary:
    arn, status, created = job.text("jobArn") or "", job.text("status", MAX_NAME), job.time("createdAt")
    parse_job_arn(arn)
    if not status or created is None:
        raise ParseError(f"jobs.{'createdAt' if status else 'status'}: missing for {arn}")
    return JobSummary(
        arn=arn,
        name=job.text("jobName", MAX_NAME) or "",
        status=status,
        created=created,
        started=job.time("startedAt"),
        ended=job.time("endedAt"),
        tags=job.child("tags").all_texts(),
    )


def parse_queue_position(text: str) -> tuple[int | None, bool]:
    """Read a queue position: ``"2"`` is 2, ``">15"`` is 15 and a floor, ``"None"`` and anything else is none."""
    match = _POSITION.fullmatch(text.strip())
    return (int(match[2]), bool(match[1])) if match else (None, False)


def parse_time(value: str | float | datetime) -> float:
    """Read a time as unix seconds: ISO 8601 (``Z`` or an offset, 0 to 6 fractional digits), a number, a ``datetime``.

    Text without an offset is UTC.

    Raises:
        ValueError: it is no such time, or outside the years 1 to 9999.
    """
    if isinstance(value, int | float):
        return _on_the_calendar(float(value))
    moment = value if isinstance(value, datetime) else datetime.fromisoformat(value.strip())
    return _on_the_calendar((moment if moment.tzinfo else moment.replace(tzinfo=UTC)).timestamp())


class _Members:
    """The members of one JSON object, each read by its expected shape."""

    __slots__ = ("_members", "_path")

    def __init__(self, members: object, path: str) -> None:
        if not isinstance(members, Mapping):
            raise ParseError(f"{path}: expected an object, got {type(members).__name__}")
        self._members: Mapping[Any, Any] = members
        self._path = path

    def text(self, name: str, limit: int | None = None) -> str | None:
        value = self._members.get(name)
        if value is None:
            return None
        if not isinstance(value, str):
            raise self._wrong(name, "text", value)
        return _clean(value[:limit])

    def count(self, name: str) -> int | None:
        value = self._members.get(name)
        if value is None:
            return None
        if isinstance(value, bool) or not isinstance(value, int | float) or not 0 <= value < 2**53:
            raise self._wrong(name, "a whole number", value)
        return int(value)

    def time(self, name: str) -> float | None:
        value = self._members.get(name)
        if value is None:
            return None
        if isinstance(value, bool) or not isinstance(value, str | int | float | datetime):
            raise self._wrong(name, "a time", value)
        try:
            return parse_time(value)
        except (ValueError, OverflowError) as error:
            raise self._wrong(name, "a time", value) from error

    def child(self, name: str) -> "_Members":
        value = self._members.get(name)
        return _Members({} if value is None else value, name)

    def children(self, name: str) -> list["_Members"]:
        return [_Members(item, name) for item in self.items(name) or () if item is not None]

    def items(self, name: str) -> Sequence[object] | None:
        value = self._members.get(name)
        if value is not None and not isinstance(value, list | tuple):
            raise self._wrong(name, "a list", value)
        return value

    def texts(self, names: frozenset[str]) -> list[tuple[str, str]]:
        return [(name, text) for name in names if (text := self.text(name)) is not None]

    def all_texts(self) -> dict[str, str]:
        return dict(self.texts(frozenset(name for name in self._members if isinstance(name, str))))

    def _wrong(self, name: str, expected: str, value: object) -> ParseError:
        member = name if self._path == "answer" else f"{self._path}.{name}"
        return ParseError(f"{member}: expected {expected}, got {_shown(value)}")


def _event(event: _Members) -> JobEvent:
    key = EventKey(event.text("eventType", MAX_NAME) or None, event.time("timeOfEvent"))
    return JobEvent(key, event.text("message", MAX_MESSAGE) or "")


def _unknown(
    status: str, events: tuple[JobEvent, ...], position_text: str, position: int | None
) -> list[tuple[str, str]]:
    unknown = [] if status in STATUSES else [("status", status)]
    types = {event.key.type for event in events}
    unknown += sorted(("eventType", kind) for kind in types if kind is not None and kind not in EVENT_TYPES)
    if position is None and position_text.strip().lower() not in _NO_POSITION:
        unknown.append(("queuePosition", position_text))
    return [(field, value[:100]) for field, value in unknown]


def _milliseconds(value: int | None) -> float | None:
    return None if value is None else value / 1000


def _on_the_calendar(seconds: float) -> float:
    if not _YEAR_1 <= seconds < _YEAR_10000:
        raise ValueError("outside the years 1 to 9999")
    return seconds


def _shown(value: object) -> str:
    try:
        return repr(value)[:80]
    except ValueError:  # an integer of more digits than Python prints
        return type(value).__name__


def _clean(text: str) -> str:
    """Replace lone surrogates, which JSON can carry and UTF-8 cannot."""
    return text if text.isascii() else text.encode("utf-8", "replace").decode()
