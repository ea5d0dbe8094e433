"""The owner of each job after a reload or a restart. Pure.

``T`` stands for a polled target; no function here calls one.
"""

from collections import defaultdict
from collections.abc import Collection, Iterable, Mapping
from typing import Generic, NamedTuple, TypeVar

from exporter.core import JobRecord, Target, TargetConfig, parse_job_arn

T = TypeVar("T")


class Place(NamedTuple, Generic[T]):
    """The account and Region of a polled target, and its jobs.

    Attributes:
        polled: the polled target.
        config: its configuration.
        target: the account and Region; the account is empty until it is known.
        discovers: whether the target discovers jobs.
    """

    polled: T
    config: TargetConfig
    target: Target
    discovers: bool


class Moves(NamedTuple, Generic[T]):
    """The new targets of jobs.

    Attributes:
        to: the jobs that each target takes over.
        dropped: the jobs without a target.
    """

    to: Mapping[T, list[str]]
    dropped: list[str]


def configured_jobs(configs: Iterable[TargetConfig]) -> frozenset[str]:
    """Return the configured jobs of all targets."""
    return frozenset(arn for config in configs for arn in config.jobs)


def released(
    old: Iterable[T], kept: Mapping[T, TargetConfig], configured: Collection[str]
) -> dict[T, frozenset[str] | None]:
    """Return the jobs that each target releases before other targets take them over; ``None`` for all of its jobs.

    Args:
        old: the polled targets so far.
        kept: the targets that stay, each with its new configuration.
        configured: the jobs that are configured now.
    """
    return {target: frozenset(configured).difference(kept[target].jobs) if target in kept else None for target in old}


def reassignment(new: Iterable[Place[T]], jobs: Iterable[str]) -> Moves[T]:
    """Return the targets that take over jobs: a target that discovers jobs in the same account and Region.

    Args:
        new: the polled targets; the first one that fits takes a job over.
        jobs: the jobs that no target watches.
    """
    discovering = {place.target: place.polled for place in reversed([*new]) if place.discovers}
    moves: defaultdict[T, list[str]] = defaultdict(list)
    dropped: list[str] = []
    for arn in jobs:
        parts = parse_job_arn(arn)
        # A target with an unknown account may have any job of its Region.
        fitting = (Target(parts.account, parts.region), Target("", parts.region))
        polled = next((discovering[target] for target in fitting if target in discovering), None)
        (dropped if polled is None else moves[polled]).append(arn)
    return Moves(moves, dropped)


class OwnersAfterRestart(Generic[T]):
    """The owners of the jobs of the state file.

    Args:
        places: the polled targets.
    """

    def __init__(self, places: Iterable[Place[T]]) -> None:
        every = [*places]
        self._configured = {arn: place.polled for place in every for arn in place.config.jobs}
        self._discovering = {place.config.key: place.polled for place in reversed(every) if place.discovers}

    def configures(self, record: JobRecord) -> bool:
        """Return whether the job is configured."""
        return record.arn in self._configured

    def of(self, record: JobRecord) -> T | None:
        """Return the target that configures the job, or the target that discovered it; ``None`` if neither exists."""
        if record.arn in self._configured:
            return self._configured[record.arn]
        return None if record.configured else self._discovering.get(record.owner)
