"""The output of the jobs command."""

import json
from typing import Any

import pytest
from hypothesis import given
from strategies import JSON

from exporter.app.jobs_table import choose, render

NOW = 1_700_000_120.0
FAILED = {
    "job_arn": "arn:aws:braket:us-west-2:123456789012:job/a",
    "job_name": "vqe-h2",
    "device": "arn:aws:braket:eu-north-1::device/qpu/iqm/Garnet",
    "instance_type": "ml.m5.large",
    "status": "FAILED",
    "created": "2023-11-14T22:13:20.000Z",
    "started": "2023-11-14T22:13:30.000Z",
    "ended": "2023-11-14T22:14:35.000Z",
    "billable_duration_seconds": 66.0,
    "failure_reason": "AlgorithmError: x",
}
QUEUED = {
    "job_arn": "arn:aws:braket:us-west-2:123456789012:job/b",
    "job_name": "qaoa",
    "device": "local:pennylane/lightning.qubit",
    "status": "QUEUED",
    "created": "2023-11-14T22:14:20.000Z",
    "queue_position": 15,
    "queue_position_is_floor": True,
}
RUNNING = {"job_name": "tsp", "status": "RUNNING", "started": "2023-11-14T22:14:20.000Z"}


def test_the_table_has_a_line_a_job() -> None:
    assert render([QUEUED, FAILED, RUNNING], "table", NOW).split("\n") == [
        "CREATED               STATUS   JOB     DEVICE                           QUEUE  RUN TIME",
        "2023-11-14 22:14:20Z  QUEUED   qaoa    local:pennylane/lightning.qubit  >15    -",
        "2023-11-14 22:13:20Z  FAILED   vqe-h2  iqm/Garnet                       -      1 min 5 s",
        "-                     RUNNING  tsp     -                                -      1 min",
        "",
    ]


def test_the_wide_table_adds_billed_time_instance_failure_and_arn() -> None:
    header, line, _ = render([FAILED], "wide", NOW).split("\n")
    assert header.split()[-4:] == ["BILLED", "INSTANCE", "FAILURE", "ARN"]
    assert line.endswith("1 min 6 s  ml.m5.large  AlgorithmError: x  arn:aws:braket:us-west-2:123456789012:job/a")


def test_billed_time_is_that_of_all_instances() -> None:
    _, line, _ = render([FAILED | {"instances": 10}], "wide", NOW).split("\n")
    assert "  11 min  ml.m5.large  " in line


@pytest.mark.parametrize("seconds", [float("nan"), float("inf"), 10**400])
def test_an_impossible_billed_time_is_not_shown(seconds: float) -> None:
    _, line, _ = render([FAILED | {"billable_duration_seconds": seconds, "instances": 10**400}], "wide", NOW).split(
        "\n"
    )
    assert "  -       ml.m5.large  " in line


def test_a_job_that_exceeded_its_maximum_run_time_has_a_note_and_can_be_selected() -> None:
    exceeded = FAILED | {"max_runtime_exceeded": True}
    _, line, _ = render([exceeded], "table", NOW).split("\n")
    assert line.split("  ")[1] == "FAILED (max runtime)"
    jobs: list[dict[str, Any]] = [exceeded, FAILED | {"max_runtime_exceeded": False}, RUNNING]
    assert choose(jobs, statuses={"MAX_RUNTIME_EXCEEDED"}, since=None) == [exceeded]
    assert choose(jobs, statuses={"FAILED"}, since=None) == jobs[:2]


def test_json_is_the_document_of_the_api() -> None:
    assert json.loads(render([FAILED], "json", NOW)) == {"jobs": [FAILED]}


@pytest.mark.parametrize("form", ["table", "wide"])
def test_without_jobs_a_table_is_empty(form: str) -> None:
    assert render([], form, NOW) == ""


def test_terminal_escapes_of_a_name_are_shown_and_long_texts_are_cut() -> None:
    job = {"job_name": "\x1b[31mred\nline", "failure_reason": "x" * 100}
    _, line, _ = render([job], "wide", NOW).split("\n")
    assert "\\x1b[31mred\\nline" in line
    assert f" {'x' * 57}... " in line


def test_jobs_are_chosen_by_status_and_age_the_newest_first() -> None:
    jobs: list[dict[str, Any]] = [FAILED, QUEUED, RUNNING]
    assert choose(jobs, statuses=(), since=None) == [QUEUED, FAILED, RUNNING]
    assert choose(jobs, statuses={"FAILED", "RUNNING"}, since=None) == [FAILED, RUNNING]
    assert choose(jobs, statuses=(), since=1_700_000_030.0) == [QUEUED]


@pytest.mark.parametrize("seconds", [float("inf"), float("-inf"), float("nan"), 10**400])
def test_a_time_that_is_not_finite_is_not_shown(seconds: float) -> None:
    _, line, _ = render([{"job_name": "a", "billable_duration_seconds": seconds}], "wide", NOW).split("\n")
    assert line.split() == ["-", "-", "a", "-", "-", "-", "-", "-", "-", "-"]


@given(job=JSON)
def test_whatever_another_process_sends_there_is_a_line(job: Any) -> None:
    document: dict[str, Any] = dict.fromkeys([*FAILED, *QUEUED, "instances", "max_runtime_exceeded"], job)
    for form in ("table", "wide"):
        lines = render(choose([document], statuses=(), since=None), form, NOW).split("\n")
        assert len(lines) == 3
        assert all(line.isprintable() for line in lines)
