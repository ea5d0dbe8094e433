"""Rows of the state file: conversion of jobs, tombstones, counters, histograms and times to columns and back.

An invalid row is skipped and reported; the other rows are read.
"""

import sqlite3
from collections import defaultdict
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from functools import partial
from typing import Final, NamedTuple, TypeVar

from pydantic import TypeAdapter, ValidationError

from exporter.core import JobRecord, check_time
from exporter.metrics import Totals
from exporter.storage.job_rows import rows_by_end
from exporter.storage.persistence import Entry, Restorer, Tombstone, mark_of
from exporter.storage.state_errors import first_line
from exporter.storage.total_rows import counter_of, histogram_of, sum_of, write_totals

_RECORD: Final = TypeAdapter(JobRecord)

_INVALID: Final = (ValidationError, TypeError, ValueError, OverflowError, RecursionError)
"""Exceptions for an invalid row."""

_LONGEST_REASON: Final = 200

T = TypeVar("T")

Check = Callable[[JobRecord], object]
"""Raises a ``ValueError`` for an invalid record."""


class Skipped(NamedTuple):
    """The number of invalid rows, and the error of the first."""

    rows: int = 0
    reason: str = ""


@dataclass(slots=True)
class ValidJobs:
    """What is kept of the valid jobs of a file.

    Attributes:
        count: their number.
        polled: the latest poll, unix seconds; 0 if unknown.
        created: the latest creation, unix seconds; 0 if unknown.
    """

    count: int = 0
    polled: float = 0.0
    created: float = 0.0

    def add(self, records: Sequence[JobRecord]) -> None:
        """Add jobs."""
        self.count += len(records)
        self.polled = max((self.polled, *(record.polled_at or 0.0 for record in records)))
        created = (record.snapshot.created or 0.0 for record in records if record.snapshot is not None)
        self.created = max((self.created, *created))


class Contents(NamedTuple):
    """The valid rows of a file, without its records, and the keys of the invalid rows.

    Attributes:
        jobs: the number of jobs, and their latest times.
        tombstones: tombstones by ``mark_of`` their ARN.
        baselines: the baseline time of each target that discovers jobs, unix seconds, by its key.
        totals: counters and histograms.
        written: when the file was last written, unix seconds; ``None`` if the row is missing.
        saved_floor: the saved floor of the tombstones, unix seconds.
        bad: the first columns of the invalid rows, by table.
        skipped: their number, and the error of the first.
        other_tags: whether the labels of some counters or histograms are of other tag keys.
    """

    jobs: ValidJobs
    tombstones: Mapping[int, Tombstone]
    baselines: Mapping[str, float]
    totals: Totals
    written: float | None
    saved_floor: float
    bad: Mapping[str, Sequence[object]]
    skipped: Skipped
    other_tags: bool

    @property
    def polled(self) -> float | None:
        """The time of the last write; without it, the latest poll of a job."""
        latest = max((self.jobs.polled, *self.baselines.values()))
        return self.written if self.written is not None else latest or None

    @property
    def floor(self) -> float:
        """The floor of the tombstones; the time of the last write if a job or a tombstone was lost.

        In the latter case, a job created before is baseline, so it is not counted again.
        """
        if not any(self.bad.get(table) for table in ("jobs", "tombstones", "floor")):
            return self.saved_floor
        created = (tombstone.created for tombstone in self.tombstones.values())
        return max(self.saved_floor, self.polled or 0.0, self.jobs.created, *created)


def read_contents(
    connection: sqlite3.Connection, restorer: Restorer, check: Check, tag_keys: Sequence[str] = ()
) -> Contents:
    """Read all rows of a file, each once.

    Args:
        connection: to the file.
        restorer: takes the counters and histograms, then the jobs.
        check: raises a ``ValueError`` for an invalid record.
        tag_keys: the tag keys that are labels of counters and histograms; series that differ in others are added.
    """
    reader = _RowReader(connection)
    tombstones = dict(reader.rows("tombstones", partial(_tombstone, check)))
    baselines = dict(reader.rows("baselines", _baseline))
    counters = [*reader.rows("counters", partial(counter_of, tag_keys))]
    histograms = [*reader.rows("histograms", partial(histogram_of, tag_keys))]
    totals = sum_of(each for each, _ in (*counters, *histograms))
    other_tags = any(keys != sorted(tag_keys) for _, keys in (*counters, *histograms))
    written = next(reader.rows("polled", _only_time), None)
    floor = next(reader.rows("floor", _only_time), 0.0)
    restorer.restore_totals(totals)
    jobs = ValidJobs()
    for records in reader.jobs(partial(_job, check)):
        jobs.add(records)
        restorer.restore_jobs(records)
    skipped = Skipped(sum(map(len, reader.bad.values())), reader.reason)
    return Contents(jobs, tombstones, baselines, totals, written, floor, dict(reader.bad), skipped, other_tags)


def write_entry(connection: sqlite3.Connection, entry: Entry, tag_keys: Sequence[str] = ()) -> None:
    """Write an entry, in the transaction of the caller.

    Args:
        connection: to the file.
        entry: the changes.
        tag_keys: the tag keys that are labels of counters and histograms.
    """
    write = connection.executemany
    write("REPLACE INTO jobs VALUES (?, ?)", ((mark_of(each.arn), _text(each)) for each in entry.records))
    write("DELETE FROM jobs WHERE mark = ?", ((mark_of(arn),) for arn in entry.gone))
    _write_tombstones(connection, entry.tombstones)
    write_totals(connection, entry.totals, tag_keys)
    if entry.floor:
        write("REPLACE INTO floor VALUES (0, ?)", [(entry.floor,)])


def write_baselines(connection: sqlite3.Connection, baselines: Mapping[str, float]) -> None:
    """Replace the baseline times."""
    connection.execute("DELETE FROM baselines")
    connection.executemany("INSERT INTO baselines VALUES (?, ?)", baselines.items())


def write_polled(connection: sqlite3.Connection, polled: float) -> None:
    """Replace the time of the last write, unix seconds."""
    connection.execute("REPLACE INTO polled VALUES (0, ?)", (polled,))


def delete_invalid(connection: sqlite3.Connection, bad: Mapping[str, Sequence[object]]) -> None:
    """Delete invalid jobs and tombstones, and all counters, histograms and floors; the caller writes the valid ones."""
    for table in ("jobs", "tombstones"):
        marks = ((mark,) for mark in bad.get(table, ()))
        connection.executemany(f"DELETE FROM {table} WHERE mark = ?", marks)  # noqa: S608 -- our names
    for table in ("counters", "histograms", "floor"):  # their keys may be of any type
        connection.execute(f"DELETE FROM {table}")  # noqa: S608 -- our names


@dataclass(slots=True)
class _RowReader:
    """Reads rows one by one, and notes the invalid ones.

    Attributes:
        connection: to the file.
        bad: the first columns of the invalid rows, by table.
        reason: the error of the first invalid row.
    """

    connection: sqlite3.Connection
    bad: defaultdict[str, list[object]] = field(default_factory=lambda: defaultdict(list))
    reason: str = ""

    def rows(self, table: str, read: Callable[..., T]) -> Iterator[T]:
        """Yield the result of ``read`` for the columns of each row."""
        return self._valid(table, self.connection.execute(f"SELECT * FROM {table}"), read)  # noqa: S608 -- a name of ours

    def jobs(self, read: Callable[..., T]) -> Iterator[list[T]]:
        """Yield the results of ``read`` for the columns of jobs, in the order of their ends, in batches."""
        for rows in rows_by_end(self.connection):
            yield [*self._valid("jobs", rows, read)]

    def _valid(self, table: str, rows: Iterable[Sequence[object]], read: Callable[..., T]) -> Iterator[T]:
        for row in rows:
            try:
                value = read(*row)
            except _INVALID as error:
                self.bad[table].append(row[0])
                self.reason = self.reason or f"{table}: {_reason(error)}"
            else:
                yield value


def _write_tombstones(connection: sqlite3.Connection, tombstones: Mapping[int, Tombstone | None]) -> None:
    kept = {mark: tombstone for mark, tombstone in tombstones.items() if tombstone is not None}
    connection.executemany(
        "DELETE FROM tombstones WHERE mark = ?", ((mark,) for mark in tombstones if mark not in kept)
    )
    connection.executemany(
        "REPLACE INTO tombstones VALUES (?, ?, ?, ?)",
        (
            (mark, tombstone.created, tombstone.owner, None if tombstone.record is None else _text(tombstone.record))
            for mark, tombstone in kept.items()
        ),
    )


def _text(record: JobRecord) -> str:
    return _RECORD.dump_json(record, exclude_defaults=True).decode()


def _time(value: object) -> float:
    """Read unix seconds.

    Raises:
        ValueError: they are not a time that the exporter accepts.
    """
    return check_time(float(str(value)))


def _job(check: Check, mark: int, text: str) -> JobRecord:
    record = _RECORD.validate_json(text)
    if mark != mark_of(record.arn):
        raise ValueError(f"the row of another job contains {record.arn}")
    check(record)
    return record


def _tombstone(check: Check, mark: int, created: float, owner: str, text: str | None) -> tuple[int, Tombstone]:
    record = None if text is None else _RECORD.validate_json(text)
    if record is not None:
        check(record)
    return mark, Tombstone(_time(created), record, str(owner))


def _baseline(key: str, since: float) -> tuple[str, float]:
    return str(key), _time(since)


def _only_time(_: int, at: float) -> float:
    return _time(at)


def _reason(error: Exception) -> str:
    """Describe the error of a row in a short line, without values of the row, which may be long."""
    if isinstance(error, ValidationError):
        first = error.errors(include_url=False, include_input=False)[0]
        return f"{'.'.join(map(str, first['loc']))}: {first['msg']}".removeprefix(": ")[:_LONGEST_REASON]
    return first_line(error)[:_LONGEST_REASON]
