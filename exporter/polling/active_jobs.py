"""The active jobs of a target: their number, their poll cycle and their data age, kept and not counted.

All times are monotonic seconds. The duration of a method does not grow with the number of jobs.
"""

from collections.abc import Iterable, Iterator, Sequence
from heapq import heapify, heappop, heappush, heapreplace
from typing import Final

from exporter.polling.schedule import JobSchedule

_SLACK: Final = 64
"""The outdated heap entries that are kept at most, beside one for each job."""


class PollCycle:
    """A pass over all active jobs.

    Attributes:
        duration: the duration of the last complete cycle, seconds; ``None`` before the first.
    """

    def __init__(self) -> None:
        self.duration: float | None = None
        self._start: float | None = None
        self._unpolled: set[str] = set()
        self._others: set[str] = set()
        """The jobs that this cycle has polled, and those that are part of the next cycle only."""

    def __len__(self) -> int:
        """Return the number of jobs."""
        return len(self._unpolled) + len(self._others)

    def add(self, arn: str) -> None:
        """Add a job. It is part of the next cycle."""
        if arn not in self._unpolled:
            self._others.add(arn)

    def discard(self, arn: str) -> None:
        """Remove a job."""
        self._unpolled.discard(arn)
        self._others.discard(arn)

    def start(self, now: float) -> None:
        """Start a cycle over all jobs, unless a cycle is running."""
        if self._start is None:
            smaller, larger = sorted((self._unpolled, self._others), key=len)
            larger |= smaller
            self._start, self._unpolled, self._others = now, larger, set()

    def polled(self, arns: Iterable[str], now: float, *, nothing_due: bool) -> None:
        """Record polled jobs. The cycle ends once no job is due, or once each of its jobs is polled."""
        polled = self._unpolled.intersection(arns)
        self._unpolled -= polled
        self._others |= polled
        if self._start is not None and (nothing_due or not self._unpolled):
            self.duration, self._start = now - self._start, None


class ActiveJobs:
    """The schedules of the active jobs, those with a GetJob call in flight included.

    Attributes:
        cycle: the poll cycle.
    """

    def __init__(self) -> None:
        self.cycle = PollCycle()
        self._schedules: dict[str, JobSchedule] = {}
        self._heap: list[tuple[float, str]] = []
        self._keys: dict[str, float] = {}
        """The heap key of each job that has a data age: a time at which its status was confirmed, maybe not the last.
        Other entries of the heap are outdated."""
        self._relaxed: set[str] = set()

    def __len__(self) -> int:
        return len(self._schedules)

    def __iter__(self) -> Iterator[JobSchedule]:
        return iter(self._schedules.values())

    @property
    def relaxed(self) -> int:
        """The number of relaxed jobs, which are polled less often."""
        return len(self._relaxed)

    def take_relaxed(self, most: int) -> Sequence[str]:
        """Return some of the relaxed jobs, which are not relaxed any more."""
        return [self._relaxed.pop() for _ in range(min(most, len(self._relaxed)))]

    def put(self, schedule: JobSchedule) -> None:
        """Add or replace the schedule of a job; remove the job if it has ended."""
        if schedule.ended:
            self.discard(schedule.arn)
            return
        self.cycle.add(schedule.arn)
        self._schedules[schedule.arn] = schedule
        if schedule.relaxed:
            self._relaxed.add(schedule.arn)
        else:
            self._relaxed.discard(schedule.arn)
        if schedule.never_returned:
            self._keys.pop(schedule.arn, None)
        elif schedule.confirmed_at < self._keys.get(schedule.arn, float("inf")):
            self._push(schedule.confirmed_at, schedule.arn)

    def discard(self, arn: str) -> None:
        """Remove a job."""
        self.cycle.discard(arn)
        self._schedules.pop(arn, None)
        self._keys.pop(arn, None)
        self._relaxed.discard(arn)

    def oldest(self) -> float | None:
        """Return the earliest time at which the status of a job was last confirmed; ``None`` without a job."""
        while self._heap:
            key, arn = self._heap[0]
            if self._keys.get(arn) != key:
                heappop(self._heap)
                continue
            confirmed = self._schedules[arn].confirmed_at
            if confirmed == key:
                return key
            self._keys[arn] = confirmed
            heapreplace(self._heap, (confirmed, arn))
        return None

    def _push(self, key: float, arn: str) -> None:
        self._keys[arn] = key
        heappush(self._heap, (key, arn))
        if len(self._heap) > 2 * len(self._keys) + _SLACK:
            self._heap = [(key, arn) for arn, key in self._keys.items()]
            heapify(self._heap)
