"""The alert and recording rules, run by promtool against what the exporter's own code makes of simulated jobs."""

import json
import re
import subprocess
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from processes import tool
from prometheus_client.parser import text_string_to_metric_families
from prometheus_client.samples import Sample
from scenarios import (
    ALERTS,
    ARN,
    CASES,
    COARSE,
    DAY,
    DEVICE_ALERTS,
    EVERY_RULE,
    EXPORTER_ALERTS,
    FILES,
    FIRST,
    JOB_ALERTS,
    ROOT,
    RULES,
    RUNBOOKS,
    SECOND,
    SV1,
    TARGET,
    UNKNOWN,
    Case,
    Promtool,
    Series,
    alive,
    altered,
    begun,
    deprioritized,
    failed,
    found,
    grouped,
    joined,
    labels_of,
    life,
    long_running,
    out_of_time,
    own,
    queue_up,
    series_id,
    shown,
    steady,
    step,
)

from exporter.app.settings import Settings
from exporter.aws.error_codes import THROTTLING
from exporter.core import DEVICE_STATUSES, DROP_REASONS, EVENT_TYPES, STATUSES, Increment
from exporter.metrics import AGGREGATE_FAMILIES, Aggregates, all_families, job_families, render
from exporter.metrics.aggregate_metrics import AggregateFamily
from exporter.simulator import Event, Phase, ScriptedJob, SimulatedJob, Status
from exporter.web.console_links import logs_url


@pytest.fixture
def jobs(tmp_path: Path) -> Promtool:
    return Promtool(tmp_path, RULES / "jobs.yaml")


@pytest.fixture
def exporters(tmp_path: Path) -> Promtool:
    return Promtool(tmp_path, RULES / "exporter.yaml")


@pytest.fixture
def recordings(tmp_path: Path) -> Promtool:
    return Promtool(tmp_path, RULES / "recording.yaml")


@pytest.mark.parametrize("file", FILES, ids=lambda file: file.name)
def test_promtool_accepts_each_file(file: Path) -> None:
    done = subprocess.run([tool("promtool"), "check", "rules", file], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr


# Jobs, one exporter


FAILURES, WARNINGS = CASES[:2], CASES[2:]

each_case = pytest.mark.parametrize("case", CASES, ids=lambda case: case.alert)
each_failure = pytest.mark.parametrize("case", FAILURES, ids=lambda case: case.alert)
each_warning = pytest.mark.parametrize("case", WARNINGS, ids=lambda case: case.alert)
each_end = pytest.mark.parametrize("status", ["COMPLETED", "FAILED", "CANCELLED"])


def test_there_is_a_case_for_each_job_alert_and_no_alert_is_without_a_test() -> None:
    assert tuple(case.alert for case in CASES) == JOB_ALERTS
    assert set(ALERTS) == {*JOB_ALERTS, *DEVICE_ALERTS, *EXPORTER_ALERTS}


@each_case
def test_an_alert_fires_from_its_minute_on(case: Case, jobs: Promtool) -> None:
    series = shown(case.job(), minutes=range(case.fires + 60))
    never, always = range(case.fires), range(case.fires, case.fires + 60)
    jobs.check(series, {never: [], always: [f"{case.alert} vqe-h2"]})


@pytest.mark.parametrize("status", ["COMPLETED", "CANCELLED"])
def test_a_job_that_ends_well_or_is_cancelled_never_fires(status: str, jobs: Promtool) -> None:
    job = life(*begun(), (60, Status.CANCELLING, None), (70, status, status))
    jobs.check(shown(job, minutes=range(200)), {range(200): []})


@each_failure
def test_a_failure_fires_for_a_day_after_the_end_while_the_job_is_still_shown(case: Case, jobs: Promtool) -> None:
    told, over = range(60, 60 + DAY), range(60 + DAY, 3 * DAY)
    series = shown(case.job(), minutes=range(0, 3 * DAY, COARSE))
    jobs.check(series, {range(60): [], told: [f"{case.alert} vqe-h2"], over: []}, every=COARSE)


@each_failure
def test_a_failure_ends_to_the_minute(case: Case, jobs: Promtool) -> None:
    series = shown(case.job(30 - DAY), minutes=range(60))
    jobs.check(series, {range(30): [f"{case.alert} vqe-h2"], range(30, 60): []})


@each_end
def test_a_job_that_ran_out_of_time_fires_once_whatever_its_status(status: str, jobs: Promtool) -> None:
    series = shown(out_of_time(60, status), minutes=range(0, 2 * DAY, COARSE))
    told = {range(60, 60 + DAY): ["BraketJobMaxRuntimeExceeded vqe-h2"]}
    jobs.check(series, {range(60): [], **told, range(60 + DAY, 2 * DAY): []}, every=COARSE)


@each_end
def test_running_out_of_time_fires_before_the_job_has_ended(status: str, jobs: Promtool) -> None:
    job = life(*begun(), (60, None, Event.MAX_RUNTIME_EXCEEDED), (90, status, status))
    told = {range(60, 90 + DAY): ["BraketJobMaxRuntimeExceeded vqe-h2"]}
    series = shown(job, minutes=range(0, 2 * DAY, COARSE))
    jobs.check(series, {range(60): [], **told, range(90 + DAY, 2 * DAY): []}, every=COARSE)


def test_an_event_that_comes_after_the_status_turns_a_failure_into_running_out_of_time(jobs: Promtool) -> None:
    job = life(*begun(), (60, Status.FAILED, None), (63, None, Event.MAX_RUNTIME_EXCEEDED))
    told = {range(60, 63): ["BraketJobFailed vqe-h2"], range(63, 120): ["BraketJobMaxRuntimeExceeded vqe-h2"]}
    jobs.check(shown(job, minutes=range(120)), {range(60): [], **told})


@pytest.mark.parametrize("job", [failed(60), life(*begun(50))], ids=["failed", "running"])
def test_running_out_of_time_counts_even_if_braket_does_not_say_when(job: SimulatedJob, jobs: Promtool) -> None:
    series = shown(altered(job, events=[{"eventType": "MAX_RUNTIME_EXCEEDED"}]), minutes=range(60, 120))
    jobs.check(series, {range(60): [], range(60, 120): ["BraketJobMaxRuntimeExceeded vqe-h2"]})


def test_without_an_end_the_time_of_the_last_event_counts(jobs: Promtool) -> None:
    series = shown(altered(failed(30 - DAY), endedAt=None), minutes=range(60))
    jobs.check(series, {range(30): ["BraketJobFailed vqe-h2"], range(30, 60): []})


def test_without_any_time_of_the_end_the_last_answer_counts(jobs: Promtool) -> None:
    series = shown(altered(failed(), endedAt=None, events=None), minutes=range(0, 2 * DAY, COARSE))
    told = {range(60, 60 + DAY): ["BraketJobFailed vqe-h2"]}
    jobs.check(series, {range(60): [], **told, range(60 + DAY, 2 * DAY): []}, every=COARSE)


@pytest.mark.parametrize(
    ("status", "event", "then"),
    [("COMPLETED", "COMPLETED", []), ("FAILED", "FAILED", ["BraketJobFailed vqe-h2"]), ("CANCELLING", None, [])],
)
def test_a_job_is_no_more_near_its_limit_once_it_ends(
    status: str, event: str | None, then: list[str], jobs: Promtool
) -> None:
    job = life(*begun(), (105, status, event), max_runtime_seconds=6000)
    told = {range(91, 105): ["BraketJobNearMaxRuntime vqe-h2"]}
    jobs.check(shown(job, minutes=range(130)), {range(91): [], **told, range(105, 130): then})


def test_a_job_that_ends_within_80_percent_of_its_time_is_not_near_its_limit(jobs: Promtool) -> None:
    job = life(*begun(), (90, Status.COMPLETED, Event.COMPLETED), max_runtime_seconds=6000)
    jobs.check(shown(job, minutes=range(150)), {range(150): []})


@pytest.mark.parametrize(("runs", "told"), [(20, range(0)), (50, range(21, 50))])
def test_a_job_is_no_more_stuck_in_the_queue_once_it_runs(runs: int, told: range, jobs: Promtool) -> None:
    job = life((20 - DAY, Status.QUEUED, Event.QUEUED_FOR_EXECUTION), (runs, Status.RUNNING, Event.RUNNING))
    series = shown(job, minutes=range(80))
    jobs.check(series, {range(21): [], told: ["BraketJobStuckInQueue vqe-h2"], range(50, 80): []})


def test_a_job_that_is_back_in_the_queue_has_not_been_there_since_its_creation(jobs: Promtool) -> None:
    job = life(*begun(-2 * DAY), (10, Status.QUEUED, Event.DEPRIORITIZED_DUE_TO_INACTIVITY))
    lost = {range(15, 120): ["BraketJobDeprioritized vqe-h2"]}
    jobs.check(shown(job, minutes=range(120)), {range(15): [], **lost})


def test_a_job_that_is_back_in_the_queue_may_get_stuck_there(jobs: Promtool) -> None:
    series = shown(deprioritized(10 - DAY), minutes=range(60))
    lost = {range(10): ["BraketJobDeprioritized vqe-h2"]}
    jobs.check(series, {**lost, range(11, 60): ["BraketJobStuckInQueue vqe-h2"]})


@pytest.mark.parametrize(("ends", "told"), [(39, range(0)), (60, range(40, 60))])
def test_a_cancellation_is_no_more_stuck_once_the_job_has_ended(ends: int, told: range, jobs: Promtool) -> None:
    job = life(*begun(-10), (10, Status.CANCELLING, None), (ends, Status.CANCELLED, Event.CANCELLED))
    series = shown(job, minutes=range(90))
    jobs.check(series, {range(40): [], told: ["BraketJobStuckCancelling vqe-h2"], range(60, 90): []})


@pytest.mark.parametrize("meanwhile", [Status.QUEUED, None], ids=["queued", "still running"])
@pytest.mark.parametrize(("again", "told"), [(14, range(0)), (30, range(15, 30))])
def test_a_job_has_its_priority_back_once_it_runs_again(
    meanwhile: Status | None, again: int, told: range, jobs: Promtool
) -> None:
    lost = (10, meanwhile, Event.DEPRIORITIZED_DUE_TO_INACTIVITY)
    series = shown(life(*begun(-10), lost, (again, Status.RUNNING, Event.RUNNING)), minutes=range(60))
    jobs.check(series, {range(15): [], told: ["BraketJobDeprioritized vqe-h2"], range(30, 60): []})


@pytest.mark.parametrize(("status", "event"), [("COMPLETED", "COMPLETED"), ("CANCELLING", None)])
def test_a_job_that_ends_waits_for_no_priority(status: str, event: str | None, jobs: Promtool) -> None:
    job = life(*begun(-10), (10, Status.QUEUED, Event.DEPRIORITIZED_DUE_TO_INACTIVITY), (30, status, event))
    told = {range(15, 30): ["BraketJobDeprioritized vqe-h2"]}
    jobs.check(shown(job, minutes=range(50)), {range(15): [], **told, range(30, 50): []})


def test_a_lost_priority_is_told_for_a_day(jobs: Promtool) -> None:
    job = life(*begun(-2 * DAY), (30 - DAY, None, Event.DEPRIORITIZED_DUE_TO_INACTIVITY))
    told = {range(30): ["BraketJobDeprioritized vqe-h2"]}
    jobs.check(shown(job, minutes=range(60)), {**told, range(30, 60): []})


# Jobs, when exporters come and go


def firing_since(case: Case) -> dict[str, float]:
    """Return the one series of a firing alert, with all labels, whose value is the time since which it fires."""
    severity = "critical" if case in FAILURES else "warning"
    job = {"job_arn": ARN, "job_name": "vqe-h2", **TARGET, "device": SV1}
    labels = {"alertname": case.alert, "severity": severity, **job}
    return {series_id("ALERTS_FOR_STATE", labels): case.fires * 60.0}


FIRING_SINCE = 'ALERTS_FOR_STATE and on (alertname, job_arn) ALERTS{alertstate="firing"}'


@each_case
def test_a_replaced_exporter_neither_interrupts_nor_changes_an_alert(case: Case, jobs: Promtool) -> None:
    gone, back, end = case.fires + 10, case.fires + 20, case.fires + 90
    before = shown(case.job(), minutes=range(gone))
    after = shown(case.job(), minutes=range(back, end), instance=SECOND)
    expected = {range(case.fires): {}, range(case.fires, end): firing_since(case)}
    jobs.ask(joined(before, after), FIRING_SINCE, expected)


@each_end
def test_a_replaced_exporter_does_not_tell_again_that_a_job_ran_out_of_time(status: str, jobs: Promtool) -> None:
    job = out_of_time(60, status)
    series = joined(shown(job, minutes=range(70)), shown(job, minutes=range(80, 150), instance=SECOND))
    jobs.ask(series, FIRING_SINCE, {range(60): {}, range(60, 150): firing_since(CASES[1])})


@each_failure
def test_an_outage_of_many_hours_neither_interrupts_nor_changes_a_failure(case: Case, jobs: Promtool) -> None:
    before = shown(case.job(), minutes=range(65))
    after = shown(case.job(), minutes=range(700, 2 * DAY, COARSE), instance=SECOND)
    told, over = range(60, 60 + DAY), range(60 + DAY, 2 * DAY)
    expected = {range(60): {}, told: firing_since(case), over: {}}
    jobs.ask(joined(before, after), FIRING_SINCE, expected, every=COARSE)


@each_failure
def test_a_failure_ends_a_day_after_it_even_if_no_exporter_comes_back(case: Case, jobs: Promtool) -> None:
    told = {range(60, 60 + DAY): [f"{case.alert} vqe-h2"]}
    series = shown(case.job(), minutes=range(65))
    jobs.check(series, {range(60): [], **told, range(60 + DAY, 2 * DAY): []}, every=COARSE)


@each_warning
def test_a_replaced_exporter_does_not_delay_a_warning(case: Case, jobs: Promtool) -> None:
    gone, back = case.active + 1, case.active + 11
    fires = case.fires if case.fires < gone else max(case.fires, back)
    before = shown(case.job(), minutes=range(gone))
    after = shown(case.job(), minutes=range(back, fires + 30), instance=SECOND)
    jobs.check(joined(before, after), {range(fires): [], range(fires, fires + 30): [f"{case.alert} vqe-h2"]})


def test_a_failure_during_the_gap_fires_when_the_exporter_is_back(jobs: Promtool) -> None:
    series = joined(shown(failed(), minutes=range(50)), shown(failed(), minutes=range(70, 120), instance=SECOND))
    jobs.check(series, {range(70): [], range(70, 120): ["BraketJobFailed vqe-h2"]})


@each_end
def test_a_job_that_ran_out_of_time_during_the_gap_fires_when_the_exporter_is_back(status: str, jobs: Promtool) -> None:
    job = out_of_time(60, status)
    series = joined(shown(job, minutes=range(50)), shown(job, minutes=range(70, 120), instance=SECOND))
    jobs.check(series, {range(70): [], range(70, 120): ["BraketJobMaxRuntimeExceeded vqe-h2"]})


@pytest.mark.parametrize(
    ("case", "back", "fires"),
    [
        pytest.param(CASES[2], 96, 96, id="BraketJobNearMaxRuntime"),
        pytest.param(CASES[3], 26, 26, id="BraketJobStuckInQueue"),
        pytest.param(CASES[4], 25, 55, id="BraketJobStuckCancelling"),
        pytest.param(CASES[5], 25, 25, id="BraketJobDeprioritized"),
    ],
)
def test_what_begins_in_the_gap_warns_when_the_exporter_is_back(
    case: Case, back: int, fires: int, jobs: Promtool
) -> None:
    before = shown(case.job(), minutes=range(case.active - 2))
    after = shown(case.job(), minutes=range(back, fires + 30), instance=SECOND)
    jobs.check(joined(before, after), {range(fires): [], range(fires, fires + 30): [f"{case.alert} vqe-h2"]})


def test_what_ends_during_the_gap_is_over_when_the_exporter_is_back(jobs: Promtool) -> None:
    job = life(*begun(), (105, Status.COMPLETED, Event.COMPLETED), max_runtime_seconds=6000)
    series = joined(shown(job, minutes=range(100)), shown(job, minutes=range(110, 150), instance=SECOND))
    told = {range(91, 110): ["BraketJobNearMaxRuntime vqe-h2"]}
    jobs.check(series, {range(91): [], **told, range(110, 150): []})


@each_warning
def test_a_warning_ends_when_the_exporter_stays_away(case: Case, jobs: Promtool) -> None:
    series = shown(case.job(), minutes=range(case.fires + 1))
    # Whether a range includes its left end depends on the release of Prometheus.
    still, over = range(case.fires, case.fires + 14), range(case.fires + 16, case.fires + 60)
    jobs.check(series, {still: [f"{case.alert} vqe-h2"], over: []})


@each_case
def test_two_exporters_that_show_one_job_make_one_alert(case: Case, jobs: Promtool) -> None:
    end = case.fires + 30
    both = (shown(case.job(), minutes=range(end), instance=instance) for instance in (FIRST, SECOND))
    jobs.check(joined(*both), {range(case.fires): [], range(case.fires, end): [f"{case.alert} vqe-h2"]})


@each_end
def test_two_exporters_that_show_a_job_out_of_time_make_one_alert(status: str, jobs: Promtool) -> None:
    both = (shown(out_of_time(60, status), minutes=range(90), instance=instance) for instance in (FIRST, SECOND))
    jobs.check(joined(*both), {range(60): [], range(60, 90): ["BraketJobMaxRuntimeExceeded vqe-h2"]})


def blind(job: SimulatedJob, since: int) -> ScriptedJob:
    """Show a job as it was in some minute: to an exporter that was denied access then."""
    return ScriptedJob(job.arn, job.created, lambda now: job.answer(min(now, since * 60.0), queue_info=True))


@each_warning
def test_of_two_exporters_the_one_that_has_seen_the_end_is_right(case: Case, jobs: Promtool) -> None:
    before, last = case.job(), case.fires + 5
    end = Phase(last * 60.0 - before.created, Status.COMPLETED, Event.COMPLETED)
    job = replace(before, phases=(*before.phases, end))
    behind = shown(blind(job, last - 1), minutes=range(last + 60))
    series = joined(behind, shown(job, minutes=range(last + 60), instance=SECOND))
    jobs.check(series, {range(case.fires, last): [f"{case.alert} vqe-h2"], range(last, last + 60): []})


def test_two_exporters_that_disagree_about_a_job_make_one_alert_of_it_and_do_not_silence_others(jobs: Promtool) -> None:
    job, other = failed(), failed(number=2)
    renamed = altered(job, jobName="renamed")
    series = joined(shown(job, other, minutes=range(90)), shown(renamed, other, minutes=range(90), instance=SECOND))
    one_each = {labels_of(job_arn=arn): 1.0 for arn in (job.arn, other.arn)}
    expression = 'count by (job_arn) (ALERTS{alertstate="firing"})'
    jobs.ask(series, expression, {range(60): {}, range(60, 90): one_each})


@each_case
def test_what_is_an_hour_old_at_the_first_scrape_fires(case: Case, jobs: Promtool) -> None:
    begin = case.active + 60
    # Only of a cancellation does Braket not say since when.
    fires = begin + 30 if case.alert == "BraketJobStuckCancelling" else begin
    series = shown(case.job(), minutes=range(begin, fires + 60))
    jobs.check(series, {range(fires): [], range(fires, fires + 60): [f"{case.alert} vqe-h2"]})


@each_end
def test_a_job_that_ran_out_of_time_an_hour_before_the_first_scrape_fires(status: str, jobs: Promtool) -> None:
    series = shown(out_of_time(-60, status), minutes=range(60))
    jobs.check(series, {range(60): ["BraketJobMaxRuntimeExceeded vqe-h2"]})


def test_what_is_older_than_a_day_at_the_first_scrape_does_not_fire(jobs: Promtool) -> None:
    ends = ("COMPLETED", "FAILED", "CANCELLED")
    several = [out_of_time(-DAY, status, number=number) for number, status in enumerate(ends)]
    back = life(*begun(-2 * DAY), (-DAY, None, Event.DEPRIORITIZED_DUE_TO_INACTIVITY), number=10)
    jobs.check(shown(*several, failed(-DAY, number=20), back, minutes=range(60)), {range(60): []})


# Texts


HOSTILE = [
    'say "no"',
    "back\\slash",
    "{braces}",
    "{{ $labels.job_arn }} {{",
    "two\nlines",
    "🐈‍⬛ ψ",
    "%s %d",
    "",
    "'; drop",
]


@pytest.mark.parametrize("name", HOSTILE)
def test_a_name_that_needs_escaping_fires_as_it_is(name: str, jobs: Promtool) -> None:
    several = (failed(name=name), out_of_time(name=name, number=2), long_running(name=name, number=3))
    alerts = ("BraketJobFailed", "BraketJobMaxRuntimeExceeded", "BraketJobNearMaxRuntime")
    series = shown(*several, minutes=range(100))
    jobs.check(series, {range(60): [], range(91, 100): [f"{alert} {name}" for alert in alerts]})


THE_JOB = f"The job {ARN} on {SV1} in us-east-1"
TEXTS: dict[str, tuple[str, str]] = {
    "BraketJobFailed": (
        "{{ x }} on sv1: hybrid job failed (AlgorithmError)",
        (
            f"{THE_JOB} failed 5m 0s ago. "
            "The log of the exporter shows the failure reason, and the log of the job its output."
        ),
    ),
    "BraketJobMaxRuntimeExceeded": (
        "{{ x }} on sv1: hybrid job exceeded its maximum run time",
        (
            f"{THE_JOB} reached its maximum run time 5m 0s ago, and Braket stopped it. "
            "Its results may be incomplete, even if its status is COMPLETED."
        ),
    ),
    "BraketJobNearMaxRuntime": (
        "{{ x }} on sv1: hybrid job has used 80 % of its maximum run time",
        (
            f"{THE_JOB} has run for 1h 26m 0s. Braket stops the job at its maximum run time. "
            "Until then, the job can save a checkpoint."
        ),
    ),
    "BraketJobStuckInQueue": (
        "{{ x }} on sv1: hybrid job has been queued for a day",
        f"{THE_JOB} has been queued for 1d 0h 6m 0s. The device may be offline, or its queue may be long.",
    ),
    "BraketJobStuckCancelling": (
        "{{ x }} on sv1: hybrid job is stuck in CANCELLING",
        f"{THE_JOB} has been CANCELLING for 35m 0s. Braket may still bill its instances.",
    ),
    "BraketJobDeprioritized": (
        "{{ x }} on sv1: hybrid job lost its priority",
        (
            f"{THE_JOB} lost its priority on the device 10m 0s ago, because it created no quantum task for a while. "
            "Its next tasks wait, and its instance is still billed."
        ),
    ),
}


def expected_alert(
    alert: str, labels: Mapping[str, str], summary: str, description: str, dashboard: str
) -> dict[str, Any]:
    annotations = {"summary": summary, "description": description, "dashboard": dashboard}
    runbook = {"runbook_url": f"{RUNBOOKS}/{alert}.md"}
    return {"exp_labels": {**labels}, "exp_annotations": {**annotations, **runbook}}


@each_case
def test_a_job_alert_carries_who_where_and_what_to_do(case: Case, jobs: Promtool) -> None:
    minute = case.fires + 5
    severity = "critical" if case in FAILURES else "warning"
    labels = {"job_arn": ARN, "job_name": "{{ x }}", **TARGET, "device": SV1, "severity": severity}
    dashboard = "/d/braket-job?var-job=arn%3Aaws%3Abraket%3Aus-east-1%3A123456789012%3Ajob%2F1"
    alert = expected_alert(case.alert, labels, *TEXTS[case.alert], dashboard)
    alert["exp_annotations"]["logs_url"] = logs_url(ARN, "{{ x }}")
    question = {"eval_time": f"{minute}m", "alertname": case.alert, "exp_alerts": [alert]}
    jobs.run(shown(case.job(name="{{ x }}"), minutes=range(minute + 1)), alert_rule_test=[question])


SV1_HERE = {"aws_region": TARGET["aws_region"], "device": SV1}
ONLINE_ELSEWHERE = own(
    "braket_device_status", steady(1.0), range(200), status="ONLINE", aws_region="eu-west-2", device=SV1
)
PAUSED = joined(
    own("braket_device_status", steady(0.0), range(200), status="ONLINE", **SV1_HERE),
    own("braket_device_status", steady(1.0), range(200), status="PAUSED", **SV1_HERE),
    ONLINE_ELSEWHERE,
)
REASON = own("braket_device_status_reason", steady(1.0), range(200), reason="MAINTENANCE", **SV1_HERE)
END = own("braket_device_status_estimated_end_timestamp_seconds", steady(1_700_003_600.0), range(200), **SV1_HERE)


@pytest.mark.parametrize(
    ("device", "text"),
    [
        (PAUSED, "The status of the device is PAUSED."),
        (joined(PAUSED, REASON), "The status of the device is PAUSED (MAINTENANCE)."),
        (
            joined(PAUSED, REASON, END),
            "The status of the device is PAUSED (MAINTENANCE), estimated until 2023-11-14 23:13:20 +0000 UTC.",
        ),
        (ONLINE_ELSEWHERE, "The device may be offline, or its queue may be long."),
    ],
)
def test_a_job_that_is_stuck_in_the_queue_carries_the_state_of_its_device(
    device: Series, text: str, jobs: Promtool
) -> None:
    case = CASES[3]
    minute = case.fires + 5
    labels = {"job_arn": ARN, "job_name": "vqe-h2", **TARGET, "device": SV1, "severity": "warning"}
    dashboard = "/d/braket-job?var-job=arn%3Aaws%3Abraket%3Aus-east-1%3A123456789012%3Ajob%2F1"
    summary = "vqe-h2 on sv1: hybrid job has been queued for a day"
    description = f"{THE_JOB} has been queued for 1d 0h 6m 0s. {text}"
    alert = expected_alert(case.alert, labels, summary, description, dashboard)
    alert["exp_annotations"]["logs_url"] = logs_url(ARN, "vqe-h2")
    question = {"eval_time": f"{minute}m", "alertname": case.alert, "exp_alerts": [alert]}
    jobs.run(joined(shown(case.job(), minutes=range(minute + 1)), device), alert_rule_test=[question])


def test_the_link_to_the_log_of_a_job_is_that_of_the_status_page(tmp_path: Path) -> None:
    old = "arn:aws:braket:us-east-1:123456789012:job/vqe-1"  # ends in the job's name
    jobs = [(old, "vqe-1"), *((ARN, name) for name in HOSTILE if name)]
    (text,) = (rule["annotations"]["logs_url"] for rule in EVERY_RULE if rule.get("alert") == "BraketJobFailed")
    rule = {"alert": "Linked", "expr": "job", "annotations": {"logs_url": text}}
    path = tmp_path / "rules.yaml"
    path.write_text(json.dumps({"groups": [{"name": "links", "rules": [rule]}]}), encoding="utf-8")
    labels = [{"job_arn": arn, "job_name": name, "aws_region": "us-east-1"} for arn, name in jobs]
    alerts = [
        {"exp_labels": each, "exp_annotations": {"logs_url": logs_url(each["job_arn"], each["job_name"])}}
        for each in labels
    ]
    question = {"eval_time": "0m", "alertname": "Linked", "exp_alerts": alerts}
    series: Series = {series_id("job", each): {0: 1.0} for each in labels}
    Promtool(tmp_path, path).run(series, alert_rule_test=[question])


def test_the_failure_class_stays_in_the_text_while_no_exporter_is_scraped(jobs: Promtool) -> None:
    summary = "vqe-h2 on sv1: hybrid job failed (AlgorithmError)"
    dashboard = "/d/braket-job?var-job=arn%3Aaws%3Abraket%3Aus-east-1%3A123456789012%3Ajob%2F1"
    labels = {"job_arn": ARN, "job_name": "vqe-h2", **TARGET, "device": SV1, "severity": "critical"}
    description = TEXTS["BraketJobFailed"][1].replace("5m 0s ago", "30m 0s ago")
    alert = expected_alert("BraketJobFailed", labels, summary, description, dashboard)
    alert["exp_annotations"]["logs_url"] = logs_url(ARN, "vqe-h2")
    question = {"eval_time": "90m", "alertname": "BraketJobFailed", "exp_alerts": [alert]}
    jobs.run(shown(failed(), minutes=range(65)), alert_rule_test=[question])


# The exporter


def test_an_exporter_that_is_gone_is_down_and_its_successor_ends_that(exporters: Promtool) -> None:
    series = joined(alive(range(60)), alive(range(90, 150), SECOND))
    # Whether a range includes its left end, minute 69, depends on the release of Prometheus.
    exporters.check(series, {range(69): [], range(70, 90): ["BraketExporterDown "], range(90, 150): []})


def test_an_exporter_that_never_was_is_down(exporters: Promtool) -> None:
    exporters.check(own("up", steady(1.0), range(60)), {range(5): [], range(5, 60): ["BraketExporterDown "]})


def test_a_replaced_exporter_is_not_down(exporters: Promtool) -> None:
    exporters.check(joined(alive(range(60)), alive(range(68, 100), SECOND)), {range(100): []})


def target_up(
    value: Callable[[int], float],
    minutes: range,
    instance: str = FIRST,
    name: str = "",
    target: Mapping[str, str] = TARGET,
) -> Series:
    return own("braket_exporter_target_up", value, minutes, instance, **target, target=name)


def test_a_target_that_fails_for_ten_minutes_fires_until_it_answers(exporters: Promtool) -> None:
    whole = range(100)
    series = joined(alive(whole), target_up(lambda minute: float(not 20 <= minute < 60), whole))
    failing = {range(30, 60): ["BraketExporterTargetFailing "]}
    exporters.check(series, {range(30): [], **failing, range(60, 100): []})


def test_a_target_that_one_of_two_exporters_reaches_does_not_fail(exporters: Promtool) -> None:
    whole = range(60)
    series = joined(alive(whole), target_up(steady(0.0), whole), target_up(steady(1.0), whole, SECOND))
    exporters.check(series, {whole: []})


def test_a_target_that_is_up_does_not_hide_another_one_of_its_account_and_region(exporters: Promtool) -> None:
    whole = range(30)
    for target in (TARGET, UNKNOWN):
        good = target_up(steady(1.0), whole, name="chemistry", target=target)
        bad = target_up(steady(0.0), whole, name="physics", target=target)
        firing = {labels_of(alertname="BraketExporterTargetFailing", target="physics"): 1.0}
        expression = 'count by (alertname, target) (ALERTS{alertstate="firing"})'
        exporters.ask(joined(alive(whole), good, bad), expression, {range(10): {}, range(10, 30): firing})


def test_a_target_without_a_sample_yet_does_not_fail(exporters: Promtool) -> None:
    whole = range(60)
    jobs = own("braket_exporter_target_jobs", steady(0.0), whole, **TARGET, target="chemistry", state="active")
    exporters.check(joined(alive(whole), jobs), {whole: []})


MISSING = ["BraketExporterTargetMissing "]
OTHER = {"aws_account_id": "210987654321", "aws_region": "us-east-1"}


@pytest.mark.parametrize("left", [TARGET, OTHER], ids=["a Region's other target", "another account"])
def test_a_target_that_no_exporter_polls_any_more_is_missing_until_one_does(
    left: Mapping[str, str], exporters: Promtool
) -> None:
    others = joined(alive(range(200), SECOND), target_up(steady(1.0), range(200), SECOND, "physics", left))
    lost = target_up(steady(1.0), range(30), name="chemistry")
    back = target_up(steady(1.0), range(100, 200), "10.0.0.3:9834", "chemistry")
    series = joined(alive(range(30)), others, lost, back)
    exporters.check(series, {range(40): [], range(41, 100): MISSING, range(100, 200): []})


def test_a_target_that_was_removed_on_purpose_is_missing_for_six_hours(exporters: Promtool) -> None:
    whole = range(0, DAY, 2)
    kept, removed = target_up(steady(1.0), whole, target=OTHER), target_up(steady(1.0), range(0, 60, 2))
    firing = {range(72, 58 + 360): MISSING, range(60 + 362, DAY): []}
    exporters.check(joined(alive(whole), kept, removed), {range(70): [], **firing}, every=2)


def test_a_target_of_a_replaced_exporter_and_of_one_of_two_is_not_missing(exporters: Promtool) -> None:
    others = joined(alive(range(120), SECOND), target_up(steady(1.0), range(120), SECOND, target=OTHER))
    before = target_up(steady(1.0), range(30))
    for after in (target_up(steady(1.0), range(39, 120), SECOND), target_up(steady(0.0), range(120), SECOND)):
        series = joined(others, before, after)
        exporters.ask(series, 'ALERTS{alertname="BraketExporterTargetMissing",alertstate="firing"}', {range(120): {}})


def test_a_target_whose_account_is_not_known_again_yet_is_not_missing(exporters: Promtool) -> None:
    others = joined(alive(range(120), SECOND), target_up(steady(1.0), range(120), SECOND, target=OTHER))
    before = target_up(steady(1.0), range(30), name="chemistry")
    after = target_up(steady(0.0), range(32, 120), name="chemistry", target=UNKNOWN)
    told = {range(42, 120): ["BraketExporterTargetFailing "]}
    exporters.check(joined(others, before, after), {range(42): [], **told})


def test_without_any_exporter_no_target_is_missing_but_the_exporter_is_down(exporters: Promtool) -> None:
    series = joined(alive(range(30)), target_up(steady(1.0), range(30)))
    exporters.check(series, {range(39): [], range(40, 120): ["BraketExporterDown "]})


def test_exporters_of_different_groups_do_not_hide_each_others_failure(exporters: Promtool) -> None:
    whole = range(60)
    good = joined(target_up(steady(1.0), whole), staleness(steady(10.0), whole))
    bad = joined(target_up(steady(0.0), whole, SECOND), staleness(steady(3000.0), whole, SECOND))
    expression = 'count by (alertname, exporter_group) (ALERTS{alertstate="firing"})'
    alerts = ("BraketExporterTargetFailing", "BraketExporterStale")
    firing = {labels_of(alertname=alert, exporter_group="physics"): 1.0 for alert in alerts}
    series = joined(alive(whole), grouped(good, "chemistry"), grouped(bad, "physics"))
    exporters.ask(series, expression, {range(5): {}, range(10, 60): firing})


def test_the_exporter_of_a_group_that_stops_is_missed_though_another_group_polls_the_account(
    exporters: Promtool,
) -> None:
    stays, stops = target_up(steady(1.0), range(60)), target_up(steady(1.0), range(20), SECOND)
    series = joined(alive(range(60)), grouped(stays, "chemistry"), grouped(stops, "physics"))
    expression = 'count by (alertname, exporter_group) (ALERTS{alertstate="firing"})'
    firing = {labels_of(alertname="BraketExporterTargetMissing", exporter_group="physics"): 1.0}
    exporters.ask(series, expression, {range(30): {}, range(31, 60): firing})


def test_a_missed_scrape_does_not_delay_the_alert_on_a_failing_target(exporters: Promtool) -> None:
    series = joined(alive(range(60)), target_up(steady(0.0), range(24)), target_up(steady(0.0), range(26, 60)))
    exporters.check(series, {range(10): [], range(10, 60): ["BraketExporterTargetFailing "]})


def staleness(
    value: Callable[[int], float],
    minutes: range,
    instance: str = FIRST,
    name: str = "",
    target: Mapping[str, str] = TARGET,
) -> Series:
    return own("braket_exporter_target_staleness_seconds", value, minutes, instance, **target, target=name)


def test_old_answers_are_stale_until_they_are_new_again(exporters: Promtool) -> None:
    whole = range(60)
    series = joined(alive(whole), staleness(lambda minute: 601.0 if 10 <= minute < 40 else 30.0, whole))
    exporters.check(series, {range(15): [], range(15, 40): ["BraketExporterStale "], range(40, 60): []})


def test_answers_of_ten_minutes_are_not_stale_nor_those_that_another_exporter_has(exporters: Promtool) -> None:
    whole = range(60)
    exporters.check(joined(alive(whole), staleness(steady(600.0), whole)), {whole: []})
    both = (staleness(steady(3000.0), whole), staleness(steady(30.0), whole, SECOND))
    exporters.check(joined(alive(whole), *both), {whole: []})


def test_fresh_data_of_one_target_does_not_hide_the_stale_data_of_another(exporters: Promtool) -> None:
    whole = range(30)
    fresh, stale = (
        staleness(steady(age), whole, name=name) for age, name in ((30.0, "chemistry"), (3000.0, "physics"))
    )
    firing = {labels_of(alertname="BraketExporterStale", target="physics"): 1.0}
    expression = 'count by (alertname, target) (ALERTS{alertstate="firing"})'
    exporters.ask(joined(alive(whole), fresh, stale), expression, {range(5): {}, range(5, 30): firing})


def requests(
    code: str,
    value: Callable[[int], float],
    minutes: range,
    target: Mapping[str, str] = TARGET,
    operation: str = "GetJob",
) -> Series:
    labels = {**target, "operation": operation, "code": code}
    return own("braket_exporter_api_requests_total", value, minutes, **labels)


@pytest.mark.parametrize("code", ["ThrottlingException", "429"])
def test_an_exporter_that_is_throttled_fires_until_that_ends(code: str, exporters: Promtool) -> None:
    whole = range(120)
    refused = requests(code, lambda minute: 2.0 * min(minute, 60), whole)
    series = joined(alive(whole), requests("ok", lambda minute: 8.0 * minute, whole), refused)
    throttled = {range(20, 60): ["BraketExporterThrottled "]}
    exporters.check(series, {range(15): [], **throttled, range(75, 120): []})


@pytest.mark.parametrize("operation", ["ReceiveMessage", "DeleteMessageBatch"])
def test_calls_to_an_event_queue_do_not_hide_that_braket_throttles(operation: str, exporters: Promtool) -> None:
    whole = range(60)
    refused = requests("ThrottlingException", lambda minute: 2.0 * minute, whole)
    queue = requests("ok", lambda minute: 100.0 * minute, whole, operation=operation)
    series = joined(alive(whole), requests("ok", lambda minute: 8.0 * minute, whole), refused, queue)
    exporters.check(series, {range(30, 60): ["BraketExporterThrottled "]})


def test_a_few_refusals_other_errors_and_an_idle_exporter_are_not_throttling(exporters: Promtool) -> None:
    whole = range(60)
    few = requests("ThrottlingException", lambda minute: 0.5 * minute, whole)
    other = requests("AccessDeniedException", lambda minute: 5.0 * minute, whole)
    series = joined(alive(whole), requests("ok", lambda minute: 9.5 * minute, whole), few, other)
    exporters.check(series, {whole: []})
    idle = (requests("ok", steady(100.0), whole), requests("ThrottlingException", steady(50.0), whole))
    exporters.check(joined(alive(whole), *idle), {whole: []})


def reloaded(value: Callable[[int], float], minutes: range, instance: str = FIRST) -> Series:
    return own("braket_exporter_config_last_reload_successful", value, minutes, instance)


def test_bad_new_settings_fire_until_they_are_good(exporters: Promtool) -> None:
    whole = range(60)
    series = joined(alive(whole), reloaded(lambda minute: float(not 10 <= minute < 40), whole))
    bad = {range(15, 40): ["BraketExporterConfigReloadFailed "]}
    exporters.check(series, {range(15): [], **bad, range(40, 60): []})


def test_a_good_exporter_does_not_hide_the_bad_settings_of_another(exporters: Promtool) -> None:
    whole = range(60)
    series = joined(alive(whole), reloaded(steady(1.0), whole), reloaded(steady(0.0), whole, SECOND))
    expression = 'ALERTS{alertname="BraketExporterConfigReloadFailed",alertstate="firing"}'
    labels = {"alertname": "BraketExporterConfigReloadFailed", "alertstate": "firing", "severity": "warning"}
    exporters.ask(series, expression, {range(5, 60): {series_id("ALERTS", {**labels, "instance": SECOND}): 1.0}})


def state_up(value: Callable[[int], float], minutes: range, instance: str = FIRST) -> Series:
    return own("braket_exporter_state_up", value, minutes, instance)


def test_a_state_file_that_takes_nothing_for_five_minutes_fires_until_it_does(exporters: Promtool) -> None:
    whole = range(60)
    series = joined(alive(whole), state_up(lambda minute: float(not 10 <= minute < 40), whole))
    failing = {range(15, 40): ["BraketExporterStateFailing "]}
    exporters.check(series, {range(15): [], **failing, range(40, 60): []})


def test_a_state_file_that_fails_for_less_and_an_exporter_without_one_do_not_fire(exporters: Promtool) -> None:
    whole = range(60)
    brief = state_up(lambda minute: float(not 10 <= minute < 14), whole)
    exporters.check(joined(alive(whole), brief, alive(whole, SECOND)), {whole: []})


def test_an_exporter_that_writes_does_not_hide_another_that_cannot(exporters: Promtool) -> None:
    whole = range(60)
    series = joined(alive(whole), state_up(steady(1.0), whole), state_up(steady(0.0), whole, SECOND))
    expression = 'ALERTS{alertname="BraketExporterStateFailing",alertstate="firing"}'
    labels = {"alertname": "BraketExporterStateFailing", "alertstate": "firing", "severity": "warning"}
    exporters.ask(series, expression, {range(5, 60): {series_id("ALERTS", {**labels, "instance": SECOND}): 1.0}})


def dropped(reason: str, value: Callable[[int], float], minutes: range, instance: str = FIRST) -> Series:
    return own("braket_exporter_jobs_dropped_total", value, minutes, instance, reason=reason)


@pytest.mark.parametrize("reason", ["retention", "deselected", "not_found"])
def test_jobs_that_are_dropped_for_ordinary_reasons_do_not_fire(reason: str, exporters: Promtool) -> None:
    whole = range(180)
    exporters.check(joined(alive(whole), dropped(reason, float, whole)), {whole: []})


def test_jobs_that_are_dropped_for_another_reason_fire_for_an_hour(exporters: Promtool) -> None:
    whole = range(240)
    series = joined(alive(whole), dropped("max_jobs", step(90, 0.0, 3.0), whole))
    told = {range(91, 149): ["BraketExporterJobsDropped "]}
    exporters.check(series, {range(90): [], **told, range(151, 240): []})


@pytest.mark.parametrize("gap", [1, 2, 14, 60])
def test_jobs_that_were_dropped_long_ago_do_not_fire_an_hour_after_missed_scrapes(
    gap: int, exporters: Promtool
) -> None:
    counter = dropped("max_jobs", step(30, 0.0, 3.0), range(300))
    series = joined(alive(range(500)), counter, dropped("max_jobs", steady(3.0), range(300 + gap, 500)))
    exporters.check(series, {range(91, 500): []})


def test_jobs_that_were_dropped_before_the_first_scrape_fire_too(exporters: Promtool) -> None:
    series = joined(alive(range(240)), dropped("max_jobs", steady(3.0), range(90, 240)))
    told = {range(90, 149): ["BraketExporterJobsDropped "]}
    exporters.check(series, {range(90): [], **told, range(151, 240): []})


def test_jobs_that_a_new_exporter_dropped_before_its_first_scrape_fire_too(exporters: Promtool) -> None:
    old = dropped("max_jobs", steady(0.0), range(90))
    series = joined(alive(range(240)), old, dropped("max_jobs", steady(3.0), range(90, 240), SECOND))
    told = {range(90, 149): ["BraketExporterJobsDropped "]}
    exporters.check(series, {range(90): [], **told, range(151, 240): []})


WHOLE = range(180)
TROUBLES: dict[str, tuple[Series, dict[str, str], str, str]] = {
    "BraketExporterDown": (
        own("up", steady(0.0), WHOLE),
        {"severity": "critical"},
        "Prometheus scrapes no braket-exporter",
        (
            "Prometheus has received no sample from any braket-exporter for 10 minutes. "
            "Meanwhile, failed jobs cause no alert."
        ),
    ),
    "BraketExporterTargetMissing": (
        joined(alive(WHOLE), target_up(steady(1.0), range(60))),
        {**TARGET, "severity": "critical"},
        "No braket-exporter polls 123456789012 in us-east-1",
        (
            "The account 123456789012 in us-east-1 was polled within the last 6 hours, and no exporter has polled it "
            "for 10 minutes. An exporter or shard may be down. Meanwhile, failed jobs of the target cause no alert. "
            "If the target was removed on purpose, silence the alert: it ends by itself after 6 hours."
        ),
    ),
    "BraketExporterTargetFailing": (
        target_up(steady(0.0), WHOLE),
        {**TARGET, "severity": "critical"},
        "braket-exporter cannot poll 123456789012 in us-east-1",
        (
            "The target as a whole has failed for 10 minutes. "
            "Possible causes: credentials, permissions, network, quota. "
            "Meanwhile, failed jobs of the target cause no alert."
        ),
    ),
    "BraketExporterStale": (
        staleness(steady(1230.0), WHOLE),
        {**TARGET, "severity": "warning"},
        "braket-exporter has stale data for 123456789012 in us-east-1",
        "The last successful poll of the active job with the oldest data was 20m 30s ago.",
    ),
    "BraketExporterThrottled": (
        joined(requests("ok", lambda minute: 6.0 * minute, WHOLE), requests("429", lambda minute: 2.0 * minute, WHOLE)),
        {**TARGET, "severity": "warning"},
        "Braket throttles API calls for 123456789012 in us-east-1",
        (
            "Braket throttled 25% of the exporter's API calls in the last 15 minutes. "
            "All SDK users of the account share the service quota."
        ),
    ),
    "BraketExporterConfigReloadFailed": (
        reloaded(steady(0.0), WHOLE),
        {"instance": FIRST, "severity": "warning"},
        "braket-exporter 10.0.0.1:9834 failed to reload its settings",
        "The previous settings are still active. The log of the exporter shows the problems.",
    ),
    "BraketExporterStateFailing": (
        state_up(steady(0.0), WHOLE),
        {"instance": FIRST, "severity": "warning"},
        "braket-exporter 10.0.0.1:9834 cannot write its state file",
        (
            "The exporter keeps its state in memory, and its metrics are complete. "
            "A restart restores the state of the last successful write. The log of the exporter shows the cause."
        ),
    ),
    "BraketExporterJobsDropped": (
        dropped("max_jobs", steady(7.0), range(150, 180)),
        {"reason": "max_jobs", "severity": "warning"},
        "braket-exporter dropped the series of jobs: max_jobs",
        "7 jobs lost their series in the last hour. The reason is max_jobs, not retention.",
    ),
    "BraketExporterEventsMissing": (
        joined(queue_up(steady(1.0), WHOLE), found("poll", step(150, 0.0, 3.0), WHOLE)),
        {"severity": "warning"},
        "braket-exporter receives no events about jobs",
        (
            "Within an hour, polls found 3 transitions of jobs, and no event about a job has arrived. The rule of "
            "EventBridge or the policy of the queue may be wrong. Meanwhile, changes of RUNNING jobs are found after "
            "up to event_poll_interval."
        ),
    ),
}


@pytest.mark.parametrize("alert", EXPORTER_ALERTS)
def test_an_alert_on_the_exporter_carries_where_and_what_to_do(alert: str, exporters: Promtool) -> None:
    series, labels, summary, description = TROUBLES[alert]
    expected = expected_alert(alert, labels, summary, description, "/d/braket-exporter")
    question = {"eval_time": "170m", "alertname": alert, "exp_alerts": [expected]}
    exporters.run(series, alert_rule_test=[question])


@pytest.mark.parametrize(
    ("target", "name", "written"),
    [
        (TARGET, "", "123456789012"),
        (TARGET, "chemistry", "chemistry"),
        (UNKNOWN, "chemistry", "chemistry"),
        (UNKNOWN, "", "an unknown account"),
        (UNKNOWN, '{{ $labels }} "q"', '{{ $labels }} "q"'),
    ],
)
def test_an_alert_on_a_target_says_which_one(
    target: Mapping[str, str], name: str, written: str, exporters: Promtool
) -> None:
    ok, refused = (
        requests(code, lambda minute, rate=rate: rate * minute, WHOLE, target)  # type: ignore[misc]
        for code, rate in (("ok", 6.0), ("429", 2.0))
    )
    series = joined(
        target_up(steady(0.0), WHOLE, name=name, target=target),
        staleness(steady(1230.0), WHOLE, name=name, target=target),
        ok,
        refused,
    )
    account = {label: value for label, value in target.items() if value}
    own_name = {"target": name} if name else {}
    summaries = {
        "BraketExporterTargetFailing": f"braket-exporter cannot poll {written} in us-east-1",
        "BraketExporterStale": f"braket-exporter has stale data for {written} in us-east-1",
        "BraketExporterThrottled": (
            f"Braket throttles API calls for {target['aws_account_id'] or 'an unknown account'} in us-east-1"
        ),
    }
    questions = []
    for alert, summary in summaries.items():
        labels = {**account, **({} if alert == "BraketExporterThrottled" else own_name)}
        severity = {"severity": ALERTS[alert]["labels"]["severity"]}
        description = TROUBLES[alert][3]
        expected = expected_alert(alert, {**labels, **severity}, summary, description, "/d/braket-exporter")
        questions.append({"eval_time": "170m", "alertname": alert, "exp_alerts": [expected]})
    exporters.run(series, alert_rule_test=questions)


# Recording rules


FLEET = {**TARGET, "device": SV1}
LATER = range(DAY + 100, DAY + 101)


def fleet(name: str, value: Callable[[int], float], minutes: range, instance: str = FIRST, **labels: str) -> Series:
    return own(name, value, minutes, instance, **FLEET, **labels)


def replaced(name: str, **labels: str) -> Series:
    """Show a counter that rises to 5, and that of a successor which begins anew and rises to 3."""
    first = fleet(name, step(200, 0.0, 5.0), range(600), **labels)
    return joined(first, fleet(name, step(800, 0.0, 3.0), range(610, DAY + 101), SECOND, **labels))


def twice(name: str, value: Callable[[int], float], **labels: str) -> Series:
    """Show a counter of two exporters that follow the same jobs."""
    whole = range(DAY + 101)
    return joined(*(fleet(name, value, whole, instance, **labels) for instance in (FIRST, SECOND)))


def of_two_teams(name: str, value: Callable[[int], float], **labels: str) -> Series:
    """Show a metric of two exporters that divide it by a tag."""
    return joined(*(twice(name, value, tag_team=team, **labels) for team in ("chemistry", "")))


@pytest.mark.parametrize(
    ("record", "series", "labels", "value"),
    [
        (
            "aws_account_id_aws_region_device_status:braket_jobs:max",
            of_two_teams("braket_jobs", steady(4.0), status="QUEUED"),
            {**FLEET, "status": "QUEUED"},
            8.0,
        ),
        (
            "aws_account_id_aws_region_device_outcome:braket_job_outcomes:increase1d",
            of_two_teams("braket_job_outcomes_total", step(300, 2.0, 6.0), outcome="FAILED"),
            {**FLEET, "outcome": "FAILED"},
            8.0,
        ),
        (
            "aws_account_id_aws_region_device_instance_type:braket_billable_seconds:increase1d",
            of_two_teams("braket_billable_seconds_total", step(300, 2.0, 6.0), instance_type="ml.m5.large"),
            {**FLEET, "instance_type": "ml.m5.large"},
            8.0,
        ),
        (
            "aws_account_id_aws_region_device_le:braket_job_queue_duration_seconds_bucket:increase1d",
            of_two_teams("braket_job_queue_duration_seconds_bucket", step(300, 2.0, 6.0), le="60.0"),
            {**FLEET, "le": "60.0"},
            8.0,
        ),
        (
            "aws_account_id_aws_region_device_le:braket_job_run_duration_seconds_bucket:increase1d",
            of_two_teams("braket_job_run_duration_seconds_bucket", step(300, 2.0, 6.0), outcome="FAILED", le="60.0"),
            {**FLEET, "le": "60.0"},
            8.0,
        ),
        (
            "aws_account_id_aws_region_device_status:braket_jobs:max",
            twice("braket_jobs", steady(4.0), status="QUEUED"),
            {**FLEET, "status": "QUEUED"},
            4.0,
        ),
        (
            "aws_account_id_aws_region_device_outcome:braket_job_outcomes:increase1d",
            twice("braket_job_outcomes_total", step(300, 2.0, 6.0), outcome="FAILED"),
            {**FLEET, "outcome": "FAILED"},
            4.0,
        ),
        (
            "aws_account_id_aws_region_device_outcome:braket_job_outcomes:increase1d",
            replaced("braket_job_outcomes_total", outcome="FAILED"),
            {**FLEET, "outcome": "FAILED"},
            8.0,
        ),
        (
            "aws_account_id_aws_region_device_instance_type:braket_billable_seconds:increase1d",
            replaced("braket_billable_seconds_total", instance_type="ml.m5.large"),
            {**FLEET, "instance_type": "ml.m5.large"},
            8.0,
        ),
        (
            "aws_account_id_aws_region_device_le:braket_job_queue_duration_seconds_bucket:increase1d",
            replaced("braket_job_queue_duration_seconds_bucket", le="60.0"),
            {**FLEET, "le": "60.0"},
            8.0,
        ),
        (
            "aws_account_id_aws_region_device_le:braket_job_run_duration_seconds_bucket:increase1d",
            joined(
                replaced("braket_job_run_duration_seconds_bucket", outcome="FAILED", le="60.0"),
                twice("braket_job_run_duration_seconds_bucket", step(500, 1.0, 2.0), outcome="COMPLETED", le="60.0"),
            ),
            {**FLEET, "le": "60.0"},
            9.0,
        ),
        (
            "aws_account_id_aws_region_operation:braket_exporter_api_requests:rate5m",
            joined(
                requests("ok", lambda minute: 90.0 * minute, range(DAY + 101)),
                requests("429", lambda minute: 30.0 * minute, range(DAY + 101)),
            ),
            {**TARGET, "operation": "GetJob"},
            2.0,
        ),
    ],
)
def test_a_recording_rule_gives_its_value(
    record: str, series: Series, labels: dict[str, str], value: float, recordings: Promtool
) -> None:
    # Rounded, for releases of Prometheus differ in whether a range includes its left end.
    recordings.ask(series, f"round({record}, 0.05)", {LATER: {series_id("", labels): value}}, every=2)


HOUR = 3600.0


def _lines(family: AggregateFamily, aggregates: Aggregates) -> list[Sample]:
    (lines,) = render([family], aggregates.values())
    return [sample for found in text_string_to_metric_families(lines.decode()) for sample in found.samples]


@pytest.mark.parametrize(
    ("hours", "median", "most"),
    [
        ((9, 11, 14, 18, 23), 14, 23),
        ((6 * 24, 8 * 24, 9.5 * 24, 12 * 24, 13.5 * 24), 9.25 * 24, 13.5 * 24),
    ],
    ids=["a night", "two weeks"],
)
def test_long_queue_times_have_percentiles_near_the_true_ones(
    hours: Sequence[float], median: float, most: float, recordings: Promtool
) -> None:
    name, labels = "braket_job_queue_duration_seconds", tuple(FLEET.values())
    before, after = Aggregates(), Aggregates()
    before.apply([Increment(name, labels, None)])
    after.apply(Increment(name, labels, hour * HOUR) for hour in hours)
    (family,) = (family for family in AGGREGATE_FAMILIES if family.name == name)
    series: Series = {}
    for old, new in zip(_lines(family, before), _lines(family, after), strict=True):
        values = step(300, old.value, new.value)
        series |= own(old.name, values, range(DAY + 101), **old.labels)
    for share, expected in ((0.5, median), (0.95, most)):
        recorded = f"aws_account_id_aws_region_device_le:{name}_bucket:increase1d"
        quantile = f"round(histogram_quantile({share}, {recorded}) / 3600, 0.25)"
        recordings.ask(series, quantile, {LATER: {series_id("", FLEET): expected}}, every=2)


# What the rules, the exporter and the documentation say of each other


LABELS = {
    **{family.name: {*family.labels} for family in job_families()},
    **{family.name: {*family.labels} for family in all_families()},
    **{f"{family.name}_bucket": {*family.labels, "le"} for family in AGGREGATE_FAMILIES if family.type == "histogram"},
}
"""The labels of everything that the exporter exposes and a rule may ask for."""

EXPRESSIONS = [rule["expr"] for rule in EVERY_RULE]
QUERY = re.compile(r"(?<![\w:])(braket_\w+)(?![\w:])(?:\{([^}]*)\})?")
"""A metric of the exporter, not one of a recording rule, and what stands in its braces."""

MATCHER = re.compile(r'(\w+)(?:=~|!~|!=|=)"([^"]*)"')


def queries() -> Iterator[tuple[str, dict[str, str]]]:
    for text in (*EXPRESSIONS, *(rule["annotations"]["description"] for rule in ALERTS.values())):
        for name, matchers in QUERY.findall(text):
            yield name, dict(MATCHER.findall(matchers))


def test_each_metric_and_label_that_a_rule_asks_for_is_the_exporters() -> None:
    asked = [*queries()]
    assert {name for name, _ in asked} - LABELS.keys() == set()
    assert [(name, matchers) for name, matchers in asked if matchers.keys() - LABELS[name]] == []
    assert len(asked) > 30


def test_each_label_that_a_rule_groups_by_is_the_exporters() -> None:
    lists = [labels for text in EXPRESSIONS for labels in re.findall(r"(?:by|on|group_left) \(([^)]*)\)", text)]
    grouped = {label.strip() for labels in lists for label in labels.split(",")}
    assert grouped - {label for labels in LABELS.values() for label in labels} == {
        "",  # on ()
        "exporter_group",
        "instance",
        "job",
        "namespace",
        "pod",
    }


def test_each_recorded_series_that_a_rule_asks_for_is_recorded() -> None:
    recorded = {rule["record"] for rule in EVERY_RULE if "record" in rule}
    asked = {name for text in EXPRESSIONS for name in re.findall(r"\w+:\w+:\w+", text)}
    assert asked - recorded == set()


def test_each_status_event_and_reason_in_a_rule_is_one_that_exists() -> None:
    known = {"status": STATUSES, "event_type": EVENT_TYPES, "reason": DROP_REASONS}
    for name, matchers in queries():
        of_device = {"status": DEVICE_STATUSES} if name.startswith("braket_device") else {}
        for label, values in matchers.items():
            assert set(values.split("|")) <= set((known | of_device).get(label, values.split("|")))


def test_each_code_that_means_throttling_counts_as_throttled() -> None:
    codes = [matchers["code"] for _, matchers in queries() if "code" in matchers]
    assert len(codes) == 1
    assert [code for code in THROTTLING if re.fullmatch(codes[0], code) is None] == []


def test_a_failure_is_told_for_no_longer_than_its_job_is_kept() -> None:
    windows = [float(seconds) for text in EXPRESSIONS for seconds in re.findall(r"> time\(\) - (\d+)", text)]
    assert windows == [86400.0, 86400.0]
    assert max(windows) <= Settings.model_fields["retention"].default
    assert max(windows) <= Settings.model_fields["retention_failed"].default


@pytest.mark.parametrize("alert", JOB_ALERTS)
def test_the_texts_of_an_alert_use_only_its_labels(alert: str) -> None:
    used = {label for text in ALERTS[alert]["annotations"].values() for label in re.findall(r"\$labels\.(\w+)", text)}
    assert used - {"job_arn", "job_name", "device", *TARGET} == set()


def test_each_alert_has_a_runbook_and_each_runbook_an_alert() -> None:
    pages = {path.stem for path in (ROOT / "docs" / "runbooks").glob("*.md")}
    assert pages == ALERTS.keys()


@pytest.mark.parametrize("alert", [*JOB_ALERTS, *DEVICE_ALERTS, *EXPORTER_ALERTS])
def test_a_runbook_has_a_meaning_a_diagnosis_and_a_mitigation(alert: str) -> None:
    text = (ROOT / "docs" / "runbooks" / f"{alert}.md").read_text(encoding="utf-8")
    assert re.findall(r"^#+ .*", text, re.MULTILINE) == [f"# {alert}", "## Diagnosis", "## Mitigation"]


def test_each_query_in_a_runbook_can_be_asked(tmp_path: Path) -> None:
    pages = " ".join(path.read_text(encoding="utf-8") for path in (ROOT / "docs" / "runbooks").glob("*.md"))
    asked = [" ".join(text.split()) for text in re.findall(r"`([^`]*\bbraket_[^`]*)`", pages)]
    rules = [{"record": f"query:{number}", "expr": text} for number, text in enumerate(asked)]
    path = tmp_path / "queries.yaml"
    path.write_text(json.dumps({"groups": [{"name": "runbooks", "rules": rules}]}), encoding="utf-8")
    done = subprocess.run([tool("promtool"), "check", "rules", path], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    assert len(asked) >= 30


@pytest.mark.parametrize("path", [*(ROOT / "docs" / "runbooks").glob("*.md")], ids=lambda path: path.stem)
def test_a_runbook_names_only_what_exists(path: Path) -> None:
    text = path.read_text(encoding="utf-8")
    assert {name for name, _ in QUERY.findall(text)} - LABELS.keys() == set()
    for target in re.findall(r"\]\((?!https?://)([^)#]+)", text):
        assert (path.parent / target).exists(), target


def test_the_documentation_lists_each_alert_with_its_severity() -> None:
    text = (ROOT / "docs" / "use" / "alerting.md").read_text(encoding="utf-8")
    listed = re.findall(r"^\| \[`(\w+)`\]\(\.\./runbooks/(\w+)\.md\) \| (\w+) \|", text, re.MULTILINE)
    alerts = (*JOB_ALERTS, *DEVICE_ALERTS, *EXPORTER_ALERTS)
    assert listed == [(alert, alert, ALERTS[alert]["labels"]["severity"]) for alert in alerts]
