"""Families and samples become bytes, in the Prometheus text format 0.0.4 and in OpenMetrics 1.0. Pure.

The two formats share their sample lines and differ only in a family's header and in the end of the page, so a job's
lines are rendered once, when the job changes, and joined at each scrape. prometheus_client would render everything at
each scrape; what it makes of the same families is the oracle that tests hold this module against, byte for byte.
"""

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from typing import Final, Literal

from prometheus_client.utils import floatToGoString

from exporter.core import JobRecord
from exporter.metrics.aggregates import FleetSample
from exporter.metrics.families import JOB_LABELS, Family, JobFamily
from exporter.metrics.gzip_stream import PASSING_LEVEL, SegmentChain, chain, compress, gzipped, gzipped_size

Format = Literal["text", "openmetrics"]

CONTENT_TYPES: Final[dict[Format, str]] = {
    "text": "text/plain; version=0.0.4; charset=utf-8",
    "openmetrics": "application/openmetrics-text; version=1.0.0; charset=utf-8",
}

JobRow = tuple[bytes, ...]
"""A job's rendered lines, one entry for each job family, in their order; empty where the job has no sample."""


def render_job(families: Sequence[JobFamily], record: JobRecord) -> JobRow:
    """Render the lines of one job."""
    job = (record.arn, "" if record.snapshot is None else record.snapshot.name)
    return tuple(
        "".join(
            render_sample(family.name, (*JOB_LABELS, *family.labels), (*job, *values), value)
            for values, value in family.samples(record)
        ).encode()
        for family in families
    )


def render_fleet(samples: Iterable[FleetSample]) -> bytes:
    """Render the lines of one fleet family."""
    return "".join(render_sample(*sample) for sample in samples).encode()


def render_sample(name: str, label_names: Sequence[str], label_values: Sequence[str], value: float) -> str:
    """Render one line; labels are sorted by name, as prometheus_client does.

    Raises:
        ValueError: there are more names than values, or fewer.
    """
    labels = sorted(zip(label_names, label_values, strict=True))
    pairs = ",".join(f'{label}="{_escape(text)}"' for label, text in labels)
    return f"{name}{{{pairs}}} {floatToGoString(value)}\n"


def render_header(family: Family, form: Format) -> bytes:
    """Render a family's HELP and TYPE lines; OpenMetrics names a counter without its ``_total``."""
    openmetrics = form == "openmetrics"
    name = family.name.removesuffix("_total") if openmetrics and family.type == "counter" else family.name
    text = family.help.replace("\\", r"\\").replace("\n", r"\n")
    if openmetrics:
        text = text.replace('"', r"\"")
    return f"# HELP {name} {text}\n# TYPE {name} {family.type}\n".encode()


@dataclass(frozen=True, slots=True)
class Lines:
    """The lines of one family: texts as they are, and compressed ones behind them."""

    plain: Sequence[bytes]
    sealed: SegmentChain = field(default_factory=SegmentChain)

    @property
    def size(self) -> int:
        """Bytes of text."""
        return sum(map(len, self.plain)) + self.sealed.checksum.size

    def __iter__(self) -> Iterator[bytes]:
        """Yield all as text."""
        yield from self.plain
        yield from (piece.text() for piece in self.sealed.pieces)


@dataclass(frozen=True, slots=True)
class Page:
    """A page in parts, some of which are made only when it is their turn, and its size in bytes."""

    size: int
    parts: Iterable[bytes]


def plain_page(families: Iterable[tuple[Family, Lines]], own: bytes, form: Format) -> Page:
    """Make the page that ``render_page`` makes, without ever holding the whole text."""
    kept = [(render_header(family, form), lines) for family, lines in families]
    size = sum(len(header) + lines.size for header, lines in kept) + len(own)

    def parts() -> Iterator[bytes]:
        for header, lines in kept:
            yield b"".join((header, *lines.plain))
            yield from (piece.text() for piece in lines.sealed.pieces)
        yield own

    return Page(size, parts())


def compressed_page(families: Iterable[tuple[Family, Lines]], own: bytes, form: Format) -> Page:
    """Make the same page as a gzip stream."""
    chains: list[SegmentChain] = []
    for family, lines in families:
        chains += [_passing(render_header(family, form), *lines.plain), lines.sealed]
    chains.append(_passing(own))
    return Page(gzipped_size(chains), gzipped(chains))


def _passing(*texts: bytes) -> SegmentChain:
    return chain([compress(b"".join(texts), PASSING_LEVEL)])


def render_page(families: Iterable[tuple[Family, Iterable[bytes]]], own: bytes, form: Format) -> bytes:
    """Join a page from families with their lines, and the exporter's own metrics, which end the page."""
    parts: list[bytes] = []
    for family, lines in families:
        parts.append(render_header(family, form))
        parts.extend(lines)
    parts.append(own)
    return b"".join(parts)


def sample_names(name: str, kind: str) -> frozenset[str]:
    """List the names under which a family can be asked for: its own, its samples' and OpenMetrics' one."""
    if kind == "counter":
        return frozenset({name, name.removesuffix("_total")})
    if kind == "histogram":
        return frozenset({name, f"{name}_bucket", f"{name}_count", f"{name}_sum"})
    return frozenset({name})


def _escape(text: str) -> str:
    return text.replace("\\", r"\\").replace("\n", r"\n").replace('"', r"\"")
