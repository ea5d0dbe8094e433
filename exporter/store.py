"""The one cell that changes: what is known of every job, its rendered lines, and the fleet's counters.

A write replaces a job's record and its lines together; a reader copies references under the same short lock, so neither
waits for the other's work: rendering a job happens before the lock, joining a page after it.
"""

import threading
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from exporter.exposition import JobRow, render_fleet, render_job
from exporter.families import FLEET_FAMILIES, Family, JobFamily
from exporter.fleet import Fleet
from exporter.model import Increment, JobRecord


@dataclass(frozen=True, slots=True)
class View:
    """What one scrape sees, all of one moment: job families and fleet families, each with its lines."""

    job_families: Sequence[JobFamily]
    job_rows: Sequence[JobRow]
    fleet: Sequence[tuple[Family, bytes]]

    def families(self) -> Iterable[tuple[Family, Iterable[bytes]]]:
        """Yield each family with its lines; samples of one family stand together."""
        for index, family in enumerate(self.job_families):
            yield family, [row[index] for row in self.job_rows]
        for fleet_family, lines in self.fleet:
            yield fleet_family, [lines]


class Store:
    """Current records by ARN.

    Args:
        job_families: the families to render for each job; none when only the fleet is of interest.
    """

    def __init__(self, job_families: Sequence[JobFamily]) -> None:
        self._job_families = tuple(job_families)
        self._records: dict[str, JobRecord] = {}
        self._rows: dict[str, JobRow] = {}
        self._fleet = Fleet()
        self._lock = threading.Lock()

    def record(self, arn: str) -> JobRecord:
        """Return what is known of a job.

        Raises:
            KeyError: the job is not watched.
        """
        return self._records[arn]

    def find(self, arn: str) -> JobRecord | None:
        """Return what is known of a job, or ``None`` for one that is not watched."""
        return self._records.get(arn)

    def add(self, record: JobRecord) -> bool:
        """Take in a job that is not watched yet; return whether that is so."""
        with self._lock:
            if record.arn in self._records:
                return False
            self._fleet.move(None, record.snapshot)
            self._records[record.arn] = record
            self._rows[record.arn] = render_job(self._job_families, record)
            return True

    def records(self) -> list[JobRecord]:
        """Return what is known of every job."""
        with self._lock:
            return list(self._records.values())

    def put(self, record: JobRecord, increments: Iterable[Increment] = ()) -> None:
        """Take in what is known of a job now, and what it adds to the fleet's counters."""
        row = render_job(self._job_families, record)
        with self._lock:
            before = self._records.get(record.arn)
            self._fleet.move(None if before is None else before.snapshot, record.snapshot)
            self._fleet.apply(increments)
            self._records[record.arn] = record
            self._rows[record.arn] = row

    def forget(self, arn: str) -> None:
        """Drop a job and its series; what it added to the fleet's counters stays."""
        with self._lock:
            self._fleet.move(self._records.pop(arn).snapshot, None)
            del self._rows[arn]

    def view(self) -> View:
        """Return what a scrape shows."""
        with self._lock:
            rows = list(self._rows.values())
            fleet = [(family, list(self._fleet.samples(family))) for family in FLEET_FAMILIES]
        return View(self._job_families, rows, [(family, render_fleet(samples)) for family, samples in fleet])
