"""What the exporter reports about itself: log events and its own metrics."""

from exporter.telemetry.exposition import expose
from exporter.telemetry.log_events import (
    EventLog,
    job_fields,
    outcome_fields,
    rfc3339,
    transition_fields,
)
from exporter.telemetry.log_writer import write_text
from exporter.telemetry.logger import make_logger
from exporter.telemetry.self_metrics import PROCESS_METRICS, SelfMetrics

__all__ = [
    "PROCESS_METRICS",
    "EventLog",
    "SelfMetrics",
    "expose",
    "job_fields",
    "make_logger",
    "outcome_fields",
    "rfc3339",
    "transition_fields",
    "write_text",
]
