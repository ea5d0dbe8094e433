"""Pieces of text become one gzip stream, whose checksum nobody computed over the whole."""

import gzip
import zlib

import pytest
from hypothesis import given
from hypothesis import strategies as st

from exporter.metrics.gzip_stream import (
    BEST_LEVEL,
    FAST_LEVEL,
    Checksum,
    SegmentChain,
    chain,
    compress,
    gzipped,
    gzipped_size,
)

TEXTS = st.lists(st.lists(st.binary(max_size=300).map(lambda text: text * 3), max_size=4), max_size=4)


@pytest.mark.parametrize("text", [b"", b"a", b"braket_job_status 1.0\n" * 5000])
@pytest.mark.parametrize("level", [FAST_LEVEL, BEST_LEVEL])
def test_a_piece_gives_its_text_back(text: bytes, level: int) -> None:
    segment = compress(text, level)
    assert b"".join(segment.texts()) == text
    assert (segment.checksum.crc, segment.checksum.size) == (zlib.crc32(text), len(text))


def test_a_repetitive_text_becomes_small() -> None:
    assert len(compress(b"braket_job_status 1.0\n" * 5000, BEST_LEVEL).data) < 1000


@given(TEXTS)
def test_any_chains_are_one_gzip_member_with_all_texts_in_order(texts: list[list[bytes]]) -> None:
    chains = [chain(compress(text, FAST_LEVEL) for text in row) for row in texts]
    stream = b"".join(gzipped(chains))
    assert len(stream) == gzipped_size(chains)
    reader = zlib.decompressobj(16 + zlib.MAX_WBITS)
    assert reader.decompress(stream) == b"".join(text for row in texts for text in row)
    # Readers such as browsers stop at the end of the first member: nothing is behind it.
    assert reader.eof
    assert reader.unused_data == b""


@given(st.binary(max_size=50), st.binary(max_size=50), st.binary(max_size=50))
def test_checksums_add_up_in_any_grouping(one: bytes, two: bytes, three: bytes) -> None:
    first, second, third = (compress(text, FAST_LEVEL).checksum for text in (one, two, three))
    assert first.then(second).then(third) == first.then(second.then(third))
    assert first.then(second).then(third).crc == zlib.crc32(one + two + three)


def test_nothing_before_or_behind_a_text_changes_its_checksum() -> None:
    some = compress(b"some", FAST_LEVEL).checksum
    assert Checksum().then(some) == some == some.then(Checksum())


@given(st.lists(st.binary(max_size=100), max_size=5))
def test_a_chain_that_grows_is_the_chain_of_all(texts: list[bytes]) -> None:
    segments = [compress(text, FAST_LEVEL) for text in texts]
    grown = SegmentChain()
    for segment in segments:
        grown = grown.add(segment)
    assert grown == chain(segments)


def test_the_stream_comes_in_parts_that_are_worth_a_write_each() -> None:
    noise = [compress(bytes((number * index * 7919) % 251 for index in range(50_000)), 0) for number in range(1, 40)]
    parts = [*gzipped([chain(noise)])]
    assert all(64 * 1024 <= len(part) < 128 * 1024 for part in parts[:-1])
    assert len(parts) == 20
    assert gzip.decompress(b"".join(parts)) == b"".join(piece for segment in noise for piece in segment.texts())


def test_no_text_at_all_is_a_stream_too() -> None:
    assert gzip.decompress(b"".join(gzipped([]))) == b""
