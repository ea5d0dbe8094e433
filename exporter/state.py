"""The state file: the only room that calls SQLite. Each of its errors is mapped once.

One process at a time has the file, which is in WAL mode. A write is one transaction, so a process that is killed leaves
all of it or nothing. The system is not asked to bring each write to the disk (``synchronous=NORMAL``): a process that
dies loses nothing, a machine that loses its power may lose the last writes, and the file is whole in any case.
"""

import json
import os
import sqlite3
from collections.abc import Callable, Collection, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

from pydantic import TypeAdapter, ValidationError

from exporter.fleet import Histogram, Series, Totals
from exporter.ledger import Entry, Former, Past, mark_of
from exporter.model import JobRecord

APPLICATION_ID: Final = 0x42524B54
"""Marks the file as ours, in a place that SQLite keeps for that: "BRKT"."""

MIGRATIONS: Final = (
    """
    CREATE TABLE jobs (mark INTEGER PRIMARY KEY, record TEXT NOT NULL);
    CREATE TABLE formers (mark INTEGER PRIMARY KEY, created REAL NOT NULL, lane TEXT NOT NULL, record TEXT);
    CREATE TABLE counters (
        metric TEXT, labels TEXT, value REAL NOT NULL, PRIMARY KEY (metric, labels)
    ) WITHOUT ROWID;
    CREATE TABLE histograms (
        metric TEXT, labels TEXT, observations TEXT NOT NULL, sum REAL NOT NULL, PRIMARY KEY (metric, labels)
    ) WITHOUT ROWID;
    CREATE TABLE lanes (key TEXT PRIMARY KEY, since REAL NOT NULL) WITHOUT ROWID;
    CREATE TABLE polled (only INTEGER PRIMARY KEY CHECK (only = 0), time REAL NOT NULL);
    """,
)
"""Each brings the file from one version of the schema to the next; so many are done as its ``user_version`` says."""

FREE_PAGES: Final = 256
"""So many pages, or a quarter of the file, stay free for what comes; more is given back to the disk."""

LARGEST_LOG: Final = 4 * 1024 * 1024
"""To so many bytes the write-ahead log shrinks again."""

LATEST: Final = 32_503_680_000.0
"""The year 3000, unix seconds. No job was made later, and no file written."""

_RECORD: Final = TypeAdapter(JobRecord)


class StateError(Exception):
    """The file cannot be used; the text says why in a line."""


class StateInUseError(StateError):
    """Another process has it."""


class StateUnreadableError(StateError):
    """It is damaged, from another program, or from a newer release."""


class StateUnwritableError(StateError):
    """The disk is full or read-only, or the like: another time it may work."""


class State:
    """An open state file.

    Args:
        path: the file; it is made if it is not there.
        migrations: of its schema.

    Raises:
        StateError: it cannot be opened; the kind says what may help.
    """

    def __init__(self, path: str, migrations: Sequence[str] = MIGRATIONS) -> None:
        self._path = path
        self._inode: int | None = None
        with _errors():
            # Nobody else is to read failure reasons; SQLite makes its other files alike.
            os.close(os.open(path, os.O_RDWR | os.O_CREAT, 0o600))
            # Whoever calls sees to it that one thread is inside.
            # In full, since SQLite takes ":memory:" for no file.
            file = Path(path).absolute()
            self._connection = sqlite3.connect(file, timeout=0, isolation_level=None, check_same_thread=False)
        try:
            with _errors():
                self._prepare(migrations)
                self._inode = Path(path).stat().st_ino
        except StateError:
            self._connection.close()
            raise

    @property
    def size(self) -> int:
        """The bytes of the file and its write-ahead log."""
        return sum(_size(f"{self._path}{suffix}") for suffix in ("", "-wal"))

    @property
    def there(self) -> bool:
        """Whether the file is still where it was opened; what is written to one that was removed is lost."""
        try:
            return Path(self._path).stat().st_ino == self._inode
        except OSError:
            return False

    @property
    def used(self) -> bool:
        """Whether anything was ever written to it.

        Raises:
            StateError: it cannot be read.
        """
        with _errors():
            return bool([*self._rows("SELECT time FROM polled")])

    def read(self, check: Callable[[JobRecord], object] = lambda _: None) -> Past | None:
        """Read what was written; ``None`` if nothing was.

        Args:
            check: raises a ``ValueError`` for a record that makes no sense.

        Raises:
            StateError: it cannot be read.
        """
        with _errors():
            polled = self._connection.execute("SELECT time FROM polled").fetchone()
            if polled is None:
                return None
            counters = self._rows("SELECT metric, labels, value FROM counters")
            histograms = self._rows("SELECT metric, labels, observations, sum FROM histograms")
            formers = self._rows("SELECT mark, created, record, lane FROM formers")
            try:
                records = _Records(self._connection)
                for record in records:  # each is looked at now, while a file that makes no sense can be set aside
                    check(record)
                return Past(
                    _time(polled[0]),
                    records,
                    {mark: _former(created, text, lane, check) for mark, created, text, lane in formers},
                    {str(key): _time(since) for key, since in self._rows("SELECT key, since FROM lanes")},
                    Totals(
                        dict(_counter(*row) for row in counters), dict(_histogram(*row) for row in histograms)
                    ).checked(),
                )
            except (ValidationError, TypeError, ValueError, OverflowError, RecursionError) as error:
                raise StateUnreadableError(f"a row of it makes no sense: {_first_line(error)}") from error

    def write(self, entry: Entry, *, polled: float, lanes: Mapping[str, float] | None = None) -> None:
        """Write an entry, all of it or nothing.

        Args:
            entry: what is new.
            polled: the time, unix seconds.
            lanes: since when each lane has watched for jobs, unix seconds, by its key; ``None`` when that is as it was.

        Raises:
            StateError: it cannot be written.
        """
        with _errors(), self._transaction():
            self._write(entry)
            self._many("REPLACE INTO polled VALUES (0, ?)", [(polled,)])
            if lanes is not None:
                self._connection.execute("DELETE FROM lanes")
                self._many("INSERT INTO lanes VALUES (?, ?)", lanes.items())

    def compact(self) -> None:
        """Give back to the disk what forgotten jobs took, if that is much.

        Raises:
            StateError: it cannot be written.
        """
        with _errors():
            free, pages = self._pragma("freelist_count"), self._pragma("page_count")
            surplus = free - max(FREE_PAGES, pages // 4)
            if surplus > 0:
                # It frees a page a step, without a row to fetch; only a script is stepped to its end.
                self._connection.executescript(f"PRAGMA incremental_vacuum({surplus})")

    def close(self) -> None:
        """Close the file. Its write-ahead log goes, if it can be written to the file."""
        self._connection.close()

    def _prepare(self, migrations: Sequence[str]) -> None:
        self._connection.execute("PRAGMA locking_mode=EXCLUSIVE").fetchall()
        # The first look at the file; it changes nothing in one that is not ours.
        version, tables = self._pragma("user_version"), self._rows("SELECT name FROM sqlite_schema")
        if [*tables] and self._pragma("application_id") != APPLICATION_ID:
            raise StateUnreadableError("another program's database")
        if version > len(migrations):
            raise StateUnreadableError(f"version {version} of it is newer than {len(migrations)}, the newest known")
        self._connection.execute("PRAGMA auto_vacuum=INCREMENTAL")
        self._connection.execute("PRAGMA journal_mode=WAL").fetchall()
        self._connection.execute("PRAGMA synchronous=NORMAL")
        self._connection.execute(f"PRAGMA journal_size_limit={LARGEST_LOG}").fetchall()
        if (found := next(self._rows("PRAGMA quick_check(1)"))[0]) != "ok":
            raise StateUnreadableError(f"damaged: {_first_line(found)}")
        with self._transaction():  # even without migrations, as from then on the file is locked
            for script in migrations[version:]:
                for statement in filter(str.strip, script.split(";")):
                    self._connection.execute(statement)
            self._connection.execute(f"PRAGMA application_id={APPLICATION_ID}")
            self._connection.execute(f"PRAGMA user_version={len(migrations)}")

    def _write(self, entry: Entry) -> None:
        self._many("REPLACE INTO jobs VALUES (?, ?)", ((mark_of(each.arn), _text(each)) for each in entry.records))
        self._many("DELETE FROM jobs WHERE mark = ?", ((mark_of(arn),) for arn in entry.gone))
        kept = {mark: former for mark, former in entry.formers.items() if former is not None}
        self._many("DELETE FROM formers WHERE mark = ?", ((mark,) for mark in entry.formers if mark not in kept))
        self._many(
            "REPLACE INTO formers VALUES (?, ?, ?, ?)",
            (
                (mark, former.created, former.lane, None if former.record is None else _text(former.record))
                for mark, former in kept.items()
            ),
        )
        self._many(
            "REPLACE INTO counters VALUES (?, ?, ?)",
            ((metric, json.dumps(labels), value) for (metric, labels), value in entry.totals.counters.items()),
        )
        self._many(
            "REPLACE INTO histograms VALUES (?, ?, ?, ?)",
            (
                (metric, json.dumps(labels), json.dumps(histogram.observations), histogram.sum)
                for (metric, labels), histogram in entry.totals.histograms.items()
            ),
        )

    @contextmanager
    def _transaction(self) -> Iterator[None]:
        self._connection.execute("BEGIN IMMEDIATE")
        try:
            yield
            self._connection.execute("COMMIT")
        except BaseException:
            if self._connection.in_transaction:
                self._connection.execute("ROLLBACK")
            raise

    def _many(self, statement: str, rows: Iterable[Any]) -> None:
        self._connection.executemany(statement, rows)

    def _rows(self, query: str) -> Iterator[Any]:
        return iter(self._connection.execute(query))

    def _pragma(self, name: str) -> int:
        return int(next(self._rows(f"PRAGMA {name}"))[0])


@dataclass(frozen=True, slots=True)
class _Records(Collection[JobRecord]):
    """The jobs of the file, read anew each time, so that there are never many in memory."""

    connection: sqlite3.Connection

    def __iter__(self) -> Iterator[JobRecord]:
        for (text,) in self.connection.execute("SELECT record FROM jobs"):
            yield _RECORD.validate_json(text)

    def __len__(self) -> int:
        return int(self.connection.execute("SELECT count(*) FROM jobs").fetchone()[0])

    def __contains__(self, record: object) -> bool:
        return any(each == record for each in self)


@contextmanager
def _errors() -> Iterator[None]:
    """Map what SQLite raises.

    Raises:
        StateError: something went wrong.
    """
    try:
        yield
    except sqlite3.OperationalError as error:
        code = getattr(error, "sqlite_errorcode", None)
        if code is None:  # it comes from Python, which found bytes that are no text
            raise StateUnreadableError("a text of it is not UTF-8") from error
        if code & 0xFF in {sqlite3.SQLITE_BUSY, sqlite3.SQLITE_LOCKED}:  # the other bits tell why
            raise StateInUseError("another process has it") from error
        raise StateUnwritableError(str(error)) from error
    except sqlite3.DatabaseError as error:
        raise StateUnreadableError(str(error)) from error
    except OSError as error:
        raise StateUnwritableError(error.strerror or str(error)) from error


def _text(record: JobRecord) -> str:
    return _RECORD.dump_json(record, exclude_defaults=True).decode()


def _time(value: object) -> float:
    """Read unix seconds.

    Raises:
        ValueError: they are no time of this age.
    """
    time = float(str(value))
    if not 0 <= time <= LATEST:
        raise ValueError(f"{time} is no time")
    return time


def _former(created: float, text: str | None, lane: str, check: Callable[[JobRecord], object]) -> Former:
    record = None if text is None else _RECORD.validate_json(text)
    if record is not None:
        check(record)
    return Former(_time(created), record, str(lane))


def _counter(metric: str, labels: str, value: float) -> tuple[Series, float]:
    return (metric, tuple(json.loads(labels))), float(value)


def _histogram(metric: str, labels: str, observations: str, total: float) -> tuple[Series, Histogram]:
    return (metric, tuple(json.loads(labels))), Histogram(tuple(map(int, json.loads(observations))), float(total))


def _first_line(text: object) -> str:
    return str(text).partition("\n")[0]


def _size(path: str) -> int:
    try:
        return Path(path).stat().st_size
    except OSError:
        return 0
