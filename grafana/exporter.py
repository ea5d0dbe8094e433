"""The dashboard of the exporter: health of exporters and targets, data age, API calls, process and state file."""

from typing import Final

from grafana_foundation_sdk.cog.builder import Builder
from grafana_foundation_sdk.models.dashboard import Dashboard, Panel

from grafana import exporter_tables, variables
from grafana.colours import BAD, GOOD, NEUTRAL, WARNING
from grafana.dashboards import EXPORTER, Mark, Row, assemble
from grafana.events import events
from grafana.fleet import failing_targets, firing_alerts
from grafana.panels import Query, graph, number
from grafana.queries import (
    EXPORTER_FILTER,
    INSTANCE_FILTER,
    NO_EXPORTER,
    of_exporters,
    of_processes,
    of_targets,
    otherwise,
)

STALE_SECONDS: Final = 600
"""The threshold of the alert rules."""

_UP: Final = of_targets("braket_exporter_target_up")
_STALENESS: Final = of_targets("braket_exporter_target_staleness_seconds")
_BUILD: Final = of_exporters("braket_exporter_build_info")
_CALLS: Final = "braket_exporter_api_requests_total"
_OPERATION: Final = "job, instance, aws_account_id, aws_region, operation"
_BUDGET: Final = f"max by ({_OPERATION}) (braket_exporter_api_budget_requests_per_second{{{EXPORTER_FILTER}}})"
_POINTS: Final = 100
_WINDOW: Final = "[5m]"
"""Steps of graphs of many series, and the time before each step that they show. It keeps the cost of a week low."""

_TARGET: Final = "{{aws_account_id}} {{aws_region}} {{target}}"


def make() -> Dashboard:
    """Build the dashboard."""
    return assemble(
        EXPORTER,
        "Amazon Braket / Exporter",
        "Health of the exporters: targets, data age, API calls and rate limits, events, process, state file.",
        [
            _now(),
            exporter_tables.exporters(),
            exporter_tables.targets(),
            _calls(),
            _times(),
            _responses(),
            events(),
            _process(),
            _state(),
        ],
        variables=variables.of_the_exporter(),
        marks=[
            Mark(
                "Started",
                f"1000 * {of_processes('process_start_time_seconds')}",
                "Exporter started",
                "{{instance}}",
                "blue",
                ["API budget history", "Data age history"],
            ),
            Mark(
                "Settings reloaded",
                f"1000 * {of_exporters('braket_exporter_config_last_reload_success_timestamp_seconds')}",
                "Settings reloaded",
                "{{instance}}",
                GOOD,
                ["API budget history", "Data age history"],
            ),
        ],
        since="6h",
    )


def _now() -> Row:
    return Row(4, [(3, panel) for panel in (*_exporters_and_targets(), *_calls_now(), *_settings())])


def _exporters_and_targets() -> list[Builder[Panel]]:
    exporters = number(
        "Exporters",
        "Selected exporters that Prometheus scrapes.",
        Query(f"count({_BUILD}) or vector(0)"),
        steps=((None, BAD), (1, GOOD)),
        missing="No data",
    )
    stalest = number(
        "Data age",
        "Time since the last successful poll of the active job with the oldest data.",
        Query(otherwise(f"max({_STALENESS})", _BUILD)),
        unit="s",
        decimals=0,
        steps=((None, GOOD), (300, WARNING), (STALE_SECONDS, BAD)),
        texts={-1: ("No active jobs", NEUTRAL)},
        missing=NO_EXPORTER,
    )
    alerts = number(
        "Firing alerts",
        "Firing alerts on exporters.",
        Query(firing_alerts("BraketExporter.*")),
        steps=((None, GOOD), (1, BAD)),
        missing="No rules",
    )
    return [exporters, alerts, failing_targets(_UP), stalest]


def _calls_now() -> list[Builder[Panel]]:
    used = f"sum by ({_OPERATION}) (rate({_CALLS}{{{EXPORTER_FILTER}}}[15m])) / on ({_OPERATION}) {_BUDGET}"
    budget = number(
        "API budget used",
        "Share of the rate limit that the busiest operation of a target used in the last 15 minutes.",
        Query(otherwise(f"max({used})", _BUILD)),
        unit="percentunit",
        decimals=0,
        steps=((None, GOOD), (0.8, WARNING), (1, BAD)),
        texts={-1: ("No calls", NEUTRAL)},
        missing=NO_EXPORTER,
    )
    throttled, all_calls = (f"sum(rate({_CALLS}{{{EXPORTER_FILTER}{where}}}[15m]))" for where in (f",{_THROTTLED}", ""))
    throttling = number(
        "Throttled calls",
        "Share of API calls that Braket throttled in the last 15 minutes.",
        Query(otherwise(f"({throttled} or vector(0)) / {all_calls} >= 0", _BUILD)),
        unit="percentunit",
        steps=((None, GOOD), (0.01, WARNING), (0.1, BAD)),
        decimals=1,
        texts={-1: ("No calls", NEUTRAL)},
        missing=NO_EXPORTER,
    )
    return [budget, throttling]


_THROTTLED: Final = 'code=~"429|.*Throttl.*|TooManyRequestsException|RequestLimitExceeded"'


def _settings() -> list[Builder[Panel]]:
    settings = number(
        "Settings reload",
        "Result of the last settings reload. After a failed reload, the previous settings are still active.",
        Query(f"min({of_exporters('braket_exporter_config_last_reload_successful')})"),
        texts={0: ("Failed", BAD), 1: ("Successful", GOOD)},
        missing=NO_EXPORTER,
    )
    state = number(
        "State file",
        "Result of the last write to the state file. While writes fail, the state is only in memory, and a restart "
        "restores the state of the last successful write.",
        Query(otherwise(f"min({of_exporters('braket_exporter_state_up')})", _BUILD)),
        texts={-1: ("Not configured", NEUTRAL), 0: ("Failed", BAD), 1: ("Successful", GOOD)},
        missing=NO_EXPORTER,
    )
    return [settings, state]


def _calls() -> Row:
    calls, failed = (f"rate({_CALLS}{{{EXPORTER_FILTER}{where}}}{_WINDOW})" for where in ("", ',code!="ok"'))
    used = graph(
        "API budget history",
        "HTTP requests as a share of the rate limit, by target and operation. The exporter halves the "
        "rate limit when Braket throttles. All SDK users of the account share the service quota.",
        Query(
            f"sum by ({_OPERATION}) ({calls}) / on ({_OPERATION}) {_BUDGET}",
            "{{aws_account_id}} {{aws_region}} {{operation}}",
        ),
        unit="percentunit",
        limit=((1, BAD),),
        points=_POINTS,
        missing=NO_EXPORTER,
    )
    errors = graph(
        "API errors",
        "Failed HTTP requests of the 5 minutes before each step, by target, operation and error code.",
        Query(
            f"sum by (aws_account_id, aws_region, operation, code) ({failed}) > 0",
            "{{aws_account_id}} {{aws_region}} {{operation}} {{code}}",
        ),
        Query(f"0 * max({_BUILD}) unless on () (sum({failed}) > 0)", "none"),
        unit="reqps",
        points=_POINTS,
        missing=NO_EXPORTER,
    )
    return Row(9, [(12, used), (12, errors)], "API calls")


def _times() -> Row:
    age = graph(
        "Data age history",
        "Time since the last successful poll of the active job with the oldest data, by target.",
        Query(_STALENESS, _TARGET),
        unit="s",
        limit=((STALE_SECONDS, BAD),),
        missing="No active jobs, or no exporter",
    )
    poll = graph(
        "Poll duration",
        "Duration of the last poll of all due jobs, by target.",
        Query(of_targets("braket_exporter_target_poll_duration_seconds"), _TARGET),
        unit="s",
        missing=NO_EXPORTER,
    )
    return Row(7, [(12, age), (12, poll)])


def _responses() -> Row:
    buckets = (
        "sum by (le, operation) (rate(braket_exporter_api_request_duration_seconds_bucket"
        f"{{{EXPORTER_FILTER}}}{_WINDOW}))"
    )
    duration = graph(
        "API call duration",
        "Duration of an HTTP request in the 5 minutes before each step: median and 95th percentile by operation.",
        Query(f"histogram_quantile(0.5, {buckets})", "{{operation}} median"),
        Query(f"histogram_quantile(0.95, {buckets})", "{{operation}} p95"),
        unit="s",
        points=_POINTS,
        missing=f"No calls, or {NO_EXPORTER.lower()}",
    )
    drops = graph(
        "Drops",
        "Jobs that lost their series in each step of the graph, by reason, log lines that could not be written, "
        "requests with a wrong user name or password, and jobs that count under other, by tag. The usual reason is "
        "retention.",
        Query(f"sum by (reason) ({_step('braket_exporter_jobs_dropped_total')})", "{{reason}}"),
        Query(f"sum({_step('braket_exporter_log_lines_dropped_total')})", "log lines"),
        Query(f"sum({_step('braket_exporter_logins_refused_total')})", "refused logins"),
        Query(f"sum by (tag) ({_step('braket_exporter_tag_values_dropped_total')})", "values of {{tag}}"),
        bars=True,
        points=_POINTS,
        interval="1m",
        missing=NO_EXPORTER,
    )
    unexpected = graph(
        "Unexpected responses",
        "Responses of Braket that the exporter cannot parse, and unknown values by field.",
        Query(f"sum({_step('braket_exporter_parse_errors_total')})", "parse errors"),
        Query(f"sum by (field) ({_step('braket_exporter_unknown_values_total')})", "unknown {{field}}"),
        bars=True,
        points=_POINTS,
        interval="1m",
        missing=NO_EXPORTER,
    )
    return Row(7, [(8, duration), (8, drops), (8, unexpected)], "Responses and drops")


def _step(counter: str) -> str:
    return f"increase({counter}{{{INSTANCE_FILTER}}}[$__rate_interval])"


def _process() -> Row:
    panels = [
        graph(title, description, Query(query, "{{instance}}"), unit=unit, missing=NO_EXPORTER)
        for title, description, query, unit in (
            (
                "Scrape duration",
                "Duration of a scrape, measured by Prometheus.",
                of_processes("scrape_duration_seconds"),
                "s",
            ),
            (
                "Samples per scrape",
                "Number of samples in a scrape: about 30 for each job.",
                of_processes("scrape_samples_scraped"),
                "short",
            ),
            ("Memory", "Resident memory of each exporter.", of_processes("process_resident_memory_bytes"), "bytes"),
            (
                "CPU",
                "CPU time as a share of one core.",
                of_processes(f"rate(process_cpu_seconds_total{_WINDOW})"),
                "percentunit",
            ),
        )
    ]
    return Row(7, [(6, panel) for panel in panels], "Process")


def _state() -> Row:
    nothing = "No state file, or no exporter"
    age = graph(
        "State age",
        "Time since the last successful write to the state file. A restart restores that state.",
        Query(f"time() - {of_exporters('braket_exporter_state_last_write_timestamp_seconds')}", "{{instance}}"),
        unit="s",
        missing=nothing,
    )
    size = graph(
        "State size",
        "Size of the state file and its write-ahead log.",
        Query(of_exporters("braket_exporter_state_size_bytes"), "{{instance}}"),
        unit="bytes",
        missing=nothing,
    )
    return Row(6, [(12, age), (12, size)], "State")
