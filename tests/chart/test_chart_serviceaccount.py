"""templates/serviceaccount.yaml."""

from chart_support import LABELS, NAME, NAMESPACE, of_kind, only, render

ROLE = {"eks.amazonaws.com/role-arn": "arn:aws:iam::123456789012:role/braket-exporter"}


def test_it_mounts_no_token_by_default() -> None:
    assert only(render(), "ServiceAccount") == {
        "apiVersion": "v1",
        "kind": "ServiceAccount",
        "metadata": {"name": NAME, "namespace": NAMESPACE, "labels": LABELS},
        "automountServiceAccountToken": False,
    }
    asked = only(render({"serviceAccount": {"automountServiceAccountToken": True}}), "ServiceAccount")
    assert asked["automountServiceAccountToken"] is True


def test_it_has_the_role_for_irsa() -> None:
    account = only(render({"serviceAccount": {"annotations": ROLE, "name": "reader"}}), "ServiceAccount", "reader")
    assert account["metadata"]["annotations"] == ROLE


def test_an_existing_one_is_not_created() -> None:
    assert of_kind(render({"serviceAccount": {"create": False, "name": "reader"}}), "ServiceAccount") == []


def test_there_is_none_without_the_exporter() -> None:
    assert of_kind(render({"exporter": {"enabled": False}}), "ServiceAccount") == []


def test_the_exporter_gets_no_role_in_kubernetes() -> None:
    kinds = {manifest["kind"] for manifest in render()}
    assert kinds == {"ServiceAccount", "ConfigMap", "Service", "Deployment", "Pod"}
