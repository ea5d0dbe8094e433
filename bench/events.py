"""The time from the end of a job until /metrics shows it: with events, beside polls every 30 seconds."""

import re
import time
import urllib.request
from collections.abc import Mapping, Sequence
from statistics import quantiles

import installed
from restart import PORT, REGION, ready

from exporter.simulator import Event, Phase, Queue, SimulatedJob, SimulatorServer, Status, World, job_arn

JOBS = 200
FIRST_END = 20.0
"""Seconds until the first job ends; the exporter has polled all jobs by then."""

BETWEEN_ENDS = 0.3
LOOK_INTERVAL = 0.02
"""Seconds between two scrapes."""

WITH_EVENTS = ("--poll-interval", "5m", "--event-poll-interval", "5m")
POLLING = ("--poll-interval", "30s")
ENDED = re.compile(r'braket_job_status\{job_arn="([^"]*)"[^}]*status="COMPLETED"\} 1\.0')


def jobs(now: float) -> list[SimulatedJob]:
    """Make running jobs that end one after the other."""

    def job(number: int) -> SimulatedJob:
        created, end = now - 3600.0, 3600.0 + FIRST_END + BETWEEN_ENDS * number
        phases = (
            Phase(0.0, Status.QUEUED, Event.QUEUED_FOR_EXECUTION),
            Phase(60.0, Status.RUNNING, Event.RUNNING),
            Phase(end, Status.COMPLETED, Event.COMPLETED),
        )
        return SimulatedJob(
            job_arn(f"{number:08x}-0000-4000-8000-000000000000", REGION), "vqe", created=created, phases=phases
        )

    return [job(number) for number in range(JOBS)]


def lags(*arguments: str, events: bool) -> Sequence[float]:
    """Return for each job the seconds from its end until a scrape shows it."""
    now, queue = time.time(), Queue()
    fleet = jobs(now)
    ends = {job.arn: job.created + job.phases[-1].offset for job in fleet}
    with SimulatorServer(World(fleet, queues=[queue]), clock=time.time, keep_requests=False) as server:
        queue_url = ("--event-queue-url", server.queue_url()) if events else ()
        fixed = ("--all-jobs", "--regions", REGION, "--listen-address", f"127.0.0.1:{PORT}")
        with installed.exporter(server, *fixed, "--api-requests-per-second", "40", *arguments, *queue_url):
            while not ready():
                time.sleep(LOOK_INTERVAL)
            return [*_watched(ends).values()]


def _watched(ends: Mapping[str, float]) -> dict[str, float]:
    seen: dict[str, float] = {}
    url = f"http://127.0.0.1:{PORT}/metrics?name[]=braket_job_status"
    while len(seen) < len(ends):
        with urllib.request.urlopen(url) as page:
            text = page.read().decode()
        now = time.time()
        for arn in ENDED.findall(text):
            seen.setdefault(arn, now - ends[arn])
        time.sleep(LOOK_INTERVAL)
    return seen


def main() -> None:
    """Print both distributions."""
    print(f"{JOBS} jobs from their end to /metrics, seconds")
    for name, arguments, events in (
        ("events, poll_interval 5m", WITH_EVENTS, True),
        ("polls every 30s", POLLING, False),
    ):
        found = lags(*arguments, events=events)
        percentiles = quantiles(found, n=100)
        print(
            f"{name:<26} p50 {percentiles[49]:7.3f}   p99 {percentiles[98]:7.3f}   longest {max(found):7.3f}",
            flush=True,
        )


if __name__ == "__main__":
    main()
