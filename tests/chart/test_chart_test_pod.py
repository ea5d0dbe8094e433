"""templates/tests/scrape.yaml: the pod of `helm test`, against a real exporter."""

import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
from chart_support import IMAGE, NAME, NAMESPACE, SELECTOR, of_kind, only, pod, render
from processes import closed_port, daemon, environment, eventually

TEST = f"{NAME}-test"
JOB = "arn:aws:braket:us-west-2:123456789012:job/1"


def scrape(values: dict[str, Any] | None = None) -> dict[str, Any]:
    return only(render(values), "Pod", TEST)


def run_test(
    address: str, timeout: float, scheme: str = "http", client: Path = Path("/nowhere")
) -> "subprocess.CompletedProcess[str]":
    """Run the command of the container with another address and another directory."""
    script, service, _ = scrape()["spec"]["containers"][0]["args"]
    assert service == f"http://{NAME}.{NAMESPACE}:9834"
    hasty = script.replace("time.sleep(2)", "time.sleep(0.01)")
    assert hasty != script
    return subprocess.run(
        [sys.executable, "-c", hasty, f"{scheme}://{address}", str(client)],
        env=environment(),
        capture_output=True,
        text=True,
        timeout=timeout,
        check=False,
    )


def test_it_runs_only_with_helm_test_and_is_deleted_after_a_success() -> None:
    metadata = scrape()["metadata"]
    assert metadata["namespace"] == NAMESPACE
    assert metadata["annotations"] == {
        "helm.sh/hook": "test",
        "helm.sh/hook-delete-policy": "before-hook-creation,hook-succeeded",
    }
    assert scrape()["spec"]["restartPolicy"] == "Never"
    assert scrape()["spec"]["activeDeadlineSeconds"] == 120


def test_it_has_the_exporters_image_and_security_settings() -> None:
    spec, exporter = scrape()["spec"], pod()
    assert spec["containers"][0]["image"] == IMAGE
    assert spec["containers"][0]["command"] == ["/opt/braket-exporter/bin/python", "-I", "-c"]
    assert spec["containers"][0]["securityContext"] == exporter["containers"][0]["securityContext"]
    for key in ("securityContext", "automountServiceAccountToken", "enableServiceLinks"):
        assert spec[key] == exporter[key]


def test_it_has_the_users_resources_labels_and_nodes() -> None:
    values = {
        "resources": {"limits": {"memory": "1Gi"}},
        "commonLabels": {"team": "platform"},
        "podLabels": {"example.com/mesh": True},
        "priorityClassName": "monitoring",
        "affinity": {"nodeAffinity": {"requiredDuringSchedulingIgnoredDuringExecution": {"nodeSelectorTerms": []}}},
        "nodeSelector": {"kubernetes.io/os": "linux"},
        "tolerations": [{"operator": "Exists"}],
        "imagePullSecrets": [{"name": "registry"}],
    }
    made = scrape(values)
    assert made["spec"]["containers"][0]["resources"] == values["resources"]
    assert made["metadata"]["labels"].items() >= {"team": "platform", "example.com/mesh": "true"}.items()
    for key in ("nodeSelector", "tolerations", "imagePullSecrets", "priorityClassName", "affinity"):
        assert made["spec"][key] == values[key]


def test_no_selector_of_the_exporter_matches_it() -> None:
    labels = scrape()["metadata"]["labels"]
    assert labels == {**SELECTOR, "app.kubernetes.io/name": "braket-exporter-test"}
    long = only(render({"nameOverride": "n" * 63}), "Pod", f"quantum-{'n' * 50}-test")["metadata"]["labels"]
    assert long["app.kubernetes.io/name"] == "n" * 58 + "-test"


def test_it_requests_the_service_on_its_port() -> None:
    args = scrape({"service": {"port": 80}})["spec"]["containers"][0]["args"]
    assert args[1] == f"http://{NAME}.{NAMESPACE}:80"


def test_it_succeeds_with_a_running_exporter_that_cannot_reach_aws() -> None:
    nowhere = {"AWS_ENDPOINT_URL_BRAKET": f"http://127.0.0.1:{closed_port()}"}
    with daemon("--jobs", JOB, env=nowhere) as exporter:
        eventually(lambda: exporter.logs("poll_failed"))
        done = run_test(exporter.address, timeout=20)
    assert done.returncode == 0, done.stderr
    assert 'braket_exporter_target_up{aws_account_id="123456789012",aws_region="us-west-2",target=""}' in done.stdout


@pytest.mark.parametrize("page", ["index", "nothing"])
def test_it_fails_without_a_response_of_an_exporter(page: str) -> None:
    if page == "nothing":
        done = run_test(f"127.0.0.1:{closed_port()}", timeout=20)
        assert "Connection refused" in done.stderr
    else:
        server = "import http.server as h, sys; s = h.HTTPServer(('127.0.0.1', 0), h.SimpleHTTPRequestHandler); "
        server += "print(s.server_port, flush=True); s.serve_forever()"
        with subprocess.Popen(
            [sys.executable, "-c", server], stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True
        ) as other:
            try:
                assert other.stdout is not None
                done = run_test(f"127.0.0.1:{int(other.stdout.readline())}", timeout=20)
            finally:
                other.kill()
        assert "404" in done.stderr
    assert done.returncode == 1


def test_there_is_none_without_the_exporter() -> None:
    assert of_kind(render({"exporter": {"enabled": False}}), "Pod") == []
