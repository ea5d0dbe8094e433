"""Writes the tables of costs, metrics and settings into docs/, between comments: ``make docs-tables``."""

import re
from collections.abc import Callable, Iterable, Mapping, Sequence
from pathlib import Path
from typing import Final

from exporter.app.cost_estimate import Demand, Prediction, predict
from exporter.app.settings import Settings, format_default
from exporter.core import format_duration
from exporter.metrics import (
    AGGREGATE_FAMILIES,
    DEVICE_FAMILIES,
    EXPORTER_FAMILIES,
    SPENDING_LIMIT_FAMILIES,
    Family,
    job_families,
)

DOCS: Final = Path(__file__).parents[1] / "docs"
COSTS: Final = DOCS / "operate/costs.md"
PAGES: Final = (COSTS, DOCS / "operate/configuration.md", DOCS / "use/metrics.md")
"""The pages with tables."""

JOB_LABELS: Final = ("job_arn", "job_name")
"""The labels of every job metric, which the table does not repeat."""

QUOTA: Final = 300
"""Calls a minute of each operation that AWS allows in an account and Region."""

BYTES_PER_SERIES: Final = 3500
"""Memory of Prometheus, as docs/operate/costs.md says."""

BYTES_PER_SAMPLE: Final = 2
SCRAPE_INTERVAL: Final = 30
DEVICES: Final = 5
SERIES_PER_TARGET: Final = 50
OTHER_SERIES: Final = 30

CONFIGURED_JOBS: Final = ((10, 30), (75, 30), (1000, 30), (10, 10), (100, 60))
"""Active jobs and poll interval in seconds, by row."""


def default(key: str) -> float:
    """Return the default of a numeric setting."""
    return float(Settings.model_fields[key].default)


def predicted(*demands: Demand, interval: float | None = None) -> Prediction:
    """Predict the costs with default settings."""
    return predict(
        demands,
        interval=default("poll_interval") if interval is None else interval,
        discovery_interval=default("discovery_interval"),
        rate=default("api_requests_per_second"),
        max_jobs=round(default("max_jobs")),
        families=job_families(),
    )


def configured_jobs() -> str:
    """Write the calls for configured jobs."""
    costs = [predicted(Demand(jobs, discovers=False), interval=interval) for jobs, interval in CONFIGURED_JOBS]
    return _table(
        ("active jobs in `jobs`", "`poll_interval`", "calls a minute", "of GetJob's quota", "data age"),
        (
            (
                *(f"{jobs:,}", format_duration(interval), f"{cost.calls_per_minute:,.0f}"),
                *(_share(cost.calls_per_minute), format_duration(round(cost.staleness))),
            )
            for (jobs, interval), cost in zip(CONFIGURED_JOBS, costs, strict=True)
        ),
    )


def discovered_jobs() -> str:
    """Write the calls for discovered jobs."""
    cost = predicted(Demand(0, discovers=True))
    few = [
        (f"{jobs}", f"{cost.calls_per_minute + jobs * cost.calls_per_found_job:,.0f}") for jobs in (0, 10, cost.alone)
    ]
    least = 60 * default("api_requests_per_second") + cost.calls_per_minute
    many = (f"more than {cost.alone}", f"{least:,.0f} to {cost.most_calls_per_minute:,.0f}")
    return _table(("discovered active jobs", "calls a minute"), [*few, many])


def first_poll() -> str:
    """Write the duration of the first full poll, with a tenth of the jobs active."""
    rate = default("api_requests_per_second")

    def row(jobs: int) -> tuple[str, ...]:
        pages = jobs // 100
        listed, polled = format_duration(round(pages / rate, 1)), format_duration(round(jobs / 10 / rate))
        return (f"{jobs:,}", f"{pages:,}", listed, polled)

    head = ("jobs of the `lookback`", "SearchJobs calls", "time to list jobs", "time to poll active jobs")
    return _table(head, map(row, (1000, 10_000, 100_000)))


def series_formula() -> str:
    """Write the formula of the number of series."""
    cost = predicted(Demand(1, discovers=True))
    return (
        f"```\nseries = {cost.series_per_job} * jobs with series + {cost.series_per_device} * devices (in each Region)"
        f" + about {SERIES_PER_TARGET} for each account and Region + about {OTHER_SERIES}\n```\n"
    )


def prometheus() -> str:
    """Write the needs of Prometheus."""
    cost = predicted(Demand(1, discovers=True))

    def line(jobs: int) -> str:
        fixed = cost.series_per_device * DEVICES + SERIES_PER_TARGET + OTHER_SERIES
        series = cost.series_per_job * jobs + fixed
        samples = series / SCRAPE_INTERVAL
        disk = samples * 86400 * BYTES_PER_SAMPLE
        memory = _size(series * BYTES_PER_SERIES)
        needs = f"{series:,} series, {memory} of memory, {samples:,.0f} samples a second, {_size(disk)} of disk a day"
        return f"- **{jobs:,} jobs** on {DEVICES} devices: {needs}.\n"

    return "".join(map(line, (100, 10_000)))


def settings() -> str:
    """Write the keys, defaults and meanings of the settings."""

    def row(key: str) -> tuple[str, ...]:
        value, meaning = format_default(key), str(Settings.model_fields[key].description)
        return (f"`{key}`", f"`{value}`" if value else "none", meaning.replace("|", "\\|"))

    return _table(("key", "default", "meaning"), map(row, Settings.model_fields))


def metrics(families: Sequence[Family]) -> str:
    """Write the names, types, labels and help texts of metrics."""

    def row(family: Family) -> tuple[str, ...]:
        labels = ", ".join(f"`{label}`" for label in family.labels if label not in JOB_LABELS)
        return (f"`{family.name}`", family.type, labels, family.help.replace("|", "\\|"))

    return _table(("metric", "type", "labels", "help"), map(row, families))


TABLES: Final[Mapping[str, Callable[[], str]]] = {
    "configured-jobs": configured_jobs,
    "discovered-jobs": discovered_jobs,
    "first-poll": first_poll,
    "series-formula": series_formula,
    "prometheus": prometheus,
    "settings": settings,
    "job-metrics": lambda: metrics(job_families()),
    "aggregate-metrics": lambda: metrics(AGGREGATE_FAMILIES),
    "device-metrics": lambda: metrics(DEVICE_FAMILIES),
    "spending-limit-metrics": lambda: metrics(SPENDING_LIMIT_FAMILIES),
    "exporter-metrics": lambda: metrics(EXPORTER_FAMILIES),
}


def with_tables(page: str) -> str:
    """Replace the generated parts of a page."""
    pattern = r"(<!-- generated: ([a-z-]+) -->\n).*?(<!-- end -->)"
    return re.sub(pattern, lambda found: f"{found[1]}\n{TABLES[found[2]]()}\n{found[3]}", page, flags=re.DOTALL)


def _table(head: Sequence[str], rows: Iterable[Sequence[str]]) -> str:
    lines = (head, ["---"] * len(head), *rows)
    return "".join(f"| {' | '.join(cells)} |\n".replace("| --- ", "|---").replace("|--- |", "|---|") for cells in lines)


def _share(calls: float) -> str:
    return f"{100 * calls / QUOTA:.0f} %"


def _size(amount: float) -> str:
    return f"{amount / 1e9:.1f} GB" if amount >= 1e9 else f"{amount / 1e6:.0f} MB"


if __name__ == "__main__":
    for path in PAGES:
        path.write_text(with_tables(path.read_text(encoding="utf-8")), encoding="utf-8")
