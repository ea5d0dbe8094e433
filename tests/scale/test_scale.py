"""Many finished jobs: no lock is held while all of them are handled. Operations are counted, time is not measured."""

from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from threading import Lock
from typing import Any

import pytest
from builders import ACCOUNT, CREATED, REGION, FakeTime, arn, finished, record
from ledgers import Book
from structlog import wrap_logger
from structlog.testing import LogCapture

from exporter.core import CredentialsRef, JobRecord, JobSnapshot, SearchPage, Selector, Span, Target, TargetConfig
from exporter.metrics import job_families
from exporter.polling import Policy, PollerManager, RateLimiter, Retention
from exporter.polling.discovered_jobs import DiscoveredJobs
from exporter.storage import BATCH_JOBS, SavedState, Store
from exporter.storage.codec import PackedRecords
from exporter.storage.persistence import DirtySet
from exporter.storage.rendered_lines import RenderedLines
from exporter.telemetry import EventLog, SelfMetrics

JOBS = 20_000
DAY = 86400.0
START = CREATED + 10 * DAY
KEPT = Policy(30.0, 60.0, 14 * DAY, Retention(30 * DAY, 30 * DAY))
DISCOVERING = TargetConfig(CredentialsRef(), Target(ACCOUNT, REGION), (), Selector(all_jobs=True))
OTHER_REGION = TargetConfig(CredentialsRef(), Target(ACCOUNT, "eu-north-1"), (), Selector(all_jobs=True))

SLOW = ((PackedRecords, "_decode"), (RenderedLines, "render"))
"""Work on one job that takes longer than a change of references."""

QUICK = ((RenderedLines, "drop"), (RenderedLines, "hide"), (DirtySet, "changed"), (DiscoveredJobs, "update_expiry"))


@dataclass
class Held:
    """The operations on single jobs while a lock is held: the largest number of each kind, by the name of the lock."""

    open: list[tuple[str, Counter[str]]] = field(default_factory=list)
    most: dict[str, Counter[str]] = field(default_factory=dict)
    times: Counter[str] = field(default_factory=Counter)

    def lock(self, name: str) -> Any:
        return CountingLock(self, name)

    def counted(self, name: str, function: Callable[..., Any]) -> Callable[..., Any]:
        def count(*arguments: Any, **named: Any) -> Any:
            for _, operations in self.open:
                operations[name] += 1
            return function(*arguments, **named)

        return count

    def restart(self) -> None:
        self.most.clear()
        self.times.clear()


class CountingLock:
    """A lock that counts the operations while it is held."""

    def __init__(self, held: Held, name: str) -> None:
        self._held, self._name, self._lock = held, name, Lock()

    def acquire(self, *, blocking: bool = True) -> bool:
        acquired = self._lock.acquire(blocking=blocking)
        if acquired:
            self._held.open.append((self._name, Counter()))
        return acquired

    def release(self) -> None:
        name, operations = self._held.open.pop()
        assert name == self._name
        self._held.most[name] = self._held.most.get(name, Counter()) | operations
        self._held.times[name] += 1
        self._lock.release()

    def __enter__(self) -> bool:
        return self.acquire()

    def __exit__(self, *_: object) -> None:
        self.release()


class NoJobs:
    """A service without jobs, which is not called."""

    def __init__(self, target: Target) -> None:
        self.target, self.clock_offset = target, 0.0

    def get_job(self, arn: str) -> JobSnapshot:
        raise AssertionError(arn)

    def search_jobs(self, span: Span, token: str | None) -> SearchPage:
        raise AssertionError((span, token))

    def identify(self) -> None:
        raise AssertionError("the account is known")


def saved(number: int) -> JobRecord:
    ended = START - 9 * DAY + number * 8 * DAY / JOBS
    job = finished("FAILED" if number % 20 == 0 else "COMPLETED", arn=arn(number), ended=ended)
    return record(job, configured=False, owner=DISCOVERING.key)


class Exporter:
    """A manager after a restart, with finished jobs and counting locks."""

    def __init__(self, held: Held) -> None:
        self.book, self.time = Book(), FakeTime(wall=START)
        self.store = Store(job_families(), self.book)
        self.manager = PollerManager(
            store=self.store,
            event_log=EventLog(wrap_logger(None, processors=[LogCapture()])),
            telemetry=SelfMetrics(),
            rate_limiter=RateLimiter(2.5),
            clock=self.time.clock,
            random=lambda: 0.0,
        )
        state = SavedState(START, [saved(number) for number in range(JOBS)], baselines={DISCOVERING.key: CREATED})
        self.store.restore(state)
        self.follow(KEPT, state=state)
        target = self.manager.targets[0]._state
        target.lock, target.outcome_lock = held.lock("target"), held.lock("outcome")
        held.restart()

    def follow(self, policy: Policy, config: TargetConfig = DISCOVERING, state: SavedState | None = None) -> None:
        plan = self.manager.plan([config], policy, 2.5, lambda config: NoJobs(config.target))
        self.manager.follow(plan, state)


@contextmanager
def batches_only(held: Held, *, at_least: int = 0) -> Iterator[None]:
    """Check that only a few hundred jobs are handled while a lock is held, and none slowly under the store's lock.

    No thread waits for the lock of the enforcement, so it is not counted.
    """
    held.restart()
    yield
    for name, operations in held.most.items():
        assert max(operations.values(), default=0) <= 2 * BATCH_JOBS, (name, operations)
    assert held.most.get("store", Counter()).keys().isdisjoint(method for _, method in SLOW)
    assert held.times["store"] >= at_least


def test_whatever_changes_for_many_finished_jobs_no_lock_is_held_over_all_of_them(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    held = Held()
    for module in ("write_behind", "sealed_jobs", "store"):
        monkeypatch.setattr(f"exporter.storage.{module}.Lock", lambda module=module: held.lock(module))
    for owner, method in (*SLOW, *QUICK):
        monkeypatch.setattr(owner, method, held.counted(method, getattr(owner, method)))
    exporter = Exporter(held)
    assert len(exporter.store) == JOBS

    exporter.book.open = False
    with batches_only(held, at_least=5_000 // BATCH_JOBS):  # a lower max_jobs during an outage of the state file
        exporter.manager.set_limit(15_000)
    assert len(exporter.store) == 15_000
    exporter.book.open = True
    with batches_only(held, at_least=5_000 // BATCH_JOBS):  # the write after the outage
        exporter.store.flush()
    assert max(len(entry.gone) for entry in exporter.book.entries) <= BATCH_JOBS
    assert sum(len(entry.gone) for entry in exporter.book.entries) == 5_000

    with batches_only(held):  # a shorter retention; the reload itself changes nothing
        exporter.follow(Policy(30.0, 60.0, 14 * DAY, Retention(3 * DAY, 3 * DAY)))
    assert len(exporter.store) == 15_000
    with batches_only(held, at_least=8_000 // BATCH_JOBS):
        exporter.manager.drop_expired()
    assert 4_000 < len(exporter.store) < 7_000

    with batches_only(held, at_least=len(exporter.store) // BATCH_JOBS):  # another target, so all jobs are deselected
        exporter.follow(KEPT, OTHER_REGION)
    assert len(exporter.store) == 0
