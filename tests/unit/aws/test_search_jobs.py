"""A SearchJobs response becomes a page with its invalid entries, or one error that names the invalid member."""

import copy
import json
from contextlib import suppress
from typing import Any

import pytest
from builders import ACCOUNT, ARN, REGION, SV1, arn
from hypothesis import given, settings
from hypothesis import strategies as st
from profiles import examples
from strategies import ANY_TEXT, JSON, LONG, NOT_OBJECTS, TIMES, mostly

from exporter.aws.members import ParseError
from exporter.aws.search_jobs import parse_page
from exporter.core import (
    STATUSES,
    EntryProblem,
    JobSummary,
    SearchPage,
)

# SearchJobs.

CREATED = 1_700_000_000.0  # 2023-11-14T22:13:20Z

ENTRY: dict[str, Any] = {
    "createdAt": "2023-11-14T22:13:20.000Z",
    "device": SV1,
    "endedAt": "2023-11-14T22:15:22.154Z",
    "jobArn": ARN,
    "jobName": "vqe-h2",
    "startedAt": "2023-11-14T22:14:02.800Z",
    "status": "COMPLETED",
    "tags": {"team": "chemistry", "owner": ""},
}


def entry(**members: Any) -> dict[str, Any]:
    return {**ENTRY, **members}


def summary(**members: Any) -> JobSummary:
    """Read a page with one entry of the given members."""
    page = parse_page({"jobs": [entry(**members)]})
    assert page.problems == ()
    return page.jobs[0]


def problem(**members: Any) -> EntryProblem:
    """Return what is wrong with an entry of the given members, between two good ones."""
    page = parse_page({"jobs": [ENTRY, entry(**members), entry(jobArn=arn(2))]})
    assert [job.arn for job in page.jobs] == [ARN, arn(2)]
    (found,) = page.problems
    return found


def test_a_page_is_read_whole() -> None:
    response = {"jobs": [ENTRY, entry(jobArn=arn(2), status="QUEUED")], "nextToken": "token"}
    page = parse_page(response)
    assert page == SearchPage(
        jobs=(
            JobSummary(
                arn=ARN,
                name="vqe-h2",
                status="COMPLETED",
                created=CREATED,
                started=CREATED + 42.8,
                ended=CREATED + 122.154,
                device=SV1,
                tags={"team": "chemistry", "owner": ""},
            ),
            page.jobs[1],
        ),
        problems=(),
        token="token",
    )
    assert (page.jobs[1].arn, page.jobs[1].status) == (arn(2), "QUEUED")
    assert [job.finished for job in page.jobs] == [True, False]


def test_reading_a_page_changes_nothing_in_it() -> None:
    response = {"jobs": [copy.deepcopy(ENTRY)], "nextToken": "token"}
    parse_page(response)
    assert response == {"jobs": [ENTRY], "nextToken": "token"}


def test_a_page_may_be_empty() -> None:
    assert parse_page({"jobs": []}) == SearchPage((), (), None)


@pytest.mark.parametrize("token", [None, ""])
def test_a_page_without_a_token_is_the_last(token: object) -> None:
    assert parse_page({"jobs": [], "nextToken": token}).token is None


@pytest.mark.parametrize("member", ["startedAt", "endedAt", "jobName", "tags", "device"])
def test_an_entry_may_lack_what_is_optional_or_have_it_null(member: str) -> None:
    missing = {name: value for name, value in ENTRY.items() if name != member}
    page = parse_page({"jobs": [missing, entry(**{member: None})]})
    assert page.jobs[0] == page.jobs[1]
    assert page.problems == ()


def test_an_arn_alone_is_a_usable_entry() -> None:
    assert parse_page({"jobs": [{"jobArn": ARN}]}) == SearchPage((JobSummary(ARN),), (), None)
    assert JobSummary(ARN) == JobSummary(
        arn=ARN, name="", status=None, created=None, started=None, ended=None, device="", tags=None
    )


def test_an_entry_without_tags_differs_from_one_whose_job_has_none() -> None:
    assert (summary(tags=None).tags, summary(tags={}).tags) == (None, {})


@pytest.mark.parametrize(
    ("tags", "kept"),
    [
        ([], None),
        (["team"], None),
        ("team=chemistry", None),
        (5, None),
        ({"team": 5, "owner": "ada"}, {"owner": "ada"}),
        ({"team": {"a": "b"}, "owner": "ada"}, {"owner": "ada"}),
        ({"team": ["chemistry"]}, {}),
        ({"team": False}, {}),
    ],
)
def test_odd_tags_cost_only_the_tags(tags: object, kept: dict[str, str] | None) -> None:
    assert summary(tags=tags) == summary()._replace(tags=kept)


@pytest.mark.parametrize(
    ("member", "field", "nothing"),
    [
        ("status", "status", None),
        ("createdAt", "created", None),
        ("startedAt", "started", None),
        ("endedAt", "ended", None),
        ("jobName", "name", ""),
        ("device", "device", ""),
    ],
)
@pytest.mark.parametrize("value", [True, -1e300, 1e300, [], {}, [{"a": 1}], ""])
def test_a_member_of_the_wrong_shape_costs_an_entry_only_that_member(
    member: str, field: str, nothing: Any, value: object
) -> None:
    assert summary(**{member: value}) == summary()._replace(**{field: nothing})


def test_every_tag_of_an_entry_is_kept_but_those_without_a_value() -> None:
    assert summary(tags={"team": "a", "Team": "b", "": "c", "none": None}).tags == {"team": "a", "Team": "b", "": "c"}


def test_a_status_that_this_release_does_not_know_is_carried_through() -> None:
    assert summary(status="PAUSED").status == "PAUSED"
    assert not summary(status="PAUSED").finished


def test_an_older_job_whose_arn_ends_in_its_name_is_read() -> None:
    name = "arn:aws:braket:us-west-2:123456789012:job/my-job"
    assert summary(jobArn=name).arn == name


@pytest.mark.parametrize(
    ("value", "shown", "reason"),
    [
        (None, None, "jobs.jobArn: missing"),
        ("", None, "jobs.jobArn: missing"),
        (5, None, "jobs.jobArn: expected text, got a number"),
        ([ARN], None, "jobs.jobArn: expected text, got a list"),
        ("arn:aws:s3:::bucket", "arn:aws:s3:::bucket", "jobs.jobArn: "),
        ("a\ud800", "a?", "jobs.jobArn: "),
        (f"{ARN}{'x' * 5000}", f"{ARN}{'x' * 300}"[:300], "jobs.jobArn: expected at most 256 characters, got 5078"),
    ],
)
def test_an_entry_without_a_usable_arn_costs_the_page_only_itself(
    value: object, shown: str | None, reason: str
) -> None:
    found = problem(jobArn=value)
    assert found.arn == shown
    assert found.reason.startswith(reason)
    assert len(found.reason) < 200


@pytest.mark.parametrize(("item", "kind"), [pair for pair in NOT_OBJECTS if pair[0] != 1.5])
def test_an_entry_that_is_not_an_object_costs_the_page_only_itself(item: object, kind: str) -> None:
    page = parse_page({"jobs": [item, ENTRY]})
    assert [job.arn for job in page.jobs] == [ARN]
    assert page.problems == (EntryProblem(None, f"jobs: expected objects, got {kind}"),)


def test_a_page_of_more_entries_than_are_read_reports_their_number() -> None:
    page = parse_page({"jobs": [ENTRY] * 1000 + [5] * 50_000})
    assert len(page.jobs) == 1000
    assert page.problems == (EntryProblem(None, "jobs: expected at most 1000 entries, got 51000"),)


@pytest.mark.parametrize(
    ("response", "text"),
    [
        (None, "response: expected an object, got null"),
        ([ENTRY], "response: expected an object, got a list"),
        ({}, "jobs: missing"),
        ({"jobs": None}, "jobs: missing"),
        ({"jobs": {}}, "jobs: expected a list, got an object"),
        ({"jobs": "text"}, "jobs: expected a list, got text"),
        ({"jobs": [], "nextToken": 5}, "nextToken: expected text, got a number"),
        ({"jobs": [], "nextToken": "t" * 8193}, "nextToken: expected at most 8192 characters, got 8193"),
    ],
)
def test_an_answer_that_is_no_page_cannot_be_read(response: object, text: str) -> None:
    with pytest.raises(ParseError) as caught:
        parse_page(response)
    assert str(caught.value) == text


def test_lone_surrogates_become_question_marks_on_a_page_too() -> None:
    response = json.loads(
        r"""{"jobs": [{"status": "\ud800", "jobName": "a\udfffb", "tags": {"team": "\ud83d"}, "createdAt": 0}]}"""
    )
    response["jobs"][0]["jobArn"] = ARN
    job = parse_page(response).jobs[0]
    assert (job.status, job.name, job.tags) == ("?", "a?b", {"team": "?"})


def test_the_longest_token_is_kept_as_it_is() -> None:
    assert parse_page({"jobs": [], "nextToken": "t" * 8192}).token == "t" * 8192


@given(JSON)
def test_any_json_value_is_a_page_or_unreadable_and_nothing_else(response: object) -> None:
    with suppress(ParseError):
        assert isinstance(parse_page(response), SearchPage)


@given(st.lists(JSON, max_size=5), JSON)
def test_any_list_of_json_values_is_a_page_with_as_many_problems(items: list[object], token: object) -> None:
    page = parse_page({"jobs": items, "nextToken": token if isinstance(token, str) else None})
    assert (page.jobs, len(page.problems)) == ((), len(items))


ENTRIES = st.fixed_dictionaries(
    {
        "jobArn": mostly(st.sampled_from([arn(number) for number in range(9)])),
        "status": mostly(st.sampled_from(STATUSES)),
        "createdAt": mostly(TIMES),
    },
    optional={
        "jobName": mostly(ANY_TEXT),
        "startedAt": mostly(TIMES),
        "endedAt": mostly(TIMES),
        "tags": mostly(st.dictionaries(ANY_TEXT, mostly(ANY_TEXT), max_size=3)),
    },
)


@settings(max_examples=examples(300))
@given(st.lists(mostly(ENTRIES), max_size=6))
def test_every_entry_of_a_page_is_a_job_or_a_problem(entries: list[Any]) -> None:
    page = parse_page({"jobs": entries})
    assert len(page.jobs) + len(page.problems) == len(entries)
    for job in page.jobs:
        assert job.status != ""
        assert job.arn.startswith(f"arn:aws:braket:{REGION}:{ACCOUNT}:job/")
        texts = (job.name, job.status or "", job.device, *(job.tags or {}).values())
        assert all(text.encode().decode() == text for text in texts)


@settings(max_examples=examples(30))
@given(st.fixed_dictionaries({"jobName": LONG, "status": LONG, "device": LONG, "tags": st.dictionaries(LONG, LONG)}))
def test_every_text_of_a_summary_is_bounded(members: dict[str, Any]) -> None:
    job = summary(**members)
    assert len(job.status or "") <= 100
    assert max(len(job.name), len(job.device)) <= 256
    assert all(len(key) <= 128 and len(value) <= 256 for key, value in (job.tags or {}).items())


def test_of_many_tags_only_so_many_are_read() -> None:
    tags = summary(tags={f"key-{number}": "value" for number in range(10_000)}).tags
    assert tags is not None
    assert len(tags) == 100


def test_names_and_statuses_of_any_length_are_cut() -> None:
    job = summary(jobName="x" * 10_000, status="x" * 10_000)
    assert (len(job.name), len(job.status or "")) == (256, 100)
