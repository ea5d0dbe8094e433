"""The columns of the job table: title, sort key and cell of each. Pure.

A new column is one more entry of ``COLUMNS``.
"""

from collections.abc import Callable, Mapping
from functools import lru_cache
from typing import Final

from exporter.core import JobRecord, JobSnapshot, format_span, short_device
from exporter.storage import statuses_of
from exporter.web.console_links import jobs_url, logs_url
from exporter.web.device_cell import device_cell
from exporter.web.status_cell import status_cell, unpolled_status_cell
from exporter.web.table_cells import EMPTY, Cell, Column, Note, RowContext, Value
from exporter.web.time_text import age, date_and_time


def ran_seconds(record: JobRecord, now: float) -> float | None:
    """Return the run time of a job, until ``now`` for a running one."""
    job = record.snapshot
    if job is None or job.started is None:
        return None
    end = job.ended if job.finished else now
    return None if end is None else max(0.0, end - job.started)


def billable_seconds(record: JobRecord) -> float | None:
    """Return a job's billable seconds, over all of its instances."""
    job = record.snapshot
    if job is None or job.billable_seconds is None:
        return None
    return job.billable_seconds * (job.instance_count or 1)


def _from_snapshot(read: Callable[[JobSnapshot], Value]) -> Callable[[JobRecord, float], Value]:
    """Return a sort key that reads the snapshot; a job without one has no value."""
    return lambda record, _: None if record.snapshot is None else read(record.snapshot)


def _name(record: JobRecord) -> str:
    return ("" if record.snapshot is None else record.snapshot.name) or record.arn


def _region(_: JobRecord, job: JobSnapshot, context: RowContext) -> Cell:
    return Cell(job.region, url=jobs_url(job.region), notes=[Note(job.account)] if context.several_accounts else ())


def _queue_position(_: JobRecord, job: JobSnapshot, __: RowContext) -> Cell:
    if job.queue_position is None:
        return EMPTY
    return Cell(f"{'>' * job.queue_position_is_floor}{job.queue_position}")


def _created(_: JobRecord, job: JobSnapshot, context: RowContext) -> Cell:
    return EMPTY if job.created is None else _age(job.created, context)


def _data_age(record: JobRecord, now: float) -> float | None:
    return None if record.polled_at is None else now - record.polled_at


def _polled(record: JobRecord, _: JobSnapshot, context: RowContext) -> Cell:
    if record.polled_at is None:
        return Cell("not polled yet")
    return Cell(format_span(context.now - record.polled_at), time=date_and_time(record.polled_at))


def _age(time: float, context: RowContext) -> Cell:
    return Cell(age(time, context.now), time=date_and_time(time))


def _run_time(record: JobRecord, job: JobSnapshot, context: RowContext) -> Cell:
    ran, limit = ran_seconds(record, context.now), job.max_runtime_seconds
    if ran is None:
        return EMPTY
    return Cell(format_span(ran), limit="" if limit is None else _limit(limit))


@lru_cache(maxsize=256)
def _limit(seconds: float) -> str:
    """Write a maximum runtime; most jobs have the same."""
    return f"of {format_span(seconds)}"


def _used_share(record: JobRecord, now: float) -> float | None:
    """Return the used share of a job's maximum runtime."""
    ran = ran_seconds(record, now)
    limit = None if record.snapshot is None else record.snapshot.max_runtime_seconds
    return None if ran is None or not limit else ran / limit


def _billable(record: JobRecord, _: JobSnapshot, __: RowContext) -> Cell:
    billable = billable_seconds(record)
    return EMPTY if billable is None else Cell(format_span(billable))


def _logs(record: JobRecord, job: JobSnapshot, _: RowContext) -> Cell:
    url = logs_url(record.arn, job.name)
    return EMPTY if url is None else Cell("logs", url=url)


COLUMNS: Final = (
    Column(
        "status",
        "Status",
        status_cell,
        unpolled_status_cell,
        value=lambda record, _: statuses_of(record)[0],
        labelled=False,
    ),
    Column(
        "job",
        "Job",
        lambda record, _, __: Cell(_name(record), record.arn),
        lambda record, _: Cell(record.arn, record.arn),
        value=lambda record, _: _name(record).casefold(),
        wraps=True,
        labelled=False,
    ),
    Column(
        "device",
        "Device",
        device_cell,
        value=_from_snapshot(lambda job: short_device(job.device).casefold() or None),
    ),
    Column(
        "queue",
        "Queue position",
        _queue_position,
        value=_from_snapshot(lambda job: job.queue_position),
        numeric=True,
    ),
    Column(
        "used",
        "Run time",
        _run_time,
        value=_used_share,
        numeric=True,
        first_order="desc",
        hint="Run time and maximum run time; sorted by the used share of the maximum",
    ),
    Column(
        "billed",
        "Billed time",
        _billable,
        value=lambda record, _: billable_seconds(record),
        numeric=True,
        first_order="desc",
        hint="Billed time of all instances together",
    ),
    Column("created", "Created", _created, value=_from_snapshot(lambda job: job.created), first_order="desc"),
    Column(
        "age",
        "Data age",
        _polled,
        value=_data_age,
        first_order="desc",
        hint="Time since the last successful GetJob call; finished jobs are no longer polled",
    ),
    Column("region", "Region", _region, value=_from_snapshot(lambda job: f"{job.region} {job.account}")),
    Column("logs", "Logs", _logs, labelled=False),
)
"""The columns, from left to right."""

SORTABLE: Final[Mapping[str, Column]] = {column.key: column for column in COLUMNS if column.value is not None}
"""The columns that jobs can be sorted by, by key."""


def row_of(record: JobRecord, context: RowContext) -> list[tuple[bool, bool, Cell]]:
    """Return whether each cell of a job's row is numeric, whether it wraps, and its content."""
    job = record.snapshot
    if job is None:
        return [(column.numeric, column.wraps, column.unpolled(record, context)) for column in COLUMNS]
    return [(numeric, wraps, cell(record, job, context)) for numeric, wraps, cell in _CELLS]


_CELLS: Final = tuple((column.numeric, column.wraps, column.cell) for column in COLUMNS)
