"""From the start of the process to its first GetJob on loopback, beside a bare boto3 script that does the same."""

import os
import statistics
import subprocess
import sys
import threading
import time

from exporter.simulator import SimulatedJob, SimulatorServer, World, job_arn

RUNS = 7
ARN = job_arn("0a1b2c3d-0000-4000-8000-000000000001")
EXPORTER = [sys.executable, "-m", "exporter", "once", "--jobs", ARN]
BARE = [
    sys.executable,
    "-c",
    f"import boto3; boto3.client('braket', region_name='us-east-1').get_job(jobArn={ARN!r})",
]


def environment(url: str) -> dict[str, str]:
    """Keep the SDK on loopback."""
    return os.environ | {
        "AWS_ENDPOINT_URL_BRAKET": url,
        "AWS_ACCESS_KEY_ID": "bench",
        "AWS_SECRET_ACCESS_KEY": "bench",
        "AWS_CONFIG_FILE": os.devnull,
        "AWS_EC2_METADATA_DISABLED": "true",
    }


def first_call(command: list[str], server: SimulatorServer) -> float:
    """Return the milliseconds until the request reached the endpoint."""
    seen = len(server.requests)
    began = time.time()
    quiet = subprocess.DEVNULL
    process = subprocess.Popen(command, env=environment(server.url), stdout=quiet, stderr=quiet)
    waiter = threading.Event()
    while len(server.requests) == seen and process.poll() is None:
        waiter.wait(0.001)
    process.wait()
    return 1000 * (server.requests[seen].time - began)


def main() -> None:
    """Run both in turn and print the medians."""
    job = SimulatedJob(ARN, "bench", time.time() - 3600)
    with SimulatorServer(World([job]), clock=time.time) as server:
        for command in (EXPORTER, BARE):
            first_call(command, server)  # compiles and warms the file cache
        pairs = [(first_call(EXPORTER, server), first_call(BARE, server)) for _ in range(RUNS)]
    exporter, bare = (statistics.median(column) for column in zip(*pairs, strict=True))
    ratio = statistics.median(a / b for a, b in pairs)
    print(f"start to first GetJob   exporter {exporter:.0f} ms   bare boto3 {bare:.0f} ms   ratio {ratio:.2f}")


if __name__ == "__main__":
    main()
