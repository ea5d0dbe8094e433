"""The retry policy: how long a failed call holds back its request and its operation, and what it says of the target.

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

TRIES_AT_START: Final = 3
"""So many failures of a job, or of the target, and the first full poll does not wait for it any longer."""

GONE_AFTER: Final = 5
"""So many calls in a row for a discovered job that Braket does not know, and the job is dropped."""

LONGEST_JOB_BACKOFF: Final = 300.0
LONGEST_TARGET_BACKOFF: Final = 60.0


class Subject(Enum):
    """What a call asks for."""

    JOB = auto()
    """One job; its errors may be that job's own."""
    TARGET = auto()
    """All jobs of the target."""


class OnRequest(Enum):
    """What an error means for the request that failed: a job, or one page of a list."""

    RETRY = auto()
    """The request is not at fault: it is made again after ``call_backoff``."""
    REFUSED = auto()
    """The request itself is at fault: it alone waits for ``job_backoff``."""
    GONE = auto()
    """As ``REFUSED``, for a job that does not exist; after ``GONE_AFTER`` calls a discovered job is dropped."""


class OnOperation(Enum):
    """What an error means for every call of the operation."""

    CONTINUE = auto()
    SLOW_DOWN = auto()
    """The rate limit of the operation is lowered."""
    PAUSE_WHEN_DOWN = auto()
    """The operation pauses for ``target_backoff`` once the target is known to be down."""
    PAUSE = auto()
    """The operation pauses for ``target_backoff``."""


class OnTarget(Enum):
    """Whether, and from how many errors in a row on, the target is down."""

    UP = auto()
    """The error is a response: it shows that the target is up."""
    ALL_JOBS = auto()
    """It counts only once every job of the target has failed."""
    SEVERAL_JOBS = auto()
    """It counts once several different jobs have failed."""
    SEVERAL_CALLS = auto()
    """It counts once several calls have failed, for whichever jobs."""
    AT_ONCE = auto()


class Rule(NamedTuple):
    """What one class of errors means in each scope.

    Attributes:
        request: for the request that failed.
        operation: for every call of the operation.
        target: for the account and Region.
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
        # No single job is refused, so the target is.
        DeniedError: Rule(OnRequest.RETRY, OnOperation.PAUSE, OnTarget.AT_ONCE),
        ThrottledError: Rule(OnRequest.RETRY, OnOperation.SLOW_DOWN, OnTarget.SEVERAL_CALLS),
        UnauthenticatedError: Rule(OnRequest.RETRY, OnOperation.PAUSE, OnTarget.AT_ONCE),
        BraketError: Rule(OnRequest.RETRY, OnOperation.PAUSE, OnTarget.SEVERAL_CALLS),
    },
}
"""The rule of an error is the row of its class, or else of the nearest base class."""


def rule_for(subject: Subject, error: BraketError) -> Rule:
    """Return the rule for an error of a call."""
    rows = RETRY_POLICY[subject]
    return next(rows[kind] for kind in type(error).__mro__ if kind in rows)


def job_backoff(failures: int, *, interval: float) -> float:
    """Return the wait of a refused job: doubling from ``interval`` to five minutes, never less than ``interval``.

    Args:
        failures: consecutive failed calls before this one.
        interval: the poll interval.
    """
    return max(interval, _doubled(interval, failures, LONGEST_JOB_BACKOFF))


def call_backoff(failures: int, *, interval: float) -> float:
    """Return the wait of a job that is not at fault: doubling from one second to ``interval``.

    Args:
        failures: consecutive failed calls before this one.
        interval: the poll interval.
    """
    return _doubled(1.0, failures, interval)


def target_backoff(failures: int, jitter: float) -> float:
    """Return the pause of an operation: doubling from one second to a minute, shortened by up to half.

    Args:
        failures: consecutive failed attempts, at least 1.
        jitter: a random number in [0, 1), so that exporters do not come back in step.
    """
    return _doubled(1.0, failures - 1, LONGEST_TARGET_BACKOFF) * (1 - jitter / 2)


def _doubled(first: float, times: int, most: float) -> float:
    """Double a wait so many times, up to the most; a night's outage doubles more often than a float can."""
    return min(most, first * 2.0 ** min(times, 64))
