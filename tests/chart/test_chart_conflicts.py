"""Values that contradict each other are rejected with a sentence; harmless ones are accepted."""

from collections.abc import Mapping
from typing import Any

import pytest
from chart_support import CHART, HELMS, RELEASE, container, only, refusal, render, run
from test_chart_configmap import settings_of


@pytest.mark.parametrize("helm", HELMS)
@pytest.mark.parametrize(
    ("values", "reported"),
    [
        (
            {"serviceMonitor": {"interval": "30s", "scrapeTimeout": "1m"}},
            "serviceMonitor.scrapeTimeout, 1m, is longer than serviceMonitor.interval, 30s; Prometheus rejects that",
        ),
        (
            {"podMonitor": {"interval": "1m30s", "scrapeTimeout": "90001ms"}},
            "podMonitor.scrapeTimeout, 90001ms, is longer than podMonitor.interval, 1m30s",
        ),
        (
            {"extraEnv": [{"name": "BRAKET_EXPORTER_LISTEN_ADDRESS", "value": ":1"}]},
            "extraEnv sets a variable that the chart sets; use containerPort instead",
        ),
        (
            {"service": {"nodePort": 30834}},
            "service.nodePort is set, but service.type is ClusterIP; set service.type: NodePort",
        ),
        (
            {"service": {"type": "NodePort", "loadBalancerClass": "service.k8s.aws/nlb"}},
            "service.loadBalancerClass is set, but service.type is NodePort; set service.type: LoadBalancer",
        ),
        ({"httpRoute": {"enabled": True}}, "httpRoute.parentRefs is empty; name a Gateway"),
    ],
    ids=str,
)  # fmt: skip
def test_a_contradiction_is_reported(values: Mapping[str, Any], reported: str, helm: str) -> None:
    assert reported in refusal(values, helm)


@pytest.mark.parametrize("key", ["serviceMonitor", "podMonitor"])
def test_a_timeout_up_to_the_interval_or_without_an_interval_is_accepted(key: str) -> None:
    assert render({key: {"enabled": True, "interval": "1m", "scrapeTimeout": "60s"}})
    assert render({key: {"enabled": True, "interval": "", "scrapeTimeout": "60s"}})


def test_a_release_name_that_starts_with_a_digit_needs_another_name() -> None:
    done = run("helm4", "template", "1a", CHART)
    assert "the name of the release, 1a, does not start with a letter" in done.stderr
    assert only(render({"fullnameOverride": "braket"}, "1a"), "Service", "braket")


def test_a_dot_in_the_name_of_the_release_becomes_a_hyphen_in_names() -> None:
    service = only(render({}, "team.a"), "Service", "team-a-braket-exporter")
    assert service["spec"]["selector"]["app.kubernetes.io/instance"] == "team.a"


@pytest.mark.parametrize(
    "values",
    [
        {"extraEnv": [{"name": "BRAKET_EXPORTER_TAGS", "value": "team=a"}]},
        {"extraEnv": [{"name": "BRAKET_EXPORTER_JOBS", "valueFrom": {"configMapKeyRef": {"name": "a", "key": "b"}}}]},
        {"extraArgs": ["--tags=team=a"]},
        {"extraArgs": ["--jobs", "arn:aws:braket:us-west-2:123456789012:job/1"]},
    ],
    ids=str,
)
def test_jobs_that_a_variable_or_an_argument_selects_are_not_joined_by_all_jobs(values: dict[str, Any]) -> None:
    assert "all_jobs" not in settings_of(values)
    assert settings_of({"extraEnv": [{"name": "AWS_DEFAULT_REGION", "value": "us-west-2"}]})["all_jobs"] is True


@pytest.mark.parametrize("helm", HELMS)
def test_numbers_with_a_fraction_can_be_set_on_the_command_line(helm: str) -> None:
    numbers = ("config.api_requests_per_second=1.5", "prometheusRule.thresholds.throttledRatio=0.25")
    options = [word for number in numbers for word in ("--set", number)]
    done = run(helm, "template", RELEASE, CHART, "--set", "prometheusRule.enabled=true", *options)
    assert done.returncode == 0, done.stderr
    assert "api_requests_per_second: 1.5\n" in done.stdout
    assert "> 0.25" in done.stdout


def test_annotations_and_labels_can_be_booleans_and_numbers() -> None:
    values = {
        "podAnnotations": {"prometheus.io/scrape": True, "prometheus.io/port": 9834},
        "service": {"annotations": {"large": 10000000}, "labels": {"on": True}},
        "nodeSelector": {"spot": False},
    }
    deployment = only(render(values), "Deployment")["spec"]["template"]
    assert deployment["metadata"]["annotations"].items() >= {
        ("prometheus.io/scrape", "true"),
        ("prometheus.io/port", "9834"),
    }
    assert deployment["spec"]["nodeSelector"] == {"spot": "false"}
    service = only(render(values), "Service")["metadata"]
    assert service["annotations"] == {"large": "10000000"}
    assert service["labels"]["on"] == "true"
    assert container(values)
