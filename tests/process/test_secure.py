"""An exporter with a web configuration file, as a process: a real Prometheus, check-config, reload and the end."""

import base64
import json
import signal
import socket
import time
from collections.abc import Iterator
from contextlib import contextmanager
from http.client import HTTPSConnection
from pathlib import Path

import bcrypt
import pytest
from certificates import Authority
from processes import FAST, LONG_AGO, Daemon, daemon, eventually, run, samples_of, wire_job
from servers import prometheus_with

from exporter.simulator import ScriptedJob, SimulatorServer, World, job_arn

OFTEN = "import exporter.app.daemon; exporter.app.daemon.MAINTENANCE_INTERVAL = 0.05"
"""Run before the exporter: it looks often whether the file has changed."""

LARGE = """
from exporter.metrics.exposition import Page
from exporter.web import routes
routes.expose = lambda *args, **kwargs: Page(3_000_003, (part for part in [*[b"x" * 100_000] * 30, b"end"]))
"""
"""Run before the exporter: its page is large."""

ARN = job_arn("secure")
PASSWORD = "correct horse"


def login(password: str) -> dict[str, str]:
    return {"Authorization": f"Basic {base64.b64encode(f'prometheus:{password}'.encode()).decode()}"}


LOGIN, OTHER_LOGIN = login(PASSWORD), login("another")


@pytest.fixture
def authority(tmp_path: Path) -> Authority:
    authority = Authority.in_folder(tmp_path)
    authority.issue("server")
    (tmp_path / "password").write_text(PASSWORD)
    write(tmp_path, bcrypt.hashpw(PASSWORD.encode(), bcrypt.gensalt(4)).decode())
    return authority


def write(folder: Path, digest: str) -> None:
    tls = "tls_server_config: {cert_file: server.crt, key_file: server.key}"
    (folder / "web.yml").write_text(f"{tls}\nbasic_auth_users: {{prometheus: {digest}}}\n")


@contextmanager
def exporting(authority: Authority, prelude: str = "", *more: str) -> Iterator[Daemon]:
    script = ScriptedJob(ARN, LONG_AGO, [(LONG_AGO, wire_job(ARN, "RUNNING"))])
    with SimulatorServer(World([script]), clock=time.time) as server:
        env = {"AWS_ENDPOINT_URL_BRAKET": server.url}
        arguments = ("--jobs", ARN, *FAST, "--web-config-file", str(authority.folder / "web.yml"), *more)
        with daemon("run", *arguments, env=env, prelude=prelude) as running:
            yield running


def get(exporter: Daemon, authority: Authority, path: str, login: dict[str, str]) -> tuple[int, str]:
    connection = HTTPSConnection(exporter.address, timeout=10, context=authority.trusted())
    try:
        connection.request("GET", path, headers=login)
        answer = connection.getresponse()
        return answer.status, answer.read().decode()
    finally:
        connection.close()


def successful(exporter: Daemon, authority: Authority, headers: dict[str, str] = LOGIN) -> float:
    name = "braket_exporter_config_last_reload_successful"
    (line,) = samples_of(get(exporter, authority, f"/metrics?name[]={name}", headers)[1])
    return float(line.split()[-1])


def test_prometheus_scrapes_over_tls_with_a_password(authority: Authority) -> None:
    with exporting(authority) as exporter:
        assert exporter.logged("started")[0]["tls"] is True
        eventually(lambda: get(exporter, authority, "/-/ready", LOGIN)[0] == 200)
        assert get(exporter, authority, "/-/ready", {})[0] == 401
        job = {
            "job_name": "secure",
            "scheme": "https",
            "scrape_interval": "2s",
            "scrape_timeout": "2s",
            "tls_config": {"ca_file": str(authority.file), "server_name": "localhost"},
            "basic_auth": {"username": "prometheus", "password_file": str(authority.folder / "password")},
            "static_configs": [{"targets": [exporter.address]}],
        }
        unknown = job | {"job_name": "unknown", "basic_auth": {"username": "prometheus", "password": "wrong"}}
        config = authority.folder / "prometheus.yml"
        config.write_text(json.dumps({"scrape_configs": [job, unknown]}))
        with prometheus_with(config, authority.folder) as prometheus:

            def scraped(job: str) -> list[float]:
                return [value for _, value in prometheus.query(f'scrape_samples_scraped{{job="{job}"}}')]

            def lines() -> float:
                return float(len(samples_of(get(exporter, authority, "/metrics", LOGIN)[1])))

            # A call that succeeds for the first time adds series; the page is compared until it stands still.
            eventually(lambda: scraped("secure") == [lines()])
            eventually(lambda: scraped("unknown") == [0.0])
            up = {metric["job"]: value for metric, value in prometheus.query("up")}
            assert up == {"secure": 1.0, "unknown": 0.0}
        assert exporter.stop() == 0


def test_a_new_password_counts_without_a_restart_and_a_bad_file_is_logged_once(authority: Authority) -> None:
    file = str(authority.folder / "web.yml")
    with exporting(authority, OFTEN) as exporter:
        assert get(exporter, authority, "/metrics", LOGIN)[0] == 200
        write(authority.folder, bcrypt.hashpw(b"another", bcrypt.gensalt(4)).decode())
        eventually(lambda: exporter.logs("config_reloaded", level="info", file=file))
        assert get(exporter, authority, "/metrics", LOGIN)[0] == 401
        write(authority.folder, "hunter2")
        (failed,) = eventually(lambda: exporter.logs("config_reload_failed", level="error", file=file))
        assert failed["error"].startswith("basic_auth_users.prometheus: expected a bcrypt hash")
        eventually(lambda: successful(exporter, authority, OTHER_LOGIN) == 0.0)
        write(authority.folder, bcrypt.hashpw(PASSWORD.encode(), bcrypt.gensalt(4)).decode())
        eventually(lambda: len(exporter.logs("config_reloaded")) == 2)
        eventually(lambda: successful(exporter, authority) == 1.0)
        assert len(exporter.logged("config_reload_failed")) == 1
        assert "hunter2" not in "".join(exporter.lines)
        assert exporter.stop() == 0


def test_a_reload_reads_the_web_configuration_file_too_all_or_nothing(authority: Authority) -> None:
    with exporting(authority) as exporter:
        write(authority.folder, "hunter2")
        exporter.process.send_signal(signal.SIGHUP)
        (failed,) = eventually(lambda: exporter.logs("config_reload_failed", level="error"))
        assert failed["error"].startswith(
            f"web_config_file {authority.folder / 'web.yml'}: basic_auth_users.prometheus: expected a bcrypt hash"
        )
        assert successful(exporter, authority) == 0.0
        write(authority.folder, bcrypt.hashpw(b"another", bcrypt.gensalt(4)).decode())
        exporter.process.send_signal(signal.SIGHUP)
        eventually(lambda: exporter.logs("config_reloaded", configured_jobs=1))
        assert get(exporter, authority, "/metrics", LOGIN)[0] == 401
        assert exporter.stop() == 0


def test_a_failed_handshake_is_logged_for_those_who_debug(authority: Authority) -> None:
    with exporting(authority, OFTEN, "--log-level", "debug") as exporter:
        host, port = exporter.address.split(":")
        with socket.create_connection((host, int(port)), timeout=30) as peer:
            peer.sendall(b"GET /metrics HTTP/1.1\r\nHost: x\r\n\r\n")
            assert peer.recv(65536).startswith(b"HTTP/1.1 400 ")
        (line,) = eventually(lambda: exporter.logs("tls_handshake_failed"))
        assert exporter.stop() == 0
    assert (line["level"], line["count"], line["peer_address"]) == ("debug", 1, "127.0.0.1")
    assert line["error"] == "it does not speak TLS"


@pytest.mark.parametrize("secure", [True, False], ids=["tls", "plain"])
def test_sigterm_amid_a_large_answer_to_a_slow_reader_lets_it_end(authority: Authority, secure: bool) -> None:  # noqa: FBT001
    if not secure:
        (authority.folder / "web.yml").write_text("{}")
    with exporting(authority, LARGE) as exporter:
        host, _, port = exporter.address.rpartition(":")
        with socket.socket() as below:
            below.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
            below.settimeout(10)
            below.connect((host, int(port)))
            peer = authority.trusted().wrap_socket(below, server_hostname="localhost") if secure else below
            with peer:
                login = f"Authorization: {LOGIN['Authorization']}\r\n"
                peer.sendall(f"GET /metrics HTTP/1.1\r\nHost: x\r\n{login}\r\n".encode())
                page = bytearray(peer.recv(1000))
                exporter.process.send_signal(signal.SIGTERM)
                eventually(lambda: refuses(host, int(port)))
                while part := peer.recv(65536):
                    page += part
        assert exporter.wait() == 0
    assert page.startswith(b"HTTP/1.1 200 OK\r\n")
    assert page.endswith(b"xend")
    assert len(page.partition(b"\r\n\r\n")[2]) == 3_000_003


def refuses(host: str, port: int) -> bool:
    try:
        socket.create_connection((host, port), 1).close()
    except ConnectionRefusedError:
        return True
    return False


@pytest.mark.parametrize("command", ["run", "check-config"])
def test_a_bad_file_is_refused_at_once_with_every_problem(authority: Authority, command: str) -> None:
    file = authority.folder / "web.yml"
    file.write_text(
        "tls_server_config: {cert_file: server.crt, min_version: TLS9}\nbasic_auth_users: {alice: hunter2}\n"
    )
    ended = run(command, "--jobs", ARN, "--web-config-file", str(file))
    assert (ended.returncode, ended.stdout) == (2, "")
    assert ended.stderr.splitlines() == [
        "braket-exporter: invalid settings:",
        f"  web_config_file {file}: tls_server_config.key_file: is missing",
        f'  web_config_file {file}: tls_server_config.min_version = "TLS9": expected TLS12 or TLS13',
        (
            f"  web_config_file {file}: basic_auth_users.alice: expected a bcrypt hash, "
            "such as htpasswd -nB prints; it begins with $2y$10$"
        ),
    ]


def test_check_config_reads_the_certificates_too(authority: Authority) -> None:
    file = authority.folder / "web.yml"
    arguments = ("check-config", "--jobs", ARN, "--web-config-file", str(file))
    assert run(*arguments).returncode == 0
    (authority.folder / "server.key").unlink()
    ended = run(*arguments)
    assert ended.returncode == 2
    key = authority.folder / "server.key"
    problem = f"tls_server_config.key_file: {key} cannot be read: No such file or directory"
    assert ended.stderr.splitlines()[1] == f"  web_config_file {file}: {problem}"
