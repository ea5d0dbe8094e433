"""templates/deployment.yaml and the pod in it."""

from typing import Any

import pytest
from chart_support import IMAGE, LABELS, NAME, NAMESPACE, SELECTOR, container, everything, of_kind, only, pod, render

from exporter.app.reload import RELOADED
from exporter.app.settings import Settings

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


def test_a_rollout_whose_image_cannot_be_pulled_fails_after_ten_minutes() -> None:
    assert only(render(), "Deployment")["spec"]["progressDeadlineSeconds"] == 600
    assert only(render({"progressDeadlineSeconds": 3600}), "Deployment")["spec"]["progressDeadlineSeconds"] == 3600


def test_the_strategy_and_the_annotations_of_the_deployment_can_be_set() -> None:
    values = {"strategy": {"type": "RollingUpdate"}, "deploymentAnnotations": {"example.com/sync": True}}
    deployment = only(render(values), "Deployment")
    assert deployment["spec"]["strategy"] == {"type": "RollingUpdate"}
    assert deployment["metadata"]["annotations"] == {"example.com/sync": "true"}
    shards = only(render({**values, "sharding": {"totalShards": 2}}), "StatefulSet")
    assert shards["metadata"]["annotations"] == {"example.com/sync": "true"}


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


def checksum(config: dict[str, Any], **values: object) -> str:
    annotations = only(render({"config": config, **values}), "Deployment")["spec"]["template"]["metadata"][
        "annotations"
    ]
    return str(annotations["checksum/config"])


SETTINGS: dict[str, Any] = {
    "jobs": ["arn:aws:braket:us-west-2:123456789012:job/1"],
    "tags": "team=a",
    "job_name_regex": "a",
    "regions": ["us-west-2"],
    "poll_interval": "15s",
    "discovery_interval": "15s",
    "lookback": "2d",
    "retention": "2d",
    "retention_failed": "2d",
    "max_jobs": 5,
    "per_job_metrics": False,
    "disabled_metrics": ["braket_jobs"],
    "tag_labels": ["team"],
    "api_requests_per_second": 1.5,
    "device_metrics": "off",
    "device_interval": "15s",
    "spending_limits": "off",
    "spending_limit_interval": "15s",
    "event_queue_url": "https://sqs.us-west-2.amazonaws.com/123456789012/braket",
    "event_poll_interval": "15m",
    "aggregate_tag_labels": ["team"],
    "log_level": "debug",
    "log_format": "json",
}
OF_THE_CHART = {"state_file", "web_config_file", "listen_address", "shard", "total_shards"}
"""Settings that the chart makes from other values, or that no value sets."""
SELECTING = {"all_jobs", "targets"}
"""Settings with one sensible value each; the test below changes ``targets``."""


def test_every_setting_is_tried() -> None:
    assert SETTINGS.keys() == Settings.model_fields.keys() - OF_THE_CHART - SELECTING


def test_only_settings_that_the_exporter_cannot_reload_make_other_pods() -> None:
    other_pods = {key for key, value in SETTINGS.items() if checksum({key: value}) != checksum({})}
    logged = {"log_level", "log_format"}
    assert other_pods == SETTINGS.keys() - RELOADED
    assert other_pods == {"per_job_metrics", "tag_labels", "aggregate_tag_labels", *logged}
    assert len(checksum({})) == 64
    assert checksum({"targets": [{"all_jobs": True}]}) == checksum({})


def test_every_change_of_the_settings_can_make_other_pods() -> None:
    assert checksum({"poll_interval": "15s"}, restartOnConfigChange=True) != checksum({}, restartOnConfigChange=True)


def test_arguments_and_lifecycle_hooks_can_be_added() -> None:
    values = {"extraArgs": ["--log-level=debug"], "lifecycle": {"preStop": {"sleep": {"seconds": 5}}}}
    assert container(values)["args"] == values["extraArgs"]
    assert container(values)["lifecycle"] == values["lifecycle"]
    assert {"args", "lifecycle"}.isdisjoint(container())


def test_values_of_variables_become_strings() -> None:
    given = [{"name": "A", "value": 9834}, {"name": "B", "value": True}, {"name": "C", "value": 1000000}]
    references = [{"name": "D", "valueFrom": {"fieldRef": {"fieldPath": "status.podIP"}}}, {"name": "E"}]
    texts = [{"name": "A", "value": "9834"}, {"name": "B", "value": "true"}, {"name": "C", "value": "1000000"}]
    assert container({"extraEnv": [*given, *references]})["env"][1:] == [*texts, *references]


@pytest.mark.parametrize(
    ("values", "expected"),
    [
        (
            {"global": {"imageRegistry": "mirror.example.com/ghcr"}},
            "mirror.example.com/ghcr/braket-exporter/braket-exporter:0.1.0",
        ),
        ({"image": {"registry": "registry:5000"}}, "registry:5000/braket-exporter/braket-exporter:0.1.0"),
        ({"image": {"registry": ""}}, "braket-exporter/braket-exporter:0.1.0"),
        (
            {"global": {"imageRegistry": "a.example.com"}, "image": {"repository": "b.example.com/x"}},
            "b.example.com/x:0.1.0",
        ),
        ({"image": {"repository": "localhost/x"}}, "localhost/x:0.1.0"),
    ],
)
def test_the_registry_is_that_of_the_image_or_of_all_charts(values: dict[str, Any], expected: str) -> None:
    assert container(values)["image"] == expected


def test_pull_secrets_of_all_charts_are_added() -> None:
    values = {"global": {"imagePullSecrets": ["everywhere", {"name": "here"}]}, "imagePullSecrets": [{"name": "here"}]}
    assert pod(values)["imagePullSecrets"] == [{"name": "everywhere"}, {"name": "here"}]


def test_shards_prefer_different_nodes() -> None:
    spread = {"maxSkew": 1, "topologyKey": "kubernetes.io/hostname", "whenUnsatisfiable": "ScheduleAnyway"}
    default = pod({"sharding": {"totalShards": 2}})["topologySpreadConstraints"]
    assert default == [{**spread, "labelSelector": {"matchLabels": SELECTOR}}]
    own = [{**spread, "topologyKey": "topology.kubernetes.io/zone"}]
    assert pod({"sharding": {"totalShards": 2}, "topologySpreadConstraints": own})["topologySpreadConstraints"] == own


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
    assert spec["imagePullSecrets"] == [{"name": "everywhere"}, {"name": "registry"}]


def test_scheduling_can_be_set() -> None:
    scheduling = {
        "nodeSelector": {"kubernetes.io/os": "linux"},
        "tolerations": [{"key": "dedicated", "operator": "Exists"}],
        "affinity": {"podAntiAffinity": {}},
        "topologySpreadConstraints": [{"maxSkew": 1}],
        "priorityClassName": "monitoring",
        "runtimeClassName": "gvisor",
        "schedulerName": "other",
        "dnsPolicy": "None",
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
