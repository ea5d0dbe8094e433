"""Drops the finished jobs of a target: expired jobs, and jobs beyond the series limit."""

from collections.abc import Iterable, Sequence

from exporter.core import MAX_JOBS, JobRecord
from exporter.polling.target_state import TargetState
from exporter.storage import Ranked


def drop_expired(state: TargetState) -> None:
    """Drop the expired jobs."""
    with state.lock:
        discovery = state.discovery  # a reconfiguration may remove it under the lock
        expired = (
            [] if discovery is None else discovery.remove_expired(state.clock.wall(), in_flight=state.jobs.in_flight)
        )
        _drop(state, (record for record, _ in expired))
    for record, reason in expired:
        state.telemetry.dropped(reason)
        state.event_log.forgotten(record.arn, record.snapshot, reason)
    state.store.flush()


def drop_beyond_limit(state: TargetState, jobs: Sequence[Ranked]) -> list[JobRecord]:
    """Drop the discovered, finished jobs beyond the series limit; return them. The caller holds the lock."""
    if state.discovery is None:
        return []
    dropped = state.discovery.remove_beyond_limit(jobs, state.clock.wall(), in_flight=state.jobs.in_flight)
    _drop(state, dropped)
    return dropped


def log_dropped(state: TargetState, jobs: Iterable[JobRecord]) -> None:
    """Log the dropped jobs. The log does not mention a job without a response."""
    for record in jobs:
        if record.snapshot is not None:
            state.event_log.forgotten(record.arn, record.snapshot, MAX_JOBS)


def _drop(state: TargetState, records: Iterable[JobRecord]) -> None:
    for record in records:
        state.store.forget(record.arn, state.tombstones.entry(record.arn))
