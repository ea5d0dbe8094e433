"""The chart as Helm renders it: each set of values once for each Helm, read back as objects."""

import json
import os
import shutil
import subprocess
import tempfile
from collections.abc import Mapping
from functools import cache
from pathlib import Path
from typing import Any

import pytest
import yaml

ROOT = Path(__file__).parents[2]
CHART = ROOT / "helm" / "braket-exporter"
TOOLS = ROOT / ".cache" / "tools" / "bin"
VALUES = sorted((Path(__file__).parent / "values").glob("*.yaml"))

HELMS = ("helm3", "helm4")
RELEASE, NAMESPACE = "quantum", "monitored"
NAME = "quantum-braket-exporter"
"""The full name of the release's objects."""

SELECTOR = {"app.kubernetes.io/name": "braket-exporter", "app.kubernetes.io/instance": RELEASE}
LABELS = {
    **SELECTOR,
    "app.kubernetes.io/managed-by": "Helm",
    "app.kubernetes.io/version": "0.1.0",
    "helm.sh/chart": "braket-exporter-0.1.0",
}
IMAGE = "ghcr.io/braket-exporter/braket-exporter:0.1.0"

Manifest = dict[str, Any]


class _Loader(yaml.CSafeLoader):
    """Reject a duplicate key, which Helm ignores and Kubernetes rejects."""

    def construct_mapping(self, node: yaml.MappingNode, deep: bool = False) -> dict[Any, Any]:  # noqa: FBT001, FBT002
        keys = [self.construct_object(key, deep=True) for key, _ in node.value]
        assert len(keys) == len(set(keys)), f"written twice: {keys}"
        return super().construct_mapping(node, deep=deep)


def read(text: str) -> list[Manifest]:
    """Read every object of a rendered text."""
    return [document for document in yaml.load_all(text, _Loader) if document is not None]


def program(name: str) -> str:
    """Find a tool of .ci/tools; without it, the test is skipped, or fails if ``CI`` is true."""
    found = shutil.which(name, path=f"{TOOLS}{os.pathsep}{os.environ['PATH']}")
    if found is None:
        missing = f"{name} is not installed; .ci/tools does it"
        if os.environ.get("CI") == "true":
            pytest.fail(missing)
        pytest.skip(missing)
    return found


def run(name: str, *arguments: str | Path, stdin: str = "") -> "subprocess.CompletedProcess[str]":
    """Run a tool; Helm uses no settings and no cluster of the user."""
    with tempfile.TemporaryDirectory() as home:
        helm = {f"HELM_{kind}_HOME": f"{home}/{kind}" for kind in ("CACHE", "CONFIG", "DATA")}
        path = f"{TOOLS}{os.pathsep}{os.environ['PATH']}"
        return subprocess.run(
            [program(name), *arguments],
            input=stdin,
            env={"PATH": path, "HOME": home, "KUBECONFIG": os.devnull, **helm},
            capture_output=True,
            text=True,
            timeout=120,
            check=False,
        )


@cache
def template(helm: str, values: str, release: str, chart: Path = CHART) -> str:
    """Render the chart with values in YAML."""
    done = run(helm, "template", release, chart, "--namespace", NAMESPACE, "--values", "-", stdin=values)
    assert done.returncode == 0, done.stderr
    return done.stdout


def render(values: Mapping[str, Any] | None = None, release: str = RELEASE) -> list[Manifest]:
    """Render the chart with values."""
    return read(template("helm4", json.dumps(values or {}), release))


def render_file(path: Path, helm: str = "helm4", chart: Path = CHART) -> list[Manifest]:
    """Render the chart with the values of a file."""
    return read(template(helm, path.read_text(encoding="utf-8"), RELEASE, chart))


def everything() -> list[Manifest]:
    """Render the chart with everything on."""
    return render_file(Path(__file__).parent / "values" / "everything.yaml")


def of_kind(manifests: list[Manifest], kind: str) -> list[Manifest]:
    return [manifest for manifest in manifests if manifest["kind"] == kind]


def only(manifests: list[Manifest], kind: str, name: str = NAME) -> Manifest:
    """Return the object of a kind with a name."""
    found = [manifest for manifest in of_kind(manifests, kind) if manifest["metadata"]["name"] == name]
    assert len(found) == 1, [(manifest["kind"], manifest["metadata"]["name"]) for manifest in manifests]
    return found[0]


def refusal(values: Mapping[str, Any], helm: str = "helm4") -> str:
    """Render the chart with invalid values, and return the error message."""
    done = run(helm, "template", RELEASE, CHART, "--values", "-", stdin=json.dumps(values))
    assert done.returncode == 1
    assert done.stdout == ""
    return done.stderr


def workload(manifests: list[Manifest]) -> Manifest:
    """Pick the Deployment or the StatefulSet."""
    found = of_kind(manifests, "Deployment") + of_kind(manifests, "StatefulSet")
    assert len(found) == 1
    return found[0]


def pod(values: Mapping[str, Any] | None = None) -> Manifest:
    """Render the chart, and return the specification of the exporter's pods."""
    return dict(workload(render(values))["spec"]["template"]["spec"])


def container(values: Mapping[str, Any] | None = None) -> Manifest:
    """Render the chart, and return the exporter's container."""
    return dict(pod(values)["containers"][0])
