"""The tables of the fleet: by device, team and instance type, and lists of jobs."""

from typing import Final

from grafana_foundation_sdk.cog.builder import Builder
from grafana_foundation_sdk.models.dashboard import Panel

from grafana import limits, queries
from grafana.colours import BAD, GOOD, PLAIN_BAR, STATUS_COLOURS, WARNING
from grafana.dashboards import Row
from grafana.panels import COUNT, Query
from grafana.problems import DEVICE, JOB_ID, JOB_NAME
from grafana.queries import (
    MOST_JOBS,
    by_device,
    described,
    during,
    ended_as,
    increase,
    listed,
    of_each_job,
    of_fleet,
    quantile,
    renamed,
    success_rate,
)
from grafana.tables import DURATION, SHARE, Column, rows

_OUTCOMES: Final = "braket_job_outcomes_total"
_BILLED: Final = "braket_billable_seconds_total"
_QUEUE_TIME: Final = "braket_job_queue_duration_seconds"
_RUN_TIME: Final = "braket_job_run_duration_seconds"
_ENDS: Final = "COMPLETED|FAILED|CANCELLED"

_SUCCESS: Final = ((None, BAD), (0.8, WARNING), (0.95, GOOD))

_HISTOGRAM_POINTS: Final = 200
"""Steps of the increase of a histogram: every 5 minutes of a day, every hour of a week."""


def devices_and_teams() -> Row:
    """Build the row of devices and teams."""
    return Row(9, [(15, _devices()), (9, _teams())], "Devices and teams")


def _devices() -> Builder[Panel]:
    active, queued = (
        by_device(of_fleet("braket_jobs", "status", where=f'status=~"{status}"'))
        for status in ("QUEUED|RUNNING|CANCELLING", "QUEUED")
    )
    completed, failed, ended = (
        by_device(increase(_OUTCOMES, "outcome", where=f'outcome=~"{outcome}"'))
        for outcome in ("COMPLETED", "FAILED", _ENDS)
    )
    return rows(
        "Devices",
        "Active and queued jobs now. Queue and run times (median and 95th percentile), ended jobs and success rate in "
        "the time range. The success rate is the share of COMPLETED jobs among COMPLETED and FAILED jobs.",
        Query(listed(f"sort_desc({active})", "device_name", "No jobs")),
        Query(queued),
        Query(quantile(0.5, _QUEUE_TIME)),
        Query(quantile(0.95, _QUEUE_TIME)),
        Query(quantile(0.5, _RUN_TIME, "outcome")),
        Query(quantile(0.95, _RUN_TIME, "outcome")),
        Query(ended),
        Query(success_rate(completed, failed)),
        columns=[
            Column("device_name", "Device", colours={}),
            Column("Value #A", "Active", unit=COUNT, width=70),
            Column("Value #B", "Queued", unit=COUNT, width=78),
            Column("Value #C", "Queue p50", unit=DURATION, decimals=1, width=98),
            Column("Value #D", "Queue p95", unit=DURATION, decimals=1, width=98),
            Column("Value #E", "Run p50", unit=DURATION, decimals=1, width=88),
            Column("Value #F", "Run p95", unit=DURATION, decimals=1, width=88),
            Column("Value #G", "Ended", unit=COUNT, decimals=0, width=68),
            Column("Value #H", "Success", unit=SHARE, decimals=0, width=85, steps=_SUCCESS),
        ],
        points=_HISTOGRAM_POINTS,
    )


def _by_team(jobs: str, how: str = "count") -> str:
    """Aggregate series of jobs by the label ``team``; jobs without the tag have ``untagged``."""
    return f"{how} by (team) ({_with_team(described(jobs, '$tag'))})"


def _of_team(series: str) -> str:
    """Sum aggregates by the label ``team``."""
    return f"sum by (team) ({_with_team(series)})"


def _with_team(series: str) -> str:
    return f'label_replace({renamed(series, "team", "$tag")}, "team", "untagged", "team", "")'


def _teams() -> Builder[Panel]:
    active = queries.jobs_that_are("QUEUED|RUNNING|CANCELLING")
    failed, ended = (_by_team(ended_as(status)) for status in ("FAILED", "COMPLETED|FAILED"))
    return rows(
        "Teams",
        "Active jobs now, and ended jobs and success rate in the time range, by the value of the selected tag. "
        "Requires the setting tag_labels.",
        Query(listed(f"sort_desc({_by_team(ended_as(_ENDS))})", "team", "No ended jobs")),
        Query(_by_team(active)),
        Query(f"1 - ({failed} / {ended} or on (team) 0 * {ended})"),
        columns=[
            Column("team", "Team", colours={}),
            Column("Value #B", "Active", unit=COUNT, width=75),
            Column("Value #A", "Ended", unit=COUNT, width=75),
            Column("Value #C", "Success", unit=SHARE, decimals=0, width=85, steps=_SUCCESS),
        ],
    )


def phases_and_teams() -> Row:
    """Build the row of phases and of the totals of teams."""
    return Row(8, [(14, limits.phases()), (10, _team_totals())], "Phases and teams")


def _team_totals() -> Builder[Panel]:
    active, queued = (
        _of_team(of_fleet("braket_jobs", "status", "$tag", where=f'status=~"{status}"'))
        for status in ("QUEUED|RUNNING|CANCELLING", "QUEUED")
    )
    failed, ended = (
        _of_team(increase(_OUTCOMES, "outcome", "$tag", where=f'outcome=~"{outcome}"')) for outcome in ("FAILED", _ENDS)
    )
    return rows(
        "Team totals",
        "Active and queued jobs now, failed and ended jobs and billed time in the time range, by the value of the "
        "selected tag. Requires the setting aggregate_tag_labels.",
        Query(listed(f"sort_desc({active})", "team", "No jobs")),
        Query(queued),
        Query(failed),
        Query(ended),
        Query(_of_team(increase(_BILLED, "instance_type", "$tag"))),
        columns=[
            Column("team", "Team", colours={}),
            Column("Value #A", "Active", unit=COUNT, width=75),
            Column("Value #B", "Queued", unit=COUNT, width=78),
            Column("Value #C", "Failed", unit=COUNT, decimals=0, width=75),
            Column("Value #D", "Ended", unit=COUNT, decimals=0, width=75),
            Column("Value #E", "Billed", unit=DURATION, decimals=1, width=95),
        ],
    )


def billed() -> Row:
    """Build the row of billed time."""
    seconds, before = (increase(_BILLED, "instance_type", before=ago) for ago in (False, True))
    return Row(
        8,
        [
            (8, _billed("device", "device_name", "Device", by_device(seconds), by_device(before))),
            (
                8,
                _billed(
                    "instance",
                    "instance_type",
                    "Instance type",
                    f"sum by (instance_type) ({seconds})",
                    f"sum by (instance_type) ({before})",
                ),
            ),
            (8, _billed("team", "team", "Team", _billed_by_team(before=False), _billed_by_team(before=True))),
        ],
        "Billed time",
    )


def _billed_by_team(*, before: bool) -> str:
    billable, instances = (
        during(of_each_job(metric), before=before)
        for metric in ("braket_job_billable_duration_seconds", "braket_job_instances")
    )
    return _by_team(f"{billable} * on (job_arn) {instances} and on (job_arn) {ended_as(_ENDS, before=before)}", "sum")


_FEW_POINTS: Final = 30
"""Steps where a query reads many series of jobs."""


def _billed(what: str, label: str, title: str, seconds: str, before: str) -> Builder[Panel]:
    change = f"({seconds}) / ({before} > 0) - 1"
    return rows(
        f"Billed time by {what}",
        "Billable time of the jobs that ended in the time range, multiplied by their instances. Previous: the time "
        "range of the same length before it.",
        Query(listed(f"topk(8, {seconds} > 0)", label, "No billed time")),
        Query(f"{before} > 0"),
        Query(change),
        columns=[
            Column(label, title, colours={}),
            Column("Value #A", "Billed", unit=DURATION, decimals=1, width=120, bar=PLAIN_BAR),
            Column("Value #B", "Previous", unit=DURATION, decimals=1, width=88),
            Column("Value #C", "Change", unit=SHARE, decimals=0, width=85),
        ],
        points=_FEW_POINTS,
    )


def jobs() -> Row:
    """Build the row of lists of jobs."""
    return Row(10, [(12, _newest()), (12, _waiting())], "Jobs")


def _newest() -> Builder[Panel]:
    created = of_each_job("braket_job_created_timestamp_seconds")
    status = f"({of_each_job('braket_job_status', 'status', where=_CHOSEN_STATUS)} == 1)"
    newest = f"topk({MOST_JOBS}, 1000 * {created} * on (job_arn) group_right () {status})"
    return rows(
        "Newest jobs",
        f"The {MOST_JOBS} newest jobs with the listed statuses.",
        Query(listed(f"sort_desc({described(newest, 'device_name')})", "status", "No jobs")),
        columns=[
            Column("status", "Status", colours=STATUS_COLOURS, width=110),
            JOB_NAME,
            Column("Value", "Created", unit="dateTimeFromNow", width=135),
            DEVICE,
            JOB_ID,
        ],
    )


_CHOSEN_STATUS: Final = 'status=~"$status"'


def _waiting() -> Builder[Panel]:
    created = of_each_job("braket_job_created_timestamp_seconds")
    waiting = f"topk({MOST_JOBS}, time() - {created} and on (job_arn) {queries.jobs_that_are('QUEUED')})"
    position = f"{of_each_job('braket_job_queue_position')} and on (job_arn) {waiting}"
    return rows(
        "Longest queued jobs",
        "Queued jobs with their queue position. 15 also stands for positions that Braket reports as >15.",
        Query(listed(f"sort_desc({described(waiting, 'device_name')})", "job_name", "No queued jobs")),
        Query(described(position, "device_name")),
        columns=[
            JOB_NAME,
            Column("Value #A", "Queued for", unit=DURATION, decimals=1, width=105),
            Column("Value #B", "Position", unit=COUNT, width=85),
            DEVICE,
            JOB_ID,
        ],
    )
