"""The due call among several call sources, and the outcome of a call."""

from dataclasses import dataclass, field
from typing import Any

import pytest

from exporter.core import BraketError, UnavailableError
from exporter.polling.sources import Call, RoundRobin

AWAY = UnavailableError("connection", "no way")


@dataclass
class Scripted:
    """A source that has a call due, or waits."""

    operation: str
    wait: float = 0.0
    active: bool = True
    outcomes: list[object] = field(default_factory=list)

    def due(self, now: float) -> Call[Any] | float:
        return self.wait - now or Call(self.operation, lambda: 7, lambda: True, self.outcomes.append, self.failed)

    def failed(self, error: BraketError) -> None:
        self.outcomes.append(error)


def called(rotation: RoundRobin, times: int) -> list[str]:
    calls = [rotation.due(0.0) for _ in range(times)]
    return [call.operation for call in calls if isinstance(call, Call)]


def test_each_source_has_its_turn_after_the_one_before_it() -> None:
    assert called(RoundRobin([Scripted("A"), Scripted("B"), Scripted("C")]), 5) == ["A", "B", "C", "A", "B"]


def test_a_source_that_waits_is_passed_over_and_is_next_once_it_is_due() -> None:
    waiting = Scripted("A", wait=1.0)
    rotation = RoundRobin([waiting, Scripted("B")])
    assert called(rotation, 2) == ["B", "B"]
    waiting.wait = 0.0
    assert called(rotation, 2) == ["A", "B"]


def test_when_nothing_is_due_the_shortest_wait_counts() -> None:
    assert RoundRobin([Scripted("A", wait=3.0), Scripted("B", wait=2.0)]).due(0.0) == 2.0


def test_a_source_that_is_not_active_is_not_offered_and_its_operation_is_not_called() -> None:
    rotation = RoundRobin([Scripted("A"), Scripted("B", active=False)])
    assert (called(rotation, 2), rotation.operations) == (["A", "A"], ("A",))


def refuse() -> object:
    raise AWAY


@pytest.mark.parametrize(("make", "outcome"), [(lambda: 7, 7), (refuse, AWAY)])
def test_a_call_records_its_response_or_its_error_only_on_request(make: Any, outcome: object) -> None:
    source = Scripted("A")
    take_in = Call("A", make, lambda: True, source.outcomes.append, source.failed).outcome()
    assert source.outcomes == []
    take_in()
    assert source.outcomes == [outcome]
