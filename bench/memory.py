"""Memory of the process by the number of jobs, and what each library takes when the daemon imports it."""

import json
import subprocess
import sys
import tempfile
import time
import urllib.request
from statistics import median

from installed import WITHOUT_TOOLS, environment, memory
from restart import PORT, exporter, fleet, ready, write_state

from exporter.simulator import SimulatorServer, World

FLEETS = ((0, 0), (1_000, 100), (10_000, 500), (100_000, 2_000))
"""How many jobs, and how many of them are active."""

RUNS = 5
SCRAPES = 5
SMALLEST = 0.1
"""The smallest cost of a library that is printed, in MB."""

METER = f"""
{WITHOUT_TOOLS}
import gc, json, os, time
from importlib.machinery import PathFinder

gc.disable()
statm = os.open("/proc/self/statm", os.O_RDONLY)
costs, inner = {{}}, [[0.0, 0]]

def measured(name, call):
    def run(*arguments):
        began = time.process_time(), int(os.pread(statm, 100, 0).split()[1])
        inner.append([0.0, 0])
        try:
            return call(*arguments)
        finally:
            took = time.process_time() - began[0], int(os.pread(statm, 100, 0).split()[1]) - began[1]
            of_others = inner.pop()
            cost = costs.setdefault(name, [0.0, 0])
            for index in range(2):
                inner[-1][index] += took[index]
                cost[index] += took[index] - of_others[index]
    return run

class Meter:
    @staticmethod
    def find_spec(name, path=None, target=None):
        spec = PathFinder.find_spec(name, path, target)
        if spec is not None and spec.loader is not None and hasattr(spec.loader, "__dict__"):
            top = name.partition(".")[0]
            top = "the standard library" if top in sys.stdlib_module_names else top
            spec.loader.create_module = measured(top, spec.loader.create_module)
            spec.loader.exec_module = measured(top, spec.loader.exec_module)
        return spec

size = int(os.pread(statm, 100, 0).split()[1])
sys.meta_path.insert(0, Meter)
import exporter.app.daemon
page = os.sysconf("SC_PAGE_SIZE")
costs["the interpreter"] = [0.0, size]
print(json.dumps({{name: [1000 * seconds, pages * page / 1e6] for name, (seconds, pages) in costs.items()}}))
"""


def import_costs() -> dict[str, tuple[float, float]]:
    """Return the milliseconds of CPU time and the MB that the modules of each library take, without their imports."""
    runs = []
    for _ in range(RUNS):
        command = [sys.executable, "-c", METER]
        done = subprocess.run(command, env=environment(), capture_output=True, check=True)
        runs.append(json.loads(done.stdout))
    return {name: (min(run[name][0] for run in runs), median(run[name][1] for run in runs)) for name in runs[0]}


def scrape() -> None:
    """Take the page as Prometheus does."""
    request = urllib.request.Request(f"http://127.0.0.1:{PORT}/metrics", headers={"Accept-Encoding": "gzip"})
    with urllib.request.urlopen(request) as response:
        response.read()


def with_jobs(size: int, active: int) -> tuple[float, float, float]:
    """Return the MB of an exporter that knows some jobs: when it is ready, after some scrapes, and at most."""
    now = time.time()
    jobs = fleet(size, active, now) if size else []
    with SimulatorServer(World(jobs), clock=time.time) as server, tempfile.TemporaryDirectory() as folder:
        path = f"{folder}/state.sqlite"
        write_state(path, jobs, now)
        with exporter(server, "--state-file", path) as process:
            while not ready():
                time.sleep(0.05)
            first = memory(process.pid)
            for _ in range(SCRAPES):
                scrape()
                time.sleep(2)
            return first, memory(process.pid), memory(process.pid, "VmHWM")


def main() -> None:
    """Print both tables."""
    costs = import_costs()
    print("import of the daemon")
    for name, (milliseconds, size) in sorted(costs.items(), key=lambda item: -item[1][1]):
        if size >= SMALLEST:
            print(f"  {name:22}{milliseconds:6.0f} ms CPU{size:7.1f} MB")
    total = [sum(column) for column in zip(*costs.values(), strict=True)]
    print(f"  {'together':22}{total[0]:6.0f} ms CPU{total[1]:7.1f} MB")
    print("memory by the number of jobs")
    for size, active in FLEETS:
        first, later, most = with_jobs(size, active)
        print(f"  {size:7,} jobs, {active:5,} active   ready {first:.0f} MB   later {later:.0f}   at most {most:.0f}")


if __name__ == "__main__":
    main()
