"""The dashboard of the exporter itself: can what the other dashboards show be trusted, and what does it cost?"""

from typing import Final

from grafana_foundation_sdk.models.dashboard import Dashboard

from grafana import variables
from grafana.dashboards import EXPORTER, Row, annotation, assemble
from grafana.panels import BAD, GOOD, WARNING, Column, Query, graph, number, rows
from grafana.queries import TARGET_FILTER, of_accounts, of_exporters, of_targets

_STALE_SECONDS: Final = 600
"""As in the alert rules."""

_REQUESTS: Final = "aws_account_id_aws_region_operation:braket_exporter_api_requests:rate5m"
_UP: Final = of_targets("braket_exporter_target_up")
_STALENESS: Final = of_targets("braket_exporter_target_staleness_seconds")
_BUDGET: Final = of_accounts("braket_exporter_api_budget_requests_per_second", "operation")
_TARGET: Final = "{{aws_account_id}} {{aws_region}} {{target}}"


def make() -> Dashboard:
    """Put the dashboard together."""
    return assemble(
        EXPORTER,
        "Amazon Braket / Exporter",
        "How the exporter fares: its calls, its budget, and how old its knowledge is.",
        [_now(), _calls(), _targets(), _times(), _answers(), _process(), _state()],
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
                "Settings read",
                "1000 * braket_exporter_config_last_reload_success_timestamp_seconds",
                "Settings read",
                "{{instance}}",
                "green",
            ),
        ],
        since="6h",
    )


def _now() -> Row:
    failing = number(
        "Targets that fail",
        "Targets that cannot be polled as a whole.",
        Query(f"count({_UP}) - sum({_UP})"),
        steps=((None, GOOD), (1, BAD)),
        no_value="No exporter",
    )
    stalest = number(
        "Oldest knowledge",
        "Age of what is known of the active job that was not answered for longest.",
        Query(f"max({_STALENESS})"),
        unit="s",
        steps=((None, GOOD), (300, WARNING), (_STALE_SECONDS, BAD)),
        no_value="No active job",
    )
    throttled = number(
        "Calls throttled",
        "Share of the calls of the last 15 minutes that Braket refused for want of quota.",
        Query(f"({_rate(_THROTTLED)} or vector(0)) / {_rate()}"),
        unit="percentunit",
        steps=((None, GOOD), (0.01, WARNING), (0.1, BAD)),
        decimals=1,
        no_value="No calls",
    )
    settings = number(
        "Settings",
        "Whether the settings that were last read are in force.",
        Query("min(braket_exporter_config_last_reload_successful)"),
        steps=((None, BAD), (1, GOOD)),
        texts={0: "refused", 1: "in force"},
        no_value="No exporter",
    )
    memory = number(
        "Memory",
        "Resident memory of the largest exporter.",
        Query(f"max({of_exporters('process_resident_memory_bytes')})"),
        unit="bytes",
        no_value="Not told",
        graph=True,
    )
    version = number(
        "Version",
        "Of each exporter that Prometheus scrapes.",
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
                    "Calls against the budget",
                    "HTTP attempts by operation, and what the exporter allows itself for each; it halves that when "
                    "Braket throttles. The service quota is shared with the SDKs of all users in the account. "
                    "Needs the recording rules that come with the exporter.",
                    Query(f"sum by (operation) ({_REQUESTS}{{{TARGET_FILTER}}})", "{{operation}}"),
                    Query(f"sum by (operation) ({_BUDGET})", "{{operation}} budget"),
                    unit="reqps",
                    dashed=["GetJob budget", "SearchJobs budget"],
                    no_value="No calls, or the recording rules are not loaded",
                ),
            ),
            (
                12,
                graph(
                    "Calls that did not succeed",
                    "HTTP attempts by operation and error code.",
                    Query(
                        "sum by (operation, code) (rate(braket_exporter_api_requests_total"
                        f'{{{TARGET_FILTER},code!="ok"}}[$__rate_interval]))',
                        "{{operation}} {{code}}",
                    ),
                    unit="reqps",
                    no_value="All calls succeeded",
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
        "Each target that is polled: an account and Region, with the name of the target in the settings.",
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
            Column(
                "Value #C", "Oldest knowledge", unit="s", steps=((None, GOOD), (300, WARNING), (_STALE_SECONDS, BAD))
            ),
            Column("Value #D", "Last pass took", unit="s"),
            Column("Value #E", "Active jobs", unit="short"),
            Column("Value #F", "Finished jobs", unit="short"),
        ],
        no_value="No exporter is scraped",
    )
    return Row(7, [(24, table)], "Targets")


def _times() -> Row:
    return Row(
        7,
        [
            (
                12,
                graph(
                    "Oldest knowledge",
                    "Age of what is known of the active job that was not answered for longest.",
                    Query(_STALENESS, _TARGET),
                    unit="s",
                    limit=((_STALE_SECONDS, BAD),),
                    no_value="No active job",
                ),
            ),
            (
                12,
                graph(
                    "Time of a pass",
                    "How long the last pass over all jobs that were due took.",
                    Query(of_targets("braket_exporter_target_poll_duration_seconds"), _TARGET),
                    unit="s",
                ),
            ),
        ],
    )


def _answers() -> Row:
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
                    "Time of a call",
                    "Of one HTTP attempt: the median and the time that one in twenty takes longer than.",
                    Query(f"histogram_quantile(0.5, {buckets})", "{{operation}} median"),
                    Query(f"histogram_quantile(0.95, {buckets})", "{{operation}} 95 %"),
                    unit="s",
                ),
            ),
            (
                8,
                graph(
                    "Jobs that lost their series",
                    "In each step of the graph, by reason. Age is the usual one.",
                    Query(
                        "sum by (reason) (increase(braket_exporter_jobs_dropped_total[$__rate_interval])) > 0",
                        "{{reason}}",
                    ),
                    bars=True,
                    no_value="None",
                ),
            ),
            (
                8,
                graph(
                    "Answers that were not understood",
                    "Answers of Braket that could not be read, and values that this release does not know, by field.",
                    Query("sum(increase(braket_exporter_parse_errors_total[$__rate_interval])) > 0", "unreadable"),
                    Query(
                        "sum by (field) (increase(braket_exporter_unknown_values_total[$__rate_interval])) > 0",
                        "unknown {{field}}",
                    ),
                    bars=True,
                    no_value="All answers were understood",
                ),
            ),
        ],
        "Answers",
    )


def _process() -> Row:
    return Row(
        7,
        [
            (
                6,
                graph(
                    "Time of a scrape",
                    "As Prometheus measures it.",
                    Query(of_exporters("scrape_duration_seconds"), "{{instance}}"),
                    unit="s",
                ),
            ),
            (
                6,
                graph(
                    "Samples of a scrape",
                    "About 30 for each job that is kept.",
                    Query(of_exporters("scrape_samples_scraped"), "{{instance}}"),
                ),
            ),
            (
                6,
                graph(
                    "Memory",
                    "Resident memory.",
                    Query(of_exporters("process_resident_memory_bytes"), "{{instance}}"),
                    unit="bytes",
                ),
            ),
            (
                6,
                graph(
                    "CPU",
                    "Share of one core.",
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
                    "Whether the state file takes what is written. While it does not, all is kept in memory only, and "
                    "a restart would go back to the last write.",
                    Query("min(braket_exporter_state_up)"),
                    steps=((None, BAD), (1, GOOD)),
                    texts={0: "failing", 1: "written"},
                    no_value="No state file",
                ),
            ),
            (
                9,
                graph(
                    "Age of the last write",
                    "How far back a restart would go.",
                    Query("time() - braket_exporter_state_last_write_timestamp_seconds", "{{instance}}"),
                    unit="s",
                    no_value="No state file",
                ),
            ),
            (
                9,
                graph(
                    "Size of the state",
                    "The state file and its write-ahead log.",
                    Query("braket_exporter_state_size_bytes", "{{instance}}"),
                    unit="bytes",
                    no_value="No state file",
                ),
            ),
        ],
        "State",
    )
