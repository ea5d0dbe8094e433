"""From a job's end in Braket to a message: real processes of every part, with the sample configurations of the docs."""

import re
import signal
import subprocess
import sys
import time
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any, NamedTuple

import pytest
from messages import (
    ALERTMANAGER_SAMPLE,
    PROMETHEUS_SAMPLE,
    Follower,
    Webhook,
    alertmanager_to,
    prometheus_of,
    receiving,
)
from processes import FAST, Daemon, daemon, eventually, iso, tool, wire_event, wire_job

from exporter.simulator import ScriptedJob, SimulatorServer, World, job_arn

FAILED, OUT_OF_TIME = "BraketJobFailed", "BraketJobMaxRuntimeExceeded"


def test_promtool_accepts_the_sample_configuration() -> None:
    run(tool("promtool"), "check", "config", str(PROMETHEUS_SAMPLE))


def test_amtool_accepts_the_sample_configuration() -> None:
    run(tool("amtool"), "check-config", str(ALERTMANAGER_SAMPLE))


@pytest.mark.parametrize(
    ("alert", "severity", "receiver"),
    [
        (FAILED, "critical", "page-once"),
        (OUT_OF_TIME, "critical", "page-once"),
        ("BraketJobNearMaxRuntime", "warning", "chat"),
        ("BraketExporterDown", "critical", "page"),
        ("BraketExporterStale", "warning", "chat"),
    ],
)
def test_the_sample_routes_by_severity(alert: str, severity: str, receiver: str) -> None:
    sample = f"--config.file={ALERTMANAGER_SAMPLE}"
    labels = (f"alertname={alert}", f"severity={severity}", "job_arn=arn")
    assert run(tool("amtool"), "config", "routes", "test", sample, *labels).split() == [receiver]


@pytest.mark.parametrize(
    ("team", "receiver"), [("chemistry", "chemistry"), ("physics", "platform"), (None, "platform")]
)
def test_the_sample_route_sends_a_failed_job_to_its_team(team: str | None, receiver: str, tmp_path: Path) -> None:
    page = (ALERTMANAGER_SAMPLE.parent / "use" / "alerting.md").read_text(encoding="utf-8")
    (sample,) = re.findall(r"```yaml\n(# teams\.yaml\n.*?)```", page, re.DOTALL)
    config = tmp_path / "teams.yaml"
    config.write_text(sample, encoding="utf-8")
    run(tool("amtool"), "check-config", str(config))
    labels = [f"alertname={FAILED}", "severity=critical", *([f"tag_team={team}"] if team else [])]
    routed = run(tool("amtool"), "config", "routes", "test", f"--config.file={config}", *labels)
    assert routed.split() == [receiver]


def run(*command: str) -> str:
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout


class Ending(NamedTuple):
    """How a job ends, and what must be told of it."""

    status: str
    event: str
    alert: str | None


ENDINGS = {
    "failed": Ending("FAILED", "FAILED", FAILED),
    "out-of-time-completed": Ending("COMPLETED", "MAX_RUNTIME_EXCEEDED", OUT_OF_TIME),
    "out-of-time-failed": Ending("FAILED", "MAX_RUNTIME_EXCEEDED", OUT_OF_TIME),
    "out-of-time-cancelled": Ending("CANCELLED", "MAX_RUNTIME_EXCEEDED", OUT_OF_TIME),
    "completed": Ending("COMPLETED", "COMPLETED", None),
    "cancelled": Ending("CANCELLED", "CANCELLED", None),
}
TIMES = ("before", "meanwhile", "after")
"""When the exporter is killed and replaced, seen from a job's end."""

EXPECTED = {f"{name}-{time}": ending.alert for time in TIMES for name, ending in ENDINGS.items() if ending.alert}


class Braket:
    """An endpoint whose jobs run until they are told to end.

    Attributes:
        ended: when each job ended, unix seconds.
    """

    def __init__(self) -> None:
        self.ended: dict[str, float] = {}
        began = time.time() - 60
        times = {"createdAt": iso(began), "startedAt": iso(began + 5)}
        names = [f"{name}-{when}" for when in TIMES for name in ENDINGS]
        self._answers = {job_arn(name): wire_job(job_arn(name), "RUNNING", jobName=name, **times) for name in names}
        scripts = [ScriptedJob(arn, began, self._script(arn)) for arn in self._answers]
        self.server = SimulatorServer(World(scripts), clock=time.time)

    def end(self, when: str) -> list[str]:
        """End a job in each way; return the names of those that must be told."""
        now = time.time()
        for name, ending in ENDINGS.items():
            events = [wire_event(kind, now) for kind in dict.fromkeys((ending.event, ending.status))]
            end = {"status": ending.status, "endedAt": iso(now), "events": events}
            self._answers[job_arn(f"{name}-{when}")] |= end
            self.ended[f"{name}-{when}"] = now
        return [f"{name}-{when}" for name, ending in ENDINGS.items() if ending.alert]

    def _script(self, arn: str) -> Callable[[float], dict[str, Any]]:
        return lambda _: dict(self._answers[arn])


@contextmanager
def exporter_of(braket: Braket) -> Iterator[Daemon]:
    found = ("--all-jobs", "--regions", "us-east-1", "--discovery-interval", "0.2s")
    with daemon(*found, *FAST, env={"AWS_ENDPOINT_URL_BRAKET": braket.server.url}) as running:
        eventually(lambda: running.get("/-/ready").status == 200)
        yield running


@dataclass(frozen=True)
class Scene:
    """All that runs beside the exporter."""

    braket: Braket
    webhook: Webhook
    prometheus: Follower


@pytest.fixture
def scene(tmp_path: Path) -> Iterator[Scene]:
    with ExitStack() as stack:
        braket = Braket()
        stack.enter_context(braket.server)
        webhook, address = stack.enter_context(receiving())
        alertmanager = stack.enter_context(alertmanager_to(address, tmp_path))
        yield Scene(braket, webhook, stack.enter_context(prometheus_of(alertmanager, tmp_path)))


def test_each_bad_job_is_told_once_and_no_good_one_ever(scene: Scene, capsys: pytest.CaptureFixture[str]) -> None:
    braket, webhook, prometheus = scene.braket, scene.webhook, scene.prometheus
    with exporter_of(braket) as first:
        prometheus.follow(first.address)
        eventually(lambda: prometheus.query("count(braket_job_info)") == [({}, 18.0)])
        eventually(webhook.has(*braket.end("before")))
        first.stop(signal.SIGKILL)
    eventually(lambda: prometheus.query("absent(braket_job_info)"))
    meanwhile = braket.end("meanwhile")
    with exporter_of(braket) as second:
        assert second.address != first.address
        prometheus.follow(second.address)
        eventually(webhook.has(*meanwhile))
        eventually(webhook.has(*braket.end("after")))
        let_it_look_again(prometheus)

    told = Counter((message.path, message.status, message.alert, message.job) for message in webhook.messages)
    assert told == {("/page-once", "firing", alert, job): 1 for job, alert in EXPECTED.items()}
    # Not even for one evaluation was an alert interrupted, or active for another job.
    interruptions = prometheus.query('changes(ALERTS_FOR_STATE{alertname=~"BraketJob.+"}[10m])')
    assert {(metric["alertname"], metric["job_name"]): value for metric, value in interruptions} == {
        (alert, job): 0.0 for job, alert in EXPECTED.items()
    }
    with capsys.disabled():
        sys.stdout.write(f"\n{report(webhook, braket)}\n")


def let_it_look_again(prometheus: Follower) -> None:
    """Wait for three more evaluations of the rules, of which each would send what it has to say."""
    for _ in range(3):
        eventually(partial(prometheus.has_looked_since, prometheus.last_look()))


def report(webhook: Webhook, braket: Braket) -> str:
    seconds = {message.job: message.arrived - braket.ended[message.job] for message in webhook.messages}
    return "seconds from the end in Braket to the webhook:\n" + "\n".join(
        f"{seconds[job]:7.2f}  {job}" for job in sorted(seconds, key=lambda job: braket.ended[job])
    )
