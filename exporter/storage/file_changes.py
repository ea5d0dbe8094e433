"""Detection of changes that other programs make to the state file or its write-ahead log while it is open.

A connection with an exclusive lock keeps pages and the index of the write-ahead log in memory. It does not detect that
another program overwrites or truncates the file, or removes the log: later writes are lost with the process. So each
write compares the inode, size and modification time of the file and the log with those after the previous write. A
write sets the modification time to a value with nanoseconds: the clock of many file systems has steps of milliseconds,
in which two writes are not distinguishable. The file must not be opened a second time: when a process closes any
descriptor of a file, the system drops all its locks on the file.
"""

import os
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import NamedTuple

from exporter.storage.sqlite_errors import mapped_errors
from exporter.storage.state_errors import StateLostError, StateUnreadableError


class _Mark(NamedTuple):
    """Attributes of a file that change with each write of its content."""

    device: int
    inode: int
    size: int
    modified: int


class FileChanges:
    """Compares the file and its write-ahead log with their state after the last write of this process.

    Args:
        path: the file.
    """

    def __init__(self, path: str) -> None:
        self._path, self._log = path, f"{path}-wal"
        self._left: tuple[_Mark | None, _Mark | None] = (None, None)
        """State of the file and its log after the last write of this process."""
        self._own: tuple[object, object] = (None, None)
        """Identities of the file and its log."""

    @property
    def size(self) -> int:
        """Size of the file and its write-ahead log after the last write, bytes."""
        return sum(mark.size for mark in self._left if mark is not None)

    @property
    def log_size(self) -> int:
        """Size of the write-ahead log after the last write, bytes."""
        log = self._left[1]
        return 0 if log is None else log.size

    def check(self) -> None:
        """Check that no other program has changed the file since the last write: otherwise a write is lost.

        Raises:
            StateLostError: it was removed or replaced.
            StateUnreadableError: its content or its write-ahead log was changed.
            StateUnwritableError: its directory cannot be read.
        """
        with mapped_errors():
            now = _mark(self._path), _mark(self._log)
        if _identity(now[0]) != self._own[0]:
            raise StateLostError(f"it was {'removed' if now[0] is None else 'replaced'} while it was in use")
        if _identity(now[1]) != self._own[1]:
            raise StateUnreadableError("its write-ahead log was removed while it was in use")
        if now != self._left:
            what = "it" if now[0] != self._left[0] else "its write-ahead log"
            raise StateUnreadableError(f"another program changed {what} while it was in use")

    def begin(self) -> None:
        """Accept the file and its log as those of this process."""
        self.accept()
        self._own = _identity(self._left[0]), _identity(self._left[1])

    def accept(self) -> None:
        """Accept the current state of the file and its log."""
        self._left = _marked(self._path), _marked(self._log)

    @contextmanager
    def writing_log(self) -> Iterator[None]:
        """Accept the state of the log afterwards. A write only extends the log, and does not change the file."""
        try:
            yield
        finally:
            file, before = self._left
            after = _marked(self._log)
            if before is None or (after is not None and after.size >= before.size):
                self._left = file, after

    def log_is_stale(self) -> bool:
        """Return whether the log of this process is still at its path although the file is not."""
        with suppress(OSError):
            moved = _identity(_mark(self._path)) != self._own[0]
            return moved and _identity(_mark(self._log)) == self._own[1]
        return False

    def remove_log(self) -> None:
        """Remove the log, if the system permits it."""
        with suppress(OSError):
            Path(self._log).unlink()


def _mark(path: str) -> _Mark | None:
    """Return the attributes of a file; ``None`` if it does not exist.

    Raises:
        OSError: the system does not return them.
    """
    try:
        found = os.stat(path)  # noqa: PTH116 -- it is called often
    except (FileNotFoundError, NotADirectoryError):
        return None
    return _Mark(found.st_dev, found.st_ino, found.st_size, found.st_mtime_ns)


def _marked(path: str) -> _Mark | None:
    """Set the modification time of a file, so that a later write of another program is detected."""
    with suppress(OSError):  # only the owner may set it
        moment = time.time_ns()
        os.utime(path, ns=(moment, moment))
    return _mark(path)


def _identity(mark: _Mark | None) -> object:
    """Return the identity of a file, independent of its content."""
    return None if mark is None else (mark.device, mark.inode)
