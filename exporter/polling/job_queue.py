"""The jobs that wait for GetJob, the most urgent first. A small state; all times are monotonic seconds."""

from collections.abc import Iterator
from heapq import heappop, heappush
from itertools import count
from typing import Final

from exporter.polling.schedule import JobSchedule, Priority, Rank

_ALWAYS_FIRST: Final = (Priority.CHANGED, Priority.NEW)
_IN_TURN: Final = (Priority.DUE, Priority.REFRESH, Priority.FILL)


class JobQueue:
    """Watches by urgency, and by rank within one urgency. A watch that was replaced leaves its old entry behind."""

    def __init__(self) -> None:
        self._watches: dict[str, tuple[int, JobSchedule]] = {}
        self._heaps: dict[Priority, list[tuple[Rank, int, str]]] = {urgency: [] for urgency in Priority}
        self._numbers = count()

    def __len__(self) -> int:
        return len(self._watches)

    def __iter__(self) -> Iterator[JobSchedule]:
        return (watch for _, watch in self._watches.values())

    def get(self, arn: str) -> JobSchedule | None:
        """Return the watch of a job, if it is on the agenda."""
        entry = self._watches.get(arn)
        return None if entry is None else entry[1]

    def put(self, watch: JobSchedule) -> None:
        """Put a watch on the agenda, in place of the one that its job had."""
        number, before = self._watches.get(watch.arn, (-1, None))
        if before is None or (before.urgency, before.rank) != (watch.urgency, watch.rank):
            number = next(self._numbers)
            heappush(self._heaps[watch.urgency], (watch.rank, number, watch.arn))
        self._watches[watch.arn] = (number, watch)

    def remove(self, arn: str) -> None:
        """Take a job off the agenda, if it is there."""
        self._watches.pop(arn, None)

    def due(self, now: float, *, turn: Priority = Priority.DUE) -> JobSchedule | None:
        """Return the watch to ask for now, and leave it on the agenda.

        Args:
            now: the time.
            turn: which urgency goes before the others, of those below ``NEW``.
        """
        for urgency in (*_ALWAYS_FIRST, turn, *_IN_TURN):
            watch = self._first(urgency)
            if watch is not None and watch.due <= now:
                return watch
        return None

    def next_due(self) -> float:
        """Tell when the next watch is due; infinity for an empty agenda."""
        heads = (self._first(urgency) for urgency in Priority)
        return min((watch.due for watch in heads if watch is not None), default=float("inf"))

    def _first(self, urgency: Priority) -> JobSchedule | None:
        heap = self._heaps[urgency]
        while heap:
            _, number, arn = heap[0]
            entry = self._watches.get(arn)
            if entry is not None and entry[0] == number:
                return entry[1]
            heappop(heap)
        return None
