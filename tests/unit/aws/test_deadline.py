"""Calls with a deadline: results, errors, hanging threads and their bound, idle threads."""

import threading
import time
import weakref
from collections.abc import Iterator

import pytest
from processes import eventually

import exporter.aws.deadline
from exporter.aws.deadline import Deadline, DeadlineError


def threads() -> list[threading.Thread]:
    return [thread for thread in threading.enumerate() if thread.name == "call"]


@pytest.fixture
def gate() -> Iterator[threading.Event]:
    """What hangs waits for this; at the end nothing hangs any more."""
    event = threading.Event()
    yield event
    event.set()


def test_a_call_returns_its_result() -> None:
    outcome = Deadline(5).run(lambda number: number + 1, 41)
    assert (outcome.value, outcome.error) == (42, None)


@pytest.mark.parametrize("kind", [ValueError, OSError, SystemExit, KeyboardInterrupt, GeneratorExit, BaseException])
def test_whatever_a_call_raises_is_a_value(kind: type[BaseException]) -> None:
    def fail(text: str) -> None:
        raise kind(text)

    deadline = Deadline(5)
    outcome = deadline.run(fail, "no")
    assert type(outcome.error) is kind
    assert deadline.run(str, 1).value == "1"


def test_calls_one_after_the_other_share_a_thread() -> None:
    deadline = Deadline(5)
    names = {deadline.run(lambda _: threading.get_ident(), None).value for _ in range(20)}
    assert len(names) == 1
    assert threading.get_ident() not in names


def test_calls_at_once_run_at_once() -> None:
    deadline, barrier = Deadline(5), threading.Barrier(4)
    outcomes: list[int] = []
    callers = [
        threading.Thread(target=lambda: outcomes.append(deadline.run(lambda _: barrier.wait(5), None).value))
        for _ in range(4)
    ]
    for caller in callers:
        caller.start()
    for caller in callers:
        caller.join()
    assert sorted(outcomes) == [0, 1, 2, 3]


def test_a_call_past_its_deadline_is_given_up(gate: threading.Event) -> None:
    began = time.monotonic()
    with pytest.raises(DeadlineError) as caught:
        Deadline(0.1).run(lambda _: gate.wait(30), None)
    assert time.monotonic() - began < 25
    assert (caught.value.hanging, caught.value.started) == (1, True)


def test_a_deadline_may_have_begun_before_the_call(gate: threading.Event) -> None:
    began = time.monotonic()
    with pytest.raises(DeadlineError):
        Deadline(60).run(lambda _: gate.wait(30), None, began + 0.1)
    with pytest.raises(DeadlineError):
        Deadline(60).run(lambda _: gate.wait(30), None, began - 1)
    assert time.monotonic() - began < 25


def test_a_hanging_thread_is_replaced_up_to_a_bound_and_missed_no_longer_when_it_ends(gate: threading.Event) -> None:
    deadline = Deadline(0.05, most_hanging=3)
    for number in (1, 2, 3):
        with pytest.raises(DeadlineError) as caught:
            deadline.run(lambda _: gate.wait(30), None)
        assert (caught.value.hanging, caught.value.started) == (number, True)
    with pytest.raises(DeadlineError) as caught:
        deadline.run(lambda _: None, None)
    assert (caught.value.hanging, caught.value.started) == (3, False)
    gate.set()

    def works() -> bool:
        try:
            return bool(deadline.run(lambda _: True, None).value)
        except DeadlineError:
            return False

    eventually(works)
    for _ in range(3):  # none of them hangs any more
        assert deadline.run(lambda _: True, None).value


def test_a_thread_without_calls_ends(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(exporter.aws.deadline, "IDLE_AFTER", 0.05)
    before = set(threads())
    deadline = Deadline(5)
    deadline.run(lambda _: None, None)
    assert len(set(threads()) - before) == 1
    eventually(lambda: set(threads()) <= before)
    assert deadline.run(lambda _: 7, None).value == 7


def test_calls_that_meet_ending_threads_are_all_made(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(exporter.aws.deadline, "IDLE_AFTER", 0.001)
    deadline = Deadline(5)
    for number in range(300):
        assert deadline.run(lambda value: value, number).value == number
        time.sleep(0.001 * (number % 3) / 2)


def test_a_process_without_further_threads_is_told(monkeypatch: pytest.MonkeyPatch) -> None:
    def start(_: threading.Thread) -> None:
        raise RuntimeError("can't start new thread")

    monkeypatch.setattr(threading.Thread, "start", start)
    with pytest.raises(DeadlineError) as caught:
        Deadline(5).run(str, 1)
    assert (caught.value.hanging, caught.value.started) == (0, False)


def test_an_idle_thread_holds_no_result() -> None:
    class Big:
        pass

    deadline, gone = Deadline(5), threading.Event()

    def make(_: None) -> Big:
        big = Big()
        weakref.finalize(big, gone.set)
        return big

    deadline.run(make, None)
    eventually(gone.is_set)
