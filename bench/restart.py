"""A restart with a state file: seconds to ready, calls made until then, file and memory; beside one without a file."""

import socket
import tempfile
import time
import urllib.request
from collections import Counter
from collections.abc import Mapping
from contextlib import AbstractContextManager
from dataclasses import dataclass
from pathlib import Path
from subprocess import Popen

import installed

from exporter.aws.get_job import parse_job
from exporter.core import CredentialsRef, JobRecord, Selector, Target, TargetConfig, observe
from exporter.simulator import RECORDED_LIFE, Event, Phase, SimulatedJob, SimulatorServer, Status, World, job_arn
from exporter.storage import Entry
from exporter.storage.sqlite_file import State

FLEETS = ((1_000, 100), (10_000, 500), (100_000, 2_000))
"""How many jobs, and how many of them are active."""

REGION = "us-west-2"
LANE = TargetConfig(CredentialsRef(), Target("", REGION), (), Selector(all_jobs=True))
RUNNING = (Phase(0.0, Status.QUEUED, Event.QUEUED_FOR_EXECUTION), Phase(40.0, Status.RUNNING, Event.RUNNING))


def free_port() -> int:
    """Return a port that no other program uses."""
    with socket.create_server(("127.0.0.1", 0)) as server:
        return int(server.getsockname()[1])


PORT = free_port()


@dataclass(frozen=True, slots=True)
class Restart:
    """What a start took until the exporter was ready."""

    seconds: float
    calls: Counter[str]
    asked_in_vain: int
    memory: Mapping[str, int]


def fleet(jobs: int, active: int, now: float) -> list[SimulatedJob]:
    """Make jobs of the last ten days, the newest of which are active."""
    step = 10 * 86400 / jobs
    ages = [3600 + number * step for number in range(jobs)]
    return [
        SimulatedJob(
            job_arn(f"{number:08x}-0000-4000-8000-000000000000", REGION),
            f"vqe-h2-{number % 100}",
            created=round(now - age, 3),
            phases=RUNNING if number < active else RECORDED_LIFE,
            max_runtime_seconds=432000,
        )
        for number, age in enumerate(ages)
    ]


def write_state(path: str, jobs: list[SimulatedJob], now: float) -> int:
    """Write the file that an exporter would leave behind which knows the jobs; return its bytes."""

    def record(job: SimulatedJob) -> JobRecord:
        known = JobRecord(job.arn, configured=False, baseline_at=now, owner=LANE.key)
        return observe(known, parse_job(job.arn, job.answer(now)), since=now, now=now).record

    state = State(path)
    state.write(Entry([record(job) for job in jobs]), polled=now, baselines={LANE.key: now - 86400})
    state.close()
    return Path(path).stat().st_size


def exporter(server: SimulatorServer, *arguments: str) -> AbstractContextManager[Popen[bytes]]:
    """Run an exporter with the settings as they come."""
    kept = ("--retention", "30d", "--max-jobs", "1000000", "--listen-address", f"127.0.0.1:{PORT}")
    return installed.exporter(server, "--all-jobs", "--regions", REGION, *kept, *arguments)


def ready() -> bool:
    """Ask whether the exporter is ready."""
    try:
        with urllib.request.urlopen(f"http://127.0.0.1:{PORT}/-/ready", timeout=5):
            return True
    except OSError:
        return False


def restart(server: SimulatorServer, active: set[str], *arguments: str) -> Restart:
    """Start an exporter, and measure until it is ready."""
    began, seen = time.monotonic(), len(server.requests)
    with exporter(server, *arguments) as process:
        while not ready():
            time.sleep(0.05)
        seconds = time.monotonic() - began
        requests = server.requests[seen:]
        status = Path(f"/proc/{process.pid}/status").read_text(encoding="ascii")
    memory = {line.split()[0]: int(line.split()[1]) * 1024 for line in status.splitlines() if line.endswith("kB")}
    calls = Counter(str(request.operation) for request in requests)
    return Restart(seconds, calls, sum(r.operation == "GetJob" and r.arn not in active for r in requests), memory)


def main() -> None:
    """Restart with each fleet, and print what it took."""
    for size, active in FLEETS:
        now = time.time()
        jobs = fleet(size, active, now)
        running = {job.arn for job in jobs[:active]}
        with SimulatorServer(World(jobs), clock=time.time) as server, tempfile.TemporaryDirectory() as folder:
            path = f"{folder}/state.sqlite"
            stored = write_state(path, jobs, now)
            told = restart(server, running, "--state-file", path)
            without = restart(server, running) if size == FLEETS[0][0] else None
        calls, usual, most = told.calls, told.memory["VmRSS:"] / 1e6, told.memory["VmHWM:"] / 1e6
        print(f"restart, {size:,} jobs, {active:,} active   ready in {told.seconds:.1f} s")
        print(f"  {calls['SearchJobs']} SearchJobs, {calls['GetJob']} GetJob, {told.asked_in_vain} of finished jobs")
        print(f"  file {stored / 1e6:.1f} MB   memory {usual:.0f} MB, at most {most:.0f} MB")
        if without is not None:
            print(f"  without a file   ready in {without.seconds:.1f} s   {without.calls['GetJob']} GetJob")


if __name__ == "__main__":
    main()
