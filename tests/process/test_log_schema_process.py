"""Every log line of real exporters fits the schema of the log."""

import json
import signal
import sqlite3
import time
from contextlib import closing
from pathlib import Path
from typing import Any

import yaml
from builders import ARN
from certificates import Authority
from jsonschema import Draft202012Validator
from processes import FAST, Daemon, daemon, eventually, fetch, iso, wire_event, wire_job

from exporter.simulator import Fault, FaultKind, ScriptedJob, SimulatorServer, World

ROOT = Path(__file__).parents[2]
SCHEMA: dict[str, Any] = json.loads((ROOT / "docs/log.schema.json").read_text(encoding="utf-8"))
VALIDATOR = Draft202012Validator(SCHEMA, format_checker=Draft202012Validator.FORMAT_CHECKER)
SHAPES = [reference["$ref"].removeprefix("#/$defs/") for reference in SCHEMA["oneOf"]]
EVENTS = [shape for shape in SHAPES if shape != "library"]
NAMED = f"{ARN[:-1]}a"
FOUND = f"{ARN[:-1]}b"
UNKNOWN = f"{ARN[:-1]}c"
HASTY = (
    "import exporter.storage.state_writer as writer; writer.RETRY_INTERVAL = writer.BEAT_INTERVAL = 0.2\n"
    "import exporter.app.daemon; exporter.app.daemon.MAINTENANCE_INTERVAL = 0.05"
)
"""Run before the exporter: it often looks whether the state file can be written."""


def fits(line: dict[str, Any]) -> bool:
    return VALIDATOR.is_valid(line)


def checked(running: Daemon) -> set[str]:
    """Check every line of an exporter that has ended; return the events that were among them."""
    lines = [json.loads(line) for line in running.lines]
    for line in lines:
        shape = line["event"] if line["event"] in EVENTS else "library"
        problems = [*Draft202012Validator({"$defs": SCHEMA["$defs"], "$ref": f"#/$defs/{shape}"}).iter_errors(line)]
        assert problems == [], line
        assert fits(line), line
    return {line["event"] for line in lines}


def test_every_line_of_a_life_with_all_its_troubles_fits(tmp_path: Path) -> None:
    settings, state = tmp_path / "exporter.yaml", tmp_path / "state.sqlite"
    state.write_bytes(b"no database" * 1000)
    answers: dict[str, dict[str, Any]] = {NAMED: wire_job(NAMED, "RUNNING")}
    flags = ("--config", str(settings), "--state-file", str(state), *FAST, "--discovery-interval", "0.1s")
    with SimulatorServer(World(), clock=time.time) as server:
        server.world.put(ScriptedJob(NAMED, time.time() - 3600, lambda _: answers[NAMED]))
        env = {"AWS_ENDPOINT_URL_BRAKET": server.url}
        settings.write_text(yaml.safe_dump({"jobs": [NAMED, UNKNOWN], "all_jobs": True, "regions": ["us-west-2"]}))
        with daemon("run", *flags, env=env, prelude=HASTY) as first:
            eventually(lambda: first.logs("job_discovered") and first.logs("poll_failed", job_arn=UNKNOWN))
            born = time.time()
            answers[FOUND] = wire_job(FOUND, "DREAMING", createdAt=iso(born), events=[wire_event("WOKE", born)])
            server.world.put(ScriptedJob(FOUND, born, lambda _: answers[FOUND]))
            eventually(lambda: first.logs("job_transition", job_arn=FOUND))
            now = time.time()
            told = [wire_event("MAX_RUNTIME_EXCEEDED", now, "too long"), wire_event("FAILED", now)]
            answers[FOUND] = wire_job(FOUND, "FAILED", createdAt=iso(born), endedAt=iso(now), events=told)
            answers[NAMED] = wire_job(NAMED, "CANCELLED", startedAt=iso(now), endedAt=iso(now), billableDuration=1000)
            eventually(lambda: len(first.logs("job_transition")) == 3)
            state.unlink()
            state.mkdir()
            eventually(lambda: first.logs("state_failing"))
            state.rmdir()
            eventually(lambda: first.logs("state_recovered"))
            server.faults.put(Fault(FaultKind.ACCESS_DENIED, operation="SearchJobs"))
            eventually(lambda: first.logs("poll_failed", operation="SearchJobs"))
            settings.write_text("jobs: [\n")
            first.process.send_signal(signal.SIGHUP)
            eventually(lambda: first.logs("config_reload_failed"))
            settings.write_text(yaml.safe_dump({"jobs": [NAMED], "tag_labels": ["team"]}))
            assert fetch(first.address, "/-/reload", method="POST").status == 200
            assert first.stop() == 0
        with closing(sqlite3.connect(state)) as connection:
            connection.execute("UPDATE jobs SET record = '{}' WHERE mark = (SELECT min(mark) FROM jobs)")
            connection.commit()
        with daemon("run", *flags, env=env) as second:
            assert second.stop() == 0
    elsewhere = {
        "device_status_changed",
        "event_queue_failing",
        "event_queue_recovered",
        "first_poll_progress",
        "log_recovered",
        "tls_handshake_failed",
        "search_abandoned",
        "search_entry_ignored",
        "search_without_tags",
    }
    assert checked(first) | checked(second) == set(EVENTS) - elsewhere


def test_every_line_of_an_exporter_that_changes_its_web_configuration_fits(tmp_path: Path) -> None:
    web, tls = tmp_path / "web.yml", "tls_server_config: {cert_file: server.crt, key_file: server.key}\n"
    Authority.in_folder(tmp_path).issue("server")
    web.write_text(f"{tls}http_server_config: {{headers: {{X-Frame-Options: deny}}}}\n")
    with SimulatorServer(World(), clock=time.time) as server:
        env = {"AWS_ENDPOINT_URL_BRAKET": server.url}
        flags = ("--jobs", ARN, "--web-config-file", str(web), "--log-level", "debug", *FAST)
        with daemon("run", *flags, env=env, prelude=HASTY) as running:
            assert fetch(running.address, "/metrics").status == 400, "it is asked without TLS"
            eventually(lambda: running.logs("tls_handshake_failed"))
            web.write_text(tls)
            eventually(lambda: running.logs("config_reloaded"))
            web.write_text("nonsense\n")
            eventually(lambda: running.logs("config_reload_failed"))
            assert running.stop() == 0
    reloads = {"config_reloaded", "config_reload_failed"}
    assert checked(running) == {"started", "config_warning", "poll_failed", "tls_handshake_failed", *reloads, "stopped"}
