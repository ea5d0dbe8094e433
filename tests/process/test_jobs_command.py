"""The jobs command: from a running exporter, and after polling once."""

import json
import time
from collections.abc import Iterator
from pathlib import Path

import pytest
from builders import arn
from processes import Daemon, closed_port, daemon, eventually, iso, run, wire_job

from exporter.simulator import ScriptedJob, SimulatorServer, World

NOW = time.time()
JOBS = {
    arn(1): wire_job(arn(1), "RUNNING", jobName="runs", createdAt=iso(NOW - 100)),
    arn(2): wire_job(arn(2), "FAILED", jobName="failed", createdAt=iso(NOW - 7200), endedAt=iso(NOW - 60)),
}


@pytest.fixture
def simulator() -> Iterator[SimulatorServer]:
    jobs = [ScriptedJob(name, NOW - 7200, [(NOW - 7200, job)]) for name, job in JOBS.items()]
    with SimulatorServer(World(jobs), clock=time.time) as server:
        yield server


@pytest.fixture
def exporter(simulator: SimulatorServer) -> Iterator[Daemon]:
    with daemon("--jobs", ",".join(JOBS), env={"AWS_ENDPOINT_URL_BRAKET": simulator.url}) as running:
        eventually(lambda: running.get("/-/ready").status == 200)
        yield running


def names(text: str) -> list[str]:
    return [line.split()[3] for line in text.splitlines()[1:]]


def test_jobs_of_a_running_exporter_are_listed_the_newest_first(exporter: Daemon) -> None:
    listed = run("jobs", "--url", f"http://{exporter.address}")
    assert (listed.returncode, names(listed.stdout), listed.stderr) == (0, ["runs", "failed"], "")


def test_statuses_and_an_age_choose_jobs(exporter: Daemon) -> None:
    url = f"http://{exporter.address}/"
    assert names(run("jobs", "--url", url, "--status", "failed", "--status", "QUEUED").stdout) == ["failed"]
    assert names(run("jobs", "--url", url, "--since", "1h").stdout) == ["runs"]
    none = run("jobs", "--url", url, "--status", "RUNING")
    assert (none.returncode, none.stdout) == (0, "")
    assert none.stderr.splitlines() == [
        "braket-exporter: unknown status RUNING (did you mean RUNNING?)",
        "braket-exporter: no job matches; 2 jobs are known",
    ]


def test_an_unknown_status_is_a_warning_whatever_jobs_there_are(exporter: Daemon) -> None:
    url = f"http://{exporter.address}/"
    listed = run("jobs", "--url", url, "--status", "FAILED,CANCELED,paused,MAX_RUNTIME_EXCEEDED")
    assert (listed.returncode, names(listed.stdout)) == (0, ["failed"])
    assert listed.stderr.splitlines() == [
        "braket-exporter: unknown status CANCELED (did you mean CANCELLED?)",
        (
            "braket-exporter: unknown status PAUSED; statuses are QUEUED, RUNNING, COMPLETED, FAILED, CANCELLING, "
            "CANCELLED, MAX_RUNTIME_EXCEEDED"
        ),
    ]


def test_json_is_what_the_api_serves(exporter: Daemon) -> None:
    listed = json.loads(run("jobs", "--url", f"http://{exporter.address}", "-o", "json").stdout)
    served = json.loads(exporter.get("/api/v1/jobs").text)
    assert sorted(listed["jobs"], key=str) == sorted(served["jobs"], key=str)
    assert len(served["jobs"]) == 2


def test_without_a_url_the_command_polls_once(simulator: SimulatorServer) -> None:
    listed = run("jobs", "--jobs", ",".join(JOBS), env={"AWS_ENDPOINT_URL_BRAKET": simulator.url})
    assert (listed.returncode, names(listed.stdout), listed.stderr) == (0, ["runs", "failed"], "")


@pytest.mark.parametrize("way", ["flag", "variable", "file"])
def test_a_given_log_level_counts(way: str, simulator: SimulatorServer, tmp_path: Path) -> None:
    config = tmp_path / "exporter.yaml"
    config.write_text("log_level: info\n" if way == "file" else "")
    env = {"AWS_ENDPOINT_URL_BRAKET": simulator.url}
    env |= {"BRAKET_EXPORTER_LOG_LEVEL": "info"} if way == "variable" else {}
    flags = ("--log-level", "info") if way == "flag" else ()
    listed = run("jobs", "--config", str(config), "--jobs", ",".join(JOBS), *flags, env=env)
    assert (listed.returncode, names(listed.stdout)) == (0, ["runs", "failed"])
    assert "job_discovered" in listed.stderr


def test_what_does_not_respond_is_missing_and_the_exit_status_says_so(simulator: SimulatorServer) -> None:
    wanted = f"{arn(1)},{arn(9)}"
    listed = run("jobs", "--jobs", wanted, "-o", "json", env={"AWS_ENDPOINT_URL_BRAKET": simulator.url})
    assert listed.returncode == 1
    assert f"GetJob failed for 1 of 2 jobs named in jobs: {arn(9)} (ResourceNotFoundException)" in listed.stderr
    assert len(json.loads(listed.stdout)["jobs"]) == 2


def test_an_exporter_that_does_not_run_is_one_line() -> None:
    url = f"http://user:secret@127.0.0.1:{closed_port()}"
    ended = run("jobs", "--url", url)
    assert (ended.returncode, ended.stdout) == (1, "")
    assert ended.stderr.endswith("/api/v1/jobs: connection refused; is the exporter running?\n")
    assert ended.stderr.count("\n") == 1
    assert "secret" not in ended.stderr


def test_a_url_of_the_metrics_is_accepted(exporter: Daemon) -> None:
    for path in ("/metrics", "/metrics/", "/api/v1/jobs"):
        listed = run("jobs", "--url", f"http://{exporter.address}{path}")
        assert (listed.returncode, names(listed.stdout), listed.stderr) == (0, ["runs", "failed"], "")


def test_https_to_an_exporter_without_tls_is_one_line_with_the_fix(exporter: Daemon) -> None:
    url = f"https://{exporter.address}"
    ended = run("jobs", "--url", url)
    assert (ended.returncode, ended.stdout) == (1, "")
    problem = "the exporter does not use TLS there; use http://"
    assert ended.stderr == f"braket-exporter: {url}/api/v1/jobs: {problem}\n"


def test_another_server_is_not_an_exporter(simulator: SimulatorServer) -> None:
    ended = run("jobs", "--url", simulator.url)
    assert ended.returncode == 1
    assert ended.stderr.startswith(f"braket-exporter: {simulator.url}/api/v1/jobs: ")
    assert "is this a braket-exporter" in ended.stderr


def test_wrong_flags_are_told_all_at_once_and_nothing_else_is() -> None:
    ended = run("jobs", "--url", "localhost:9834", "-o", "tabel", "--since", "soon")
    assert ended.returncode == 2
    assert ended.stderr.splitlines() == [
        "braket-exporter: invalid settings:",
        '  -o = "tabel": expected table, wide or json (did you mean table?)',
        '  --since = "soon": expected a duration above 0, such as 30s, 5m, 24h, 7d, 2w, 1h30m or a number of seconds',
        '  --url = "localhost:9834": expected the URL of an exporter, such as http://localhost:9834',
    ]
