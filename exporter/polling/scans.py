"""The three scans that SearchJobs calls belong to: for new jobs, for the status of active jobs, and of all jobs.

Each scan holds its pending calls and the time of its next start. Times are monotonic seconds unless stated otherwise.
"""

from collections import deque
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import replace
from typing import ClassVar, Final

from exporter.aws import PAGE_SIZE
from exporter.core import SearchPage, Span
from exporter.polling.search import PageEnd, PageHistory, ScanKind, Search
from exporter.polling.time_windows import CreationIndex, cover, partition
from exporter.storage import BATCH_JOBS

OVERLAP_SECONDS: Final = 600.0
"""A scan for new jobs starts this long before the newest known job: SearchJobs may show a job late."""

MAX_PAGES: Final = 2000
"""The pages that are read of one span: 200,000 jobs."""

MAX_WINDOW_PAGES: Final = 4
"""The pages that a status scan reads of one window. A window fits one page; after more, GetJob is called instead."""

MAX_ATTEMPTS: Final = 5
"""The attempts at a call that the service refuses, or that has a malformed response."""

FULL_SCAN_INTERVAL: Final = 3600.0

_FIRST_STEPS: Final = (86400.0, 3 * 86400.0)
"""The first scan for new jobs reads the newest jobs first, since most of them are active: one day, three days, all."""


class Scan:
    """The pending calls of one scan, and the time of its next start.

    Attributes:
        kind: the kind of the scan.
        due: when the scan starts next.
        first_complete: whether the first scan is complete.

    Args:
        due: when the scan starts first.
    """

    kind: ClassVar[ScanKind]

    def __init__(self, due: float) -> None:
        self.due, self.first_complete = due, False
        self._pending: deque[Search] = deque()
        self._in_flight = 0

    @property
    def has_pending(self) -> bool:
        """Whether a call can be made now."""
        return bool(self._pending)

    @property
    def is_idle(self) -> bool:
        """Whether no call is pending or in flight."""
        return not self._pending and not self._in_flight

    def is_due(self, now: float) -> bool:
        """Return whether the scan starts now: the last one is complete and the interval is over."""
        return now >= self.due and self.is_idle

    def take(self) -> Search:
        """Remove and return the next pending call, which is in flight from now on."""
        self._in_flight += 1
        return self._pending.popleft()

    def add(self, spans: Iterable[Span]) -> None:
        """Add a call for the first page of each span."""
        self._pending.extend(Search(self.kind, span) for span in spans)

    def succeeded(self, search: Search, page: SearchPage, index: CreationIndex) -> PageEnd:
        """Record the response to a call, and add the calls for the rest of its span."""
        self._in_flight -= 1
        end = self._page_end(search, page)
        if page.token is not None and end.continues:
            self._pending.extendleft(reversed(self._rest(search, page, page.token, index)))
        return end

    def failed(self, search: Search, index: CreationIndex, *, refused: bool) -> None:
        """Record a failed call, and add it again.

        A call with a refused token is replaced by calls for smaller spans. A call that is refused too often is dropped;
        the next full scan covers its span.
        """
        self._in_flight -= 1
        if refused and search.attempt >= MAX_ATTEMPTS:
            return
        again = _from_first_page(search, index) if refused and search.token is not None else [search]
        attempt = search.attempt + refused
        # Last, so that a call that always fails does not delay the others.
        self._pending.extend(replace(one, attempt=attempt) for one in again)

    def _page_end(self, search: Search, page: SearchPage) -> PageEnd:
        if page.token is None:
            return PageEnd(continues=False)
        reason = search.history.add(page)
        if reason is None and search.page >= MAX_PAGES:
            reason = f"it has more than {MAX_PAGES:,} pages"
        return PageEnd(continues=reason is None, abandoned=reason)

    def _rest(self, search: Search, page: SearchPage, token: str, index: CreationIndex) -> list[Search]:
        del page, index
        return [_next_page(search, token)]


class NewJobsScan(Scan):
    """Looks for jobs that were created recently; the first scan covers the whole lookback, newest jobs first.

    Attributes:
        interval: the time between the starts of two scans.
        read_several_pages: whether a span had several pages. Such a scan may miss jobs that change meanwhile.

    Args:
        now: when the first scan starts.
        interval: the time between the starts of two scans.
        lookback: the age of the oldest jobs of the first scan.
    """

    kind = ScanKind.NEW_JOBS

    def __init__(self, now: float, interval: float, lookback: float) -> None:
        super().__init__(now)
        self.interval = interval
        self.read_several_pages = False
        self._lookback = lookback
        # Both in unix seconds: the start of the last scan, and the start of the last complete one.
        self._started_at = self._completed_from = float("inf")

    def set_interval(self, interval: float, now: float) -> None:
        """Start scans at another interval."""
        self.interval = interval
        self.due = min(self.due, now + interval)

    def start(self, now: float, wall: float, index: CreationIndex) -> None:
        """Add the calls of the next scan."""
        self.due = now + self.interval
        self._started_at = wall
        self.add([Span(self.newest_start(wall, index), None)] if self.first_complete else self._first_spans(wall))

    def complete(self) -> None:
        """Record that the scan is complete."""
        self._completed_from = self._started_at

    def newest_start(self, wall: float, index: CreationIndex) -> float:
        """Return where a scan after the first one starts, unix seconds: before the newest known job, by Braket's times.

        A creation time in the future must not hide other jobs. While no job is known, the scan starts before the last
        complete scan. That may be longer ago than the lookback.
        """
        if index.newest is not None:
            return min(index.newest, wall) - OVERLAP_SECONDS
        return min(wall - self._lookback, self._completed_from - OVERLAP_SECONDS)

    def _first_spans(self, wall: float) -> list[Span]:
        ages = [*(age for age in _FIRST_STEPS if age < self._lookback), self._lookback]
        ends = [None, *(wall - age for age in ages)]
        return [Span(wall - age, end) for age, end in zip(ages, ends, strict=False)]

    def _rest(self, search: Search, page: SearchPage, token: str, index: CreationIndex) -> list[Search]:
        self.read_several_pages = True
        return super()._rest(search, page, token, index)


class StatusScan(Scan):
    """Reads the status of active jobs, in windows of creation time that hold several of them.

    The windows are planned in batches, so that the target's lock is released in between.

    Args:
        now: when the first scan may start.
        interval: the poll interval.
    """

    kind = ScanKind.STATUS

    def __init__(self, now: float, interval: float) -> None:
        super().__init__(now)
        self.interval = interval
        self._alone: list[str] = []
        self._unplanned: deque[str] = deque()
        self._windows: Iterator[tuple[float, float, int]] = iter(())
        """The jobs without a possible window, and the jobs of the windows to plan, in the order of the windows."""

    @property
    def is_planned(self) -> bool:
        """Whether every active job is planned."""
        return not self._alone and not self._unplanned

    @property
    def is_idle(self) -> bool:
        """Whether every job is planned, and no call is pending or in flight."""
        return self.is_planned and super().is_idle

    def set_interval(self, interval: float, now: float) -> None:
        """Start scans at another interval."""
        self.interval = interval
        self.due = min(self.due, now + interval)

    def skip(self, now: float) -> None:
        """Start no scan for an interval."""
        self.due = now + self.interval

    def start(
        self, active: Sequence[tuple[float | None, str]], now: float, known_from: float, index: CreationIndex
    ) -> None:
        """Start a scan of the active jobs; ``plan`` adds its calls.

        Args:
            active: creation time in unix seconds, where it is known, and ARN of each active job.
            now: the time.
            known_from: the unix time from which on the index is complete.
            index: the creation times of all known jobs.
        """
        self.skip(now)
        inside = sorted((created, arn) for created, arn in active if created is not None and created >= known_from)
        self._alone = [arn for created, arn in active if created is None or created < known_from]
        self._unplanned = deque(arn for _, arn in inside)
        self._windows = cover([created for created, _ in inside], index)

    def plan(self, index: CreationIndex) -> list[str]:
        """Add the calls for a batch of jobs; return the jobs that share a window with no other job."""
        alone, left = self._alone[-BATCH_JOBS:], len(self._unplanned) - BATCH_JOBS
        del self._alone[-BATCH_JOBS:]
        while self._unplanned and len(self._unplanned) > left:
            start, end, jobs = next(self._windows)
            arns = tuple(self._unplanned.popleft() for _ in range(jobs))
            if jobs == 1:
                alone += arns
            else:
                # The newest window includes new jobs, too, while its page has room for them.
                span = Span(start, None if index.window_end(start) == float("inf") else end)
                self._pending.append(Search(self.kind, span, arns=arns))
        return alone

    def failed(self, search: Search, index: CreationIndex, *, refused: bool) -> None:
        """Drop a failed call: the next status scan repeats it."""
        del search, index, refused
        self._in_flight -= 1

    def _page_end(self, search: Search, page: SearchPage) -> PageEnd:
        if page.token is None:
            return PageEnd(continues=False)
        return PageEnd(search.page < MAX_WINDOW_PAGES and page.token != search.token)

    def _rest(self, search: Search, page: SearchPage, token: str, index: CreationIndex) -> list[Search]:
        del index
        listed = {job.arn for job in page.jobs}
        missing = tuple(arn for arn in search.arns if arn not in listed)
        return [replace(_next_page(search, token), arns=missing)]


class FullScan(Scan):
    """Reads the whole lookback in spans that fit one page each.

    It finds jobs that a list of several pages missed, and changed tags.
    """

    kind = ScanKind.FULL

    def __init__(self) -> None:
        super().__init__(float("inf"))

    def start(self, known_from: float, index: CreationIndex) -> None:
        """Add the calls of the next scan.

        Args:
            known_from: the start of the lookback, unix seconds.
            index: the creation times of all known jobs.
        """
        self.due = float("inf")
        index.forget_before(known_from)
        self.add(partition(known_from, index))

    def _rest(self, search: Search, page: SearchPage, token: str, index: CreationIndex) -> list[Search]:
        """Return the next page or, for a span with too many jobs, both halves of the span.

        A page that is half empty and has a ``nextToken`` does not show that there are too many jobs.
        """
        crowded = len(page.jobs) + len(page.problems) > PAGE_SIZE // 2
        if crowded and index.halves(search.span) is not None:
            return _from_first_page(search, index)
        return super()._rest(search, page, token, index)


def _next_page(search: Search, token: str) -> Search:
    return replace(search, token=token, page=search.page + 1)


def _from_first_page(search: Search, index: CreationIndex) -> list[Search]:
    """Return both halves of a span from their first page; the whole span if it cannot be halved."""
    spans = index.halves(search.span) or (search.span,)
    return [replace(search, span=span, token=None, page=1, history=PageHistory()) for span in spans]
