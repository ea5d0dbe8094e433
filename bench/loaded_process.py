"""An exporter as a real process under load: scrapes and probes beside its work, its CPU time and its log lines.

The process runs the source tree whose path is given, so an older tree can be measured with the same script.
"""

import gzip
import http.client
import json
import multiprocessing
import os
import resource
import signal
import subprocess
import sys
import tempfile
import threading
import time
from collections import Counter
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from multiprocessing.connection import Connection
from pathlib import Path
from typing import Any

from installed import environment
from restart import fleet

from exporter.simulator import SimulatorServer, World

PROBE_TIMEOUT = 5.0
"""The timeout of the chart's liveness probe, seconds."""

SCRAPE_TIMEOUT = 120.0
SCRAPE_INTERVAL = 0.5
PROBE_INTERVAL = 0.1
TICKS = os.sysconf("SC_CLK_TCK")

WRITE_STATE = """
import sys, restart
now = float(sys.argv[4])
restart.write_state(sys.argv[1], restart.fleet(int(sys.argv[2]), int(sys.argv[3]), now), now)
"""


@dataclass(slots=True)
class Seen:
    """What scrapes and probes saw, and what the work took.

    Attributes:
        cpu: the CPU seconds of the process.
        slowest_scrape: seconds.
        probes: the number of probes of /-/healthy.
        failed: how many of them got no 200 in time.
        note: further results.
    """

    cpu: float = 0.0
    slowest_scrape: float = 0.0
    probes: int = 0
    failed: int = 0
    note: str = ""


@dataclass
class Process:
    """A running exporter.

    Attributes:
        process: the process.
        config: its settings file.
        events: the number of its log lines by event.
        forgotten: the ARN of each job_forgotten line.
        ended: the transition ID of each job_transition line.
    """

    process: "subprocess.Popen[str]"
    config: Path
    events: Counter[str] = field(default_factory=Counter)
    forgotten: list[str] = field(default_factory=list)
    ended: list[str] = field(default_factory=list)
    address: str = ""
    _reader: threading.Thread | None = None

    def read_log(self) -> None:
        """Read the log in a thread."""
        self._reader = threading.Thread(target=self._read, daemon=True)
        self._reader.start()

    def _read(self) -> None:
        assert self.process.stderr is not None
        for text in self.process.stderr:
            if not text.startswith("{") or not text.endswith("}\n"):
                sys.stderr.write(text)
                continue
            line = json.loads(text)
            if line["event"] == "job_forgotten":
                self.forgotten.append(line["job_arn"])
            elif line["event"] == "job_transition":
                self.ended.append(line["transition_id"])
            elif line["event"] == "started":
                self.address = line["listen_address"]
            self.events[line["event"]] += 1

    def cpu(self) -> float:
        """Return the CPU seconds so far."""
        values = Path(f"/proc/{self.process.pid}/stat").read_text(encoding="utf-8").rpartition(") ")[2].split()
        return (int(values[11]) + int(values[12])) / TICKS

    def get(self, path: str, timeout: float) -> tuple[int, bytes]:
        """Make a request; return the status and the body, compressed."""
        connection = http.client.HTTPConnection(self.address, timeout=timeout)
        try:
            connection.request("GET", path, headers={"Accept-Encoding": "gzip"})
            response = connection.getresponse()
            return response.status, response.read()
        finally:
            connection.close()

    def samples(self, name: str) -> list[float]:
        """Return the values of a metric without the jobs' series."""
        body = self.get(f"/metrics?name[]={name}", SCRAPE_TIMEOUT)[1]
        text = gzip.decompress(body).decode() if body.startswith(b"\x1f\x8b") else body.decode()
        return [float(line.rpartition(" ")[2]) for line in text.splitlines() if line.startswith(f"{name}{{")]

    def jobs(self) -> int:
        """Return the number of jobs of all targets, active or finished."""
        return int(sum(self.samples("braket_exporter_target_jobs")))

    def reload(self, settings: Mapping[str, Any]) -> None:
        """Change the settings file, and have it read."""
        self.config.write_text(json.dumps(settings), encoding="utf-8")
        self.process.send_signal(signal.SIGHUP)

    def limit_files(self, size: int) -> None:
        """Limit the size of files: a write beyond it fails, as on a full disk."""
        resource.prlimit(self.process.pid, resource.RLIMIT_FSIZE, (size, resource.RLIM_INFINITY))

    def end(self, number: signal.Signals, within: float = SCRAPE_TIMEOUT) -> float:
        """Send a signal; return the seconds until the process has ended."""
        began = time.monotonic()
        self.process.send_signal(number)
        try:
            self.process.wait(within)
        except subprocess.TimeoutExpired:
            self.process.kill()
            self.process.wait()
        took = time.monotonic() - began
        if self._reader is not None:
            self._reader.join()
        return took


@contextmanager
def running(tree: Path, url: str, settings: Mapping[str, Any], prelude: str = "pass") -> Iterator[Process]:
    """Run the exporter of a tree. The prelude is Python that runs first."""
    with tempfile.TemporaryDirectory() as folder:
        config = Path(folder, "config.yaml")
        config.write_text(json.dumps(settings), encoding="utf-8")
        process = subprocess.Popen(
            [sys.executable, "-c", f"{prelude}\nfrom exporter.__main__ import main\nmain()", "--config", str(config)],
            cwd=folder,
            env=environment(url) | {"PYTHONPATH": str(tree), "PYTHONDONTWRITEBYTECODE": ""},
            stdin=subprocess.DEVNULL,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.PIPE,
            text=True,
        )
        exporter = Process(process, config)
        exporter.read_log()
        try:
            yield exporter
        finally:
            process.kill()
            process.wait()


def wait_until(condition: Callable[[], bool], timeout: float, interval: float = 0.1) -> bool:
    """Wait for a condition; return whether it came in time."""
    deadline = time.monotonic() + timeout
    while not condition():
        if time.monotonic() > deadline:
            return False
        time.sleep(interval)
    return True


@contextmanager
def beside_scrapes(exporter: Process) -> Iterator[Seen]:
    """Scrape and probe the exporter while the block runs."""
    seen, done, began = Seen(), threading.Event(), exporter.cpu()
    threads = [threading.Thread(target=each, args=(exporter, seen, done)) for each in (_scrape, _probe)]
    for thread in threads:
        thread.start()
    try:
        yield seen
    finally:
        done.set()
        with suppress(FileNotFoundError, IndexError):
            seen.cpu = seen.cpu or exporter.cpu() - began
        for thread in threads:
            thread.join()


def _scrape(exporter: Process, seen: Seen, done: threading.Event) -> None:
    while not done.wait(SCRAPE_INTERVAL):
        began = time.monotonic()
        with suppress(OSError, http.client.HTTPException):
            exporter.get("/metrics", SCRAPE_TIMEOUT)
        if exporter.process.poll() is None:
            seen.slowest_scrape = max(seen.slowest_scrape, time.monotonic() - began)


def _probe(exporter: Process, seen: Seen, done: threading.Event) -> None:
    while not done.wait(PROBE_INTERVAL):
        status = 0
        with suppress(OSError, http.client.HTTPException):
            status = exporter.get("/-/healthy", PROBE_TIMEOUT)[0]
        if exporter.process.poll() is None and not done.is_set():
            seen.probes += 1
            seen.failed += status != 200


@contextmanager
def endpoint(jobs: int, active: int, now: float) -> Iterator[tuple[str, Callable[[], None]]]:
    """Run an endpoint with jobs in a process of its own; yield its URL, and a function that ends the active jobs."""
    ours, theirs = multiprocessing.Pipe()
    process = multiprocessing.get_context("fork").Process(target=_serve, args=(theirs, jobs, active, now), daemon=True)
    process.start()
    try:
        yield ours.recv(), lambda: ours.send("end")
    finally:
        ours.send("stop")
        process.join()


def _serve(connection: Connection, jobs: int, active: int, now: float) -> None:
    with SimulatorServer(World(fleet(jobs, active, now)), clock=time.time, keep_requests=False) as server:
        connection.send(server.url)
        while connection.recv() == "end":
            server.world.put(*fleet(jobs, 0, now)[:active])


def write_state(tree: Path, path: Path, jobs: int, active: int, now: float) -> None:
    """Write the state file that the exporter of a tree leaves behind if it knows these jobs."""
    subprocess.run(
        [sys.executable, "-c", WRITE_STATE, str(path), str(jobs), str(active), str(now)],
        env=os.environ | {"PYTHONPATH": f"{tree}:{tree}/bench"},
        cwd=path.parent,
        check=True,
    )
