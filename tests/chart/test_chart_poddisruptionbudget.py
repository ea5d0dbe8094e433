"""templates/poddisruptionbudget.yaml."""

import pytest
from chart_support import LABELS, NAME, NAMESPACE, SELECTOR, of_kind, only, refusal, render


def budget(**values: object) -> dict[str, object]:
    manifest = only(render({"podDisruptionBudget": {"enabled": True, **values}}), "PodDisruptionBudget")
    assert manifest["metadata"] == {"name": NAME, "namespace": NAMESPACE, "labels": LABELS}
    return dict(manifest["spec"])


def test_there_is_none_by_default() -> None:
    assert of_kind(render(), "PodDisruptionBudget") == []
    values = {"podDisruptionBudget": {"enabled": True}, "exporter": {"enabled": False}}
    assert of_kind(render(values), "PodDisruptionBudget") == []


def test_by_default_it_does_not_block_a_drain_of_a_node() -> None:
    assert budget() == {"maxUnavailable": 1, "selector": {"matchLabels": SELECTOR}}


@pytest.mark.parametrize("value", [0, 2, "34%"])
def test_it_has_the_number_of_unavailable_or_available_pods(value: object) -> None:
    assert budget(maxUnavailable=value) == {"maxUnavailable": value, "selector": {"matchLabels": SELECTOR}}
    minimum = budget(minAvailable=value)
    assert minimum == {"minAvailable": value, "selector": {"matchLabels": SELECTOR}}


def test_both_are_rejected() -> None:
    reported = refusal({"podDisruptionBudget": {"enabled": True, "minAvailable": 1, "maxUnavailable": 1}})
    assert "podDisruptionBudget.maxUnavailable and podDisruptionBudget.minAvailable are both set" in reported
