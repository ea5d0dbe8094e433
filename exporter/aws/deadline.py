"""Calls with a deadline: each runs in its own thread, which is abandoned at the deadline. All calls share threads."""

import threading
import time
from collections.abc import Callable
from queue import Empty, SimpleQueue
from typing import Any, Final

MOST_HANGING: Final = 8
"""Maximum number of hanging abandoned calls of one client; at this number, its further calls fail without a thread."""

MANY_HANGING: Final = 32
"""The number of hanging abandoned calls of all clients at which a client with such a call starts no other one."""

IDLE_AFTER: Final = 10.0
"""Seconds without a call after which a thread ends."""


class DeadlineError(Exception):
    """A call did not end in time, or was not started.

    Attributes:
        hanging: the number of abandoned calls of the client that hang, including this one.
        started: whether a thread began the call.
    """

    def __init__(self, hanging: int, *, started: bool) -> None:
        super().__init__("the call did not end in time" if started else "the call was not started")
        self.hanging, self.started = hanging, started


class Outcome:
    """The result or the exception of a call. The exception is a value, so no traceback is chained to another.

    Attributes:
        value: the result; ``None`` after an error.
        error: the exception; ``None`` after success.
    """

    __slots__ = ("_argument", "_done", "_function", "abandoned", "ended", "error", "value")

    def __init__(self, function: Callable[[Any], Any], argument: object) -> None:
        self._function, self._argument = function, argument
        self._done = threading.Lock()
        self._done.acquire()
        self.ended = False
        self.abandoned: Callable[[], None] | None = None
        """Counts the end of an abandoned call; ``None`` while the call is waited for."""
        self.value: Any = None
        self.error: BaseException | None = None

    def perform(self) -> None:
        """Make the call."""
        try:
            self.value = self._function(self._argument)
        except BaseException as error:  # noqa: BLE001 -- the caller decides what it means
            self.error = error

    def publish(self) -> None:
        """Wake the caller."""
        self._done.release()

    def wait(self, seconds: float) -> bool:
        """Wait for the end; return whether the call ended in time."""
        return self._done.acquire(timeout=seconds)


class CallThreads:
    """The threads that make calls. Thread-safe.

    A thread is reused after a call that ended in time. A thread with a late call is abandoned, and ends with the call.

    Attributes:
        lock: held while the attributes below, or those of a ``Deadline``, are read or changed.
        hanging: the number of abandoned calls that hang.
    """

    def __init__(self) -> None:
        self.lock = threading.Lock()
        self.hanging = 0
        self._idle: list[SimpleQueue[Outcome]] = []

    def make(self, outcome: Outcome) -> None:
        """Make a call in a thread.

        Raises:
            RuntimeError: no thread can be started.
        """
        with self.lock:
            queue = self._idle.pop() if self._idle else None
        (queue or self._new_thread()).put(outcome)

    def _new_thread(self) -> "SimpleQueue[Outcome]":
        queue: SimpleQueue[Outcome] = SimpleQueue()
        threading.Thread(target=self._work, args=(queue,), name="call", daemon=True).start()
        return queue

    def _work(self, queue: "SimpleQueue[Outcome]") -> None:
        while True:
            try:
                outcome = queue.get(timeout=IDLE_AFTER)
            except Empty:
                with self.lock:
                    if queue in self._idle:
                        self._idle.remove(queue)
                        return
                continue  # a call is on its way
            outcome.perform()
            with self.lock:
                outcome.ended = True
                if outcome.abandoned is not None:
                    outcome.abandoned()
                    return
                self._idle.append(queue)
            outcome.publish()
            del outcome  # an idle thread holds no response


class Deadline:
    """Runs the calls of one client, and returns at the deadline in any case. Thread-safe.

    Args:
        seconds: the deadline of a call.
        most_hanging: the number of abandoned calls at which no further call is started.
        threads: make the calls; by default, the calls have threads of their own.
    """

    def __init__(self, seconds: float, *, most_hanging: int = MOST_HANGING, threads: CallThreads | None = None) -> None:
        self.seconds = seconds
        self._most_hanging = most_hanging
        self._threads = CallThreads() if threads is None else threads
        self._hanging = 0

    def run(self, function: Callable[[Any], Any], argument: object, until: float | None = None) -> Outcome:
        """Call a function with one argument.

        Args:
            function: the function.
            argument: its argument.
            until: the deadline, monotonic seconds, if the call started earlier.

        Raises:
            DeadlineError: the call did not end in time, too many earlier calls hang, or no thread can be started.
        """
        until = time.monotonic() + self.seconds if until is None else until
        if self._too_many_hang():
            raise DeadlineError(self._hanging, started=False)
        outcome = Outcome(function, argument)
        try:
            self._threads.make(outcome)
        except RuntimeError:  # the limit of threads is reached
            raise DeadlineError(self._hanging, started=False) from None
        if not outcome.wait(max(0.0, until - time.monotonic())):
            with self._threads.lock:
                if not outcome.ended:
                    outcome.abandoned = self._ended_late
                    self._count_hanging(1)
                    raise DeadlineError(self._hanging, started=True)
        return outcome

    def _too_many_hang(self) -> bool:
        """Return whether no further call is started. A client without hanging calls can always start one."""
        return self._hanging >= (1 if self._threads.hanging >= MANY_HANGING else self._most_hanging)

    def _ended_late(self) -> None:
        self._count_hanging(-1)

    def _count_hanging(self, calls: int) -> None:
        """Count hanging calls. The caller holds the lock."""
        self._hanging += calls
        self._threads.hanging += calls
