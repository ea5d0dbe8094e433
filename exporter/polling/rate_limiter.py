"""The rate limiter of AWS calls.

The service quota is 5 GetJob and 5 SearchJobs calls a second in each account and Region. Users' own SDK calls share it.
"""

import threading
from collections import deque
from dataclasses import dataclass, field, replace
from typing import Final

from exporter.core import Target

MIN_SHARE: Final = 1 / 32
"""The lowest share of its limit that a bucket is halved to when it is throttled repeatedly."""

RECOVERY_SECONDS: Final = 120.0
"""The average recovery time from zero to the limit. Jitter makes it 80 to 240, so that exporters recover at different
times."""

MINUTE: Final = 60.0


@dataclass(slots=True)
class TokenBucket:
    """Allows ``rate`` requests a second, evenly. It holds one token, so the service's own burst is left to users.

    Attributes:
        limit: the rate limit, requests a second.
        rate: the current rate; less than the limit after the service throttled a request.
        ready: when the next request may be sent, monotonic seconds.
        updated: when the rate was last updated.
        recovery: the recovery of the rate, requests a second in each second.
        halved: when the rate was last halved. A throttled request that was sent before shows nothing new.
        acquired: when each request of the last minute was allowed.
    """

    limit: float
    rate: float
    ready: float
    updated: float
    recovery: float = 0.0
    halved: float = float("-inf")
    acquired: deque[float] = field(default_factory=deque)

    @classmethod
    def full(cls, limit: float, now: float) -> "TokenBucket":
        """Return a bucket with a token."""
        return cls(limit, limit, ready=now, updated=now)

    def acquire(self, now: float) -> float:
        """Allow one request and return 0, or return the seconds until a request is allowed."""
        self.recover(now)
        if self.ready > now + 1e-9:
            return self.ready - now
        self.ready = now + 1 / self.rate
        self.acquired.append(now)
        self.used(now)
        return 0.0

    def used(self, now: float) -> int:
        """Return the number of requests in the last minute, and delete older ones."""
        while self.acquired and self.acquired[0] <= now - MINUTE:
            self.acquired.popleft()
        return len(self.acquired)

    def set_limit(self, limit: float, now: float) -> None:
        """Set another limit. A throttled bucket keeps its share of the limit."""
        self.recover(now)
        factor = limit / self.limit
        self.limit, self.rate, self.recovery = limit, self.rate * factor, self.recovery * factor
        self.ready = min(self.ready, now + 1 / self.rate)

    def recover(self, now: float) -> None:
        """Update the rate."""
        self.rate = min(self.limit, self.rate + max(0.0, now - self.updated) * self.recovery)
        self.updated = max(self.updated, now)  # threads may arrive in another order than they read the clock

    def throttled(self, sent: float, now: float, jitter: float) -> None:
        """Halve the rate, because the service throttled a request.

        Args:
            sent: when the request was sent.
            now: when the response came.
            jitter: a random number in [0, 1).
        """
        if sent < self.halved:
            return
        self.recover(now)
        self.rate = max(self.limit * MIN_SHARE, self.rate / 2)
        self.recovery = self.limit / RECOVERY_SECONDS * (0.5 + jitter)
        self.halved, self.ready = now, max(self.ready, now + 1 / self.rate)


class RateLimiter:
    """One bucket for each account, Region and operation, which all targets there share.

    Args:
        limit: the rate limit of each bucket, requests a second.
    """

    def __init__(self, limit: float) -> None:
        self._limit = limit
        self._buckets: dict[tuple[Target, str], TokenBucket] = {}
        self._lock = threading.Lock()

    def acquire(self, target: Target, operation: str, now: float) -> float:
        """Allow one request and return 0, or return the seconds until a request is allowed."""
        with self._lock:
            return self._bucket(target, operation, now).acquire(now)

    def throttled(self, target: Target, operation: str, sent: float, now: float, jitter: float) -> None:
        """Lower the rate, because the service throttled a request."""
        with self._lock:
            self._bucket(target, operation, now).throttled(sent, now, jitter)

    def rate(self, target: Target, operation: str, now: float) -> float:
        """Return the current rate, requests a second."""
        with self._lock:
            bucket = self._bucket(target, operation, now)
            bucket.recover(now)
            return bucket.rate

    def used(self, target: Target, operation: str, now: float) -> int:
        """Return the number of requests in the last minute."""
        with self._lock:
            return self._bucket(target, operation, now).used(now)

    def set_limit(self, limit: float, now: float) -> None:
        """Set another limit for each bucket."""
        with self._lock:
            self._limit = limit
            for bucket in self._buckets.values():
                bucket.set_limit(limit, now)

    def copy_buckets(self, before: Target, after: Target) -> None:
        """Copy the buckets of a target with an unknown account to the same target with its account.

        The old buckets stay: other credentials with an unknown account may belong to another account.
        """
        with self._lock:
            for (target, operation), bucket in [*self._buckets.items()]:
                if target == before:
                    copy = replace(bucket, acquired=bucket.acquired.copy())
                    self._buckets.setdefault((after, operation), copy)

    def _bucket(self, target: Target, operation: str, now: float) -> TokenBucket:
        return self._buckets.setdefault((target, operation), TokenBucket.full(self._limit, now))
