"""Tables of metric families, and their rendering: a metric of any subject is one row of a table."""

from exporter.metrics.aggregate_metrics import AGGREGATE_FAMILIES
from exporter.metrics.aggregates import Aggregates, Series, Totals
from exporter.metrics.exporter_metrics import EXPORTER_FAMILIES
from exporter.metrics.exposition import (
    CONTENT_TYPES,
    Format,
    Lines,
    Page,
    Row,
    compressed_page,
    plain_page,
    render,
    sample_names,
)
from exporter.metrics.families import all_families
from exporter.metrics.family import ACCOUNT_LABELS, Family, Histogram
from exporter.metrics.gzip_stream import BEST_LEVEL, Segment, SegmentChain, chain, compress
from exporter.metrics.job_metrics import JobFamily, job_families, tag_label

__all__ = [
    "ACCOUNT_LABELS",
    "AGGREGATE_FAMILIES",
    "BEST_LEVEL",
    "CONTENT_TYPES",
    "EXPORTER_FAMILIES",
    "Aggregates",
    "Family",
    "Format",
    "Histogram",
    "JobFamily",
    "Lines",
    "Page",
    "Row",
    "Segment",
    "SegmentChain",
    "Series",
    "Totals",
    "all_families",
    "chain",
    "compress",
    "compressed_page",
    "job_families",
    "plain_page",
    "render",
    "sample_names",
    "tag_label",
]
