"""The records of devices, with the lines for scrapes. Targets share them. Thread-safe."""

from collections.abc import Mapping, Sequence
from threading import Lock
from typing import NamedTuple

from exporter.core import DeviceKey, DeviceRecord
from exporter.metrics import DEVICE_FAMILIES, Family, Row, joined_rows, render


class _Entry(NamedTuple):
    record: DeviceRecord
    row: Row
    keep_until: float


class DeviceStore:
    """The current records by device. A device is dropped once no target has used it for the retention."""

    def __init__(self) -> None:
        self._entries: dict[DeviceKey, _Entry] = {}
        self._lock = Lock()

    def find(self, key: DeviceKey) -> DeviceRecord | None:
        """Return the record of a device, if there is one."""
        entry = self._entries.get(key)
        return None if entry is None else entry.record

    def records(self) -> Mapping[DeviceKey, DeviceRecord]:
        """Return all records by device."""
        with self._lock:
            return {key: entry.record for key, entry in self._entries.items()}

    def put(self, record: DeviceRecord, keep_until: float) -> None:
        """Replace the record of a device.

        Args:
            record: the record.
            keep_until: when to drop it, monotonic seconds; a later time of an earlier call stays.
        """
        row, key = render(DEVICE_FAMILIES, record), record.snapshot.key
        with self._lock:
            before = self._entries.get(key)
            self._entries[key] = _Entry(record, row, max(keep_until, before.keep_until if before else keep_until))

    def keep(self, key: DeviceKey, until: float) -> None:
        """Keep a device at least until a time, monotonic seconds, if it has a record."""
        with self._lock:
            entry = self._entries.get(key)
            if entry is not None and entry.keep_until < until:
                self._entries[key] = entry._replace(keep_until=until)

    def drop_expired(self, now: float) -> None:
        """Drop the devices that are not used any more; ``now`` is monotonic seconds."""
        with self._lock:
            self._entries = {key: entry for key, entry in self._entries.items() if entry.keep_until > now}

    def lines(self) -> Sequence[tuple[Family, bytes]]:
        """Return the lines of each family; no family without a device."""
        with self._lock:
            rows = [entry.row for _, entry in sorted(self._entries.items())]
        return joined_rows(DEVICE_FAMILIES, rows)
