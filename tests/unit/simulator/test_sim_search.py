"""SearchJobs: filters, pages and order."""

import json
from collections.abc import Callable, Iterator
from dataclasses import replace
from itertools import pairwise
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from sim_shapes import problems
from sim_support import START, simulator

from exporter.simulator import Disorder, ScriptedJob, SimulatedJob, World, job_arn
from exporter.simulator.jobs import SV1
from exporter.simulator.search import Entry, candidates, parsed
from exporter.simulator.wire import timestamp


def job(number: int, created: float | None = None, region: str = "us-east-1") -> SimulatedJob:
    when = START - 1000 + number if created is None else created
    return SimulatedJob(job_arn(f"job-{number:03}", region), f"job-{number}", when)


def numbers(answer: Any) -> list[int]:
    return [int(summary["jobName"].partition("-")[2]) for summary in answer["jobs"]]


def created(operator: str, *offsets: float) -> dict[str, Any]:
    values = [timestamp(START - 1000 + offset) for offset in offsets]
    return {"name": "createdAt", "operator": operator, "values": values}


def arn(operator: str, *values: str) -> dict[str, Any]:
    return {"name": "jobArn", "operator": operator, "values": list(values)}


def named(operator: str, *values: str) -> dict[str, Any]:
    return {"name": "jobName", "operator": operator, "values": list(values)}


def device(value: str) -> dict[str, Any]:
    return {"name": "deviceArn", "operator": "EQUAL", "values": [value]}


def found(*filters: dict[str, Any]) -> list[int]:
    jobs = [job(number) for number in range(10)]
    jobs[8] = replace(jobs[8], device="local:braket/default")
    with simulator(*jobs) as sim:
        return numbers(sim.search({"filters": list(filters)}).json)


def test_no_filters_find_every_job_of_the_region() -> None:
    with simulator(job(1), job(2), job(3, region="eu-west-2")) as sim:
        assert numbers(sim.search({"filters": []}).json) == [1, 2]
        assert numbers(sim.search({"filters": []}, region="eu-west-2").json) == [3]
        assert sim.search({"filters": []}, region="us-west-1").json == {"jobs": []}


@pytest.mark.parametrize(
    ("filters", "expected"),
    [
        ([created("LT", 3)], [0, 1, 2]),
        ([created("LTE", 3)], [0, 1, 2, 3]),
        ([created("GT", 7)], [8, 9]),
        ([created("GTE", 7)], [7, 8, 9]),
        ([created("EQUAL", 4)], [4]),
        ([created("EQUAL", 8, 2, 2.5)], [2, 8]),
        ([created("BETWEEN", 3, 5)], [3, 4, 5]),
        ([created("BETWEEN", 5, 3)], []),
        ([created("GT", 2), created("LT", 9), created("LTE", 4)], [3, 4]),
        ([arn("EQUAL", job_arn("job-003"), job_arn("job-007"))], [3, 7]),
        ([named("EQUAL", "job-3")], [3]),
        ([named("EQUAL", "job-")], []),
        ([named("CONTAINS", "b-4")], [4]),
        ([named("CONTAINS", "job"), created("GTE", 8)], [8, 9]),
        ([device(SV1), created("LT", 2)], [0, 1]),
        ([device("local:braket/default")], [8]),
        ([device("arn:aws:braket:us-east-1::device/qpu/ionq/Aria-1")], []),
        ([arn("EQUAL", "nothing")], []),
    ],
)
def test_filters_hold_all_together(filters: list[dict[str, Any]], expected: list[int]) -> None:
    assert found(*filters) == expected


@pytest.mark.parametrize("value", ["2025-06-15T16:50:08+02:00", "2025-06-15T14:50:08Z", "2025-06-15T14:50:08.000000z"])
def test_times_are_in_any_form_of_rfc_3339(value: str) -> None:
    assert found({"name": "createdAt", "operator": "GTE", "values": [value]}) == [8, 9]


@pytest.mark.parametrize(
    "value",
    ["yesterday", "2025-06-15T14:50:08", "2025-06-15", "20250615T145008Z", "2025-02-30T00:00:00Z", "1750000000"],
)
def test_a_time_in_another_form_is_refused(value: str) -> None:
    with simulator() as sim:
        answer = sim.search({"filters": [{"name": "createdAt", "operator": "GTE", "values": [value]}]})
    assert (answer.status, answer.json["message"]) == (
        400,
        f"createdAt must be compared with an RFC 3339 time, not {value!r}",
    )


def test_a_filter_by_arn_cannot_be_combined_with_others() -> None:
    with simulator() as sim:
        answer = sim.search({"filters": [arn("EQUAL", job_arn("job-003")), created("GTE", 1)]})
    assert (answer.status, answer.json) == (400, {"message": "a jobArn filter cannot be combined with other filters"})


@pytest.mark.parametrize(
    ("body", "message"),
    [
        (b"{", "the request body is not JSON"),
        (b"\xff", "the request body is not JSON"),
        (b"[]", "the request body must be a JSON object"),
        (b"{}", "filters is required and must be a list"),
        (json.dumps({"filters": [created("LT", 1)] * 11}).encode(), "at most 10 filters are allowed, not 11"),
        (b'{"filters": ["x"]}', "each filter must be an object"),
        (b'{"filters": [{}]}', "a filter's name must be one of createdAt, jobArn, jobName, deviceArn"),
        (b'{"filters": [], "maxResults": 0}', "maxResults must be an integer from 1 to 100"),
        (b'{"filters": [], "maxResults": 101}', "maxResults must be an integer from 1 to 100"),
        (b'{"filters": [], "maxResults": "5"}', "maxResults must be an integer from 1 to 100"),
        (b'{"filters": [], "nextToken": "x"}', "nextToken is not one of this service"),
        (b'{"filters": [], "nextToken": "MQ=="}', "nextToken is not one of this service"),
    ],
)
def test_a_bad_request_is_a_validation_exception_that_says_why(body: bytes, message: str) -> None:
    with simulator() as sim:
        answer = sim.http("POST", "/jobs", body)
    assert answer.status == 400
    assert answer.headers["x-amzn-errortype"] == "ValidationException"
    assert answer.json == {"message": message}


@pytest.mark.parametrize(
    ("bad", "message"),
    [
        ({"name": "status"}, "a filter's name must be one of createdAt, jobArn, jobName, deviceArn"),
        (
            {"operator": "CONTAINS"},
            "the operator of a createdAt filter must be one of LT, LTE, EQUAL, GT, GTE, BETWEEN",
        ),
        ({"name": "jobArn"}, "the operator of a jobArn filter must be one of EQUAL"),
        ({"name": "jobName"}, "the operator of a jobName filter must be one of EQUAL, CONTAINS"),
        ({"name": "deviceArn"}, "the operator of a deviceArn filter must be one of EQUAL"),
        ({"values": "x"}, "a filter's values must be a list of strings"),
        ({"values": [1]}, "a filter's values must be a list of strings"),
        ({"values": []}, "a filter must have 1 to 10 values, not 0"),
        ({"operator": "EQUAL", "values": ["x"] * 11}, "a filter must have 1 to 10 values, not 11"),
        ({"operator": "BETWEEN"}, "BETWEEN takes 2 value(s), not 1"),
        ({"values": ["2025-01-01", "2025-01-02"]}, "LT takes 1 value(s), not 2"),
    ],
)
def test_a_bad_filter_is_a_validation_exception_that_says_why(bad: dict[str, Any], message: str) -> None:
    with simulator() as sim:
        answer = sim.search({"filters": [{**created("LT", 1), **bad}]})
    assert (answer.status, answer.json) == (400, {"message": message})


def pages(sim: Any, size: int) -> Iterator[list[int]]:
    token: dict[str, str] = {}
    while True:
        answer = sim.search({"filters": [], "maxResults": size, **token}).json
        yield numbers(answer)
        if "nextToken" not in answer:
            return
        token = {"nextToken": answer["nextToken"]}


def test_pages_go_through_the_whole_list_once() -> None:
    with simulator(*[job(number) for number in range(7)]) as sim:
        assert list(pages(sim, 3)) == [[0, 1, 2], [3, 4, 5], [6]]
        assert list(pages(sim, 7)) == [[0, 1, 2, 3, 4, 5, 6]]


def test_a_page_holds_a_hundred_jobs_when_no_number_is_given() -> None:
    with simulator(*[job(number) for number in range(101)]) as sim:
        first = sim.search({"filters": []}).json
    assert len(first["jobs"]) == 100
    assert "nextToken" in first


def test_a_job_created_between_two_pages_shifts_none_of_the_others() -> None:
    with simulator(*[job(number) for number in range(1, 5)]) as sim:
        listing = pages(sim, 2)
        assert next(listing) == [1, 2]
        sim.server.world.put(job(0))
        assert list(listing) == [[3, 4]]


def test_jobs_of_one_moment_are_split_between_pages_without_loss() -> None:
    with simulator(*[job(number, created=START) for number in range(5)]) as sim:
        assert list(pages(sim, 2)) == [[0, 1], [2, 3], [4]]


def test_a_job_that_is_not_created_yet_is_not_listed() -> None:
    with simulator(job(1), job(2, created=START + 5)) as sim:
        assert numbers(sim.search({"filters": []}).json) == [1]
        sim.clock.now += 5
        assert numbers(sim.search({"filters": []}).json) == [1, 2]


def test_a_listing_keeps_to_the_model() -> None:
    with simulator(*[job(number) for number in range(5)]) as sim:
        assert problems("SearchJobs", sim.search({"filters": [], "maxResults": 2}).json) == []


def test_scripted_jobs_are_listed_with_what_their_answer_has() -> None:
    odd = ScriptedJob(job_arn("odd"), START, [(START, {"jobArn": job_arn("odd"), "status": "PAUSED"})])
    with simulator(odd) as sim:
        assert sim.search({"filters": []}).json == {"jobs": [{"jobArn": job_arn("odd"), "status": "PAUSED"}]}


def test_a_shuffled_listing_has_every_job_once_in_another_order() -> None:
    jobs = [job(number) for number in range(20)]
    with simulator(world=World(jobs, disorder=Disorder(seed=1))) as sim:
        listed = [number for page in pages(sim, 6) for number in page]
    assert sorted(listed) == list(range(20))
    assert listed != list(range(20))


def test_shifted_pages_repeat_and_miss_jobs_and_differ_from_time_to_time() -> None:
    jobs = [job(number) for number in range(60)]
    with simulator(world=World(jobs, disorder=Disorder(seed=1, shift=2))) as sim:
        listings = []
        for _ in range(5):
            listings.append([number for page in pages(sim, 5) for number in page])
            sim.clock.now += 1
    assert any(len(set(listed)) < len(listed) for listed in listings)
    assert any(len(set(listed)) < 60 for listed in listings)
    assert any(one != other for one, other in pairwise(listings))
    assert set().union(*listings) == set(range(60))


NAIVE: dict[str, Callable[[float, list[float]], bool]] = {
    "LT": lambda moment, values: moment < values[0],
    "LTE": lambda moment, values: moment <= values[0],
    "GT": lambda moment, values: moment > values[0],
    "GTE": lambda moment, values: moment >= values[0],
    "BETWEEN": lambda moment, values: values[0] <= moment <= values[1],
    "EQUAL": lambda moment, values: moment in values,
}


@given(
    moments=st.lists(st.integers(0, 20), max_size=30),
    filters=st.lists(st.tuples(st.sampled_from(sorted(NAIVE)), st.integers(-1, 21), st.integers(-1, 21)), max_size=4),
)
def test_bisecting_finds_what_a_plain_scan_finds(moments: list[int], filters: list[tuple[str, int, int]]) -> None:
    entries: list[Entry] = sorted((START + moment, job_arn(str(n))) for n, moment in enumerate(moments))
    asked = [(name, [low, high] if name in ("BETWEEN", "EQUAL") else [low]) for name, low, high in filters]
    body = [
        {"name": "createdAt", "operator": name, "values": [timestamp(START + value) for value in values]}
        for name, values in asked
    ]
    query = parsed(json.dumps({"filters": body}).encode())
    plain = [
        entry
        for entry in entries
        if all(NAIVE[name](entry[0], [START + value for value in values]) for name, values in asked)
    ]
    assert list(candidates(entries, query, None, START)) == plain
