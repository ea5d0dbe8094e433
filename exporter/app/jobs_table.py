"""The output of the ``jobs`` command: choosing jobs, and writing them as a table or as JSON. Pure."""

import json
from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from datetime import UTC, datetime
from typing import Any, Final, NamedTuple

from exporter.core import MAX_RUNTIME_EXCEEDED, format_span, parse_time, short_device

Job = Mapping[str, Any]
"""One job of ``GET /api/v1/jobs``. It may come from another process, so members may be missing or of any type."""

FORMATS: Final = ("table", "wide", "json")
"""The values of ``-o``."""

_LONGEST_CELL: Final = 60
_NOTHING: Final = "-"


class Column(NamedTuple):
    """A column of the table."""

    title: str
    cell: Callable[[Job], str]


def choose(jobs: Iterable[Job], *, statuses: Collection[str], since: float | None) -> list[Job]:
    """Return the jobs with one of the statuses that were created since a time, the newest first.

    Args:
        jobs: all jobs.
        statuses: in upper case; all when empty.
        since: unix seconds; jobs without a creation time are left out.
    """
    chosen = [job for job in jobs if not statuses or not statuses_of(job).isdisjoint(statuses)]
    if since is not None:
        chosen = [job for job in chosen if (_time(job, "created") or 0.0) >= since]
    return sorted(chosen, key=lambda job: -(_time(job, "created") or 0.0))


def statuses_of(job: Job) -> set[str]:
    """Return the statuses that select a job: its own, and ``MAX_RUNTIME_EXCEEDED`` with that event."""
    return {str(job.get("status")), *([MAX_RUNTIME_EXCEEDED] if _exceeded(job) else [])}


def render(jobs: Sequence[Job], form: str, now: float) -> str:
    """Write jobs in one of ``FORMATS``.

    Args:
        jobs: in the order of the output.
        form: the format.
        now: unix seconds, for the run time of running jobs.
    """
    if form == "json":
        return json.dumps({"jobs": jobs}, indent=2) + "\n"
    if not jobs:
        return ""
    columns = _columns(now, wide=form == "wide")
    rows = [[column.title for column in columns], *([column.cell(job) for column in columns] for job in jobs)]
    widths = [max(map(len, cells)) for cells in zip(*rows, strict=True)]
    lines = ("  ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True)) for row in rows)
    return "".join(f"{line.rstrip()}\n" for line in lines)


def _columns(now: float, *, wide: bool) -> tuple[Column, ...]:
    narrow = (
        Column("CREATED", lambda job: _date(_time(job, "created"))),
        Column("STATUS", _status),
        Column("JOB", lambda job: _text(job.get("job_name") or job.get("job_arn"))),
        Column("DEVICE", lambda job: _text(short_device(str(job.get("device") or "")))),
        Column("QUEUE", _queue),
        Column("RUN TIME", lambda job: _run_time(job, now)),
    )
    if not wide:
        return narrow
    return (
        *narrow,
        Column("BILLED", _billed),
        Column("INSTANCE", lambda job: _text(job.get("instance_type"))),
        Column("FAILURE", lambda job: _text(job.get("failure_reason") or job.get("poll_error"))),
        Column("ARN", lambda job: _unbroken(job.get("job_arn"))),
    )


def _text(value: object) -> str:
    """Write a value in one cell, at most ``_LONGEST_CELL`` characters."""
    text = _unbroken(value)
    return text if len(text) <= _LONGEST_CELL else f"{text[: _LONGEST_CELL - 3]}..."


def _unbroken(value: object) -> str:
    """Write a value in printable characters, since job names and failure reasons may contain terminal escapes."""
    if value is None or value == "":
        return _NOTHING
    text = str(value)
    return text if text.isprintable() else repr(text)[1:-1]


def _exceeded(job: Job) -> bool:
    return job.get("max_runtime_exceeded") is True


def _status(job: Job) -> str:
    return f"{_text(job.get('status'))}{' (max runtime)' if _exceeded(job) else ''}"


def _billed(job: Job) -> str:
    """Write the billed time of all instances together, as the status page does."""
    seconds, instances = job.get("billable_duration_seconds"), job.get("instances")
    if not isinstance(seconds, int | float):
        return _NOTHING
    try:
        return format_span(float(seconds) * (instances if isinstance(instances, int) and instances > 0 else 1))
    except (OverflowError, ValueError):  # too large, or not a finite number
        return _NOTHING


def _queue(job: Job) -> str:
    position = job.get("queue_position")
    return _text(f">{position}" if position is not None and job.get("queue_position_is_floor") else position)


def _run_time(job: Job, now: float) -> str:
    started, ended = _time(job, "started"), _time(job, "ended")
    if started is None:
        return _NOTHING
    return format_span((now if ended is None else ended) - started)


def _time(job: Job, member: str) -> float | None:
    """Return a time of a job as unix seconds; ``None`` for a missing or an invalid one."""
    value = job.get(member)
    try:
        return parse_time(value) if isinstance(value, str) else None
    except ValueError:
        return None


def _date(time: float | None) -> str:
    return _NOTHING if time is None else f"{datetime.fromtimestamp(time, UTC):%Y-%m-%d %H:%M:%SZ}"
