"""Log lines: each event literally, one JSON object a line, whatever the text in it is."""

import io
import json
import logging
import re
import warnings
from collections.abc import Iterator
from typing import Any

import pytest
from builders import ARN, CREATED, event, finished, record, snapshot
from structlog import wrap_logger
from structlog.testing import LogCapture

from exporter.aws.get_job import parse_job
from exporter.aws.members import ParseError
from exporter.core import DeniedError, JobRecord, JobSnapshot, Observation, Target, ThrottledError, Transition
from exporter.telemetry.log_events import EventLog, rfc3339
from exporter.telemetry.logger import LogFormat, LogLevel, make_logger

TARGET = Target("123456789012", "us-west-2")
IDENTITY = {
    "job_arn": ARN,
    "job_name": "vqe-h2",
    "aws_account_id": "123456789012",
    "aws_region": "us-west-2",
}
JOB = {
    **IDENTITY,
    "device": "arn:aws:braket:::device/quantum-simulator/amazon/sv1",
    "instance_type": "ml.m5.large",
}
EVIL = '"}\n{"event": "forged"}\r\n\x1b[31m\u2028\x00\x85é'


@pytest.fixture(autouse=True)
def _logging_as_it_was() -> Iterator[None]:
    root = logging.getLogger()
    handlers, level = root.handlers[:], root.level
    yield
    logging.captureWarnings(capture=False)
    root.handlers[:] = handlers
    root.setLevel(level)


class Lines:
    """A logger and what it wrote."""

    def __init__(self, level: LogLevel = "info", form: LogFormat = "json", stream: io.StringIO | None = None) -> None:
        self.stream = io.StringIO() if stream is None else stream
        self.logger = make_logger(level, form, self.stream)
        self.event_log = EventLog(self.logger)

    @property
    def text(self) -> str:
        return self.stream.getvalue()

    @property
    def raw(self) -> list[dict[str, Any]]:
        assert self.text == "" or self.text.endswith("\n")
        return [json.loads(line) for line in self.text.splitlines()]

    @property
    def entries(self) -> list[dict[str, Any]]:
        """The lines without their timestamps, which are checked here."""
        entries = self.raw
        for entry in entries:
            assert re.fullmatch(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{6}Z", entry.pop("timestamp"))
        return entries


class Terminal(io.StringIO):
    def isatty(self) -> bool:
        return True


def observation(job: JobSnapshot | None, **members: Any) -> Observation:
    usual: dict[str, Any] = {
        "record": JobRecord(arn=ARN) if job is None else record(job),
        "transition": None,
        "events": (),
        "increments": (),
        "unknown": (),
        "discovered": False,
    }
    return Observation(**{**usual, **members})


def test_a_line_leads_with_when_how_bad_and_what() -> None:
    lines = Lines()
    lines.event_log.started(version="1")
    assert [*lines.raw[0]] == ["timestamp", "level", "event", "version"]


def test_a_discovered_job_is_logged_with_its_status() -> None:
    lines = Lines()
    lines.event_log.observed(observation(snapshot(), discovered=True))
    assert lines.entries == [
        {
            "level": "info",
            "event": "job_discovered",
            **JOB,
            "status": "RUNNING",
            "created_time": "2023-11-14T22:13:20.000Z",
        }
    ]


def test_a_discovered_job_is_logged_with_its_queue_and_reservation_where_braket_reports_them() -> None:
    lines = Lines()
    arn = "arn:aws:braket:us-west-2:123456789012:reservation/1"
    job = snapshot(status="QUEUED", reservation_arn=arn)
    lines.event_log.observed(
        observation(job, discovered=True, queue="JOBS_QUEUE", queue_message="Waiting for the device.")
    )
    line = lines.entries[0]
    assert (line["queue"], line["queue_message"], line["reservation_arn"]) == (
        "JOBS_QUEUE",
        "Waiting for the device.",
        arn,
    )


def test_a_transition_is_logged_with_both_times_and_its_lag() -> None:
    lines = Lines()
    change = Transition(snapshot(), "QUEUED", CREATED + 40.25, CREATED + 45.0)
    lines.event_log.observed(observation(snapshot(), transition=change))
    assert lines.entries == [
        {
            "level": "info",
            "event": "job_transition",
            **JOB,
            "from_status": "QUEUED",
            "to_status": "RUNNING",
            "event_time": "2023-11-14T22:14:00.250Z",
            "observed_time": "2023-11-14T22:14:05.000Z",
            "lag_seconds": 4.75,
            "transition_id": "9591a6d1396fd84c",
        }
    ]


def test_a_transition_to_the_end_tells_reason_bill_and_durations() -> None:
    lines = Lines()
    job = finished("FAILED", failure_reason="AlgorithmError: exit 1", billable_seconds=80.5)
    lines.event_log.observed(observation(job, transition=Transition(job, None, CREATED + 120.0, CREATED + 121.0)))
    (entry,) = lines.entries
    assert entry.pop("transition_id") == Transition(job, "RUNNING", CREATED + 120.0, 0.0).transition_id
    assert entry == {
        "level": "error",
        "event": "job_transition",
        **JOB,
        "from_status": None,
        "to_status": "FAILED",
        "event_time": "2023-11-14T22:15:20.000Z",
        "observed_time": "2023-11-14T22:15:21.000Z",
        "lag_seconds": 1.0,
        "failure_reason": "AlgorithmError: exit 1",
        "billable_duration_seconds": 80.5,
        "queue_duration_seconds": 40.0,
        "run_duration_seconds": 80.0,
    }


def test_what_braket_does_not_tell_is_null_and_not_left_out() -> None:
    lines = Lines()
    job = finished("CANCELLED", started=None, ended=None, billable_seconds=None)
    lines.event_log.observed(observation(job, transition=Transition(job, "CANCELLING", None, CREATED)))
    (entry,) = lines.entries
    nulls = {key for key, value in entry.items() if value is None}
    assert nulls == {
        "event_time",
        "lag_seconds",
        "failure_reason",
        "billable_duration_seconds",
        "queue_duration_seconds",
        "run_duration_seconds",
    }


@pytest.mark.parametrize(
    ("status", "level"),
    [
        ("QUEUED", "info"),
        ("RUNNING", "info"),
        ("COMPLETED", "info"),
        ("CANCELLING", "info"),
        ("FAILED", "error"),
        ("CANCELLED", "warning"),
        ("BRAND_NEW", "info"),
    ],
)
def test_a_transition_is_as_bad_as_the_status_it_ends_in(status: str, level: str) -> None:
    lines = Lines()
    job = snapshot(status=status)
    lines.event_log.observed(observation(job, transition=Transition(job, "RUNNING", None, CREATED)))
    (entry,) = lines.entries
    assert (entry["level"], entry["to_status"]) == (level, status)
    assert ("failure_reason" in entry) is (status in ("COMPLETED", "FAILED", "CANCELLED"))


@pytest.mark.parametrize(
    ("kind", "level"),
    [
        ("RUNNING", "info"),
        ("FAILED", "info"),
        ("MAX_RUNTIME_EXCEEDED", "error"),
        ("DEPRIORITIZED_DUE_TO_INACTIVITY", "warning"),
        ("BRAND_NEW", "info"),
        (None, "info"),
    ],
)
def test_each_new_event_is_logged_with_its_type_time_and_message(kind: str | None, level: str) -> None:
    lines = Lines()
    lines.event_log.observed(observation(snapshot(), events=(event(kind, CREATED + 0.5, "Because."),)))
    assert lines.entries == [
        {
            "level": level,
            "event": "job_event",
            **IDENTITY,
            "event_type": kind,
            "event_time": "2023-11-14T22:13:20.500Z",
            "message": "Because.",
        }
    ]


def test_an_event_without_a_time_is_logged_with_none() -> None:
    lines = Lines()
    lines.event_log.observed(observation(snapshot(), events=(event("RUNNING", None),)))
    assert lines.entries[0]["event_time"] is None


def test_of_one_answer_discovery_comes_first_then_events_then_the_transition_then_what_is_unknown() -> None:
    lines = Lines()
    job = snapshot(status="PAUSED")
    lines.event_log.observed(
        observation(
            job,
            discovered=True,
            events=(event("RUNNING", 1.0), event("PAUSED", 2.0)),
            transition=Transition(job, None, None, CREATED),
            unknown=(("status", "PAUSED"),),
        )
    )
    assert [entry["event"] for entry in lines.entries] == [
        "job_discovered",
        "job_event",
        "job_event",
        "job_transition",
        "unknown_value",
    ]


def test_a_value_that_is_unknown_is_a_warning() -> None:
    lines = Lines()
    lines.event_log.observed(observation(snapshot(), unknown=(("queuePosition", "soon"),)))
    assert lines.entries == [
        {"level": "warning", "event": "unknown_value", **IDENTITY, "field": "queuePosition", "value": "soon"}
    ]


def test_an_observation_without_a_snapshot_or_without_news_is_silent() -> None:
    lines = Lines("debug")
    lines.event_log.observed(observation(None, discovered=True))
    lines.event_log.observed(observation(snapshot()))
    assert lines.text == ""


@pytest.mark.parametrize(("job", "fields"), [(snapshot(), IDENTITY), (None, {"job_arn": ARN})])
def test_a_forgotten_job_is_logged_with_the_reason(job: JobSnapshot | None, fields: dict[str, str]) -> None:
    lines = Lines()
    lines.event_log.forgotten(ARN, job, "retention")
    assert lines.entries == [{"level": "info", "event": "job_forgotten", **fields, "reason": "retention"}]


@pytest.mark.parametrize(("retry_in", "written"), [(12.34567, 12.346), (0.0, 0.0), (None, None), (float("inf"), None)])
def test_a_failed_poll_is_logged_with_operation_code_and_when_it_is_tried_again(
    retry_in: float | None, written: float | None
) -> None:
    lines = Lines()
    lines.event_log.poll_failed(TARGET, "GetJob", ThrottledError("ThrottlingException", "Slow down"), retry_in, ARN)
    assert lines.entries == [
        {
            "level": "warning",
            "event": "poll_failed",
            "operation": "GetJob",
            "code": "ThrottlingException",
            "retry_in_seconds": written,
            "job_arn": ARN,
            "aws_account_id": "123456789012",
            "aws_region": "us-west-2",
            "message": "Slow down",
        }
    ]


def test_start_and_stop_are_logged_with_what_is_worth_telling() -> None:
    lines = Lines()
    lines.event_log.started(version="1.2", listen_address="[::]:9834", configured_jobs=3)
    lines.event_log.stopped(uptime_seconds=1.5)
    assert lines.entries == [
        {"level": "info", "event": "started", "version": "1.2", "listen_address": "[::]:9834", "configured_jobs": 3},
        {"level": "info", "event": "stopped", "uptime_seconds": 1.5},
    ]


def test_hostile_text_stays_inside_its_one_line_of_json() -> None:
    lines = Lines()
    job = finished("FAILED", name=EVIL, device=EVIL, failure_reason=EVIL, arn=EVIL, instance_type=EVIL)
    lines.event_log.observed(
        observation(
            job,
            discovered=True,
            events=(event(EVIL, 1.0, EVIL),),
            transition=Transition(job, EVIL, None, CREATED),
            unknown=((EVIL, EVIL),),
        )
    )
    lines.event_log.forgotten(EVIL, None, EVIL)
    lines.event_log.poll_failed(Target(EVIL, EVIL), EVIL, DeniedError(EVIL, EVIL), None, EVIL)
    assert lines.text.count("\n") == 6
    assert lines.text.isascii()
    assert [entry["event"] for entry in lines.entries].count("forged") == 0
    assert lines.raw[2]["failure_reason"] == EVIL
    assert lines.raw[1]["message"] == EVIL
    assert lines.raw[5]["code"] == EVIL


def test_on_a_console_hostile_text_stays_inside_its_line_too() -> None:
    lines = Lines(form="console")
    lines.event_log.observed(observation(snapshot(name=EVIL), events=(event(EVIL, 1.0, EVIL),)))
    assert lines.text.count("\n") == 1
    assert "\x1b[31m" not in lines.text
    assert len(lines.text.splitlines()) == 1


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("\x1b]0;forged\x07", r"'\x1b]0;forged\x07'"),
        ("\x1b[2Jgone", r"'\x1b[2Jgone'"),
        ("\x9b31mred", r"'\x9b31mred'"),
        ("x\x08\x08y", r"'x\x08\x08y'"),
        ("\u202eturned", r"'\u202eturned'"),
        ("with blanks\x1b[2J", r"'with blanks\x1b[2J'"),
        ("größer", "größer"),
    ],
)
def test_on_a_console_nothing_that_others_wrote_reaches_the_terminal_as_a_command(text: str, shown: str) -> None:
    lines = Lines(form="console")
    lines.event_log.observed(observation(snapshot(name=text), events=(event("RUNNING", 1.0, text),)))
    lines.event_log.poll_failed(TARGET, "GetJob", DeniedError("AccessDenied", text), None)
    assert [line.count(f"={shown}") for line in lines.text.splitlines()] == [2, 1]
    assert not any(ord(character) in {*range(32), *range(127, 160)} - {10} for character in lines.text)


def test_on_a_console_the_lines_of_libraries_are_harmless_too() -> None:
    lines = Lines(form="console")
    logging.getLogger("library").error("bad header \x1b[2J\nforged it's", exc_info=ValueError("\x1b[2Jgone"))
    assert r"bad header \x1b[2J\nforged it's" in lines.text
    assert lines.text.endswith("\nValueError: \\x1b[2Jgone\n")
    assert "\x1b" not in lines.text


@pytest.mark.parametrize(
    ("level", "written"),
    [
        ("debug", ["debug", "info", "warning", "error"]),
        ("info", ["info", "warning", "error"]),
        ("warning", ["warning", "error"]),
        ("error", ["error"]),
    ],
)
def test_lines_below_the_level_are_not_written(level: LogLevel, written: list[str]) -> None:
    lines = Lines(level)
    for method in ("debug", "info", "warning", "error"):
        getattr(lines.logger, method)("x")
    assert [entry["level"] for entry in lines.entries] == written


def test_events_about_jobs_obey_the_level_as_well() -> None:
    lines = Lines("error")
    job = finished("FAILED")
    transition = Transition(job, "RUNNING", None, CREATED)
    lines.event_log.observed(observation(job, discovered=True, events=job.events, transition=transition))
    assert [entry["event"] for entry in lines.entries] == ["job_transition"]


def test_a_console_is_for_people() -> None:
    lines = Lines(form="console")
    lines.event_log.started(version="1.2")
    assert re.fullmatch(r"\S+Z \[info\s*\] started\s+version=1\.2\n", lines.text)


def test_auto_is_json_where_there_is_no_terminal() -> None:
    lines = Lines(form="auto")
    lines.event_log.started()
    assert lines.entries == [{"level": "info", "event": "started"}]


def test_auto_is_for_people_on_a_terminal() -> None:
    lines = Lines(form="auto", stream=Terminal())
    lines.event_log.started()
    assert "started" in lines.text
    assert not lines.text.startswith("{")


def test_json_is_json_even_on_a_terminal() -> None:
    lines = Lines(form="json", stream=Terminal())
    lines.event_log.started()
    assert lines.entries == [{"level": "info", "event": "started"}]


def test_records_of_libraries_take_the_same_form() -> None:
    lines = Lines()
    logging.getLogger("asyncio.x").warning("retrying %s of %d\nand more", "a", 3)
    assert lines.entries == [
        {"level": "warning", "event": "retrying a of 3\nand more", "logger": "asyncio.x"},
    ]
    assert [*lines.raw[0]][:3] == ["timestamp", "level", "event"]


def test_a_librarys_exception_is_one_line_too() -> None:
    lines = Lines()
    logging.getLogger("x").error("it broke", exc_info=RuntimeError(EVIL))
    (entry,) = lines.entries
    assert (entry["level"], entry["event"]) == ("error", "it broke")
    assert entry["exception"] == f"RuntimeError: {EVIL}"
    assert lines.text.count("\n") == 1


@pytest.mark.parametrize(
    ("level", "written"),
    [
        ("debug", ["warning", "error", "critical"]),
        ("info", ["warning", "error", "critical"]),
        ("warning", ["warning", "error", "critical"]),
        ("error", ["error", "critical"]),
    ],
)
def test_libraries_are_not_chatty_at_any_level(level: LogLevel, written: list[str]) -> None:
    lines = Lines(level)
    for method in ("debug", "info", "warning", "error", "critical"):
        getattr(logging.getLogger("asyncio.x"), method)("x")
    assert [entry["level"] for entry in lines.entries] == written


def test_warnings_take_the_same_form() -> None:
    lines = Lines()
    with warnings.catch_warnings():
        warnings.simplefilter("always")
        logging.captureWarnings(capture=False)
        logging.captureWarnings(capture=True)
        warnings.warn("old\nthing", DeprecationWarning, stacklevel=1)
        logging.captureWarnings(capture=False)
    (entry,) = lines.entries
    assert (entry["level"], entry["logger"]) == ("warning", "py.warnings")
    assert "DeprecationWarning: old\nthing" in entry["event"]


def test_warnings_are_captured_from_the_start() -> None:
    with warnings.catch_warnings():
        warnings.simplefilter("always")
        lines = Lines()
        warnings.warn("old", UserWarning, stacklevel=1)
        logging.captureWarnings(capture=False)
    assert lines.entries[0]["logger"] == "py.warnings"


def test_a_second_logger_takes_over_from_the_first() -> None:
    first, second = Lines(), Lines()
    logging.getLogger("x").warning("hello")
    assert (len(first.entries), len(second.entries)) == (0, 1)


@pytest.mark.parametrize(
    ("seconds", "text"),
    [
        (None, None),
        (0.0, "1970-01-01T00:00:00.000Z"),
        (1700000000.0, "2023-11-14T22:13:20.000Z"),
        (1700000000.1239, "2023-11-14T22:13:20.123Z"),
        (-1.5, "1969-12-31T23:59:58.500Z"),
    ],
)
def test_a_time_is_written_as_rfc_3339_in_utc(seconds: float | None, text: str | None) -> None:
    assert rfc3339(seconds) == text


@pytest.mark.parametrize(
    "time", ["0001-01-01T00:00:00+14:00", "9999-12-31T23:59:59.999999Z", 253402300800, 1e18, -1e18]
)
def test_every_time_that_an_answer_can_bring_can_be_written(time: str | float) -> None:
    try:
        job = parse_job(ARN, {"status": "RUNNING", "createdAt": time, "events": [{"timeOfEvent": time}]})
    except ParseError:
        return
    lines = Lines()
    lines.event_log.observed(observation(job, discovered=True, events=job.events))
    assert [entry["event"] for entry in lines.entries] == ["job_discovered", "job_event"]


def test_an_unusual_setting_is_a_warning() -> None:
    log = LogCapture()
    EventLog(wrap_logger(None, processors=[log])).config_warning("regions", "Region us-west-9 is not known")
    assert log.entries == [
        {
            "event": "config_warning",
            "log_level": "warning",
            "setting": "regions",
            "message": "Region us-west-9 is not known",
        }
    ]


def test_a_reload_says_what_it_changed_and_warns_of_what_it_could_not() -> None:
    log = LogCapture()
    event_log = EventLog(wrap_logger(None, processors=[log]))
    event_log.config_reloaded("web.yaml")
    event_log.config_reloaded(None, configured_jobs=2, targets=1, restart_needed=[])
    event_log.config_reloaded("a.yaml", configured_jobs=2, targets=1, restart_needed=["log_level"])
    event_log.config_reload_failed("a.yaml", "retention = 1: bad; jobs = 2: bad")
    assert log.entries == [
        {"event": "config_reloaded", "log_level": "info", "file": "web.yaml"},
        {
            "event": "config_reloaded",
            "log_level": "info",
            "file": None,
            "configured_jobs": 2,
            "targets": 1,
            "restart_needed": [],
        },
        {
            "event": "config_reloaded",
            "log_level": "warning",
            "file": "a.yaml",
            "configured_jobs": 2,
            "targets": 1,
            "restart_needed": ["log_level"],
        },
        {
            "event": "config_reload_failed",
            "log_level": "error",
            "file": "a.yaml",
            "error": "retention = 1: bad; jobs = 2: bad",
        },
    ]
