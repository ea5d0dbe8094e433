"""PromQL for the dashboards. Pure.

Several exporters may expose the same series (a replaced pod, a second Prometheus job). Each query therefore removes
duplicates with ``max by`` before it sums.

A dashboard shows a time range, so its queries do as well. A series that ended within the range, because its job
expired or its exporter stopped, still counts: subqueries with coarse steps keep their cost low with thousands of jobs.

The queries use Grafana variables: ``$account``, ``$region``, ``$device`` and ``$instance`` are regular expressions,
``$job`` is an ARN, and ``$tag`` is the name of a tag label, or empty.
"""

from typing import Final

TARGET_FILTER: Final = 'aws_account_id=~"$account",aws_region=~"$region"'
DEVICE_FILTER: Final = 'aws_region=~"$region",device=~"$device"'
GROUP_FILTER: Final = f'{TARGET_FILTER},device=~"$device"'
JOB_FILTER: Final = 'job_arn="$job"'
INSTANCE_FILTER: Final = 'instance=~"$instance"'
EXPORTER_FILTER: Final = f"{TARGET_FILTER},{INSTANCE_FILTER}"

MOST_JOBS: Final = 50
"""Maximum rows of a table of jobs, so that browsers stay fast."""

DEVICE_NAME: Final = "(?:.*:device/[^/]+/|local:)?(.+)"
"""The provider and name in a device ARN, such as iqm/Garnet, or the whole text."""

NO_EXPORTER: Final = "No exporter"
_EXPORTERS: Final = "count(max by (job, instance) (braket_exporter_build_info))"

EXPORTERS: Final = f"{_EXPORTERS} or vector(0)"
"""The number of exporters that Prometheus scrapes."""

_ACCOUNT: Final = "aws_account_id, aws_region"
_GROUP: Final = f"{_ACCOUNT}, device"
_DEVICE: Final = "aws_region, device"
_EXPORTER: Final = "job, instance"
_TARGET: Final = f"{_EXPORTER}, {_ACCOUNT}, target"


def _and(*parts: str) -> str:
    return ", ".join(part for part in parts if part)


def _matchers(*parts: str) -> str:
    return ",".join(part for part in parts if part)


def labelled(series: str, label: str, text: str) -> str:
    """Set a label to a text."""
    return f'label_replace({series}, "{label}", "{text}", "", "")'


def renamed(series: str, label: str, source: str, pattern: str = "(.*)") -> str:
    """Copy a label, or the group of a pattern in it, to another label."""
    return f'label_replace({series}, "{label}", "$1", "{source}", "{pattern}")'


# Missing data


def otherwise(series: str, present: str, value: int = -1) -> str:
    """Return a value that stands for a state without a sample, such as a job that is not queued.

    ``present`` selects series that exist in this state. Without them the result is empty: nothing is known.
    """
    return f"({series}) or on () ({value} + 0 * max({present}))"


def listed(series: str, label: str, nothing: str) -> str:
    """Add a row to an empty table: ``nothing``, or that no exporter is scraped."""
    no_rows = f"{labelled('vector(NaN)', label, nothing)} and on () {_EXPORTERS}"
    return f"({series}) or on () ({no_rows}) or on () {labelled('vector(NaN)', label, NO_EXPORTER)}"


# Aggregates


def of_fleet(metric: str, *labels: str, where: str = "") -> str:
    """Select one series per account, Region, device and the given labels; ``where`` is another matcher.

    The sum of each exporter adds up the values of ``aggregate_tag_labels``.
    """
    by = _and(_GROUP, *labels)
    return f"max by ({by}) (sum by ({_EXPORTER}, {by}) ({metric}{{{_matchers(GROUP_FILTER, where)}}}))"


def of_devices(metric: str, *labels: str, where: str = "") -> str:
    """Select one series of a device metric per Region, device and the given labels; all accounts share them."""
    return f"max by ({_and(_DEVICE, *labels)}) ({metric}{{{where}}})"


def increase(metric: str, *labels: str, where: str = "", step: str = "1m", before: bool = False) -> str:
    """Calculate the increase of a fleet counter within the selected time range, or within the one before it."""
    ago = " offset $__range" if before else ""
    return f"increase({of_fleet(metric, *labels, where=where)}[$__range:{step}]{ago})"


def grown(metric: str, *labels: str) -> str:
    """Calculate the increase of a fleet counter from each step of a graph to the next, in whole numbers.

    ``increase`` extrapolates, so one failed job could be 1.03. The last step ends now, so its value is partial. The
    first value of a series is no increase. A decrease, as after the replacement of an exporter, counts as 0.
    """
    series = of_fleet(metric, *labels)
    window, coarse = (f"({series})[$__interval:{step}] offset -$__interval" for step in ("1m", "2m"))
    before = f"last_over_time(({series})[1h:5m]) or min_over_time({coarse})"
    return f"sum by ({_and(*labels)}) (clamp_min(last_over_time({window}) - ({before}), 0))"


def with_device_name(series: str) -> str:
    """Add a label ``device_name``: the short name of the device."""
    return renamed(series, "device_name", "device", DEVICE_NAME)


def by_device(series: str) -> str:
    """Sum by the name of the device."""
    return f"sum by (device_name) ({with_device_name(series)})"


def success_rate(completed: str, failed: str) -> str:
    """Calculate the share of completed jobs among completed and failed ones, where there are any."""
    return f"({completed}) / (({completed}) + ({failed})) >= 0"


def quantile(share: float, histogram: str, *labels: str, step: str = "$__interval") -> str:
    """Calculate a quantile by device within the selected time range; devices without observations are absent."""
    return f"{quantile_of(share, increase(f'{histogram}_bucket', 'le', *labels, step=step))} >= 0"


def quantile_of(share: float, buckets: str) -> str:
    """Calculate a quantile by device of the increase of buckets."""
    return f"histogram_quantile({share:g}, sum by (le, device_name) ({with_device_name(buckets)}))"


# Exporters


def of_targets(metric: str, *labels: str, where: str = "") -> str:
    """Select one series of an exporter metric per exporter, target and the given labels."""
    return f"max by ({_and(_TARGET, *labels)}) ({metric}{{{_matchers(EXPORTER_FILTER, where)}}})"


def of_exporters(metric: str) -> str:
    """Select one series per exporter."""
    return f"max by ({_EXPORTER}) ({metric}{{{INSTANCE_FILTER}}})"


def of_processes(metric: str) -> str:
    """Select series of Prometheus or of the client library, of exporters only."""
    return f"({metric}) and on ({_EXPORTER}) braket_exporter_build_info{{{INSTANCE_FILTER}}}"


def exporters_of_the_range() -> str:
    """Select the exporters that Prometheus scraped within the selected time range."""
    return f"last_over_time({of_exporters('braket_exporter_build_info')}[$__range:1m])"


# One job


def of_job(metric: str, *labels: str, where: str = "") -> str:
    """Select one series of the selected job per the given labels: the current ones, else the last of the range."""
    now = _of_job_now(metric, *labels, where=where)
    return f"({now} or on () last_over_time({now}[$__range:1m]))"


def of_job_now(metric: str, *labels: str, where: str = "") -> str:
    """Select the current series of the selected job, for metrics that have a sample only in some states."""
    return f"({_of_job_now(metric, *labels, where=where)})"


def _of_job_now(metric: str, *labels: str, where: str = "") -> str:
    by = f" by ({_and(*labels)})" if labels else ""
    return f"max{by} ({metric}{{{_matchers(JOB_FILTER, where)}}})"


# Many jobs


def of_each_job(metric: str, *labels: str, where: str = "") -> str:
    """Select one series per job and the given labels."""
    return f"max by ({_and('job_arn', *labels)}) ({metric}{{{where}}})"


def jobs_that_are(status: str) -> str:
    """Select the jobs with a status; ``status`` is a regular expression."""
    matcher = f'status=~"{status}"'
    return f"({of_each_job('braket_job_status', where=matcher)} == 1)"


def during(series: str, *, before: bool = False) -> str:
    """Select series of jobs that existed within the selected time range: now, in the last hour, or at any step.

    The panel's maximum of data points sets the step.
    """
    if before:
        return f"last_over_time(({series})[$__range:$__interval] offset $__range)"
    return f"({series} or last_over_time(({series})[1h:5m]) or last_over_time(({series})[$__range:$__interval]))"


def job_facts(*facts: str) -> str:
    """Select one info series per job in the selected accounts, Regions and devices."""
    info = f"max by ({_and('job_arn', 'job_name', *facts)}) (braket_job_info{{{GROUP_FILTER}}})"
    return f"topk by (job_arn) (1, {during(info)})"


def described(series: str, *facts: str) -> str:
    """Add the labels of ``job_facts`` to series of jobs, and drop jobs that are not selected."""
    return f"({series}) * on (job_arn) group_left ({_and('job_name', *facts)}) {job_facts(*facts)}"


def ended_as(event_type: str, *labels: str, before: bool = False) -> str:
    """Select the ends of the jobs that ended with an event within the selected time range, or within the one before.

    Only events that happened have a sample, so this costs less than the status.
    """
    times = of_each_job("braket_job_event_timestamp_seconds", *labels, where=f'event_type=~"{event_type}"')
    if before:
        return f"({during(times, before=True)} > time() - 2 * $__range_s <= time() - $__range_s)"
    return f"({during(times)} > time() - $__range_s)"
