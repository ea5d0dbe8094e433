"""SearchJobs: which page is due, and what its response or error means."""

from functools import partial
from typing import Final

from exporter.core import GET_CALLER_IDENTITY, MAX_JOBS, SEARCH_JOBS, BraketError, EntryProblem, JobRecord, SearchPage
from exporter.polling.discovery import Discovery
from exporter.polling.expiry import forget_beyond_limit, log_dropped
from exporter.polling.retry_policy import OnRequest
from exporter.polling.search import ScanKind, Search
from exporter.polling.search_planner import SearchPlanner
from exporter.polling.sources.call import Call
from exporter.polling.target_state import TargetState

MOST_REPORTED: Final = 1000
"""So many unusable SearchJobs entries of one target are logged; a service that makes them up cannot flood the log."""

IDENTIFY_INTERVAL: Final = 300.0
"""How often AWS is requested_at whose credentials these are, while no response has shown it."""


class SearchJobsSource:
    """Looks for jobs in one target, where its state has a finder.

    Args:
        state: the target.
        now: the time, monotonic seconds.
    """

    operation: Final = SEARCH_JOBS

    def __init__(self, state: TargetState, now: float) -> None:
        self._state = state
        self._identify_after = now
        self._abandoning = False
        """Whether the last span that ended did so because its pages did not."""
        self._reported: set[EntryProblem] = set()
        self._reported_tags = False

    @property
    def active(self) -> bool:
        """Whether jobs are looked for."""
        return self._state.discovery is not None

    def due(self, now: float) -> Call[SearchPage] | float:
        """Return the call for the next page, or the seconds until there may be one."""
        state, discovery, wall = self._state, self._state.discovery, self._state.clock.wall()
        assert discovery is not None  # noqa: S101 -- the source is active
        if discovery.planner.status_scan_due(now):
            if state.get_job_suffices(now):
                discovery.planner.skip_status_scan(now)
            else:
                discovery.start_status_scan(now, wall)
        ready = max(discovery.planner.next_due(), state.circuit_breaker.opens_at(SEARCH_JOBS))
        if ready > now:
            return ready - now
        if wait := state.circuit_breaker.take(SEARCH_JOBS, now):
            return wait
        search = discovery.planner.next(now, wall)
        return float("inf") if search is None else self._call(discovery, search, now)

    def _call(self, discovery: Discovery, search: Search, requested_at: float) -> Call[SearchPage]:
        plan = discovery.planner
        return Call(
            SEARCH_JOBS,
            make=partial(self._state.client.search_jobs, search.span, search.token),
            is_current=lambda: self._state.discovery is discovery and discovery.planner is plan,
            answered=partial(self._listed, discovery, plan, search, requested_at),
            failed=partial(self._failed, discovery, search, requested_at),
            done=partial(self._done, discovery),
        )

    def _done(self, discovery: Discovery) -> None:
        state = self._state
        state.store.flush()
        no_job_told = discovery.planner.first_scan_complete or not state.circuit_breaker.health.up
        if state.discovery is discovery and not state.client.target.account and no_job_told:
            self._identify()

    def _listed(
        self, discovery: Discovery, plan: SearchPlanner, search: Search, requested_at: float, page: SearchPage
    ) -> None:
        state = self._state
        state.correct_time()
        if discovery.planner is not plan:  # it was planned by a clock that turned out to be wrong
            return
        self._report_problems(discovery, page)
        now, wall = state.clock.monotonic(), state.clock.wall()
        hidden, dropped, gone = state.store.hidden, 0, list[JobRecord]()
        with state.lock:
            state.circuit_breaker.succeeded(SEARCH_JOBS, wall)
            result = discovery.record_page(search, page, requested_at=requested_at, now=now, wall=wall)
            state.jobs.had_turn(result.jobs, state.clock.monotonic())
            if state.store.hidden > hidden:  # the page shows more than there is room for: no call is made for those
                beyond, dropped = state.store.fit()
                gone = forget_beyond_limit(state, discovery, beyond)
        for _ in range(dropped):
            state.telemetry.dropped(MAX_JOBS)
        log_dropped(state, gone)
        self._note_abandoned(search, page, result.abandoned)

    def _note_abandoned(self, search: Search, page: SearchPage, abandoned: str | None) -> None:
        if abandoned is not None and not self._abandoning:
            self._state.event_log.search_abandoned(self._state.client.target, abandoned)
        if search.scan is not ScanKind.STATUS:
            self._abandoning = abandoned is not None or (self._abandoning and page.token is not None)

    def _report_problems(self, discovery: Discovery, page: SearchPage) -> None:
        """Count the entries that cannot be used, and log each once; past a bound they only count."""
        state = self._state
        for problem in page.problems:
            state.telemetry.parse_error()
            if problem not in self._reported and len(self._reported) < MOST_REPORTED:
                self._reported.add(problem)
                state.event_log.search_entry_ignored(state.client.target, problem)
        lacking = bool(discovery.discovered_jobs.selection.selector.tags) and any(job.tags is None for job in page.jobs)
        if lacking and not self._reported_tags:
            self._reported_tags = True
            state.event_log.search_without_tags(state.client.target)

    def _failed(self, discovery: Discovery, search: Search, requested_at: float, error: BraketError) -> None:
        state = self._state
        state.count_malformed(error)
        with state.lock:
            now = state.clock.monotonic()
            rule = state.circuit_breaker.failed(SEARCH_JOBS, error, requested_at=requested_at, now=now)
            discovery.planner.failed(search, now, refused=rule.request is not OnRequest.RETRY)
            retry_in = max(0.0, state.circuit_breaker.opens_at(SEARCH_JOBS) - now)
        state.event_log.poll_failed(state.client.target, SEARCH_JOBS, error, retry_in)

    def _identify(self) -> None:
        """Ask AWS whose credentials these are, since no job showed it; the metrics' labels need it."""
        state = self._state
        with state.lock:
            now = state.clock.monotonic()
            if now < self._identify_after:
                return
            self._identify_after = now + IDENTIFY_INTERVAL
        try:
            state.client.identify()
        except BraketError as error:
            state.event_log.poll_failed(state.client.target, GET_CALLER_IDENTITY, error, IDENTIFY_INTERVAL)
