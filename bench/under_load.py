"""Many finished jobs in a real process: changed settings, an old state file, an outage of the state file, and ends.

The table shows for each case the CPU seconds of the process, the slowest scrape, the probes of /-/healthy that failed,
and the time from SIGTERM to the end of the process. ``--tree`` measures another tree, such as an older release.
"""

import argparse
import signal
import tempfile
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from shutil import copy
from typing import Any, Final

from loaded_process import Process, Seen, beside_scrapes, endpoint, running, wait_until, write_state
from restart import REGION

from exporter.simulator import job_arn

SIZES = (20_000, 100_000)
ENDING = 5_000
"""The active jobs that end during the outage of the state file; at most half of the jobs."""

KEPT: Final[Mapping[str, Any]] = {
    "all_jobs": True,
    "regions": [REGION],
    "retention": "30d",
    "retention_failed": "30d",
    "max_jobs": 1_000_000,
    "listen_address": "127.0.0.1:0",
    "log_format": "json",
}

SMALL_CHANGES: Final[Mapping[str, Any]] = {
    "poll_interval": "10s",
    "discovery_interval": "30s",
    "api_requests_per_second": 5,
    "disabled_metrics": ["braket_job_instances"],
    "lookback": "10d",
    "jobs": [job_arn(f"{number:08x}-0000-4000-8000-000000000000", REGION) for number in range(200, 300)],
    "tags": "team=chemistry",
    "job_name_regex": "vqe-.*",
    "retention_failed": "1s",
}
"""Changed one after the other; no job loses its series at once."""

HANGING_WRITES: Final = """
import os, sqlite3, time
connect = sqlite3.connect
class Slow(sqlite3.Connection):
    def execute(self, sql, *rest):
        if sql == "COMMIT" and os.path.exists("hang"):
            time.sleep(8)
        return super().execute(sql, *rest)
sqlite3.connect = lambda *arguments, **named: connect(*arguments, **named, factory=Slow)
"""
"""Once there is a file "hang", each write to the state file takes eight seconds."""

SETTLED: Final = 6.0
"""Seconds after a reload without visible work; a run of the maintenance is in it."""


@dataclass(frozen=True, slots=True)
class Bench:
    """A tree with a fleet of jobs.

    Attributes:
        tree: the source tree to measure.
        jobs: the number of jobs.
        ending: the number of active jobs.
        folder: holds the state file of the fleet.
        url: the endpoint.
        end_jobs: ends the active jobs.
        timeout: the longest time of a case, seconds.
    """

    tree: Path
    jobs: int
    ending: int
    folder: Path
    url: str
    end_jobs: Callable[[], None]
    timeout: float

    @contextmanager
    def exporter(self, settings: Mapping[str, Any], *, prelude: str = "pass", fresh: bool = True) -> Iterator[Process]:
        """Start an exporter with the state file of the fleet, or with the file of an earlier exporter."""
        used = self.folder / "used"
        if fresh:
            for suffix in ("-wal", "-shm"):
                Path(f"{used}{suffix}").unlink(missing_ok=True)
            copy(self.folder / "state", used)
        with running(self.tree, self.url, {**settings, "state_file": str(used)}, prelude) as process:
            wait_until(lambda: bool(process.address) or process.process.poll() is not None, self.timeout)
            yield process

    @contextmanager
    def ready(self, settings: Mapping[str, Any] = KEPT, *, prelude: str = "pass") -> Iterator[Process]:
        """Start an exporter, and wait until it has polled all jobs."""
        with self.exporter(settings, prelude=prelude) as process:
            wait_until(partial(is_ready, process), self.timeout)
            time.sleep(2.0)
            yield process

    def reloaded(self, process: Process, settings: Mapping[str, Any], over: Callable[[], bool]) -> Seen:
        """Reload, and watch until the work is over."""
        with beside_scrapes(process) as seen:
            loaded = process.events["config_reloaded"]
            process.reload({**settings, "state_file": str(self.folder / "used")})
            if not wait_until(lambda: process.events["config_reloaded"] > loaded and over(), self.timeout):
                seen.note = "not finished"
        return seen


def is_ready(process: Process) -> bool:
    """Return whether the exporter is ready."""
    with suppress(OSError):
        return process.get("/-/ready", 5.0)[0] == 200
    return False


def settled() -> Callable[[], bool]:
    """Return a function that shows whether a few seconds have passed."""
    over = time.monotonic() + SETTLED
    return lambda: time.monotonic() > over


def has_jobs(process: Process, most: float) -> bool:
    """Return whether the exporter has no more than a number of jobs."""
    with suppress(OSError, ValueError):
        return process.jobs() <= most
    return False


Row = tuple[str, Seen, float | None]


def restart(bench: Bench) -> Iterator[Row]:
    """Start with the state file, until ready; then end."""
    began = time.monotonic()
    with bench.exporter(KEPT) as process, beside_scrapes(process) as seen:
        wait_until(partial(is_ready, process), bench.timeout)
        seen.note = f"ready after {time.monotonic() - began:.1f} s"
        seen.cpu = process.cpu()
    yield "restart", seen, None


def small_changes(bench: Bench) -> Iterator[Row]:
    """Change one key after the other."""
    settings: dict[str, Any] = {**KEPT}
    with bench.ready() as process:
        for key, value in SMALL_CHANGES.items():
            settings[key] = value
            yield f"reload: {key}", bench.reloaded(process, settings, settled()), None
        yield "SIGTERM, idle", Seen(), process.end(signal.SIGTERM)


LARGE_CHANGES: Final[Mapping[str, tuple[Mapping[str, Any], float]]] = {
    "retention": ({"retention": "1s", "retention_failed": "1s"}, 0.0),
    "max_jobs": ({"max_jobs": 100}, 100.0),
    "regions": ({"regions": ["eu-north-1"]}, 0.0),
    "all_jobs": ({"all_jobs": False, "jobs": SMALL_CHANGES["jobs"]}, 100.0),
    "targets": (
        {"all_jobs": None, "regions": None, "targets": [{"name": "a", "regions": [REGION], "all_jobs": True}]},
        1e9,
    ),
    "total_shards": ({"total_shards": 2, "shard": 0}, 1e9),
}
"""Changes that drop jobs or move them to other targets, and the number of jobs that are left."""


def large_change(key: str, bench: Bench) -> Iterator[Row]:
    """Change a key for which jobs are dropped or moved."""
    change, left = LARGE_CHANGES[key]
    settings = {name: value for name, value in {**KEPT, **change}.items() if value is not None}
    with bench.ready() as process:
        over = settled()
        seen = bench.reloaded(process, settings, lambda: over() and has_jobs(process, left))
    yield f"reload: {key}", seen, None


def old_state_file(bench: Bench) -> Iterator[Row]:
    """Start with a state file whose retentions are over."""
    settings = {**KEPT, "retention": "1s", "retention_failed": "1s"}
    with bench.exporter(settings) as process, beside_scrapes(process) as seen:
        if not wait_until(partial(has_jobs, process, 0), bench.timeout):
            seen.note = "not finished"
        seen.cpu = process.cpu()
    yield "old state file", seen, None


def outage(bench: Bench) -> Iterator[Row]:
    """The state file cannot be written while jobs end; then it can, and SIGTERM follows."""
    settings = {**KEPT, "api_requests_per_second": 1000, "poll_interval": "10s"}
    with bench.ready(settings) as process:
        with beside_scrapes(process) as seen:
            process.limit_files(0)
            bench.end_jobs()
            ended = wait_until(lambda: len(process.ended) >= bench.ending, bench.timeout)
            process.limit_files(-1)
            recovered = wait_until(lambda: process.events["state_recovered"] > 0, bench.timeout)
            seen.note = "" if ended and recovered else f"not finished, {len(process.ended)} ends"
        took = process.end(signal.SIGTERM)
    with bench.exporter(settings, fresh=False) as again:
        wait_until(partial(is_ready, again), bench.timeout)
        time.sleep(SETTLED)
        twice = len({*process.ended} & {*again.ended})
    seen.note = f"{seen.note} {twice} ends logged twice".strip()
    yield f"outage while {bench.ending:,} jobs end; SIGTERM after it", seen, took


def stopped_in_a_sweep(number: signal.Signals, bench: Bench) -> Iterator[Row]:
    """End an exporter while it drops expired jobs, and start it again with its file."""
    settings = {**KEPT, "retention": "1s", "retention_failed": "1s"}
    with bench.exporter(settings) as process:
        with beside_scrapes(process) as seen:
            wait_until(lambda: len(process.forgotten) > bench.jobs // 4, bench.timeout)
        took = process.end(number)
    with bench.exporter(settings, fresh=False) as again:
        wait_until(partial(has_jobs, again, 0), bench.timeout)
        again.end(signal.SIGTERM)
    twice = len({*process.forgotten} & {*again.forgotten})
    left_out = bench.jobs - len({*process.forgotten, *again.forgotten})
    seen.note = f"{twice} jobs logged twice, {left_out} not logged"
    yield f"{number.name} in a sweep, and a start", seen, took


def hanging_writes(bench: Bench) -> Iterator[Row]:
    """Each write to the state file takes eight seconds, while jobs expire."""
    settings = {**KEPT, "retention": "1s", "retention_failed": "1s"}
    with bench.ready(prelude=HANGING_WRITES) as process:
        process.config.with_name("hang").touch()
        over = time.monotonic() + 30
        seen = bench.reloaded(process, settings, lambda: time.monotonic() > over)
        yield "SIGTERM while each write takes 8 s", seen, process.end(signal.SIGTERM)


CASES: Final[Mapping[str, Callable[[Bench], Iterator[Row]]]] = {
    "restart": restart,
    "small": small_changes,
    **{key: partial(large_change, key) for key in LARGE_CHANGES},
    "old": old_state_file,
    "sweep": partial(stopped_in_a_sweep, signal.SIGTERM),
    "kill": partial(stopped_in_a_sweep, signal.SIGKILL),
    "hang": hanging_writes,
    "outage": outage,
}


def line(jobs: int, name: str, seen: Seen, ended: float | None) -> str:
    """Write a row of the table."""
    healthy = "-" if not seen.probes else "yes" if not seen.failed else f"no, {seen.failed} of {seen.probes}"
    exit_time = "" if ended is None else f"{ended:5.1f}"
    return f"{jobs:>8,}  {name:45} {seen.cpu:8.1f} {seen.slowest_scrape:9.2f}  {healthy:16} {exit_time:>6}  {seen.note}"


def main() -> None:
    """Run the cases and print the table."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--tree", type=Path, default=Path(__file__).parent.parent, help="the source tree to measure")
    parser.add_argument("--jobs", type=int, nargs="*", default=SIZES, help="numbers of jobs")
    parser.add_argument("--case", nargs="*", choices=CASES, default=[*CASES], help="cases to run")
    parser.add_argument("--timeout", type=float, default=300.0, help="the longest time of a case, seconds")
    options = parser.parse_args()
    print(f"{'jobs':>8}  {'case':45} {'CPU s':>8} {'scrape s':>9}  {'healthy':16} {'exit s':>6}")
    for jobs in options.jobs:
        now = time.time()
        with tempfile.TemporaryDirectory() as folder:
            state = Path(folder, "state")
            for name in options.case:
                active = min(ENDING, jobs // 2) if name == "outage" else 0
                state.unlink(missing_ok=True)
                with endpoint(jobs, active, now) as (url, end_jobs):
                    write_state(options.tree, state, jobs, active, now)
                    bench = Bench(options.tree.resolve(), jobs, active, Path(folder), url, end_jobs, options.timeout)
                    for row in CASES[name](bench):
                        print(line(jobs, *row), flush=True)


if __name__ == "__main__":
    main()
