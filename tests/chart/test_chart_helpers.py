"""templates/_helpers.tpl: names and labels."""

import re
from typing import Any

import pytest
from chart_support import LABELS, SELECTOR, everything, of_kind, only, render

LONG = "a-release-with-a-name-that-is-as-long-as-helm-lets-it"
ALL_ON = {
    "sharding": {"totalShards": 2},
    **{key: {"enabled": True} for key in ("serviceMonitor", "podMonitor", "prometheusRule", "networkPolicy")},
    **{key: {"enabled": True} for key in ("podDisruptionBudget", "dashboards", "grafanaDashboard")},
}


def names(values: dict[str, Any], release: str) -> set[str]:
    return {manifest["metadata"]["name"] for manifest in render(values, release)}


@pytest.mark.parametrize(
    ("values", "release", "expected"),
    [
        ({}, "quantum", "quantum-braket-exporter"),
        ({}, "braket-exporter", "braket-exporter"),
        ({}, "my-braket-exporter-2", "my-braket-exporter-2"),
        ({"nameOverride": "be"}, "quantum", "quantum-be"),
        ({"fullnameOverride": "other"}, "quantum", "other"),
        ({}, LONG, "a-release-with-a-name-that-is-as-long-as-helm-lets-it-braket-ex"),
        ({"nameOverride": "1234567890"}, LONG, "a-release-with-a-name-that-is-as-long-as-helm-lets-it-123456789"),
        ({"fullnameOverride": "x" * 62 + "-y"}, "quantum", "x" * 62),
    ],
)
def test_objects_have_the_names_of_the_release_and_the_chart(
    values: dict[str, Any], release: str, expected: str
) -> None:
    assert only(render(values, release), "Deployment", expected)


@pytest.mark.parametrize("release", ["quantum", LONG])
@pytest.mark.parametrize("values", [{}, {"nameOverride": "n" * 63}, {"fullnameOverride": "f" * 63}])
def test_no_name_and_no_label_is_longer_than_kubernetes_allows(values: dict[str, Any], release: str) -> None:
    valid = re.compile(r"[a-z]([a-z0-9-]{0,61}[a-z0-9])?")
    manifests = render({**ALL_ON, **values}, release)
    assert [one["metadata"]["name"] for one in manifests if not valid.fullmatch(one["metadata"]["name"])] == []
    for manifest in manifests:
        assert [value for value in manifest["metadata"]["labels"].values() if len(value) > 63] == []
        assert len({(one["kind"], one["metadata"]["name"]) for one in manifests}) == len(manifests)


def test_a_suffix_is_not_truncated() -> None:
    found = names({**ALL_ON, "fullnameOverride": "f" * 63}, "quantum")
    assert found == {
        "f" * 63,
        "f" * 52,
        "f" * 54 + "-headless",
        "f" * 58 + "-test",
        "f" * 47 + "-dashboard-fleet",
        "f" * 49 + "-dashboard-job",
        "f" * 44 + "-dashboard-exporter",
    }


def test_every_object_has_the_labels_of_its_release() -> None:
    for manifest in render(ALL_ON):
        if manifest["kind"] != "Pod":
            assert manifest["metadata"]["labels"].items() >= LABELS.items()
            assert manifest["metadata"]["namespace"] == "monitored"


def test_common_labels_and_annotations_are_on_every_object_and_in_no_selector() -> None:
    for manifest in everything():
        assert manifest["metadata"]["labels"]["team"] == "platform"
        assert manifest["kind"] == "Pod" or manifest["metadata"]["annotations"]["example.com/owner"] == "platform"
    assert only(everything(), "Deployment")["spec"]["selector"] == {"matchLabels": SELECTOR}
    assert only(everything(), "Service")["spec"]["selector"] == SELECTOR


def test_the_labels_of_the_chart_cannot_be_overridden() -> None:
    own = {"commonLabels": {"app.kubernetes.io/name": "other", "app.kubernetes.io/instance": "other"}}
    for manifest in render(own):
        assert manifest["metadata"]["labels"]["app.kubernetes.io/instance"] == "quantum"
    service = only(render(own), "Service")
    assert service["spec"]["selector"] == SELECTOR


@pytest.mark.parametrize("release", ["123", "1e3", "0x1f", "null", "true"])
def test_a_release_name_like_a_number_or_boolean_is_a_string(release: str) -> None:
    for manifest in render({**ALL_ON, "fullnameOverride": "braket"}, release):
        assert manifest["metadata"]["labels"]["app.kubernetes.io/instance"] == release
    pods = of_kind(render({"fullnameOverride": "braket"}, release), "Deployment")[0]["spec"]
    assert pods["selector"]["matchLabels"] == pods["template"]["metadata"]["labels"]
