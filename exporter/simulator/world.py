"""The jobs that exist: a set that tests may change while a server answers from it."""

from bisect import bisect_right
from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping
from itertools import count, takewhile
from threading import Lock

from exporter.simulator.devices import SimulatedDevice, SimulatedLimit
from exporter.simulator.events import EventFeed
from exporter.simulator.fleet import Births
from exporter.simulator.jobs import Job
from exporter.simulator.queues import Queue
from exporter.simulator.search import Disorder, Entry
from exporter.simulator.wire import region_of


class World:
    """Every job of every account and Region.

    Readers never wait: a change swaps in a new sorted tuple of its Region.

    Args:
        jobs: What there is from the start.
        births: A stream of further jobs; each joins once the time it is created has come.
        accounts: Which account an access key id belongs to, so that each sees its own jobs only. Without
            it any key sees every account's jobs.
        disorder: How SearchJobs shuffles its results; None for the order of creation.
        devices: Devices that are not always online.
        limits: Spending limits.
        queues: SQS queues that receive an event for each change of a job's or a device's status.

    Attributes:
        devices: The devices by ARN.
        limits: The spending limits by ARN.
        queues: The queues by the path of their URL.
    """

    def __init__(
        self,
        jobs: Iterable[Job] = (),
        *,
        births: Births | None = None,
        accounts: Mapping[str, str] | None = None,
        disorder: Disorder | None = None,
        devices: Iterable[SimulatedDevice] = (),
        limits: Iterable[SimulatedLimit] = (),
        queues: Iterable[Queue] = (),
    ) -> None:
        self.queues = {queue.path: queue for queue in queues}
        self._feeds = {path: EventFeed(queue.account) for path, queue in self.queues.items()}
        self.devices = {device.arn: device for device in devices}
        self.limits = {limit.arn: limit for limit in limits}
        self.accounts = accounts
        self.disorder = disorder
        self._births = births
        self._born = 0
        self._jobs: dict[str, Job] = {}
        self._entries: dict[str, tuple[Entry, ...]] = {}
        self._change = Lock()
        self.put(*jobs)

    def put(self, *jobs: Job) -> None:
        """Add jobs; a job replaces a job with the same ARN."""
        with self._change:
            self._put({job.arn: job for job in jobs})

    def advance(self, now: float) -> None:
        """Add the new jobs that are created up to `now`, unix seconds, and send the events up to then."""
        self._add_births(now)
        for path, feed in self._feeds.items():
            self.queues[path].send(*feed.due(self._jobs.copy().values(), self.devices.values(), now))

    def _add_births(self, now: float) -> None:
        births = self._births
        if births is None or births.created(self._born) > now:
            return
        with self._change:
            due = list(takewhile(lambda number: births.created(number) <= now, count(self._born)))
            newborn = [births.job(number) for number in due]
            self._put({job.arn: job for job in newborn})
            self._born += len(due)

    def job(self, arn: str) -> Job | None:
        """The job of that ARN, whether it exists at any given time or not."""
        return self._jobs.get(arn)

    def arns(self) -> tuple[str, ...]:
        """The ARN of every job, whether it exists at any given time or not."""
        return tuple(self._jobs)

    def entries(self, region: str) -> tuple[Entry, ...]:
        """The creation and ARN of each job in `region`, sorted."""
        return self._entries.get(region, ())

    def existing(self, now: float) -> Iterator[Job]:
        """The jobs that exist at `now` (unix seconds), in order of creation."""
        entries = sorted(entry for region in tuple(self._entries.values()) for entry in region)
        jobs = (self._jobs[arn] for _, arn in entries[: bisect_right(entries, now, key=lambda pair: pair[0])])
        return (job for job in jobs if job.summary(now) is not None)

    def _put(self, jobs: Mapping[str, Job]) -> None:
        added: defaultdict[str, list[Entry]] = defaultdict(list)
        for job in jobs.values():
            added[region_of(job.arn)].append((round(job.created, 3), job.arn))
        self._jobs.update(jobs)
        for region, entries in added.items():
            kept = [entry for entry in self.entries(region) if entry[1] not in jobs]
            self._entries[region] = tuple(sorted(kept + entries))
