"""The priority queue of the jobs that wait for GetJob. All times are monotonic seconds."""

from collections.abc import Iterator
from heapq import heappop, heappush
from itertools import count
from typing import Final

from exporter.polling.active_jobs import ActiveJobs
from exporter.polling.schedule import JobSchedule, Priority, Rank

_ALWAYS_FIRST: Final = (Priority.CHANGED, Priority.NEW)
_IN_TURN: Final = (Priority.DUE, Priority.REFRESH, Priority.BACKFILL)


class JobQueue:
    """Job schedules by priority, and by rank within one priority. A replaced schedule leaves a stale heap entry.

    Attributes:
        active: the active jobs in the queue, and those that were taken out for a GetJob call.
    """

    def __init__(self) -> None:
        self.active = ActiveJobs()
        self._schedules: dict[str, tuple[int, JobSchedule]] = {}
        self._heaps: dict[Priority, list[tuple[Rank, int, str]]] = {priority: [] for priority in Priority}
        self._numbers = count()

    def __len__(self) -> int:
        return len(self._schedules)

    def __iter__(self) -> Iterator[JobSchedule]:
        return (schedule for _, schedule in self._schedules.values())

    @property
    def arns(self) -> list[str]:
        """The jobs in the queue."""
        return [*self._schedules]

    def get(self, arn: str) -> JobSchedule | None:
        """Return the schedule of a job, if it is in the queue."""
        entry = self._schedules.get(arn)
        return None if entry is None else entry[1]

    def put(self, schedule: JobSchedule) -> None:
        """Add a schedule, or replace the schedule of its job."""
        number, before = self._schedules.get(schedule.arn, (-1, None))
        if before is None or (before.priority, before.rank) != (schedule.priority, schedule.rank):
            number = next(self._numbers)
            heappush(self._heaps[schedule.priority], (schedule.rank, number, schedule.arn))
        self._schedules[schedule.arn] = (number, schedule)
        self.active.put(schedule)

    def take(self, arn: str) -> None:
        """Take a job out of the queue for a GetJob call. An active job counts as active meanwhile."""
        self._schedules.pop(arn, None)

    def remove(self, arn: str) -> None:
        """Remove a job, whether it is in the queue or was taken out of it."""
        self.take(arn)
        self.active.discard(arn)

    def due(self, now: float, *, turn: Priority = Priority.DUE) -> JobSchedule | None:
        """Return the schedule to poll now, and leave it in the queue.

        Args:
            now: the time.
            turn: the priority that goes first among those below ``NEW``.
        """
        for priority in (*_ALWAYS_FIRST, turn, *_IN_TURN):
            schedule = self._first(priority)
            if schedule is not None and schedule.due <= now:
                return schedule
        return None

    def next_due(self) -> float:
        """Return when the next job is due; infinity for an empty queue."""
        heads = (self._first(priority) for priority in Priority)
        return min((schedule.due for schedule in heads if schedule is not None), default=float("inf"))

    def _first(self, priority: Priority) -> JobSchedule | None:
        heap = self._heaps[priority]
        while heap:
            _, number, arn = heap[0]
            entry = self._schedules.get(arn)
            if entry is not None and entry[0] == number:
                return entry[1]
            heappop(heap)
        return None
