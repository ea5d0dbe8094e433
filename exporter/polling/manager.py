"""The pollers and their workers, which can be told a new plan while they work.

Each lane has one poller. A lane that is as it was keeps its poller untouched; one that changed keeps it, too, and the
poller is told; so what is known of jobs, of the target's health and of the budget stays. A job that no lane names any
more, in a place where no lane looks for jobs, is forgotten at once.
"""

import threading
from collections import defaultdict
from collections.abc import Callable, Collection, Sequence
from dataclasses import replace
from itertools import islice
from typing import Final

from exporter.core import DESELECTED, MAX_JOBS, Clock, JobRecord, TargetConfig, TargetStatus, merged
from exporter.polling.client import JobSource
from exporter.polling.discovery import TOMBSTONE_SLACK
from exporter.polling.policy import Policy
from exporter.polling.poller import TargetPoller
from exporter.polling.polling_plan import Changes, Plan, PolledTarget, plan_polling
from exporter.polling.rate_limiter import RateLimiter
from exporter.polling.reassignment import OwnersAfterRestart, Place, configured_jobs, reassignment, released
from exporter.polling.records import configured_record, tombstone_of
from exporter.polling.schedule import JobSchedule, resumed
from exporter.polling.threads import Workers
from exporter.polling.watched_jobs import Handover
from exporter.storage import SavedState, Store, Tombstones
from exporter.telemetry import EventLog, SelfMetrics

BATCH: Final = 1000
"""So many of the jobs that were known before a restart are in memory at a time."""

STUCK_AFTER: Final = 60.0
"""A thread that is in one step for so long, seconds, is stuck: every call has a deadline of some 15 seconds."""


class PollerManager:
    """Follows plans, one at a time.

    Args:
        store: takes what is known.
        journal: is told what is new.
        telemetry: counts.
        budgets: allow calls.
        clock: the time.
        random: gives a number in [0, 1).
    """

    def __init__(
        self,
        *,
        store: Store,
        event_log: EventLog,
        telemetry: SelfMetrics,
        budgets: RateLimiter,
        clock: Clock,
        random: Callable[[], float],
    ) -> None:
        self._store, self._event_log, self._telemetry = store, event_log, telemetry
        self._budgets, self._clock, self._random = budgets, clock, random
        self.tombstones = Tombstones()
        self._members: tuple[PolledTarget, ...] = ()
        self._policy: Policy | None = None
        self._workers: Workers | None = None
        self._was_ready = False
        self._changing = threading.Lock()
        """Held while pollers come and go, when they do not tell whether the exporter is ready. That can take as long as
        the state file does, so nobody waits for it who has to answer at once."""

    @property
    def pollers(self) -> list[TargetPoller]:
        """The pollers, in the order of their lanes."""
        return [member.poller for member in self._members]

    @property
    def ready(self) -> bool:
        """Whether the first full poll of active jobs is done; it stays done, whatever is added later."""
        if self._changing.acquire(blocking=False):
            try:
                self._look_whether_ready()
            finally:
                self._changing.release()
        return self._was_ready

    @property
    def complete(self) -> bool:
        """Whether every job was asked for, those included that had ended before they were found."""
        return all(poller.full_poll_done for poller in self.pollers)

    @property
    def healthy(self) -> bool:
        """Whether no polling thread is stuck, the unluckiest one included."""
        return self._workers is None or self._workers.longest_step() < STUCK_AFTER

    def statuses(self) -> list[TargetStatus]:
        """Tell how the targets fare."""
        return merged(poller.status() for poller in self.pollers)

    def forget_expired(self) -> None:
        """Drop the jobs whose retention is over, and those that are too many."""
        for poller in self.pollers:
            poller.forget_expired()
        self._prune_orphans()
        self.keep_within_limit()

    def _prune_orphans(self) -> None:
        """Drop old tombstones of lanes that are no more: nobody else does."""
        if self._policy is not None:
            before = self._clock.wall() - self._policy.lookback - TOMBSTONE_SLACK
            pruned = self.tombstones.prune_all_but(self.baselines, before)
            self._store.unremember(pruned, self.tombstones.floor)

    def keep_within_limit(self) -> None:
        """Drop finished jobs that are too many; others that are too many go on without series."""
        beyond, dropped = self._store.fit()
        for _ in range(dropped):
            self._telemetry.dropped(MAX_JOBS)
        for poller in self.pollers if beyond else ():
            poller.forget_beyond_limit(beyond)

    def limit(self, most: int) -> None:
        """Let so many jobs have series of their own from now on."""
        self._store.limit(most)
        self.keep_within_limit()

    def start(self, threads: int, stop: threading.Event) -> None:
        """Begin to poll, with so many threads for each poller, until ``stop`` is set."""
        self._workers = Workers(self.pollers, threads, stop)
        self._workers.start()

    def join(self) -> None:
        """Wait a moment for the threads to end; raise the bug that ended the work, if one did."""
        if self._workers is not None:
            self._workers.join()

    def fail(self, bug: BaseException) -> None:
        """End the work because of a bug."""
        if self._workers is not None:
            self._workers.fail(bug)

    def plan(
        self, lanes: Sequence[TargetConfig], policy: Policy, rate: float, connect: Callable[[TargetConfig], JobSource]
    ) -> Plan:
        """Prepare to poll these lanes; nothing changes yet.

        Args:
            lanes: what to poll.
            policy: intervals.
            rate: requests a second for each account, Region and operation.
            connect: makes what the poller of a new lane asks.
        """
        return plan_polling(self._members, lanes, policy, rate, connect)

    def follow(self, plan: Plan, past: SavedState | None = None) -> Changes:
        """Poll as a plan says from now on.

        Args:
            plan: what to poll.
            past: what was known before a restart; its jobs are in the store already.
        """
        with self._changing:
            self._was_ready = self._policy is not None and self._look_whether_ready()
            changes = self._change(plan, past)
        if self._workers is not None:
            self._workers.replace(self.pollers)
        return changes

    @property
    def baselines(self) -> dict[str, float]:
        """Since when each lane that looks for jobs has done so, unix seconds, by its key."""
        since = ((member.lane.key, member.poller.watching_since) for member in self._members)
        return {key: began for key, began in since if began is not None}

    def _look_whether_ready(self) -> bool:
        self._was_ready = self._was_ready or all(poller.first_poll_done for poller in self.pollers)
        return self._was_ready

    def _change(self, plan: Plan, past: SavedState | None) -> Changes:
        before = {member.poller: member.lane for member in self._members}
        self._budgets.resize(plan.rate, self._clock.monotonic())
        before_now = past or SavedState(self._clock.wall())
        if past is not None:
            self.tombstones = Tombstones(past.tombstones, past.floor)
        fresh = {arn for lane, _ in plan.new for arn in lane.jobs if arn not in self._store}
        handed = self._gather(plan, before_now.polled)
        told = [member for member in plan.kept if plan.policy != self._policy or before[member.poller] != member.lane]
        for member in told:
            handed |= _change_lane(member, plan.policy, _claimed(member.lane, handed))
        added = [self._hire(new, plan.policy, past, fresh, handed) for new in plan.new]
        self._members, self._policy = (*plan.kept, *added), plan.policy
        self._settle(handed | self._resume(before_now))
        return Changes(added=len(added), removed=len(before) - len(plan.kept), changed=len(told))

    def _gather(self, plan: Plan, since: float) -> dict[str, JobSchedule | None]:
        """Take the jobs from the pollers that go, and from those that stay what other lanes name."""
        stay = {member.poller: member.lane for member in plan.kept}
        named = configured_jobs((*stay.values(), *(lane for lane, _ in plan.new)))
        self._name(named, since)
        handed: dict[str, JobSchedule | None] = {}
        for poller, jobs in released(self.pollers, stay, named).items():
            handed |= poller.close() if jobs is None else poller.release(jobs)
        return handed

    def _name(self, jobs: Collection[str], since: float) -> None:
        """Store the jobs that the settings name, now, so that nobody takes one up who finds it meanwhile."""
        for arn in jobs:
            if arn not in self._store:
                self._store.add(configured_record(arn, since, self.tombstones))
                mark = self.tombstones.take(arn)
                self._store.unremember(() if mark is None else (mark,))

    def _hire(
        self,
        new: tuple[TargetConfig, JobSource],
        policy: Policy,
        past: SavedState | None,
        fresh: Collection[str],
        handed: dict[str, JobSchedule | None],
    ) -> PolledTarget:
        lane, source = new
        mine = _claimed(lane, handed)
        poller = TargetPoller(
            source,
            [arn for arn in lane.jobs if arn in fresh],
            lane.selector,
            store=self._store,
            event_log=self._event_log,
            telemetry=self._telemetry,
            budgets=self._budgets,
            policy=policy,
            clock=self._clock,
            random=self._random,
            tombstones=self.tombstones,
            lane=lane.key,
            since=None if past is None else past.baselines.get(lane.key, past.polled),
            name=lane.name,
        )
        member = PolledTarget(lane, poller)
        if mine:
            _change_lane(member, policy, mine)
        return member

    def _resume(self, past: SavedState) -> dict[str, JobSchedule | None]:
        """Give each job back to the poller that watches it, as it was before a restart; return the other jobs."""
        owners, records = OwnersAfterRestart(self._places()), iter(past.records)
        left: dict[str, JobSchedule | None] = {}
        while batch := [*islice(records, BATCH)]:
            left |= self._resume_batch(batch, owners)
        return left

    def _resume_batch(self, batch: Sequence[JobRecord], owners: OwnersAfterRestart[TargetPoller]) -> Handover:
        now, wall = self._clock.monotonic(), self._clock.wall()
        left: dict[str, JobSchedule | None] = {}
        shares: defaultdict[TargetPoller, list[tuple[JobRecord, JobSchedule | None]]] = defaultdict(list)
        for record in batch:
            watch, poller = resumed(record, now=now, wall=wall), owners.of(record)
            if poller is None:
                left[record.arn] = watch
                continue
            if owners.names(record) and not record.configured:
                record = replace(record, configured=True, owner="")  # noqa: PLW2901 -- from now on it is named
                self._store.amend(record)
            shares[poller].append((record, watch))
        for poller, share in shares.items():
            poller.resume(share)
        return left

    def _settle(self, left: Handover) -> None:
        """Give the jobs that no lane names to those who look for jobs where they are; forget the others."""
        moves = reassignment(self._places(), left)
        for arn in moves.dropped:
            self._forget(arn)
        for poller, jobs in moves.to.items():
            poller.take_over({arn: left[arn] for arn in jobs})

    def _places(self) -> list[Place[TargetPoller]]:
        return [Place(one.poller, one.lane, one.poller.target, one.poller.discovers) for one in self._members]

    def _forget(self, arn: str) -> None:
        record = self._store.record(arn)
        if (tombstone := tombstone_of(record)) is not None:
            self.tombstones.bury(arn, tombstone)
        self._store.forget(arn, self.tombstones.entry(arn))
        self._telemetry.dropped(DESELECTED)
        self._event_log.forgotten(arn, record.snapshot, DESELECTED)


def _claimed(lane: TargetConfig, handed: dict[str, JobSchedule | None]) -> Handover:
    """Take the jobs that a lane names out of those that were handed over."""
    return {arn: handed.pop(arn) for arn in lane.jobs if arn in handed}


def _change_lane(member: PolledTarget, policy: Policy, handed: Handover) -> Handover:
    lane = member.lane
    return member.poller.change(lane.jobs, lane.selector, policy, handed, lane.key, name=lane.name)
