"""Each alert in each state in which it must not fire, before, in and after a gap: no exporter is scraped for a while.

A job's states are written as what starts an alert and what ends it. The end may come long before the gap, in the last
minute before it, or in the gap. A gap has 2, 5, 14 or 60 minutes. After it, the same exporter or another one is
scraped.
"""

import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import product
from pathlib import Path

import pytest
from scenarios import (
    DAY,
    FIRST,
    JOB_ALERTS,
    RULES,
    SECOND,
    TARGET,
    Promtool,
    Series,
    alive,
    joined,
    life,
    own,
    series_id,
    shown,
    steady,
    step,
)

from exporter.simulator import Event, SimulatedJob, Status

GAPS = (2, 5, 14, 60)
GAP = 37
"""The first minute of the gap."""

NAMES = "|".join(sorted({*re.findall(r"\bbraket_job_\w+", (RULES / "jobs.yaml").read_text(encoding="utf-8"))}))
READ = re.compile(rf"(?:{NAMES}){{(?!.*event_type=.(?:COMPLETED|FAILED|CANCELLED|[A-Z]*ING_))")
"""The series that the rules on jobs read, but for some events: a smaller scenario is a faster one."""

each_gap = pytest.mark.parametrize("gap", GAPS)
each_successor = pytest.mark.parametrize("successor", [FIRST, SECOND], ids=["same exporter", "another exporter"])

Moment = tuple[int, str | None, str | None]

QUEUED, RUNNING = (Status.QUEUED, Event.QUEUED_FOR_EXECUTION), (Status.RUNNING, Event.RUNNING)
LOST = (Status.QUEUED, Event.DEPRIORITIZED_DUE_TO_INACTIVITY)
OUT_OF_TIME = (None, Event.MAX_RUNTIME_EXCEEDED)
CANCELLING = (Status.CANCELLING, None)
FINISHED = tuple((status, status) for status in ("COMPLETED", "FAILED", "CANCELLED"))


def starts(alert: str, minute: int) -> list[Moment]:
    """Write the life of a job for which the alert fires from this minute on."""
    lives: dict[str, list[Moment]] = {
        "BraketJobFailed": [(minute - 50, *RUNNING), (minute, Status.FAILED, Event.FAILED)],
        "BraketJobMaxRuntimeExceeded": [(minute - 50, *RUNNING), (minute, *OUT_OF_TIME)],
        "BraketJobNearMaxRuntime": [(minute - 81, *RUNNING)],  # of 100 minutes
        "BraketJobStuckInQueue": [(minute - DAY - 1, *QUEUED)],
        "BraketJobStuckCancelling": [(minute - 50, *RUNNING), (minute - 30, *CANCELLING)],
        "BraketJobDeprioritized": [(minute - 50, *RUNNING), (minute - 5, *LOST)],
    }
    return lives[alert]


ENDS: dict[str, tuple[tuple[str | None, str | None], ...]] = {
    "BraketJobNearMaxRuntime": (CANCELLING, *FINISHED),
    "BraketJobStuckInQueue": (RUNNING, CANCELLING, *FINISHED),
    "BraketJobStuckCancelling": FINISHED,
    "BraketJobDeprioritized": (RUNNING, CANCELLING, *FINISHED),
}
"""What ends each warning. A failure is told for a day."""

QUIET: Mapping[str, Sequence[Sequence[Moment]]] = {
    "BraketJobFailed": [
        *([(-25, *RUNNING), (minute, *end)] for minute in (33, 36, 38) for end in (FINISHED[0], FINISHED[2])),
        *([(-25, *RUNNING), (minute, *OUT_OF_TIME), (minute, *end)] for minute in (33, 36, 38) for end in FINISHED),
        [(-DAY - 60, *RUNNING), (-DAY, *FINISHED[1])],
    ],
    "BraketJobMaxRuntimeExceeded": [
        *([(-25, *RUNNING), (minute, *end)] for minute in (33, 36, 38) for end in FINISHED),
        [(-DAY - 60, *RUNNING), (-DAY - 1, *OUT_OF_TIME), (-DAY, *FINISHED[0])],
    ],
    "BraketJobNearMaxRuntime": [[(-25, *QUEUED)], [(32, *RUNNING)]],
    "BraketJobStuckInQueue": [[(-25, *QUEUED)], [(-DAY, *RUNNING), (-25, *LOST)]],
    "BraketJobStuckCancelling": [[(-25, *RUNNING)]],
    "BraketJobDeprioritized": [[(-25, *RUNNING)], [(-2 * DAY, *RUNNING), (-DAY, *LOST)]],
}
"""Lives in which the alert never fires, within an hour after the shortest gap."""


@dataclass(frozen=True)
class Row:
    """A job, and the minutes in which an alert must not fire for it.

    Attributes:
        since: the first of these minutes. If the cause of an alert ends in the gap, it is the minute after the gap.
    """

    alert: str
    job: SimulatedJob
    since: int


def written(moments: Sequence[Moment], number: int) -> SimulatedJob:
    first = (moments[0][0] - 1, *QUEUED)
    return life(first, *moments, number=number, name=f"job-{number}", max_runtime_seconds=6000)


def rows(gap: int) -> Iterator[Row]:
    """List a job for each state in which an alert must not fire, with a number each."""
    back, number = GAP + gap, 0
    for alert in JOB_ALERTS:
        for moments in QUIET[alert]:
            yield Row(alert, written(moments, number := number + 1), 0)
        for end, minute in product(ENDS.get(alert, ()), (33, 36, 38)):
            job = written([*starts(alert, 32), (minute, *end)], number := number + 1)
            yield Row(alert, job, minute if minute < GAP else back)
        for end in ENDS.get(alert, ()):
            # It would fire from the first minute of the gap on, and has ended when the exporter is back.
            yield Row(alert, written([*starts(alert, GAP), (GAP + 1, *end)], number := number + 1), 0)


def scenario(job: SimulatedJob, gap: int, successor: str, end: int) -> Series:
    """Show a job before and after the gap: the series that the rules read."""
    both = joined(shown(job, minutes=range(GAP)), shown(job, minutes=range(GAP + gap, end), instance=successor))
    return {name: values for name, values in both.items() if READ.match(name)}


def fired(alert: str, names: list[str], since: int, end: int) -> str:
    """Write the query for the number of minutes for which an alert fired since some minute."""
    labels = f'alertname="{alert}",alertstate="firing",job_name=~"{"|".join(names)}"'
    return f"sum by (job_name) (count_over_time(ALERTS{{{labels}}}[{(end - since) * 60 + 30}s]))"


@each_gap
@each_successor
def test_no_alert_fires_for_a_job_in_another_state_whatever_the_gap(gap: int, successor: str, tmp_path: Path) -> None:
    end = GAP + gap + 9
    table = [*rows(gap)]
    series = joined(*(scenario(row.job, gap, successor, end + 1) for row in table))
    questions = []
    for alert, since in sorted({(row.alert, row.since) for row in table}):
        names = [row.job.name for row in table if (row.alert, row.since) == (alert, since)]
        query = {"expr": fired(alert, names, since, end), "eval_time": f"{end}m", "exp_samples": []}
        questions.append(query)
    Promtool(tmp_path, RULES / "jobs.yaml").run(series, promql_expr_test=questions)
    assert len(table) > 80


@pytest.mark.parametrize("alert", JOB_ALERTS)
@each_gap
@each_successor
def test_an_alert_holds_through_a_gap(alert: str, gap: int, successor: str, tmp_path: Path) -> None:
    job, end = written(starts(alert, 32), 1), GAP + gap + 9
    bridged = gap < 15 or alert in JOB_ALERTS[:2]
    minutes = {range(32): {}, range(32 if bridged else GAP + gap, end): {series_id("", {"job_name": "job-1"}): 1.0}}
    Promtool(tmp_path, RULES / "jobs.yaml").ask(
        scenario(job, gap, successor, end),
        f'count by (job_name) (ALERTS{{alertname="{alert}",alertstate="firing"}})',
        minutes,
    )


# The exporter


LATE = 180
"""The first minute of the gap of an exporter: counters are older than an hour."""

Change = tuple[str, dict[str, str], float, int, float]
"""A metric, its labels, its value at first, the minute of a change, and the value then."""

UP, STALENESS = "braket_exporter_target_up", "braket_exporter_target_staleness_seconds"
CHANGES: tuple[Change, ...] = (
    (UP, {"target": "up"}, 1.0, LATE, 1.0),
    (UP, {"target": "has recovered"}, 0.0, LATE - 1, 1.0),
    (UP, {"target": "fails, recovers in the gap"}, 1.0, LATE - 5, 0.0),
    (STALENESS, {"target": "up"}, 30.0, LATE, 30.0),
    (STALENESS, {"target": "has recovered"}, 700.0, LATE - 1, 30.0),
    (STALENESS, {"target": "fails, recovers in the gap"}, 30.0, LATE - 3, 700.0),
    ("braket_exporter_config_last_reload_successful", {}, 1.0, LATE - 3, 0.0),
    ("braket_exporter_state_up", {}, 1.0, LATE - 3, 0.0),
    ("braket_exporter_jobs_dropped_total", {"reason": "max_jobs"}, 0.0, 30, 3.0),
)
"""What an exporter shows before the gap. None of it lasts long enough for an alert, or it is over."""

AFTER = {STALENESS: 30.0, "braket_exporter_jobs_dropped_total": 3.0}


def of_target(name: str, labels: dict[str, str]) -> dict[str, str]:
    return {**TARGET, **labels} if "target" in name else labels


def changing(minutes: range, later: range, successor: str) -> Iterator[Series]:
    for name, labels, first, minute, then in CHANGES:
        yield own(name, step(minute, first, then), minutes, FIRST, **of_target(name, labels))
        if name != "braket_exporter_jobs_dropped_total" or successor == FIRST:
            yield own(name, steady(AFTER.get(name, 1.0)), later, successor, **of_target(name, labels))


def throttled(code: str, rate: float, minutes: range, instance: str) -> Series:
    """Count calls of an exporter that starts with these minutes."""
    labels = {**TARGET, "operation": "GetJob", "code": code}
    return own(
        "braket_exporter_api_requests_total", lambda minute: rate * (minute - minutes[0]), minutes, instance, **labels
    )


@each_gap
@each_successor
@pytest.mark.parametrize("lack", ["BraketExporterTargetMissing", "BraketExporterDown"])
def test_only_the_lack_of_an_exporter_fires_in_a_gap_and_only_after_ten_minutes(
    gap: int, successor: str, lack: str, tmp_path: Path
) -> None:
    back, end = LATE + gap, LATE + gap + 60
    before, after = range(LATE), range(back, end)
    calls = (throttled("ok", 10.0, before, FIRST), throttled("ThrottlingException", 0.5, before, FIRST))
    again = (throttled("ok", 10.0, after, successor), throttled("ThrottlingException", 0.5, after, successor))
    series = joined(alive(before), alive(after, successor), *changing(before, after, successor), *calls, *again)
    if lack == "BraketExporterTargetMissing":
        series = joined(series, alive(range(end), "10.0.0.9:9834"))
    in_the_gap = {series_id("", {"alertname": lack}): 1.0}
    quiet = range(LATE - 1, LATE + 10)
    firing = {quiet: {}, range(LATE + 11, back): in_the_gap} if gap > 10 else {range(quiet.start, back): {}}
    expression = 'count by (alertname) (count by (alertname) (ALERTS{alertstate="firing"}))'
    Promtool(tmp_path, RULES / "exporter.yaml").ask(series, expression, {**firing, range(back, end): {}})
