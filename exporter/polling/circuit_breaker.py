"""Whether a call may be made now: within the budget, and not while its target is left alone. A small state.

All times are monotonic seconds where unix seconds are not named.
"""

from collections.abc import Callable, Iterable

from exporter.core import BraketError, Health, Target, combined
from exporter.polling.rate_limiter import RateLimiter
from exporter.polling.retry_policy import OnOperation, OnTarget, Rule, Subject, rule_for, target_backoff


class CircuitBreaker:
    """Follows how the operations of one account and Region fare, and decides when each may be tried again.

    Args:
        operations: what is called there.
        budgets: allow calls.
        target: tells the account and Region, which is learned.
        random: gives a number in [0, 1).
        now: the time.
    """

    def __init__(
        self,
        operations: Iterable[str],
        *,
        budgets: RateLimiter,
        target: Callable[[], Target],
        random: Callable[[], float],
        now: float,
    ) -> None:
        self._budgets, self._target, self._random = budgets, target, random
        self._charged = target()
        self._healths: dict[str, Health] = {}
        self._open_at: dict[str, float] = {}
        self._failures: dict[str, int] = {}
        self.call(operations, now)

    def call(self, operations: Iterable[str], now: float) -> None:
        """Have just these operations called from now on; what is known of those called before stays."""
        called = [*operations]
        self._healths = {operation: self._healths.get(operation, Health()) for operation in called}
        self._open_at = {operation: self._open_at.get(operation, now) for operation in called}
        self._failures = {operation: self._failures.get(operation, 0) for operation in called}

    @property
    def health(self) -> Health:
        """How the target fares as a whole."""
        return combined(self._healths.values())

    def rates(self, now: float) -> dict[str, float]:
        """Tell the budget of each operation now, requests a second."""
        return {operation: self._budgets.rate(self._here(), operation, now) for operation in self._healths}

    def used(self, now: float) -> dict[str, int]:
        """Count the requests of the last minute by operation, those of other logins to the same account included."""
        return {operation: self._budgets.used(self._here(), operation, now) for operation in self._healths}

    def opens_at(self, operation: str) -> float:
        """Tell until when an operation is left alone."""
        return self._open_at[operation]

    def take(self, operation: str, now: float) -> float:
        """Take a request from the budget and return 0, or return the seconds until there is one to take."""
        return self._budgets.take(self._here(), operation, now)

    def failed_in_a_row(self, operation: str) -> int:
        """Count the calls without an answer since the last one."""
        return self._failures.get(operation, 0)

    def pauses(self, operation: str) -> int:
        """Count how often in a row an operation was left alone."""
        return self._healths[operation].pauses

    def succeeded(self, operation: str, wall: float) -> None:
        """Take note of a good answer at ``wall``, unix seconds."""
        self._failures[operation] = 0
        self._healths[operation] = self._healths[operation].succeeded(wall)

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
            operation: the operation that was called.
            error: why.
            requested_at: when it was called.
            now: the time.
            arn: the job that the call was for; ``None`` for a call that is for no single job.
            jobs: how many jobs of the target are polled.
        """
        rule = rule_for(Subject.TARGET if arn is None else Subject.JOB, error)
        self._failures[operation] += 1
        health = _counted(self._healths[operation], rule.target, arn or operation, str(error), jobs)
        self._healths[operation] = health
        if rule.operation is OnOperation.SLOW_DOWN:
            self._budgets.throttled(self._here(), operation, requested_at, now, self._random())
        elif rule.operation is OnOperation.PAUSE or (
            rule.operation is OnOperation.PAUSE_WHEN_DOWN and health.up is False
        ):
            self._pause(operation, requested_at, now)
        return rule

    def _here(self) -> Target:
        """Tell the account and Region; once the account is learned, its budget goes on as this one's did."""
        target = self._target()
        if target != self._charged:
            self._budgets.learned(self._charged, target)
            self._charged = target
        return target

    def _pause(self, operation: str, requested_at: float, now: float) -> None:
        """Pause an operation, unless the failed call is older than the last such decision."""
        if requested_at >= self._open_at[operation]:
            health = self._healths[operation] = self._healths[operation].paused()
            self._open_at[operation] = now + target_backoff(health.pauses, self._random())


def _counted(health: Health, rule: OnTarget, failed: str, error: str, jobs: int) -> Health:
    """Count an error against the target.

    Args:
        health: the operation's health before.
        rule: how the error counts.
        failed: the job, or else the operation, whose call failed.
        error: the error, for people.
        jobs: how many jobs of the target are polled.
    """
    if rule is OnTarget.UP:
        return health.answered(error)
    if rule is OnTarget.SEVERAL_CALLS:
        return health.troubled(error)
    concerned = 1 if rule is OnTarget.AT_ONCE else jobs
    return health.failed(failed, error, asked_jobs=concerned, own_fault=rule is OnTarget.ALL_JOBS)
