"""The circuit breaker of a target: whether an operation may be called now, or is paused after failures.

All times are monotonic seconds unless stated otherwise.
"""

from collections.abc import Callable, Iterable

from exporter.core import OPTIONAL_OPERATIONS, BraketError, Health, Target, combined_health
from exporter.polling.rate_limiter import RateLimiter
from exporter.polling.retry_policy import OnOperation, OnTarget, Rule, Subject, rule_for, target_backoff


class CircuitBreaker:
    """The health of the operations of one account and Region, and the pauses after failures.

    Attributes:
        rate_limiter: limits the rate of the calls.
        operations: the operations that are called.

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
        self.rate_limiter, self._target, self._random = rate_limiter, target, random
        self._limited_target = target()
        self._healths: dict[str, Health] = {}
        self._paused_until: dict[str, float] = {}
        self._failures: dict[str, int] = {}
        self.set_operations(operations, now)

    def set_operations(self, operations: Iterable[str], now: float) -> None:
        """Set the operations that are called. An operation that was called before keeps its health."""
        called = self.operations = tuple(operations)
        self._healths = {operation: self._healths.get(operation, Health()) for operation in called}
        self._paused_until = {operation: self._paused_until.get(operation, now) for operation in called}
        self._failures = {operation: self._failures.get(operation, 0) for operation in called}

    @property
    def healths(self) -> tuple[Health, ...]:
        """The health of each operation but the optional ones."""
        return tuple([health for operation, health in self._healths.items() if operation not in OPTIONAL_OPERATIONS])

    @property
    def health(self) -> Health:
        """The health of the target over all operations but the optional ones."""
        return combined_health(self.healths)

    def current_target(self) -> Target:
        """Return the account and Region. Once the account is known, the rate limit continues under its name."""
        target = self._target()
        if target != self._limited_target:
            self.rate_limiter.copy_buckets(self._limited_target, target)
            self._limited_target = target
        return target

    def rate(self, operation: str, now: float) -> float:
        """Return the current rate limit of an operation, requests a second."""
        return self.rate_limiter.rate(self.current_target(), operation, now)

    def paused_until(self, operation: str) -> float:
        """Return the end of the last pause of an operation."""
        return self._paused_until[operation]

    def acquire(self, operation: str, now: float) -> float:
        """Allow one request and return 0, or return the seconds until the rate limit allows a request."""
        return self.rate_limiter.acquire(self.current_target(), operation, now)

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
        self.rate_limiter.not_throttled(self.current_target(), operation, requested_at, now)
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
        subject: Subject | None = None,
    ) -> Rule:
        """Record a failed call, as the retry policy says; return the rule that applies.

        Args:
            operation: the operation.
            error: the error.
            requested_at: when the operation was called.
            now: the time.
            arn: the job of the call; ``None`` for a call that is not for a single job.
            jobs: the number of jobs that are polled.
            subject: the subject of the call, if it is neither the job nor the target.
        """
        rule = rule_for(subject or (Subject.TARGET if arn is None else Subject.JOB), error)
        self._failures[operation] += 1
        health = _after_error(self._healths[operation], rule.target, arn or operation, str(error), jobs)
        self._healths[operation] = health
        if rule.operation is OnOperation.SLOW_DOWN:
            self.rate_limiter.throttled(self.current_target(), operation, requested_at, now, self._random())
            return rule
        self.rate_limiter.not_throttled(self.current_target(), operation, requested_at, now)
        if rule.operation is OnOperation.PAUSE or (
            rule.operation is OnOperation.PAUSE_WHEN_DOWN and health.up is False
        ):
            self._pause(operation, requested_at, now)
        return rule

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
    if rule is OnTarget.NONE:
        return health
    if rule is OnTarget.UP:
        return health.after_response(error)
    if rule is OnTarget.SEVERAL_CALLS:
        return health.after_target_failure(error)
    concerned = 1 if rule is OnTarget.AT_ONCE else jobs
    return health.after_failure(failed, error, polled_jobs=concerned, job_error=rule is OnTarget.ALL_JOBS)
