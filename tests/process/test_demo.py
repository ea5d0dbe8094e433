"""The demo: it starts anywhere, needs nothing, shows everything, and leaves nothing behind."""

import json
import re
import signal
import socket
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
from certificates import Authority
from processes import Daemon, daemon, eventually, fetch, run

from exporter.aws import CredentialsSession, EventQueueClient
from exporter.core import CredentialsRef

STATUSES = ["CANCELLED", "CANCELLING", "COMPLETED", "FAILED", "QUEUED", "RUNNING"]
CLOSED = "http://127.0.0.1:9"


@contextmanager
def demo(*arguments: str, env: dict[str, str | None] | None = None) -> Iterator[Daemon]:
    with daemon("demo", "--log-level", "info", *arguments, env=env) as running:
        yield running


def children(pid: int) -> list[int]:
    """Find the processes whose parent is ``pid``."""
    found = []
    for path in Path("/proc").glob("[0-9]*/stat"):
        try:
            fields = path.read_text().rpartition(")")[2].split()
        except OSError:
            continue  # it ended meanwhile
        if int(fields[1]) == pid:
            found.append(int(path.parent.name))
    return found


def gone(pid: int) -> bool:
    """Whether the process ended, though its parent may not have noticed yet."""
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] == "Z"
    except OSError:
        return True


def answers(running: Daemon) -> bool:
    """Whether the exporter got an answer for every job of every target."""
    ups = [line for line in running.samples if line.startswith("braket_exporter_target_up{")]
    return running.get("/-/ready").status == 200 and len(ups) == 5 and all(line.endswith(" 1.0") for line in ups)


def infos(running: Daemon) -> list[str]:
    return [line for line in running.samples if line.startswith("braket_job_info{")]


def test_it_serves_a_lively_fleet_and_leaves_nothing_behind() -> None:
    with demo() as running:
        (endpoint,) = children(running.process.pid)
        eventually(lambda: answers(running))
        jobs = eventually(lambda: infos(running) if len(infos(running)) >= 40 else None)
        kinds = {kind for line in jobs for kind in ("qpu", "simulator", "local") if f'device_type="{kind}"' in line}
        assert kinds == {"qpu", "simulator", "local"}
        shown = [line for line in running.samples if line.startswith("braket_job_status{") and line.endswith(" 1.0")]
        assert len(shown) >= 40
        assert {status for status in STATUSES for line in shown if f'status="{status}"' in line} >= {
            "COMPLETED",
            "FAILED",
            "CANCELLED",
            "QUEUED",
            "RUNNING",
        }
        for status in STATUSES:
            assert any(f'status="{status}"' in line for line in running.samples if line.startswith("braket_jobs{"))
        assert running.get("/").text.count(">logs</a>") >= 40
        eventually(lambda: running.logs("job_transition", from_status=None), 40)
        assert running.logs("poll_failed") == []
        assert running.stop(signal.SIGINT) == 0
        assert gone(endpoint)
    assert len(running.logged("stopped")) == 1
    assert "Traceback" not in "\n".join(running.lines)


def banners(running: Daemon) -> list[str]:
    """List the lines that are not log lines."""
    return [line for line in running.lines if line and not line.startswith("{")]


def test_it_prints_its_urls_at_the_start_and_after_the_first_full_poll_and_logs_only_warnings() -> None:
    with daemon("demo", started=False) as running:
        lines = eventually(lambda: banners(running) if len(banners(running)) >= 18 else None)
        url, endpoint = (re.findall(r"https?://[^ /]+", lines[number])[0] for number in (1, 5))
        urls = [
            f"  status page:      {url}/",
            f"  metrics:          {url}/metrics",
            f"  jobs as JSON:     {url}/api/v1/jobs",
            "To call the simulated Braket with the AWS SDK, the AWS CLI or check-config --online:",
            f"  export AWS_ENDPOINT_URL_BRAKET={endpoint} AWS_ENDPOINT_URL_STS={endpoint}",
            "  export AWS_ACCESS_KEY_ID=demo AWS_SECRET_ACCESS_KEY=demo",
            "The rate limit is raised to 20 calls per second; the quota of AWS is 5.",
            "Press Ctrl-C to stop. --log-level info logs every change of a job.",
        ]
        assert lines == [
            "The demo is running, with simulated hybrid jobs.",
            *urls,
            "The first full poll is complete.",
            *urls,
        ]
        address = url.removeprefix("http://").replace("localhost", "127.0.0.1")
        assert fetch(address, "/-/ready").status == 200
        assert len(json.loads(fetch(address, "/api/v1/jobs").text)["jobs"]) >= 40
        assert fetch(endpoint.removeprefix("http://"), "/_simulator/jobs").status == 200
        assert "The rate limit is raised to 20 calls per second" in fetch(address, "/").text
        exported = [pair for line in lines if line.startswith("  export ") for pair in line.split()[1:]]
        env: dict[str, str | None] = {name: value for name, _, value in (pair.partition("=") for pair in exported)}
        checked = run("check-config", "--online", "--all-jobs", "--regions", "us-west-2,eu-north-1", env=env)
        assert (checked.returncode, checked.stderr) == (0, "")
        assert checked.stdout.count("GetCallerIdentity: ok, arn:aws:iam::123456789012:user/simulated\n") == 2
        assert re.search(r"eu-north-1 SearchJobs: ok, found \d+ active jobs", checked.stdout)
        assert running.stop() == 0
    levels = {json.loads(line)["level"] for line in running.lines if line.startswith("{")}
    assert levels <= {"warning", "error"}


@pytest.mark.parametrize("source", ["variable", "file"])
def test_every_source_of_settings_changes_its_log_level(source: str, tmp_path: Path) -> None:
    file = tmp_path / "exporter.yaml"
    file.write_text("log_level: info\n" if source == "file" else "{}")
    env: dict[str, str | None] = {"BRAKET_EXPORTER_LOG_LEVEL": "info" if source == "variable" else None}
    with daemon("demo", "--config", str(file), env=env) as running:
        assert running.stop() == 0
    assert len(running.logged("stopped")) == 1


def test_its_greeting_says_https_where_tls_is_spoken(tmp_path: Path) -> None:
    Authority.in_folder(tmp_path).issue("server")
    file = tmp_path / "web.yml"
    file.write_text("tls_server_config: {cert_file: server.crt, key_file: server.key}\n")
    with demo("--web-config-file", str(file)) as running:
        assert running.stop() == 0
    port = running.address.rpartition(":")[2]
    assert f"  status page:      https://localhost:{port}/" in running.lines
    assert not any("http://localhost" in line for line in running.lines)


def test_its_endpoint_ends_even_when_the_exporter_is_killed() -> None:
    with demo() as running:
        (endpoint,) = children(running.process.pid)
        assert not gone(endpoint)
        running.process.send_signal(signal.SIGKILL)
        assert running.wait() == -9
        eventually(lambda: gone(endpoint))


def test_sigterm_ends_it_with_0_too() -> None:
    with demo() as running:
        (endpoint,) = children(running.process.pid)
        assert running.stop(signal.SIGTERM) == 0
        assert gone(endpoint)


REAL_SETTINGS: dict[str, dict[str, str | None]] = {
    "an endpoint of something else, and no credentials": {
        "AWS_ENDPOINT_URL": CLOSED,
        "AWS_ENDPOINT_URL_BRAKET": CLOSED,
        "AWS_IGNORE_CONFIGURED_ENDPOINT_URLS": "true",
        "AWS_DEFAULT_REGION": "eu-central-1",
        "AWS_ACCESS_KEY_ID": None,
        "AWS_SECRET_ACCESS_KEY": None,
    },
    "a role, a session and FIPS": {
        "AWS_ROLE_ARN": "arn:aws:iam::123456789012:role/x",
        "AWS_WEB_IDENTITY_TOKEN_FILE": "/nowhere",
        "AWS_SESSION_TOKEN": "token",
        "AWS_CA_BUNDLE": "/nowhere",
        "AWS_USE_FIPS_ENDPOINT": "true",
    },
    "a profile": {"AWS_PROFILE": "nonexistent"},
    "a default profile": {"AWS_DEFAULT_PROFILE": "nonexistent"},
    "a proxy": {"http_proxy": CLOSED, "https_proxy": CLOSED, "no_proxy": "example.com"},
}


@pytest.mark.parametrize("settings", REAL_SETTINGS.values(), ids=REAL_SETTINGS)
def test_real_settings_of_aws_do_not_disturb_it(settings: dict[str, str | None], tmp_path: Path) -> None:
    config = tmp_path / "config"
    config.write_text(f"[default]\nregion = ap-south-1\nendpoint_url = {CLOSED}\nrole_arn = x\nmax_attempts = 7\n")
    files: dict[str, str | None] = {"AWS_CONFIG_FILE": str(config), "AWS_SHARED_CREDENTIALS_FILE": str(config)}
    with demo(env={**files, **settings}) as running:
        eventually(lambda: answers(running) or running.logs("poll_failed"))
        assert running.logs("poll_failed") == []
        assert running.stop() == 0


def test_with_events_it_has_a_queue_that_receives_them(monkeypatch: pytest.MonkeyPatch) -> None:
    with demo("--events") as running:
        eventually(lambda: any(line.startswith("Press Ctrl-C") for line in running.lines))
        greeting = "\n".join(running.lines)
        (url,) = re.findall(r"^  event queue:      (\S+)$", greeting, re.MULTILINE)
        (endpoint,) = re.findall(r"^  export AWS_ENDPOINT_URL_SQS=(\S+)$", greeting, re.MULTILINE)
        assert url == f"{endpoint}/123456789012/braket-events"
        monkeypatch.setenv("AWS_ENDPOINT_URL_SQS", endpoint)
        queue = EventQueueClient(CredentialsSession(CredentialsRef()), url, "us-east-1", lambda *_: None)
        assert queue.count_messages() is not None
        assert running.stop() == 0


def test_without_events_it_has_no_queue() -> None:
    with demo() as running:
        assert running.stop() == 0
    assert not any("SQS" in line or "event queue" in line for line in running.lines)


def test_flags_and_variables_override_its_defaults() -> None:
    with demo("--poll-interval", "3s", env={"BRAKET_EXPORTER_API_REQUESTS_PER_SECOND": "11"}) as running:
        assert running.logged("started")[0]["poll_interval_seconds"] == 3
        assert running.value("braket_exporter_api_budget_requests_per_second", "eu-west-2", "GetJob") == 11
        assert running.stop() == 0


def test_it_does_not_claim_a_raised_rate_limit_that_a_flag_lowers() -> None:
    with demo("--api-requests-per-second", "2.5") as running:
        assert "The rate limit is raised" not in running.get("/").text
        assert running.stop() == 0
    assert not any("The rate limit is raised" in line for line in running.lines)


def test_bad_settings_end_it_with_2_and_leave_no_endpoint() -> None:
    # The endpoint shares the exporter's stderr, so run() returns only when both have ended.
    ended = run("demo", "--poll-interval", "soon")
    assert (ended.returncode, ended.stdout) == (2, "")
    assert ended.stderr.splitlines()[0] == "braket-exporter: invalid settings:"
    assert len(ended.stderr.splitlines()) == 2


def test_a_port_in_use_ends_it_with_1_and_leaves_no_endpoint() -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        address = f"127.0.0.1:{taken.getsockname()[1]}"
        ended = run("demo", "--listen-address", address)
    assert ended.returncode == 1
    assert len(ended.stderr.splitlines()) == 1
    assert address in ended.stderr
