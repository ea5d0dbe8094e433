"""Text that is compressed once and served many times: pieces of a gzip stream that stand by themselves. Pure.

A piece ends at a byte's boundary and refers to nothing before it (RFC 1951: an empty stored block after a full flush),
so pieces in any order are one deflate stream. Its checksum follows from those of the pieces. The result is one gzip
member (RFC 1952): of several, concatenated, browsers and curl read the first and drop the others without a word.
"""

import struct
import zlib
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from typing import Final

BEST_LEVEL: Final = 6
"""For what is served again and again."""

FAST_LEVEL: Final = 1
"""For what is served once: a quarter of the time, for text that is hardly larger."""

_PART_BYTES: Final = 256 * 1024
_HEADER: Final = b"\x1f\x8b\x08\x00\x00\x00\x00\x00\x00\xff"
"""Of a gzip member: deflate, no name, no time, of no known system."""

_END: Final = b"\x03\x00"
"""The last block of a deflate stream, empty."""

_TRAILER: Final = struct.Struct("<II")
_RAW: Final = -zlib.MAX_WBITS
_ONE: Final = 1 << 31
_POLYNOMIAL: Final = 0xEDB88320
"""Of CRC-32, as all numbers here with the coefficient of the highest power in the lowest bit."""


@dataclass(frozen=True, slots=True)
class Checksum:
    """The CRC-32 of a text, and what it takes to put another text before it.

    Attributes:
        crc: the CRC-32.
        size: the text's length in bytes.
        shift: x to the power of 8 times the size, modulo the polynomial.
    """

    crc: int = 0
    size: int = 0
    shift: int = _ONE

    def then(self, other: "Checksum") -> "Checksum":
        """Return the checksum of this text with another one behind it."""
        crc = _times(other.shift, self.crc) ^ other.crc
        return Checksum(crc, self.size + other.size, _times(self.shift, other.shift))


@dataclass(frozen=True, slots=True)
class Segment:
    """A compressed text."""

    data: bytes
    checksum: Checksum

    def text(self) -> bytes:
        """Return the text."""
        return zlib.decompressobj(_RAW).decompress(self.data)


@dataclass(frozen=True, slots=True)
class SegmentChain:
    """Pieces in a row, with the checksum of all."""

    segments: tuple[Segment, ...] = ()
    checksum: Checksum = field(default_factory=Checksum)

    def add(self, segment: Segment) -> "SegmentChain":
        """Return a chain with one piece more."""
        return SegmentChain((*self.segments, segment), self.checksum.then(segment.checksum))


def compress(text: bytes, level: int) -> Segment:
    """Compress a text."""
    deflate = zlib.compressobj(level, zlib.DEFLATED, _RAW)
    data = deflate.compress(text) + deflate.flush(zlib.Z_FULL_FLUSH)
    return Segment(data, Checksum(zlib.crc32(text), len(text), _power_of_x(8 * len(text))))


def chain(segments: Iterable[Segment]) -> SegmentChain:
    """Put pieces in a row."""
    kept = tuple(segments)
    checksum = Checksum()
    for segment in kept:
        checksum = checksum.then(segment.checksum)
    return SegmentChain(kept, checksum)


def gzipped_size(chains: Iterable[SegmentChain]) -> int:
    """Tell how many bytes ``gzipped`` will yield."""
    return (
        len(_HEADER)
        + sum(len(segment.data) for each in chains for segment in each.segments)
        + len(_END)
        + _TRAILER.size
    )


def gzipped(chains: Iterable[SegmentChain]) -> Iterator[bytes]:
    """Yield one gzip member that holds the texts of all chains, in parts that are worth a write each."""
    part, size, checksum = [_HEADER], 0, Checksum()
    for each in chains:
        checksum = checksum.then(each.checksum)
        for segment in each.segments:
            part.append(segment.data)
            size += len(segment.data)
            if size >= _PART_BYTES:
                yield b"".join(part)
                part, size = [], 0
    yield b"".join((*part, _END, _TRAILER.pack(checksum.crc, checksum.size & 0xFFFFFFFF)))


def _times(a: int, b: int) -> int:
    """Multiply two polynomials modulo that of CRC-32."""
    product = 0
    for bit in range(31, -1, -1):
        if a >> bit & 1:
            product ^= b
            if not a & ((1 << bit) - 1):
                break
        b = b >> 1 ^ (_POLYNOMIAL if b & 1 else 0)
    return product


def _squares() -> Iterator[int]:
    """Yield x to the powers 1, 2, 4, 8 and so on; after 32 they come again."""
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
