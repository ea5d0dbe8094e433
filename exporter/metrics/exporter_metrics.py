"""The metrics of the exporter itself as a table; ``exporter.telemetry`` keeps their values with prometheus_client."""

from typing import Final

from exporter.metrics.family import ACCOUNT_LABELS, Family

_TARGET_LABELS: Final = (*ACCOUNT_LABELS, "target")

EXPORTER_FAMILIES: Final = (
    Family(
        "braket_exporter_build_info",
        "Versions; the value is always 1.",
        "gauge",
        ("version", "python_version", "boto3_version"),
    ),
    Family(
        "braket_exporter_target_up",
        "State of the target: 1 while it can be polled, 0 while it fails as a whole (credentials, network, throttling, "
        "overdue call); present from the first attempt on.",
        "gauge",
        _TARGET_LABELS,
    ),
    Family(
        "braket_exporter_target_last_success_timestamp_seconds",
        "Unix time of the last successful call.",
        "gauge",
        _TARGET_LABELS,
    ),
    Family(
        "braket_exporter_target_poll_duration_seconds",
        "Duration of the last pass over all jobs that were due, in seconds.",
        "gauge",
        _TARGET_LABELS,
    ),
    Family(
        "braket_exporter_target_staleness_seconds",
        "Age of the data of the active job that was polled longest ago, in seconds.",
        "gauge",
        _TARGET_LABELS,
    ),
    Family("braket_exporter_target_jobs", "Number of watched jobs, by state.", "gauge", (*_TARGET_LABELS, "state")),
    Family(
        "braket_exporter_api_requests_total",
        "Number of HTTP attempts, by result: ok, a known error code, timeout, connection, malformed, other.",
        "counter",
        (*ACCOUNT_LABELS, "operation", "code"),
    ),
    Family(
        "braket_exporter_api_request_duration_seconds",
        "Duration of an HTTP attempt, in seconds.",
        "histogram",
        (*ACCOUNT_LABELS, "operation"),
        (0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0),
    ),
    Family(
        "braket_exporter_api_budget_requests_per_second",
        "Current rate limit of the exporter's own requests, in requests per second.",
        "gauge",
        (*ACCOUNT_LABELS, "operation"),
    ),
    Family(
        "braket_exporter_jobs_dropped_total",
        "Jobs that lost their series, by reason.",
        "counter",
        ("reason",),
    ),
    Family("braket_exporter_parse_errors_total", "Answers that could not be read.", "counter", ()),
    Family(
        "braket_exporter_unknown_values_total",
        "Values in answers that this release does not know, by field; each counts when a job first shows it.",
        "counter",
        ("field",),
    ),
    Family(
        "braket_exporter_log_lines_dropped_total",
        "Number of log lines that were dropped, because stderr was full, closed or not read.",
        "counter",
        (),
    ),
    Family(
        "braket_exporter_config_last_reload_successful",
        "1 when the settings and the web_config_file that were last read are in force.",
        "gauge",
        (),
    ),
    Family(
        "braket_exporter_config_last_reload_success_timestamp_seconds",
        "When the settings in force were read, unix time.",
        "gauge",
        (),
    ),
    Family(
        "braket_exporter_state_up",
        "1 while the state file takes what is written, 0 while it does not and all is kept in memory only; "
        "absent without state_file.",
        "gauge",
        (),
    ),
    Family(
        "braket_exporter_state_size_bytes",
        "Size of the state file and its write-ahead log.",
        "gauge",
        (),
    ),
    Family(
        "braket_exporter_state_last_write_timestamp_seconds",
        "When the state file was last written, unix time.",
        "gauge",
        (),
    ),
)
