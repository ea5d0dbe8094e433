"""The AWS client of one account and Region, as far as polling needs it."""

from typing import Protocol

from exporter.core import JobSnapshot, SearchPage, Span, Target


class JobClient(Protocol):
    """The calls of the poller; ``exporter.aws.BraketClient`` outside of tests."""

    @property
    def target(self) -> Target:
        """The account and Region; the account is empty until a response shows it."""
        ...

    @property
    def clock_offset(self) -> float:
        """The offset of AWS's clock to the local clock by the last response, seconds."""
        ...

    def get_job(self, arn: str) -> JobSnapshot:
        """Call GetJob for one job."""
        ...

    def search_jobs(self, span: Span, token: str | None) -> SearchPage:
        """Call SearchJobs for one page."""
        ...

    def identify(self) -> None:
        """Call GetCallerIdentity to learn the account."""
        ...
