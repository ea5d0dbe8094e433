"""The ``demo`` command: a simulated Braket endpoint in a separate process, and the environment for the SDK."""

import json
import os
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any, Final, NamedTuple

from exporter.core import BRAKET_REGIONS, SERVICE_QUOTA

SEED: Final = 7
JOBS: Final = 40
BIRTHS_PER_MINUTE: Final = 4
SPEED: Final = 30
"""Simulated jobs run this many times faster than real ones."""

KEY: Final = "demo"
"""The ID and the secret of an access key, which the endpoint accepts like any other."""

DEFAULTS: Final[dict[str, Any]] = {
    "all_jobs": True,
    "regions": BRAKET_REGIONS,
    "poll_interval": "5s",
    "discovery_interval": "5s",
    "api_requests_per_second": 20,
    "device_interval": "5s",
    "spending_limit_interval": "10s",
    "tag_labels": ["team"],
    "aggregate_tag_labels": ["team"],
    "log_level": "warning",
}
"""The defaults of the demo."""


class Endpoint(NamedTuple):
    """The simulated endpoint.

    Attributes:
        url: the URL for the SDK.
        queue_url: the URL of its event queue, if it has one.
    """

    url: str
    queue_url: str | None = None


def banner(url: str, endpoint: Endpoint, rate: float, *, polled: bool = False) -> list[str]:
    """Return the lines that show the URLs.

    Args:
        url: the URL of the exporter, without a path.
        endpoint: the endpoint.
        rate: the rate limit, calls per second.
        polled: whether the first full poll is complete.
    """
    title = "The first full poll is complete." if polled else "The demo is running, with simulated hybrid jobs."
    return [
        "",
        title,
        f"  status page:      {url}/",
        f"  metrics:          {url}/metrics",
        f"  jobs as JSON:     {url}/api/v1/jobs",
        *([f"  event queue:      {endpoint.queue_url}"] if endpoint.queue_url else []),
        "To call the simulated Braket with the AWS SDK, the AWS CLI or check-config --online:",
        f"  export AWS_ENDPOINT_URL_BRAKET={endpoint.url} AWS_ENDPOINT_URL_STS={endpoint.url}",
        *([f"  export AWS_ENDPOINT_URL_SQS={endpoint.url}"] if endpoint.queue_url else []),
        f"  export AWS_ACCESS_KEY_ID={KEY} AWS_SECRET_ACCESS_KEY={KEY}",
        *_raised(rate),
        "Press Ctrl-C to stop. --log-level info logs every change of a job.",
        "",
    ]


def _raised(rate: float) -> list[str]:
    """Return a line about a rate limit above the quota of AWS."""
    if rate <= SERVICE_QUOTA:
        return []
    return [f"The rate limit is raised to {rate:g} calls per second; the quota of AWS is {SERVICE_QUOTA:g}."]


@contextmanager
def endpoint(*, events: bool = False) -> Iterator[Endpoint]:
    """Run the endpoint, configure the SDK to call it, and yield its URLs.

    The endpoint reads its standard input, so it always ends with this process.

    Args:
        events: whether the endpoint has an event queue.
    """
    command = [sys.executable, "-m", "exporter.simulator", "--exit-with-stdin"]
    command += ["--seed", str(SEED), "--jobs", str(JOBS), "--speed", str(SPEED)]
    command += ["--births-per-minute", str(BIRTHS_PER_MINUTE), *(["--events"] if events else [])]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, start_new_session=True) as process:  # noqa: S603 -- our own module
        assert process.stdin is not None  # noqa: S101 -- both are pipes
        assert process.stdout is not None  # noqa: S101
        urls = json.loads(process.stdout.readline())
        _configure_sdk(urls["url"])
        try:
            yield Endpoint(urls["url"], urls.get("queue_url"))
        finally:
            process.stdin.close()


def _configure_sdk(url: str) -> None:
    """Set the environment of boto3 to the endpoint, without real credentials, profiles and proxies."""
    for name in [name for name in os.environ if name.startswith("AWS_") or name.lower().endswith("_proxy")]:
        del os.environ[name]
    os.environ |= {
        "AWS_ENDPOINT_URL_BRAKET": url,
        "AWS_ENDPOINT_URL_STS": url,
        "AWS_ENDPOINT_URL_SQS": url,
        "AWS_ACCESS_KEY_ID": KEY,
        "AWS_SECRET_ACCESS_KEY": KEY,
        "AWS_CONFIG_FILE": os.devnull,
        "AWS_SHARED_CREDENTIALS_FILE": os.devnull,
        "AWS_EC2_METADATA_DISABLED": "true",
    }
