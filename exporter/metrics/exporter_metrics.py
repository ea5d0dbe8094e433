"""The metrics of the exporter itself as a table; ``exporter.telemetry`` keeps their values with prometheus_client."""

from typing import Final

from exporter.metrics.family import ACCOUNT_LABELS, Family

_TARGET_LABELS: Final = (*ACCOUNT_LABELS, "target")

EXPORTER_FAMILIES: Final = (
    Family(
        "braket_exporter_build_info",
        "Versions of the exporter, of Python and of boto3, as labels; the value is always 1.",
        "gauge",
        ("version", "python_version", "boto3_version"),
    ),
    Family(
        "braket_exporter_target_up",
        "State of the target: 1 while it can be polled, 0 while it fails as a whole (credentials, network, throttling, "
        "overdue call); no sample before the first attempt.",
        "gauge",
        _TARGET_LABELS,
    ),
    Family(
        "braket_exporter_target_last_success_timestamp_seconds",
        "Unix time of the last successful API call for the target.",
        "gauge",
        _TARGET_LABELS,
    ),
    Family(
        "braket_exporter_target_poll_duration_seconds",
        "Duration of the last pass over all due jobs of the target, in seconds.",
        "gauge",
        _TARGET_LABELS,
    ),
    Family(
        "braket_exporter_target_staleness_seconds",
        "Data age of the active job with the oldest data, in seconds.",
        "gauge",
        _TARGET_LABELS,
    ),
    Family(
        "braket_exporter_target_jobs",
        "Number of watched jobs of the target, by state: active or finished.",
        "gauge",
        (*_TARGET_LABELS, "state"),
    ),
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
        "Number of jobs that lost their series, by reason.",
        "counter",
        ("reason",),
    ),
    Family(
        "braket_exporter_parse_errors_total", "Number of API responses that the exporter cannot parse.", "counter", ()
    ),
    Family(
        "braket_exporter_unknown_values_total",
        "Number of unknown values in API responses, by field; a value counts when it first appears in a job.",
        "counter",
        ("field",),
    ),
    Family(
        "braket_exporter_tag_values_dropped_total",
        "Number of discovered jobs that aggregate metrics count under other, because the tag has more than 100 values.",
        "counter",
        ("tag",),
    ),
    Family(
        "braket_exporter_log_lines_dropped_total",
        "Number of log lines that were dropped, because stderr was full, closed or not read.",
        "counter",
        (),
    ),
    Family(
        "braket_exporter_logins_refused_total",
        "Number of requests with a wrong user name or password.",
        "counter",
        (),
    ),
    Family(
        "braket_exporter_config_last_reload_successful",
        "Result of the last load of the settings and of web_config_file: 1 if they are active, 0 if they are invalid.",
        "gauge",
        (),
    ),
    Family(
        "braket_exporter_config_last_reload_success_timestamp_seconds",
        "Unix time at which the active settings were loaded.",
        "gauge",
        (),
    ),
    Family(
        "braket_exporter_state_up",
        "State of the state file: 1 while writes succeed, 0 while they fail and the changes are only in memory; "
        "no sample without state_file.",
        "gauge",
        (),
    ),
    Family(
        "braket_exporter_state_size_bytes",
        "Size of the state file and its write-ahead log, in bytes.",
        "gauge",
        (),
    ),
    Family(
        "braket_exporter_state_last_write_timestamp_seconds",
        "Unix time of the last successful write of the state file.",
        "gauge",
        (),
    ),
    Family(
        "braket_exporter_event_queue_up",
        "State of the event queues: 1 while the calls to all of them succeed, 0 while a queue fails; "
        "no sample without event_queue_url and before the first attempt.",
        "gauge",
        (),
    ),
    Family(
        "braket_exporter_event_queue_last_receive_timestamp_seconds",
        "Unix time of the last successful ReceiveMessage call, with or without messages; "
        "with several queues, the earliest of these times.",
        "gauge",
        (),
    ),
    Family(
        "braket_exporter_events_total",
        "Number of messages from event queues, by detail type and outcome: applied, known, unselected, foreign, "
        "malformed.",
        "counter",
        ("detail_type", "outcome"),
    ),
    Family(
        "braket_exporter_event_delay_seconds",
        "Time from a job event to the poll that it caused, or from a device event to its receipt, in seconds.",
        "histogram",
        (),
        (0.5, 1.0, 2.0, 5.0, 10.0, 30.0, 60.0, 300.0, 900.0, 3600.0),
    ),
    Family(
        "braket_exporter_transitions_found_total",
        "Number of transitions of known jobs, by the reason of the poll that found them: event or poll; "
        "no sample without event_queue_url.",
        "counter",
        ("by",),
    ),
)
