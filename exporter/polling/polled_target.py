"""A polled target: its poller, and the reconfiguration of its watched jobs while the poller runs."""

import time
from collections.abc import Callable, Iterable, Sequence
from collections.abc import Set as AbstractSet
from dataclasses import replace
from functools import partial

from exporter.core import JobRecord, Selector, Target, TargetConfig, TargetStatus
from exporter.polling.discovery import Discovery
from exporter.polling.expiry import PAUSE, drop_beyond_limit, drop_expired
from exporter.polling.job_events import JobEvents
from exporter.polling.policy import Policy
from exporter.polling.poller import TargetPoller
from exporter.polling.records import configured_record
from exporter.polling.schedule import JobSchedule, first_schedule
from exporter.polling.sources import RoundRobin
from exporter.polling.target_state import TargetState
from exporter.polling.watched_jobs import JobTransfer, WatchedJobs
from exporter.storage import Ranked, in_batches


class PolledTarget:
    """The watched jobs of one target. They can change while threads poll them.

    A job that is removed here belongs to no target until another one takes it over, or until it is dropped. The outcome
    of its call in flight is ignored.

    Attributes:
        poller: the poller.
        events: the events about the jobs.

    Args:
        state: the state of the target, without jobs.
        sources: the call sources.
        new_jobs: the configured jobs without a record.
    """

    def __init__(self, state: TargetState, sources: RoundRobin, new_jobs: Iterable[str]) -> None:
        self._state, self._sources = state, sources
        self.poller, self.events = TargetPoller(state, sources), JobEvents(state)
        selector, start = state.config.selector, state.start
        if selector is not None:
            state.discovery = self._new_discovery(selector, start.wall if start.resumed is None else start.resumed)
        state.circuit_breaker.set_operations(sources.operations, start.monotonic)
        self._add_configured(tuple(new_jobs), {}, start.monotonic, start.wall)
        state.publish()

    @property
    def config(self) -> TargetConfig:
        """The account, the Region, the configured jobs and the selector."""
        return self._state.config

    @property
    def target(self) -> Target:
        """The account and Region; the account is empty until it is known."""
        return self._state.client.target

    @property
    def discovers(self) -> bool:
        """Whether the target discovers jobs."""
        return self._state.discovery is not None

    @property
    def baseline_at(self) -> float | None:
        """The baseline time of the active selector, unix seconds; ``None`` without a selector."""
        discovery = self._state.discovery
        return None if discovery is None else discovery.discovered_jobs.selection.start

    @property
    def jobs(self) -> frozenset[str]:
        """The watched jobs."""
        with self._state.lock:
            return self._state.watched

    @property
    def first_poll_done(self) -> bool:
        """Whether every active job was polled once, or polling it is paused for a while."""
        return self._state.published.first_poll_done

    @property
    def full_poll_done(self) -> bool:
        """Whether the same holds for every job, including jobs that ended before they were discovered."""
        return self._state.published.full_poll_done

    @property
    def optional_polls_done(self) -> bool:
        """Whether the devices and the spending limits were polled once, or polling them failed."""
        return self._sources.polled_once

    def status(self) -> TargetStatus:
        """Return the status of the target, without waiting for the poller."""
        return self._state.status()

    def drop_expired(self, stopped: Callable[[], bool] = lambda: False) -> None:
        """Drop the expired jobs, until ``stopped`` returns true."""
        drop_expired(self._state, stopped)

    def drop_beyond_limit(self, jobs: Sequence[Ranked], stopped: Callable[[], bool] = lambda: False) -> None:
        """Drop the finished jobs beyond the series limit that were discovered here; active jobs stay without series."""
        drop_beyond_limit(self._state, jobs, stopped)

    def reconfigure(self, config: TargetConfig, policy: Policy, transferred: JobTransfer) -> JobTransfer:
        """Watch other jobs; return the jobs that are not watched any more.

        A target with a selector keeps a job that is not configured any more. The job is marked for removal unless a
        page shows that the selector selects it.

        Args:
            config: the new configuration.
            policy: the polling policy.
            transferred: configured jobs that other targets watched before.
        """
        state, before, former_owner = self._state, self._state.policy, self._owner
        state.store.open(config.jobs)  # not under the locks: the jobs may be in many blocks
        left = self._change(config, policy, transferred)
        if policy.poll_interval < before.poll_interval or _relaxed(policy) < _relaxed(before):
            self._bring_forward()
        if former_owner is not None and self._owner is not None:
            for moved in state.tombstones.change_owner(former_owner, self._owner):
                state.store.save_tombstones(moved)
        return left

    def _change(self, config: TargetConfig, policy: Policy, transferred: JobTransfer) -> JobTransfer:
        """Reconfigure under the locks; return the jobs that are not watched any more."""
        state, jobs = self._state, self._state.jobs
        with state.outcome_lock, state.changing():
            now, wall = state.clock.monotonic(), state.clock.wall()
            configured, before, discovered = config.jobs, frozenset(jobs.configured), self._discovered()
            state.config = config
            known = {arn: self._remove(arn) for arn in configured if arn in discovered}
            self._set_policy(policy, now, wall)
            removed = before.difference(configured)
            if state.discovery is None:
                removed |= discovered
            left = {arn: self._remove(arn) for arn in removed}
            jobs.configured = tuple(arn for arn in configured if arn in before)
            added = tuple(arn for arn in configured if arn not in before)
            self._add_configured(added, {**transferred, **known}, now, wall)
            if state.discovery is None:
                return left
            self._take_over(state.discovery, left, wall)
            return {}

    def _bring_forward(self) -> None:
        """Have each job polled within a poll interval that is shorter now, in batches: the lock is released between."""
        state, policy = self._state, self._state.policy
        with state.lock:
            arns = state.jobs.queue.arns
        for batch in in_batches(arns):
            with state.changing():
                state.jobs.bring_forward(batch, state.clock.monotonic(), partial(_interval, policy))
            time.sleep(PAUSE)

    def release(self, arns: Iterable[str]) -> JobTransfer:
        """Remove those of the jobs that are watched here; return them."""
        state = self._state
        with state.outcome_lock, state.changing():
            configured, discovered = frozenset(state.jobs.configured), self._discovered()
            left = {arn: self._remove(arn) for arn in arns if arn in configured or arn in discovered}
            state.jobs.configured = tuple(arn for arn in state.jobs.configured if arn not in left)
            return left

    def take_over(self, transferred: JobTransfer) -> None:
        """Watch known jobs as discovered ones; marked for removal unless a page shows that they are selected."""
        state = self._state
        with state.outcome_lock, state.changing():
            assert state.discovery is not None  # noqa: S101 -- a target without a selector takes over no job
            self._take_over(state.discovery, transferred, state.clock.wall())

    def resume(self, known: Sequence[tuple[JobRecord, JobSchedule | None]]) -> None:
        """Continue after a restart with jobs that were watched here, each with its schedule."""
        state = self._state
        with state.outcome_lock, state.changing():
            state.jobs.configured += tuple(record.arn for record, _ in known if record.configured)
            if state.discovery is not None:
                discovered = [record for record, _ in known if not record.configured]
                state.discovery.resume(discovered, state.clock.monotonic())
            for _, schedule in known:
                state.jobs.add(schedule)

    def close(self) -> JobTransfer:
        """Make no further calls; return the jobs that were watched."""
        state = self._state
        with state.outcome_lock, state.changing():
            jobs, watched = state.jobs, (*state.jobs.configured, *self._discovered())
            state.jobs, state.discovery = WatchedJobs(), None
            schedules = jobs.close()
        return {arn: schedules.get(arn) for arn in watched}

    @property
    def _owner(self) -> str | None:
        """The key under which jobs are discovered and forgotten; ``None`` without a selector."""
        discovery = self._state.discovery
        return None if discovery is None else discovery.discovered_jobs.selection.owner

    def _discovered(self) -> AbstractSet[str]:
        discovery = self._state.discovery
        return frozenset() if discovery is None else discovery.discovered_jobs.members

    def _new_discovery(self, selector: Selector, since: float) -> Discovery:
        state = self._state
        return Discovery(
            selector,
            state.policy,
            job_queue=state.jobs.queue,
            progress=state.jobs.progress,
            store=state.store,
            since=since,
            now=state.clock.monotonic(),
            tombstones=state.tombstones,
            owner=state.config.key,
        )

    def _set_policy(self, policy: Policy, now: float, wall: float) -> None:
        state = self._state
        state.policy, selector = policy, state.config.selector
        if selector is None:
            state.discovery = None
        elif state.discovery is None:
            state.discovery = self._new_discovery(selector, wall)
        else:
            state.discovery.reconfigure(selector, policy, now=now, wall=wall, owner=state.config.key)
        state.events.settings_changed(now)
        state.circuit_breaker.set_operations(self._sources.operations, now)

    def _add_configured(self, arns: tuple[str, ...], known: JobTransfer, now: float, wall: float) -> None:
        """Watch configured jobs: known ones continue from their state, other ones start without a state."""
        state = self._state
        state.jobs.configured += arns
        records = (state.store.record(arn) for arn in arns if arn in known)
        state.store.amend(*(replace(record, configured=True, owner="") for record in records))
        for arn in arns:
            if arn in known:
                state.jobs.add(known[arn])
            else:
                state.store.add(configured_record(arn, wall, state.tombstones))
                state.jobs.add(first_schedule(arn, now))

    def _take_over(self, discovery: Discovery, transferred: JobTransfer, wall: float) -> None:
        owner, store = self._state.config.key, self._state.store
        records = [*map(store.record, transferred)]
        for record in records:
            discovery.discovered_jobs.take_over(record, wall)
            self._state.jobs.add(transferred[record.arn])
        # Other records stay unchanged: most of them are in compressed blocks, which are slow to change.
        changed = (record for record in records if record.configured or record.active)
        store.amend(*(replace(record, configured=False, owner=owner) for record in changed))

    def _remove(self, arn: str) -> JobSchedule | None:
        """Remove a job from all but the store; return its schedule, if further details are expected."""
        if self._state.discovery is not None:
            self._state.discovery.discovered_jobs.release(arn)
        return self._state.jobs.remove(arn)


def _relaxed(policy: Policy) -> float:
    return policy.event_poll_interval or policy.poll_interval


def _interval(policy: Policy, schedule: JobSchedule) -> float:
    return _relaxed(policy) if schedule.relaxed else policy.poll_interval
