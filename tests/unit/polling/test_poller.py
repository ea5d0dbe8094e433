"""The loop: scripted answers go in, and what is stored, logged and counted comes out. Time is moved by hand."""

import itertools
import re
import threading
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import pytest
from builders import ACCOUNT, CREATED, REGION, FakeTime, arn, event, finished, kept, snapshot
from hypothesis import given, settings
from hypothesis import strategies as st
from ledgers import Book
from profiles import examples
from structlog import wrap_logger
from structlog.testing import LogCapture
from structlog.typing import EventDict

from exporter.core import (
    MAX_RUNTIME_EXCEEDED,
    BraketError,
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
    TargetStatus,
    ThrottledError,
    UnauthenticatedError,
    UnavailableError,
)
from exporter.core.selector import TagRule
from exporter.metrics import job_families
from exporter.polling.discovered_jobs import Retention
from exporter.polling.discovery import Policy
from exporter.polling.poller import TargetPoller
from exporter.polling.rate_limiter import RateLimiter
from exporter.polling.schedule import JobSchedule, Priority
from exporter.storage import SavedState, Store, Tombstone, Tombstones
from exporter.storage.persistence import mark_of
from exporter.telemetry import EventLog, SelfMetrics

A, B, C = arn(1), arn(2), arn(3)
TARGET = Target(ACCOUNT, REGION)
INTERVAL = 30.0
AT_ONCE = 1e9
"""A budget that never makes a call wait."""

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
class Source:
    """Answers each job from its script, whose last answer is repeated for ever."""

    time: FakeTime
    scripts: dict[str, list[Answer]]
    latency: float = 0.0
    asked: list[tuple[str, float]] = field(default_factory=list)
    meanwhile: Callable[[str], object] = lambda _: None
    target: Target = TARGET
    clock_offset: float = 0.0

    def get_job(self, job: str) -> JobSnapshot:
        self.asked.append((job, self.time.monotonic))
        self.time.advance(self.latency)
        self.meanwhile(job)
        script = self.scripts[job]
        answer = script.pop(0) if len(script) > 1 else script[0]
        if isinstance(answer, BraketError):
            raise type(answer)(answer.code, str(answer))
        return answer

    def search_jobs(self, span: Span, token: str | None) -> SearchPage:
        raise AssertionError(f"nobody looks for jobs: {span} {token}")

    def identify(self) -> None:
        raise AssertionError("the account is known")

    def times(self, job: str) -> list[float]:
        return [time for asked, time in self.asked if asked == job]


class House:
    """A poller with everything that it is wired to.

    The poller begins 10 s before the usual job is created, so that jobs are news; ``since`` says otherwise.
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
        self.telemetry = SelfMetrics(lambda: [self.poller.status()])
        self._log = LogCapture()
        self.event_log = EventLog(wrap_logger(None, processors=[self._log]))
        self.poller = TargetPoller(
            self.source,
            scripts,
            None,
            store=self.store,
            event_log=self.event_log,
            telemetry=self.telemetry,
            budgets=RateLimiter(rate),
            policy=Policy(interval, 60.0, 86400.0, Retention(1000.0, 5000.0)),
            clock=self.time.clock,
            random=lambda: jitter,
            tombstones=Tombstones(),
        )

    def run(self, seconds: float) -> None:
        """Step as a worker does, until so many seconds have passed."""
        end = self.time.monotonic + seconds
        while self.time.monotonic < end:
            if wait := self.poller.step():
                self.time.advance(min(wait, end - self.time.monotonic))

    def status(self) -> TargetStatus:
        return self.poller.status()

    def up(self) -> bool | None:
        return self.status().health.up

    def job(self, job: str = A) -> JobRecord:
        return self.store.record(job)

    def asked(self, job: str = A) -> list[float]:
        """When the job was asked for, in seconds since the start."""
        return [time - self.began for time in self.source.times(job)]

    def log(self, name: str) -> list[EventDict]:
        return [entry for entry in self._log.entries if entry["event"] == name]

    def exporter_metrics(self) -> list[str]:
        return self.telemetry.render("text", lambda _, __: True).decode().splitlines()

    def page(self) -> str:
        return b"".join(b"".join(lines) for _, lines in self.store.view().families()).decode()


def running(job: str = A, **members: Any) -> JobSnapshot:
    return snapshot(**{"arn": job, "name": f"job-{job[-1]}", **members})


def ended(job: str = A, status: str = "COMPLETED", **members: Any) -> JobSnapshot:
    return finished(status, **{"arn": job, "name": f"job-{job[-1]}", **members})


# What becomes of an answer.


def test_before_the_first_answer_every_job_is_known_by_its_arn_and_named_in_the_settings() -> None:
    house = House({A: [running()], B: [running(B)]})
    assert house.store.records() == [JobRecord(one, configured=True, baseline_at=house.time.wall) for one in (A, B)]


def test_a_step_asks_for_one_job_and_stores_what_it_learned() -> None:
    house = House({A: [running()], B: [running(B)]})
    assert house.poller.step() == 0.0
    assert house.source.asked == [(A, 5000.0)]
    assert house.job().snapshot == running()
    assert house.job().polled_at == CREATED - 10.0
    assert house.job(B).snapshot is None


def test_a_new_job_is_logged_counted_and_exposed() -> None:
    house = House({A: [running(events=(event("RUNNING", CREATED + 84.0),))]})
    house.run(1.0)
    assert [entry["status"] for entry in house.log("job_discovered")] == ["RUNNING"]
    assert [(entry["from_status"], entry["to_status"]) for entry in house.log("job_transition")] == [(None, "RUNNING")]
    assert [entry["event_type"] for entry in house.log("job_event")] == ["RUNNING"]
    assert 'from_status="",to_status="RUNNING"} 1.0' in house.page()


def test_a_job_older_than_the_exporter_is_discovered_without_a_transition() -> None:
    house = House({A: [ended()]}, since=CREATED + 1.0)
    house.run(1.0)
    assert len(house.log("job_discovered")) == 1
    assert house.log("job_transition") == []
    assert 'outcome="COMPLETED"} 0.0' in house.page()


def test_a_life_is_logged_and_counted_once_however_often_the_job_is_asked_for() -> None:
    out_of_time = event(MAX_RUNTIME_EXCEEDED, CREATED + 119.0)
    bare = ended(status="FAILED", billable_seconds=None)
    full = ended(status="FAILED", events=(out_of_time,))
    life: list[Answer] = [running(status="QUEUED", started=None), running(), running(), bare, full]
    house = House({A: life})
    house.run(600.0)
    assert [entry["to_status"] for entry in house.log("job_transition")] == ["QUEUED", "RUNNING", "FAILED"]
    assert len(house.log("job_discovered")) == 1
    for line in (
        'outcome="FAILED"} 1.0',
        'outcome="MAX_RUNTIME_EXCEEDED"} 1.0',
        'outcome="COMPLETED"} 0.0',
        'instance_type="ml.m5.large"} 80.0',
    ):
        assert line in house.page()


def test_unknown_values_are_counted_when_they_first_show() -> None:
    house = House({A: [running(status="PAUSED", unknown=(("status", "PAUSED"),))]})
    house.run(100.0)
    assert 'braket_exporter_unknown_values_total{field="status"} 1.0' in house.exporter_metrics()
    assert len(house.log("unknown_value")) == 1


# When a job is asked for.


def test_an_active_job_is_asked_for_once_in_each_interval() -> None:
    house = House({A: [running()]})
    house.run(100.0)
    assert house.asked() == [0.0, 30.0, 60.0, 90.0]


def test_the_interval_runs_from_question_to_question_whatever_the_answers_take() -> None:
    house = House({A: [running()]}, latency=4.0)
    house.run(100.0)
    assert house.asked() == [0.0, 30.0, 60.0, 90.0]


def test_a_job_that_told_all_of_its_end_is_never_asked_for_again() -> None:
    house = House({A: [running(), ended()], B: [running(B)]})
    house.run(10_000.0)
    assert house.asked() == [0.0, 30.0]
    assert len(house.asked(B)) > 300


def test_a_finished_job_is_asked_for_what_it_lacks_three_times_more() -> None:
    house = House({A: [running(), ended(billable_seconds=None)]})
    house.run(10_000.0)
    assert house.asked() == [0.0, 30.0, 60.0, 120.0, 240.0]


def test_a_job_that_ended_long_ago_is_asked_for_once() -> None:
    house = House({A: [ended(billable_seconds=None)]}, since=CREATED + 86400.0)
    house.run(10_000.0)
    assert house.asked() == [0.0]


def test_billable_time_that_comes_late_is_waited_for() -> None:
    house = House({A: [ended(billable_seconds=None), ended()]})
    house.run(10_000.0)
    assert house.asked() == [0.0, 30.0]
    assert 'instance_type="ml.m5.large"} 80.0' in house.page()


@pytest.mark.parametrize("error", TARGET_ERRORS)
def test_late_details_are_asked_for_again_after_a_failure_of_the_target(error: BraketError) -> None:
    house = House({A: [ended(billable_seconds=None), error, error, ended()]})
    house.run(600.0)
    assert house.job().snapshot == kept(ended())


def test_a_finished_job_that_the_service_forgot_is_quietly_let_go() -> None:
    house = House({A: [ended(billable_seconds=None), NOT_FOUND]})
    house.run(10_000.0)
    assert house.asked() == [0.0, 30.0]
    assert house.job().snapshot == kept(ended(billable_seconds=None))
    assert house.job().failing is None
    assert "braket_job_poll_failing{" not in house.page()
    assert house.up() is True
    assert [entry["retry_in_seconds"] for entry in house.log("poll_failed")] == [None]
    assert (house.status().active, house.status().finished) == (0, 1)


def test_jobs_are_asked_for_in_turn_when_the_budget_does_not_suffice() -> None:
    jobs = [arn(number) for number in range(40)]
    house = House({job: [running(job)] for job in jobs}, rate=1.0)
    house.run(400.0)
    counts = Counter(job for job, _ in house.source.asked)
    assert set(counts.values()) <= {10, 11}
    assert [job for job, _ in house.source.asked[:80]] == [*jobs, *jobs]


@pytest.mark.parametrize("rate", [0.5, 2.5])
def test_the_budget_is_kept_in_every_window(rate: float) -> None:
    house = House({arn(number): [running(arn(number))] for number in range(100)}, rate=rate)
    house.run(200.0)
    times = [time for _, time in house.source.asked]
    assert len(times) == pytest.approx(200.0 * rate, abs=2 * rate + 1)
    for first, start in enumerate(times):
        for last in range(first, len(times), 5):
            assert last - first + 1 <= max(1.0, 2 * rate) + rate * (times[last] - start) + 1e-6


def test_failures_are_paid_for_from_the_same_budget() -> None:
    house = House({arn(number): [BROKEN, DENIED, TIMEOUT, NOT_FOUND] for number in range(100)}, rate=1.0)
    house.run(300.0)
    assert len(house.source.asked) <= 302


def test_a_step_without_anything_to_do_waits_a_second_at_most() -> None:
    house = House({A: [running()], B: [ended(B)]})
    assert [house.poller.step() for _ in range(3)] == [0.0, 0.0, 1.0]
    house.time.advance(29.75)
    assert house.poller.step() == 0.25


def test_a_target_without_jobs_is_idle_and_done() -> None:
    house = House({})
    assert house.poller.step() == 1.0
    assert house.poller.first_poll_done
    assert (house.status().active, house.status().finished, house.status().staleness) == (0, 0, None)


def test_a_job_that_is_being_asked_for_is_not_asked_for_by_another_thread() -> None:
    house = House({A: [running()], B: [running(B)]}, latency=60.0)
    house.source.meanwhile = lambda _: house.poller.step() if len(house.source.asked) < 4 else None
    house.poller.step()
    assert Counter(job for job, _ in house.source.asked) == {A: 1, B: 1}


def test_a_hanging_call_does_not_hold_up_the_other_jobs_of_its_target() -> None:
    house = House({A: [running()], B: [running(B)], C: [running(C)]})
    inside, release = threading.Event(), threading.Event()

    def hang(job: str) -> None:
        if job == A:
            inside.set()
            release.wait(5.0)

    house.source.meanwhile = hang
    thread = threading.Thread(target=house.poller.step)
    thread.start()
    assert inside.wait(5.0)
    house.run(100.0)
    assert house.asked(B) == [0.0, 30.0, 60.0, 90.0]
    assert house.asked(C) == [0.0, 30.0, 60.0, 90.0]
    assert (house.status().active, house.status().staleness, house.poller.first_poll_done) == (3, 100.0, False)
    release.set()
    thread.join(5.0)
    assert house.job().snapshot == running()
    assert house.poller.first_poll_done


# One job's trouble.


@pytest.mark.parametrize("error", [*JOB_ERRORS, BROKEN, TIMEOUT])
def test_one_bad_job_never_touches_the_others(error: BraketError) -> None:
    house = House({A: [error], B: [running(B)], C: [running(C)]})
    house.run(1000.0)
    every_interval = [30.0 * number for number in range(34)]
    assert house.asked(B) == pytest.approx(every_interval, abs=2.0)
    assert house.asked(C) == pytest.approx(every_interval, abs=2.0)
    assert house.job(B).snapshot == running(B)
    assert house.job(C).failing is None
    assert house.up() is True
    assert house.poller.first_poll_done


@pytest.mark.parametrize("error", [*JOB_ERRORS, BROKEN, TIMEOUT])
def test_the_target_never_shows_down_for_one_bad_job(error: BraketError) -> None:
    house = House({A: [error], B: [running(B)], C: [running(C)]})
    for _ in range(300):
        house.run(1.0)
        assert house.up() is True


@pytest.mark.parametrize("error", JOB_ERRORS)
def test_a_job_that_fails_shows_its_code_until_it_answers(error: BraketError) -> None:
    house = House({A: [running(), error, error, running()]})
    house.run(31.0)
    assert house.job().failing == error.code
    assert f'braket_job_poll_failing{{code="{error.code}",job_arn="{A}",job_name="job-1"}} 1.0' in house.page()
    assert house.job().snapshot == running()
    assert house.job().polled_at == CREATED - 10.0
    house.run(100.0)
    assert house.job().failing is None
    assert "braket_job_poll_failing" not in house.page()


@pytest.mark.parametrize("error", JOB_ERRORS)
def test_a_job_that_never_answered_fails_with_an_empty_name(error: BraketError) -> None:
    house = House({A: [error]})
    house.run(1.0)
    assert f'braket_job_poll_failing{{code="{error.code}",job_arn="{A}",job_name=""}} 1.0' in house.page()


@pytest.mark.parametrize("error", TARGET_ERRORS)
def test_a_failure_of_the_target_is_no_failure_of_the_job_and_keeps_the_last_good_data(error: BraketError) -> None:
    house = House({A: [running(), error]})
    house.run(300.0)
    assert house.job().failing is None
    assert house.job().snapshot == running()
    assert 'status="RUNNING"} 1.0' in house.page()


def test_a_job_that_is_refused_is_asked_for_ever_more_rarely() -> None:
    house = House({A: [NOT_FOUND]})
    house.run(1100.0)
    assert house.asked() == [0.0, 30.0, 90.0, 210.0, 450.0, 750.0, 1050.0]


def test_a_job_that_answers_again_is_asked_for_as_often_as_before() -> None:
    house = House({A: [NOT_FOUND, DENIED, MALFORMED, running()]})
    house.run(300.0)
    assert house.asked() == [0.0, 30.0, 90.0, 210.0, 240.0, 270.0]


def test_a_failed_question_is_logged_with_its_code_and_when_it_is_asked_again() -> None:
    house = House({A: [DENIED, DENIED, TIMEOUT]})
    house.run(91.0)
    assert [
        (entry["operation"], entry["code"], entry["retry_in_seconds"], entry["job_arn"])
        for entry in house.log("poll_failed")[:2]
    ] == [("GetJob", "AccessDeniedException", 30.0, A), ("GetJob", "AccessDeniedException", 60.0, A)]
    assert [entry["code"] for entry in house.log("poll_failed")[2:3]] == ["timeout"]


def test_only_unreadable_answers_are_parse_errors() -> None:
    house = House({A: [MALFORMED], B: [DENIED, BROKEN, NOT_FOUND]})
    house.run(1.0)
    assert "braket_exporter_parse_errors_total 1.0" in house.exporter_metrics()
    house.run(30.0)
    assert "braket_exporter_parse_errors_total 2.0" in house.exporter_metrics()


def test_a_bug_in_the_source_comes_out_of_the_step() -> None:
    house = House({A: [running()]})
    house.source.scripts.clear()
    with pytest.raises(KeyError):
        house.poller.step()


# The target as a whole.


def test_whether_a_target_is_up_is_unknown_until_something_answers() -> None:
    house = House({A: [running()]})
    assert house.up() is None
    assert not any(line.startswith("braket_exporter_target_up{") for line in house.exporter_metrics())


def test_a_good_answer_makes_the_target_up_and_is_its_last_success() -> None:
    house = House({A: [running()]}, latency=2.0)
    house.poller.step()
    assert house.up() is True
    assert house.status().health.last_success == CREATED - 8.0
    labels = f'{{aws_account_id="{ACCOUNT}",aws_region="{REGION}",target=""}}'
    assert f"braket_exporter_target_up{labels} 1.0" in house.exporter_metrics()


@pytest.mark.parametrize("error", [BROKEN, TIMEOUT])
def test_a_target_that_answers_nothing_is_down_and_comes_up_again(error: BraketError) -> None:
    house = House({job: [running(job), error, error, running(job)] for job in (A, B, C)})
    house.run(10.0)
    assert house.up() is True
    house.run(30.0)
    assert house.up() is False
    assert house.status().health.last_error == str(error)
    house.run(300.0)
    assert house.up() is True
    assert house.status().health.last_error is None


@pytest.mark.parametrize("error", [EXPIRED, BROKEN, TIMEOUT])
def test_the_target_of_a_lone_job_is_down_when_that_is_not_answered(error: BraketError) -> None:
    house = House({A: [error]})
    house.poller.step()
    assert house.up() is False


def test_a_target_is_down_when_it_is_throttled_to_a_halt_and_up_at_the_next_answer() -> None:
    house = House({A: [running(), THROTTLED, THROTTLED, THROTTLED, running()]}, rate=2.5)
    seen = []
    for _ in range(90):
        house.run(1.0)
        seen.append((len(house.source.asked), house.up()))
    assert dict(seen) == {1: True, 2: True, 3: True, 4: False, 5: True, 6: True}


@pytest.mark.parametrize("error", JOB_ERRORS)
def test_the_target_of_a_lone_job_is_up_when_that_is_refused(error: BraketError) -> None:
    house = House({A: [error]})
    house.run(1000.0)
    assert house.up() is True


def test_a_target_that_denies_every_job_is_down() -> None:
    house = House({job: [DENIED] for job in (A, B, C)})
    house.run(10.0)
    assert house.up() is False


@pytest.mark.parametrize("error", [NOT_FOUND, REJECTED])
def test_a_target_that_knows_none_of_its_jobs_is_up(error: BraketError) -> None:
    house = House({job: [error] for job in (A, B, C)})
    house.run(10.0)
    assert house.up() is True


@pytest.mark.parametrize("error", [DENIED, MALFORMED])
def test_a_few_refused_jobs_among_many_good_ones_never_make_the_target_down(error: BraketError) -> None:
    good = {arn(number): [running(arn(number))] for number in range(7)}
    bad = {arn(number): [error] for number in range(7, 10)}
    house = House({**good, **bad})
    for _ in range(100):
        house.run(1.0)
        assert house.up() is True


def test_a_target_that_takes_no_credentials_is_left_alone_ever_longer() -> None:
    house = House({job: [EXPIRED] for job in (A, B, C)})
    house.run(200.0)
    times = [time - house.began for _, time in house.source.asked]
    assert times == [0.0, 1.0, 3.0, 7.0, 15.0, 31.0, 63.0, 123.0, 183.0]


def test_a_target_that_throttles_is_called_ever_more_rarely() -> None:
    house = House({arn(number): [THROTTLED] for number in range(60)}, rate=2.0)
    house.run(40.0)
    times = [time - house.began for _, time in house.source.asked]
    gaps = [later - earlier for earlier, later in itertools.pairwise(times)]
    assert gaps[:3] == pytest.approx([1.0, 2.0, 4.0], rel=0.1)
    assert all(later > earlier for earlier, later in itertools.pairwise(gaps))
    assert house.status().budget["GetJob"] < 0.2


def test_what_is_used_of_the_budget_is_told() -> None:
    house = House({A: [snapshot(arn=A)]}, interval=10.0)
    house.run(35.0)
    assert house.status().used == {"GetJob": 4}
    assert house.status().listed


def test_pauses_are_shortened_at_random_so_that_exporters_do_not_come_back_in_step() -> None:
    house = House({job: [EXPIRED] for job in (A, B, C)}, jitter=0.5)
    house.run(10.0)
    assert [time - house.began for _, time in house.source.asked] == [0.0, 0.75, 2.25, 5.25]


@pytest.mark.parametrize("error", [BROKEN, TIMEOUT])
def test_a_target_that_cannot_be_reached_is_left_alone_once_enough_jobs_failed(error: BraketError) -> None:
    house = House({job: [error] for job in (A, B, C)})
    house.run(20.0)
    assert [time - house.began for _, time in house.source.asked] == [0.0, 0.0, 0.0, 1.0, 3.0, 7.0, 15.0]


def test_calls_that_were_under_way_when_a_pause_began_do_not_lengthen_it() -> None:
    house = House({job: [EXPIRED, running(job)] for job in (A, B, C)})
    house.source.meanwhile = lambda _: house.poller.step() if len(house.source.asked) < 3 else None
    house.poller.step()
    assert len(house.source.asked) == 3
    assert house.poller.step() == 1.0
    house.run(10.0)
    assert all(house.job(job).snapshot is not None for job in (A, B, C))


def test_calls_that_were_under_way_when_the_rate_was_halved_do_not_halve_it_again() -> None:
    house = House({job: [THROTTLED, running(job)] for job in (A, B, C)}, rate=2.0, latency=3.0)
    house.source.meanwhile = lambda _: house.poller.step() if len(house.source.asked) < 3 else None
    house.poller.step()
    assert len(house.source.asked) == 3
    assert house.status().budget == {"GetJob": 1.0}


def test_the_rate_comes_back_within_minutes() -> None:
    house = House({A: [THROTTLED, running()]}, rate=2.0)
    house.run(1.0)
    assert house.status().budget == {"GetJob": pytest.approx(1.0, abs=0.02)}
    house.run(240.0)
    assert house.status().budget == {"GetJob": 2.0}


def test_an_answer_ends_the_series_of_pauses() -> None:
    house = House({A: [EXPIRED, EXPIRED, running(), EXPIRED, running()]})
    house.run(40.0)
    assert house.asked() == [0.0, 1.0, 3.0, 33.0, 34.0]


@pytest.mark.parametrize("error", [EXPIRED, TIMEOUT])
def test_the_retry_that_is_logged_heeds_the_pause_of_the_target(error: BraketError) -> None:
    house = House({A: [error]})
    house.run(8.0)
    assert [entry["retry_in_seconds"] for entry in house.log("poll_failed")] == [1.0, 2.0, 4.0, 8.0]


@pytest.mark.parametrize("error", TARGET_ERRORS)
def test_an_outage_of_a_day_is_survived_and_ends_within_a_minute(error: BraketError) -> None:
    house = House({A: [running()]}, jitter=0.99)
    house.run(1.0)
    house.source.scripts[A] = [error]
    house.run(examples(24) * 3600.0)
    house.source.scripts[A] = [running(queue_position=1)]
    house.run(61.0)
    assert house.job().snapshot == running(queue_position=1)
    assert house.up() is True


# What the target tells of itself.


def test_the_first_poll_is_done_when_every_job_was_asked_for_once() -> None:
    house = House({A: [running()], B: [NOT_FOUND], C: [ended(C)]})
    waiting = []
    for _ in range(3):
        waiting.append((house.poller.first_poll_done, house.status().waiting))
        house.poller.step()
    assert waiting == [(False, 3), (False, 2), (False, 1)]
    assert house.poller.first_poll_done


@pytest.mark.parametrize("error", TARGET_ERRORS)
def test_the_first_poll_does_not_wait_for_a_target_that_does_not_answer(error: BraketError) -> None:
    house = House({arn(number): [error] for number in range(20)})
    assert not house.poller.first_poll_done
    house.run(10.0)
    assert house.poller.first_poll_done


@pytest.mark.parametrize("error", [BROKEN, TIMEOUT])
def test_the_first_poll_does_not_wait_for_a_job_that_hangs_each_time(error: BraketError) -> None:
    house = House({A: [error], B: [running(B)], C: [running(C)]})
    house.run(2.0)
    assert not house.poller.first_poll_done
    house.run(2.0)
    assert house.poller.first_poll_done


def test_the_first_poll_stays_done_when_a_target_that_was_given_up_comes_back() -> None:
    jobs = [arn(number) for number in range(20)]
    house = House({job: [THROTTLED] for job in jobs})
    house.run(10.0)
    assert house.poller.first_poll_done
    for job in jobs:
        house.source.scripts[job] = [running(job)]
    while house.status().waiting:
        house.time.advance(house.poller.step())
        assert house.poller.first_poll_done


def test_staleness_is_the_age_of_the_active_job_that_was_not_answered_for_longest() -> None:
    house = House({A: [running(), DENIED], B: [running(B)], C: [ended(C)]})
    house.run(25.0)
    assert house.status().staleness == 25.0
    house.run(20.0)
    assert house.status().staleness == 45.0


def test_a_job_that_never_answered_is_as_stale_as_the_watch_is_old() -> None:
    house = House({A: [TIMEOUT]})
    house.run(100.0)
    assert house.status().staleness == 100.0


def test_a_job_that_never_existed_is_not_stale() -> None:
    house = House({A: [NOT_FOUND], B: [running(B)]})
    house.run(100.0)
    assert house.status().staleness == 10.0


def test_a_finished_job_is_asked_again_for_its_details_after_a_passing_refusal() -> None:
    house = House({A: [ended(billable_seconds=None), DENIED, ended()]})
    house.run(200.0)
    assert house.store.record(A).snapshot == kept(ended())
    assert house.store.record(A).failing is None


def test_finished_jobs_are_never_stale() -> None:
    house = House({A: [ended()], B: [ended(B, billable_seconds=None)]})
    house.run(25.0)
    assert house.status().staleness is None
    labels = f'{{aws_account_id="{ACCOUNT}",aws_region="{REGION}",target=""}}'
    assert not any(
        line.startswith(f"braket_exporter_target_staleness_seconds{labels}") for line in house.exporter_metrics()
    )


def test_jobs_are_counted_as_active_until_they_show_their_end() -> None:
    house = House({A: [running(), ended(billable_seconds=None)], B: [ended(B)], C: [NOT_FOUND]})
    assert (house.status().active, house.status().finished) == (3, 0)
    house.run(10.0)
    assert (house.status().active, house.status().finished) == (2, 1)
    house.run(30.0)
    assert (house.status().active, house.status().finished) == (1, 2)
    labels = f'aws_account_id="{ACCOUNT}",aws_region="{REGION}"'
    assert f'braket_exporter_target_jobs{{{labels},state="active",target=""}} 1.0' in house.exporter_metrics()
    assert f'braket_exporter_target_jobs{{{labels},state="finished",target=""}} 2.0' in house.exporter_metrics()


def test_a_job_counts_as_active_while_it_is_being_asked_for() -> None:
    house = House({A: [running()]})
    seen = []
    house.source.meanwhile = lambda _: seen.append(house.status().active)
    house.poller.step()
    assert seen == [1]


def test_the_status_tells_the_target_and_its_budget() -> None:
    house = House({A: [running()]}, rate=2.5)
    assert house.status().target == (ACCOUNT, REGION)
    assert house.status().budget == {"GetJob": 2.5}


def test_a_poll_lasts_from_its_first_question_to_its_last_answer() -> None:
    house = House({A: [running()], B: [running(B)], C: [running(C)]}, latency=2.0)
    assert house.status().poll_duration is None
    house.run(4.0)
    assert house.status().poll_duration is None
    house.run(10.0)
    assert house.status().poll_duration == 6.0
    house.source.latency = 3.0
    house.run(30.0)
    assert house.status().poll_duration == 9.0


def test_a_poll_that_waits_for_the_budget_lasts_that_much_longer() -> None:
    house = House({arn(number): [running(arn(number))] for number in range(12)}, rate=1.0)
    house.run(29.0)
    assert house.status().poll_duration == pytest.approx(11.0)


def test_a_poll_ends_when_the_calls_of_all_threads_have_ended() -> None:
    house = House({A: [running()], B: [running(B)]}, latency=3.0)
    house.source.meanwhile = lambda _: house.poller.step() if len(house.source.asked) < 2 else None
    house.poller.step()
    assert house.status().poll_duration == 6.0


def test_the_duration_of_a_poll_shows_even_when_it_is_longer_than_the_interval() -> None:
    house = House({arn(number): [running(arn(number))] for number in range(60)}, rate=1.0)
    house.run(500.0)
    assert house.status().poll_duration == pytest.approx(60.0, abs=3.0)


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
    house = House(scripted(kinds, "running"), latency=latency, jitter=jitter)
    house.run(1500.0)
    before = Counter(job for job, _ in house.source.asked)
    house.run(400.0)
    for known in house.store.records():
        assert known.snapshot is not None or not known.active
        assert known.failing is None
        if known.active:
            assert Counter(job for job, _ in house.source.asked)[known.arn] - before[known.arn] >= 5
    assert house.poller.first_poll_done
    assert house.status().waiting == 0


@settings(max_examples=examples(30))
@given(kinds=SCRIPTS, latency=st.sampled_from([0.0, 0.3, 8.0]))
def test_a_job_is_asked_for_no_more_often_than_its_interval_while_it_answers_and_not_at_all_after_its_end(
    kinds: list[list[BraketError | str]], latency: float
) -> None:
    house = House(scripted(kinds, "full end"), latency=latency)
    house.run(1500.0)
    for number, script in enumerate(kinds):
        times = house.asked(arn(number))
        told = [*script, "full end"]
        over = next((place for place, kind in enumerate(told) if kind == "full end"), len(told))
        assert len(times) <= over + 1
        for place, kind in enumerate(told[: len(times) - 1]):
            if isinstance(kind, str | JobError):
                assert times[place + 1] - times[place] >= INTERVAL - 1e-6


@settings(max_examples=examples(30))
@given(kinds=SCRIPTS)
def test_what_is_logged_of_a_job_agrees_with_what_is_known_of_it(kinds: list[list[BraketError | str]]) -> None:
    house = House(scripted(kinds, "running"))
    house.run(1500.0)
    for known in house.store.records():
        told = [entry for entry in house.log("job_transition") if entry["job_arn"] == known.arn]
        statuses = [None, *(entry["to_status"] for entry in told)]
        assert [entry["from_status"] for entry in told] == statuses[:-1]
        assert known.snapshot is not None
        assert known.snapshot.status == statuses[-1]
        assert len([entry for entry in house.log("job_discovered") if entry["job_arn"] == known.arn]) == 1
        assert sum(status == "COMPLETED" for status in statuses) <= 1


# Discovery.

DAY = 86400.0


@dataclass
class Region:
    """A Region full of jobs, each given by its snapshots in order of time; SearchJobs and GetJob answer for them."""

    time: FakeTime
    jobs: dict[str, list[tuple[float, JobSnapshot]]] = field(default_factory=dict)
    tags: dict[str, dict[str, str]] = field(default_factory=dict)
    target: Target = TARGET
    account: str = ACCOUNT
    search_error: BraketError | None = None
    get_error: BraketError | None = None
    hidden: set[str] = field(default_factory=set)
    asked: list[tuple[str, float]] = field(default_factory=list)
    searched: list[tuple[Span, float]] = field(default_factory=list)
    identified: int = 0
    clock_offset: float = 0.0

    def put(self, job: str, *snapshots: tuple[float, JobSnapshot], **tags: str) -> None:
        self.jobs[job], self.tags[job] = list(snapshots), tags

    def get_job(self, job: str) -> JobSnapshot:
        self.asked.append((job, self.time.monotonic))
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


class Search(House):
    """A poller that looks for jobs; it begins at ``CREATED`` plus a day."""

    def __init__(
        self, selector: Selector | None, *, rate: float = 2.5, interval: float = INTERVAL, account: str = ""
    ) -> None:
        self.time = FakeTime(wall=CREATED + DAY)
        self.began = self.time.monotonic
        self.region = Region(self.time, target=Target(account, REGION))
        self.book = Book()
        self.store = Store(job_families(), self.book)
        self.telemetry = SelfMetrics(lambda: [self.poller.status()])
        self._log = LogCapture()
        self.event_log = EventLog(wrap_logger(None, processors=[self._log]))
        self.rate, self.interval, self.selector = rate, interval, selector

    def begin(
        self, lane: str = "", since: float | None = None, tombstones: Mapping[int, Tombstone] | None = None
    ) -> "Search":
        self.poller = TargetPoller(
            self.region,
            (),
            self.selector,
            store=self.store,
            event_log=self.event_log,
            telemetry=self.telemetry,
            budgets=RateLimiter(self.rate),
            policy=Policy(self.interval, 60.0, 14 * DAY, Retention(1000.0, 5000.0)),
            clock=self.time.clock,
            random=lambda: 0.0,
            tombstones=Tombstones(tombstones),
            lane=lane,
            since=since,
        )
        return self

    def ticks(self, seconds: float) -> None:
        """Run, and sweep as the daemon does."""
        for _ in range(int(seconds / 5)):
            self.run(5.0)
            self.poller.forget_expired()

    def gets(self, job: str) -> list[float]:
        return [time - self.began for asked, time in self.region.asked if asked == job]


EVERYTHING = Selector(all_jobs=True)


def born(number: int, age: float, **members: Any) -> tuple[float, JobSnapshot]:
    created = CREATED + DAY - age
    return created, running(arn(number), created=created, started=created + 1.0, **members)


def died(number: int, age: float, after: float, status: str = "COMPLETED", **members: Any) -> tuple[float, JobSnapshot]:
    created = CREATED + DAY - age
    end = {"created": created, "started": created + 1.0, "ended": created + after, "billable_seconds": 1.0}
    events = (event(status, created + after),)
    return created + after, ended(arn(number), status, **end, events=events, **members)


def test_jobs_that_are_found_are_asked_for_and_the_account_is_learned() -> None:
    house = Search(Selector((TagRule("team", frozenset({"a"})),)))
    house.region.put(A, born(1, 100.0), team="a")
    house.region.put(B, born(2, 100.0), team="b")
    house.begin()
    assert house.status().target == ("", REGION)
    house.run(5.0)
    assert [known.arn for known in house.store.records()] == [A]
    assert house.job().configured is False
    assert house.status().target == (ACCOUNT, REGION)
    assert house.region.identified == 0
    assert (house.status().active, house.status().finished) == (1, 0)


def test_aws_is_not_asked_for_the_account_while_the_rest_of_the_first_list_may_tell_it() -> None:
    house = Search(EVERYTHING)
    house.region.put(A, born(1, 2 * DAY))
    house.begin().run(60.0)
    assert house.status().target == (ACCOUNT, REGION)
    assert len(house.region.searched) > 1
    assert house.region.identified == 0


def test_few_active_jobs_are_followed_by_get_job_alone() -> None:
    house = Search(EVERYTHING)
    for number in range(20):
        house.region.put(arn(number), born(number, 100.0 + number))
    house.begin().run(600.0)
    assert len(house.gets(arn(3))) == 20
    assert len(house.region.searched) == 3 + 9  # the first list in three steps, then one list a minute


def test_many_active_jobs_are_followed_by_pages_and_an_end_is_asked_for_at_once() -> None:
    house = Search(EVERYTHING, interval=5.0)
    for number in range(400):
        house.region.put(arn(number), born(number, 4000.0 - 10.0 * number))
    dying = arn(7)
    created, alive = born(7, 3930.0)
    house.region.put(dying, (created, alive), died(7, 3930.0, after=3930.0 + 300.0))
    house.begin().run(320.0)
    snapshot = house.job(dying).snapshot
    assert snapshot is not None
    assert snapshot.status == "COMPLETED"
    (told,) = house.log("job_transition")
    assert told["lag_seconds"] < 6.0
    assert (house.status().staleness or 1e9) < 8.0


def test_an_active_job_that_no_page_shows_is_asked_for_itself() -> None:
    house = Search(EVERYTHING, interval=5.0)
    for number in range(100):
        house.region.put(arn(number), born(number, 100.0 + number))
    house.begin().run(60.0)
    house.region.hidden.add(A)
    asked = len(house.gets(A))
    house.run(60.0)
    assert len(house.gets(A)) - asked >= 8


def test_the_budget_of_each_operation_is_kept() -> None:
    house, seconds = Search(EVERYTHING, interval=1.0), max(60, examples(300))
    for number in range(300):
        house.region.put(arn(number), born(number, 100.0 + number))
    house.begin().run(seconds)
    for calls in (house.region.asked, house.region.searched):
        times = [time for _, time in calls]
        assert len(times) > 2 * seconds
        assert min(later - earlier for earlier, later in itertools.pairwise(times)) >= 0.4 - 1e-6


def test_it_is_ready_when_active_jobs_were_asked_for_and_complete_when_all_were() -> None:
    house = Search(EVERYTHING)
    for number in range(10):
        house.region.put(arn(number), born(number, 100.0 + number))
    for number in range(10, 20):
        house.region.put(arn(number), died(number, 900.0, after=100.0))
    house.begin()
    seen = []
    for _ in range(30):
        house.run(0.5)
        seen.append((house.poller.first_poll_done, house.poller.full_poll_done, len(house.region.asked)))
    ready = next(asked for done, _, asked in seen if done)
    complete = next(asked for _, done, asked in seen if done)
    assert ready in {10, 11}
    assert complete == 20


def test_failed_jobs_come_first_among_those_that_had_ended() -> None:
    house = Search(EVERYTHING)
    house.region.put(A, died(1, 900.0, after=500.0))
    house.region.put(B, died(2, 900.0, after=800.0))
    house.region.put(C, died(3, 900.0, after=100.0, status="FAILED"))
    house.begin().run(10.0)
    assert [job for job, _ in house.region.asked] == [C, B, A]
    assert house.log("job_transition") == []


def test_a_job_whose_series_would_be_over_is_not_asked_for() -> None:
    house = Search(EVERYTHING)
    house.region.put(A, died(1, 9000.0, after=100.0))
    house.region.put(B, died(2, 4000.0, after=100.0, status="FAILED"))
    house.begin().run(100.0)
    assert [job for job, _ in house.region.asked] == [B]


def test_a_job_that_lived_and_failed_between_two_lists_is_told_and_counted_once() -> None:
    house = Search(EVERYTHING)
    house.region.put(A, born(1, 100.0))
    house.begin().run(10.0)
    house.region.put(B, (born(2, -20.0)), died(2, -20.0, after=15.0, status="FAILED"))
    house.ticks(7200.0)
    told = [entry for entry in house.log("job_transition") if entry["job_arn"] == B]
    assert [(entry["from_status"], entry["to_status"]) for entry in told] == [(None, "FAILED")]
    assert 'outcome="FAILED"} 1.0' in house.page()
    assert [entry["job_arn"] for entry in house.log("job_forgotten")] == [B]
    assert len([entry for entry in house.log("job_discovered") if entry["job_arn"] == B]) == 1


def test_a_job_that_loses_its_tag_is_forgotten_after_its_retention_and_goes_on_when_it_gets_it_back() -> None:
    house = Search(Selector((TagRule("team", None),)))
    house.region.put(A, born(1, -5.0), team="a")
    house.region.put(B, born(2, 100.0), team="a")
    house.begin().ticks(100.0)
    house.region.tags[A] = {}
    house.ticks(900.0)
    assert house.log("job_forgotten") == []
    house.ticks(300.0)
    assert [(entry["job_arn"], entry["reason"]) for entry in house.log("job_forgotten")] == [(A, "deselected")]
    assert 'braket_exporter_jobs_dropped_total{reason="deselected"} 1.0' in house.exporter_metrics()
    assert (house.status().active, house.status().finished) == (1, 0)
    house.region.tags[A] = {"team": "b"}
    house.ticks(200.0)
    assert house.job().snapshot is not None
    assert len([entry for entry in house.log("job_discovered") if entry["job_arn"] == A]) == 1


def test_a_found_job_that_braket_does_not_know_any_more_is_forgotten() -> None:
    house = Search(EVERYTHING)
    house.region.put(A, born(1, 100.0))
    house.region.put(B, born(2, 90.0))
    house.begin().ticks(60.0)
    del house.region.jobs[A]
    house.ticks(4000.0)
    assert [(entry["job_arn"], entry["reason"]) for entry in house.log("job_forgotten")] == [(A, "not_found")]
    assert [known.arn for known in house.store.records()] == [B]


def test_an_account_without_jobs_is_up_and_ready_and_asks_aws_for_its_name() -> None:
    house = Search(EVERYTHING).begin()
    house.run(700.0)
    assert house.up() is True
    assert house.poller.full_poll_done
    assert house.region.identified == 3
    assert {entry["operation"] for entry in house.log("poll_failed")} == {"GetCallerIdentity"}
    house.region.put(A, born(1, -710.0))
    house.run(120.0)
    assert house.status().target == (ACCOUNT, REGION)
    assert [entry["from_status"] for entry in house.log("job_transition")] == [None]


@pytest.mark.parametrize("error", [*TARGET_ERRORS, DENIED, REJECTED, MALFORMED])
def test_when_nothing_can_be_listed_the_known_jobs_are_followed_and_it_begins_again(error: BraketError) -> None:
    house = Search(EVERYTHING, account=ACCOUNT)
    house.region.put(A, born(1, 100.0))
    house.begin().run(70.0)
    assert house.up() is True
    house.region.search_error = error
    house.region.put(B, born(2, -80.0))
    house.run(400.0)
    assert house.up() is False
    assert len(house.gets(A)) == 16
    assert {entry["operation"] for entry in house.log("poll_failed")} == {"SearchJobs"}
    house.region.search_error = None
    house.run(140.0)
    assert house.up() is True
    assert house.job(B).snapshot is not None


@pytest.mark.parametrize("error", TARGET_ERRORS)
def test_the_first_poll_does_not_wait_for_a_list_that_never_comes(error: BraketError) -> None:
    house = Search(EVERYTHING, account=ACCOUNT)
    house.region.search_error = error
    done: list[tuple[bool, bool]] = []
    house.begin()
    for _ in range(2):
        house.run(1.0 + 60.0 * len(done))
        done.append((house.poller.first_poll_done, house.poller.full_poll_done))
    assert done == [(False, False), (True, True)]
    assert not house.status().listed


def test_every_job_of_a_long_shifting_list_is_found() -> None:
    house = Search(EVERYTHING, rate=AT_ONCE)
    for number in range(1500):
        house.region.put(arn(number), born(number, 100.0 + 500 * number))
    house.region.hidden = {arn(number) for number in range(0, 1500, 7)}
    house.begin()
    discovery = house.poller._discovery
    assert discovery is not None
    while not discovery.planner.listed:
        house.time.advance(house.poller.step())
    house.region.hidden.clear()
    while not house.poller.full_poll_done:
        house.time.advance(house.poller.step())
    assert len(house.store.records()) == 1500


def test_slow_answers_about_jobs_do_not_keep_new_ones_from_being_looked_for() -> None:
    house = Search(EVERYTHING, rate=AT_ONCE, interval=0.001)
    for number in range(30):
        house.region.put(arn(number), born(number, 100.0 + number))
    house.begin()
    for _ in range(2000):
        house.poller.step()
        house.time.advance(0.5)
    lists = [span for span, _ in house.region.searched if span.end is None]
    assert len(lists) >= 1000.0 / 60.0


# What is written down, and what it goes on from.

NOW = CREATED + DAY


def test_an_answer_is_written_down_before_a_scrape_sees_it_and_each_in_one_entry() -> None:
    house = House({A: [running(), ended()]})
    seen: list[str] = []
    house.book.meanwhile = lambda: seen.append(house.page())
    house.run(40.0)
    assert ["status=" in page for page in seen] == [False, True]
    assert ['status="COMPLETED"} 1.0' in page for page in seen] == [False, False]
    assert [[each.snapshot for each in entry.records] for entry in house.book.entries] == [
        [kept(running())],
        [kept(ended())],
    ]
    assert house.book.totals == house.store.everything().totals


def test_the_failure_of_a_job_waits_for_what_is_written_next() -> None:
    house = House({A: [NOT_FOUND], B: [running(B)]})
    house.poller.step()
    assert house.book.entries == []
    house.poller.step()
    assert {job: record.failing for job, record in house.book.jobs.items()} == {A: "ResourceNotFoundException", B: None}


def test_jobs_of_a_page_are_written_down_with_it_unless_they_had_ended() -> None:
    house = Search(EVERYTHING)
    house.region.put(A, born(1, 100.0))
    house.region.put(B, died(2, 100.0, 50.0))
    house.begin("lane", NOW)
    assert house.poller.step() == 0.0
    assert house.book.entries[0].records == (
        JobRecord(A, first_listed_status="RUNNING", configured=False, baseline_at=NOW, owner="lane"),
    )
    assert len(house.book.entries) == 1
    house.run(5.0)
    assert {job: record.owner for job, record in house.book.jobs.items()} == {A: "lane", B: "lane"}


def test_a_page_that_brings_nothing_new_writes_nothing() -> None:
    house = Search(EVERYTHING).begin()
    house.run(200.0)
    assert house.region.searched
    assert house.book.entries == []


def test_a_job_that_is_forgotten_leaves_what_is_written_down_but_for_its_mark() -> None:
    house = Search(EVERYTHING)
    house.region.put(A, died(1, 100.0, 50.0))
    house.begin("lane", NOW).run(5.0)
    assert house.book.jobs.keys() == {A}
    house.ticks(1000.0)
    assert house.book.jobs == {}
    assert house.book.tombstones == {mark_of(A): Tombstone(NOW - 100.0, None, "lane")}
    house.time.advance(15 * DAY - 2000.0)
    house.poller.forget_expired()
    assert house.book.tombstones.keys() == {mark_of(A)}
    house.region.put(B, born(2, -15 * DAY))
    house.time.advance(2000.0)
    house.run(61.0)
    house.poller.forget_expired()
    assert (house.book.tombstones, house.book.floor) == ({}, NOW - 100.0)


class Occupied:
    """A lock that somebody else has first, who does something with it."""

    def __init__(self, something: Callable[[], object]) -> None:
        self._lock, self._something = threading.Lock(), [something]

    def __enter__(self) -> None:
        if self._something:
            self._something.pop()()
        self._lock.acquire()

    def __exit__(self, *_: object) -> None:
        self._lock.release()


def test_a_poller_that_is_closed_just_before_it_forgets_jobs_forgets_none() -> None:
    house = Search(EVERYTHING)
    house.region.put(A, died(1, 100.0, 50.0))
    house.begin().run(5.0)
    house.time.advance(DAY)
    house.poller._state.lock = Occupied(house.poller.close)  # type: ignore[assignment]
    house.poller.forget_expired()
    assert (A in house.store, house.poller.jobs) == (True, frozenset())


def test_since_when_jobs_are_looked_for_is_told_if_they_are() -> None:
    assert House({A: [running()]}).poller.watching_since is None
    assert Search(EVERYTHING).begin().poller.watching_since == NOW
    assert Search(EVERYTHING).begin("lane", NOW - 500.0).poller.watching_since == NOW - 500.0


def test_jobs_that_were_created_since_its_origin_are_news() -> None:
    house = Search(EVERYTHING)
    house.region.put(A, born(1, 100.0))
    house.region.put(B, born(2, 600.0))
    house.begin("lane", NOW - 500.0).run(5.0)
    assert [(entry["job_arn"], entry["from_status"]) for entry in house.log("job_transition")] == [(A, None)]


def test_jobs_that_its_origin_had_forgotten_are_not_taken_up_but_for_those_that_were_let_go() -> None:
    house = Search(EVERYTHING)
    for number in (1, 2, 3):
        house.region.put(arn(number), died(number, 100.0, 50.0))
    let_go = JobRecord(B, born(2, 100.0)[1], configured=False, owner="lane", baseline_at=NOW - 500.0)
    tombstones = {mark_of(A): Tombstone(NOW - 100.0, None, "lane"), mark_of(B): Tombstone(NOW - 100.0, let_go, "lane")}
    house.begin("lane", NOW - 500.0, tombstones).run(5.0)
    assert {record.arn for record in house.store.records()} == {B, C}
    told = {entry["job_arn"]: entry["from_status"] for entry in house.log("job_transition")}
    assert told == {C: None, B: "RUNNING"}
    assert house.book.entries[0].tombstones == {mark_of(B): None}


def known_before(house: Search, job: JobSnapshot, watch: JobSchedule | None) -> None:
    """Have a poller go on with a job that was found before it began."""
    known = JobRecord(job.arn, kept(job), polled_at=NOW - 60.0, configured=False, owner="lane")
    house.store.add(known)
    house.begin("lane", NOW - 500.0)
    house.poller.resume([(known, watch)])


def test_an_active_job_that_it_resumes_is_asked_for_at_once_and_no_news() -> None:
    house = Search(EVERYTHING, account=ACCOUNT)
    house.region.put(A, born(1, 100.0))
    known_before(house, born(1, 100.0)[1], JobSchedule(A, due=5000.0, answered=4940.0, urgency=Priority.NEW))
    before = house.poller.first_poll_done
    assert house.status().staleness == 60.0
    house.run(5.0)
    assert (before, house.poller.first_poll_done, house.gets(A)) == (False, True, [0.0])
    assert house.poller.jobs == {A}
    assert house.log("job_discovered") == house.log("job_transition") == []


def test_a_finished_job_that_it_resumes_is_kept_for_its_time_without_being_asked_for() -> None:
    house = Search(EVERYTHING, account=ACCOUNT)
    house.region.put(A, died(1, 100.0, 50.0))
    known_before(house, died(1, 100.0, 50.0)[1], None)
    assert (house.status().active, house.status().finished) == (0, 1)
    house.ticks(900.0)
    assert house.poller.jobs == {A}
    house.ticks(100.0)
    assert house.poller.jobs == set()
    assert house.gets(A) == []
    assert [entry["reason"] for entry in house.log("job_forgotten")] == ["retention"]


def test_a_job_that_it_resumes_and_that_is_not_selected_any_more_is_let_go() -> None:
    house = Search(Selector((TagRule("team", frozenset({"a"})),)), account=ACCOUNT)
    house.region.put(A, born(1, 100.0), team="b")
    known_before(house, born(1, 100.0)[1], JobSchedule(A, due=5000.0, answered=4940.0, urgency=Priority.NEW))
    house.ticks(1100.0)
    assert [entry["reason"] for entry in house.log("job_forgotten")] == ["deselected"]


def test_jobs_carry_the_key_of_the_lane_that_looks_for_them() -> None:
    house = Search(EVERYTHING, account=ACCOUNT)
    house.region.put(A, born(1, 100.0))
    house.begin("lane", NOW).run(5.0)
    policy, chosen = house.poller._state.policy, Selector(name=re.compile(".*"), all_jobs=True)
    house.poller.change((A,), EVERYTHING, policy, {}, "lane")
    assert (house.job().configured, house.job().owner) == (True, "")
    house.poller.change((), chosen, policy, {}, "other")
    assert (house.job().configured, house.job().owner) == (False, "other")
    house.region.put(B, born(2, 50.0))
    house.run(100.0)
    assert house.job(B).owner == "other"
    assert house.job(B).baseline_at == NOW  # both selectors choose it


def test_a_poller_that_begins_to_look_for_jobs_does_so_from_then_on_for_its_lane() -> None:
    house = Search(None, account=ACCOUNT)
    house.begin("lane", NOW - 500.0)
    house.run(10.0)
    house.region.put(A, born(1, 5.0))
    house.poller.change((), EVERYTHING, house.poller._state.policy, {}, "other")
    assert house.poller.watching_since == NOW + 10.0
    house.run(5.0)
    assert (house.job().owner, house.job().baseline_at) == ("other", NOW + 10.0)
    assert house.log("job_transition") == []


def test_who_looks_for_no_jobs_takes_over_none() -> None:
    with pytest.raises(AssertionError):
        House({A: [running()]}).poller.take_over({B: None})


def test_a_named_job_that_it_resumes_is_watched_as_it_was() -> None:
    house = Search(None, account=ACCOUNT)
    house.region.put(A, born(1, 100.0))
    known = JobRecord(A, kept(born(1, 100.0)[1]), polled_at=NOW - 60.0)
    house.store.restore(SavedState(NOW, [known]))
    house.begin("lane", NOW)
    house.poller.resume([(known, JobSchedule(A, due=5000.0, answered=4940.0, urgency=Priority.NEW))])
    assert house.poller.jobs == {A}
    assert house.store.records() == [known]
    house.run(5.0)
    assert house.gets(A) == [0.0]
    assert house.log("job_discovered") == house.log("job_transition") == []


# Entries and pages that SearchJobs should not bring.


def lists(house: Search, *pages: SearchPage) -> None:
    """Have SearchJobs answer with these pages, the last one for ever."""
    left = [*pages]
    house.region.search_jobs = lambda *_: left.pop(0) if len(left) > 1 else left[0]  # type: ignore[method-assign]


def test_a_job_of_which_a_list_shows_the_arn_alone_is_taken_up_and_polled() -> None:
    house = Search(EVERYTHING)
    house.region.put(A, born(1, 100.0))
    lists(house, SearchPage((JobSummary(A),), (), None))
    house.begin().run(5.0)
    assert house.job().snapshot == kept(born(1, 100.0)[1])
    assert [entry["job_arn"] for entry in house.log("job_discovered")] == [A]
    house.run(100.0)
    assert (house.status().staleness or 99.0) < 31.0


def test_an_entry_that_cannot_be_used_is_logged_once_and_counted_each_time() -> None:
    house = Search(EVERYTHING)
    problems = (EntryProblem(A, "not in us-west-2"), EntryProblem(None, "jobs: expected an object, got int"))
    lists(house, SearchPage((), problems, None))
    house.begin().run(200.0)
    logged = [(entry["job_arn"], entry["reason"]) for entry in house.log("search_entry_ignored")]
    assert logged == [*problems]
    (count,) = (line for line in house.exporter_metrics() if line.startswith("braket_exporter_parse_errors_total "))
    assert float(count.split()[1]) > 4


def test_a_service_that_makes_up_entries_does_not_flood_the_log(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("exporter.polling.sources.search_jobs.MOST_REPORTED", 3)
    house = Search(EVERYTHING)
    lists(house, SearchPage((), tuple(EntryProblem(None, str(number)) for number in range(50)), None))
    house.begin().run(200.0)
    assert len(house.log("search_entry_ignored")) == 3


@pytest.mark.parametrize(("selector", "lines"), [(EVERYTHING, 0), (Selector((TagRule("team", None),)), 1)])
def test_entries_without_tags_are_logged_once_where_tags_select(selector: Selector, lines: int) -> None:
    house = Search(selector)
    lists(house, SearchPage((JobSummary(A), JobSummary(B)), (), None))
    house.region.put(A, born(1, 100.0))
    house.begin().run(200.0)
    assert len(house.log("search_without_tags")) == lines


def test_pages_that_never_end_are_logged_once_and_do_not_keep_the_target_from_being_ready() -> None:
    house = Search(EVERYTHING)
    ring = [SearchPage((), (), token) for token in "ABA"]
    lists(house, *ring * 50)
    house.begin().run(120.0)
    assert [entry["reason"] for entry in house.log("search_abandoned")] == ["a nextToken repeats"]
    assert house.poller.first_poll_done


def test_pages_that_end_again_and_then_do_not_are_logged_again() -> None:
    house = Search(EVERYTHING)
    ring = [SearchPage((), (), token) for token in "ABA"]
    lists(house, *ring * 3, SearchPage((), (), None), *ring * 50)
    house.begin().run(400.0)
    assert len(house.log("search_abandoned")) == 2
