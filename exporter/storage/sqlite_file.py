"""The state file: opening, reading, writing and closing it. Only this package calls SQLite.

The file is in WAL mode, and one process at a time uses it. A write is one transaction, so a killed process leaves a
whole write or nothing. Writes are not synced to the disk one by one (``synchronous=NORMAL``): a killed process loses
nothing, a power failure may lose the last writes, and the file is consistent in any case.
"""

import os
import sqlite3
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Final

from exporter.core import JobRecord
from exporter.storage.file_changes import FileChanges
from exporter.storage.persistence import Entry, Restorer, SavedState
from exporter.storage.rows import (
    Contents,
    Skipped,
    delete_invalid,
    read_contents,
    write_baselines,
    write_entry,
    write_polled,
)
from exporter.storage.schema import MIGRATIONS, TABLES, check_pages, check_schema, migrate, pragma
from exporter.storage.sqlite_errors import mapped_errors
from exporter.storage.state_errors import StateError, StateUnreadableError

FREE_PAGES: Final = 256
"""Minimum number of free pages, besides a quarter of the file, that are kept for later writes."""

CACHE_KIB: Final = 256
"""Size of SQLite's page cache, KiB. Jobs are read once and written at random places, so a larger one saves no time."""

LARGEST_LOG: Final = 4 * 1024 * 1024
"""Size in bytes at which the write-ahead log is written to the file and truncated."""


class State:
    """An open state file.

    Args:
        path: the file; it is created if it does not exist.
        migrations: the migrations of its schema.
        tag_keys: the tag keys that are labels of counters and histograms.

    Attributes:
        skipped: the rows that ``read`` skipped.

    Raises:
        StateError: it cannot be opened; the subclass is the kind of failure.
    """

    def __init__(self, path: str, migrations: Sequence[str] = MIGRATIONS, tag_keys: Sequence[str] = ()) -> None:
        self._changes, self._tag_keys = FileChanges(path), tag_keys
        self.skipped = Skipped()
        with mapped_errors():
            self._connection = _connect(path)
        try:
            with mapped_errors():
                self._prepare(migrations)
                self._changes.begin()
        except StateError:
            self._connection.close()
            raise

    @property
    def size(self) -> int:
        """Size of the file and its write-ahead log after the last write, bytes."""
        return self._changes.size

    def check(self) -> None:
        """Check that no other program has changed the file since the last write: otherwise a write is lost.

        Raises:
            StateLostError: it was removed or replaced.
            StateUnreadableError: its content or its write-ahead log was changed.
            StateUnwritableError: its directory cannot be read.
        """
        self._changes.check()

    @property
    def used(self) -> bool:
        """Whether the file has content.

        Raises:
            StateError: it cannot be read.
        """
        with mapped_errors():
            return any(
                self._connection.execute(f"SELECT 1 FROM {table} LIMIT 1").fetchall()  # noqa: S608 -- our names
                for table in TABLES
            )

    def read(self, restorer: Restorer, check: Callable[[JobRecord], object] = lambda _: None) -> SavedState | None:
        """Read the saved state once; ``None`` if the file is empty. Invalid rows are dropped.

        Args:
            restorer: takes the aggregates and the jobs. After an error it may have a part of them, which is valid.
            check: raises a ``ValueError`` for an invalid record.

        Raises:
            StateError: it cannot be read.
        """
        if not self.used:
            return None
        with mapped_errors():
            contents = read_contents(self._connection, restorer, check, self._tag_keys)
        self.skipped, polled = contents.skipped, contents.polled
        if polled is None:
            raise StateUnreadableError("the time of the last write is missing")
        if self.skipped.rows or contents.other_tags:
            self._replace_rows(contents, polled)
        return SavedState(polled, contents.jobs.count, contents.tombstones, contents.baselines, contents.floor)

    def write(self, entry: Entry, *, polled: float, baselines: Mapping[str, float] | None = None) -> None:
        """Write a whole entry or nothing.

        Args:
            entry: the changes.
            polled: the time, unix seconds.
            baselines: the baseline time of each owner, unix seconds; ``None`` if unchanged.

        Raises:
            StateError: it cannot be written, or ``check`` finds that it was changed.
        """
        self.check()
        with mapped_errors():
            with self._transaction():
                write_entry(self._connection, entry, self._tag_keys)
                write_polled(self._connection, polled)
                if baselines is not None:
                    write_baselines(self._connection, baselines)
            self._checkpoint_log()

    def compact(self) -> None:
        """Return the space of forgotten jobs to the disk, if it is large.

        Raises:
            StateError: it cannot be written.
        """
        with mapped_errors():
            free, pages = pragma(self._connection, "freelist_count"), pragma(self._connection, "page_count")
            surplus = free - max(FREE_PAGES, pages // 4)
            if surplus > 0:
                # Each step frees one page and returns no row; only ``executescript`` runs all steps.
                with self._changes.writing_log():
                    self._connection.executescript(f"PRAGMA incremental_vacuum({surplus})")

    def close(self) -> None:
        """Close the file. SQLite removes its write-ahead log, if it can write it to the file.

        SQLite keeps both if the file was renamed. A log at the old path is removed in any case: SQLite would apply it
        to another file that is opened there.
        """
        stale = self._changes.log_is_stale()
        self._connection.close()
        if stale:
            self._changes.remove_log()

    def _prepare(self, migrations: Sequence[str]) -> None:
        connection = self._connection
        # Nothing in a foreign file is executed: neither functions in its schema nor, below, its triggers.
        connection.execute("PRAGMA trusted_schema=OFF")
        connection.execute("PRAGMA locking_mode=EXCLUSIVE").fetchall()
        version = check_schema(connection, migrations)
        connection.execute(f"PRAGMA cache_size=-{CACHE_KIB}")
        connection.execute("PRAGMA auto_vacuum=INCREMENTAL")
        connection.execute("PRAGMA journal_mode=WAL").fetchall()
        connection.execute("PRAGMA synchronous=NORMAL")
        connection.execute("PRAGMA wal_autocheckpoint=0").fetchall()
        connection.execute("PRAGMA temp_store=MEMORY")  # the directory of temporary files may be read-only
        check_pages(connection)
        with self._transaction():  # even without migrations, since this locks the file
            migrate(connection, version, migrations)

    def _replace_rows(self, contents: Contents, polled: float) -> None:
        """Delete invalid rows and those of other tag keys, so that the next start does not read them; it may fail.

        Raises:
            StateError: it failed, and there are rows of other tag keys. A later write would add rows of the new keys,
                and the next start would count both.
        """
        ignored = () if contents.other_tags else (StateError,)
        with suppress(*ignored), mapped_errors(), self._transaction():
            delete_invalid(self._connection, contents.bad)
            write_entry(self._connection, Entry(totals=contents.totals, floor=contents.floor), self._tag_keys)
            write_baselines(self._connection, contents.baselines)
            write_polled(self._connection, polled)

    @contextmanager
    def _transaction(self) -> Iterator[None]:
        with self._changes.writing_log():
            self._connection.execute("BEGIN IMMEDIATE")
            try:
                yield
                self._connection.execute("COMMIT")
            except BaseException:
                if self._connection.in_transaction:
                    self._connection.execute("ROLLBACK")
                raise

    def _checkpoint_log(self) -> None:
        """Write a large write-ahead log to the file; another call reports the cause of a failure."""
        if self._changes.log_size >= LARGEST_LOG:
            with suppress(sqlite3.Error):
                self._connection.execute("PRAGMA wal_checkpoint(TRUNCATE)").fetchall()
            self._changes.accept()


def _connect(path: str) -> sqlite3.Connection:
    # Other users must not read failure reasons; SQLite creates its other files with the same mode.
    os.close(os.open(path, os.O_RDWR | os.O_CREAT, 0o600))
    # The caller ensures that one thread at a time uses it.
    # An absolute path, since ":memory:" is not a file for SQLite.
    file = Path(path).absolute()
    connection = sqlite3.connect(file, timeout=0, isolation_level=None, check_same_thread=False)
    # A text that is not UTF-8 makes its row invalid, and does not stop the reading of further rows.
    connection.text_factory = lambda text: text.decode("utf-8", "surrogateescape")
    return connection
