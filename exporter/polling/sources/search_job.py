"""The call source of SearchJobs for single jobs: jobs that an event reports and that are not watched."""

from functools import partial
from typing import Final

from exporter.core import SEARCH_JOBS, BraketError, RejectedError, SearchPage
from exporter.polling.discovery import Discovery
from exporter.polling.retry_policy import OnRequest, Subject
from exporter.polling.sources.call import Call
from exporter.polling.target_state import TargetState


class SearchJobSource:
    """Looks up the jobs of events: the selector decides about them, as it does about the jobs of any other page.

    Args:
        state: the target.
    """

    operation: Final = SEARCH_JOBS

    def __init__(self, state: TargetState) -> None:
        self._state = state

    @property
    def active(self) -> bool:
        """Whether the target discovers jobs and has an event queue."""
        return self._state.discovery is not None and self._state.queue_health is not None

    def due(self, now: float) -> Call[SearchPage] | float:
        """Return the call for a job, or the seconds until one may be due."""
        state, discovery = self._state, self._state.discovery
        assert discovery is not None  # noqa: S101 -- the source is active
        paused = state.circuit_breaker.paused_until(SEARCH_JOBS)
        if not discovery.planner.first_scan_complete or paused > now:
            return max(1.0, paused - now)
        arn = state.events.take_look_up(now)
        if isinstance(arn, float):
            return arn
        if wait := state.circuit_breaker.acquire(SEARCH_JOBS, now):
            state.events.look_up_failed(arn, now)
            return wait
        return Call(
            SEARCH_JOBS,
            make=partial(state.client.search_job, arn),
            is_current=lambda: state.discovery is discovery,
            succeeded=partial(self._succeeded, discovery, arn, now),
            failed=partial(self._failed, arn, now),
        )

    def _succeeded(self, discovery: Discovery, arn: str, requested_at: float, page: SearchPage) -> None:
        state = self._state
        state.correct_time()
        now, wall = state.clock.monotonic(), state.clock.wall()
        with state.lock:
            state.circuit_breaker.succeeded(SEARCH_JOBS, requested_at=requested_at, now=now, wall=wall)
            discovery.record_jobs(page, requested_at=requested_at, now=now, wall=wall)
            if state.jobs.get(arn) is not None:
                state.events.found(arn)
                state.expedite(arn, now)
            elif any(job.arn == arn for job in page.jobs):
                state.events.unselected(arn, now)
            else:
                state.events.missed(arn, now)

    def _failed(self, arn: str, requested_at: float, error: BraketError) -> None:
        state = self._state
        state.count_malformed(error)
        with state.lock:
            now = state.clock.monotonic()
            # Braket may refuse the ARN of an event, which says nothing about other calls.
            subject = Subject.JOB if isinstance(error, RejectedError) else Subject.TARGET
            breaker = state.circuit_breaker
            rule = breaker.failed(SEARCH_JOBS, error, requested_at=requested_at, now=now, subject=subject)
            if rule.request is OnRequest.RETRY:
                state.events.look_up_failed(arn, now)
            else:
                state.events.missed(arn, now)
            retry_in = max(0.0, breaker.paused_until(SEARCH_JOBS) - now)
        state.event_log.poll_failed(state.client.target, SEARCH_JOBS, error, retry_in, arn)
