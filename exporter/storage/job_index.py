"""Summaries of many jobs: the number of jobs in each status, and the urgency of the most urgent one. Pure."""

from collections.abc import Callable, Iterable, Mapping
from typing import Final, NamedTuple

from exporter.core import MAX_RUNTIME_EXCEEDED, JobRecord, is_failure, ran_out_of_time

NO_ANSWER: Final = "NO_ANSWER"
"""The status of a job without a GetJob response."""

LEAST_URGENT: Final = (9, 0.0)
"""The lowest urgency."""

_RANKS: Final = {"RUNNING": 1, "QUEUED": 2, "CANCELLING": 3}


def urgency_of(record: JobRecord) -> tuple[int, float]:
    """Return the sort key of a job on the status page: failing and failed jobs first, then the newest."""
    if record.snapshot is None:
        return (5 if record.failing is None else 0), 0.0
    rank = 0 if is_failure(record) else _RANKS.get(record.snapshot.status, 4)
    return rank, -(record.snapshot.created or 0.0)


class StatusSummary(NamedTuple):
    """The number of jobs of a block that are listed under a status, and the urgency of the most urgent one."""

    jobs: int
    first: tuple[int, float]


class BlockSummary(NamedTuple):
    """Summary of a block: it shows whether one of the jobs is among the most urgent, without unpacking them.

    Attributes:
        total: the number of jobs.
        statuses: the summary of each status.
        records: unpacks the records, which takes time.
    """

    total: int
    statuses: Mapping[str, StatusSummary]
    records: Callable[[], Iterable[JobRecord]]


def status_summaries(records: Iterable[JobRecord]) -> dict[str, StatusSummary]:
    """Summarize jobs by status."""
    statuses: dict[str, StatusSummary] = {}
    for record in records:
        urgency = urgency_of(record)
        for status in statuses_of(record):
            jobs, first = statuses.get(status, (0, urgency))
            statuses[status] = StatusSummary(jobs + 1, min(first, urgency))
    return statuses


def statuses_of(record: JobRecord) -> tuple[str, ...]:
    """Return the statuses of a job in lists: its own, and ``MAX_RUNTIME_EXCEEDED`` if it exceeded its run time."""
    own = NO_ANSWER if record.snapshot is None else record.snapshot.status
    return (own, MAX_RUNTIME_EXCEEDED) if ran_out_of_time(record) else (own,)
