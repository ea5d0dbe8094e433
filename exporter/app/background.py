"""Calls in threads that do not keep the process alive."""

import threading
from collections.abc import Callable
from concurrent.futures import Future, wait

from exporter.app.signals import SIGNAL_LATENCY


def in_background(call: Callable[[], object], name: str) -> "Future[None]":
    """Make a call in a thread; return its outcome.

    The main thread has to be free for signals: their handlers run there, and not before a call into C ends.

    Args:
        call: the call.
        name: the name of the thread.
    """
    outcome: Future[None] = Future()

    def make_call() -> None:
        try:
            call()
        except BaseException as bug:  # noqa: BLE001 -- whoever reads the outcome raises it
            outcome.set_exception(bug)
        else:
            outcome.set_result(None)

    threading.Thread(target=make_call, name=name, daemon=True).start()
    return outcome


def finish(outcome: "Future[None]") -> None:
    """Wait in the main thread for the end of a call, and raise its exception; signal handlers run meanwhile."""
    while not wait([outcome], SIGNAL_LATENCY).done:
        pass
    outcome.result()
