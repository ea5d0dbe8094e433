"""How soon the end of a job is noticed, and what that costs in calls: the exporter's own planner on a simulated clock.

A fleet in balance: jobs are created evenly over the lookback and live for an exponentially distributed time, so that
on average as many are active as the fleet's name says. The service answers at once; nothing else is simplified: the
real poller chooses each call, within the real budget. Beside it, two pollers that only know GetJob.
"""

import logging
import random
import sys
import time
from bisect import bisect_left, bisect_right
from collections import Counter, deque
from collections.abc import Iterator
from dataclasses import dataclass, field
from statistics import median, quantiles

import structlog

from exporter.core import (
    GET_JOB,
    SEARCH_JOBS,
    Clock,
    CredentialsRef,
    DeviceKey,
    DeviceSnapshot,
    JobSnapshot,
    JobSummary,
    SearchPage,
    Selector,
    Span,
    SpendingLimitPage,
    Target,
    TargetConfig,
)
from exporter.polling import Policy, RateLimiter, Retention
from exporter.polling.target_builder import Services, build_target
from exporter.storage import Store, Tombstones
from exporter.telemetry import EventLog, SelfMetrics

RATE = 2.5
EPOCH = 1_750_000_000.0
DAY = 86400.0
PAGE = 100
TARGET = Target("123456789012", "us-west-2")
CONFIG = TargetConfig(CredentialsRef(), TARGET, (), Selector(all_jobs=True))


@dataclass(frozen=True, slots=True)
class Size:
    """A fleet: how many jobs were created in the lookback, how many of them are active, and how long to watch."""

    jobs: int
    active: int
    lookback: float
    hours: float

    @property
    def seconds(self) -> float:
        """How long to watch."""
        return self.hours * 3600


SIZES = (Size(1_000, 100, 1.4 * DAY, 4), Size(10_000, 500, 14 * DAY, 4), Size(100_000, 2_000, 14 * DAY, 1))


@dataclass(frozen=True, slots=True)
class Job:
    """When a job lives, unix seconds."""

    arn: str
    created: float
    ended: float


def jobs_of(size: Size) -> list[Job]:
    """Draw the fleet, from the lookback before the epoch to the end of the watch."""
    rng = random.Random(7)
    span = size.lookback + size.seconds
    births = sorted(EPOCH - size.lookback + rng.random() * span for _ in range(int(size.jobs * span / size.lookback)))
    mean = size.active / size.jobs * size.lookback
    return [
        Job(f"arn:aws:braket:us-west-2:123456789012:job/{number:08d}", round(born, 3), born + rng.expovariate(1 / mean))
        for number, born in enumerate(births)
    ]


@dataclass
class Service:
    """Braket on a simulated clock."""

    jobs: list[Job]
    now: float = EPOCH
    target: Target = TARGET
    calls: Counter[str] = field(default_factory=Counter)
    noticed: dict[str, float] = field(default_factory=dict)
    clock_offset: float = 0.0

    def __post_init__(self) -> None:
        self._by_arn = {job.arn: job for job in self.jobs}
        self._created = [job.created for job in self.jobs]

    def get_job(self, arn: str) -> JobSnapshot:
        """Answer GetJob."""
        self.calls[GET_JOB] += 1
        job = self._by_arn[arn]
        over = self.now >= job.ended
        if over:
            self.noticed.setdefault(arn, self.now - job.ended)
        return JobSnapshot(
            arn=arn,
            name="job",
            status="COMPLETED" if over else "RUNNING",
            account=self.target.account,
            region=self.target.region,
            created=job.created,
            ended=job.ended if over else None,
        )

    def get_device(self, key: DeviceKey) -> DeviceSnapshot:
        """Refuse to be called."""
        raise AssertionError(key)

    def search_spending_limits(self, token: str | None) -> SpendingLimitPage:
        """Refuse to be called."""
        raise AssertionError(token)

    def search_job(self, arn: str) -> SearchPage:
        """Refuse to be called."""
        raise AssertionError(arn)

    def search_jobs(self, span: Span, token: str | None) -> SearchPage:
        """Answer SearchJobs."""
        self.calls[SEARCH_JOBS] += 1
        first = bisect_left(self._created, span.start) + int(token or 0)
        beyond = bisect_right(self._created, self.now if span.end is None else min(span.end, self.now))
        page = self.jobs[first : min(beyond, first + PAGE)]
        more = str(int(token or 0) + PAGE) if first + PAGE < beyond else None
        return SearchPage(tuple(self._summary(job) for job in page), (), more)

    def identify(self) -> None:
        """Never asked."""
        raise AssertionError("the account is known")

    def _summary(self, job: Job) -> JobSummary:
        over = self.now >= job.ended
        ended = job.ended if over else None
        return JobSummary(job.arn, "job", "COMPLETED" if over else "RUNNING", job.created, None, ended, tags={})


def services_for(service: Service, rate: float) -> Services:
    """Return the parts that targets share, with a silent log, on the clock of the service."""
    logger = structlog.wrap_logger(None, wrapper_class=structlog.make_filtering_bound_logger(logging.CRITICAL))
    return Services(
        store=Store(()),
        event_log=EventLog(logger),
        telemetry=SelfMetrics(),
        rate_limiter=RateLimiter(rate),
        clock=Clock(lambda: service.now, lambda: service.now),
        random=random.Random(1).random,
        tombstones=Tombstones(),
    )


def watch(size: Size, interval: float) -> tuple[list[float], Counter[str]]:
    """Let the real poller watch; return each delay with which an end was noticed, and the calls, after a warm-up."""
    service = Service(jobs_of(size))
    policy = Policy(interval, 60.0, size.lookback, Retention(1.0, 1.0))
    target = build_target(CONFIG, service, services_for(service, RATE), policy)
    while not target.full_poll_done:
        service.now += target.poller.step()
    began = service.now
    service.calls.clear()
    while service.now < began + size.seconds:
        service.now += target.poller.step()
    ends = [job for job in service.jobs if began < job.ended < began + size.seconds - 1800]
    return [service.noticed.get(job.arn, size.seconds) for job in ends], service.calls


def naive(size: Size, *, finished_too: bool) -> list[float]:
    """Ask for one job after the other with GetJob, within the same budget; who is new is known for free."""
    jobs = jobs_of(size)
    births = deque(job for job in jobs if job.created > EPOCH)
    queue = deque(job for job in jobs if job.created <= EPOCH and (finished_too or job.ended > EPOCH))
    delays, now = [], EPOCH
    seen = set()
    while now < EPOCH + size.seconds:
        while births and births[0].created <= now:
            queue.append(births.popleft())
        job = queue.popleft()
        if job.ended <= now and job.ended > EPOCH and job.arn not in seen:
            delays.append(now - job.ended)
            seen.add(job.arn)
        if finished_too or job.ended > now:
            queue.append(job)
        now += 1 / RATE
    return delays


def percentiles(delays: list[float]) -> str:
    """Write the 50th and 99th."""
    return f"{median(delays):8.1f} {quantiles(delays, n=100)[98]:8.1f}" if len(delays) > 1 else "   hours    hours"


def rows() -> Iterator[str]:
    """Write the table, a line each as soon as it is known."""
    yield f"{'jobs, active':>17}  {'plan':38} {'p50 s':>8} {'p99 s':>8} {'GetJob/h':>9} {'SearchJobs/h':>13}"
    for size in SIZES:
        name = f"{size.jobs:,}, {size.active:,}"
        full = f"{RATE * 3600:9,.0f} {0:13,}"
        cycle = size.jobs / RATE
        yield f"{name:>17}  {'GetJob for every job (computed)':38} {cycle / 2:8.1f} {cycle * 0.99:8.1f} {full}"
        yield f"{name:>17}  {'GetJob for unfinished jobs':38} {percentiles(naive(size, finished_too=False))} {full}"
        for interval in (1.0, 30.0):
            began = time.perf_counter()
            delays, calls = watch(size, interval)
            hourly = {operation: calls[operation] / size.hours for operation in (GET_JOB, SEARCH_JOBS)}
            plan = f"braket-exporter, poll_interval {interval:.0f}s"
            costs = f"{hourly[GET_JOB]:9,.0f} {hourly[SEARCH_JOBS]:13,.0f}"
            took = f"{len(delays)} ends, simulated in {time.perf_counter() - began:.0f} s"
            yield f"{name:>17}  {plan:38} {percentiles(delays)} {costs}   ({took})"


if __name__ == "__main__":
    for row in rows():
        sys.stdout.write(f"{row}\n")
        sys.stdout.flush()
