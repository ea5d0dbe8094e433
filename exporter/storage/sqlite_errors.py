"""The one place that maps SQLite's errors to those of the state file."""

import sqlite3
from collections.abc import Iterator
from contextlib import contextmanager

from exporter.storage.state_errors import StateInUseError, StateUnreadableError, StateUnwritableError


@contextmanager
def mapped_errors() -> Iterator[None]:
    """Map the errors of SQLite and of the operating system.

    Raises:
        StateError: the operation failed.
    """
    try:
        yield
    except UnicodeDecodeError as error:
        raise StateUnreadableError("it contains text that is not UTF-8") from error
    except sqlite3.OperationalError as error:
        code = getattr(error, "sqlite_errorcode", 0) & 0xFF  # the other bits are details
        if code in {sqlite3.SQLITE_BUSY, sqlite3.SQLITE_LOCKED}:
            raise StateInUseError("another process uses it") from error
        raise StateUnwritableError(str(error)) from error
    except sqlite3.DatabaseError as error:
        raise StateUnreadableError(str(error)) from error
    except OSError as error:
        raise StateUnwritableError(error.strerror or str(error)) from error
