"""What becomes of the signals that end a process, or have it read its settings anew."""

import signal
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from queue import SimpleQueue
from types import FrameType
from typing import Any


@contextmanager
def stopped_by_signals() -> Iterator[threading.Event]:
    """Give an event that SIGTERM and SIGINT set."""
    stop = threading.Event()
    with _handled_by(lambda *_: stop.set(), signal.SIGTERM, signal.SIGINT):
        yield stop


@contextmanager
def called_by_sighup(call: Callable[[], object]) -> Iterator[None]:
    """Make a call for each SIGHUP, in a thread of its own: the handler may come in the middle of anything."""
    calls: SimpleQueue[int | None] = SimpleQueue()

    def make_calls() -> None:
        while calls.get() is not None:
            with suppress(Exception):  # a bug in it ends the exporter, which then tells of it
                call()

    threading.Thread(target=make_calls, name="sighup", daemon=True).start()
    with _handled_by(lambda number, _: calls.put(number), signal.SIGHUP):
        yield
    calls.put(None)


@contextmanager
def interrupted_by_signals() -> Iterator[None]:
    """Let SIGTERM end what is under way as SIGINT does.

    Raises:
        KeyboardInterrupt: one of them came.
    """
    with _handled_by(signal.default_int_handler, signal.SIGTERM, signal.SIGINT):
        yield


class TimeoutReached(BaseException):
    """The time for what was under way is over."""


@contextmanager
def interrupted_after(seconds: float) -> Iterator[None]:
    """Let what is under way in the main thread take so long at the most.

    Raises:
        TimeoutReached: it took longer.
    """

    def interrupt(*_: object) -> None:
        raise TimeoutReached

    with _handled_by(interrupt, signal.SIGALRM):
        signal.setitimer(signal.ITIMER_REAL, seconds, 1.0)
        try:
            yield
        finally:
            signal.setitimer(signal.ITIMER_REAL, 0.0)


@contextmanager
def _handled_by(handler: Callable[[int, FrameType | None], Any], *numbers: signal.Signals) -> Iterator[None]:
    before = {number: signal.signal(number, handler) for number in numbers}
    try:
        yield
    finally:
        for number, tombstone in before.items():
            signal.signal(number, tombstone)
