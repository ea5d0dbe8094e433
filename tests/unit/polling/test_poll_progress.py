"""The progress of the first poll."""

from builders import arn

from exporter.polling.poll_progress import PollProgress

ONE, TWO, THREE = arn(1), arn(2), arn(3)


def test_at_the_start_every_configured_job_is_waited_for() -> None:
    progress = PollProgress([ONE, TWO])
    assert progress.pending_active == {ONE, TWO}
    assert progress.pending_finished == set()


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


def test_a_configured_job_that_is_given_twice_is_removed_once() -> None:
    names = iter([ONE, TWO])
    progress = PollProgress(names)
    progress.remove(ONE)
    progress.remove(TWO)
    assert not progress.pending_active
