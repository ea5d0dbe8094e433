"""Which poller watches which job once other targets are polled, or after a restart. Pure.

``P`` stands for a poller; nothing here calls one.
"""

from collections import defaultdict
from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass
from typing import Generic, NamedTuple, TypeVar

from exporter.core import JobRecord, Target, TargetConfig, parse_job_arn

P = TypeVar("P")


class Place(NamedTuple, Generic[P]):
    """A polled target.

    Attributes:
        poller: its poller.
        lane: what is polled.
        target: the account and Region; the account is empty until it is known.
        discovers: whether jobs are looked for.
    """

    poller: P
    lane: TargetConfig
    target: Target
    discovers: bool


@dataclass(frozen=True, slots=True)
class Moves(Generic[P]):
    """Which jobs go where.

    Attributes:
        to: the jobs that each poller takes over.
        dropped: the jobs that nobody watches.
    """

    to: Mapping[P, list[str]]
    dropped: list[str]


def configured_jobs(lanes: Iterable[TargetConfig]) -> frozenset[str]:
    """Return the jobs that the settings name, whichever target they are of."""
    return frozenset(arn for lane in lanes for arn in lane.jobs)


def released(
    old: Iterable[P], kept: Mapping[P, TargetConfig], configured: Collection[str]
) -> dict[P, frozenset[str] | None]:
    """Return the jobs that each poller gives up before others take them over; ``None`` for all of its jobs.

    Args:
        old: the pollers so far.
        kept: those that stay, with what they poll from now on.
        configured: the jobs that the settings name from now on.
    """
    return {poller: frozenset(configured).difference(kept[poller].jobs) if poller in kept else None for poller in old}


def reassignment(new: Iterable[Place[P]], jobs: Iterable[str]) -> Moves[P]:
    """Decide who takes over the jobs that no target names: who looks for jobs where they are.

    Args:
        new: the targets that are polled from now on; the first one that fits takes a job.
        jobs: the jobs that nobody watches any more.
    """
    finders = {place.target: place.poller for place in reversed([*new]) if place.discovers}
    moves: defaultdict[P, list[str]] = defaultdict(list)
    dropped: list[str] = []
    for arn in jobs:
        parts = parse_job_arn(arn)
        # Where the account is not known yet, any job of the Region may be there.
        fitting = (Target(parts.account, parts.region), Target("", parts.region))
        poller = next((finders[target] for target in fitting if target in finders), None)
        (dropped if poller is None else moves[poller]).append(arn)
    return Moves(moves, dropped)


class OwnersAfterRestart(Generic[P]):
    """Finds the poller of each job that was known before a restart.

    Args:
        places: the targets that are polled.
    """

    def __init__(self, places: Iterable[Place[P]]) -> None:
        every = [*places]
        self._namers = {arn: place.poller for place in every for arn in place.lane.jobs}
        self._finders = {place.lane.key: place.poller for place in reversed(every) if place.discovers}

    def names(self, record: JobRecord) -> bool:
        """Return whether the settings name the job."""
        return record.arn in self._namers

    def of(self, record: JobRecord) -> P | None:
        """Return the poller that names the job, or else the one that found it; ``None`` if neither is left."""
        if record.arn in self._namers:
            return self._namers[record.arn]
        return None if record.configured else self._finders.get(record.owner)
