"""CPU time of GetJob and SearchJobs calls over loopback, beside plain boto3 making the same ones."""

import json
import os
import statistics
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

import boto3

from exporter.aws import BraketClient, CredentialsSession
from exporter.core import CredentialsRef, Span, Target

ROUNDS = 7
REGION = "us-east-1"


@contextmanager
def endpoint() -> Iterator[dict[str, Any]]:
    """Run the embedded endpoint as a process of its own, so that its CPU time is not ours."""
    command = [sys.executable, "-m", "exporter.simulator", "--exit-with-stdin", "--jobs", "200", "--region", REGION]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE) as process:
        assert process.stdin is not None
        assert process.stdout is not None
        yield json.loads(process.stdout.readline())
        process.stdin.close()


def cpu(call: Callable[[], object], times: int) -> float:
    """Return the milliseconds of CPU that one call takes."""
    began = time.process_time()
    for _ in range(times):
        call()
    return 1000 * (time.process_time() - began) / times


def compare(name: str, times: int, ours: Callable[[], object], plain: Callable[[], object]) -> None:
    """Measure both in turn and print the medians."""
    for call in (ours, plain):
        cpu(call, times // 4)
    pairs = [(cpu(ours, times), cpu(plain, times)) for _ in range(ROUNDS)]
    exporter, bare = (statistics.median(column) for column in zip(*pairs, strict=True))
    ratio = statistics.median(b / a for a, b in pairs)
    print(f"{name:22} exporter {exporter:.2f} ms CPU   plain boto3 {bare:.2f} ms CPU   ratio {ratio:.2f}")


def main() -> None:
    """Compare one job, then a page of 100."""
    with endpoint() as started:
        os.environ |= {
            "AWS_ENDPOINT_URL_BRAKET": started["url"],
            "AWS_ACCESS_KEY_ID": "bench",
            "AWS_SECRET_ACCESS_KEY": "bench",
            "AWS_CONFIG_FILE": os.devnull,
            "AWS_EC2_METADATA_DISABLED": "true",
        }
        job, span = started["jobs"][0], Span(0.0, None)
        client = BraketClient(CredentialsSession(CredentialsRef(), REGION), Target("", REGION), lambda *_: None)
        plain = boto3.client("braket", region_name=REGION)
        filters = [{"name": "createdAt", "operator": "GTE", "values": ["1970-01-01T00:00:00Z"]}]
        compare(
            "GetJob",
            400,
            lambda: client.get_job(job),
            lambda: plain.get_job(jobArn=job, additionalAttributeNames=["QueueInfo"]),
        )
        compare(
            "SearchJobs, 100 jobs",
            60,
            lambda: client.search_jobs(span),
            lambda: plain.search_jobs(filters=filters, maxResults=100),
        )


if __name__ == "__main__":
    main()
