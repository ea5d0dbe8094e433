"""A SearchJobs call, the scan that it belongs to, and the end of a span of pages."""

from dataclasses import dataclass, field
from enum import Enum
from typing import Final, NamedTuple

from exporter.core import SearchPage, Span

MAX_IDLE_PAGES: Final = 20
"""Consecutive pages of one span without a further job before the span is abandoned; filters can leave pages empty."""


class ScanKind(Enum):
    """The scan that a SearchJobs call belongs to."""

    NEW_JOBS = "new jobs"
    """The scan for jobs that were created recently; the first one covers the whole lookback."""
    STATUS = "status"
    """The scan of the creation times of active jobs."""
    FULL = "full"
    """The scan of the whole lookback in windows of one page each."""


@dataclass(slots=True)
class PageHistory:
    """The pages of one span so far. It detects a service that returns pages without end.

    Tokens and ARNs are kept as hashes. A hash collision costs one page, which the next full scan reads.
    """

    tokens: set[int] = field(default_factory=set)
    jobs: set[int] = field(default_factory=set)
    idle: int = 0

    def add(self, page: SearchPage) -> str | None:
        """Add a page; return the reason not to follow its ``nextToken``, if there is one."""
        jobs = {hash(job.arn) for job in page.jobs}
        self.idle = 0 if jobs - self.jobs else self.idle + 1
        self.jobs |= jobs
        token = hash(page.token)
        if token in self.tokens:
            return "a nextToken repeats"
        self.tokens.add(token)
        return f"{self.idle} pages in a row bring no further job" if self.idle >= MAX_IDLE_PAGES else None


class PageEnd(NamedTuple):
    """The continuation after a page.

    Attributes:
        continues: whether further calls follow for the span.
        abandoned: the reason why the rest of the span is abandoned, if it is.
    """

    continues: bool
    abandoned: str | None = None


@dataclass(frozen=True, slots=True)
class Search:
    """One SearchJobs call.

    Attributes:
        scan: the scan that the call belongs to.
        span: the range of creation times.
        token: the token of the page; ``None`` for the first page.
        arns: the active jobs that a status scan expects on this page or a later one of the span.
        page: the number of the page within the span.
        attempt: the number of the attempt at this call.
        history: the pages of the span so far.
    """

    scan: ScanKind
    span: Span
    token: str | None = None
    arns: tuple[str, ...] = ()
    page: int = field(default=1, compare=False)
    attempt: int = field(default=1, compare=False)
    history: PageHistory = field(default_factory=PageHistory, compare=False, repr=False)
