"""The priority queue of the jobs that wait for GetJob."""

from collections.abc import Iterable
from dataclasses import replace

import pytest
from builders import arn
from hypothesis import given, settings
from hypothesis import strategies as st
from profiles import examples

from exporter.polling.job_queue import JobQueue
from exporter.polling.schedule import JobSchedule, Priority, Rank

CHANGED, NEW, DUE, REFRESH, BACKFILL = Priority


def schedule(number: int, due: float = 0.0, priority: Priority = REFRESH, order: Rank = (0, 0.0)) -> JobSchedule:
    return JobSchedule(arn(number), due=due, responded_at=0.0, priority=priority, order=order)


def queue_of(*schedules: JobSchedule) -> JobQueue:
    job_queue = JobQueue()
    for one in schedules:
        job_queue.put(one)
    return job_queue


def emptied(job_queue: JobQueue, now: float = 100.0, *, turn: Priority = DUE) -> list[str]:
    """Poll one job after the other; return the last digits of their ARNs."""
    polled = []
    while (next_one := job_queue.due(now, turn=turn)) is not None:
        job_queue.remove(next_one.arn)
        polled.append(next_one.arn[-2:].lstrip("0"))
    return polled


def test_an_empty_queue_has_nothing_due_ever() -> None:
    job_queue = JobQueue()
    assert (len(job_queue), [*job_queue], job_queue.due(1e9), job_queue.next_due()) == (0, [], None, float("inf"))
    assert job_queue.get(arn(1)) is None


def test_the_job_that_is_due_first_is_polled_first() -> None:
    assert emptied(queue_of(schedule(1, 9.0), schedule(2, 3.0), schedule(3, 5.0))) == ["2", "3", "1"]


def test_among_equals_the_one_that_was_put_first_is_polled_first() -> None:
    assert emptied(queue_of(schedule(2), schedule(1), schedule(3))) == ["2", "1", "3"]


def test_nothing_is_polled_before_its_time() -> None:
    job_queue = queue_of(schedule(1, 9.0), schedule(2, 3.0))
    assert job_queue.due(2.999) is None
    assert job_queue.due(3.0) == schedule(2, 3.0)
    assert job_queue.next_due() == 3.0


def test_what_is_due_stays_in_the_queue_until_it_is_removed() -> None:
    job_queue = queue_of(schedule(1))
    assert job_queue.due(0.0) == schedule(1)
    assert job_queue.due(0.0) == schedule(1)
    assert job_queue.get(arn(1)) == schedule(1)
    job_queue.remove(arn(1))
    assert job_queue.due(0.0) is None
    assert job_queue.get(arn(1)) is None


def test_a_job_that_is_not_in_the_queue_can_be_removed() -> None:
    job_queue = queue_of(schedule(1))
    job_queue.remove(arn(2))
    assert [*job_queue] == [schedule(1)]


@pytest.mark.parametrize(
    ("before", "after"),
    [(CHANGED, NEW), (CHANGED, REFRESH), (NEW, DUE), (NEW, REFRESH), (DUE, REFRESH), (DUE, BACKFILL)],
)
def test_what_is_more_urgent_goes_first_however_long_the_other_waits(before: Priority, after: Priority) -> None:
    assert emptied(queue_of(schedule(1, 0.0, after), schedule(2, 99.0, before))) == ["2", "1"]


def test_what_is_more_urgent_but_not_due_holds_nothing_up() -> None:
    job_queue = queue_of(
        schedule(1, 50.0, CHANGED), schedule(2, 40.0, DUE), schedule(3, 30.0, REFRESH), schedule(4, 0.0, BACKFILL)
    )
    job_queue.put(schedule(5, 45.0, NEW))
    assert job_queue.due(29.0) == schedule(4, 0.0, BACKFILL)
    assert job_queue.due(30.0) == schedule(3, 30.0, REFRESH)
    assert job_queue.due(40.0) == schedule(2, 40.0, DUE)
    assert job_queue.due(45.0) == schedule(5, 45.0, NEW)
    assert job_queue.due(50.0) == schedule(1, 50.0, CHANGED)


@pytest.mark.parametrize(
    ("turn", "order"), [(DUE, ["3", "2", "1"]), (REFRESH, ["2", "3", "1"]), (BACKFILL, ["1", "3", "2"])]
)
def test_each_priority_that_the_rate_limit_may_not_suffice_for_goes_first_in_turn(
    turn: Priority, order: list[str]
) -> None:
    assert emptied(queue_of(schedule(1, 0.0, BACKFILL), schedule(2), schedule(3, 9.0, DUE)), turn=turn) == order


@pytest.mark.parametrize("turn", [DUE, REFRESH, BACKFILL])
def test_the_turn_does_not_matter_for_changed_and_new_jobs(turn: Priority) -> None:
    job_queue = queue_of(
        schedule(1, 0.0, BACKFILL), schedule(2), schedule(3, 9.0, DUE), schedule(4, 9.0, CHANGED), schedule(5, 9.0, NEW)
    )
    assert emptied(job_queue, turn=turn)[:2] == ["4", "5"]


@pytest.mark.parametrize("turn", [DUE, REFRESH, BACKFILL])
def test_the_turn_leaves_no_job_out(turn: Priority) -> None:
    for one in (schedule(1), schedule(1, 0.0, BACKFILL), schedule(1, 0.0, DUE)):
        assert queue_of(one).due(0.0, turn=turn) == one


def test_finished_jobs_are_polled_by_their_order_and_not_by_when_they_were_put() -> None:
    orders = [(1, -50.0), (1, -70.0), (0, -20.0), (0, -30.0)]
    job_queue = queue_of(*(schedule(number, 5.0 - number, BACKFILL, order) for number, order in enumerate(orders, 1)))
    assert emptied(job_queue) == ["4", "3", "2", "1"]


def test_a_watch_takes_the_place_of_the_one_that_its_job_had() -> None:
    job_queue = queue_of(schedule(1, 3.0), schedule(2, 5.0), schedule(1, 9.0))
    assert len(job_queue) == 2
    assert job_queue.get(arn(1)) == schedule(1, 9.0)
    assert job_queue.next_due() == 5.0
    assert emptied(job_queue) == ["2", "1"]


def test_a_schedule_that_becomes_more_urgent_is_polled_once() -> None:
    job_queue = queue_of(schedule(1, 3.0), schedule(2, 1.0))
    job_queue.put(schedule(1, 3.0, CHANGED))
    assert emptied(job_queue) == ["1", "2"]


def test_a_watch_that_changes_in_what_does_not_matter_keeps_its_place() -> None:
    job_queue = queue_of(schedule(1), schedule(2))
    job_queue.put(replace(schedule(1), listed_at=7.0, listed_status="RUNNING"))
    assert job_queue.due(0.0) == replace(schedule(1), listed_at=7.0, listed_status="RUNNING")
    assert emptied(job_queue) == ["1", "2"]


def test_a_job_that_was_removed_and_put_back_is_polled_at_its_new_time() -> None:
    job_queue = queue_of(schedule(1, 3.0))
    job_queue.remove(arn(1))
    job_queue.put(schedule(1, 50.0))
    assert job_queue.due(49.0) is None
    assert job_queue.next_due() == 50.0
    job_queue.remove(arn(1))
    job_queue.put(schedule(1, 3.0))
    assert emptied(job_queue) == ["1"]


def test_all_watches_can_be_gone_through() -> None:
    schedules = [schedule(1, 5.0), schedule(2, 3.0, DUE), schedule(3, 4.0, BACKFILL)]
    assert [*queue_of(*schedules)] == schedules


def test_a_watch_that_is_put_off_again_and_again_leaves_nothing_behind() -> None:
    job_queue = queue_of(schedule(1, 1e9))
    for due in range(1000):
        job_queue.put(schedule(2, float(due)))
        assert job_queue.next_due() == due
    assert sum(len(heap) for heap in job_queue._heaps.values()) == 2


DUES = st.integers(0, 12).map(float)
SCHEDULES = st.builds(
    schedule,
    st.integers(0, 7),
    DUES,
    st.sampled_from([CHANGED, NEW, DUE, REFRESH]),
) | st.builds(schedule, st.integers(0, 7), st.just(0.0), st.just(BACKFILL), st.tuples(st.integers(0, 1), DUES))
"""A finished job that was never polled is due since it was discovered."""

STEPS = st.lists(SCHEDULES | st.integers(0, 7), max_size=60)
"""A watch is put, a number taken off."""


@settings(max_examples=examples(300))
@given(steps=STEPS, now=DUES, turn=st.sampled_from([DUE, REFRESH, BACKFILL]))
def test_whatever_happened_the_most_urgent_due_watch_is_next(
    steps: Iterable[JobSchedule | int],
    now: float,
    turn: Priority,
) -> None:
    job_queue, known = JobQueue(), dict[str, JobSchedule]()
    for step in steps:
        if isinstance(step, JobSchedule):
            job_queue.put(step)
            known[step.arn] = step
        else:
            job_queue.remove(arn(step))
            known.pop(arn(step), None)
        assert_next(job_queue, known.values(), now, turn)
        assert (len(job_queue), {one.arn: one for one in job_queue}) == (len(known), known)


def assert_next(job_queue: JobQueue, known: Iterable[JobSchedule], now: float, turn: Priority) -> None:
    groups = [CHANGED, NEW, turn, *(other for other in (DUE, REFRESH, BACKFILL) if other is not turn)]
    best = min(((groups.index(one.priority), one.rank) for one in known if one.due <= now), default=None)
    found = job_queue.due(now, turn=turn)
    assert (None if found is None else (groups.index(found.priority), found.rank)) == best
    assert found is None or job_queue.get(found.arn) == found
    assert job_queue.next_due() == min((one.due for one in known), default=float("inf"))
