"""A GetJob response becomes a snapshot, or one error that names the invalid member."""

import copy
import json
import time
from collections.abc import Iterator
from contextlib import suppress
from dataclasses import replace
from typing import Any

import pytest
from builders import ACCOUNT, ARN, REGION, SV1, arn, event
from hypothesis import given, settings
from hypothesis import strategies as st
from profiles import examples
from strategies import ANSWERS, JSON, LONG, NOT_OBJECTS
from structlog import wrap_logger
from structlog.testing import LogCapture

from exporter.aws.get_job import parse_job, parse_queue_position
from exporter.aws.members import ParseError
from exporter.core import (
    EVENT_TYPES,
    STATUSES,
    JobRecord,
    JobSnapshot,
    check_time,
    observe,
    parse_time,
)
from exporter.metrics import job_families, render
from exporter.telemetry import EventLog

CREATED = 1_700_000_000.0  # 2023-11-14T22:13:20Z

RESERVED = "arn:aws:braket:us-west-2:123456789012:reservation/0d5c2b7e-8d4e-4d57-9c1e-1f1f1f1f1f1f"
RECORDED: dict[str, Any] = {
    "associations": [{"arn": RESERVED, "type": "RESERVATION_TIME_WINDOW_ARN"}],
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
    "queueInfo": {"position": "None", "queue": "JOBS_QUEUE", "message": "The job is complete."},
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
        reservation_arn=RESERVED,
        queue="JOBS_QUEUE",
        queue_message="The job is complete.",
    )


@pytest.mark.parametrize(
    ("associations", "reservation", "unknown"),
    [
        ([], None, ()),
        ([{"type": "RESERVATION_TIME_WINDOW_ARN"}], "", ()),
        ([{"type": "A_NEW_TYPE", "arn": "arn:x"}], None, (("associationType", "A_NEW_TYPE"),)),
        ([{"arn": "arn:x"}, {"type": "RESERVATION_TIME_WINDOW_ARN", "arn": RESERVED}], RESERVED, ()),
        ("none", None, (("associations", "expected a list, got text"),)),
    ],
)
def test_only_an_association_with_a_reservation_makes_a_job_reserved(
    associations: object, reservation: str | None, unknown: tuple[tuple[str, str], ...]
) -> None:
    job = parse(associations=associations)
    assert (job.reservation_arn, job.unknown) == (reservation, unknown)


def test_reading_an_answer_changes_nothing_in_it() -> None:
    response = copy.deepcopy(RECORDED)
    parse_job(ARN, response, frozenset({"team"}))
    assert response == RECORDED


def test_a_response_with_a_status_alone_is_a_job_of_which_nothing_else_is_known() -> None:
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


@pytest.mark.parametrize(("value", "position"), [(2, 2), (0, 0), (7.0, 7), (999_999_999, 999_999_999), (None, None)])
def test_a_queue_position_may_be_a_json_number(value: object, position: int | None) -> None:
    job = parse(queueInfo={"position": value, "queue": "JOBS_QUEUE"})
    assert (job.queue_position, job.queue_position_is_floor, job.unknown) == (position, False, ())


@pytest.mark.parametrize(
    ("value", "kind"),
    [
        (True, "a boolean"),
        (False, "a boolean"),
        (-1, "a number"),
        (2.5, "a number"),
        (1_000_000_000, "a number"),
        (10**400, "a number"),
        (float("nan"), "a number"),
        (float("inf"), "a number"),
        ({}, "an object"),
        (["2"], "a list"),
    ],
)
def test_a_queue_position_that_cannot_be_one_is_no_position_and_is_reported(value: object, kind: str) -> None:
    job = parse(queueInfo={"position": value})
    assert (job.queue_position, job.queue_position_is_floor) == (None, False)
    assert job.unknown == (("queuePosition", f"expected text or a whole number, got {kind}"),)


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
        ("9999-12-31T23:59:59.999Z", 253402300799.999),
    ],
)
def test_a_time_is_iso_text_or_unix_seconds_and_utc_unless_it_says_otherwise(
    value: str | float, seconds: float
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
def test_a_time_without_an_offset_does_not_depend_on_where_the_exporter_runs() -> None:
    assert parse_time("2023-11-14T22:13:20") == CREATED


@pytest.mark.parametrize(
    "value",
    [
        *("", "yesterday", "2023-13-01T00:00:00Z", "2023-11-14T25:00:00Z", "1700000000", "2023-11-14T22:13:20+99:00"),
        *("Z", " " * 64 + "2023-11-14T22:13:20Z", "9" * 1_000_000),
    ],
)
def test_text_that_is_not_a_time_is_refused(value: str) -> None:
    with pytest.raises(ValueError):  # noqa: PT011 -- datetime's own words
        parse_time(value)
    assert parse(createdAt=value).unknown == (("createdAt", "expected a time, got text"),)


@pytest.mark.parametrize(
    ("value", "kind"),
    [
        (float("nan"), "a number"),
        (float("inf"), "a number"),
        (float("-inf"), "a number"),
        (10**400, "a number"),
        (True, "a boolean"),
        ([], "a list"),
        ({}, "an object"),
        ("soon", "text"),
    ],
)
@pytest.mark.parametrize(
    ("member", "field"), [("createdAt", "created"), ("startedAt", "started"), ("endedAt", "ended")]
)
def test_a_time_of_another_shape_is_no_value_and_is_reported(member: str, field: str, value: object, kind: str) -> None:
    job = parse(**{member: value})
    assert getattr(job, field) is None
    assert job.unknown == ((member, f"expected a time, got {kind}"),)


BEFORE_YEAR_1 = (-62135596800.001, -1e12, "0001-01-01T00:00:00+14:00")
AFTER_9999 = (253402300800.0, 1e13, 1_700_000_000_000, 1e300, "9999-12-31T23:59:59-14:00")


@pytest.mark.parametrize("value", [*BEFORE_YEAR_1, *AFTER_9999])
def test_a_time_outside_the_years_1_to_9999_is_no_value(value: str | float) -> None:
    with pytest.raises((ValueError, OverflowError)):
        parse_time(value)
    assert parse(createdAt=value).created is None
    assert parse(events=[{"timeOfEvent": value}]).events[0].key.time is None


@pytest.mark.parametrize(
    "value", [0, -0.001, "0001-01-01T00:00:00Z", "1970-01-01T00:00:00Z", 253402300799.999, "3500-01-01T00:00:00Z"]
)
def test_a_time_from_the_years_1_to_9999_is_kept(value: str | float) -> None:
    assert parse(createdAt=value).created == check_time(parse_time(value))


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
    with pytest.raises(ParseError, match=f"^jobArn: expected {ARN}, got {arn(9)}$"):
        parse(jobArn=arn(9))


@pytest.mark.parametrize(("value", "shown"), [(5, "a number"), ([ARN], "a list"), ("x" * 5000, "x" * 300)])
def test_a_response_for_something_that_is_not_this_job_is_refused_with_a_short_error(value: object, shown: str) -> None:
    with pytest.raises(ParseError) as caught:
        parse(jobArn=value)
    assert str(caught.value) == f"jobArn: expected {ARN}, got {shown}"


def test_the_arn_that_was_asked_for_identifies_the_job_when_the_answer_repeats_none() -> None:
    assert parse().arn == ARN


@pytest.mark.parametrize(("response", "kind"), NOT_OBJECTS)
def test_a_response_that_is_not_an_object_cannot_be_read(response: object, kind: str) -> None:
    with pytest.raises(ParseError, match=f"^response: expected an object, got {kind}$"):
        parse_job(ARN, response)


def test_what_was_asked_for_must_be_a_job() -> None:
    with pytest.raises(ValueError, match="not a job ARN"):
        parse_job("arn:aws:s3:::bucket", {"status": "RUNNING"})


@pytest.mark.parametrize(
    ("status", "kind"), [(5, "a number"), (["RUNNING"], "a list"), (False, "a boolean"), ({}, "an object")]
)
def test_a_status_that_is_not_text_makes_the_response_unreadable(status: object, kind: str) -> None:
    with pytest.raises(ParseError, match=f"^status: expected text, got {kind}$"):
        parse(status=status)


@pytest.mark.parametrize(
    ("members", "field", "problem"),
    [
        ({"jobName": {}}, "jobName", "expected text, got an object"),
        ({"failureReason": False}, "failureReason", "expected text, got a boolean"),
        ({"billableDuration": "80000"}, "billableDuration", "expected a whole number, got text"),
        ({"billableDuration": -1}, "billableDuration", "expected a whole number, got a number"),
        ({"billableDuration": True}, "billableDuration", "expected a whole number, got a boolean"),
        ({"billableDuration": float("nan")}, "billableDuration", "expected a whole number, got a number"),
        ({"billableDuration": float("inf")}, "billableDuration", "expected a whole number, got a number"),
        ({"billableDuration": 2**53}, "billableDuration", "expected a whole number, got a number"),
        ({"billableDuration": 10**5000}, "billableDuration", "expected a whole number, got a number"),
        ({"instanceConfig": "ml.m5"}, "instanceConfig", "expected an object, got text"),
        (
            {"instanceConfig": {"instanceCount": "2"}},
            "instanceConfig.instanceCount",
            "expected a whole number, got text",
        ),
        ({"instanceConfig": {"instanceType": 7}}, "instanceConfig.instanceType", "expected text, got a number"),
        ({"stoppingCondition": []}, "stoppingCondition", "expected an object, got a list"),
        (
            {"stoppingCondition": {"maxRuntimeInSeconds": "5 days"}},
            "stoppingCondition.maxRuntimeInSeconds",
            "expected a whole number, got text",
        ),
        ({"queueInfo": "2"}, "queueInfo", "expected an object, got text"),
        ({"queueInfo": {"position": []}}, "queuePosition", "expected text or a whole number, got a list"),
        ({"deviceConfig": SV1}, "deviceConfig", "expected an object, got text"),
        ({"deviceConfig": {"device": [SV1]}}, "deviceConfig.device", "expected text, got a list"),
        ({"events": {}}, "events", "expected a list, got an object"),
        ({"events": "RUNNING"}, "events", "expected a list, got text"),
        ({"events": ["RUNNING"]}, "events", "expected objects, got text"),
        ({"tags": []}, "tags", "expected an object, got a list"),
    ],
)
def test_an_informative_member_of_the_wrong_shape_costs_only_itself(
    members: dict[str, Any], field: str, problem: str
) -> None:
    assert parse(**members) == replace(parse(), unknown=((field, problem),))


def test_an_event_member_of_the_wrong_shape_costs_only_itself() -> None:
    job = parse(
        events=[
            {"eventType": 1, "timeOfEvent": 5, "message": "a"},
            {"eventType": "MAX_RUNTIME_EXCEEDED", "timeOfEvent": "soon"},
            7,
            {"eventType": "RUNNING", "timeOfEvent": 9, "message": []},
            {"timeOfEvent": {}},
        ]
    )
    assert job.events == (
        event(None, 5.0, "a"),
        event("MAX_RUNTIME_EXCEEDED", None),
        event("RUNNING", 9.0),
        event(None, None),
    )
    assert job.unknown == (
        ("events.eventType", "expected text, got a number"),
        ("events.timeOfEvent", "expected a time, got text"),
        ("events", "expected objects, got a number"),
        ("events.message", "expected text, got a list"),
        ("events.timeOfEvent", "expected a time, got an object"),
    )


def test_a_tag_of_the_wrong_shape_costs_only_itself() -> None:
    job = parse(tags={"team": 5, "owner": "ada"})
    assert job.tags == (("owner", "ada"),)
    assert job.unknown == (("tags.team", "expected text, got a number"),)


def test_what_is_reported_of_a_member_does_not_depend_on_its_value() -> None:
    """A job keeps every pair that it ever reported: a value that differs at each poll must not add up."""
    assert len({parse(createdAt=value, jobName=[value]).unknown for value in ("a", "b", "x" * 5000)}) == 1


@pytest.mark.parametrize("member", ["billableDuration", "jobName", "createdAt", "events"])
def test_a_number_of_more_digits_than_python_likes_to_print_is_reported_like_any_other(member: str) -> None:
    ((field, problem),) = parse(**{member: 10**5000}).unknown
    assert (field, problem.rpartition(", ")[2]) == (member, "got a number")


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
    response = json.loads(
        r"""{"status": "\ud800", "jobName": "a\udfffb", "failureReason": "\udc00: c", "tags": {"team": "\ud83d"},
        "deviceConfig": {"device": "local:\ud800/x"}, "instanceConfig": {"instanceType": "\udbff"},
        "queueInfo": {"position": "\ud800"}, "events": [{"eventType": "\ud800", "message": "\ud83d\ude00 \ud83d"}]}"""
    )
    job = parse_job(ARN, response, frozenset({"team"}))
    assert (job.status, job.name, job.failure_reason, job.tags) == ("?", "a?b", "?: c", (("team", "?"),))
    assert (job.device, job.instance_type) == ("local:?/x", "?")
    assert (job.events[0].key.type, job.events[0].message) == ("?", "😀 ?")
    assert job.unknown == (("status", "?"), ("eventType", "?"), ("queuePosition", "?"))


@given(JSON)
def test_any_json_value_is_a_job_or_unreadable_and_nothing_else(response: object) -> None:
    with suppress(ParseError):
        assert isinstance(parse_job(ARN, response), JobSnapshot)


@settings(max_examples=examples(300))
@given(ANSWERS)
def test_any_answer_with_the_real_members_is_a_job_or_unreadable_and_nothing_else(response: dict[str, Any]) -> None:
    with suppress(ParseError):
        job = parse_job(ARN, response, frozenset({"team", "owner"}))
        assert (job.arn, job.account, job.region) == (ARN, ACCOUNT, REGION)
        assert job.queue_position is None or job.queue_position >= 0
        assert job.billable_seconds is None or job.billable_seconds >= 0.0


@settings(max_examples=examples(300))
@given(ANSWERS, st.booleans())
def test_every_answer_that_can_be_read_can_be_counted_rendered_and_logged(
    response: dict[str, Any],
    news: bool,  # noqa: FBT001
) -> None:
    log = LogCapture()
    with suppress(ParseError):
        job = parse_job(ARN, response, frozenset({"team"}))
        seen = observe(JobRecord(ARN), job, since=float("-inf") if news else CREATED, now=CREATED)
        assert all(line.endswith(b"\n") for line in render(job_families(("team",)), seen.record) if line)
        EventLog(wrap_logger(None, processors=[log])).observed(seen)
        assert log.entries[0]["event"] == "job_discovered"
    for entry in log.entries:
        json.dumps(entry, allow_nan=False, ensure_ascii=False).encode()


HUGE_EVENT = st.fixed_dictionaries({"eventType": LONG, "timeOfEvent": LONG, "message": LONG})
HUGE = st.fixed_dictionaries(
    {
        "status": LONG,
        "jobName": LONG,
        "deviceConfig": st.fixed_dictionaries({"device": LONG}),
        "instanceConfig": st.fixed_dictionaries({"instanceType": LONG}),
        "queueInfo": st.fixed_dictionaries({"position": LONG}),
        "failureReason": LONG,
        "events": st.lists(HUGE_EVENT, min_size=1, max_size=2),
        "tags": st.fixed_dictionaries({"team": LONG}),
    }
)


@settings(max_examples=examples(30))
@given(HUGE)
def test_every_text_of_a_job_is_bounded(response: dict[str, Any]) -> None:
    job = parse_job(ARN, response, frozenset({"team"}))
    assert max(map(len, (job.status, job.instance_type, job.events[0].key.type or ""))) <= 100
    assert max(len(job.name), len(job.device)) <= 256
    assert max(len(job.failure_reason or ""), len(job.events[0].message)) <= 2500
    assert all(len(value) <= 256 for _, value in job.tags)
    assert all(len(value) <= 100 for _, value in job.unknown)


def test_a_job_with_a_device_of_a_megabyte_costs_less_than_a_kilobyte_of_labels() -> None:
    job = parse(deviceConfig={"device": f"arn:aws:braket:::device/qpu/iqm/{'x' * 1_000_000}"}, jobName="n" * 1_000_000)
    record = observe(JobRecord(ARN), job, since=0.0, now=0.0).record
    assert 500 < max(map(len, b"".join(render(job_families(()), record)).splitlines())) < 1024


def test_of_many_events_only_so_many_are_read() -> None:
    events = [{"eventType": "RUNNING", "timeOfEvent": number} for number in range(10_000)]
    assert [each.key.time for each in parse(events=events).events] == [float(time) for time in range(9900, 10_000)]


def test_names_statuses_and_event_types_of_any_length_are_cut() -> None:
    long = "x" * 10_000
    job = parse_job(ARN, {"status": long, "jobName": long, "events": [{"eventType": long}]})
    assert (len(job.name), len(job.status), len(job.events[0].key.type or "")) == (256, 100, 100)
