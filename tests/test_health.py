"""When a target as a whole is up and when it is down."""

from exporter.health import Health


def fail(health: Health, *jobs: str, asked_jobs: int = 10, own_fault: bool = False) -> Health:
    for job in jobs:
        health = health.failed(job, f"no answer for {job}", asked_jobs=asked_jobs, own_fault=own_fault)
    return health


UP = Health().succeeded(5000.0)


def test_at_first_it_is_unknown_whether_a_target_is_up() -> None:
    health = Health()
    assert (health.up, health.last_success, health.last_error, health.pauses) == (None, None, None, 0)


def test_a_good_answer_makes_a_target_up() -> None:
    assert (UP.up, UP.last_success, UP.last_error) == (True, 5000.0, None)


def test_an_answer_that_there_is_no_such_job_makes_a_target_up_but_is_no_success() -> None:
    health = Health().answered("no such job")
    assert (health.up, health.last_success, health.last_error) == (True, None, "no such job")


def test_an_answer_that_there_is_no_such_job_keeps_the_time_of_the_last_success() -> None:
    assert UP.answered("no such job").last_success == 5000.0


def test_three_different_jobs_without_an_answer_make_a_target_down() -> None:
    assert [fail(UP, *"abc"[:count]).up for count in (1, 2, 3)] == [True, True, False]
    assert [fail(Health(), *"abc"[:count]).up for count in (1, 2, 3)] == [None, None, False]


def test_one_job_that_fails_over_and_over_does_not_make_a_target_down() -> None:
    assert fail(UP, *"aaaaaaaaaa").up is True
    assert fail(Health(), *"aaaaaaaaaa").up is None


def test_two_jobs_that_fail_over_and_over_do_not_make_a_target_down() -> None:
    assert fail(UP, *"abababab").up is True


def test_an_answer_in_between_starts_the_count_over() -> None:
    assert fail(fail(UP, *"ab").succeeded(6000.0), *"cd").up is True
    assert fail(fail(UP, *"ab").answered("no such job"), *"cd").up is True
    assert fail(fail(UP, *"ab").succeeded(6000.0), *"cde").up is False


def test_fewer_jobs_are_enough_where_fewer_are_asked_for() -> None:
    assert fail(UP, "a", asked_jobs=1).up is False
    assert fail(UP, "a", asked_jobs=2).up is True
    assert fail(UP, "a", "b", asked_jobs=2).up is False


def test_a_lone_job_whose_trouble_may_be_its_own_says_nothing_about_the_target() -> None:
    assert fail(Health(), *"aaaa", asked_jobs=1, own_fault=True).up is True
    assert fail(UP, *"aaaa", asked_jobs=1, own_fault=True).up is True


def test_when_every_job_is_refused_the_target_is_down() -> None:
    assert fail(UP, "a", "b", asked_jobs=2, own_fault=True).up is False
    assert fail(UP, *"abc", asked_jobs=3, own_fault=True).up is False


def test_a_few_refused_jobs_among_many_say_nothing_about_the_target() -> None:
    assert fail(Health(), *"abc", own_fault=True).up is True
    assert fail(UP, *"abcdefghi", own_fault=True).up is True
    assert fail(UP, *"abcdefghij", own_fault=True).up is False


def test_a_target_that_is_down_stays_down_while_more_jobs_fail() -> None:
    assert fail(UP, *"abcdefgh").up is False


def test_the_last_error_stands_until_the_next_good_answer() -> None:
    health = fail(UP, *"abc")
    assert health.last_error == "no answer for c"
    assert health.last_success == 5000.0
    assert health.succeeded(6000.0) == Health(up=True, last_success=6000.0)


def test_pauses_are_counted_until_an_answer_comes() -> None:
    health = fail(UP, *"abc").paused().paused()
    assert health.pauses == 2
    assert fail(health, "d").pauses == 2
    assert health.answered("no such job").pauses == 0
    assert health.succeeded(6000.0).pauses == 0
