"""The threads that poll."""

import threading
import time
from collections.abc import Callable

import pytest

from exporter.polling import worker_pool
from exporter.polling.worker_pool import WorkerPool

PATIENCE = 30.0


class Poller:
    """Makes a call, which returns the seconds until the next one."""

    def __init__(self, order: Callable[[], float] = lambda: 60.0, group: str | None = None) -> None:
        self.order, self.group = order, group or id(self)
        self.threads: set[str] = set()
        self.wait = 0.0

    def step(self, starting: Callable[[], None]) -> float:
        wait, self.wait = self.wait, 0.0
        if wait:
            return wait
        starting()
        self.threads.add(threading.current_thread().name)
        self.wait = self.order()
        return 0.0


class Idle(Poller):
    """Is never due for a call; counts how often it is asked."""

    asked = 0

    def step(self, _: Callable[[], None]) -> float:
        self.asked += 1
        return self.order()


class Bug(Exception):  # noqa: N818 -- it is one
    """Something that no poller expects."""


def poll_threads() -> list[threading.Thread]:
    return [thread for thread in threading.enumerate() if thread.name.startswith("poll-")]


def test_a_call_is_followed_by_the_next_at_once() -> None:
    stop, steps = threading.Event(), 0

    def order() -> float:
        nonlocal steps
        steps += 1
        if steps == 1000:
            stop.set()
        return 0.0

    pool = WorkerPool([Poller(order)], 1, stop)
    pool.start()
    assert stop.wait(PATIENCE)
    pool.join()
    assert steps == 1000


def test_a_target_makes_four_calls_at_once_and_never_five() -> None:
    stop, release, lock = threading.Event(), threading.Event(), threading.Lock()
    running, most, four = 0, 0, threading.Event()

    def order() -> float:
        nonlocal running, most
        with lock:
            running += 1
            most = max(most, running)
            if running == 4:
                four.set()
        release.wait(PATIENCE)
        with lock:
            running -= 1
        return 0.0

    pool = WorkerPool([Poller(order), *(Idle() for _ in range(7))], 32, stop)
    pool.start()
    assert len(poll_threads()) == 32
    assert four.wait(PATIENCE)
    time.sleep(0.1)
    assert most == 4
    release.set()
    stop.set()
    pool.join()


def test_the_number_of_threads_does_not_grow_with_the_number_of_targets() -> None:
    stop = threading.Event()
    pool = WorkerPool([Idle() for _ in range(500)], 32, stop)
    pool.start()
    assert len(poll_threads()) == 32
    pool.replace([Idle() for _ in range(1000)])
    assert len(poll_threads()) == 32
    stop.set()
    pool.join()


def test_a_target_alone_gets_no_more_threads_than_it_can_use() -> None:
    stop = threading.Event()
    pool = WorkerPool([Idle()], 32, stop)
    pool.start()
    assert len(poll_threads()) == 4
    stop.set()
    pool.join()


def test_the_first_calls_of_many_targets_are_spread_out(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(worker_pool, "START_INTERVAL", 0.05)
    stop, times = threading.Event(), list[float]()

    def order() -> float:
        times.append(time.monotonic())
        return 60.0

    began = time.monotonic()
    pool = WorkerPool([Idle(order) for _ in range(10)], 8, stop)
    pool.start()
    while len(times) < 10:
        assert time.monotonic() < began + PATIENCE
        time.sleep(0.01)
    assert all(at >= began + number * 0.05 for number, at in enumerate(sorted(times)))
    stop.set()
    pool.join()


def test_a_target_that_waits_is_not_asked_until_it_is_due() -> None:
    stop, pollers = threading.Event(), [Idle() for _ in range(5)]
    pool = WorkerPool(pollers, 32, stop)
    pool.start()
    time.sleep(0.5)
    assert [poller.asked for poller in pollers] == [1] * 5
    stop.set()
    pool.join()


def test_a_target_that_becomes_due_before_all_others_wakes_a_thread() -> None:
    stop, seen = threading.Event(), threading.Semaphore(0)

    def order() -> float:
        seen.release()
        return 0.05

    pool = WorkerPool([*(Idle() for _ in range(6)), Idle(order), *(Idle() for _ in range(6))], 8, stop)
    pool.start()
    assert all(seen.acquire(timeout=PATIENCE) for _ in range(20))
    stop.set()
    pool.join()


def test_stop_ends_the_threads_in_the_middle_of_their_sleep() -> None:
    stop, stepped = threading.Event(), threading.Semaphore(0)

    def order() -> float:
        stepped.release()
        return 3600.0

    pool = WorkerPool([Idle(order), Idle(order)], 2, stop)
    pool.start()
    assert all(stepped.acquire(timeout=PATIENCE) for _ in range(2))
    began = time.monotonic()
    stop.set()
    pool.join()
    assert poll_threads() == []
    assert time.monotonic() < began + PATIENCE


def test_nothing_is_stepped_before_start_or_after_stop() -> None:
    stop, poller = threading.Event(), Poller()
    pool = WorkerPool([poller], 2, stop)
    assert poller.threads == set()
    stop.set()
    pool.start()
    pool.join()
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

    pool = WorkerPool([Poller(other), Poller(order)], 4, stop)
    pool.start()
    assert stop.wait(PATIENCE)
    with pytest.raises(type(bug)) as caught:
        pool.join()
    assert caught.value is bug
    assert poll_threads() == []


def test_a_thread_that_hangs_in_a_call_is_left_behind_and_does_not_keep_the_process(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(worker_pool, "JOIN_TIMEOUT", 0.02)
    stop, hanging, release = threading.Event(), threading.Event(), threading.Event()

    def order() -> float:
        hanging.set()
        release.wait(PATIENCE)
        return 60.0

    pool = WorkerPool([Poller(order)], 1, stop)
    pool.start()
    assert hanging.wait(PATIENCE)
    stop.set()
    pool.join()
    left = poll_threads()
    assert [thread.daemon for thread in left] == [True]
    release.set()
    left[0].join(PATIENCE)
    assert poll_threads() == []


def test_targets_whose_calls_hang_do_not_hold_up_another() -> None:
    stop, release, progress = threading.Event(), threading.Event(), threading.Semaphore(0)

    def hang() -> float:
        release.wait(PATIENCE)
        return 60.0

    def work() -> float:
        progress.release()
        return 0.001

    pool = WorkerPool([*(Poller(hang, "hangs") for _ in range(10)), Poller(work)], 8, stop)
    pool.start()
    assert all(progress.acquire(timeout=PATIENCE) for _ in range(10))
    stop.set()
    release.set()
    pool.join()
    assert poll_threads() == []


def test_without_pollers_there_is_nothing_to_wait_for() -> None:
    pool = WorkerPool([], 4, threading.Event())
    pool.start()
    pool.join()


def test_a_poller_that_is_added_is_stepped_and_one_that_stays_is_asked_again() -> None:
    stop, stepped, asked = threading.Event(), threading.Event(), threading.Semaphore(0)

    def order() -> float:
        stepped.set()
        return 60.0

    def stay() -> float:
        asked.release()
        return 3600.0

    stays = Idle(stay)
    pool = WorkerPool([stays], 8, stop)
    pool.start()
    assert asked.acquire(timeout=PATIENCE)
    before = set(poll_threads())
    assert len(before) == 4
    pool.replace([stays, Poller(order)])
    assert stepped.wait(PATIENCE)
    assert asked.acquire(timeout=PATIENCE)
    assert before < set(poll_threads())
    assert len(poll_threads()) == 8
    stop.set()
    pool.join()
    assert poll_threads() == []


def test_a_poller_that_is_removed_during_its_call_is_not_stepped_again() -> None:
    stop, started, release, ended = (threading.Event() for _ in range(4))
    steps = 0

    def order() -> float:
        nonlocal steps
        steps += 1
        started.set()
        release.wait(PATIENCE)
        ended.set()
        return 0.0

    pool = WorkerPool([Poller(order)], 1, stop)
    pool.start()
    assert started.wait(PATIENCE)
    pool.replace([])
    release.set()
    assert ended.wait(PATIENCE)
    time.sleep(0.1)
    assert steps == 1
    assert not stop.is_set()
    stop.set()
    pool.join()


def test_a_poller_that_was_removed_can_come_back() -> None:
    stop, stepped = threading.Event(), threading.Semaphore(0)

    def order() -> float:
        stepped.release()
        return 3600.0

    poller = Idle(order)
    pool = WorkerPool([poller], 1, stop)
    pool.start()
    assert stepped.acquire(timeout=PATIENCE)
    pool.replace([])
    pool.replace([poller])
    assert stepped.acquire(timeout=PATIENCE)
    stop.set()
    pool.join()
    assert poll_threads() == []


def test_a_bug_of_another_thread_is_raised_by_join_too() -> None:
    stop, bug = threading.Event(), Bug("a reload went wrong")
    pool = WorkerPool([Poller()], 1, stop)
    pool.start()
    pool.fail(bug)
    assert stop.is_set()
    with pytest.raises(Bug, match="a reload went wrong"):
        pool.join()


def test_a_thread_that_is_stuck_shows_although_others_continue() -> None:
    stop, stuck, steps = threading.Event(), threading.Event(), threading.Semaphore(0)
    first = threading.Lock()

    def order() -> float:
        if first.acquire(blocking=False):
            stuck.wait(PATIENCE)
        steps.release()
        return 0.001

    pool = WorkerPool([Poller(order)], 4, stop)
    assert pool.longest_step() == 0.0
    pool.start()
    began = time.monotonic()
    while time.monotonic() < began + 0.3:
        assert steps.acquire(timeout=PATIENCE)
    assert pool.longest_step() >= 0.25
    stuck.set()
    end = time.monotonic() + PATIENCE
    while pool.longest_step() >= 0.25:
        assert time.monotonic() < end
        assert steps.acquire(timeout=PATIENCE)
    stop.set()
    pool.join()


def test_an_idle_thread_is_not_stuck() -> None:
    stop, asked = threading.Event(), threading.Event()

    def order() -> float:
        asked.set()
        return 3600.0

    pool = WorkerPool([Idle(order)], 1, stop)
    pool.start()
    assert asked.wait(PATIENCE)
    time.sleep(0.3)
    assert pool.longest_step() == 0.0
    stop.set()
    pool.join()
