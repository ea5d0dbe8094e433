"""The progress of polling: the first poll of all jobs, and the duration of each poll cycle."""

from collections.abc import Iterable


class PollProgress:
    """The pending jobs of one account and Region. All times are monotonic seconds.

    Attributes:
        pending_active: active jobs that the first poll has not reached.
        pending_finished: jobs that ended before they were discovered and that the first poll has not reached.
        cycle_duration: the duration of the last poll cycle over all active jobs, seconds; ``None`` before the first.

    Args:
        pending: active jobs to poll first.
    """

    def __init__(self, pending: Iterable[str] = ()) -> None:
        self.pending_active = set(pending)
        self.pending_finished: set[str] = set()
        self.cycle_duration: float | None = None
        self._cycle_start: float | None = None
        self._cycle_jobs: set[str] = set()

    def add(self, arn: str, *, ended: bool) -> None:
        """Add a discovered job to the first poll."""
        (self.pending_finished if ended else self.pending_active).add(arn)

    def remove(self, arn: str) -> None:
        """Remove a job from the first poll and from the poll cycle."""
        self.pending_active.discard(arn)
        self.pending_finished.discard(arn)
        self._cycle_jobs.discard(arn)

    def start_cycle(self, jobs: Iterable[str], now: float) -> None:
        """Start a poll cycle over the given jobs, unless a cycle is running."""
        if self._cycle_start is None:
            self._cycle_start, self._cycle_jobs = now, set(jobs)

    def polled(self, arns: Iterable[str], now: float, *, nothing_due: bool) -> None:
        """Record polled jobs. The cycle ends once no job is due, or once each of its jobs is polled."""
        self._cycle_jobs.difference_update(arns)
        if self._cycle_start is not None and (nothing_due or not self._cycle_jobs):
            self.cycle_duration, self._cycle_start = now - self._cycle_start, None
