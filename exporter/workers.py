"""The threads that poll: a few for each target, so that no target ever waits for another."""

import threading
import time
from collections.abc import Iterable
from typing import Final, Protocol

JOIN_TIMEOUT: Final = 1.0
"""A thread that hangs in a call for longer is left behind; it ends with the process."""


class Steps(Protocol):
    """What a worker drives."""

    def step(self) -> float:
        """Do what is due; return 0, or the seconds until there is something to do."""
        ...


class Workers:
    """Steps each poller from several threads until ``stop`` is set.

    A poller handles every error that a poll can meet. What still comes out of it is a bug: it sets ``stop`` and is
    raised by ``join``, so that the process ends with a traceback and its supervisor starts it again.

    Args:
        pollers: what to drive.
        threads: how many for each.
        stop: ends the work.
    """

    def __init__(self, pollers: Iterable[Steps], threads: int, stop: threading.Event) -> None:
        self._stop = stop
        self._bug: BaseException | None = None
        self._threads = [
            threading.Thread(target=self._work, args=(poller,), name=f"poll-{number}", daemon=True)
            for poller in pollers
            for number in range(threads)
        ]

    def start(self) -> None:
        """Begin to poll."""
        for thread in self._threads:
            thread.start()

    def join(self) -> None:
        """Wait a moment for the threads to end; raise the bug that ended the work, if one did."""
        deadline = time.monotonic() + JOIN_TIMEOUT
        for thread in self._threads:
            thread.join(max(0.0, deadline - time.monotonic()))
        if self._bug is not None:
            raise self._bug

    def _work(self, poller: Steps) -> None:
        try:
            while not self._stop.is_set():
                wait = poller.step()
                if wait:
                    self._stop.wait(wait)
        except BaseException as bug:  # noqa: BLE001 -- raised again by join
            self._bug = bug
            self._stop.set()
