"""Windows of creation time, so that few pages show the status of many jobs."""

from itertools import pairwise

from hypothesis import assume, given
from hypothesis import strategies as st

from exporter.aws import PAGE_SIZE
from exporter.core import Span
from exporter.polling.time_windows import WINDOW_JOBS, CreationIndex, cover, partition

FOREVER = float("inf")


def index_of(*times: float) -> CreationIndex:
    index = CreationIndex()
    for time in times:
        index.add(time)
    return index


def every_second(jobs: int) -> CreationIndex:
    return index_of(*map(float, range(jobs)))


def windows(created: list[float], index: CreationIndex) -> list[tuple[float, float, int]]:
    return [*cover(created, index)]


def test_a_window_leaves_room_on_its_page_for_unknown_jobs() -> None:
    assert (WINDOW_JOBS, PAGE_SIZE) == (96, 100)


# The index.


def test_an_empty_index_knows_of_nothing() -> None:
    index = CreationIndex()
    assert (len(index), index.newest, index.count(0.0, FOREVER)) == (0, None, 0)
    assert index.window_end(0.0) == FOREVER
    assert index.halves(Span(0.0, 100.0)) is None
    assert index.halves(Span(0.0, None)) is None


def test_jobs_are_counted_from_the_start_to_the_end_both_included() -> None:
    index = index_of(30.0, 10.0, 20.0)
    assert index.count(10.0, 30.0) == 3
    assert index.count(10.001, 29.999) == 1
    assert index.count(20.0, 20.0) == 1
    assert index.count(31.0, 99.0) == 0


def test_the_newest_job_is_known_in_whatever_order_they_come() -> None:
    assert index_of(10.0, 30.0, 20.0).newest == 30.0


def test_a_job_that_is_added_again_counts_once() -> None:
    index = index_of(10.0, 10.0, 20.0, 10.0)
    assert len(index) == 2
    assert index.count(0.0, 99.0) == 2


def test_what_was_created_before_a_time_can_be_dropped() -> None:
    index = index_of(10.0, 20.0, 30.0)
    index.forget_before(20.0)
    assert index.count(0.0, 99.0) == 2
    index.forget_before(99.0)
    assert (len(index), index.newest) == (0, None)
    index.forget_before(99.0)
    index.add(5.0)
    assert index.newest == 5.0


def test_a_window_reaches_the_job_that_fills_it() -> None:
    index = every_second(200)
    assert index.window_end(0.0) == 95.0
    assert index.window_end(0.5) == 96.0
    assert index.window_end(104.0) == 199.0
    assert index.window_end(-5.0) == 95.0


def test_a_window_reaches_for_ever_when_fewer_jobs_follow_than_fill_it() -> None:
    index = every_second(200)
    assert index.window_end(104.5) == FOREVER
    assert index.window_end(500.0) == FOREVER


def test_a_span_is_halved_where_half_of_its_jobs_are_on_each_side() -> None:
    index = index_of(0.0, 1.0, 2.0, 3.0, 90.0)
    assert index.halves(Span(0.0, 100.0)) == (Span(0.0, 2.0), Span(2.0, 100.0))
    assert index.halves(Span(0.0, None)) == (Span(0.0, 2.0), Span(2.0, None))
    assert index.halves(Span(2.0, None)) == (Span(2.0, 3.0), Span(3.0, None))
    assert index.halves(Span(0.0, 3.0)) == (Span(0.0, 2.0), Span(2.0, 3.0))


def test_a_span_with_two_jobs_inside_is_halved_at_the_second() -> None:
    assert index_of(3.0, 7.0).halves(Span(0.0, 10.0)) == (Span(0.0, 7.0), Span(7.0, 10.0))


def test_a_span_that_halving_would_not_make_smaller_cannot_be_halved() -> None:
    assert index_of(3.0).halves(Span(0.0, 10.0)) is None
    assert index_of(0.0, 10.0).halves(Span(0.0, 10.0)) is None
    assert index_of(3.0).halves(Span(3.0, None)) is None
    assert index_of(1.0, 20.0).halves(Span(5.0, 10.0)) is None


# Windows that cover jobs.


def test_no_jobs_need_no_window() -> None:
    assert windows([], every_second(10)) == []


def test_jobs_that_were_created_close_together_share_a_window() -> None:
    assert windows([3.0, 10.0, 50.0], every_second(60)) == [(3.0, 50.0, 3)]


def test_foreign_and_finished_jobs_between_them_fill_the_window_too() -> None:
    assert windows([0.0, 95.0], every_second(200)) == [(0.0, 95.0, 2)]
    assert windows([0.0, 96.0], every_second(200)) == [(0.0, 0.0, 1), (96.0, 96.0, 1)]


def test_a_window_starts_and_ends_with_a_job_that_it_covers() -> None:
    assert windows([10.0, 20.0, 150.0, 170.0], every_second(300)) == [(10.0, 20.0, 2), (150.0, 170.0, 2)]


def test_jobs_of_the_same_millisecond_share_a_window_however_many() -> None:
    assert windows([5.0] * 150, index_of(5.0)) == [(5.0, 5.0, 150)]


def test_jobs_that_the_index_does_not_know_are_covered() -> None:
    assert windows([1.0, 2.0, 3.0], CreationIndex()) == [(1.0, 3.0, 3)]
    assert windows([0.5, 150.5], every_second(200)) == [(0.5, 0.5, 1), (150.5, 150.5, 1)]


# Spans that cover all time.


def test_without_jobs_all_time_is_one_span() -> None:
    assert partition(1000.0, CreationIndex()) == [Span(1000.0, None)]


def test_all_time_is_divided_where_pages_are_full() -> None:
    assert partition(-50.0, every_second(200)) == [Span(-50.0, 95.0), Span(95.0, 190.0), Span(190.0, None)]


def test_jobs_before_the_start_are_no_concern() -> None:
    assert partition(150.0, every_second(200)) == [Span(150.0, None)]


# Whatever the jobs.

TIMES = st.lists(st.integers(0, 400), max_size=400).map(lambda numbers: [*map(float, numbers)])
FILLED = st.sets(st.integers(0, 100), max_size=100).map(lambda gaps: sorted({*range(401)} - gaps))
"""Enough jobs to fill pages: all but some of 401."""


@given(times=TIMES, start=st.integers(-5, 405), length=st.integers(0, 405))
def test_a_count_is_what_counting_one_by_one_gives(times: list[float], start: int, length: int) -> None:
    index, end = index_of(*times), start + length
    assert index.count(start, end) == len({time for time in times if start <= time <= end})
    assert len(index) == len({*times})
    assert index.newest == max(times, default=None)


@given(times=TIMES, before=st.integers(-5, 405))
def test_after_dropping_the_old_the_rest_is_all_there(times: list[float], before: int) -> None:
    index = index_of(*times)
    index.forget_before(before)
    assert [index.count(number, number) for number in range(401)] == [
        int(number in times and number >= before) for number in range(401)
    ]


@given(times=FILLED, start=st.floats(-5.0, 405.0))
def test_a_window_up_to_its_reach_is_full_and_one_beyond_would_not_fit(times: list[float], start: float) -> None:
    index = index_of(*times)
    reach = index.window_end(start)
    assert index.count(start, reach) == (
        WINDOW_JOBS if reach < FOREVER else len([time for time in times if time >= start])
    )
    assert index.count(start, reach) <= WINDOW_JOBS


@given(times=TIMES, start=st.integers(-5, 405), end=st.none() | st.integers(-5, 405))
def test_halves_are_smaller_leave_no_gap_and_hold_about_as_many_jobs(
    times: list[float], start: int, end: int | None
) -> None:
    assume(end is None or end >= start)
    index, span = index_of(*times), Span(start, end)
    inside = index.count(start, FOREVER if end is None else end)
    halves = index.halves(span)
    if halves is None:
        assert inside <= 2
        return
    (left_start, middle), (right_start, right_end) = halves
    assert middle is not None
    assert (left_start, right_start, right_end) == (start, middle, end)
    assert start < middle
    assert end is None or middle < end
    left, right = index.count(start, middle), index.count(middle, FOREVER if end is None else end)
    assert abs(left - right) <= 2
    assert left + right == inside + 1


@given(times=FILLED, chosen=st.lists(st.integers(0, 400), max_size=60))
def test_windows_cover_every_job_once_and_fit_a_page(times: list[float], chosen: list[int]) -> None:
    index, created = index_of(*times), sorted(map(float, chosen))
    covered: list[float] = []
    for start, end, jobs in cover(created, index):
        inside = created[len(covered) : len(covered) + jobs]
        assert (inside[0], inside[-1]) == (start, end)
        assert jobs == 1 or index.count(start, end) <= WINDOW_JOBS
        covered += inside
    assert covered == created
    assert all(before[1] < after[0] for before, after in pairwise(cover(created, index)))


@given(times=FILLED, chosen=st.lists(st.integers(0, 400), max_size=60))
def test_no_other_choice_needs_fewer_windows(times: list[float], chosen: list[int]) -> None:
    index, created = index_of(*times), sorted(map(float, chosen))
    fewest = [0]
    for last, end in enumerate(created):
        begins = [
            first for first in range(last + 1) if first == last or index.count(created[first], end) <= WINDOW_JOBS
        ]
        fewest.append(min(fewest[first] + 1 for first in begins))
    assert len(windows(created, index)) == fewest[-1]


@given(times=FILLED, start=st.floats(-5.0, 405.0))
def test_spans_leave_no_gap_and_fit_a_page_each(times: list[float], start: float) -> None:
    index = index_of(*times)
    spans = partition(start, index)
    assert spans[0].start == start
    assert all(before.end == after.start for before, after in pairwise(spans))
    assert [span.end is None for span in spans] == [False] * (len(spans) - 1) + [True]
    for span in spans:
        end = FOREVER if span.end is None else span.end
        assert end > span.start
        assert index.count(span.start, end) <= WINDOW_JOBS
    assert len(spans) <= 1 + len(times) // (WINDOW_JOBS - 1)
