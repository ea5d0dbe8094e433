"""The poller of a target: a loop over call sources, each of which knows when its call is due and what follows."""

import threading
from collections.abc import Callable, Iterable, Sequence
from dataclasses import replace
from typing import Final

from exporter.core import Clock, JobRecord, Selector, Target, TargetStatus
from exporter.polling.circuit_breaker import CircuitBreaker
from exporter.polling.client import JobSource
from exporter.polling.discovery import Discovery
from exporter.polling.expiry import forget_beyond_limit, forget_expired, log_dropped
from exporter.polling.policy import Policy
from exporter.polling.rate_limiter import RateLimiter
from exporter.polling.records import configured_record
from exporter.polling.schedule import JobSchedule, Priority
from exporter.polling.sources import Call, call_sources
from exporter.polling.target_state import Start, TargetState
from exporter.polling.watched_jobs import Handover
from exporter.storage import Ranked, Store, Tombstones
from exporter.telemetry import EventLog, SelfMetrics

IDLE: Final = 1.0
"""Longest sleep of a worker, seconds: so often it shows that it lives."""


class TargetPoller:
    """Polls the jobs of one account and Region. Several threads may call ``step`` at once.

    What it watches can change while it polls. A job that it does not watch any more is nobody's until somebody else
    takes it over or forgets it; the answer of a call that was under way then changes nothing.

    Args:
        source: answers.
        arns: jobs to watch, whatever else is found.
        selector: which other jobs to look for; ``None`` for none.
        store: takes what is known.
        journal: is told what is new.
        telemetry: counts.
        budgets: allow calls.
        policy: intervals.
        clock: the time.
        random: gives a number in [0, 1).
        tombstones: what is remembered of forgotten jobs, by whichever target.
        lane: the key of the lane that this polls.
        since: when, before a restart, such jobs began to be looked for, unix seconds; ``None``: they are from now on.
        name: the target's name in the settings; empty without one.
    """

    def __init__(  # noqa: PLR0913 -- whom a poller speaks with, each by name
        self,
        source: JobSource,
        arns: Iterable[str],
        selector: Selector | None,
        *,
        store: Store,
        event_log: EventLog,
        telemetry: SelfMetrics,
        budgets: RateLimiter,
        policy: Policy,
        clock: Clock,
        random: Callable[[], float],
        tombstones: Tombstones,
        lane: str = "",
        since: float | None = None,
        name: str = "",
    ) -> None:
        self._lane, self._target_name = lane, name
        now, wall = clock.monotonic(), clock.wall()
        circuit_breaker = CircuitBreaker((), budgets=budgets, target=lambda: source.target, random=random, now=now)
        self._state = TargetState(
            source, store, event_log, telemetry, tombstones, clock, circuit_breaker, policy, Start(wall, now, since)
        )
        self._store, self._clock, self._jobs = store, clock, self._state.jobs
        self._lock = self._state.lock
        self._taking_in = threading.Lock()
        """Held while an outcome changes what is known, so that no job leaves in the middle; taken before the other."""
        if selector is not None:
            self._state.discovery = self._make_discovery(selector, now, wall if since is None else since)
        self._sources = call_sources(self._state, now)
        circuit_breaker.call(self._sources.operations, now)
        self._name(tuple(arns), {}, now, wall)

    @property
    def target(self) -> Target:
        """The account and Region; the account is empty until it is known."""
        return self._state.client.target

    @property
    def discovers(self) -> bool:
        """Whether jobs are looked for."""
        return self._discovery is not None

    @property
    def watching_since(self) -> float | None:
        """When such jobs began to be looked for, unix seconds; ``None`` if none are."""
        return None if self._discovery is None else self._discovery.discovered_jobs.selection.start

    @property
    def jobs(self) -> frozenset[str]:
        """The jobs that are watched here."""
        with self._lock:
            return self._watched()

    @property
    def first_poll_done(self) -> bool:
        """Whether every active job was asked for once, or given up on for a while."""
        with self._lock:
            return self._state.first_poll_done

    @property
    def full_poll_done(self) -> bool:
        """Whether that holds for every job, those included that had ended before they were found."""
        with self._lock:
            return self._state.full_poll_done

    def status(self) -> TargetStatus:
        """Return the status of the target."""
        with self._lock:
            return self._state.status(self._target_name, len(self._watched()))

    def step(self) -> float:
        """Make a call that is due; return 0, or the seconds until there will be one to make."""
        now = self._clock.monotonic()
        with self._lock:
            call = self._sources.due(now)
        if not isinstance(call, Call):
            return max(0.0, min(IDLE, call))
        take_in = call.outcome()
        with self._taking_in:
            if call.is_current():  # else it is not watched here any more
                take_in()
        call.done()
        return 0.0

    def forget_expired(self) -> None:
        """Drop the jobs whose retention is over."""
        forget_expired(self._state)

    def forget_beyond_limit(self, jobs: Sequence[Ranked]) -> None:
        """Drop those of the jobs that were found here and have ended; the others go on without series."""
        with self._lock:
            gone = [] if self._discovery is None else forget_beyond_limit(self._state, self._discovery, jobs)
        log_dropped(self._state, gone)

    # What is watched changes.

    def change(
        self,
        arns: Iterable[str],
        selector: Selector | None,
        policy: Policy,
        handed: Handover,
        lane: str = "",
        *,
        name: str = "",
    ) -> Handover:
        """Watch other jobs from now on; return those that are watched no more.

        A job that is not named any more, where jobs are looked for, is let go unless a list shows it to be selected.

        Args:
            arns: jobs to watch, whatever else is found.
            selector: which other jobs to look for; ``None`` for none.
            policy: intervals.
            handed: jobs among those to watch that others watched before.
            lane: the key of the lane that this polls.
            name: the target's name in the settings; empty without one.
        """
        with self._taking_in, self._lock:
            self._lane, self._target_name = lane, name
            now, wall = self._clock.monotonic(), self._clock.wall()
            named, before, found = tuple(arns), set(self._jobs.configured), self._found()
            self._look_for(selector, policy, now, wall)
            leaving = before.difference(named) | (found.difference(named) if self._discovery is None else set())
            left = {arn: self._leave(arn) for arn in leaving}
            known = {arn: self._leave(arn) for arn in found.intersection(named)}
            self._jobs.configured = tuple(arn for arn in named if arn in before)
            self._name(tuple(arn for arn in named if arn not in before), {**handed, **known}, now, wall)
            if self._discovery is None:
                return left
            self._take_over(self._discovery, left, wall)
            return {}

    def release(self, arns: Iterable[str]) -> Handover:
        """Stop to watch those of the jobs that are watched here; return them."""
        with self._taking_in, self._lock:
            left = {arn: self._leave(arn) for arn in self._watched().intersection(arns)}
            self._jobs.configured = tuple(arn for arn in self._jobs.configured if arn not in left)
            return left

    def take_over(self, handed: Handover) -> None:
        """Watch known jobs as if they had been found here: they are let go unless a list shows them to be selected."""
        with self._taking_in, self._lock:
            assert self._discovery is not None  # noqa: S101 -- who looks for no jobs takes over none
            self._take_over(self._discovery, handed, self._clock.wall())

    def resume(self, known: Sequence[tuple[JobRecord, JobSchedule | None]]) -> None:
        """Go on, after a restart, with jobs that were watched here before it, each with its watch."""
        with self._taking_in, self._lock:
            self._jobs.configured += tuple(record.arn for record, _ in known if record.configured)
            if self._discovery is not None:
                found = [record for record, _ in known if not record.configured]
                self._discovery.resume(found, self._clock.monotonic())
            for _, watch in known:
                self._jobs.resume(watch)

    def close(self) -> Handover:
        """Make no call any more; return the jobs that were watched."""
        with self._taking_in, self._lock:
            left = {arn: self._leave(arn) for arn in self._watched()}
            self._jobs.configured, self._state.discovery = (), None
            return left

    @property
    def _discovery(self) -> Discovery | None:
        return self._state.discovery

    def _found(self) -> frozenset[str]:
        return self._watched().difference(self._jobs.configured)

    def _watched(self) -> frozenset[str]:
        return frozenset(self._jobs.configured).union(
            () if self._discovery is None else self._discovery.discovered_jobs.members
        )

    def _make_discovery(self, selector: Selector, now: float, since: float) -> Discovery:
        return Discovery(
            selector,
            self._state.policy,
            job_queue=self._jobs.queue,
            progress=self._jobs.progress,
            store=self._store,
            since=since,
            now=now,
            tombstones=self._state.tombstones,
            owner=self._lane,
        )

    def _look_for(self, selector: Selector | None, policy: Policy, now: float, wall: float) -> None:
        state, hurried = self._state, policy.poll_interval < self._state.policy.poll_interval
        state.policy = policy
        if selector is None:
            state.discovery = None
        elif state.discovery is None:
            state.discovery = self._make_discovery(selector, now, wall)
        else:
            state.discovery.reconfigure(selector, policy, now=now, wall=wall, owner=self._lane)
        state.circuit_breaker.call(self._sources.operations, now)
        if hurried:
            self._jobs.bring_forward(now, policy.poll_interval)

    def _name(self, arns: tuple[str, ...], handed: Handover, now: float, wall: float) -> None:
        """Watch jobs because they are named: from where they were if they are known, else as new ones."""
        self._jobs.configured += arns
        for arn in arns:
            if arn in handed:
                self._store.amend(replace(self._store.record(arn), configured=True, owner=""))
                self._jobs.resume(handed[arn])
            else:
                self._store.add(configured_record(arn, wall, self._state.tombstones))
                self._jobs.resume(JobSchedule(arn, due=now, responded_at=now, priority=Priority.NEW))

    def _take_over(self, discovery: Discovery, handed: Handover, wall: float) -> None:
        for record in self._store.scan() if handed else ():
            if record.arn not in handed:
                continue
            if (
                record.configured or record.active
            ):  # others stay as they are: most are sealed, and to change them takes long
                record = replace(record, configured=False, owner=self._lane)  # noqa: PLW2901 -- from now on it is so
                self._store.amend(record)
            discovery.discovered_jobs.take_over(record, wall)
            self._jobs.resume(handed[record.arn])

    def _leave(self, arn: str) -> JobSchedule | None:
        """Take a job out of everything here but the store; return its watch, if there is anything left to ask."""
        if self._discovery is not None:
            self._discovery.discovered_jobs.release(arn)
        return self._jobs.leave(arn)
