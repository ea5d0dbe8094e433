"""The dashboard of the exporter: health of targets, data age, API calls, process and state file."""

from typing import Final

from grafana_foundation_sdk.models.dashboard import Dashboard

from grafana import variables
from grafana.dashboards import EXPORTER, Row, annotation, assemble
from grafana.panels import BAD, GOOD, WARNING, Column, Query, graph, number, rows
from grafana.queries import TARGET_FILTER, of_accounts, of_exporters, of_targets

_STALE_SECONDS: Final = 600
"""The threshold of the alert rules."""

_REQUESTS: Final = "aws_account_id_aws_region_operation:braket_exporter_api_requests:rate5m"
_UP: Final = of_targets("braket_exporter_target_up")
_STALENESS: Final = of_targets("braket_exporter_target_staleness_seconds")
_BUDGET: Final = of_accounts("braket_exporter_api_budget_requests_per_second", "operation")
_TARGET: Final = "{{aws_account_id}} {{aws_region}} {{target}}"


def make() -> Dashboard:
    """Build the dashboard."""
    return assemble(
        EXPORTER,
        "Amazon Braket / Exporter",
        "Health of the exporter: targets, data age, API calls and rate limits, process, state file.",
        [_now(), _calls(), _targets(), _times(), _responses(), _process(), _state()],
        variables=variables.of_the_exporter(),
        annotations=[
            annotation(
                "Started",
                f"1000 * {of_exporters('process_start_time_seconds')}",
                "Exporter started",
                "{{instance}}",
                "blue",
            ),
            annotation(
                "Settings reloaded",
                "1000 * braket_exporter_config_last_reload_success_timestamp_seconds",
                "Settings reloaded",
                "{{instance}}",
                "green",
            ),
        ],
        since="6h",
    )


def _now() -> Row:
    failing = number(
        "Failing targets",
        "Targets that the exporter cannot poll as a whole.",
        Query(f"count({_UP}) - sum({_UP})"),
        steps=((None, GOOD), (1, BAD)),
        no_value="No exporter",
    )
    stalest = number(
        "Data age",
        "Time since the last successful poll of the active job with the oldest data.",
        Query(f"max({_STALENESS})"),
        unit="s",
        steps=((None, GOOD), (300, WARNING), (_STALE_SECONDS, BAD)),
        no_value="No active jobs",
    )
    throttled = number(
        "Throttled calls",
        "Share of API calls that Braket throttled in the last 15 minutes.",
        Query(f"({_rate(_THROTTLED)} or vector(0)) / {_rate()}"),
        unit="percentunit",
        steps=((None, GOOD), (0.01, WARNING), (0.1, BAD)),
        decimals=1,
        no_value="No calls",
    )
    settings = number(
        "Settings reload",
        "Result of the last settings reload. After a failed reload, the previous settings are still active.",
        Query("min(braket_exporter_config_last_reload_successful)"),
        steps=((None, BAD), (1, GOOD)),
        texts={0: "failed", 1: "successful"},
        no_value="No exporter",
    )
    memory = number(
        "Memory",
        "Resident memory of the exporter that uses the most.",
        Query(f"max({of_exporters('process_resident_memory_bytes')})"),
        unit="bytes",
        no_value="No data",
        graph=True,
    )
    version = number(
        "Version",
        "Version of each exporter that Prometheus scrapes.",
        Query("count by (version) (braket_exporter_build_info)", "{{version}}"),
        show="name",
        no_value="No exporter",
    )
    return Row(4, [(4, failing), (4, stalest), (4, throttled), (4, settings), (4, memory), (4, version)])


_THROTTLED: Final = 'code=~"429|Throttling.*|TooManyRequestsException|RequestLimitExceeded"'


def _rate(where: str = "") -> str:
    matchers = ",".join(part for part in (TARGET_FILTER, where) if part)
    return f"sum(rate(braket_exporter_api_requests_total{{{matchers}}}[15m]))"


def _calls() -> Row:
    return Row(
        8,
        [
            (
                12,
                graph(
                    "API calls",
                    "HTTP requests and rate limit by operation. The exporter halves the rate limit when Braket "
                    "throttles. All SDK users of the account share the service quota. "
                    "Requires the recording rules of the exporter.",
                    Query(f"sum by (operation) ({_REQUESTS}{{{TARGET_FILTER}}})", "{{operation}}"),
                    Query(f"sum by (operation) ({_BUDGET})", "{{operation}} limit"),
                    unit="reqps",
                    dashed=["GetJob limit", "SearchJobs limit"],
                    no_value="No calls, or the recording rules are not loaded",
                ),
            ),
            (
                12,
                graph(
                    "API errors",
                    "Failed HTTP requests by operation and error code.",
                    Query(
                        "sum by (operation, code) (rate(braket_exporter_api_requests_total"
                        f'{{{TARGET_FILTER},code!="ok"}}[$__rate_interval]))',
                        "{{operation}} {{code}}",
                    ),
                    unit="reqps",
                    no_value="No errors",
                ),
            ),
        ],
    )


def _targets() -> Row:
    jobs = {
        state: of_targets("braket_exporter_target_jobs", where=f'state="{state}"') for state in ("active", "finished")
    }
    table = rows(
        "Targets",
        "Polled targets: account, Region and the name of the target in the settings.",
        Query(_UP),
        Query(f"1000 * {of_targets('braket_exporter_target_last_success_timestamp_seconds')}"),
        Query(_STALENESS),
        Query(of_targets("braket_exporter_target_poll_duration_seconds")),
        *(Query(query) for query in jobs.values()),
        columns=[
            Column("target", "Target"),
            Column("aws_account_id", "Account"),
            Column("aws_region", "Region"),
            Column("Value #A", "Up", unit="short", steps=((None, BAD), (1, GOOD))),
            Column("Value #B", "Last success", unit="dateTimeFromNow"),
            Column("Value #C", "Data age", unit="s", steps=((None, GOOD), (300, WARNING), (_STALE_SECONDS, BAD))),
            Column("Value #D", "Poll duration", unit="s"),
            Column("Value #E", "Active jobs", unit="short"),
            Column("Value #F", "Finished jobs", unit="short"),
        ],
        no_value="No exporter",
    )
    return Row(7, [(24, table)], "Targets")


def _times() -> Row:
    return Row(
        7,
        [
            (
                12,
                graph(
                    "Data age history",
                    "Time since the last successful poll of the active job with the oldest data, by target.",
                    Query(_STALENESS, _TARGET),
                    unit="s",
                    limit=((_STALE_SECONDS, BAD),),
                    no_value="No active jobs",
                ),
            ),
            (
                12,
                graph(
                    "Poll duration",
                    "Duration of the last poll of all due jobs, by target.",
                    Query(of_targets("braket_exporter_target_poll_duration_seconds"), _TARGET),
                    unit="s",
                ),
            ),
        ],
    )


def _responses() -> Row:
    buckets = (
        "sum by (le, operation) (rate(braket_exporter_api_request_duration_seconds_bucket"
        f"{{{TARGET_FILTER}}}[$__rate_interval]))"
    )
    return Row(
        7,
        [
            (
                8,
                graph(
                    "API call duration",
                    "Duration of an HTTP request: median and 95th percentile by operation.",
                    Query(f"histogram_quantile(0.5, {buckets})", "{{operation}} median"),
                    Query(f"histogram_quantile(0.95, {buckets})", "{{operation}} p95"),
                    unit="s",
                ),
            ),
            (
                8,
                graph(
                    "Drops",
                    "Jobs that lost their series in each step of the graph, by reason, and log lines that could not be "
                    "written. The usual reason is retention.",
                    Query(
                        "sum by (reason) (increase(braket_exporter_jobs_dropped_total[$__rate_interval])) > 0",
                        "{{reason}}",
                    ),
                    Query("sum(increase(braket_exporter_log_lines_dropped_total[$__rate_interval]))", "log lines"),
                    bars=True,
                    no_value="None",
                ),
            ),
            (
                8,
                graph(
                    "Unexpected responses",
                    "Responses of Braket that the exporter cannot parse, and unknown values by field.",
                    Query("sum(increase(braket_exporter_parse_errors_total[$__rate_interval])) > 0", "parse errors"),
                    Query(
                        "sum by (field) (increase(braket_exporter_unknown_values_total[$__rate_interval])) > 0",
                        "unknown {{field}}",
                    ),
                    bars=True,
                    no_value="None",
                ),
            ),
        ],
        "Responses and drops",
    )


def _process() -> Row:
    return Row(
        7,
        [
            (
                6,
                graph(
                    "Scrape duration",
                    "Duration of a scrape, measured by Prometheus.",
                    Query(of_exporters("scrape_duration_seconds"), "{{instance}}"),
                    unit="s",
                ),
            ),
            (
                6,
                graph(
                    "Samples per scrape",
                    "Number of samples in a scrape: about 30 for each job.",
                    Query(of_exporters("scrape_samples_scraped"), "{{instance}}"),
                ),
            ),
            (
                6,
                graph(
                    "Memory",
                    "Resident memory of each exporter.",
                    Query(of_exporters("process_resident_memory_bytes"), "{{instance}}"),
                    unit="bytes",
                ),
            ),
            (
                6,
                graph(
                    "CPU",
                    "CPU time as a share of one core.",
                    Query(of_exporters("rate(process_cpu_seconds_total[$__rate_interval])"), "{{instance}}"),
                    unit="percentunit",
                ),
            ),
        ],
        "Process",
    )


def _state() -> Row:
    return Row(
        6,
        [
            (
                6,
                number(
                    "State file",
                    "Result of the last write to the state file. While writes fail, the state is only in memory, and "
                    "a restart restores the state of the last successful write.",
                    Query("min(braket_exporter_state_up)"),
                    steps=((None, BAD), (1, GOOD)),
                    texts={0: "failed", 1: "successful"},
                    no_value="No state file",
                ),
            ),
            (
                9,
                graph(
                    "State age",
                    "Time since the last successful write to the state file. A restart restores that state.",
                    Query("time() - braket_exporter_state_last_write_timestamp_seconds", "{{instance}}"),
                    unit="s",
                    no_value="No state file",
                ),
            ),
            (
                9,
                graph(
                    "State size",
                    "Size of the state file and its write-ahead log.",
                    Query("braket_exporter_state_size_bytes", "{{instance}}"),
                    unit="bytes",
                    no_value="No state file",
                ),
            ),
        ],
        "State",
    )
