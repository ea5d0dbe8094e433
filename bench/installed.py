"""The exporter as an installation runs it: compiled modules are stored, and no development tool is imported.

structlog imports several libraries where it finds them. Only the development tools bring these.
"""

import os
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from exporter.simulator import SimulatorServer

WITHOUT_TOOLS = "import sys; sys.modules.update(dict.fromkeys(('rich', 'better_exceptions', 'colorama', 'greenlet')))"
COMMAND = [sys.executable, "-c", f"{WITHOUT_TOOLS}; from exporter.__main__ import main; main()"]


def environment(url: str = "") -> dict[str, str]:
    """Return the variables of the container image and the systemd unit, and keep the SDK on loopback."""
    inherited = {name: value for name, value in os.environ.items() if name != "PYTHONDONTWRITEBYTECODE"}
    return inherited | {
        "MALLOC_ARENA_MAX": "1",
        "AWS_ENDPOINT_URL_BRAKET": url,
        "AWS_ENDPOINT_URL_SQS": url,
        "AWS_ACCESS_KEY_ID": "bench",
        "AWS_SECRET_ACCESS_KEY": "bench",
        "AWS_CONFIG_FILE": os.devnull,
        "AWS_EC2_METADATA_DISABLED": "true",
    }


@contextmanager
def exporter(server: SimulatorServer, *arguments: str) -> Iterator["subprocess.Popen[bytes]"]:
    """Run an exporter with an embedded endpoint."""
    process = subprocess.Popen([*COMMAND, *arguments], env=environment(server.url), stderr=subprocess.DEVNULL)
    try:
        yield process
    finally:
        process.terminate()
        process.wait()


def memory(pid: int, field: str = "VmRSS") -> float:
    """Return a figure of a process's memory in MB: ``VmRSS`` is its present size, ``VmHWM`` its largest."""
    status = Path(f"/proc/{pid}/status").read_text(encoding="ascii")
    return next(int(line.split()[1]) * 1024 / 1e6 for line in status.splitlines() if line.startswith(field))
