"""Signal handlers: SIGTERM and SIGINT end the process, SIGHUP reloads the settings."""

import signal
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from queue import SimpleQueue
from types import FrameType
from typing import Any, Final

SIGNAL_LATENCY: Final = 0.2
"""Seconds between two moments at which a waiting main thread runs pending signal handlers."""


@contextmanager
def stopped_by_signals() -> Iterator[threading.Event]:
    """Yield an event that SIGTERM and SIGINT set.

    A handler runs in the main thread, between any two steps, so it must not take a lock that the main thread may hold
    at that moment, such as the one of the event. A separate thread sets the event.
    """
    stop, numbers = threading.Event(), SimpleQueue[int]()

    def stop_at_signal() -> None:
        numbers.get()
        stop.set()

    threading.Thread(target=stop_at_signal, name="signals", daemon=True).start()
    with _handled_by(lambda number, _: numbers.put(number), signal.SIGTERM, signal.SIGINT):
        yield stop
    numbers.put(0)


def wait_for(stop: threading.Event) -> None:
    """Wait in the main thread until an event is set.

    The kernel may deliver a signal to any thread. That does not wake the main thread, which alone runs handlers, so the
    main thread wakes up at intervals.
    """
    while not stop.wait(SIGNAL_LATENCY):
        pass


@contextmanager
def called_by_sighup(call: Callable[[], object]) -> Iterator[threading.Event]:
    """Make a call for each SIGHUP, in a separate thread: a handler may interrupt any code.

    Yield an event; the first call waits until it is set. A SIGHUP that is blocked and pending is handled as well.
    Afterwards, SIGHUP is blocked if it was blocked before.
    """
    calls: SimpleQueue[int | None] = SimpleQueue()
    started = threading.Event()

    def make_calls() -> None:
        started.wait()
        while calls.get() is not None:
            with suppress(Exception):  # a bug in the call ends the exporter, which reports it
                call()

    threading.Thread(target=make_calls, name="sighup", daemon=True).start()
    with _handled_by(lambda number, _: calls.put(number), signal.SIGHUP):
        before = signal.pthread_sigmask(signal.SIG_UNBLOCK, {signal.SIGHUP})
        try:
            yield started
        finally:
            signal.pthread_sigmask(signal.SIG_SETMASK, before)
    calls.put(None)


@contextmanager
def interrupted_by_signals() -> Iterator[None]:
    """Handle SIGTERM like SIGINT.

    Raises:
        KeyboardInterrupt: SIGTERM or SIGINT arrived.
    """
    with _handled_by(signal.default_int_handler, signal.SIGTERM, signal.SIGINT):
        yield


class TimeoutReached(BaseException):
    """The time limit is over."""


@contextmanager
def interrupted_after(seconds: float) -> Iterator[None]:
    """Limit the time of the main thread in the ``with`` block.

    Raises:
        TimeoutReached: the time is over.
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
        for number, previous in before.items():
            signal.signal(number, previous)
