"""Compact encoding of job records, in a tenth of the memory, each of which can be read alone. Pure.

The records of a block resemble each other. A few of them are the preset dictionary with which each record is compressed
alone: it takes some 60 bytes, and reading it does not depend on the size of the block.

``marshal`` is safe here: it only reads bytes that this process wrote, never a file or a network response.
"""

import marshal
import zlib
from array import array
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, fields
from itertools import accumulate, pairwise
from operator import attrgetter
from typing import Any, Final

from exporter.core import EventKey, JobEvent, JobRecord, JobSnapshot

_of_record = attrgetter(*(field.name for field in fields(JobRecord)))
_of_snapshot = attrgetter(*(field.name for field in fields(JobSnapshot)))
_SNAPSHOT = [field.name for field in fields(JobRecord)].index("snapshot")
_KEYS = [field.name for field in fields(JobRecord)].index("events")
_EVENTS = [field.name for field in fields(JobSnapshot)].index("events")


_SAMPLES: Final = 4
"""The records in a dictionary. More of them compress the others no better."""

_MARSHAL_VERSION: Final = 2
"""The last version with bytes that do not depend on reference counts: equal values have equal bytes."""

_RAW_DEFLATE: Final = -15


@dataclass(frozen=True, slots=True, eq=False)
class PackedRecords:
    """Encoded records.

    Attributes:
        dictionary: the preset dictionary.
        data: the compressed records, one after the other.
        bounds: the start of each record in ``data``, and the end of the last one.
    """

    dictionary: bytes
    data: bytes
    bounds: Sequence[int]

    def __len__(self) -> int:
        """Return the number of records."""
        return len(self.bounds) - 1

    def __getitem__(self, index: int) -> JobRecord:
        """Decode one record."""
        return self._decode(self.bounds[index], self.bounds[index + 1])

    def __iter__(self) -> Iterator[JobRecord]:
        """Decode the records one by one."""
        return (self._decode(start, end) for start, end in pairwise(self.bounds))

    def _decode(self, start: int, end: int) -> JobRecord:
        raw = zlib.decompressobj(_RAW_DEFLATE, self.dictionary).decompress(self.data[start:end])
        return _record(marshal.loads(raw))  # noqa: S302 -- see above


def pack(records: Sequence[JobRecord]) -> PackedRecords:
    """Encode records."""
    raw = [marshal.dumps(_flat(record), _MARSHAL_VERSION) for record in records]
    dictionary = b"".join(raw[:: max(1, len(raw) // _SAMPLES)][:_SAMPLES])
    packed = [_compressed(each, dictionary) for each in raw]
    bounds = array("I", [0, *accumulate(map(len, packed))])
    return PackedRecords(dictionary, b"".join(packed), bounds)


def _compressed(raw: bytes, dictionary: bytes) -> bytes:
    packer = zlib.compressobj(wbits=_RAW_DEFLATE, zdict=dictionary)
    return packer.compress(raw) + packer.flush()


def _flat(record: JobRecord) -> list[Any]:
    values = [*_of_record(record)]
    values[_KEYS] = [tuple(key) for key in record.events]
    if record.snapshot is not None:
        values[_SNAPSHOT] = [*_of_snapshot(record.snapshot)]
        values[_SNAPSHOT][_EVENTS] = [(*event.key, event.message) for event in record.snapshot.events]
    return values


def _record(values: list[Any]) -> JobRecord:
    values[_KEYS] = tuple(EventKey(*key) for key in values[_KEYS])
    if (snapshot := values[_SNAPSHOT]) is not None:
        snapshot[_EVENTS] = tuple(JobEvent(EventKey(*key), message) for *key, message in snapshot[_EVENTS])
        values[_SNAPSHOT] = JobSnapshot(*snapshot)
    return JobRecord(*values)
