"""The jobs that one target watches: the queue of due jobs, the GetJob calls in flight, and the first poll.

All times are monotonic seconds.
"""

from collections.abc import Callable, Iterable, Mapping
from dataclasses import replace

from exporter.polling.job_queue import JobQueue
from exporter.polling.poll_progress import PollProgress
from exporter.polling.schedule import JobSchedule, Priority, brought_forward
from exporter.storage import BATCH_JOBS

JobTransfer = Mapping[str, JobSchedule | None]
"""Known jobs that move to another target, each with its schedule; ``None`` if no further details are expected."""


class WatchedJobs:
    """Each job that is still polled is either in the queue or in flight. The caller holds the target's lock.

    Attributes:
        configured: the configured jobs.
        queue: the jobs that wait for GetJob.
        in_flight: the jobs with a GetJob call in flight.
        progress: the progress of the first poll.
    """

    def __init__(self) -> None:
        self.configured: tuple[str, ...] = ()
        self.queue, self.in_flight = JobQueue(), dict[str, JobSchedule]()
        self.progress = PollProgress()

    def __len__(self) -> int:
        return len(self.queue) + len(self.in_flight)

    def get(self, arn: str) -> JobSchedule | None:
        """Return the schedule of a job that is still polled."""
        return self.queue.get(arn) or self.in_flight.get(arn)

    def is_in_flight(self, schedule: JobSchedule) -> bool:
        """Return whether the call for exactly this schedule is in flight: the job may be removed meanwhile."""
        return self.in_flight.get(schedule.arn) is schedule

    def start_poll(self, schedule: JobSchedule, now: float) -> None:
        """Move a job from the queue to the calls in flight."""
        self.queue.active.cycle.start(now)
        self.queue.take(schedule.arn)
        self.in_flight[schedule.arn] = schedule

    def end_poll(self, arn: str, schedule: JobSchedule | None, *, attempted: bool) -> None:
        """End the call for a job.

        Args:
            arn: the job.
            schedule: its next schedule; ``None`` if no further details are expected.
            attempted: whether the first poll waits for the job no longer.
        """
        del self.in_flight[arn]
        if schedule is None:
            self.queue.remove(arn)
        else:
            self.queue.put(schedule)
        if attempted:
            self.progress.remove(arn)

    def record_polled(self, arns: Iterable[str], now: float) -> None:
        """Record that either operation has shown the status of jobs, for the poll cycle over all active jobs."""
        nothing_due = not self.in_flight and self.queue.next_due() > now
        self.queue.active.cycle.polled(arns, now, nothing_due=nothing_due)

    def add(self, schedule: JobSchedule | None) -> None:
        """Add a job to the queue, if further details are expected."""
        if schedule is not None:
            self.queue.put(schedule)
            if schedule.priority is Priority.NEW:
                self.progress.add(schedule.arn, ended=False)

    def remove(self, arn: str) -> JobSchedule | None:
        """Remove a job; return its schedule, if further details are expected."""
        schedule = self.in_flight.pop(arn, None) or self.queue.get(arn)
        self.queue.remove(arn)
        self.progress.remove(arn)
        # A copy, so that ``is_in_flight`` does not accept the response of a call in flight for it.
        return None if schedule is None else replace(schedule)

    def close(self) -> dict[str, JobSchedule]:
        """Remove all jobs; return the schedules of those for which further details are expected.

        No other thread uses the object any more, except for the outcomes of calls in flight, which are ignored.
        """
        in_flight, self.in_flight = self.in_flight, {}
        return {schedule.arn: schedule for schedule in (*self.queue, *in_flight.values())}

    def tighten(self, now: float, interval: float) -> None:
        """Have a batch of the relaxed jobs polled within the poll interval again, because no events arrive."""
        for arn in self.queue.active.take_relaxed(BATCH_JOBS):
            if (schedule := self.queue.get(arn)) is not None:
                due = max(now, schedule.confirmed_at + interval)
                self.queue.put(replace(schedule, relaxed=False, due=min(schedule.due, due)))

    def bring_forward(self, arns: Iterable[str], now: float, interval: Callable[[JobSchedule], float]) -> None:
        """Have jobs in the queue polled within a poll interval that is shorter now.

        Args:
            arns: the jobs; those that are not in the queue are ignored.
            now: the time.
            interval: returns the poll interval of a job, seconds.
        """
        for schedule in filter(None, map(self.queue.get, arns)):
            self.queue.put(brought_forward(schedule, now=now, interval=interval(schedule)))
