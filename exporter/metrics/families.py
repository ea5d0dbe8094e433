"""Every metric family that the exporter exposes. Pure."""

from collections.abc import Sequence

from exporter.metrics.aggregate_metrics import aggregate_families
from exporter.metrics.device_metrics import DEVICE_FAMILIES
from exporter.metrics.exporter_metrics import EXPORTER_FAMILIES
from exporter.metrics.family import Family
from exporter.metrics.job_metrics import job_families
from exporter.metrics.spending_limit_metrics import SPENDING_LIMIT_FAMILIES


def all_families(tag_labels: Sequence[str] = (), aggregate_tag_labels: Sequence[str] = ()) -> tuple[Family, ...]:
    """List every family, in the order of a page."""
    return (
        *job_families(tag_labels),
        *aggregate_families(aggregate_tag_labels),
        *DEVICE_FAMILIES,
        *SPENDING_LIMIT_FAMILIES,
        *EXPORTER_FAMILIES,
    )
