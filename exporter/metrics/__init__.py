"""Tables of metric families, and their rendering: a metric of any subject is one row of a table."""

from exporter.metrics.aggregate_metrics import AGGREGATE_FAMILIES, aggregate_families
from exporter.metrics.aggregates import Aggregates, Series, Totals, fixed_and_tags, with_tags
from exporter.metrics.device_metrics import DEVICE_FAMILIES
from exporter.metrics.exporter_metrics import EXPORTER_FAMILIES
from exporter.metrics.exposition import (
    CONTENT_TYPES,
    Format,
    Lines,
    Page,
    Row,
    compressed_page,
    joined_rows,
    plain_page,
    render,
    sample_names,
)
from exporter.metrics.families import all_families
from exporter.metrics.family import ACCOUNT_LABELS, Family, Histogram, Labels, tag_label
from exporter.metrics.gzip_stream import BEST_LEVEL, Segment, SegmentChain, chain, compress
from exporter.metrics.job_metrics import JobFamily, job_families
from exporter.metrics.spending_limit_metrics import SPENDING_LIMIT_FAMILIES
from exporter.metrics.tag_values import TagValues

__all__ = [
    "ACCOUNT_LABELS",
    "AGGREGATE_FAMILIES",
    "BEST_LEVEL",
    "CONTENT_TYPES",
    "DEVICE_FAMILIES",
    "EXPORTER_FAMILIES",
    "SPENDING_LIMIT_FAMILIES",
    "Aggregates",
    "Family",
    "Format",
    "Histogram",
    "JobFamily",
    "Labels",
    "Lines",
    "Page",
    "Row",
    "Segment",
    "SegmentChain",
    "Series",
    "TagValues",
    "Totals",
    "aggregate_families",
    "all_families",
    "chain",
    "compress",
    "compressed_page",
    "fixed_and_tags",
    "job_families",
    "joined_rows",
    "plain_page",
    "render",
    "sample_names",
    "tag_label",
    "with_tags",
]
