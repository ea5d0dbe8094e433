"""Reading GetJob and SearchJobs responses: JSON values in, a snapshot or a page out. Pure.

Everything that comes from the wire gets its shape and its size here, so that no later module has to check either.

======================================  ============================================================================
member                                  when its shape or value is wrong
======================================  ============================================================================
response, GetJob ``status``             ``ParseError``: the response says nothing of the job
GetJob ``jobArn`` of another job        ``ParseError``: the response says nothing of this job
``jobs``, ``nextToken``                 ``ParseError``: the page, or what follows it, is lost
entry of ``jobs``, its ``jobArn``       an ``EntryProblem``: only the entry is lost
other members of an entry of ``jobs``   no value: GetJob reports them again
one tag                                 the tag is ignored; ``tags`` that are not an object are unknown (``None``)
one entry of ``events``                 the entry is ignored
every other member of GetJob            no value
======================================  ============================================================================

A GetJob member without a usable value is reported in ``JobSnapshot.unknown``, with the expected and the actual shape
and never with the value: a value that differs at each poll must not add up. An absent or null member is not reported.
"""

import re
from collections.abc import Iterable, Iterator, Mapping
from typing import Any, Final

from exporter.core import (
    EVENT_TYPES,
    STATUSES,
    EntryProblem,
    EventKey,
    JobEvent,
    JobSnapshot,
    JobSummary,
    SearchPage,
    parse_job_arn,
    parse_time,
)

MAX_MESSAGE: Final = 2500
"""Characters of an event message or a failure reason that are kept. Braket's limits are 2,500 and 1,024."""

MAX_NAME: Final = 256
"""Characters of a job name that are kept. Braket's names have at most 50."""

MAX_CODE: Final = 100
"""Characters of a status, event type, instance type or unknown value that are kept. Braket's have at most 40."""

MAX_DEVICE: Final = 256
"""Characters of a device that are kept: Braket's own limit."""

MAX_TAG_KEY: Final = 128
MAX_TAG_VALUE: Final = 256
"""Characters of a tag's key and value that are kept: AWS's own limits."""

MAX_TAGS: Final = 100
"""Tags of a job that are kept. AWS allows 50, and adds its own, which start with ``aws:``."""

MAX_EVENTS: Final = 100
"""Entries of ``events`` that are read, the last ones. Braket sends at most 20."""

MAX_ENTRIES: Final = 1000
"""Entries of a SearchJobs page that are read, the first ones. The exporter requests 100."""

MAX_ARN: Final = 256
"""Characters of a job ARN; a longer one is not valid."""

MAX_SHOWN_ARN: Final = 300
"""Characters of an ARN that is not valid, in an error."""

MAX_TOKEN: Final = 8192
"""Characters of a ``nextToken``; a longer one is refused, since a token cannot be cut."""

_WHOLE_FLOATS: Final = 2**53
_POSITION: Final = re.compile(r"(>?)\s*(\d{1,9})", re.ASCII)
_MAX_POSITION: Final = 999_999_999
_NO_POSITION: Final = ("", "none")
_KINDS: Final = {
    bool: "a boolean",
    int: "a number",
    float: "a number",
    str: "text",
    list: "a list",
    dict: "an object",
    type(None): "null",
}


class ParseError(ValueError):
    """The response cannot be used. The text names the member and the reason."""


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
    members = _object("response", response)
    if (owner := members.get("jobArn")) not in (None, arn):
        shown = _clean(owner[:MAX_SHOWN_ARN]) if isinstance(owner, str) else _kind(owner)
        raise ParseError(f"jobArn: expected {arn}, got {shown}")
    status = members.get("status")
    if not status or not isinstance(status, str):
        raise ParseError(f"status: {_missing_or_not_text(status)}")
    status, odd = _clean(status[:MAX_CODE]), list[tuple[str, str]]()
    job = _Members(members, odd)
    instances, position_value = job.child("instanceConfig"), job.child("queueInfo").value("position")
    events, billable = tuple(_events(job)), job.count("billableDuration")
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
        unknown=(*_unknown(status, events, position_value if position is None else None), *dict.fromkeys(odd)),
    )


def parse_page(response: object) -> SearchPage:
    """Read a SearchJobs response. An entry that cannot be used costs the page only itself.

    Raises:
        ParseError: the response is not an object, does not have a list of jobs, or its token cannot be used.
    """
    members = _object("response", response)
    entries, token = members.get("jobs"), members.get("nextToken")
    if entries is None:
        raise ParseError("jobs: missing")
    if not isinstance(entries, list):
        raise ParseError(f"jobs: expected a list, got {_kind(entries)}")
    if token is not None and not isinstance(token, str):
        raise ParseError(f"nextToken: expected text, got {_kind(token)}")
    if token is not None and len(token) > MAX_TOKEN:
        raise ParseError(f"nextToken: expected at most {MAX_TOKEN} characters, got {len(token)}")
    read = [_entry(entry) for entry in entries[:MAX_ENTRIES]]
    problems = [each for each in read if isinstance(each, EntryProblem)]
    if len(entries) > MAX_ENTRIES:
        problems.append(EntryProblem(None, f"jobs: expected at most {MAX_ENTRIES} entries, got {len(entries)}"))
    return SearchPage(tuple(each for each in read if isinstance(each, JobSummary)), tuple(problems), token or None)


def parse_queue_position(value: object) -> tuple[int | None, bool]:
    """Read a queue position: ``"2"`` and 2 are 2, ``">15"`` is 15 and a floor, everything else is not a position."""
    if isinstance(value, str):
        match = _POSITION.fullmatch(value[:MAX_CODE].strip())
        return (int(match[2]), bool(match[1])) if match else (None, False)
    number = _whole(value)
    return (None if number is None or number != value or number > _MAX_POSITION else number, False)


class _Members:
    """The members of one JSON object, each read by its expected shape.

    Args:
        members: the object.
        odd: collects the members of another shape, each with the expected and the actual one.
        path: the path of the object in the response, with a dot at its end.
    """

    __slots__ = ("_members", "_odd", "_path")

    def __init__(self, members: Mapping[str, Any], odd: list[tuple[str, str]], path: str = "") -> None:
        self._members, self._odd, self._path = members, odd, path

    def value(self, name: str) -> object:
        return self._members.get(name)

    def text(self, name: str, limit: int) -> str:
        value = self._members.get(name)
        if isinstance(value, str):
            return _clean(value[:limit])
        if value is not None:
            self._note(name, "text", value)
        return ""

    def texts(self, names: Iterable[str], limit: int) -> Iterator[tuple[str, str]]:
        """Yield the names of texts, each with its text."""
        for name in names:
            if self._members.get(name) is None:
                continue
            if isinstance(self._members[name], str):
                yield name, self.text(name, limit)
            else:
                self._note(name, "text", self._members[name])

    def count(self, name: str) -> int | None:
        value = self._members.get(name)
        if value is None:
            return None
        number = _whole(value)
        if number is None:
            self._note(name, "a whole number", value)
        return number

    def time(self, name: str) -> float | None:
        value = self._members.get(name)
        if value is None:
            return None
        time = _time(value)
        if time is None:
            self._note(name, "a time", value)
        return time

    def child(self, name: str) -> "_Members":
        value = self._members.get(name)
        if isinstance(value, dict):
            return _Members(value, self._odd, f"{self._path}{name}.")
        if value is not None:
            self._note(name, "an object", value)
        return _Members({}, self._odd)

    def children(self, name: str, most: int) -> Iterator["_Members"]:
        """Yield the objects of a list, the last ones if there are more than ``most``."""
        value = self._members.get(name)
        if isinstance(value, list):
            for each in value[-most:]:
                if isinstance(each, dict):
                    yield _Members(each, self._odd, f"{self._path}{name}.")
                elif each is not None:
                    self._note(name, "objects", each)
        elif value is not None:
            self._note(name, "a list", value)

    def _note(self, name: str, expected: str, value: object) -> None:
        self._odd.append((f"{self._path}{name}", f"expected {expected}, got {_kind(value)}"))


def _entry(entry: object) -> JobSummary | EntryProblem:
    if not isinstance(entry, dict):
        return EntryProblem(None, f"jobs: expected objects, got {_kind(entry)}")
    arn = entry.get("jobArn")
    if not arn or not isinstance(arn, str):
        return EntryProblem(None, f"jobs.jobArn: {_missing_or_not_text(arn)}")
    reason = _arn_problem(arn)
    if reason is not None:
        return EntryProblem(_clean(arn[:MAX_SHOWN_ARN]), f"jobs.jobArn: {reason}")
    job, tags = _Members(entry, []), entry.get("tags")
    return JobSummary(
        arn=arn,
        name=job.text("jobName", MAX_NAME),
        status=job.text("status", MAX_CODE) or None,
        created=job.time("createdAt"),
        started=job.time("startedAt"),
        ended=job.time("endedAt"),
        device=job.text("device", MAX_DEVICE),
        tags=_all_tags(tags) if isinstance(tags, dict) else None,
    )


def _arn_problem(arn: str) -> str | None:
    if len(arn) > MAX_ARN:
        return f"expected at most {MAX_ARN} characters, got {len(arn)}"
    try:
        parse_job_arn(arn)
    except ValueError as error:
        return str(error)
    return None


def _all_tags(tags: Mapping[str, object]) -> dict[str, str]:
    texts = [(key, value) for key, value in tags.items() if isinstance(value, str)]
    return {_clean(key[:MAX_TAG_KEY]): _clean(value[:MAX_TAG_VALUE]) for key, value in texts[:MAX_TAGS]}


def _events(job: _Members) -> Iterator[JobEvent]:
    for event in job.children("events", MAX_EVENTS):
        key = EventKey(event.text("eventType", MAX_CODE) or None, event.time("timeOfEvent"))
        yield JobEvent(key, event.text("message", MAX_MESSAGE))


def _unknown(status: str, events: Iterable[JobEvent], position: object) -> Iterator[tuple[str, str]]:
    """Yield the values that this release does not know; ``position`` is one that cannot be read."""
    if status not in STATUSES:
        yield "status", status
    types = {event.key.type for event in events}
    for kind in sorted(kind for kind in types if kind is not None and kind not in EVENT_TYPES):
        yield "eventType", kind
    if isinstance(position, str):
        if position[:MAX_CODE].strip().lower() not in _NO_POSITION:
            yield "queuePosition", _clean(position[:MAX_CODE])
    elif position is not None:
        yield "queuePosition", f"expected text or a whole number, got {_kind(position)}"


def _object(path: str, value: object) -> dict[str, Any]:
    if not isinstance(value, dict):
        raise ParseError(f"{path}: expected an object, got {_kind(value)}")
    return value


def _whole(value: object) -> int | None:
    """Return a number without its fraction; ``None`` for anything that cannot count something."""
    if isinstance(value, bool) or not isinstance(value, int | float) or not 0 <= value < _WHOLE_FLOATS:
        return None
    return int(value)


def _time(value: object) -> float | None:
    if isinstance(value, bool) or not isinstance(value, str | int | float):
        return None
    try:
        return parse_time(value)
    except (ValueError, OverflowError):
        return None


def _missing_or_not_text(value: object) -> str:
    return "missing" if value in (None, "") else f"expected text, got {_kind(value)}"


def _kind(value: object) -> str:
    return _KINDS.get(type(value), type(value).__name__)


def _clean(text: str) -> str:
    """Replace lone surrogates, which JSON can carry and UTF-8 cannot."""
    return text if text.isascii() else text.encode("utf-8", "replace").decode()
