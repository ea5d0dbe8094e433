"""What goes to the state file and comes from it."""

from dataclasses import replace

import pytest
from builders import ARN, CREATED, arn, event, finished, record, snapshot
from hypothesis import given
from hypothesis import strategies as st

from exporter.core import JobRecord
from exporter.metrics import Histogram, Totals
from exporter.storage.persistence import Entry, SavedState, Tombstone, check_record, mark_of

SERIES = ("braket_job_outcomes_total", ("1", "r", "d", "COMPLETED"))


def test_a_mark_survives_a_release() -> None:
    assert mark_of(ARN) == 8384326301177218658
    assert mark_of(arn(1)) == 3026104111018134994
    assert mark_of("") == -1970711489451281740


@given(st.text())
def test_a_mark_is_a_number_that_a_file_can_hold(text: str) -> None:
    assert -(2**63) <= mark_of(text) < 2**63


def test_marks_tell_jobs_apart_and_take_all_of_the_range() -> None:
    marks = [mark_of(arn(number)) for number in range(20_000)]
    assert len({*marks}) == 20_000
    assert min(marks) < -(2**62)
    assert max(marks) > 2**62


def test_an_entry_without_anything_new_is_none() -> None:
    assert not Entry()
    assert not Entry([], [], {}, Totals())


@pytest.mark.parametrize(
    "entry",
    [
        Entry([record(snapshot())]),
        Entry(gone=[ARN]),
        Entry(tombstones={1: Tombstone(CREATED, None)}),
        Entry(tombstones={1: None}),
        Entry(totals=Totals({SERIES: 0.0})),
        Entry(totals=Totals({}, {SERIES: Histogram((0,))})),
    ],
)
def test_an_entry_with_anything_new_is_one(entry: Entry) -> None:
    assert entry


def test_a_past_and_an_origin_are_empty_unless_they_tell_something() -> None:
    assert SavedState(CREATED) == SavedState(CREATED, 0, {}, {}, 0.0)
    assert replace(SavedState(CREATED), baselines={"lane": 1.0}).baselines == {"lane": 1.0}
    assert Tombstone(CREATED, None) == (CREATED, None, "")


@pytest.mark.parametrize("sound", [JobRecord(ARN), record(finished()), record(snapshot(), baseline_at=CREATED)])
def test_a_record_of_ours_is_sound(sound: JobRecord) -> None:
    check_record(sound)


@pytest.mark.parametrize(
    ("bad", "error"),
    [
        (JobRecord("job"), "not a job ARN"),
        (replace(record(snapshot()), arn=arn(9)), "has the ARN of another job"),
        (record(snapshot(), polled_at=float("nan")), "outside the years"),
        (record(snapshot(), baseline_at=float("inf")), "outside the years"),
        (record(snapshot(created=-1e18)), "outside the years"),
        (record(snapshot(started=1e18)), "outside the years"),
        (record(finished(ended=float("inf"))), "outside the years"),
        (record(snapshot(events=(event("RUNNING", 1e18),))), "outside the years"),
        (record(snapshot(max_runtime_seconds=10**400)), "an amount is not valid: 1000"),
        (record(snapshot(instance_count=-1)), "an amount is not valid: -1"),
        (record(finished(billable_seconds=float("nan"))), "an amount is not valid: nan"),
    ],
)
def test_a_record_that_could_not_be_served_is_none_of_ours(bad: JobRecord, error: str) -> None:
    with pytest.raises(ValueError, match=error):
        check_record(bad)
