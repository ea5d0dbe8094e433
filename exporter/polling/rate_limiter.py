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

RECOVERY_SECONDS: Final = 20.0
"""The shortest time, seconds, in which a rate returns to its former value. Jitter makes it up to twice as long, so that
exporters recover at different times. The limit is reached after twice that time at the latest."""

MINUTE: Final = 60.0


def recovered_rate(low: float, former: float, limit: float, progress: float) -> float:
    """Return a rate that recovers as in CUBIC: fast at first, slowly near its former value, then fast to the limit.

    Args:
        low: the rate at the start.
        former: the rate before the service throttled, at least ``low``.
        limit: the rate limit, at least ``former``.
        progress: 0 at the start, 1 at the former value, 2 at the limit.
    """
    if progress < 1.0:
        return former - (former - low) * (1.0 - max(0.0, progress)) ** 3
    if progress < 2.0:
        return min(limit, former + (limit - former) * (progress - 1.0) ** 3)
    return limit


@dataclass(slots=True)
class TokenBucket:
    """Allows ``limit`` requests a second, evenly. It holds one token, so the service's own burst is left to users.

    After the service throttled a request, the rate is lower, and stays so until a request is not throttled.

    Attributes:
        limit: the rate limit, requests a second.
        low: the rate after the last throttled request.
        former: the rate before the first of the throttled requests in a row.
        recovery_seconds: the time from ``low`` to ``former``.
        recovers_from: when a request was first not throttled; ``None`` while every request is.
        spaced_from: when the last request was allowed or throttled.
        halved: when the rate was last halved. A response to a request that was sent before shows nothing new.
        acquired: when each request of the last minute was allowed.
    """

    limit: float
    low: float
    former: float
    recovery_seconds: float = RECOVERY_SECONDS
    recovers_from: float | None = float("-inf")
    spaced_from: float = float("-inf")
    halved: float = float("-inf")
    acquired: deque[float] = field(default_factory=deque)

    @classmethod
    def full(cls, limit: float) -> "TokenBucket":
        """Return a bucket with a token."""
        return cls(limit, limit, limit)

    def rate(self, now: float) -> float:
        """Return the current rate, requests a second."""
        if self.recovers_from is None:
            return self.low
        progress = (now - self.recovers_from) / self.recovery_seconds
        return recovered_rate(self.low, self.former, self.limit, progress)

    def acquire(self, now: float) -> float:
        """Allow one request and return 0, or return the seconds until a request is allowed."""
        ready = self.spaced_from + 1 / self.rate(now)
        if ready > now + 1e-9:
            return ready - now
        self.spaced_from = now
        self.acquired.append(now)
        self.used(now)
        return 0.0

    def used(self, now: float) -> int:
        """Return the number of requests in the last minute, and delete older ones."""
        while self.acquired and self.acquired[0] <= now - MINUTE:
            self.acquired.popleft()
        return len(self.acquired)

    def set_limit(self, limit: float) -> None:
        """Set another limit. A throttled bucket keeps its share of the limit."""
        factor = limit / self.limit
        self.limit, self.low, self.former = limit, self.low * factor, self.former * factor

    def throttled(self, sent: float, now: float, jitter: float) -> None:
        """Halve the rate, because the service throttled a request.

        Args:
            sent: when the request was sent.
            now: when the response came.
            jitter: a random number in [0, 1).
        """
        if sent < self.halved:
            return
        rate = self.rate(now)
        if self.recovers_from is not None:
            self.former = rate
        self.low = max(self.limit * MIN_SHARE, rate / 2)
        self.former = max(self.former, self.low)
        self.recovery_seconds = RECOVERY_SECONDS * (1.0 + jitter)
        self.recovers_from, self.halved, self.spaced_from = None, now, max(self.spaced_from, now)

    def not_throttled(self, sent: float, now: float) -> None:
        """Let the rate recover, because the service did not throttle a request.

        Args:
            sent: when the request was sent.
            now: when the response came.
        """
        if self.recovers_from is None and sent >= self.halved:
            self.recovers_from = now


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
            return self._bucket(target, operation).acquire(now)

    def throttled(self, target: Target, operation: str, sent: float, now: float, jitter: float) -> None:
        """Lower the rate, because the service throttled a request."""
        with self._lock:
            self._bucket(target, operation).throttled(sent, now, jitter)

    def not_throttled(self, target: Target, operation: str, sent: float, now: float) -> None:
        """Let the rate recover, because the service did not throttle a request."""
        with self._lock:
            self._bucket(target, operation).not_throttled(sent, now)

    def rate(self, target: Target, operation: str, now: float) -> float:
        """Return the current rate, requests a second."""
        with self._lock:
            return self._bucket(target, operation).rate(now)

    def used(self, target: Target, operation: str, now: float) -> int:
        """Return the number of requests in the last minute."""
        with self._lock:
            return self._bucket(target, operation).used(now)

    def set_limit(self, limit: float) -> None:
        """Set another limit for each bucket."""
        with self._lock:
            self._limit = limit
            for bucket in self._buckets.values():
                bucket.set_limit(limit)

    def copy_buckets(self, before: Target, after: Target) -> None:
        """Copy the buckets of a target with an unknown account to the same target with its account.

        The old buckets stay: other credentials with an unknown account may belong to another account.
        """
        with self._lock:
            for (target, operation), bucket in [*self._buckets.items()]:
                if target == before:
                    copy = replace(bucket, acquired=bucket.acquired.copy())
                    self._buckets.setdefault((after, operation), copy)

    def _bucket(self, target: Target, operation: str) -> TokenBucket:
        bucket = self._buckets.get((target, operation))
        if bucket is None:
            bucket = self._buckets[target, operation] = TokenBucket.full(self._limit)
        return bucket
