"""The health of an event queue. Polling reads it, and the thread of the queue writes it."""

from collections.abc import Callable
from typing import Final

from exporter.core import Clock, QueueStatus
from exporter.polling.retry_policy import target_backoff

HEALTHY_FOR: Final = 45.0
"""The time after a successful ReceiveMessage call, seconds, for which events are expected to arrive.

A call that waits for messages takes up to 20 seconds. Without a success, each job is polled within its poll interval a
minute later at the latest.
"""


class QueueHealth:
    """The health of one queue. Each attribute is replaced as a whole, so readers take no lock.

    Args:
        clock: the time.
        random: returns a random number in [0, 1).
    """

    def __init__(self, clock: Clock, random: Callable[[], float]) -> None:
        self._clock, self._random = clock, random
        self._failures = 0
        self._code: str | None = None
        self._received = float("-inf")
        self._up: bool | None = None
        self._last_receive: float | None = None

    @property
    def status(self) -> QueueStatus:
        """The status for the metrics."""
        return QueueStatus(self._up, self._last_receive)

    def is_healthy(self, now: float) -> bool:
        """Return whether events arrive.

        Args:
            now: monotonic seconds.
        """
        return now - self._received <= HEALTHY_FOR

    def received(self) -> bool:
        """Record a successful ReceiveMessage call; return whether the queue failed before."""
        self._received, self._last_receive = self._clock.monotonic(), self._clock.wall()
        recovered, self._up, self._failures, self._code = self._up is False, True, 0, None
        return recovered

    def failed(self, code: str) -> tuple[float, bool]:
        """Record a failed call; return the seconds until the next one, and whether the error is a new one.

        Args:
            code: the code of the error.
        """
        is_new, self._up, self._code = code != self._code, False, code
        self._failures += 1
        return target_backoff(self._failures, self._random()), is_new
