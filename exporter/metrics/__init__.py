"""Records become exposition bytes: a metric is one row of a table, whatever its subject."""

from exporter.metrics.aggregates import Aggregates, Histogram, Series, Totals
from exporter.metrics.exposition import (
    CONTENT_TYPES,
    Format,
    JobRow,
    Lines,
    Page,
    compressed_page,
    plain_page,
    render_fleet,
    render_job,
    sample_names,
)
from exporter.metrics.families import (
    ACCOUNT_LABELS,
    EXPORTER_FAMILIES,
    FLEET_FAMILIES,
    Family,
    JobFamily,
    job_families,
    tag_label,
)
from exporter.metrics.gzip_stream import LASTING_LEVEL, Segment, SegmentChain, chain, compress

__all__ = [
    "ACCOUNT_LABELS",
    "CONTENT_TYPES",
    "EXPORTER_FAMILIES",
    "FLEET_FAMILIES",
    "LASTING_LEVEL",
    "Aggregates",
    "Family",
    "Format",
    "Histogram",
    "JobFamily",
    "JobRow",
    "Lines",
    "Page",
    "Segment",
    "SegmentChain",
    "Series",
    "Totals",
    "chain",
    "compress",
    "compressed_page",
    "job_families",
    "plain_page",
    "render_fleet",
    "render_job",
    "sample_names",
    "tag_label",
]
