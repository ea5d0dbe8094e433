"""The whole exposition: the families of the jobs, then the exporter's own."""

from collections.abc import Iterable

from exporter.core import TargetStatus
from exporter.metrics import Family, Format, Lines, Page, compressed_page, plain_page, sample_names
from exporter.telemetry.self_metrics import SelfMetrics


def expose(
    families: Iterable[tuple[Family, Lines]],
    telemetry: SelfMetrics,
    targets: Iterable[TargetStatus],
    form: Format,
    *,
    disabled: frozenset[str],
    names: frozenset[str] = frozenset(),
    compressed: bool = False,
) -> Page:
    """Render the whole exposition.

    Args:
        families: the families of the jobs with their lines.
        telemetry: the exporter's own metrics.
        targets: the status of each target.
        form: the format.
        disabled: families to leave out.
        names: families, or samples of them, to keep; all when empty.
        compressed: as a gzip stream.
    """

    def wanted(name: str, kind: str) -> bool:
        return name not in disabled and (not names or not names.isdisjoint(sample_names(name, kind)))

    kept = ((family, lines) for family, lines in families if wanted(family.name, family.type))
    make = compressed_page if compressed else plain_page
    return make(kept, telemetry.render(form, wanted, targets), form)
