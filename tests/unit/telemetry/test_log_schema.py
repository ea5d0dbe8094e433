"""docs/log.schema.json: every line of a life with all its troubles fits it, and nothing that is not documented does."""

import io
import json
import logging
import re
import warnings
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from builders import ARN, GARNET, event, record, snapshot
from jsonschema import Draft202012Validator

from exporter.core import (
    DROP_REASONS,
    GET_CALLER_IDENTITY,
    GET_DEVICE,
    GET_JOB,
    SEARCH_JOBS,
    SEARCH_SPENDING_LIMITS,
    TERMINAL_STATUSES,
    BraketError,
    DeviceKey,
    DeviceObservation,
    DeviceRecord,
    DeviceSnapshot,
    EntryProblem,
    FirstPollProgress,
    JobEvent,
    Observation,
    Target,
    Transition,
)
from exporter.telemetry.log_events import EventLog
from exporter.telemetry.logger import make_logger

ROOT = Path(__file__).parents[3]
SCHEMA: dict[str, Any] = json.loads((ROOT / "docs/log.schema.json").read_text(encoding="utf-8"))
LOGS = (ROOT / "docs/use/logs.md").read_text(encoding="utf-8")
VALIDATOR = Draft202012Validator(SCHEMA, format_checker=Draft202012Validator.FORMAT_CHECKER)
SHAPES = [reference["$ref"].removeprefix("#/$defs/") for reference in SCHEMA["oneOf"]]
EVENTS = [shape for shape in SHAPES if shape != "library"]


def fits(line: dict[str, Any]) -> bool:
    return VALIDATOR.is_valid(line)


def test_the_schema_is_one() -> None:
    Draft202012Validator.check_schema(SCHEMA)
    assert SCHEMA["$schema"] == "https://json-schema.org/draft/2020-12/schema"


def test_its_events_are_those_of_the_table() -> None:
    assert re.findall(r"^\| `([a-z_]+)` \|", LOGS, re.MULTILINE) == EVENTS


@pytest.mark.parametrize("name", EVENTS)
def test_each_field_of_the_schema_is_documented(name: str) -> None:
    (row,) = re.findall(rf"^\| `{name}` \|.*$", LOGS, re.MULTILINE)
    groups = {
        "the job's": "The job's fields",
        "the transition's": "The transition's fields",
        "the outcome's": "The outcome's fields",
    }
    lists = [re.findall(rf"^- \*\*{title}\*\*: (.*?)\.$", LOGS, re.MULTILINE | re.DOTALL) for title in groups.values()]
    for (key, _), (text,) in zip(groups.items(), lists, strict=True):
        row = row.replace(key, text)
    cell = re.sub(r"\([^)]*\)", "", row.rstrip("| ").rpartition("|")[2])
    fields = set(SCHEMA["$defs"][name]["properties"]) - {"timestamp", "level", "event"}
    assert set(re.findall(r"`([a-z_]+)`", cell)) == fields


def test_its_lists_of_values_are_those_of_the_code() -> None:
    reason = SCHEMA["$defs"]["job_forgotten"]["properties"]["reason"]
    operation = SCHEMA["$defs"]["poll_failed"]["properties"]["operation"]
    end = SCHEMA["$defs"]["job_transition"]["allOf"][0]["if"]["properties"]["to_status"]
    assert reason == {"enum": [*DROP_REASONS]}
    assert operation == {"enum": [GET_JOB, SEARCH_JOBS, GET_DEVICE, SEARCH_SPENDING_LIMITS, GET_CALLER_IDENTITY]}
    assert end == {"enum": [*TERMINAL_STATUSES]}


def test_every_shape_takes_its_own_fields_only() -> None:
    for shape in SHAPES:
        assert SCHEMA["$defs"][shape]["additionalProperties"] is False, shape


@pytest.fixture
def written() -> Iterator[io.StringIO]:
    root = logging.getLogger()
    handlers, level = root.handlers[:], root.level
    logging.captureWarnings(capture=False)  # another test may have left it on
    yield io.StringIO()
    logging.captureWarnings(capture=False)
    root.handlers[:] = handlers
    root.setLevel(level)


def test_a_line_of_a_library_fits_with_and_without_a_traceback(written: io.StringIO) -> None:
    make_logger("info", "json", written)
    logging.getLogger("asyncio").warning("Executing %s took too long", "x")
    try:
        int("odd")
    except ValueError:
        logging.getLogger("concurrent.futures").exception("started")
    with warnings.catch_warnings():
        warnings.simplefilter("always")
        warnings.warn("old", DeprecationWarning, stacklevel=1)
    lines = [json.loads(line) for line in written.getvalue().splitlines()]
    assert [line["logger"] for line in lines] == ["asyncio", "concurrent.futures", "py.warnings"]
    assert all(map(fits, lines))
    assert "exception" in lines[1]


def test_a_job_of_which_braket_says_little_fits(written: io.StringIO) -> None:
    event_log = EventLog(make_logger("info", "json", written))
    job = snapshot(status="COMPLETED", created=None, started=None, ended=None, instance_type="", device="")
    logged = Transition(job, None, None, 1_700_000_000.0)
    nothing = (event(None, None), JobEvent(event("RUNNING", None).key, ""))
    event_log.observed(Observation(record(job), logged, nothing, (), (("status", "x"),), discovered=True))
    event_log.forgotten(ARN, None, "not_found")
    lines = [json.loads(line) for line in written.getvalue().splitlines()]
    assert len(lines) == 6
    assert all(map(fits, lines))


@pytest.mark.parametrize(
    ("fill", "left"),
    [
        (FirstPollProgress(targets=2, failing=0, total=400, waiting=280, listed=True, seconds=112.0), 112.0),
        (FirstPollProgress(targets=2, failing=1, total=0, waiting=3, listed=True, seconds=None), None),
        (FirstPollProgress(targets=2, failing=0, total=400, waiting=280, listed=False, seconds=112.0), None),
    ],
)
def test_the_progress_of_the_first_poll_fits(written: io.StringIO, fill: FirstPollProgress, left: float | None) -> None:
    EventLog(make_logger("info", "json", written)).first_poll_progress(fill)
    line = json.loads(written.getvalue())
    assert fits(line)
    assert (line["jobs_polled"], line["jobs_known"]) == (max(0, fill.total - fill.waiting), fill.total)
    assert (line["targets"], line["targets_failing"], line["seconds_left"]) == (2, fill.failing, left)


def test_the_report_of_dropped_lines_fits(written: io.StringIO, monkeypatch: pytest.MonkeyPatch) -> None:
    logger = make_logger("info", "json", written)

    def refuse(_: str) -> int:
        raise OSError(28, "No space left on device")

    with monkeypatch.context() as full:
        full.setattr(written, "write", refuse)
        logger.info("stopped", uptime_seconds=1.0)
    logger.info("stopped", uptime_seconds=2.0)
    lines = [json.loads(line) for line in written.getvalue().splitlines()]
    assert [line["event"] for line in lines] == ["log_recovered", "stopped"]
    assert all(map(fits, lines))


def test_troubles_with_lists_fit(written: io.StringIO) -> None:
    event_log, west = EventLog(make_logger("info", "json", written)), Target("", "us-west-2")
    event_log.search_abandoned(west, "a nextToken repeats")
    for problem in (EntryProblem(ARN, "not in us-east-1"), EntryProblem(None, "jobs.jobArn: missing")):
        event_log.search_entry_ignored(west, problem)
    event_log.search_without_tags(west)
    lines = [json.loads(line) for line in written.getvalue().splitlines()]
    assert [line["event"] for line in lines] == [
        "search_abandoned",
        "search_entry_ignored",
        "search_entry_ignored",
        "search_without_tags",
    ]
    assert all(map(fits, lines))


def test_the_failure_and_the_recovery_of_an_event_queue_fit(written: io.StringIO) -> None:
    event_log, url = (
        EventLog(make_logger("info", "json", written)),
        "https://sqs.us-west-2.amazonaws.com/123456789012/q",
    )
    event_log.event_queue_failing(url, "ReceiveMessage", BraketError("timeout", "late"), 1.5)
    event_log.event_queue_recovered(url)
    lines = [json.loads(line) for line in written.getvalue().splitlines()]
    assert all(map(fits, lines))
    failing, recovered = ({name: value for name, value in line.items() if name != "timestamp"} for line in lines)
    assert failing == {
        "level": "warning",
        "event": "event_queue_failing",
        "queue": url,
        "operation": "ReceiveMessage",
        "code": "timeout",
        "retry_in_seconds": 1.5,
        "message": "late",
    }
    assert recovered == {"level": "info", "event": "event_queue_recovered", "queue": url}


def test_the_news_of_a_device_fits(written: io.StringIO) -> None:
    event_log = EventLog(make_logger("info", "json", written))
    key = DeviceKey("eu-north-1", GARNET)
    paused = DeviceSnapshot(key, "PAUSED", reason="MAINTENANCE", estimated_end=1_700_003_600.0)
    unknown = (("deviceStatus", "RESTING"),)
    event_log.device_observed(DeviceObservation(DeviceRecord(paused, 1.0), "ONLINE", ()))
    event_log.device_observed(DeviceObservation(DeviceRecord(DeviceSnapshot(key, "ONLINE"), 2.0), "PAUSED", unknown))
    event_log.device_observed(DeviceObservation(DeviceRecord(paused, 3.0), None, ()))
    event_log.poll_failed(Target("", "eu-north-1"), GET_DEVICE, BraketError("timeout", "late"), 1.0, device=GARNET)
    lines = [json.loads(line) for line in written.getvalue().splitlines()]
    assert all(map(fits, lines))
    place = {"device": GARNET, "aws_region": "eu-north-1"}
    assert [{name: value for name, value in line.items() if name != "timestamp"} for line in lines[:3]] == [
        {
            "level": "warning",
            "event": "device_status_changed",
            **place,
            "from_status": "ONLINE",
            "to_status": "PAUSED",
            "reason": "MAINTENANCE",
            "estimated_end": "2023-11-14T23:13:20.000Z",
        },
        {
            "level": "info",
            "event": "device_status_changed",
            **place,
            "from_status": "PAUSED",
            "to_status": "ONLINE",
            "reason": None,
            "estimated_end": None,
        },
        {"level": "warning", "event": "unknown_value", **place, "field": "deviceStatus", "value": "RESTING"},
    ]
    assert (lines[3]["event"], lines[3]["device"]) == ("poll_failed", GARNET)


GOOD = {
    "timestamp": "2025-06-15T15:06:40.000000Z",
    "level": "error",
    "event": "job_transition",
    "job_arn": ARN,
    "job_name": "vqe-h2",
    "aws_account_id": "123456789012",
    "aws_region": "us-west-2",
    "device": "local:pennylane/lightning.qubit",
    "instance_type": "ml.m5.large",
    "from_status": "RUNNING",
    "to_status": "FAILED",
    "event_time": "2025-06-15T15:06:39.000Z",
    "observed_time": "2025-06-15T15:06:40.000Z",
    "lag_seconds": 1.0,
    "transition_id": "0123456789abcdef",
    "failure_reason": "AlgorithmError: x",
    "billable_duration_seconds": 13.0,
    "queue_duration_seconds": None,
    "run_duration_seconds": 9.5,
}


@pytest.mark.parametrize(
    "change",
    [
        {"event": "job_changed"},
        {"level": "info"},
        {"observed_time": None},
        {"observed_time": 1750000000.0},
        {"lag_seconds": "1 s"},
        {"hyperparameters": {}},
        {"logger": "exporter"},
        {"to_status": "RUNNING", "level": "info"},
        {"timestamp": "2025-06-15T15:06:40Z"},
    ],
    ids=json.dumps,
)
def test_what_is_not_documented_does_not_fit(change: dict[str, Any]) -> None:
    assert fits(GOOD)
    assert not fits(GOOD | change)


@pytest.mark.parametrize("field", sorted(GOOD))
def test_no_field_may_be_missing(field: str) -> None:
    assert not fits({name: value for name, value in GOOD.items() if name != field})
