"""The call sources of one target in turn."""

from collections.abc import Sequence
from typing import Any

from exporter.polling.sources.call import Call, CallSource


class RoundRobin:
    """Gives each source its turn: with slow responses, the threads cannot use the rate limit of every operation.

    The caller holds the target's lock.

    Args:
        sources: the sources in the order of their first turns.
    """

    def __init__(self, sources: Sequence[CallSource]) -> None:
        self._sources = sources
        self._turn = 0

    @property
    def operations(self) -> tuple[str, ...]:
        """The operations of the active sources."""
        return tuple(source.operation for source in self._active())

    @property
    def polled_once(self) -> bool:
        """Whether every optional call was made once."""
        return all(getattr(source, "polled_once", True) for source in self._sources)

    def due(self, now: float) -> Call[Any] | float:
        """Return a due call, or the seconds until a call may be due."""
        sources, waits = self._active(), list[float]()
        for offset in range(len(sources)):
            number = (self._turn + offset) % len(sources)
            call = sources[number].due(now)
            if isinstance(call, Call):
                if len(sources) > 1:
                    self._turn = (number + 1) % len(sources)
                return call
            waits.append(call)
        return min(waits)

    def _active(self) -> list[CallSource]:
        return [source for source in self._sources if source.active]
