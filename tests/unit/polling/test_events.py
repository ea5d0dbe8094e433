"""Events: the calls that they cause, and the end of their messages. The clock is manual."""

import random
from collections import Counter
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Any

import pytest
from builders import ACCOUNT, CREATED, GARNET, REGION, FakeTime, NoCalls, arn, event, finished, snapshot
from hypothesis import given, settings
from hypothesis import strategies as st
from ledgers import Book
from profiles import examples, some
from structlog import wrap_logger
from structlog.testing import LogCapture

from exporter.core import (
    BraketError,
    BraketEvent,
    CredentialsRef,
    DeniedError,
    DeviceKey,
    DeviceRecord,
    DeviceSnapshot,
    JobSnapshot,
    JobSummary,
    NotFoundError,
    QueueMessage,
    RejectedError,
    SearchPage,
    Selector,
    Span,
    Target,
    TargetConfig,
    ThrottledError,
    UnavailableError,
)
from exporter.core.selector import TagRule
from exporter.polling import Policy, RateLimiter, Retention
from exporter.polling.events.event_queue import EventQueue
from exporter.polling.pending_events import MAX_JOBS
from exporter.polling.queue_health import HEALTHY_FOR
from exporter.polling.target_builder import Services, build_target
from exporter.storage import Store
from exporter.telemetry import EventLog, SelfMetrics

if TYPE_CHECKING:
    from exporter.polling.polled_target import PolledTarget

TARGET = Target(ACCOUNT, REGION)
OTHER_ACCOUNT = "999999999999"
A, B = arn(1), arn(2)
JOB, DEVICE = "Braket Job State Change", "Braket Device Status Change"
DENIED = DeniedError("AccessDeniedException", "not allowed")
GONE = UnavailableError("QueueDoesNotExist", "the queue does not exist")
CHEMISTRY = Selector((TagRule("team", frozenset({"chemistry"})),))
VISIBILITY = 30.0


@dataclass
class Queue:
    """An SQS queue: at least once, in any order, with a visibility timeout."""

    time: FakeTime
    url: str = "https://sqs.us-west-2.amazonaws.com/123456789012/braket-events"
    messages: dict[str, BraketEvent | None] = field(default_factory=dict)
    visible_at: dict[str, float] = field(default_factory=dict)
    deliveries: Counter[str] = field(default_factory=Counter)
    error: BraketError | None = None
    delete_error: BraketError | None = None
    waits: list[int] = field(default_factory=list)
    deletes: list[int] = field(default_factory=list)

    def send(self, sent: BraketEvent | None) -> str:
        name = f"m{len(self.deliveries) + len(self.messages)}-{len(self.visible_at)}"
        self.messages[name], self.visible_at[name] = sent, self.time.monotonic
        return name

    def receive(self, wait: int) -> list[QueueMessage]:
        self.waits.append(wait)
        if self.error is not None:
            raise self.error
        now = self.time.monotonic
        names = [name for name in self.messages if self.visible_at[name] <= now][:10]
        for name in names:
            self.visible_at[name] = now + VISIBILITY
            self.deliveries[name] += 1
        return [QueueMessage(name, f"{name}/{self.deliveries[name]}", self.messages[name]) for name in names]

    def delete(self, messages: Any) -> None:
        if self.delete_error is not None:
            raise self.delete_error
        self.deletes.append(len(messages))
        for message in messages:
            if message.receipt == f"{message.id}/{self.deliveries[message.id]}":
                self.messages.pop(message.id, None)


@dataclass
class Braket(NoCalls):
    """The jobs of a Region, each with its status over time, for GetJob and SearchJobs."""

    time: FakeTime
    target: Target = TARGET
    jobs: dict[str, list[tuple[float, JobSnapshot]]] = field(default_factory=dict)
    tags: dict[str, dict[str, str]] = field(default_factory=dict)
    listed_after: dict[str, float] = field(default_factory=dict)
    polled: list[tuple[str, float]] = field(default_factory=list)
    looked_up: list[tuple[str, float]] = field(default_factory=list)
    get_error: BraketError | None = None
    search_error: BraketError | None = None
    clock_offset: float = 0.0

    def put(self, job: JobSnapshot, after: float = 0.0) -> None:
        """Have GetJob return a status of a job from so many seconds on."""
        self.jobs.setdefault(job.arn, []).append((self.time.monotonic + after, job))

    def get_job(self, job: str) -> JobSnapshot:
        self.polled.append((job, self.time.monotonic))
        if self.get_error is not None:
            raise self.get_error
        now = self._now(job)
        if now is None:
            raise NotFoundError("ResourceNotFoundException", "no such job")
        return now

    def search_job(self, job: str) -> SearchPage:
        self.looked_up.append((job, self.time.monotonic))
        if self.search_error is not None:
            raise self.search_error
        return SearchPage(tuple(self._summaries([job])), (), None)

    def search_jobs(self, span: Span, token: str | None) -> SearchPage:
        assert token is None
        summaries = self._summaries([*self.jobs])
        return SearchPage(tuple(one for one in summaries if (one.created or 0.0) >= span.start), (), None)

    def identify(self) -> None:
        raise DENIED

    def _now(self, job: str) -> JobSnapshot | None:
        past = [one for since, one in self.jobs.get(job, ()) if since <= self.time.monotonic]
        return past[-1] if past else None

    def _summaries(self, jobs: list[str]) -> list[JobSummary]:
        found = [now for job in jobs if (now := self._now(job)) is not None]
        return [
            JobSummary(
                now.arn, now.name, now.status, now.created, now.started, now.ended, tags=self.tags.get(now.arn, {})
            )
            for now in found
            if self.listed_after.get(now.arn, 0.0) <= self.time.monotonic
        ]


class Exporter:
    """An event queue with its targets."""

    def __init__(self, *, rate: float = 1e9, poll: float = 30.0, relaxed: float = 300.0, start: bool = True) -> None:
        self.time, self.book = FakeTime(wall=CREATED - 10.0), Book()
        self.began = self.time.monotonic
        self.store, self.telemetry, self._log = Store((), self.book), SelfMetrics(), LogCapture()
        self.services = Services(
            store=self.store,
            event_log=EventLog(wrap_logger(None, processors=[self._log])),
            telemetry=self.telemetry,
            rate_limiter=RateLimiter(rate),
            clock=self.time.clock,
            random=lambda: 0.0,
            tombstones=self.store.tombstones,
        )
        self.policy = Policy(poll, 600.0, 86400.0, Retention(1e6, 1e6), event_poll_interval=relaxed)
        self.sqs = Queue(self.time)
        self.woken: list[PolledTarget] = []
        self.queue = EventQueue(self.sqs, (), self.services, self.woken.append)
        self.telemetry.events.watch(lambda: [self.queue.status])
        self.started = start
        self.resume_at = 0.0

    def add(self, *configured: str, selector: Selector | None = None, target: Target = TARGET) -> Braket:
        braket = Braket(self.time, target)
        config = TargetConfig(CredentialsRef(profile=str(len(self.queue.targets))), target, configured, selector)
        self.queue.targets = (*self.queue.targets, build_target(config, braket, self.services, self.policy))
        self.queue.targets[-1].events.set_queue(self.queue.health)
        return braket

    def run(self, seconds: float, step: float = 0.5) -> None:
        """Let the queue and the pollers work for a time."""
        end = self.time.monotonic + seconds
        while self.time.monotonic < end:
            self._receive()
            for target in self.queue.targets:
                while not target.poller.step():
                    pass
            self.time.advance(step)

    def _receive(self) -> None:
        if self.started and self.time.monotonic >= self.resume_at:
            for _ in range(100):
                if wait := self.queue.step():
                    self.resume_at = self.time.monotonic + wait
                    return
                if not any(at <= self.time.monotonic for at in self.sqs.visible_at.values()):
                    return

    def announce(self, job: str, status: str | None, **members: Any) -> str:
        fields = {"account": ACCOUNT, "region": REGION, "time": self.time.wall, **members}
        return self.sqs.send(BraketEvent(JOB, job_arn=job, status=status, **fields))

    def outcomes(self) -> dict[str, float]:
        """Return the outcomes other than 0 of job events, and those of others with their detail type."""
        return {
            (
                labels["outcome"] if labels["detail_type"] == JOB else f"{labels['detail_type']}: {labels['outcome']}"
            ): value
            for labels, value in self._samples("braket_exporter_events_total")
            if value
        }

    def found(self) -> dict[str, float]:
        return {labels["by"]: value for labels, value in self._samples("braket_exporter_transitions_found_total")}

    def value(self, name: str) -> float | None:
        return next((value for _, value in self._samples(name)), None)

    def _samples(self, name: str) -> list[tuple[dict[str, str], float]]:
        families = self.telemetry.events.collect()
        return [(one.labels, one.value) for family in families for one in family.samples if one.name == name]

    def log(self, name: str) -> list[Any]:
        return [entry for entry in self._log.entries if entry["event"] == name]

    def polls(self, braket: Braket, job: str = A) -> list[float]:
        return [time - self.began for polled, time in braket.polled if polled == job]


def running(job: str = A) -> JobSnapshot:
    return snapshot(arn=job)


def queued(job: str = A) -> JobSnapshot:
    return snapshot(arn=job, status="QUEUED", started=None)


def ended(job: str = A, status: str = "COMPLETED") -> JobSnapshot:
    return finished(status, arn=job, events=(event(status, CREATED + 120.0),))


@pytest.fixture
def exporter() -> Exporter:
    return Exporter()


def followed(exporter: Exporter, *jobs: JobSnapshot, **members: Any) -> Braket:
    """Add a target whose configured jobs were polled once."""
    braket = exporter.add(*(job.arn for job in jobs), **members)
    for job in jobs:
        braket.put(job)
    exporter.run(1.0)
    braket.polled.clear()
    return braket


# An event means "poll this job now".


def test_an_event_has_its_job_polled_at_once_and_its_message_is_deleted(exporter: Exporter) -> None:
    braket = followed(exporter, running())
    exporter.run(9.0)
    braket.put(ended())
    exporter.announce(A, "COMPLETED")
    exporter.run(1.0)
    assert exporter.polls(braket) == [10.0]
    assert exporter.store.record(A).snapshot.status == "COMPLETED"  # type: ignore[union-attr]
    assert exporter.sqs.messages == {}
    assert exporter.outcomes() == {"applied": 1}
    assert exporter.found() == {"event": 1, "poll": 1}  # the poll found the job itself
    assert exporter.woken == [exporter.queue.targets[0]]
    assert exporter.value("braket_exporter_event_delay_seconds_sum") == 0.5
    assert exporter.value("braket_exporter_event_delay_seconds_count") == 1


def test_the_status_in_the_event_is_no_status_of_the_job(exporter: Exporter) -> None:
    followed(exporter, running())
    exporter.announce(A, "FAILED")
    exporter.run(60.0)
    assert exporter.store.record(A).snapshot.status == "RUNNING"  # type: ignore[union-attr]
    assert [entry["to_status"] for entry in exporter.log("job_transition")] == ["RUNNING"]


def test_an_older_response_is_requested_again_after_2_5_and_15_seconds(exporter: Exporter) -> None:
    braket = followed(exporter, running())
    exporter.announce(A, "COMPLETED")
    exporter.run(40.0)
    assert exporter.polls(braket) == [1.0, 3.0, 8.0, 23.0]
    assert exporter.sqs.messages == {}
    assert exporter.outcomes() == {"applied": 1}


def test_the_calls_end_with_the_first_response_that_is_as_recent_as_the_event(exporter: Exporter) -> None:
    braket = followed(exporter, running())
    braket.put(ended(), after=4.0)
    exporter.announce(A, "COMPLETED")
    exporter.run(25.0)
    assert exporter.polls(braket) == [1.0, 3.0, 8.0]
    assert exporter.found() == {"event": 1, "poll": 1}


def test_a_further_event_about_a_pending_job_has_all_its_calls(exporter: Exporter) -> None:
    braket = followed(exporter, queued())
    exporter.announce(A, "RUNNING")
    exporter.run(21.5)
    braket.put(running(), after=0.5)
    braket.put(ended(), after=4.0)
    exporter.announce(A, "COMPLETED")
    exporter.run(15.0)
    assert exporter.polls(braket) == [1.0, 3.0, 8.0, 22.5, 24.5, 29.5]
    assert exporter.found() == {"event": 2, "poll": 1}


def test_untrue_events_that_never_end_are_handled_all_the_same(exporter: Exporter) -> None:
    followed(exporter, running())
    for _ in range(20):
        for status in ("COMPLETED", "FAILED", "HIBERNATING"):
            exporter.announce(A, status)
        exporter.run(10.0)
    assert len(exporter.sqs.messages) <= 9
    assert exporter.outcomes()["applied"] >= 51


def test_an_event_without_a_status_or_with_an_unknown_one_causes_one_poll(exporter: Exporter) -> None:
    braket = followed(exporter, running(), running(B))
    exporter.announce(A, None)
    exporter.announce(B, "HIBERNATING")
    exporter.run(25.0)
    assert exporter.polls(braket) == exporter.polls(braket, B) == [1.0]
    assert exporter.outcomes() == {"applied": 2}


@pytest.mark.parametrize("status", ["QUEUED", "RUNNING"])
def test_a_status_that_is_known_causes_no_call(exporter: Exporter, status: str) -> None:
    braket = followed(exporter, running())
    exporter.announce(A, status)
    exporter.run(25.0)
    assert exporter.polls(braket) == []
    assert exporter.outcomes() == {"known": 1}
    assert exporter.sqs.messages == {}


@pytest.mark.parametrize("status", ["RUNNING", "COMPLETED", "FAILED", None])
def test_an_event_about_a_finished_job_causes_no_call(exporter: Exporter, status: str | None) -> None:
    braket = followed(exporter, ended())
    exporter.announce(A, status)
    exporter.run(25.0)
    assert exporter.polls(braket) == []
    assert exporter.outcomes() == {"known": 1}


def test_events_about_one_job_cause_one_poll(exporter: Exporter) -> None:
    braket = followed(exporter, queued())
    braket.put(ended())
    for status in ("RUNNING", "COMPLETED", "RUNNING", "CANCELLING", "COMPLETED"):
        exporter.announce(A, status)
    exporter.run(10.0)
    assert exporter.polls(braket) == [1.0]
    assert exporter.outcomes() == {"applied": 5}
    assert exporter.sqs.messages == {}


def test_a_message_that_is_delivered_again_is_counted_once(exporter: Exporter) -> None:
    followed(exporter, running())
    exporter.book.takes = exporter.book.open = False  # the state file fails, so the message stays
    exporter.announce(A, "QUEUED")
    exporter.run(3 * VISIBILITY)
    assert exporter.sqs.deliveries.total() == 3
    assert exporter.outcomes() == {"known": 1}
    exporter.book.takes = exporter.book.open = True
    exporter.run(2.0)
    assert exporter.sqs.messages == {}


def test_a_refused_job_keeps_its_backoff_and_its_event_is_done(exporter: Exporter) -> None:
    braket = followed(exporter, running())
    braket.get_error = DENIED
    exporter.announce(A, "COMPLETED")
    exporter.run(25.0)
    assert exporter.polls(braket) == [1.0]
    assert exporter.sqs.messages == {}


def test_an_event_waits_for_a_call_that_is_throttled(exporter: Exporter) -> None:
    braket = followed(exporter, running())
    braket.get_error = ThrottledError("ThrottlingException", "slow down")
    exporter.announce(A, "COMPLETED")
    exporter.run(5.0)
    assert len(exporter.sqs.messages) == 1
    braket.get_error = None
    braket.put(ended())
    exporter.run(30.0)
    assert exporter.sqs.messages == {}
    assert exporter.outcomes() == {"applied": 1}


def test_a_response_that_was_requested_before_the_event_is_requested_again(exporter: Exporter) -> None:
    braket = followed(exporter, running())
    exporter.run(300.0)
    target, get_job = exporter.queue.targets[0], braket.get_job

    def and_an_event(job: str) -> JobSnapshot:
        response = get_job(job)
        braket.get_job = get_job  # type: ignore[method-assign]
        exporter.time.advance(0.1)
        exporter.announce(A, None)
        exporter.queue.step()
        return response

    braket.get_job = and_an_event  # type: ignore[method-assign]
    braket.polled.clear()
    exporter.time.advance(300.0)
    while not target.poller.step():
        pass
    assert len(braket.polled) == 2


# Jobs that are not watched.


def test_an_unknown_job_is_looked_up_and_the_selector_decides(exporter: Exporter) -> None:
    braket = followed(exporter, selector=CHEMISTRY)
    exporter.run(20.0)
    for job, team in ((A, "chemistry"), (B, "biology")):
        braket.tags[job] = {"team": team}
        braket.put(queued(job))
        exporter.announce(job, "QUEUED")
    exporter.run(2.0)
    assert [job for job, _ in braket.looked_up] == [A, B]
    assert exporter.polls(braket, A) == [21.0]
    assert exporter.polls(braket, B) == []
    assert exporter.outcomes() == {"applied": 1, "unselected": 1}
    assert exporter.sqs.messages == {}
    assert [(entry["from_status"], entry["to_status"]) for entry in exporter.log("job_transition")] == [
        (None, "QUEUED")
    ]
    assert exporter.found() == {"event": 1, "poll": 0}


def test_an_unselected_job_is_looked_up_once_an_hour(exporter: Exporter) -> None:
    braket = followed(exporter, selector=CHEMISTRY)
    braket.put(queued())
    for _ in range(5):
        exporter.announce(A, "RUNNING")
        exporter.run(10.0)
    assert len(braket.looked_up) == 1
    assert exporter.outcomes() == {"unselected": 5}
    exporter.run(3600.0, 20.0)
    exporter.announce(A, "COMPLETED")
    exporter.run(10.0)
    assert len(braket.looked_up) == 2


def test_a_new_selector_decides_again(exporter: Exporter) -> None:
    braket = followed(exporter, selector=CHEMISTRY)
    braket.put(queued())
    exporter.announce(A, "QUEUED")
    exporter.run(2.0)
    (target,) = exporter.queue.targets
    config = TargetConfig(CredentialsRef(profile="0"), TARGET, (), Selector(all_jobs=True))
    target.reconfigure(config, exporter.policy, {})
    exporter.run(2.0)
    braket.polled.clear()
    braket.put(running())
    exporter.announce(A, "RUNNING")
    exporter.run(2.0)
    assert len(braket.polled) == 1


def test_a_job_that_is_not_listed_yet_is_looked_up_again(exporter: Exporter) -> None:
    braket = followed(exporter, selector=Selector(all_jobs=True))
    braket.put(queued())
    braket.listed_after[A] = exporter.time.monotonic + 4.0
    exporter.announce(A, "QUEUED")
    exporter.run(12.0)
    assert [time - exporter.began for _, time in braket.looked_up] == [1.0, 3.0, 8.0]
    assert exporter.polls(braket) == [8.0]


def test_a_job_that_is_never_listed_is_not_selected(exporter: Exporter) -> None:
    braket = followed(exporter, selector=Selector(all_jobs=True))
    exporter.announce(A, "QUEUED")
    exporter.run(30.0)
    assert len(braket.looked_up) == 4
    assert exporter.outcomes() == {"unselected": 1}
    assert exporter.sqs.messages == {}


def test_an_error_of_the_look_up_is_no_decision(exporter: Exporter) -> None:
    braket = followed(exporter, selector=Selector(all_jobs=True))
    braket.put(queued())
    braket.search_error = UnavailableError("InternalServiceException", "500")
    exporter.announce(A, "QUEUED")
    exporter.run(5.0)
    assert len(exporter.sqs.messages) == 1
    braket.search_error = None
    exporter.run(70.0)
    assert exporter.outcomes() == {"applied": 1}


def test_an_event_with_an_arn_that_braket_refuses_does_not_stop_the_search_for_other_jobs(exporter: Exporter) -> None:
    braket = followed(exporter, selector=CHEMISTRY)
    exporter.run(20.0)
    braket.search_error = RejectedError("ValidationException", "not an ARN")
    for number in range(10, 15):
        exporter.announce(arn(number), "QUEUED")
    exporter.run(30.0)
    assert len(braket.looked_up) == 5 * 4
    assert exporter.queue.targets[0].status().health.up is True
    assert exporter.outcomes() == {"unselected": 5}
    braket.search_error, braket.tags[A] = None, {"team": "chemistry"}
    braket.put(queued())
    exporter.announce(A, "QUEUED")
    exporter.run(1.0)
    assert len(exporter.polls(braket)) == 1


def test_without_a_selector_an_unknown_job_is_not_selected(exporter: Exporter) -> None:
    braket = followed(exporter, running())
    exporter.announce(B, "QUEUED")
    exporter.run(2.0)
    assert braket.looked_up == []
    assert exporter.outcomes() == {"unselected": 1}


def test_each_target_of_an_account_decides_about_a_job(exporter: Exporter) -> None:
    first = followed(exporter, selector=CHEMISTRY)
    second = followed(exporter, selector=Selector(all_jobs=True))
    for braket in (first, second):
        braket.put(queued())
    exporter.announce(A, "QUEUED")
    exporter.run(3.0)
    assert (len(first.looked_up), len(second.looked_up)) == (1, 1)
    assert exporter.polls(second) != []
    assert exporter.outcomes() == {"applied": 1}


def test_a_selector_that_is_removed_leaves_no_event_behind(exporter: Exporter) -> None:
    braket = followed(exporter, selector=Selector(all_jobs=True))
    braket.search_error = UnavailableError("InternalServiceException", "500")
    exporter.announce(A, "QUEUED")
    exporter.run(2.0)
    (target,) = exporter.queue.targets
    target.reconfigure(TargetConfig(CredentialsRef(profile="0"), TARGET, (), None), exporter.policy, {})
    exporter.run(2.0)
    assert exporter.sqs.messages == {}
    assert exporter.outcomes() == {"unselected": 1}


# Other messages.


@pytest.mark.parametrize(
    ("job", "members"),
    [
        (arn(1, account=OTHER_ACCOUNT), {"account": OTHER_ACCOUNT}),
        (arn(1, region="eu-west-2"), {"region": "eu-west-2"}),
        (A, {"account": OTHER_ACCOUNT}),
        (A, {"region": "eu-west-2"}),
    ],
)
def test_an_event_of_another_account_or_region_is_deleted(
    exporter: Exporter, job: str, members: dict[str, str]
) -> None:
    braket = followed(exporter, running())
    exporter.announce(job, "COMPLETED", **members)
    exporter.run(2.0)
    assert braket.polled == []
    assert exporter.outcomes() == {"foreign": 1}
    assert exporter.sqs.messages == {}


def test_an_account_that_is_not_known_yet_may_be_any_account(exporter: Exporter) -> None:
    braket = followed(exporter, selector=Selector(all_jobs=True), target=Target("", REGION))
    braket.put(queued())
    exporter.announce(A, "QUEUED")
    exporter.run(2.0)
    assert exporter.polls(braket) == [1.0]


def test_an_event_without_an_account_is_that_of_its_job(exporter: Exporter) -> None:
    braket = followed(exporter, running())
    exporter.announce(A, None, account="", region="")
    exporter.run(1.0)
    assert exporter.polls(braket) == [1.0]


def test_malformed_messages_and_other_events_are_counted_and_deleted(exporter: Exporter) -> None:
    followed(exporter, running())
    exporter.sqs.send(None)
    exporter.sqs.send(BraketEvent(JOB, ACCOUNT, REGION))
    exporter.sqs.send(BraketEvent(DEVICE, "", REGION))
    exporter.sqs.send(BraketEvent("Braket Task State Change", ACCOUNT, REGION))
    exporter.sqs.send(BraketEvent("other", OTHER_ACCOUNT, REGION))
    exporter.run(2.0)
    assert exporter.outcomes() == {
        "other: malformed": 1,
        "malformed": 1,
        f"{DEVICE}: malformed": 1,
        "Braket Task State Change: unselected": 1,
        "other: foreign": 1,
    }
    assert exporter.sqs.messages == {}


def test_a_device_event_has_the_device_polled_now(exporter: Exporter) -> None:
    key = DeviceKey("eu-north-1", GARNET)
    followed(exporter, target=Target(ACCOUNT, "eu-north-1"))
    exporter.store.devices.put(DeviceRecord(DeviceSnapshot(key, "ONLINE"), exporter.time.wall), 1e9)
    polls = exporter.services.shared_polls
    assert polls.claim(("GetDevice", key), exporter.time.monotonic) == 0.0
    polls.end(("GetDevice", key), exporter.time.monotonic + 60.0)
    exporter.sqs.send(BraketEvent(DEVICE, "", "eu-north-1", device_arn=GARNET))
    exporter.run(1.0)
    assert polls.claim(("GetDevice", key), exporter.time.monotonic) == 0.0
    assert exporter.outcomes() == {f"{DEVICE}: applied": 1}


@pytest.mark.parametrize(
    ("region", "device", "outcome"),
    [("us-west-2", GARNET, "foreign"), ("eu-north-1", GARNET, "unselected"), ("eu-north-1", "local:none", "foreign")],
)
def test_an_event_about_a_device_that_is_not_exported_changes_nothing(
    exporter: Exporter, region: str, device: str, outcome: str
) -> None:
    followed(exporter, target=Target(ACCOUNT, "eu-north-1" if outcome == "unselected" else REGION))
    exporter.sqs.send(BraketEvent(DEVICE, "", region, device_arn=device))
    exporter.run(1.0)
    assert exporter.outcomes() == {f"{DEVICE}: {outcome}": 1}


# Deletion.


def test_a_message_is_deleted_after_the_state_file_has_the_result(exporter: Exporter) -> None:
    braket = followed(exporter, running())
    braket.put(ended())
    exporter.book.takes = False
    exporter.announce(A, "COMPLETED")
    exporter.run(5.0)
    assert len(exporter.polls(braket)) == 1
    assert len(exporter.sqs.messages) == 1
    assert exporter.book.jobs[A].snapshot.status == "RUNNING"  # type: ignore[union-attr]
    exporter.book.takes = True
    exporter.run(2.0)
    assert exporter.book.jobs[A].snapshot.status == "COMPLETED"  # type: ignore[union-attr]
    assert exporter.sqs.messages == {}


def test_messages_are_deleted_ten_at_a_time(exporter: Exporter) -> None:
    followed(exporter, running())
    for _ in range(25):
        exporter.announce(A, "QUEUED")
    exporter.run(2.0)
    assert exporter.sqs.messages == {}
    assert exporter.sqs.deletes == [10, 10, 5]


def test_a_queue_waits_20_seconds_for_messages_unless_events_are_pending(exporter: Exporter) -> None:
    followed(exporter, running())
    assert exporter.sqs.waits[:2] == [1, 20]
    exporter.announce(A, "COMPLETED")
    exporter.run(1.0)
    assert exporter.sqs.waits[-1] == 1
    exporter.run(60.0)
    assert exporter.sqs.waits[-1] == 20


# Health.


def test_a_queue_that_delivers_a_pending_message_again_at_once_is_asked_twice_a_second(exporter: Exporter) -> None:
    braket = followed(exporter, running())
    braket.get_error = ThrottledError("ThrottlingException", "slow down")
    name = exporter.announce(A, "COMPLETED")
    exporter.run(1.0)
    exporter.sqs.waits.clear()
    for _ in range(10):
        exporter.sqs.visible_at[name] = exporter.time.monotonic
        assert exporter.queue.step() == 0.5
        exporter.time.advance(0.5)
    braket.get_error = None
    exporter.run(40.0)
    assert exporter.sqs.messages == {}
    assert exporter.outcomes() == {"applied": 1}


def test_running_jobs_are_polled_every_event_poll_interval_while_events_arrive(exporter: Exporter) -> None:
    braket = followed(exporter, running(), queued(B))
    exporter.run(600.0)
    assert exporter.polls(braket, A) == [300.0, 600.0]
    assert exporter.polls(braket, B) == [30.0 * number for number in range(1, 21)]


def test_a_shorter_event_poll_interval_applies_to_polls_that_are_planned(exporter: Exporter) -> None:
    braket = followed(exporter, running())
    exporter.run(30.0)
    target, policy = exporter.queue.targets[0], replace(exporter.policy, event_poll_interval=60.0)
    target.reconfigure(target.config, policy, {})
    exporter.run(200.0)
    assert exporter.polls(braket) == [91.0, 151.0, 211.0]


@pytest.mark.parametrize("error", some([DENIED, GONE, None]))
def test_without_events_each_job_is_polled_every_poll_interval_within_a_minute(error: BraketError | None) -> None:
    exporter = Exporter()
    jobs = [running(arn(number)) for number in range(1, 301)]
    braket = followed(exporter, *jobs)
    exporter.run(100.0)
    assert braket.polled == []
    exporter.sqs.error, exporter.started = error, error is not None
    exporter.run(60.0)
    assert {job for job, _ in braket.polled} == {job.arn for job in jobs}
    braket.polled.clear()
    exporter.run(600.0, 1.0)
    assert set(Counter(job for job, _ in braket.polled).values()) <= {19, 20, 21}
    exporter.sqs.error, exporter.started = None, True
    exporter.run(100.0)
    braket.polled.clear()
    exporter.run(200.0)
    assert braket.polled == []


def test_fifty_running_jobs_need_a_tenth_of_the_calls(exporter: Exporter) -> None:
    without = Exporter(start=False)
    jobs = [running(arn(number)) for number in range(1, 51)]
    calls = []
    for one in (without, exporter):
        braket = followed(one, *jobs)
        one.run(600.0, 1.0)
        calls.append(len(braket.polled))
    assert calls == [1000, 100]


def test_the_rate_limit_holds_in_a_flood_and_every_message_is_handled() -> None:
    exporter = Exporter(rate=2.5)
    jobs = [running(arn(number)) for number in range(1, 51)]
    braket = followed(exporter, *jobs)
    exporter.run(60.0)
    braket.polled.clear()
    for number in range(1_000):
        exporter.announce(jobs[number % 50].arn, ("COMPLETED", None, "RUNNING", "HIBERNATING")[number % 4])
    exporter.run(20.0)
    assert 0 < len(braket.polled) <= 2.5 * 20.0
    exporter.run(130.0, 1.0)
    assert exporter.sqs.messages == {}
    assert sum(exporter.outcomes().values()) == 1_000


def test_a_failing_queue_is_logged_once_for_each_code_and_so_is_its_recovery(exporter: Exporter) -> None:
    followed(exporter, running())
    exporter.sqs.error = DENIED
    exporter.run(100.0)
    assert exporter.value("braket_exporter_event_queue_up") == 0
    exporter.sqs.error = GONE
    exporter.run(100.0)
    url = "https://sqs.us-west-2.amazonaws.com/123456789012/braket-events"
    assert [(entry["queue"], entry["operation"], entry["code"]) for entry in exporter.log("event_queue_failing")] == [
        (url, "ReceiveMessage", "AccessDeniedException"),
        (url, "ReceiveMessage", "QueueDoesNotExist"),
    ]
    assert next(entry["retry_in_seconds"] for entry in exporter.log("event_queue_failing")) == 1.0
    last = exporter.value("braket_exporter_event_queue_last_receive_timestamp_seconds")
    assert last == CREATED - 10.0 + 0.5
    exporter.sqs.error = None
    exporter.run(61.0)
    assert [entry["queue"] for entry in exporter.log("event_queue_recovered")] == [url]
    assert exporter.value("braket_exporter_event_queue_up") == 1


def test_a_queue_whose_messages_cannot_be_deleted_is_failing(exporter: Exporter) -> None:
    braket = followed(exporter, running())
    exporter.sqs.delete_error = DENIED
    exporter.announce(A, "QUEUED")
    exporter.run(HEALTHY_FOR + 15.0)
    assert exporter.value("braket_exporter_event_queue_up") == 0
    assert [entry["operation"] for entry in exporter.log("event_queue_failing")] == ["DeleteMessageBatch"]
    assert len(exporter.polls(braket)) >= 1
    assert exporter.outcomes() == {"known": 1}


def test_a_queue_that_was_never_called_has_no_samples() -> None:
    exporter = Exporter(start=False)
    followed(exporter, running())
    assert exporter.value("braket_exporter_event_queue_up") is None
    assert exporter.value("braket_exporter_event_queue_last_receive_timestamp_seconds") is None


def test_no_further_message_is_received_while_too_many_wait_for_polls() -> None:
    exporter = Exporter(rate=1.0)
    jobs = [running(arn(number)) for number in range(1, 2 * MAX_JOBS)]
    braket = exporter.add(*(job.arn for job in jobs))
    for job in jobs:
        braket.put(job)
        exporter.announce(job.arn, "COMPLETED")
    exporter.run(20.0)
    assert sum(exporter.sqs.deliveries.values()) == MAX_JOBS
    assert len(braket.polled) <= 25 + 20 + 1


def test_a_target_that_fails_does_not_hold_up_the_events_of_another_account(exporter: Exporter) -> None:
    failing = [running(arn(number)) for number in range(1, MAX_JOBS + 101)]
    braket = followed(exporter, *failing)
    job = arn(1, account=OTHER_ACCOUNT)
    other = followed(exporter, snapshot(arn=job, account=OTHER_ACCOUNT), target=Target(OTHER_ACCOUNT, REGION))
    braket.get_error = UnavailableError("InternalServiceException", "500")
    for one in failing:
        exporter.announce(one.arn, "COMPLETED")
    exporter.announce(job, "COMPLETED", account=OTHER_ACCOUNT)
    exporter.run(15.0)
    assert exporter.polls(other, job)[0] <= 15.0  # and not once all jobs of the failing account are polled
    braket.get_error = None
    exporter.run(150.0, 1.0)
    assert exporter.sqs.messages == {}
    assert exporter.outcomes() == {"applied": len(failing) + 1}


# Any queue.


@given(seed=st.integers(0, 2**32), drops=st.floats(0.0, 1.0))
@settings(max_examples=examples(30), deadline=None)
def test_whatever_is_lost_doubled_or_late_each_change_is_found_once(seed: int, drops: float) -> None:
    chance, exporter = random.Random(seed), Exporter(relaxed=120.0)
    jobs = [arn(number) for number in range(1, 6)]
    braket = followed(exporter, *map(queued, jobs))
    events: list[tuple[float, str, str]] = []
    for job in jobs:
        starts = chance.uniform(0.0, 200.0)
        ends = starts + chance.uniform(0.0, 200.0)
        braket.put(running(job), after=starts)
        braket.put(ended(job, "FAILED"), after=ends)
        for at, status in ((starts, "RUNNING"), (ends, "FAILED")):
            events += [(at + chance.choice((0.0, 0.5, 40.0)), job, status) for _ in range(chance.choice((1, 1, 2)))]
    kept = sorted(one for one in events if chance.random() > drops)
    for at, job, status in kept:
        exporter.run(max(0.0, exporter.began + 1.0 + at - exporter.time.monotonic), 1.0)
        exporter.announce(job, status)
    exporter.run(700.0, 1.0)
    found = Counter((entry["job_arn"], entry["to_status"]) for entry in exporter.log("job_transition"))
    assert {job: found[job, "FAILED"] for job in jobs} == dict.fromkeys(jobs, 1)
    assert max(found.values()) == 1
    assert exporter.sqs.messages == {}
    assert sum(exporter.outcomes().values()) == len(kept)
