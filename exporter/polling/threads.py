"""The polling threads: a few for each target, so that no target waits for another one."""

import threading
import time
from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import Final, Protocol

JOIN_TIMEOUT: Final = 1.0
"""A thread that is longer in a call than this, seconds, is left running; it ends with the process."""


class Poller(Protocol):
    """The loop body of a thread."""

    def step(self) -> float:
        """Make one due call and return 0, or return the seconds until a call is due."""
        ...


@dataclass(frozen=True, slots=True, eq=False)
class _PollerThreads:
    """The threads of one poller.

    Attributes:
        poller: the poller.
        threads: its threads.
        step_started: when each thread last started a step, monotonic seconds, by the thread's name.
        stopped: ends the threads.
    """

    poller: Poller
    threads: list[threading.Thread] = field(default_factory=list)
    step_started: dict[str, float] = field(default_factory=dict)
    stopped: threading.Event = field(default_factory=threading.Event)

    @property
    def alive(self) -> bool:
        return any(thread.is_alive() for thread in self.threads)

    def start(self) -> None:
        for thread in self.threads:
            thread.start()


class WorkerThreads:
    """Steps each poller in several threads until ``stop`` is set.

    A poller handles every error of a call. Any other exception is a bug: it sets ``stop``, and ``join`` raises it. So
    the process ends with a traceback, and its supervisor starts it again.

    Args:
        pollers: the pollers.
        threads: the number of threads for each poller.
        stop: ends all threads.
    """

    def __init__(self, pollers: Iterable[Poller], threads: int, stop: threading.Event) -> None:
        self._threads_per_poller, self._stop = threads, stop
        self._bug: BaseException | None = None
        self._groups = [self._group(poller) for poller in pollers]

    def start(self) -> None:
        """Start the threads."""
        for group in self._groups:
            group.start()

    def replace(self, pollers: Iterable[Poller]) -> None:
        """Step these pollers from now on. The threads of removed pollers end after their calls in flight."""
        wanted = [*pollers]
        running = [group.poller for group in self._groups if not group.stopped.is_set()]
        for group in self._groups:
            if group.poller not in wanted:
                group.stopped.set()
        new = [self._group(poller) for poller in wanted if poller not in running]
        self._groups = [*(group for group in self._groups if group.alive), *new]
        for group in new:
            group.start()

    def longest_step(self) -> float:
        """Return the longest time that a thread has been in its current step, seconds."""
        now = time.monotonic()
        started = [
            group.step_started[thread.name]
            for group in self._groups
            for thread in group.threads
            if thread.is_alive() and thread.name in group.step_started
        ]
        return max((now - start for start in started), default=0.0)

    def join(self) -> None:
        """Wait up to ``JOIN_TIMEOUT`` for the threads to end; raise the bug that ended one of them."""
        deadline = time.monotonic() + JOIN_TIMEOUT
        for group in self._groups:
            group.stopped.set()
        for group in self._groups:
            for thread in group.threads:
                thread.join(max(0.0, deadline - time.monotonic()))
        if self._bug is not None:
            raise self._bug

    def fail(self, bug: BaseException) -> None:
        """End all threads because of a bug."""
        self._bug = bug
        self._stop.set()

    def _group(self, poller: Poller) -> _PollerThreads:
        group = _PollerThreads(poller)
        group.threads.extend(
            threading.Thread(target=self._work, args=(group,), name=f"poll-{number}", daemon=True)
            for number in range(self._threads_per_poller)
        )
        return group

    def _work(self, group: _PollerThreads) -> None:
        try:
            name = threading.current_thread().name
            while not (self._stop.is_set() or group.stopped.is_set()):
                group.step_started[name] = time.monotonic()
                wait = group.poller.step()
                if wait:
                    group.stopped.wait(wait)
        except BaseException as bug:  # noqa: BLE001 -- raised again by join
            self.fail(bug)
