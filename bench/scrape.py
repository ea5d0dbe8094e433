"""CPU time of one scrape, beside prometheus_client building the same families at the scrape."""

import gc
import time
from collections.abc import Callable, Iterator
from functools import partial

from prometheus_client import generate_latest
from prometheus_client.metrics_core import CounterMetricFamily, GaugeMetricFamily, Metric
from prometheus_client.registry import Collector

from exporter.exposition import render_page
from exporter.families import JOB_LABELS, job_families
from exporter.lifecycle import observe
from exporter.model import EventKey, JobEvent, JobRecord, JobSnapshot
from exporter.store import Store

SIZES = (1_000, 10_000)
RUNS = 3
EVENTS = ("STARTING_INSTANCE", "DOWNLOADING_DATA", "RUNNING", "UPLOADING_RESULTS", "COMPLETED")


def record(number: int) -> JobRecord:
    """Make a job that ran to its end."""
    created = 1_750_000_000.0 + number
    snapshot = JobSnapshot(
        arn=f"arn:aws:braket:us-west-2:123456789012:job/00000000-0000-4000-8000-{number:012d}",
        name=f"vqe-h2-{number % 100}",
        status="COMPLETED",
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
            family = kind(row.name, row.help, labels=(*JOB_LABELS, *row.labels))
            for job in self.records:
                name = "" if job.snapshot is None else job.snapshot.name
                for labels, value in row.samples(job):
                    family.add_metric((job.arn, name, *labels), value)
            yield family


def page(store: Store) -> bytes:
    """Render the page as a scrape does, uncompressed."""
    return render_page(store.view().families(), b"", "text")


def cpu_milliseconds(action: Callable[[], object]) -> float:
    """Return the least CPU time of a few runs."""
    times = []
    for _ in range(RUNS):
        gc.collect()
        began = time.process_time()
        action()
        times.append(1000 * (time.process_time() - began))
    return min(times)


def main() -> None:
    """Print both and their ratio for each size."""
    for size in SIZES:
        records = [record(number) for number in range(size)]
        store = Store(job_families())
        began = time.process_time()
        for job in records:
            store.put(job)
        put = 1e6 * (time.process_time() - began) / size
        ours = cpu_milliseconds(partial(page, store))
        peer = cpu_milliseconds(partial(generate_latest, Peer(records)))
        print(
            f"scrape, plain, {size:>6} jobs   exporter {ours:.1f} ms   prometheus_client {peer:.0f} ms"
            f"   ratio {peer / ours:.0f}   page {len(page(store)) / 1e6:.1f} MB   a changed job {put:.0f} us"
        )


if __name__ == "__main__":
    main()
