"""The client of one account and Region, as far as polling needs it."""

from typing import Protocol

from exporter.core import JobSnapshot, SearchPage, Span, Target


class JobSource(Protocol):
    """What the poller calls; ``exporter.aws.client.BraketClient`` outside of tests."""

    @property
    def target(self) -> Target:
        """The account and Region; the account is empty until a response shows it."""
        ...

    @property
    def clock_offset(self) -> float:
        """How many seconds AWS's clock is ahead of the local one, by the latest response."""
        ...

    def get_job(self, arn: str) -> JobSnapshot:
        """Call GetJob for one job."""
        ...

    def search_jobs(self, span: Span, token: str | None) -> SearchPage:
        """Call SearchJobs for one page."""
        ...

    def identify(self) -> None:
        """Learn the account."""
        ...
