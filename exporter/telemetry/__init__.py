"""Log events, and the metrics of the exporter itself."""

from exporter.telemetry.log_events import EventLog, make_logger
from exporter.telemetry.self_metrics import SelfMetrics

__all__ = [
    "EventLog",
    "SelfMetrics",
    "make_logger",
]
