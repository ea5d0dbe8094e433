"""The threads that poll: a few for each target, so that no target ever waits for another."""

import threading
import time
from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import Final, Protocol

JOIN_TIMEOUT: Final = 1.0
"""A thread that hangs in a call for longer is left behind; it ends with the process."""


class Steps(Protocol):
    """What a worker drives."""

    def step(self) -> float:
        """Do what is due; return 0, or the seconds until there is something to do."""
        ...


@dataclass(frozen=True, slots=True, eq=False)
class _Gang:
    """The threads of one poller, and the event that ends them."""

    poller: Steps
    threads: list[threading.Thread] = field(default_factory=list)
    stirred: dict[str, float] = field(default_factory=dict)
    """When each thread last began a step, monotonic seconds, by the thread's name."""
    over: threading.Event = field(default_factory=threading.Event)

    @property
    def alive(self) -> bool:
        return any(thread.is_alive() for thread in self.threads)


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
        self._count, self._stop = threads, stop
        self._bug: BaseException | None = None
        self._gangs = [self._gang(poller) for poller in pollers]

    def start(self) -> None:
        """Begin to poll."""
        for gang in self._gangs:
            for thread in gang.threads:
                thread.start()

    def replace(self, pollers: Iterable[Steps]) -> None:
        """Drive these pollers from now on; the threads of those that go end by themselves, once their calls do."""
        wanted = [*pollers]
        driven = [gang.poller for gang in self._gangs if not gang.over.is_set()]
        for gang in self._gangs:
            if gang.poller not in wanted:
                gang.over.set()
        new = [self._gang(poller) for poller in wanted if poller not in driven]
        self._gangs = [*(gang for gang in self._gangs if gang.alive), *new]
        for gang in new:
            for thread in gang.threads:
                thread.start()

    def longest_step(self) -> float:
        """Return how long the thread that is in its step for longest has been in it, seconds."""
        now = time.monotonic()
        begun = [
            gang.stirred[thread.name]
            for gang in self._gangs
            for thread in gang.threads
            if thread.is_alive() and thread.name in gang.stirred
        ]
        return max((now - began for began in begun), default=0.0)

    def join(self) -> None:
        """Wait a moment for the threads to end; raise the bug that ended the work, if one did."""
        deadline = time.monotonic() + JOIN_TIMEOUT
        for gang in self._gangs:
            gang.over.set()
        for gang in self._gangs:
            for thread in gang.threads:
                thread.join(max(0.0, deadline - time.monotonic()))
        if self._bug is not None:
            raise self._bug

    def fail(self, bug: BaseException) -> None:
        """End the work because of a bug."""
        self._bug = bug
        self._stop.set()

    def _gang(self, poller: Steps) -> _Gang:
        gang = _Gang(poller)
        gang.threads.extend(
            threading.Thread(target=self._work, args=(gang,), name=f"poll-{number}", daemon=True)
            for number in range(self._count)
        )
        return gang

    def _work(self, gang: _Gang) -> None:
        try:
            name = threading.current_thread().name
            while not (self._stop.is_set() or gang.over.is_set()):
                gang.stirred[name] = time.monotonic()
                wait = gang.poller.step()
                if wait:
                    gang.over.wait(wait)
        except BaseException as bug:  # noqa: BLE001 -- raised again by join
            self.fail(bug)
