"""templates/servicemonitor.yaml."""

from chart_support import LABELS, NAME, NAMESPACE, SELECTOR, everything, of_kind, only, render

LIMITS = {
    "sampleLimit": 500000,
    "targetLimit": 10,
    "labelLimit": 20,
    "labelNameLengthLimit": 100,
    "labelValueLengthLimit": 200,
    "attachMetadata": {"node": True},
    "scrapeProtocols": ["OpenMetricsText1.0.0"],
}
REQUEST = {"params": {"name[]": ["braket_jobs"]}, "proxyUrl": "http://proxy.example.com:3128"}
ENABLED = {"serviceMonitor": {"enabled": True}}
GROUP = {"targetLabel": "exporter_group", "replacement": f"{NAMESPACE}/{NAME}"}


def test_there_is_none_by_default() -> None:
    assert of_kind(render(), "ServiceMonitor") == []
    assert of_kind(render({**ENABLED, "exporter": {"enabled": False}}), "ServiceMonitor") == []


def test_it_scrapes_the_service_under_one_name_for_every_release() -> None:
    monitor = only(render(ENABLED), "ServiceMonitor")
    assert monitor["metadata"] == {"name": NAME, "namespace": NAMESPACE, "labels": LABELS}
    assert monitor["spec"] == {
        "jobLabel": "app.kubernetes.io/name",
        "namespaceSelector": {"matchNames": [NAMESPACE]},
        "selector": {"matchLabels": {**SELECTOR, "app.kubernetes.io/component": "metrics"}},
        "endpoints": [
            {"port": "metrics", "path": "/metrics", "interval": "30s", "honorLabels": True, "relabelings": [GROUP]}
        ],
    }


def test_it_selects_one_service_also_with_shards_so_that_no_pod_is_scraped_twice() -> None:
    manifests = render({**ENABLED, "sharding": {"totalShards": 3}})
    wanted = only(manifests, "ServiceMonitor")["spec"]["selector"]["matchLabels"].items()
    labels = {one["metadata"]["name"]: one["metadata"]["labels"] for one in of_kind(manifests, "Service")}
    assert [name for name, given in labels.items() if wanted <= given.items()] == [NAME]
    assert len(labels) == 2


def test_its_port_is_one_of_the_services() -> None:
    manifests = render(ENABLED)
    ports = [port["name"] for port in only(manifests, "Service")["spec"]["ports"]]
    assert only(manifests, "ServiceMonitor")["spec"]["endpoints"][0]["port"] in ports


def test_everything_about_it_can_be_set() -> None:
    monitor = only(everything(), "ServiceMonitor")
    assert monitor["metadata"]["namespace"] == "monitoring"
    assert monitor["metadata"]["labels"] == {**LABELS, "team": "platform", "release": "kube-prometheus-stack"}
    assert monitor["metadata"]["annotations"] == {"example.com/owner": "platform", "example.com/monitor": "yes"}
    assert monitor["spec"] == {
        "jobLabel": "app.kubernetes.io/name",
        **LIMITS,
        "targetLabels": ["team"],
        "namespaceSelector": {"matchNames": [NAMESPACE]},
        "selector": {"matchLabels": {**SELECTOR, "app.kubernetes.io/component": "metrics"}},
        "endpoints": [
            {
                "port": "metrics",
                "path": "/metrics",
                "interval": "15s",
                "scrapeTimeout": "10s",
                **REQUEST,
                "relabelings": [
                    {"targetLabel": "exporter_group", "replacement": "chemistry"},
                    {"action": "labeldrop", "regex": "endpoint"},
                ],
                "metricRelabelings": [{"action": "drop", "sourceLabels": ["__name__"], "regex": "python_.*"}],
            }
        ],
    }
