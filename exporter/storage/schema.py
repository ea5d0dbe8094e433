"""Schema of the state file: its migrations, and the checks of a file before its first use."""

import sqlite3
from collections.abc import Iterable, Sequence
from contextlib import closing
from typing import Final

from exporter.storage.state_errors import StateUnreadableError, first_line

APPLICATION_ID: Final = 0x42524B54
"""Application ID of the state file in the SQLite header: "BRKT"."""

MIGRATIONS: Final = (
    """
    CREATE TABLE jobs (mark INTEGER PRIMARY KEY, record TEXT NOT NULL);
    CREATE TABLE tombstones (mark INTEGER PRIMARY KEY, created REAL NOT NULL, owner TEXT NOT NULL, record TEXT);
    CREATE TABLE counters (
        metric TEXT, labels TEXT, value REAL NOT NULL, PRIMARY KEY (metric, labels)
    ) WITHOUT ROWID;
    CREATE TABLE histograms (
        metric TEXT, labels TEXT, observations TEXT NOT NULL, sum REAL NOT NULL, PRIMARY KEY (metric, labels)
    ) WITHOUT ROWID;
    CREATE TABLE baselines (owner TEXT PRIMARY KEY, time REAL NOT NULL) WITHOUT ROWID;
    CREATE TABLE polled (only INTEGER PRIMARY KEY CHECK (only = 0), time REAL NOT NULL);
    CREATE TABLE floor (only INTEGER PRIMARY KEY CHECK (only = 0), created REAL NOT NULL);
    """,
)
"""Each migrates the file from one schema version to the next; ``user_version`` is the number of applied ones."""

TABLES: Final = ("polled", "jobs", "tombstones", "counters", "histograms", "baselines", "floor")


def pragma(connection: sqlite3.Connection, name: str) -> int:
    """Return the value of a numeric pragma."""
    return int(connection.execute(f"PRAGMA {name}").fetchone()[0])


def check_schema(connection: sqlite3.Connection, migrations: Sequence[str] = MIGRATIONS) -> int:
    """Return the schema version of a file. The check does not change a foreign file.

    Raises:
        StateUnreadableError: another program's file, or an unknown version.
    """
    version, schema = pragma(connection, "user_version"), _schema(connection)
    if schema and pragma(connection, "application_id") != APPLICATION_ID:
        raise StateUnreadableError("a database of another program")
    if version > len(migrations):
        raise StateUnreadableError(
            f"version {version} is newer than {len(migrations)}, the newest that this release knows"
        )
    if version < 0 or schema != _schema_of(migrations[:version]):
        raise StateUnreadableError(f"the tables are not those of version {version}")
    return version


def check_pages(connection: sqlite3.Connection) -> None:
    """Check the pages of a file.

    Raises:
        StateUnreadableError: a page is damaged.
    """
    (found,) = connection.execute("PRAGMA quick_check(1)").fetchone()
    if found != "ok":
        raise StateUnreadableError(f"damaged: {first_line(found)}")


def migrate(connection: sqlite3.Connection, version: int, migrations: Sequence[str] = MIGRATIONS) -> None:
    """Migrate a file from a version to the newest, in the transaction of the caller."""
    for script in migrations[version:]:
        for statement in filter(str.strip, script.split(";")):
            connection.execute(statement)
    connection.execute(f"PRAGMA application_id={APPLICATION_ID}")
    connection.execute(f"PRAGMA user_version={len(migrations)}")


def _schema(connection: sqlite3.Connection) -> frozenset[tuple[str, ...]]:
    """Return the objects of a database with their SQL, with normalized white space."""
    rows = connection.execute("SELECT type, name, tbl_name, sql FROM sqlite_schema")
    return frozenset(tuple(" ".join(str(text).split()) for text in row) for row in rows)


def _schema_of(migrations: Iterable[str]) -> frozenset[tuple[str, ...]]:
    with closing(sqlite3.connect(":memory:")) as model:
        for script in migrations:
            model.executescript(script)
        return _schema(model)
