"""Which job is asked for next."""

from collections.abc import Iterable
from dataclasses import replace

import pytest
from builders import arn
from hypothesis import given, settings
from hypothesis import strategies as st
from profiles import examples

from exporter.polling.job_queue import Agenda
from exporter.polling.schedule import Rank, Urgency, Watch

CHANGED, NEW, DUE, REFRESH, FILL = Urgency


def watch(number: int, due: float = 0.0, urgency: Urgency = REFRESH, order: Rank = (0, 0.0)) -> Watch:
    return Watch(arn(number), due=due, answered=0.0, urgency=urgency, order=order)


def agenda_of(*watches: Watch) -> Agenda:
    agenda = Agenda()
    for one in watches:
        agenda.put(one)
    return agenda


def emptied(agenda: Agenda, now: float = 100.0, *, turn: Urgency = DUE) -> list[str]:
    """Ask for one job after the other; return the last digits of their ARNs."""
    asked = []
    while (next_one := agenda.due(now, turn=turn)) is not None:
        agenda.remove(next_one.arn)
        asked.append(next_one.arn[-2:].lstrip("0"))
    return asked


def test_an_empty_agenda_has_nothing_due_ever() -> None:
    agenda = Agenda()
    assert (len(agenda), [*agenda], agenda.due(1e9), agenda.next_due()) == (0, [], None, float("inf"))
    assert agenda.get(arn(1)) is None


def test_the_job_that_is_due_first_is_asked_first() -> None:
    assert emptied(agenda_of(watch(1, 9.0), watch(2, 3.0), watch(3, 5.0))) == ["2", "3", "1"]


def test_among_equals_the_one_that_was_put_first_is_asked_first() -> None:
    assert emptied(agenda_of(watch(2), watch(1), watch(3))) == ["2", "1", "3"]


def test_nothing_is_asked_before_its_time() -> None:
    agenda = agenda_of(watch(1, 9.0), watch(2, 3.0))
    assert agenda.due(2.999) is None
    assert agenda.due(3.0) == watch(2, 3.0)
    assert agenda.next_due() == 3.0


def test_what_is_due_stays_on_the_agenda_until_it_is_taken_off() -> None:
    agenda = agenda_of(watch(1))
    assert agenda.due(0.0) == watch(1)
    assert agenda.due(0.0) == watch(1)
    assert agenda.get(arn(1)) == watch(1)
    agenda.remove(arn(1))
    assert agenda.due(0.0) is None
    assert agenda.get(arn(1)) is None


def test_a_job_that_is_not_on_the_agenda_can_be_taken_off() -> None:
    agenda = agenda_of(watch(1))
    agenda.remove(arn(2))
    assert [*agenda] == [watch(1)]


@pytest.mark.parametrize(
    ("before", "after"),
    [(CHANGED, NEW), (CHANGED, REFRESH), (NEW, DUE), (NEW, REFRESH), (DUE, REFRESH), (DUE, FILL)],
)
def test_what_is_more_urgent_goes_first_however_long_the_other_waits(before: Urgency, after: Urgency) -> None:
    assert emptied(agenda_of(watch(1, 0.0, after), watch(2, 99.0, before))) == ["2", "1"]


def test_what_is_more_urgent_but_not_due_holds_nothing_up() -> None:
    agenda = agenda_of(watch(1, 50.0, CHANGED), watch(2, 40.0, DUE), watch(3, 30.0, REFRESH), watch(4, 0.0, FILL))
    agenda.put(watch(5, 45.0, NEW))
    assert agenda.due(29.0) == watch(4, 0.0, FILL)
    assert agenda.due(30.0) == watch(3, 30.0, REFRESH)
    assert agenda.due(40.0) == watch(2, 40.0, DUE)
    assert agenda.due(45.0) == watch(5, 45.0, NEW)
    assert agenda.due(50.0) == watch(1, 50.0, CHANGED)


@pytest.mark.parametrize(
    ("turn", "order"), [(DUE, ["3", "2", "1"]), (REFRESH, ["2", "3", "1"]), (FILL, ["1", "3", "2"])]
)
def test_what_the_budget_may_not_suffice_for_goes_first_in_turn(turn: Urgency, order: list[str]) -> None:
    assert emptied(agenda_of(watch(1, 0.0, FILL), watch(2), watch(3, 9.0, DUE)), turn=turn) == order


@pytest.mark.parametrize("turn", [DUE, REFRESH, FILL])
def test_whose_turn_it_is_changes_nothing_for_what_changed_and_what_is_new(turn: Urgency) -> None:
    agenda = agenda_of(watch(1, 0.0, FILL), watch(2), watch(3, 9.0, DUE), watch(4, 9.0, CHANGED), watch(5, 9.0, NEW))
    assert emptied(agenda, turn=turn)[:2] == ["4", "5"]


@pytest.mark.parametrize("turn", [DUE, REFRESH, FILL])
def test_whose_turn_it_is_leaves_nothing_out(turn: Urgency) -> None:
    for one in (watch(1), watch(1, 0.0, FILL), watch(1, 0.0, DUE)):
        assert agenda_of(one).due(0.0, turn=turn) == one


def test_finished_jobs_are_asked_for_by_their_order_and_not_by_when_they_were_put() -> None:
    orders = [(1, -50.0), (1, -70.0), (0, -20.0), (0, -30.0)]
    agenda = agenda_of(*(watch(number, 5.0 - number, FILL, order) for number, order in enumerate(orders, 1)))
    assert emptied(agenda) == ["4", "3", "2", "1"]


def test_a_watch_takes_the_place_of_the_one_that_its_job_had() -> None:
    agenda = agenda_of(watch(1, 3.0), watch(2, 5.0), watch(1, 9.0))
    assert len(agenda) == 2
    assert agenda.get(arn(1)) == watch(1, 9.0)
    assert agenda.next_due() == 5.0
    assert emptied(agenda) == ["2", "1"]


def test_a_watch_that_becomes_more_urgent_is_asked_once() -> None:
    agenda = agenda_of(watch(1, 3.0), watch(2, 1.0))
    agenda.put(watch(1, 3.0, CHANGED))
    assert emptied(agenda) == ["1", "2"]


def test_a_watch_that_changes_in_what_does_not_matter_keeps_its_place() -> None:
    agenda = agenda_of(watch(1), watch(2))
    agenda.put(replace(watch(1), told=7.0, listed="RUNNING"))
    assert agenda.due(0.0) == replace(watch(1), told=7.0, listed="RUNNING")
    assert emptied(agenda) == ["1", "2"]


def test_a_job_that_was_taken_off_and_put_back_is_asked_at_its_new_time() -> None:
    agenda = agenda_of(watch(1, 3.0))
    agenda.remove(arn(1))
    agenda.put(watch(1, 50.0))
    assert agenda.due(49.0) is None
    assert agenda.next_due() == 50.0
    agenda.remove(arn(1))
    agenda.put(watch(1, 3.0))
    assert emptied(agenda) == ["1"]


def test_all_watches_can_be_gone_through() -> None:
    watches = [watch(1, 5.0), watch(2, 3.0, DUE), watch(3, 4.0, FILL)]
    assert [*agenda_of(*watches)] == watches


def test_a_watch_that_is_put_off_again_and_again_leaves_nothing_behind() -> None:
    agenda = agenda_of(watch(1, 1e9))
    for due in range(1000):
        agenda.put(watch(2, float(due)))
        assert agenda.next_due() == due
    assert sum(len(heap) for heap in agenda._heaps.values()) == 2


DUES = st.integers(0, 12).map(float)
WATCHES = st.builds(
    watch,
    st.integers(0, 7),
    DUES,
    st.sampled_from([CHANGED, NEW, DUE, REFRESH]),
) | st.builds(watch, st.integers(0, 7), st.just(0.0), st.just(FILL), st.tuples(st.integers(0, 1), DUES))
"""A finished job that was never asked for is due since it was found."""

STEPS = st.lists(WATCHES | st.integers(0, 7), max_size=60)
"""A watch is put, a number taken off."""


@settings(max_examples=examples(300))
@given(steps=STEPS, now=DUES, turn=st.sampled_from([DUE, REFRESH, FILL]))
def test_whatever_happened_the_most_urgent_due_watch_is_next(
    steps: Iterable[Watch | int],
    now: float,
    turn: Urgency,
) -> None:
    agenda, known = Agenda(), dict[str, Watch]()
    for step in steps:
        if isinstance(step, Watch):
            agenda.put(step)
            known[step.arn] = step
        else:
            agenda.remove(arn(step))
            known.pop(arn(step), None)
        assert_next(agenda, known.values(), now, turn)
        assert (len(agenda), {one.arn: one for one in agenda}) == (len(known), known)


def assert_next(agenda: Agenda, known: Iterable[Watch], now: float, turn: Urgency) -> None:
    groups = [CHANGED, NEW, turn, *(other for other in (DUE, REFRESH, FILL) if other is not turn)]
    best = min(((groups.index(one.urgency), one.rank) for one in known if one.due <= now), default=None)
    found = agenda.due(now, turn=turn)
    assert (None if found is None else (groups.index(found.urgency), found.rank)) == best
    assert found is None or agenda.get(found.arn) == found
    assert agenda.next_due() == min((one.due for one in known), default=float("inf"))
