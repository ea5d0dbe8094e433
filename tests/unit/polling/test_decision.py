"""The effect of a SearchJobs page on one job."""

from dataclasses import replace
from typing import Any

import pytest
from builders import ARN, CREATED, finished, record, snapshot
from hypothesis import given
from hypothesis import strategies as st

from exporter.core import QUEUE, JobRecord, JobSummary, Selector
from exporter.core.selector import TagRule
from exporter.polling.decision import Ignore, Known, LetGo, Seen, TakeUp, decide
from exporter.polling.policy import Retention
from exporter.polling.schedule import JobSchedule, Priority
from exporter.polling.selection import Era, Selection
from exporter.storage import Tombstone

ENDED = CREATED + 120.0
USUAL, FAILED = 1000.0, 5000.0
REQUESTED_AT, NOW, WALL = 4999.5, 5000.0, CREATED + 200.0

BEFORE = CREATED - 1.0
"""A start before the job was created: the job is new."""

AFTER = CREATED + 1.0
"""A start after the job was created: the job is part of the baseline."""

CHEMISTRY = Selector((TagRule("team", frozenset({"chemistry"})),))
ACTIVE = ["QUEUED", "RUNNING", "CANCELLING", "PAUSED"]
TERMINAL = ["COMPLETED", "FAILED", "CANCELLED"]
RUNNING = record(snapshot(), configured=False)


def listed(status: str | None = "RUNNING", **members: Any) -> JobSummary:
    """Return a selected job, as on a page."""
    usual: dict[str, Any] = {
        "name": "vqe",
        "created": CREATED,
        "started": None,
        "ended": ENDED if status in TERMINAL else None,
        "tags": {"team": "chemistry"},
    }
    return JobSummary(ARN, status=status, **{**usual, **members})


def known(since: float = AFTER, **members: Any) -> Known:
    """Return the state of a job that is not stored, unless the members say otherwise."""
    selection = Selection("mine", (Era(since, CHEMISTRY),))
    return Known(selection=selection, retention=Retention(USUAL, FAILED), **members)


def watched(**members: Any) -> Known:
    """Return the state of a job that the target discovered and polled."""
    schedule = JobSchedule(ARN, due=NOW + 20.0, responded_at=NOW - 10.0)
    return known(**{"stored": True, "discovered": True, "schedule": schedule, "record": RUNNING, **members})


def meaning(job: JobSummary, state: Known, wall: float = WALL) -> Ignore | TakeUp | Seen | LetGo:
    return decide(job, state, requested_at=REQUESTED_AT, now=NOW, wall=wall)


# A job that is not stored.


@pytest.mark.parametrize("status", [*ACTIVE, *TERMINAL])
@pytest.mark.parametrize("since", [BEFORE, AFTER])
def test_a_job_that_is_not_selected_is_ignored(status: str, since: float) -> None:
    assert meaning(listed(status, tags={"team": "physics"}), known(since)) == Ignore()


@pytest.mark.parametrize("status", ACTIVE)
@pytest.mark.parametrize(("since", "priority"), [(BEFORE, Priority.CHANGED), (AFTER, Priority.NEW)])
@pytest.mark.parametrize("ended", [None, ENDED])
def test_an_active_job_is_taken_up_however_old_it_is(
    status: str, since: float, priority: Priority, ended: float | None
) -> None:
    expected = JobRecord(ARN, first_listed_status=status, configured=False, baseline_at=since, owner="mine")
    job = listed(status, ended=ended)
    assert meaning(job, known(since), wall=CREATED + 1e9) == TakeUp(expected, priority)


@pytest.mark.parametrize(("status", "kept"), [("COMPLETED", USUAL), ("CANCELLED", USUAL), ("FAILED", FAILED)])
@pytest.mark.parametrize("since", [CREATED, AFTER])
def test_a_job_that_ended_before_the_start_is_taken_up_while_its_series_would_be_kept(
    status: str, kept: float, since: float
) -> None:
    expected = JobRecord(ARN, configured=False, baseline_at=since, owner="mine")
    assert meaning(listed(status), known(since), wall=ENDED + kept - 0.1) == TakeUp(expected, Priority.BACKFILL)
    assert meaning(listed(status), known(since), wall=ENDED + kept) == Ignore()


def test_a_finished_job_without_an_end_time_is_taken_up() -> None:
    expected = JobRecord(ARN, configured=False, baseline_at=AFTER, owner="mine")
    job = listed("COMPLETED", ended=None)
    assert meaning(job, known(), wall=CREATED + 1e9) == TakeUp(expected, Priority.BACKFILL)


@pytest.mark.parametrize("status", TERMINAL)
def test_a_new_job_that_has_ended_is_taken_up_however_late_it_is_discovered(status: str) -> None:
    expected = JobRecord(ARN, configured=False, baseline_at=BEFORE, owner="mine")
    assert meaning(listed(status), known(BEFORE), wall=CREATED + 1e9) == TakeUp(expected, Priority.CHANGED)


def test_a_job_without_a_creation_time_is_not_new() -> None:
    expected = JobRecord(ARN, first_listed_status="RUNNING", configured=False, baseline_at=BEFORE, owner="mine")
    assert meaning(listed(created=None), known(BEFORE)) == TakeUp(expected, Priority.NEW)


@pytest.mark.parametrize("status", [*ACTIVE, *TERMINAL])
@pytest.mark.parametrize("since", [BEFORE, AFTER])
def test_a_job_that_was_dropped_after_its_end_is_ignored_whatever_status_a_late_page_shows(
    status: str, since: float
) -> None:
    assert meaning(listed(status), known(since, tombstone=Tombstone(CREATED, None, "mine"))) == Ignore()


@pytest.mark.parametrize(("status", "priority"), [("RUNNING", Priority.NEW), ("COMPLETED", Priority.BACKFILL)])
def test_a_job_that_was_dropped_before_its_end_continues_from_its_tombstone(status: str, priority: Priority) -> None:
    state = known(tombstone=Tombstone(CREATED, RUNNING, "other"))
    assert meaning(listed(status), state, wall=CREATED + 1e9) == TakeUp(replace(RUNNING, owner="mine"), priority)


def test_a_job_from_before_the_floor_is_not_new_and_its_queue_time_is_counted() -> None:
    expected = JobRecord(ARN, counted=(QUEUE,), configured=False, baseline_at=CREATED, owner="mine")
    assert meaning(listed(), known(BEFORE, floor=CREATED)) == TakeUp(expected, Priority.NEW)


def test_the_baseline_time_is_that_of_the_first_selector_that_selects_the_job_without_a_break() -> None:
    everybody, nobody = Selector(all_jobs=True), Selector()
    eras = (Era(1.0, everybody), Era(2.0, nobody), Era(3.0, CHEMISTRY), Era(4.0, everybody))
    state = known()._replace(selection=Selection("mine", eras))
    for tags, baseline_at in (({"team": "chemistry"}, 3.0), ({}, 4.0)):
        taken = meaning(listed(tags=tags), state)
        assert isinstance(taken, TakeUp)
        assert taken.record.baseline_at == baseline_at


# A stored job.


def test_a_page_confirms_the_status_of_a_watched_job() -> None:
    schedule = JobSchedule(
        ARN, due=NOW + 20.0, responded_at=NOW - 10.0, listed_at=REQUESTED_AT, listed_status="RUNNING"
    )
    assert meaning(listed(), watched()) == Seen(schedule)


@pytest.mark.parametrize("status", ["COMPLETED", "FAILED", "CANCELLING", "QUEUED", "PAUSED"])
def test_a_changed_status_makes_the_job_due_now(status: str) -> None:
    schedule = JobSchedule(
        ARN,
        due=NOW,
        responded_at=NOW - 10.0,
        priority=Priority.CHANGED,
        listed_at=REQUESTED_AT,
        listed_status=status,
    )
    assert meaning(listed(status), watched()) == Seen(schedule)


def test_a_status_that_cannot_be_read_changes_nothing() -> None:
    assert meaning(listed(None), watched()) == Seen()


@pytest.mark.parametrize("job", [listed("COMPLETED"), listed("COMPLETED", tags={})])
def test_a_job_without_a_schedule_keeps_none(job: JobSummary) -> None:
    assert meaning(job, known(stored=True)) == Seen()


def test_a_job_that_another_target_watches_is_not_taken_up() -> None:
    assert meaning(listed(), known(BEFORE, stored=True)) == Seen()


def test_after_a_restart_a_confirmed_status_makes_the_first_poll_less_urgent() -> None:
    first = JobSchedule(ARN, due=NOW, responded_at=NOW - 900.0, priority=Priority.NEW)
    schedule = replace(first, priority=Priority.REFRESH, listed_at=REQUESTED_AT, listed_status="RUNNING")
    assert meaning(listed(), watched(schedule=first)) == Seen(schedule)


def test_a_job_that_was_never_polled_stays_urgent() -> None:
    first = JobSchedule(ARN, due=NOW, responded_at=NOW, priority=Priority.NEW)
    state = watched(schedule=first, record=JobRecord(ARN, first_listed_status="RUNNING", configured=False))
    assert meaning(listed(), state) == Seen(replace(first, listed_at=REQUESTED_AT, listed_status="RUNNING"))


def test_a_job_that_is_not_selected_any_more_is_let_go() -> None:
    schedule = JobSchedule(
        ARN, due=NOW + 20.0, responded_at=NOW - 10.0, listed_at=REQUESTED_AT, listed_status="RUNNING"
    )
    assert meaning(listed(tags={}), watched()) == LetGo(schedule)
    assert meaning(listed(tags={}), watched(schedule=None, record=None)) == LetGo()


def test_a_job_is_let_go_once() -> None:
    assert meaning(listed(tags={}), watched(let_go=True, schedule=None)) == Seen()


def test_a_job_that_was_let_go_and_is_selected_again_is_reselected() -> None:
    assert meaning(listed(), watched(let_go=True, schedule=None)) == Seen(reselected=True)


def test_a_configured_job_is_never_let_go() -> None:
    assert meaning(listed(tags={}), watched(discovered=False, schedule=None)) == Seen()


STATES = st.builds(
    known,
    st.sampled_from([BEFORE, AFTER]),
    floor=st.sampled_from([0.0, CREATED]),
    tombstone=st.sampled_from([None, Tombstone(CREATED, None, "mine"), Tombstone(CREATED, RUNNING, "mine")]),
    stored=st.booleans(),
    discovered=st.booleans(),
    let_go=st.booleans(),
    schedule=st.none() | st.builds(JobSchedule, st.just(ARN), st.just(NOW), st.just(NOW)),
    record=st.sampled_from([RUNNING, JobRecord(ARN), record(finished())]),
)
JOBS = st.builds(
    listed,
    st.sampled_from([None, *ACTIVE, *TERMINAL]),
    tags=st.sampled_from([None, {}, {"team": "chemistry"}]),
    created=st.sampled_from([None, CREATED]),
)


@given(JOBS, STATES, st.floats(CREATED, CREATED + 1e6))
def test_each_decision_fits_the_state_of_the_job(job: JobSummary, state: Known, wall: float) -> None:
    match meaning(job, state, wall):
        case Ignore():
            assert not state.stored
        case TakeUp(first, priority):
            assert not state.stored
            assert CHEMISTRY.selects(job)
            assert (first.arn, first.owner, first.configured) == (ARN, "mine", False)
            assert priority in (Priority.CHANGED, Priority.NEW, Priority.BACKFILL)
            assert priority is not Priority.BACKFILL or job.finished
        case LetGo(schedule):
            assert (state.stored, state.discovered, state.let_go) == (True, True, False)
            assert not CHEMISTRY.selects(job)
            assert (schedule is None) is (state.schedule is None or job.status is None)
        case Seen(schedule, reselected):
            assert state.stored
            assert not reselected or (state.let_go and CHEMISTRY.selects(job))
            assert (schedule is None) is (state.schedule is None or job.status is None)
