"""The active jobs of a target: their number, their poll cycle and their data age."""

from collections.abc import Iterable
from dataclasses import replace

from builders import arn
from hypothesis import given, settings
from hypothesis import strategies as st
from profiles import examples

from exporter.polling.active_jobs import ActiveJobs, PollCycle
from exporter.polling.job_queue import JobQueue
from exporter.polling.schedule import JobSchedule

ONE, TWO, THREE = arn(1), arn(2), arn(3)


def cycle_over(*jobs: str) -> PollCycle:
    cycle = PollCycle()
    for job in jobs:
        cycle.add(job)
    return cycle


def test_a_cycle_ends_when_nothing_is_due_and_took_the_time_since_it_started() -> None:
    cycle = cycle_over(ONE, TWO)
    cycle.start(100.0)
    cycle.polled([ONE], 101.0, nothing_due=False)
    assert cycle.duration is None
    cycle.polled([ONE], 103.5, nothing_due=True)
    assert cycle.duration == 3.5


def test_a_cycle_ends_once_every_job_is_polled_although_a_job_is_always_due() -> None:
    cycle = cycle_over(ONE, TWO)
    cycle.start(100.0)
    cycle.polled([ONE], 101.0, nothing_due=False)
    cycle.polled([ONE, THREE], 102.0, nothing_due=False)
    assert cycle.duration is None
    cycle.polled([TWO], 107.0, nothing_due=False)
    assert cycle.duration == 7.0


def test_a_page_polls_many_jobs_at_once() -> None:
    cycle = cycle_over(ONE, TWO)
    cycle.start(100.0)
    cycle.polled([THREE, TWO, ONE], 104.0, nothing_due=False)
    assert cycle.duration == 4.0


def test_while_a_cycle_is_running_no_other_starts_and_a_new_job_belongs_to_the_next_one() -> None:
    cycle = cycle_over(ONE)
    cycle.start(100.0)
    cycle.add(TWO)
    cycle.start(109.0)
    cycle.polled([ONE], 110.0, nothing_due=False)
    assert cycle.duration == 10.0
    cycle.start(200.0)
    cycle.polled([ONE], 210.0, nothing_due=False)
    assert cycle.duration == 10.0
    cycle.polled([TWO], 211.0, nothing_due=False)
    assert cycle.duration == 11.0


def test_a_poll_outside_of_any_cycle_takes_no_time() -> None:
    cycle = cycle_over(ONE)
    cycle.polled([ONE], 100.0, nothing_due=True)
    assert cycle.duration is None
    cycle.start(200.0)
    cycle.polled([ONE], 201.0, nothing_due=True)
    cycle.polled([ONE], 300.0, nothing_due=True)
    assert cycle.duration == 1.0


def test_a_cycle_over_no_jobs_ends_with_the_next_poll() -> None:
    cycle = PollCycle()
    cycle.start(100.0)
    cycle.polled([ONE], 100.5, nothing_due=False)
    assert cycle.duration == 0.5


def test_a_cycle_does_not_wait_for_a_job_that_was_removed_meanwhile() -> None:
    cycle = cycle_over(ONE, TWO)
    cycle.start(100.0)
    cycle.discard(TWO)
    assert len(cycle) == 1
    cycle.polled([ONE], 103.0, nothing_due=False)
    assert cycle.duration == 3.0


def test_a_job_that_was_taken_out_for_a_call_is_active_until_it_is_removed() -> None:
    job_queue = JobQueue()
    job_queue.put(JobSchedule(ONE, due=0.0, responded_at=7.0))
    job_queue.take(ONE)
    assert (len(job_queue), len(job_queue.active), job_queue.active.oldest()) == (0, 1, 7.0)
    job_queue.remove(ONE)
    assert (len(job_queue.active), job_queue.active.oldest()) == (0, None)


def test_a_job_that_braket_never_returned_has_no_data_age() -> None:
    active = ActiveJobs()
    active.put(JobSchedule(ONE, due=0.0, responded_at=3.0))
    active.put(JobSchedule(ONE, due=0.0, responded_at=3.0, never_returned=True))
    assert (len(active), active.oldest()) == (1, None)
    active.put(JobSchedule(ONE, due=0.0, responded_at=3.0))
    assert active.oldest() == 3.0


def test_jobs_that_come_and_go_leave_nothing_behind() -> None:
    active = ActiveJobs()
    active.put(JobSchedule(ONE, due=0.0, responded_at=0.0))
    for number in range(10, 1000):
        active.put(JobSchedule(arn(number), due=0.0, responded_at=float(number)))
        active.discard(arn(number))
    assert active.oldest() == 0.0
    assert len(active._heap) < 100


SCHEDULES = st.builds(
    JobSchedule,
    st.sampled_from([ONE, TWO, THREE, arn(4)]),
    due=st.just(0.0),
    responded_at=st.integers(0, 9).map(float),
    ended=st.booleans(),
    never_returned=st.booleans(),
    listed_at=st.none() | st.integers(0, 9).map(float),
)


@settings(max_examples=examples(300))
@given(st.lists(SCHEDULES | st.sampled_from([ONE, TWO, THREE]), max_size=40))
def test_number_and_data_age_are_those_of_a_count(steps: Iterable[JobSchedule | str]) -> None:
    active, known = ActiveJobs(), dict[str, JobSchedule]()
    for step in steps:
        if isinstance(step, str):
            active.discard(step)
            known.pop(step, None)
        else:
            active.put(step)
            known[step.arn] = replace(step)
            if step.ended:
                del known[step.arn]
        ages = [one.confirmed_at for one in known.values() if not one.never_returned]
        assert active.oldest() == min(ages, default=None)
        assert {one.arn for one in active} == set(known)
        assert len(active) == len(active.cycle) == len(known)
