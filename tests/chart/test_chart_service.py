"""templates/service.yaml and templates/service-headless.yaml."""

from chart_support import LABELS, NAME, NAMESPACE, SELECTOR, everything, of_kind, only, render

HEADLESS = "quantum-braket-exporter-headless"


def test_the_service_selects_the_pods() -> None:
    service = only(render(), "Service")
    assert service["metadata"] == {
        "name": NAME,
        "namespace": NAMESPACE,
        "labels": {**LABELS, "app.kubernetes.io/component": "metrics"},
    }
    assert service["spec"] == {
        "type": "ClusterIP",
        "publishNotReadyAddresses": True,
        "ports": [{"name": "metrics", "port": 9834, "targetPort": "metrics", "protocol": "TCP"}],
        "selector": SELECTOR,
    }


def test_everything_about_the_service_can_be_set() -> None:
    service = only(everything(), "Service")
    assert service["metadata"]["annotations"] == {"example.com/owner": "platform", "example.com/service": "yes"}
    assert service["metadata"]["labels"]["example.com/service"] == "yes"
    assert service["spec"]["ports"][0]["port"] == 80
    assert service["spec"]["ipFamilyPolicy"] == "PreferDualStack"
    assert service["spec"]["ipFamilies"] == ["IPv4"]
    node_port = only(render({"service": {"type": "NodePort"}}), "Service")
    assert node_port["spec"]["type"] == "NodePort"


def test_only_shards_have_a_headless_service() -> None:
    assert [one["metadata"]["name"] for one in of_kind(render(), "Service")] == [NAME]
    manifests = render({"sharding": {"totalShards": 2}})
    assert {one["metadata"]["name"] for one in of_kind(manifests, "Service")} == {NAME, HEADLESS}
    assert only(manifests, "Service", HEADLESS)["spec"] == {
        "clusterIP": "None",
        "publishNotReadyAddresses": True,
        "ports": [{"name": "metrics", "port": 9834, "targetPort": "metrics", "protocol": "TCP"}],
        "selector": SELECTOR,
    }


def test_there_is_none_without_the_exporter() -> None:
    assert of_kind(render({"exporter": {"enabled": False}, "sharding": {"totalShards": 2}}), "Service") == []


def test_its_address_and_its_load_balancer_can_be_set() -> None:
    spec = only(everything(), "Service")["spec"]
    assert spec["ports"][0]["nodePort"] == 30834
    assert spec["loadBalancerClass"] == "service.k8s.aws/nlb"
    assert spec["loadBalancerSourceRanges"] == ["10.0.0.0/8"]
    assert spec["externalTrafficPolicy"] == "Local"
    assert only(render({"service": {"clusterIP": "10.0.0.20"}}), "Service")["spec"]["clusterIP"] == "10.0.0.20"
