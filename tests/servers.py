"""Real servers beside the exporter: Prometheus, and whatever else says that it is ready on /-/ready."""

import json
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from urllib.parse import urlencode

from processes import closed_port, eventually, fetch, tool


@contextmanager
def serving(address: str, log: Path, *command: str) -> Iterator["subprocess.Popen[bytes]"]:
    """Run a server until it is ready, and kill it at the end."""
    with log.open("wb") as output, subprocess.Popen(command, stdout=output, stderr=output) as process:
        try:
            eventually(lambda: is_ready(address) or process.poll() is not None, 60)
            assert process.poll() is None, log.read_text()
            yield process
        finally:
            process.kill()


def is_ready(address: str) -> bool:
    try:
        return fetch(address, "/-/ready").status == 200
    except OSError:
        return False


@dataclass
class Prometheus:
    """A running Prometheus.

    Attributes:
        address: where it listens.
        process: the process.
    """

    address: str
    process: "subprocess.Popen[bytes]"

    def ask(self, path: str, **parameters: str) -> Any:
        """Ask its HTTP API."""
        answer = fetch(self.address, f"/api/v1/{path}?{urlencode(parameters)}")
        assert answer.status == 200, answer.text
        return json.loads(answer.body)["data"]

    def query(self, expression: str) -> list[tuple[dict[str, str], float]]:
        """Return the labels and the value of each sample of an instant query."""
        found = self.ask("query", query=expression)["result"]
        return [(sample["metric"], float(sample["value"][1])) for sample in found]


@contextmanager
def prometheus_with(config: Path, folder: Path, *options: str) -> Iterator[Prometheus]:
    """Run a Prometheus with a configuration file, and its data in a folder."""
    address = f"127.0.0.1:{closed_port()}"
    command = (
        tool("prometheus"),
        f"--config.file={config}",
        f"--storage.tsdb.path={folder / 'prometheus'}",
        f"--web.listen-address={address}",
        *options,
    )
    with serving(address, folder / "prometheus.log", *command) as process:
        yield Prometheus(address, process)
