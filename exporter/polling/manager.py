"""The manager of the polled targets. It follows new plans while threads poll.

A target that does not change keeps its poller and its state. A target that changes keeps both, too. A job that no
target configures or discovers any more is dropped at once.
"""

import threading
from collections.abc import Callable, Collection, Sequence
from typing import Final

from exporter.core import MAX_JOBS, Clock, TargetConfig, TargetStatus, merged_statuses
from exporter.polling.assignment import assign_jobs, claimed, release_jobs, resume_jobs
from exporter.polling.client import JobClient
from exporter.polling.events import EventQueues
from exporter.polling.policy import TOMBSTONE_SLACK, Policy
from exporter.polling.polled_target import PolledTarget
from exporter.polling.polling_plan import Changes, ConnectQueue, Plan, plan_polling
from exporter.polling.rate_limiter import RateLimiter
from exporter.polling.target_builder import Services, build_target
from exporter.polling.worker_pool import Poller, WorkerPool
from exporter.storage import SavedState, Store, Tombstones
from exporter.telemetry import EventLog, SelfMetrics

STUCK_AFTER: Final = 60.0
"""The time in one step, seconds, after which a thread is stuck. Every call has a deadline of some 15 seconds."""


class PollerManager:
    """Starts, stops and reconfigures the polled targets.

    Args:
        store: the store of the job records.
        event_log: logs the changes.
        telemetry: the exporter's own metrics.
        rate_limiter: limits the rate of the calls.
        clock: the time.
        random: returns a random number in [0, 1).
    """

    def __init__(
        self,
        *,
        store: Store,
        event_log: EventLog,
        telemetry: SelfMetrics,
        rate_limiter: RateLimiter,
        clock: Clock,
        random: Callable[[], float],
    ) -> None:
        self._services = Services(store, event_log, telemetry, rate_limiter, clock, random, store.tombstones)
        self._event_queues = EventQueues(self._services, self.wake, self.fail)
        self._targets: tuple[PolledTarget, ...] = ()
        self._policy: Policy | None = None
        self._workers: WorkerPool | None = None
        self._stopped: Callable[[], bool] = lambda: False
        """Whether the exporter ends, so that long work is left to the next start."""
        self._was_ready = False
        self._changing = threading.Lock()
        """Held while targets change, when they do not show whether the exporter is ready. A change may wait for the
        state file, so readers never wait for this lock."""

    @property
    def targets(self) -> Sequence[PolledTarget]:
        """The polled targets, in the order of their configurations."""
        return self._targets

    @property
    def tombstones(self) -> Tombstones:
        """The tombstones of all targets."""
        return self._services.tombstones

    @property
    def ready(self) -> bool:
        """Whether the first poll of active jobs is done. Jobs that are added later do not change that."""
        if self._changing.acquire(blocking=False):
            try:
                self._update_ready()
            finally:
                self._changing.release()
        return self._was_ready

    @property
    def full_poll_done(self) -> bool:
        """Whether every job was polled, including jobs that ended before they were discovered."""
        return all(target.full_poll_done for target in self._targets)

    @property
    def complete(self) -> bool:
        """Whether everything was polled: every job, and the devices and spending limits."""
        return self.full_poll_done and all(target.optional_polls_done for target in self._targets)

    @property
    def healthy(self) -> bool:
        """Whether no thread is stuck."""
        return self._workers is None or self._workers.longest_step() < STUCK_AFTER

    @property
    def baselines(self) -> dict[str, float]:
        """The baseline time of each target that discovers jobs, unix seconds, by the target's key."""
        baselines = ((target.config.key, target.baseline_at) for target in self._targets)
        return {key: baseline_at for key, baseline_at in baselines if baseline_at is not None}

    def statuses(self) -> list[TargetStatus]:
        """Return the status of each target."""
        return merged_statuses(target.status() for target in self._targets)

    def drop_expired(self) -> None:
        """Drop the expired jobs, and the finished jobs beyond the series limit."""
        for target in self._targets:
            target.drop_expired(self._stopped)
        self._prune_orphans()
        self._drop_optional()
        self.enforce_limit()

    def _drop_optional(self) -> None:
        """Drop the devices and spending limits that are not polled any more."""
        store, policy = self._services.store, self._policy
        if policy is not None:
            store.devices.drop_expired(self._services.clock.monotonic() if policy.device_interval else float("inf"))
            polled = {target.target for target in self._targets} if policy.spending_limit_interval else ()
            store.spending_limits.retain(polled)

    def _prune_orphans(self) -> None:
        """Drop old tombstones of removed targets, since no target does."""
        if self._policy is not None:
            before = self._services.clock.wall() - self._policy.lookback - TOMBSTONE_SLACK
            while pruned := self.tombstones.prune_all_but(self.baselines, before):
                self._services.store.drop_tombstones(pruned, self.tombstones.floor)

    def enforce_limit(self) -> None:
        """Drop the finished jobs beyond the series limit; active jobs beyond it stay without series."""
        beyond, dropped = self._services.store.enforce_limit(self._stopped)
        for _ in range(dropped):
            self._services.telemetry.dropped(MAX_JOBS)
        for target in self._targets if beyond else ():
            target.drop_beyond_limit(beyond, self._stopped)

    def set_limit(self, most: int) -> None:
        """Set the maximum number of jobs with series."""
        self._services.store.set_limit(most)
        self.enforce_limit()

    def start(self, threads: int, stop: threading.Event) -> None:
        """Poll until ``stop`` is set, with at most the given number of threads."""
        self._stopped = stop.is_set
        self._workers = WorkerPool(self._pollers(), threads, stop)
        self._workers.start()
        self._event_queues.start(stop)

    def wake(self, target: PolledTarget) -> None:
        """Have a target make its next call at once, if one is due."""
        if self._workers is not None:
            self._workers.wake(target.poller)

    def join(self) -> None:
        """Wait up to a second for the threads to end; raise the bug that ended one of them."""
        if self._workers is not None:
            self._workers.join()

    def fail(self, bug: BaseException) -> None:
        """Stop polling because of a bug."""
        if self._workers is not None:
            self._workers.fail(bug)

    def plan(
        self,
        configs: Sequence[TargetConfig],
        policy: Policy,
        rate: float,
        connect: Callable[[TargetConfig], JobClient],
        *,
        connect_queue: ConnectQueue | None = None,
    ) -> Plan:
        """Plan to poll these targets. Nothing changes yet.

        Args:
            configs: the targets to poll.
            policy: the polling policy.
            rate: the rate limit for each account, Region and operation, requests a second.
            connect: returns the client of a new target.
            connect_queue: returns the client of a target's event queue; ``None`` for no events.
        """
        return plan_polling(self._targets, configs, policy, rate, connect, connect_queue=connect_queue)

    def follow(self, plan: Plan, saved: SavedState | None = None) -> Changes:
        """Poll the targets of a plan.

        Args:
            plan: the plan.
            saved: the state from before a restart; its jobs and tombstones are in the store already. If the file could
                be read in part only, it is missing, and the store has some of the jobs.
        """
        with self._changing:
            self._was_ready = self._policy is not None and self._update_ready()
            changes = self._change(plan, saved)
        if self._workers is not None:
            self._workers.replace(self._pollers())
        self._event_queues.follow(self._targets, plan.connect_queue)
        return changes

    def _pollers(self) -> list[Poller]:
        return [target.poller for target in self._targets]

    def _update_ready(self) -> bool:
        self._was_ready = self._was_ready or all(target.first_poll_done for target in self._targets)
        return self._was_ready

    def _change(self, plan: Plan, saved: SavedState | None) -> Changes:
        services, before = self._services, self._targets
        services.rate_limiter.set_limit(plan.rate)
        new_jobs = {arn for config, _ in plan.new for arn in config.jobs if arn not in services.store}
        kept, new = {target: config for config, target in plan.kept}, [config for config, _ in plan.new]
        transfer = release_jobs(services, before, kept, new, services.clock.wall() if saved is None else saved.polled)
        changed = [pair for pair in plan.kept if plan.policy != self._policy or pair[1].config != pair[0]]
        for config, target in changed:
            transfer |= target.reconfigure(config, plan.policy, claimed(config, transfer))
        added = [self._add(config, client, plan.policy, saved, new_jobs) for config, client in plan.new]
        for target in added:
            if transferred := claimed(target.config, transfer):
                target.reconfigure(target.config, plan.policy, transferred)
        self._targets, self._policy = (*kept, *added), plan.policy
        if not before:  # a start: the jobs of the store are from the state file
            transfer |= resume_jobs(services, self._targets, new_jobs)
        assign_jobs(services, self._targets, transfer, self._stopped)
        return Changes(added=len(added), removed=len(before) - len(kept), changed=len(changed))

    def _add(
        self,
        config: TargetConfig,
        client: JobClient,
        policy: Policy,
        saved: SavedState | None,
        new_jobs: Collection[str],
    ) -> PolledTarget:
        return build_target(
            config,
            client,
            self._services,
            policy,
            new_jobs=[arn for arn in config.jobs if arn in new_jobs],
            baseline_at=None if saved is None else saved.baselines.get(config.key, saved.polled),
        )
