"""The call sources of one target in turn."""

from collections.abc import Sequence
from typing import Any

from exporter.polling.sources.call import Call, CallSource


class Rotation:
    """Gives each source its turn: where responses are slow, the threads do not suffice for all budgets.

    The caller holds the poller's lock.

    Args:
        sources: the sources, in the order in which they are offered first.
    """

    def __init__(self, sources: Sequence[CallSource]) -> None:
        self._sources = sources
        self._turn = 0

    @property
    def operations(self) -> tuple[str, ...]:
        """The operations that are called at present."""
        return tuple(source.operation for source in self._active())

    def due(self, now: float) -> Call[Any] | float:
        """Return a call that is due, or the seconds until there may be one."""
        sources, waits = self._active(), list[float]()
        for place in range(len(sources)):
            number = (self._turn + place) % len(sources)
            call = sources[number].due(now)
            if isinstance(call, Call):
                if len(sources) > 1:
                    self._turn = (number + 1) % len(sources)
                return call
            waits.append(call)
        return min(waits)

    def _active(self) -> list[CallSource]:
        return [source for source in self._sources if source.active]
