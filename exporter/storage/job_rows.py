"""Rows of jobs in the state file, in the order of their ends. Few of them are in memory at a time."""

import sqlite3
from array import array
from collections.abc import Iterator
from typing import Final

from exporter.storage.batches import in_batches
from exporter.storage.block import BLOCK_JOBS

ROWS_AT_ONCE: Final = BLOCK_JOBS
"""The rows of one query: a block of jobs, if all of them are valid and finished."""

_MARKS_BY_END: Final = """
    SELECT mark FROM jobs
    ORDER BY CASE
        WHEN typeof(record) = 'text' AND json_valid(record)
        THEN CAST(json_extract(record, '$.snapshot.ended') AS REAL)
    END, mark
"""
"""SQLite has only the marks and ends in memory, not the records. A row that is not JSON has no end."""


def rows_by_end(connection: sqlite3.Connection) -> Iterator[list[tuple[int, str]]]:
    """Yield the marks and the records of all rows, valid or not, in batches; first those without an end.

    Jobs that end one after the other expire together, so the store has them in the same blocks.
    """
    marks = array("q", (mark for (mark,) in connection.execute(_MARKS_BY_END)))
    for group in in_batches(marks, ROWS_AT_ONCE):
        places = ",".join("?" * len(group))
        rows = dict(connection.execute(f"SELECT mark, record FROM jobs WHERE mark IN ({places})", group))  # noqa: S608 -- only question marks
        yield [(mark, rows[mark]) for mark in group]
