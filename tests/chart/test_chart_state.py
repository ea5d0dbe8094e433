"""templates/_state.tpl and persistentvolumeclaim.yaml: where the state file is, and how long it lives."""

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
    """Write the values of a volume that outlives the pod."""
    return {"state": {"persistentVolumeClaim": {"enabled": True, **members}}}


def settings(manifests: list[Manifest]) -> dict[str, Any]:
    return dict(yaml.safe_load(only(manifests, "ConfigMap")["data"]["exporter.yaml"]))


@pytest.mark.parametrize("values", [{}, SHARDED])
def test_a_container_that_starts_again_finds_its_state_in_its_pod(values: dict[str, Any]) -> None:
    assert settings(render(values))["state_file"] == "/var/lib/braket-exporter/state.sqlite"
    assert container(values)["volumeMounts"][1] == MOUNT
    assert pod(values)["volumes"][1] == {"name": "state", "emptyDir": {"sizeLimit": "1Gi"}}
    assert of_kind(render(values), "PersistentVolumeClaim") == []


def test_how_large_it_may_become_in_its_pod_is_the_users_to_say() -> None:
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


def test_one_pod_has_a_claim_that_the_chart_makes() -> None:
    manifests = render(state())
    claim = only(manifests, "PersistentVolumeClaim", f"{NAME}-state")
    assert claim["metadata"] == {"name": f"{NAME}-state", "namespace": NAMESPACE, "labels": LABELS}
    assert claim["spec"] == CLAIM
    assert pod(state())["volumes"][1] == {"name": "state", "persistentVolumeClaim": {"claimName": f"{NAME}-state"}}
    assert container(state())["volumeMounts"][1] == MOUNT


def test_two_pods_never_share_the_file() -> None:
    assert only(render(state()), "Deployment")["spec"]["strategy"] == {"type": "Recreate"}


def test_a_claim_asks_for_what_the_user_says() -> None:
    claim = only(everything(), "PersistentVolumeClaim", f"{NAME}-state")
    assert claim["metadata"]["labels"] == {**LABELS, "team": "platform"}
    assert claim["metadata"]["annotations"] == {"example.com/owner": "platform", "helm.sh/resource-policy": "keep"}
    assert claim["spec"] == {
        "accessModes": ["ReadWriteOnce"],
        "storageClassName": "gp3",
        "resources": {"requests": {"storage": "2Gi"}},
    }


def test_a_claim_that_exists_takes_the_place_of_the_charts() -> None:
    values = state(existingClaim="mine")
    assert of_kind(render(values), "PersistentVolumeClaim") == []
    assert pod(values)["volumes"][1] == {"name": "state", "persistentVolumeClaim": {"claimName": "mine"}}


def test_each_of_several_pods_has_a_claim_of_its_own() -> None:
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


def test_claims_can_be_turned_on_and_off_though_kubernetes_never_changes_those_of_a_statefulset() -> None:
    (without,), (with_claims,) = (of_kind(render({**SHARDED, **values}), "StatefulSet") for values in ({}, state()))
    assert without["metadata"]["name"] == NAME
    assert with_claims["metadata"]["name"] == f"{NAME}-persistent"


def test_the_names_leave_room_for_what_kubernetes_adds() -> None:
    long = {"fullnameOverride": "f" * 63}
    (stateful_set,) = of_kind(render({**SHARDED, **state(), **long}), "StatefulSet")
    assert stateful_set["metadata"]["name"] == "f" * 41 + "-persistent"
    (claim,) = of_kind(render({**state(), **long}), "PersistentVolumeClaim")
    assert claim["metadata"]["name"] == "f" * 57 + "-state"


@pytest.mark.parametrize("values", [{}, {"commonLabels": {"team": "platform"}, "podLabels": {"a": "b"}}])
def test_nothing_that_may_change_is_in_the_claims_of_a_statefulset(values: dict[str, Any]) -> None:
    (stateful_set,) = of_kind(render({**SHARDED, **state(), **values}), "StatefulSet")
    assert stateful_set["spec"]["volumeClaimTemplates"][0]["metadata"] == {"name": "state", "labels": SELECTOR}


@pytest.mark.parametrize(
    ("values", "told"),
    [
        (
            {"state": {"enabled": False, "persistentVolumeClaim": {"enabled": True}}},
            "state.persistentVolumeClaim.enabled goes with state.enabled: true",
        ),
        (
            {"state": {"persistentVolumeClaim": {"existingClaim": "mine"}}},
            "state.persistentVolumeClaim.existingClaim goes with state.persistentVolumeClaim.enabled: true",
        ),
        (
            {**SHARDED, **state(existingClaim="mine")},
            "state.persistentVolumeClaim.existingClaim is for one pod: with sharding.totalShards above 1 each pod has",
        ),
    ],
)
def test_what_cannot_work_together_is_refused(values: dict[str, Any], told: str) -> None:
    assert told in refusal(values)


def test_there_is_no_claim_where_the_exporter_runs_elsewhere() -> None:
    off = {"exporter": {"enabled": False}}
    assert render({**state(), **off}) == render({**SHARDED, **state(), **off}) == []
