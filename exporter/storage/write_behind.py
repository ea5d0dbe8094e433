"""Write-behind: changes that are not persisted yet, and their writes."""

from collections.abc import Callable, Collection, Iterable, Mapping
from threading import Lock

from exporter.core import JobRecord
from exporter.metrics import Series, Totals
from exporter.storage.batches import BATCH_JOBS
from exporter.storage.persistence import DirtySet, Entry, Persistence, Tombstone


class WriteBehind:
    """Writes changes to the persistence. A change that cannot be written is kept for the next write.

    Without a persistence, nothing is kept.

    Args:
        persistence: where to write; ``None`` for nowhere.
        lock: the store's lock, which also guards the dirty set.
        find: returns the store's record of a job; it takes the lock.
        totals: returns the current values of counters and histograms; its caller holds the lock.
        everything: returns the whole state, for a new state file; it takes the lock.

    Attributes:
        writing: the lock of writes and counter updates.
        dirty: the changes to write; guarded by the lock.
    """

    def __init__(
        self,
        persistence: Persistence | None,
        lock: Lock,
        find: Callable[[str], JobRecord | None],
        totals: Callable[[Collection[Series]], Totals],
        everything: Callable[[], Entry],
    ) -> None:
        self._persistence, self._lock, self._find, self._totals = persistence, lock, find, totals
        self._everything = everything
        self.writing = Lock()
        self.dirty = DirtySet()

    def changed(self, arn: str) -> None:
        """Note that a job is new or changed. The caller holds the lock."""
        if self._persistence is not None:
            self.dirty.changed(arn)

    def incremented(self, arn: str) -> None:
        """Note that a job changed and its increments are not persisted. The caller holds the lock."""
        if self._persistence is not None:
            self.dirty.incremented(arn)

    def forgotten(self, arn: str, tombstone: Mapping[int, Tombstone]) -> None:
        """Note that a job was forgotten, and its tombstone. The caller holds the lock."""
        if self._persistence is not None:
            self.dirty.changed(arn)
            self.dirty.forgotten.add(arn)
            self.dirty.tombstones |= tombstone

    def save_tombstones(self, tombstones: Mapping[int, Tombstone]) -> None:
        """Note tombstones, by mark; they replace earlier ones."""
        if self._persistence is not None:
            with self._lock:
                self.dirty.tombstones |= tombstones

    def drop_tombstones(self, marks: Iterable[int], floor: float) -> None:
        """Note that tombstones were dropped, and their floor, unix seconds."""
        dropped = dict.fromkeys(marks)
        if self._persistence is not None and dropped:
            with self._lock:
                self.dirty.tombstones |= dropped
                self.dirty.floor = max(self.dirty.floor, floor)

    def flush(self) -> bool:
        """Write the dirty set in batches. A response can be written between two of them.

        Returns:
            Whether it succeeded.
        """
        written = more = True
        while written and more:
            with self.writing:
                written = self.write(None, Totals())
                with self._lock:
                    more = bool(self.dirty)
        return written

    def write(self, record: JobRecord | None, totals: Totals) -> bool:
        """Write a batch of the dirty set, and a record and totals that the store does not have yet.

        Returns:
            Whether it succeeded.

        The caller holds ``writing`` but not the lock.
        """
        if self._persistence is None or (self._persistence.open and self._write(self._persistence, record, totals)):
            return True
        with self._lock:
            self.dirty.series.update(totals.counters, totals.histograms)
        return False

    def _write(self, persistence: Persistence, record: JobRecord | None, totals: Totals) -> bool:
        with self._lock:
            dirty = self.dirty.take(BATCH_JOBS)
            moved = self._totals(dirty.series)
        known = {arn: self._find(arn) for arn in (*dirty.arns, *dirty.counted)}
        if record is not None:
            known[record.arn] = record
        entry = dirty.entry(known, moved.replaced_by(totals))
        if not entry or persistence.write(entry, self._everything):
            return True
        with self._lock:
            self.dirty.give_back(dirty)
        return False
