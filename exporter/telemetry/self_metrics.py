"""The metrics of the exporter itself: the rows of ``EXPORTER_FAMILIES`` on a private registry."""

import platform
from collections.abc import Callable, Iterable, Iterator
from importlib.metadata import version
from itertools import chain
from typing import Final, TypeVar

from prometheus_client import (
    CollectorRegistry,
    Counter,
    Gauge,
    Histogram,
    PlatformCollector,
    ProcessCollector,
)
from prometheus_client.exposition import generate_latest as generate_text
from prometheus_client.metrics import MetricWrapperBase
from prometheus_client.metrics_core import GaugeMetricFamily, Metric
from prometheus_client.openmetrics.exposition import generate_latest as generate_openmetrics
from prometheus_client.registry import Collector

from exporter import __version__
from exporter.core import DROP_REASONS, Target, TargetStatus
from exporter.metrics import ACCOUNT_LABELS, EXPORTER_FAMILIES, Format, Series
from exporter.telemetry.event_metrics import EventMetrics

PROCESS_METRICS: Final = (
    *("process_virtual_memory_bytes", "process_resident_memory_bytes", "process_start_time_seconds"),
    *("process_cpu_seconds_total", "process_open_fds", "process_max_fds", "python_info"),
)
"""The metrics of the process, which prometheus_client makes."""

UNKNOWN_FIELDS: Final = ("status", "eventType", "queuePosition")

_ROWS = {family.name: family for family in EXPORTER_FAMILIES}
_M = TypeVar("_M", bound=MetricWrapperBase)


class SelfMetrics:
    """Counts what the exporter does and renders it.

    Attributes:
        events: the metrics of the event queues.
    """

    def __init__(self) -> None:
        self._registry = CollectorRegistry()
        self._build_info = _build_info()
        self._requests = self._make(Counter, "braket_exporter_api_requests_total")
        durations = _ROWS["braket_exporter_api_request_duration_seconds"]
        self._durations = Histogram(
            durations.name, durations.help, durations.labels, buckets=durations.buckets, registry=self._registry
        )
        self._dropped = self._make(Counter, "braket_exporter_jobs_dropped_total")
        self._parse_errors = self._make(Counter, "braket_exporter_parse_errors_total")
        self._unknown = self._make(Counter, "braket_exporter_unknown_values_total")
        self._tag_values = self._make(Counter, "braket_exporter_tag_values_dropped_total")
        self._log_lines_dropped = self._make(Counter, "braket_exporter_log_lines_dropped_total")
        self._logins_refused = self._make(Counter, "braket_exporter_logins_refused_total")
        self._reload_ok = self._make(Gauge, "braket_exporter_config_last_reload_successful")
        self._reload_time = self._make(Gauge, "braket_exporter_config_last_reload_success_timestamp_seconds")
        self._settings_invalid = self._web_config_invalid = False
        self._state = _StateCollector()
        self._registry.register(self._state)
        self.events = EventMetrics()
        self._registry.register(self.events)
        for reason in DROP_REASONS:
            self._dropped.labels(reason)
        for field in UNKNOWN_FIELDS:
            self._unknown.labels(field)
        ProcessCollector(registry=self._registry)
        PlatformCollector(registry=self._registry)

    def request(self, target: Target, operation: str, code: str, seconds: float) -> None:
        """Count one HTTP attempt and its result."""
        self._requests.labels(*target, operation, code).inc()
        self._durations.labels(*target, operation).observe(seconds)

    def dropped(self, reason: str) -> None:
        """Count a job with dropped series."""
        self._dropped.labels(reason).inc()

    def parse_error(self) -> None:
        """Count a response that cannot be parsed."""
        self._parse_errors.inc()

    def unknown_value(self, field: str) -> None:
        """Count a value that this release does not know."""
        self._unknown.labels(field).inc()

    def tag_keys_used(self, keys: Iterable[str]) -> None:
        """Start the counters of these tag keys at 0."""
        for key in keys:
            self._tag_values.labels(key)

    def tag_value_dropped(self, key: str) -> None:
        """Count a job with a value too many of a tag key for the aggregate metrics."""
        self._tag_values.labels(key).inc()

    def log_line_dropped(self) -> None:
        """Count a log line that was not written."""
        self._log_lines_dropped.inc()

    def login_refused(self) -> None:
        """Count a request with a wrong user name or password."""
        self._logins_refused.inc()

    def settings_loaded(self, now: float) -> None:
        """Note that the active settings were loaded at ``now``, unix seconds."""
        self._settings_invalid = False
        self._reload_time.set(now)
        self._set_reload_result()

    def reload_failed(self) -> None:
        """Note that the settings that were last loaded are not valid, so earlier ones are active."""
        self._settings_invalid = True
        self._set_reload_result()

    def web_config_checked(self, *, failing: bool) -> None:
        """Note whether the web configuration file, which is reloaded when it changes, is not valid."""
        self._web_config_invalid = failing
        self._set_reload_result()

    def state_written(self, now: float, size: int) -> None:
        """Note a successful write of the state file at ``now``, unix seconds, and its size in bytes."""
        self._state.up, self._state.size, self._state.last_write = True, size, now

    def state_failed(self) -> None:
        """Note a failed write of the state file; its size and the time of the last write stay exposed."""
        self._state.up = False

    def render(self, form: Format, wanted: Callable[[str, str], bool], targets: Iterable[TargetStatus]) -> bytes:
        """Render the wanted metrics; in OpenMetrics with the mark that ends a page.

        Args:
            form: the format.
            wanted: returns whether to keep the metrics of a name and type.
            targets: the status of each target.
        """
        families = chain(self._build_info.collect(), _target_families(targets), self._registry.collect())
        selected = _Selected(families, wanted)
        return generate_openmetrics(selected) if form == "openmetrics" else generate_text(selected)

    def _set_reload_result(self) -> None:
        self._reload_ok.set(not (self._settings_invalid or self._web_config_invalid))

    def _make(self, kind: type[_M], name: str) -> _M:
        row = _ROWS[name]
        return kind(row.name, row.help, row.labels, registry=self._registry)


def _build_info() -> Gauge:
    row = _ROWS["braket_exporter_build_info"]
    info = Gauge(row.name, row.help, row.labels, registry=None)
    info.labels(__version__, platform.python_version(), version("boto3")).set(1)
    return info


def _target_families(targets: Iterable[TargetStatus]) -> Iterator[Metric]:
    # By series: several targets of one account and Region share a rate limit, which is one sample.
    samples = {series: value for status in targets for series, value in _target_samples(status)}
    for row in _TARGET_GAUGES:
        family = GaugeMetricFamily(row.name, row.help, labels=row.labels)
        for (name, labels), value in samples.items():
            if name == row.name and value is not None:
                family.add_metric(labels, float(value))
        yield family


class _StateCollector(Collector):
    """Exposes the metrics of the state file; without one, no family at all.

    Attributes:
        up: whether the last write succeeded; ``None`` before the first.
        size: the size in bytes.
        last_write: the time of the last write, unix seconds.
    """

    def __init__(self) -> None:
        self.up: bool | None = None
        self.size: int | None = None
        self.last_write: float | None = None

    def describe(self) -> Iterable[Metric]:
        return ()

    def collect(self) -> Iterator[Metric]:
        values = {
            "braket_exporter_state_up": self.up,
            "braket_exporter_state_size_bytes": self.size,
            "braket_exporter_state_last_write_timestamp_seconds": self.last_write,
        }
        for name, value in values.items():
            if value is not None:
                yield GaugeMetricFamily(name, _ROWS[name].help, float(value))


_TARGET_GAUGES = [
    row for row in EXPORTER_FAMILIES if row.type == "gauge" and row.labels[: len(ACCOUNT_LABELS)] == ACCOUNT_LABELS
]


def _target_samples(status: TargetStatus) -> Iterator[tuple[Series, float | None]]:
    target, health = (*status.target, status.name), status.health
    yield ("braket_exporter_target_up", target), health.up
    yield ("braket_exporter_target_last_success_timestamp_seconds", target), health.last_success
    yield ("braket_exporter_target_poll_duration_seconds", target), status.poll_duration
    yield ("braket_exporter_target_staleness_seconds", target), status.staleness
    yield ("braket_exporter_target_jobs", (*target, "active")), status.active
    yield ("braket_exporter_target_jobs", (*target, "finished")), status.finished
    for operation, rate in status.budget.items():
        yield ("braket_exporter_api_budget_requests_per_second", (*status.target, operation)), rate


class _Selected(Collector):
    """The wanted families, without the ``_created`` series, which nothing here uses."""

    def __init__(self, families: Iterable[Metric], wanted: Callable[[str, str], bool]) -> None:
        self._families, self._wanted = families, wanted

    def collect(self) -> Iterator[Metric]:
        for family in self._families:
            name = f"{family.name}_total" if family.type == "counter" else family.name
            if self._wanted(name, family.type):
                family.samples = [sample for sample in family.samples if not sample.name.endswith("_created")]
                yield family
