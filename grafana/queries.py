"""PromQL for the dashboards. Pure.

Several exporters may expose the same series (a replaced pod, a second Prometheus job). Each query therefore removes
duplicates with ``max by`` before it sums.

The queries use Grafana variables: ``$account``, ``$region`` and ``$device`` are regular expressions,
``$job`` is an ARN.
"""

from typing import Final

TARGET_FILTER: Final = 'aws_account_id=~"$account",aws_region=~"$region"'
GROUP_FILTER: Final = f'{TARGET_FILTER},device=~"$device"'
JOB_FILTER: Final = 'job_arn="$job"'

MOST_JOBS: Final = 50
"""Maximum rows of a table and jobs of a graph, so that browsers stay fast."""

QUEUED_FOR_LONG_SECONDS: Final = 86400
CANCELLING_FOR_LONG_SECONDS: Final = 1800
NEAR_THE_LIMIT: Final = 0.8
"""The thresholds of the alert rules."""

_ACCOUNT: Final = "aws_account_id, aws_region"
_TARGET: Final = f"{_ACCOUNT}, target"
_GROUP: Final = f"{_ACCOUNT}, device"


def _and(*parts: str) -> str:
    return ", ".join(parts)


def _matchers(*parts: str) -> str:
    return ",".join(part for part in parts if part)


def of_fleet(metric: str, *labels: str, where: str = "") -> str:
    """Select one series per account, Region, device and the given labels; ``where`` is another matcher."""
    return f"max by ({_and(_GROUP, *labels)}) ({metric}{{{_matchers(GROUP_FILTER, where)}}})"


def of_targets(metric: str, *labels: str, where: str = "") -> str:
    """Select one series of an exporter metric per target and the given labels."""
    return f"max by ({_and(_TARGET, *labels)}) ({metric}{{{_matchers(TARGET_FILTER, where)}}})"


def of_accounts(metric: str, *labels: str, where: str = "") -> str:
    """Select one series of an exporter metric per account, Region and the given labels."""
    return f"max by ({_and(_ACCOUNT, *labels)}) ({metric}{{{_matchers(TARGET_FILTER, where)}}})"


def increase_of_fleet(metric: str, *labels: str, where: str = "") -> str:
    """Calculate the increase of a fleet counter within the selected time range."""
    return f"max by ({_and(_GROUP, *labels)}) (increase({metric}{{{_matchers(GROUP_FILTER, where)}}}[$__range]))"


def grown(recorded: str, *labels: str, where: str = "") -> str:
    """Calculate the increase of a recorded counter in each step of a graph, in whole numbers.

    ``increase`` extrapolates, so one failed job could be 1.03, and it misses an increase between two windows. A
    decrease, as after the replacement of an exporter, counts as 0.
    """
    series = f"{recorded}{{{_matchers(GROUP_FILTER, where)}}}"
    return f"sum by ({', '.join(labels)}) (clamp_min({series} - ({series} offset $__interval or {series} * 0), 0))"


def with_device_name(series: str) -> str:
    """Add a label ``device_name``: the provider and name in a device ARN, such as iqm/Garnet, or the unchanged text."""
    return f'label_replace({series}, "device_name", "$1", "device", "(?:.*:device/[^/]+/)?(.+)")'


def quantile(share: float, recorded_buckets: str) -> str:
    """Calculate a quantile by device of a recorded histogram; devices without observations are absent."""
    buckets = with_device_name(f"{recorded_buckets}{{{GROUP_FILTER}}}")
    return f"histogram_quantile({share:g}, sum by (le, device_name) ({buckets})) >= 0"


def of_job(metric: str, *labels: str, where: str = "") -> str:
    """Select one series of the selected job per the given labels."""
    by = f" by ({', '.join(labels)})" if labels else ""
    return f"max{by} ({metric}{{{_matchers(JOB_FILTER, where)}}})"


def of_each_job(metric: str, *labels: str, where: str = "") -> str:
    """Select one series per job and the given labels."""
    return f"max by ({_and('job_arn', *labels)}) ({metric}{{{where}}})"


def jobs_that_are(status: str) -> str:
    """Select the jobs with a status; ``status`` is a regular expression."""
    matcher = f'status=~"{status}"'
    return f"({of_each_job('braket_job_status', where=matcher)} == 1)"


def job_facts() -> str:
    """Select the info series of the jobs in the selected accounts, Regions and devices, one per job."""
    return f"topk by (job_arn) (1, braket_job_info{{{GROUP_FILTER}}})"


def described(series: str, *facts: str) -> str:
    """Add the labels of ``job_facts`` to series of jobs, and drop jobs that are not selected."""
    return f"({series}) * on (job_arn) group_left ({_and('job_name', *facts)}) {job_facts()}"


_CREATED: Final = of_each_job("braket_job_created_timestamp_seconds")
_OUT_OF_TIME: Final = of_each_job("braket_job_event_timestamp_seconds", where='event_type="MAX_RUNTIME_EXCEEDED"')
_CANCELLING: Final = " and on (job_arn) ".join(
    f'max by (job_arn) (braket_job_status{{status="CANCELLING"}}{ago}) == 1'
    for ago in ("", f" offset {CANCELLING_FOR_LONG_SECONDS}s")
)
_NEAR_THE_LIMIT: Final = (
    f"{of_each_job('braket_job_started_timestamp_seconds')} "
    f"+ {NEAR_THE_LIMIT:g} * {of_each_job('braket_job_max_runtime_seconds')}"
)
# Without endedAt, the time of the last poll, which no longer changes after the end.
_END: Final = (
    f"({of_each_job('braket_job_ended_timestamp_seconds')} "
    f"or on (job_arn) {of_each_job('braket_job_last_poll_timestamp_seconds')})"
)


def problems() -> str:
    """List jobs with a problem in the label ``problem``, with its start in milliseconds of Unix time.

    Problems of ended jobs are listed within the selected time range, problems of active jobs while they last.
    """
    since = {
        "FAILED": f"{_lately(_END)} and on (job_arn) {jobs_that_are('FAILED')} unless on (job_arn) {_OUT_OF_TIME}",
        "MAX_RUNTIME_EXCEEDED": _lately(_OUT_OF_TIME),
        "NEAR MAX RUNTIME": f"{_NEAR_THE_LIMIT} <= time() and on (job_arn) {jobs_that_are('RUNNING')}",
        "STUCK IN QUEUE": f"{_CREATED} < time() - {QUEUED_FOR_LONG_SECONDS} and on (job_arn) {jobs_that_are('QUEUED')}",
        "STUCK CANCELLING": f"(time() - {CANCELLING_FOR_LONG_SECONDS}) * ({_CANCELLING})",
    }
    rows = " or ".join(f'label_replace({query}, "problem", "{problem}", "", "")' for problem, query in since.items())
    return f"sort_desc(topk({MOST_JOBS}, 1000 * {described(rows, 'device_name', 'aws_region')}))"


def ends_of(status: str) -> str:
    """List the end times of the latest jobs with a status, in milliseconds of Unix time."""
    return _latest(f"{of_each_job('braket_job_ended_timestamp_seconds')} and on (job_arn) {jobs_that_are(status)}")


def times_of(event_type: str) -> str:
    """List the times of the latest events of a type, in milliseconds of Unix time."""
    return _latest(of_each_job("braket_job_event_timestamp_seconds", where=f'event_type="{event_type}"'))


def _latest(times: str) -> str:
    return f"1000 * {described(f'topk({MOST_JOBS}, {times})', 'device')}"


def _lately(time: str) -> str:
    return f"{time} > time() - $__range_s"


def of_exporters(metric: str) -> str:
    """Select series of Prometheus or of the client library, of exporters only."""
    return f"{metric} and on (job, instance) braket_exporter_build_info"
