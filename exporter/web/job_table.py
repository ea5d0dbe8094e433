"""The job table of the status page: search, filter and sort. Pure."""

import re
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from heapq import nlargest, nsmallest
from itertools import chain
from typing import Any, Final
from urllib.parse import urlencode

from exporter.core import JobRecord
from exporter.storage import LEAST_URGENT, BlockSummary, statuses_of, urgency_of
from exporter.web.job_columns import SORTABLE
from exporter.web.table_cells import Order

MAX_ROWS: Final = 500
"""The highest number of jobs on the page; more would make a browser slow."""

MAX_QUERY_LENGTH: Final = 256
"""The longest query parameter; a job's name is not longer."""

REFRESH_INTERVAL: Final = 30
"""Seconds between two loads of the page, by its own link."""

REFRESH_INTERVALS: Final = range(5, 3601)
"""Seconds that the query parameter may set."""


@dataclass(frozen=True, slots=True)
class JobQuery:
    """The query parameters: search, filter, order and refresh; an empty text and 0 set nothing.

    Attributes:
        q: words that must all be in a job's name, ARN, status, device, failure category or error code.
        status: a status, ``NO_ANSWER``, or ``MAX_RUNTIME_EXCEEDED`` for jobs that ran out of time.
        sort: a key of ``SORTABLE``; without one, the most urgent jobs come first.
        order: the direction of the sort.
        refresh: seconds after which the browser loads the page again.
    """

    q: str = ""
    status: str = ""
    sort: str = ""
    order: Order = "asc"
    refresh: int = 0

    @property
    def parameters(self) -> dict[str, str]:
        """The query parameters."""
        order = self.order if self.sort else ""
        refresh = str(self.refresh or "")
        named = {"q": self.q, "status": self.status, "sort": self.sort, "order": order, "refresh": refresh}
        return {name: value for name, value in named.items() if value}

    @property
    def href(self) -> str:
        """The page's address with these query parameters, relative to the page."""
        return f"?{urlencode(self.parameters)}" if self.parameters else "."

    @property
    def reset(self) -> "JobQuery":
        """The query without search, filter and order."""
        return JobQuery(refresh=self.refresh)

    def refreshed(self, seconds: int = REFRESH_INTERVAL) -> "JobQuery":
        """Return the query with a refresh every ``seconds``; without a refresh for 0."""
        return replace(self, refresh=seconds)

    def with_status(self, status: str) -> "JobQuery":
        """Return the query with another status; all statuses when it is empty."""
        return replace(self, status=status)

    def sorted_by(self, key: str) -> "JobQuery":
        """Return the query sorted by ``key``; in the other direction when it is sorted by it already."""
        if key == self.sort:
            return replace(self, order="desc" if self.order == "asc" else "asc")
        return replace(self, sort=key, order=SORTABLE[key].first_order)


ALL_JOBS: Final = JobQuery()


@dataclass(frozen=True, slots=True)
class Listing:
    """The jobs that match a query.

    Attributes:
        shown: the jobs to list, at most ``MAX_ROWS``.
        matching: the number of jobs that match the query.
        by_status: the number of jobs that match the search, by status; a job that ran out of time counts under two.
        total: the number of all jobs.
    """

    shown: Sequence[JobRecord]
    matching: int
    by_status: Mapping[str, int]
    total: int


def parse_query(parameters: Mapping[str, Sequence[str]]) -> JobQuery:
    """Parse the query parameters of the page; invalid ones are ignored."""
    given = {name: values[0].strip()[:MAX_QUERY_LENGTH] for name, values in parameters.items() if values}
    query = JobQuery(given.get("q", ""), given.get("status", ""), refresh=_refresh(given.get("refresh", "")))
    if given.get("sort") not in SORTABLE:
        return query
    query = query.sorted_by(given["sort"])
    if given.get("order") in ("asc", "desc"):
        return replace(query, order="asc" if given["order"] == "asc" else "desc")
    return query


def _refresh(text: str) -> int:
    seconds = int(text) if re.fullmatch("[0-9]{1,4}", text) else 0
    return seconds if seconds in REFRESH_INTERVALS else 0


def list_jobs(
    records: Iterable[JobRecord], query: JobQuery, now: float, summaries: Sequence[BlockSummary] = ()
) -> Listing:
    """Choose the jobs to list. It goes through them once and keeps no more than are shown.

    Args:
        records: the jobs that are in no block.
        query: the search, filter and order.
        now: Unix time, seconds.
        summaries: the other jobs; without a search or a sort, only blocks with jobs to show are read.
    """
    jobs = _JobFilter(query.q.casefold().split(), query.status)
    if jobs.words or query.sort:
        everything = chain(records, chain.from_iterable(summary.records() for summary in summaries))
        return jobs.listing(_first(jobs.matches(everything), query, now), ())
    shown = _first(jobs.matches(records), query, now)
    return jobs.listing(_with_the_most_urgent(shown, summaries, query.status), summaries)


@dataclass(slots=True)
class _JobFilter:
    """Filters jobs, and counts them.

    Attributes:
        words: the words that must all be in a job.
        status: the status that a job must have; any when empty.
        found: the number of jobs with these words, by all of their statuses.
        total: the number of all jobs.
    """

    words: Sequence[str]
    status: str
    found: Counter[tuple[str, ...]] = field(default_factory=Counter)
    total: int = 0

    def matches(self, records: Iterable[JobRecord]) -> Iterator[JobRecord]:
        words, wanted, found = self.words, self.status, self.found
        for record in records:
            self.total += 1
            if words and not _has(record, words):
                continue
            statuses = statuses_of(record)
            found[statuses] += 1
            if not wanted or wanted in statuses:
                yield record

    def listing(self, shown: Sequence[JobRecord], summaries: Iterable[BlockSummary]) -> Listing:
        """Return the listing; the jobs of the summaries are counted without reading them."""
        by_status = Counter[str]()
        for statuses, jobs in self.found.items():
            by_status.update(dict.fromkeys(statuses, jobs))
        matching, total = by_status[self.status] if self.status else self.found.total(), self.total
        for summary in summaries:
            counts = {status: jobs.jobs for status, jobs in summary.statuses.items()}
            by_status.update(counts)
            matching += counts.get(self.status, 0) if self.status else summary.total
            total += summary.total
        return Listing(shown, matching, by_status, total)


def _has(record: JobRecord, words: Iterable[str]) -> bool:
    text = f"{record.arn} {record.failing or ''}"
    job = record.snapshot
    if job is not None:
        text = f"{job.name} {text} {job.status} {job.device} {job.failure_category or ''}"
    text = text.casefold()
    return all(word in text for word in words)


def _first(records: Iterable[JobRecord], query: JobQuery, now: float) -> list[JobRecord]:
    """Return the first ``MAX_ROWS`` jobs of the order; jobs without a value come last in either direction."""
    value = SORTABLE[query.sort].value if query.sort else None
    if value is None:
        return nsmallest(MAX_ROWS, records, key=urgency_of)
    without_value = list[JobRecord]()
    having = _with_value(records, lambda record: value(record, now), without_value)
    first = (nlargest if query.order == "desc" else nsmallest)(MAX_ROWS, having, key=lambda record: value(record, now))
    return [*first, *without_value][:MAX_ROWS]


def _with_value(
    records: Iterable[JobRecord], value: Callable[[JobRecord], Any], without_value: list[JobRecord]
) -> Iterator[JobRecord]:
    """Yield the jobs with a value; the first ``MAX_ROWS`` others are appended to ``without_value``."""
    for record in records:
        if value(record) is not None:
            yield record
        elif len(without_value) < MAX_ROWS:
            without_value.append(record)


def _with_the_most_urgent(shown: list[JobRecord], summaries: Iterable[BlockSummary], status: str) -> list[JobRecord]:
    """Merge the more urgent jobs of the blocks into the shown jobs, block by block until no block has any."""
    firsts = [(_first_of(summary, status), summary) for summary in summaries]
    for first, summary in sorted(firsts, key=lambda each: each[0]):
        if first >= (urgency_of(shown[-1]) if len(shown) == MAX_ROWS else LEAST_URGENT):
            break
        matching = (record for record in summary.records() if not status or status in statuses_of(record))
        shown = nsmallest(MAX_ROWS, chain(shown, matching), key=urgency_of)
    return shown


def _first_of(summary: BlockSummary, status: str) -> tuple[int, float]:
    urgencies = (jobs.first for each, jobs in summary.statuses.items() if status in ("", each))
    return min(urgencies, default=LEAST_URGENT)
