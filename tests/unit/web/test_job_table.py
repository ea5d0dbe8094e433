"""Which jobs the page lists, and in which order."""

from dataclasses import replace
from unittest.mock import patch

import pytest
from builders import CREATED, GARNET, arn, event, finished, record, snapshot
from hypothesis import given
from hypothesis import strategies as st

from exporter.core import JobRecord
from exporter.storage import BlockSummary, statuses_of
from exporter.storage.job_index import status_summaries
from exporter.web.job_columns import SORTABLE
from exporter.web.job_table import (
    ALL_JOBS,
    MAX_ROWS,
    JobQuery,
    list_jobs,
    parse_query,
)
from exporter.web.table_cells import Order

NOW = CREATED + 1000.0
OUT_OF_TIME = (event("MAX_RUNTIME_EXCEEDED", CREATED + 100.0),)

JOBS = [
    record(snapshot(arn=arn(1), name="vqe-h2", device=GARNET, queue_position=3)),
    record(finished(arn=arn(2), name="QAOA", failure_reason="AlgorithmError: secret", status="FAILED")),
    record(finished(arn=arn(3), name="vqe-lih", events=OUT_OF_TIME, max_runtime_seconds=80)),
    JobRecord(arn(4), failing="AccessDeniedException"),
    JobRecord(arn(5)),
]


def names(query: JobQuery, records: list[JobRecord] = JOBS) -> list[str]:
    """Return the last digit of the ARN of each listed job."""
    return [record.arn[-1] for record in list_jobs(records, query, NOW).shown]


# Query parameters.


@pytest.mark.parametrize(
    ("parameters", "query"),
    [
        ({}, ALL_JOBS),
        ({"q": [" vqe  h2 "]}, JobQuery(q="vqe  h2")),
        ({"q": ["a", "b"], "status": []}, JobQuery(q="a")),
        ({"status": ["FAILED"]}, JobQuery(status="FAILED")),
        ({"status": ["no such status"]}, JobQuery(status="no such status")),
        ({"sort": ["created"]}, JobQuery(sort="created", order="desc")),
        ({"sort": ["job"]}, JobQuery(sort="job", order="asc")),
        ({"sort": ["created"], "order": ["asc"]}, JobQuery(sort="created", order="asc")),
        ({"sort": ["job"], "order": ["desc"]}, JobQuery(sort="job", order="desc")),
        ({"sort": ["created"], "order": ["sideways"]}, JobQuery(sort="created", order="desc")),
        ({"sort": ["role"], "order": ["desc"]}, ALL_JOBS),
        ({"order": ["desc"]}, ALL_JOBS),
        ({"anything": ["else"]}, ALL_JOBS),
        ({"q": ["x" * 1000]}, JobQuery(q="x" * 256)),
        ({"refresh": ["30"]}, JobQuery(refresh=30)),
        ({"refresh": ["5"], "sort": ["job"]}, JobQuery(sort="job", refresh=5)),
        ({"refresh": ["3600"]}, JobQuery(refresh=3600)),
        *(({"refresh": [text]}, ALL_JOBS) for text in ("", "4", "0", "-5", "3601", "30s", "3e1", "٣٠", "9" * 200)),
    ],
)
def test_the_query_parameters_are_parsed_and_invalid_ones_are_ignored(
    parameters: dict[str, list[str]], query: JobQuery
) -> None:
    assert parse_query(parameters) == query


@pytest.mark.parametrize(
    ("query", "href"),
    [
        (ALL_JOBS, "."),
        (JobQuery(q="a b&c=d#"), "?q=a+b%26c%3Dd%23"),
        (JobQuery("vqe", "FAILED", "created", "desc"), "?q=vqe&status=FAILED&sort=created&order=desc"),
        (JobQuery(order="desc"), "."),
    ],
)
def test_a_query_has_an_address(query: JobQuery, href: str) -> None:
    assert query.href == href


def test_sorting_by_the_same_again_turns_the_order_round_and_keeps_the_rest() -> None:
    query = JobQuery(q="vqe", status="FAILED").sorted_by("created")
    assert query == JobQuery("vqe", "FAILED", "created", "desc")
    assert query.sorted_by("created") == JobQuery("vqe", "FAILED", "created", "asc")
    assert query.sorted_by("created").sorted_by("created") == query
    assert query.sorted_by("job") == JobQuery("vqe", "FAILED", "job", "asc")


# Search and filter.


@pytest.mark.parametrize(
    ("q", "found"),
    [
        ("", "12345"),
        ("vqe", "13"),
        ("VQE h2", "1"),
        ("h2 vqe", "1"),
        ("qaoa", "2"),
        ("garnet", "1"),
        ("sv1", "23"),
        (":job/00000000-0000-4000-8000-000000000004", "4"),
        ("algorithmerror", "2"),
        ("accessdenied", "4"),
        ("failed", "2"),
        ("secret", ""),
        ("vqe nothing", ""),
    ],
)
def test_a_search_finds_the_jobs_that_have_all_of_its_words(q: str, found: str) -> None:
    assert sorted(names(JobQuery(q=q))) == [*found]


@pytest.mark.parametrize(
    ("status", "found"),
    [
        ("RUNNING", "1"),
        ("FAILED", "2"),
        ("COMPLETED", "3"),
        ("MAX_RUNTIME_EXCEEDED", "3"),
        ("NO_ANSWER", "45"),
        ("failed", ""),
        ("NEW", ""),
    ],
)
def test_a_status_picks_the_jobs_that_have_it(status: str, found: str) -> None:
    assert sorted(names(JobQuery(status=status))) == [*found]


def test_statuses_are_counted_among_what_the_search_found_whichever_is_chosen() -> None:
    listing = list_jobs(JOBS, JobQuery(q="vqe", status="RUNNING"), NOW)
    assert listing.by_status == {"RUNNING": 1, "COMPLETED": 1, "MAX_RUNTIME_EXCEEDED": 1}
    assert (len(listing.shown), listing.matching, listing.total) == (1, 1, 5)


def test_a_job_that_ran_out_of_time_has_two_statuses() -> None:
    assert [statuses_of(job) for job in JOBS] == [
        ("RUNNING",),
        ("FAILED",),
        ("COMPLETED", "MAX_RUNTIME_EXCEEDED"),
        ("NO_ANSWER",),
        ("NO_ANSWER",),
    ]


# Order.


def test_failed_and_active_jobs_come_first() -> None:
    assert names(ALL_JOBS) == ["2", "3", "4", "1", "5"]


@pytest.mark.parametrize(
    ("key", "order", "found"),
    [
        ("status", "asc", "32451"),
        ("status", "desc", "14523"),
        ("job", "asc", "45213"),
        ("job", "desc", "31254"),
        ("device", "asc", "23145"),
        ("device", "desc", "12345"),
        ("region", "asc", "12345"),
        ("queue", "asc", "12345"),
        ("created", "desc", "12345"),
        ("used", "desc", "31245"),
        ("used", "asc", "21345"),
        ("billed", "desc", "23145"),
        ("age", "desc", "12345"),
    ],
)
def test_jobs_without_a_value_come_last_in_either_order(key: str, order: Order, found: str) -> None:
    assert "".join(names(JobQuery(sort=key, order=order))) == found


def test_jobs_are_sorted_by_the_age_of_their_data() -> None:
    records = [replace(job, polled_at=CREATED + index) for index, job in enumerate(JOBS[:3])]
    assert names(JobQuery(sort="age", order="desc"), records) == ["1", "2", "3"]
    assert names(JobQuery(sort="age"), records) == ["3", "2", "1"]


def test_every_key_sorts_every_job() -> None:
    for key in SORTABLE:
        for order in ("asc", "desc"):
            assert sorted(names(parse_query({"sort": [key], "order": [order]}))) == [*"12345"]


@given(st.lists(st.none() | st.integers(0, 9), max_size=40), st.sampled_from(["asc", "desc"]))
def test_places_in_the_queue_are_in_order_whatever_they_are(places: list[int | None], order: Order) -> None:
    records = [record(snapshot(arn=arn(number), queue_position=place)) for number, place in enumerate(places)]
    shown = list_jobs(records, JobQuery(sort="queue", order=order), NOW).shown
    told = [job.snapshot.queue_position for job in shown if job.snapshot is not None]
    known = sorted((place for place in places if place is not None), reverse=order == "desc")
    assert told == [*known, *[None] * places.count(None)]


@pytest.mark.parametrize("sort", ["", "created", "queue"])
def test_the_number_of_rows_is_limited(sort: str) -> None:
    records = [record(snapshot(arn=arn(number), created=CREATED + number)) for number in range(MAX_ROWS + 100)]
    listing = list_jobs(records, JobQuery(sort=sort), NOW)
    assert (len(listing.shown), listing.matching, listing.total) == (500, 600, 600)


# Jobs in blocks.


class Looks:
    """Makes piles, and remembers which of them were looked at."""

    def __init__(self) -> None:
        self.at: list[int] = []

    def summary(self, number: int, jobs: list[JobRecord]) -> BlockSummary:
        def records() -> list[JobRecord]:
            self.at.append(number)
            return jobs

        return BlockSummary(len(jobs), status_summaries(jobs), records)


def ended_at(number: int, status: str = "COMPLETED") -> JobRecord:
    return record(finished(arn=arn(number), status=status, created=CREATED + number, events=()))


SOME = st.lists(
    st.builds(ended_at, st.integers(0, 30), st.sampled_from(["COMPLETED", "FAILED", "CANCELLED"])), max_size=8
)


@given(SOME, st.lists(SOME, max_size=6), st.sampled_from(["", "FAILED", "COMPLETED", "QUEUED"]))
def test_piles_change_nothing_about_what_is_listed(
    loose: list[JobRecord], piled: list[list[JobRecord]], status: str
) -> None:
    for query in (JobQuery(status=status), JobQuery(status=status, q="vqe"), JobQuery(status=status, sort="created")):
        with patch("exporter.web.job_table.MAX_ROWS", 5):
            summaries = [Looks().summary(0, jobs) for jobs in piled]
            ours = list_jobs(loose, query, NOW, summaries)
            plain = list_jobs([*loose, *(job for jobs in piled for job in jobs)], query, NOW)
        assert (ours.matching, ours.by_status, ours.total) == (plain.matching, plain.by_status, plain.total)
        assert [told(job) for job in ours.shown] == [told(job) for job in plain.shown]


def told(job: JobRecord) -> tuple[str, float | None]:
    assert job.snapshot is not None
    return job.snapshot.status if job.snapshot.status == "FAILED" else "", job.snapshot.created


@pytest.mark.parametrize(
    ("query", "looked_at", "first"),
    [
        (ALL_JOBS, [1, 2], "34"),
        (JobQuery(status="COMPLETED"), [2], "23"),
        (JobQuery(status="FAILED"), [1], "4"),
        (JobQuery(status="QUEUED"), [], ""),
        (JobQuery(q="vqe"), [0, 1, 2], "34"),
        (JobQuery(sort="created", order="asc"), [0, 1, 2], "01"),
    ],
)
def test_a_pile_that_does_not_matter_is_not_looked_at(query: JobQuery, looked_at: list[int], first: str) -> None:
    looks = Looks()
    summaries = [
        looks.summary(0, [ended_at(1)]),
        looks.summary(1, [ended_at(0), ended_at(4, "FAILED")]),
        looks.summary(2, [ended_at(2), ended_at(3)]),
    ]
    with patch("exporter.web.job_table.MAX_ROWS", 2):
        shown = list_jobs([], query, NOW, summaries).shown
    assert looks.at == looked_at
    assert sorted(job.arn[-1] for job in shown) == sorted(first)
