"""The loop: asks the schedule which job is due, asks Braket for it, hands the answer to lifecycle, log and store."""

import threading
from collections.abc import Callable, Iterable
from dataclasses import dataclass, replace
from typing import Final, Protocol

from exporter.braket import (
    GET_JOB,
    BraketError,
    JobError,
    MalformedError,
    NotFoundError,
    RejectedError,
    ThrottledError,
    UnauthenticatedError,
    UnavailableError,
)
from exporter.budget import TokenBucket
from exporter.clock import Clock
from exporter.health import Health, TargetStatus
from exporter.lifecycle import expires_at, observe
from exporter.logs import Journal
from exporter.model import JobRecord, JobSnapshot, Target
from exporter.schedule import (
    Watch,
    after_answer,
    after_job_failure,
    after_target_failure,
    most_urgent,
    target_backoff,
)
from exporter.store import Store
from exporter.telemetry import Telemetry

IDLE: Final = 1.0
"""Longest sleep of a worker, seconds: so often it shows that it lives."""

TRIES_AT_START: Final = 3
"""So many failures of a job, or pauses of a target, and the first full poll does not wait for it any longer."""


class JobSource(Protocol):
    """What the poller asks; ``exporter.braket.BraketClient`` outside of tests."""

    def get_job(self, arn: str) -> JobSnapshot:
        """Ask for one job."""
        ...


@dataclass(frozen=True, slots=True)
class Policy:
    """What people can set about polling.

    Attributes:
        poll_interval: how stale an active job may become, seconds.
        requests_per_second: the budget of each operation.
        retention: how long a finished job keeps its series, seconds.
        retention_failed: the same for jobs that failed or ran out of time.
    """

    poll_interval: float
    requests_per_second: float
    retention: float
    retention_failed: float


class TargetPoller:
    """Polls the jobs of one account and Region. Several threads may call ``step`` at once.

    Attributes:
        target: the account and Region.
        last_step: when a thread last called ``step``, monotonic seconds.
        first_poll_done: whether every job has been asked for once, or the target was given up on for a while.

    Args:
        target: the account and Region.
        arns: the jobs to watch.
        source: answers for a job.
        store: takes what is known.
        journal: is told what is new.
        telemetry: counts.
        policy: intervals and budgets.
        clock: the time.
        random: gives a number in [0, 1).
    """

    def __init__(
        self,
        target: Target,
        arns: Iterable[str],
        *,
        source: JobSource,
        store: Store,
        journal: Journal,
        telemetry: Telemetry,
        policy: Policy,
        clock: Clock,
        random: Callable[[], float],
    ) -> None:
        self.target = target
        self._source, self._store, self._journal, self._telemetry = source, store, journal, telemetry
        self._policy, self._clock, self._random = policy, clock, random
        now = clock.monotonic()
        self._since = clock.wall()
        self._lock = threading.Lock()
        self._watches = {arn: Watch(arn, due=now, answered=now) for arn in arns}
        self._asking: dict[str, Watch] = {}
        self._waiting = set(self._watches)
        self.first_poll_done = not self._waiting
        self._jobs = len(self._watches)
        self._bucket = TokenBucket.full(policy.requests_per_second, now)
        self._health = Health()
        self._paused_until = now
        self.last_step = now
        self._pass: set[str] = set()
        self._pass_began: float | None = None
        self._pass_took: float | None = None
        for arn in self._watches:
            store.put(JobRecord(arn))

    def status(self) -> TargetStatus:
        """Tell how the target fares."""
        with self._lock:
            now = self._clock.monotonic()
            asked_for = [*self._watches.values(), *self._asking.values()]
            active = [watch for watch in asked_for if not watch.after_end]
            stale = (now - watch.answered for watch in active if not self._never_existed(watch))
            return TargetStatus(
                target=self.target,
                health=self._health,
                active=len(active),
                finished=self._jobs - len(active),
                waiting=len(self._waiting),
                staleness=max(stale, default=None),
                poll_duration=self._pass_took,
                budget={GET_JOB: self._bucket.rate},
            )

    def _never_existed(self, watch: Watch) -> bool:
        """Whether Braket refused the job and never answered for it: a mistyped ARN grows old without meaning."""
        return watch.refused and self._store.record(watch.arn).snapshot is None

    def step(self) -> float:
        """Make the most urgent call; return 0, or the seconds until there will be one to make."""
        asked = self.last_step = self._clock.monotonic()
        watch, wait = self._next(asked)
        if watch is None:
            return wait
        try:
            snapshot = self._source.get_job(watch.arn)
        except BraketError as error:
            self._failed(watch, error, asked)
        else:
            self._answered(watch, snapshot, asked)
        return 0.0

    def _next(self, now: float) -> tuple[Watch | None, float]:
        with self._lock:
            watch = most_urgent(self._watches.values())
            if watch is None:
                return None, IDLE
            ready = max(watch.due, self._paused_until)
            if ready > now:
                return None, min(IDLE, ready - now)
            if wait := self._bucket.take(now):
                return None, min(IDLE, wait)
            if self._pass_began is None:
                self._pass_began, self._pass = now, set(self._watches)
            self._asking[watch.arn] = self._watches.pop(watch.arn)
            return watch, 0.0

    def _answered(self, watch: Watch, snapshot: JobSnapshot, asked: float) -> None:
        wall = self._clock.wall()
        observation = observe(self._store.record(watch.arn), snapshot, since=self._since, now=wall)
        self._journal.observed(observation)
        for field, _ in observation.unknown:
            self._telemetry.unknown_value(field)
        self._store.put(observation.record, observation.increments)
        again = after_answer(watch, observation.record, asked=asked, interval=self._policy.poll_interval, wall=wall)
        with self._lock:
            self._health = self._health.succeeded(wall)
            self._put_back(watch.arn, again, tried=True)

    def _failed(self, watch: Watch, error: BraketError, asked: float) -> None:
        if isinstance(error, MalformedError):
            self._telemetry.parse_error()
        record = self._store.record(watch.arn)
        again = self._after_failure(watch, record, error, asked)
        tried = isinstance(error, JobError) or watch.failures + 1 >= TRIES_AT_START
        if record.active and isinstance(error, JobError):
            self._store.put(replace(record, failing=error.code))
        with self._lock:
            self._note_failure(watch.arn, error, asked)
            self._put_back(watch.arn, again, tried=tried)
            retry_at = None if again is None else max(again.due, self._paused_until)
        retry_in = None if retry_at is None else max(0.0, retry_at - self._clock.monotonic())
        self._journal.poll_failed(self.target, GET_JOB, watch.arn, error, retry_in)

    def _after_failure(self, watch: Watch, record: JobRecord, error: BraketError, asked: float) -> Watch | None:
        if not isinstance(error, JobError):
            return after_target_failure(watch, now=self._clock.monotonic(), interval=self._policy.poll_interval)
        if isinstance(error, NotFoundError) and not record.active:
            return None  # it has told its end already; Braket forgets jobs after some months
        return after_job_failure(watch, asked=asked, interval=self._policy.poll_interval)

    def _note_failure(self, arn: str, error: BraketError, asked: float) -> None:
        if isinstance(error, NotFoundError | RejectedError):
            self._health = self._health.answered(str(error))
            return
        jobs = len(self._watches) + len(self._asking)
        self._health = self._health.failed(arn, str(error), asked_jobs=jobs, own_fault=isinstance(error, JobError))
        account_wide = isinstance(error, ThrottledError | UnauthenticatedError)
        unreachable = isinstance(error, UnavailableError) and self._health.up is False
        if (account_wide or unreachable) and asked >= self._paused_until:
            self._health = self._health.paused()
            self._paused_until = self._clock.monotonic() + target_backoff(self._health.pauses, self._random())

    def _put_back(self, arn: str, again: Watch | None, *, tried: bool) -> None:
        del self._asking[arn]
        if again is not None:
            self._watches[arn] = again
        if tried:
            self._waiting.discard(arn)
        if not self._waiting or self._health.pauses >= TRIES_AT_START:
            self.first_poll_done = True
        self._end_pass(arn, self._clock.monotonic())

    def _end_pass(self, arn: str, now: float) -> None:
        """End the pass once nothing is due, or, where that never happens, once every job had its turn."""
        self._pass.discard(arn)
        upcoming = most_urgent(self._watches.values())
        nothing_due = not self._asking and (upcoming is None or upcoming.due > now)
        if self._pass_began is not None and (nothing_due or not self._pass):
            self._pass_took, self._pass_began = now - self._pass_began, None


def forget_expired(store: Store, journal: Journal, telemetry: Telemetry, policy: Policy, now: float) -> None:
    """Drop the jobs whose retention is over at ``now``, unix seconds."""
    for record in store.records():
        end = expires_at(record, retention=policy.retention, retention_failed=policy.retention_failed)
        if end is not None and end <= now:
            store.forget(record.arn)
            telemetry.dropped("retention")
            journal.forgotten(record.arn, record.snapshot, "retention")
