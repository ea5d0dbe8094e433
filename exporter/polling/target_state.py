"""The state of one polled target, which its poller and its call sources share."""

import threading
from collections.abc import Collection, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from functools import partial
from typing import Final, NamedTuple

from exporter.core import (
    GET_JOB,
    MALFORMED,
    SEARCH_JOBS,
    BraketError,
    Clock,
    Health,
    Target,
    TargetConfig,
    TargetStatus,
    combined_health,
)
from exporter.polling.circuit_breaker import CircuitBreaker
from exporter.polling.client import JobClient
from exporter.polling.discovery import Discovery
from exporter.polling.pending_events import PendingEvents, expedited
from exporter.polling.policy import Policy
from exporter.polling.queue_health import QueueHealth
from exporter.polling.retry_policy import ATTEMPTS_AT_START
from exporter.polling.schedule import get_job_suffices
from exporter.polling.watched_jobs import WatchedJobs
from exporter.storage import Store, Tombstones
from exporter.telemetry import EventLog, SelfMetrics

WRONG_CLOCK: Final = 60.0
"""If the local clock is wrong by more, seconds, the first SearchJobs calls are planned again."""


class Start(NamedTuple):
    """The start of a target, by the local clocks.

    Attributes:
        wall: unix seconds, which may be wrong.
        monotonic: the same moment.
        resumed: the baseline time from before a restart, by AWS's clock, if there is one.
    """

    wall: float
    monotonic: float
    resumed: float | None

    def corrected(self, baseline: float, *, true_start: float) -> float:
        """Return the true baseline time. The one from before a restart is never after the start.

        Args:
            baseline: unix seconds; a job created later is new.
            true_start: the start by AWS's clock, unix seconds.
        """
        return min(baseline, true_start) if baseline == self.resumed else baseline + true_start - self.wall


class Published(NamedTuple):
    """The state of a target that scrapes and probes read, without waiting for the poller.

    A target publishes after each call, far more often than anybody reads. So readers make the ``TargetStatus``.

    Attributes:
        target: the account and Region.
        name: the name of the target in the settings.
        healths: the health of each operation but the optional ones.
        operations: the operations that are called.
        active: the number of active jobs.
        watched: the number of watched jobs.
        waiting: the number of jobs that are not polled yet since the start.
        poll_duration: the duration of the last poll cycle, seconds; ``None`` before the first.
        listed: whether the first scan for new jobs is complete.
        oldest: when the status of the least recently polled active job was confirmed, monotonic seconds.
        first_poll_done: whether every active job was polled once, or polling it is paused for a while.
        full_poll_done: whether the same holds for every job, including jobs that ended before they were discovered.
    """

    target: Target
    name: str
    healths: tuple[Health, ...]
    operations: tuple[str, ...]
    active: int
    watched: int
    waiting: int
    poll_duration: float | None
    listed: bool
    oldest: float | None
    first_poll_done: bool
    full_poll_done: bool


@dataclass(slots=True)
class TargetState:
    """The state of one polled target.

    Attributes:
        config: the account, the Region, the configured jobs and the selector.
        client: makes the calls.
        store: the store of the job records.
        event_log: logs the changes.
        telemetry: the exporter's own metrics.
        tombstones: the tombstones of all targets.
        clock: the time.
        circuit_breaker: decides whether an operation may be called now.
        policy: the polling policy.
        start: the start of the target.
        outcome_lock: held while the outcome of a call changes the state, so that no job is removed meanwhile. It is
            acquired before ``lock``.
        lock: held while the fields below are read or changed, except ``published``.
        jobs: the watched jobs.
        discovery: discovers jobs; ``None`` for a target without a selector.
        events: the pending events.
        queue_health: the health of the target's event queue; ``None`` without one.
        start_is_true: whether a response has shown the true time, so that the start and all later times are true.
        published: the state that scrapes and probes read. It is replaced after each change, and never changes itself.
    """

    config: TargetConfig
    client: JobClient
    store: Store
    event_log: EventLog
    telemetry: SelfMetrics
    tombstones: Tombstones
    clock: Clock
    circuit_breaker: CircuitBreaker
    policy: Policy
    start: Start
    outcome_lock: threading.Lock = field(default_factory=threading.Lock)
    lock: threading.Lock = field(default_factory=threading.Lock)
    jobs: WatchedJobs = field(default_factory=WatchedJobs)
    discovery: Discovery | None = None
    events: PendingEvents = field(default_factory=PendingEvents)
    queue_health: QueueHealth | None = None
    start_is_true: bool = False
    published: Published = field(init=False)

    @property
    def watched(self) -> frozenset[str]:
        """The jobs that are watched, finished ones included."""
        discovered = () if self.discovery is None else self.discovery.discovered_jobs.members
        return frozenset(self.jobs.configured).union(discovered)

    @property
    def watched_jobs(self) -> int:
        """The number of watched jobs. No configured job is a discovered one."""
        return len(self.jobs.configured) + (
            0 if self.discovery is None else len(self.discovery.discovered_jobs.members)
        )

    @contextmanager
    def changing(self) -> Iterator[None]:
        """Hold the lock, and publish the changed state."""
        with self.lock:
            yield
            self.publish()

    def status(self) -> TargetStatus:
        """Return the published status, with the data age and the rates of this moment. No lock of polling is taken."""
        published, now, limiter = self.published, self.clock.monotonic(), self.circuit_breaker.rate_limiter
        return TargetStatus(
            target=published.target,
            health=combined_health(published.healths).settled(),
            active=published.active,
            finished=published.watched - published.active,
            waiting=published.waiting,
            staleness=None if published.oldest is None else now - published.oldest,
            poll_duration=published.poll_duration,
            budget={each: limiter.rate(published.target, each, now) for each in published.operations},
            used={each: limiter.used(published.target, each, now) for each in published.operations},
            listed=published.listed,
            name=published.name,
        )

    def publish(self) -> None:
        """Publish the state. The caller holds the lock."""
        progress, active = self.jobs.progress, self.jobs.queue.active
        self.published = Published(
            target=self.circuit_breaker.current_target(),  # so that its rate limit is under this name
            name=self.config.name,
            healths=self.circuit_breaker.healths,
            operations=self.circuit_breaker.operations,
            active=len(active),
            watched=self.watched_jobs,
            waiting=len(progress.pending_active) + len(progress.pending_finished),
            poll_duration=active.cycle.duration,
            listed=self.discovery is None or self.discovery.planner.first_scan_complete,
            oldest=active.oldest(),
            first_poll_done=self._first_poll_done(),
            full_poll_done=self._full_poll_done(),
        )

    def _first_poll_done(self) -> bool:
        found = self.discovery is None or self.discovery.planner.first_scan_complete
        return self._is_done(self.jobs.progress.pending_active, found=found)

    def _full_poll_done(self) -> bool:
        pending = self.jobs.progress.pending_active or self.jobs.progress.pending_finished
        return self._is_done(pending, found=self.discovery is None or self.discovery.planner.lookback_covered)

    def _is_done(self, pending: Collection[str], *, found: bool) -> bool:
        """Return whether the first poll is done, or is paused for a while.

        Args:
            pending: the jobs that are not polled yet.
            found: whether all jobs are discovered.
        """
        searched = found or self.circuit_breaker.consecutive_failures(SEARCH_JOBS) >= ATTEMPTS_AT_START
        return searched and (not pending or self.circuit_breaker.pauses(GET_JOB) >= ATTEMPTS_AT_START)

    def get_job_suffices(self, now: float) -> bool:
        """Return whether GetJob alone can poll the active jobs in time, without a status scan."""
        if self.discovery is None:
            return True
        active, rate = self.jobs.queue.active, self.circuit_breaker.rate(GET_JOB, now)
        jobs, interval = float(len(active)), self.policy.poll_interval
        if active.relaxed and self.policy.event_poll_interval:
            jobs -= active.relaxed * (1 - interval / self.policy.event_poll_interval)
        return get_job_suffices(jobs, rate=rate, interval=interval)

    def relaxed_interval(self, now: float) -> float | None:
        """Return the poll interval of RUNNING jobs, if events report their changes."""
        healthy = self.queue_health is not None and self.queue_health.is_healthy(now)
        return self.policy.event_poll_interval if healthy else None

    def expedite(self, arn: str, now: float) -> None:
        """Have a job polled now, unless a call for it is in flight. The caller holds the lock."""
        schedule = self.jobs.queue.get(arn)
        if schedule is not None:
            self.jobs.queue.put(expedited(schedule, now))

    def count_malformed(self, error: BraketError) -> None:
        """Count a malformed response."""
        if error.code == MALFORMED:
            self.telemetry.parse_error()

    def correct_time(self) -> None:
        """Set the clock by the response that just came; the first response corrects the start as well.

        The caller holds ``outcome_lock``. No decision depends on the start before the first response.
        """
        planned_by = self.clock.wall()
        self.clock.correct(self.client.clock_offset)
        if self.start_is_true:
            return
        self.start_is_true = True
        true_start = self.clock.wall() - (self.clock.monotonic() - self.start.monotonic)
        corrected = partial(self.start.corrected, true_start=true_start)
        replan = abs(self.clock.wall() - planned_by) > WRONG_CLOCK
        with self.lock:
            if self.discovery is not None:
                self.discovery.correct_start(corrected, replan=replan, now=self.clock.monotonic())
            records = [*map(self.store.find, self.jobs.configured)]
        for record in records:
            if record and record.snapshot is None:
                self.store.amend(replace(record, baseline_at=corrected(record.baseline_at)))
