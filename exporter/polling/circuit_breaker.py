"""The circuit breaker of a target: whether an operation may be called now, or is paused after failures.

All times are monotonic seconds unless stated otherwise.
"""

from collections.abc import Callable, Iterable

from exporter.core import BraketError, Health, Target, combined_health
from exporter.polling.rate_limiter import RateLimiter
from exporter.polling.retry_policy import OnOperation, OnTarget, Rule, Subject, rule_for, target_backoff


class CircuitBreaker:
    """The health of the operations of one account and Region, and the pauses after failures.

    Args:
        operations: the operations that are called.
        rate_limiter: limits the rate of the calls.
        target: returns the account and Region; the account is learned.
        random: returns a random number in [0, 1).
        now: the time.
    """

    def __init__(
        self,
        operations: Iterable[str],
        *,
        rate_limiter: RateLimiter,
        target: Callable[[], Target],
        random: Callable[[], float],
        now: float,
    ) -> None:
        self._rate_limiter, self._target, self._random = rate_limiter, target, random
        self._limited_target = target()
        self._healths: dict[str, Health] = {}
        self._paused_until: dict[str, float] = {}
        self._failures: dict[str, int] = {}
        self.set_operations(operations, now)

    def set_operations(self, operations: Iterable[str], now: float) -> None:
        """Set the operations that are called. An operation that was called before keeps its health."""
        called = [*operations]
        self._healths = {operation: self._healths.get(operation, Health()) for operation in called}
        self._paused_until = {operation: self._paused_until.get(operation, now) for operation in called}
        self._failures = {operation: self._failures.get(operation, 0) for operation in called}

    @property
    def health(self) -> Health:
        """The health of the target over all operations."""
        return combined_health(self._healths.values())

    def rates(self, now: float) -> dict[str, float]:
        """Return the current rate limit of each operation, requests a second."""
        target = self._current_target()
        return {operation: self._rate_limiter.rate(target, operation, now) for operation in self._healths}

    def used(self, now: float) -> dict[str, int]:
        """Return the requests of the last minute by operation. Targets of the same account and Region share them."""
        target = self._current_target()
        return {operation: self._rate_limiter.used(target, operation, now) for operation in self._healths}

    def paused_until(self, operation: str) -> float:
        """Return the end of the last pause of an operation."""
        return self._paused_until[operation]

    def acquire(self, operation: str, now: float) -> float:
        """Allow one request and return 0, or return the seconds until the rate limit allows a request."""
        return self._rate_limiter.acquire(self._current_target(), operation, now)

    def consecutive_failures(self, operation: str) -> int:
        """Return the number of failed calls since the last success."""
        return self._failures.get(operation, 0)

    def pauses(self, operation: str) -> int:
        """Return the number of consecutive pauses of an operation."""
        return self._healths[operation].pauses

    def succeeded(self, operation: str, *, requested_at: float, now: float, wall: float) -> None:
        """Record a successful call.

        Args:
            operation: the operation.
            requested_at: when the operation was called.
            now: the time.
            wall: the time, unix seconds.
        """
        self._rate_limiter.not_throttled(self._current_target(), operation, requested_at, now)
        self._failures[operation] = 0
        self._healths[operation] = self._healths[operation].after_success(wall)

    def failed(
        self,
        operation: str,
        error: BraketError,
        *,
        requested_at: float,
        now: float,
        arn: str | None = None,
        jobs: int = 1,
    ) -> Rule:
        """Record a failed call, as the retry policy says; return the rule that applies.

        Args:
            operation: the operation.
            error: the error.
            requested_at: when the operation was called.
            now: the time.
            arn: the job of the call; ``None`` for a call that is not for a single job.
            jobs: the number of jobs that are polled.
        """
        rule = rule_for(Subject.TARGET if arn is None else Subject.JOB, error)
        self._failures[operation] += 1
        health = _after_error(self._healths[operation], rule.target, arn or operation, str(error), jobs)
        self._healths[operation] = health
        if rule.operation is OnOperation.SLOW_DOWN:
            self._rate_limiter.throttled(self._current_target(), operation, requested_at, now, self._random())
            return rule
        self._rate_limiter.not_throttled(self._current_target(), operation, requested_at, now)
        if rule.operation is OnOperation.PAUSE or (
            rule.operation is OnOperation.PAUSE_WHEN_DOWN and health.up is False
        ):
            self._pause(operation, requested_at, now)
        return rule

    def _current_target(self) -> Target:
        """Return the account and Region. Once the account is known, the rate limit continues under its name."""
        target = self._target()
        if target != self._limited_target:
            self._rate_limiter.copy_buckets(self._limited_target, target)
            self._limited_target = target
        return target

    def _pause(self, operation: str, requested_at: float, now: float) -> None:
        """Pause an operation, unless the failed call is older than the end of the last pause."""
        if requested_at >= self._paused_until[operation]:
            health = self._healths[operation] = self._healths[operation].after_pause()
            self._paused_until[operation] = now + target_backoff(health.pauses, self._random())


def _after_error(health: Health, rule: OnTarget, failed: str, error: str, jobs: int) -> Health:
    """Return the health of an operation after an error.

    Args:
        health: the health before.
        rule: how the error counts.
        failed: the job, or else the operation, that failed.
        error: the error, human-readable.
        jobs: the number of jobs that are polled.
    """
    if rule is OnTarget.UP:
        return health.after_response(error)
    if rule is OnTarget.SEVERAL_CALLS:
        return health.after_target_failure(error)
    concerned = 1 if rule is OnTarget.AT_ONCE else jobs
    return health.after_failure(failed, error, polled_jobs=concerned, job_error=rule is OnTarget.ALL_JOBS)
