"""The threads that poll: one bounded pool for all targets."""

import threading
import time
from collections import Counter
from collections.abc import Callable, Hashable, Iterable, Iterator
from functools import partial
from typing import Final, Protocol

from exporter.polling.scheduler import MAX_CALLS, Scheduler, Turn

START_INTERVAL: Final = 0.02
"""The time between the first calls of two new targets, seconds, so that polls are spread out from the start on."""

JOIN_TIMEOUT: Final = 1.0
"""A thread that is longer in a call than this, seconds, is left running; it ends with the process."""


class Poller(Protocol):
    """The poller of one target."""

    @property
    def group(self) -> Hashable:
        """The credentials of the target."""
        ...

    def step(self, starting: Callable[[], None]) -> float:
        """Make one due call and return 0, or return the seconds until a call may be due.

        Args:
            starting: is called before the call is made.
        """
        ...


class WorkerPool:
    """Makes the calls of all pollers until ``stop`` is set.

    A poller handles every error of a call. Any other exception is a bug: it sets ``stop``, and ``join`` raises it. So
    the process ends with a traceback, and its supervisor starts it again.

    Args:
        pollers: the pollers.
        threads: the maximum number of threads.
        stop: ends all threads.
    """

    def __init__(self, pollers: Iterable[Poller], threads: int, stop: threading.Event) -> None:
        self._max_threads, self._stop, self._stopped = threads, stop, False
        self._bug: BaseException | None = None
        self._scheduler: Scheduler[Poller] = Scheduler(threads)
        self._changed = threading.Condition(threading.Lock())
        """Held while the scheduler is used; notified when a target may have its turn."""
        self._alarm = float("inf")
        """When a waiting thread wakes up at the latest, monotonic seconds; infinite if none does."""
        self._threads: list[threading.Thread] = []
        self._step_started: dict[str, float] = {}
        """When each thread started its current step, monotonic seconds, by the thread's name."""
        self._schedule(pollers)

    def start(self) -> None:
        """Start the threads."""
        self._start_threads()

    def replace(self, pollers: Iterable[Poller]) -> None:
        """Make the calls of these pollers from now on. A call in flight of a removed poller ends as usual."""
        self._schedule(pollers)
        self._start_threads()

    def wake(self, poller: Poller) -> None:
        """Give a poller its turn, because its target changed."""
        with self._changed:
            if poller in self._scheduler:
                self._scheduler.wake(poller)
                self._changed.notify()

    def longest_step(self) -> float:
        """Return the longest time that a thread has been in its current step, seconds."""
        now = time.monotonic()
        return max((now - started for started in [*self._step_started.values()]), default=0.0)

    def join(self) -> None:
        """Wait up to ``JOIN_TIMEOUT`` for the threads to end; raise the bug that ended one of them."""
        deadline = time.monotonic() + JOIN_TIMEOUT
        with self._changed:
            self._stopped = True
            self._changed.notify_all()
        for thread in self._threads:
            thread.join(max(0.0, deadline - time.monotonic()))
        if self._bug is not None:
            raise self._bug

    def fail(self, bug: BaseException) -> None:
        """End all threads because of a bug."""
        self._bug = bug
        self._stop.set()

    def _schedule(self, pollers: Iterable[Poller]) -> None:
        """Add the new pollers, remove the others, and wake the pollers that stay: their targets may have changed."""
        wanted, now = dict.fromkeys(pollers), time.monotonic()
        with self._changed:
            scheduler = self._scheduler
            for poller in [*scheduler]:
                if poller in wanted:
                    scheduler.wake(poller)
                else:
                    scheduler.remove(poller)
            for number, poller in enumerate(_interleaved(poller for poller in wanted if poller not in scheduler)):
                scheduler.add(poller, poller.group, now + number * START_INTERVAL)
            self._changed.notify_all()

    def _start_threads(self) -> None:
        """Start the missing threads. A target cannot use more than ``MAX_CALLS`` of them."""
        wanted = min(self._max_threads, MAX_CALLS * len(self._scheduler))
        for number in range(len(self._threads), wanted):
            thread = threading.Thread(target=self._work, name=f"poll-{number}", daemon=True)
            self._threads.append(thread)
            thread.start()

    def _work(self) -> None:
        name = threading.current_thread().name
        try:
            while (turn := self._next_turn()) is not None:
                self._step_started[name] = time.monotonic()
                self._step(turn)
                del self._step_started[name]
        except BaseException as bug:  # noqa: BLE001 -- raised again by join
            self._step_started.pop(name, None)
            self.fail(bug)

    def _step(self, turn: Turn[Poller]) -> None:
        wait = turn.target.step(partial(self._starting, turn))
        with self._changed:
            if wait:
                self._scheduler.idle(turn, time.monotonic() + wait)
            else:
                self._scheduler.ended(turn, time.monotonic())

    def _starting(self, turn: Turn[Poller]) -> None:
        with self._changed:
            self._scheduler.called(turn)
            self._changed.notify()

    def _next_turn(self) -> Turn[Poller] | None:
        """Wait for the next turn; return ``None`` at the end."""
        with self._changed:
            while not (self._stopped or self._stop.is_set()):
                now = time.monotonic()
                turn = self._scheduler.next(now)
                if isinstance(turn, Turn):
                    if self._scheduler.has_queued or self._alarm == float("inf"):
                        self._changed.notify()
                    return turn
                self._wait(now + turn)
        return None

    def _wait(self, until: float) -> None:
        """Wait for a change. One thread at least wakes up when the next target is due."""
        if until >= self._alarm:
            self._changed.wait()
            return
        self._alarm = until
        self._changed.wait(until - time.monotonic())
        if self._alarm == until:
            self._alarm = float("inf")


def _interleaved(pollers: Iterable[Poller]) -> Iterator[Poller]:
    """Yield pollers so that those with the same credentials are far apart: the first call shows whether these work."""
    turns: Counter[Hashable] = Counter()
    numbered: list[tuple[int, Poller]] = []
    for poller in pollers:
        numbered.append((turns[poller.group], poller))
        turns[poller.group] += 1
    return (poller for _, poller in sorted(numbered, key=lambda pair: pair[0]))
