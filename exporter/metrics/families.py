"""Every metric family that the exporter exposes. Pure."""

from collections.abc import Sequence

from exporter.metrics.aggregate_metrics import AGGREGATE_FAMILIES
from exporter.metrics.exporter_metrics import EXPORTER_FAMILIES
from exporter.metrics.family import Family
from exporter.metrics.job_metrics import job_families


def all_families(tag_labels: Sequence[str] = ()) -> tuple[Family, ...]:
    """List the families of jobs, of the aggregates and of the exporter itself, in the order of a page."""
    return (*job_families(tag_labels), *AGGREGATE_FAMILIES, *EXPORTER_FAMILIES)
