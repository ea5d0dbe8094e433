"""The writer of log lines: one thread, so that a slow or broken sink does not stop the work.

A thread that logs waits until its line is written, so a line is in the log before its effect is visible elsewhere. Once
the sink has been stuck for ``PATIENCE``, lines are dropped and counted, and nothing waits until the sink is back.
"""

import threading
import time
from collections import deque
from collections.abc import Callable
from contextlib import suppress
from typing import Final, TextIO

from exporter.telemetry.log_sink import Sink, sink_of

PATIENCE: Final = 1.0
"""The longest time, seconds, that all threads together wait for a stuck sink."""

MIN_PATIENCE: Final = 0.05
"""The patience right after the sink was stuck, seconds. It returns to ``PATIENCE`` in ten seconds, so a sink that is
stuck again and again costs a tenth of the time at most."""

RETRY_INTERVAL: Final = 5.0
"""Seconds between two attempts to write to a sink that reported an error, if nothing else is logged."""

IDLE_TIMEOUT: Final = 0.1
"""Seconds after the last line until the thread ends; the next line starts another one."""

MAX_QUEUED: Final = 1000
"""The maximum number of lines that wait for the thread."""


class _Line:
    """A line, and whether its thread need not wait for it any more."""

    __slots__ = ("over", "text")

    def __init__(self, text: str) -> None:
        self.text = text
        self.over = threading.Event()


def _ignore_drop() -> None:
    pass


def write_text(stream: TextIO, text: str) -> None:
    """Write a text that is not a log event, and wait for that no longer than for a log event."""
    LogWriter(sink_of(stream)).write(text)


class LogWriter:
    """Writes lines to a sink in a thread of its own.

    Args:
        sink: where to write.
        recovery_line: returns the line that reports a number of dropped lines; empty if that is not logged.
        on_drop: is called for each dropped line.
        clock: the time, monotonic seconds.
        wait: waits for an event up to some seconds; returns whether it happened.
    """

    def __init__(
        self,
        sink: Sink,
        *,
        recovery_line: Callable[[int], str] = lambda _: "",
        on_drop: Callable[[], None] = _ignore_drop,
        clock: Callable[[], float] = time.monotonic,
        wait: Callable[[threading.Event, float], bool] = threading.Event.wait,
    ) -> None:
        self._sink, self._recovery_line, self._on_drop = sink, recovery_line, on_drop
        self._clock, self._wait = clock, wait
        self._changed = threading.Condition()  # its lock is reentrant: the garbage collector may log anywhere
        self._queue: deque[_Line] = deque()
        self._in_flight: _Line | None = None
        self._stuck = False
        self._unstuck_at = float("-inf")
        self._lost = 0
        """The lines that were dropped since the last report."""
        self._report_at = float("-inf")
        """When to report them at the latest, if nothing else is logged."""
        self._thread: threading.Thread | None = None

    def write(self, text: str) -> None:
        """Write a line, and wait until it is written or dropped."""
        line = _Line(text)
        with self._changed:
            if self._stuck or len(self._queue) >= MAX_QUEUED:
                self._drop(line)
                return
            self._queue.append(line)
            self._changed.notify()
            self._start_thread()
            patience = self._patience()
        if threading.current_thread() is self._thread:  # the sink itself logs
            return
        if not self._wait(line.over, patience):
            self._give_up(line)

    def _start_thread(self) -> None:
        """Start the thread, if there is none; without memory for one, write in this thread."""
        if self._has_thread():
            return
        thread = threading.Thread(target=self._run, name="log", daemon=True)
        if self._has_thread():  # the garbage collector logged meanwhile
            return
        self._thread = thread
        try:
            thread.start()
        except RuntimeError:
            self._thread = None
            while self._queue:
                line = self._queue.popleft()
                self._finish(line, written=self._try(line.text))

    def _has_thread(self) -> bool:
        return self._thread is not None

    def _patience(self) -> float:
        return min(PATIENCE, max(MIN_PATIENCE, (self._clock() - self._unstuck_at) * PATIENCE / 10))

    def _give_up(self, line: _Line) -> None:
        """Drop all lines that wait, because the sink did not take this one in time."""
        with self._changed:
            if line.over.is_set():
                return
            self._stuck = self._in_flight is not None  # else the thread did not get its turn
            while self._queue:
                self._drop(self._queue.popleft())
            if self._in_flight is not None:  # it is written when the sink is back
                self._in_flight.over.set()

    def _drop(self, line: _Line) -> None:
        self._lost += 1
        self._on_drop()
        line.over.set()

    def _run(self) -> None:
        while (line := self._next()) is not None:
            written = self._report() and self._try(line.text)
            self._finish(line, written=written)

    def _next(self) -> _Line | None:
        """Wait for a line; return an empty one to report dropped lines, and ``None`` to end the thread."""
        with self._changed:
            while not self._queue:
                left = self._report_at - self._clock() if self._lost else IDLE_TIMEOUT
                if left <= 0:
                    break
                if not self._changed.wait(left) and not self._queue and not self._lost:
                    self._thread = None
                    return None
            self._in_flight = self._queue.popleft() if self._queue else _Line("")
            return self._in_flight

    def _report(self) -> bool:
        """Report the dropped lines, if there are any; return whether the sink works."""
        lost = self._lost
        if lost == 0:
            return True
        if not self._try(self._recovery_line(lost)):
            return False
        with self._changed:
            self._lost -= lost
        return True

    def _try(self, text: str) -> bool:
        """Write a line, if it is not empty; return whether that succeeded."""
        if not text:
            return True
        with suppress(OSError, ValueError):  # Python raises ValueError for a closed file
            self._sink.write(text)
            return True
        return False

    def _finish(self, line: _Line, *, written: bool) -> None:
        """Let the line's thread continue, and the others log again."""
        with self._changed:
            now = self._clock()
            self._in_flight = None
            if self._stuck:
                self._stuck, self._unstuck_at = False, now
            self._report_at = now if written else now + RETRY_INTERVAL
            if line.text and not written:
                self._drop(line)
            line.over.set()
