"""The call source of GetJob: the due job, and the handling of the response or the error."""

from dataclasses import replace
from functools import partial
from typing import Final

from exporter.core import GET_JOB, NOT_FOUND, BraketError, JobRecord, JobSnapshot, Observation, observe
from exporter.polling.retry_policy import ATTEMPTS_AT_START, GONE_AFTER, OnRequest, Rule, Subject, rule_for
from exporter.polling.schedule import (
    JobSchedule,
    after_job_failure,
    after_response,
    after_target_failure,
    first_priority,
)
from exporter.polling.sources.call import Call
from exporter.polling.target_state import TargetState


class GetJobSource:
    """Polls the watched jobs of one target, one job a call.

    Args:
        state: the target.
    """

    operation: Final = GET_JOB

    def __init__(self, state: TargetState) -> None:
        self._state = state
        self._calls = 0

    @property
    def active(self) -> bool:
        """Always: every target has jobs to poll, or may discover some."""
        return True

    def due(self, now: float) -> Call[JobSnapshot] | float:
        """Return the call for the most urgent job, or the seconds until a job may be due."""
        state = self._state
        if state.relaxed_interval(now) is None:
            state.jobs.tighten(now, state.policy.poll_interval)
        ready = max(state.jobs.queue.next_due(), state.circuit_breaker.paused_until(GET_JOB))
        if ready > now:
            return ready - now
        if wait := state.circuit_breaker.acquire(GET_JOB, now):
            return wait
        turn = first_priority(self._calls, get_job_only=state.get_job_suffices(now))
        schedule = state.jobs.queue.due(now, turn=turn)
        assert schedule is not None  # noqa: S101 -- the queue has a due job
        self._calls += 1
        state.jobs.start_poll(schedule, now)
        return self._call(schedule, now)

    def _call(self, schedule: JobSchedule, requested_at: float) -> Call[JobSnapshot]:
        return Call(
            GET_JOB,
            make=partial(self._state.client.get_job, schedule.arn),
            is_current=partial(self._state.jobs.is_in_flight, schedule),
            succeeded=partial(self._succeeded, schedule, requested_at),
            failed=partial(self._failed, schedule, requested_at),
        )

    def _succeeded(self, schedule: JobSchedule, requested_at: float, snapshot: JobSnapshot) -> None:
        state = self._state
        state.correct_time()
        wall = state.clock.wall()
        record = state.store.record(schedule.arn)
        observation = observe(record, snapshot, since=record.baseline_at, now=wall)
        state.event_log.observed(observation)
        self._count_transition(observation)
        for field, _ in observation.unknown:
            state.telemetry.unknown_value(field)
        state.store.put(observation.record, observation.increments)
        interval = state.policy.poll_interval
        now, record = state.clock.monotonic(), observation.record
        relaxed = state.relaxed_interval(now)
        following = after_response(
            schedule, record, requested_at=requested_at, interval=interval, wall=wall, relaxed_interval=relaxed
        )
        with state.lock:
            state.circuit_breaker.succeeded(GET_JOB, requested_at=requested_at, now=now, wall=wall)
            status = snapshot.status
            following = state.events.after_poll(record.arn, status, following, requested_at=requested_at, now=now)
            self._end_poll(record, following, attempted=True)

    def _count_transition(self, observation: Observation) -> None:
        """Count what has found a transition, where events should."""
        state = self._state
        if observation.transition is not None and state.queue_health is not None:
            with state.lock:
                found_by = "event" if observation.record.arn in state.events else "poll"
            state.telemetry.events.transition_found(found_by)

    def _failed(self, schedule: JobSchedule, requested_at: float, error: BraketError) -> None:
        self._state.count_malformed(error)
        rule = rule_for(Subject.JOB, error)
        refused = rule.request is not OnRequest.RETRY
        record = self._refused(schedule.arn, error) if refused else self._state.store.record(schedule.arn)
        following = self._after_failure(schedule, record, rule, requested_at)
        attempted = refused or schedule.failures + 1 >= ATTEMPTS_AT_START
        gone = rule.request is OnRequest.GONE and schedule.failures + 1 >= GONE_AFTER
        with self._state.lock:
            now = self._count_failure(schedule.arn, error, requested_at)
            if self._state.discovery and gone:
                self._state.discovery.discovered_jobs.let_go(record, NOT_FOUND, self._state.clock.wall())
            self._end_poll(record, following, attempted=attempted)
            if refused:
                self._state.events.after_refusal(schedule.arn)
            paused_until = self._state.circuit_breaker.paused_until(GET_JOB)
        retry_in = None if following is None else max(0.0, following.due - now, paused_until - now)
        self._state.event_log.poll_failed(self._state.client.target, GET_JOB, error, retry_in, schedule.arn)

    def _refused(self, arn: str, error: BraketError) -> JobRecord:
        """Record that Braket refuses a job. The error is a response, so it shows the time."""
        self._state.correct_time()
        record = self._state.store.record(arn)
        if record.active:
            record = replace(record, failing=error.code)
            self._state.store.amend(record)
        return record

    def _count_failure(self, arn: str, error: BraketError, requested_at: float) -> float:
        """Count a failed call against operation and target; return the time."""
        state, now = self._state, self._state.clock.monotonic()
        state.circuit_breaker.failed(GET_JOB, error, requested_at=requested_at, now=now, arn=arn, jobs=len(state.jobs))
        return now

    def _after_failure(
        self, schedule: JobSchedule, record: JobRecord, rule: Rule, requested_at: float
    ) -> JobSchedule | None:
        interval = self._state.policy.poll_interval
        if rule.request is OnRequest.RETRY:
            return after_target_failure(schedule, now=self._state.clock.monotonic(), interval=interval)
        if rule.request is OnRequest.GONE and not record.active:
            return None  # its end is known already; Braket deletes jobs after some months
        return after_job_failure(schedule, record, requested_at=requested_at, interval=interval)

    def _end_poll(self, record: JobRecord, schedule: JobSchedule | None, *, attempted: bool) -> None:
        state = self._state
        state.jobs.end_poll(record.arn, schedule, attempted=attempted)
        if state.discovery is not None:
            state.discovery.discovered_jobs.update_expiry(record)
        state.jobs.record_polled([record.arn], state.clock.monotonic())
