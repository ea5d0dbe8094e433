"""The call source of SearchJobs: the due page, and the handling of the response or the error."""

from functools import partial
from typing import Final

from exporter.core import GET_CALLER_IDENTITY, MAX_JOBS, SEARCH_JOBS, BraketError, EntryProblem, SearchPage
from exporter.polling.discovery import Discovery
from exporter.polling.expiry import PAUSE, drop_beyond_limit
from exporter.polling.retry_policy import OnRequest
from exporter.polling.search import ScanKind, Search
from exporter.polling.search_planner import SearchPlanner
from exporter.polling.sources.call import Call
from exporter.polling.target_state import TargetState

MAX_LOGGED_PROBLEMS: Final = 1000
"""The distinct malformed SearchJobs entries of one target that are logged, so that they cannot flood the log."""

IDENTIFY_INTERVAL: Final = 300.0
"""The interval of GetCallerIdentity calls, seconds, while no response has shown the account."""


class SearchJobsSource:
    """Discovers the jobs of one target, if its configuration has a selector.

    Args:
        state: the target.
        now: the time, monotonic seconds.
    """

    operation: Final = SEARCH_JOBS

    def __init__(self, state: TargetState, now: float) -> None:
        self._state = state
        self._identify_after = now
        self._abandoning = False
        """Whether the last span was abandoned, because its pages did not end."""
        self._logged: set[EntryProblem] = set()
        self._logged_missing_tags = False

    @property
    def active(self) -> bool:
        """Whether the target discovers jobs."""
        return self._state.discovery is not None

    def due(self, now: float) -> Call[SearchPage] | float:
        """Return the call for the next page, or the seconds until a page may be due."""
        state, discovery, wall = self._state, self._state.discovery, self._state.clock.wall()
        assert discovery is not None  # noqa: S101 -- the source is active
        if discovery.planner.status_scan_due(now):
            if state.get_job_suffices(now):
                discovery.planner.skip_status_scan(now)
            else:
                discovery.start_status_scan(now, wall)
        if not discovery.planner.status_scan_planned:
            discovery.plan_status_scan()
            return PAUSE  # the rest follows when the target's lock was released
        ready = max(discovery.planner.next_due(), state.circuit_breaker.paused_until(SEARCH_JOBS))
        if ready > now:
            return ready - now
        if wait := state.circuit_breaker.acquire(SEARCH_JOBS, now):
            return wait
        search = discovery.planner.next(now, wall)
        return float("inf") if search is None else self._call(discovery, search, now)

    def _call(self, discovery: Discovery, search: Search, requested_at: float) -> Call[SearchPage]:
        planner = discovery.planner
        return Call(
            SEARCH_JOBS,
            make=partial(self._state.client.search_jobs, search.span, search.token),
            is_current=lambda: self._state.discovery is discovery and discovery.planner is planner,
            succeeded=partial(self._succeeded, discovery, planner, search, requested_at),
            failed=partial(self._failed, discovery, search, requested_at),
            done=partial(self._done, discovery),
        )

    def _done(self, discovery: Discovery) -> None:
        state = self._state
        state.store.flush()
        no_page_shows_it = discovery.planner.first_scan_complete or not state.circuit_breaker.health.up
        if state.discovery is discovery and not state.client.target.account and no_page_shows_it:
            self._identify()

    def _succeeded(
        self, discovery: Discovery, planner: SearchPlanner, search: Search, requested_at: float, page: SearchPage
    ) -> None:
        state = self._state
        state.correct_time()
        if discovery.planner is not planner:  # the call was planned by a wrong clock
            return
        self._report_problems(discovery, page)
        now, wall = state.clock.monotonic(), state.clock.wall()
        hidden = state.store.hidden
        with state.lock:
            state.circuit_breaker.succeeded(SEARCH_JOBS, requested_at=requested_at, now=now, wall=wall)
            result = discovery.record_page(search, page, requested_at=requested_at, now=now, wall=wall)
            state.jobs.record_polled(result.jobs, state.clock.monotonic())
        if state.store.hidden > hidden:  # the page has jobs beyond the series limit, which are not polled
            self._drop_beyond_limit()
        self._log_abandoned(search, page, result.abandoned)

    def _drop_beyond_limit(self) -> None:
        ranked, dropped = self._state.store.enforce_limit()
        for _ in range(dropped):
            self._state.telemetry.dropped(MAX_JOBS)
        drop_beyond_limit(self._state, ranked, stopped=lambda: False)

    def _log_abandoned(self, search: Search, page: SearchPage, abandoned: str | None) -> None:
        if abandoned is not None and not self._abandoning:
            self._state.event_log.search_abandoned(self._state.client.target, abandoned)
        if search.scan is not ScanKind.STATUS:
            self._abandoning = abandoned is not None or (self._abandoning and page.token is not None)

    def _report_problems(self, discovery: Discovery, page: SearchPage) -> None:
        """Count the malformed entries, and log each problem once up to a maximum."""
        state = self._state
        for problem in page.problems:
            state.telemetry.parse_error()
            if problem not in self._logged and len(self._logged) < MAX_LOGGED_PROBLEMS:
                self._logged.add(problem)
                state.event_log.search_entry_ignored(state.client.target, problem)
        needs_tags = bool(discovery.discovered_jobs.selection.selector.tags)
        if needs_tags and not self._logged_missing_tags and any(job.tags is None for job in page.jobs):
            self._logged_missing_tags = True
            state.event_log.search_without_tags(state.client.target)

    def _failed(self, discovery: Discovery, search: Search, requested_at: float, error: BraketError) -> None:
        state = self._state
        state.count_malformed(error)
        with state.lock:
            now = state.clock.monotonic()
            rule = state.circuit_breaker.failed(SEARCH_JOBS, error, requested_at=requested_at, now=now)
            discovery.planner.failed(search, now, refused=rule.request is not OnRequest.RETRY)
            retry_in = max(0.0, state.circuit_breaker.paused_until(SEARCH_JOBS) - now)
        state.event_log.poll_failed(state.client.target, SEARCH_JOBS, error, retry_in)

    def _identify(self) -> None:
        """Call GetCallerIdentity for the account, since no job has shown it. The metrics' labels need it."""
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
