"""CPU time of one scrape, beside prometheus_client building the same families at the scrape."""

import gc
import gzip
import resource
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from functools import partial
from pathlib import Path
from random import Random
from uuid import UUID

from prometheus_client import generate_latest
from prometheus_client.metrics_core import CounterMetricFamily, GaugeMetricFamily, Metric
from prometheus_client.registry import Collector

from exporter.core import EventKey, JobEvent, JobRecord, JobSnapshot, observe
from exporter.metrics import compressed_page, job_families
from exporter.storage import Store

FLEETS = ((1_000, 100), (10_000, 500), (100_000, 2_000))
"""How many jobs, and how many of them are active."""

RUNS = 3
EVENTS = ("STARTING_INSTANCE", "DOWNLOADING_DATA", "RUNNING", "UPLOADING_RESULTS", "COMPLETED")
TICK = 0.001


def record(number: int, *, active: bool = False) -> JobRecord:
    """Make a job that ran to its end, or runs."""
    chance = Random(number)
    created = 1_750_000_000.0 + number + round(chance.random(), 3)
    snapshot = JobSnapshot(
        arn=f"arn:aws:braket:us-west-2:123456789012:job/{UUID(int=chance.getrandbits(128), version=4)}",
        name=sys.intern(f"vqe-h2-{number % 100}"),
        status="RUNNING" if active else "COMPLETED",
        account="123456789012",
        region="us-west-2",
        device="arn:aws:braket:::device/quantum-simulator/amazon/sv1",
        instance_type="ml.m5.large",
        instance_count=1,
        max_runtime_seconds=432000,
        created=created,
        started=created + 42.834,
        ended=created + 122.188,
        billable_seconds=80.0,
        events=tuple(JobEvent(EventKey(kind, created + 20.0 * n), "") for n, kind in enumerate(EVENTS)),
    )
    return observe(JobRecord(snapshot.arn), snapshot, since=0.0, now=created + 130).record


class Peer(Collector):
    """What an exporter on prometheus_client does: build all families at each scrape."""

    def __init__(self, records: list[JobRecord]) -> None:
        self.records = records

    def collect(self) -> Iterator[Metric]:
        """Yield the same families and samples."""
        for row in job_families():
            kind = CounterMetricFamily if row.type == "counter" else GaugeMetricFamily
            family = kind(row.name, row.help, labels=row.labels)
            for job in self.records:
                for labels, value in row.samples(job):
                    if isinstance(value, float):
                        family.add_metric(labels, value)
            yield family


def ours(store: Store) -> bytes:
    """Make the compressed page as a scrape does."""
    return b"".join(compressed_page(store.view().families(), b"", "text").parts)


def theirs(records: list[JobRecord]) -> bytes:
    """Make it as prometheus_client's own server does."""
    return gzip.compress(generate_latest(Peer(records)))


def milliseconds(action: Callable[[], object], runs: int = RUNS) -> tuple[float, float]:
    """Return the least CPU and wall time of a few runs."""
    times = []
    for _ in range(runs):
        gc.collect()
        cpu, wall = time.process_time(), time.perf_counter()
        action()
        times.append((1000 * (time.process_time() - cpu), 1000 * (time.perf_counter() - wall)))
    return min(times)


def longest_stall(action: Callable[[], object]) -> float:
    """Return for how many milliseconds a thread that wants to run each millisecond did not."""
    gaps: list[float] = []
    done = threading.Event()

    def tick() -> None:
        last = time.perf_counter()
        while not done.is_set():
            time.sleep(TICK)
            now = time.perf_counter()
            gaps.append(1000 * (now - last - TICK))
            last = now

    thread = threading.Thread(target=tick)
    thread.start()
    action()
    done.set()
    thread.join()
    return max(gaps)


def resident() -> float:
    """Return the memory of this process, MB."""
    pages = int(Path("/proc/self/statm").read_text(encoding="ascii").split()[1])
    return pages * resource.getpagesize() / 1e6


def measure(jobs: int, active: int) -> None:
    """Print both and their ratio for one fleet."""
    store, before = Store(job_families()), resident()
    began = time.process_time()
    for number in range(jobs):
        store.put(record(number, active=number < active))
    put = 1e6 * (time.process_time() - began) / jobs
    kept = resident() - before
    cpu, wall = milliseconds(partial(ours, store))
    stall = longest_stall(partial(ours, store))
    peak = resident()
    records = [*store.scan()]
    peer_cpu, peer_wall = milliseconds(partial(theirs, records), runs=RUNS if jobs < 100_000 else 1)
    peer_stall = longest_stall(partial(theirs, records)) if jobs < 100_000 else float("nan")
    print(
        f"scrape, gzip, {jobs:>6} jobs, {active} active   exporter {cpu:.1f} ms CPU, {wall:.1f} ms wall   "
        f"prometheus_client {peer_cpu:.0f} ms CPU, {peer_wall:.0f} ms wall   ratio {peer_cpu / cpu:.0f}\n"
        f"    longest stall {stall:.1f} ms (prometheus_client {peer_stall:.0f} ms)   "
        f"{len(ours(store)) / 1e6:.1f} MB   memory {1e6 * kept / jobs:.0f} bytes a job, process {peak:.0f} MB   "
        f"a changed job {put:.0f} us, its making included"
    )


def main() -> None:
    """Measure each fleet in a process of its own, so that none has another's memory."""
    if len(sys.argv) > 1:
        measure(*map(int, sys.argv[1:]))
        return
    for fleet in FLEETS:
        subprocess.run([sys.executable, __file__, *map(str, fleet)], check=True)


if __name__ == "__main__":
    main()
