"""What the poller of a target and its call sources share."""

import threading
from collections.abc import Collection
from dataclasses import dataclass, field, replace
from functools import partial
from typing import Final, NamedTuple

from exporter.core import GET_JOB, MALFORMED, SEARCH_JOBS, BraketError, Clock, TargetStatus
from exporter.polling.circuit_breaker import CircuitBreaker
from exporter.polling.client import JobSource
from exporter.polling.discovery import Discovery
from exporter.polling.policy import Policy
from exporter.polling.retry_policy import TRIES_AT_START
from exporter.polling.schedule import JobSchedule, get_job_suffices
from exporter.polling.watched_jobs import WatchedJobs
from exporter.storage import Store, Tombstones
from exporter.telemetry import EventLog, SelfMetrics

WRONG_CLOCK: Final = 60.0
"""A local clock that is off by more, seconds, has the first lists planned again."""


class Start(NamedTuple):
    """When a poller started, by the local clocks.

    Attributes:
        wall: unix seconds, perhaps wrong.
        monotonic: the same moment.
        resumed: a baseline time from before a restart, which AWS's clock made, if there is one.
    """

    wall: float
    monotonic: float
    resumed: float | None

    def corrected(self, baseline: float, *, true_start: float) -> float:
        """Return the true baseline time; the one from before a restart is never after the start.

        Args:
            baseline: unix seconds; jobs that were created later are news.
            true_start: the start by AWS's clock, unix seconds.
        """
        return min(baseline, true_start) if baseline == self.resumed else baseline + true_start - self.wall


@dataclass(slots=True)
class TargetState:
    """The state of one polled target, and whom its calls concern.

    Attributes:
        client: makes the calls.
        store: takes the job records.
        journal: logs the changes.
        telemetry: counts.
        tombstones: what is remembered of forgotten jobs, by whichever target.
        clock: the time.
        gate: allows calls.
        policy: intervals.
        start: when the poller started.
        lock: held while the fields below are read or changed.
        jobs: the jobs that are watched.
        finder: finds jobs; ``None`` where none are looked for.
        start_is_sure: whether a response has shown the true time, so that the start and the times derived from it are
            right.
    """

    client: JobSource
    store: Store
    event_log: EventLog
    telemetry: SelfMetrics
    tombstones: Tombstones
    clock: Clock
    circuit_breaker: CircuitBreaker
    policy: Policy
    start: Start
    lock: threading.Lock = field(default_factory=threading.Lock)
    jobs: WatchedJobs = field(default_factory=WatchedJobs)
    discovery: Discovery | None = None
    start_is_sure: bool = False

    def status(self, name: str, jobs: int) -> TargetStatus:
        """Return the status of the target.

        Args:
            name: its name in the settings; empty without one.
            jobs: how many jobs are watched, finished ones included.
        """
        now, progress = self.clock.monotonic(), self.jobs.progress
        active = [*self.jobs.active()]
        stale = (now - watch.confirmed_at for watch in active if not self._never_existed(watch))
        return TargetStatus(
            target=self.client.target,
            health=self.circuit_breaker.health.judged(),
            active=len(active),
            finished=jobs - len(active),
            waiting=len(progress.pending_active) + len(progress.pending_finished),
            staleness=max(stale, default=None),
            poll_duration=progress.cycle_duration,
            budget=self.circuit_breaker.rates(now),
            used=self.circuit_breaker.used(now),
            listed=self.discovery is None or self.discovery.planner.first_scan_complete,
            name=name,
        )

    @property
    def first_poll_done(self) -> bool:
        """Whether every active job was polled once, or given up on for a while."""
        found = self.discovery is None or self.discovery.planner.first_scan_complete
        return self._is_done(self.jobs.progress.pending_active, found=found)

    @property
    def full_poll_done(self) -> bool:
        """Whether that holds for every job, those included that had ended before they were found."""
        pending = self.jobs.progress.pending_active or self.jobs.progress.pending_finished
        return self._is_done(pending, found=self.discovery is None or self.discovery.planner.lookback_covered)

    def _is_done(self, pending: Collection[str], *, found: bool) -> bool:
        """Return whether the first poll is done, or given up on for a while.

        Args:
            pending: the jobs that it waits for.
            found: whether all jobs that it may wait for have been found.
        """
        searched = found or self.circuit_breaker.failed_in_a_row(SEARCH_JOBS) >= TRIES_AT_START
        return searched and (not pending or self.circuit_breaker.pauses(GET_JOB) >= TRIES_AT_START)

    def _never_existed(self, watch: JobSchedule) -> bool:
        """Return whether Braket refused the job and never answered for it: a mistyped ARN has no data age."""
        return watch.refused and self.store.record(watch.arn).snapshot is None

    def get_job_suffices(self, now: float) -> bool:
        """Return whether GetJob alone can follow the active jobs, so that SearchJobs need not report their status."""
        if self.discovery is None:
            return True
        active = sum(not watch.ended for watch in self.jobs.queue)
        return get_job_suffices(
            active, rate=self.circuit_breaker.rates(now)[GET_JOB], interval=self.policy.poll_interval
        )

    def count_malformed(self, error: BraketError) -> None:
        """Count a response that cannot be read."""
        if error.code == MALFORMED:
            self.telemetry.parse_error()

    def correct_time(self) -> None:
        """Follow AWS's clock, by the response that just came; the first one corrects the start as well.

        The caller holds the poller's lock for responses. Nothing depends on the start before the first response.
        """
        planned_by = self.clock.wall()
        self.clock.correct(self.client.clock_offset)
        if self.start_is_sure:
            return
        self.start_is_sure = True
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
