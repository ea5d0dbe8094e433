"""The SearchJobs calls: what to ask for next, so that new jobs are found and active ones are known to live.

Three kinds take turns. A *list* looks for jobs that were created lately, or at the start for all of the lookback,
following page after page. A *round* asks for the windows of creation time that hold the active jobs. A *sweep* goes
through the whole lookback in spans that fit a page each, since a list of several pages may miss jobs while it changes,
and since tags change. A small state; times are monotonic seconds but where unix seconds are named.
"""

from collections import deque
from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from enum import Enum
from typing import Final, NamedTuple

from exporter.aws import PAGE_SIZE
from exporter.core import SearchPage, Span
from exporter.polling.time_windows import CreationIndex, cover, partition

OVERLAP_SECONDS: Final = 600.0
"""A list begins so long before the newest job that is known: SearchJobs does not promise to show jobs at once."""

MOST_PAGES: Final = 2000
"""Of one span: 200,000 jobs."""

MOST_IDLE_PAGES: Final = 20
"""So many pages in a row of one span may bring no job that an earlier page did not; filters can leave pages empty."""

MOST_PAGES_OF_A_WINDOW: Final = 4
"""A window fits one page; where the service makes several of it, so many are read before GetJob is asked instead."""

MOST_TRIES: Final = 5
"""So often a call is made that the service refuses, or answers with what cannot be read."""

SWEEP_INTERVAL: Final = 3600.0
SWEEP_TURN: Final = 8
"""While there is other work, each eighth call may be the sweep's."""

_FIRST_STEPS: Final = (86400.0, 3 * 86400.0)
"""The first list begins with the newest jobs, of which most are active: those of a day, then of three, then all."""


class Purpose(Enum):
    """Why SearchJobs is called."""

    LIST = "list"
    ROUND = "round"
    SWEEP = "sweep"


@dataclass(slots=True)
class Trail:
    """The pages of one span so far, to notice a service whose pages never end. A small state."""

    tokens: set[int] = field(default_factory=set)
    jobs: set[int] = field(default_factory=set)
    idle: int = 0

    def dead_end(self, page: SearchPage) -> str | None:
        """Take in a page; return why its ``nextToken`` should not be followed, if there is a reason.

        Tokens and ARNs are remembered by their hashes: two that share one cost a page, which the next sweep brings.
        """
        jobs = {hash(job.arn) for job in page.jobs}
        self.idle = 0 if jobs - self.jobs else self.idle + 1
        self.jobs |= jobs
        token = hash(page.token)
        if token in self.tokens:
            return "a nextToken repeats"
        self.tokens.add(token)
        return f"{self.idle} pages in a row bring no further job" if self.idle >= MOST_IDLE_PAGES else None


class PageEnd(NamedTuple):
    """What follows a page: whether the next page of its span is called, and why its span is abandoned, if it is."""

    goes_on: bool
    abandoned: str | None = None


@dataclass(frozen=True, slots=True)
class Search:
    """One SearchJobs call.

    Attributes:
        purpose: why.
        span: the jobs to tell, by creation.
        token: of the next page.
        arns: the active jobs that a round expects on the page, and on those before it did not find.
        page: which page of the span.
        tries: how often it was called, this time included.
        trail: the pages of the span so far.
    """

    purpose: Purpose
    span: Span
    token: str | None = None
    arns: tuple[str, ...] = ()
    page: int = field(default=1, compare=False)
    tries: int = field(default=1, compare=False)
    trail: Trail = field(default_factory=Trail, compare=False, repr=False)


class SearchPlanner:
    """Plans the SearchJobs calls of one account and Region.

    Args:
        now: the time.
        lookback: how far back jobs are looked for, seconds.
        discovery_interval: how often new jobs are looked for, seconds.
        round_interval: how stale an active job may become, seconds.
    """

    def __init__(self, now: float, *, lookback: float, discovery_interval: float, round_interval: float) -> None:
        self._lookback, self._discovery_interval, self._round_interval = lookback, discovery_interval, round_interval
        self.index = CreationIndex()
        self.listed = False
        """Whether the first list is complete."""
        self.swept = False
        """Whether all jobs of the lookback are known, however the first list's pages were ordered."""
        self._list_began = self._listed_at = float("inf")
        """When the last list began, and the last one that is complete, unix seconds."""
        self._queues: dict[Purpose, deque[Search]] = {purpose: deque() for purpose in Purpose}
        self._under_way = dict.fromkeys(Purpose, 0)
        self._list_due = now
        self._round_due = now
        self._sweep_due = float("inf")
        self._several_pages = False
        self._turn = 0

    def resume(self, created: float, now: float) -> None:
        """Go on after a restart: list from the newest job that is known, then sweep through all of the lookback.

        Args:
            created: when a known job was created, unix seconds.
            now: the time.
        """
        self.index.add(created)
        self.listed, self._sweep_due = True, now

    def begun_again(self, now: float) -> "SearchPlanner":
        """Return a plan that begins now and knows which jobs this one knows; calls under way are not its own."""
        plan = SearchPlanner(
            now,
            lookback=self._lookback,
            discovery_interval=self._discovery_interval,
            round_interval=self._round_interval,
        )
        plan.index, plan.listed = self.index, self.listed
        if self.listed:
            plan._sweep_due = now
        return plan

    def pace(self, now: float, *, discovery_interval: float, round_interval: float) -> None:
        """Look for new jobs, and at the active ones, at other intervals from now on."""
        self._discovery_interval, self._round_interval = discovery_interval, round_interval
        self._list_due = min(self._list_due, now + discovery_interval)
        self._round_due = min(self._round_due, now + round_interval)

    def next(self, now: float, wall: float) -> Search | None:
        """Take the next call, if one is due; ``page`` or ``failed`` must be told of its end.

        Args:
            now: the time.
            wall: the time in unix seconds.
        """
        if now >= self._list_due and self._is_idle(Purpose.LIST):
            self._begin_list(now, wall)
        if now >= self._sweep_due and self._is_idle(Purpose.SWEEP):
            self._begin_sweep(wall)
        for purpose in self._order():
            if self._queues[purpose]:
                self._turn += 1
                self._under_way[purpose] += 1
                return self._queues[purpose].popleft()
        return None

    def next_due(self) -> float:
        """Tell when there will be a call to make, or a round to begin."""
        if any(self._queues.values()):
            return float("-inf")
        dues = {Purpose.LIST: self._list_due, Purpose.SWEEP: self._sweep_due}
        if self.listed:
            dues[Purpose.ROUND] = self._round_due
        return min((due for purpose, due in dues.items() if self._is_idle(purpose)), default=float("inf"))

    def round_due(self, now: float) -> bool:
        """Tell whether a round should begin: there was none for an interval, and it is known what fills the pages."""
        return self.listed and now >= self._round_due and self._is_idle(Purpose.ROUND)

    def begin_round(self, active: Sequence[tuple[float | None, str]], now: float, wall: float) -> list[str]:
        """Plan the windows that hold the given jobs; return those that share a page with none of the others.

        Args:
            active: time of creation in unix seconds, where it is known, and ARN of each job.
            now: the time.
            wall: the time in unix seconds.
        """
        self._round_due = now + self._round_interval
        known_from = wall - self._lookback
        inside = sorted((created, arn) for created, arn in active if created is not None and created >= known_from)
        lone = [arn for created, arn in active if created is None or created < known_from]
        first = 0
        for start, end, jobs in cover([created for created, _ in inside], self.index):
            arns = tuple(arn for _, arn in inside[first : first + jobs])
            first += jobs
            if jobs == 1:
                lone += arns
            else:
                # The newest window looks for new jobs, too, while there is room for them on its page.
                span = Span(start, None if self.index.reach(start) == float("inf") else end)
                self._queues[Purpose.ROUND].append(Search(Purpose.ROUND, span, arns=arns))
        return lone

    def skip_round(self, now: float) -> None:
        """Have no round for an interval."""
        self._round_due = now + self._round_interval

    def page(self, search: Search, page: SearchPage, now: float) -> PageEnd:
        """Take in the response to a call."""
        self._under_way[search.purpose] -= 1
        for job in page.jobs:
            if job.created is not None:
                self.index.add(job.created)
        end = self._page_end(search, page)
        if page.token is not None and end.goes_on:
            self._several_pages |= search.purpose is Purpose.LIST
            self._queues[search.purpose].extendleft(reversed(self._rest(search, page, page.token)))
        self._end(search.purpose, now)
        return end

    @staticmethod
    def _page_end(search: Search, page: SearchPage) -> PageEnd:
        if page.token is None:
            return PageEnd(goes_on=False)
        if search.purpose is Purpose.ROUND:
            return PageEnd(search.page < MOST_PAGES_OF_A_WINDOW and page.token != search.token)
        reason = search.trail.dead_end(page)
        if reason is None and search.page >= MOST_PAGES:
            reason = f"it has more than {MOST_PAGES:,} pages"
        return PageEnd(goes_on=reason is None, abandoned=reason)

    def failed(self, search: Search, now: float, *, own_fault: bool) -> None:
        """Have a call made again; one whose token the service does not take any more, for smaller spans instead.

        A round's call is let go: the next round makes it anew. So is a call that has failed by its own fault too
        often: the next sweep makes it anew.

        Args:
            search: the call.
            now: the time.
            own_fault: whether the service refuses the call itself, or answers it with what cannot be read.
        """
        self._under_way[search.purpose] -= 1
        if search.purpose is not Purpose.ROUND and not (own_fault and search.tries >= MOST_TRIES):
            again = self._anew(search) if own_fault and search.token is not None else [search]
            tries = search.tries + own_fault
            # Last, so that such a call does not keep the others from being made.
            self._queues[search.purpose].extend(replace(one, tries=tries) for one in again)
        self._end(search.purpose, now)

    def _is_idle(self, purpose: Purpose) -> bool:
        return not self._queues[purpose] and not self._under_way[purpose]

    def _order(self) -> Sequence[Purpose]:
        if self._turn % SWEEP_TURN == 0:
            return (Purpose.SWEEP, Purpose.LIST, Purpose.ROUND)
        if self._turn % 2:
            return (Purpose.LIST, Purpose.ROUND, Purpose.SWEEP)
        return (Purpose.ROUND, Purpose.LIST, Purpose.SWEEP)

    def _begin_list(self, now: float, wall: float) -> None:
        self._list_due = now + self._discovery_interval
        self._list_began = wall
        spans = self._first_spans(wall) if not self.listed else [Span(self._newest_start(wall), None)]
        self._queues[Purpose.LIST].extend(Search(Purpose.LIST, span) for span in spans)

    def horizon(self, wall: float) -> float:
        """Return the earliest creation time, unix seconds, to which any list from now on reaches back.

        Every span begins at the lookback, or at the overlap before the newest job that is known. That job may be older
        than the lookback: in an account without new jobs the lists go on to begin there. What is remembered of
        forgotten jobs must last as long as this horizon, however the lookback and the overlap relate.
        """
        return min(wall - self._lookback, self._newest_start(wall))

    def _first_spans(self, wall: float) -> list[Span]:
        ages = [*(age for age in _FIRST_STEPS if age < self._lookback), self._lookback]
        ends = [None, *(wall - age for age in ages)]
        return [Span(wall - age, end) for age, end in zip(ages, ends, strict=False)]

    def _newest_start(self, wall: float) -> float:
        """Return where a list for new jobs begins: before the newest job that is known, by Braket's own times.

        A job from the future must not hide the others. While no job is known, it begins before the last complete list,
        which may be longer ago than the lookback.
        """
        newest = self.index.newest
        if newest is not None:
            return min(newest, wall) - OVERLAP_SECONDS
        return min(wall - self._lookback, self._listed_at - OVERLAP_SECONDS)

    def _begin_sweep(self, wall: float) -> None:
        self._sweep_due = float("inf")
        self.index.forget_before(wall - self._lookback)
        spans = partition(wall - self._lookback, self.index)
        self._queues[Purpose.SWEEP].extend(Search(Purpose.SWEEP, span) for span in spans)

    def _anew(self, search: Search) -> list[Search]:
        """Both halves of a span from their first page; the whole span when it cannot be halved."""
        spans = self.index.halves(search.span) or (search.span,)
        return [replace(search, span=span, token=None, page=1, trail=Trail()) for span in spans]

    def _rest(self, search: Search, page: SearchPage, token: str) -> list[Search]:
        """What is still to be asked for: the next page or, when a sweep meets too many jobs, both halves of its span.

        A page that is half empty and yet names a next one does not tell that there are too many jobs.
        """
        crowded = len(page.jobs) + len(page.problems) > PAGE_SIZE // 2
        if search.purpose is Purpose.SWEEP and crowded and self.index.halves(search.span) is not None:
            return self._anew(search)
        told = {job.arn for job in page.jobs}
        missing = tuple(arn for arn in search.arns if arn not in told)
        return [replace(search, token=token, page=search.page + 1, arns=missing)]

    def _end(self, purpose: Purpose, now: float) -> None:
        """Note that a list or a sweep is complete, if it is."""
        if purpose is Purpose.ROUND or not self._is_idle(purpose):
            return
        if purpose is Purpose.SWEEP:
            self.swept = True
            self._sweep_due = now + SWEEP_INTERVAL
            return
        self._listed_at = self._list_began
        if not self.listed:
            self.listed = True
            self.swept = not self._several_pages
            self._sweep_due = now + (0.0 if self._several_pages else SWEEP_INTERVAL)
