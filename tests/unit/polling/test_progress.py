"""How far polling has come."""

from builders import arn

from exporter.polling.progress import Progress

ONE, TWO, THREE = arn(1), arn(2), arn(3)


def test_at_the_start_every_named_job_is_waited_for() -> None:
    progress = Progress([ONE, TWO])
    assert progress.waiting == {ONE, TWO}
    assert progress.filling == set()
    assert progress.took is None


def test_a_job_that_was_tried_is_waited_for_no_longer() -> None:
    progress = Progress([ONE, TWO])
    progress.tried(ONE)
    progress.tried(ONE)
    assert progress.waiting == {TWO}


def test_a_job_that_nobody_waits_for_may_be_tried() -> None:
    progress = Progress([ONE])
    progress.tried(TWO)
    assert progress.waiting == {ONE}


def test_a_job_that_was_found_is_waited_for_by_whether_it_had_ended() -> None:
    progress = Progress([ONE])
    progress.expect(TWO, ended=False)
    progress.expect(THREE, ended=True)
    assert (progress.waiting, progress.filling) == ({ONE, TWO}, {THREE})
    progress.tried(TWO)
    progress.tried(THREE)
    assert (progress.waiting, progress.filling) == ({ONE}, set())


def test_a_pass_ends_when_nothing_is_due_and_took_the_time_since_it_began() -> None:
    progress = Progress(())
    progress.begin([ONE, TWO], 100.0)
    progress.had_turn([ONE], 101.0, nothing_due=False)
    assert progress.took is None
    progress.had_turn([ONE], 103.5, nothing_due=True)
    assert progress.took == 3.5


def test_a_pass_ends_once_every_job_had_its_turn_though_there_is_always_something_due() -> None:
    progress = Progress(())
    progress.begin([ONE, TWO], 100.0)
    progress.had_turn([ONE], 101.0, nothing_due=False)
    progress.had_turn([ONE, THREE], 102.0, nothing_due=False)
    assert progress.took is None
    progress.had_turn([TWO], 107.0, nothing_due=False)
    assert progress.took == 7.0


def test_a_page_gives_many_jobs_their_turn_at_once() -> None:
    progress = Progress(())
    progress.begin([ONE, TWO], 100.0)
    progress.had_turn([THREE, TWO, ONE], 104.0, nothing_due=False)
    assert progress.took == 4.0


def test_while_a_pass_is_under_way_no_other_begins() -> None:
    progress = Progress(())
    progress.begin([ONE], 100.0)
    progress.begin([TWO, THREE], 109.0)
    progress.had_turn([ONE], 110.0, nothing_due=False)
    assert progress.took == 10.0


def test_the_next_pass_counts_from_its_own_beginning_and_over_its_own_jobs() -> None:
    progress = Progress(())
    progress.begin([ONE, TWO], 100.0)
    progress.had_turn([ONE], 110.0, nothing_due=True)
    progress.begin([THREE], 200.0)
    assert progress.took == 10.0
    progress.had_turn([THREE], 202.0, nothing_due=False)
    assert progress.took == 2.0


def test_a_turn_outside_of_any_pass_takes_no_time() -> None:
    progress = Progress(())
    progress.had_turn([ONE], 100.0, nothing_due=True)
    assert progress.took is None
    progress.begin([ONE], 200.0)
    progress.had_turn([ONE], 201.0, nothing_due=True)
    progress.had_turn([ONE], 300.0, nothing_due=True)
    assert progress.took == 1.0


def test_a_pass_over_no_jobs_ends_with_the_next_turn() -> None:
    progress = Progress(())
    progress.begin([], 100.0)
    progress.had_turn([ONE], 100.5, nothing_due=False)
    assert progress.took == 0.5


def test_a_pass_does_not_wait_for_a_job_that_was_forgotten_meanwhile() -> None:
    progress = Progress(())
    progress.begin([ONE, TWO], 100.0)
    progress.tried(TWO)
    progress.had_turn([ONE], 103.0, nothing_due=False)
    assert progress.took == 3.0


def test_waiting_ends_for_named_jobs_that_were_given_once_only() -> None:
    names = iter([ONE, TWO])
    progress = Progress(names)
    progress.tried(ONE)
    progress.tried(TWO)
    assert not progress.waiting
