"""A polled target: scripted responses, and the records, log events and counters that follow. The clock is manual."""

import itertools
import re
import threading
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

import pytest
from builders import (
    ACCOUNT,
    CREATED,
    REGION,
    FakeTime,
    NoCalls,
    arn,
    event,
    finished,
    kept,
    record,
    snapshot,
    text_of,
)
from hypothesis import given, settings
from hypothesis import strategies as st
from ledgers import Book, Past
from profiles import examples, some
from structlog import wrap_logger
from structlog.testing import LogCapture
from structlog.typing import EventDict

from exporter.core import (
    MAX_RUNTIME_EXCEEDED,
    BraketError,
    CredentialsRef,
    DeniedError,
    EntryProblem,
    JobError,
    JobRecord,
    JobSnapshot,
    JobSummary,
    MalformedError,
    NotFoundError,
    RejectedError,
    SearchPage,
    Selector,
    Span,
    Target,
    TargetConfig,
    TargetStatus,
    ThrottledError,
    UnauthenticatedError,
    UnavailableError,
)
from exporter.core.selector import TagRule
from exporter.metrics import job_families
from exporter.polling.policy import Policy, Retention
from exporter.polling.rate_limiter import RateLimiter
from exporter.polling.schedule import JobSchedule, Priority
from exporter.polling.target_builder import Services, build_target
from exporter.storage import BATCH_JOBS, Store, Tombstone, Tombstones
from exporter.storage.persistence import mark_of
from exporter.telemetry import EventLog, SelfMetrics

A, B, C = arn(1), arn(2), arn(3)
TARGET = Target(ACCOUNT, REGION)
INTERVAL = 30.0
AT_ONCE = 1e9
"""A rate limit that never makes a call wait."""

NOT_FOUND = NotFoundError("ResourceNotFoundException", "no such job")
DENIED = DeniedError("AccessDeniedException", "not allowed")
REJECTED = RejectedError("ValidationException", "bad request")
MALFORMED = MalformedError("malformed", "status: missing")
THROTTLED = ThrottledError("ThrottlingException", "slow down")
EXPIRED = UnauthenticatedError("ExpiredTokenException", "the token expired")
BROKEN = UnavailableError("InternalServiceException", "500")
TIMEOUT = UnavailableError("timeout", "no answer in time")

JOB_ERRORS = [NOT_FOUND, DENIED, REJECTED, MALFORMED]
TARGET_ERRORS = [THROTTLED, EXPIRED, BROKEN, TIMEOUT]

Answer = JobSnapshot | BraketError


@dataclass
class Source(NoCalls):
    """Responds for each job from its script, and repeats the last response."""

    time: FakeTime
    scripts: dict[str, list[Answer]]
    latency: float = 0.0
    polled: list[tuple[str, float]] = field(default_factory=list)
    meanwhile: Callable[[str], object] = lambda _: None
    target: Target = TARGET
    clock_offset: float = 0.0

    def get_job(self, job: str) -> JobSnapshot:
        self.polled.append((job, self.time.monotonic))
        self.time.advance(self.latency)
        self.meanwhile(job)
        script = self.scripts[job]
        answer = script.pop(0) if len(script) > 1 else script[0]
        if isinstance(answer, BraketError):
            raise type(answer)(answer.code, str(answer))
        return answer

    def times(self, job: str) -> list[float]:
        return [time for polled, time in self.polled if polled == job]


class Harness:
    """A polled target with its services.

    The target starts 10 s before the usual job is created, so that jobs are new; ``since`` sets another time.
    """

    def __init__(
        self,
        scripts: dict[str, Sequence[Answer]],
        *,
        rate: float = AT_ONCE,
        interval: float = INTERVAL,
        latency: float = 0.0,
        since: float = CREATED - 10.0,
        jitter: float = 0.0,
    ) -> None:
        self.time = FakeTime(wall=since)
        self.began = self.time.monotonic
        self.source = Source(self.time, {job: list(script) for job, script in scripts.items()}, latency)
        self.book = Book()
        self.store = Store(job_families(), self.book)
        self.telemetry = SelfMetrics()
        self._log = LogCapture()
        self.event_log = EventLog(wrap_logger(None, processors=[self._log]))
        services = Services(
            store=self.store,
            event_log=self.event_log,
            telemetry=self.telemetry,
            rate_limiter=RateLimiter(rate),
            clock=self.time.clock,
            random=lambda: jitter,
            tombstones=Tombstones(),
        )
        policy = Policy(interval, 60.0, 86400.0, Retention(1000.0, 5000.0))
        config = TargetConfig(CredentialsRef(), TARGET, tuple(scripts), None)
        self.target = build_target(config, self.source, services, policy)

    def run(self, seconds: float) -> None:
        """Step as a worker does, until so many seconds have passed."""
        end = self.time.monotonic + seconds
        while self.time.monotonic < end:
            if wait := self.target.poller.step():
                self.time.advance(min(wait, end - self.time.monotonic))

    def status(self) -> TargetStatus:
        return self.target.status()

    def up(self) -> bool | None:
        return self.status().health.up

    def job(self, job: str = A) -> JobRecord:
        return self.store.record(job)

    def polled(self, job: str = A) -> list[float]:
        """When the job was polled, in seconds since the start."""
        return [time - self.began for time in self.source.times(job)]

    def log(self, name: str) -> list[EventDict]:
        return [entry for entry in self._log.entries if entry["event"] == name]

    def exporter_metrics(self) -> list[str]:
        return self.telemetry.render("text", lambda _, __: True, [self.target.status()]).decode().splitlines()

    def page(self) -> str:
        return b"".join(text_of(lines) for _, lines in self.store.view().families()).decode()


def running(job: str = A, **members: Any) -> JobSnapshot:
    return snapshot(**{"arn": job, "name": f"job-{job[-1]}", **members})


def ended(job: str = A, status: str = "COMPLETED", **members: Any) -> JobSnapshot:
    return finished(status, **{"arn": job, "name": f"job-{job[-1]}", **members})


# The effect of a response.


def test_before_the_first_response_every_job_is_known_by_its_arn_and_configured() -> None:
    harness = Harness({A: [running()], B: [running(B)]})
    assert [*harness.store.scan()] == [JobRecord(one, configured=True, baseline_at=harness.time.wall) for one in (A, B)]


def test_a_step_polls_one_job_and_stores_what_it_learned() -> None:
    harness = Harness({A: [running()], B: [running(B)]})
    assert harness.target.poller.step() == 0.0
    assert harness.source.polled == [(A, 5000.0)]
    assert harness.job().snapshot == running()
    assert harness.job().polled_at == CREATED - 10.0
    assert harness.job(B).snapshot is None


def test_a_new_job_is_logged_counted_and_exposed() -> None:
    harness = Harness({A: [running(events=(event("RUNNING", CREATED + 84.0),))]})
    harness.run(1.0)
    assert [entry["status"] for entry in harness.log("job_discovered")] == ["RUNNING"]
    assert [(entry["from_status"], entry["to_status"]) for entry in harness.log("job_transition")] == [
        (None, "RUNNING")
    ]
    assert [entry["event_type"] for entry in harness.log("job_event")] == ["RUNNING"]
    assert 'from_status="",to_status="RUNNING"} 1.0' in harness.page()


def test_a_job_older_than_the_exporter_is_discovered_without_a_transition() -> None:
    harness = Harness({A: [ended()]}, since=CREATED + 1.0)
    harness.run(1.0)
    assert len(harness.log("job_discovered")) == 1
    assert harness.log("job_transition") == []
    assert 'outcome="COMPLETED"} 0.0' in harness.page()


def test_a_life_is_logged_and_counted_once_however_often_the_job_is_polled() -> None:
    out_of_time = event(MAX_RUNTIME_EXCEEDED, CREATED + 119.0)
    bare = ended(status="FAILED", billable_seconds=None)
    full = ended(status="FAILED", events=(out_of_time,))
    life: list[Answer] = [running(status="QUEUED", started=None), running(), running(), bare, full]
    harness = Harness({A: life})
    harness.run(600.0)
    assert [entry["to_status"] for entry in harness.log("job_transition")] == ["QUEUED", "RUNNING", "FAILED"]
    assert len(harness.log("job_discovered")) == 1
    for line in (
        'outcome="FAILED"} 1.0',
        'outcome="MAX_RUNTIME_EXCEEDED"} 1.0',
        'outcome="COMPLETED"} 0.0',
        'instance_type="ml.m5.large"} 80.0',
    ):
        assert line in harness.page()


def test_unknown_values_are_counted_when_they_first_show() -> None:
    harness = Harness({A: [running(status="PAUSED", unknown=(("status", "PAUSED"),))]})
    harness.run(100.0)
    assert 'braket_exporter_unknown_values_total{field="status"} 1.0' in harness.exporter_metrics()
    assert len(harness.log("unknown_value")) == 1


# When a job is polled.


def test_an_active_job_is_polled_once_in_each_interval() -> None:
    harness = Harness({A: [running()]})
    harness.run(100.0)
    assert harness.polled() == [0.0, 30.0, 60.0, 90.0]


def test_the_interval_runs_from_call_to_call_whatever_the_responses_take() -> None:
    harness = Harness({A: [running()]}, latency=4.0)
    harness.run(100.0)
    assert harness.polled() == [0.0, 30.0, 60.0, 90.0]


def test_a_job_that_showed_all_details_of_its_end_is_never_polled_again() -> None:
    harness = Harness({A: [running(), ended()], B: [running(B)]})
    harness.run(10_000.0)
    assert harness.polled() == [0.0, 30.0]
    assert len(harness.polled(B)) > 300


def test_a_finished_job_without_all_details_is_polled_three_times_more() -> None:
    harness = Harness({A: [running(), ended(billable_seconds=None)]})
    harness.run(10_000.0)
    assert harness.polled() == [0.0, 30.0, 60.0, 120.0, 240.0]


def test_a_job_that_ended_long_ago_is_polled_once() -> None:
    harness = Harness({A: [ended(billable_seconds=None)]}, since=CREATED + 86400.0)
    harness.run(10_000.0)
    assert harness.polled() == [0.0]


def test_billable_time_that_comes_late_is_waited_for() -> None:
    harness = Harness({A: [ended(billable_seconds=None), ended()]})
    harness.run(10_000.0)
    assert harness.polled() == [0.0, 30.0]
    assert 'instance_type="ml.m5.large"} 80.0' in harness.page()


@pytest.mark.parametrize("error", TARGET_ERRORS)
def test_late_details_are_polled_again_after_a_failure_of_the_target(error: BraketError) -> None:
    harness = Harness({A: [ended(billable_seconds=None), error, error, ended()]})
    harness.run(600.0)
    assert harness.job().snapshot == kept(ended())


def test_a_finished_job_that_the_service_forgot_is_quietly_let_go() -> None:
    harness = Harness({A: [ended(billable_seconds=None), NOT_FOUND]})
    harness.run(10_000.0)
    assert harness.polled() == [0.0, 30.0]
    assert harness.job().snapshot == kept(ended(billable_seconds=None))
    assert harness.job().failing is None
    assert "braket_job_poll_failing{" not in harness.page()
    assert harness.up() is True
    assert [entry["retry_in_seconds"] for entry in harness.log("poll_failed")] == [None]
    assert (harness.status().active, harness.status().finished) == (0, 1)


def test_jobs_are_polled_in_turn_when_the_rate_limit_does_not_suffice() -> None:
    jobs = [arn(number) for number in range(40)]
    harness = Harness({job: [running(job)] for job in jobs}, rate=1.0)
    harness.run(400.0)
    counts = Counter(job for job, _ in harness.source.polled)
    assert set(counts.values()) <= {10, 11}
    assert [job for job, _ in harness.source.polled[:80]] == [*jobs, *jobs]


@pytest.mark.parametrize("rate", [0.5, 2.5])
def test_the_rate_limit_is_kept_in_every_window(rate: float) -> None:
    harness = Harness({arn(number): [running(arn(number))] for number in range(100)}, rate=rate)
    harness.run(200.0)
    times = [time for _, time in harness.source.polled]
    assert len(times) == pytest.approx(200.0 * rate, abs=2 * rate + 1)
    for first, start in enumerate(times):
        for last in range(first, len(times), 5):
            assert last - first + 1 <= max(1.0, 2 * rate) + rate * (times[last] - start) + 1e-6


def test_failures_are_paid_for_from_the_same_rate_limit() -> None:
    harness = Harness({arn(number): [BROKEN, DENIED, TIMEOUT, NOT_FOUND] for number in range(100)}, rate=1.0)
    harness.run(300.0)
    assert len(harness.source.polled) <= 302


def test_a_step_without_anything_to_do_waits_ten_seconds_at_most() -> None:
    harness = Harness({A: [running()], B: [ended(B)]})
    assert [harness.target.poller.step() for _ in range(3)] == [0.0, 0.0, 10.0]
    harness.time.advance(29.75)
    assert harness.target.poller.step() == 0.25


def test_a_target_without_jobs_is_idle_and_done() -> None:
    harness = Harness({})
    assert harness.target.poller.step() == 10.0
    assert harness.target.first_poll_done
    assert (harness.status().active, harness.status().finished, harness.status().staleness) == (0, 0, None)


def test_a_job_that_is_in_flight_is_not_polled_by_another_thread() -> None:
    harness = Harness({A: [running()], B: [running(B)]}, latency=60.0)
    harness.source.meanwhile = lambda _: harness.target.poller.step() if len(harness.source.polled) < 4 else None
    harness.target.poller.step()
    assert Counter(job for job, _ in harness.source.polled) == {A: 1, B: 1}


def test_a_hanging_call_does_not_hold_up_the_other_jobs_of_its_target() -> None:
    harness = Harness({A: [running()], B: [running(B)], C: [running(C)]})
    inside, release = threading.Event(), threading.Event()

    def hang(job: str) -> None:
        if job == A:
            inside.set()
            release.wait(60.0)

    harness.source.meanwhile = hang
    thread = threading.Thread(target=harness.target.poller.step)
    thread.start()
    assert inside.wait(5.0)
    harness.run(100.0)
    assert harness.polled(B) == [0.0, 30.0, 60.0, 90.0]
    assert harness.polled(C) == [0.0, 30.0, 60.0, 90.0]
    assert (harness.status().active, harness.status().staleness, harness.target.first_poll_done) == (3, 100.0, False)
    release.set()
    thread.join(5.0)
    assert harness.job().snapshot == running()
    assert harness.target.first_poll_done


# One job's trouble.


@pytest.mark.parametrize("error", [*JOB_ERRORS, BROKEN, TIMEOUT])
def test_one_bad_job_never_touches_the_others(error: BraketError) -> None:
    harness = Harness({A: [error], B: [running(B)], C: [running(C)]})
    harness.run(1000.0)
    every_interval = [30.0 * number for number in range(34)]
    assert harness.polled(B) == pytest.approx(every_interval, abs=2.0)
    assert harness.polled(C) == pytest.approx(every_interval, abs=2.0)
    assert harness.job(B).snapshot == running(B)
    assert harness.job(C).failing is None
    assert harness.up() is True
    assert harness.target.first_poll_done


@pytest.mark.parametrize("error", [*JOB_ERRORS, BROKEN, TIMEOUT])
def test_the_target_never_shows_down_for_one_bad_job(error: BraketError) -> None:
    harness = Harness({A: [error], B: [running(B)], C: [running(C)]})
    for _ in range(300):
        harness.run(1.0)
        assert harness.up() is True


@pytest.mark.parametrize("error", JOB_ERRORS)
def test_a_job_that_fails_shows_its_code_until_it_responds(error: BraketError) -> None:
    harness = Harness({A: [running(), error, error, running()]})
    harness.run(31.0)
    assert harness.job().failing == error.code
    assert f'braket_job_poll_failing{{code="{error.code}",job_arn="{A}",job_name="job-1"}} 1.0' in harness.page()
    assert harness.job().snapshot == running()
    assert harness.job().polled_at == CREATED - 10.0
    harness.run(100.0)
    assert harness.job().failing is None
    assert "braket_job_poll_failing" not in harness.page()


@pytest.mark.parametrize("error", JOB_ERRORS)
def test_a_job_that_never_responded_fails_with_an_empty_name(error: BraketError) -> None:
    harness = Harness({A: [error]})
    harness.run(1.0)
    assert f'braket_job_poll_failing{{code="{error.code}",job_arn="{A}",job_name=""}} 1.0' in harness.page()


@pytest.mark.parametrize("error", TARGET_ERRORS)
def test_a_failure_of_the_target_is_no_failure_of_the_job_and_keeps_the_last_good_data(error: BraketError) -> None:
    harness = Harness({A: [running(), error]})
    harness.run(300.0)
    assert harness.job().failing is None
    assert harness.job().snapshot == running()
    assert 'status="RUNNING"} 1.0' in harness.page()


def test_a_job_that_is_refused_is_polled_ever_more_rarely() -> None:
    harness = Harness({A: [NOT_FOUND]})
    harness.run(1100.0)
    assert harness.polled() == [0.0, 30.0, 90.0, 210.0, 450.0, 750.0, 1050.0]


def test_a_job_that_responds_again_is_polled_as_often_as_before() -> None:
    harness = Harness({A: [NOT_FOUND, DENIED, MALFORMED, running()]})
    harness.run(300.0)
    assert harness.polled() == [0.0, 30.0, 90.0, 210.0, 240.0, 270.0]


def test_a_failed_call_is_logged_with_its_code_and_when_it_is_made_again() -> None:
    harness = Harness({A: [DENIED, DENIED, TIMEOUT]})
    harness.run(91.0)
    assert [
        (entry["operation"], entry["code"], entry["retry_in_seconds"], entry["job_arn"])
        for entry in harness.log("poll_failed")[:2]
    ] == [("GetJob", "AccessDeniedException", 30.0, A), ("GetJob", "AccessDeniedException", 60.0, A)]
    assert [entry["code"] for entry in harness.log("poll_failed")[2:3]] == ["timeout"]


def test_only_malformed_responses_are_parse_errors() -> None:
    harness = Harness({A: [MALFORMED], B: [DENIED, BROKEN, NOT_FOUND]})
    harness.run(1.0)
    assert "braket_exporter_parse_errors_total 1.0" in harness.exporter_metrics()
    harness.run(30.0)
    assert "braket_exporter_parse_errors_total 2.0" in harness.exporter_metrics()


def test_a_bug_in_the_source_comes_out_of_the_step() -> None:
    harness = Harness({A: [running()]})
    harness.source.scripts.clear()
    with pytest.raises(KeyError):
        harness.target.poller.step()


# The target as a whole.


def test_whether_a_target_is_up_is_unknown_until_the_first_response() -> None:
    harness = Harness({A: [running()]})
    assert harness.up() is None
    assert not any(line.startswith("braket_exporter_target_up{") for line in harness.exporter_metrics())


def test_a_good_response_makes_the_target_up_and_is_its_last_success() -> None:
    harness = Harness({A: [running()]}, latency=2.0)
    harness.target.poller.step()
    assert harness.up() is True
    assert harness.status().health.last_success == CREATED - 8.0
    labels = f'{{aws_account_id="{ACCOUNT}",aws_region="{REGION}",target=""}}'
    assert f"braket_exporter_target_up{labels} 1.0" in harness.exporter_metrics()


@pytest.mark.parametrize("error", [BROKEN, TIMEOUT])
def test_a_target_without_a_response_is_down_and_comes_up_again(error: BraketError) -> None:
    harness = Harness({job: [running(job), error, error, running(job)] for job in (A, B, C)})
    harness.run(10.0)
    assert harness.up() is True
    harness.run(30.0)
    assert harness.up() is False
    assert harness.status().health.last_error == str(error)
    harness.run(300.0)
    assert harness.up() is True
    assert harness.status().health.last_error is None


@pytest.mark.parametrize("error", [EXPIRED, BROKEN, TIMEOUT])
def test_the_target_of_a_single_job_is_down_when_its_call_fails(error: BraketError) -> None:
    harness = Harness({A: [error]})
    harness.target.poller.step()
    assert harness.up() is False


def test_a_target_is_down_when_it_is_throttled_to_a_halt_and_up_at_the_next_response() -> None:
    harness = Harness({A: [running(), THROTTLED, THROTTLED, THROTTLED, running()]}, rate=2.5)
    seen = []
    for _ in range(90):
        harness.run(1.0)
        seen.append((len(harness.source.polled), harness.up()))
    assert dict(seen) == {1: True, 2: True, 3: True, 4: False, 5: True, 6: True}


@pytest.mark.parametrize("error", JOB_ERRORS)
def test_the_target_of_a_lone_job_is_up_when_that_is_refused(error: BraketError) -> None:
    harness = Harness({A: [error]})
    harness.run(1000.0)
    assert harness.up() is True


def test_a_target_that_denies_every_job_is_down() -> None:
    harness = Harness({job: [DENIED] for job in (A, B, C)})
    harness.run(10.0)
    assert harness.up() is False


@pytest.mark.parametrize("error", [NOT_FOUND, REJECTED])
def test_a_target_that_knows_none_of_its_jobs_is_up(error: BraketError) -> None:
    harness = Harness({job: [error] for job in (A, B, C)})
    harness.run(10.0)
    assert harness.up() is True


@pytest.mark.parametrize("error", [DENIED, MALFORMED])
def test_a_few_refused_jobs_among_many_good_ones_never_make_the_target_down(error: BraketError) -> None:
    good = {arn(number): [running(arn(number))] for number in range(7)}
    bad = {arn(number): [error] for number in range(7, 10)}
    harness = Harness({**good, **bad})
    for _ in range(100):
        harness.run(1.0)
        assert harness.up() is True


def test_a_target_that_takes_no_credentials_is_paused_ever_longer() -> None:
    harness = Harness({job: [EXPIRED] for job in (A, B, C)})
    harness.run(200.0)
    times = [time - harness.began for _, time in harness.source.polled]
    assert times == [0.0, 1.0, 3.0, 7.0, 15.0, 31.0, 63.0, 123.0, 183.0]


def test_a_target_that_throttles_is_called_ever_more_rarely() -> None:
    harness = Harness({arn(number): [THROTTLED] for number in range(60)}, rate=2.0)
    harness.run(40.0)
    times = [time - harness.began for _, time in harness.source.polled]
    gaps = [later - earlier for earlier, later in itertools.pairwise(times)]
    assert gaps[:3] == pytest.approx([1.0, 2.0, 4.0], rel=0.1)
    assert all(later > earlier for earlier, later in itertools.pairwise(gaps))
    assert harness.status().budget["GetJob"] < 0.2


def test_the_used_requests_are_shown() -> None:
    harness = Harness({A: [snapshot(arn=A)]}, interval=10.0)
    harness.run(35.0)
    assert harness.status().used == {"GetJob": 4}
    assert harness.status().listed


def test_pauses_are_shortened_at_random_so_that_exporters_do_not_come_back_in_step() -> None:
    harness = Harness({job: [EXPIRED] for job in (A, B, C)}, jitter=0.5)
    harness.run(10.0)
    assert [time - harness.began for _, time in harness.source.polled] == [0.0, 0.75, 2.25, 5.25]


@pytest.mark.parametrize("error", [BROKEN, TIMEOUT])
def test_a_target_that_cannot_be_reached_is_paused_once_enough_jobs_failed(error: BraketError) -> None:
    harness = Harness({job: [error] for job in (A, B, C)})
    harness.run(20.0)
    assert [time - harness.began for _, time in harness.source.polled] == [0.0, 0.0, 0.0, 1.0, 3.0, 7.0, 15.0]


def test_calls_that_were_under_way_when_a_pause_began_do_not_lengthen_it() -> None:
    harness = Harness({job: [EXPIRED, running(job)] for job in (A, B, C)})
    harness.source.meanwhile = lambda _: harness.target.poller.step() if len(harness.source.polled) < 3 else None
    harness.target.poller.step()
    assert len(harness.source.polled) == 3
    assert harness.target.poller.step() == 1.0
    harness.run(10.0)
    assert all(harness.job(job).snapshot is not None for job in (A, B, C))


def test_calls_that_were_under_way_when_the_rate_was_halved_do_not_halve_it_again() -> None:
    harness = Harness({job: [THROTTLED, running(job)] for job in (A, B, C)}, rate=2.0, latency=3.0)
    harness.source.meanwhile = lambda _: harness.target.poller.step() if len(harness.source.polled) < 3 else None
    harness.target.poller.step()
    assert len(harness.source.polled) == 3
    assert harness.status().budget == {"GetJob": 1.0}


@pytest.mark.parametrize("jitter", some([0.5, 0.0, 0.999]))
def test_after_a_storm_of_throttling_every_active_job_is_soon_polled_again(jitter: float) -> None:
    jobs = [arn(number) for number in range(100)]
    harness = Harness({job: [running(job)] for job in jobs}, rate=20.0, interval=5.0, jitter=jitter)
    start = harness.began + 40.0
    end = start + 5.0

    def throttle(_: str) -> None:
        if start <= harness.time.monotonic < end:
            raise THROTTLED

    harness.source.meanwhile = throttle
    harness.run(45.0)
    assert harness.status().budget["GetJob"] < 1.0
    harness.run(15.0)
    assert {job for job, time in harness.source.polled if time >= end} == set(jobs)
    harness.run(65.0)
    assert harness.status().budget == {"GetJob": 20.0}
    staleness = harness.status().staleness
    assert staleness is not None
    assert staleness <= 6.0


def test_the_rate_comes_back_within_minutes() -> None:
    harness = Harness({A: [THROTTLED, running()]}, rate=2.0)
    harness.run(1.0)
    assert harness.status().budget == {"GetJob": pytest.approx(1.0, abs=0.02)}
    harness.run(120.0)
    assert harness.status().budget == {"GetJob": 2.0}


def test_a_response_ends_the_series_of_pauses() -> None:
    harness = Harness({A: [EXPIRED, EXPIRED, running(), EXPIRED, running()]})
    harness.run(40.0)
    assert harness.polled() == [0.0, 1.0, 3.0, 33.0, 34.0]


@pytest.mark.parametrize("error", [EXPIRED, TIMEOUT])
def test_the_retry_that_is_logged_heeds_the_pause_of_the_target(error: BraketError) -> None:
    harness = Harness({A: [error]})
    harness.run(8.0)
    assert [entry["retry_in_seconds"] for entry in harness.log("poll_failed")] == [1.0, 2.0, 4.0, 8.0]


@pytest.mark.parametrize("error", TARGET_ERRORS)
def test_an_outage_of_a_day_is_survived_and_ends_within_a_minute(error: BraketError) -> None:
    harness = Harness({A: [running()]}, jitter=0.99)
    harness.run(1.0)
    harness.source.scripts[A] = [error]
    harness.run(examples(24) * 3600.0)
    harness.source.scripts[A] = [running(queue_position=1)]
    harness.run(61.0)
    assert harness.job().snapshot == running(queue_position=1)
    assert harness.up() is True


# The status of the target.


def test_the_first_poll_is_done_when_every_job_was_polled_once() -> None:
    harness = Harness({A: [running()], B: [NOT_FOUND], C: [ended(C)]})
    waiting = []
    for _ in range(3):
        waiting.append((harness.target.first_poll_done, harness.status().waiting))
        harness.target.poller.step()
    assert waiting == [(False, 3), (False, 2), (False, 1)]
    assert harness.target.first_poll_done


@pytest.mark.parametrize("error", TARGET_ERRORS)
def test_the_first_poll_does_not_wait_for_a_target_that_does_not_respond(error: BraketError) -> None:
    harness = Harness({arn(number): [error] for number in range(20)})
    assert not harness.target.first_poll_done
    harness.run(10.0)
    assert harness.target.first_poll_done


@pytest.mark.parametrize("error", [BROKEN, TIMEOUT])
def test_the_first_poll_does_not_wait_for_a_job_that_hangs_each_time(error: BraketError) -> None:
    harness = Harness({A: [error], B: [running(B)], C: [running(C)]})
    harness.run(2.0)
    assert not harness.target.first_poll_done
    harness.run(2.0)
    assert harness.target.first_poll_done


def test_the_first_poll_stays_done_when_a_target_that_was_given_up_comes_back() -> None:
    jobs = [arn(number) for number in range(20)]
    harness = Harness({job: [THROTTLED] for job in jobs})
    harness.run(10.0)
    assert harness.target.first_poll_done
    for job in jobs:
        harness.source.scripts[job] = [running(job)]
    while harness.status().waiting:
        harness.time.advance(harness.target.poller.step())
        assert harness.target.first_poll_done


def test_the_data_age_is_that_of_the_active_job_without_a_response_for_longest() -> None:
    harness = Harness({A: [running(), DENIED], B: [running(B)], C: [ended(C)]})
    harness.run(25.0)
    assert harness.status().staleness == 25.0
    harness.run(20.0)
    assert harness.status().staleness == 45.0


def test_the_data_age_of_a_job_without_a_response_counts_from_its_first_schedule() -> None:
    harness = Harness({A: [TIMEOUT]})
    harness.run(100.0)
    assert harness.status().staleness == 100.0


def test_a_job_that_never_existed_is_not_stale() -> None:
    harness = Harness({A: [NOT_FOUND], B: [running(B)]})
    harness.run(100.0)
    assert harness.status().staleness == 10.0


def test_a_finished_job_is_polled_again_for_its_details_after_a_passing_refusal() -> None:
    harness = Harness({A: [ended(billable_seconds=None), DENIED, ended()]})
    harness.run(200.0)
    assert harness.store.record(A).snapshot == kept(ended())
    assert harness.store.record(A).failing is None


def test_finished_jobs_are_never_stale() -> None:
    harness = Harness({A: [ended()], B: [ended(B, billable_seconds=None)]})
    harness.run(25.0)
    assert harness.status().staleness is None
    labels = f'{{aws_account_id="{ACCOUNT}",aws_region="{REGION}",target=""}}'
    assert not any(
        line.startswith(f"braket_exporter_target_staleness_seconds{labels}") for line in harness.exporter_metrics()
    )


def test_jobs_are_counted_as_active_until_they_show_their_end() -> None:
    harness = Harness({A: [running(), ended(billable_seconds=None)], B: [ended(B)], C: [NOT_FOUND]})
    assert (harness.status().active, harness.status().finished) == (3, 0)
    harness.run(10.0)
    assert (harness.status().active, harness.status().finished) == (2, 1)
    harness.run(30.0)
    assert (harness.status().active, harness.status().finished) == (1, 2)
    labels = f'aws_account_id="{ACCOUNT}",aws_region="{REGION}"'
    assert f'braket_exporter_target_jobs{{{labels},state="active",target=""}} 1.0' in harness.exporter_metrics()
    assert f'braket_exporter_target_jobs{{{labels},state="finished",target=""}} 2.0' in harness.exporter_metrics()


def test_a_job_counts_as_active_while_it_is_in_flight() -> None:
    harness = Harness({A: [running()]})
    seen = []
    harness.source.meanwhile = lambda _: seen.append(harness.status().active)
    harness.target.poller.step()
    assert seen == [1]


def test_the_status_shows_the_target_and_its_rate_limit() -> None:
    harness = Harness({A: [running()]}, rate=2.5)
    assert harness.status().target == (ACCOUNT, REGION)
    assert harness.status().budget == {"GetJob": 2.5}


def test_a_poll_lasts_from_its_first_call_to_its_last_response() -> None:
    harness = Harness({A: [running()], B: [running(B)], C: [running(C)]}, latency=2.0)
    assert harness.status().poll_duration is None
    harness.run(4.0)
    assert harness.status().poll_duration is None
    harness.run(10.0)
    assert harness.status().poll_duration == 6.0
    harness.source.latency = 3.0
    harness.run(30.0)
    assert harness.status().poll_duration == 9.0


def test_a_poll_that_waits_for_the_rate_limit_lasts_that_much_longer() -> None:
    harness = Harness({arn(number): [running(arn(number))] for number in range(12)}, rate=1.0)
    harness.run(29.0)
    assert harness.status().poll_duration == pytest.approx(11.0)


def test_a_poll_ends_when_the_calls_of_all_threads_have_ended() -> None:
    harness = Harness({A: [running()], B: [running(B)]}, latency=3.0)
    harness.source.meanwhile = lambda _: harness.target.poller.step() if len(harness.source.polled) < 2 else None
    harness.target.poller.step()
    assert harness.status().poll_duration == 6.0


def test_the_duration_of_a_poll_shows_even_when_it_is_longer_than_the_interval() -> None:
    harness = Harness({arn(number): [running(arn(number))] for number in range(60)}, rate=1.0)
    harness.run(500.0)
    assert harness.status().poll_duration == pytest.approx(60.0, abs=3.0)


# Whatever the source does.

ERRORS = st.sampled_from([*JOB_ERRORS, *TARGET_ERRORS])
KINDS = st.sampled_from(["running", "queued", "bare end", "full end"])
SCRIPTS = st.lists(st.lists(st.one_of(ERRORS, KINDS), max_size=7), min_size=1, max_size=4)


def answer(job: str, kind: BraketError | str) -> Answer:
    if isinstance(kind, BraketError):
        return kind
    return {
        "running": running(job),
        "queued": running(job, status="QUEUED", started=None),
        "bare end": ended(job, billable_seconds=None, events=()),
        "full end": ended(job),
    }[kind]


def scripted(kinds: list[list[BraketError | str]], last: str) -> dict[str, Sequence[Answer]]:
    return {arn(number): [answer(arn(number), kind) for kind in [*script, last]] for number, script in enumerate(kinds)}


@settings(max_examples=examples(30))
@given(kinds=SCRIPTS, latency=st.sampled_from([0.0, 0.3, 8.0]), jitter=st.sampled_from([0.0, 0.9]))
def test_no_job_is_lost_whatever_errors_come(
    kinds: list[list[BraketError | str]], latency: float, jitter: float
) -> None:
    harness = Harness(scripted(kinds, "running"), latency=latency, jitter=jitter)
    harness.run(1500.0)
    before = Counter(job for job, _ in harness.source.polled)
    harness.run(400.0)
    for known in [*harness.store.scan()]:
        assert known.snapshot is not None or not known.active
        assert known.failing is None
        if known.active:
            assert Counter(job for job, _ in harness.source.polled)[known.arn] - before[known.arn] >= 5
    assert harness.target.first_poll_done
    assert harness.status().waiting == 0


@settings(max_examples=examples(30))
@given(kinds=SCRIPTS, latency=st.sampled_from([0.0, 0.3, 8.0]))
def test_a_job_is_polled_no_more_often_than_its_interval_while_it_responds_and_not_at_all_after_its_end(
    kinds: list[list[BraketError | str]], latency: float
) -> None:
    harness = Harness(scripted(kinds, "full end"), latency=latency)
    harness.run(1500.0)
    for number, script in enumerate(kinds):
        times = harness.polled(arn(number))
        logged = [*script, "full end"]
        over = next((place for place, kind in enumerate(logged) if kind == "full end"), len(logged))
        assert len(times) <= over + 1
        for place, kind in enumerate(logged[: len(times) - 1]):
            if isinstance(kind, str | JobError):
                assert times[place + 1] - times[place] >= INTERVAL - 1e-6


@settings(max_examples=examples(30))
@given(kinds=SCRIPTS)
def test_what_is_logged_of_a_job_agrees_with_what_is_known_of_it(kinds: list[list[BraketError | str]]) -> None:
    harness = Harness(scripted(kinds, "running"))
    harness.run(1500.0)
    for known in [*harness.store.scan()]:
        logged = [entry for entry in harness.log("job_transition") if entry["job_arn"] == known.arn]
        statuses = [None, *(entry["to_status"] for entry in logged)]
        assert [entry["from_status"] for entry in logged] == statuses[:-1]
        assert known.snapshot is not None
        assert known.snapshot.status == statuses[-1]
        assert len([entry for entry in harness.log("job_discovered") if entry["job_arn"] == known.arn]) == 1
        assert sum(status == "COMPLETED" for status in statuses) <= 1


# Discovery.

DAY = 86400.0


@dataclass
class Region(NoCalls):
    """A Region full of jobs, each given by its snapshots in order of time, for SearchJobs and GetJob."""

    time: FakeTime
    jobs: dict[str, list[tuple[float, JobSnapshot]]] = field(default_factory=dict)
    tags: dict[str, dict[str, str]] = field(default_factory=dict)
    target: Target = TARGET
    account: str = ACCOUNT
    search_error: BraketError | None = None
    get_error: BraketError | None = None
    hidden: set[str] = field(default_factory=set)
    polled: list[tuple[str, float]] = field(default_factory=list)
    searched: list[tuple[Span, float]] = field(default_factory=list)
    identified: int = 0
    clock_offset: float = 0.0

    def put(self, job: str, *snapshots: tuple[float, JobSnapshot], **tags: str) -> None:
        self.jobs[job], self.tags[job] = list(snapshots), tags

    def get_job(self, job: str) -> JobSnapshot:
        self.polled.append((job, self.time.monotonic))
        if self.get_error is not None:
            raise type(self.get_error)(self.get_error.code, str(self.get_error))
        now = self._now(job)
        if now is None:
            raise NotFoundError("ResourceNotFoundException", "no such job")
        return now

    def search_jobs(self, span: Span, token: str | None) -> SearchPage:
        self.searched.append((span, self.time.monotonic))
        if self.search_error is not None:
            raise type(self.search_error)(self.search_error.code, str(self.search_error))
        summaries = [summary for job in self.jobs if (summary := self._summary(job, span)) is not None]
        first = int(token or 0)
        if summaries and not self.target.account:
            self.target = Target(self.account, REGION)
        page = summaries[first : first + 100]
        return SearchPage(tuple(page), (), str(first + 100) if first + 100 < len(summaries) else None)

    def identify(self) -> None:
        self.identified += 1
        raise DeniedError("AccessDenied", "no STS here")

    def _now(self, job: str) -> JobSnapshot | None:
        past = [snapshot for since, snapshot in self.jobs.get(job, ()) if since <= self.time.wall]
        return past[-1] if past else None

    def _summary(self, job: str, span: Span) -> JobSummary | None:
        now = self._now(job)
        if now is None or job in self.hidden:
            return None
        created = now.created or 0.0
        if created < span.start or (span.end is not None and created > span.end):
            return None
        return JobSummary(job, now.name, now.status, created, now.started, now.ended, tags=self.tags[job])


class Search(Harness):
    """A target that discovers jobs; it starts at ``CREATED`` plus a day."""

    def __init__(
        self, selector: Selector | None, *, rate: float = 2.5, interval: float = INTERVAL, account: str = ""
    ) -> None:
        self.time = FakeTime(wall=CREATED + DAY)
        self.began = self.time.monotonic
        self.region = Region(self.time, target=Target(account, REGION))
        self.book = Book()
        self.store = Store(job_families(), self.book)
        self.telemetry = SelfMetrics()
        self._log = LogCapture()
        self.event_log = EventLog(wrap_logger(None, processors=[self._log]))
        self.rate, self.interval, self.selector = rate, interval, selector

    @property
    def config(self) -> TargetConfig:
        return TargetConfig(CredentialsRef(), self.region.target, (), self.selector)

    @property
    def owner(self) -> str:
        """The key of the target."""
        return self.config.key

    def begin(self, since: float | None = None, tombstones: Mapping[int, Tombstone] | None = None) -> "Search":
        services = Services(
            store=self.store,
            event_log=self.event_log,
            telemetry=self.telemetry,
            rate_limiter=RateLimiter(self.rate),
            clock=self.time.clock,
            random=lambda: 0.0,
            tombstones=Tombstones(tombstones),
        )
        policy = Policy(self.interval, 60.0, 14 * DAY, Retention(1000.0, 5000.0))
        self.target = build_target(self.config, self.region, services, policy, baseline_at=since)
        return self

    def ticks(self, seconds: float) -> None:
        """Run, and drop expired jobs as the daemon does."""
        for _ in range(int(seconds / 5)):
            self.run(5.0)
            self.target.drop_expired()

    def gets(self, job: str) -> list[float]:
        return [time - self.began for polled, time in self.region.polled if polled == job]


EVERYTHING = Selector(all_jobs=True)


def born(number: int, age: float, **members: Any) -> tuple[float, JobSnapshot]:
    created = CREATED + DAY - age
    return created, running(arn(number), created=created, started=created + 1.0, **members)


def died(number: int, age: float, after: float, status: str = "COMPLETED", **members: Any) -> tuple[float, JobSnapshot]:
    created = CREATED + DAY - age
    end = {"created": created, "started": created + 1.0, "ended": created + after, "billable_seconds": 1.0}
    events = (event(status, created + after),)
    return created + after, ended(arn(number), status, **end, events=events, **members)


def test_jobs_that_are_found_are_polled_and_the_account_is_learned() -> None:
    harness = Search(Selector((TagRule("team", frozenset({"a"})),)))
    harness.region.put(A, born(1, 100.0), team="a")
    harness.region.put(B, born(2, 100.0), team="b")
    harness.begin()
    assert harness.status().target == ("", REGION)
    harness.run(5.0)
    assert [known.arn for known in [*harness.store.scan()]] == [A]
    assert harness.job().configured is False
    assert harness.status().target == (ACCOUNT, REGION)
    assert harness.region.identified == 0
    assert (harness.status().active, harness.status().finished) == (1, 0)


def test_the_account_is_not_requested_while_the_rest_of_the_first_scan_may_show_it() -> None:
    harness = Search(EVERYTHING)
    harness.region.put(A, born(1, 2 * DAY))
    harness.begin().run(60.0)
    assert harness.status().target == (ACCOUNT, REGION)
    assert len(harness.region.searched) > 1
    assert harness.region.identified == 0


def test_few_active_jobs_are_followed_by_get_job_alone() -> None:
    harness = Search(EVERYTHING)
    for number in range(20):
        harness.region.put(arn(number), born(number, 100.0 + number))
    harness.begin().run(600.0)
    assert len(harness.gets(arn(3))) == 20
    assert len(harness.region.searched) == 3 + 9  # the first list in three steps, then one list a minute


def test_many_active_jobs_are_followed_by_pages_and_an_end_is_polled_at_once() -> None:
    harness = Search(EVERYTHING, interval=5.0)
    for number in range(400):
        harness.region.put(arn(number), born(number, 4000.0 - 10.0 * number))
    dying = arn(7)
    created, alive = born(7, 3930.0)
    harness.region.put(dying, (created, alive), died(7, 3930.0, after=3930.0 + 300.0))
    harness.begin().run(320.0)
    snapshot = harness.job(dying).snapshot
    assert snapshot is not None
    assert snapshot.status == "COMPLETED"
    (logged,) = harness.log("job_transition")
    assert logged["lag_seconds"] < 6.0
    assert (harness.status().staleness or 1e9) < 8.0


def test_an_active_job_that_no_page_shows_is_polled_itself() -> None:
    harness = Search(EVERYTHING, interval=5.0)
    for number in range(100):
        harness.region.put(arn(number), born(number, 100.0 + number))
    harness.begin().run(60.0)
    harness.region.hidden.add(A)
    polled = len(harness.gets(A))
    harness.run(60.0)
    assert len(harness.gets(A)) - polled >= 8


def test_the_rate_limit_of_each_operation_is_kept() -> None:
    harness = Search(EVERYTHING, interval=1.0)
    for number in range(300):
        harness.region.put(arn(number), born(number, 100.0 + number))
    seconds = max(60, examples(300))
    harness.begin().run(seconds)
    for calls in (harness.region.polled, harness.region.searched):
        times = [time for _, time in calls]
        assert len(times) > 2 * seconds
        assert min(later - earlier for earlier, later in itertools.pairwise(times)) >= 0.4 - 1e-6


def test_it_is_ready_when_active_jobs_were_polled_and_complete_when_all_were() -> None:
    harness = Search(EVERYTHING)
    for number in range(10):
        harness.region.put(arn(number), born(number, 100.0 + number))
    for number in range(10, 20):
        harness.region.put(arn(number), died(number, 900.0, after=100.0))
    harness.begin()
    seen = []
    for _ in range(30):
        harness.run(0.5)
        seen.append((harness.target.first_poll_done, harness.target.full_poll_done, len(harness.region.polled)))
    ready = next(polled for done, _, polled in seen if done)
    complete = next(polled for _, done, polled in seen if done)
    assert ready in {10, 11}
    assert complete == 20


def test_failed_jobs_come_first_among_those_that_had_ended() -> None:
    harness = Search(EVERYTHING)
    harness.region.put(A, died(1, 900.0, after=500.0))
    harness.region.put(B, died(2, 900.0, after=800.0))
    harness.region.put(C, died(3, 900.0, after=100.0, status="FAILED"))
    harness.begin().run(10.0)
    assert [job for job, _ in harness.region.polled] == [C, B, A]
    assert harness.log("job_transition") == []


def test_a_job_whose_series_would_be_over_is_not_polled() -> None:
    harness = Search(EVERYTHING)
    harness.region.put(A, died(1, 9000.0, after=100.0))
    harness.region.put(B, died(2, 4000.0, after=100.0, status="FAILED"))
    harness.begin().run(100.0)
    assert [job for job, _ in harness.region.polled] == [B]


def test_a_job_that_lived_and_failed_between_two_scans_is_logged_and_counted_once() -> None:
    harness = Search(EVERYTHING)
    harness.region.put(A, born(1, 100.0))
    harness.begin().run(10.0)
    harness.region.put(B, (born(2, -20.0)), died(2, -20.0, after=15.0, status="FAILED"))
    harness.ticks(7200.0)
    logged = [entry for entry in harness.log("job_transition") if entry["job_arn"] == B]
    assert [(entry["from_status"], entry["to_status"]) for entry in logged] == [(None, "FAILED")]
    assert 'outcome="FAILED"} 1.0' in harness.page()
    assert [entry["job_arn"] for entry in harness.log("job_forgotten")] == [B]
    assert len([entry for entry in harness.log("job_discovered") if entry["job_arn"] == B]) == 1


def test_a_job_that_loses_its_tag_is_forgotten_after_its_retention_and_continues_when_it_gets_it_back() -> None:
    harness = Search(Selector((TagRule("team", None),)))
    harness.region.put(A, born(1, -5.0), team="a")
    harness.region.put(B, born(2, 100.0), team="a")
    harness.begin().ticks(100.0)
    harness.region.tags[A] = {}
    harness.ticks(900.0)
    assert harness.log("job_forgotten") == []
    harness.ticks(300.0)
    assert [(entry["job_arn"], entry["reason"]) for entry in harness.log("job_forgotten")] == [(A, "deselected")]
    assert 'braket_exporter_jobs_dropped_total{reason="deselected"} 1.0' in harness.exporter_metrics()
    assert (harness.status().active, harness.status().finished) == (1, 0)
    harness.region.tags[A] = {"team": "b"}
    harness.ticks(200.0)
    assert harness.job().snapshot is not None
    assert len([entry for entry in harness.log("job_discovered") if entry["job_arn"] == A]) == 1


def test_a_discovered_job_that_braket_does_not_know_any_more_is_forgotten() -> None:
    harness = Search(EVERYTHING)
    harness.region.put(A, born(1, 100.0))
    harness.region.put(B, born(2, 90.0))
    harness.begin().ticks(60.0)
    del harness.region.jobs[A]
    harness.ticks(4000.0)
    assert [(entry["job_arn"], entry["reason"]) for entry in harness.log("job_forgotten")] == [(A, "not_found")]
    assert [known.arn for known in [*harness.store.scan()]] == [B]


def test_an_account_without_jobs_is_up_and_ready_and_requests_its_account_number() -> None:
    harness = Search(EVERYTHING).begin()
    harness.run(700.0)
    assert harness.up() is True
    assert harness.target.full_poll_done
    assert harness.region.identified == 3
    assert {entry["operation"] for entry in harness.log("poll_failed")} == {"GetCallerIdentity"}
    harness.region.put(A, born(1, -710.0))
    harness.run(120.0)
    assert harness.status().target == (ACCOUNT, REGION)
    assert [entry["from_status"] for entry in harness.log("job_transition")] == [None]


@pytest.mark.parametrize("error", [*TARGET_ERRORS, DENIED, REJECTED, MALFORMED])
def test_when_nothing_can_be_listed_the_known_jobs_are_followed_and_it_starts_again(error: BraketError) -> None:
    harness = Search(EVERYTHING, account=ACCOUNT)
    harness.region.put(A, born(1, 100.0))
    harness.begin().run(70.0)
    assert harness.up() is True
    harness.region.search_error = error
    harness.region.put(B, born(2, -80.0))
    harness.run(400.0)
    assert harness.up() is False
    assert len(harness.gets(A)) == 16
    assert {entry["operation"] for entry in harness.log("poll_failed")} == {"SearchJobs"}
    harness.region.search_error = None
    harness.run(140.0)
    assert harness.up() is True
    assert harness.job(B).snapshot is not None


@pytest.mark.parametrize("error", TARGET_ERRORS)
def test_the_first_poll_does_not_wait_for_a_scan_that_never_completes(error: BraketError) -> None:
    harness = Search(EVERYTHING, account=ACCOUNT)
    harness.region.search_error = error
    done: list[tuple[bool, bool]] = []
    harness.begin()
    for _ in range(2):
        harness.run(1.0 + 60.0 * len(done))
        done.append((harness.target.first_poll_done, harness.target.full_poll_done))
    assert done == [(False, False), (True, True)]
    assert not harness.status().listed


def test_every_job_of_a_long_shifting_list_is_found() -> None:
    harness = Search(EVERYTHING, rate=AT_ONCE)
    for number in range(1500):
        harness.region.put(arn(number), born(number, 100.0 + 500 * number))
    harness.region.hidden = {arn(number) for number in range(0, 1500, 7)}
    harness.begin()
    discovery = harness.target._state.discovery
    assert discovery is not None
    while not discovery.planner.first_scan_complete:
        harness.time.advance(harness.target.poller.step())
    harness.region.hidden.clear()
    while not harness.target.full_poll_done:
        harness.time.advance(harness.target.poller.step())
    assert len([*harness.store.scan()]) == 1500


def waiting_for_get_job(jobs: int) -> Search:
    """Return a target that has discovered this many active jobs. Most of them wait for their first GetJob call."""
    harness = Search(EVERYTHING, rate=AT_ONCE, interval=1e6)
    for number in range(jobs):
        harness.region.put(arn(number), born(number, 100.0 + number))
    harness.begin()
    while not (harness.status().listed and harness.status().active == jobs):
        harness.target.poller.step()
    return harness


def test_a_call_walks_over_no_jobs(monkeypatch: pytest.MonkeyPatch) -> None:
    harness = waiting_for_get_job(500)
    calls = len(harness.region.polled)
    for walked in ("job_queue.JobQueue", "active_jobs.ActiveJobs"):
        monkeypatch.setattr(f"exporter.polling.{walked}.__iter__", None)
    for _ in range(100):
        harness.target.poller.step()
        assert harness.status().active == 500
    assert len(harness.region.polled) >= calls + 50


def test_the_rate_limit_is_checked_before_a_job_is_searched(monkeypatch: pytest.MonkeyPatch) -> None:
    harness = waiting_for_get_job(50)
    state, calls = harness.target._state, len(harness.region.polled)
    monkeypatch.setattr(state.circuit_breaker, "acquire", lambda *_: 7.0)
    monkeypatch.setattr(state.jobs.queue, "due", None)
    assert harness.target.poller.step() == 7.0
    assert len(harness.region.polled) == calls


def with_finished_jobs(jobs: int) -> Search:
    """Return a target that continues after a restart with finished jobs, whose retention is not over."""
    harness = Search(EVERYTHING)
    known = [
        record(ended(arn(number), ended=CREATED + DAY - 500.0 + number / jobs), configured=False, owner=harness.owner)
        for number in range(jobs)
    ]
    Past(CREATED, known).give(harness.store)
    harness.begin(since=CREATED)
    harness.target.resume([(one, None) for one in known])
    return harness


def test_a_shorter_retention_drops_jobs_in_batches_and_each_is_persisted_before_it_is_logged() -> None:
    harness = with_finished_jobs(2 * BATCH_JOBS + 5)
    harness.target.reconfigure(harness.config, Policy(INTERVAL, 60.0, 14 * DAY, Retention(1.0, 1.0)), {})
    logged: list[int] = []
    harness.book.meanwhile = lambda: logged.append(len(harness.log("job_forgotten")))
    harness.target.drop_expired()
    assert [len(entry.gone) for entry in harness.book.entries] == [BATCH_JOBS, BATCH_JOBS, 5]
    assert logged == [0, BATCH_JOBS, 2 * BATCH_JOBS]
    assert len(harness.log("job_forgotten")) == 2 * BATCH_JOBS + 5
    assert len(harness.store) == 0


def test_a_stopping_exporter_leaves_the_other_batches_to_the_next_start() -> None:
    harness = with_finished_jobs(2 * BATCH_JOBS)
    harness.time.advance(2000.0)
    harness.target.drop_expired(lambda: bool(harness.book.entries))
    assert len(harness.store) == len(harness.book.jobs) + BATCH_JOBS == BATCH_JOBS
    harness.target.drop_expired()
    assert len(harness.store) == 0


def test_a_longer_retention_is_applied_in_batches_and_drops_nothing() -> None:
    harness = with_finished_jobs(2 * BATCH_JOBS)
    harness.target.reconfigure(harness.config, Policy(INTERVAL, 60.0, 14 * DAY, Retention(3000.0, 5000.0)), {})
    harness.time.advance(2000.0)
    harness.target.drop_expired()
    assert len(harness.store) == 2 * BATCH_JOBS
    harness.time.advance(2000.0)
    harness.target.drop_expired()
    assert len(harness.store) == 0


def test_slow_responses_about_jobs_do_not_keep_new_ones_from_being_looked_for() -> None:
    harness = Search(EVERYTHING, rate=AT_ONCE, interval=0.001)
    for number in range(30):
        harness.region.put(arn(number), born(number, 100.0 + number))
    harness.begin()
    for _ in range(2000):
        harness.target.poller.step()
        harness.time.advance(0.5)
    lists = [span for span, _ in harness.region.searched if span.end is None]
    assert len(lists) >= 1000.0 / 60.0


# What is written down, and what it goes on from.

NOW = CREATED + DAY


def test_each_response_is_written_in_one_entry_before_a_scrape_shows_it() -> None:
    harness = Harness({A: [running(), ended()]})
    seen: list[str] = []
    harness.book.meanwhile = lambda: seen.append(harness.page())
    harness.run(40.0)
    assert ["status=" in page for page in seen] == [False, True]
    assert ['status="COMPLETED"} 1.0' in page for page in seen] == [False, False]
    assert [[each.snapshot for each in entry.records] for entry in harness.book.entries] == [
        [kept(running())],
        [kept(ended())],
    ]
    assert harness.book.totals == harness.store.everything().totals


def test_the_failure_of_a_job_waits_for_what_is_written_next() -> None:
    harness = Harness({A: [NOT_FOUND], B: [running(B)]})
    harness.target.poller.step()
    assert harness.book.entries == []
    harness.target.poller.step()
    assert {job: record.failing for job, record in harness.book.jobs.items()} == {
        A: "ResourceNotFoundException",
        B: None,
    }


def test_jobs_of_a_page_are_written_down_with_it_unless_they_had_ended() -> None:
    harness = Search(EVERYTHING)
    harness.region.put(A, born(1, 100.0))
    harness.region.put(B, died(2, 100.0, 50.0))
    harness.begin(NOW)
    assert harness.target.poller.step() == 0.0
    assert harness.book.entries[0].records == (
        JobRecord(A, first_listed_status="RUNNING", configured=False, baseline_at=NOW, owner=harness.owner),
    )
    assert len(harness.book.entries) == 1
    harness.run(5.0)
    assert {job: record.owner for job, record in harness.book.jobs.items()} == {A: harness.owner, B: harness.owner}


def test_a_page_that_brings_nothing_new_writes_nothing() -> None:
    harness = Search(EVERYTHING).begin()
    harness.run(200.0)
    assert harness.region.searched
    assert harness.book.entries == []


def test_a_job_that_is_forgotten_leaves_what_is_written_down_but_for_its_mark() -> None:
    harness = Search(EVERYTHING)
    harness.region.put(A, died(1, 100.0, 50.0))
    harness.begin(NOW).run(5.0)
    assert harness.book.jobs.keys() == {A}
    harness.ticks(1000.0)
    assert harness.book.jobs == {}
    assert harness.book.tombstones == {mark_of(A): Tombstone(NOW - 100.0, None, harness.owner)}
    harness.time.advance(15 * DAY - 2000.0)
    harness.target.drop_expired()
    assert harness.book.tombstones.keys() == {mark_of(A)}
    harness.region.put(B, born(2, -15 * DAY))
    harness.time.advance(2000.0)
    harness.run(61.0)
    harness.target.drop_expired()
    assert (harness.book.tombstones, harness.book.floor) == ({}, NOW - 100.0)


class Occupied:
    """A lock that another thread acquires first, to do something with it."""

    def __init__(self, something: Callable[[], object]) -> None:
        self._lock, self._something = threading.Lock(), [something]

    def __enter__(self) -> None:
        if self._something:
            self._something.pop()()
        self._lock.acquire()

    def __exit__(self, *_: object) -> None:
        self._lock.release()


def test_a_poller_that_is_closed_just_before_it_forgets_jobs_forgets_none() -> None:
    harness = Search(EVERYTHING)
    harness.region.put(A, died(1, 100.0, 50.0))
    harness.begin().run(5.0)
    harness.time.advance(DAY)
    harness.target._state.lock = Occupied(harness.target.close)  # type: ignore[assignment]
    harness.target.drop_expired()
    assert (A in harness.store, harness.target.jobs) == (True, frozenset())


def test_a_target_with_a_selector_has_a_baseline_time() -> None:
    assert Harness({A: [running()]}).target.baseline_at is None
    assert Search(EVERYTHING).begin().target.baseline_at == NOW
    assert Search(EVERYTHING).begin(NOW - 500.0).target.baseline_at == NOW - 500.0


def test_jobs_that_were_created_since_its_baseline_time_are_new() -> None:
    harness = Search(EVERYTHING)
    harness.region.put(A, born(1, 100.0))
    harness.region.put(B, born(2, 600.0))
    harness.begin(NOW - 500.0).run(5.0)
    assert [(entry["job_arn"], entry["from_status"]) for entry in harness.log("job_transition")] == [(A, None)]


def test_jobs_with_a_tombstone_are_not_taken_up_unless_they_were_let_go() -> None:
    harness = Search(EVERYTHING)
    for number in (1, 2, 3):
        harness.region.put(arn(number), died(number, 100.0, 50.0))
    let_go = JobRecord(B, born(2, 100.0)[1], configured=False, owner=harness.owner, baseline_at=NOW - 500.0)
    tombstones = {
        mark_of(A): Tombstone(NOW - 100.0, None, harness.owner),
        mark_of(B): Tombstone(NOW - 100.0, let_go, harness.owner),
    }
    harness.begin(NOW - 500.0, tombstones).run(5.0)
    assert {record.arn for record in [*harness.store.scan()]} == {B, C}
    logged = {entry["job_arn"]: entry["from_status"] for entry in harness.log("job_transition")}
    assert logged == {C: None, B: "RUNNING"}
    assert harness.book.entries[0].tombstones == {mark_of(B): None}


def known_before(harness: Search, job: JobSnapshot, schedule: JobSchedule | None) -> None:
    """Have a target continue with a job that was discovered before a restart."""
    known = JobRecord(job.arn, kept(job), polled_at=NOW - 60.0, configured=False, owner=harness.owner)
    harness.store.add(known)
    harness.begin(NOW - 500.0)
    harness.target.resume([(known, schedule)])


def test_an_active_job_that_it_resumes_is_polled_at_once_and_not_new() -> None:
    harness = Search(EVERYTHING, account=ACCOUNT)
    harness.region.put(A, born(1, 100.0))
    known_before(harness, born(1, 100.0)[1], JobSchedule(A, due=5000.0, responded_at=4940.0, priority=Priority.NEW))
    before = harness.target.first_poll_done
    assert harness.status().staleness == 60.0
    harness.run(5.0)
    assert (before, harness.target.first_poll_done, harness.gets(A)) == (False, True, [0.0])
    assert harness.target.jobs == {A}
    assert harness.log("job_discovered") == harness.log("job_transition") == []


def test_a_finished_job_that_it_resumes_is_kept_for_its_time_without_a_call() -> None:
    harness = Search(EVERYTHING, account=ACCOUNT)
    harness.region.put(A, died(1, 100.0, 50.0))
    known_before(harness, died(1, 100.0, 50.0)[1], None)
    assert (harness.status().active, harness.status().finished) == (0, 1)
    harness.ticks(900.0)
    assert harness.target.jobs == {A}
    harness.ticks(100.0)
    assert harness.target.jobs == set()
    assert harness.gets(A) == []
    assert [entry["reason"] for entry in harness.log("job_forgotten")] == ["retention"]


def test_a_job_that_it_resumes_and_that_is_not_selected_any_more_is_let_go() -> None:
    harness = Search(Selector((TagRule("team", frozenset({"a"})),)), account=ACCOUNT)
    harness.region.put(A, born(1, 100.0), team="b")
    known_before(harness, born(1, 100.0)[1], JobSchedule(A, due=5000.0, responded_at=4940.0, priority=Priority.NEW))
    harness.ticks(1100.0)
    assert [entry["reason"] for entry in harness.log("job_forgotten")] == ["deselected"]


def test_jobs_carry_the_key_of_the_target_that_discovers_them() -> None:
    harness = Search(EVERYTHING, account=ACCOUNT)
    harness.region.put(A, born(1, 100.0))
    harness.begin(NOW).run(5.0)
    policy, chosen = harness.target._state.policy, Selector(name=re.compile(".*"), all_jobs=True)
    harness.target.reconfigure(replace(harness.config, jobs=(A,)), policy, {})
    assert (harness.job().configured, harness.job().owner) == (True, "")
    other = replace(harness.config, selector=chosen)
    harness.target.reconfigure(other, policy, {})
    assert (harness.job().configured, harness.job().owner) == (False, other.key)
    harness.region.put(B, born(2, 50.0))
    harness.run(100.0)
    assert harness.job(B).owner == other.key
    assert harness.job(B).baseline_at == NOW  # both selectors choose it


def test_a_target_that_gets_a_selector_has_a_baseline_time_from_then_on() -> None:
    harness = Search(None, account=ACCOUNT)
    harness.begin(NOW - 500.0)
    harness.run(10.0)
    harness.region.put(A, born(1, 5.0))
    other = replace(harness.config, selector=EVERYTHING)
    harness.target.reconfigure(other, harness.target._state.policy, {})
    assert harness.target.baseline_at == NOW + 10.0
    harness.run(5.0)
    assert (harness.job().owner, harness.job().baseline_at) == (other.key, NOW + 10.0)
    assert harness.log("job_transition") == []


def test_a_target_without_a_selector_takes_over_no_job() -> None:
    with pytest.raises(AssertionError):
        Harness({A: [running()]}).target.take_over({B: None})


def test_a_configured_job_that_it_resumes_is_watched_as_it_was() -> None:
    harness = Search(None, account=ACCOUNT)
    harness.region.put(A, born(1, 100.0))
    known = JobRecord(A, kept(born(1, 100.0)[1]), polled_at=NOW - 60.0)
    Past(NOW, [known]).give(harness.store)
    harness.begin(NOW)
    harness.target.resume([(known, JobSchedule(A, due=5000.0, responded_at=4940.0, priority=Priority.NEW))])
    assert harness.target.jobs == {A}
    assert [*harness.store.scan()] == [known]
    harness.run(5.0)
    assert harness.gets(A) == [0.0]
    assert harness.log("job_discovered") == harness.log("job_transition") == []


# Entries and pages that SearchJobs should not bring.


def lists(harness: Search, *pages: SearchPage) -> None:
    """Have SearchJobs return these pages, and repeat the last one."""
    left = [*pages]
    harness.region.search_jobs = lambda *_: left.pop(0) if len(left) > 1 else left[0]  # type: ignore[method-assign]


def test_a_job_of_which_a_page_shows_the_arn_alone_is_taken_up_and_polled() -> None:
    harness = Search(EVERYTHING)
    harness.region.put(A, born(1, 100.0))
    lists(harness, SearchPage((JobSummary(A),), (), None))
    harness.begin().run(5.0)
    assert harness.job().snapshot == kept(born(1, 100.0)[1])
    assert [entry["job_arn"] for entry in harness.log("job_discovered")] == [A]
    harness.run(100.0)
    assert (harness.status().staleness or 99.0) < 31.0


def test_an_entry_that_cannot_be_used_is_logged_once_and_counted_each_time() -> None:
    harness = Search(EVERYTHING)
    problems = (EntryProblem(A, "not in us-west-2"), EntryProblem(None, "jobs: expected an object, got int"))
    lists(harness, SearchPage((), problems, None))
    harness.begin().run(200.0)
    logged = [(entry["job_arn"], entry["reason"]) for entry in harness.log("search_entry_ignored")]
    assert logged == [*problems]
    (count,) = (line for line in harness.exporter_metrics() if line.startswith("braket_exporter_parse_errors_total "))
    assert float(count.split()[1]) > 4


def test_a_service_that_makes_up_entries_does_not_flood_the_log(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("exporter.polling.sources.search_jobs.MAX_LOGGED_PROBLEMS", 3)
    harness = Search(EVERYTHING)
    lists(harness, SearchPage((), tuple(EntryProblem(None, str(number)) for number in range(50)), None))
    harness.begin().run(200.0)
    assert len(harness.log("search_entry_ignored")) == 3


@pytest.mark.parametrize(("selector", "lines"), [(EVERYTHING, 0), (Selector((TagRule("team", None),)), 1)])
def test_entries_without_tags_are_logged_once_where_tags_select(selector: Selector, lines: int) -> None:
    harness = Search(selector)
    lists(harness, SearchPage((JobSummary(A), JobSummary(B)), (), None))
    harness.region.put(A, born(1, 100.0))
    harness.begin().run(200.0)
    assert len(harness.log("search_without_tags")) == lines


def test_pages_that_never_end_are_logged_once_and_do_not_keep_the_target_from_being_ready() -> None:
    harness = Search(EVERYTHING)
    ring = [SearchPage((), (), token) for token in "ABA"]
    lists(harness, *ring * 50)
    harness.begin().run(120.0)
    assert [entry["reason"] for entry in harness.log("search_abandoned")] == ["a nextToken repeats"]
    assert harness.target.first_poll_done


def test_pages_that_end_again_and_then_do_not_are_logged_again() -> None:
    harness = Search(EVERYTHING)
    ring = [SearchPage((), (), token) for token in "ABA"]
    lists(harness, *ring * 3, SearchPage((), (), None), *ring * 50)
    harness.begin().run(400.0)
    assert len(harness.log("search_abandoned")) == 2
