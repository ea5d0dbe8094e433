"""The row of problems: jobs with a problem, their number by kind, and failures by category."""

from typing import Final

from grafana_foundation_sdk.cog.builder import Builder
from grafana_foundation_sdk.models.dashboard import Panel

from grafana.colours import BAD, PROBLEM_COLOURS, WARNING
from grafana.dashboards import JOB, Row
from grafana.panels import COUNT, Query
from grafana.queries import (
    MOST_JOBS,
    described,
    during,
    ended_as,
    jobs_that_are,
    labelled,
    listed,
    of_each_job,
    renamed,
)
from grafana.tables import Column, rows

QUEUED_FOR_LONG_SECONDS: Final = 86400
CANCELLING_FOR_LONG_SECONDS: Final = 1800
NEAR_THE_LIMIT: Final = 0.8
"""The thresholds of the alert rules."""

_CHOICES: Final = "&".join(f"${{{name}:queryparam}}" for name in ("datasource", "account", "region", "device", "tag"))
_TO_THE_JOB: Final = f"/d/{JOB}?var-job=${{__data.fields.job_arn:percentencode}}&{_CHOICES}&${{__url_time_range}}"

JOB_NAME: Final = Column("job_name", "Job", link=("Open the job", _TO_THE_JOB))
JOB_ID: Final = Column("job_arn", "ID", width=88, ending=".*/.*?(.{1,8})")
DEVICE: Final = Column("device_name", "Device", width=110)
"""Columns of each table of jobs. The identifier is the ARN, which the link needs, and shows its end."""

_OUT_OF_TIME: Final = ended_as("MAX_RUNTIME_EXCEEDED")
_CANCELLING: Final = " and on (job_arn) ".join(
    f'max by (job_arn) (braket_job_status{{status="CANCELLING"}}{ago}) == 1'
    for ago in ("", f" offset {CANCELLING_FOR_LONG_SECONDS}s")
)
_CREATED: Final = of_each_job("braket_job_created_timestamp_seconds")
_NEAR_THE_LIMIT: Final = (
    f"{of_each_job('braket_job_started_timestamp_seconds')} "
    f"+ {NEAR_THE_LIMIT:g} * {of_each_job('braket_job_max_runtime_seconds')}"
)
# Without an event, the end; without endedAt, the time of the last poll, which no longer changes after the end.
_FAILED_NOW: Final = (
    f"(({of_each_job('braket_job_ended_timestamp_seconds')} "
    f"or on (job_arn) {of_each_job('braket_job_last_poll_timestamp_seconds')}) "
    f"and on (job_arn) {jobs_that_are('FAILED')} > time() - $__range_s)"
)
_FAILED: Final = f"({ended_as('FAILED')} or on (job_arn) {_FAILED_NOW})"
_CATEGORY: Final = f"topk by (job_arn) (1, {during(of_each_job('braket_job_failure', 'category'))})"


def make() -> Row:
    """Build the row."""
    return Row(12, [(6, [_by_kind(), _by_category()]), (18, _table())])


def problems() -> str:
    """List jobs with a problem in the label ``problem``, with its start in seconds of Unix time.

    Problems of ended jobs are listed within the selected time range, problems of active jobs while they last.
    """
    since = {
        "FAILED": f"{_FAILED} unless on (job_arn) {_OUT_OF_TIME}",
        "MAX_RUNTIME_EXCEEDED": _OUT_OF_TIME,
        "NEAR MAX RUNTIME": f"{_NEAR_THE_LIMIT} <= time() and on (job_arn) {jobs_that_are('RUNNING')}",
        "STUCK IN QUEUE": f"{_CREATED} < time() - {QUEUED_FOR_LONG_SECONDS} and on (job_arn) {jobs_that_are('QUEUED')}",
        "STUCK CANCELLING": f"(time() - {CANCELLING_FOR_LONG_SECONDS}) * ({_CANCELLING})",
    }
    return " or ".join(labelled(query, "problem", problem) for problem, query in since.items())


def _by_kind() -> Builder[Panel]:
    counted = f"sort_desc(count by (problem) ({described(problems())}))"
    return rows(
        "Problems by kind",
        "Number of jobs with each problem. The table Problems describes the kinds.",
        Query(listed(counted, "problem", "No problems")),
        columns=[
            Column("problem", "Problem", colours=PROBLEM_COLOURS),
            Column("Value", "Jobs", unit=COUNT, width=90, bar=WARNING),
        ],
    )


def _by_category() -> Builder[Panel]:
    failed = f"({_CATEGORY}) and on (job_arn) ({_FAILED} or on (job_arn) {_OUT_OF_TIME})"
    counted = f"sort_desc(count by (category) ({described(failed)}))"
    return rows(
        "Failures by category",
        "Jobs that failed in the time range, by the category of their failure reason.",
        Query(listed(counted, "category", "No failures")),
        columns=[
            Column("category", "Category", colours={}),
            Column("Value", "Jobs", unit=COUNT, width=90, bar=BAD),
        ],
    )


def _table() -> Builder[Panel]:
    latest = f"topk({MOST_JOBS}, {problems()})"
    found = described(latest, "device_name", "$tag")
    with_category = f"({found}) * on (job_arn) group_left (category) {_CATEGORY} or on (job_arn, problem) ({found})"
    table = renamed(f"sort_desc(1000 * ({with_category}))", "team", "$tag")
    return rows(
        "Problems",
        "Jobs that failed or exceeded their maximum run time in the time range. Active jobs that have used 80 % of "
        "their maximum run time, have been queued for a day, or have been CANCELLING for 30 minutes. "
        f"At most {MOST_JOBS} jobs.",
        Query(listed(table, "problem", "No problems")),
        columns=[
            Column("problem", "Problem", colours=PROBLEM_COLOURS, width=200),
            JOB_NAME,
            Column("Value", "Since", unit="dateTimeFromNow", width=135),
            DEVICE,
            Column("category", "Category", width=150),
            Column("team", "Team", width=100),
            JOB_ID,
        ],
    )
