"""When a target as a whole is up and when it is down."""

from collections.abc import Sequence
from typing import Any

from hypothesis import given
from hypothesis import strategies as st

from exporter.core.jobs import Target
from exporter.core.target_status import Health, TargetStatus, combined_health, merged_statuses

WEST = Target("123456789012", "us-west-2")
NORTH = Target("123456789012", "eu-north-1")


def fail(health: Health, *jobs: str, polled_jobs: int = 10, job_error: bool = False) -> Health:
    for job in jobs:
        health = health.after_failure(job, f"no answer for {job}", polled_jobs=polled_jobs, job_error=job_error)
    return health


UP = Health().after_success(5000.0)


def test_at_first_it_is_unknown_whether_a_target_is_up() -> None:
    health = Health()
    assert (health.up, health.last_success, health.last_error, health.pauses) == (None, None, None, 0)


def test_a_good_answer_makes_a_target_up() -> None:
    assert (UP.up, UP.last_success, UP.last_error) == (True, 5000.0, None)


def test_an_answer_that_there_is_no_such_job_makes_a_target_up_but_is_no_success() -> None:
    health = Health().after_response("no such job")
    assert (health.up, health.last_success, health.last_error) == (True, None, "no such job")


def test_an_answer_that_there_is_no_such_job_keeps_the_time_of_the_last_success() -> None:
    assert UP.after_response("no such job").last_success == 5000.0


def test_three_different_jobs_without_an_answer_make_a_target_down() -> None:
    assert [fail(UP, *"abc"[:count]).up for count in (1, 2, 3)] == [True, True, False]
    assert [fail(Health(), *"abc"[:count]).up for count in (1, 2, 3)] == [None, None, False]


def test_one_job_that_fails_over_and_over_does_not_make_a_target_down() -> None:
    assert fail(UP, *"aaaaaaaaaa").up is True
    assert fail(Health(), *"aaaaaaaaaa").up is None


def test_two_jobs_that_fail_over_and_over_do_not_make_a_target_down() -> None:
    assert fail(UP, *"abababab").up is True


def test_an_answer_in_between_starts_the_count_over() -> None:
    assert fail(fail(UP, *"ab").after_success(6000.0), *"cd").up is True
    assert fail(fail(UP, *"ab").after_response("no such job"), *"cd").up is True
    assert fail(fail(UP, *"ab").after_success(6000.0), *"cde").up is False


def test_fewer_jobs_are_enough_where_fewer_are_asked_for() -> None:
    assert fail(UP, "a", polled_jobs=1).up is False
    assert fail(UP, "a", polled_jobs=2).up is True
    assert fail(UP, "a", "b", polled_jobs=2).up is False


def test_a_lone_job_whose_trouble_may_be_its_own_says_nothing_about_the_target() -> None:
    assert fail(Health(), *"aaaa", polled_jobs=1, job_error=True).up is True
    assert fail(UP, *"aaaa", polled_jobs=1, job_error=True).up is True


def test_when_every_job_is_refused_the_target_is_down() -> None:
    assert fail(UP, "a", "b", polled_jobs=2, job_error=True).up is False
    assert fail(UP, *"abc", polled_jobs=3, job_error=True).up is False


def test_a_few_refused_jobs_among_many_say_nothing_about_the_target() -> None:
    assert fail(Health(), *"abc", job_error=True).up is True
    assert fail(UP, *"abcdefghi", job_error=True).up is True
    assert fail(UP, *"abcdefghij", job_error=True).up is False


def test_a_target_that_is_down_stays_down_while_more_jobs_fail() -> None:
    assert fail(UP, *"abcdefgh").up is False


def test_the_last_error_stands_until_the_next_good_answer() -> None:
    health = fail(UP, *"abc")
    assert health.last_error == "no answer for c"
    assert health.last_success == 5000.0
    assert health.after_success(6000.0) == Health(up=True, last_success=6000.0)


def test_pauses_are_counted_until_an_answer_comes() -> None:
    health = fail(UP, *"abc").after_pause().after_pause()
    assert health.pauses == 2
    assert fail(health, "d").pauses == 2
    assert health.after_response("no such job").pauses == 0
    assert health.after_success(6000.0).pauses == 0


# Trouble that no single job is to blame for.


def troubled(health: Health, times: int) -> Health:
    for number in range(times):
        health = health.after_target_failure(f"throttled {number}")
    return health


def test_three_questions_in_a_row_that_no_job_is_to_blame_for_make_a_target_down() -> None:
    assert [troubled(UP, times).up for times in (1, 2, 3, 4)] == [True, True, False, False]
    assert [troubled(Health(), times).up for times in (1, 2, 3)] == [None, None, False]
    assert troubled(UP, 3).last_error == "throttled 2"


def test_trouble_and_jobs_without_an_answer_count_together() -> None:
    assert troubled(fail(UP, "a"), 1).up is True
    assert troubled(fail(UP, "a"), 2).up is False
    assert fail(troubled(UP, 2), "a").up is False
    assert troubled(fail(troubled(UP, 1), "a"), 1).up is False


def test_an_answer_ends_a_row_of_troubles() -> None:
    assert troubled(troubled(UP, 2).after_success(6000.0), 2).up is True
    assert troubled(troubled(UP, 2).after_response("no such job"), 2).up is True


# Several things that are asked of one target.

DOWN = fail(Health().after_success(4000.0), *"abc")


def test_a_target_of_which_nothing_is_asked_is_unknown() -> None:
    assert combined_health([]) == Health()


def test_a_target_is_up_when_something_answers_and_nothing_fails() -> None:
    assert combined_health([UP, Health()]).up is True
    assert combined_health([Health(), UP]).up is True
    assert combined_health([Health(), Health()]).up is None


def test_a_target_is_down_when_anything_fails() -> None:
    assert combined_health([UP, DOWN]).up is False
    assert combined_health([DOWN, Health()]).up is False


def test_the_latest_success_of_all_and_the_first_error_stand_for_the_target() -> None:
    both = combined_health([Health(), UP, DOWN, Health(up=False, last_error="other")])
    assert both == Health(up=False, last_success=5000.0, last_error="no answer for c")


@given(st.lists(st.sampled_from([None, True, False]), max_size=5))
def test_the_order_of_what_is_asked_makes_no_difference_to_whether_a_target_is_up(ups: Sequence[bool | None]) -> None:
    assert combined_health(map(Health, ups)).up is combined_health(map(Health, reversed(ups))).up


# Several logins in one account and Region.


def status(target: Target = WEST, **members: Any) -> TargetStatus:
    usual: dict[str, Any] = {
        "health": UP,
        "active": 2,
        "finished": 3,
        "waiting": 1,
        "staleness": 10.0,
        "poll_duration": 1.5,
        "budget": {"GetJob": 2.5},
        "used": {"GetJob": 87},
    }
    return TargetStatus(target, **{**usual, **members})


def test_targets_that_differ_stay_as_they_are_and_in_their_order() -> None:
    statuses = [status(WEST), status(NORTH, health=DOWN.after_pause()), status(Target("", "us-west-2"))]
    assert merged_statuses(statuses) == statuses
    assert merged_statuses([]) == []


def test_what_several_logins_tell_of_one_target_is_joined() -> None:
    other = status(
        health=DOWN,
        active=4,
        finished=5,
        waiting=6,
        staleness=25.0,
        poll_duration=0.5,
        budget={"GetJob": 2.5, "SearchJobs": 1.25},
        used={"GetJob": 87, "SearchJobs": 7},
        listed=False,
    )
    assert merged_statuses([status(WEST), status(NORTH), other]) == [
        TargetStatus(
            target=WEST,
            health=Health(up=False, last_success=5000.0, last_error="no answer for c"),
            active=6,
            finished=8,
            waiting=7,
            staleness=25.0,
            poll_duration=1.5,
            budget={"GetJob": 2.5, "SearchJobs": 1.25},
            used={"GetJob": 87, "SearchJobs": 7},
            listed=False,
        ),
        status(NORTH),
    ]


def test_targets_with_different_names_stay_apart_in_one_account_and_region() -> None:
    chemistry, physics, unnamed = status(name="chemistry"), status(name="physics", health=DOWN), status()
    assert merged_statuses([chemistry, physics, unnamed]) == [chemistry, physics, unnamed]
    unknown = Target("", "us-west-2")
    assert len(merged_statuses([status(unknown, name="chemistry"), status(unknown, name="physics")])) == 2


def test_what_several_logins_tell_of_one_name_is_joined_under_it() -> None:
    (joined,) = merged_statuses([status(name="chemistry"), status(name="chemistry", active=4)])
    assert (joined.name, joined.active) == ("chemistry", 6)


def test_a_login_that_has_nothing_to_tell_takes_nothing_from_the_others() -> None:
    silent = status(
        health=Health(), active=0, finished=0, waiting=0, staleness=None, poll_duration=None, budget={}, used={}
    )
    assert merged_statuses([silent, status()]) == [status()]
    assert merged_statuses([silent, silent]) == [silent]


def test_joining_changes_none_of_what_was_told() -> None:
    first = status(budget={"GetJob": 2.5}, used={"GetJob": 1})
    merged_statuses([first, status(budget={"SearchJobs": 2.5}, used={"SearchJobs": 2})])
    assert first.budget == {"GetJob": 2.5}
    assert first.used == {"GetJob": 1}


def test_from_the_first_attempt_on_a_target_is_up_or_down() -> None:
    assert Health().settled().up is None
    assert fail(Health(), "a").settled().up is False
    assert fail(Health(), "a", job_error=True).settled().up is True
    assert fail(UP, "a").settled().up is True
