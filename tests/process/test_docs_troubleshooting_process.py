"""docs/operate/troubleshooting.md, against what real exporters print."""

import json
import re
import shlex
import socket
import time
from pathlib import Path
from typing import Any

import pytest
from processes import FAST, closed_port, daemon, eventually, iso, run, wire_job

from exporter.simulator import Fault, FaultKind, ScriptedJob, SimulatorServer, World

ROOT = Path(__file__).parents[2]
TEXT = (ROOT / "docs/operate/troubleshooting.md").read_text(encoding="utf-8")

ARN = "arn:aws:braket:us-west-2:123456789012:job/0a1b2c3d-0000-4000-8000-000000000001"
UNKNOWN = "arn:aws:braket:us-west-2:123456789012:job/0a1b2c3d-0000-4000-8000-000000000002"
LINES = [json.loads(block) for block in re.findall(r"```json\n(.*?)```", TEXT, re.DOTALL)]
CONSOLES = [block.splitlines() for block in re.findall(r"```console\n(.*?)```", TEXT, re.DOTALL)]
VARYING = {"timestamp", "retry_in_seconds"}


@pytest.mark.parametrize("console", CONSOLES, ids=lambda console: console[1].partition(": ")[2])
def test_what_is_shown_of_a_start_is_what_it_prints(console: list[str]) -> None:
    program, *arguments = shlex.split(console[0].removeprefix("$ "))
    assert program == "braket-exporter"
    with socket.create_server(("127.0.0.1", 0)) as server:
        port = str(server.getsockname()[1])
        done = run(*(argument.replace("9834", port) for argument in arguments))
    assert done.stderr.replace(port, "9834").splitlines() == console[1:]
    assert done.returncode == (2 if "invalid settings" in console[1] else 1)


def test_what_is_shown_of_a_profile_is_what_it_prints(tmp_path: Path) -> None:
    config = tmp_path / "exporter.yaml"
    config.write_text("targets: [{profile: chemistry, all_jobs: true}]")
    done = run("--config", str(config))
    assert done.returncode == 2
    assert f"```\n{done.stderr}```" in TEXT


def shown(code: str) -> dict[str, Any]:
    by_code: dict[str, dict[str, Any]] = {line["code"]: line for line in LINES}
    return by_code[code]


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
def test_the_log_lines_shown_are_those_of_a_real_exporter(
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
            line = eventually(lambda: running.logs("poll_failed", code=code))[0]
            up = 1.0 if code == "ResourceNotFoundException" else 0.0
            eventually(lambda: running.value("braket_exporter_target_up") == up)
    assert [name for name in line if line[name] != shown(code)[name] and name not in VARYING] == []
    assert [*line] == [*shown(code)]


def test_the_command_that_looks_for_all_jobs_finds_an_old_one() -> None:
    (command,) = re.findall(r"`braket-exporter (once .*?) \| grep", TEXT)
    created, ended = time.time() - 10 * 86400, time.time() - 8 * 86400
    old = {"createdAt": iso(created), "startedAt": iso(created), "endedAt": iso(ended)}
    with SimulatorServer(World(), clock=time.time) as server:
        server.world.put(ScriptedJob(ARN, created, lambda _: wire_job(ARN, "COMPLETED", **old)))
        done = run(*command.split(), env={"AWS_ENDPOINT_URL_BRAKET": server.url})
    assert done.stdout.count("braket_job_info{") == 1
