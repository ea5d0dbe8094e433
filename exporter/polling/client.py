"""The AWS client of one account and Region, as far as polling needs it."""

from collections.abc import Sequence
from typing import Protocol

from exporter.core import (
    DeviceKey,
    DeviceSnapshot,
    JobSnapshot,
    QueueMessage,
    SearchPage,
    Span,
    SpendingLimitPage,
    Target,
)


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

    def search_job(self, arn: str) -> SearchPage:
        """Call SearchJobs for one job by its ARN; the page is empty if the job does not exist."""
        ...

    def get_device(self, key: DeviceKey) -> DeviceSnapshot:
        """Call GetDevice for one device."""
        ...

    def search_spending_limits(self, token: str | None) -> SpendingLimitPage:
        """Call SearchSpendingLimits for one page."""
        ...

    def identify(self) -> None:
        """Call GetCallerIdentity to learn the account."""
        ...


class EventQueueClient(Protocol):
    """The calls to one queue; ``exporter.aws.EventQueueClient`` outside of tests."""

    @property
    def url(self) -> str:
        """The URL of the queue."""
        ...

    def receive(self, wait: int) -> Sequence[QueueMessage]:
        """Call ReceiveMessage: wait that many seconds, at most 20, for messages, and return at most ten."""
        ...

    def delete(self, messages: Sequence[QueueMessage]) -> None:
        """Call DeleteMessageBatch for at most ten messages. A message that is not deleted is delivered again."""
        ...
