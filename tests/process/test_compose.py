"""The demonstration of compose.yaml: its form, and its very files with a real exporter, Prometheus and Alertmanager."""

import json
import re
import socket
import subprocess
import sys
from collections import Counter
from collections.abc import Iterator, Mapping
from contextlib import ExitStack, contextmanager, suppress
from http.client import HTTPConnection
from pathlib import Path
from typing import Any, NamedTuple

import pytest
import yaml
from processes import PATIENCE, Daemon, closed_port, daemon, eventually, tool
from servers import serving

from exporter.app import demo

ROOT = Path(__file__).parents[2]
STACK = yaml.safe_load((ROOT / "compose.yaml").read_text(encoding="utf-8"))
SERVICES: dict[str, dict[str, Any]] = STACK["services"]
ADDRESSES = {
    "exporter": "exporter:9834",
    "receiver": "receiver:9095",
    "alertmanager": "alertmanager:9093",
    "prometheus": "prometheus:9090",
    "grafana": "grafana:3000",
}
PORTS = {name: address.partition(":")[2] for name, address in ADDRESSES.items() if name != "receiver"}
"""The published ports."""

each_service = pytest.mark.parametrize("service", SERVICES.values(), ids=SERVICES)


class Mount(NamedTuple):
    """A file or folder of the checkout that a container sees."""

    source: Path
    target: str
    options: set[str]


def mounts(service: Mapping[str, Any]) -> list[Mount]:
    parts = [volume.split(":") for volume in service.get("volumes", [])]
    return [Mount(ROOT / source, target, {*options.split(",")}) for source, target, options in parts]


# Its form.


def test_it_is_what_the_specification_of_compose_says() -> None:
    checker = tool(str(Path(sys.executable).with_name("check-jsonschema")))
    command = (checker, "--builtin-schema", "vendor.compose-spec", str(ROOT / "compose.yaml"))
    checked = subprocess.run(command, capture_output=True, text=True, check=False)
    assert checked.returncode == 0, checked.stdout + checked.stderr


def test_it_has_every_part_on_the_way_of_an_alert() -> None:
    assert [*SERVICES] == [*ADDRESSES]


@each_service
def test_what_is_mounted_exists_and_is_read_only(service: dict[str, Any]) -> None:
    for mount in mounts(service):
        assert mount.source.exists(), mount.source
        assert mount.options == {"ro", "z"}


@each_service
def test_an_image_is_built_here_or_pinned_to_a_version(service: dict[str, Any]) -> None:
    if "build" in service:
        assert (service["build"], service["image"], service["pull_policy"]) == (
            ".",
            "localhost/braket-exporter:stack",
            "build",
        )
    else:
        assert re.fullmatch(r"docker\.io/(prom|grafana)/[a-z]+:v?\d+\.\d+\.\d+", service["image"])


def test_what_is_published_is_published_on_this_machine_only() -> None:
    published = {name: service["ports"] for name, service in SERVICES.items() if "ports" in service}
    assert published == {name: [f"127.0.0.1:{port}:{port}"] for name, port in PORTS.items()}


@each_service
def test_a_container_has_no_right_and_writes_to_memory_only(service: dict[str, Any]) -> None:
    assert service["read_only"] is True
    assert service["cap_drop"] == ["ALL"]
    assert service["security_opt"] == ["no-new-privileges:true"]
    # A folder that an image has, too, would get the owner and the mode that it has there, with podman.
    assert {*service.get("tmpfs", [])} <= {"/data:mode=1777", "/tmp:mode=1777"}


@each_service
def test_a_service_waits_for_those_that_it_needs_and_can_be_waited_for(service: dict[str, Any]) -> None:
    assert service["healthcheck"]["test"][0] == "CMD"
    assert all(need == {"condition": "service_healthy"} for need in service.get("depends_on", {}).values())
    assert service.get("depends_on", {}).keys() <= SERVICES.keys()


def test_every_address_inside_is_that_of_a_service() -> None:
    texts = [path.read_text(encoding="utf-8") for path in (ROOT / "compose").glob("*.yml")]
    texts.append(SERVICES["grafana"]["environment"]["PROMETHEUS_URL"])
    called = {found for text in texts for found in re.findall(r"\b[a-z]+:\d{4}\b", text)}
    assert called == {ADDRESSES[name] for name in ("exporter", "receiver", "alertmanager", "prometheus")}


def test_grafana_finds_the_dashboards_where_its_provisioning_looks_for_them() -> None:
    provider = yaml.safe_load((ROOT / "grafana/provisioning/dashboards/braket.yaml").read_text(encoding="utf-8"))
    targets = {mount.target: mount.source for mount in mounts(SERVICES["grafana"])}
    path = provider["providers"][0]["options"]["path"]
    assert targets == {
        "/etc/grafana/provisioning": ROOT / "grafana/provisioning",
        path: ROOT / "grafana/dashboards",
    }
    home = SERVICES["grafana"]["environment"]["GF_DASHBOARDS_DEFAULT_HOME_DASHBOARD_PATH"]
    assert home == f"{path}/braket-fleet.json"
    assert (targets[path] / "braket-fleet.json").exists()


def test_the_document_has_the_url_of_every_service() -> None:
    text = (ROOT / "docs/get-started/stack.md").read_text(encoding="utf-8")
    assert [port for port in PORTS.values() if f"<http://localhost:{port}>" not in text] == []


def test_the_document_says_how_the_jobs_of_the_demo_live() -> None:
    text = (ROOT / "docs/get-started/stack.md").read_text(encoding="utf-8")
    assert f"run {demo.SPEED} times faster than real ones, and {demo.BIRTHS_PER_MINUTE} more start each minute" in text


# Its configurations are the samples of the documentation, with other addresses and a shorter interval.


def sample(name: str, changes: Mapping[str, str]) -> Any:
    text = (ROOT / "docs" / name).read_text(encoding="utf-8")
    for old, new in changes.items():
        assert old in text
        text = text.replace(old, new)
    return yaml.safe_load(text)


def test_prometheus_is_configured_as_in_the_sample() -> None:
    changes = {
        "15s": "5s",
        "../helm/braket-exporter/rules": "rules",
        "localhost:9093": "alertmanager:9093",
        "localhost:9834": "exporter:9834",
    }
    configured = yaml.safe_load((ROOT / "compose/prometheus.yml").read_text(encoding="utf-8"))
    assert configured == sample("prometheus.yaml", changes)


def test_alertmanager_is_configured_as_in_the_sample() -> None:
    configured = yaml.safe_load((ROOT / "compose/alertmanager.yml").read_text(encoding="utf-8"))
    assert configured == sample("alertmanager.yaml", {"localhost:9095": "receiver:9095"})


# The parts, as the services start them.


def put_in_place(service: str, folder: Path, addresses: Mapping[str, str]) -> None:
    """Copy what a service mounts into a folder that stands for its file system, with real addresses in it."""
    for mount in mounts(SERVICES[service]):
        for source in [path for path in (mount.source, *mount.source.rglob("*")) if path.is_file()]:
            target = folder / mount.target.lstrip("/") / source.relative_to(mount.source)
            target.parent.mkdir(parents=True, exist_ok=True)
            text = source.read_text(encoding="utf-8")
            for name, address in addresses.items():
                text = text.replace(ADDRESSES[name], address)
            target.write_text(text, encoding="utf-8")


def arguments(service: str, folder: Path) -> list[str]:
    """Take a service's arguments, with its paths in a folder."""
    given: list[str] = SERVICES[service]["command"]
    return [re.sub(r"=/", f"={folder}/", argument) for argument in given]


@contextmanager
def part(service: str, folder: Path, addresses: Mapping[str, str], program: str, *more: str) -> Iterator[str]:
    """Run the program of a service with its configuration and its arguments, until it is ready."""
    folder.mkdir()
    put_in_place(service, folder, addresses)
    address = f"127.0.0.1:{closed_port()}"
    command = (tool(program), *arguments(service, folder), f"--web.listen-address={address}", *more)
    with serving(address, folder / "log", *command):
        yield address


@contextmanager
def receiver(log: Path) -> Iterator[str]:
    """Run the receiver as its service does, on a port of its own."""
    service = SERVICES["receiver"]
    (mount,) = mounts(service)
    _, *options, script = service["entrypoint"]
    assert (script, service["command"]) == (mount.target, ["9095"])
    port = closed_port()
    command = (sys.executable, *options, str(mount.source), str(port))
    with log.open("wb") as output, subprocess.Popen(command, stdout=output) as process:
        eventually(lambda: listens(port))
        yield f"127.0.0.1:{port}"
        process.kill()


def listens(port: int) -> bool:
    with suppress(OSError), socket.create_connection(("127.0.0.1", port)):
        return True
    return False


def check(*command: str) -> None:
    checked = subprocess.run(command, capture_output=True, text=True, check=False)
    assert checked.returncode == 0, checked.stdout + checked.stderr


def test_promtool_accepts_its_files_where_they_are_mounted(tmp_path: Path) -> None:
    put_in_place("prometheus", tmp_path, {})
    check(tool("promtool"), "check", "config", str(tmp_path / "etc/prometheus/prometheus.yml"))
    assert len([*(tmp_path / "etc/prometheus/rules").glob("*.yaml")]) == 4


def test_amtool_accepts_its_file() -> None:
    check(tool("amtool"), "check-config", str(ROOT / "compose/alertmanager.yml"))


# The receiver.


def post(address: str, body: bytes) -> int:
    connection = HTTPConnection(address, timeout=PATIENCE)
    try:
        connection.request("POST", "/page-once", body)
        return connection.getresponse().status
    finally:
        connection.close()


def test_the_receiver_prints_each_notification_as_one_line(tmp_path: Path) -> None:
    sent = {"receiver": "page-once", "alerts": [{"annotations": {"summary": "two\nlines\u2028"}}]}
    with receiver(tmp_path / "log") as address:
        assert post(address, json.dumps(sent, indent=2).encode()) == 200
        assert post(address, json.dumps(sent).encode()) == 200
    assert [json.loads(line) for line in (tmp_path / "log").read_text().splitlines()] == [sent, sent]


# All of it.


@pytest.fixture
def exporter(tmp_path: Path) -> Iterator[Daemon]:
    """Start every part but Grafana, in the order in which they need each other."""
    with ExitStack() as stack:
        addresses: dict[str, str] = {}
        running = stack.enter_context(daemon(*SERVICES["exporter"]["command"], env=SERVICES["exporter"]["environment"]))
        addresses["exporter"] = running.address
        addresses["receiver"] = stack.enter_context(receiver(tmp_path / "receiver.log"))
        alertmanager = part("alertmanager", tmp_path / "alertmanager", addresses, "prometheus-alertmanager")
        addresses["alertmanager"] = stack.enter_context(alertmanager)
        addresses["prometheus"] = stack.enter_context(
            part("prometheus", tmp_path / "prometheus", addresses, "prometheus")
        )
        yield running


def failed(exporter: Daemon) -> set[str]:
    """List the names of the demo's jobs that have failed by now."""
    line = re.compile(r'braket_job_status\{.*job_name="([^"]+)",status="FAILED"\} 1\.0')
    return {found[1] for sample in exporter.samples if (found := line.fullmatch(sample))}


def notified(log: Path) -> Counter[tuple[str, str]]:
    """Count the alerts of jobs that the receiver printed, by alert and job."""
    alerts = [alert["labels"] for line in log.read_text().splitlines() for alert in json.loads(line)["alerts"]]
    return Counter((alert["alertname"], alert["job_name"]) for alert in alerts if "job_name" in alert)


def test_each_failed_job_of_the_demo_arrives_at_the_receiver_once(exporter: Daemon, tmp_path: Path) -> None:
    ended = eventually(lambda: failed(exporter), 60)
    log = tmp_path / "receiver.log"
    critical = {"BraketJobFailed", "BraketJobMaxRuntimeExceeded"}
    eventually(lambda: ended <= {job for alert, job in notified(log) if alert in critical}, 120)
    assert {*notified(log).values()} == {1}
