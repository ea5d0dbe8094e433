"""The rules in real Prometheus servers: an exporter that stops and starts, two servers, a lost shard."""

import json
import signal
import time
from collections import Counter
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import Any

from messages import RULES, Follower, Webhook, alertmanager_to, prometheus_of, receiving
from processes import FAST, Daemon, daemon, eventually, iso, wire_event, wire_job
from servers import Prometheus, prometheus_with

from exporter.simulator import ScriptedJob, SimulatorServer, World, job_arn

RUNNING_NAMES = [f"near-{number}" for number in range(6)]
HOUR = 3600.0


class Braket:
    """An endpoint with jobs that have run for 90 % of two hours, or wait for two days, until they end."""

    def __init__(self) -> None:
        now = time.time()
        begun = {"createdAt": iso(now - 2 * HOUR), "startedAt": iso(now - 1.8 * HOUR)}
        limit = {"stoppingCondition": {"maxRuntimeInSeconds": 7200}}
        waiting = {"createdAt": iso(now - 48 * HOUR)}
        self._answers = {
            name: wire_job(job_arn(name), "RUNNING", jobName=name, **begun, **limit) for name in RUNNING_NAMES
        } | {name: wire_job(job_arn(name), "QUEUED", jobName=name, **waiting) for name in ("waits", "waits-long")}
        scripts = [ScriptedJob(job_arn(name), now - 48 * HOUR, self._script(name)) for name in self._answers]
        self.server = SimulatorServer(World(scripts), clock=time.time)

    def end(self, *names: str, status: str = "COMPLETED") -> None:
        now = time.time()
        for name in names:
            self._answers[name] |= {"status": status, "endedAt": iso(now), "events": [wire_event(status, now)]}

    def _script(self, name: str) -> Any:
        return lambda _: dict(self._answers[name])


@contextmanager
def exporter_of(braket: Braket) -> Iterator[Daemon]:
    found = ("--all-jobs", "--regions", "us-east-1", "--discovery-interval", "0.2s")
    with daemon(*found, *FAST, env={"AWS_ENDPOINT_URL_BRAKET": braket.server.url}) as running:
        eventually(lambda: running.get("/-/ready").status == 200)
        yield running


def sent(webhook: Webhook) -> Counter[tuple[str, str]]:
    return Counter((message.alert, message.job) for message in webhook.messages)


def wait_for_evaluations(prometheus: Follower, number: int = 2) -> None:
    for _ in range(number):
        look = prometheus.last_look()
        eventually(lambda look=look: prometheus.has_looked_since(look))  # type: ignore[misc]


def test_an_exporter_that_stops_and_starts_again_and_again_sends_no_message_twice_and_none_of_ended_jobs(
    tmp_path: Path,
) -> None:
    expected = {("BraketJobNearMaxRuntime", name): 1 for name in RUNNING_NAMES}
    expected |= {("BraketJobStuckInQueue", name): 1 for name in ("waits", "waits-long")}
    with ExitStack() as stack:
        braket = Braket()
        stack.enter_context(braket.server)
        webhook, address = stack.enter_context(receiving())
        alertmanager = stack.enter_context(alertmanager_to(address, tmp_path))
        prometheus = stack.enter_context(prometheus_of(alertmanager, tmp_path))
        # In each round, one job ends before the stop, and one while no exporter runs.
        for number, (before, meanwhile) in enumerate(zip(RUNNING_NAMES[::2], RUNNING_NAMES[1::2], strict=True)):
            with exporter_of(braket) as running:
                prometheus.follow(running.address)
                eventually(lambda: sent(webhook) == expected)
                braket.end(before)
                ended = f"count(braket_job_ended_timestamp_seconds) == {2 * number + 1}"
                eventually(lambda ended=ended: prometheus.query(ended))  # type: ignore[misc]
                wait_for_evaluations(prometheus)
                running.stop(signal.SIGKILL)
            eventually(lambda: prometheus.query("absent(braket_job_info)"))
            braket.end(meanwhile)
            wait_for_evaluations(prometheus)
        with exporter_of(braket) as running:
            prometheus.follow(running.address)
            eventually(lambda: prometheus.query("count(braket_job_ended_timestamp_seconds) == 6"))
            wait_for_evaluations(prometheus)
            firing = prometheus.query('ALERTS{alertstate="firing"}')
        assert sorted(metric["job_name"] for metric, _ in firing) == ["waits", "waits-long"]
        assert sent(webhook) == expected


def rules_in(folder: Path, **changes: str) -> Path:
    """Copy the rules, with changes of their texts."""
    copy = folder / "rules"
    copy.mkdir()
    for path in RULES.glob("*.yaml"):
        text = path.read_text(encoding="utf-8")
        for old, new in changes.items():
            text = text.replace(old, new)
        (copy / path.name).write_text(text, encoding="utf-8")
    return copy


@contextmanager
def prometheus_in(folder: Path, rules: Path, name: str, *scrapes: dict[str, Any]) -> Iterator[Prometheus]:
    folder.mkdir()
    config = {
        "global": {"scrape_interval": "1s", "evaluation_interval": "1s", "external_labels": {"prometheus": name}},
        "rule_files": [f"{rules}/*.yaml"],
        "scrape_configs": [{**scrape, "honor_labels": True} for scrape in scrapes],
    }
    path = folder / "prometheus.yaml"
    path.write_text(json.dumps(config), encoding="utf-8")
    with prometheus_with(path, folder) as prometheus:
        yield prometheus


def scrape_of(*addresses: str, **more: Any) -> dict[str, Any]:
    return {"job_name": "braket-exporter", "static_configs": [{"targets": [*addresses]}], **more}


def firing_in(prometheus: Prometheus) -> Counter[tuple[str, str]]:
    found = prometheus.query('ALERTS{alertstate="firing",alertname=~"BraketJob.*",prometheus=""}')
    return Counter((metric["alertname"], metric["job_name"]) for metric, _ in found)


def problems_of(prometheus: Prometheus) -> list[str]:
    groups = prometheus.ask("rules")["groups"]
    return [rule["lastError"] for group in groups for rule in group["rules"] if rule["health"] == "err"]


def test_a_second_prometheus_that_federates_the_first_and_has_the_same_rules_has_the_same_alerts(
    tmp_path: Path,
) -> None:
    braket = Braket()
    expected = Counter({("BraketJobNearMaxRuntime", name): 1 for name in RUNNING_NAMES[2:]})
    expected |= Counter({("BraketJobStuckInQueue", name): 1 for name in ("waits", "waits-long")})
    expected[("BraketJobFailed", RUNNING_NAMES[0])] = 1
    federated = {
        "metrics_path": "/federate",
        "params": {"match[]": ['{__name__=~".+:.+:.+"}', '{__name__=~"braket_.*"}']},
    }
    with braket.server, exporter_of(braket) as running, ExitStack() as stack:
        first = stack.enter_context(prometheus_in(tmp_path / "first", RULES, "first", scrape_of(running.address)))
        scrapes = (scrape_of(running.address), scrape_of(first.address, **{**federated, "job_name": "first"}))
        second = stack.enter_context(prometheus_in(tmp_path / "second", RULES, "second", *scrapes))
        copied = 'count({__name__="job_arn:braket_job_queued_seconds:stuck",prometheus="first"}) == 2'
        eventually(lambda: second.query(copied))
        braket.end(RUNNING_NAMES[0], status="FAILED")
        braket.end(RUNNING_NAMES[1])
        for prometheus in (first, second):
            eventually(lambda prometheus=prometheus: firing_in(prometheus) == expected)  # type: ignore[misc]
            assert problems_of(prometheus) == []
        # The recorded failure of the first is in view of the second, and still each alert is one.
        failed = '{__name__="job_arn:braket_job_failed_timestamp_seconds:max",prometheus="first"}'
        eventually(lambda: second.query(failed))
        time.sleep(2)
        assert firing_in(second) == expected
        assert problems_of(second) == []


REGIONS = ("us-east-1", "us-west-1", "us-west-2", "eu-north-1", "eu-west-2")


def test_the_loss_of_a_shard_is_reported_for_each_of_its_targets_and_for_no_other(tmp_path: Path) -> None:
    rules = rules_in(tmp_path, **{"for: 10m": "for: 2s"})
    braket = Braket()
    with braket.server, ExitStack() as stack:
        env = {"AWS_ENDPOINT_URL_BRAKET": braket.server.url}
        jobs = ",".join(job_arn("1", region=region) for region in REGIONS)
        shards = [
            stack.enter_context(daemon("--jobs", jobs, "--shard", str(number), "--total-shards", "2", *FAST, env=env))
            for number in range(2)
        ]
        addresses = [shard.address for shard in shards]
        prometheus = stack.enter_context(prometheus_in(tmp_path / "data", rules, "one", scrape_of(*addresses)))
        eventually(lambda: prometheus.query(f"count(braket_exporter_target_up) == {len(REGIONS)}"))
        of_the_second = f'braket_exporter_target_up{{instance="{addresses[1]}"}}'
        lost = {metric["aws_region"] for metric, _ in prometheus.query(of_the_second)}
        assert 0 < len(lost) < len(REGIONS)
        shards[1].stop(signal.SIGKILL)
        missing = 'ALERTS{alertstate="firing",alertname="BraketExporterTargetMissing"}'
        eventually(lambda: len(prometheus.query(missing)) >= len(lost))
        time.sleep(2)
        alerts = [alert for alert in prometheus.ask("alerts")["alerts"] if alert["state"] == "firing"]
    texts = {
        alert["annotations"]["summary"]
        for alert in alerts
        if alert["labels"]["alertname"] == "BraketExporterTargetMissing"
    }
    assert texts == {f"No braket-exporter polls 123456789012 in {region}" for region in lost}
