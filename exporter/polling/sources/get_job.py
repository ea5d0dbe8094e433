"""GetJob: which job is due, and what its response or error means."""

from dataclasses import replace
from functools import partial
from typing import Final

from exporter.core import GET_JOB, NOT_FOUND, BraketError, JobRecord, JobSnapshot, observe
from exporter.polling.retry_policy import GONE_AFTER, TRIES_AT_START, OnRequest, Rule, Subject, rule_for
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
    """Polls the watched jobs of one target, one at a time.

    Args:
        state: the target.
    """

    operation: Final = GET_JOB

    def __init__(self, state: TargetState) -> None:
        self._state = state
        self._calls = 0

    @property
    def active(self) -> bool:
        """Always: every target has jobs to poll, or may find some."""
        return True

    def due(self, now: float) -> Call[JobSnapshot] | float:
        """Return the call for the most urgent job, or the seconds until there may be one."""
        state = self._state
        ready = max(state.jobs.queue.next_due(), state.circuit_breaker.opens_at(GET_JOB))
        if ready > now:
            return ready - now
        watch = state.jobs.queue.due(now, turn=first_priority(self._calls, get_job_only=state.get_job_suffices(now)))
        if wait := state.circuit_breaker.take(GET_JOB, now):
            return wait
        assert watch is not None  # noqa: S101 -- the queue said so
        self._calls += 1
        state.jobs.begin(watch, now)
        return self._call(watch, now)

    def _call(self, watch: JobSchedule, requested_at: float) -> Call[JobSnapshot]:
        return Call(
            GET_JOB,
            make=partial(self._state.client.get_job, watch.arn),
            is_current=partial(self._state.jobs.is_under_way, watch),
            answered=partial(self._answered, watch, requested_at),
            failed=partial(self._failed, watch, requested_at),
        )

    def _answered(self, watch: JobSchedule, requested_at: float, snapshot: JobSnapshot) -> None:
        state = self._state
        state.correct_time()
        wall = state.clock.wall()
        record = state.store.record(watch.arn)
        observation = observe(record, snapshot, since=record.baseline_at, now=wall)
        state.event_log.observed(observation)
        for field, _ in observation.unknown:
            state.telemetry.unknown_value(field)
        state.store.put(observation.record, observation.increments)
        interval = state.policy.poll_interval
        again = after_response(watch, observation.record, requested_at=requested_at, interval=interval, wall=wall)
        with state.lock:
            state.circuit_breaker.succeeded(GET_JOB, wall)
            self._put_back(observation.record, again, tried=True)

    def _failed(self, watch: JobSchedule, requested_at: float, error: BraketError) -> None:
        self._state.count_malformed(error)
        rule = rule_for(Subject.JOB, error)
        refused = rule.request is not OnRequest.RETRY
        record = self._refused(watch.arn, error) if refused else self._state.store.record(watch.arn)
        again = self._after_failure(watch, record, rule, requested_at)
        tried = refused or watch.failures + 1 >= TRIES_AT_START
        gone = rule.request is OnRequest.GONE and watch.failures + 1 >= GONE_AFTER
        with self._state.lock:
            now = self._count_failure(watch.arn, error, requested_at)
            if self._state.discovery and gone:
                self._state.discovery.discovered_jobs.let_go(record, NOT_FOUND, self._state.clock.wall())
            self._put_back(record, again, tried=tried)
            retry_at = None if again is None else max(again.due, self._state.circuit_breaker.opens_at(GET_JOB))
        retry_in = None if retry_at is None else max(0.0, retry_at - now)
        self._state.event_log.poll_failed(self._state.client.target, GET_JOB, error, retry_in, watch.arn)

    def _refused(self, arn: str, error: BraketError) -> JobRecord:
        """Take in that Braket refused a job: it responded, so its time is known."""
        self._state.correct_time()
        record = self._state.store.record(arn)
        if record.active:
            record = replace(record, failing=error.code)
            self._state.store.amend(record)
        return record

    def _count_failure(self, arn: str, error: BraketError, requested_at: float) -> float:
        """Count a failed call against operation and target; return the time."""
        now = self._state.clock.monotonic()
        self._state.circuit_breaker.failed(
            GET_JOB, error, requested_at=requested_at, now=now, arn=arn, jobs=len(self._state.jobs)
        )
        return now

    def _after_failure(
        self, watch: JobSchedule, record: JobRecord, rule: Rule, requested_at: float
    ) -> JobSchedule | None:
        interval = self._state.policy.poll_interval
        if rule.request is OnRequest.RETRY:
            return after_target_failure(watch, now=self._state.clock.monotonic(), interval=interval)
        if rule.request is OnRequest.GONE and not record.active:
            return None  # its end is known already; Braket forgets jobs after some months
        return after_job_failure(watch, requested_at=requested_at, interval=interval)

    def _put_back(self, record: JobRecord, again: JobSchedule | None, *, tried: bool) -> None:
        state = self._state
        state.jobs.put_back(record.arn, again, tried=tried)
        if state.discovery is not None:
            state.discovery.discovered_jobs.update_expiry(record)
        state.jobs.had_turn([record.arn], state.clock.monotonic())
