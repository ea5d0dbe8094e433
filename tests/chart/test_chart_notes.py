"""templates/NOTES.txt: the output of helm install."""

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
def test_they_show_the_watched_jobs(values: dict[str, Any], watched: str) -> None:
    assert watched in notes(**values)


def test_they_show_how_to_scrape() -> None:
    reported = notes(service={"port": 80})
    assert "kubectl --namespace monitored port-forward service/quantum-braket-exporter 80\n" in reported
    assert "helm test quantum --namespace monitored" in reported


def test_they_show_the_required_permissions() -> None:
    assert "needs a role that allows braket:GetJob and braket:SearchJobs.\n" in notes()
    named = {"jobs": ["arn:aws:braket:us-west-2:123456789012:job/1"]}
    assert "needs a role that allows braket:GetJob.\n" in notes(config=named)
    assert f"It assumes {ROLE}." in notes(serviceAccount={"annotations": {"eks.amazonaws.com/role-arn": ROLE}})
    assert "the exporter uses the Secret aws-files." in notes(aws={"credentialsSecret": "aws-files"})


def test_they_show_a_command_of_the_image_that_checks_permissions() -> None:
    command = "/opt/braket-exporter/bin/braket-exporter check-config --online"
    assert f"exec deployment/quantum-braket-exporter -- {command}\n" in notes()
    assert f"exec statefulset/quantum-braket-exporter -- {command}\n" in notes(sharding={"totalShards": 2})
    assert "/opt/braket-exporter/bin" in (ROOT / "Dockerfile").read_text(encoding="utf-8")


def test_they_list_disabled_parts() -> None:
    reported = notes()
    assert [word for word in ("* Prometheus:", "* Alerts:", "* Dashboards:") if word not in reported] == []
    reported = notes(
        serviceMonitor={"enabled": True}, prometheusRule={"enabled": True}, grafanaDashboard={"enabled": True}
    )
    assert [word for word in ("* Prometheus:", "* Alerts:", "* Dashboards:") if word in reported] == []


@pytest.mark.parametrize(
    ("values", "reported"),
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
def test_they_show_the_place_of_the_state(values: dict[str, Any], reported: str) -> None:
    assert reported in notes(**values)
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
def test_they_warn_without_a_region(values: dict[str, Any]) -> None:
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
def test_they_do_not_warn_with_a_region(values: dict[str, Any]) -> None:
    assert NO_REGION not in notes(**values)


def test_they_warn_about_a_pod_that_is_scraped_twice() -> None:
    both: dict[str, Any] = {"serviceMonitor": {"enabled": True}, "podMonitor": {"enabled": True}}
    assert "scrapes each pod twice" in notes(**both)
    assert "scrapes each pod twice" not in notes(podMonitor={"enabled": True})


def test_without_the_exporter_they_describe_the_rest() -> None:
    reported = notes(exporter={"enabled": False}, prometheusRule={"enabled": True})
    assert reported.strip() == "exporter.enabled is false: this release contains only alert rules and dashboards."


def test_they_show_how_to_scrape_with_tls_and_a_password() -> None:
    web = {"existingSecret": "web", "tls": True, "basicAuth": {"existingSecret": "login"}}
    reported = notes(webConfig=web)
    assert "  curl --insecure --user USER https://localhost:9834/metrics\n\nThe web configuration file is" in reported
    assert "TLS yes, password yes, client certificate no.\n\nState: " in reported
    assert "  curl localhost:9834/metrics\n\nState: " in notes()


def test_they_warn_about_secrets_in_another_namespace() -> None:
    web = {"existingSecret": "web", "basicAuth": {"existingSecret": "login"}}
    warning = "WARNING: podMonitor is in the namespace other. The Prometheus operator reads its Secrets"
    assert warning in notes(webConfig=web, podMonitor={"enabled": True, "namespace": "other"})
    assert "operator reads" not in notes(webConfig=web, podMonitor={"enabled": True, "namespace": NAMESPACE})
    assert "operator reads" not in notes(podMonitor={"enabled": True, "namespace": "other"})


def test_they_warn_about_scrapes_that_are_too_rare_for_alerts() -> None:
    warning = "WARNING: serviceMonitor.interval is 10m. Alerts and dashboards need a scrape every 2 minutes."
    assert warning in notes(serviceMonitor={"enabled": True, "interval": "10m"})
    assert "WARNING: serviceMonitor" not in notes(serviceMonitor={"enabled": True, "interval": "2m"})
