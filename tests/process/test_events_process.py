"""Events end to end: a rule of moto's EventBridge, a queue of its SQS, and the exporter with the real boto3."""

import json
import signal
import time
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from random import Random
from typing import Any
from uuid import uuid4

import pytest
import yaml
from event_bus import EventBus
from processes import Daemon, daemon, eventually, fetch, iso, run, wire_event, wire_job

from exporter.simulator import ScriptedJob, SimulatorServer, World, job_arn

REGION, ACCOUNT = "us-west-2", "123456789012"
HOUR_AGO = round(time.time(), 3) - 3600
JOB = "Braket Job State Change"
SLOW = {"poll_interval": "5m", "event_poll_interval": "10m", "discovery_interval": "5m", "api_requests_per_second": 5}
"""Intervals within which no poll of their own finds a change in time."""

HASTY = (
    "import exporter.polling.retry_policy, exporter.polling.queue_health\n"
    "exporter.polling.retry_policy.MAX_TARGET_BACKOFF = 1.0\n"
    "exporter.polling.queue_health.HEALTHY_FOR = 2.0"
)
"""Run before the exporter: a queue that fails is soon called again, and soon missed."""

PROMPT = "import exporter.app.daemon; exporter.app.daemon.MAINTENANCE_INTERVAL = 0.2"


@dataclass
class Site:
    """Braket, a queue with its rule, and the settings of an exporter."""

    braket: SimulatorServer
    moto: str
    file: Path
    responses: dict[str, dict[str, Any]] = field(default_factory=dict)

    def __post_init__(self) -> None:
        self.bus = EventBus(f"braket-{uuid4()}", REGION, self.moto, VisibilityTimeout="4")
        self.sqs, self.queue_url = self.bus.sqs, self.bus.url

    @property
    def env(self) -> dict[str, str | None]:
        return {"AWS_ENDPOINT_URL_BRAKET": self.braket.url, "AWS_ENDPOINT_URL_SQS": self.moto}

    def configure(self, **settings: Any) -> str:
        usual = {"all_jobs": True, "regions": [REGION], "event_queue_url": self.queue_url, **SLOW}
        self.file.write_text(yaml.safe_dump(usual | settings))
        return str(self.file)

    def put(self, arn: str, status: str, created: float = HOUR_AGO, **members: Any) -> None:
        """Have Braket return this for a job from now on."""
        if arn not in self.responses:
            self.braket.world.put(ScriptedJob(arn, created, lambda _: self.responses.get(arn)))
        self.responses[arn] = wire_job(arn, status, createdAt=iso(created), **members)

    def end(self, arn: str, status: str = "FAILED", created: float = HOUR_AGO) -> float:
        """Have a job end now; return when."""
        now = round(time.time(), 3)
        members = {"startedAt": iso(now - 60), "endedAt": iso(now), "billableDuration": 60000}
        self.put(arn, status, created, events=[wire_event(status, now)], **members)
        return now

    def announce(self, arn: str, status: str, kind: str = JOB) -> None:
        """Put an event on the bus."""
        self.bus.put(kind, jobArn=arn, status=status)


@pytest.fixture
def site(moto: str, tmp_path: Path) -> Iterator[Site]:
    with SimulatorServer(World(), clock=time.time) as server:
        made = Site(server, moto, tmp_path / "exporter.yaml")
        yield made
        made.bus.close()


def receiving(exporter: Daemon) -> bool:
    return exporter.value("braket_exporter_event_queue_up") == 1.0


def outcome(exporter: Daemon, name: str, kind: str = JOB) -> float:
    return exporter.value("braket_exporter_events_total", f'detail_type="{kind}"', f'outcome="{name}"') or 0.0


A, B = job_arn("a", REGION, ACCOUNT), job_arn("b", REGION, ACCOUNT)


def test_an_event_on_the_bus_shows_the_end_of_its_job_long_before_the_next_poll(site: Site) -> None:
    site.put(A, "RUNNING")
    with daemon("run", "--config", site.configure(), env=site.env) as exporter:
        eventually(lambda: exporter.value("braket_job_status", A, '"RUNNING"') == 1.0)
        eventually(lambda: receiving(exporter))
        site.end(A)
        began = time.monotonic()
        site.announce(A, "FAILED")
        eventually(lambda: exporter.value("braket_job_status", A, '"FAILED"') == 1.0)
        assert time.monotonic() - began < 60.0  # the poll interval is 5 minutes
        (line,) = exporter.logged("job_transition")
        assert (line["from_status"], line["to_status"]) == ("RUNNING", "FAILED")
        eventually(lambda: site.bus.left() == 0)
        assert outcome(exporter, "applied") == 1.0
        assert exporter.value("braket_exporter_transitions_found_total", '"event"') == 1.0
        assert exporter.value("braket_exporter_transitions_found_total", '"poll"') == 0.0
        assert exporter.value("braket_exporter_event_delay_seconds_count") == 1.0
        assert (exporter.value("braket_exporter_api_requests_total", '"ReceiveMessage"', '"ok"') or 0.0) >= 1.0
        assert exporter.stop() == 0


def test_a_new_job_is_found_by_its_event(site: Site) -> None:
    with daemon("run", "--config", site.configure(), env=site.env) as exporter:
        eventually(lambda: receiving(exporter))
        eventually(lambda: exporter.get("/-/ready").status == 200)
        created = round(time.time(), 3)
        site.put(B, "QUEUED", created, startedAt=None)
        site.announce(B, "QUEUED")
        eventually(lambda: exporter.value("braket_job_status", B, '"QUEUED"') == 1.0)
        (line,) = exporter.logged("job_transition", job_arn=B)
        assert (line["from_status"], line["to_status"]) == (None, "QUEUED")
        eventually(lambda: site.bus.left() == 0)
        assert exporter.stop() == 0


def test_messages_that_nobody_can_use_are_counted_and_deleted(site: Site) -> None:
    bodies = ["no JSON", "[]", "{}", "x" * 200_000, json.dumps({"detail-type": JOB, "source": "aws.braket"})]
    site.put(A, "RUNNING")
    with daemon("run", "--config", site.configure(), env=site.env) as exporter:
        eventually(lambda: receiving(exporter))
        eventually(lambda: exporter.value("braket_job_status", A, '"RUNNING"') == 1.0)  # so the account is known
        for body in bodies:
            site.sqs.send_message(QueueUrl=site.queue_url, MessageBody=body)
        site.announce(job_arn("a", "eu-west-2", ACCOUNT), "FAILED")
        site.announce(job_arn("a", REGION, "210987654321"), "FAILED")
        site.announce(A, "FAILED", "Braket Task State Change")
        eventually(lambda: site.bus.left() == 0)
        eventually(lambda: outcome(exporter, "foreign") == 2.0)
        eventually(lambda: outcome(exporter, "unselected", "Braket Task State Change") == 1.0)
        assert outcome(exporter, "malformed", "other") == len(bodies) - 1
        assert outcome(exporter, "malformed", JOB) == 1
        assert exporter.logs("poll_failed") == []
        assert exporter.stop() == 0


def test_a_queue_that_is_deleted_is_logged_and_the_polls_continue(site: Site) -> None:
    site.put(A, "RUNNING")
    with daemon("run", "--config", site.configure(poll_interval="1s"), env=site.env, prelude=HASTY) as exporter:
        eventually(lambda: receiving(exporter))
        site.sqs.delete_queue(QueueUrl=site.queue_url)
        (line,) = exporter.logged("event_queue_failing")
        assert (line["queue"], line["operation"]) == (site.queue_url, "ReceiveMessage")
        assert line["retry_in_seconds"] > 0.0
        eventually(lambda: exporter.value("braket_exporter_event_queue_up") == 0.0)
        site.end(A)
        eventually(lambda: exporter.value("braket_job_status", A, '"FAILED"') == 1.0)
        assert exporter.value("braket_exporter_target_up") == 1.0
        site.sqs.create_queue(QueueName=site.bus.name)
        exporter.logged("event_queue_recovered", queue=site.queue_url)
        eventually(lambda: receiving(exporter))
        assert exporter.stop() == 0


def test_commands_that_poll_once_leave_the_messages_alone(site: Site) -> None:
    site.put(A, "RUNNING")
    site.announce(A, "RUNNING")
    config = site.configure()
    for command in ("once", "jobs"):
        ended = run(command, "--config", config, env=site.env)
        assert ended.returncode == 0, ended.stderr
        assert "braket_exporter_event" not in ended.stdout
    assert site.bus.left() == 1


def test_a_reload_adds_and_removes_the_queue(site: Site) -> None:
    site.put(A, "RUNNING")
    config = site.configure(event_queue_url=None)
    with daemon("run", "--config", config, env=site.env) as exporter:
        eventually(lambda: exporter.value("braket_job_status", A, '"RUNNING"') == 1.0)
        assert not any(line.startswith("braket_exporter_event") for line in exporter.samples)
        site.configure()
        assert fetch(exporter.address, "/-/reload", method="POST").text == "Reloaded.\n"
        eventually(lambda: receiving(exporter))
        site.end(A)
        site.announce(A, "FAILED")
        eventually(lambda: exporter.value("braket_job_status", A, '"FAILED"') == 1.0)
        site.configure(event_queue_url=None)
        assert fetch(exporter.address, "/-/reload", method="POST").text == "Reloaded.\n"
        eventually(lambda: not any(line.startswith("braket_exporter_event_queue") for line in exporter.samples))
        assert exporter.stop() == 0


@pytest.mark.parametrize("seed", range(2))
def test_nothing_is_lost_or_counted_twice_if_the_exporter_is_killed_between_receipt_and_deletion(
    site: Site, seed: int
) -> None:
    chance, state = Random(seed), str(site.file.with_suffix(".sqlite"))
    config = site.configure(state_file=state)
    jobs = [job_arn(f"{number}", REGION, ACCOUNT) for number in range(5)]
    for arn in jobs:
        site.put(arn, "RUNNING")
    lines: list[dict[str, Any]] = []
    with daemon("run", "--config", config, env=site.env, prelude=PROMPT) as first:
        eventually(lambda: first.value("braket_jobs", '"RUNNING"') == len(jobs))
        assert first.stop() == 0
    for arn in jobs:
        with daemon("run", "--config", config, env=site.env, prelude=PROMPT) as exporter:
            site.end(arn)
            site.announce(arn, "FAILED")
            time.sleep(chance.uniform(0.0, 0.4))  # the kill comes at any moment
            exporter.process.send_signal(signal.SIGKILL)
            exporter.process.wait()
            exporter.end()
            lines += exporter.logs("job_transition")
    with daemon("run", "--config", config, env=site.env, prelude=PROMPT) as last:
        eventually(lambda: last.value("braket_job_outcomes_total", 'outcome="FAILED"') == len(jobs), 60)
        eventually(lambda: site.bus.left() == 0)
        assert last.value("braket_job_transitions_total", 'to_status="FAILED"') == len(jobs)
        assert last.stop() == 0
    lines += last.logs("job_transition")
    ids = Counter(line["transition_id"] for line in lines)
    assert {line["job_arn"] for line in lines} == set(jobs)
    assert len(ids) == len(jobs)  # a killed process may write a line again, with the same ID
