"""CPU time of the poller for each GetJob call, by the number of active jobs: the choice of the call, and its outcome.

The service responds at once and there is no wire, so the rest is the exporter's own work. Beside it, the time of a step
that makes no call because the rate limit allows none.
"""

import sys
import time
from collections import Counter
from dataclasses import dataclass
from itertools import count
from statistics import fmean

from plan import CONFIG, DAY, EPOCH, PAGE, Job, Service, services_for

from exporter.core import GET_JOB, SEARCH_JOBS
from exporter.polling import Policy, Retention
from exporter.polling.polled_target import PolledTarget
from exporter.polling.target_builder import build_target

SIZES = (100, 10_000, 100_000)
CALLS = 1_000
REFUSALS = 100
FAST, SLOW = 1e9, 1e-6
"""A rate limit that never makes a call wait, and one that allows a call in days."""


@dataclass
class Fill:
    """A first fill: all jobs are discovered, and most of them wait for their first GetJob call."""

    service: Service
    target: PolledTarget

    def step(self) -> None:
        """Make one call, or find that none is allowed."""
        self.target.poller.step()
        self.service.now += 1e-4

    def timed(self) -> tuple[float, Counter[str]]:
        """Return the CPU time of a step, microseconds, and its calls."""
        before, began = self.service.calls.copy(), time.process_time()
        self.step()
        return 1e6 * (time.process_time() - began), self.service.calls - before

    def cpu(self, steps: int, calls: Counter[str]) -> float:
        """Return the mean CPU time of steps with these calls, microseconds."""
        times: list[float] = []
        while len(times) < steps:
            took, made = self.timed()
            if made == calls:
                times.append(took)
        return fmean(times)


def active_jobs(number: int) -> list[Job]:
    """Make jobs of the last day that do not end."""
    arns = (f"arn:aws:braket:us-west-2:123456789012:job/{index:08d}" for index in count())
    return [Job(next(arns), EPOCH - DAY + index * DAY / number, EPOCH + 1e9) for index in range(number)]


def measure(jobs: int) -> tuple[float, float]:
    """Return the CPU time of a GetJob call and of a step without a call, microseconds."""
    service = Service(active_jobs(jobs))
    services = services_for(service, FAST)
    fill = Fill(service, build_target(CONFIG, service, services, Policy(30.0, 600.0, 2 * DAY, Retention(1.0, 1.0))))
    while service.calls[SEARCH_JOBS] <= jobs / PAGE:
        fill.step()
    call = fill.cpu(min(CALLS, jobs // 4), Counter({GET_JOB: 1}))
    services.rate_limiter.set_limit(SLOW)
    return call, fill.cpu(REFUSALS, Counter())


def main() -> None:
    """Print the costs for each number of jobs."""
    for jobs in SIZES:
        call, refusal = measure(jobs)
        sys.stdout.write(f"{jobs:>8,} active jobs   {call:7.0f} us a GetJob call   {refusal:7.0f} us without a call\n")
        sys.stdout.flush()


if __name__ == "__main__":
    main()
