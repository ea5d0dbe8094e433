"""A GetJob answer becomes a snapshot, a SearchJobs answer a page, or one error that names what was wrong."""

import copy
import json
import time
from collections.abc import Iterator
from contextlib import suppress
from datetime import UTC, datetime, timedelta, timezone
from typing import Any

import pytest
from builders import ACCOUNT, ARN, REGION, SV1, arn, event
from hypothesis import given, settings
from hypothesis import strategies as st
from structlog import wrap_logger
from structlog.testing import LogCapture

from exporter.exposition import render_job
from exporter.families import job_families
from exporter.lifecycle import observe
from exporter.logs import Journal
from exporter.model import EVENT_TYPES, STATUSES, JobRecord, JobSnapshot, JobSummary, SearchPage
from exporter.parse import ParseError, parse_job, parse_page, parse_queue_position, parse_time

CREATED = 1_700_000_000.0  # 2023-11-14T22:13:20Z

RECORDED: dict[str, Any] = {
    "algorithmSpecification": {
        "scriptModeConfig": {"entryPoint": "job", "s3Uri": "s3://b/k", "compressionType": "GZIP"}
    },
    "billableDuration": 80000,
    "createdAt": "2023-11-14T22:13:20.000Z",
    "deviceConfig": {"device": SV1},
    "endedAt": "2023-11-14T22:15:22.154Z",
    "events": [
        {"eventType": "STARTING_INSTANCE", "message": "Starting.", "timeOfEvent": "2023-11-14T22:13:21.500Z"},
        {"eventType": "COMPLETED", "message": "Done.", "timeOfEvent": "2023-11-14T22:15:22.154Z"},
    ],
    "hyperParameters": {"secret": "never a label"},
    "instanceConfig": {"instanceCount": 2, "instanceType": "ml.m5.large", "volumeSizeInGb": 30},
    "jobArn": ARN,
    "jobName": "vqe-h2",
    "outputDataConfig": {"s3Path": "s3://b/out"},
    "queueInfo": {"position": "None", "queue": "JOBS_QUEUE"},
    "roleArn": "arn:aws:iam::123456789012:role/x",
    "startedAt": "2023-11-14T22:14:02.800Z",
    "status": "COMPLETED",
    "stoppingCondition": {"maxRuntimeInSeconds": 432000},
    "tags": {"team": "chemistry", "owner": "ada", "cost": "7"},
}


def parse(**members: Any) -> JobSnapshot:
    return parse_job(ARN, {"status": "RUNNING", **members}, frozenset({"team", "owner"}))


def test_a_recorded_answer_is_read_whole() -> None:
    assert parse_job(ARN, RECORDED, frozenset({"team", "owner", "absent"})) == JobSnapshot(
        arn=ARN,
        name="vqe-h2",
        status="COMPLETED",
        account=ACCOUNT,
        region=REGION,
        device=SV1,
        instance_type="ml.m5.large",
        instance_count=2,
        max_runtime_seconds=432000,
        created=CREATED,
        started=CREATED + 42.8,
        ended=CREATED + 122.154,
        billable_seconds=80.0,
        queue_position=None,
        queue_position_is_floor=False,
        failure_reason=None,
        events=(
            event("STARTING_INSTANCE", CREATED + 1.5, "Starting."),
            event("COMPLETED", CREATED + 122.154, "Done."),
        ),
        tags=(("owner", "ada"), ("team", "chemistry")),
        unknown=(),
    )


def test_reading_an_answer_changes_nothing_in_it() -> None:
    answer = copy.deepcopy(RECORDED)
    parse_job(ARN, answer, frozenset({"team"}))
    assert answer == RECORDED


def test_an_answer_with_a_status_alone_is_a_job_of_which_nothing_else_is_known() -> None:
    assert parse_job(ARN, {"status": "QUEUED"}) == JobSnapshot(
        arn=ARN, name="", status="QUEUED", account=ACCOUNT, region=REGION
    )


@pytest.mark.parametrize("member", sorted(set(RECORDED) - {"status"}))
def test_a_null_member_is_the_same_as_a_missing_one(member: str) -> None:
    missing = {name: value for name, value in RECORDED.items() if name != member}
    assert parse_job(ARN, {**RECORDED, member: None}) == parse_job(ARN, missing)


@pytest.mark.parametrize(
    ("outer", "inner", "field"),
    [
        ("deviceConfig", "device", "device"),
        ("instanceConfig", "instanceType", "instance_type"),
        ("instanceConfig", "instanceCount", "instance_count"),
        ("stoppingCondition", "maxRuntimeInSeconds", "max_runtime_seconds"),
        ("queueInfo", "position", "queue_position"),
    ],
)
@pytest.mark.parametrize("value", [{}, "null"])
def test_an_inner_member_may_be_missing_or_null(outer: str, inner: str, field: str, value: object) -> None:
    job = parse(**{outer: {inner: None} if value == "null" else {}})
    assert getattr(job, field) in (None, "")


def test_missing_numbers_and_times_are_none_and_never_zero() -> None:
    job = parse()
    assert (job.billable_seconds, job.instance_count, job.max_runtime_seconds) == (None, None, None)
    assert (job.created, job.started, job.ended) == (None, None, None)


def test_a_zero_is_kept_as_zero() -> None:
    job = parse(billableDuration=0, instanceConfig={"instanceCount": 0}, createdAt=0)
    assert (job.billable_seconds, job.instance_count, job.created) == (0.0, 0, 0.0)


@pytest.mark.parametrize(
    ("wire", "seconds"), [(80000, 80.0), (79354, 79.354), (1, 0.001), (80000.0, 80.0), (432_000_000, 432000.0)]
)
def test_billable_duration_is_milliseconds_on_the_wire(wire: float, seconds: float) -> None:
    assert parse(billableDuration=wire).billable_seconds == seconds


@pytest.mark.parametrize(
    ("text", "position", "is_floor"),
    [
        ("0", 0, False),
        ("1", 1, False),
        ("2", 2, False),
        ("007", 7, False),
        (" 12 ", 12, False),
        (">15", 15, True),
        ("> 15", 15, True),
        (">  4000", 4000, True),
        (">0", 0, True),
        ("999999999", 999999999, False),
        ("None", None, False),
        ("none", None, False),
        ("", None, False),
        ("  ", None, False),
        ("n/a", None, False),
        (">", None, False),
        ("> ", None, False),
        ("<5", None, False),
        (">=15", None, False),
        ("-1", None, False),
        ("+2", None, False),
        ("2.5", None, False),
        ("1e3", None, False),
        ("12 of 30", None, False),
        ("0 (3 prioritized job(s) running)", None, False),
        ("9" * 5000, None, False),
        ("\N{FULLWIDTH DIGIT TWO}", None, False),
        ("\N{SUPERSCRIPT TWO}", None, False),
    ],
)
def test_a_queue_position_is_a_number_a_floor_or_nothing(
    text: str,
    position: int | None,
    is_floor: bool,  # noqa: FBT001
) -> None:
    assert parse_queue_position(text) == (position, is_floor)
    job = parse(queueInfo={"position": text, "queue": "JOBS_QUEUE"})
    assert (job.queue_position, job.queue_position_is_floor) == (position, is_floor)


@pytest.mark.parametrize("text", ["None", "none", "NONE", "", " ", "3", ">15"])
def test_a_position_that_is_understood_is_not_an_unknown_value(text: str) -> None:
    assert parse(queueInfo={"position": text}).unknown == ()


@pytest.mark.parametrize("text", ["n/a", "-1", ">", "first"])
def test_a_position_that_is_not_understood_is_told_as_an_unknown_value(text: str) -> None:
    assert parse(queueInfo={"position": text}).unknown == (("queuePosition", text),)


@pytest.mark.parametrize(
    ("value", "seconds"),
    [
        ("2023-11-14T22:13:20Z", CREATED),
        ("2023-11-14T22:13:20.1Z", CREATED + 0.1),
        ("2023-11-14T22:13:20.12Z", CREATED + 0.12),
        ("2023-11-14T22:13:20.123Z", CREATED + 0.123),
        ("2023-11-14T22:13:20.1234Z", CREATED + 0.1234),
        ("2023-11-14T22:13:20.12345Z", CREATED + 0.12345),
        ("2023-11-14T22:13:20.123456Z", CREATED + 0.123456),
        ("2023-11-14T22:13:20", CREATED),
        ("2023-11-14T22:13:20.500", CREATED + 0.5),
        ("2023-11-14 22:13:20", CREATED),
        (" 2023-11-14T22:13:20Z ", CREATED),
        ("2023-11-14T22:13:20+00:00", CREATED),
        ("2023-11-15T00:13:20+02:00", CREATED),
        ("2023-11-15T00:13:20+0200", CREATED),
        ("2023-11-14T14:43:20.250-07:30", CREATED + 0.25),
        ("1970-01-01T00:00:00Z", 0.0),
        (1_700_000_000, CREATED),
        (1_700_000_000.25, CREATED + 0.25),
        (0, 0.0),
        (datetime(2023, 11, 14, 22, 13, 20, tzinfo=UTC), CREATED),
        (datetime(2023, 11, 15, 3, 43, 20, 500000, tzinfo=timezone(timedelta(hours=5, minutes=30))), CREATED + 0.5),
        (datetime(2023, 11, 14, 22, 13, 20), CREATED),  # noqa: DTZ001 -- an answer without an offset
    ],
)
def test_a_time_is_iso_text_unix_seconds_or_a_datetime_and_utc_unless_it_says_otherwise(
    value: str | float | datetime, seconds: float
) -> None:
    assert parse_time(value) == pytest.approx(seconds, abs=1e-6)
    assert parse(createdAt=value).created == parse(events=[{"timeOfEvent": value}]).events[0].key.time


@pytest.fixture
def _in_tokyo(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    with monkeypatch.context() as patch:
        patch.setenv("TZ", "Asia/Tokyo")
        time.tzset()
        yield
    time.tzset()


@pytest.mark.usefixtures("_in_tokyo")
@pytest.mark.parametrize("value", ["2023-11-14T22:13:20", datetime(2023, 11, 14, 22, 13, 20)])  # noqa: DTZ001 -- no offset
def test_a_time_without_an_offset_does_not_depend_on_where_the_exporter_runs(value: str | datetime) -> None:
    assert parse_time(value) == CREATED


@pytest.mark.parametrize(
    "value",
    ["", "yesterday", "2023-13-01T00:00:00Z", "2023-11-14T25:00:00Z", "1700000000", "2023-11-14T22:13:20+99:00", "Z"],
)
def test_text_that_is_no_time_is_refused(value: str) -> None:
    with pytest.raises(ValueError):  # noqa: PT011 -- datetime's own words
        parse_time(value)


@pytest.mark.parametrize("value", [float("nan"), float("inf"), float("-inf"), 10**400, True, [], {}, "soon"])
@pytest.mark.parametrize("member", ["createdAt", "startedAt", "endedAt"])
def test_a_time_of_another_shape_is_an_error_that_names_the_member(member: str, value: object) -> None:
    with pytest.raises(ParseError, match=f"^{member}: expected a time, got "):
        parse(**{member: value})


@pytest.mark.parametrize(
    "value",
    [1e13, -1e12, 1_700_000_000_000, 1e300, "0001-01-01T00:00:00+14:00", "9999-12-31T23:59:59-14:00"],
)
def test_a_time_that_no_calendar_has_is_an_error_and_not_the_end_of_the_exporter(value: object) -> None:
    with pytest.raises(ParseError, match=r"^createdAt: expected a time, got "):
        parse(createdAt=value)


@pytest.mark.parametrize("status", STATUSES)
def test_a_known_status_is_no_unknown_value(status: str) -> None:
    assert parse(status=status).status == status
    assert parse(status=status).unknown == ()


@pytest.mark.parametrize("status", ["PAUSED", "running", " ", "MAX_RUNTIME_EXCEEDED"])
def test_an_unknown_status_is_carried_through_and_told(status: str) -> None:
    assert parse(status=status).status == status
    assert parse(status=status).unknown == (("status", status),)


@pytest.mark.parametrize("kind", EVENT_TYPES)
def test_a_known_event_type_is_no_unknown_value(kind: str) -> None:
    assert parse(events=[{"eventType": kind}]).unknown == ()


def test_unknown_event_types_are_carried_through_and_told_once_each() -> None:
    job = parse(events=[{"eventType": kind} for kind in ("TELEPORTED", "RUNNING", "ANNEALED", "TELEPORTED")])
    assert [item.key.type for item in job.events] == ["TELEPORTED", "RUNNING", "ANNEALED", "TELEPORTED"]
    assert job.unknown == (("eventType", "ANNEALED"), ("eventType", "TELEPORTED"))


def test_a_long_unknown_value_is_told_shortened() -> None:
    assert parse(status="S" * 5000).unknown == (("status", "S" * 100),)


@pytest.mark.parametrize("status", [None, ""])
def test_an_answer_without_a_status_cannot_be_read(status: object) -> None:
    with pytest.raises(ParseError, match=r"^status: missing$"):
        parse(status=status)
    with pytest.raises(ParseError, match=r"^status: missing$"):
        parse_job(ARN, {})


def test_the_answer_of_another_job_is_refused_and_both_are_named() -> None:
    with pytest.raises(ParseError, match=f"^jobArn: asked for {ARN}, got {arn(9)}$"):
        parse(jobArn=arn(9))


def test_the_arn_that_was_asked_for_identifies_the_job_when_the_answer_repeats_none() -> None:
    assert parse().arn == ARN


@pytest.mark.parametrize("answer", [None, [], "text", 5, 1.5, True, [{"status": "RUNNING"}], b"{}"])
def test_an_answer_that_is_no_object_cannot_be_read(answer: object) -> None:
    with pytest.raises(ParseError, match=f"^answer: expected an object, got {type(answer).__name__}$"):
        parse_job(ARN, answer)


def test_what_was_asked_for_must_be_a_job() -> None:
    with pytest.raises(ValueError, match="not a job ARN"):
        parse_job("arn:aws:s3:::bucket", {"status": "RUNNING"})


@pytest.mark.parametrize(
    ("members", "error"),
    [
        ({"status": 5}, "status: expected text, got 5"),
        ({"status": ["RUNNING"]}, "status: expected text, got ['RUNNING']"),
        ({"jobArn": 5}, "jobArn: expected text, got 5"),
        ({"jobName": {}}, "jobName: expected text, got {}"),
        ({"failureReason": False}, "failureReason: expected text, got False"),
        ({"billableDuration": "80000"}, "billableDuration: expected a whole number, got '80000'"),
        ({"billableDuration": -1}, "billableDuration: expected a whole number, got -1"),
        ({"billableDuration": True}, "billableDuration: expected a whole number, got True"),
        ({"billableDuration": float("nan")}, "billableDuration: expected a whole number, got nan"),
        ({"billableDuration": float("inf")}, "billableDuration: expected a whole number, got inf"),
        ({"billableDuration": 2**53}, "billableDuration: expected a whole number, got 9007199254740992"),
        ({"instanceConfig": "ml.m5"}, "instanceConfig: expected an object, got str"),
        ({"instanceConfig": {"instanceCount": "2"}}, "instanceConfig.instanceCount: expected a whole number, got '2'"),
        ({"instanceConfig": {"instanceType": 7}}, "instanceConfig.instanceType: expected text, got 7"),
        ({"stoppingCondition": []}, "stoppingCondition: expected an object, got list"),
        (
            {"stoppingCondition": {"maxRuntimeInSeconds": "5 days"}},
            "stoppingCondition.maxRuntimeInSeconds: expected a whole number, got '5 days'",
        ),
        ({"queueInfo": "2"}, "queueInfo: expected an object, got str"),
        ({"queueInfo": {"position": 2}}, "queueInfo.position: expected text, got 2"),
        ({"deviceConfig": SV1}, "deviceConfig: expected an object, got str"),
        ({"deviceConfig": {"device": [SV1]}}, f"deviceConfig.device: expected text, got ['{SV1}']"),
        ({"events": {}}, "events: expected a list, got {}"),
        ({"events": "RUNNING"}, "events: expected a list, got 'RUNNING'"),
        ({"events": ["RUNNING"]}, "events: expected an object, got str"),
        ({"events": [{"eventType": 1}]}, "events.eventType: expected text, got 1"),
        ({"events": [{"timeOfEvent": "soon"}]}, "events.timeOfEvent: expected a time, got 'soon'"),
        ({"events": [{}, {"message": []}]}, "events.message: expected text, got []"),
        ({"tags": []}, "tags: expected an object, got list"),
        ({"tags": {"team": 5}}, "tags.team: expected text, got 5"),
    ],
)
def test_a_member_of_the_wrong_shape_is_named_with_what_stood_there(members: dict[str, Any], error: str) -> None:
    with pytest.raises(ParseError) as caught:
        parse(**members)
    assert str(caught.value) == error


def test_what_stood_there_is_told_shortened() -> None:
    with pytest.raises(ParseError) as caught:
        parse(jobName=["x" * 5000])
    assert len(str(caught.value)) < 120


@pytest.mark.parametrize("member", ["billableDuration", "jobName", "createdAt", "events"])
def test_a_number_of_more_digits_than_python_likes_to_print_is_an_error_like_any_other(member: str) -> None:
    with pytest.raises(ParseError, match=f"^{member}: expected "):
        parse(**{member: 10**5000})


def test_members_that_nobody_reads_may_have_any_shape() -> None:
    job = parse(hyperParameters=5, roleArn=[], associations="x", tags={"cost": 7, "team": "chemistry"}, later={"a": 1})
    assert job.tags == (("team", "chemistry"),)


def test_only_the_tags_that_were_asked_for_are_kept() -> None:
    tags = {"team": "", "owner": None, "Team": "other", "secret": "s"}
    assert parse(tags=tags).tags == (("team", ""),)
    assert parse_job(ARN, {"status": "RUNNING", "tags": tags}).tags == ()


def test_every_member_of_an_event_is_optional() -> None:
    events = [{}, None, {"eventType": None, "timeOfEvent": None, "message": None}, {"eventType": ""}, {"message": "m"}]
    assert parse(events=events).events == (
        event(None, None),
        event(None, None),
        event(None, None),
        event(None, None, "m"),
    )


def test_events_keep_their_order_and_their_duplicates() -> None:
    events = [{"eventType": kind, "timeOfEvent": time} for kind, time in [("RUNNING", 9), ("COMPLETED", 5)]]
    assert parse(events=[*events, events[0]]).events == (
        event("RUNNING", 9.0),
        event("COMPLETED", 5.0),
        event("RUNNING", 9.0),
    )


def test_a_long_message_is_kept_up_to_its_limit() -> None:
    job = parse(events=[{"message": "m" * 5120}], failureReason="AlgorithmError: " + "f" * 5120)
    assert job.events[0].message == "m" * 2500
    assert job.failure_reason is not None
    assert len(job.failure_reason) == 2500
    assert job.failure_category == "AlgorithmError"


def test_an_empty_failure_reason_is_none() -> None:
    assert parse(failureReason="").failure_reason is None


@pytest.mark.parametrize("name", ['say "hi"', "back\\slash", "two\nlines", "tab\there", "⚛️ vqe 🧪", "ü", "\x00", " "])
def test_a_name_is_kept_as_it_is(name: str) -> None:
    assert parse(jobName=name).name == name


def test_lone_surrogates_become_question_marks_everywhere() -> None:
    answer = json.loads(
        r"""{"status": "\ud800", "jobName": "a\udfffb", "failureReason": "\udc00: c", "tags": {"team": "\ud83d"},
        "deviceConfig": {"device": "local:\ud800/x"}, "instanceConfig": {"instanceType": "\udbff"},
        "queueInfo": {"position": "\ud800"}, "events": [{"eventType": "\ud800", "message": "\ud83d\ude00 \ud83d"}]}"""
    )
    job = parse_job(ARN, answer, frozenset({"team"}))
    assert (job.status, job.name, job.failure_reason, job.tags) == ("?", "a?b", "?: c", (("team", "?"),))
    assert (job.device, job.instance_type) == ("local:?/x", "?")
    assert (job.events[0].key.type, job.events[0].message) == ("?", "😀 ?")
    assert job.unknown == (("status", "?"), ("eventType", "?"), ("queuePosition", "?"))


ANY_TEXT = st.text(st.characters(), max_size=20)
JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | ANY_TEXT,
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(ANY_TEXT, inner, max_size=4),
    max_leaves=10,
)


@settings(deadline=None)
@given(JSON)
def test_any_json_value_is_a_job_or_unreadable_and_nothing_else(answer: object) -> None:
    with suppress(ParseError):
        assert isinstance(parse_job(ARN, answer), JobSnapshot)


def mostly(right: st.SearchStrategy[Any]) -> st.SearchStrategy[Any]:
    return st.one_of(right, right, right, right, st.none(), JSON)


TIMES = st.one_of(
    st.datetimes(timezones=st.none() | st.timezones()),
    st.datetimes(timezones=st.just(UTC)).map(lambda moment: moment.isoformat()),
    st.integers(-(10**18), 10**18),
    st.floats(),
)
COUNTS = st.integers(-5, 2**60) | st.floats()
EVENTS = st.lists(
    mostly(
        st.fixed_dictionaries(
            {},
            optional={
                "eventType": mostly(st.sampled_from(EVENT_TYPES)),
                "timeOfEvent": mostly(TIMES),
                "message": mostly(ANY_TEXT),
            },
        )
    ),
    max_size=5,
)
ANSWERS = st.fixed_dictionaries(
    {"status": mostly(st.sampled_from(STATUSES))},
    optional={
        "jobArn": mostly(st.just(ARN)),
        "jobName": mostly(ANY_TEXT),
        "createdAt": mostly(TIMES),
        "startedAt": mostly(TIMES),
        "endedAt": mostly(TIMES),
        "billableDuration": mostly(COUNTS),
        "failureReason": mostly(ANY_TEXT),
        "instanceConfig": mostly(st.fixed_dictionaries({"instanceType": ANY_TEXT, "instanceCount": mostly(COUNTS)})),
        "stoppingCondition": mostly(st.fixed_dictionaries({"maxRuntimeInSeconds": COUNTS})),
        "deviceConfig": mostly(st.fixed_dictionaries({"device": mostly(ANY_TEXT)})),
        "queueInfo": mostly(st.fixed_dictionaries({"position": mostly(ANY_TEXT)})),
        "tags": mostly(st.dictionaries(st.sampled_from(["team", "owner"]) | ANY_TEXT, mostly(ANY_TEXT), max_size=3)),
        "events": mostly(EVENTS),
    },
)


@settings(deadline=None, max_examples=300)
@given(ANSWERS)
def test_any_answer_with_the_real_members_is_a_job_or_unreadable_and_nothing_else(answer: dict[str, Any]) -> None:
    with suppress(ParseError):
        job = parse_job(ARN, answer, frozenset({"team", "owner"}))
        assert (job.arn, job.account, job.region) == (ARN, ACCOUNT, REGION)
        assert job.queue_position is None or job.queue_position >= 0
        assert job.billable_seconds is None or job.billable_seconds >= 0.0


@settings(deadline=None, max_examples=300)
@given(ANSWERS, st.booleans())
def test_every_answer_that_can_be_read_can_be_counted_rendered_and_logged(
    answer: dict[str, Any],
    news: bool,  # noqa: FBT001
) -> None:
    log = LogCapture()
    with suppress(ParseError):
        job = parse_job(ARN, answer, frozenset({"team"}))
        seen = observe(JobRecord(ARN), job, since=float("-inf") if news else CREATED, now=CREATED)
        assert all(line.endswith(b"\n") for line in render_job(job_families(("team",)), seen.record) if line)
        Journal(wrap_logger(None, processors=[log])).observed(seen)
        assert log.entries[0]["event"] == "job_discovered"
    for entry in log.entries:
        json.dumps(entry, allow_nan=False, ensure_ascii=False).encode()


# SearchJobs.

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


def problem(**members: Any) -> str:
    """Tell what is wrong with an entry of the given members, between two good ones."""
    page = parse_page({"jobs": [ENTRY, entry(**members), entry(jobArn=arn(2))]})
    assert [job.arn for job in page.jobs] == [ARN, arn(2)]
    (text,) = page.problems
    return text


def test_a_page_is_read_whole() -> None:
    answer = {"jobs": [ENTRY, entry(jobArn=arn(2), status="QUEUED")], "nextToken": "token"}
    page = parse_page(answer)
    assert page == SearchPage(
        jobs=(
            JobSummary(
                arn=ARN,
                name="vqe-h2",
                status="COMPLETED",
                created=CREATED,
                started=CREATED + 42.8,
                ended=CREATED + 122.154,
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
    answer = {"jobs": [copy.deepcopy(ENTRY)], "nextToken": "token"}
    parse_page(answer)
    assert answer == {"jobs": [ENTRY], "nextToken": "token"}


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


def test_what_an_entry_lacks_is_nothing() -> None:
    job = summary(startedAt=None, endedAt=None, jobName=None, tags=None)
    assert (job.started, job.ended, job.name, job.tags) == (None, None, "", {})


def test_every_tag_of_an_entry_is_kept_but_those_without_a_value() -> None:
    assert summary(tags={"team": "a", "Team": "b", "": "c", "none": None}).tags == {"team": "a", "Team": "b", "": "c"}


def test_a_status_that_this_release_does_not_know_is_carried_through() -> None:
    assert summary(status="PAUSED").status == "PAUSED"
    assert not summary(status="PAUSED").finished


def test_an_older_job_whose_arn_ends_in_its_name_is_read() -> None:
    name = "arn:aws:braket:us-west-2:123456789012:job/my-job"
    assert summary(jobArn=name).arn == name


@pytest.mark.parametrize(
    ("members", "text"),
    [
        ({"jobArn": None}, "not a job ARN; expected arn:aws:braket:<region>:<account>:job/<id>"),
        (
            {"jobArn": "arn:aws:s3:::bucket"},
            "not a job ARN; expected arn:aws:braket:<region>:<account>:job/<id>",
        ),
        ({"jobArn": 5}, "jobs.jobArn: expected text, got 5"),
        ({"status": None}, f"jobs.status: missing for {ARN}"),
        ({"status": ""}, f"jobs.status: missing for {ARN}"),
        ({"status": 5}, "jobs.status: expected text, got 5"),
        ({"createdAt": None}, f"jobs.createdAt: missing for {ARN}"),
        ({"createdAt": "soon"}, "jobs.createdAt: expected a time, got 'soon'"),
        ({"createdAt": True}, "jobs.createdAt: expected a time, got True"),
        ({"startedAt": []}, "jobs.startedAt: expected a time, got []"),
        ({"endedAt": 1e300}, "jobs.endedAt: expected a time, got 1e+300"),
        ({"jobName": {}}, "jobs.jobName: expected text, got {}"),
        ({"tags": []}, "tags: expected an object, got list"),
        ({"tags": {"team": 5}}, "tags.team: expected text, got 5"),
    ],
)
def test_an_entry_that_cannot_be_read_costs_the_page_nothing_but_itself(members: dict[str, Any], text: str) -> None:
    assert problem(**members) == text


@pytest.mark.parametrize("item", [None, 5, "text", [], True])
def test_an_entry_that_is_no_object_is_a_problem(item: object) -> None:
    page = parse_page({"jobs": [item, ENTRY]})
    assert [job.arn for job in page.jobs] == [ARN]
    assert page.problems == (f"jobs: expected an object, got {type(item).__name__}",)


@pytest.mark.parametrize(
    ("answer", "text"),
    [
        (None, "answer: expected an object, got NoneType"),
        ([ENTRY], "answer: expected an object, got list"),
        ({}, "jobs: missing"),
        ({"jobs": None}, "jobs: missing"),
        ({"jobs": {}}, "jobs: expected a list, got {}"),
        ({"jobs": "text"}, "jobs: expected a list, got 'text'"),
        ({"jobs": [], "nextToken": 5}, "nextToken: expected text, got 5"),
    ],
)
def test_an_answer_that_is_no_page_cannot_be_read(answer: object, text: str) -> None:
    with pytest.raises(ParseError) as caught:
        parse_page(answer)
    assert str(caught.value) == text


def test_lone_surrogates_become_question_marks_on_a_page_too() -> None:
    answer = json.loads(
        r"""{"jobs": [{"status": "\ud800", "jobName": "a\udfffb", "tags": {"team": "\ud83d"}, "createdAt": 0}]}"""
    )
    answer["jobs"][0]["jobArn"] = ARN
    job = parse_page(answer).jobs[0]
    assert (job.status, job.name, job.tags) == ("?", "a?b", {"team": "?"})


@settings(deadline=None)
@given(JSON)
def test_any_json_value_is_a_page_or_unreadable_and_nothing_else(answer: object) -> None:
    with suppress(ParseError):
        assert isinstance(parse_page(answer), SearchPage)


@settings(deadline=None)
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


@settings(deadline=None, max_examples=300)
@given(st.lists(mostly(ENTRIES), max_size=6))
def test_every_entry_of_a_page_is_a_job_or_a_problem(entries: list[Any]) -> None:
    page = parse_page({"jobs": entries})
    assert len(page.jobs) + len(page.problems) == len(entries)
    for job in page.jobs:
        assert job.status
        assert job.arn.startswith(f"arn:aws:braket:{REGION}:{ACCOUNT}:job/")
        assert "".join([job.name, job.status, *job.tags.values()]).encode().decode()


def test_names_statuses_and_event_types_of_any_length_are_cut() -> None:
    long = "x" * 10_000
    job = parse_job(ARN, {"status": long, "jobName": long, "events": [{"eventType": long}]})
    assert (len(job.name), len(job.status), len(job.events[0].key.type or "")) == (256, 256, 256)
    (summary,) = parse_page(
        {"jobs": [{"jobArn": ARN, "jobName": long, "status": long, "createdAt": "2025-06-15T15:06:40Z"}]}
    ).jobs
    assert (len(summary.name), len(summary.status)) == (256, 256)
