"""The dashboard of all jobs: status, problems, durations and billed time."""

from typing import Final

from grafana_foundation_sdk.cog.builder import Builder
from grafana_foundation_sdk.models.dashboard import Dashboard, Panel

from grafana import queries, variables
from grafana.dashboards import FLEET, JOB, Row, annotation, assemble
from grafana.panels import (
    BAD,
    GOOD,
    PROBLEM_COLOURS,
    STATUS_COLOURS,
    Column,
    Query,
    bars,
    graph,
    number,
    rows,
)
from grafana.queries import of_each_job, of_fleet, with_device_name

_OUTCOMES: Final = "aws_account_id_aws_region_device_outcome:braket_job_outcomes:max"
_QUEUED_FOR: Final = "aws_account_id_aws_region_device_le:braket_job_queue_duration_seconds_bucket:increase1d"
_RAN_FOR: Final = "aws_account_id_aws_region_device_le:braket_job_run_duration_seconds_bucket:increase1d"
_RECORDED: Final = "Requires the recording rules of the exporter."
_NOTHING_RECORDED: Final = "No jobs, or the recording rules are not loaded"

_CHOSEN_STATUS: Final = 'status=~"$status"'

_CHOICES: Final = "&".join(
    f"${{{name}:queryparam}}" for name in ("datasource", "account", "region", "device", "status")
)
_TO_THE_JOB: Final = f"/d/{JOB}?var-job=${{__data.fields.job_arn:percentencode}}&{_CHOICES}&${{__url_time_range}}"

_NAME: Final = Column("job_name", "Job", link=("Open the job", _TO_THE_JOB))
_DEVICE: Final = Column("device_name", "Device", width=130)
_REGION: Final = Column("aws_region", "Region", width=100)
_ARN: Final = Column("job_arn", "ARN")


def make() -> Dashboard:
    """Build the dashboard."""
    return assemble(
        FLEET,
        "Amazon Braket / Fleet",
        "Hybrid jobs of all accounts and Regions that the exporter watches.",
        [_now(), _problems(), _over_time(), _durations(), _billed(), _jobs()],
        variables=variables.of_the_fleet(),
        annotations=[
            annotation(
                "Failed",
                queries.ends_of("FAILED"),
                "{{job_name}} failed",
                "{{job_arn}} on {{device}}",
                STATUS_COLOURS["FAILED"],
            ),
            annotation(
                "Max runtime exceeded",
                queries.times_of("MAX_RUNTIME_EXCEEDED"),
                "{{job_name}} exceeded its maximum run time",
                "{{job_arn}} on {{device}}",
                STATUS_COLOURS["MAX_RUNTIME_EXCEEDED"],
            ),
        ],
        since="24h",
    )


def _now() -> Row:
    count = "braket_jobs"
    failing = queries.of_targets("braket_exporter_target_up")
    return Row(
        4,
        [
            (
                4,
                number(
                    "Running",
                    "Running jobs.",
                    Query(f"sum({of_fleet(count, where=_status('RUNNING'))})"),
                    steps=((None, STATUS_COLOURS["RUNNING"]),),
                ),
            ),
            (
                4,
                number(
                    "Queued",
                    "Queued jobs.",
                    Query(f"sum({of_fleet(count, where=_status('QUEUED'))})"),
                    steps=((None, STATUS_COLOURS["QUEUED"]),),
                ),
            ),
            (4, _ended_as("FAILED", "Failed", "Jobs that ended as FAILED in the selected time range.")),
            (
                4,
                _ended_as(
                    "MAX_RUNTIME_EXCEEDED",
                    "Max runtime exceeded",
                    "Jobs that Braket stopped at their maximum run time in the selected time range, with any status.",
                ),
            ),
            (
                4,
                number(
                    "Billed time",
                    "Billable time of the jobs that ended in the selected time range, multiplied by their instances.",
                    Query(f"sum({queries.increase_of_fleet('braket_billable_seconds_total', 'instance_type')})"),
                    unit="s",
                    decimals=1,
                ),
            ),
            (
                4,
                number(
                    "Failing targets",
                    "Targets that the exporter cannot poll as a whole. Their data is stale.",
                    Query(f"count({failing}) - sum({failing})"),
                    steps=((None, GOOD), (1, BAD)),
                    no_value="No exporter",
                ),
            ),
        ],
    )


def _ended_as(outcome: str, title: str, description: str) -> Builder[Panel]:
    counted = queries.increase_of_fleet("braket_job_outcomes_total", where=f'outcome="{outcome}"')
    return number(
        title, description, Query(f"sum({counted})"), decimals=0, steps=((None, GOOD), (0.5, STATUS_COLOURS[outcome]))
    )


def _problems() -> Row:
    by_status = graph(
        "Jobs by status",
        "Watched jobs by status. A finished job counts until its retention ends.",
        Query(f"sum by (status) ({of_fleet('braket_jobs', 'status', where=_CHOSEN_STATUS)})", "{{status}}"),
        colours=STATUS_COLOURS,
        stacked=True,
    )
    problems = rows(
        "Problems",
        "Jobs that failed or exceeded their maximum run time in the selected time range. Active jobs that have used "
        "80 % of their maximum run time, have been queued for a day, or have been CANCELLING for 30 minutes.",
        Query(queries.problems()),
        columns=[
            Column("problem", "Problem", colours=PROBLEM_COLOURS, width=220),
            _NAME,
            _DEVICE,
            _REGION,
            Column("Value", "Since", unit="dateTimeFromNow", width=160),
            _ARN,
        ],
        no_value="No problems",
    )
    return Row(10, [(9, by_status), (15, problems)])


def _over_time() -> Row:
    active = of_fleet("braket_jobs", "status", where='status=~"QUEUED|RUNNING|CANCELLING"')
    return Row(
        8,
        [
            (
                12,
                graph(
                    "Ended jobs",
                    "Jobs that ended in each step of the graph, by outcome. A job that exceeded its maximum run time "
                    f"also counts under its status. {_RECORDED}",
                    Query(queries.grown(_OUTCOMES, "outcome"), "{{outcome}}"),
                    colours=STATUS_COLOURS,
                    bars=True,
                    interval="10m",
                    no_value=_NOTHING_RECORDED,
                ),
            ),
            (
                12,
                graph(
                    "Active jobs by device",
                    "QUEUED, RUNNING and CANCELLING jobs on the ten devices with the most active jobs.",
                    Query(f"topk(10, sum by (device_name) ({with_device_name(active)}))", "{{device_name}}"),
                    stacked=True,
                    beside=True,
                ),
            ),
        ],
    )


def _durations() -> Row:
    return Row(
        8,
        [
            (
                12,
                _percentiles(
                    "Queue time",
                    "Time from creation to start of the jobs that started within 24 hours: median and 95th percentile "
                    f"by device. {_RECORDED}",
                    _QUEUED_FOR,
                ),
            ),
            (
                12,
                _percentiles(
                    "Run time",
                    "Time from start to end of the jobs that ended within 24 hours: median and 95th percentile "
                    f"by device. {_RECORDED}",
                    _RAN_FOR,
                ),
            ),
        ],
        "Queue and run times",
    )


def _percentiles(title: str, description: str, recorded: str) -> Builder[Panel]:
    return graph(
        title,
        description,
        Query(queries.quantile(0.5, recorded), "{{device_name}} median"),
        Query(queries.quantile(0.95, recorded), "{{device_name}} p95"),
        unit="s",
        no_value=_NOTHING_RECORDED,
        beside=True,
    )


def _billed() -> Row:
    seconds = queries.increase_of_fleet("braket_billable_seconds_total", "instance_type")
    return Row(
        8,
        [
            (
                12,
                bars(
                    "Billed time by device",
                    "Billable time of the jobs that ended in the selected time range, multiplied by their instances.",
                    Query(f"topk(8, sum by (device_name) ({with_device_name(seconds)}) > 0)", "{{device_name}}"),
                    unit="s",
                ),
            ),
            (
                12,
                bars(
                    "Billed time by instance",
                    "Billable time of the jobs that ended in the selected time range, multiplied by their instances, "
                    "by instance type.",
                    Query(f"topk(8, sum by (instance_type) ({seconds}) > 0)", "{{instance_type}}"),
                    unit="s",
                ),
            ),
        ],
        "Billed time",
    )


def _jobs() -> Row:
    created = of_each_job("braket_job_created_timestamp_seconds")
    status = f"({of_each_job('braket_job_status', 'status', where=_CHOSEN_STATUS)} == 1)"
    newest = f"topk({queries.MOST_JOBS}, 1000 * {created} * on (job_arn) group_right () {status})"
    waiting = f"topk({queries.MOST_JOBS}, time() - {created} and on (job_arn) {queries.jobs_that_are('QUEUED')})"
    position = f"{of_each_job('braket_job_queue_position')} and on (job_arn) {waiting}"
    return Row(
        10,
        [
            (
                12,
                rows(
                    "Newest jobs",
                    f"The {queries.MOST_JOBS} newest jobs with the selected statuses.",
                    Query(f"sort_desc({queries.described(newest, 'device_name', 'aws_region')})"),
                    columns=[
                        Column("status", "Status", colours=STATUS_COLOURS, width=120),
                        _NAME,
                        _DEVICE,
                        _REGION,
                        Column("Value", "Created", unit="dateTimeFromNow", width=160),
                        _ARN,
                    ],
                    no_value="No jobs",
                ),
            ),
            (
                12,
                rows(
                    "Longest queued jobs",
                    "Queued jobs with their queue position. 15 also stands for positions that Braket reports as >15.",
                    Query(queries.described(waiting, "device_name", "aws_region")),
                    Query(queries.described(position, "device_name", "aws_region")),
                    columns=[
                        Column("Value #A", "Queued for", unit="dtdurations", width=150),
                        Column("Value #B", "Position", unit="short", width=80),
                        _NAME,
                        _DEVICE,
                        _REGION,
                        _ARN,
                    ],
                    no_value="No queued jobs",
                ),
            ),
        ],
        "Jobs",
    )


def _status(status: str) -> str:
    return f'status="{status}"'
