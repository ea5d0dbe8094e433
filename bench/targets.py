"""Many targets: memory, threads, descriptors, seconds until all are polled, and CPU seconds of a minute.

Each account is a role of its own, in five Regions. AWS responds in 50 ms. At the end, a third of the accounts hang.
"""

import json
import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from itertools import pairwise
from pathlib import Path

from organization import Organization, organization

REGIONS = ("us-east-1", "us-west-1", "us-west-2", "eu-north-1", "eu-west-2")
ACCOUNTS = (1, 20, 100)
MINUTE = 60.0
PATIENCE = 600.0
TICKS = os.sysconf("SC_CLK_TCK")


def accounts_of(number: int) -> list[str]:
    """Return the account IDs."""
    return [f"{100000000000 + each}" for each in range(number)]


def settings(accounts: Sequence[str]) -> dict[str, object]:
    """Return the settings of an exporter that discovers the jobs of all accounts."""
    targets = [
        {
            "name": f"account-{account}",
            "role_arn": f"arn:aws:iam::{account}:role/braket-exporter",
            "regions": REGIONS,
            "all_jobs": True,
        }
        for account in accounts
    ]
    return {"targets": targets, "listen_address": "127.0.0.1:0"}


def environment(url: str) -> dict[str, str]:
    """Keep the SDK on loopback."""
    return os.environ | {
        "AWS_ENDPOINT_URL": url,
        "AWS_ACCESS_KEY_ID": "bench",
        "AWS_SECRET_ACCESS_KEY": "bench",
        "AWS_CONFIG_FILE": os.devnull,
        "AWS_EC2_METADATA_DISABLED": "true",
    }


@contextmanager
def exporter(url: str, accounts: Sequence[str]) -> Iterator["subprocess.Popen[bytes]"]:
    """Run an exporter."""
    with tempfile.NamedTemporaryFile("w", suffix=".yaml") as file:
        json.dump(settings(accounts), file)
        file.flush()
        command = [sys.executable, "-m", "exporter", "--config", file.name]
        process = subprocess.Popen(command, env=environment(url), stderr=subprocess.DEVNULL)
        try:
            yield process
        finally:
            process.terminate()
            process.wait()


def status(process: int, name: str) -> int:
    """Return a number of ``/proc/PID/status``."""
    lines = Path(f"/proc/{process}/status").read_text(encoding="ascii").splitlines()
    return next(int(line.split()[1]) for line in lines if line.startswith(f"{name}:"))


def cpu(process: int) -> float:
    """Return the CPU seconds of a process so far."""
    fields = Path(f"/proc/{process}/stat").read_text(encoding="ascii").rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / TICKS


def wait_until(done: Callable[[], bool], began: float) -> float:
    """Wait; return the seconds from the start."""
    while not done() and time.monotonic() < began + PATIENCE:
        time.sleep(0.05)
    return time.monotonic() - began


def calls(org: Organization) -> int:
    """Return the number of calls so far."""
    return org.gets + sum(map(len, [*org.seen.values()]))


def measure(number: int, jobs: int = 0) -> None:
    """Print the figures of a number of accounts, with running jobs in each account and Region."""
    targets = number * len(REGIONS)
    with organization(jobs=jobs) as org:
        began = time.monotonic()
        with exporter(org.url, accounts_of(number)) as process:
            seconds = wait_until(lambda: len(org.seen) >= targets and org.gets >= jobs * targets, began)
            start_cpu = cpu(process.pid)
            time.sleep(15)  # idle threads and connections end
            cpu_before, calls_before = cpu(process.pid), calls(org)
            time.sleep(MINUTE)
            minute_cpu, minute_calls = cpu(process.pid) - cpu_before, calls(org) - calls_before
            memory, threads = status(process.pid, "VmRSS") / 1000, status(process.pid, "Threads")
            descriptors = len([*Path(f"/proc/{process.pid}/fd").iterdir()])
    print(
        f"{targets:,} targets, {jobs} active jobs in each   all polled after {seconds:.1f} s ({start_cpu:.1f} CPU s)\n"
        f"  memory {memory:.0f} MB   threads {threads}   descriptors {descriptors}\n"
        f"  a minute {minute_cpu:.1f} CPU s, {minute_calls} calls",
        flush=True,
    )


def measure_hanging(number: int, *, later: bool) -> None:
    """Print the delay of the other targets while STS or Braket hangs for a third of the accounts.

    Args:
        number: the number of accounts.
        later: whether the accounts respond at first.
    """
    accounts = accounts_of(number)
    hanging = frozenset(accounts[::3])
    others = {(account, region) for account in accounts if account not in hanging for region in REGIONS}
    with organization() as org:
        if not later:
            org.hanging, org.without_role = accounts[::6], accounts[3::6]
        began = time.monotonic()
        with exporter(org.url, accounts) as process:
            seconds = wait_until(lambda: others <= {*org.seen}, began)
            time.sleep(MINUTE / 2)
            org.hanging = hanging
            time.sleep(2 * MINUTE)
            threads = status(process.pid, "Threads")
            gaps = [after - before for target in others for before, after in pairwise(org.seen[target])]
    print(
        f"{number * len(REGIONS):,} targets, a third hang {'later' if later else 'from the start on'}   "
        f"others polled after {seconds:.1f} s\n"
        f"  longest time between two polls of another target {max(gaps, default=0.0):.1f} s (interval 60 s)\n"
        f"  threads {threads}",
        flush=True,
    )


def main() -> None:
    """Measure each number of accounts, or those of the command line."""
    numbers = [int(argument) for argument in sys.argv[1:]] or ACCOUNTS
    for number in numbers:
        measure(number)
    measure(numbers[-1], jobs=10)
    for later in (False, True):
        measure_hanging(numbers[-1], later=later)


if __name__ == "__main__":
    main()
