"""Memory and probes while hundreds of slow readers take the page without gzip."""

import contextlib
import socket
import statistics
import tempfile
import threading
import time
import urllib.request

from installed import memory
from restart import PORT, exporter, fleet, ready, write_state

from exporter.simulator import SimulatorServer, World

READERS = 600
JOBS, ACTIVE = 1_200, 600
SECONDS = 20.0
REQUEST = b"GET /metrics HTTP/1.1\r\nHost: bench\r\nConnection: close\r\n\r\n"
RATES = ("--api-requests-per-second", "200")


def connect() -> socket.socket:
    """Request the page; the kernel's buffers of this side hold little of it."""
    reader = socket.socket()
    reader.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
    reader.connect(("127.0.0.1", PORT))
    reader.sendall(REQUEST)
    reader.settimeout(0)
    return reader


def read_slowly(readers: list[socket.socket], done: threading.Event) -> None:
    """Read 1 KB from each reader four times a second."""
    while not done.wait(0.25):
        for reader in readers:
            with contextlib.suppress(OSError):
                reader.recv(1024)


def probe() -> float:
    """Return the milliseconds of a probe."""
    began = time.monotonic()
    with urllib.request.urlopen(f"http://127.0.0.1:{PORT}/-/healthy", timeout=60) as response:
        response.read()
    return 1000 * (time.monotonic() - began)


def crowd(pid: int) -> tuple[list[float], list[float]]:
    """Let hundreds of readers take the page; return the milliseconds of probes, and the memory meanwhile in MB."""
    done, probes, used = threading.Event(), [], []
    readers = [connect() for _ in range(READERS)]
    thread = threading.Thread(target=read_slowly, args=(readers, done), daemon=True)
    thread.start()
    until = time.monotonic() + SECONDS
    while time.monotonic() < until:
        probes.append(probe())
        used.append(memory(pid))
        time.sleep(0.05)
    done.set()
    thread.join()
    for reader in readers:
        reader.close()
    return probes, used


def main() -> None:
    """Print the memory before, during and after, and the duration of probes."""
    now = time.time()
    jobs = fleet(JOBS, ACTIVE, now)
    with SimulatorServer(World(jobs), clock=time.time) as server, tempfile.TemporaryDirectory() as folder:
        path = f"{folder}/state.sqlite"
        write_state(path, jobs, now)
        with exporter(server, "--state-file", path, *RATES) as process:
            while not ready():
                time.sleep(0.05)
            with urllib.request.urlopen(f"http://127.0.0.1:{PORT}/metrics") as response:
                page = len(response.read())
            before = memory(process.pid)
            probes, used = crowd(process.pid)
            time.sleep(3)
            after = memory(process.pid)
    p99 = statistics.quantiles(probes, n=100)[98]
    print(f"{READERS} slow readers of {page / 1e6:.1f} MB without gzip")
    print(f"  memory before {before:.0f} MB   at most {max(used):.0f} MB   after {after:.0f} MB")
    print(f"  {len(probes)} probes   median {statistics.median(probes):.0f} ms   p99 {p99:.0f} ms")


if __name__ == "__main__":
    main()
