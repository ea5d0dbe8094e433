"""Tombstones of forgotten jobs, so that SearchJobs does not bring one back as news.

All targets share one set, since two credentials may see the same job. A tombstone is dropped when SearchJobs no longer
reaches back to its job; ``SearchPlanner.horizon`` computes that time. Exactly-once counting does not depend on it:
dropping a tombstone raises the *floor*, and a job created up to the floor is never news again. The floor is a creation
time from Braket, so a wrong local clock cannot move it past a future job.
"""

import threading
from collections import defaultdict
from collections.abc import Iterator, Mapping
from heapq import heappop, heappush

from exporter.storage.batches import BATCH_JOBS
from exporter.storage.persistence import Tombstone, mark_of


class Tombstones:
    """Tombstones by the mark of the job's ARN. Thread-safe.

    Except for ``all``, no method holds the lock longer if there are more tombstones.

    Args:
        known: tombstones from before a restart.
        floor: the floor from before a restart, unix seconds.
    """

    def __init__(self, known: Mapping[int, Tombstone] | None = None, floor: float = 0.0) -> None:
        self._floor = 0.0
        self._by_mark: dict[int, Tombstone] = {}
        self._ages: defaultdict[str, list[tuple[float, int]]] = defaultdict(list)
        """Creation times and marks by owner, as heaps; entries of replaced or removed tombstones are out of date."""
        self._lock = threading.Lock()
        self.restore(known or {}, floor)

    def restore(self, known: Mapping[int, Tombstone], floor: float) -> None:
        """Add the tombstones and the floor, unix seconds, from before a restart."""
        with self._lock:
            self._floor = max(self._floor, floor)
            for mark, tombstone in known.items():
                self._put(mark, tombstone)

    @property
    def floor(self) -> float:
        """The creation time, unix seconds, up to which a job may have been forgotten without a tombstone."""
        return self._floor

    def all(self) -> dict[int, Tombstone]:
        """Return every tombstone by its mark."""
        with self._lock:
            return dict(self._by_mark)

    def get(self, arn: str) -> Tombstone | None:
        """Return the tombstone of a job, if there is one."""
        return self._by_mark.get(mark_of(arn))

    def entry(self, arn: str) -> dict[int, Tombstone]:
        """Return the tombstone of a job by its mark; empty if there is none."""
        mark = mark_of(arn)
        tombstone = self._by_mark.get(mark)
        return {} if tombstone is None else {mark: tombstone}

    def add(self, arn: str, tombstone: Tombstone) -> None:
        """Add the tombstone of a forgotten job."""
        with self._lock:
            self._put(mark_of(arn), tombstone)

    def remove(self, arn: str) -> int | None:
        """Remove the tombstone of a job that is watched again; return its mark, if there was one."""
        mark = mark_of(arn)
        with self._lock:
            return None if self._by_mark.pop(mark, None) is None else mark

    def change_owner(self, before: str, after: str) -> Iterator[dict[int, Tombstone]]:
        """Move the tombstones of one target to another; yield them by mark, in batches."""
        while before != after and before in self._ages:
            moved: dict[int, Tombstone] = {}
            with self._lock:
                ages = self._ages[before]
                for _, mark in ages[-BATCH_JOBS:]:
                    tombstone = self._by_mark.get(mark)
                    if tombstone is not None and tombstone.owner == before:
                        moved[mark] = tombstone._replace(owner=after)
                        self._put(mark, moved[mark])
                del ages[-BATCH_JOBS:]  # the rest is still a heap
                if not ages:
                    del self._ages[before]
            yield moved

    def prune(self, owner: str, before: float) -> list[int]:
        """Drop a batch of old tombstones of an owner, raise the floor, and return the marks; empty if none is left.

        Args:
            owner: the key of the target that forgot the jobs.
            before: tombstones of jobs that were created before this time are dropped, unix seconds.
        """
        dropped: list[int] = []
        with self._lock:
            ages = self._ages.get(owner, [])
            while ages and ages[0][0] < before and len(dropped) < BATCH_JOBS:
                created, mark = heappop(ages)
                tombstone = self._by_mark.get(mark)
                if tombstone is not None and (tombstone.created, tombstone.owner) == (created, owner):
                    del self._by_mark[mark]
                    self._floor = max(self._floor, created)
                    dropped.append(mark)
        return dropped

    def prune_all_but(self, baselines: Mapping[str, object], before: float) -> list[int]:
        """Prune a batch of each owner without a baseline, which no target prunes; return the marks."""
        orphans = [owner for owner in [*self._ages] if owner not in baselines]
        return [mark for owner in orphans for mark in self.prune(owner, before)]

    def _put(self, mark: int, tombstone: Tombstone) -> None:
        self._by_mark[mark] = tombstone
        heappush(self._ages[tombstone.owner], (tombstone.created, mark))
