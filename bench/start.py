"""From the start of the process to its first GetJob on loopback, beside a bare boto3 script that does the same."""

import statistics
import subprocess
import sys
import threading
import time
from pathlib import Path
from typing import NamedTuple

from installed import COMMAND, environment

from exporter.simulator import SimulatedJob, SimulatorServer, World, job_arn

RUNS = 15
ARN = job_arn("0a1b2c3d-0000-4000-8000-000000000001")
EXPORTER = [*COMMAND, "once", "--jobs", ARN]
BARE = [
    sys.executable,
    "-c",
    f"import boto3; boto3.client('braket', region_name='us-east-1').get_job(jobArn={ARN!r})",
]


class FirstCall(NamedTuple):
    """The time until the request reached the endpoint.

    Attributes:
        wall: in milliseconds.
        cpu: in milliseconds of CPU time, which other programs do not change.
    """

    wall: float
    cpu: float


def cpu_time(pid: int) -> float:
    """Return the CPU milliseconds of the threads of a process."""
    tasks = Path(f"/proc/{pid}/task").glob("*/schedstat")
    return sum(int(task.read_text(encoding="ascii").split()[0]) for task in tasks) / 1e6


def first_call(command: list[str], server: SimulatorServer) -> FirstCall:
    """Start a command and measure until its first request."""
    seen = len(server.requests)
    began = time.time()
    quiet = subprocess.DEVNULL
    process = subprocess.Popen(command, env=environment(server.url), stdout=quiet, stderr=quiet)
    waiter = threading.Event()
    while len(server.requests) == seen and process.poll() is None:
        waiter.wait(0.001)
    cpu = cpu_time(process.pid)
    process.wait()
    return FirstCall(1000 * (server.requests[seen].time - began), cpu)


def main() -> None:
    """Run both in turn and print the medians."""
    job = SimulatedJob(ARN, "bench", time.time() - 3600)
    with SimulatorServer(World([job]), clock=time.time) as server:
        for command in (EXPORTER, BARE):
            first_call(command, server)  # compiles and warms the file cache
        pairs = [(first_call(EXPORTER, server), first_call(BARE, server)) for _ in range(RUNS)]
    for noun, field in (("time", 0), ("CPU time", 1)):
        exporter, bare = (statistics.median(call[field] for call in calls) for calls in zip(*pairs, strict=True))
        ratio = statistics.median(one[field] / other[field] for one, other in pairs)
        print(
            f"start to first GetJob, {noun}   exporter {exporter:.0f} ms   bare boto3 {bare:.0f} ms   ratio {ratio:.2f}"
        )


if __name__ == "__main__":
    main()
