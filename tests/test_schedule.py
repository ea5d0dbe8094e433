"""Which job is asked for next, and when."""

import pytest
from builders import ARN, CREATED, arn, event, finished, record, snapshot
from hypothesis import given, settings
from hypothesis import strategies as st

from exporter.model import JobRecord, JobSnapshot
from exporter.schedule import (
    Watch,
    after_answer,
    after_job_failure,
    after_target_failure,
    most_urgent,
    target_backoff,
)

WATCH = Watch(ARN, due=100.0, answered=70.0, failures=5)
WALL = CREATED + 130.0
INCOMPLETE = record(finished(billable_seconds=None))


def ask_again(what: JobRecord, watch: Watch = WATCH, wall: float = WALL) -> Watch | None:
    return after_answer(watch, what, asked=101.0, interval=30.0, wall=wall)


def test_the_job_that_is_due_first_is_the_most_urgent() -> None:
    watches = [Watch(arn(number), due=due, answered=0.0) for number, due in ((1, 9.0), (2, 3.0), (3, 5.0))]
    assert most_urgent(watches) == watches[1]


def test_among_equals_the_one_that_waits_longest_is_asked_first() -> None:
    watches = [Watch(arn(number), due=3.0, answered=0.0) for number in (2, 1, 3)]
    assert most_urgent(watches) == watches[0]


def test_without_jobs_nothing_is_urgent() -> None:
    assert most_urgent([]) is None


@pytest.mark.parametrize("status", ["QUEUED", "RUNNING", "CANCELLING", "PAUSED"])
def test_an_active_job_is_asked_again_one_interval_after_the_question_was_sent(status: str) -> None:
    assert ask_again(record(snapshot(status=status))) == Watch(ARN, due=131.0, answered=101.0)


@pytest.mark.parametrize("status", ["COMPLETED", "FAILED", "CANCELLED"])
def test_a_job_that_told_all_of_its_end_is_never_asked_again(status: str) -> None:
    assert ask_again(record(finished(status))) is None


@pytest.mark.parametrize(
    "lacking",
    [finished(billable_seconds=None), finished(events=()), finished(events=(event("RUNNING", CREATED),))],
)
def test_a_finished_job_that_lacks_something_is_asked_three_times_more_ever_later(lacking: JobSnapshot) -> None:
    incomplete = record(lacking)
    watch: Watch | None = WATCH
    waits: list[float | None] = []
    while watch is not None and len(waits) < 10:
        watch = ask_again(incomplete, watch)
        waits.append(None if watch is None else watch.due - 101.0)
    assert waits == [30.0, 60.0, 120.0, None]


def test_a_finished_job_that_lacks_its_end_time_is_asked_three_times_more() -> None:
    watch = ask_again(record(finished(ended=None)), wall=CREATED + 1e9)
    assert watch == Watch(ARN, due=131.0, answered=101.0, after_end=1)
    assert ask_again(record(finished(ended=None)), Watch(ARN, 0.0, 0.0, after_end=3), wall=CREATED + 1e9) is None


def test_a_finished_job_that_told_the_rest_late_is_never_asked_again() -> None:
    watch = ask_again(INCOMPLETE)
    assert watch is not None
    assert ask_again(record(finished()), watch) is None


@pytest.mark.parametrize(("after_end", "again"), [(900.0, True), (900.001, False), (86400.0, False), (-60.0, True)])
def test_a_job_that_ended_long_ago_is_not_asked_for_more(after_end: float, again: bool) -> None:  # noqa: FBT001
    assert (ask_again(INCOMPLETE, wall=CREATED + 120.0 + after_end) is not None) is again


def test_a_job_that_is_refused_is_asked_ever_more_rarely_up_to_five_minutes() -> None:
    watch = Watch(ARN, due=100.0, answered=70.0, after_end=1)
    waits = []
    for _ in range(6):
        watch = after_job_failure(watch, asked=101.0, interval=30.0)
        waits.append(watch.due - 101.0)
    assert waits == [30.0, 60.0, 120.0, 240.0, 300.0, 300.0]
    assert watch == Watch(ARN, due=401.0, answered=70.0, failures=6, after_end=1, refused=True)


def test_a_job_that_is_refused_is_never_asked_more_often_than_its_interval() -> None:
    watch = after_job_failure(Watch(ARN, 0.0, 0.0, failures=4), asked=100.0, interval=3600.0)
    assert watch.due == 3700.0


def test_a_job_that_a_failing_target_did_not_answer_is_asked_again_soon_and_within_its_interval() -> None:
    watch = Watch(ARN, due=100.0, answered=70.0, after_end=1)
    waits = []
    for _ in range(7):
        watch = after_target_failure(watch, now=105.0, interval=30.0)
        waits.append(watch.due - 105.0)
    assert waits == [1.0, 2.0, 4.0, 8.0, 16.0, 30.0, 30.0]
    assert watch == Watch(ARN, due=135.0, answered=70.0, failures=7, after_end=1)


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
def test_a_failing_target_is_left_alone_twice_as_long_each_time_up_to_a_minute(
    failures: int, jitter: float, seconds: float
) -> None:
    assert target_backoff(failures, jitter) == seconds


@pytest.mark.parametrize("failures", [1023, 1024, 1025, 10_000, 10**6])
def test_no_number_of_failures_is_too_many(failures: int) -> None:
    watch = Watch(ARN, due=0.0, answered=0.0, failures=failures)
    assert target_backoff(failures, 0.0) == 60.0
    assert after_target_failure(watch, now=100.0, interval=30.0).due == 130.0
    assert after_job_failure(watch, asked=100.0, interval=30.0).due == 400.0


@settings(deadline=None)
@given(
    failures=st.integers(1, 2000),
    jitter=st.floats(0.0, 1.0, exclude_max=True),
    interval=st.floats(1.0, 3600.0),
)
def test_every_backoff_is_positive_and_bounded(failures: int, jitter: float, interval: float) -> None:
    watch = Watch(ARN, due=0.0, answered=0.0, failures=failures)
    assert 0.5 < target_backoff(failures, jitter) <= 60.0
    assert 0.0 < after_target_failure(watch, now=0.0, interval=interval).due <= interval
    assert interval <= after_job_failure(watch, asked=0.0, interval=interval).due <= max(interval, 300.0)
