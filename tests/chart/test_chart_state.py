"""templates/_state.tpl and persistentvolumeclaim.yaml: place and lifetime of the state file."""

from typing import Any

import pytest
import yaml
from chart_support import (
    LABELS,
    NAME,
    NAMESPACE,
    SELECTOR,
    Manifest,
    container,
    everything,
    of_kind,
    only,
    pod,
    refusal,
    render,
)

MOUNT = {"name": "state", "mountPath": "/var/lib/braket-exporter"}
CLAIM = {"accessModes": ["ReadWriteOnce"], "resources": {"requests": {"storage": "1Gi"}}}
SHARDED: dict[str, Any] = {"sharding": {"totalShards": 3}}


def state(**members: object) -> dict[str, Any]:
    """Write the values of a persistent volume."""
    return {"state": {"persistentVolumeClaim": {"enabled": True, **members}}}


def settings(manifests: list[Manifest]) -> dict[str, Any]:
    return dict(yaml.safe_load(only(manifests, "ConfigMap")["data"]["exporter.yaml"]))


@pytest.mark.parametrize("values", [{}, SHARDED])
def test_a_restarted_container_has_its_state(values: dict[str, Any]) -> None:
    assert settings(render(values))["state_file"] == "/var/lib/braket-exporter/state.sqlite"
    assert container(values)["volumeMounts"][1] == MOUNT
    assert pod(values)["volumes"][1] == {"name": "state", "emptyDir": {"sizeLimit": "1Gi"}}
    assert of_kind(render(values), "PersistentVolumeClaim") == []


def test_its_size_limit_can_be_set() -> None:
    assert pod({"state": {"sizeLimit": "64Mi"}})["volumes"][1]["emptyDir"] == {"sizeLimit": "64Mi"}


@pytest.mark.parametrize("values", [{}, SHARDED])
def test_without_state_nothing_can_be_written(values: dict[str, Any]) -> None:
    off = {**values, "state": {"enabled": False}}
    assert "state_file" not in settings(render(off))
    assert [mount["name"] for mount in container(off)["volumeMounts"]] == ["config"]
    assert [volume["name"] for volume in pod(off)["volumes"]] == ["config"]


def test_the_root_of_the_file_system_stays_read_only_and_the_volume_is_given_to_the_pods_group() -> None:
    for values in ({}, state()):
        assert container(values)["securityContext"]["readOnlyRootFilesystem"] is True
        assert pod(values)["securityContext"]["fsGroup"] == pod(values)["securityContext"]["runAsGroup"] == 65532


def test_one_pod_has_a_claim_that_the_chart_creates() -> None:
    manifests = render(state())
    claim = only(manifests, "PersistentVolumeClaim", f"{NAME}-state")
    assert claim["metadata"] == {"name": f"{NAME}-state", "namespace": NAMESPACE, "labels": LABELS}
    assert claim["spec"] == CLAIM
    assert pod(state())["volumes"][1] == {"name": "state", "persistentVolumeClaim": {"claimName": f"{NAME}-state"}}
    assert container(state())["volumeMounts"][1] == MOUNT


def test_two_pods_never_share_the_file() -> None:
    assert only(render(state()), "Deployment")["spec"]["strategy"] == {"type": "Recreate"}


def test_the_spec_of_a_claim_can_be_set() -> None:
    claim = only(everything(), "PersistentVolumeClaim", f"{NAME}-state")
    assert claim["metadata"]["labels"] == {**LABELS, "team": "platform"}
    assert claim["metadata"]["annotations"] == {"example.com/owner": "platform", "helm.sh/resource-policy": "keep"}
    assert claim["spec"] == {
        "accessModes": ["ReadWriteOnce"],
        "storageClassName": "gp3",
        "resources": {"requests": {"storage": "2Gi"}},
    }


def test_an_existing_claim_replaces_the_claim_of_the_chart() -> None:
    values = state(existingClaim="mine")
    assert of_kind(render(values), "PersistentVolumeClaim") == []
    assert pod(values)["volumes"][1] == {"name": "state", "persistentVolumeClaim": {"claimName": "mine"}}


def test_each_shard_has_its_own_claim() -> None:
    values = {**SHARDED, **state(storageClassName="gp3", annotations={"example.com/backup": "no"})}
    manifests = render(values)
    (claim,) = only(manifests, "StatefulSet", f"{NAME}-persistent")["spec"]["volumeClaimTemplates"]
    assert claim == {
        "apiVersion": "v1",
        "kind": "PersistentVolumeClaim",
        "metadata": {"name": "state", "labels": SELECTOR, "annotations": {"example.com/backup": "no"}},
        "spec": {**CLAIM, "storageClassName": "gp3"},
    }
    assert of_kind(manifests, "PersistentVolumeClaim") == []
    assert container(values)["volumeMounts"][1] == MOUNT
    assert [volume["name"] for volume in pod(values)["volumes"]] == ["config"]


def test_claims_can_be_enabled_and_disabled_although_those_of_a_statefulset_are_immutable() -> None:
    (without,), (with_claims,) = (of_kind(render({**SHARDED, **values}), "StatefulSet") for values in ({}, state()))
    assert without["metadata"]["name"] == NAME
    assert with_claims["metadata"]["name"] == f"{NAME}-persistent"


def test_the_names_are_short_enough_for_suffixes_of_kubernetes() -> None:
    long = {"fullnameOverride": "f" * 63}
    (stateful_set,) = of_kind(render({**SHARDED, **state(), **long}), "StatefulSet")
    assert stateful_set["metadata"]["name"] == "f" * 41 + "-persistent"
    (claim,) = of_kind(render({**state(), **long}), "PersistentVolumeClaim")
    assert claim["metadata"]["name"] == "f" * 57 + "-state"


@pytest.mark.parametrize("values", [{}, {"commonLabels": {"team": "platform"}, "podLabels": {"a": "b"}}])
def test_the_claims_of_a_statefulset_have_no_variable_metadata(values: dict[str, Any]) -> None:
    (stateful_set,) = of_kind(render({**SHARDED, **state(), **values}), "StatefulSet")
    assert stateful_set["spec"]["volumeClaimTemplates"][0]["metadata"] == {"name": "state", "labels": SELECTOR}


@pytest.mark.parametrize(
    ("values", "reported"),
    [
        (
            {"state": {"enabled": False, "persistentVolumeClaim": {"enabled": True}}},
            "state.persistentVolumeClaim.enabled is true, but state.enabled is false; set state.enabled: true",
        ),
        (
            {"state": {"persistentVolumeClaim": {"existingClaim": "mine"}}},
            "existingClaim is set, but state.persistentVolumeClaim.enabled is false; set",
        ),
        (
            {**SHARDED, **state(existingClaim="mine")},
            "state.persistentVolumeClaim.existingClaim is valid for one pod only, but sharding.totalShards is ",
        ),
    ],
)
def test_invalid_combinations_are_rejected(values: dict[str, Any], reported: str) -> None:
    assert reported in refusal(values)


def test_there_is_no_claim_without_the_exporter() -> None:
    off = {"exporter": {"enabled": False}}
    assert render({**state(), **off}) == render({**SHARDED, **state(), **off}) == []
