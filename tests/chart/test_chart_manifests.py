"""Every set of values with both Helms: linted, rendered, packaged, and accepted by Kubernetes and Prometheus."""

import json
import os
import subprocess
from functools import cache
from itertools import permutations
from pathlib import Path
from typing import Any

import kubernetes_validate  # type: ignore[import-untyped]
import pytest
from chart_support import (
    CHART,
    HELMS,
    NAMESPACE,
    RELEASE,
    VALUES,
    Manifest,
    of_kind,
    program,
    read,
    render_file,
    run,
    template,
)

EVERY_KUBERNETES = tuple(f"1.{minor}" for minor in range(27, 36))
KUBERNETES = EVERY_KUBERNETES if os.environ.get("CI") == "true" else (EVERY_KUBERNETES[0], EVERY_KUBERNETES[-1])
"""The oldest and the newest version; every version where ``CI`` is true."""
OPERATORS = {"ServiceMonitor", "PodMonitor", "PrometheusRule", "GrafanaDashboard", "HTTPRoute"}

MODELS = """
import json, sys
from cloudcoil.models.prometheus_operator import v1
for manifest in json.load(sys.stdin):
    getattr(v1, manifest["kind"]).model_validate(manifest, extra="forbid")
    print(manifest["kind"])
"""

each_values = pytest.mark.parametrize("values", VALUES, ids=lambda path: path.stem)
each_helm = pytest.mark.parametrize("helm", HELMS)


@cache
def every_manifest() -> tuple[Manifest, ...]:
    """Render each set of values, and return what differs from all others."""
    manifests = [manifest for path in VALUES for manifest in render_file(path)]
    return tuple({json.dumps(manifest, sort_keys=True): manifest for manifest in manifests}.values())


def test_there_are_values_for_each_use() -> None:
    assert [path.stem for path in VALUES] == [
        "dashboards-only",
        "defaults",
        "everything",
        "existing-claim",
        "existing-service-account",
        "minimal-rbac",
        "no-monitoring-crds",
        "password",
        "rules-only",
        "several-accounts",
        "sharded-persistent",
        "sharded",
        "stateless",
        "tls-and-logins",
        "tls",
    ]


@each_helm
@each_values
def test_helm_lint_reports_no_problems(values: Path, helm: str) -> None:
    done = run(helm, "lint", "--strict", CHART, "--values", values)
    assert done.returncode == 0, done.stdout
    assert "[WARNING]" not in done.stdout
    assert "1 chart(s) linted, 0 chart(s) failed" in done.stdout + done.stderr


@each_values
def test_both_helms_render_the_same(values: Path) -> None:
    assert render_file(values, "helm3") == render_file(values, "helm4")


@pytest.fixture(scope="module", params=HELMS)
def package(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> tuple[str, Path]:
    folder = tmp_path_factory.mktemp(request.param)
    done = run(request.param, "package", CHART, "--destination", folder)
    assert done.returncode == 0, done.stderr
    return request.param, folder / "braket-exporter-0.1.0.tgz"


@each_values
def test_the_package_and_the_directory_render_the_same(values: Path, package: tuple[str, Path]) -> None:
    helm, archive = package
    assert render_file(values, helm, archive) == render_file(values, helm)


def test_the_package_contains_the_dashboards(package: tuple[str, Path]) -> None:
    listed = subprocess.run(["tar", "-tvzf", package[1]], capture_output=True, text=True, check=True).stdout
    dashboards = [line for line in listed.splitlines() if "/dashboards/" in line]
    assert len(dashboards) == 3
    assert all(line.startswith("-rw") for line in dashboards)
    assert "tests/" not in listed.replace("templates/tests/", "")


@pytest.mark.parametrize("kubernetes", KUBERNETES)
def test_kubernetes_accepts_every_object(kubernetes: str) -> None:
    known = [manifest for manifest in every_manifest() if manifest["kind"] not in OPERATORS]
    for manifest in known:
        kubernetes_validate.validate(manifest, kubernetes, strict=True)
    assert {manifest["kind"] for manifest in known} == {
        "ConfigMap",
        "Deployment",
        "Ingress",
        "NetworkPolicy",
        "PersistentVolumeClaim",
        "Pod",
        "PodDisruptionBudget",
        "Service",
        "ServiceAccount",
        "StatefulSet",
    }


def test_kubernetes_rejects_an_unknown_field() -> None:
    service = of_kind([*every_manifest()], "Service")[0]
    wrong = {**service, "spec": {**service["spec"], "publishNotReadyAdresses": True}}
    with pytest.raises(kubernetes_validate.ValidationError, match="publishNotReadyAdresses"):
        kubernetes_validate.validate(wrong, KUBERNETES[-1], strict=True)


def checked_by_the_operators_models(manifests: list[Manifest]) -> "subprocess.CompletedProcess[str]":
    return run("operator-models", "-c", MODELS, stdin=json.dumps(manifests))


def test_the_prometheus_operator_knows_every_field() -> None:
    kinds = ("ServiceMonitor", "PodMonitor", "PrometheusRule")
    manifests = [manifest for kind in kinds for manifest in of_kind([*every_manifest()], kind)]
    done = checked_by_the_operators_models(manifests)
    assert done.returncode == 0, done.stderr
    assert {*done.stdout.split()} == {*kinds}


def test_the_prometheus_operator_rejects_an_unknown_field() -> None:
    monitor: dict[str, Any] = json.loads(json.dumps(of_kind([*every_manifest()], "PodMonitor")[0]))
    monitor["spec"]["podMetricsEndpoints"][0]["intervall"] = "30s"
    done = checked_by_the_operators_models([monitor])
    assert done.returncode == 1
    assert "Extra inputs are not permitted" in done.stderr


def test_prometheus_accepts_the_rules(tmp_path: Path) -> None:
    rendered = of_kind([*every_manifest()], "PrometheusRule")
    for number, rule in enumerate(rendered):
        path = tmp_path / f"{number}.json"
        path.write_text(json.dumps(rule["spec"]), encoding="utf-8")
        done = subprocess.run(
            [program("promtool"), "check", "rules", path], capture_output=True, text=True, check=False
        )
        assert done.returncode == 0, done.stderr
    assert len(rendered) == 2


@each_values
def test_no_object_is_a_duplicate(values: Path) -> None:
    manifests = render_file(values)
    names = [(manifest["kind"], manifest["metadata"]["name"]) for manifest in manifests]
    assert len(names) == len(set(names))


IMMUTABLE = {
    "Deployment": ("selector",),
    "StatefulSet": ("selector", "serviceName", "podManagementPolicy", "volumeClaimTemplates"),
    "Service": ("clusterIP",),
}


@pytest.mark.parametrize(("old", "new"), [*permutations(VALUES, 2)], ids=lambda path: path.stem)
def test_an_upgrade_to_other_values_changes_no_immutable_field(old: Path, new: Path) -> None:
    before, after = ({(one["kind"], one["metadata"]["name"]): one for one in render_file(path)} for path in (old, new))
    for kind, name in before.keys() & after.keys():
        for field in IMMUTABLE.get(kind, ()):
            assert before[kind, name]["spec"].get(field) == after[kind, name]["spec"].get(field), (kind, name, field)
    assert all(manifest["metadata"].get("namespace") in {NAMESPACE, "monitoring"} for manifest in after.values())


def test_an_upgrade_to_another_version_changes_only_the_labels_and_the_image(tmp_path: Path) -> None:
    chart = tmp_path / "braket-exporter"
    subprocess.run(["cp", "--recursive", "--dereference", CHART, chart], check=True)
    meta = chart / "Chart.yaml"
    meta.write_text(meta.read_text(encoding="utf-8").replace("ersion: 0.1.0", "ersion: 9.9.9"), encoding="utf-8")
    values = json.dumps({"sharding": {"totalShards": 2}, "networkPolicy": {"enabled": True}})
    old = template("helm4", values, RELEASE)
    new = template("helm4", values, RELEASE, chart)
    changed = {line.strip() for line in new.split("\n")} - {line.strip() for line in old.split("\n")}
    assert changed == {
        "app.kubernetes.io/version: 9.9.9",
        "helm.sh/chart: braket-exporter-9.9.9",
        'image: "ghcr.io/braket-exporter/braket-exporter:9.9.9"',
    }
    assert len(read(new)) == len(read(old))


def test_the_helms_have_the_versions_of_their_names() -> None:
    assert run("helm3", "version", "--short").stdout.startswith("v3.")
    assert run("helm4", "version", "--short").stdout.startswith("v4.")
