"""The progress of polling."""

from builders import arn

from exporter.polling.poll_progress import PollProgress

ONE, TWO, THREE = arn(1), arn(2), arn(3)


def test_at_the_start_every_configured_job_is_waited_for() -> None:
    progress = PollProgress([ONE, TWO])
    assert progress.pending_active == {ONE, TWO}
    assert progress.pending_finished == set()
    assert progress.cycle_duration is None


def test_a_job_that_was_tried_is_waited_for_no_longer() -> None:
    progress = PollProgress([ONE, TWO])
    progress.remove(ONE)
    progress.remove(ONE)
    assert progress.pending_active == {TWO}


def test_a_job_that_nobody_waits_for_may_be_tried() -> None:
    progress = PollProgress([ONE])
    progress.remove(TWO)
    assert progress.pending_active == {ONE}


def test_a_job_that_was_found_is_waited_for_by_whether_it_had_ended() -> None:
    progress = PollProgress([ONE])
    progress.add(TWO, ended=False)
    progress.add(THREE, ended=True)
    assert (progress.pending_active, progress.pending_finished) == ({ONE, TWO}, {THREE})
    progress.remove(TWO)
    progress.remove(THREE)
    assert (progress.pending_active, progress.pending_finished) == ({ONE}, set())


def test_a_cycle_ends_when_nothing_is_due_and_took_the_time_since_it_began() -> None:
    progress = PollProgress(())
    progress.start_cycle([ONE, TWO], 100.0)
    progress.polled([ONE], 101.0, nothing_due=False)
    assert progress.cycle_duration is None
    progress.polled([ONE], 103.5, nothing_due=True)
    assert progress.cycle_duration == 3.5


def test_a_cycle_ends_once_every_job_had_its_turn_though_there_is_always_something_due() -> None:
    progress = PollProgress(())
    progress.start_cycle([ONE, TWO], 100.0)
    progress.polled([ONE], 101.0, nothing_due=False)
    progress.polled([ONE, THREE], 102.0, nothing_due=False)
    assert progress.cycle_duration is None
    progress.polled([TWO], 107.0, nothing_due=False)
    assert progress.cycle_duration == 7.0


def test_a_page_gives_many_jobs_their_turn_at_once() -> None:
    progress = PollProgress(())
    progress.start_cycle([ONE, TWO], 100.0)
    progress.polled([THREE, TWO, ONE], 104.0, nothing_due=False)
    assert progress.cycle_duration == 4.0


def test_while_a_cycle_is_running_no_other_starts() -> None:
    progress = PollProgress(())
    progress.start_cycle([ONE], 100.0)
    progress.start_cycle([TWO, THREE], 109.0)
    progress.polled([ONE], 110.0, nothing_due=False)
    assert progress.cycle_duration == 10.0


def test_the_next_cycle_counts_from_its_own_beginning_and_over_its_own_jobs() -> None:
    progress = PollProgress(())
    progress.start_cycle([ONE, TWO], 100.0)
    progress.polled([ONE], 110.0, nothing_due=True)
    progress.start_cycle([THREE], 200.0)
    assert progress.cycle_duration == 10.0
    progress.polled([THREE], 202.0, nothing_due=False)
    assert progress.cycle_duration == 2.0


def test_a_turn_outside_of_any_pass_takes_no_time() -> None:
    progress = PollProgress(())
    progress.polled([ONE], 100.0, nothing_due=True)
    assert progress.cycle_duration is None
    progress.start_cycle([ONE], 200.0)
    progress.polled([ONE], 201.0, nothing_due=True)
    progress.polled([ONE], 300.0, nothing_due=True)
    assert progress.cycle_duration == 1.0


def test_a_pass_over_no_jobs_ends_with_the_next_turn() -> None:
    progress = PollProgress(())
    progress.start_cycle([], 100.0)
    progress.polled([ONE], 100.5, nothing_due=False)
    assert progress.cycle_duration == 0.5


def test_a_pass_does_not_wait_for_a_job_that_was_forgotten_meanwhile() -> None:
    progress = PollProgress(())
    progress.start_cycle([ONE, TWO], 100.0)
    progress.remove(TWO)
    progress.polled([ONE], 103.0, nothing_due=False)
    assert progress.cycle_duration == 3.0


def test_a_configured_job_that_is_given_twice_is_removed_once() -> None:
    names = iter([ONE, TWO])
    progress = PollProgress(names)
    progress.remove(ONE)
    progress.remove(TWO)
    assert not progress.pending_active
