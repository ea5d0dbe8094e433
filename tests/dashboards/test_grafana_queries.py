"""The queries of the Grafana dashboards: syntax, metrics, labels and bounds."""

import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import promql_parser
import pytest
import yaml
from dashboard_support import ASKED, Asked, interpolated

from exporter.metrics import Family, all_families, job_families

RULES = Path(__file__).parents[2] / "helm" / "braket-exporter" / "rules"
each_query = pytest.mark.parametrize("asked", ASKED, ids=lambda asked: "-".join(asked.key))

RECORDED = {
    rule["record"]
    for path in RULES.glob("*.yaml")
    for group in yaml.safe_load(path.read_text(encoding="utf-8"))["groups"]
    for rule in group["rules"]
    if "record" in rule
}
GROUPS = {"aws_account_id", "aws_region", "device"}
OF_PROMETHEUS = {
    "ALERTS": {"alertname", "alertstate"},
    "up": {"instance"},
    "scrape_duration_seconds": {"job", "instance"},
    "scrape_samples_scraped": {"job", "instance"},
    "process_start_time_seconds": {"job", "instance"},
    "process_resident_memory_bytes": {"job", "instance"},
    "process_cpu_seconds_total": {"job", "instance"},
}
"""Metrics of Prometheus and of every client library."""


def _labels_of(family: Family) -> set[str]:
    return {*family.labels}


def _exposed() -> dict[str, set[str]]:
    exposed: dict[str, set[str]] = {}
    for family in all_families():
        if family.type == "histogram":
            exposed[f"{family.name}_bucket"] = {*_labels_of(family), "le"}
        exposed[family.name] = _labels_of(family)
    return exposed


EXPOSED = _exposed()


def selectors(expr: str) -> Iterator[tuple[str, set[str]]]:
    """Yield every metric that a query selects, with the labels that its matchers name."""
    pending: list[Any] = [promql_parser.parse(expr)]
    while pending:
        node = pending.pop()
        if isinstance(node, promql_parser.VectorSelector):
            yield str(node.name), {matcher.name for matcher in node.matchers.matchers}
        parts = (getattr(node, name, None) for name in ("expr", "lhs", "rhs", "vector_selector", "param"))
        pending += [part for part in parts if isinstance(part, promql_parser.Expr)]
        pending += list(getattr(node, "args", None) or [])


@each_query
def test_every_query_parses(asked: Asked) -> None:
    assert promql_parser.parse(interpolated(asked.expr)) is not None


@each_query
def test_every_metric_and_label_exists(asked: Asked) -> None:
    found = [*selectors(interpolated(asked.expr))]
    assert found
    for metric, labels in found:
        known = GROUPS if metric in RECORDED else (EXPOSED | OF_PROMETHEUS)[metric]
        assert labels <= {*known, "instance"}, metric


def test_every_metric_of_the_exporter_is_in_a_dashboard() -> None:
    shown = {metric for asked in ASKED for metric, _ in selectors(interpolated(asked.expr))}
    shown |= {metric.removesuffix("_bucket") for metric in shown}
    assert {family.name for family in all_families()} - shown == {"braket_job_transitions_total"}


def test_tables_of_jobs_are_bounded() -> None:
    of_jobs = {family.name for family in job_families()}
    for asked in ASKED:
        found = [*selectors(interpolated(asked.expr))]
        if any(metric in of_jobs and "job_arn" not in labels for metric, labels in found):
            assert re.search(r"topk\(50, |(count|sum) by \((problem|category|team)\)", asked.expr), asked.key
