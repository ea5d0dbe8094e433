"""What is known of many jobs without a look at each: how many are in a status, and how urgent the first is. Pure."""

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from typing import Final, NamedTuple

from exporter.core import MAX_RUNTIME_EXCEEDED, JobRecord, is_failure, ran_out_of_time

NO_ANSWER: Final = "NO_ANSWER"
"""Stands where other jobs have their status: GetJob never answered for this one."""

LEAST_URGENT: Final = (9, 0.0)
"""No job is less urgent."""

_RANKS: Final = {"RUNNING": 1, "QUEUED": 2, "CANCELLING": 3}


def urgency_of(record: JobRecord) -> tuple[int, float]:
    """Rank jobs by how much they ask for a look, then the newest first."""
    if record.snapshot is None:
        return (5 if record.failing is None else 0), 0.0
    rank = 0 if is_failure(record) else _RANKS.get(record.snapshot.status, 4)
    return rank, -(record.snapshot.created or 0.0)


class StatusSummary(NamedTuple):
    """How many jobs of a pile are listed under a status, and how urgent the first of them is."""

    jobs: int
    first: tuple[int, float]


@dataclass(frozen=True, slots=True)
class BlockSummary:
    """Jobs that need not all be looked at to tell whether one of them is among the first.

    Attributes:
        total: how many there are.
        glances: what is known of them by status.
        records: gives each of them, at a price.
    """

    total: int
    statuses: Mapping[str, StatusSummary]
    records: Callable[[], Iterable[JobRecord]]


def status_summaries(records: Iterable[JobRecord]) -> dict[str, StatusSummary]:
    """Tell by status what a pile of jobs is to be known by."""
    statuses: dict[str, StatusSummary] = {}
    for record in records:
        urgency = urgency_of(record)
        for status in statuses_of(record):
            jobs, first = statuses.get(status, (0, urgency))
            statuses[status] = StatusSummary(jobs + 1, min(first, urgency))
    return statuses


def statuses_of(record: JobRecord) -> tuple[str, ...]:
    """Tell under which statuses a job is listed: its own, and ``MAX_RUNTIME_EXCEEDED`` if it ran out of time."""
    own = NO_ANSWER if record.snapshot is None else record.snapshot.status
    return (own, MAX_RUNTIME_EXCEEDED) if ran_out_of_time(record) else (own,)
