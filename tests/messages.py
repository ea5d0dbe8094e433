"""Prometheus and Alertmanager with the sample configurations of the docs, and a webhook that keeps the messages."""

import json
import signal
import threading
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import NamedTuple

from processes import closed_port, tool
from servers import Prometheus, prometheus_with, serving

ROOT = Path(__file__).parents[1]
RULES = ROOT / "helm" / "braket-exporter" / "rules"
PROMETHEUS_SAMPLE = ROOT / "docs" / "prometheus.yaml"
ALERTMANAGER_SAMPLE = ROOT / "docs" / "alertmanager.yaml"


class Message(NamedTuple):
    """One alert in one call of the webhook."""

    path: str
    status: str
    alert: str
    job: str
    arrived: float


@dataclass
class Webhook:
    """Keeps every message that it is sent."""

    messages: list[Message] = field(default_factory=list)

    def take(self, path: str, body: bytes) -> None:
        for alert in json.loads(body)["alerts"]:
            labels = alert["labels"]
            message = Message(path, alert["status"], labels["alertname"], labels.get("job_name", ""), time.time())
            self.messages.append(message)

    def has(self, *jobs: str) -> Callable[[], bool]:
        return lambda: {*jobs} <= {message.job for message in self.messages}


@contextmanager
def receiving() -> Iterator[tuple[Webhook, str]]:
    webhook = Webhook()

    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            webhook.take(self.path, self.rfile.read(int(self.headers["Content-Length"])))
            self.send_response(200)
            self.end_headers()

        def log_message(self, *_: object) -> None:
            pass

    with ThreadingHTTPServer(("127.0.0.1", 0), Handler) as server:
        thread = threading.Thread(target=server.serve_forever, args=(0.02,))
        thread.start()
        try:
            yield webhook, f"127.0.0.1:{server.server_port}"
        finally:
            server.shutdown()
            thread.join()


def adapted(sample: Path, changes: Mapping[str, str]) -> str:
    """Change a sample's addresses, paths and intervals, each of which must be there."""
    text = sample.read_text(encoding="utf-8")
    for old, new in changes.items():
        assert old in text, f"{sample.name} has no {old}"
        text = text.replace(old, new)
    return text


class Follower(NamedTuple):
    """A Prometheus with the sample configuration."""

    config: Path
    alertmanager: str
    prometheus: Prometheus

    def follow(self, exporter: str) -> None:
        """Have it read a configuration with another exporter in it."""
        configure(self.config, exporter, self.alertmanager)
        self.prometheus.process.send_signal(signal.SIGHUP)

    def query(self, expression: str) -> list[tuple[dict[str, str], float]]:
        return self.prometheus.query(expression)

    def last_look(self) -> str:
        """Return when the rules on jobs were last evaluated."""
        groups = self.prometheus.ask("rules")["groups"]
        return str(next(group["lastEvaluation"] for group in groups if group["name"] == "braket-jobs"))

    def has_looked_since(self, look: str) -> bool:
        return self.last_look() != look


def configure(config: Path, exporter: str, alertmanager: str) -> None:
    changes = {
        "scrape_interval: 15s": "scrape_interval: 2s",
        "evaluation_interval: 15s": "evaluation_interval: 1s",
        "../helm/braket-exporter/rules": str(RULES),
        "localhost:9093": alertmanager,
        "localhost:9834": exporter,
    }
    config.write_text(adapted(PROMETHEUS_SAMPLE, changes), encoding="utf-8")


@contextmanager
def prometheus_of(alertmanager: str, folder: Path) -> Iterator[Follower]:
    config = folder / "prometheus.yaml"
    configure(config, f"127.0.0.1:{closed_port()}", alertmanager)
    with prometheus_with(config, folder) as prometheus:
        yield Follower(config, alertmanager, prometheus)


@contextmanager
def alertmanager_to(webhook: str, folder: Path) -> Iterator[str]:
    # Looking at the groups every second, it would report at once what one unbroken alert does not hold.
    changes = {
        "localhost:9095": webhook,
        "group_interval: 1h": "group_interval: 1s",
        "group_wait: 30s": "group_wait: 1s",
    }
    config = folder / "alertmanager.yaml"
    config.write_text(adapted(ALERTMANAGER_SAMPLE, changes), encoding="utf-8")
    address = f"127.0.0.1:{closed_port()}"
    command = (
        tool("prometheus-alertmanager"),
        f"--config.file={config}",
        f"--storage.path={folder / 'alertmanager'}",
        f"--web.listen-address={address}",
        "--cluster.listen-address=",
    )
    with serving(address, folder / "alertmanager.log", *command):
        yield address
