"""The variables of a dashboard."""

from typing import Final

from grafana_foundation_sdk.builders.dashboard import DatasourceVariable, QueryVariable
from grafana_foundation_sdk.cog.builder import Builder
from grafana_foundation_sdk.models.common import DataSourceRef
from grafana_foundation_sdk.models.dashboard import (
    VariableHide,
    VariableModel,
    VariableOption,
    VariableRefresh,
    VariableSort,
)

from grafana.queries import GROUP_FILTER, JOB_FILTER, TARGET_FILTER, jobs_that_are, of_each_job

DATA_SOURCE: Final = DataSourceRef(type_val="prometheus", uid="${datasource}")

Variable = Builder[VariableModel]

MOST_CHOICES: Final = 500
"""Maximum jobs of the job selector, newest first. Links can select any other job."""


def of_the_exporter() -> list[Variable]:
    """Return data source, account and Region, including those without jobs."""
    return [
        _data_source(),
        _several("account", "Account", "label_values(braket_exporter_target_up, aws_account_id)"),
        _several(
            "region",
            "Region",
            'label_values(braket_exporter_target_up{aws_account_id=~"$account"}, aws_region)',
        ),
    ]


def of_the_fleet() -> list[Variable]:
    """Return data source, account, Region, device and status."""
    return [
        _data_source(),
        _several("account", "Account", "label_values(braket_jobs, aws_account_id)"),
        _several("region", "Region", 'label_values(braket_jobs{aws_account_id=~"$account"}, aws_region)'),
        _several("device", "Device", f"label_values(braket_jobs{{{TARGET_FILTER}}}, device)"),
        _several("status", "Status", f"label_values(braket_jobs{{{GROUP_FILTER}}}, status)"),
    ]


def of_one_job() -> list[Variable]:
    """Return the variables of the fleet, the job, and hidden variables for links to AWS."""
    return [
        *of_the_fleet(),
        _job(),
        _query("job_region", "Job Region", f"label_values(braket_job_info{{{JOB_FILTER}}}, aws_region)").hide(
            VariableHide.HIDE_VARIABLE
        ),
        _query("job_name", "Job name", f"label_values(braket_job_info{{{JOB_FILTER}}}, job_name)").hide(
            VariableHide.HIDE_VARIABLE
        ),
    ]


def _data_source() -> Variable:
    return DatasourceVariable("datasource").label("Data source").type("prometheus")


def _several(name: str, label: str, query: str) -> QueryVariable:
    everything = VariableOption(selected=True, text="All", value="$__all")
    return (
        _query(name, label, query)
        .multi(multi=True)
        .include_all(include_all=True)
        .all_value(".*")
        .current(everything)
        .sort(VariableSort.ALPHABETICAL_ASC)
    )


def _job() -> Variable:
    """Offer the newest jobs by name and the start of their identifier, because names are not unique."""
    created = of_each_job("braket_job_created_timestamp_seconds", "job_name")
    jobs = f"{created} and on (job_arn) {jobs_that_are('$status')} and on (job_arn) braket_job_info{{{GROUP_FILTER}}}"
    identity = f'label_replace(topk({MOST_CHOICES}, {jobs}), "id", "$1", "job_arn", ".*:job/(.{{1,8}}).*")'
    return _query("job", "Job", f'query_result(label_join({identity}, "text", " ", "job_name", "id"))').regex(
        '/job_arn="(?<value>[^"]+)".*text="(?<text>[^"]+)"/'
    )


def _query(name: str, label: str, query: str) -> QueryVariable:
    return (
        QueryVariable(name)
        .label(label)
        .datasource(DATA_SOURCE)
        .query({"query": query, "refId": f"variable-{name}", "qryType": 5})
        .definition(query)
        .refresh(VariableRefresh.ON_TIME_RANGE_CHANGED)
        .sort(VariableSort.DISABLED)
    )
