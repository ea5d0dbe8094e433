"""Which jobs the page for people lists, and in which order: search, filter and sort. Pure."""

from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from heapq import nlargest, nsmallest
from itertools import chain
from typing import Any, Final, Literal
from urllib.parse import urlencode

from exporter.core.arn import parse_device
from exporter.core.jobs import JobRecord, JobSnapshot
from exporter.storage.job_index import LEAST_URGENT, Glance, Pile, statuses_of, urgency_of

MOST_ROWS: Final = 500
"""Jobs on the page; more would only make a browser slow."""

MOST_CHARACTERS: Final = 256
"""Of each thing that is asked for; a job's name has no more."""

Order = Literal["asc", "desc"]
_Value = Any
"""Text or a number, of one kind for all jobs; ``None`` where a job has none."""


@dataclass(frozen=True, slots=True)
class Wish:
    """What is asked of the list, as the page's query parameters tell it; empty texts ask for nothing.

    Attributes:
        q: words that must all be in a job's name, ARN, status, device, failure category or error code.
        status: a status, ``NO_ANSWER``, or ``MAX_RUNTIME_EXCEEDED`` for jobs that ran out of time.
        sort: a key of ``FIRST_ORDER``; without one, what asks for a look comes first.
        order: of the sort.
    """

    q: str = ""
    status: str = ""
    sort: str = ""
    order: Order = "asc"

    @property
    def parameters(self) -> dict[str, str]:
        """The query parameters that ask for this."""
        order = self.order if self.sort else ""
        named = {"q": self.q, "status": self.status, "sort": self.sort, "order": order}
        return {name: value for name, value in named.items() if value}

    @property
    def href(self) -> str:
        """The page's address that asks for this, relative to the page."""
        return f"?{urlencode(self.parameters)}" if self.parameters else "."

    def sorted_by(self, key: str) -> "Wish":
        """Ask for an order by ``key``; for the other direction if that is the order already."""
        if key == self.sort:
            return replace(self, order="desc" if self.order == "asc" else "asc")
        return replace(self, sort=key, order=FIRST_ORDER[key])


EVERYTHING: Final = Wish()


@dataclass(frozen=True, slots=True)
class Listing:
    """What came of a wish.

    Attributes:
        shown: the jobs to list, ``MOST_ROWS`` at the most.
        fitting: how many fit the wish.
        found: how many the search alone found, by status; one that ran out of time counts under two.
        total: how many jobs there are.
    """

    shown: Sequence[JobRecord]
    fitting: int
    found: Mapping[str, int]
    total: int


def read_wish(query: Mapping[str, Sequence[str]]) -> Wish:
    """Read the query parameters of the page; what has no meaning is passed over."""
    given = {name: values[0].strip()[:MOST_CHARACTERS] for name, values in query.items() if values}
    sort = given.get("sort", "")
    if sort not in FIRST_ORDER:
        return Wish(given.get("q", ""), given.get("status", ""))
    order = FIRST_ORDER[sort]
    if given.get("order") in ("asc", "desc"):
        order = "asc" if given["order"] == "asc" else "desc"
    return Wish(given.get("q", ""), given.get("status", ""), sort, order)


def list_jobs(records: Iterable[JobRecord], wish: Wish, now: float, piles: Sequence[Pile] = ()) -> Listing:
    """Choose the jobs to list. It goes through them once and keeps no more than are shown.

    Args:
        records: jobs.
        wish: what is asked for.
        now: unix seconds.
        piles: the other jobs; those that do not matter are not looked at, unless there is a search or a sort.
    """
    sieve = _Sieve(wish.q.casefold().split(), wish.status)
    if sieve.words or wish.sort:
        everything = chain(records, chain.from_iterable(pile.records() for pile in piles))
        shown = _first(sieve.fitting(everything), wish, now)
    else:
        shown = _first(sieve.fitting(records), wish, now)
        for pile in piles:
            sieve.count(pile)
        shown = _with_the_most_urgent(shown, piles, wish.status)
    return Listing(shown, sieve.fitted, sieve.found, sieve.total)


@dataclass(slots=True)
class _Sieve:
    """Lets through what fits, and counts."""

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

    def count(self, pile: Pile) -> None:
        """Count a pile without a look at its jobs, where no words are searched for."""
        self.total += pile.total
        for status, glance in pile.glances.items():
            self.found[status] += glance.jobs
        self.fitted += pile.glances.get(self.status, Glance(0, LEAST_URGENT)).jobs if self.status else pile.total


def ran_seconds(record: JobRecord, now: float) -> float | None:
    """Tell how long a job ran, or has been running."""
    job = record.snapshot
    if job is None or job.started is None:
        return None
    end = job.ended if job.finished else now
    return None if end is None else max(0.0, end - job.started)


def billable_seconds(record: JobRecord) -> float | None:
    """Tell a job's billable seconds, over all of its instances."""
    job = record.snapshot
    if job is None or job.billable_seconds is None:
        return None
    return job.billable_seconds * (job.instance_count or 1)


def short_device(device: str) -> str:
    """Tell a device by its provider and name, which is what people call it; one that is no ARN stays whole."""
    parts = parse_device(device)
    return f"{parts.provider}/{parts.name}" if parts.type in {"qpu", "simulator"} else device


def _has(record: JobRecord, words: Iterable[str]) -> bool:
    text = f"{record.arn} {record.failing or ''}"
    job = record.snapshot
    if job is not None:
        text = f"{job.name} {text} {job.status} {job.device} {job.failure_category or ''}"
    text = text.casefold()
    return all(word in text for word in words)


def _first(records: Iterable[JobRecord], wish: Wish, now: float) -> list[JobRecord]:
    """Sort, and keep as many as are shown; jobs without a value come last in either direction."""
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


def _with_the_most_urgent(shown: list[JobRecord], piles: Iterable[Pile], status: str) -> list[JobRecord]:
    """Put those of the piles among the jobs to show that ask for a look sooner, pile by pile until none does."""
    firsts = [(_first_of(pile, status), pile) for pile in piles]
    for first, pile in sorted(firsts, key=lambda each: each[0]):
        if first >= (urgency_of(shown[-1]) if len(shown) == MOST_ROWS else LEAST_URGENT):
            break
        fitting = (record for record in pile.records() if not status or status in statuses_of(record))
        shown = nsmallest(MOST_ROWS, chain(shown, fitting), key=urgency_of)
    return shown


def _first_of(pile: Pile, status: str) -> tuple[int, float]:
    of_interest = (glance.first for each, glance in pile.glances.items() if status in ("", each))
    return min(of_interest, default=LEAST_URGENT)


def _of(read: Callable[[JobSnapshot], _Value]) -> Callable[[JobRecord, float], _Value]:
    return lambda record, _: None if record.snapshot is None else read(record.snapshot)


def _name(record: JobRecord, _: float) -> str:
    name = "" if record.snapshot is None else record.snapshot.name
    return (name or record.arn).casefold()


def _used_share(record: JobRecord, now: float) -> float | None:
    """Tell which part of its time a job used up: those near their end are what people look for."""
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
"""What the list can be sorted by, and which direction people want first."""
