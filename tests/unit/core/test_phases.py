"""The time from the creation of a job to its end, divided by its events."""

from math import isclose
from typing import Any

import pytest
from builders import CREATED, finished
from hypothesis import given
from hypothesis import strategies as st

from exporter.core.jobs import EVENT_TYPES, EventKey
from exporter.core.phases import PHASES, phase_seconds


def at(*events: tuple[str | None, float | None]) -> list[EventKey]:
    return [EventKey(kind, None if offset is None else CREATED + offset) for kind, offset in events]


RECORDED = at(
    ("STARTING_INSTANCE", 1.5),
    ("DOWNLOADING_DATA", 42.75),
    ("RUNNING", 84.0),
    ("UPLOADING_RESULTS", 109.5),
    ("COMPLETED", 122.25),
)
"""The events of a job on a simulator, which started with DOWNLOADING_DATA."""


def test_the_phases_of_a_usual_job_follow_its_events() -> None:
    job = finished(started=CREATED + 42.75, ended=CREATED + 122.25)
    assert phase_seconds(job, RECORDED) == {
        "queued": 1.5,
        "starting": 41.25,
        "downloading": 41.25,
        "running": 25.5,
        "uploading": 12.75,
    }


@given(st.permutations(RECORDED), st.lists(st.sampled_from(RECORDED)))
def test_the_order_of_events_and_repeated_ones_do_not_matter(events: list[EventKey], again: list[EventKey]) -> None:
    job = finished(started=CREATED + 42.75, ended=CREATED + 122.25)
    assert phase_seconds(job, [*events, *again]) == phase_seconds(job, RECORDED)


@pytest.mark.parametrize(
    ("started", "events", "expected"),
    [
        (None, (), {"queued": 120.0}),
        (40.0, (), {"queued": 40.0, "running": 80.0}),
        (40.0, (("RUNNING", 60.0),), {"queued": 40.0, "downloading": 20.0, "running": 60.0}),
        (40.0, (("STARTING_INSTANCE", 5.0),), {"queued": 5.0, "starting": 35.0, "running": 80.0}),
        (None, (("UPLOADING_RESULTS", 110.0),), {"queued": 110.0, "uploading": 10.0}),
        (None, (("RUNNING", None), (None, 9.0), ("A_NEW_TYPE", 10.0)), {"queued": 120.0}),
        (None, (("MAX_RUNTIME_EXCEEDED", 90.0), ("CANCELLED", 100.0)), {"queued": 120.0}),
        (None, (("QUEUED_FOR_EXECUTION", -3.0), ("RUNNING", 500.0)), {"queued": 120.0, "running": 0.0}),
        (
            None,
            (("DOWNLOADING_DATA", 7.0), ("STARTING_INSTANCE", 7.0)),
            {"queued": 7.0, "starting": 0.0, "downloading": 113.0},
        ),
        (
            10.0,
            (
                ("DOWNLOADING_DATA", 10.0),
                ("RUNNING", 20.0),
                ("DEPRIORITIZED_DUE_TO_INACTIVITY", 50.0),
                ("WAITING_FOR_PRIORITY", 55.0),
                ("RUNNING", 70.0),
                ("RUNNING", 80.0),
            ),
            {"queued": 25.0, "downloading": 10.0, "running": 80.0, "deprioritized": 5.0},
        ),
    ],
)
def test_a_phase_lasts_from_its_event_to_the_next(
    started: float | None, events: tuple[tuple[str | None, float | None], ...], expected: dict[str, float]
) -> None:
    job = finished(started=None if started is None else CREATED + started)
    assert phase_seconds(job, at(*events)) == expected


@pytest.mark.parametrize("missing", [{"created": None}, {"ended": None}, {"ended": CREATED - 1.0}])
def test_a_job_without_a_valid_creation_and_end_has_no_phases(missing: dict[str, Any]) -> None:
    assert phase_seconds(finished(**missing), RECORDED) == {}


OFFSETS = st.none() | st.floats(-50.0, 500.0)
ANY_EVENTS = st.lists(st.tuples(st.none() | st.sampled_from([*EVENT_TYPES, "A_NEW_TYPE"]), OFFSETS), max_size=25)


@given(ANY_EVENTS, OFFSETS, st.floats(0.0, 400.0))
def test_the_phases_add_up_to_the_time_from_creation_to_end(
    events: list[tuple[str | None, float | None]], started: float | None, life: float
) -> None:
    job = finished(started=None if started is None else CREATED + started, ended=CREATED + life)
    seconds = phase_seconds(job, at(*events))
    assert isclose(sum(seconds.values()), (CREATED + life) - CREATED, abs_tol=1e-4)
    assert set(seconds) <= set(PHASES)
    assert min(seconds.values()) >= 0.0
