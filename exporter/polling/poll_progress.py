"""The progress of the first poll of all jobs."""

from collections.abc import Iterable


class PollProgress:
    """The pending jobs of one account and Region.

    Attributes:
        pending_active: active jobs that the first poll has not reached.
        pending_finished: jobs that ended before they were discovered and that the first poll has not reached.

    Args:
        pending: active jobs to poll first.
    """

    def __init__(self, pending: Iterable[str] = ()) -> None:
        self.pending_active = set(pending)
        self.pending_finished: set[str] = set()

    def add(self, arn: str, *, ended: bool) -> None:
        """Add a discovered job to the first poll."""
        (self.pending_finished if ended else self.pending_active).add(arn)

    def remove(self, arn: str) -> None:
        """Remove a job from the first poll."""
        self.pending_active.discard(arn)
        self.pending_finished.discard(arn)
