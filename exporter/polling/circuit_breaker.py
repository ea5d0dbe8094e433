"""Whether a call may be made now: within the budget, and not while its target is left alone. A small state.

All times are monotonic seconds where unix seconds are not named.
"""

from collections.abc import Callable, Iterable

from exporter.core.errors import (
    GET_JOB,
    SEARCH_JOBS,
    BraketError,
    DeniedError,
    JobError,
    NotFoundError,
    RejectedError,
    ThrottledError,
    UnauthenticatedError,
    UnavailableError,
)
from exporter.core.jobs import Target
from exporter.core.target_status import Health, combined
from exporter.polling.rate_limiter import Budgets
from exporter.polling.schedule import target_backoff


class Gate:
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
        budgets: Budgets,
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

    def question_failed(self, arn: str, error: BraketError, *, asked: float, now: float, jobs: int) -> None:
        """Take note that GetJob brought no answer.

        Args:
            arn: the job.
            error: why.
            asked: when it was called.
            now: the time.
            jobs: how many jobs of the target are asked for.
        """
        health = self._failed(GET_JOB, error, asked, now)
        if isinstance(error, NotFoundError | RejectedError):
            health = health.answered(str(error))
        elif isinstance(error, ThrottledError):
            health = health.troubled(str(error))
        else:
            # The credentials are every job's, so one job tells for all.
            concerned = 1 if isinstance(error, UnauthenticatedError) else jobs
            health = health.failed(arn, str(error), asked_jobs=concerned, own_fault=isinstance(error, JobError))
        self._healths[GET_JOB] = health
        unreachable = isinstance(error, UnavailableError) and health.up is False
        if isinstance(error, UnauthenticatedError) or unreachable:
            self._leave_alone(GET_JOB, asked, now)

    def search_failed(self, error: BraketError, *, asked: float, now: float) -> None:
        """Take note that SearchJobs brought no answer. It asks for no single job, so a refusal is the target's."""
        health = self._failed(SEARCH_JOBS, error, asked, now)
        if isinstance(error, DeniedError | UnauthenticatedError):
            health = health.failed(SEARCH_JOBS, str(error), asked_jobs=1, own_fault=False)
        else:
            health = health.troubled(str(error))
        self._healths[SEARCH_JOBS] = health
        if not isinstance(error, ThrottledError):
            self._leave_alone(SEARCH_JOBS, asked, now)

    def _here(self) -> Target:
        """Tell the account and Region; once the account is learned, its budget goes on as this one's did."""
        target = self._target()
        if target != self._charged:
            self._budgets.learned(self._charged, target)
            self._charged = target
        return target

    def _failed(self, operation: str, error: BraketError, asked: float, now: float) -> Health:
        self._failures[operation] += 1
        if isinstance(error, ThrottledError):
            self._budgets.throttled(self._here(), operation, asked, now, self._random())
        return self._healths[operation]

    def _leave_alone(self, operation: str, asked: float, now: float) -> None:
        """Wait a while, unless the failed call is older than the last such decision."""
        if asked >= self._open_at[operation]:
            health = self._healths[operation] = self._healths[operation].paused()
            self._open_at[operation] = now + target_backoff(health.pauses, self._random())
