"""The event queues of a manager: a thread for each, which follows the settings and ends with the exporter."""

import threading
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field

import pytest
from builders import ACCOUNT, REGION, FakeTime, NoCalls, arn, snapshot
from processes import eventually
from structlog import wrap_logger
from structlog.testing import LogCapture

from exporter.core import (
    BraketEvent,
    Clock,
    CredentialsRef,
    JobSnapshot,
    QueueMessage,
    Target,
    TargetConfig,
    UnavailableError,
)
from exporter.polling import Policy, PollerManager, RateLimiter, Retention
from exporter.storage import Store
from exporter.telemetry import EventLog, SelfMetrics

A = arn(1)
URL, OTHER_URL = (
    "https://sqs.us-west-2.amazonaws.com/123456789012/one",
    "https://sqs.us-west-2.amazonaws.com/123456789012/two",
)
POLICY = Policy(1e6, 1e6, 86400.0, Retention(1e6, 1e6), event_poll_interval=1e6)


@dataclass
class Jobs(NoCalls):
    """Returns each job as running, and notes the calls."""

    target: Target
    polled: list[str] = field(default_factory=list)
    clock_offset: float = 0.0

    def get_job(self, job: str) -> JobSnapshot:
        self.polled.append(job)
        return snapshot(arn=job)


@dataclass
class Queue:
    """A queue whose long poll ends with a message."""

    url: str
    messages: list[QueueMessage] = field(default_factory=list)
    deleted: list[str] = field(default_factory=list)
    threads: set[int] = field(default_factory=set)
    arrived: threading.Event = field(default_factory=threading.Event)
    bug: Exception | None = None
    keeps: bool = False

    def receive(self, _: int) -> Sequence[QueueMessage]:
        self.threads.add(threading.get_ident())
        if self.bug is not None:
            raise self.bug
        self.arrived.wait(0.05)
        messages, self.messages = self.messages, []
        self.arrived.clear()
        return messages

    def delete(self, messages: Sequence[QueueMessage]) -> None:
        if self.keeps:
            raise UnavailableError("timeout", "no response in time")
        self.deleted += (message.id for message in messages)

    def send(self, name: str, job: str = A, account: str = ACCOUNT) -> None:
        event = BraketEvent("Braket Job State Change", account, REGION, job_arn=job, status=None)
        self.messages.append(QueueMessage(name, "receipt", event))
        self.arrived.set()


class Exporter:
    """A manager that polls with threads."""

    def __init__(self) -> None:
        self.telemetry, self.store = SelfMetrics(), Store(())
        self.manager = PollerManager(
            store=self.store,
            event_log=EventLog(wrap_logger(None, processors=[LogCapture()])),
            telemetry=self.telemetry,
            rate_limiter=RateLimiter(1e9),
            clock=Clock(lambda: FakeTime().wall),
            random=lambda: 0.0,
        )
        self.stop = threading.Event()
        self.clients: list[Jobs] = []
        self.queues: list[Queue] = []
        self.receivers: list[TargetConfig] = []

    def follow(self, *configs: TargetConfig, with_events: bool = True) -> None:
        connect = self._connect_queue if with_events else None
        plan = self.manager.plan(configs, POLICY, 1e9, self._connect, connect_queue=connect)
        self.manager.follow(plan)

    def polled(self, job: str = A) -> int:
        return sum(client.polled.count(job) for client in self.clients)

    def page(self) -> bytes:
        return self.telemetry.render("text", lambda *_: True, ())

    def is_exposed(self) -> bool:
        return b"braket_exporter_event_queue_up" in self.page()

    def _connect(self, config: TargetConfig) -> Jobs:
        self.clients.append(Jobs(config.target))
        return self.clients[-1]

    def _connect_queue(self, config: TargetConfig) -> Queue:
        assert config.event_queue_url is not None
        self.receivers.append(config)
        self.queues.append(Queue(config.event_queue_url))
        return self.queues[-1]


def target(*jobs: str, url: str | None = URL, region: str = REGION) -> TargetConfig:
    return TargetConfig(CredentialsRef(), Target(ACCOUNT, region), jobs, None, event_queue_url=url)


@pytest.fixture
def exporter() -> Iterator[Exporter]:
    one = Exporter()
    yield one
    one.stop.set()
    one.manager.join()
    eventually(lambda: not any(thread.name == "events" for thread in threading.enumerate()))


@pytest.fixture
def started(exporter: Exporter) -> Callable[..., Queue]:
    def start(*configs: TargetConfig) -> Queue:
        exporter.follow(*configs)
        exporter.manager.start(4, exporter.stop)
        eventually(lambda: exporter.polled() >= 1)
        return exporter.queues[0]

    return start


def test_an_event_wakes_the_threads_that_poll(exporter: Exporter, started: Callable[..., Queue]) -> None:
    queue = started(target(A))
    queue.send("one")
    eventually(lambda: exporter.polled() == 2)
    eventually(lambda: queue.deleted == ["one"])
    eventually(exporter.is_exposed)


def test_targets_with_the_same_queue_and_credentials_share_one_thread(
    exporter: Exporter, started: Callable[..., Queue]
) -> None:
    elsewhere = arn(2, region="eu-west-2")
    queue = started(target(A), target(elsewhere, region="eu-west-2"))
    eventually(lambda: queue.threads)
    assert len(exporter.queues) == len(queue.threads) == 1
    queue.send("one")
    eventually(lambda: queue.deleted == ["one"])


def test_accounts_that_share_a_queue_share_one_receiver_in_the_account_of_the_queue(
    exporter: Exporter, started: Callable[..., Queue]
) -> None:
    other = "210987654321"
    job = arn(3, account=other)
    url = f"https://sqs.us-west-2.amazonaws.com/{other}/shared"
    here = target(A, url=url)
    there = TargetConfig(
        CredentialsRef(role_arn=f"arn:aws:iam::{other}:role/r"),
        Target(other, REGION),
        (job,),
        None,
        event_queue_url=url,
    )
    queue = started(here, there)
    assert exporter.receivers == [there]
    eventually(lambda: exporter.polled(job) == 1)
    queue.send("one", job, other)
    eventually(lambda: exporter.polled(job) == 2)
    queue.send("two", A)
    eventually(lambda: exporter.polled(A) == 2)
    eventually(lambda: queue.deleted == ["one", "two"])


def test_a_reload_without_a_change_keeps_the_queue_and_its_thread(
    exporter: Exporter, started: Callable[..., Queue]
) -> None:
    queue = started(target(A))
    exporter.follow(target(A))
    queue.send("one")
    eventually(lambda: queue.deleted == ["one"])
    assert len(exporter.queues) == len(queue.threads) == 1


def test_another_queue_replaces_the_first(exporter: Exporter, started: Callable[..., Queue]) -> None:
    first = started(target(A))
    exporter.follow(target(A, url=OTHER_URL))
    second = exporter.queues[1]
    second.send("two")
    eventually(lambda: second.deleted == ["two"])
    eventually(lambda: sum(thread.name == "events" for thread in threading.enumerate()) == 1)
    first.send("one")
    second.send("three")
    eventually(lambda: second.deleted == ["two", "three"])
    assert first.deleted == []
    assert len(first.messages) == 1


def test_a_queue_that_is_removed_leaves_no_thread_and_no_samples(
    exporter: Exporter, started: Callable[..., Queue]
) -> None:
    queue = started(target(A))
    eventually(lambda: queue.threads)
    eventually(exporter.is_exposed)
    exporter.follow(target(A, url=None))
    eventually(lambda: not any(thread.name == "events" for thread in threading.enumerate()))
    assert not exporter.is_exposed()


def test_two_urls_of_one_queue_are_one_queue(exporter: Exporter, started: Callable[..., Queue]) -> None:
    job = arn(2)
    queue = started(target(A), target(job, url="https://us-west-2.queue.amazonaws.com/123456789012/one"))
    eventually(lambda: exporter.polled(job) == 1)
    queue.send("one")
    queue.send("two", job)
    eventually(lambda: sorted(queue.deleted) == ["one", "two"])
    eventually(lambda: exporter.polled(job) == 2)
    assert len(exporter.queues) == 1


def test_the_handled_messages_of_a_queue_that_is_removed_are_deleted(
    exporter: Exporter, started: Callable[..., Queue]
) -> None:
    queue = started(target(A))
    queue.keeps = True
    queue.send("one")
    eventually(lambda: b"braket_exporter_event_queue_up 0.0" in exporter.page())
    exporter.follow(target(A, url=None))
    queue.keeps = False
    eventually(lambda: queue.deleted == ["one"])


def test_commands_that_poll_once_receive_nothing(exporter: Exporter) -> None:
    exporter.follow(target(A), with_events=False)
    exporter.manager.start(4, exporter.stop)
    eventually(lambda: exporter.polled() == 1)
    assert exporter.queues == []
    assert not any(thread.name == "events" for thread in threading.enumerate())


def test_a_bug_in_the_thread_ends_the_exporter(exporter: Exporter, started: Callable[..., Queue]) -> None:
    queue = started(target(A))
    queue.bug = ZeroDivisionError("a bug")
    assert exporter.stop.wait(30)
    with pytest.raises(ZeroDivisionError, match="a bug"):
        exporter.manager.join()
    exporter.manager = Exporter().manager
