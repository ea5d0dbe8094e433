"""Rendering of families in the Prometheus text format 0.0.4 and in OpenMetrics 1.0. Pure.

The two formats have equal sample lines and differ only in the header of a family and in the end of the page. So the
lines of a job are rendered once, when the job changes, and joined at each scrape. prometheus_client renders everything
at each scrape; for the same families, its output and the output of this module are equal, byte for byte.
"""

from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from functools import cache, lru_cache
from itertools import accumulate
from typing import Final, Literal, NamedTuple

from prometheus_client.utils import floatToGoString

from exporter.metrics.family import Family, Histogram, Labels, Sample, Subject, SubjectFamily
from exporter.metrics.gzip_stream import FAST_LEVEL, PIECE_BYTES, SegmentChain, chain, compress, gzipped, gzipped_size

Format = Literal["text", "openmetrics"]

CONTENT_TYPES: Final[dict[Format, str]] = {
    "text": "text/plain; version=0.0.4; charset=utf-8",
    "openmetrics": "application/openmetrics-text; version=1.0.0; charset=utf-8",
}

_NO_EXPONENT: Final = 1e6
"""The numbers below have no exponent in Go's text."""

_FIRST_TIME: Final = 1e9
_END_OF_TIMES: Final = 1e10
"""Unix times from 2001 to 2286 have ten digits before the point."""

Row = tuple[bytes, ...]
"""The rendered lines of one subject, one entry for each of its families, in their order; empty without a sample."""


def render(families: Iterable[SubjectFamily[Subject]], subject: Subject) -> Row:
    """Render the lines of one subject, such as a job."""
    row: list[bytes] = []
    shared_of: Callable[[Subject], Labels] | None = None
    pairs = ""
    for family in families:
        if family.shared is not shared_of:
            shared_of, values = family.shared, family.shared(subject)
            pairs = _pairs(family.labels[: len(values)], values)
        row.append(_shared_lines(family, subject, pairs) if pairs else _lines(family, subject))
    return tuple(row)


def joined_rows(families: Sequence[Family], rows: Sequence[Row]) -> list[tuple[Family, bytes]]:
    """Join the lines of several subjects, family by family; without a subject, there is no family."""
    return (
        [(family, b"".join(lines)) for family, lines in zip(families, zip(*rows, strict=True), strict=True)]
        if rows
        else []
    )


def _lines(family: SubjectFamily[Subject], subject: Subject) -> bytes:
    lines: list[str] = []
    for labels, value in family.own_samples(subject):
        if isinstance(value, Histogram):
            lines.extend(_histogram_lines(family, labels, value))
        else:
            lines.append(render_sample(family.name, family.labels, labels, value))
    return "".join(lines).encode()


def _shared_lines(family: SubjectFamily[Subject], subject: Subject, pairs: str) -> bytes:
    """Render samples with the same first labels, which are already rendered."""
    samples = family.own_samples(subject)
    if family.repetitive:
        return pairs.join(_around_pairs(family)(tuple(samples))).encode()
    around, text = _around_shared(family), ""
    for labels, value in samples:
        before, after = around(labels)
        text += f"{before}{pairs}{after} {_number(value)}\n"  # type: ignore[arg-type] # no histogram has shared labels
    return text.encode()


def _histogram_lines(family: Family, labels: Labels, histogram: Histogram) -> Iterator[str]:
    cumulative = tuple(accumulate(histogram.observations))
    bounds = (*map(floatToGoString, family.buckets), "+Inf")
    for bound, count in zip(bounds, cumulative, strict=True):
        yield render_sample(f"{family.name}_bucket", (*family.labels, "le"), (*labels, bound), float(count))
    yield render_sample(f"{family.name}_count", family.labels, labels, float(cumulative[-1]))
    yield render_sample(f"{family.name}_sum", family.labels, labels, histogram.sum)


def render_sample(name: str, label_names: Labels, label_values: Labels, value: float) -> str:
    """Render one line; labels are sorted by name, as prometheus_client does.

    Raises:
        ValueError: the numbers of names and values differ.
    """
    return f"{_series(name, label_names, label_values)} {_number(value)}\n"


def _series(name: str, label_names: Labels, label_values: Labels) -> str:
    if len(label_names) != len(label_values):
        raise ValueError(f"{name} has {len(label_names)} labels, got {len(label_values)} values")
    return f"{name}{{{_pairs(label_names, label_values)}}}"


def _pairs(names: Labels, values: Labels) -> str:
    return ",".join([f'{name}="{_escape(values[index])}"' for name, index in _sorted_labels(names)])


@lru_cache(64)
def _around_shared(family: Family) -> Callable[[Labels], tuple[str, str]]:
    """Return a function of the values of a family's last labels; it remembers its last results.

    The function returns the text of a series before and after its shared labels, which are adjacent in the order of
    names.
    """
    first, name = family.labels[0], family.name

    @lru_cache(1024)
    def around(last_values: Labels) -> tuple[str, str]:
        shared = len(family.labels) - len(last_values)
        series = _series(name, (first, *family.labels[shared:]), ("", *last_values))
        before, _, after = series.partition(f'{first}=""')
        return before, after

    return around


@lru_cache(64)
def _around_pairs(family: Family) -> Callable[[tuple[Sample, ...]], Sequence[str]]:
    """Return a function of a family's samples; it remembers its last results.

    The function returns the lines, divided where the shared labels are.
    """
    around = _around_shared(family)

    @lru_cache(1024)
    def divided(samples: tuple[Sample, ...]) -> Sequence[str]:
        texts = [""]
        for labels, value in samples:
            before, after = around(labels)
            texts[-1] += before
            texts.append(f"{after} {_number(value)}\n")  # type: ignore[arg-type] # as above
        return texts

    return divided


def _number(value: float) -> str:
    """Return the text that ``floatToGoString`` returns. Most numbers need no exponent, and most others are times."""
    if -_NO_EXPONENT < value < _NO_EXPONENT:
        return repr(value)
    if _FIRST_TIME <= value < _END_OF_TIMES:
        digits = repr(value)
        return f"{digits[0]}.{digits[1:10]}{digits[11:]}".rstrip("0.") + "e+09"
    text: str = floatToGoString(value)
    return text


@cache
def _sorted_labels(names: Labels) -> Sequence[tuple[str, int]]:
    """Sort label names once for all samples of a family; return each with its index."""
    return sorted((name, index) for index, name in enumerate(names))


def render_header(family: Family, form: Format) -> bytes:
    """Render the HELP and TYPE lines of a family; OpenMetrics omits the ``_total`` of a counter."""
    openmetrics = form == "openmetrics"
    name = family.name.removesuffix("_total") if openmetrics and family.type == "counter" else family.name
    text = family.help.replace("\\", r"\\").replace("\n", r"\n")
    if openmetrics:
        text = text.replace('"', r"\"")
    return f"# HELP {name} {text}\n# TYPE {name} {family.type}\n".encode()


@dataclass(frozen=True, slots=True)
class Lines:
    """The lines of one family: plain text, followed by compressed segments."""

    plain: Sequence[bytes]
    sealed: SegmentChain = field(default_factory=SegmentChain)

    @property
    def size(self) -> int:
        """The size of the text in bytes."""
        return sum(map(len, self.plain)) + self.sealed.checksum.size


class Page(NamedTuple):
    """A page and its size in bytes. Its parts are made while they are read."""

    size: int
    parts: Iterable[bytes]


def plain_page(families: Iterable[tuple[Family, Lines]], own: bytes, form: Format) -> Page:
    """Make a page of text: the families, and the exporter's own metrics at the end. It never holds the whole text."""
    kept = [(render_header(family, form), lines) for family, lines in families]
    size = sum(len(header) + lines.size for header, lines in kept) + len(own)

    def texts() -> Iterator[bytes]:
        for header, lines in kept:
            yield header
            yield from lines.plain
            for segment in lines.sealed.segments:
                yield from segment.texts()
        yield own

    return Page(size, _pieces(texts()))


def _pieces(texts: Iterable[bytes]) -> Iterator[bytes]:
    """Join texts into pieces of at most ``PIECE_BYTES``; a longer text is a piece of its own."""
    piece: list[bytes] = []
    size = 0
    for text in texts:
        size += len(text)
        if size > PIECE_BYTES and piece:
            yield b"".join(piece)
            piece, size = [], len(text)
        piece.append(text)
    yield b"".join(piece)


def compressed_page(families: Iterable[tuple[Family, Lines]], own: bytes, form: Format) -> Page:
    """Make the same page as a gzip stream."""
    chains: list[SegmentChain] = []
    for family, lines in families:
        chains += [_compressed_once(render_header(family, form), *lines.plain), lines.sealed]
    chains.append(_compressed_once(own))
    return Page(gzipped_size(chains), gzipped(chains))


def _compressed_once(*texts: bytes) -> SegmentChain:
    return chain([compress(b"".join(texts), FAST_LEVEL)])


def sample_names(name: str, kind: str) -> frozenset[str]:
    """List the names that select a family: its own, those of its samples, and its OpenMetrics name."""
    if kind == "counter":
        return frozenset({name, name.removesuffix("_total")})
    if kind == "histogram":
        return frozenset({name, f"{name}_bucket", f"{name}_count", f"{name}_sum"})
    return frozenset({name})


def _escape(text: str) -> str:
    return text.replace("\\", r"\\").replace("\n", r"\n").replace('"', r"\"")
