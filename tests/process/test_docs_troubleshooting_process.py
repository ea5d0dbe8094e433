"""docs/operate/troubleshooting.md, against what real exporters print."""

import re
import socket
import time
from pathlib import Path

import pytest
from processes import FAST, closed_port, daemon, eventually, iso, run, wire_job

from exporter.simulator import Fault, FaultKind, ScriptedJob, SimulatorServer, World

ROOT = Path(__file__).parents[2]
TEXT = (ROOT / "docs/operate/troubleshooting.md").read_text(encoding="utf-8")

ARN = "arn:aws:braket:us-west-2:123456789012:job/0a1b2c3d-0000-4000-8000-000000000001"
UNKNOWN = "arn:aws:braket:us-west-2:123456789012:job/0a1b2c3d-0000-4000-8000-000000000002"


@pytest.mark.parametrize(
    ("arguments", "status", "said"),
    [
        (("--poll-interval", "fast"), 2, "invalid settings"),
        (("--all-jobs",), 2, "regions: not set"),
        (("--jobs", ARN, "--listen-address", "127.0.0.1:PORT"), 1, "Address already in use"),
    ],
)
def test_a_failed_start_prints_what_is_shown(arguments: tuple[str, ...], status: int, said: str) -> None:
    with socket.create_server(("127.0.0.1", 0)) as server:
        port = str(server.getsockname()[1])
        done = run(*(argument.replace("PORT", port) for argument in arguments))
    assert said in TEXT
    assert said in done.stderr
    assert done.returncode == status


@pytest.mark.parametrize(
    ("code", "arguments", "faults"),
    [
        ("credentials", ("--jobs", ARN), ()),
        (
            "AccessDeniedException",
            ("--all-jobs", "--regions", "us-west-2"),
            (Fault(FaultKind.ACCESS_DENIED, operation="SearchJobs"),),
        ),
        ("ResourceNotFoundException", ("--jobs", UNKNOWN), ()),
        ("ThrottlingException", ("--jobs", ARN), (Fault(FaultKind.THROTTLE, operation="GetJob"),)),
    ],
)
def test_a_real_exporter_logs_the_codes_that_are_shown(
    code: str, arguments: tuple[str, ...], faults: tuple[Fault, ...]
) -> None:
    with SimulatorServer(World(), clock=time.time, faults=faults) as server:
        server.world.put(ScriptedJob(ARN, time.time() - 60, lambda _: wire_job(ARN, "RUNNING")))
        env: dict[str, str | None] = {
            "AWS_ENDPOINT_URL_BRAKET": server.url,
            "AWS_ENDPOINT_URL_STS": f"http://127.0.0.1:{closed_port()}",
        }
        if code == "credentials":
            env |= {"AWS_ACCESS_KEY_ID": None, "AWS_SECRET_ACCESS_KEY": None}
        with daemon(*arguments, *FAST, env=env) as running:
            eventually(lambda: running.logs("poll_failed", code=code))
            up = 1.0 if code == "ResourceNotFoundException" else 0.0
            eventually(lambda: running.value("braket_exporter_target_up") == up)
    assert f"`{code}`" in TEXT or f"### {code}" in TEXT


def test_the_command_that_looks_for_all_jobs_finds_an_old_one() -> None:
    (command,) = re.findall(r"`braket-exporter (once .*?) \| grep", TEXT)
    created, ended = time.time() - 10 * 86400, time.time() - 8 * 86400
    old = {"createdAt": iso(created), "startedAt": iso(created), "endedAt": iso(ended)}
    with SimulatorServer(World(), clock=time.time) as server:
        server.world.put(ScriptedJob(ARN, created, lambda _: wire_job(ARN, "COMPLETED", **old)))
        done = run(*command.split(), env={"AWS_ENDPOINT_URL_BRAKET": server.url})
    assert done.stdout.count("braket_job_info{") == 1
