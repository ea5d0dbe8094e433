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

from grafana.queries import GROUP_FILTER, JOB_FILTER, TARGET_FILTER, of_each_job

DATA_SOURCE: Final = DataSourceRef(type_val="prometheus", uid="${datasource}")

Variable = Builder[VariableModel]

MOST_CHOICES: Final = 500
"""Maximum jobs of the job selector, newest first. Links can select any other job."""


def of_the_exporter() -> list[Variable]:
    """Return data source, account, Region and exporter, including those without jobs."""
    return [
        _data_source(),
        _several("account", "Account", "label_values(braket_exporter_target_up, aws_account_id)"),
        _several(
            "region",
            "Region",
            'label_values(braket_exporter_target_up{aws_account_id=~"$account"}, aws_region)',
        ),
        _several("instance", "Exporter", "label_values(braket_exporter_build_info, instance)"),
    ]


def of_the_fleet() -> list[Variable]:
    """Return data source, account, Region, device, the tag label of teams, and the status of listed jobs."""
    return [
        _data_source(),
        *_selection(),
        _tag(),
        _several("status", "Listed status", f"label_values(braket_jobs{{{GROUP_FILTER}}}, status)"),
    ]


def of_one_job() -> list[Variable]:
    """Return the data source and the job, and hidden variables for links.

    Only the data source filters the choice of jobs. Grafana replaces a value that is not among the choices, so a filter
    would replace the job of a link.
    """
    return [
        _data_source(),
        _job(),
        *(variable.hide(VariableHide.HIDE_VARIABLE) for variable in (*_selection(), _tag(), *_for_links())),
    ]


def _data_source() -> Variable:
    default = VariableOption(text="default", value="default")
    return DatasourceVariable("datasource").label("Data source").type("prometheus").current(default)


def _selection() -> list[QueryVariable]:
    device = _several("device", "Device", f"label_values(braket_jobs{{{TARGET_FILTER}}}, device)")
    return [
        _several("account", "Account", "label_values(braket_jobs, aws_account_id)"),
        _several("region", "Region", 'label_values(braket_jobs{aws_account_id=~"$account"}, aws_region)'),
        device.regex(r"/(?<value>(?:.*:device\/[^\/]+\/|local:)?(?<text>.+))/"),
    ]


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


def _tag() -> QueryVariable:
    """Offer the tag labels, for tables by team. Without one, the value is empty."""
    return _query("tag", "Team tag", "label_names()").regex("/^tag_.+/").refresh(VariableRefresh.ON_DASHBOARD_LOAD)


def _job() -> Variable:
    """Offer the newest jobs of the range by name and the end of their identifier, because names are not unique."""
    created = of_each_job("braket_job_created_timestamp_seconds", "job_name")
    jobs = f"topk({MOST_CHOICES}, {created} or last_over_time({created}[$__range:1h]))"
    identity = f'label_replace({jobs}, "id", "$1", "job_arn", ".*/.*?(.{{1,8}})")'
    return (
        _query("job", "Job", f'query_result(label_join({identity}, "text", " ", "job_name", "id"))')
        .regex('/job_arn="(?<value>[^"]+)".*text="(?<text>[^"]+)"/')
        .refresh(VariableRefresh.ON_DASHBOARD_LOAD)
    )


def _for_links() -> list[QueryVariable]:
    """Return the Region, which is a part of the ARN, and the name of the job."""
    arn = 'label_replace(vector(1), "arn", "$job", "", "")'
    region = f'query_result(label_replace({arn}, "region", "$1", "arn", "arn:[^:]*:[^:]*:([^:]+):.*"))'
    return [
        _query("job_region", "Job Region", region).regex('/region="(?<value>[^"]+)"/'),
        _query("job_name", "Job name", f"label_values(braket_job_info{{{JOB_FILTER}}}, job_name)"),
    ]


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
