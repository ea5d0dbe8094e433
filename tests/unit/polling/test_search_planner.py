"""The planner of SearchJobs calls."""

import random
from collections import Counter
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field, replace

import pytest
from builders import CREATED, arn
from hypothesis import given, settings
from hypothesis import strategies as st
from profiles import examples

from exporter.core import EntryProblem, JobSummary, SearchPage, Span
from exporter.polling.scans import FULL_SCAN_INTERVAL
from exporter.polling.search import PageEnd, ScanKind, Search
from exporter.polling.search_planner import SearchPlanner

NEW_JOBS, STATUS, FULL = ScanKind
HOUR, DAY = 3600.0, 86400.0
LOOKBACK = 14 * DAY
NOW, WALL = 5000.0, CREATED
FOREVER = float("inf")


def planner(lookback: float = LOOKBACK) -> SearchPlanner:
    return SearchPlanner(NOW, lookback=lookback, discovery_interval=60.0, poll_interval=30.0)


def job(number: int, created: float) -> JobSummary:
    return JobSummary(arn(number), "vqe-h2", "RUNNING", created, started=None, ended=None, tags={})


def page(*created: float, token: str | None = None) -> SearchPage:
    return SearchPage(tuple(job(number, time) for number, time in enumerate(created)), (), token)


def take(plan: SearchPlanner, now: float = NOW, wall: float = WALL) -> Search:
    search = plan.next(now, wall)
    assert search is not None
    return search


def drain(plan: SearchPlanner, answer: SearchPage, now: float = NOW, wall: float = WALL) -> list[Search]:
    """Respond to each due call with the same page; return the calls."""
    searches = []
    while (search := plan.next(now, wall)) is not None:
        searches.append(search)
        plan.succeeded(search, answer, now)
    return searches


def start_scan(plan: SearchPlanner, active: Sequence[tuple[float | None, str]], now: float, wall: float) -> list[str]:
    """Start and plan a status scan; return the jobs that share a window with no other job."""
    alone: list[str] = []
    plan.start_status_scan(active, now, wall)
    while not plan.status_scan_planned:
        assert plan.status_scan_due(now) is False
        alone += plan.plan_status_scan()
    return alone


def take_full_scan(plan: SearchPlanner, now: float = NOW + HOUR, wall: float = WALL) -> Search:
    """Take the next call of the full scan; other calls before it get an empty page."""
    while (search := take(plan, now, wall)).scan is not FULL:
        plan.succeeded(search, page(), now)
    return search


def after_first_scan(*created: float, lookback: float = LOOKBACK) -> SearchPlanner:
    """Return a planner after its first scan for new jobs, which found the given jobs in one page per span."""
    plan = planner(lookback)
    drain(plan, page(*created))
    assert plan.first_scan_complete
    return plan


def spread(jobs: int, step: float = 1.0) -> list[float]:
    """Return the times of jobs of which the newest was created now."""
    return [WALL - step * number for number in range(jobs)]


# The first scan for new jobs.


def test_at_the_start_there_is_a_scan_for_new_jobs_to_make_at_once() -> None:
    plan = planner()
    assert plan.next_due() == NOW
    assert plan.next(NOW - 0.001, WALL) is None
    assert not plan.first_scan_complete
    assert not plan.lookback_covered


def test_the_first_scan_for_new_jobs_starts_with_the_newest_jobs_and_goes_back_through_all_of_the_lookback() -> None:
    assert drain(planner(), page()) == [
        Search(NEW_JOBS, Span(WALL - DAY, None)),
        Search(NEW_JOBS, Span(WALL - 3 * DAY, WALL - DAY)),
        Search(NEW_JOBS, Span(WALL - 14 * DAY, WALL - 3 * DAY)),
    ]


@pytest.mark.parametrize(
    ("lookback", "ages"),
    [(HOUR, [HOUR]), (DAY, [DAY]), (2 * DAY, [DAY, 2 * DAY]), (3 * DAY, [DAY, 3 * DAY])],
)
def test_a_shorter_lookback_needs_fewer_steps(lookback: float, ages: list[float]) -> None:
    spans = [search.span for search in drain(planner(lookback), page())]
    assert [WALL - span.start for span in spans] == ages
    assert [span.end for span in spans] == [None, *(WALL - age for age in ages[:-1])]


def test_the_first_scan_for_new_jobs_is_complete_with_its_last_response() -> None:
    plan = planner()
    calls = [take(plan) for _ in range(3)]
    assert plan.next(NOW, WALL) is None
    for call in calls[:2]:
        plan.succeeded(call, page(), NOW)
        assert not plan.first_scan_complete
    plan.succeeded(calls[2], page(), NOW)
    assert plan.first_scan_complete
    assert plan.lookback_covered


def test_a_scan_for_new_jobs_follows_page_after_page_before_it_goes_further_back() -> None:
    plan = planner()
    first = take(plan)
    plan.succeeded(first, page(WALL, token="a"), NOW)
    second = take(plan)
    assert second == replace(first, token="a")
    plan.succeeded(second, page(WALL - 1.0, token="b"), NOW)
    third = take(plan)
    assert third == replace(first, token="b")
    plan.succeeded(third, page(), NOW)
    assert take(plan).span == Span(WALL - 3 * DAY, WALL - DAY)


def test_a_full_page_of_a_scan_for_new_jobs_is_followed_to_the_next_one() -> None:
    plan = planner(HOUR)
    first = take(plan)
    plan.succeeded(first, page(*spread(100), token="a"), NOW)
    assert take(plan) == replace(first, token="a")


def test_every_job_of_a_page_is_indexed() -> None:
    plan = after_first_scan(WALL, WALL - 5.0)
    assert plan.index.count(WALL - 5.0, WALL) == 2
    assert plan.index.newest == WALL


def test_a_scan_for_new_jobs_of_several_pages_may_have_missed_jobs_so_a_full_scan_follows_at_once() -> None:
    plan = planner()
    plan.succeeded(take(plan), page(WALL, token="a"), NOW)
    drain_new_jobs_scan(plan)
    assert plan.first_scan_complete
    assert not plan.lookback_covered
    full_scan = take(plan)
    assert full_scan == Search(FULL, Span(WALL - LOOKBACK, None))
    plan.succeeded(full_scan, page(WALL), NOW)
    assert plan.lookback_covered


def drain_new_jobs_scan(plan: SearchPlanner, now: float = NOW, wall: float = WALL) -> None:
    """Respond to the calls of the scan for new jobs with an empty page."""
    while not plan.first_scan_complete:
        plan.succeeded(take(plan, now, wall), page(), now)


def test_a_repeated_token_is_not_followed_again() -> None:
    plan = planner(HOUR)
    first = take(plan)
    plan.succeeded(first, page(token="a"), NOW)
    second = take(plan)
    plan.succeeded(second, page(token="a"), NOW)
    assert plan.first_scan_complete
    assert not plan.lookback_covered


# Later scans for new jobs.


def test_later_scans_for_new_jobs_look_from_a_while_before_the_newest_job() -> None:
    plan = after_first_scan(WALL - 100.0, WALL - 50.0)
    assert plan.next(NOW + 59.9, WALL + 59.9) is None
    assert take(plan, NOW + 60.0, WALL + 60.0) == Search(NEW_JOBS, Span(WALL - 650.0, None))


def test_a_clock_of_ours_that_is_wrong_hides_no_new_job() -> None:
    plan = after_first_scan(WALL - 50.0)
    assert take(plan, NOW + 60.0, WALL + 30 * DAY).span == Span(WALL - 650.0, None)


def test_without_any_job_later_scans_for_new_jobs_look_through_all_of_the_lookback() -> None:
    plan = after_first_scan()
    assert take(plan, NOW + 60.0, WALL + 60.0) == Search(NEW_JOBS, Span(WALL + 60.0 - LOOKBACK, None))


def test_the_next_scan_for_new_jobs_counts_from_the_beginning_of_the_last_and_never_overtakes_it() -> None:
    plan = after_first_scan(WALL)
    slow = take(plan, NOW + 60.0)
    assert plan.next(NOW + 200.0, WALL) is None
    plan.succeeded(slow, page(), NOW + 200.0)
    assert plan.next_due() <= NOW + 200.0
    assert take(plan, NOW + 200.0).scan is NEW_JOBS
    assert plan.next(NOW + 259.0, WALL) is None


def test_a_later_scan_for_new_jobs_of_several_pages_brings_no_full_scan_forward() -> None:
    plan = after_first_scan(WALL)
    listing = take(plan, NOW + 60.0)
    plan.succeeded(listing, page(WALL + 1.0, token="a"), NOW + 60.0)
    plan.succeeded(take(plan, NOW + 60.0), page(), NOW + 60.0)
    assert plan.next(NOW + 60.0, WALL) is None
    assert plan.lookback_covered


# Full scans.


def test_an_hour_after_the_first_scan_a_full_scan_goes_through_the_lookback_in_spans_that_fit_a_page() -> None:
    plan = after_first_scan(*spread(200))
    assert [call.scan for call in drain(plan, page(), NOW + FULL_SCAN_INTERVAL - 1.0)] == [NEW_JOBS]
    wall = WALL + FULL_SCAN_INTERVAL
    full_scan = [call for call in drain(plan, page(), NOW + FULL_SCAN_INTERVAL, wall) if call.scan is FULL]
    assert [call.span for call in full_scan] == [
        Span(wall - LOOKBACK, WALL - 104.0),
        Span(WALL - 104.0, WALL - 9.0),
        Span(WALL - 9.0, None),
    ]
    assert {call.token for call in full_scan} == {None}


def test_the_next_full_scan_comes_an_hour_after_the_end_of_the_last() -> None:
    plan = after_first_scan(WALL)
    plan.succeeded(take_full_scan(plan), page(), NOW + HOUR + 500.0)
    assert FULL not in {call.scan for call in drain(plan, page(), NOW + 2 * HOUR + 499.0)}
    assert FULL in {call.scan for call in drain(plan, page(), NOW + 2 * HOUR + 500.0)}


def test_a_full_scan_forgets_what_is_older_than_the_lookback() -> None:
    plan = after_first_scan(WALL, WALL - LOOKBACK + 60.0)
    drain(plan, page(), NOW + HOUR, WALL + HOUR)
    assert plan.index.count(0.0, FOREVER) == 1


def test_a_span_of_a_full_scan_that_does_not_fit_a_page_is_halved() -> None:
    plan = after_first_scan(WALL - 3.0)
    plan.succeeded(take_full_scan(plan), page(*spread(100), token="a"), NOW + HOUR)
    calls = [call for call in drain(plan, page(), NOW + HOUR) if call.scan is FULL]
    assert calls == [Search(FULL, Span(WALL - LOOKBACK, WALL - 49.0)), Search(FULL, Span(WALL - 49.0, None))]


def test_unreadable_entries_fill_a_page_too() -> None:
    plan = after_first_scan(*spread(4))
    problems = (EntryProblem(None, "jobArn: missing"),) * 98
    plan.succeeded(take_full_scan(plan), page(*spread(2), token="a")._replace(problems=problems), NOW + HOUR)
    assert take_full_scan(plan).span == Span(WALL - LOOKBACK, WALL - 1.0)


@pytest.mark.parametrize(("jobs", "token"), [(50, "a"), (51, None)])
def test_a_page_that_is_half_empty_is_followed_and_its_span_not_halved(jobs: int, token: str | None) -> None:
    plan = after_first_scan()
    plan.succeeded(take_full_scan(plan), page(*spread(jobs), token="a"), NOW + HOUR)
    assert take_full_scan(plan).token == token


def test_a_span_of_a_full_scan_that_cannot_be_halved_is_followed_page_after_page() -> None:
    plan = after_first_scan()
    full_scan = take_full_scan(plan)
    plan.succeeded(full_scan, page(*[WALL] * 100, token="a"), NOW + HOUR)
    calls = [call for call in drain(plan, page(), NOW + HOUR) if call.scan is FULL]
    assert calls == [replace(full_scan, token="a")]


# Status scans.


def test_there_is_no_status_scan_before_the_first_scan_for_new_jobs_is_complete() -> None:
    plan = planner()
    assert not plan.status_scan_due(NOW + 1e6)
    drain_new_jobs_scan(plan)
    assert plan.status_scan_due(NOW)
    assert not plan.status_scan_due(NOW - 1.0)
    assert plan.next_due() == NOW


def test_a_status_scan_reads_the_windows_of_the_active_jobs() -> None:
    plan = after_first_scan(*spread(300))
    active = [(WALL - 290.0, arn(1)), (WALL - 5.0, arn(2)), (WALL - 280.0, arn(3)), (WALL - 200.0, arn(4))]
    assert start_scan(plan, active, NOW, WALL) == [arn(2)]
    assert drain(plan, page()) == [
        Search(STATUS, Span(WALL - 290.0, WALL - 200.0), arns=(arn(1), arn(3), arn(4))),
    ]


def test_the_newest_window_looks_for_new_jobs_too_while_they_fit_its_page() -> None:
    plan = after_first_scan(*spread(300))
    assert start_scan(plan, [(WALL - 5.0, arn(1)), (WALL - 2.0, arn(2))], NOW, WALL) == []
    assert drain(plan, page()) == [Search(STATUS, Span(WALL - 5.0, None), arns=(arn(1), arn(2)))]


def test_a_newest_window_without_room_ends_with_its_last_job() -> None:
    plan = after_first_scan(*spread(300))
    start_scan(plan, [(WALL - 95.0, arn(1)), (WALL - 2.0, arn(2))], NOW, WALL)
    assert take(plan).span == Span(WALL - 95.0, WALL - 2.0)


def test_jobs_of_unknown_creation_or_older_than_the_lookback_stand_alone() -> None:
    plan = after_first_scan(*spread(10))
    active = [(None, arn(1)), (WALL - LOOKBACK - 1.0, arn(2)), (WALL - LOOKBACK, arn(3)), (WALL, arn(4))]
    assert start_scan(plan, active, NOW, WALL) == [arn(1), arn(2)]
    assert take(plan).arns == (arn(3), arn(4))


def test_a_status_scan_of_many_jobs_is_planned_in_batches_with_the_same_windows() -> None:
    plan = after_first_scan(*spread(2000))
    plan.start_status_scan([(WALL - number, arn(number)) for number in range(1000)], NOW, WALL)
    assert (plan.plan_status_scan(), plan.status_scan_planned) == ([], False)
    calls = drain(plan, page())
    assert [len(call.arns) for call in calls] == [96] * 6
    assert not plan.status_scan_due(NOW + 30.0)
    assert (plan.plan_status_scan(), plan.status_scan_planned) == ([], True)
    calls += drain(plan, page())
    assert [len(call.arns) for call in calls] == [96] * 10 + [40]
    assert len(set(arns_of(calls))) == 1000
    assert plan.status_scan_due(NOW + 30.0)


def test_many_jobs_that_stand_alone_are_planned_in_batches() -> None:
    plan = after_first_scan(*spread(10))
    plan.start_status_scan([(None, arn(number)) for number in range(1000)], NOW, WALL)
    assert (len(plan.plan_status_scan()), plan.status_scan_planned) == (512, False)
    assert (len(plan.plan_status_scan()), plan.status_scan_planned) == (488, True)


def test_jobs_of_the_same_millisecond_share_a_window() -> None:
    plan = after_first_scan(WALL)
    assert start_scan(plan, [(WALL, arn(2)), (WALL, arn(1))], NOW, WALL) == []
    assert take(plan).arns == (arn(1), arn(2))


def test_a_status_scan_without_jobs_makes_no_call() -> None:
    plan = after_first_scan(WALL)
    assert start_scan(plan, [], NOW, WALL) == []
    assert plan.next(NOW, WALL) is None


def test_the_next_status_scan_counts_from_the_beginning_of_the_last_and_never_overtakes_it() -> None:
    plan = after_first_scan(*spread(5))
    start_scan(plan, [(WALL, arn(1)), (WALL - 1.0, arn(2))], NOW, WALL)
    assert not plan.status_scan_due(NOW + 30.0)  # its call is pending
    slow = take(plan)
    assert not plan.status_scan_due(NOW + 30.0)
    assert plan.next_due() == NOW + 60.0  # a scan for new jobs
    plan.succeeded(slow, page(), NOW + 1.0)
    assert not plan.status_scan_due(NOW + 29.9)
    assert plan.status_scan_due(NOW + 30.0)
    assert plan.next_due() == NOW + 30.0


def test_a_status_scan_that_is_skipped_comes_an_interval_later() -> None:
    plan = after_first_scan(WALL)
    plan.skip_status_scan(NOW + 5.0)
    assert not plan.status_scan_due(NOW + 34.9)
    assert plan.status_scan_due(NOW + 35.0)


def test_a_window_of_several_pages_is_followed_for_the_jobs_that_are_still_missing() -> None:
    plan = after_first_scan(*spread(5))
    start_scan(plan, [(WALL, arn(1)), (WALL - 1.0, arn(2))], NOW, WALL)
    plan.succeeded(take(plan), SearchPage((JobSummary(arn(1), "", "RUNNING", WALL, tags={}),), (), "a"), NOW)
    assert take(plan) == Search(STATUS, Span(WALL - 1.0, None), token="a", arns=(arn(2),))


def test_a_window_is_not_followed_for_ever() -> None:
    plan = after_first_scan(*spread(5))
    start_scan(plan, [(WALL, arn(1)), (WALL - 1.0, arn(2))], NOW, WALL)
    for number in range(4):
        call = take(plan)
        answer = page(token=str(number))
        assert plan.succeeded(call, answer, NOW) == PageEnd(continues=number < 3)
    assert plan.next(NOW, WALL) is None


def test_a_service_that_names_the_same_pages_again_and_again_is_not_followed_for_ever() -> None:
    plan = planner(HOUR)
    calls = Counter[ScanKind]()
    while (call := plan.next(NOW, WALL)) is not None:
        plan.succeeded(call, page(token="ab"[calls.total() % 2]), NOW)
        calls[call.scan] += 1
    assert calls == {NEW_JOBS: 3, FULL: 3}
    assert (plan.first_scan_complete, plan.lookback_covered) == (True, True)


def test_a_call_that_is_refused_or_malformed_is_dropped_until_the_next_full_scan() -> None:
    plan = planner(HOUR)
    calls = 0
    while (call := plan.next(NOW, WALL)) is not None:
        plan.failed(call, NOW, refused=True)
        calls += 1
    assert calls == 5
    assert plan.first_scan_complete


def test_a_call_that_cannot_be_made_now_is_never_given_up() -> None:
    plan = planner(HOUR)
    for _ in range(50):
        plan.failed(take(plan), NOW, refused=False)
    assert not plan.first_scan_complete


def test_a_job_from_the_future_does_not_hide_those_that_are_created_until_then() -> None:
    plan = after_first_scan(WALL + 5 * DAY)
    assert plan.next(NOW + 60.0, WALL + 60.0) == Search(NEW_JOBS, Span(WALL + 60.0 - 600.0, None))


def test_a_status_scan_indexes_the_jobs_that_it_reads() -> None:
    plan = after_first_scan(*spread(5))
    start_scan(plan, [(WALL, arn(1)), (WALL - 1.0, arn(2))], NOW, WALL)
    plan.succeeded(take(plan), page(WALL + 7.0), NOW)
    assert plan.index.newest == WALL + 7.0


# Pages without end.


def abandoned(plan: SearchPlanner, answers: Callable[[int], SearchPage]) -> tuple[int, str | None]:
    """Read the first span; return its number of pages, and why it was abandoned."""
    for number in range(3000):
        end = plan.succeeded(take(plan), answers(number), NOW)
        if not end.continues:
            return number + 1, end.abandoned
    raise AssertionError("the span never ends")


def fresh(number: int) -> SearchPage:
    return SearchPage((job(number, WALL - number),), (), f"token {number}")


def test_a_span_whose_tokens_repeat_is_abandoned() -> None:
    answers = [replace_token(fresh(number), "ABA"[number]) for number in range(3)]
    assert abandoned(planner(HOUR), answers.__getitem__) == (3, "a nextToken repeats")


def replace_token(page: SearchPage, token: str) -> SearchPage:
    return page._replace(token=token)


def test_a_span_that_brings_no_further_job_for_twenty_pages_is_abandoned() -> None:
    empty = SearchPage((), (), "")
    assert abandoned(planner(HOUR), lambda number: empty._replace(token=str(number))) == (
        20,
        "20 pages in a row bring no further job",
    )


def test_empty_pages_between_others_are_followed() -> None:
    plan = planner(HOUR)
    for number in range(100):
        answer = fresh(number) if number % 19 == 0 else SearchPage((), (), str(number))
        assert plan.succeeded(take(plan), answer, NOW) == PageEnd(continues=True)


def test_a_span_of_more_pages_than_any_account_has_is_abandoned() -> None:
    assert abandoned(planner(HOUR), fresh) == (2000, "it has more than 2,000 pages")


def test_after_a_span_was_abandoned_the_first_scan_for_new_jobs_is_complete() -> None:
    plan = planner(HOUR)
    abandoned(plan, lambda number: SearchPage((), (), str(number)))
    assert plan.first_scan_complete


# The horizon.


def test_scans_reach_back_for_the_lookback_or_to_the_newest_job_whichever_is_earlier() -> None:
    plan = planner(LOOKBACK)
    assert plan.horizon(WALL) == WALL - LOOKBACK
    plan.index.add(WALL - HOUR)
    assert plan.horizon(WALL) == WALL - LOOKBACK
    plan = planner(60.0)
    plan.index.add(WALL - HOUR)
    assert plan.horizon(WALL) == WALL - HOUR - 600.0


@given(
    lookback=st.sampled_from([60.0, 600.0, LOOKBACK]),
    created=st.lists(st.floats(-40 * DAY, 40 * DAY), max_size=5),
    steps=st.lists(st.sampled_from([60.0, HOUR, DAY]), max_size=12),
)
def test_no_span_starts_before_the_horizon(lookback: float, created: Sequence[float], steps: Sequence[float]) -> None:
    plan, now, wall = planner(lookback), NOW, WALL
    plan.index.forget_before(WALL)
    for age in created:
        plan.index.add(WALL + age)
    for step in steps:
        now, wall = now + step, wall + step
        horizon = plan.horizon(wall)
        while (search := plan.next(now, wall)) is not None:
            assert search.span.start >= horizon - 1e-6
            plan.succeeded(search, page(), now)


def test_without_a_known_job_a_scan_for_new_jobs_starts_before_the_last_one_that_is_complete() -> None:
    plan = planner(60.0)
    drain(plan, page())
    assert take(plan, NOW + DAY, WALL + DAY).span == Span(WALL - 600.0, None)


def test_a_plan_that_starts_again_knows_the_jobs_and_makes_all_calls_again() -> None:
    first = planner(HOUR)
    assert first.restarted(NOW).next(NOW, WALL) == Search(NEW_JOBS, Span(WALL - HOUR, None))
    plan = after_first_scan(WALL - 5.0, lookback=HOUR)
    again = plan.restarted(NOW + 1.0)
    assert (again.first_scan_complete, again.index.newest) == (True, WALL - 5.0)
    assert {search.scan for search in drain(again, page(), NOW + 1.0)} == {NEW_JOBS, FULL}


# The order of the scans.


def scans_of(plan: SearchPlanner, calls: int, now: float) -> list[ScanKind]:
    """Make calls while the scan for new jobs has always a further page; return their scans."""
    scans = []
    for number in range(calls):
        call = take(plan, now)
        scans.append(call.scan)
        token = f"token {number}" if call.scan is NEW_JOBS else None
        plan.succeeded(call, SearchPage((job(number, WALL),), (), token), now)
    return scans


def test_the_three_scans_take_turns() -> None:
    plan = after_first_scan(*spread(9600))
    start_scan(plan, [(WALL - 2.0, arn(1)), (WALL - 4.0, arn(2))], NOW, WALL)
    drain(plan, page())
    later = NOW + HOUR
    start_scan(plan, [(WALL - 2.0 * number, arn(number)) for number in range(4800)], later, WALL)
    scans = scans_of(plan, 48, later)
    assert Counter(scans) == {NEW_JOBS: 24, STATUS: 18, FULL: 6}
    assert all({NEW_JOBS, STATUS} <= {*scans[first : first + 4]} for first in range(45))


def test_after_a_restart_the_full_scan_waits_for_the_first_status_scan() -> None:
    plan = planner()
    for created in spread(9600):
        plan.resume(created, NOW)
    start_scan(plan, [(WALL - 2.0 * number, arn(number)) for number in range(960)], NOW, WALL)
    scans = scans_of(plan, 48, NOW)
    assert scans[:40] == [STATUS, NEW_JOBS] * 20
    assert Counter(scans[40:]) == {NEW_JOBS: 7, FULL: 1}


def test_a_scan_without_a_pending_call_leaves_its_turn_to_the_others() -> None:
    plan = after_first_scan(*spread(2000))
    calls = drain(plan, page(), NOW + HOUR)
    assert Counter(call.scan for call in calls) == {NEW_JOBS: 1, FULL: 22}


# Calls that fail.


def test_a_call_that_failed_is_made_again_after_the_others_of_its_kind() -> None:
    plan = planner()
    first = take(plan)
    plan.failed(first, NOW, refused=False)
    assert plan.next_due() <= NOW
    spans = [call.span for call in drain(plan, page())]
    assert spans == [Span(WALL - 3 * DAY, WALL - DAY), Span(WALL - 14 * DAY, WALL - 3 * DAY), first.span]
    assert plan.first_scan_complete


def test_a_call_that_fails_whenever_it_is_made_keeps_no_other_from_being_made() -> None:
    plan = planner()
    poisoned, requested = take(plan), []
    plan.failed(poisoned, NOW, refused=False)
    for _ in range(10):
        call = take(plan)
        requested.append(call)
        if call == poisoned:
            plan.failed(call, NOW, refused=False)
        else:
            plan.succeeded(call, page(), NOW)
    assert len({*requested}) == 3
    assert requested[-1] == poisoned
    assert not plan.first_scan_complete


def test_a_page_that_failed_is_requested_again_by_its_token() -> None:
    plan = planner(HOUR)
    plan.succeeded(take(plan), page(WALL, token="a"), NOW)
    second = take(plan)
    plan.failed(second, NOW, refused=False)
    assert take(plan) == second
    assert second.token == "a"


def test_a_scan_for_new_jobs_is_not_complete_while_one_of_its_calls_is_to_be_made_again() -> None:
    plan = planner(HOUR)
    plan.failed(take(plan), NOW, refused=False)
    assert not plan.first_scan_complete


def test_smaller_spans_are_requested_when_the_service_refuses_a_token() -> None:
    plan = planner(DAY)
    plan.succeeded(take(plan), page(*spread(4, HOUR), token="a"), NOW)
    plan.failed(take(plan), NOW, refused=True)
    assert [take(plan), take(plan)] == [
        Search(NEW_JOBS, Span(WALL - DAY, WALL - HOUR)),
        Search(NEW_JOBS, Span(WALL - HOUR, None)),
    ]


def test_a_span_that_cannot_be_halved_is_started_again_when_its_token_is_refused() -> None:
    plan = planner(HOUR)
    first = take(plan)
    plan.succeeded(first, page(token="a"), NOW)
    plan.failed(take(plan), NOW, refused=True)
    assert take(plan) == first


def test_a_first_page_that_is_refused_is_requested_again_unchanged() -> None:
    plan = planner(HOUR)
    first = take(plan)
    plan.index.add(WALL - 10.0)
    plan.index.add(WALL - 5.0)
    plan.failed(first, NOW, refused=True)
    assert take(plan) == first


def test_a_full_scan_that_failed_is_made_again() -> None:
    plan = after_first_scan(WALL)
    full_scan = take_full_scan(plan)
    plan.failed(full_scan, NOW + HOUR, refused=False)
    assert full_scan in drain(plan, page(), NOW + HOUR)


def test_a_status_scan_whose_call_failed_waits_for_the_next_one() -> None:
    plan = after_first_scan(*spread(5))
    start_scan(plan, [(WALL, arn(1)), (WALL - 1.0, arn(2))], NOW, WALL)
    plan.failed(take(plan), NOW, refused=False)
    assert plan.next(NOW, WALL) is None
    assert not plan.status_scan_due(NOW + 29.0)
    assert plan.status_scan_due(NOW + 30.0)


# When a call is due.


def test_while_a_call_is_ready_there_is_something_to_do_now() -> None:
    plan = planner()
    take(plan)
    assert plan.next_due() == -FOREVER


def test_while_all_that_is_due_is_under_way_nothing_wakes_anybody() -> None:
    plan = planner(HOUR)
    take(plan)
    assert plan.next_due() == FOREVER


# A whole service.


@dataclass
class Service:
    """A worst-case SearchJobs: pages are in any order, and some of several pages repeat jobs and miss others."""

    rng: random.Random
    jobs: list[JobSummary]
    spoiled: float = 0.3
    always_more: bool = False
    """Whether every page except an empty one has a ``nextToken``."""
    requested: Counter[tuple[ScanKind, Span, str | None]] = field(default_factory=Counter)

    def answer(self, search: Search, wall: float) -> SearchPage:
        self.requested[search.scan, search.span, search.token] += 1
        start, end = search.span.start, wall if search.span.end is None else search.span.end
        matching = [one for one in self.jobs if start <= (one.created or 0.0) <= end]
        if len(matching) <= 100 and not self.always_more:
            return SearchPage(tuple(self.rng.sample(matching, len(matching))), (), None)
        number = int((search.token or "0").rpartition(" ")[2])
        random.Random(f"{search.span}").shuffle(matching)
        entries = matching[number * 100 : number * 100 + 100]
        more = entries if self.always_more else matching[number * 100 + 100 :]
        if self.rng.random() < self.spoiled:
            entries[: self.rng.randint(0, len(entries) // 2)] = matching[:1]
        return SearchPage(tuple(entries), (), f"page {number + 1}" if more else None)


@dataclass
class Watcher:
    """Makes the calls of a planner as a poller does: several at once, and some of them fail."""

    plan: SearchPlanner
    service: Service
    rng: random.Random
    failing: float = 0.0
    now: float = NOW
    calls: int = 0
    known: dict[str, JobSummary] = field(default_factory=dict)
    under_way: list[Search] = field(default_factory=list)

    @property
    def wall(self) -> float:
        return WALL + self.now - NOW

    def until(self, done: Callable[[], bool], most_calls: int) -> None:
        while not done():
            self._begin()
            self._end()
            assert self.calls <= most_calls

    def _begin(self) -> None:
        if self.plan.status_scan_due(self.now):
            assert self.plan.next_due() <= self.now
            active = [(one.created, one.arn) for one in self.known.values() if (one.created or 0.0) % 3 < 1]
            alone = start_scan(self.plan, active, self.now, self.wall)
            assert set(alone) <= {name for _, name in active}
        ready = self.plan.next_due()
        search = self.plan.next(self.now, self.wall)
        if search is not None:
            assert ready <= self.now
            self.calls += 1
            self.under_way.append(search)
        elif not self.under_way:
            assert self.now < ready < FOREVER
            self.now = ready

    def _end(self) -> None:
        while self.under_way and (len(self.under_way) > 3 or self.rng.random() < 0.5):
            search = self.under_way.pop(self.rng.randrange(len(self.under_way)))
            self.now += self.rng.random()
            if self.rng.random() < self.failing:
                refused = self.rng.random() < 0.3
                self.plan.failed(search, self.now, refused=refused)
                given_up = search.scan is STATUS or (refused and search.attempt == 5)
                assert given_up or self.plan.next_due() <= self.now
                continue
            answer = self.service.answer(search, self.wall)
            self.known |= {one.arn: one for one in answer.jobs}
            self.plan.succeeded(search, answer, self.now)


def created_in(rng: random.Random, count: int, span: float, crowd: int) -> list[float]:
    """Draw times of creation, up to ``crowd`` of them in the same millisecond."""
    times: list[float] = []
    while len(times) < count:
        times += [round(WALL - rng.random() * span, 3)] * rng.randint(1, crowd)
    return times


@settings(max_examples=examples(60))
@given(
    seed=st.integers(0, 2**32),
    count=st.sampled_from([0, 1, 90, 100, 101, 300, 1500]),
    span=st.sampled_from([0.5 * HOUR, 20 * HOUR, 13.9 * DAY]),
    crowd=st.sampled_from([1, 3, 30]),
    failing=st.sampled_from([0.0, 0.2]),
)
def test_after_the_scan_for_new_jobs_and_a_full_scan_every_job_is_known_however_the_service_behaves(
    seed: int, count: int, span: float, crowd: int, failing: float
) -> None:
    rng = random.Random(seed)
    jobs = [job(number, time) for number, time in enumerate(created_in(rng, count, span, crowd))]
    watcher = Watcher(planner(), Service(rng, jobs), rng, failing)
    watcher.until(lambda: watcher.plan.lookback_covered, most_calls=200 + 2 * len(jobs))
    assert watcher.known.keys() == {one.arn for one in jobs}


@settings(max_examples=examples(30))
@given(seed=st.integers(0, 2**32), failing=st.sampled_from([0.0, 0.2]))
def test_jobs_that_are_created_later_are_found_by_the_scans_for_new_jobs(seed: int, failing: float) -> None:
    rng = random.Random(seed)
    old = [job(number, time) for number, time in enumerate(created_in(rng, 150, DAY, 1))]
    new = [job(1000 + number, WALL + number * 9.0) for number in range(60)]
    watcher = Watcher(planner(), Service(rng, [*old, *new]), rng, failing)
    watcher.until(lambda: watcher.now > NOW + 60 * 9.0 + 300.0, most_calls=2000)
    assert watcher.known.keys() >= {one.arn for one in new}


@settings(max_examples=examples(30))
@given(seed=st.integers(0, 2**32), failing=st.sampled_from([0.0, 0.3]))
def test_hours_of_polling_make_few_calls_more_than_are_due_and_no_page_is_requested_for_ever(
    seed: int, failing: float
) -> None:
    rng = random.Random(seed)
    jobs = [job(number, time) for number, time in enumerate(created_in(rng, 400, 13 * DAY, 2))]
    watcher = Watcher(planner(), Service(rng, jobs, spoiled=0.0), rng, failing)
    watcher.until(lambda: watcher.now > NOW + 5 * HOUR, most_calls=10**6)
    status_scans = {key: number for key, number in watcher.service.requested.items() if key[0] is STATUS}
    others = {key: number for key, number in watcher.service.requested.items() if key[0] is not STATUS}
    assert max(status_scans.values(), default=0) <= 5 * HOUR / 30.0 + 1
    assert sum(others.values()) <= 5 * HOUR / 60.0 * 2 + 100
    assert watcher.known.keys() == {one.arn for one in jobs}


def test_a_service_that_names_a_next_page_even_when_there_is_none_costs_a_few_times_more_and_not_a_hundred() -> None:
    rng = random.Random(1)
    jobs = [job(number, time) for number, time in enumerate(created_in(rng, 3000, 13 * DAY, 1))]
    watcher = Watcher(planner(), Service(rng, jobs, spoiled=0.0, always_more=True), rng)
    watcher.until(lambda: watcher.plan.lookback_covered, most_calls=10**5)
    requested = [key for key in watcher.service.requested.elements() if key[0] is FULL]
    assert len(requested) < 10 * len(jobs) / 100
    assert watcher.known.keys() == {one.arn for one in jobs}


def arns_of(searches: Iterable[Search]) -> list[str]:
    return [name for search in searches for name in search.arns]


@given(
    jobs=st.lists(st.integers(0, 500), max_size=400),
    active=st.lists(st.none() | st.integers(-50, 500), max_size=40),
)
def test_a_status_scan_covers_each_active_job_exactly_once(jobs: Sequence[int], active: Sequence[int | None]) -> None:
    plan = after_first_scan(*(WALL - number for number in jobs), lookback=500.0)
    pairs = [(None if age is None else WALL - 500.0 + age, arn(number)) for number, age in enumerate(active)]
    alone = start_scan(plan, pairs, NOW, WALL)
    searches = drain(plan, page())
    assert sorted([*alone, *arns_of(searches)]) == [name for _, name in pairs]
    created = {name: time for time, name in pairs}
    for search in searches:
        assert len(search.arns) > 1
        for name in search.arns:
            time = created[name]
            assert time is not None
            assert search.span.start <= time
            assert search.span.end is None or time <= search.span.end
