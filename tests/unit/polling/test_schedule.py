"""The schedule of a job: when it is polled, and how urgent that is."""

from dataclasses import replace

import pytest
from builders import ARN, CREATED, event, finished, record, snapshot
from hypothesis import given
from hypothesis import strategies as st

from exporter.core import STATUSES, JobRecord, JobSnapshot
from exporter.polling.retry_policy import target_backoff
from exporter.polling.schedule import (
    JobSchedule,
    Priority,
    after_job_failure,
    after_page,
    after_response,
    after_target_failure,
    brought_forward,
    first_priority,
    get_job_suffices,
    resumed,
    unless_listed,
)

WATCH = JobSchedule(ARN, due=100.0, responded_at=70.0, failures=5)
WALL = CREATED + 130.0
INCOMPLETE = record(finished(billable_seconds=None))


def after_poll(what: JobRecord, schedule: JobSchedule = WATCH, wall: float = WALL) -> JobSchedule | None:
    return after_response(schedule, what, requested_at=101.0, interval=30.0, wall=wall)


@pytest.mark.parametrize("status", ["QUEUED", "RUNNING", "CANCELLING", "PAUSED"])
def test_an_active_job_is_polled_again_one_interval_after_the_call_was_sent(status: str) -> None:
    assert after_poll(record(snapshot(status=status))) == JobSchedule(
        ARN, due=131.0, responded_at=101.0, created=CREATED
    )


@pytest.mark.parametrize("priority", [*Priority])
def test_after_a_response_an_active_job_is_as_urgent_as_any_other(priority: Priority) -> None:
    again = after_poll(
        record(snapshot()),
        replace(WATCH, priority=priority, never_returned=True, listed_at=90.0, listed_status="RUNNING"),
    )
    assert again == JobSchedule(
        ARN, due=131.0, responded_at=101.0, created=CREATED, listed_at=90.0, listed_status="RUNNING"
    )


@pytest.mark.parametrize(("interval", "second_look"), [(30.0, 103.0), (1.0, 102.0)])
@pytest.mark.parametrize("status", ["COMPLETED", "FAILED", "CANCELLED"])
def test_a_job_whose_end_a_page_shows_and_getjob_does_not_is_looked_at_again_within_two_seconds(
    status: str, interval: float, second_look: float
) -> None:
    schedule = replace(WATCH, listed_status=status, priority=Priority.CHANGED)
    again = after_response(schedule, record(snapshot()), requested_at=101.0, interval=interval, wall=WALL)
    assert again == JobSchedule(ARN, due=second_look, responded_at=101.0, priority=Priority.DUE, created=CREATED)


def test_after_the_second_look_such_a_job_is_polled_as_any_other() -> None:
    schedule = after_poll(record(snapshot()), replace(WATCH, listed_status="COMPLETED"))
    assert schedule is not None
    assert after_poll(record(snapshot()), schedule) == JobSchedule(ARN, due=131.0, responded_at=101.0, created=CREATED)


def test_a_job_of_which_nothing_is_known_yet_is_polled_again_one_interval_later() -> None:
    assert after_poll(JobRecord(ARN)) == JobSchedule(ARN, due=131.0, responded_at=101.0)


@pytest.mark.parametrize("status", ["COMPLETED", "FAILED", "CANCELLED"])
def test_a_job_that_showed_all_details_of_its_end_is_never_polled_again(status: str) -> None:
    assert after_poll(record(finished(status))) is None


@pytest.mark.parametrize(
    "lacking",
    [finished(billable_seconds=None), finished(events=()), finished(events=(event("RUNNING", CREATED),))],
)
def test_a_finished_job_that_lacks_something_is_polled_three_times_more_ever_later(lacking: JobSnapshot) -> None:
    incomplete = record(lacking)
    schedule: JobSchedule | None = WATCH
    waits: list[float | None] = []
    while schedule is not None and len(waits) < 10:
        schedule = after_poll(incomplete, schedule)
        waits.append(None if schedule is None else schedule.due - 101.0)
    assert waits == [30.0, 60.0, 120.0, None]


def test_a_finished_job_that_lacks_its_end_time_is_polled_three_times_more() -> None:
    schedule = after_poll(record(finished(ended=None)), wall=CREATED + 1e9)
    assert schedule == JobSchedule(
        ARN, due=131.0, responded_at=101.0, polls_after_end=1, ended=True, priority=Priority.DUE
    )
    assert (
        after_poll(record(finished(ended=None)), JobSchedule(ARN, 0.0, 0.0, polls_after_end=3), wall=CREATED + 1e9)
        is None
    )


def test_a_finished_job_that_showed_the_rest_late_is_never_polled_again() -> None:
    schedule = after_poll(INCOMPLETE)
    assert schedule is not None
    assert after_poll(record(finished()), schedule) is None


@pytest.mark.parametrize(("age", "again"), [(900.0, True), (900.001, False), (86400.0, False), (-60.0, True)])
def test_a_job_that_ended_long_ago_is_not_polled_more(age: float, again: bool) -> None:  # noqa: FBT001
    assert (after_poll(INCOMPLETE, wall=CREATED + 120.0 + age) is not None) is again


def test_a_job_that_is_refused_is_polled_ever_more_rarely_up_to_five_minutes() -> None:
    schedule = JobSchedule(ARN, due=100.0, responded_at=70.0, polls_after_end=1)
    waits = []
    for _ in range(6):
        schedule = after_job_failure(schedule, JobRecord(ARN), requested_at=101.0, interval=30.0)
        waits.append(schedule.due - 101.0)
    assert waits == [30.0, 60.0, 120.0, 240.0, 300.0, 300.0]
    assert schedule == JobSchedule(
        ARN, due=401.0, responded_at=70.0, failures=6, polls_after_end=1, never_returned=True, priority=Priority.DUE
    )


def test_a_job_that_was_returned_before_keeps_its_data_age_when_it_is_refused() -> None:
    assert not after_job_failure(WATCH, record(snapshot()), requested_at=101.0, interval=30.0).never_returned


def test_a_job_that_is_refused_is_never_polled_more_often_than_its_interval() -> None:
    schedule = after_job_failure(
        JobSchedule(ARN, 0.0, 0.0, failures=4), JobRecord(ARN), requested_at=100.0, interval=3600.0
    )
    assert schedule.due == 3700.0


def test_a_job_of_a_failing_target_is_polled_again_soon_and_within_its_interval() -> None:
    schedule = JobSchedule(ARN, due=100.0, responded_at=70.0, polls_after_end=1)
    waits = []
    for _ in range(7):
        schedule = after_target_failure(schedule, now=105.0, interval=30.0)
        waits.append(schedule.due - 105.0)
    assert waits == [1.0, 2.0, 4.0, 8.0, 16.0, 30.0, 30.0]
    assert schedule == JobSchedule(
        ARN, due=135.0, responded_at=70.0, failures=7, polls_after_end=1, priority=Priority.DUE
    )


def test_a_finished_job_that_was_never_polled_goes_by_its_order_and_any_other_by_when_it_is_due() -> None:
    schedule = JobSchedule(ARN, due=7.0, responded_at=0.0, order=(1, -50.0))
    ranks = [replace(schedule, priority=priority).rank for priority in Priority]
    assert ranks == [*[(0, 7.0)] * 4, (1, -50.0)]


def test_what_changed_comes_before_what_is_new_or_due_and_these_before_what_may_be_refreshed_or_had_ended() -> None:
    order = [Priority.CHANGED, Priority.NEW, Priority.DUE, Priority.REFRESH, Priority.BACKFILL]
    assert sorted(Priority) == order


# Pages that show the job.


LISTED = JobSchedule(ARN, due=130.0, responded_at=100.0)


def listed(listed: str, known: str | None = "RUNNING", schedule: JobSchedule = LISTED) -> JobSchedule:
    return after_page(schedule, known, listed, requested_at=109.0, now=110.0)


@pytest.mark.parametrize("status", ["QUEUED", "RUNNING", "PAUSED"])
def test_a_page_that_shows_what_is_known_confirms_it(status: str) -> None:
    schedule = listed(status, status)
    assert schedule == replace(LISTED, listed_at=109.0, listed_status=status)
    assert schedule.confirmed_at == 109.0


def test_a_page_confirms_a_job_of_which_nothing_is_known_yet() -> None:
    assert listed("COMPLETED", None) == replace(LISTED, listed_at=109.0, listed_status="COMPLETED")


@pytest.mark.parametrize("status", ["QUEUED", "CANCELLING", "COMPLETED", "FAILED", "CANCELLED", "PAUSED"])
def test_a_page_that_shows_a_change_has_the_job_polled_at_once(status: str) -> None:
    assert listed(status) == replace(
        LISTED, due=110.0, listed_at=109.0, listed_status=status, priority=Priority.CHANGED
    )


def test_a_job_that_changed_while_it_waited_for_its_turn_keeps_its_place() -> None:
    assert listed("COMPLETED", schedule=replace(LISTED, due=90.0)).due == 90.0


def test_the_same_change_is_looked_into_once_and_another_one_again() -> None:
    schedule = replace(LISTED, listed_status="QUEUED")
    assert listed("QUEUED", schedule=schedule) == replace(schedule, listed_at=109.0)
    assert listed("CANCELLING", schedule=schedule).priority is Priority.CHANGED


@pytest.mark.parametrize("schedule", [replace(LISTED, failures=1), replace(LISTED, ended=True)])
def test_a_job_that_fails_or_has_ended_is_not_polled_sooner(schedule: JobSchedule) -> None:
    assert listed("COMPLETED", schedule=schedule) == replace(schedule, listed_at=109.0, listed_status="COMPLETED")


@pytest.mark.parametrize(
    ("answered", "said", "confirmed"), [(100.0, None, 100.0), (100.0, 109.0, 109.0), (100.0, 9.0, 100.0)]
)
def test_a_status_is_as_old_as_the_latest_response_that_shows_it(
    answered: float, said: float | None, confirmed: float
) -> None:
    assert JobSchedule(ARN, due=0.0, responded_at=answered, listed_at=said).confirmed_at == confirmed


# Jobs that share no page.


def unlisted(schedule: JobSchedule) -> JobSchedule:
    return unless_listed(schedule, interval=30.0)


def test_a_job_that_shares_no_page_is_polled_an_interval_after_its_status_was_shown() -> None:
    assert unlisted(LISTED) == replace(LISTED, due=130.0, priority=Priority.DUE)
    assert unlisted(replace(LISTED, listed_at=108.0)) == replace(
        LISTED, due=138.0, listed_at=108.0, priority=Priority.DUE
    )


def test_of_two_jobs_that_share_no_page_the_one_that_waits_longer_is_polled_first_however_long_both_wait() -> None:
    assert unlisted(LISTED).rank < unlisted(replace(LISTED, responded_at=150.0)).rank


def test_a_job_that_shares_no_page_in_one_status_scan_after_another_keeps_its_place() -> None:
    waiting = unlisted(LISTED)
    assert unlisted(waiting) == waiting
    assert unlisted(replace(waiting, listed_at=120.0)) == replace(waiting, listed_at=120.0)


def test_a_job_that_is_due_later_than_an_interval_after_its_status_was_shown_is_polled_sooner() -> None:
    assert unlisted(replace(LISTED, due=400.0, priority=Priority.DUE)).due == 130.0


@pytest.mark.parametrize("priority", [Priority.CHANGED, Priority.NEW])
def test_a_job_that_changed_or_is_new_stays_more_urgent_than_those_that_share_no_page(priority: Priority) -> None:
    schedule = replace(LISTED, due=109.0, priority=priority)
    assert unlisted(schedule) == schedule


def test_a_job_that_fails_keeps_its_time() -> None:
    schedule = replace(LISTED, failures=1, due=400.0)
    assert unlisted(schedule) == schedule


@pytest.mark.parametrize(
    ("active", "rate", "interval", "alone"),
    [(60, 2.5, 30.0, True), (61, 2.5, 30.0, False), (0, 0.01, 1.0, True), (2, 2.5, 1.0, True), (3, 2.5, 1.0, False)],
)
def test_getjob_alone_suffices_while_active_jobs_leave_a_fifth_of_its_rate_limit(
    active: int,
    rate: float,
    interval: float,
    alone: bool,  # noqa: FBT001
) -> None:
    assert get_job_suffices(active, rate=rate, interval=interval) is alone


# When a target fails.


@pytest.mark.parametrize(
    ("failures", "jitter", "seconds"),
    [
        (1, 0.0, 1.0),
        (2, 0.0, 2.0),
        (6, 0.0, 32.0),
        (7, 0.0, 60.0),
        (50, 0.0, 60.0),
        (1, 0.5, 0.75),
        (7, 0.5, 45.0),
    ],
)
def test_a_failing_target_is_paused_twice_as_long_each_time_up_to_a_minute(
    failures: int, jitter: float, seconds: float
) -> None:
    assert target_backoff(failures, jitter) == seconds


@pytest.mark.parametrize("failures", [1023, 1024, 1025, 10_000, 10**6])
def test_no_number_of_failures_is_too_many(failures: int) -> None:
    schedule = JobSchedule(ARN, due=0.0, responded_at=0.0, failures=failures)
    assert target_backoff(failures, 0.0) == 60.0
    assert after_target_failure(schedule, now=100.0, interval=30.0).due == 130.0
    assert after_job_failure(schedule, JobRecord(ARN), requested_at=100.0, interval=30.0).due == 400.0


@given(
    failures=st.integers(1, 2000),
    jitter=st.floats(0.0, 1.0, exclude_max=True),
    interval=st.floats(1.0, 3600.0),
)
def test_every_backoff_is_positive_and_bounded(failures: int, jitter: float, interval: float) -> None:
    schedule = JobSchedule(ARN, due=0.0, responded_at=0.0, failures=failures)
    assert 0.5 <= target_backoff(failures, jitter) <= 60.0
    assert 0.0 < after_target_failure(schedule, now=0.0, interval=interval).due <= interval
    assert (
        interval
        <= after_job_failure(schedule, JobRecord(ARN), requested_at=0.0, interval=interval).due
        <= max(interval, 300.0)
    )


SCHEDULES = st.builds(
    JobSchedule,
    st.just(ARN),
    due=st.floats(0.0, 200.0),
    responded_at=st.floats(0.0, 100.0),
    failures=st.integers(0, 3),
    ended=st.booleans(),
    priority=st.sampled_from(Priority),
    listed_at=st.none() | st.floats(0.0, 100.0),
    listed_status=st.none() | st.sampled_from(STATUSES),
)


@given(schedule=SCHEDULES, known=st.none() | st.sampled_from(STATUSES), listed_status=st.sampled_from(STATUSES))
def test_a_page_never_has_a_job_polled_later_or_makes_it_less_urgent(
    schedule: JobSchedule, known: str | None, listed_status: str
) -> None:
    after = after_page(schedule, known, listed_status, requested_at=100.0, now=101.0)
    assert after.due <= schedule.due
    assert after.priority <= schedule.priority
    assert after.confirmed_at >= schedule.confirmed_at
    assert after_page(after, known, listed_status, requested_at=102.0, now=103.0) == replace(after, listed_at=102.0)


@given(schedule=SCHEDULES)
def test_a_job_that_shares_no_page_is_never_less_urgent_for_it_and_moves_once(schedule: JobSchedule) -> None:
    after = unless_listed(schedule, interval=30.0)
    assert after.priority <= schedule.priority
    assert after == schedule or (after.priority, after.failures) == (Priority.DUE, 0)
    assert after == schedule or after.due <= schedule.confirmed_at + 30.0
    assert unless_listed(after, interval=30.0) == after


# Turns of the priorities.


@pytest.mark.parametrize("start", range(7))
def test_no_priority_waits_longer_for_a_turn_than_five_calls(start: int) -> None:
    turns = {first_priority(start + number, get_job_only=False) for number in range(5)}
    assert turns == {Priority.DUE, Priority.REFRESH, Priority.BACKFILL}


@pytest.mark.parametrize("start", range(7))
def test_where_get_job_follows_the_active_jobs_alone_the_finished_ones_get_what_it_can_spare(start: int) -> None:
    turns = [first_priority(start + number, get_job_only=True) for number in range(100)]
    assert turns.count(Priority.BACKFILL) == 20


# After a restart.


def after_restart(what: JobRecord, *, down: float = 60.0) -> JobSchedule | None:
    """Continue with a job that was last polled at ``WALL``."""
    return resumed(what, now=1000.0, wall=WALL + down)


@pytest.mark.parametrize("status", ["QUEUED", "RUNNING", "CANCELLING", "PAUSED"])
def test_an_active_job_is_polled_at_once_after_a_restart_and_is_as_stale_as_it_is(status: str) -> None:
    again = after_restart(record(snapshot(status=status)))
    assert again == JobSchedule(ARN, due=1000.0, responded_at=940.0, priority=Priority.NEW, created=CREATED)


@pytest.mark.parametrize(
    "known", [JobRecord(ARN), JobRecord(ARN, first_listed_status="QUEUED"), JobRecord(ARN, failing="X")]
)
def test_a_job_that_never_responded_is_waited_for_since_the_restart(known: JobRecord) -> None:
    assert after_restart(known) == JobSchedule(ARN, due=1000.0, responded_at=1000.0, priority=Priority.NEW)


def test_no_job_was_polled_in_the_future_even_if_the_clock_was_set_back() -> None:
    assert after_restart(record(snapshot()), down=-3600.0) == after_restart(record(snapshot()), down=0.0)
    again = after_restart(record(snapshot()), down=-3600.0)
    assert again is not None
    assert again.responded_at == 1000.0


@pytest.mark.parametrize("status", ["COMPLETED", "FAILED", "CANCELLED"])
def test_a_job_that_showed_all_details_of_its_end_is_not_polled_after_a_restart(status: str) -> None:
    assert after_restart(record(finished(status))) is None


def test_a_finished_job_without_all_details_is_polled_after_a_restart() -> None:
    again = after_restart(INCOMPLETE)
    assert again == JobSchedule(
        ARN, due=1000.0, responded_at=940.0, polls_after_end=1, ended=True, priority=Priority.DUE, created=CREATED
    )


@pytest.mark.parametrize(("age", "again"), [(900.0, True), (900.001, False), (86400.0, False), (-60.0, True)])
def test_a_job_that_ended_long_ago_is_not_polled_more_after_a_restart(age: float, again: bool) -> None:  # noqa: FBT001
    wall = CREATED + 120.0 + age
    assert (resumed(INCOMPLETE, now=1000.0, wall=wall) is not None) is again


def test_a_job_without_an_end_time_is_polled_after_a_restart() -> None:
    assert resumed(record(finished(ended=None)), now=1000.0, wall=CREATED + 1e9) is not None


def test_a_shorter_interval_brings_forward_what_is_due_later_alone() -> None:
    assert brought_forward(replace(WATCH, due=130.0), now=100.0, interval=30.0).due == 130.0
    assert brought_forward(replace(WATCH, due=130.1), now=100.0, interval=30.0).due == 130.0
    assert brought_forward(replace(WATCH, due=90.0), now=100.0, interval=30.0).due == 90.0
