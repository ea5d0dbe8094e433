"""The first fill of an exporter without a state: CPU time for each job, from the wire to the metrics and the log.

The exporter is a real process with an endpoint in another one. Beside it, the CPU time of plain boto3's GetJob calls
alone, for jobs of the same endpoint.
"""

import argparse
import os
import sys
import tempfile
import time
from pathlib import Path
from typing import Final

import boto3
from installed import environment
from loaded_process import Process, endpoint, running, wait_until
from restart import REGION, fleet

SIZES = (1_000, 10_000, 100_000)
PLAIN_CALLS: Final = 1_500

SETTINGS: Final = {
    "all_jobs": True,
    "regions": [REGION],
    "retention": "30d",
    "max_jobs": 1_000_000,
    "api_requests_per_second": 1_000,
    "listen_address": "127.0.0.1:0",
    "log_format": "json",
}


def plain(url: str, jobs: int, now: float) -> float:
    """Return the CPU time of a GetJob call of plain boto3, milliseconds."""
    os.environ |= environment(url)
    client = boto3.client("braket", region_name=REGION)
    arns = [job.arn for job in fleet(jobs, 0, now)][:PLAIN_CALLS]
    client.get_job(jobArn=arns[0], additionalAttributeNames=["QueueInfo"])
    began = time.process_time()
    for arn in arns:
        client.get_job(jobArn=arn, additionalAttributeNames=["QueueInfo"])
    return 1000 * (time.process_time() - began) / len(arns)


def polled(process: Process) -> float:
    """Return the number of jobs that answered."""
    return sum(process.samples("braket_jobs"))


def measure(jobs: int, timeout: float, *, state_file: bool) -> str:
    """Fill an exporter, and write a row of the table."""
    now = time.time()
    with tempfile.TemporaryDirectory() as folder, endpoint(jobs, 0, now) as (url, _):
        settings = SETTINGS | ({"state_file": str(Path(folder, "state"))} if state_file else {})
        with running(Path(__file__).parent.parent, url, settings) as process:
            wait_until(lambda: bool(process.address), timeout)
            started, began = process.cpu(), time.monotonic()
            wait_until(lambda: polled(process) >= jobs, timeout, interval=2.0)
            found, cpu, took = polled(process), process.cpu() - started, time.monotonic() - began
        bare = plain(url, jobs, now)
    each = 1000 * cpu / found
    file = "with a state file" if state_file else ""
    return (
        f"{found:>8,.0f} jobs  exporter {each:.2f} ms CPU a job, {found / took:5.0f} jobs/s   "
        f"plain boto3 {bare:.2f} ms a GetJob   ratio {each / bare:.2f}  {file}"
    )


def main() -> None:
    """Print the table."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--jobs", type=int, nargs="*", default=SIZES, help="numbers of jobs")
    parser.add_argument("--timeout", type=float, default=900.0, help="the longest time of a fill, seconds")
    options = parser.parse_args()
    for jobs in options.jobs:
        for state_file in (False, True):
            sys.stdout.write(f"{measure(jobs, options.timeout, state_file=state_file)}\n")
            sys.stdout.flush()


if __name__ == "__main__":
    main()
