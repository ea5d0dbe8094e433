"""Writer of the state file: it writes entries, reports failures, and replaces an unusable file from memory."""

import os
import threading
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Final

from exporter.core import Clock
from exporter.storage.persistence import Entry, Restorer, SavedState, check_record
from exporter.storage.state_errors import StateError, StateInUseError, StateLostError, StateUnreadableError
from exporter.telemetry import EventLog, SelfMetrics

if TYPE_CHECKING:
    from exporter.storage.sqlite_file import State

RETRY_INTERVAL: Final = 5.0
"""Seconds between two attempts to write a file that could not be written."""

HEARTBEAT_INTERVAL: Final = 30.0
"""Seconds between two writes of the time of the last poll, while there are no other changes."""


class StateWriter:
    """Writes entries of the store to the state file.

    Args:
        path: the state file. A symbolic link is resolved once, now.
        event_log: the log.
        telemetry: the metrics of the state file.
        clock: the time.
        tag_keys: the tag keys that are labels of counters and histograms.
    """

    def __init__(
        self, path: str, event_log: EventLog, telemetry: SelfMetrics, clock: Clock, tag_keys: Sequence[str] = ()
    ) -> None:
        self._tag_keys = tag_keys
        self._path, self._event_log, self._telemetry, self._clock = os.path.realpath(path), event_log, telemetry, clock
        self._state: State | None = None
        self._baselines: Mapping[str, float] = {}
        self._baselines_written = False
        self._closed = False
        self._failing_since: float | None = None
        self._last_try = clock.monotonic()
        self._lock = threading.Lock()
        """Held while the file is in use."""

    @property
    def open(self) -> bool:
        """Whether a write may succeed now."""
        return self._failing_since is None or self._clock.monotonic() >= self._last_try + RETRY_INTERVAL

    def load(self, restorer: Restorer, everything: Callable[[], Entry]) -> SavedState | None:
        """Open and read the file; ``None`` if it is empty or cannot be read.

        An unreadable file is set aside, and an invalid row is skipped. A file that cannot be opened now is opened with
        a later write. What was read before an error is valid: it stays in memory, and a new file is written from there.

        Args:
            restorer: takes the aggregates and the jobs.
            everything: returns the whole state, for a new file.

        Raises:
            StateInUseError: another process uses it.
        """
        with self._lock:
            try:
                saved = self._open_and_read(restorer, everything)
            except StateInUseError:
                raise
            except StateError as error:
                self._report_failure(error)
                return None
        if saved is not None:
            self._event_log.state_loaded(self._path, jobs=saved.jobs, polled=saved.polled)
        return saved

    def set_baselines(self, baselines: Mapping[str, float]) -> None:
        """Set the baseline time of each owner, unix seconds; the next write includes it."""
        with self._lock:
            if baselines != self._baselines:
                self._baselines, self._baselines_written = baselines, False

    def write(self, entry: Entry, everything: Callable[[], Entry]) -> bool:
        """Write an entry, all of it or nothing; return whether that succeeded.

        Args:
            entry: the changes.
            everything: returns the whole state, for a new file.
        """
        with self._lock:
            if self._closed:  # a call that outlives the daemon; another process may use the file by now
                return False
            return self._try_write(entry, everything)

    def beat(self, everything: Callable[[], Entry]) -> None:
        """Write the time, unless something was written lately."""
        if self.open and self._clock.monotonic() >= self._last_try + HEARTBEAT_INTERVAL:
            self.write(Entry(), everything)

    def close(self, everything: Callable[[], Entry]) -> None:
        """Close the file for good. One that was changed by others since the last write is written again first."""
        with self._lock:
            if self._state is not None:
                try:
                    self._state.check()
                except StateError:
                    self._try_write(Entry(), everything)
            self._closed = True
            self._close()

    def _open_and_read(self, restorer: Restorer, everything: Callable[[], Entry]) -> SavedState | None:
        try:
            state = self._open()
            try:
                saved = state.read(restorer, check_record)
            except StateError:
                state.close()
                raise
        except StateUnreadableError as error:
            self._set_aside(error)
            self._start_new_file(Entry(), everything)
            return None
        self._state = state
        self._telemetry.state_written(self._clock.wall(), state.size)
        if state.skipped.rows:
            self._event_log.state_rows_skipped(self._path, *state.skipped)
        return saved

    def _try_write(self, entry: Entry, everything: Callable[[], Entry]) -> bool:
        self._last_try = self._clock.monotonic()
        try:
            self._write(entry, everything)
        except StateError as error:
            self._report_failure(error)
            return False
        return True

    def _write(self, entry: Entry, everything: Callable[[], Entry]) -> None:
        try:
            if self._state is None:
                self._start_new_file(entry, everything)
            else:
                self._write_to(self._state, entry)
        except StateUnreadableError as error:
            self._set_aside(error)
            self._start_new_file(entry, everything)
        except StateLostError as error:
            self._report_failure(error)
            self._start_new_file(entry, everything)
        self._report_recovery()

    def _start_new_file(self, entry: Entry, everything: Callable[[], Entry]) -> None:
        """Write the whole state to a new file."""
        self._close()
        try:
            state = self._open()
        except StateUnreadableError as error:
            self._set_aside(error)
            state = self._open()
        try:
            if state.used:
                self._state = state
                self._set_aside(StateUnreadableError("it was not read at the start"))
                state = self._open()
            self._baselines_written = False
            self._write_to(state, everything())
        except StateError:
            state.close()
            raise
        self._state = state  # it is complete, even if writing the entry fails
        self._write_to(state, entry)

    def _write_to(self, state: "State", entry: Entry) -> None:
        wall = self._clock.wall()
        state.write(entry, polled=wall, baselines=None if self._baselines_written else self._baselines)
        self._baselines_written = True
        if entry.gone:
            state.compact()
        self._telemetry.state_written(wall, state.size)

    def _open(self) -> "State":
        from exporter.storage.sqlite_file import State  # noqa: PLC0415 -- 12 ms and 1 MB, for which a start needs a file

        return State(self._path, tag_keys=self._tag_keys)

    def _close(self) -> None:
        if self._state is not None:
            self._state.close()
            self._state = None

    def _report_failure(self, error: StateError) -> None:
        self._telemetry.state_failed()
        if self._failing_since is None:
            self._failing_since = self._clock.monotonic()
            self._event_log.state_failing(self._path, str(error))

    def _report_recovery(self) -> None:
        if self._failing_since is not None:
            seconds, self._failing_since = self._clock.monotonic() - self._failing_since, None
            self._event_log.state_recovered(self._path, seconds)

    def _set_aside(self, error: StateUnreadableError) -> None:
        """Rename an unreadable file; the new name contains the time.

        Raises:
            StateError: it cannot be renamed.
        """
        aside = f"{self._path}.{datetime.fromtimestamp(self._clock.wall(), UTC):%Y%m%dT%H%M%SZ}"
        try:
            Path(self._path).rename(aside)
            for suffix in ("-wal", "-shm"):
                with suppress(FileNotFoundError):
                    Path(f"{self._path}{suffix}").rename(f"{aside}{suffix}")
        except OSError as failure:
            raise StateError(f"{error}, and it cannot be renamed: {failure.strerror}") from failure
        finally:
            self._close()  # only now, so that SQLite does not change the renamed file
        self._event_log.state_set_aside(self._path, aside, str(error))
