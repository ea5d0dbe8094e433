"""Windows of creation time, so that few SearchJobs pages show the status of many jobs.

SearchJobs has no filter for a status or for several ARNs, but it has one for ``createdAt``. A page holds 100 jobs. So
one call covers jobs that were created close together, including finished and foreign jobs between them.
"""

from array import array
from bisect import bisect_left, bisect_right
from collections.abc import Iterator, Sequence
from typing import Final

from exporter.core import Span

WINDOW_JOBS: Final = 96
"""The known jobs that a window may hold; the rest of the page is for unknown jobs."""


class CreationIndex:
    """The creation times of the jobs of an account and Region, watched or not.

    Jobs of the same millisecond count once. The only effect is a page with too many jobs.
    """

    def __init__(self) -> None:
        self._times = array("d")

    def __len__(self) -> int:
        return len(self._times)

    def add(self, created: float) -> None:
        """Add the creation time of a job, unix seconds."""
        position = bisect_left(self._times, created)
        if position == len(self._times) or self._times[position] != created:
            self._times.insert(position, created)

    def forget_before(self, time: float) -> None:
        """Delete the creation times before a time."""
        del self._times[: bisect_left(self._times, time)]

    @property
    def newest(self) -> float | None:
        """The creation time of the newest job."""
        return self._times[-1] if self._times else None

    def count(self, start: float, end: float) -> int:
        """Return the number of jobs created from ``start`` to ``end``, both inclusive."""
        return bisect_right(self._times, end) - bisect_left(self._times, start)

    def window_end(self, start: float) -> float:
        """Return the latest end of a window that starts at ``start``; infinity if all later jobs fit."""
        beyond = bisect_left(self._times, start) + WINDOW_JOBS
        return self._times[beyond - 1] if beyond <= len(self._times) else float("inf")

    def halves(self, span: Span) -> tuple[Span, Span] | None:
        """Return the two halves of a span, by its jobs; ``None`` for a span that cannot be halved."""
        first = bisect_left(self._times, span.start)
        last = len(self._times) if span.end is None else bisect_right(self._times, span.end)
        middle = self._times[(first + last) // 2] if last - first > 1 else span.start
        if middle <= span.start or (span.end is not None and middle >= span.end):
            return None
        return Span(span.start, middle), Span(middle, span.end)


def cover(created: Sequence[float], index: CreationIndex) -> Iterator[tuple[float, float, int]]:
    """Cover jobs with the fewest windows; yield the start and end, unix seconds, and the job count of each window.

    Args:
        created: the creation times of the jobs, sorted.
        index: the creation times of all known jobs.
    """
    first = 0
    while first < len(created):
        beyond = max(first + 1, bisect_right(created, index.window_end(created[first])))
        yield created[first], created[beyond - 1], beyond - first
        first = beyond


def partition(start: float, index: CreationIndex) -> list[Span]:
    """Divide the time since ``start`` into spans of one page each."""
    spans: list[Span] = []
    while (end := index.window_end(start)) < float("inf") and end > start:
        spans.append(Span(start, end))
        start = end
    return [*spans, Span(start, None)]
