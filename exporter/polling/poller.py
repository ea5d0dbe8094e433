"""The loop: asks the plans which call is due, makes it, hands the answer to lifecycle, log and store."""

import threading
from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from dataclasses import replace
from functools import partial
from typing import Final, NamedTuple, Protocol

from exporter.core.clock import Clock
from exporter.core.drop_reasons import MAX_JOBS, NOT_FOUND
from exporter.core.errors import (
    GET_CALLER_IDENTITY,
    GET_JOB,
    MALFORMED,
    SEARCH_JOBS,
    BraketError,
)
from exporter.core.jobs import EntryProblem, JobRecord, JobSnapshot, SearchPage, Span, Target
from exporter.core.selector import Selector
from exporter.core.target_status import TargetStatus
from exporter.core.transitions import observe
from exporter.polling.circuit_breaker import CircuitBreaker
from exporter.polling.discovered_jobs import named_record
from exporter.polling.discovery import Discovery, Policy
from exporter.polling.job_queue import JobQueue
from exporter.polling.progress import Progress
from exporter.polling.rate_limiter import RateLimiter
from exporter.polling.retry_policy import GONE_AFTER, TRIES_AT_START, OnRequest, Rule, Subject, rule_for
from exporter.polling.schedule import (
    JobSchedule,
    Priority,
    after_answer,
    after_job_failure,
    after_target_failure,
    brought_forward,
    suffices_alone,
    whose_turn,
)
from exporter.polling.search_planner import Purpose, Search, SearchPlanner
from exporter.storage.series_limit import Ranked
from exporter.storage.store import Store
from exporter.storage.tombstones import Tombstones
from exporter.telemetry.log_events import EventLog
from exporter.telemetry.self_metrics import SelfMetrics

IDLE: Final = 1.0
"""Longest sleep of a worker, seconds: so often it shows that it lives."""

WRONG_CLOCK: Final = 60.0
"""A local clock that is off by more, seconds, has the first lists planned again."""

MOST_REPORTED: Final = 1000
"""So many unusable SearchJobs entries of one target are logged; a service that makes them up cannot flood the log."""

IDENTIFY_INTERVAL: Final = 300.0
"""How often AWS is asked whose credentials these are, while neither it nor a job told."""

Call = Callable[[], None]

Handover = Mapping[str, JobSchedule | None]
"""Known jobs that change hands, each with its watch, unless there is nothing left to ask."""


class JobSource(Protocol):
    """What the poller asks; ``exporter.aws.client.BraketClient`` outside of tests."""

    @property
    def target(self) -> Target:
        """The account and Region; the account is empty until an answer told it."""
        ...

    @property
    def clock_offset(self) -> float:
        """How many seconds AWS's clock is ahead of the local one, by the latest response."""
        ...

    def get_job(self, arn: str) -> JobSnapshot:
        """Ask for one job."""
        ...

    def search_jobs(self, span: Span, token: str | None) -> SearchPage:
        """Ask for a page of jobs."""
        ...

    def identify(self) -> None:
        """Learn the account."""
        ...


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
        self._source, self._store, self._event_log, self._telemetry = source, store, event_log, telemetry
        self._policy, self._clock, self._tombstones, self._lane = policy, clock, tombstones, lane
        now, wall = clock.monotonic(), clock.wall()
        self._target_name = name
        self._start = Start(wall, now, since)
        self._start_is_sure = False
        """Whether a response has shown the true time, so that the start and all that follows from it are right."""
        self._lock = threading.Lock()
        self._taking_in = threading.Lock()
        """Held while an answer changes what is known, so that no job leaves in the middle; taken before the other."""
        self._named: tuple[str, ...] = ()
        self._job_queue, self._asking = JobQueue(), dict[str, JobSchedule]()
        self._progress = Progress(())
        self._discovery = (
            None if selector is None else self._make_finder(selector, now, wall if since is None else since)
        )
        self._circuit_breaker = CircuitBreaker(
            self._operations, budgets=budgets, target=lambda: source.target, random=random, now=now
        )
        self._questions = 0
        self._search_turn = False
        self._identify_after = now
        self._abandoning = False
        """Whether the last span that ended did so because its pages did not."""
        self._reported: set[EntryProblem] = set()
        self._reported_tags = False
        self._name(tuple(arns), {}, now, wall)

    @property
    def target(self) -> Target:
        """The account and Region; the account is empty until it is known."""
        return self._source.target

    @property
    def discovers(self) -> bool:
        """Whether jobs are looked for."""
        return self._discovery is not None

    @property
    def watching_since(self) -> float | None:
        """When such jobs began to be looked for, unix seconds; ``None`` if none are."""
        return None if self._discovery is None else self._discovery.found_jobs.watching_since

    @property
    def jobs(self) -> frozenset[str]:
        """The jobs that are watched here."""
        with self._lock:
            return self._jobs()

    @property
    def first_poll_done(self) -> bool:
        """Whether every active job was asked for once, or given up on for a while."""
        with self._lock:
            return self._is_done(
                self._progress.waiting, found=self._discovery is None or self._discovery.planner.listed
            )

    @property
    def full_poll_done(self) -> bool:
        """Whether that holds for every job, those included that had ended before they were found."""
        with self._lock:
            pending = self._progress.waiting or self._progress.filling
            return self._is_done(pending, found=self._discovery is None or self._discovery.planner.swept)

    def status(self) -> TargetStatus:
        """Tell how the target fares."""
        with self._lock:
            now = self._clock.monotonic()
            active = [watch for watch in (*self._job_queue, *self._asking.values()) if not watch.ended]
            stale = (now - watch.confirmed for watch in active if not self._never_existed(watch))
            jobs = len(self._jobs())
            return TargetStatus(
                target=self._source.target,
                health=self._circuit_breaker.health.judged(),
                active=len(active),
                finished=jobs - len(active),
                waiting=len(self._progress.waiting) + len(self._progress.filling),
                staleness=max(stale, default=None),
                poll_duration=self._progress.took,
                budget=self._circuit_breaker.rates(now),
                used=self._circuit_breaker.used(now),
                listed=self._discovery is None or self._discovery.planner.listed,
                name=self._target_name,
            )

    def step(self) -> float:
        """Make a call that is due; return 0, or the seconds until there will be one to make."""
        asked = self._clock.monotonic()
        with self._lock:
            call, wait = self._next_call(asked)
        if call is None:
            return max(0.0, min(IDLE, wait))
        call()
        return 0.0

    def forget_expired(self) -> None:
        """Drop the jobs whose retention is over."""
        with self._lock:
            discovery = self._discovery  # which a change of plan takes away under the lock
            gone = [] if discovery is None else discovery.expired(self._clock.wall(), busy=self._asking)
            for record, _ in gone:
                self._store.forget(record.arn, self._tombstones.entry(record.arn))
        for record, reason in gone:
            self._telemetry.dropped(reason)
            self._event_log.forgotten(record.arn, record.snapshot, reason)
        self._store.flush()

    def forget_beyond_limit(self, jobs: Sequence[Ranked]) -> None:
        """Drop those of the jobs that were found here and have ended; the others go on without series."""
        with self._lock:
            gone = [] if self._discovery is None else self._beyond_limit(self._discovery, jobs)
        self._tell_dropped(gone)

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
            named, before, found = tuple(arns), set(self._named), self._jobs().difference(self._named)
            self._look_for(selector, policy, now, wall)
            leaving = before.difference(named) | (found.difference(named) if self._discovery is None else set())
            left = {arn: self._leave(arn) for arn in leaving}
            known = {arn: self._leave(arn) for arn in found.intersection(named)}
            self._named = tuple(arn for arn in named if arn in before)
            self._name(tuple(arn for arn in named if arn not in before), {**handed, **known}, now, wall)
            if self._discovery is None:
                return left
            self._take_over(self._discovery, left, wall)
            return {}

    def release(self, arns: Iterable[str]) -> Handover:
        """Stop to watch those of the jobs that are watched here; return them."""
        with self._taking_in, self._lock:
            left = {arn: self._leave(arn) for arn in self._jobs().intersection(arns)}
            self._named = tuple(arn for arn in self._named if arn not in left)
            return left

    def take_over(self, handed: Handover) -> None:
        """Watch known jobs as if they had been found here: they are let go unless a list shows them to be selected."""
        with self._taking_in, self._lock:
            assert self._discovery is not None  # noqa: S101 -- who looks for no jobs takes over none
            self._take_over(self._discovery, handed, self._clock.wall())

    def resume(self, known: Sequence[tuple[JobRecord, JobSchedule | None]]) -> None:
        """Go on, after a restart, with jobs that were watched here before it, each with its watch."""
        with self._taking_in, self._lock:
            self._named += tuple(record.arn for record, _ in known if record.named)
            if self._discovery is not None:
                found = [record for record, _ in known if not record.named]
                self._discovery.resume(found, self._clock.monotonic())
            for _, watch in known:
                self._go_on(watch)

    def close(self) -> Handover:
        """Make no call any more; return the jobs that were watched."""
        with self._taking_in, self._lock:
            left = {arn: self._leave(arn) for arn in self._jobs()}
            self._named, self._discovery = (), None
            return left

    @property
    def _operations(self) -> tuple[str, ...]:
        return (GET_JOB,) if self._discovery is None else (GET_JOB, SEARCH_JOBS)

    def _jobs(self) -> frozenset[str]:
        return frozenset(self._named).union(() if self._discovery is None else self._discovery.found_jobs.members)

    def _make_finder(self, selector: Selector, now: float, since: float) -> Discovery:
        return Discovery(
            selector,
            self._policy,
            job_queue=self._job_queue,
            progress=self._progress,
            store=self._store,
            since=since,
            now=now,
            tombstones=self._tombstones,
            lane=self._lane,
        )

    def _look_for(self, selector: Selector | None, policy: Policy, now: float, wall: float) -> None:
        hurried = policy.poll_interval < self._policy.poll_interval
        self._policy = policy
        if selector is None:
            self._discovery = None
        elif self._discovery is None:
            self._discovery = self._make_finder(selector, now, wall)
        else:
            self._discovery.change(selector, policy, now=now, wall=wall, lane=self._lane)
        self._circuit_breaker.call(self._operations, now)
        for watch in [*self._job_queue] if hurried else ():
            self._job_queue.put(brought_forward(watch, now=now, interval=policy.poll_interval))

    def _name(self, arns: tuple[str, ...], handed: Handover, now: float, wall: float) -> None:
        """Watch jobs because they are named: from where they were if they are known, else as new ones."""
        self._named += arns
        for arn in arns:
            if arn in handed:
                self._store.amend(replace(self._store.record(arn), named=True, lane=""))
                self._go_on(handed[arn])
            else:
                self._store.add(named_record(arn, wall, self._tombstones))
                self._go_on(JobSchedule(arn, due=now, answered=now, urgency=Priority.NEW))

    def _take_over(self, discovery: Discovery, handed: Handover, wall: float) -> None:
        for record in self._store.scan() if handed else ():
            if record.arn not in handed:
                continue
            if record.named or record.active:  # others stay as they are: most are sealed, and to change them takes long
                record = replace(record, named=False, lane=self._lane)  # noqa: PLW2901 -- from now on it is so
                self._store.amend(record)
            discovery.found_jobs.take_over(record, wall)
            self._go_on(handed[record.arn])

    def _go_on(self, watch: JobSchedule | None) -> None:
        if watch is not None:
            self._job_queue.put(watch)
            if watch.urgency is Priority.NEW:
                self._progress.expect(watch.arn, ended=False)

    def _leave(self, arn: str) -> JobSchedule | None:
        """Take a job out of everything here but the store; return its watch, if there is anything left to ask."""
        watch = self._asking.pop(arn, None) or self._job_queue.get(arn)
        self._job_queue.remove(arn)
        self._progress.tried(arn)
        if self._discovery is not None:
            self._discovery.found_jobs.release(arn)
        return None if watch is None else replace(watch)  # another one, lest an answer under way be taken for its own

    def _is_done(self, pending: Collection[str], *, found: bool) -> bool:
        searched = found or self._circuit_breaker.failed_in_a_row(SEARCH_JOBS) >= TRIES_AT_START
        return searched and (not pending or self._circuit_breaker.pauses(GET_JOB) >= TRIES_AT_START)

    def _never_existed(self, watch: JobSchedule) -> bool:
        """Whether Braket refused the job and never answered for it: a mistyped ARN grows old without meaning."""
        return watch.refused and self._store.record(watch.arn).snapshot is None

    # Which call is due.

    def _next_call(self, now: float) -> tuple[Call | None, float]:
        """Offer both operations in turn: where answers are slow, the threads do not suffice for both budgets."""
        if self._discovery is None:
            return self._next_question(now)
        offers: list[Callable[[float], tuple[Call | None, float]]]
        offers = [self._next_question, partial(self._next_search, self._discovery)]
        waits: list[float] = []
        for offer in reversed(offers) if self._search_turn else offers:
            call, wait = offer(now)
            if call is not None:
                self._search_turn = offer is offers[0]
                return call, 0.0
            waits.append(wait)
        return None, min(waits)

    def _next_question(self, now: float) -> tuple[Call | None, float]:
        ready = max(self._job_queue.next_due(), self._circuit_breaker.opens_at(GET_JOB))
        if ready > now:
            return None, ready - now
        turn = whose_turn(self._questions, alone=self._suffices_alone(now))
        watch = self._job_queue.due(now, turn=turn)
        if wait := self._circuit_breaker.take(GET_JOB, now):
            return None, wait
        assert watch is not None  # noqa: S101 -- the agenda said so
        self._questions += 1
        self._progress.begin((other.arn for other in self._job_queue if not other.ended), now)
        self._job_queue.remove(watch.arn)
        self._asking[watch.arn] = watch
        return partial(self._ask, watch, now), 0.0

    def _next_search(self, discovery: Discovery, now: float) -> tuple[Call | None, float]:
        wall = self._clock.wall()
        if discovery.planner.round_due(now):
            if self._suffices_alone(now):
                discovery.planner.skip_round(now)
            else:
                discovery.begin_round(now, wall)
        ready = max(discovery.planner.next_due(), self._circuit_breaker.opens_at(SEARCH_JOBS))
        if ready > now:
            return None, ready - now
        if wait := self._circuit_breaker.take(SEARCH_JOBS, now):
            return None, wait
        search = discovery.planner.next(now, wall)
        return (
            (None, IDLE) if search is None else (partial(self._search, discovery, discovery.planner, search, now), 0.0)
        )

    def _suffices_alone(self, now: float) -> bool:
        """Whether GetJob alone can follow the active jobs, so that SearchJobs need not tell their status."""
        if self._discovery is None:
            return True
        active = sum(not watch.ended for watch in self._job_queue)
        return suffices_alone(
            active, rate=self._circuit_breaker.rates(now)[GET_JOB], interval=self._policy.poll_interval
        )

    # GetJob.

    def _ask(self, watch: JobSchedule, asked: float) -> None:
        try:
            snapshot = self._source.get_job(watch.arn)
        except BraketError as error:
            take_in: Call = partial(self._failed, watch, error, asked)
        else:
            take_in = partial(self._answered, watch, snapshot, asked)
        with self._taking_in:
            if self._asking.get(watch.arn) is watch:  # else it is not watched here any more
                take_in()

    def _correct_time(self) -> None:
        """Follow AWS's clock, by the response that just came; the first one corrects the start as well.

        The caller holds ``_taking_in``. Nothing depends on the start before the first response.
        """
        planned_by = self._clock.wall()
        self._clock.correct(self._source.clock_offset)
        if self._start_is_sure:
            return
        self._start_is_sure = True
        true_start = self._clock.wall() - (self._clock.monotonic() - self._start.monotonic)
        corrected = partial(self._start.corrected, true_start=true_start)
        replan = abs(self._clock.wall() - planned_by) > WRONG_CLOCK
        with self._lock:
            if self._discovery is not None:
                self._discovery.begin(corrected, replan=replan, now=self._clock.monotonic())
            unanswered = [record for record in map(self._store.find, self._named) if record and record.snapshot is None]
        for record in unanswered:
            self._store.amend(replace(record, since=corrected(record.since)))

    def _answered(self, watch: JobSchedule, snapshot: JobSnapshot, asked: float) -> None:
        self._correct_time()
        wall = self._clock.wall()
        record = self._store.record(watch.arn)
        observation = observe(record, snapshot, since=record.since, now=wall)
        self._event_log.observed(observation)
        for field, _ in observation.unknown:
            self._telemetry.unknown_value(field)
        self._store.put(observation.record, observation.increments)
        again = after_answer(watch, observation.record, asked=asked, interval=self._policy.poll_interval, wall=wall)
        with self._lock:
            self._circuit_breaker.succeeded(GET_JOB, wall)
            self._put_back(observation.record, again, tried=True)

    def _failed(self, watch: JobSchedule, error: BraketError, asked: float) -> None:
        self._count_malformed(error)
        rule = rule_for(Subject.JOB, error)
        refused = rule.request is not OnRequest.RETRY
        if refused:
            self._correct_time()
        record = self._store.record(watch.arn)
        if record.active and refused:
            record = replace(record, failing=error.code)
            self._store.amend(record)
        again = self._after_failure(watch, record, rule, asked)
        tried = refused or watch.failures + 1 >= TRIES_AT_START
        with self._lock:
            now = self._clock.monotonic()
            jobs = len(self._job_queue) + len(self._asking)
            self._circuit_breaker.failed(GET_JOB, error, asked=asked, now=now, arn=watch.arn, jobs=jobs)
            if self._discovery and rule.request is OnRequest.GONE and watch.failures + 1 >= GONE_AFTER:
                self._discovery.found_jobs.let_go(record, NOT_FOUND, self._clock.wall())
            self._put_back(record, again, tried=tried)
            retry_at = None if again is None else max(again.due, self._circuit_breaker.opens_at(GET_JOB))
        retry_in = None if retry_at is None else max(0.0, retry_at - now)
        self._event_log.poll_failed(self._source.target, GET_JOB, error, retry_in, watch.arn)

    def _after_failure(self, watch: JobSchedule, record: JobRecord, rule: Rule, asked: float) -> JobSchedule | None:
        if rule.request is OnRequest.RETRY:
            return after_target_failure(watch, now=self._clock.monotonic(), interval=self._policy.poll_interval)
        if rule.request is OnRequest.GONE and not record.active:
            return None  # it has told its end already; Braket forgets jobs after some months
        return after_job_failure(watch, asked=asked, interval=self._policy.poll_interval)

    def _put_back(self, record: JobRecord, again: JobSchedule | None, *, tried: bool) -> None:
        del self._asking[record.arn]
        if again is not None:
            self._job_queue.put(again)
        if tried:
            self._progress.tried(record.arn)
        if self._discovery is not None:
            self._discovery.found_jobs.note(record)
        self._had_turn([record.arn])

    def _had_turn(self, arns: Iterable[str]) -> None:
        now = self._clock.monotonic()
        self._progress.had_turn(arns, now, nothing_due=not self._asking and self._job_queue.next_due() > now)

    # SearchJobs.

    def _search(self, discovery: Discovery, plan: SearchPlanner, search: Search, asked: float) -> None:
        try:
            page = self._source.search_jobs(search.span, search.token)
        except BraketError as error:
            take_in: Call = partial(self._search_failed, discovery, search, error, asked)
        else:
            take_in = partial(self._listed, discovery, plan, search, page, asked)
        with self._taking_in:
            if self._discovery is discovery and discovery.planner is plan:  # else it is not looked for any more
                take_in()
        self._store.flush()
        no_job_told = discovery.planner.listed or not self._circuit_breaker.health.up
        if self._discovery is discovery and not self._source.target.account and no_job_told:
            self._identify()

    def _listed(
        self, discovery: Discovery, plan: SearchPlanner, search: Search, page: SearchPage, asked: float
    ) -> None:
        self._correct_time()
        if discovery.planner is not plan:  # it was planned by a clock that turned out to be wrong
            return
        self._report_problems(discovery, page)
        now, wall = self._clock.monotonic(), self._clock.wall()
        hidden, dropped, gone = self._store.hidden, 0, list[JobRecord]()
        with self._lock:
            self._circuit_breaker.succeeded(SEARCH_JOBS, wall)
            listed = discovery.listed(search, page, asked=asked, now=now, wall=wall)
            self._had_turn(listed.jobs)
            if self._store.hidden > hidden:  # the page told of more than there is room for: nobody is to ask for those
                beyond, dropped = self._store.fit()
                gone = self._beyond_limit(discovery, beyond)
        for _ in range(dropped):
            self._telemetry.dropped(MAX_JOBS)
        self._tell_dropped(gone)
        if listed.abandoned is not None and not self._abandoning:
            self._event_log.search_abandoned(self._source.target, listed.abandoned)
        if search.purpose is not Purpose.ROUND:
            self._abandoning = listed.abandoned is not None or (self._abandoning and page.token is not None)

    def _report_problems(self, discovery: Discovery, page: SearchPage) -> None:
        """Count the entries that cannot be used, and log each once; past a bound they only count."""
        for problem in page.problems:
            self._telemetry.parse_error()
            if problem not in self._reported and len(self._reported) < MOST_REPORTED:
                self._reported.add(problem)
                self._event_log.search_entry_ignored(self._source.target, problem)
        lacking = bool(discovery.found_jobs.selector.tags) and any(job.tags is None for job in page.jobs)
        if lacking and not self._reported_tags:
            self._reported_tags = True
            self._event_log.search_without_tags(self._source.target)

    def _beyond_limit(self, discovery: Discovery, jobs: Sequence[Ranked]) -> list[JobRecord]:
        gone = discovery.beyond_limit(jobs, self._clock.wall(), busy=self._asking)
        for record in gone:
            self._store.forget(record.arn, self._tombstones.entry(record.arn))
        return gone

    def _tell_dropped(self, jobs: Iterable[JobRecord]) -> None:
        """Tell of the jobs that answered: nobody was told of the others."""
        for record in jobs:
            if record.snapshot is not None:
                self._event_log.forgotten(record.arn, record.snapshot, MAX_JOBS)

    def _search_failed(self, discovery: Discovery, search: Search, error: BraketError, asked: float) -> None:
        self._count_malformed(error)
        with self._lock:
            now = self._clock.monotonic()
            rule = self._circuit_breaker.failed(SEARCH_JOBS, error, asked=asked, now=now)
            discovery.planner.failed(search, now, own_fault=rule.request is not OnRequest.RETRY)
            retry_in = max(0.0, self._circuit_breaker.opens_at(SEARCH_JOBS) - now)
        self._event_log.poll_failed(self._source.target, SEARCH_JOBS, error, retry_in)

    def _count_malformed(self, error: BraketError) -> None:
        if error.code == MALFORMED:
            self._telemetry.parse_error()

    def _identify(self) -> None:
        """Ask AWS whose credentials these are, since no job told it; the metrics' labels want to know."""
        with self._lock:
            now = self._clock.monotonic()
            if now < self._identify_after:
                return
            self._identify_after = now + IDENTIFY_INTERVAL
        try:
            self._source.identify()
        except BraketError as error:
            self._event_log.poll_failed(self._source.target, GET_CALLER_IDENTITY, error, IDENTIFY_INTERVAL)
