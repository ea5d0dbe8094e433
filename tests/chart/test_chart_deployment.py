"""templates/deployment.yaml and the pod in it."""

import pytest
from chart_support import IMAGE, LABELS, NAME, NAMESPACE, SELECTOR, container, everything, of_kind, only, pod, render

HARDENED = {
    "allowPrivilegeEscalation": False,
    "readOnlyRootFilesystem": True,
    "capabilities": {"drop": ["ALL"]},
}


def test_a_pod_is_replaced_only_after_its_end_so_that_calls_do_not_double() -> None:
    deployment = only(render(), "Deployment")
    assert deployment["metadata"] == {"name": NAME, "namespace": NAMESPACE, "labels": LABELS}
    assert deployment["spec"]["replicas"] == 1
    assert deployment["spec"]["strategy"] == {"type": "Recreate"}
    assert deployment["spec"]["revisionHistoryLimit"] == 3


def test_a_first_poll_of_an_hour_does_not_fail_a_rollout() -> None:
    assert only(render(), "Deployment")["spec"]["progressDeadlineSeconds"] == 3600


def test_the_selector_has_no_version_and_selects_the_pods() -> None:
    spec = only(render(), "Deployment")["spec"]
    assert spec["selector"] == {"matchLabels": SELECTOR}
    assert spec["template"]["metadata"]["labels"] == SELECTOR


def test_the_pod_is_hardened_by_default() -> None:
    assert pod()["securityContext"] == {
        "runAsNonRoot": True,
        "runAsUser": 65532,
        "runAsGroup": 65532,
        "fsGroup": 65532,
        "fsGroupChangePolicy": "OnRootMismatch",
        "seccompProfile": {"type": "RuntimeDefault"},
    }
    assert container()["securityContext"] == HARDENED


def test_the_pod_has_no_token_by_default() -> None:
    assert pod()["automountServiceAccountToken"] is False
    asked = pod({"serviceAccount": {"automountServiceAccountToken": True}})
    assert asked["automountServiceAccountToken"] is True


def test_openshift_may_choose_the_user() -> None:
    context = {"runAsUser": None, "runAsGroup": None, "fsGroup": None}
    assert pod({"podSecurityContext": context})["securityContext"] == {
        "runAsNonRoot": True,
        "fsGroupChangePolicy": "OnRootMismatch",
        "seccompProfile": {"type": "RuntimeDefault"},
    }


def test_the_pod_has_no_variables_of_services() -> None:
    assert pod()["enableServiceLinks"] is False


def test_the_exporter_reads_its_settings_from_a_directory_that_receives_changes() -> None:
    assert container()["env"] == [{"name": "BRAKET_EXPORTER_CONFIG", "value": "/etc/braket-exporter/exporter.yaml"}]
    mount, volume = container()["volumeMounts"][0], pod()["volumes"][0]
    assert mount == {"name": "config", "mountPath": "/etc/braket-exporter", "readOnly": True}
    assert volume == {"name": "config", "configMap": {"name": NAME}}


def test_other_settings_make_other_pods_and_the_same_settings_the_same() -> None:
    def checksum(config: dict[str, str]) -> str:
        annotations = only(render({"config": config}), "Deployment")["spec"]["template"]["metadata"]["annotations"]
        return str(annotations["checksum/config"])

    assert len(checksum({})) == 64
    assert checksum({"poll_interval": "15s"}) != checksum({})
    assert checksum({"poll_interval": "15s"}) == checksum({"poll_interval": "15s"})


def test_a_label_for_all_objects_changes_no_checksum() -> None:
    plain, labelled = (
        only(render(values), "Deployment")["spec"]["template"]["metadata"]["annotations"]
        for values in ({}, {"commonLabels": {"team": "platform"}})
    )
    assert plain == labelled


def test_the_probes_request_the_health_and_the_readiness_path() -> None:
    probes = {name: probe for name, probe in container().items() if name.endswith("Probe")}
    assert probes == {
        "startupProbe": {
            "httpGet": {"path": "/-/healthy", "port": "metrics"},
            "periodSeconds": 2,
            "timeoutSeconds": 2,
            "failureThreshold": 30,
        },
        "livenessProbe": {
            "httpGet": {"path": "/-/healthy", "port": "metrics"},
            "periodSeconds": 15,
            "timeoutSeconds": 5,
            "failureThreshold": 4,
        },
        "readinessProbe": {
            "httpGet": {"path": "/-/ready", "port": "metrics"},
            "periodSeconds": 5,
            "timeoutSeconds": 5,
            "failureThreshold": 3,
        },
    }


@pytest.mark.parametrize("probe", ["startupProbe", "livenessProbe", "readinessProbe"])
def test_a_probe_can_be_disabled_or_changed(probe: str) -> None:
    assert probe not in container({probe: {"enabled": False}})
    assert container({probe: {"initialDelaySeconds": 7}})[probe]["initialDelaySeconds"] == 7


def test_the_port_is_that_on_which_the_exporter_listens() -> None:
    assert container()["ports"] == [{"name": "metrics", "containerPort": 9834, "protocol": "TCP"}]
    assert container({"containerPort": 9000})["ports"][0]["containerPort"] == 9000


def test_the_image_is_the_one_of_the_chart_by_default() -> None:
    digest = "sha256:" + "0123456789abcdef" * 4
    assert container()["image"] == IMAGE
    assert container()["imagePullPolicy"] == "IfNotPresent"
    other = {"repository": "registry.example.com/braket", "tag": "1.2.3"}
    assert container({"image": other})["image"] == "registry.example.com/braket:1.2.3"
    assert container({"image": {**other, "digest": digest}})["image"] == f"registry.example.com/braket@{digest}"


def test_aws_keys_come_from_a_secret_not_from_values() -> None:
    values = {"aws": {"credentialsSecret": "aws-files"}}
    assert container(values)["env"][1:] == [
        {"name": "AWS_SHARED_CREDENTIALS_FILE", "value": "/etc/aws/credentials"},
        {"name": "AWS_CONFIG_FILE", "value": "/etc/aws/config"},
    ]
    assert container(values)["volumeMounts"][2:] == [{"name": "aws", "mountPath": "/etc/aws", "readOnly": True}]
    assert pod(values)["volumes"][2:] == [{"name": "aws", "secret": {"secretName": "aws-files", "defaultMode": 0o440}}]


def test_resources_can_be_set() -> None:
    resources = {"requests": {"cpu": "50m"}, "limits": {"memory": "1Gi"}}
    assert "resources" not in container()
    assert container({"resources": resources})["resources"] == resources


def test_the_service_account_is_the_releases_or_one_that_exists() -> None:
    assert pod()["serviceAccountName"] == NAME
    assert pod({"serviceAccount": {"name": "reader"}})["serviceAccountName"] == "reader"
    assert pod({"serviceAccount": {"create": False, "name": "reader"}})["serviceAccountName"] == "reader"
    assert pod({"serviceAccount": {"create": False}})["serviceAccountName"] == "default"


def test_the_exporter_has_time_to_end() -> None:
    assert pod()["terminationGracePeriodSeconds"] == 15
    assert pod({"terminationGracePeriodSeconds": 60})["terminationGracePeriodSeconds"] == 60


def test_variables_volumes_and_containers_can_be_added() -> None:
    deployment = only(everything(), "Deployment")
    spec = deployment["spec"]["template"]["spec"]
    exporter = spec["containers"][0]
    assert exporter["env"][-1] == {"name": "HTTPS_PROXY", "value": "http://proxy.example.com:3128"}
    assert exporter["envFrom"] == [{"configMapRef": {"name": "more"}}]
    assert exporter["volumeMounts"][-1] == {"name": "scratch", "mountPath": "/scratch"}
    assert spec["volumes"][-1] == {"name": "scratch", "emptyDir": {}}
    assert [one["name"] for one in spec["initContainers"]] == ["wait"]
    assert [one["name"] for one in spec["containers"]] == ["exporter", "proxy"]
    assert spec["imagePullSecrets"] == [{"name": "registry"}]


def test_scheduling_can_be_set() -> None:
    scheduling = {
        "nodeSelector": {"kubernetes.io/os": "linux"},
        "tolerations": [{"key": "dedicated", "operator": "Exists"}],
        "affinity": {"podAntiAffinity": {}},
        "topologySpreadConstraints": [{"maxSkew": 1}],
        "priorityClassName": "monitoring",
        "runtimeClassName": "gvisor",
        "dnsConfig": {"options": [{"name": "ndots", "value": "2"}]},
        "hostAliases": [{"ip": "10.0.0.10", "hostnames": ["proxy.example.com"]}],
    }
    assert {key: value for key, value in pod(scheduling).items() if key in scheduling} == scheduling
    assert scheduling.keys().isdisjoint(pod())


def test_pods_have_the_users_labels_and_annotations() -> None:
    values = {
        "commonLabels": {"team": "platform"},
        "podLabels": {"team": "chemistry", "app.kubernetes.io/name": "not-mine"},
        "podAnnotations": {"example.com/a": "b"},
    }
    metadata = only(render(values), "Deployment")["spec"]["template"]["metadata"]
    assert metadata["labels"] == {**SELECTOR, "team": "chemistry"}
    assert metadata["annotations"].keys() == {"checksum/config", "example.com/a"}


def test_there_is_none_without_the_exporter() -> None:
    assert of_kind(render({"exporter": {"enabled": False}}), "Deployment") == []
