"""A policy scan of every set of values, and the restricted Pod Security standard."""

import json
from pathlib import Path
from typing import Any

import pytest
from chart_support import RELEASE, VALUES, of_kind, render_file, run, template

THE_USERS = {
    "CKV_K8S_10": "CPU requests: what an exporter needs depends on its fleet; `resources` is the user's",
    "CKV_K8S_11": "CPU limits: likewise",
    "CKV_K8S_12": "memory requests: likewise",
    "CKV_K8S_13": "memory limits: likewise",
    "CKV_K8S_15": "always pulling: a release's tag does not move; `image.pullPolicy` is the user's",
    "CKV_K8S_43": "a digest: the chart is written before the image is built; `image.digest` is the user's",
}
"""Findings with default values; with everything set, there are none."""

OF_A_POD_THAT_RUNS_ONCE = {
    "CKV_K8S_8": "a liveness probe: the pod of `helm test` ends by itself",
    "CKV_K8S_9": "a readiness probe: nothing is sent to it",
    "CKV2_K8S_6": "a network policy: it asks the Service and receives nothing",
}


@pytest.fixture(scope="module")
def findings(tmp_path_factory: pytest.TempPathFactory) -> list[dict[str, Any]]:
    folder = tmp_path_factory.mktemp("rendered")
    for path in VALUES:
        text = template("helm4", path.read_text(encoding="utf-8"), RELEASE)
        (folder / path.name).write_text(text, encoding="utf-8")
    done = run(
        "checkov", "--framework", "kubernetes", "--skip-download", "--quiet", "--output", "json", "--directory", folder
    )
    report = json.loads(done.stdout)
    assert report["summary"]["parsing_errors"] == 0
    assert report["summary"]["passed"] > 500
    return list(report["results"]["failed_checks"])


def found(findings: list[dict[str, Any]], values: str) -> set[tuple[str, str]]:
    """Return kind and check of each finding with a set of values."""
    return {
        (finding["resource"].partition(".")[0], finding["check_id"])
        for finding in findings
        if Path(finding["file_path"]).stem == values
    }


def test_every_finding_has_an_explanation_and_no_explanation_is_unused(findings: list[dict[str, Any]]) -> None:
    assert found(findings, "defaults") == {
        *(("Deployment", check) for check in THE_USERS),
        *(("Pod", check) for check in THE_USERS | OF_A_POD_THAT_RUNS_ONCE),
    }


@pytest.mark.parametrize("path", VALUES, ids=lambda path: path.stem)
def test_no_set_of_values_has_other_findings(path: Path, findings: list[dict[str, Any]]) -> None:
    once = {("Pod", check) for check in OF_A_POD_THAT_RUNS_ONCE}
    users = {(kind, check) for kind in ("Deployment", "StatefulSet", "Pod") for check in THE_USERS}
    assert found(findings, path.stem) - users - once == set()


def test_with_everything_set_the_exporter_has_no_findings(findings: list[dict[str, Any]]) -> None:
    assert found(findings, "everything") == {("Pod", check) for check in OF_A_POD_THAT_RUNS_ONCE}


def pods(path: Path) -> list[dict[str, Any]]:
    manifests = render_file(path)
    templates = [one["spec"]["template"] for kind in ("Deployment", "StatefulSet") for one in of_kind(manifests, kind)]
    return [pod["spec"] for pod in (*templates, *of_kind(manifests, "Pod"))]


@pytest.mark.parametrize("path", VALUES, ids=lambda path: path.stem)
def test_every_pod_complies_with_the_restricted_pod_security_standard(path: Path) -> None:
    for spec in pods(path):
        assert {"hostNetwork", "hostPID", "hostIPC", "hostUsers"}.isdisjoint(spec)
        assert spec["securityContext"]["runAsNonRoot"] is True
        assert spec["securityContext"]["runAsUser"] != 0
        assert spec["securityContext"]["seccompProfile"] == {"type": "RuntimeDefault"}
        kinds = {kind for volume in spec.get("volumes", []) for kind in volume if kind != "name"}
        allowed = {"configMap", "csi", "downwardAPI", "emptyDir", "ephemeral", "projected", "secret"}
        assert kinds <= allowed | {"persistentVolumeClaim"}
        for container in (*spec["containers"], *spec.get("initContainers", [])):
            context = container["securityContext"]
            assert context["allowPrivilegeEscalation"] is False
            assert context["capabilities"] == {"drop": ["ALL"]}
            assert "privileged" not in context
            assert all("hostPort" not in port for port in container.get("ports", []))
    assert len(pods(path)) == (0 if path.stem.endswith("-only") else 2)
