"""The row of event queues."""

from typing import Final

from grafana_foundation_sdk.cog.builder import Builder
from grafana_foundation_sdk.models.dashboard import Panel

from grafana.colours import BAD, GOOD, NEUTRAL
from grafana.dashboards import Row
from grafana.panels import Query, graph, number
from grafana.queries import INSTANCE_FILTER, NO_EXPORTER, of_exporters, otherwise

_NOTHING: Final = "No event queue, or no exporter"
_POINTS: Final = 100


def events() -> Row:
    """Build the row of event queues, which has only texts without ``event_queue_url``."""
    up, build = of_exporters("braket_exporter_event_queue_up"), of_exporters("braket_exporter_build_info")
    queue = number(
        "Event queue",
        "Result of the last calls to the event queues. While a queue fails, polls find the changes of its jobs.",
        Query(otherwise(f"min({up})", build)),
        texts={-1: ("Not configured", NEUTRAL), 0: ("Failing", BAD), 1: ("Healthy", GOOD)},
        missing=NO_EXPORTER,
    )
    outcomes = _increases(
        "Events",
        "Messages from the event queues in each step of the graph, by outcome. Applied: the event caused a poll. "
        "Known: a poll had found the change already. Unselected: no watched job. Foreign: another account or Region.",
        "braket_exporter_events_total",
        "outcome",
    )
    found = _increases(
        "Transitions found",
        "Transitions that were found in each step of the graph, by what caused the poll: an event, or the interval.",
        "braket_exporter_transitions_found_total",
        "by",
    )
    return Row(7, [(3, queue), (6, outcomes), (5, _delay()), (5, found), (5, _last_receive())], "Events")


def _delay() -> Builder[Panel]:
    buckets = f"sum by (le) (rate(braket_exporter_event_delay_seconds_bucket{{{INSTANCE_FILTER}}}[1h]))"
    return graph(
        "Event delay",
        "Time from an event to the poll that it caused, in the hour before each step: median and 99th percentile.",
        Query(f"histogram_quantile(0.5, {buckets}) >= 0", "median"),
        Query(f"histogram_quantile(0.99, {buckets}) >= 0", "p99"),
        unit="s",
        points=_POINTS,
        missing=_NOTHING,
    )


def _last_receive() -> Builder[Panel]:
    return graph(
        "Last receive",
        "Time since the last successful ReceiveMessage call; with several event queues, the longest of these times.",
        Query(f"time() - {of_exporters('braket_exporter_event_queue_last_receive_timestamp_seconds')}", "{{instance}}"),
        unit="s",
        points=_POINTS,
        missing=_NOTHING,
    )


def _increases(title: str, description: str, counter: str, label: str) -> Builder[Panel]:
    """Build a graph of the increases of a counter in each step, by a label."""
    increase = f"increase({counter}{{{INSTANCE_FILTER}}}[$__rate_interval])"
    return graph(
        title,
        description,
        Query(f"sum by ({label}) ({increase})", f"{{{{{label}}}}}"),
        bars=True,
        points=_POINTS,
        interval="1m",
        missing=_NOTHING,
    )
