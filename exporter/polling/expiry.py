"""Drops the finished jobs of a target: those whose retention is over, and those beyond the series limit."""

from collections.abc import Iterable, Sequence

from exporter.core import MAX_JOBS, JobRecord
from exporter.polling.discovery import Discovery
from exporter.polling.target_state import TargetState
from exporter.storage import Ranked


def forget_expired(state: TargetState) -> None:
    """Drop the jobs whose retention is over."""
    with state.lock:
        discovery = state.discovery  # which a change of plan takes away under the lock
        gone = [] if discovery is None else discovery.remove_expired(state.clock.wall(), in_flight=state.jobs.under_way)
        _forget(state, (record for record, _ in gone))
    for record, reason in gone:
        state.telemetry.dropped(reason)
        state.event_log.forgotten(record.arn, record.snapshot, reason)
    state.store.flush()


def forget_beyond_limit(state: TargetState, discovery: Discovery, jobs: Sequence[Ranked]) -> list[JobRecord]:
    """Drop the finished jobs that were found here and are beyond the series limit; the caller holds the lock."""
    gone = discovery.remove_beyond_limit(jobs, state.clock.wall(), in_flight=state.jobs.under_way)
    _forget(state, gone)
    return gone


def log_dropped(state: TargetState, jobs: Iterable[JobRecord]) -> None:
    """Log the dropped jobs that have responded: the log does not mention the others."""
    for record in jobs:
        if record.snapshot is not None:
            state.event_log.forgotten(record.arn, record.snapshot, MAX_JOBS)


def _forget(state: TargetState, records: Iterable[JobRecord]) -> None:
    for record in records:
        state.store.forget(record.arn, state.tombstones.entry(record.arn))
