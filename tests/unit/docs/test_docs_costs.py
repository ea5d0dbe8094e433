"""docs/operate/api-calls.md and docs/operate/cardinality.md: their tables are what the code predicts."""

import re
from pathlib import Path

import pytest

from exporter.app.cost_estimate import Demand, Prediction, predict
from exporter.app.settings import Settings
from exporter.core import format_duration
from exporter.metrics import job_families

ROOT = Path(__file__).parents[3]
CALLS = (ROOT / "docs/operate/api-calls.md").read_text(encoding="utf-8")
SERIES = (ROOT / "docs/operate/cardinality.md").read_text(encoding="utf-8")
QUOTA = 300
"""Calls a minute of each operation that AWS allows in an account and Region."""

DEVICES = 5
BYTES_OF_A_SERIES = 3500
"""Of Prometheus's memory, as docs/operate/cardinality.md has it measured."""


def default(key: str) -> float:
    return float(Settings.model_fields[key].default)


def predicted(*demands: Demand, interval: float | None = None) -> Prediction:
    return predict(
        demands,
        interval=default("poll_interval") if interval is None else interval,
        discovery_interval=default("discovery_interval"),
        rate=default("api_requests_per_second"),
        max_jobs=round(default("max_jobs")),
        families=job_families(),
    )


def rows(text: str, title: str) -> list[list[str]]:
    """Return the cells of the table whose head begins with a title."""
    (table,) = re.findall(rf"^\| {re.escape(title)} \|.*\n\|[-|]+\|\n((?:\|.*\n)+)", text, re.MULTILINE)
    return [[cell.strip() for cell in line.strip("|").split("|")] for line in table.splitlines()]


def number(calls: float) -> str:
    return f"{calls:,.0f}"


def minute_and_day(calls: float) -> list[str]:
    return [number(calls), number(calls * 1440)]


def share(calls: float) -> str:
    return f"{calls / QUOTA:.0%}".replace("%", " %")


def size(bytes_: float) -> str:
    return f"{bytes_ / 1e9:.1f} GB" if bytes_ >= 1e9 else f"{bytes_ / 1e6:.0f} MB"


def seconds(text: str) -> float:
    amount, unit = re.fullmatch(r"(\d+)([sm])", text).groups()  # type: ignore[union-attr]
    return float(amount) * {"s": 1, "m": 60}[unit]


def count(text: str) -> int:
    return int(text.replace(",", ""))


def test_the_calls_for_named_jobs_are_those_predicted() -> None:
    table = rows(CALLS, "active jobs in `jobs`")
    assert len(table) == 8
    for jobs, interval, *told in table:
        cost = predicted(Demand(count(jobs), discovers=False), interval=seconds(interval))
        calls = cost.calls_per_minute
        assert told == [*minute_and_day(calls), share(calls), format_duration(round(cost.staleness))], (jobs, interval)


def test_the_calls_for_found_jobs_are_those_predicted() -> None:
    cost = predicted(Demand(0, discovers=True))
    few = [cost.calls_per_minute + jobs * cost.calls_per_found_job for jobs in (0, 10, 60)]
    assert cost.alone == 60
    whole = 60 * default("api_requests_per_second")
    least, most = whole + cost.calls_per_minute, cost.most_calls_per_minute
    assert rows(CALLS, "active jobs that are found") == [
        ["0", *minute_and_day(few[0])],
        ["10", *minute_and_day(few[1])],
        ["60", *minute_and_day(few[2])],
        [
            "more than 60",
            f"{number(least)} to {number(most)}",
            f"{number(least * 1440)} to {number(most * 1440)}",
        ],
    ]


def test_the_calls_of_several_targets_are_those_predicted() -> None:
    for targets, *told in rows(CALLS, "accounts and Regions, 10 active jobs found in each"):
        cost = predicted(*[Demand(0, discovers=True)] * count(targets))
        calls = cost.calls_per_minute + count(targets) * 10 * cost.calls_per_found_job
        one = 10 * cost.calls_per_found_job
        assert told == [*minute_and_day(calls), number(cost.most_calls_per_minute), share(one)]


def test_the_first_look_takes_as_long_as_the_budget_says() -> None:
    rate = default("api_requests_per_second")
    for jobs, pages, listing, asking in rows(CALLS, "jobs of the `lookback`"):
        assert count(pages) == count(jobs) // 100
        assert listing == format_duration(round(count(pages) / rate, 1))
        assert asking == format_duration(round(count(jobs) / 10 / rate))


def test_what_sdks_that_wait_take_is_the_rest_of_the_quota() -> None:
    half = 60 * default("api_requests_per_second")
    assert half == QUOTA / 2
    assert "room for 6 users who wait for a job" in " ".join(CALLS.split())
    assert half // (2 * 60 / 5) == 6


def test_series_and_memory_of_prometheus_are_those_of_the_formula() -> None:
    cost = predicted(Demand(1, discovers=True))
    table = rows(SERIES, "jobs with series, on 5 devices")
    assert [cells[0] for cells in table] == ["10", "100", "1,000", "10,000", "100,000"]
    for jobs, *told in table:
        series = cost.series_per_job * count(jobs) + cost.series_per_device * DEVICES + 50 + 30
        samples = series / 30
        disk = samples * 86400 * 2
        assert told == [number(series), size(series * BYTES_OF_A_SERIES), number(samples), size(disk)], jobs
    (formula,) = re.findall(r"^series = (\d+) . jobs with series \+ (\d+) . devices", SERIES, re.MULTILINE)
    assert formula == (str(cost.series_per_job), str(cost.series_per_device))
    assert "about 50 for each account and Region + about 30" in SERIES
    assert "3.5 KB a series" in " ".join(SERIES.split())


@pytest.mark.parametrize("text", [CALLS, SERIES], ids=["calls", "series"])
def test_every_setting_named_exists(text: str) -> None:
    known = {*Settings.model_fields, *(family.name for family in job_families())}
    named = {word for word in re.findall(r"`([a-z_]+)(?::[^`]*)?`", text) if "_" in word}
    assert {word for word in named if not word.startswith("braket_exporter_")} <= known
