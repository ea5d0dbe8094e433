"""More connections than descriptors: an exporter as a process."""

import socket
import statistics
import time
from collections.abc import Iterator
from contextlib import ExitStack, suppress

import pytest
from processes import LONG_AGO, Daemon, daemon, eventually, wire_job

from exporter.simulator import ScriptedJob, SimulatorServer, World, job_arn

ARN = job_arn("crowds")
LIMIT = "import resource; resource.setrlimit(resource.RLIMIT_NOFILE, (160, 160))"
"""Run before the exporter: it has few file descriptors, as in a careless unit file."""

NO_RESERVE = f"{LIMIT}; from exporter.web.http import crowd; crowd.connection_limit = lambda _: 512"
"""Run before the exporter: beside that, connections take every descriptor."""

LARGE = """
from exporter.metrics.exposition import Page
from exporter.web import routes
def large(*args, **kwargs):
    for _ in range(2_000_000):  # what a scrape costs
        pass
    return Page(6_000_000, (b"x" * 200_000 for _ in range(30)))
routes.expose = large
"""
"""Run before the exporter: its page is large."""


@pytest.fixture
def simulator() -> Iterator[SimulatorServer]:
    script = ScriptedJob(ARN, LONG_AGO, [(LONG_AGO, wire_job(ARN, "RUNNING"))])
    with SimulatorServer(World([script]), clock=time.time) as server:
        yield server


def crowd(stack: ExitStack, exporter: Daemon, count: int) -> None:
    host, _, port = exporter.address.rpartition(":")
    for _ in range(count):
        stack.enter_context(socket.create_connection((host, int(port)), 30))


@pytest.mark.parametrize(("prelude", "refused"), [(LIMIT, 0), (NO_RESERVE, 1)], ids=["reserve", "no reserve"])
def test_silent_peers_take_no_descriptor_from_probes_and_polls_and_fill_no_log(
    simulator: SimulatorServer, prelude: str, refused: int
) -> None:
    env = {"AWS_ENDPOINT_URL_BRAKET": simulator.url}
    with (
        daemon("run", "--jobs", ARN, "--poll-interval", "1s", env=env, prelude=prelude) as exporter,
        ExitStack() as stack,
    ):
        eventually(lambda: exporter.get("/-/ready").status == 200)
        for _ in range(4):
            crowd(stack, exporter, 120)
            assert exporter.get("/-/healthy").status == 200
        polled = exporter.value("braket_job_last_poll_timestamp_seconds")
        assert polled is not None
        if not refused:
            eventually(lambda: (exporter.value("braket_job_last_poll_timestamp_seconds") or 0.0) > polled)
        text = "\n".join(exporter.lines)
        assert "Traceback" not in text
        assert refused <= text.count("connections that cannot be accepted") <= 2 * refused
        assert exporter.stop() == 0


def slow_reader(stack: ExitStack, exporter: Daemon) -> socket.socket:
    host, _, port = exporter.address.rpartition(":")
    peer = stack.enter_context(socket.socket())
    peer.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
    peer.settimeout(30)
    peer.connect((host, int(port)))
    peer.sendall(b"GET /metrics HTTP/1.1\r\nHost: x\r\n\r\n")
    peer.settimeout(0)
    return peer


def test_probes_are_answered_while_600_peers_read_a_large_page_slowly(simulator: SimulatorServer) -> None:
    env = {"AWS_ENDPOINT_URL_BRAKET": simulator.url}
    with daemon("run", "--jobs", ARN, env=env, prelude=LARGE) as exporter, ExitStack() as stack:
        peers = [slow_reader(stack, exporter) for _ in range(600)]
        times: list[float] = []
        for turn in range(100):
            for peer in peers[turn % 6 :: 6]:
                with suppress(OSError):  # nothing is there yet, or a newer connection has its place
                    peer.recv(1024)
            began = time.monotonic()
            assert exporter.get("/-/healthy").status == 200
            times.append(time.monotonic() - began)
        assert statistics.median(times) < 3.0, times  # bench/readers.py measures the slowest
        assert "Traceback" not in "\n".join(exporter.lines)
        assert exporter.stop() == 0
