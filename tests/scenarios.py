"""Scenarios for promtool: what Prometheus scrapes, minute by minute, and which alerts must fire in each minute.

The series of jobs are what the exporter's own code makes of simulated jobs. Prometheus begins at minute 0; jobs may
have lived before.
"""

import json
import subprocess
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import yaml
from processes import tool

from exporter.aws.get_job import parse_job
from exporter.core import JobRecord, is_complete, observe
from exporter.metrics import job_families
from exporter.simulator import Event, Job, Phase, ScriptedJob, SimulatedJob, Status, job_arn

ROOT = Path(__file__).parents[1]
RULES = ROOT / "helm" / "braket-exporter" / "rules"
FILES = sorted(RULES.glob("*.yaml"))
RUNBOOKS = "https://github.com/braket-exporter/braket-exporter/blob/main/docs/runbooks"

DAY = 1440
"""Minutes."""

FIRST, SECOND = "10.0.0.1:9834", "10.0.0.2:9834"
SV1 = "arn:aws:braket:::device/quantum-simulator/amazon/sv1"
ARN = "arn:aws:braket:us-east-1:123456789012:job/1"
TARGET = {"aws_account_id": "123456789012", "aws_region": "us-east-1"}
UNKNOWN = {"aws_account_id": "", "aws_region": "us-east-1"}
"""A target whose account is unknown."""

JOB_ALERTS = (
    "BraketJobFailed",
    "BraketJobMaxRuntimeExceeded",
    "BraketJobNearMaxRuntime",
    "BraketJobStuckInQueue",
    "BraketJobStuckCancelling",
    "BraketJobDeprioritized",
)
DEVICE_ALERTS = ("BraketDeviceUnavailable", "BraketSpendingLimitNear", "BraketSpendingLimitExhausted")
EXPORTER_ALERTS = (
    "BraketExporterDown",
    "BraketExporterTargetMissing",
    "BraketExporterTargetFailing",
    "BraketExporterStale",
    "BraketExporterThrottled",
    "BraketExporterConfigReloadFailed",
    "BraketExporterStateFailing",
    "BraketExporterJobsDropped",
    "BraketExporterEventsMissing",
)

COARSE = 10
"""Minutes between two scrapes, and polls, where a scenario lasts for days."""

Series = dict[str, dict[int, float]]
"""Values by series and minute; a minute without one is a scrape that did not show the series."""

Firing = Mapping[range, Iterable[str]]
"""The alerts that fire in some minutes, each as ``alert name_of_the_job``."""


def rules(file: Path) -> list[dict[str, Any]]:
    return [rule for group in yaml.safe_load(file.read_text(encoding="utf-8"))["groups"] for rule in group["rules"]]


EVERY_RULE = [rule for file in FILES for rule in rules(file)]
ALERTS = {rule["alert"]: rule for rule in EVERY_RULE if "alert" in rule}


def series_id(name: str, labels: Mapping[str, str]) -> str:
    """Write a series as PromQL does."""
    pairs = (f"{label}={json.dumps(value, ensure_ascii=False)}" for label, value in labels.items())
    return f"{name}{{{','.join(pairs)}}}"


def joined(*parts: Series) -> Series:
    """Put together what different exporters show, or one at different times."""
    whole: Series = {}
    for part in parts:
        for name, values in part.items():
            whole.setdefault(name, {}).update(values)
    return whole


# What the exporter shows of jobs


def life(*moments: tuple[int, str | None, str | None], number: int = 1, **members: Any) -> SimulatedJob:
    """Write a job's life as (minute, status, event); it is created in the first of them."""
    created = moments[0][0]
    phases = tuple(Phase((minute - created) * 60.0, status, event) for minute, status, event in moments)
    usual = {"arn": job_arn(str(number)), "name": "vqe-h2", "created": created * 60.0, "phases": phases}
    return SimulatedJob(**{**usual, **members})


def altered(job: SimulatedJob, **members: Any) -> ScriptedJob:
    """Have GetJob answer other members for a job; ``None`` leaves one out."""

    def answer(now: float) -> dict[str, Any] | None:
        usual = job.answer(now)
        changed = None if usual is None else {**usual, **members}
        return None if changed is None else {name: value for name, value in changed.items() if value is not None}

    return ScriptedJob(job.arn, job.created, answer)


def shown(*jobs: Job, minutes: range, instance: str = FIRST) -> Series:
    """Return the series of an exporter that runs in these minutes and asks for each job in each of them."""
    series: Series = {}
    for job in jobs:
        for minute, record in _records(job, minutes):
            for name, labels, value in _samples(record):
                target = {"instance": instance, "pod": f"braket-exporter-{instance}", "job": "braket-exporter"}
                series.setdefault(series_id(name, {**labels, **target}), {})[minute] = value
    return series


def _records(job: Job, minutes: range) -> Iterator[tuple[int, JobRecord]]:
    record = JobRecord(job.arn)
    for minute in minutes:
        now = minute * 60.0
        answer = None if is_complete(record) else job.answer(now, queue_info=True)
        if answer is not None:
            record = observe(record, parse_job(job.arn, answer), since=minutes.start * 60.0, now=now).record
        yield minute, record


def _samples(record: JobRecord) -> Iterator[tuple[str, dict[str, str], float]]:
    for family in job_families():
        for values, value in family.samples(record):
            assert isinstance(value, float)
            yield family.name, dict(zip(family.labels, values, strict=True)), value


# What Prometheus makes of it


@dataclass(frozen=True)
class Promtool:
    """Runs scenarios of one file of rules in a folder."""

    folder: Path
    file: Path

    def check(self, series: Series, firing: Firing, every: int = 1) -> None:
        """Run a scenario and see which alerts fire, each once, in all minutes that are named."""
        expression = 'count by (alertname, job_name) (ALERTS{alertstate="firing"})'
        expected = {minutes: {_alert(text): 1.0 for text in alerts} for minutes, alerts in firing.items()}
        self.ask(series, expression, expected, every)

    def ask(
        self, series: Series, expression: str, expected: Mapping[range, Mapping[str, float]], every: int = 1
    ) -> None:
        """Run a scenario and ask a question in all minutes that are named; answers are values by labels."""
        questions = [
            {
                "expr": expression,
                "eval_time": f"{minute}m",
                "exp_samples": [{"labels": labels, "value": value} for labels, value in samples.items()],
            }
            for minutes, samples in expected.items()
            for minute in minutes
            if minute % every == 0
        ]
        self.run(series, every, promql_expr_test=questions)

    def run(self, series: Series, every: int = 1, **tests: object) -> None:
        """Run a scenario in which Prometheus scrapes and evaluates in one minute of ``every`` so many."""
        interval = f"{every}m"
        scenario = {"interval": interval, "input_series": [*_input(series, every)], **tests}
        document = {"rule_files": [str(self.file)], "evaluation_interval": interval, "tests": [scenario]}
        path = self.folder / "scenario.yaml"
        path.write_text(json.dumps(document, ensure_ascii=False), encoding="utf-8")
        done = subprocess.run([tool("promtool"), "test", "rules", path], capture_output=True, text=True, check=False)
        assert done.returncode == 0, (done.stdout + done.stderr).replace("\n\n", "")[:4000]


def _input(series: Series, every: int) -> Iterator[dict[str, str]]:
    """Write the values as promtool wants them: Prometheus marks a series stale when a scrape shows it no more."""
    for name, values in series.items():
        seen = {minute // every: repr(value) for minute, value in values.items() if minute % every == 0}
        texts = {scrape + 1: "stale" for scrape in seen} | seen
        yield {"series": name, "values": " ".join(texts.get(scrape, "_") for scrape in range(max(texts) + 1))}


def _alert(text: str) -> str:
    alert, _, name = text.partition(" ")
    return labels_of(alertname=alert, job_name=name)


def labels_of(**labels: str) -> str:
    return series_id("", {name: value for name, value in labels.items() if value})


# Lives of jobs


def begun(created: int = 0) -> tuple[tuple[int, str | None, str | None], ...]:
    """Return the beginning of a life: a job that runs 10 minutes after its creation."""
    return (created, Status.QUEUED, Event.QUEUED_FOR_EXECUTION), (created + 10, Status.RUNNING, Event.RUNNING)


def failed(minute: int = 60, **members: Any) -> SimulatedJob:
    reason = {"failure_reason": "AlgorithmError: ValueError, exit code: 1"}
    return life(*begun(minute - 60), (minute, Status.FAILED, Event.FAILED), **{**reason, **members})


def out_of_time(minute: int = 60, status: str = "FAILED", **members: Any) -> SimulatedJob:
    over = ((minute, status, Event.MAX_RUNTIME_EXCEEDED), (minute, None, status))
    return life(*begun(minute - 60), *over, **members)


def long_running(**members: Any) -> SimulatedJob:
    """Return a job that may run for 100 minutes from minute 10 on."""
    return life(*begun(), **{"max_runtime_seconds": 6000, **members})


def queued(created: int = 20 - DAY, **members: Any) -> SimulatedJob:
    return life((created, Status.QUEUED, Event.QUEUED_FOR_EXECUTION), **members)


def cancelling(**members: Any) -> SimulatedJob:
    return life(*begun(-10), (10, Status.CANCELLING, None), **members)


def deprioritized(minute: int = 10, **members: Any) -> SimulatedJob:
    return life(*begun(minute - 20), (minute, Status.QUEUED, Event.DEPRIORITIZED_DUE_TO_INACTIVITY), **members)


@dataclass(frozen=True)
class Case:
    """A job that makes an alert fire.

    Attributes:
        active: the minute in which the condition is first seen.
        fires: the minute in which the alert begins to fire.
    """

    alert: str
    job: Callable[..., SimulatedJob]
    active: int
    fires: int


CASES = (
    Case("BraketJobFailed", failed, 60, 60),
    Case("BraketJobMaxRuntimeExceeded", out_of_time, 60, 60),
    Case("BraketJobNearMaxRuntime", long_running, 91, 91),
    Case("BraketJobStuckInQueue", queued, 21, 21),
    Case("BraketJobStuckCancelling", cancelling, 10, 40),
    Case("BraketJobDeprioritized", deprioritized, 10, 15),
)


# The exporter's own series


def own(name: str, value: Callable[[int], float], minutes: range, instance: str = FIRST, **labels: str) -> Series:
    """Return one of the exporter's own series."""
    target = {"instance": instance, "job": "braket-exporter"}
    return {series_id(name, {**labels, **target}): {minute: value(minute) for minute in minutes}}


def steady(value: float) -> Callable[[int], float]:
    return lambda _: value


def step(at: int, before: float, after: float) -> Callable[[int], float]:
    return lambda minute: before if minute < at else after


def alive(minutes: range, instance: str = FIRST) -> Series:
    return own("braket_exporter_build_info", steady(1.0), minutes, instance, version="1.0.0")


def grouped(series: Series, group: str) -> Series:
    """Scrape series with the target label exporter_group."""
    return {name.replace("{", f'{{exporter_group="{group}",', 1): values for name, values in series.items()}


def queue_up(value: Callable[[int], float], minutes: range, instance: str = FIRST) -> Series:
    return own("braket_exporter_event_queue_up", value, minutes, instance)


def found(by: str, value: Callable[[int], float], minutes: range, instance: str = FIRST) -> Series:
    return own("braket_exporter_transitions_found_total", value, minutes, instance, by=by)
