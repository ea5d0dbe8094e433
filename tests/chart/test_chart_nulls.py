"""A value that is null or missing has its default: every key and every section in turn, with both Helms."""

import json
import subprocess
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from itertools import zip_longest
from pathlib import Path
from typing import Any

import kubernetes_validate  # type: ignore[import-untyped]
import pytest
import yaml
from chart_support import CHART, HELMS, Manifest, program, read, render, render_file, run, template
from test_chart_manifests import OPERATORS, checked_by_the_operators_models
from test_chart_schema import SCHEMA, resolved

ON: dict[str, dict[str, Any]] = {
    **{key: {"enabled": True} for key in ("networkPolicy", "podDisruptionBudget", "ingress")},
    **{key: {"enabled": True} for key in ("serviceMonitor", "podMonitor", "prometheusRule", "dashboards")},
    "grafanaDashboard": {"enabled": True},
    "httpRoute": {"enabled": True, "parentRefs": [{"name": "gateway"}]},
}
LARGE = {"prometheusRule", "dashboards", "grafanaDashboard"}
"""Parts that take long to render."""

Keys = tuple[str, ...]

RELEASES = sorted((Path(__file__).parent / "releases").glob("*.yaml"))

REQUIRED = ("httpRoute", "parentRefs")
REMOVES = (
    "podSecurityContext.",
    "securityContext.",
    "strategy.",
    "dashboards.labels.",
    "grafanaDashboard.instanceSelector.",
)
"""Maps with fields of Kubernetes or labels, in which null removes a default."""


def keys(schema: dict[str, Any], values: Any, path: Keys = ()) -> Iterator[Keys]:
    """Yield every key and every section of the schema and of the values."""
    schema = resolved(schema)
    properties = schema.get("properties", {})
    inner = values if isinstance(values, dict) else {}
    for key in {**properties, **inner}:
        yield (*path, key)
        yield from keys(properties.get(key, {}), inner.get(key), (*path, key))


DEFAULTS = yaml.safe_load((CHART / "values.yaml").read_text(encoding="utf-8"))
PATHS = [path for path in keys(SCHEMA, DEFAULTS) if path != REQUIRED]


def removes(path: Keys) -> bool:
    return ".".join(path).startswith(REMOVES)


def groups() -> list[list[Keys]]:
    """Group the paths for few renderings: a section is alone, a key is together with keys of other sections."""
    sections_of_values = {path[0] for path in PATHS if len(path) > 1}
    alone = [[path] for path in PATHS if removes(path) or (len(path) == 1 and path[0] in sections_of_values)]
    by_section: dict[Keys, list[Keys]] = {}
    for path in PATHS:
        if [path] not in alone:
            section = path[:-1] or (str(len(path[0]) % 8),)
            by_section.setdefault(section, []).append(path)
    together: list[list[Keys]] = []
    for depth in (1, 2, 3, 4):
        sections = [paths for paths in by_section.values() if len(paths[0]) == depth]
        together += [[path for path in group if path] for group in zip_longest(*sections)]
    assert sorted(path for group in alone + together for path in group) == sorted(PATHS)
    return alone + together


def changed(values: dict[str, Any], paths: Iterable[Keys], change: Callable[[dict[str, Any], str], object]) -> str:
    """Change the keys in the values; a missing section is added."""
    copy = json.loads(json.dumps(values))
    for path in paths:
        section = copy
        for key in path[:-1]:
            section = section.setdefault(key, {})
        change(section, path[-1])
    return json.dumps(copy)


def enabled(paths: Iterable[Keys]) -> dict[str, Any]:
    """Enable what the keys can concern."""
    sections = {path[0] for path in paths}
    return {key: value for key, value in ON.items() if key not in LARGE or key in sections}


def rendered(helm: str, values: str) -> str:
    done = run(helm, "template", "quantum", CHART, "--namespace", "monitored", "--values", "-", stdin=values)
    return done.stdout or done.stderr


@pytest.mark.parametrize("helm", HELMS)
def test_every_key_and_every_section_can_be_null(helm: str, tmp_path: Path) -> None:
    assert len(PATHS) > 250
    cases = groups()
    with ThreadPoolExecutor(2) as pool:
        null = [changed(enabled(paths), paths, lambda section, key: section.update({key: None})) for paths in cases]
        missing = [changed(enabled(paths), paths, lambda section, key: section.pop(key, None)) for paths in cases]
        texts = [*pool.map(partial(rendered, helm), null)]
        expected = dict(
            zip(dict.fromkeys(missing), pool.map(partial(rendered, helm), dict.fromkeys(missing)), strict=True)
        )
    differing = [paths for paths, text, values in zip(cases, texts, missing, strict=True) if text != expected[values]]
    assert [paths for paths in differing if not removes(paths[0])] == []
    assert {(("podSecurityContext", "runAsUser"),), (("dashboards", "labels", "grafana_dashboard"),)} <= {
        *map(tuple, differing)
    }
    check({document for text in texts for document in text.split("\n---\n")}, tmp_path)


def check(documents: set[str], folder: Path) -> None:
    """Check every distinct object as Kubernetes, the Prometheus operator and Prometheus do."""
    manifests: list[Manifest] = [manifest for document in documents for manifest in read(document)]
    for manifest in manifests:
        if manifest["kind"] not in OPERATORS:
            kubernetes_validate.validate(manifest, "1.30", strict=True)
    prometheus = [one for one in manifests if one["kind"] in OPERATORS - {"GrafanaDashboard", "HTTPRoute"}]
    done = checked_by_the_operators_models(prometheus)
    assert done.returncode == 0, done.stderr
    rules = [one["spec"] for one in prometheus if one["kind"] == "PrometheusRule"]
    files = [folder / f"{number}.json" for number in range(len(rules))]
    for file, rule in zip(files, rules, strict=True):
        file.write_text(json.dumps(rule), encoding="utf-8")
    assert files
    subprocess.run([program("promtool"), "check", "rules", *files], check=True, capture_output=True)


def test_labels_and_annotations_without_a_value_are_left_out() -> None:
    values = {"podLabels": {"team": None}, "commonAnnotations": {"owner": None}}
    assert render({**values, "dashboards": {"enabled": True, "labels": {"x": None}}}) == render(
        {"dashboards": {"enabled": True}}
    )


@pytest.mark.parametrize("release", RELEASES, ids=lambda path: path.stem)
@pytest.mark.parametrize("helm", HELMS)
def test_the_templates_work_with_the_values_of_an_earlier_release(helm: str, release: Path, tmp_path: Path) -> None:
    """As ``helm upgrade --reuse-values`` does: the earlier values replace those of the chart."""
    chart = tmp_path / "braket-exporter"
    subprocess.run(["cp", "--recursive", CHART, chart], check=True)
    (chart / "values.yaml").write_bytes(release.read_bytes())
    everything = Path(__file__).parent / "values" / "everything.yaml"
    assert read(template(helm, json.dumps({}), "quantum", chart)) == read(template(helm, json.dumps({}), "quantum"))
    assert render_file(everything, helm, chart) == render_file(everything, helm)
