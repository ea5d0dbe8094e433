"""templates/podmonitor.yaml."""

from chart_support import LABELS, NAME, NAMESPACE, SELECTOR, everything, of_kind, only, render, workload

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
ENABLED = {"podMonitor": {"enabled": True}}
GROUP = {"targetLabel": "exporter_group", "replacement": f"{NAMESPACE}/{NAME}"}


def test_there_is_none_by_default() -> None:
    assert of_kind(render(), "PodMonitor") == []
    assert of_kind(render({**ENABLED, "exporter": {"enabled": False}}), "PodMonitor") == []


def test_it_scrapes_the_pods_under_one_name_for_every_release() -> None:
    monitor = only(render(ENABLED), "PodMonitor")
    assert monitor["metadata"] == {"name": NAME, "namespace": NAMESPACE, "labels": LABELS}
    assert monitor["spec"] == {
        "jobLabel": "app.kubernetes.io/name",
        "namespaceSelector": {"matchNames": [NAMESPACE]},
        "selector": {"matchLabels": SELECTOR},
        "podMetricsEndpoints": [
            {"port": "metrics", "path": "/metrics", "interval": "30s", "honorLabels": True, "relabelings": [GROUP]}
        ],
    }


def test_it_selects_the_exporters_pods_but_not_the_pod_of_helm_test() -> None:
    manifests = render(ENABLED)
    wanted = only(manifests, "PodMonitor")["spec"]["selector"]["matchLabels"].items()
    assert wanted <= workload(manifests)["spec"]["template"]["metadata"]["labels"].items()
    assert not wanted <= only(manifests, "Pod", f"{NAME}-test")["metadata"]["labels"].items()


def test_everything_about_it_can_be_set() -> None:
    monitor = only(everything(), "PodMonitor")
    assert monitor["metadata"]["namespace"] == "monitoring"
    assert monitor["metadata"]["labels"] == {**LABELS, "team": "platform", "release": "kube-prometheus-stack"}
    assert monitor["metadata"]["annotations"] == {"example.com/owner": "platform", "example.com/monitor": "yes"}
    assert monitor["spec"] == {
        "jobLabel": "app.kubernetes.io/name",
        **LIMITS,
        "podTargetLabels": ["team"],
        "namespaceSelector": {"matchNames": [NAMESPACE]},
        "selector": {"matchLabels": SELECTOR},
        "podMetricsEndpoints": [
            {
                "port": "metrics",
                "path": "/metrics",
                "interval": "30s",
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
