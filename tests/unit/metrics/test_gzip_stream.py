"""Pieces of text become one gzip stream, whose checksum nobody computed over the whole."""

import gzip
import zlib

import pytest
from hypothesis import given
from hypothesis import strategies as st

from exporter.metrics.gzip_stream import (
    LASTING_LEVEL,
    PASSING_LEVEL,
    Checksum,
    SegmentChain,
    chain,
    compress,
    gzipped,
    gzipped_size,
)

TEXTS = st.lists(st.lists(st.binary(max_size=300).map(lambda text: text * 3), max_size=4), max_size=4)


@pytest.mark.parametrize("text", [b"", b"a", b"braket_job_status 1.0\n" * 5000])
@pytest.mark.parametrize("level", [PASSING_LEVEL, LASTING_LEVEL])
def test_a_piece_gives_its_text_back(text: bytes, level: int) -> None:
    piece = compress(text, level)
    assert piece.text() == text
    assert (piece.checksum.crc, piece.checksum.size) == (zlib.crc32(text), len(text))


def test_a_repetitive_text_becomes_small() -> None:
    assert len(compress(b"braket_job_status 1.0\n" * 5000, LASTING_LEVEL).data) < 1000


@given(TEXTS)
def test_any_chains_are_one_gzip_member_with_all_texts_in_order(texts: list[list[bytes]]) -> None:
    chains = [chain(compress(text, PASSING_LEVEL) for text in row) for row in texts]
    stream = b"".join(gzipped(chains))
    assert len(stream) == gzipped_size(chains)
    reader = zlib.decompressobj(16 + zlib.MAX_WBITS)
    assert reader.decompress(stream) == b"".join(text for row in texts for text in row)
    # Readers such as browsers stop at the end of the first member: nothing is behind it.
    assert reader.eof
    assert reader.unused_data == b""


@given(st.binary(max_size=50), st.binary(max_size=50), st.binary(max_size=50))
def test_checksums_add_up_in_any_grouping(one: bytes, two: bytes, three: bytes) -> None:
    first, second, third = (compress(text, PASSING_LEVEL).checksum for text in (one, two, three))
    assert first.then(second).then(third) == first.then(second.then(third))
    assert first.then(second).then(third).crc == zlib.crc32(one + two + three)


def test_nothing_before_or_behind_a_text_changes_its_checksum() -> None:
    some = compress(b"some", PASSING_LEVEL).checksum
    assert Checksum().then(some) == some == some.then(Checksum())


@given(st.lists(st.binary(max_size=100), max_size=5))
def test_a_chain_that_grows_is_the_chain_of_all(texts: list[bytes]) -> None:
    pieces = [compress(text, PASSING_LEVEL) for text in texts]
    grown = SegmentChain()
    for piece in pieces:
        grown = grown.add(piece)
    assert grown == chain(pieces)


def test_the_stream_comes_in_parts_that_are_worth_a_write_each() -> None:
    noise = [compress(bytes((number * index * 7919) % 251 for index in range(50_000)), 0) for number in range(1, 40)]
    parts = [*gzipped([chain(noise)])]
    assert all(250_000 < len(part) < 400_000 for part in parts[:-1])
    assert len(parts) == 7
    assert gzip.decompress(b"".join(parts)) == b"".join(piece.text() for piece in noise)


def test_no_text_at_all_is_a_stream_too() -> None:
    assert gzip.decompress(b"".join(gzipped([]))) == b""
