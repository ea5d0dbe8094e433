"""Optional calls, on which neither jobs nor the health of the target depend: polls that several targets share."""

from collections.abc import Callable, Hashable
from functools import partial
from typing import Final, Generic, NamedTuple, TypeVar

from exporter.core import BraketError, MalformedError
from exporter.polling.retry_policy import ATTEMPTS_AT_START, OnRequest, Subject
from exporter.polling.shared_polls import LEASE, SharedPolls
from exporter.polling.sources.call import Call
from exporter.polling.target_state import TargetState

REFUSED_INTERVAL: Final = 300.0
"""The shortest time, seconds, between two calls that were refused, such as without permission."""

R = TypeVar("R")


class Request(NamedTuple, Generic[R]):
    """The next call of the poll of one subject.

    Attributes:
        subject: the device, or the account and Region, to poll.
        make: makes the call; returns the response or raises ``BraketError``.
        record: records a response; returns whether the poll is complete, and not one of its pages only.
        failed: is called after an error. The caller holds the target's lock.
        continues: whether earlier calls belong to the same poll.
        device: the ARN of the device, for the log.
    """

    subject: Hashable
    make: Callable[[], R]
    record: Callable[[R], bool]
    failed: Callable[[], object] = lambda: None
    continues: bool = False
    device: str | None = None


class OptionalCalls:
    """The calls of one operation of a target: each subject is polled once per interval over all targets.

    One call is made at a time, so that slow calls leave the threads to the jobs.

    Args:
        state: the target.
        polls: the polls of all targets.
        operation: the operation.
        interval: returns the interval, seconds, of the settings; ``None`` for no calls.
    """

    def __init__(
        self, state: TargetState, polls: SharedPolls, operation: str, interval: Callable[[], float | None]
    ) -> None:
        self._state, self._polls, self._operation, self._interval = state, polls, operation, interval
        self._retry_at: dict[Hashable, float] = {}
        self._codes: dict[Hashable, str] = {}
        self._in_flight_until = float("-inf")

    @property
    def active(self) -> bool:
        """Whether the settings require these calls."""
        return self._interval() is not None

    def due(self, request: Request[R], now: float) -> Call[R] | float:
        """Return the call, or the seconds until it may be due. The caller holds the target's lock."""
        subject, breaker = request.subject, self._state.circuit_breaker
        ready = max(self._in_flight_until, self._retry_at.get(subject, now), breaker.paused_until(self._operation))
        if ready > now:
            return ready - now
        if not request.continues and (wait := self._polls.claim((self._operation, subject), now)):
            return wait
        if wait := breaker.acquire(self._operation, now):
            if not request.continues:
                self._polls.end((self._operation, subject), now)
            return wait
        self._in_flight_until = now + LEASE
        return Call(
            self._operation,
            make=request.make,
            is_current=lambda: True,
            succeeded=partial(self._succeeded, request, now),
            failed=partial(self._failed, request, now),
        )

    def is_failing(self, subject: Hashable) -> bool:
        """Return whether the last call for a subject failed, or the last calls of the operation."""
        return subject in self._codes or self._state.circuit_breaker.pauses(self._operation) >= ATTEMPTS_AT_START

    def discard(self, subject: Hashable) -> None:
        """Forget a subject."""
        self._retry_at.pop(subject, None)
        self._codes.pop(subject, None)

    def _succeeded(self, request: Request[R], requested_at: float, response: R) -> None:
        state = self._state
        state.correct_time()
        complete = request.record(response)
        with state.lock:
            self._in_flight_until = float("-inf")
            if not complete:  # a later page may fail each time
                return
            self.discard(request.subject)
            now, wall = state.clock.monotonic(), state.clock.wall()
            state.circuit_breaker.succeeded(self._operation, requested_at=requested_at, now=now, wall=wall)
            self._polls.end((self._operation, request.subject), requested_at + (self._interval() or 0.0))

    def _failed(self, request: Request[R], requested_at: float, error: BraketError) -> None:
        """Record an error, and log it unless another subject, or the same one before, failed for the same reason."""
        state, subject = self._state, request.subject
        state.count_malformed(error)
        with state.lock:
            self._in_flight_until = float("-inf")
            now = state.clock.monotonic()
            rule = state.circuit_breaker.failed(
                self._operation, error, requested_at=requested_at, now=now, subject=Subject.OPTIONAL
            )
            self._retry_at[subject] = now + (self._backoff(error) if rule.request is OnRequest.REFUSED else 0.0)
            retry_at = max(self._retry_at[subject], state.circuit_breaker.paused_until(self._operation))
            is_news = error.code not in self._codes.values()
            self._codes[subject] = error.code
            self._polls.end((self._operation, subject), now)  # another target may be allowed to make the call
            request.failed()
        if is_news:
            state.event_log.poll_failed(
                state.client.target, self._operation, error, retry_at - now, device=request.device
            )

    def _backoff(self, error: BraketError) -> float:
        """Return the time, seconds, until a request is repeated that may be the cause of an error.

        The next response may be whole where one was malformed, such as a cut one.
        """
        interval = self._interval() or 0.0
        return interval if isinstance(error, MalformedError) else max(interval, REFUSED_INTERVAL)
