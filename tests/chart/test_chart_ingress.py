"""templates/ingress.yaml, httproute.yaml and extraobjects.yaml."""

import json
import subprocess
from pathlib import Path

import pytest
from chart_support import CHART, LABELS, NAME, NAMESPACE, everything, of_kind, only, render, run

BACKEND = {"service": {"name": NAME, "port": {"name": "metrics"}}}


def test_there_is_none_by_default() -> None:
    assert of_kind(render(), "Ingress") + of_kind(render(), "HTTPRoute") == []
    on = {"ingress": {"enabled": True}, "httpRoute": {"enabled": True, "parentRefs": [{"name": "gateway"}]}}
    assert render({**on, "exporter": {"enabled": False}}) == []


def test_an_ingress_exposes_only_the_status_page_unless_it_has_paths() -> None:
    ingress = only(render({"ingress": {"enabled": True}}), "Ingress")
    assert ingress["metadata"] == {"name": NAME, "namespace": NAMESPACE, "labels": LABELS}
    page = {"path": "/", "pathType": "Exact", "backend": BACKEND}
    assert ingress["spec"] == {"rules": [{"http": {"paths": [page]}}]}


def test_everything_about_an_ingress_can_be_set() -> None:
    ingress = only(everything(), "Ingress")
    assert ingress["metadata"]["annotations"]["example.com/auth"] == "true"
    assert ingress["metadata"]["labels"]["example.com/ingress"] == "yes"
    assert ingress["spec"] == {
        "ingressClassName": "nginx",
        "tls": [{"secretName": "braket-tls", "hosts": ["braket.example.com"]}],
        "rules": [
            {
                "host": "braket.example.com",
                "http": {"paths": [{"path": "/braket", "pathType": "Prefix", "backend": BACKEND}]},
            }
        ],
    }


def test_a_route_exposes_only_the_status_page_unless_it_has_matches() -> None:
    route = only(render({"httpRoute": {"enabled": True, "parentRefs": [{"name": "gateway"}]}}), "HTTPRoute")
    assert route["spec"] == {
        "parentRefs": [{"name": "gateway"}],
        "rules": [
            {
                "matches": [{"path": {"type": "Exact", "value": "/"}}],
                "backendRefs": [{"name": NAME, "port": 9834}],
            }
        ],
    }


def test_everything_about_a_route_can_be_set() -> None:
    spec = only(everything(), "HTTPRoute")["spec"]
    assert spec["hostnames"] == ["braket.example.com"]
    (rule,) = spec["rules"]
    assert rule["matches"] == [{"path": {"type": "PathPrefix", "value": "/"}}]
    assert rule["filters"][0]["type"] == "RequestHeaderModifier"
    assert rule["backendRefs"] == [{"name": NAME, "port": 80}]


def test_other_objects_are_templates() -> None:
    text = "apiVersion: v1\nkind: ConfigMap\nmetadata:\n  name: {{ .Release.Name }}-text"
    values = {
        "namespaceOverride": "elsewhere",
        "extraObjects": [
            {"apiVersion": "v1", "kind": "Secret", "metadata": {"name": '{{ include "braket-exporter.fullname" . }}'}},
            text,
        ],
    }
    assert only(render(values), "Secret")["apiVersion"] == "v1"
    assert only(render(values), "ConfigMap", "quantum-text")


def test_every_object_can_be_in_another_namespace() -> None:
    on = {key: {"enabled": True} for key in ("serviceMonitor", "dashboards", "networkPolicy", "prometheusRule")}
    manifests = render({**on, "namespaceOverride": "elsewhere"})
    assert {one["metadata"]["namespace"] for one in manifests} == {"elsewhere"}
    assert only(manifests, "ServiceMonitor")["spec"]["namespaceSelector"] == {"matchNames": ["elsewhere"]}
    test = only(manifests, "Pod", f"{NAME}-test")["spec"]["containers"][0]
    assert f"http://{NAME}.elsewhere:9834" in test["args"]


@pytest.mark.parametrize(
    ("folder", "key"), [("dashboards", "dashboards"), ("dashboards", "grafanaDashboard"), ("rules", "prometheusRule")]
)
def test_a_package_without_dashboards_or_rules_is_an_error(folder: str, key: str, tmp_path: Path) -> None:
    chart = tmp_path / "braket-exporter"
    subprocess.run(["cp", "--recursive", CHART, chart], check=True)
    subprocess.run(["rm", "-r", chart / folder], check=True)
    done = run("helm4", "template", "quantum", chart, "--values", "-", stdin=json.dumps({key: {"enabled": True}}))
    assert done.returncode == 1
    assert f"the chart has no files {folder}/*." in done.stderr


def test_the_chart_has_no_symbolic_links() -> None:
    assert [path for path in CHART.rglob("*") if path.is_symlink()] == []
