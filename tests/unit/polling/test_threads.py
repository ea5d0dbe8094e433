"""The threads that poll."""

import threading
import time
from collections.abc import Callable

import pytest

from exporter.polling import threads as workers_module
from exporter.polling.threads import WorkerThreads

PATIENCE = 5.0


class Poller:
    """Runs an order at each step; without an order, it waits for long."""

    def __init__(self, order: Callable[[], float] = lambda: 60.0) -> None:
        self.order = order
        self.threads: set[str] = set()

    def step(self) -> float:
        self.threads.add(threading.current_thread().name)
        return self.order()


class Bug(Exception):  # noqa: N818 -- it is one
    """Something that no poller expects."""


def poll_threads() -> list[threading.Thread]:
    return [thread for thread in threading.enumerate() if thread.name.startswith("poll-")]


def test_a_step_that_has_more_to_do_is_followed_by_the_next_at_once() -> None:
    stop, steps = threading.Event(), 0

    def order() -> float:
        nonlocal steps
        steps += 1
        if steps == 1000:
            stop.set()
        return 0.0

    workers = WorkerThreads([Poller(order)], 1, stop)
    workers.start()
    assert stop.wait(PATIENCE)
    workers.join()
    assert steps == 1000


def test_each_poller_is_stepped_from_several_threads_at_once() -> None:
    stop, together = threading.Event(), threading.Barrier(6)

    def order() -> float:
        together.wait(PATIENCE)
        stop.set()
        return 60.0

    pollers = [Poller(order), Poller(order)]
    workers = WorkerThreads(pollers, 3, stop)
    workers.start()
    assert stop.wait(PATIENCE)
    workers.join()
    assert [poller.threads for poller in pollers] == [{"poll-0", "poll-1", "poll-2"}] * 2


def test_stop_ends_the_threads_in_the_middle_of_their_sleep() -> None:
    stop, stepped = threading.Event(), threading.Semaphore(0)

    def order() -> float:
        stepped.release()
        return 3600.0

    workers = WorkerThreads([Poller(order)], 2, stop)
    workers.start()
    assert all(stepped.acquire(timeout=PATIENCE) for _ in range(2))
    stop.set()
    workers.join()
    assert poll_threads() == []


def test_nothing_is_stepped_before_start_or_after_stop() -> None:
    stop, poller = threading.Event(), Poller()
    workers = WorkerThreads([poller], 2, stop)
    assert poller.threads == set()
    stop.set()
    workers.start()
    workers.join()
    assert poller.threads == set()


@pytest.mark.parametrize("bug", [Bug("a step went wrong"), KeyError("arn"), SystemExit(3), MemoryError()])
def test_a_bug_in_a_step_stops_all_and_is_raised_by_join(bug: BaseException) -> None:
    stop, stepped = threading.Event(), threading.Event()

    def order() -> float:
        assert stepped.wait(PATIENCE)
        raise bug

    def other() -> float:
        stepped.set()
        return 3600.0

    workers = WorkerThreads([Poller(other), Poller(order)], 1, stop)
    workers.start()
    assert stop.wait(PATIENCE)
    with pytest.raises(type(bug)) as caught:
        workers.join()
    assert caught.value is bug
    assert poll_threads() == []


def test_a_thread_that_hangs_in_a_call_is_left_behind_and_does_not_keep_the_process(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(workers_module, "JOIN_TIMEOUT", 0.02)
    stop, hanging, release = threading.Event(), threading.Event(), threading.Event()

    def order() -> float:
        hanging.set()
        release.wait(PATIENCE)
        return 60.0

    workers = WorkerThreads([Poller(order)], 1, stop)
    workers.start()
    assert hanging.wait(PATIENCE)
    stop.set()
    workers.join()
    left = poll_threads()
    assert [thread.daemon for thread in left] == [True]
    release.set()
    left[0].join(PATIENCE)
    assert poll_threads() == []


def test_a_poller_whose_call_hangs_does_not_hold_up_another() -> None:
    stop, release, progress = threading.Event(), threading.Event(), threading.Semaphore(0)

    def hang() -> float:
        release.wait(PATIENCE)
        return 60.0

    def work() -> float:
        progress.release()
        return 0.001

    workers = WorkerThreads([Poller(hang), Poller(work)], 1, stop)
    workers.start()
    assert all(progress.acquire(timeout=PATIENCE) for _ in range(10))
    stop.set()
    release.set()
    workers.join()
    assert poll_threads() == []


def test_without_pollers_there_is_nothing_to_wait_for() -> None:
    workers = WorkerThreads([], 4, threading.Event())
    workers.start()
    workers.join()


def test_a_poller_that_is_added_is_driven_and_one_that_stays_keeps_its_threads() -> None:
    stop, stepped = threading.Event(), threading.Event()

    def order() -> float:
        stepped.set()
        return 60.0

    stays, comes = Poller(), Poller(order)
    workers = WorkerThreads([stays], 2, stop)
    workers.start()
    before = set(poll_threads())
    workers.replace([stays, comes])
    assert stepped.wait(PATIENCE)
    assert before < set(poll_threads())
    assert len(poll_threads()) == 4
    stop.set()
    workers.join()
    assert poll_threads() == []


def test_the_threads_of_a_poller_that_goes_end_in_the_middle_of_their_sleep() -> None:
    stop, stepped = threading.Event(), threading.Semaphore(0)

    def order() -> float:
        stepped.release()
        return 3600.0

    goes, stays = Poller(order), Poller()
    workers = WorkerThreads([goes, stays], 2, stop)
    workers.start()
    assert all(stepped.acquire(timeout=PATIENCE) for _ in range(2))
    theirs = poll_threads()[:2]
    workers.replace([stays])
    for thread in theirs:
        thread.join(PATIENCE)
    assert len(poll_threads()) == 2
    assert not stop.is_set()
    stop.set()
    workers.join()


def test_a_poller_that_went_can_come_back() -> None:
    stop, stepped = threading.Event(), threading.Semaphore(0)

    def order() -> float:
        stepped.release()
        return 3600.0

    poller = Poller(order)
    workers = WorkerThreads([poller], 1, stop)
    workers.start()
    assert stepped.acquire(timeout=PATIENCE)
    workers.replace([])
    workers.replace([poller])
    assert stepped.acquire(timeout=PATIENCE)
    stop.set()
    workers.join()
    assert poll_threads() == []


def test_a_bug_of_another_thread_is_raised_by_join_too() -> None:
    stop, bug = threading.Event(), Bug("a reload went wrong")
    workers = WorkerThreads([Poller()], 1, stop)
    workers.start()
    workers.fail(bug)
    assert stop.is_set()
    with pytest.raises(Bug, match="a reload went wrong"):
        workers.join()


def test_a_thread_that_is_stuck_shows_although_others_continue() -> None:
    stop, stuck, steps = threading.Event(), threading.Event(), threading.Semaphore(0)
    first = threading.Lock()

    def order() -> float:
        if first.acquire(blocking=False):
            stuck.wait(PATIENCE)
        steps.release()
        return 0.001

    workers = WorkerThreads([Poller(order)], 2, stop)
    assert workers.longest_step() == 0.0
    workers.start()
    began = time.monotonic()
    while time.monotonic() < began + 0.3:
        assert steps.acquire(timeout=PATIENCE)
    assert workers.longest_step() >= 0.25
    stuck.set()
    assert all(steps.acquire(timeout=PATIENCE) for _ in range(50))
    assert workers.longest_step() < 0.25
    stop.set()
    workers.join()
