"""Windows of creation time: how few SearchJobs pages tell the status of many jobs.

SearchJobs has no filter for a status or for several ARNs, but one for ``createdAt``, and a page holds 100 jobs. So jobs
that were created close together are asked for together, finished and foreign ones between them included.
"""

from array import array
from bisect import bisect_left, bisect_right
from collections.abc import Iterator, Sequence
from typing import Final

from exporter.core import Span

FILL: Final = 96
"""Known jobs that a window may hold; the rest of the page is for jobs that nobody has told us of."""


class CreationIndex:
    """When the jobs of an account and Region were created, watched or not: what fills a page. A small state.

    Jobs of the same millisecond count once, which costs a page that turns out too full and nothing else.
    """

    def __init__(self) -> None:
        self._times = array("d")

    def __len__(self) -> int:
        return len(self._times)

    def add(self, created: float) -> None:
        """Take in a job's time of creation, unix seconds."""
        position = bisect_left(self._times, created)
        if position == len(self._times) or self._times[position] != created:
            self._times.insert(position, created)

    def forget_before(self, time: float) -> None:
        """Drop what was created before a time."""
        del self._times[: bisect_left(self._times, time)]

    @property
    def newest(self) -> float | None:
        """When the newest job was created."""
        return self._times[-1] if self._times else None

    def count(self, start: float, end: float) -> int:
        """Count the jobs created from ``start`` to ``end``, both included."""
        return bisect_right(self._times, end) - bisect_left(self._times, start)

    def reach(self, start: float) -> float:
        """Tell up to when a window that begins at ``start`` may extend; infinity when all that follow fit."""
        beyond = bisect_left(self._times, start) + FILL
        return self._times[beyond - 1] if beyond <= len(self._times) else float("inf")

    def halves(self, span: Span) -> tuple[Span, Span] | None:
        """Split a span where half of its jobs are on each side; ``None`` for one that cannot be split."""
        first = bisect_left(self._times, span.start)
        last = len(self._times) if span.end is None else bisect_right(self._times, span.end)
        middle = self._times[(first + last) // 2] if last - first > 1 else span.start
        if middle <= span.start or (span.end is not None and middle >= span.end):
            return None
        return Span(span.start, middle), Span(middle, span.end)


def cover(created: Sequence[float], index: CreationIndex) -> Iterator[tuple[float, float, int]]:
    """Cover jobs with the fewest windows; yield each one's start and end, unix seconds, and how many jobs it covers.

    Args:
        created: when the jobs were created, sorted.
        index: knows what else was created between them.
    """
    first = 0
    while first < len(created):
        beyond = max(first + 1, bisect_right(created, index.reach(created[first])))
        yield created[first], created[beyond - 1], beyond - first
        first = beyond


def partition(start: float, index: CreationIndex) -> list[Span]:
    """Divide all time since ``start`` into spans whose jobs fit a page each."""
    spans: list[Span] = []
    while (end := index.reach(start)) < float("inf") and end > start:
        spans.append(Span(start, end))
        start = end
    return [*spans, Span(start, None)]
