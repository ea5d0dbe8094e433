"""templates/statefulset.yaml: shards."""

import pytest
from chart_support import LABELS, NAME, NAMESPACE, SELECTOR, container, of_kind, only, render, workload

SHARDED = {"sharding": {"totalShards": 3}}


def test_with_several_shards_a_statefulset_replaces_the_deployment() -> None:
    manifests = render(SHARDED)
    assert of_kind(manifests, "Deployment") == []
    stateful_set = only(manifests, "StatefulSet")
    assert stateful_set["metadata"] == {"name": NAME, "namespace": NAMESPACE, "labels": LABELS}
    assert stateful_set["spec"]["replicas"] == 3
    assert stateful_set["spec"]["serviceName"] == "quantum-braket-exporter-headless"
    assert stateful_set["spec"]["selector"] == {"matchLabels": SELECTOR}


def test_no_shard_waits_for_another_to_start() -> None:
    assert only(render(SHARDED), "StatefulSet")["spec"]["podManagementPolicy"] == "Parallel"


def test_each_pod_takes_its_shard_from_its_own_name() -> None:
    assert container(SHARDED)["env"] == [
        {"name": "BRAKET_EXPORTER_CONFIG", "value": "/etc/braket-exporter/exporter.yaml"},
        {"name": "BRAKET_EXPORTER_SHARD", "valueFrom": {"fieldRef": {"fieldPath": "metadata.name"}}},
    ]


def test_its_pods_equal_those_of_the_deployment_except_for_the_shard() -> None:
    one, three = (workload(render(values))["spec"]["template"] for values in ({}, SHARDED))
    del one["spec"]["containers"][0]["env"], three["spec"]["containers"][0]["env"]
    del three["spec"]["topologySpreadConstraints"]
    assert one == three


def test_its_name_is_short_enough_for_the_hash_that_kubernetes_adds() -> None:
    manifests = render({**SHARDED, "fullnameOverride": "a" * 60})
    assert only(manifests, "StatefulSet", "a" * 52)["spec"]["serviceName"] == "a" * 54 + "-headless"


@pytest.mark.parametrize("values", [{}, {"sharding": {"totalShards": 1}}])
def test_one_shard_is_a_deployment(values: dict[str, object]) -> None:
    assert of_kind(render(values), "StatefulSet") == []


def test_there_is_none_without_the_exporter() -> None:
    assert of_kind(render({**SHARDED, "exporter": {"enabled": False}}), "StatefulSet") == []
