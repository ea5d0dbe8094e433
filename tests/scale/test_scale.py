"""Many finished jobs: no lock is held while all of them are handled. Operations are counted, time is not measured."""

import re
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from threading import Lock
from typing import Any

import pytest
from builders import ACCOUNT, CREATED, REGION, FakeTime, NoCalls, arn, finished, record, snapshot
from ledgers import Book, Past
from structlog import wrap_logger
from structlog.testing import LogCapture

from exporter.core import CredentialsRef, JobRecord, JobSnapshot, SearchPage, Selector, Span, Target, TargetConfig
from exporter.metrics import job_families
from exporter.polling import Policy, PollerManager, RateLimiter, Retention
from exporter.polling.discovered_jobs import DiscoveredJobs
from exporter.polling.job_queue import JobQueue
from exporter.storage import BATCH_JOBS, SavedState, Store, Tombstone, Tombstones
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


class NoJobs(NoCalls):
    """A service without jobs, which is not called."""

    def __init__(self, target: Target) -> None:
        self.target, self.clock_offset = target, 0.0


class RunningJobs(NoJobs):
    """A service that returns every job as running, and lists none."""

    def get_job(self, arn: str) -> JobSnapshot:
        return snapshot(arn=arn)

    def search_jobs(self, _span: Span, _token: str | None) -> SearchPage:
        return SearchPage((), (), None)


def saved(number: int) -> JobRecord:
    ended = START - 9 * DAY + number * 8 * DAY / JOBS
    job = finished("FAILED" if number % 20 == 0 else "COMPLETED", arn=arn(number), ended=ended)
    return record(job, configured=False, owner=DISCOVERING.key)


class Exporter:
    """A manager after a restart, with finished jobs and counting locks."""

    def __init__(self, held: Held, past: Past, client: type[NoJobs] = NoJobs) -> None:
        self.book, self.time, self._client = Book(), FakeTime(wall=START), client
        self.store = Store(job_families(), self.book)
        self.manager = PollerManager(
            store=self.store,
            event_log=EventLog(wrap_logger(None, processors=[LogCapture()])),
            telemetry=SelfMetrics(),
            rate_limiter=RateLimiter(2.5),
            clock=self.time.clock,
            random=lambda: 0.0,
        )
        self.follow(KEPT, state=past.give(self.store))
        target = self.manager.targets[0]._state
        target.lock, target.outcome_lock = held.lock("target"), held.lock("outcome")
        held.restart()

    def follow(self, policy: Policy, config: TargetConfig = DISCOVERING, state: SavedState | None = None) -> None:
        plan = self.manager.plan([config], policy, 2.5, lambda config: self._client(config.target))
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
    past = Past(START, [saved(number) for number in range(JOBS)], baselines={DISCOVERING.key: CREATED})
    exporter = Exporter(held, past)
    assert len(exporter.store) == JOBS

    exporter.follow(Policy(30.0, 60.0, 14 * DAY, Retention(30 * DAY, DAY / 2)))
    with batches_only(held, at_least=1_000 // BATCH_JOBS):  # a shorter retention_failed: a few jobs of each block
        exporter.manager.drop_expired()
    assert len(exporter.store) == 19_000
    assert len(exporter.store.view().job_rows) < 2 * BATCH_JOBS
    exporter.book.entries.clear()

    exporter.book.open = False
    with batches_only(held, at_least=4_000 // BATCH_JOBS):  # a lower max_jobs during an outage of the state file
        exporter.manager.set_limit(15_000)
    assert len(exporter.store) == 15_000
    exporter.book.open = True
    with batches_only(held, at_least=4_000 // BATCH_JOBS):  # the write after the outage
        exporter.store.flush()
    assert max(len(entry.gone) for entry in exporter.book.entries) <= BATCH_JOBS
    assert sum(len(entry.gone) for entry in exporter.book.entries) == 4_000

    with batches_only(held):  # a shorter retention; the reload itself changes nothing
        exporter.follow(Policy(30.0, 60.0, 14 * DAY, Retention(3 * DAY, 3 * DAY)))
    assert len(exporter.store) == 15_000
    with batches_only(held, at_least=8_000 // BATCH_JOBS):
        exporter.manager.drop_expired()
    assert 4_000 < len(exporter.store) < 7_000

    with batches_only(held, at_least=len(exporter.store) // BATCH_JOBS):  # another target, so all jobs are deselected
        exporter.follow(KEPT, OTHER_REGION)
    assert len(exporter.store) == 0


def test_whatever_changes_for_many_active_jobs_or_tombstones_no_lock_is_held_over_all_of_them(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    held, other = Held(), Selector(all_jobs=True, name=re.compile(".*"))
    old = START - 20 * DAY
    running = [record(snapshot(arn=arn(number), created=old), configured=False) for number in range(5_000)]
    past = Past(
        START,
        [replace(one, owner=DISCOVERING.key) for one in running],
        {number: Tombstone(START - number, None, DISCOVERING.key) for number in range(5_000)},
        baselines={DISCOVERING.key: CREATED},
    )
    exporter = Exporter(held, past, RunningJobs)
    (target,) = exporter.manager.targets
    exporter.manager.tombstones._lock = held.lock("tombstones")
    for owner, method in ((JobQueue, "put"), (Tombstones, "_put")):
        monkeypatch.setattr(owner, method, held.counted(method, getattr(owner, method)))

    with batches_only(held):  # a status scan; the jobs are older than the lookback, so GetJob polls each of them
        for _ in range(20):
            target.poller.step()
    assert held.most["target"]["put"] >= BATCH_JOBS

    with batches_only(held):  # a shorter poll interval, and another selector
        exporter.follow(replace(KEPT, poll_interval=5.0), replace(DISCOVERING, selector=other))
    assert held.most["target"]["put"] >= BATCH_JOBS
    assert held.most["tombstones"]["_put"] == BATCH_JOBS
    owners = Counter(tombstone.owner for tombstone in exporter.manager.tombstones.all().values())
    assert owners == {replace(DISCOVERING, selector=other).key: 5_000}
