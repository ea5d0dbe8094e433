"""The jobs that one poller watches: those that wait for GetJob, the calls under way, and the first poll's progress.

A small state; all times are monotonic seconds.
"""

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import replace

from exporter.polling.job_queue import JobQueue
from exporter.polling.poll_progress import PollProgress
from exporter.polling.schedule import JobSchedule, Priority, brought_forward

Handover = Mapping[str, JobSchedule | None]
"""Known jobs that change hands, each with its watch, unless there is nothing left to ask."""


class WatchedJobs:
    """Has each job that is still polled either in the queue or under way. Its caller holds the poller's lock.

    Attributes:
        configured: the jobs that the settings name.
        queue: the jobs that wait for GetJob.
        under_way: the jobs that GetJob is being called for.
        progress: how far the first poll has come.
    """

    def __init__(self) -> None:
        self.configured: tuple[str, ...] = ()
        self.queue, self.under_way = JobQueue(), dict[str, JobSchedule]()
        self.progress = PollProgress(())

    def __len__(self) -> int:
        return len(self.queue) + len(self.under_way)

    def active(self) -> Iterator[JobSchedule]:
        """Yield the watches of the jobs that have not ended."""
        return (watch for watch in (*self.queue, *self.under_way.values()) if not watch.ended)

    def is_under_way(self, watch: JobSchedule) -> bool:
        """Return whether a call for just this watch is under way: the job may have left meanwhile."""
        return self.under_way.get(watch.arn) is watch

    def begin(self, watch: JobSchedule, now: float) -> None:
        """Take a job from the queue, because GetJob is called for it."""
        self.progress.start_cycle((other.arn for other in self.queue if not other.ended), now)
        self.queue.remove(watch.arn)
        self.under_way[watch.arn] = watch

    def put_back(self, arn: str, again: JobSchedule | None, *, tried: bool) -> None:
        """End the call for a job.

        Args:
            arn: the job.
            again: its next watch; ``None`` if there is nothing left to ask.
            tried: whether the first poll waits for it no longer.
        """
        del self.under_way[arn]
        if again is not None:
            self.queue.put(again)
        if tried:
            self.progress.remove(arn)

    def had_turn(self, arns: Iterable[str], now: float) -> None:
        """Record that jobs had their turn in the pass over all active jobs."""
        self.progress.polled(arns, now, nothing_due=not self.under_way and self.queue.next_due() > now)

    def resume(self, watch: JobSchedule | None) -> None:
        """Go on with a job, if there is anything left to ask."""
        if watch is not None:
            self.queue.put(watch)
            if watch.priority is Priority.NEW:
                self.progress.add(watch.arn, ended=False)

    def leave(self, arn: str) -> JobSchedule | None:
        """Drop a job; return its watch, if there is anything left to ask."""
        watch = self.under_way.pop(arn, None) or self.queue.get(arn)
        self.queue.remove(arn)
        self.progress.remove(arn)
        # Another one, lest a response under way be taken for its own.
        return None if watch is None else replace(watch)

    def bring_forward(self, now: float, interval: float) -> None:
        """Have each job polled within an interval that has become shorter."""
        for watch in [*self.queue]:
            self.queue.put(brought_forward(watch, now=now, interval=interval))
