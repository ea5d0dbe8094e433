"""How many connections there may be, and which one makes room."""

import resource
from dataclasses import dataclass

import pytest

from exporter.web.http.crowd import connection_limit, longest_waiting


@dataclass
class Member:
    responding: bool
    changed_at: float
    evicted: bool = False


def idle(since: float, *, evicted: bool = False) -> Member:
    return Member(responding=False, changed_at=since, evicted=evicted)


def busy(since: float) -> Member:
    return Member(responding=True, changed_at=since)


@pytest.mark.parametrize(
    ("descriptors", "connections"),
    [
        (1_048_576, 512),
        (resource.RLIM_INFINITY, 512),
        (1024, 512),
        (256, 128),
        (160, 40),
        (64, 16),
        (3, 1),
        (0, 1),
    ],
)
def test_connections_leave_descriptors_to_others(descriptors: int, connections: int) -> None:
    assert connection_limit(descriptors) == connections


def test_the_oldest_idle_connection_makes_room() -> None:
    connections = {"new": idle(3.0), "old": idle(2.0), "busy": busy(1.0)}
    assert longest_waiting(connections, 8) == "old"


def test_when_nearly_all_are_responding_the_slowest_reader_makes_room_for_probes() -> None:
    crowd = {f"busy {number}": busy(float(number)) for number in range(15)}
    assert longest_waiting({**crowd, "probe": idle(0.0)}, 16) == "busy 0"
    del crowd["busy 0"]
    assert longest_waiting({**crowd, "probe": idle(0.0)}, 16) == "probe"


def test_without_idle_connections_the_slowest_reader_makes_room() -> None:
    assert longest_waiting({"new": busy(2.0), "old": busy(1.0)}, 64) == "old"


def test_a_connection_that_is_being_closed_is_not_closed_again() -> None:
    connections = {"old": idle(1.0, evicted=True), "new": idle(2.0)}
    assert longest_waiting(connections, 2) == "new"
    assert longest_waiting({"old": connections["old"]}, 2) is None
