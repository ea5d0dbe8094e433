"""Polls that several targets share: a device, or the spending limits of an account. One target at a time makes them."""

from collections.abc import Hashable
from threading import Lock
from typing import Final

LEASE: Final = 60.0
"""The time, seconds, after which a poll without an outcome may be repeated. Every call has a deadline of some 15."""


class SharedPolls:
    """The times of the next polls. Thread-safe; all times are monotonic seconds."""

    def __init__(self) -> None:
        self._due: dict[Hashable, float] = {}
        self._claimed_until: dict[Hashable, float] = {}
        self._lock = Lock()

    def claim(self, subject: Hashable, now: float) -> float:
        """Claim a poll and return 0, or return the seconds until it may be due."""
        with self._lock:
            due = max(self._due.get(subject, now), self._claimed_until.get(subject, now))
            if due > now:
                return due - now
            self._due.pop(subject, None)
            self._claimed_until[subject] = now + LEASE
            return 0.0

    def end(self, subject: Hashable, due: float) -> None:
        """Set the time of the next poll of a claimed subject, unless ``hasten`` was called since the claim."""
        with self._lock:
            self._claimed_until.pop(subject, None)
            self._due.setdefault(subject, due)

    def hasten(self, subject: Hashable, now: float) -> None:
        """Make the next poll of a subject due now, or as soon as the poll in flight has ended."""
        with self._lock:
            self._due[subject] = now
