"""docs/troubleshooting.md: what it says one sees is what the exporter writes, and every name in it exists."""

import json
import re
import shlex
import socket
import time
from pathlib import Path
from typing import Any

import pytest
from jsonschema import Draft202012Validator
from processes import FAST, closed_port, daemon, eventually, iso, run, wire_job
from prometheus_client.parser import text_string_to_metric_families

from exporter.app import cli
from exporter.app.settings import Settings, TargetSettings
from exporter.core.drop_reasons import DROP_REASONS
from exporter.metrics.families import EXPORTER_FAMILIES, FLEET_FAMILIES, JobFamily, job_families
from exporter.simulator import Fault, FaultKind, ScriptedJob, SimulatorServer, World

ROOT = Path(__file__).parent.parent
TEXT = (ROOT / "docs/troubleshooting.md").read_text(encoding="utf-8")
SCHEMA = json.loads((ROOT / "docs/log.schema.json").read_text(encoding="utf-8"))
FAMILIES = {family.name: family for family in (*job_families(), *FLEET_FAMILIES, *EXPORTER_FAMILIES)}
EVENTS = {reference["$ref"].rpartition("/")[2] for reference in SCHEMA["oneOf"]} - {"library"}
FIELDS = {field for event in EVENTS for field in SCHEMA["$defs"][event]["properties"]}
SETTINGS = {*Settings.model_fields, *TargetSettings.model_fields}
CODES = {"connection", "timeout", "credentials", "malformed", "other"}
OTHERS = {"auto", "up", "unless", "or", "vqe", "scheme", "scrape_timeout", "ca_file", "cert_file", "credential_process"}
"""Words that are PromQL's, Prometheus's, the AWS SDK's, the web configuration file's, or values."""

ARN = "arn:aws:braket:us-west-2:123456789012:job/0a1b2c3d-0000-4000-8000-000000000001"
UNKNOWN = "arn:aws:braket:us-west-2:123456789012:job/0a1b2c3d-0000-4000-8000-000000000002"
LINES = [json.loads(block) for block in re.findall(r"```json\n(.*?)```", TEXT, re.DOTALL)]
CONSOLES = [block.splitlines() for block in re.findall(r"```console\n(.*?)```", TEXT, re.DOTALL)]
SECTIONS = re.findall(r"^### (.*?)\n(.*?)(?=^##|\Z)", TEXT, re.MULTILINE | re.DOTALL)
VARYING = {"timestamp", "retry_in_seconds"}


def test_every_symptom_tells_what_one_sees_why_and_what_to_do() -> None:
    assert len(SECTIONS) == 22
    for title, text in SECTIONS:
        assert re.findall(r"^\*\*(See|Why|Do)\*\*", text, re.MULTILINE) == ["See", "Why", "Do"], title


@pytest.mark.parametrize("line", LINES, ids=lambda line: line["code"])
def test_every_log_line_shown_fits_the_schema(line: dict[str, Any]) -> None:
    assert [*Draft202012Validator(SCHEMA).iter_errors(line)] == []


def test_every_name_is_one_of_a_setting_a_metric_an_event_or_a_field() -> None:
    known = {*FAMILIES, *EVENTS, *FIELDS, *SETTINGS, *CODES, *OTHERS, *DROP_REASONS, *cli.COMMANDS}
    named = set(re.findall(r"`([a-z_]+)(?:\{[^`]*\}|: [^`]*)?`", TEXT))
    assert named - known == set()
    assert {"poll_failed", "poll_interval", "braket_exporter_target_up"} <= named


def test_every_sample_shown_has_the_labels_of_its_family() -> None:
    shown = "\n".join(re.findall(r"^braket_[a-z_]+\{.*$", TEXT, re.MULTILINE))
    samples = [sample for family in text_string_to_metric_families(shown + "\n") for sample in family.samples]
    assert len(samples) == 3
    for sample in samples:
        assert set(sample.labels) == set(FAMILIES[sample.name].labels)
    for name, labels in re.findall(r"`(braket_[a-z_]+)\{([^`]*)\}`", TEXT):
        family = FAMILIES[name]
        own = {"job_arn", "job_name"} if isinstance(family, JobFamily) else set()
        assert set(re.findall(r"([a-z_]+)=", labels)) <= own | set(family.labels)


def test_every_class_of_error_named_is_one_that_the_exporter_knows() -> None:
    source = (ROOT / "exporter/aws/failures.py").read_text(encoding="utf-8")
    codes = set(re.findall(r"`([A-Z][A-Za-z]+(?:Exception|Expired|Match))`", TEXT))
    assert codes >= {"AccessDeniedException", "RequestExpired"}
    for code in codes - {"AccessDeniedException", "ResourceNotFoundException"}:
        assert f'"{code}"' in source, code


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


def test_what_http_says_is_what_the_code_says() -> None:
    source = "".join((ROOT / f"exporter/{room}.py").read_text(encoding="utf-8") for room in ("server", "web", "tls"))
    for said in ("The first full poll is under way.", "This port speaks TLS; use https.", "Unauthorized."):
        assert said in TEXT
        assert said in source
    assert "cannot assume" in (ROOT / "exporter/aws/failures.py").read_text(encoding="utf-8")
    assert "these are credentials of account" in (ROOT / "exporter/app/permission_check.py").read_text(encoding="utf-8")


def test_the_command_that_looks_for_all_jobs_finds_an_old_one() -> None:
    (command,) = re.findall(r"`braket-exporter (once .*?) \| grep", TEXT)
    created, ended = time.time() - 10 * 86400, time.time() - 8 * 86400
    old = {"createdAt": iso(created), "startedAt": iso(created), "endedAt": iso(ended)}
    with SimulatorServer(World(), clock=time.time) as server:
        server.world.put(ScriptedJob(ARN, created, lambda _: wire_job(ARN, "COMPLETED", **old)))
        done = run(*command.split(), env={"AWS_ENDPOINT_URL_BRAKET": server.url})
    assert done.stdout.count("braket_job_info{") == 1
