"""Rendering of families in the Prometheus text format 0.0.4 and in OpenMetrics 1.0. Pure.

The two formats have equal sample lines and differ only in the header of a family and in the end of the page. So the
lines of a job are rendered once, when the job changes, and joined at each scrape. prometheus_client renders everything
at each scrape; for the same families, its output and the output of this module are equal, byte for byte.
"""

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from functools import cache
from itertools import accumulate
from typing import Final, Literal

from prometheus_client.utils import floatToGoString

from exporter.metrics.family import Family, Histogram, Labels, Sample, Subject, SubjectFamily
from exporter.metrics.gzip_stream import FAST_LEVEL, SegmentChain, chain, compress, gzipped, gzipped_size

Format = Literal["text", "openmetrics"]

CONTENT_TYPES: Final[dict[Format, str]] = {
    "text": "text/plain; version=0.0.4; charset=utf-8",
    "openmetrics": "application/openmetrics-text; version=1.0.0; charset=utf-8",
}

Row = tuple[bytes, ...]
"""The rendered lines of one subject, one entry for each of its families, in their order; empty without a sample."""


def render(families: Iterable[SubjectFamily[Subject]], subject: Subject) -> Row:
    """Render the lines of one subject, such as a job."""
    return tuple(_lines(family, family.samples(subject)) for family in families)


def _lines(family: Family, samples: Iterable[Sample]) -> bytes:
    lines: list[str] = []
    for labels, value in samples:
        if isinstance(value, Histogram):
            lines.extend(_histogram_lines(family, labels, value))
        else:
            lines.append(render_sample(family.name, family.labels, labels, value))
    return "".join(lines).encode()


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
    if len(label_names) != len(label_values):
        raise ValueError(f"{name} has {len(label_names)} labels, got {len(label_values)} values")
    pairs = ",".join([f'{label}="{_escape(label_values[index])}"' for label, index in _sorted_labels(label_names)])
    return f"{name}{{{pairs}}} {floatToGoString(value)}\n"


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


@dataclass(frozen=True, slots=True)
class Page:
    """A page and its size in bytes. Its parts are made while they are read."""

    size: int
    parts: Iterable[bytes]


def plain_page(families: Iterable[tuple[Family, Lines]], own: bytes, form: Format) -> Page:
    """Make a page of text: the families, and the exporter's own metrics at the end. It never holds the whole text."""
    kept = [(render_header(family, form), lines) for family, lines in families]
    size = sum(len(header) + lines.size for header, lines in kept) + len(own)

    def parts() -> Iterator[bytes]:
        for header, lines in kept:
            yield b"".join((header, *lines.plain))
            yield from (segment.text() for segment in lines.sealed.segments)
        yield own

    return Page(size, parts())


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
