"""templates/networkpolicy.yaml."""

from typing import Any

from chart_support import LABELS, NAME, NAMESPACE, SELECTOR, everything, of_kind, only, render

ENABLED = {"networkPolicy": {"enabled": True}}
TEST_POD = {"podSelector": {"matchLabels": {**SELECTOR, "app.kubernetes.io/name": "braket-exporter-test"}}}
OPENSHIFT = [{"port": 5353, "protocol": "UDP"}, {"port": 5353, "protocol": "TCP"}]
METADATA = [{"ipBlock": {"cidr": "169.254.169.254/32"}}, {"ipBlock": {"cidr": "fd00:ec2::254/128"}}]
EGRESS: list[dict[str, Any]] = [
    {"ports": [{"port": 53, "protocol": "UDP"}, {"port": 53, "protocol": "TCP"}, *OPENSHIFT]},
    {"ports": [{"port": 443, "protocol": "TCP"}]},
    {
        "ports": [{"port": 80, "protocol": "TCP"}],
        "to": [
            {"ipBlock": {"cidr": "169.254.170.23/32"}},
            {"ipBlock": {"cidr": "fd00:ec2::23/128"}},
        ],
    },
]
WITH_METADATA = {**EGRESS[-1], "to": [*EGRESS[-1]["to"], *METADATA]}


def test_there_is_none_by_default() -> None:
    assert of_kind(render(), "NetworkPolicy") == []
    assert of_kind(render({**ENABLED, "exporter": {"enabled": False}}), "NetworkPolicy") == []


def test_it_allows_scrapes_dns_aws_and_the_pods_identity() -> None:
    policy = only(render(ENABLED), "NetworkPolicy")
    assert policy["metadata"] == {"name": NAME, "namespace": NAMESPACE, "labels": LABELS}
    assert policy["spec"] == {
        "podSelector": {"matchLabels": SELECTOR},
        "policyTypes": ["Ingress", "Egress"],
        "ingress": [{"ports": [{"port": "metrics", "protocol": "TCP"}]}],
        "egress": EGRESS,
    }


def test_it_allows_the_instance_metadata_service_on_request() -> None:
    values = {"networkPolicy": {"enabled": True, "instanceMetadata": True}}
    *others, credentials = only(render(values), "NetworkPolicy")["spec"]["egress"]
    assert others == EGRESS[:-1]
    assert credentials == WITH_METADATA


def test_with_peers_only_the_peers_and_the_pod_of_helm_test_can_scrape() -> None:
    spec = only(everything(), "NetworkPolicy")["spec"]
    monitoring = {"namespaceSelector": {"matchLabels": {"kubernetes.io/metadata.name": "monitoring"}}}
    assert spec["ingress"] == [
        {"ports": [{"port": "metrics", "protocol": "TCP"}], "from": [monitoring, TEST_POD]},
        {"from": [{"ipBlock": {"cidr": "10.1.0.0/16"}}]},
    ]
    assert spec["egress"] == [*EGRESS[:-1], WITH_METADATA, {"ports": [{"port": 3128}]}]


def test_it_selects_the_pod_of_helm_test() -> None:
    pod = only(render(ENABLED), "Pod", f"{NAME}-test")
    assert TEST_POD["podSelector"]["matchLabels"] == pod["metadata"]["labels"]
