"""Independent segments of a gzip stream: a text is compressed once and served many times. Pure.

A segment ends at a byte boundary and refers to nothing before it (RFC 1951: an empty stored block after a full flush).
So segments in any order are one deflate stream, and its checksum follows from those of the segments. The result is one
gzip member (RFC 1952): of several concatenated members, browsers and curl read the first and silently drop the others.
"""

import struct
import zlib
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from typing import Final, NamedTuple

BEST_LEVEL: Final = 3
"""Compression level of a text that is served many times. Higher levels take twice the time for 5 % less."""

FAST_LEVEL: Final = 1
"""Compression level of a text that is served once: a quarter of the time, and a slightly larger result."""

PIECE_BYTES: Final = 64 * 1024
"""The size of the pieces of a page: each of hundreds of slow readers may hold one."""

_HEADER: Final = b"\x1f\x8b\x08\x00\x00\x00\x00\x00\x00\xff"
"""Header of a gzip member: deflate, no name, no time, unknown operating system."""

_END: Final = b"\x03\x00"
"""The last block of a deflate stream, empty."""

_TRAILER: Final = struct.Struct("<II")
_RAW: Final = -zlib.MAX_WBITS
_ONE: Final = 1 << 31
_POLYNOMIAL: Final = 0xEDB88320
"""Polynomial of CRC-32. In all polynomials here, the lowest bit is the coefficient of the highest power."""


@dataclass(frozen=True, slots=True)
class Checksum:
    """The CRC-32 of a text, and the values for prepending another text.

    Attributes:
        crc: the CRC-32.
        size: the text's length in bytes.
        shift: x to the power of 8 times the size, modulo the polynomial.
    """

    crc: int = 0
    size: int = 0
    shift: int = _ONE

    def then(self, other: "Checksum") -> "Checksum":
        """Return the checksum of this text followed by another one."""
        crc = _times(other.shift, self.crc) ^ other.crc
        return Checksum(crc, self.size + other.size, _times(self.shift, other.shift))


class Segment(NamedTuple):
    """A compressed text."""

    data: bytes
    checksum: Checksum

    def texts(self) -> Iterator[bytes]:
        """Yield the text in pieces."""
        inflate = zlib.decompressobj(_RAW)
        rest = self.data
        while piece := inflate.decompress(rest, PIECE_BYTES):
            yield piece
            rest = inflate.unconsumed_tail


@dataclass(frozen=True, slots=True)
class SegmentChain:
    """A sequence of segments, with the checksum of their text."""

    segments: tuple[Segment, ...] = ()
    checksum: Checksum = field(default_factory=Checksum)

    def add(self, segment: Segment) -> "SegmentChain":
        """Return a chain with one more segment."""
        return SegmentChain((*self.segments, segment), self.checksum.then(segment.checksum))


def compress(text: bytes, level: int) -> Segment:
    """Compress a text."""
    deflate = zlib.compressobj(level, zlib.DEFLATED, _RAW)
    data = deflate.compress(text) + deflate.flush(zlib.Z_FULL_FLUSH)
    return Segment(data, Checksum(zlib.crc32(text), len(text), _power_of_x(8 * len(text))))


def chain(segments: Iterable[Segment]) -> SegmentChain:
    """Make a chain of segments."""
    kept = tuple(segments)
    crc = size = 0
    for checksum in (segment.checksum for segment in kept):
        crc = _times(checksum.shift, crc) ^ checksum.crc
        size += checksum.size
    return SegmentChain(kept, Checksum(crc, size, _power_of_x(8 * size)))


def gzipped_size(chains: Iterable[SegmentChain]) -> int:
    """Return the number of bytes that ``gzipped`` yields."""
    return (
        len(_HEADER)
        + sum(len(segment.data) for each in chains for segment in each.segments)
        + len(_END)
        + _TRAILER.size
    )


def gzipped(chains: Iterable[SegmentChain]) -> Iterator[bytes]:
    """Yield one gzip member with the texts of all chains, in pieces."""
    part, size, checksum = [_HEADER], 0, Checksum()
    for each in chains:
        checksum = checksum.then(each.checksum)
        for segment in each.segments:
            part.append(segment.data)
            size += len(segment.data)
            if size >= PIECE_BYTES:
                yield b"".join(part)
                part, size = [], 0
    yield b"".join((*part, _END, _TRAILER.pack(checksum.crc, checksum.size & 0xFFFFFFFF)))


def _times(a: int, b: int) -> int:
    """Multiply two polynomials modulo the polynomial of CRC-32."""
    product = 0
    for bit in range(31, -1, -1):
        if a >> bit & 1:
            product ^= b
            if not a & ((1 << bit) - 1):
                break
        b = b >> 1 ^ (_POLYNOMIAL if b & 1 else 0)
    return product


def _squares() -> Iterator[int]:
    """Yield x to the powers 1, 2, 4, 8 and so on; after 32 of them, they repeat."""
    power = _ONE >> 1
    for _ in range(32):
        yield power
        power = _times(power, power)


_SQUARES: Final = tuple(_squares())


def _power_of_x(exponent: int) -> int:
    power, place = _ONE, 0
    while exponent >> place:
        if exponent >> place & 1:
            power = _times(_SQUARES[place % 32], power)
        place += 1
    return power
