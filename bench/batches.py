"""Long work beside scrapes: a changed retention and a changed ``max_jobs``, with many finished jobs.

A thread reads the store and the target's status as a scrape does. The table shows the CPU time of the work, and the
longest time that such a read took meanwhile.
"""

import sys
import threading
import time
from collections.abc import Callable
from dataclasses import replace

from plan import CONFIG, DAY, EPOCH, Service, services_for

from exporter.core import JobRecord, JobSnapshot, observe
from exporter.metrics import job_families
from exporter.polling import Policy, Retention
from exporter.polling.polled_target import PolledTarget
from exporter.polling.target_builder import Services, build_target
from exporter.storage import Store

SIZES = (10_000, 100_000)
KEPT = Policy(30.0, 600.0, 14 * DAY, Retention(30 * DAY, 30 * DAY))
EXPIRED = replace(KEPT, retention=Retention(60.0, 60.0))


def finished(number: int, jobs: int) -> JobRecord:
    """Return a job that ended within the last ten days."""
    arn = f"arn:aws:braket:us-west-2:123456789012:job/{number:08d}-0000-4000-8000-000000000000"
    created = EPOCH - 10 * DAY + number * 9 * DAY / jobs
    snapshot = JobSnapshot(
        arn=arn,
        name=f"vqe-h2-{number % 100}",
        status="FAILED" if number % 20 == 0 else "COMPLETED",
        account="123456789012",
        region="us-west-2",
        device="arn:aws:braket:::device/quantum-simulator/amazon/sv1",
        created=created,
        started=created + 60.0,
        ended=created + 900.0,
        billable_seconds=840.0,
    )
    record = JobRecord(arn, configured=False, baseline_at=EPOCH, owner=CONFIG.key)
    return observe(record, snapshot, since=EPOCH, now=EPOCH).record


def known_jobs(jobs: int) -> tuple[Services, PolledTarget]:
    """Return a target that has discovered finished jobs, as after a restart."""
    service = Service([], now=EPOCH)
    store = Store(job_families())
    services = replace(services_for(service, 2.5), store=store, tombstones=store.tombstones)
    target = build_target(CONFIG, service, services, KEPT)
    for start in range(0, jobs, 1000):
        records = [finished(number, jobs) for number in range(start, min(jobs, start + 1000))]
        for record in records:
            services.store.add(record)
        target.resume([(record, None) for record in records])
    return services, target


def beside_scrapes(services: Services, target: PolledTarget, work: Callable[[], object]) -> tuple[float, float]:
    """Work; return its CPU seconds, and the seconds of the longest read meanwhile."""
    done, longest = threading.Event(), [0.0]

    def read() -> None:
        while not done.wait(0.02):
            began = time.monotonic()
            services.store.view()
            target.status()
            longest.append(time.monotonic() - began)

    reader = threading.Thread(target=read)
    reader.start()
    began = time.thread_time()
    work()
    took = time.thread_time() - began
    done.set()
    reader.join()
    return took, max(longest)


def main() -> None:
    """Print the table."""
    for jobs in SIZES:
        services, target = known_jobs(jobs)

        def change_retention(target: PolledTarget = target) -> None:
            target.reconfigure(CONFIG, EXPIRED, {})
            target.drop_expired()

        limited, other = known_jobs(jobs)

        def change_limit(services: Services = limited, target: PolledTarget = other) -> None:
            services.store.set_limit(100)
            target.drop_beyond_limit(services.store.enforce_limit()[0])

        for name, cost in (
            ("retention", beside_scrapes(services, target, change_retention)),
            ("max_jobs", beside_scrapes(limited, other, change_limit)),
        ):
            sys.stdout.write(
                f"{jobs:>8,} finished jobs   {name:10} {cost[0]:6.1f} s CPU, longest read {cost[1]:6.3f} s\n"
            )
            sys.stdout.flush()
        assert (len(services.store), len(limited.store)) == (0, 100)


if __name__ == "__main__":
    main()
