"""The scheduler of the shared threads: turns, their order, and targets that do not respond in time."""

from collections import defaultdict
from collections.abc import Callable
from dataclasses import dataclass, field
from heapq import heappop, heappush

import pytest

from exporter.polling import scheduler as scheduler_module
from exporter.polling.scheduler import MAX_CALLS, SLOW_AFTER, Scheduler, Turn

NEVER = float("inf")
SLOW = SLOW_AFTER + 1.0


def turn_of(scheduler: Scheduler[str], now: float = 0.0) -> Turn[str]:
    turn = scheduler.next(now)
    assert isinstance(turn, Turn)
    return turn


def call_of(scheduler: Scheduler[str], now: float = 0.0) -> Turn[str]:
    turn = turn_of(scheduler, now)
    scheduler.called(turn)
    return turn


def scheduled(*targets: str, threads: int = 32, group: str | None = None) -> Scheduler[str]:
    scheduler = Scheduler[str](threads)
    for target in targets:
        scheduler.add(target, group or target, 0.0)
    return scheduler


def test_without_targets_nothing_is_ever_due() -> None:
    assert Scheduler[str](32).next(0.0) == NEVER


def test_a_target_waits_until_it_is_due() -> None:
    scheduler = Scheduler[str](32)
    scheduler.add("late", "x", 5.0)
    scheduler.add("soon", "x", 3.0)
    assert scheduler.next(1.0) == 2.0
    assert turn_of(scheduler, 3.0).target == "soon"
    assert scheduler.next(3.0) == 2.0
    assert turn_of(scheduler, 5.0).target == "late"


def test_a_target_without_a_due_call_waits_again() -> None:
    scheduler = scheduled("a")
    scheduler.idle(turn_of(scheduler), 7.0)
    assert scheduler.next(2.0) == 5.0
    assert turn_of(scheduler, 7.0).target == "a"


def test_one_thread_at_a_time_asks_a_target() -> None:
    scheduler = scheduled("a")
    turn_of(scheduler)
    assert scheduler.next(0.0) == NEVER


def test_targets_take_turns_so_that_many_calls_of_one_do_not_delay_another() -> None:
    scheduler, order = scheduled("a", "b", "c"), []
    for _ in range(9):
        turn = call_of(scheduler)
        order.append(turn.target)
        scheduler.ended(turn, 0.0)
    assert order == ["a", "b", "c"] * 3


def test_a_target_has_four_calls_in_flight_at_most() -> None:
    scheduler = scheduled("a")
    turns = [call_of(scheduler) for _ in range(MAX_CALLS)]
    assert len(turns) == 4
    assert scheduler.next(0.0) == NEVER
    scheduler.ended(turns[2], 0.1)
    assert call_of(scheduler, 0.1).target == "a"
    assert scheduler.next(0.1) == NEVER


def test_while_half_of_the_threads_are_busy_each_target_has_one_call_in_flight() -> None:
    scheduler = scheduled(*"abcdef", threads=8)
    turns = [call_of(scheduler) for _ in range(6)]
    assert [turn.target for turn in turns] == [*"abcdef"]
    assert scheduler.next(0.0) == NEVER
    for turn in turns[:4]:
        scheduler.ended(turn, 0.1)
    assert [call_of(scheduler, 0.1).target for _ in range(2)] == ["a", "b"]


def test_the_end_of_a_call_asks_a_waiting_target_again() -> None:
    scheduler = scheduled("a")
    call = call_of(scheduler)
    scheduler.idle(turn_of(scheduler), 60.0)
    scheduler.ended(call, 1.0)
    assert turn_of(scheduler, 1.0).target == "a"


def test_a_call_that_ends_while_its_target_is_asked_is_not_overlooked() -> None:
    scheduler = scheduled("a")
    call = call_of(scheduler)
    asked = turn_of(scheduler)
    scheduler.ended(call, 1.0)
    scheduler.idle(asked, 60.0)
    assert turn_of(scheduler, 1.0).target == "a"


def test_a_target_that_changes_is_asked_at_once_wherever_it_is() -> None:
    scheduler = scheduled("a")
    scheduler.idle(turn_of(scheduler), 60.0)
    scheduler.wake("a")
    asked = turn_of(scheduler, 1.0)
    scheduler.wake("a")
    scheduler.idle(asked, 60.0)
    assert turn_of(scheduler, 1.0).target == "a"


def test_a_removed_target_gets_no_further_turn_whatever_it_was_doing() -> None:
    scheduler = scheduled("waits", "asked", "calls", "queued")
    scheduler.idle(turn_of(scheduler), 5.0)
    asked, call = turn_of(scheduler), call_of(scheduler)
    for target in ("waits", "asked", "calls", "queued"):
        scheduler.remove(target)
        assert target not in scheduler
    scheduler.idle(asked, 5.0)
    scheduler.ended(call, 1.0)
    assert scheduler.next(10.0) == NEVER


def test_a_removed_target_can_come_back() -> None:
    scheduler = scheduled("a")
    call = call_of(scheduler)
    scheduler.remove("a")
    scheduler.add("a", "a", 0.0)
    scheduler.ended(call, 0.1)
    assert [call_of(scheduler, 0.1).target for _ in range(MAX_CALLS)] == ["a"] * MAX_CALLS
    assert scheduler.next(0.1) == NEVER


def test_slow_targets_use_half_of_the_threads_at_most() -> None:
    names = [f"slow-{number}" for number in range(20)]
    scheduler = scheduled(*names, threads=8)
    for now in range(20):
        scheduler.ended(call_of(scheduler, 10.0 * now), 10.0 * now + SLOW)
    assert [call_of(scheduler, 300.0).target for _ in range(4)] == names[:4]
    assert scheduler.next(300.0) == NEVER
    scheduler.add("fast", "fast", 0.0)
    assert call_of(scheduler, 300.0).target == "fast"
    assert scheduler.next(300.0) == NEVER


def test_a_slow_target_that_responds_in_time_again_is_like_all_others() -> None:
    scheduler = scheduled("a")
    scheduler.ended(call_of(scheduler, 0.0), SLOW)
    slow = call_of(scheduler, 10.0)
    assert slow.doubtful
    scheduler.ended(slow, 10.1)
    assert not call_of(scheduler, 10.1).doubtful


def test_new_targets_with_the_credentials_of_slow_ones_are_slow_until_one_of_them_is_not() -> None:
    scheduler = scheduled("first", "second", group="account")
    scheduler.ended(call_of(scheduler, 0.0), SLOW)
    second = call_of(scheduler, 10.0)
    assert (second.target, second.doubtful) == ("second", True)
    scheduler.ended(second, 10.1)
    scheduler.ended(call_of(scheduler, 11.0), 11.1)
    for target in ("first", "second"):
        scheduler.remove(target)
    scheduler.add("third", "account", 0.0)
    third = call_of(scheduler, 20.0)
    assert (third.target, third.doubtful) == ("third", False)


def test_while_threads_are_busy_credentials_that_were_never_tried_get_one_call() -> None:
    scheduler = scheduled("a", "b", threads=4)
    calls = [call_of(scheduler), call_of(scheduler)]
    for target in ("x-1", "x-2", "x-3"):
        scheduler.add(target, "x", 0.0)
    scheduler.remove("a")
    scheduler.remove("b")
    first = call_of(scheduler)
    assert first.target == "x-1"
    assert scheduler.next(0.0) == NEVER
    scheduler.ended(first, 0.1)
    assert {call_of(scheduler, 0.1).target for _ in range(3)} == {"x-1", "x-2", "x-3"}
    for call in calls:
        scheduler.ended(call, 0.2)


def test_a_slow_target_is_next_after_a_number_of_turns_under_any_load(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(scheduler_module, "MAX_TURNS", 10)
    scheduler = scheduled("slow")
    scheduler.ended(call_of(scheduler, 0.0), SLOW)
    for target in ("a", "b"):
        scheduler.add(target, target, 0.0)
    order = []
    for _ in range(30):
        turn = call_of(scheduler, 10.0)
        order.append(turn.target)
        scheduler.ended(turn, 10.0 + (SLOW if turn.target == "slow" else 0.1))
    assert 2 <= order.count("slow") <= 3


class Unwalkable(dict[str, object]):
    """A dictionary that nobody may walk."""

    __iter__ = keys = values = items = None  # type: ignore[assignment]


def test_a_turn_walks_over_no_targets() -> None:
    scheduler = scheduled(*map(str, range(1000)))
    scheduler._entries = Unwalkable(scheduler._entries)  # type: ignore[assignment]
    steps = 0
    pushed = scheduler._heap

    class Counting(list[object]):
        def __iter__(self) -> None:  # type: ignore[override]
            raise AssertionError("the heap is walked")

    scheduler._heap = Counting(pushed)  # type: ignore[assignment]
    for now in range(3000):
        turn = call_of(scheduler, now / 10)
        scheduler.ended(turn, now / 10)
        steps += 1
    assert steps == 3000


@dataclass
class Account:
    """One simulated target.

    Attributes:
        number: the account.
        region: the Region.
        due: when its next call is due.
        failures: its failed calls in a row.
        polled: when each successful call started.
    """

    number: int
    region: int
    due: float
    failures: int = 0
    polled: list[float] = field(default_factory=list)


def poll(
    hangs: Callable[[Account, float], bool],
    *,
    hang_seconds: float,
    accounts: int = 100,
    regions: int = 5,
    interval: float = 60.0,
    seconds: float = 400.0,
) -> list[Account]:
    """Poll an organization with 32 threads in simulated time; return its targets.

    A call takes 60 ms. A failed call is repeated after a pause from one second to a minute.
    """
    targets = {n: Account(n % accounts, n // accounts, n * 0.02) for n in range(accounts * regions)}
    scheduler, now, free = Scheduler[int](32), 0.0, 32
    in_flight: list[tuple[float, int, Turn[int], bool]] = []
    numbers: defaultdict[int, int] = defaultdict(int)
    for number, target in targets.items():
        scheduler.add(number, target.number, target.due)
    while now < seconds:
        wait = NEVER
        while free:
            turn = scheduler.next(now)
            if not isinstance(turn, Turn):
                wait = turn
                break
            target = targets[turn.target]
            if target.due > now:
                scheduler.idle(turn, target.due)
                continue
            free, hanging = free - 1, hangs(target, now)
            target.due = now + interval
            if not hanging:
                target.polled.append(now)
            numbers[0] += 1
            heappush(in_flight, (now + (hang_seconds if hanging else 0.06), numbers[0], turn, hanging))
            scheduler.called(turn)
        end = in_flight[0][0] if in_flight else NEVER
        if now + wait < end:
            now += wait
            continue
        now, _, turn, hanging = heappop(in_flight)
        free, target = free + 1, targets[turn.target]
        target.failures = target.failures + 1 if hanging else 0
        if hanging:
            target.due = now + min(60.0, 2.0 ** (target.failures - 1)) * 0.75
        scheduler.ended(turn, now)
    return [*targets.values()]


def delay(targets: list[Account], interval: float = 60.0) -> float:
    """Return the longest delay of a poll beyond the interval."""
    return max(
        later - earlier - interval
        for target in targets
        for earlier, later in zip(target.polled, target.polled[1:], strict=False)
    )


@pytest.mark.parametrize("hang_seconds", [3.0, 5.0, 15.0])
def test_accounts_that_hang_from_the_start_delay_the_others_by_seconds(hang_seconds: float) -> None:
    targets = poll(lambda target, _: target.number % 3 == 0, hang_seconds=hang_seconds)
    others = [target for target in targets if target.number % 3]
    assert max(target.polled[0] for target in others) < 30.0
    assert delay(others) < 5.0


@pytest.mark.parametrize("interval", [30.0, 60.0])
@pytest.mark.parametrize("hang_seconds", [3.0, 5.0, 15.0])
def test_accounts_that_begin_to_hang_delay_the_others_by_less_than_an_interval(
    hang_seconds: float, interval: float
) -> None:
    targets = poll(
        lambda target, now: target.number % 3 == 0 and now > 100.0, hang_seconds=hang_seconds, interval=interval
    )
    assert delay([target for target in targets if target.number % 3], interval) < interval / 2


@pytest.mark.parametrize("hang_seconds", [3.0, 5.0])
def test_a_region_that_hangs_delays_the_other_regions_of_all_accounts_by_less_than_an_interval(
    hang_seconds: float,
) -> None:
    targets = poll(lambda target, _: target.region == 2, hang_seconds=hang_seconds)
    others = [target for target in targets if target.region != 2]
    assert max(target.polled[0] for target in others) < 30.0
    assert delay(others) < 10.0


def test_accounts_that_respond_again_are_polled_within_two_minutes() -> None:
    targets = poll(lambda target, now: target.number % 3 == 0 and now < 200.0, hang_seconds=5.0)
    assert max(target.polled[0] for target in targets) < 320.0
