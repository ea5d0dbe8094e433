"""The rules where the recorded series of other Prometheus servers and rulers with the same rules are in view."""

from collections.abc import Iterator, Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

import promql_parser
import pytest
from scenarios import (
    CASES,
    EVERY_RULE,
    FIRST,
    RULES,
    SECOND,
    SV1,
    TARGET,
    Case,
    Promtool,
    Series,
    joined,
    life,
    own,
    series_id,
    shown,
    steady,
    step,
)

from exporter.simulator import Event, Phase, Status

ARN = "arn:aws:braket:us-east-1:123456789012:job/1"
JOB = {"job_arn": ARN, "job_name": "vqe-h2", **TARGET, "device": SV1}
EXTRA = ({"ruler": "global"}, {"cluster": "a", "replica": "0"}, {"cluster": "a", "replica": "1"})
ON_JOBS = sorted({rule["record"] for rule in EVERY_RULE if rule.get("record", "").startswith("job_arn:")})
FLEET = {**TARGET, "device": SV1}

ONE_ALERT = 'count by (alertname, job_arn) (ALERTS{alertstate="firing"})'


def copies(record: str, value: float, minutes: range, labels: Mapping[str, str] = JOB) -> Series:
    """Show a recorded series as several others have it."""
    return joined(*({series_id(record, {**labels, **extra}): dict.fromkeys(minutes, value)} for extra in EXTRA))


@pytest.mark.parametrize("case", CASES, ids=lambda case: case.alert)
def test_copies_of_every_recorded_series_neither_prevent_an_alert_nor_duplicate_it(case: Case, tmp_path: Path) -> None:
    # The copies are of a job that this Prometheus has, and have what its own rules record in the end.
    minutes = range(case.fires + 20)
    other = {**JOB, "job_arn": f"{ARN}-other"}
    foreign = (copies(record, 60.0, minutes, other) for record in ON_JOBS if "timestamp" not in record)
    known = copies("job_arn:braket_job_end_timestamp_seconds:max", case.fires * 60.0, minutes, {"job_arn": ARN})
    series = joined(shown(case.job(), minutes=minutes), known, *foreign)
    alert = f'ALERTS{{alertstate="firing",alertname="{case.alert}",job_arn="{ARN}"}}'
    severity = "critical" if case in CASES[:2] else "warning"
    labels = {"alertname": case.alert, "alertstate": "firing", "severity": severity, **JOB}
    expected = {range(case.fires): {}, range(case.fires, minutes.stop): {series_id("ALERTS", labels): 1.0}}
    Promtool(tmp_path, RULES / "jobs.yaml").ask(series, alert, expected)


RECORDED = {
    "BraketJobFailed": "job_arn:braket_job_failed_timestamp_seconds:max",
    "BraketJobMaxRuntimeExceeded": "job_arn:braket_job_max_runtime_exceeded_timestamp_seconds:max",
    "BraketJobNearMaxRuntime": "job_arn:braket_job_run_seconds:near_max_runtime",
    "BraketJobStuckInQueue": "job_arn:braket_job_queued_seconds:stuck",
    "BraketJobStuckCancelling": "job_arn:braket_job_cancelling_seconds:stuck",
    "BraketJobDeprioritized": "job_arn:braket_job_deprioritized_seconds:lost",
}


@pytest.mark.parametrize("alert", RECORDED)
def test_copies_alone_make_one_alert(alert: str, tmp_path: Path) -> None:
    series = copies(RECORDED[alert], 60.0, range(30))
    one = {series_id("", {"alertname": alert, "job_arn": ARN}): 1.0}
    Promtool(tmp_path, RULES / "jobs.yaml").ask(series, ONE_ALERT, {range(30): one})


def test_copies_of_counts_add_nothing(tmp_path: Path) -> None:
    level, minutes = "aws_account_id_aws_region_device", range(1601)
    labels = {**FLEET, "outcome": "FAILED"}
    counter = own("braket_job_outcomes_total", step(300, 2.0, 6.0), minutes, **labels)
    ours = f"{level}_outcome:braket_job_outcomes"
    series = joined(counter, copies(f"{ours}:increase30m", 0.0, minutes, labels))
    Promtool(tmp_path, RULES / "recording.yaml").ask(
        series,
        f'round({ours}:increase1d{{ruler="",cluster=""}}, 0.05)',
        {range(1500, 1501): {series_id("", labels): 4.0}},
        every=2,
    )


# Replicas, shards and exporters of different jobs

OUTCOMES = "aws_account_id_aws_region_device_outcome:braket_job_outcomes:increase1d"
JOBS = "aws_account_id_aws_region_device_status:braket_jobs:max"
LATER = range(1500, 1501)


def counted(instance: str, group: str, first: float, last: float, minutes: range = range(1601)) -> Series:
    labels = {**FLEET, "outcome": "FAILED", **({"exporter_group": group} if group else {})}
    return own("braket_job_outcomes_total", step(300, first, last), minutes, instance, **labels)


@pytest.mark.parametrize(
    ("groups", "expected"), [(("", ""), 4.0), (("a", "a"), 4.0), (("a", "b"), 7.0), (("", "b"), 7.0)]
)
def test_replicas_count_once_and_exporters_of_different_jobs_are_added(
    groups: tuple[str, str], expected: float, tmp_path: Path
) -> None:
    series = joined(counted(FIRST, groups[0], 2.0, 6.0), counted(SECOND, groups[1], 1.0, 4.0))
    recordings = Promtool(tmp_path, RULES / "recording.yaml")
    labels = series_id("", {**FLEET, "outcome": "FAILED"})
    recordings.ask(series, f"round({OUTCOMES}, 0.05)", {LATER: {labels: expected}}, every=2)


def test_a_restart_of_one_of_two_replicas_without_its_counters_adds_nothing(tmp_path: Path) -> None:
    # Both have counted 100 jobs, and one starts from 0 again: the other is then the higher one.
    labels = {**FLEET, "outcome": "FAILED"}
    restarted = own("braket_job_outcomes_total", step(600, 100.0, 0.0), range(1601), FIRST, **labels)
    series = joined(restarted, own("braket_job_outcomes_total", steady(90.0), range(1601), SECOND, **labels))
    recordings = Promtool(tmp_path, RULES / "recording.yaml")
    recordings.ask(series, f"round({OUTCOMES}, 0.05)", {LATER: {series_id("", labels): 0.0}}, every=2)


@pytest.mark.parametrize(("groups", "expected"), [(("a", "a"), 5.0), (("a", "b"), 8.0)])
def test_jobs_of_different_exporters_are_added(groups: tuple[str, str], expected: float, tmp_path: Path) -> None:
    both = zip((FIRST, SECOND), groups, (5.0, 3.0), strict=True)
    series = joined(
        *(
            own("braket_jobs", steady(value), range(10), instance, **FLEET, status="QUEUED", exporter_group=group)
            for instance, group, value in both
        )
    )
    one = {series_id("", {**FLEET, "status": "QUEUED"}): expected}
    Promtool(tmp_path, RULES / "recording.yaml").ask(series, f"sum without () ({JOBS})", {range(10): one})


# The remaining time in the queue

REMAINING = "round(job_arn:braket_job_queue_remaining_seconds:estimate, 60)"


def moving(*positions: tuple[int, str]) -> Series:
    """Show a queued job with its positions."""
    phases = tuple(Phase(minute * 60.0, position=text) for minute, text in positions)
    job = life((0, Status.QUEUED, Event.QUEUED_FOR_EXECUTION))
    return shown(replace(job, phases=(*job.phases, *phases)), minutes=range(150))


def test_the_remaining_time_follows_from_how_fast_the_own_position_falls(tmp_path: Path) -> None:
    # One place in ten minutes.
    series = moving(*((10 * step, str(30 - step)) for step in range(15)))
    expected = {series_id("", {"job_arn": ARN, "job_name": "vqe-h2"}): 9600.0}
    query = "round(job_arn:braket_job_queue_remaining_seconds:estimate, 600)"
    Promtool(tmp_path, RULES / "recording.yaml").ask(series, query, {range(145, 146): expected})


@pytest.mark.parametrize(
    "positions",
    [((0, "5"),), ((0, "5"), (60, "7")), tuple((10 * step, f">{30 - step}") for step in range(15))],
    ids=["stands still", "rises", "a floor"],
)
def test_there_is_no_remaining_time_without_a_known_falling_position(
    positions: tuple[tuple[int, str], ...], tmp_path: Path
) -> None:
    Promtool(tmp_path, RULES / "recording.yaml").ask(moving(*positions), REMAINING, {range(5, 150): {}})


# The texts of the rules


def reads(node: Any, aggregated: bool = False) -> Iterator[tuple[str, bool]]:  # noqa: FBT001, FBT002
    """Yield each series that an expression reads, and whether an aggregation by labels is around it."""
    if isinstance(node, promql_parser.VectorSelector):
        yield str(node.name), aggregated
    inside = aggregated or isinstance(node, promql_parser.AggregateExpr)
    parts = [getattr(node, name, None) for name in ("expr", "lhs", "rhs", "vector_selector", "param")]
    for part in [*parts, *(getattr(node, "args", None) or [])]:
        if isinstance(part, promql_parser.Expr):
            yield from reads(part, inside)


def test_each_read_of_a_recorded_series_is_aggregated_by_the_labels_that_it_needs() -> None:
    found = [(name, safe) for rule in EVERY_RULE for name, safe in reads(promql_parser.parse(rule["expr"]))]
    recorded = [(name, safe) for name, safe in found if ":" in name]
    assert [name for name, safe in recorded if not safe] == []
    assert len(recorded) > 15
