"""What is remembered of forgotten jobs, and for how long."""

from collections.abc import Sequence

from builders import arn, record, snapshot
from hypothesis import given
from hypothesis import strategies as st

from exporter.storage.persistence import Tombstone, mark_of
from exporter.storage.tombstones import Tombstones

A, B, C = arn(1), arn(2), arn(3)


def buried(*jobs: tuple[str, float, str]) -> Tombstones:
    tombstones = Tombstones()
    for job, created, config in jobs:
        tombstones.add(job, Tombstone(created, None, config))
    return tombstones


def test_a_buried_job_has_a_tombstone_and_another_has_none() -> None:
    tombstones = buried((A, 10.0, "west"))
    assert tombstones.get(A) == Tombstone(10.0, None, "west")
    assert tombstones.entry(A) == {mark_of(A): Tombstone(10.0, None, "west")}
    assert (tombstones.get(B), tombstones.entry(B)) == (None, {})


def test_a_tombstone_is_taken_once() -> None:
    tombstones = buried((A, 10.0, "west"))
    assert (tombstones.remove(A), tombstones.remove(A)) == (mark_of(A), None)
    assert tombstones.all() == {}


def test_the_tombstones_of_a_lane_are_pruned_by_creation_and_raise_the_floor() -> None:
    tombstones = buried((A, 10.0, "west"), (B, 20.0, "west"), (C, 5.0, "north"))
    assert (tombstones.prune("west", 10.0), tombstones.floor) == ([], 0.0)
    assert (tombstones.prune("west", 20.5), tombstones.floor) == ([mark_of(A), mark_of(B)], 20.0)
    assert tombstones.all() == {mark_of(C): Tombstone(5.0, None, "north")}
    assert (tombstones.prune("north", 6.0), tombstones.floor) == ([mark_of(C)], 20.0)


def test_a_job_that_was_buried_again_is_pruned_by_its_last_tombstone() -> None:
    tombstones = buried((A, 10.0, "west"))
    tombstones.add(A, Tombstone(30.0, record(snapshot()), "north"))
    assert tombstones.prune("west", 100.0) == []
    assert tombstones.prune("north", 100.0) == [mark_of(A)]


def test_tombstones_that_change_hands_are_pruned_with_the_others_of_their_lane() -> None:
    tombstones = buried((A, 10.0, "west"), (B, 20.0, "north"))
    assert [*tombstones.change_owner("west", "west")] == []
    assert [*tombstones.change_owner("south", "west")] == []
    assert [*tombstones.change_owner("west", "north")] == [{mark_of(A): Tombstone(10.0, None, "north")}]
    assert tombstones.prune("west", 100.0) == []
    assert tombstones.prune("north", 100.0) == [mark_of(A), mark_of(B)]


def test_many_tombstones_change_hands_in_batches() -> None:
    tombstones = buried(*((arn(number), float(number), "west") for number in range(1100)))
    batches = tombstones.change_owner("west", "north")
    assert len(next(batches)) == 512
    tombstones.add(arn(2000), Tombstone(5.5, None, "west"))
    assert [len(batch) for batch in batches] == [512, 77]
    assert {tombstone.owner for tombstone in tombstones.all().values()} == {"north"}
    assert len(tombstones.prune("north", 10.0)) == 11


def test_tombstones_of_lanes_that_are_no_more_are_pruned_for_them() -> None:
    tombstones = buried((A, 10.0, "west"), (B, 10.0, "north"), (C, 30.0, "west"))
    assert tombstones.prune_all_but({"north": 0.0}, 20.0) == [mark_of(A)]
    assert tombstones.all().keys() == {mark_of(B), mark_of(C)}


def test_tombstones_and_floor_of_before_a_restart_go_on() -> None:
    tombstones = Tombstones({mark_of(A): Tombstone(10.0, None, "west")}, 5.0)
    assert (tombstones.get(A), tombstones.floor) == (Tombstone(10.0, None, "west"), 5.0)
    assert tombstones.prune("west", 11.0) == [mark_of(A)]


@given(
    jobs=st.lists(st.tuples(st.integers(0, 9), st.floats(0, 100), st.sampled_from("wn")), max_size=30),
    before=st.floats(0, 100),
)
def test_after_a_prune_each_job_has_a_tombstone_or_is_not_above_the_floor(
    jobs: Sequence[tuple[int, float, str]], before: float
) -> None:
    tombstones = buried(*((arn(number), created, config) for number, created, config in jobs))
    last = {number: (created, config) for number, created, config in jobs}
    tombstones.prune("w", before)
    for number, (created, config) in last.items():
        kept = tombstones.get(arn(number)) is not None
        assert kept is not (config == "w" and created < before)
        assert kept or created <= tombstones.floor
