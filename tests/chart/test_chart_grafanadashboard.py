"""templates/grafanadashboard.yaml: the dashboards for the Grafana operator."""

from chart_support import LABELS, NAMESPACE, everything, of_kind, only, render

JOB = "quantum-braket-exporter-dashboard-job"
ENABLED = {"grafanaDashboard": {"enabled": True}}


def test_there_is_none_by_default() -> None:
    assert of_kind(render(), "GrafanaDashboard") == []
    assert of_kind(render({"dashboards": {"enabled": True}}), "GrafanaDashboard") == []


def test_each_dashboard_is_read_from_its_config_map() -> None:
    manifests = render(ENABLED)
    dashboards = of_kind(manifests, "GrafanaDashboard")
    assert len(dashboards) == 3
    for dashboard in dashboards:
        source = dashboard["spec"]["configMapRef"]
        assert source["key"] in only(manifests, "ConfigMap", source["name"])["data"]
    assert only(manifests, "GrafanaDashboard", JOB) == {
        "apiVersion": "grafana.integreatly.org/v1beta1",
        "kind": "GrafanaDashboard",
        "metadata": {"name": JOB, "namespace": NAMESPACE, "labels": LABELS},
        "spec": {
            "instanceSelector": {"matchLabels": {"dashboards": "grafana"}},
            "configMapRef": {"name": JOB, "key": "braket-job.json"},
            "resyncPeriod": "10m",
            "allowCrossNamespaceImport": False,
        },
    }


def test_without_the_sidecar_its_config_maps_do_not_have_the_sidecars_label() -> None:
    assert only(render(ENABLED), "ConfigMap", JOB)["metadata"]["labels"] == LABELS


def test_everything_about_it_can_be_set() -> None:
    dashboard = only(everything(), "GrafanaDashboard", JOB)
    assert dashboard["metadata"]["namespace"] == "monitoring"
    assert dashboard["metadata"]["labels"] == {**LABELS, "team": "platform", "example.com/dashboard": "yes"}
    assert dashboard["metadata"]["annotations"] == {"example.com/owner": "platform", "example.com/dashboard": "yes"}
    assert dashboard["spec"] == {
        "instanceSelector": {"matchLabels": {"dashboards": "grafana"}},
        "configMapRef": {"name": JOB, "key": "braket-job.json"},
        "folder": "Braket",
        "resyncPeriod": "1h",
        "allowCrossNamespaceImport": True,
    }
