"""The retry policy: the backoff of a failed request and its operation, and the effect on the target's health.

Each row of the table is one class of errors; each column is a scope. Pure; all times are seconds.
"""

from collections.abc import Mapping
from enum import Enum, auto
from typing import Final, NamedTuple

from exporter.core import (
    BraketError,
    DeniedError,
    JobError,
    MalformedError,
    NotFoundError,
    RejectedError,
    ThrottledError,
    UnauthenticatedError,
    UnavailableError,
)

ATTEMPTS_AT_START: Final = 3
"""The failures of a job, or of the target, after which the first poll does not wait for it any longer."""

GONE_AFTER: Final = 5
"""The consecutive calls for a discovered job that does not exist, after which the job is dropped."""

MAX_JOB_BACKOFF: Final = 300.0
MAX_TARGET_BACKOFF: Final = 60.0


class Subject(Enum):
    """The subject of a call."""

    JOB = auto()
    """One job. The job itself may cause the error."""
    TARGET = auto()
    """All jobs of the target."""
    OPTIONAL = auto()
    """A device, or the spending limits: data beside the jobs."""


class OnRequest(Enum):
    """The effect of an error on the failed request: a job, or one SearchJobs page."""

    RETRY = auto()
    """The request is not the cause: it is repeated after ``call_backoff``."""
    REFUSED = auto()
    """The request itself is the cause: it alone waits for ``job_backoff``."""
    GONE = auto()
    """Like ``REFUSED``, for a job that does not exist; after ``GONE_AFTER`` calls a discovered job is dropped."""


class OnOperation(Enum):
    """The effect of an error on every call of the operation."""

    CONTINUE = auto()
    SLOW_DOWN = auto()
    """The rate limit of the operation is lowered."""
    PAUSE_WHEN_DOWN = auto()
    """The operation pauses for ``target_backoff`` once the target is known to be down."""
    PAUSE = auto()
    """The operation pauses for ``target_backoff``."""


class OnTarget(Enum):
    """The number of consecutive errors after which the target is down."""

    NONE = auto()
    """The error does not count."""
    UP = auto()
    """The error is a response, so the target is up."""
    ALL_JOBS = auto()
    """The target is down once every job of it has failed."""
    SEVERAL_JOBS = auto()
    """The target is down once several different jobs have failed."""
    SEVERAL_CALLS = auto()
    """The target is down once several calls have failed, for the same job or not."""
    AT_ONCE = auto()


class Rule(NamedTuple):
    """The effect of one class of errors in each scope.

    Attributes:
        request: on the failed request.
        operation: on every call of the operation.
        target: on the health of the account and Region.
    """

    request: OnRequest
    operation: OnOperation
    target: OnTarget


RETRY_POLICY: Final[Mapping[Subject, Mapping[type[BraketError], Rule]]] = {
    Subject.JOB: {
        NotFoundError: Rule(OnRequest.GONE, OnOperation.CONTINUE, OnTarget.UP),
        RejectedError: Rule(OnRequest.REFUSED, OnOperation.CONTINUE, OnTarget.UP),
        JobError: Rule(OnRequest.REFUSED, OnOperation.CONTINUE, OnTarget.ALL_JOBS),
        ThrottledError: Rule(OnRequest.RETRY, OnOperation.SLOW_DOWN, OnTarget.SEVERAL_CALLS),
        # All jobs share the credentials, so one job suffices.
        UnauthenticatedError: Rule(OnRequest.RETRY, OnOperation.PAUSE, OnTarget.AT_ONCE),
        UnavailableError: Rule(OnRequest.RETRY, OnOperation.PAUSE_WHEN_DOWN, OnTarget.SEVERAL_JOBS),
        BraketError: Rule(OnRequest.RETRY, OnOperation.CONTINUE, OnTarget.SEVERAL_JOBS),
    },
    Subject.TARGET: {
        RejectedError: Rule(OnRequest.REFUSED, OnOperation.PAUSE, OnTarget.SEVERAL_CALLS),
        MalformedError: Rule(OnRequest.REFUSED, OnOperation.PAUSE, OnTarget.SEVERAL_CALLS),
        # The error concerns no single job, so it concerns the target.
        DeniedError: Rule(OnRequest.RETRY, OnOperation.PAUSE, OnTarget.AT_ONCE),
        ThrottledError: Rule(OnRequest.RETRY, OnOperation.SLOW_DOWN, OnTarget.SEVERAL_CALLS),
        UnauthenticatedError: Rule(OnRequest.RETRY, OnOperation.PAUSE, OnTarget.AT_ONCE),
        BraketError: Rule(OnRequest.RETRY, OnOperation.PAUSE, OnTarget.SEVERAL_CALLS),
    },
    Subject.OPTIONAL: {
        JobError: Rule(OnRequest.REFUSED, OnOperation.CONTINUE, OnTarget.NONE),
        ThrottledError: Rule(OnRequest.RETRY, OnOperation.SLOW_DOWN, OnTarget.NONE),
        BraketError: Rule(OnRequest.RETRY, OnOperation.PAUSE, OnTarget.NONE),
    },
}
"""The rule of an error is the row of its class, or of the nearest base class."""


def rule_for(subject: Subject, error: BraketError) -> Rule:
    """Return the rule for an error of a call."""
    rows = RETRY_POLICY[subject]
    return next(rows[kind] for kind in type(error).__mro__ if kind in rows)


def job_backoff(failures: int, *, interval: float) -> float:
    """Return the backoff of a refused job: doubling from ``interval`` to five minutes, never less than ``interval``.

    Args:
        failures: consecutive failed calls before this one.
        interval: the poll interval.
    """
    return max(interval, _doubled(interval, failures, MAX_JOB_BACKOFF))


def call_backoff(failures: int, *, interval: float) -> float:
    """Return the backoff of a job that is not the cause: doubling from one second to ``interval``.

    Args:
        failures: consecutive failed calls before this one.
        interval: the poll interval.
    """
    return _doubled(1.0, failures, interval)


def target_backoff(failures: int, jitter: float) -> float:
    """Return the pause of an operation: doubling from one second to a minute, shortened by up to half.

    Args:
        failures: consecutive failed attempts, at least 1.
        jitter: a random number in [0, 1), so that exporters do not retry at the same time.
    """
    return _doubled(1.0, failures - 1, MAX_TARGET_BACKOFF) * (1 - jitter / 2)


def _doubled(first: float, times: int, most: float) -> float:
    """Return a doubled backoff, up to a maximum. The number of doublings is limited to the range of a float."""
    return min(most, first * 2.0 ** min(times, 64))
