"""The metrics of the event queues. Without a queue, no family is exposed."""

from collections.abc import Callable, Iterable, Iterator, Sequence
from typing import Final

from prometheus_client import CollectorRegistry, Counter, Histogram
from prometheus_client.metrics_core import GaugeMetricFamily, Metric
from prometheus_client.registry import Collector

from exporter.core import EVENT_OUTCOMES, JOB_STATE_CHANGE, QueueStatus
from exporter.metrics import EXPORTER_FAMILIES

FOUND_BY: Final = ("event", "poll")
"""The values of the label ``by``."""

_ROWS = {family.name: family for family in EXPORTER_FAMILIES}


class EventMetrics(Collector):
    """Counts events, and exposes the status of the queues. Register it once."""

    def __init__(self) -> None:
        self._registry = CollectorRegistry()
        self._statuses: Callable[[], Sequence[QueueStatus]] = tuple
        received, found = _ROWS["braket_exporter_events_total"], _ROWS["braket_exporter_transitions_found_total"]
        delay = _ROWS["braket_exporter_event_delay_seconds"]
        self._received = Counter(received.name, received.help, received.labels, registry=self._registry)
        self._delay = Histogram(delay.name, delay.help, buckets=delay.buckets, registry=self._registry)
        self._found = Counter(found.name, found.help, found.labels, registry=self._registry)
        for outcome in EVENT_OUTCOMES:
            self._received.labels(JOB_STATE_CHANGE, outcome)
        for by in FOUND_BY:
            self._found.labels(by)

    def watch(self, statuses: Callable[[], Sequence[QueueStatus]]) -> None:
        """Expose the status of these queues."""
        self._statuses = statuses

    def received(self, detail_type: str, outcome: str) -> None:
        """Count a message with its outcome."""
        self._received.labels(detail_type, outcome).inc()

    def delayed(self, seconds: float) -> None:
        """Record the time from an event to the poll that it caused. A negative time counts as 0: a clock is behind."""
        self._delay.observe(max(0.0, seconds))

    def transition_found(self, by: str) -> None:
        """Count a transition of a job, by the reason of its poll."""
        self._found.labels(by).inc()

    def describe(self) -> Iterable[Metric]:
        """Return no family: the registry calls this method instead of ``collect`` at the registration."""
        return ()

    def collect(self) -> Iterator[Metric]:
        """Yield the families."""
        statuses = self._statuses()
        if not statuses:
            return
        yield from _status_families(statuses)
        yield from self._registry.collect()


def _status_families(statuses: Sequence[QueueStatus]) -> Iterator[Metric]:
    """Yield the families over all queues: a queue that fails is never hidden by another one."""
    up = [status.up for status in statuses if status.up is not None]
    received = [status.last_receive for status in statuses if status.last_receive is not None]
    values = {
        "braket_exporter_event_queue_up": all(up) if up else None,
        "braket_exporter_event_queue_last_receive_timestamp_seconds": min(received) if received else None,
    }
    for name, value in values.items():
        if value is not None:
            yield GaugeMetricFamily(name, _ROWS[name].help, float(value))
