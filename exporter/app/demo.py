"""The ``demo`` command: a simulated Braket endpoint in a separate process, and the environment for the SDK."""

import json
import os
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any, Final

from exporter.core import BRAKET_REGIONS

SEED: Final = 7
JOBS: Final = 40
BIRTHS_PER_MINUTE: Final = 4
SPEED: Final = 30
"""Simulated jobs run this many times faster than real ones."""

DEFAULTS: Final[dict[str, Any]] = {
    "all_jobs": True,
    "regions": BRAKET_REGIONS,
    "poll_interval": "5s",
    "discovery_interval": "5s",
    "api_requests_per_second": 20,
    "log_level": "warning",
}
"""The defaults of the demo."""


def banner(url: str, endpoint_url: str, *, polled: bool = False) -> list[str]:
    """Return the lines that show the URLs.

    Args:
        url: the URL of the exporter, without a path.
        endpoint_url: the URL of the endpoint.
        polled: whether the first full poll is complete.
    """
    title = "The first full poll is complete." if polled else "The demo is running, with simulated hybrid jobs."
    return [
        "",
        title,
        f"  status page:      {url}/",
        f"  metrics:          {url}/metrics",
        f"  jobs as JSON:     {url}/api/v1/jobs",
        f"  Braket endpoint:  AWS_ENDPOINT_URL_BRAKET={endpoint_url}  (for Braket calls of the SDK and CLI)",
        "Press Ctrl-C to stop. --log-level info logs every change of a job.",
        "",
    ]


@contextmanager
def endpoint() -> Iterator[str]:
    """Run the endpoint, configure the SDK to call it, and yield its URL.

    The endpoint reads its standard input, so it always ends with this process.
    """
    command = [sys.executable, "-m", "exporter.simulator", "--exit-with-stdin"]
    command += ["--seed", str(SEED), "--jobs", str(JOBS), "--speed", str(SPEED)]
    command += ["--births-per-minute", str(BIRTHS_PER_MINUTE)]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, start_new_session=True) as process:  # noqa: S603 -- our own module
        assert process.stdin is not None  # noqa: S101 -- both are pipes
        assert process.stdout is not None  # noqa: S101
        url = str(json.loads(process.stdout.readline())["url"])
        _configure_sdk(url)
        try:
            yield url
        finally:
            process.stdin.close()


def _configure_sdk(url: str) -> None:
    """Set the environment of boto3 to the endpoint, without real credentials, profiles and proxies."""
    for name in [name for name in os.environ if name.startswith("AWS_") or name.lower().endswith("_proxy")]:
        del os.environ[name]
    os.environ |= {
        "AWS_ENDPOINT_URL_BRAKET": url,
        "AWS_ACCESS_KEY_ID": "demo",
        "AWS_SECRET_ACCESS_KEY": "demo",
        "AWS_CONFIG_FILE": os.devnull,
        "AWS_SHARED_CREDENTIALS_FILE": os.devnull,
        "AWS_EC2_METADATA_DISABLED": "true",
    }
