"""The exporter as a real process: started, watched through its log lines and its HTTP, and always ended.

Beside it, what the end-to-end tests share: conditions with deadlines, Braket's JSON, and tools that may be missing.
"""

import http.client
import json
import os
import shutil
import signal
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import IO, Any, TypeVar

import pytest

T = TypeVar("T")

PATIENCE = 60.0
"""The longest wait for a process, seconds; long, since two busy cores run everything many times slower."""

FAST = ("--poll-interval", "0.1s", "--api-requests-per-second", "200")
LOCAL = ("--listen-address", "127.0.0.1:0", "--log-format", "json")

WITHOUT_DEVICES = {"BRAKET_EXPORTER_DEVICE_METRICS": "off", "BRAKET_EXPORTER_SPENDING_LIMITS": "off"}
WITH_DEVICES = dict.fromkeys(WITHOUT_DEVICES)
"""Changes of the environment: whether devices and spending limits are polled."""

PATIENT = "import exporter.aws.sdk_session; exporter.aws.sdk_session.READ_TIMEOUT = 1.0"
"""Run before the exporter: a hanging call is given up soon."""

HASTY = f"{PATIENT}; import exporter.polling.retry_policy as policy; policy.MAX_TARGET_BACKOFF = 0.2"
"""Run before the exporter: beside that, a failing target is soon asked again."""

# 2025-06-15T15:06:40Z: long before any exporter of a test starts.
LONG_AGO = 1_750_000_000.0
SV1 = "arn:aws:braket:::device/quantum-simulator/amazon/sv1"
GARNET = "arn:aws:braket:eu-north-1::device/qpu/iqm/Garnet"


def eventually(predicate: Callable[[], T | None], timeout: float = PATIENCE) -> T:
    """Evaluate until the value is true, and return it; fail after ``timeout`` seconds."""
    deadline = time.monotonic() + timeout
    while True:
        if answer := predicate():
            return answer
        assert time.monotonic() < deadline, f"not within {timeout:g} s: {predicate}"
        time.sleep(0.02)


def environment(changes: Mapping[str, str | None] | None = None) -> dict[str, str]:
    """Copy this process's environment, without what would lead to AWS or to a proxy; ``None`` takes a variable away."""
    kept = {name: value for name, value in os.environ.items() if not _leads_astray(name)}
    usual: dict[str, str | None] = {
        "AWS_ACCESS_KEY_ID": "AKIDEXAMPLE",
        "AWS_SECRET_ACCESS_KEY": "secret",
        "AWS_CONFIG_FILE": os.devnull,
        "AWS_SHARED_CREDENTIALS_FILE": os.devnull,
        "AWS_EC2_METADATA_DISABLED": "true",
        "PYTHONFAULTHANDLER": "1",
    }
    wanted = {**usual, **(changes or {})}
    return {**kept, **{name: value for name, value in wanted.items() if value is not None}}


def _leads_astray(name: str) -> bool:
    return (
        name.startswith(("AWS_", "BRAKET_EXPORTER_")) or name.lower().endswith("_proxy") or name == "PYTHONUNBUFFERED"
    )


def command(*arguments: str, prelude: str = "") -> list[str]:
    """Write the command line of an exporter; ``prelude`` is Python that breaks something first."""
    if prelude:
        return [sys.executable, "-c", f"{prelude}\nfrom exporter.__main__ import main\nmain()", *arguments]
    return [sys.executable, "-m", "exporter", *arguments]


def run(
    *arguments: str, env: Mapping[str, str | None] | None = None, prelude: str = "", timeout: float = 2 * PATIENCE
) -> "subprocess.CompletedProcess[str]":
    """Run an exporter to its end."""
    return subprocess.run(
        command(*arguments, prelude=prelude),
        env=environment(env),
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        timeout=timeout,
        check=False,
    )


@dataclass(frozen=True)
class Answer:
    status: int
    headers: dict[str, str]
    body: bytes

    @property
    def text(self) -> str:
        return self.body.decode()

    @property
    def samples(self) -> list[str]:
        return samples_of(self.text)


def samples_of(page: str) -> list[str]:
    """Pick the sample lines of an exposition."""
    return [line for line in page.split("\n") if line and not line.startswith("#")]


def fetch(address: str, path: str, headers: Mapping[str, str] | None = None, method: str = "GET") -> Answer:
    """Make one HTTP request to ``HOST:PORT``."""
    connection = http.client.HTTPConnection(address, timeout=PATIENCE)
    try:
        connection.request(method, path, headers=dict(headers or {}))
        answer = connection.getresponse()
        return Answer(answer.status, dict(answer.getheaders()), answer.read())
    finally:
        connection.close()


@dataclass
class Daemon:
    """A running exporter."""

    process: "subprocess.Popen[str]"
    lines: list[str] = field(default_factory=list)
    _reader: threading.Thread | None = None

    def read_from(self, stream: IO[str]) -> None:
        self._reader = threading.Thread(target=lambda: self.lines.extend(map(str.rstrip, stream)), daemon=True)
        self._reader.start()

    def logs(self, event: str, **fields: object) -> list[dict[str, Any]]:
        """Pick the log lines of an event that have the given fields."""
        lines = (json.loads(line) for line in self.lines[:] if line.startswith("{"))
        return [line for line in lines if line.get("event") == event and fields.items() <= line.items()]

    def logged(self, event: str, count: int = 1, **fields: object) -> list[dict[str, Any]]:
        """Wait for that many log lines: a line may be written after the response to a request."""
        eventually(lambda: len(self.logs(event, **fields)) >= count or self.process.poll() is not None)
        return self.logs(event, **fields)

    @property
    def address(self) -> str:
        return str(self.logs("started")[0]["listen_address"])

    def get(self, path: str, headers: Mapping[str, str] | None = None) -> Answer:
        return fetch(self.address, path, headers)

    @property
    def samples(self) -> list[str]:
        """Scrape it, and pick the sample lines."""
        return self.get("/metrics").samples

    def value(self, name: str, *labels: str) -> float | None:
        """Scrape it, and pick the one sample of that name whose line has all of these labels."""
        found = [
            line
            for line in self.samples
            if line.partition("{")[0].partition(" ")[0] == name and all(label in line for label in labels)
        ]
        assert len(found) < 2, found
        return float(found[0].rpartition(" ")[2]) if found else None

    def has(self, *lines: str) -> bool:
        """Scrape it, and tell whether every line is there."""
        return set(lines) <= set(self.samples)

    def stop(self, number: signal.Signals = signal.SIGTERM, within: float = PATIENCE) -> int:
        """Send a signal; return the exit status, which must come in time."""
        self.process.send_signal(number)
        return self.wait(within)

    def wait(self, within: float = PATIENCE) -> int:
        """Return the exit status, which must come in time; otherwise fail with the stacks of the threads."""
        try:
            status = self.process.wait(within)
        except subprocess.TimeoutExpired:
            self.process.send_signal(signal.SIGABRT)  # PYTHONFAULTHANDLER: the stacks go to stderr
            self.process.wait(PATIENCE)
            self._join()
            raise AssertionError("\n".join(["did not end; its last lines:", *self.lines[-120:]])) from None
        self._join()
        return status

    def end(self) -> None:
        """Kill it if it still runs; nothing of it is left then."""
        with suppress(ProcessLookupError):
            self.process.kill()
        self.process.wait()
        self._join()

    def _join(self) -> None:
        if self._reader is not None:
            self._reader.join(5)


@contextmanager
def daemon(
    *arguments: str, env: Mapping[str, str | None] | None = None, prelude: str = "", started: bool = True
) -> Iterator[Daemon]:
    """Start an exporter and wait for its ``started`` line; kill it at the end.

    It is asked to end first, so that its coverage is kept. Unless ``env`` contains ``WITH_DEVICES``, it polls neither
    devices nor spending limits: most tests count the calls for jobs.
    """
    with subprocess.Popen(
        command(*arguments, *LOCAL, prelude=prelude),
        env=environment({**WITHOUT_DEVICES, **(env or {})}),
        stdin=subprocess.DEVNULL,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.PIPE,
        text=True,
    ) as process:
        running = Daemon(process)
        assert process.stderr is not None
        running.read_from(process.stderr)
        try:
            if started:
                eventually(lambda: running.logs("started") or process.poll() is not None, 60)
                assert process.poll() is None, "\n".join(running.lines)
            yield running
            if process.poll() is None:
                with suppress(subprocess.TimeoutExpired):
                    running.stop()
        finally:
            running.end()


def tool(name: str) -> str:
    """Find a program; without it the test is skipped, or fails where ``CI`` is true."""
    found = shutil.which(name)
    if found is None:
        missing = f"{name} is not installed"
        if os.environ.get("CI") == "true":
            pytest.fail(missing)
        pytest.skip(missing)
    return found


def closed_port() -> int:
    """Find a port on which nothing listens."""
    with socket.create_server(("127.0.0.1", 0)) as server:
        return int(server.getsockname()[1])


def iso(time: float) -> str:
    """Write unix seconds as Braket does."""
    return datetime.fromtimestamp(time, UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")


def wire_event(kind: str, time: float, message: str = "") -> dict[str, Any]:
    return {"eventType": kind, "timeOfEvent": iso(time), "message": message}


def wire_job(arn: str, status: str, **members: Any) -> dict[str, Any]:
    """Write Braket's JSON for a job of ``LONG_AGO``, with the given members in place of the usual ones."""
    usual = {
        "jobArn": arn,
        "jobName": "vqe-h2",
        "status": status,
        "createdAt": iso(LONG_AGO),
        "roleArn": "arn:aws:iam::123456789012:role/top-secret-role",
        "hyperParameters": {"password": "hunter2"},
        "outputDataConfig": {"s3Path": "s3://secret-bucket/jobs"},
        "algorithmSpecification": {"scriptModeConfig": {"entryPoint": "a:b", "s3Uri": "s3://secret-bucket/code"}},
        "instanceConfig": {"instanceType": "ml.m5.large", "instanceCount": 1, "volumeSizeInGb": 30},
        "stoppingCondition": {"maxRuntimeInSeconds": 3600},
        "deviceConfig": {"device": SV1},
        "events": [],
        "queueInfo": {"queue": "JOBS_QUEUE", "position": "None"},
        "tags": {},
    }
    return {name: value for name, value in {**usual, **members}.items() if value is not None}
