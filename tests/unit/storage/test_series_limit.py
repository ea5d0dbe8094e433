"""Which jobs keep their series where there are more than may have them."""

from functools import partial
from typing import Any

import pytest
from builders import CREATED, arn, event, finished, record, snapshot
from hypothesis import given
from hypothesis import strategies as st

from exporter.core import MAX_RUNTIME_EXCEEDED, JobRecord, JobSummary
from exporter.storage.series_limit import UNKNOWN, Rank, Ranked, Standing, lowest, rank_of, rank_of_listed

FINISHED, FAILED, ACTIVE = Standing
ENDED = CREATED + 120.0


def listed(status: str, **members: Any) -> JobSummary:
    usual: dict[str, Any] = {"name": "vqe", "created": CREATED, "started": None, "ended": ENDED, "tags": {}}
    return JobSummary(arn(1), status=status, **{**usual, **members})


@pytest.mark.parametrize("status", ["COMPLETED", "CANCELLED"])
def test_a_job_that_ended_well_ranks_by_its_end(status: str) -> None:
    assert rank_of(record(finished(status))) == (FINISHED, ENDED)


def test_a_failed_job_ranks_above_those_that_ended_well() -> None:
    assert rank_of(record(finished("FAILED"))) == (FAILED, ENDED)
    assert rank_of(record(finished("FAILED"))) > rank_of(record(finished(ended=ENDED + 1e6)))


@pytest.mark.parametrize("status", ["COMPLETED", "CANCELLED", "FAILED"])
def test_a_job_that_ran_out_of_time_ranks_as_a_failed_one_whatever_its_status(status: str) -> None:
    job = finished(status, events=(event(MAX_RUNTIME_EXCEEDED, ENDED), event(status, ENDED)))
    assert rank_of(record(job)) == (FAILED, ENDED)


@pytest.mark.parametrize("status", ["QUEUED", "RUNNING", "CANCELLING", "PAUSED"])
def test_an_active_job_ranks_above_all_that_ended_and_by_its_creation(status: str) -> None:
    job = record(snapshot(status=status, created=CREATED - 1e6))
    assert rank_of(job) == (ACTIVE, CREATED - 1e6)
    assert rank_of(job) > rank_of(record(finished("FAILED")))


def test_an_active_job_that_is_out_of_time_is_active_still() -> None:
    job = snapshot(status="CANCELLING", events=(event(MAX_RUNTIME_EXCEEDED, ENDED),))
    assert rank_of(record(job)) == (ACTIVE, CREATED)


def test_a_job_that_never_answered_ranks_as_the_oldest_active_one() -> None:
    assert rank_of(JobRecord(arn(1))) == rank_of(record(snapshot(created=None))) == (ACTIVE, UNKNOWN)


def test_a_job_that_does_not_tell_when_it_ended_ended_when_it_was_seen_to_have() -> None:
    assert rank_of(record(finished(ended=None), polled_at=ENDED + 7.0)) == (FINISHED, ENDED + 7.0)
    assert rank_of(record(finished(ended=None), polled_at=None)) == (FINISHED, UNKNOWN)


def test_a_job_that_had_ended_before_it_was_found_ranks_as_the_list_told() -> None:
    assert rank_of_listed(listed("COMPLETED"), ended=True) == (FINISHED, ENDED)
    assert rank_of_listed(listed("CANCELLED"), ended=True) == (FINISHED, ENDED)
    assert rank_of_listed(listed("FAILED"), ended=True) == (FAILED, ENDED)
    assert rank_of_listed(listed("FAILED", ended=None), ended=True) == (FAILED, CREATED)


def test_a_job_that_is_to_be_told_of_first_ranks_as_an_active_one() -> None:
    assert rank_of_listed(listed("RUNNING", ended=None), ended=False) == (ACTIVE, CREATED)
    assert rank_of_listed(listed("FAILED"), ended=False) == (ACTIVE, CREATED)


def test_the_oldest_finished_ones_go_first_then_failed_ones_then_active_ones() -> None:
    ranks = [(ACTIVE, 1.0), (FINISHED, 9.0), (FAILED, 3.0), (ACTIVE, 2.0), (FINISHED, 5.0), (FAILED, 2.0)]
    jobs = [Ranked(Rank(standing, time), arn(number)) for number, (standing, time) in enumerate(ranks)]
    order = [arn(number) for number in (4, 1, 5, 2, 0, 3)]
    for count in range(7):
        assert [job.arn for job in lowest(count, jobs)] == order[:count]


def test_of_two_that_rank_the_same_it_is_always_the_same_one() -> None:
    one, other = (Ranked(Rank(FINISHED, 1.0), arn(number)) for number in (1, 2))
    assert lowest(1, [one, other]) == lowest(1, [other, one]) == lowest(1, [other], [(one.rank, lambda: [one])])


def test_a_group_that_cannot_matter_is_not_looked_at() -> None:
    def never() -> list[Ranked]:
        raise AssertionError("looked at")

    low = [Ranked(Rank(FINISHED, float(number)), arn(number)) for number in range(5)]
    assert lowest(3, low, [(Rank(FINISHED, 2.5), never), (Rank(FAILED, 0.0), never)]) == low[:3]
    assert lowest(0, [], [(Rank(FINISHED, 0.0), never)]) == []


RANKS = st.builds(Rank, st.sampled_from(Standing), st.integers(0, 9).map(float) | st.just(UNKNOWN))


@given(ranks=st.lists(st.tuples(RANKS, st.integers(0, 4)), max_size=60), most=st.integers(0, 70))
def test_never_more_than_the_limit_are_kept_and_nobody_who_is_ranks_below_anybody_dropped(
    ranks: list[tuple[Rank, int]], most: int
) -> None:
    """Group 0 is quickly looked at; the others are not."""
    jobs = [Ranked(rank, arn(number)) for number, (rank, _) in enumerate(ranks)]
    groups = [[job for job, (_, own) in zip(jobs, ranks, strict=True) if own == group] for group in range(5)]
    slow = [(min(group).rank, partial(iter, group)) for group in groups[1:] if group]
    dropped = lowest(max(0, len(jobs) - most), groups[0], slow)
    kept = set(jobs).difference(dropped)
    assert len(kept) == min(most, len(jobs))
    assert not kept or not dropped or max(dropped) < min(kept)
    assert list(dropped) == sorted(dropped)
