"""The state file: the only room that calls SQLite. Each of its errors is mapped once.

One process at a time has the file, which is in WAL mode. A write is one transaction, so a process that is killed leaves
all of it or nothing. The system is not asked to bring each write to the disk (``synchronous=NORMAL``): a process that
dies loses nothing, a machine that loses its power may lose the last writes, and the file is whole in any case.

A connection that holds the file alone keeps its pages and the index of its write-ahead log in memory. It does not see
that another program overwrites or truncates the file, or removes the log: it goes on writing, and what it writes is
lost with the process. So each write compares the file and the log with how the previous write left them: inode, size
and modification time. After a write the modification time is set to a value with nanoseconds, since the clock of many
file systems has steps of milliseconds, in which two writes look like one. The file itself must not be opened a second
time: the system drops the locks of a process on a file when the process closes any descriptor of it.
"""

import json
import os
import sqlite3
import time
from collections import defaultdict
from collections.abc import Callable, Collection, Iterable, Iterator, Mapping, Sequence
from contextlib import closing, contextmanager, suppress
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from typing import Any, Final, NamedTuple, TypeVar

from pydantic import TypeAdapter, ValidationError

from exporter.core.jobs import JobRecord
from exporter.core.times import check_time
from exporter.metrics.aggregates import Histogram, Series, Totals
from exporter.storage.persistence import Entry, Former, Past, mark_of

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
    CREATE TABLE floor (only INTEGER PRIMARY KEY CHECK (only = 0), created REAL NOT NULL);
    """,
)
"""Each brings the file from one version of the schema to the next; so many are done as its ``user_version`` says."""

FREE_PAGES: Final = 256
"""So many pages, or a quarter of the file, stay free for what comes; more is given back to the disk."""

LARGEST_LOG: Final = 4 * 1024 * 1024
"""From so many bytes on the write-ahead log is brought into the file, and begins from nothing."""

_RECORD: Final = TypeAdapter(JobRecord)

_SENSELESS: Final = (ValidationError, TypeError, ValueError, OverflowError, RecursionError)
"""What reading a row raises that makes no sense."""

_TABLES: Final = ("polled", "jobs", "formers", "counters", "histograms", "lanes", "floor")
_LONGEST_REASON: Final = 200

T = TypeVar("T")


class StateError(Exception):
    """The file cannot be used; the text says why in a line."""


class StateInUseError(StateError):
    """Another process has it."""


class StateUnreadableError(StateError):
    """It is damaged, changed by another program, from another program, or from a newer release."""


class StateLostError(StateError):
    """It was removed or replaced while it was open: what is at its path is another file, if anything."""


class StateUnwritableError(StateError):
    """The disk is full or read-only, or the like: another time it may work."""


class Skipped(NamedTuple):
    """Rows that made no sense: how many, and what was wrong with the first."""

    rows: int = 0
    reason: str = ""


class _Mark(NamedTuple):
    """How a file looks from outside: each write of its content changes that."""

    device: int
    inode: int
    size: int
    modified: int


class State:
    """An open state file.

    Args:
        path: the file; it is made if it is not there.
        migrations: of its schema.

    Attributes:
        skipped: the rows that ``read`` skipped.

    Raises:
        StateError: it cannot be opened; the kind says what may help.
    """

    def __init__(self, path: str, migrations: Sequence[str] = MIGRATIONS) -> None:
        self._path, self._log = path, f"{path}-wal"
        self._left: tuple[_Mark | None, _Mark | None] = (None, None)
        """How the last write of ours left the file and its log."""
        self._own: tuple[object, object] = (None, None)
        """Which files they are."""
        self.skipped = Skipped()
        with _errors():
            # Nobody else is to read failure reasons; SQLite makes its other files alike.
            os.close(os.open(path, os.O_RDWR | os.O_CREAT, 0o600))
            # Whoever calls sees to it that one thread is inside.
            # In full, since SQLite takes ":memory:" for no file.
            file = Path(path).absolute()
            self._connection = sqlite3.connect(file, timeout=0, isolation_level=None, check_same_thread=False)
            # A text of other bytes costs its row, and not the reading of all rows that follow.
            self._connection.text_factory = lambda text: text.decode("utf-8", "surrogateescape")
        try:
            with _errors():
                self._prepare(migrations)
                self._look()
                self._own = _identity(self._left[0]), _identity(self._left[1])
        except StateError:
            self._connection.close()
            raise

    @property
    def size(self) -> int:
        """The bytes of the file and its write-ahead log after the last write."""
        return sum(mark.size for mark in self._left if mark is not None)

    def check(self) -> None:
        """Check that nobody else has changed the file since the last write: otherwise what is written is lost.

        Raises:
            StateLostError: it was removed or replaced.
            StateUnreadableError: its content or its write-ahead log was changed.
            StateUnwritableError: its directory cannot be read.
        """
        with _errors():
            now = _mark(self._path), _mark(self._log)
        if _identity(now[0]) != self._own[0]:
            raise StateLostError(f"it was {'removed' if now[0] is None else 'replaced'} while it was in use")
        if _identity(now[1]) != self._own[1]:
            raise StateUnreadableError("its write-ahead log was removed while it was in use")
        if now != self._left:
            what = "it" if now[0] != self._left[0] else "its write-ahead log"
            raise StateUnreadableError(f"another program changed {what} while it was in use")

    @property
    def used(self) -> bool:
        """Whether anything was ever written to it.

        Raises:
            StateError: it cannot be read.
        """
        with _errors():
            return any([*self._rows(f"SELECT 1 FROM {table} LIMIT 1")] for table in _TABLES)  # noqa: S608 -- our names

    def read(self, check: Callable[[JobRecord], object] = lambda _: None) -> Past | None:
        """Read what was written; ``None`` if nothing was. A row that makes no sense is dropped, and costs only itself.

        Without a time of the last write, the last poll of a job stands in for it. Where a job or a tombstone was lost,
        the floor is the last write: a job of before that is baseline then, and not counted again.

        Args:
            check: raises a ``ValueError`` for a record that makes no sense.

        Raises:
            StateError: it cannot be read.
        """
        if not self.used:
            return None
        with _errors():
            sieve = _Sieve(self._connection)
            jobs = [*map(_times, sieve.rows("jobs", partial(_job, check)))]
            formers, lanes = dict(sieve.rows("formers", partial(_former, check))), dict(sieve.rows("lanes", _lane))
            counters, histograms = dict[Series, float](), dict[Series, Histogram]()
            for totals in (*sieve.rows("counters", _counter), *sieve.rows("histograms", _histogram)):
                counters |= totals.counters
                histograms |= totals.histograms
            latest = max((*(poll for poll, _ in jobs), *lanes.values()), default=0.0)
            polled = next(sieve.rows("polled", _only_time), latest or None)
            floor = next(sieve.rows("floor", _only_time), 0.0)
        totals = Totals(counters, histograms)
        self.skipped = Skipped(sum(map(len, sieve.bad.values())), sieve.reason)
        if polled is None:
            raise StateUnreadableError("it does not say when it was written")
        if sieve.bad["jobs"] or sieve.bad["formers"] or sieve.bad["floor"]:
            created = (*(born for _, born in jobs), *(former.created for former in formers.values()))
            floor = max(floor, polled, *created)
        dropped = not self.skipped.rows or self._drop(sieve.bad, polled, lanes, Entry(totals=totals, floor=floor))
        unread = frozenset[object]() if dropped else frozenset(sieve.bad["jobs"])
        return Past(polled, _Records(self._connection, unread), formers, lanes, totals, floor)

    def write(self, entry: Entry, *, polled: float, lanes: Mapping[str, float] | None = None) -> None:
        """Write an entry, all of it or nothing.

        Args:
            entry: what is new.
            polled: the time, unix seconds.
            lanes: since when each lane has watched for jobs, unix seconds, by its key; ``None`` when that is as it was.

        Raises:
            StateError: it cannot be written, or ``check`` finds that it was changed.
        """
        self.check()
        with _errors():
            with self._transaction():
                self._write(entry)
                self._many("REPLACE INTO polled VALUES (0, ?)", [(polled,)])
                if lanes is not None:
                    self._write_lanes(lanes)
            self._bring_in_log()

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
                with self._writing_log():
                    self._connection.executescript(f"PRAGMA incremental_vacuum({surplus})")

    def close(self) -> None:
        """Close the file. Its write-ahead log goes, if it can be written to the file.

        SQLite leaves both alone where the file has another name by now. A log at the old place goes all the same:
        whoever opens another file there would have it applied to that one.
        """
        stale = False
        with suppress(OSError):
            moved = _identity(_mark(self._path)) != self._own[0]
            stale = moved and _identity(_mark(self._log)) == self._own[1]
        self._connection.close()
        if stale:
            with suppress(OSError):
                Path(self._log).unlink()

    def _prepare(self, migrations: Sequence[str]) -> None:
        # Nothing in a file that somebody else made is run: neither functions in its schema nor, below, its triggers.
        self._connection.execute("PRAGMA trusted_schema=OFF")
        self._connection.execute("PRAGMA locking_mode=EXCLUSIVE").fetchall()
        # The first look at the file; it changes nothing in one that is not ours.
        version, schema = self._pragma("user_version"), _schema(self._connection)
        if schema and self._pragma("application_id") != APPLICATION_ID:
            raise StateUnreadableError("another program's database")
        if version > len(migrations):
            raise StateUnreadableError(f"version {version} of it is newer than {len(migrations)}, the newest known")
        if version < 0 or schema != _schema_of(migrations[:version]):
            raise StateUnreadableError(f"its tables are not those of version {version}")
        self._connection.execute("PRAGMA auto_vacuum=INCREMENTAL")
        self._connection.execute("PRAGMA journal_mode=WAL").fetchall()
        self._connection.execute("PRAGMA synchronous=NORMAL")
        self._connection.execute("PRAGMA wal_autocheckpoint=0").fetchall()
        if (found := next(self._rows("PRAGMA quick_check(1)"))[0]) != "ok":
            raise StateUnreadableError(f"damaged: {_first_line(found)}")
        with self._transaction():  # even without migrations, as from then on the file is locked
            for script in migrations[version:]:
                for statement in filter(str.strip, script.split(";")):
                    self._connection.execute(statement)
            self._connection.execute(f"PRAGMA application_id={APPLICATION_ID}")
            self._connection.execute(f"PRAGMA user_version={len(migrations)}")

    def _drop(
        self, bad: Mapping[str, Sequence[object]], polled: float, lanes: Mapping[str, float], kept: Entry
    ) -> bool:
        """Delete the rows that make no sense, so that they do not come back; return whether that succeeded."""
        try:
            with _errors(), self._transaction():
                for table in ("jobs", "formers"):
                    self._many(f"DELETE FROM {table} WHERE mark = ?", ((mark,) for mark in bad[table]))  # noqa: S608
                for table in ("counters", "histograms", "floor"):  # their keys may be anything
                    self._connection.execute(f"DELETE FROM {table}")  # noqa: S608
                self._write(kept)
                self._write_lanes(lanes)
                self._many("REPLACE INTO polled VALUES (0, ?)", [(polled,)])
        except StateError:
            return False
        return True

    def _write_lanes(self, lanes: Mapping[str, float]) -> None:
        self._connection.execute("DELETE FROM lanes")
        self._many("INSERT INTO lanes VALUES (?, ?)", lanes.items())

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

        if entry.floor:
            self._many("REPLACE INTO floor VALUES (0, ?)", [(entry.floor,)])

    @contextmanager
    def _transaction(self) -> Iterator[None]:
        with self._writing_log():
            self._connection.execute("BEGIN IMMEDIATE")
            try:
                yield
                self._connection.execute("COMMIT")
            except BaseException:
                if self._connection.in_transaction:
                    self._connection.execute("ROLLBACK")
                raise

    @contextmanager
    def _writing_log(self) -> Iterator[None]:
        """Have ``check`` take the log as it is afterwards. It only grows, and the file stays as it is."""
        try:
            yield
        finally:
            file, before = self._left
            after = _marked(self._log)
            if before is None or (after is not None and after.size >= before.size):
                self._left = file, after

    def _bring_in_log(self) -> None:
        """Bring a large write-ahead log into the file; what keeps that from succeeding will show elsewhere."""
        if self._left[1] is not None and self._left[1].size >= LARGEST_LOG:
            with suppress(sqlite3.Error):
                self._connection.execute("PRAGMA wal_checkpoint(TRUNCATE)").fetchall()
            self._look()

    def _look(self) -> None:
        """Have ``check`` take the file and its log as they are now."""
        self._left = _marked(self._path), _marked(self._log)

    def _many(self, statement: str, rows: Iterable[Any]) -> None:
        self._connection.executemany(statement, rows)

    def _rows(self, query: str) -> Iterator[Any]:
        return iter(self._connection.execute(query))

    def _pragma(self, name: str) -> int:
        return int(next(self._rows(f"PRAGMA {name}"))[0])


@dataclass(frozen=True, slots=True)
class _Records(Collection[JobRecord]):
    """The jobs of the file, read again each time, so that there are never many in memory.

    Attributes:
        connection: to the file.
        unread: the marks of rows that make no sense and could not be deleted.
    """

    connection: sqlite3.Connection
    unread: frozenset[object] = frozenset()

    def __iter__(self) -> Iterator[JobRecord]:
        for mark, text in self.connection.execute("SELECT mark, record FROM jobs"):
            if mark not in self.unread:
                yield _RECORD.validate_json(text)

    def __len__(self) -> int:
        return int(self.connection.execute("SELECT count(*) FROM jobs").fetchone()[0]) - len(self.unread)

    def __contains__(self, record: object) -> bool:
        return any(each == record for each in self)


@dataclass(slots=True)
class _Sieve:
    """Reads rows one by one, and notes those that make no sense.

    Attributes:
        connection: to the file.
        bad: the first columns of those rows, by their table.
        reason: what is wrong with the first of them.
    """

    connection: sqlite3.Connection
    bad: defaultdict[str, list[object]] = field(default_factory=lambda: defaultdict(list))
    reason: str = ""

    def rows(self, table: str, read: Callable[..., T]) -> Iterator[T]:
        """Yield what ``read`` makes of the columns of each row."""
        for row in self.connection.execute(f"SELECT * FROM {table}"):  # noqa: S608 -- a name of ours
            try:
                value = read(*row)
            except _SENSELESS as error:
                self.bad[table].append(row[0])
                self.reason = self.reason or f"{table}: {_reason(error)}"
            else:
                yield value


@contextmanager
def _errors() -> Iterator[None]:
    """Map what SQLite raises.

    Raises:
        StateError: something went wrong.
    """
    try:
        yield
    except UnicodeDecodeError as error:
        raise StateUnreadableError("a text of it is not UTF-8") from error
    except sqlite3.OperationalError as error:
        code = getattr(error, "sqlite_errorcode", 0) & 0xFF  # the other bits say why
        if code in {sqlite3.SQLITE_BUSY, sqlite3.SQLITE_LOCKED}:
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
        ValueError: they are not a time that the exporter accepts.
    """
    return check_time(float(str(value)))


def _job(check: Callable[[JobRecord], object], mark: int, text: str) -> JobRecord:
    record = _RECORD.validate_json(text)
    if mark != mark_of(record.arn):
        raise ValueError(f"{record.arn} stands in the row of another job")
    check(record)
    return record


def _times(record: JobRecord) -> tuple[float, float]:
    """Return when a job was polled and created; 0 where that is unknown."""
    return record.polled_at or 0.0, 0.0 if record.snapshot is None else record.snapshot.created or 0.0


def _former(
    check: Callable[[JobRecord], object], mark: int, created: float, lane: str, text: str | None
) -> tuple[int, Former]:
    record = None if text is None else _RECORD.validate_json(text)
    if record is not None:
        check(record)
    return mark, Former(_time(created), record, str(lane))


def _lane(key: str, since: float) -> tuple[str, float]:
    return str(key), _time(since)


def _only_time(_: int, at: float) -> float:
    return _time(at)


def _counter(metric: str, labels: str, value: float) -> Totals:
    return Totals({(metric, tuple(json.loads(labels))): float(value)}).checked()


def _histogram(metric: str, labels: str, observations: str, total: float) -> Totals:
    histogram = Histogram(tuple(map(int, json.loads(observations))), float(total))
    return Totals({}, {(metric, tuple(json.loads(labels))): histogram}).checked()


def _reason(error: Exception) -> str:
    """Say in a short line what is wrong with a row, without what stands in it where that may be long."""
    if isinstance(error, ValidationError):
        first = error.errors(include_url=False, include_input=False)[0]
        return f"{'.'.join(map(str, first['loc']))}: {first['msg']}".removeprefix(": ")[:_LONGEST_REASON]
    return _first_line(error)[:_LONGEST_REASON]


def _first_line(text: object) -> str:
    return str(text).partition("\n")[0]


def _schema(connection: sqlite3.Connection) -> frozenset[tuple[str, ...]]:
    """List all that a database consists of, with the statement that made it; blanks do not count."""
    rows = connection.execute("SELECT type, name, tbl_name, sql FROM sqlite_schema")
    return frozenset(tuple(" ".join(str(text).split()) for text in row) for row in rows)


def _schema_of(migrations: Iterable[str]) -> frozenset[tuple[str, ...]]:
    with closing(sqlite3.connect(":memory:")) as model:
        for script in migrations:
            model.executescript(script)
        return _schema(model)


def _mark(path: str) -> _Mark | None:
    """Look at a file from outside; ``None`` if there is none.

    Raises:
        OSError: the system does not say.
    """
    try:
        found = os.stat(path)  # noqa: PTH116 -- it is called often
    except (FileNotFoundError, NotADirectoryError):
        return None
    return _Mark(found.st_dev, found.st_ino, found.st_size, found.st_mtime_ns)


def _marked(path: str) -> _Mark | None:
    """Mark a file that we have written to, so that whatever is written to it later shows."""
    with suppress(OSError):  # only its owner may
        moment = time.time_ns()
        os.utime(path, ns=(moment, moment))
    return _mark(path)


def _identity(mark: _Mark | None) -> object:
    """Return what identifies a file, whatever its content is."""
    return None if mark is None else (mark.device, mark.inode)
