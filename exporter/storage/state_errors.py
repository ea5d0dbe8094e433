"""Errors of the state file, and the one place that maps SQLite's errors to them."""

import sqlite3
from collections.abc import Iterator
from contextlib import contextmanager


class StateError(Exception):
    """The file cannot be used; the text is one line with the reason."""


class StateInUseError(StateError):
    """Another process uses the file."""


class StateUnreadableError(StateError):
    """The file is damaged, was changed by another program, or belongs to another program or a newer release."""


class StateLostError(StateError):
    """The file was removed or replaced while it was open: its path holds another file, if any."""


class StateUnwritableError(StateError):
    """The disk is full or read-only, or similar: a later attempt may succeed."""


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


def first_line(text: object) -> str:
    """Return the first line of an error's text."""
    return str(text).partition("\n")[0]
