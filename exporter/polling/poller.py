"""The poller of a target: a loop over call sources."""

from typing import Final

from exporter.polling.sources import Call, RoundRobin
from exporter.polling.target_state import TargetState

IDLE: Final = 1.0
"""The longest sleep of a thread, seconds. Each step shows that the thread is not stuck."""


class TargetPoller:
    """Makes the calls of one target. Several threads may call ``step`` at the same time.

    The watched jobs can change while a call is in flight. Its outcome is ignored if it does not matter any more.

    Args:
        state: the target.
        sources: the call sources.
    """

    def __init__(self, state: TargetState, sources: RoundRobin) -> None:
        self._state, self._sources = state, sources

    def step(self) -> float:
        """Make one due call and return 0, or return the seconds until a call is due."""
        now = self._state.clock.monotonic()
        with self._state.lock:
            call = self._sources.due(now)
        if not isinstance(call, Call):
            return max(0.0, min(IDLE, call))
        record_outcome = call.outcome()
        with self._state.outcome_lock:
            if call.is_current():
                record_outcome()
        call.done()
        with self._state.lock:
            self._state.publish()
        return 0.0
