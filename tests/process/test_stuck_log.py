"""Exporters whose stderr is full, closed, or a pipe that nobody reads."""

import fcntl
import json
import os
import signal
import subprocess
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import IO, Any

import pytest
from processes import (
    FAST,
    LONG_AGO,
    PATIENCE,
    closed_port,
    command,
    environment,
    eventually,
    fetch,
    samples_of,
    wire_job,
)

from exporter.simulator import ScriptedJob, SimulatorServer, World

JOBS = [f"arn:aws:braket:us-west-2:123456789012:job/00000000-0000-4000-8000-{number:012d}" for number in range(60)]
DROPPED = "braket_exporter_log_lines_dropped_total"
LIMIT = 5.0
"""The longest time from SIGTERM to the end, seconds."""

HANGING = """
import threading, time
from exporter.storage.sqlite_file import State
write = State.write
def hang(*arguments, **members):
    time.sleep(8)
    return write(*arguments, **members)
State.write = hang
"""
"""Run before the exporter: each write of the state file takes 8 seconds."""


@dataclass
class Running:
    """An exporter whose log is not read."""

    process: "subprocess.Popen[bytes]"
    server: SimulatorServer
    address: str

    def healthy(self) -> bool:
        try:
            return fetch(self.address, "/-/healthy").status == 200
        except OSError:
            assert self.process.poll() is None
            return False

    def dropped(self) -> float:
        (line,) = (line for line in samples_of(fetch(self.address, "/metrics").text) if line.startswith(DROPPED))
        return float(line.split()[1])

    def polls(self) -> int:
        return len(self.server.requests)

    def stop(self) -> float:
        """Send SIGTERM; return how long the end takes."""
        began = time.monotonic()
        self.process.send_signal(signal.SIGTERM)
        assert self.process.wait(PATIENCE) == 0
        return time.monotonic() - began


@contextmanager
def exporting(stderr: IO[Any] | int | None, *arguments: str, prelude: str = "", shell: str = "") -> Iterator[Running]:
    """Poll running jobs; ``shell`` is a command line that starts the exporter as ``"$@"``."""
    address = f"127.0.0.1:{closed_port()}"
    line = command(
        *("--jobs", ",".join(JOBS), *FAST, "--listen-address", address, "--log-format", "json", *arguments),
        prelude=prelude,
    )
    jobs = [ScriptedJob(arn, LONG_AGO, [(LONG_AGO, wire_job(arn, "RUNNING"))]) for arn in JOBS]
    with (
        SimulatorServer(World(jobs), clock=time.time) as server,
        subprocess.Popen(
            ["sh", "-c", shell, "sh", *line] if shell else line,
            env=environment({"AWS_ENDPOINT_URL_BRAKET": server.url}),
            stdin=subprocess.DEVNULL,
            stdout=subprocess.DEVNULL,
            stderr=stderr,
        ) as process,
    ):
        running = Running(process, server, address)
        try:
            eventually(running.healthy)
            yield running
        finally:
            process.kill()


@pytest.fixture
def fifo(tmp_path: Path) -> Iterator[int]:
    """A named pipe with room for a few lines, which nobody reads."""
    path = tmp_path / "log"
    os.mkfifo(path)
    descriptor = os.open(path, os.O_RDWR)
    fcntl.fcntl(descriptor, fcntl.F_SETPIPE_SZ, 4096)
    yield descriptor
    os.close(descriptor)


def test_a_pipe_that_nobody_reads_stops_neither_polling_nor_sigterm(fifo: int) -> None:
    with exporting(fifo) as running:
        eventually(lambda: running.dropped() > 0)
        polls = running.polls()
        eventually(lambda: running.polls() > polls + 200)
        assert running.healthy()
        assert running.stop() < LIMIT


def test_a_pipe_that_is_read_again_gets_the_number_of_dropped_lines_once(fifo: int) -> None:
    lines: list[str] = []

    def read() -> None:
        with os.fdopen(os.dup(fifo), encoding="utf-8") as stream:
            lines.extend(iter(stream.readline, "the end\n"))

    with exporting(fifo) as running:
        eventually(lambda: running.dropped() > 20)
        reader = threading.Thread(target=read)
        reader.start()
        eventually(lambda: any('"log_recovered"' in line for line in lines))
        running.stop()
        os.write(fifo, b"the end\n")
        reader.join(PATIENCE)
    events = [json.loads(line) for line in lines]
    reports = [event for event in events if event["event"] == "log_recovered"]
    assert reports[0]["dropped"] > 20
    assert events[-1]["event"] == "stopped"


def test_a_full_stderr_is_counted_and_does_not_change_the_exit_status() -> None:
    with Path("/dev/full").open("w", encoding="utf-8") as full, exporting(full) as running:
        eventually(lambda: running.dropped() >= len(JOBS))
        assert running.stop() < LIMIT


def test_a_closed_stderr_does_not_change_the_exit_status() -> None:
    with exporting(None, shell='exec "$@" 2>&-') as running:
        eventually(lambda: running.polls() > 200)
        assert running.stop() < LIMIT


def test_a_stderr_without_a_reader_does_not_change_the_exit_status() -> None:
    reading, writing = os.pipe()
    with exporting(writing) as running:
        os.close(writing)
        os.close(reading)
        eventually(lambda: running.polls() > 200)
        assert running.stop() < LIMIT


def test_sigterm_does_not_wait_for_a_hanging_state_file_and_a_stuck_log(fifo: int, tmp_path: Path) -> None:
    with exporting(fifo, "--state-file", str(tmp_path / "state.db"), prelude=HANGING) as running:
        eventually(lambda: running.polls() > 0)
        time.sleep(1.0)  # so that threads are in the middle of a write
        assert running.stop() < LIMIT


def test_sigterm_at_the_start_does_not_wait_for_a_hanging_state_file(tmp_path: Path) -> None:
    hanging = f"""
import pathlib, time
from exporter.storage.sqlite_file import State
def hang(*_, **__):
    pathlib.Path({str(tmp_path / "hangs")!r}).touch()
    time.sleep(60)
State.read = hang
"""
    line = command("--jobs", JOBS[0], "--listen-address", "127.0.0.1:0", prelude=hanging)
    with subprocess.Popen([*line, "--state-file", str(tmp_path / "state.db")], env=environment()) as process:
        try:
            eventually((tmp_path / "hangs").exists)
            process.send_signal(signal.SIGTERM)
            assert process.wait(LIMIT) == 0
        finally:
            process.kill()


def test_once_ends_with_its_status_while_nobody_reads_its_log(fifo: int) -> None:
    os.write(fifo, b"x" * 4096)
    with SimulatorServer(World(), clock=time.time) as server:
        ended = subprocess.run(
            command("once", "--jobs", JOBS[0], *FAST, "--timeout", "2s"),
            env=environment({"AWS_ENDPOINT_URL_BRAKET": server.url}),
            stdin=subprocess.DEVNULL,
            stdout=subprocess.DEVNULL,
            stderr=fifo,
            timeout=PATIENCE,
            check=False,
        )
    assert ended.returncode == 1
