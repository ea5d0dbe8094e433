"""The budget of requests.

Braket allows 5 GetJob and 5 SearchJobs calls a second in each account and Region, shared with the users' own SDK calls.
"""

import threading
from collections import deque
from dataclasses import dataclass, field, replace
from typing import Final

from exporter.core import Target

LOWEST_SHARE: Final = 1 / 32
"""A bucket that is throttled again and again halves down to this share of its limit."""

RECOVERY_SECONDS: Final = 120.0
"""From nothing to the limit, on average; jitter makes it 80 to 240, so that exporters do not come back in step."""

MINUTE: Final = 60.0


@dataclass(slots=True)
class TokenBucket:
    """Allows ``rate`` requests a second, evenly: it holds one token, so that the service's own burst is left to others.

    Attributes:
        limit: the rate that was set, requests a second.
        rate: the rate now; less than the limit after the service said that it is too much.
        ready: when the next request may be sent, monotonic seconds.
        recovery: how fast the rate comes back, requests a second in each second.
        updated: up to when the rate has come back.
        halved: when the rate was last halved; requests sent before that tell nothing new.
        taken: when each request of the last minute was taken.
    """

    limit: float
    rate: float
    ready: float
    updated: float
    recovery: float = 0.0
    halved: float = float("-inf")
    taken: deque[float] = field(default_factory=deque)

    @classmethod
    def full(cls, limit: float, now: float) -> "TokenBucket":
        """Make a bucket that can give its first token at once."""
        return cls(limit, limit, ready=now, updated=now)

    def take(self, now: float) -> float:
        """Take one request and return 0, or return the seconds until there is one to take."""
        self.recover(now)
        if self.ready > now + 1e-9:
            return self.ready - now
        self.ready = now + 1 / self.rate
        self.taken.append(now)
        self.used(now)
        return 0.0

    def used(self, now: float) -> int:
        """Count the requests that were taken within the last minute, and forget those before."""
        while self.taken and self.taken[0] <= now - MINUTE:
            self.taken.popleft()
        return len(self.taken)

    def resize(self, limit: float, now: float) -> None:
        """Have another limit from now on; a bucket that was throttled stays so to the same degree."""
        self.recover(now)
        factor = limit / self.limit
        self.limit, self.rate, self.recovery = limit, self.rate * factor, self.recovery * factor
        self.ready = min(self.ready, now + 1 / self.rate)

    def recover(self, now: float) -> None:
        """Let the rate come back by now."""
        self.rate = min(self.limit, self.rate + max(0.0, now - self.updated) * self.recovery)
        self.updated = max(self.updated, now)  # threads may come in another order than they read the clock

    def throttled(self, sent: float, now: float, jitter: float) -> None:
        """Halve the rate, since a request that was sent at ``sent`` was refused for want of quota.

        Args:
            sent: when the request was sent.
            now: when the refusal came.
            jitter: a random number in [0, 1).
        """
        if sent < self.halved:
            return
        self.recover(now)
        self.rate = max(self.limit * LOWEST_SHARE, self.rate / 2)
        self.recovery = self.limit / RECOVERY_SECONDS * (0.5 + jitter)
        self.halved, self.ready = now, max(self.ready, now + 1 / self.rate)


class RateLimiter:
    """One bucket for each account, Region and operation, shared by all that ask there.

    Args:
        limit: requests a second for each.
    """

    def __init__(self, limit: float) -> None:
        self._limit = limit
        self._buckets: dict[tuple[Target, str], TokenBucket] = {}
        self._lock = threading.Lock()

    def take(self, target: Target, operation: str, now: float) -> float:
        """Take one request and return 0, or return the seconds until there is one to take."""
        with self._lock:
            return self._bucket(target, operation, now).take(now)

    def throttled(self, target: Target, operation: str, sent: float, now: float, jitter: float) -> None:
        """Slow down, since the service refused a request for want of quota."""
        with self._lock:
            self._bucket(target, operation, now).throttled(sent, now, jitter)

    def rate(self, target: Target, operation: str, now: float) -> float:
        """Tell the rate now, requests a second."""
        with self._lock:
            bucket = self._bucket(target, operation, now)
            bucket.recover(now)
            return bucket.rate

    def used(self, target: Target, operation: str, now: float) -> int:
        """Count the requests of the last minute."""
        with self._lock:
            return self._bucket(target, operation, now).used(now)

    def resize(self, limit: float, now: float) -> None:
        """Allow so many requests a second for each from now on."""
        with self._lock:
            self._limit = limit
            for bucket in self._buckets.values():
                bucket.resize(limit, now)

    def learned(self, before: Target, after: Target) -> None:
        """Go on as the buckets of a target whose account was not known yet, under its name.

        These stay as they are: another login, whose account is not known either, may be of another one.
        """
        with self._lock:
            for (target, operation), bucket in [*self._buckets.items()]:
                if target == before:
                    self._buckets.setdefault((after, operation), replace(bucket, taken=bucket.taken.copy()))

    def _bucket(self, target: Target, operation: str, now: float) -> TokenBucket:
        return self._buckets.setdefault((target, operation), TokenBucket.full(self._limit, now))
