"""The dashboard of all jobs: status, problems, devices, teams, billed time."""

from typing import Final

from grafana_foundation_sdk.cog.builder import Builder
from grafana_foundation_sdk.models.dashboard import Dashboard, Panel

from grafana import devices, fleet_tables, limits, problems, queries, variables
from grafana.colours import BAD, GOOD, NEUTRAL, STATUS_COLOURS, WARNING
from grafana.dashboards import FLEET, Row, assemble
from grafana.panels import Query, graph, number
from grafana.queries import NO_EXPORTER, grown, increase, of_fleet, otherwise, quantile_of

_EXPORTER: Final = "braket_exporter_build_info"
_OUTCOMES: Final = "braket_job_outcomes_total"
_NO_JOBS: Final = "No jobs, or no exporter"

SUCCESS_STEPS: Final = ((None, BAD), (0.8, WARNING), (0.95, GOOD))


def make() -> Dashboard:
    """Build the dashboard."""
    return assemble(
        FLEET,
        "Amazon Braket / Fleet",
        "Hybrid jobs of all accounts and Regions that the exporter watches.",
        [
            _now(),
            problems.make(),
            _over_time(),
            fleet_tables.devices_and_teams(),
            *devices.devices(),
            limits.spending_limits(),
            fleet_tables.phases_and_teams(),
            _durations(),
            fleet_tables.billed(),
            fleet_tables.jobs(),
        ],
        variables=variables.of_the_fleet(),
        since="24h",
    )


def _now() -> Row:
    exporters = number(
        "Exporters",
        "Exporters that Prometheus scrapes. Without an exporter, this page has no current data.",
        Query(queries.EXPORTERS),
        steps=((None, BAD), (1, GOOD)),
        missing="No data",
    )
    alerts = number(
        "Firing alerts",
        "Firing alerts of the exporter's rules. Each failed job has its own alert for a day.",
        Query(firing_alerts("Braket.*")),
        steps=((None, GOOD), (1, BAD)),
        missing="No rules",
    )
    return Row(
        4,
        [
            (3, exporters),
            (3, alerts),
            (3, _with_status("RUNNING", "Running")),
            (3, _with_status("QUEUED", "Queued")),
            (3, _ended_as("FAILED", "Failed", "Jobs that ended as FAILED in the time range.")),
            (
                3,
                _ended_as(
                    "MAX_RUNTIME_EXCEEDED",
                    "Out of time",
                    "Jobs that Braket stopped at their maximum run time in the time range, with any status.",
                ),
            ),
            (3, _success()),
            (3, failing_targets(queries.of_targets("braket_exporter_target_up").replace(_INSTANCE, ""))),
        ],
    )


_INSTANCE: Final = f",{queries.INSTANCE_FILTER}"


def firing_alerts(name: str) -> str:
    """Count the firing alerts; 0 only if the rules are loaded."""
    firing = f'count(ALERTS{{alertname=~"{name}",alertstate="firing"}})'
    return otherwise(firing, "aws_account_id_aws_region_device_status:braket_jobs:max", 0)


def failing_targets(up: str) -> Builder[Panel]:
    """Build the number of targets that fail."""
    return number(
        "Failing targets",
        "Targets that at least one exporter cannot poll as a whole. Their data is stale.",
        Query(f"count({up} == 0) or on () 0 * count({up})"),
        steps=((None, GOOD), (1, BAD)),
        missing=NO_EXPORTER,
    )


def _with_status(status: str, title: str) -> Builder[Panel]:
    jobs = of_fleet("braket_jobs", where=f'status="{status}"')
    return number(
        title, f"Jobs that are {status}.", Query(otherwise(f"sum({jobs})", _EXPORTER, 0)), missing=NO_EXPORTER
    )


def _ended_as(outcome: str, title: str, description: str) -> Builder[Panel]:
    counted = increase(_OUTCOMES, where=f'outcome="{outcome}"')
    return number(
        title,
        description,
        Query(otherwise(f"sum({counted})", _EXPORTER, 0)),
        decimals=0,
        steps=((None, NEUTRAL), (0.5, STATUS_COLOURS[outcome])),
        missing=NO_EXPORTER,
    )


def _success() -> Builder[Panel]:
    completed, failed = (f"sum({increase(_OUTCOMES, where=_outcome(name))})" for name in ("COMPLETED", "FAILED"))
    return number(
        "Success rate",
        "Share of COMPLETED jobs among COMPLETED and FAILED jobs that ended in the time range.",
        Query(otherwise(queries.success_rate(completed, failed), _EXPORTER)),
        unit="percentunit",
        decimals=0,
        steps=SUCCESS_STEPS,
        texts={-1: ("None ended", NEUTRAL)},
        missing=NO_EXPORTER,
    )


def _outcome(outcome: str) -> str:
    return f'outcome="{outcome}"'


def _over_time() -> Row:
    ended = graph(
        "Ended jobs",
        "Jobs that ended from each step of the graph to the next, by outcome. A job that exceeded its maximum run time "
        "also counts under its status.",
        Query(grown(_OUTCOMES, "outcome"), "{{outcome}}"),
        colours=STATUS_COLOURS,
        bars=True,
        points=48,
        interval="5m",
        missing=_NO_JOBS,
    )
    active = of_fleet("braket_jobs", "status", where='status=~"QUEUED|RUNNING|CANCELLING"')
    by_status = graph(
        "Active jobs",
        "QUEUED, RUNNING and CANCELLING jobs.",
        Query(f"sum by (status) ({active})", "{{status}}"),
        colours={status: STATUS_COLOURS[status] for status in ("QUEUED", "RUNNING", "CANCELLING")},
        stacked=True,
        missing=_NO_JOBS,
    )
    return Row(8, [(12, ended), (12, by_status)])


def _durations() -> Row:
    return Row(
        8,
        [
            (12, _slowest("Queue time p95", "creation to start", "started", "braket_job_queue_duration_seconds")),
            (12, _slowest("Run time p95", "start to end", "ended", "braket_job_run_duration_seconds", "outcome")),
        ],
        "Queue and run times",
    )


def _slowest(title: str, span: str, what: str, histogram: str, *labels: str) -> Builder[Panel]:
    buckets = of_fleet(f"{histogram}_bucket", "le", *labels)
    p95, last = (f"{quantile_of(0.95, f'increase({buckets}[2h:10m]{at})')} >= 0" for at in ("", " @ end()"))
    slowest = f"{p95} and on (device_name) topk(5, {last})"
    return graph(
        title,
        f"Time from {span} of the jobs that {what} within 2 hours: 95th percentile of the devices that "
        "are the five slowest at the end of the time range.",
        Query(slowest, "{{device_name}}"),
        unit="s",
        points=48,
        interval="5m",
        missing=f"No jobs {what}, or no exporter",
    )
