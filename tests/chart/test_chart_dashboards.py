"""templates/dashboards.yaml: the dashboards of grafana/dashboards for Grafana's sidecar."""

import pytest
from chart_support import CHART, LABELS, NAMESPACE, ROOT, everything, of_kind, only, render

FILES = {path.name: path.read_text(encoding="utf-8") for path in (ROOT / "grafana" / "dashboards").glob("*.json")}
NAMES = {
    "braket-exporter.json": "quantum-braket-exporter-dashboard-exporter",
    "braket-fleet.json": "quantum-braket-exporter-dashboard-fleet",
    "braket-job.json": "quantum-braket-exporter-dashboard-job",
}
ENABLED = {"dashboards": {"enabled": True}, "exporter": {"enabled": False}}


def test_there_is_none_by_default() -> None:
    assert [one["metadata"]["name"] for one in of_kind(render(), "ConfigMap")] == ["quantum-braket-exporter"]


def test_the_dashboards_of_the_chart_are_those_of_grafana() -> None:
    inside = {path.name: path.read_text(encoding="utf-8") for path in (CHART / "dashboards").iterdir()}
    assert inside == FILES, "run make dashboards"


def test_each_dashboard_has_a_config_map() -> None:
    assert FILES.keys() == NAMES.keys()
    assert {one["metadata"]["name"] for one in render(ENABLED)} == {*NAMES.values()}
    assert {one["kind"] for one in render(ENABLED)} == {"ConfigMap"}


@pytest.mark.parametrize("file", NAMES)
def test_a_config_map_has_the_dashboards_file_and_the_label_of_the_sidecar(file: str) -> None:
    config_map = only(render(ENABLED), "ConfigMap", NAMES[file])
    assert config_map["metadata"]["namespace"] == NAMESPACE
    assert config_map["metadata"]["labels"] == {**LABELS, "grafana_dashboard": "1"}
    assert "annotations" not in config_map["metadata"]
    assert config_map["data"] == {file: FILES[file]}


def test_namespace_labels_annotations_and_folder_can_be_set() -> None:
    metadata = only(everything(), "ConfigMap", NAMES["braket-job.json"])["metadata"]
    assert metadata["namespace"] == "monitoring"
    assert metadata["labels"] == {**LABELS, "team": "platform", "grafana_dashboard": "1"}
    assert metadata["annotations"] == {
        "example.com/owner": "platform",
        "example.com/dashboard": "yes",
        "grafana_folder": "Braket",
    }
    own = {
        "enabled": True,
        "labels": {"grafana_dashboard": None, "mine": "yes"},
        "folder": "B",
        "folderAnnotation": "f",
    }
    metadata = only(render({"dashboards": own}), "ConfigMap", NAMES["braket-job.json"])["metadata"]
    assert metadata["labels"] == {**LABELS, "mine": "yes"}
    assert metadata["annotations"] == {"f": "B"}
