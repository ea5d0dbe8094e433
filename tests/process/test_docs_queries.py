"""docs/use/queries.md and docs/use/metrics.md: Prometheus accepts their samples, and every metric and label exists."""

import json
import re
import subprocess
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import promql_parser
import pytest
import yaml
from processes import tool

from exporter.metrics import AGGREGATE_FAMILIES, EXPORTER_FAMILIES, job_families

ROOT = Path(__file__).parents[2]
QUERIES = [
    query.replace("\\|", "|")
    for query in re.findall(
        r"^\| [^|]+ \| `((?:\\\||[^`|])*)` \|$",
        (ROOT / "docs/use/queries.md").read_text(encoding="utf-8"),
        re.MULTILINE,
    )
]
LABELS = {
    **{family.name: {"job_arn", "job_name", *family.labels} for family in job_families(["team"])},
    **{family.name: {*family.labels} for family in (*AGGREGATE_FAMILIES, *EXPORTER_FAMILIES)},
}


def selectors(query: str) -> Iterator[tuple[str, set[str]]]:
    """Yield every metric that a query selects, with the labels that its matchers name."""
    pending: list[Any] = [promql_parser.parse(query)]
    while pending:
        node = pending.pop()
        if isinstance(node, promql_parser.VectorSelector):
            yield str(node.name), {matcher.name for matcher in node.matchers.matchers}
        parts = (getattr(node, name, None) for name in ("expr", "lhs", "rhs", "vector_selector", "param"))
        pending += [part for part in parts if isinstance(part, promql_parser.Expr)]
        pending += list(getattr(node, "args", None) or [])


def test_every_row_of_the_page_is_read() -> None:
    rows = re.findall(
        r"^\| (?!purpose)[^-].*$", (ROOT / "docs/use/queries.md").read_text(encoding="utf-8"), re.MULTILINE
    )
    assert len(QUERIES) == len(rows) > 20


@pytest.mark.parametrize("query", QUERIES)
def test_every_metric_and_label_of_a_query_exists(query: str) -> None:
    found = [*selectors(query)]
    assert found
    for metric, labels in found:
        assert labels <= LABELS[metric.removesuffix("_bucket")]
    for labels in re.findall(r"(?:by|on|ignoring|group_left) \(([^)]*)\)", query):
        assert {*labels.split(", ")} <= {"le", *set.union(*LABELS.values())}


def test_prometheus_accepts_every_query(tmp_path: Path) -> None:
    rules = [{"record": f"query:{number}", "expr": query} for number, query in enumerate(QUERIES)]
    path = tmp_path / "queries.yaml"
    path.write_text(json.dumps({"groups": [{"name": "queries", "rules": rules}]}), encoding="utf-8")
    checked = subprocess.run([tool("promtool"), "check", "rules", path], capture_output=True, text=True, check=False)
    assert checked.returncode == 0, checked.stderr


def test_prometheus_accepts_the_scrape_configuration(tmp_path: Path) -> None:
    (sample,) = re.findall(r"```yaml\n(.*?)```", (ROOT / "docs/use/metrics.md").read_text(encoding="utf-8"), re.DOTALL)
    (scrape,) = yaml.safe_load(sample)["scrape_configs"]
    assert scrape["static_configs"] == [{"targets": ["localhost:9834"]}]
    path = tmp_path / "prometheus.yaml"
    path.write_text(sample, encoding="utf-8")
    checked = subprocess.run([tool("promtool"), "check", "config", path], capture_output=True, text=True, check=False)
    assert checked.returncode == 0, checked.stdout + checked.stderr
