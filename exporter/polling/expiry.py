"""Drops the finished jobs of a target: expired jobs, and jobs beyond the series limit.

Jobs are dropped in batches: locks are released in between, and each batch is persisted before it is logged. So a batch
that was logged is not logged again after a restart.
"""

import time
from collections.abc import Callable, Iterable, Sequence
from typing import Final

from exporter.core import MAX_JOBS, JobRecord
from exporter.polling.target_state import TargetState
from exporter.storage import Ranked, in_batches

PAUSE: Final = 0.001
"""The pause between two batches, seconds: without it, a thread that waits for the lock might never get it."""


def drop_expired(state: TargetState, stopped: Callable[[], bool]) -> None:
    """Drop the expired jobs.

    Args:
        state: the target.
        stopped: whether to leave the rest to a later call.
    """
    while not stopped() and _drop_expired_batch(state):
        time.sleep(PAUSE)


def drop_beyond_limit(state: TargetState, jobs: Sequence[Ranked], stopped: Callable[[], bool]) -> None:
    """Drop the discovered, finished jobs beyond the series limit. Active ones stay, without series.

    Args:
        state: the target.
        jobs: all jobs beyond the limit.
        stopped: whether to leave the rest to a later call.
    """
    for batch in in_batches(jobs):
        if stopped():
            return
        if _drop_batch_beyond_limit(state, batch):
            time.sleep(PAUSE)


def _drop_expired_batch(state: TargetState) -> bool:
    """Drop a batch of expired jobs; return whether there may be more."""
    with state.lock:
        expiring = () if state.discovery is None else state.discovery.expiring(state.clock.wall())
    state.store.open(expiring, leaving=True)  # not under the target's lock: the jobs may be in many blocks
    with state.changing():
        discovery = state.discovery  # a reconfiguration may remove it under the lock
        if discovery is None:
            return False
        expired = discovery.remove_expired(state.clock.wall(), in_flight=state.jobs.in_flight)
        _drop(state, (record for record, _ in expired.jobs))
    state.store.flush()
    for record, reason in expired.jobs:
        state.telemetry.dropped(reason)
        state.event_log.forgotten(record.arn, record.snapshot, reason)
    return expired.more


def _drop_batch_beyond_limit(state: TargetState, jobs: Sequence[Ranked]) -> bool:
    """Drop those of a batch that were discovered here and are finished; return whether there were any."""
    with state.changing():
        if state.discovery is None:
            return False
        dropped = state.discovery.remove_beyond_limit(jobs, state.clock.wall(), in_flight=state.jobs.in_flight)
        _drop(state, dropped)
    if dropped:
        state.store.flush()
    for record in dropped:
        if record.snapshot is not None:  # the log does not mention a job without a response
            state.event_log.forgotten(record.arn, record.snapshot, MAX_JOBS)
    return bool(dropped)


def _drop(state: TargetState, records: Iterable[JobRecord]) -> None:
    state.store.forget({record.arn: state.tombstones.entry(record.arn) for record in records})
