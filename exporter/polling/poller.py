"""The poller of a target: makes the due calls of its call sources."""

from collections.abc import Callable, Hashable
from typing import Final

from exporter.polling.sources import Call, RoundRobin
from exporter.polling.target_state import TargetState

IDLE: Final = 10.0
"""The longest time until the sources are asked again, seconds."""


def _nothing() -> None:
    pass


class TargetPoller:
    """Makes the calls of one target. Several threads may call ``step`` at the same time.

    The watched jobs can change while a call is in flight. Its outcome is ignored if it does not matter any more.

    Args:
        state: the target.
        sources: the call sources.
    """

    def __init__(self, state: TargetState, sources: RoundRobin) -> None:
        self._state, self._sources = state, sources

    @property
    def group(self) -> Hashable:
        """The credentials of the target."""
        return self._state.config.credentials

    def step(self, starting: Callable[[], None] = _nothing) -> float:
        """Make one due call and return 0, or return the seconds until a call may be due.

        Args:
            starting: is called before the call is made. From then on, another thread can ask for the next call.
        """
        now = self._state.clock.monotonic()
        with self._state.lock:
            call = self._sources.due(now)
        if not isinstance(call, Call):
            return max(0.0, min(IDLE, call))
        starting()
        record_outcome = call.outcome()
        with self._state.outcome_lock:
            if call.is_current():
                record_outcome()
        call.done()
        with self._state.lock:
            self._state.publish()
        return 0.0
