"""templates/NOTES.txt: what helm install prints."""

import json
from typing import Any

import pytest
from chart_support import CHART, NAMESPACE, RELEASE, ROOT, run

REGION = {"regions": ["us-west-2"]}
ROLE = "arn:aws:iam::123456789012:role/braket-exporter"
CLAIM = {"persistentVolumeClaim": {"enabled": True}}
NO_REGION = "WARNING: config.regions is empty"


def notes(**values: Any) -> str:
    arguments = ("install", RELEASE, CHART, "--namespace", NAMESPACE, "--dry-run=client", "--values", "-")
    done = run("helm4", *arguments, stdin=json.dumps(values))
    assert done.returncode == 0, done.stderr
    return done.stdout.partition("\nNOTES:\n")[2]


@pytest.mark.parametrize(
    ("values", "watched"),
    [
        ({}, "watches all jobs."),
        ({"config": {"tags": "team=a"}}, "watches the jobs that match config.tags."),
        ({"config": {"jobs": ["arn:aws:braket:us-west-2:123456789012:job/1"]}}, "watches the jobs in config.jobs."),
        ({"config": {"targets": [{"all_jobs": True}, {"all_jobs": True}]}}, "watches 2 targets."),
        ({"sharding": {"totalShards": 3}}, "watches all jobs with 3 pods."),
    ],
)
def test_they_say_what_is_watched(values: dict[str, Any], watched: str) -> None:
    assert watched in notes(**values)


def test_they_say_how_to_see_it() -> None:
    told = notes(service={"port": 80})
    assert "kubectl --namespace monitored port-forward service/quantum-braket-exporter 80\n" in told
    assert "helm test quantum --namespace monitored" in told


def test_they_say_which_permissions_are_needed() -> None:
    assert "needs a role that allows braket:GetJob and braket:SearchJobs.\n" in notes()
    named = {"jobs": ["arn:aws:braket:us-west-2:123456789012:job/1"]}
    assert "needs a role that allows braket:GetJob.\n" in notes(config=named)
    assert f"It assumes {ROLE}." in notes(serviceAccount={"annotations": {"eks.amazonaws.com/role-arn": ROLE}})
    assert "the exporter uses the Secret aws-files." in notes(aws={"credentialsSecret": "aws-files"})


def test_they_say_how_to_find_out_what_is_denied_with_a_command_that_the_image_has() -> None:
    command = "/opt/braket-exporter/bin/braket-exporter check-config --online"
    assert f"exec deployment/quantum-braket-exporter -- {command}\n" in notes()
    assert f"exec statefulset/quantum-braket-exporter -- {command}\n" in notes(sharding={"totalShards": 2})
    assert "/opt/braket-exporter/bin" in (ROOT / "Dockerfile").read_text(encoding="utf-8")


def test_they_name_what_is_off() -> None:
    told = notes()
    assert [word for word in ("* Prometheus:", "* Alerts:", "* Dashboards:") if word not in told] == []
    told = notes(serviceMonitor={"enabled": True}, prometheusRule={"enabled": True}, grafanaDashboard={"enabled": True})
    assert [word for word in ("* Prometheus:", "* Alerts:", "* Dashboards:") if word in told] == []


@pytest.mark.parametrize(
    ("values", "told"),
    [
        ({}, "State: in an emptyDir, which survives container restarts but not the pod. To keep it longer,"),
        ({"state": {"enabled": False}}, "State: in memory, because state.enabled is false."),
        ({"state": CLAIM}, "State: on the volume of the claim quantum-braket-exporter-state.\n"),
        (
            {"state": {"persistentVolumeClaim": {"enabled": True, "existingClaim": "mine"}}},
            "State: on the volume of the claim mine.\n",
        ),
        (
            {"state": CLAIM, "sharding": {"totalShards": 2}},
            "The claims state-quantum-braket-exporter-persistent-<number> remain after helm uninstall.\n",
        ),
    ],
)
def test_they_say_where_the_state_is(values: dict[str, Any], told: str) -> None:
    assert told in notes(**values)
    assert notes(**values).count("\n\nState: ") == 1


@pytest.mark.parametrize(
    "values",
    [
        {},
        {"config": {"tags": "team=a"}},
        {"config": {"targets": [{"all_jobs": True, **REGION}, {"tags": "team=a"}]}},
        {"extraEnv": [{"name": "HTTPS_PROXY", "value": "http://proxy"}]},
    ],
)
def test_they_warn_where_no_region_is_known(values: dict[str, Any]) -> None:
    assert NO_REGION in notes(**values)


@pytest.mark.parametrize(
    "values",
    [
        {"config": REGION},
        {"config": {"jobs": ["arn:aws:braket:us-west-2:123456789012:job/1"]}},
        {"config": {"targets": [{"all_jobs": True, **REGION}]}},
        {"extraEnv": [{"name": "AWS_DEFAULT_REGION", "value": "us-west-2"}]},
    ],
)
def test_they_do_not_warn_where_a_region_is_known(values: dict[str, Any]) -> None:
    assert NO_REGION not in notes(**values)


def test_they_warn_of_a_pod_that_is_scraped_twice() -> None:
    both: dict[str, Any] = {"serviceMonitor": {"enabled": True}, "podMonitor": {"enabled": True}}
    assert "scrapes each pod twice" in notes(**both)
    assert "scrapes each pod twice" not in notes(podMonitor={"enabled": True})


def test_without_the_exporter_they_speak_of_the_rest() -> None:
    told = notes(exporter={"enabled": False}, prometheusRule={"enabled": True})
    assert told.strip() == "exporter.enabled is false: this release contains only alert rules and dashboards."


def test_they_say_how_to_see_it_with_tls_and_a_password() -> None:
    web = {"existingSecret": "web", "tls": True, "basicAuth": {"existingSecret": "login"}}
    told = notes(webConfig=web)
    assert "  curl --insecure --user USER https://localhost:9834/metrics\n\nThe web configuration file is" in told
    assert "TLS yes, password yes, client certificate no.\n\nState: " in told
    assert "  curl localhost:9834/metrics\n\nState: " in notes()


def test_they_warn_of_secrets_that_another_namespace_needs() -> None:
    web = {"existingSecret": "web", "basicAuth": {"existingSecret": "login"}}
    warning = "WARNING: podMonitor is in the namespace other. The Prometheus operator reads its Secrets"
    assert warning in notes(webConfig=web, podMonitor={"enabled": True, "namespace": "other"})
    assert "operator reads" not in notes(webConfig=web, podMonitor={"enabled": True, "namespace": NAMESPACE})
    assert "operator reads" not in notes(podMonitor={"enabled": True, "namespace": "other"})
