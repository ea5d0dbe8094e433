"""The job table of the status page: search, filter and sort. Pure."""

from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from heapq import nlargest, nsmallest
from itertools import chain
from typing import Any, Final, Literal
from urllib.parse import urlencode

from exporter.core import JobRecord, JobSnapshot, short_device
from exporter.storage import LEAST_URGENT, BlockSummary, StatusSummary, statuses_of, urgency_of

MOST_ROWS: Final = 500
"""The highest number of jobs on the page; more would make a browser slow."""

MOST_CHARACTERS: Final = 256
"""The longest query parameter; a job's name is not longer."""

Order = Literal["asc", "desc"]
_Value = Any
"""Text or a number, of one kind for all jobs; ``None`` where a job has none."""


@dataclass(frozen=True, slots=True)
class Wish:
    """The search, filter and order of the query parameters; an empty text sets nothing.

    Attributes:
        q: words that must all be in a job's name, ARN, status, device, failure category or error code.
        status: a status, ``NO_ANSWER``, or ``MAX_RUNTIME_EXCEEDED`` for jobs that ran out of time.
        sort: a key of ``FIRST_ORDER``; without one, the most urgent jobs come first.
        order: the direction of the sort.
    """

    q: str = ""
    status: str = ""
    sort: str = ""
    order: Order = "asc"

    @property
    def parameters(self) -> dict[str, str]:
        """The query parameters of this wish."""
        order = self.order if self.sort else ""
        named = {"q": self.q, "status": self.status, "sort": self.sort, "order": order}
        return {name: value for name, value in named.items() if value}

    @property
    def href(self) -> str:
        """The page's address with these query parameters, relative to the page."""
        return f"?{urlencode(self.parameters)}" if self.parameters else "."

    def sorted_by(self, key: str) -> "Wish":
        """Return the wish sorted by ``key``; in the other direction when it is sorted by it already."""
        if key == self.sort:
            return replace(self, order="desc" if self.order == "asc" else "asc")
        return replace(self, sort=key, order=FIRST_ORDER[key])


EVERYTHING: Final = Wish()


@dataclass(frozen=True, slots=True)
class Listing:
    """The jobs that match a wish.

    Attributes:
        shown: the jobs to list, at most ``MOST_ROWS``.
        fitting: the number of jobs that match the wish.
        found: the number of jobs that match the search, by status; a job that ran out of time counts under two.
        total: the number of all jobs.
    """

    shown: Sequence[JobRecord]
    fitting: int
    found: Mapping[str, int]
    total: int


def read_wish(query: Mapping[str, Sequence[str]]) -> Wish:
    """Read the query parameters of the page; invalid ones are ignored."""
    given = {name: values[0].strip()[:MOST_CHARACTERS] for name, values in query.items() if values}
    sort = given.get("sort", "")
    if sort not in FIRST_ORDER:
        return Wish(given.get("q", ""), given.get("status", ""))
    order = FIRST_ORDER[sort]
    if given.get("order") in ("asc", "desc"):
        order = "asc" if given["order"] == "asc" else "desc"
    return Wish(given.get("q", ""), given.get("status", ""), sort, order)


def list_jobs(records: Iterable[JobRecord], wish: Wish, now: float, summaries: Sequence[BlockSummary] = ()) -> Listing:
    """Choose the jobs to list. It goes through them once and keeps no more than are shown.

    Args:
        records: the jobs that are in no block.
        wish: the search, filter and order.
        now: Unix time, seconds.
        summaries: the other jobs; without a search or a sort, only blocks with jobs to show are read.
    """
    sieve = _Sieve(wish.q.casefold().split(), wish.status)
    if sieve.words or wish.sort:
        everything = chain(records, chain.from_iterable(summary.records() for summary in summaries))
        shown = _first(sieve.fitting(everything), wish, now)
    else:
        shown = _first(sieve.fitting(records), wish, now)
        for summary in summaries:
            sieve.count(summary)
        shown = _with_the_most_urgent(shown, summaries, wish.status)
    return Listing(shown, sieve.fitted, sieve.found, sieve.total)


@dataclass(slots=True)
class _Sieve:
    """Filters jobs, and counts them."""

    words: Sequence[str]
    status: str
    fitted: int = 0
    found: Counter[str] = field(default_factory=Counter)
    total: int = 0

    def fitting(self, records: Iterable[JobRecord]) -> Iterator[JobRecord]:
        for record in records:
            self.total += 1
            if self.words and not _has(record, self.words):
                continue
            statuses = statuses_of(record)
            for status in statuses:
                self.found[status] += 1
            if not self.status or self.status in statuses:
                self.fitted += 1
                yield record

    def count(self, summary: BlockSummary) -> None:
        """Count the jobs of a block without reading them; valid without a search only."""
        self.total += summary.total
        for status, glance in summary.statuses.items():
            self.found[status] += glance.jobs
        self.fitted += (
            summary.statuses.get(self.status, StatusSummary(0, LEAST_URGENT)).jobs if self.status else summary.total
        )


def ran_seconds(record: JobRecord, now: float) -> float | None:
    """Return how long a job ran, or has been running."""
    job = record.snapshot
    if job is None or job.started is None:
        return None
    end = job.ended if job.finished else now
    return None if end is None else max(0.0, end - job.started)


def billable_seconds(record: JobRecord) -> float | None:
    """Return a job's billable seconds, over all of its instances."""
    job = record.snapshot
    if job is None or job.billable_seconds is None:
        return None
    return job.billable_seconds * (job.instance_count or 1)


def _has(record: JobRecord, words: Iterable[str]) -> bool:
    text = f"{record.arn} {record.failing or ''}"
    job = record.snapshot
    if job is not None:
        text = f"{job.name} {text} {job.status} {job.device} {job.failure_category or ''}"
    text = text.casefold()
    return all(word in text for word in words)


def _first(records: Iterable[JobRecord], wish: Wish, now: float) -> list[JobRecord]:
    """Return the first ``MOST_ROWS`` jobs of the order; jobs without a value come last in either direction."""
    if not wish.sort:
        return nsmallest(MOST_ROWS, records, key=urgency_of)
    value, lacking = _VALUES[wish.sort], list[JobRecord]()

    def having() -> Iterator[JobRecord]:
        for record in records:
            if value(record, now) is not None:
                yield record
            elif len(lacking) < MOST_ROWS:
                lacking.append(record)

    first = (nlargest if wish.order == "desc" else nsmallest)(
        MOST_ROWS, having(), key=lambda record: value(record, now)
    )
    return [*first, *lacking][:MOST_ROWS]


def _with_the_most_urgent(shown: list[JobRecord], summaries: Iterable[BlockSummary], status: str) -> list[JobRecord]:
    """Merge the more urgent jobs of the blocks into the shown jobs, block by block until no block has any."""
    firsts = [(_first_of(summary, status), summary) for summary in summaries]
    for first, summary in sorted(firsts, key=lambda each: each[0]):
        if first >= (urgency_of(shown[-1]) if len(shown) == MOST_ROWS else LEAST_URGENT):
            break
        fitting = (record for record in summary.records() if not status or status in statuses_of(record))
        shown = nsmallest(MOST_ROWS, chain(shown, fitting), key=urgency_of)
    return shown


def _first_of(summary: BlockSummary, status: str) -> tuple[int, float]:
    of_interest = (glance.first for each, glance in summary.statuses.items() if status in ("", each))
    return min(of_interest, default=LEAST_URGENT)


def _of(read: Callable[[JobSnapshot], _Value]) -> Callable[[JobRecord, float], _Value]:
    return lambda record, _: None if record.snapshot is None else read(record.snapshot)


def _name(record: JobRecord, _: float) -> str:
    name = "" if record.snapshot is None else record.snapshot.name
    return (name or record.arn).casefold()


def _used_share(record: JobRecord, now: float) -> float | None:
    """Return the used share of a job's maximum runtime."""
    ran = ran_seconds(record, now)
    limit = None if record.snapshot is None else record.snapshot.max_runtime_seconds
    return None if ran is None or not limit else ran / limit


_VALUES: Final[Mapping[str, Callable[[JobRecord, float], _Value]]] = {
    "status": lambda record, _: statuses_of(record)[0],
    "job": _name,
    "device": _of(lambda job: short_device(job.device).casefold() or None),
    "region": _of(lambda job: f"{job.region} {job.account}"),
    "queue": _of(lambda job: job.queue_position),
    "created": _of(lambda job: job.created),
    "used": _used_share,
    "billable": lambda record, _: billable_seconds(record),
    "answered": lambda record, _: record.polled_at,
}
FIRST_ORDER: Final[Mapping[str, Order]] = {
    key: "desc" if key in {"created", "used", "billable"} else "asc" for key in _VALUES
}
"""The keys to sort by, and the first direction of each."""
