"""`python -m exporter`, and the console script."""

import gc
import os
import signal
import sys
from contextlib import suppress
from typing import NoReturn


def main() -> None:
    """Run the command line and end the process with its status.

    A signal that arrives during the imports, which take a quarter of a second, ends the process as a later one does:
    with 1 for a command without its result, otherwise with 0. Without a handler, the kernel ignores SIGTERM for
    process 1 of a container. A SIGHUP remains pending until the daemon can reload; in other commands, it ends the
    process.
    """
    status = 0 if {"once", "jobs", "check-config"}.isdisjoint(sys.argv[1:]) else 1
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, lambda *_: os._exit(status))
    if {"once", "jobs", "check-config"}.isdisjoint(sys.argv[1:]):
        signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGHUP})
    if sys.stderr is None:  # closed by the parent process; without it, log lines would go to another file
        sys.stderr = open(os.devnull, "w", encoding="utf-8")  # noqa: PTH123, SIM115 -- as long as it lives
    # The imports leave hardly any garbage, and collecting it would take a tenth of their time. A command starts the
    # collection when its modules are loaded.
    gc.disable()
    try:
        from exporter.app import main as run  # noqa: PLC0415 -- as above
    except (ImportError, MemoryError, OSError) as error:  # the memory limit is too low for the libraries
        sys.exit(f"braket-exporter: cannot load its modules: {type(error).__name__}: {error}".strip(": "))

    _end(run())


def _end(status: int) -> NoReturn:
    """End the process; with ``PYTHONINSPECT`` Python would write a traceback first, and then wait for input."""
    if sys.flags.inspect:
        for stream in (sys.stdout, sys.stderr):
            with suppress(OSError, ValueError, AttributeError):
                stream.flush()
        os._exit(status)
    sys.exit(status)


if __name__ == "__main__":
    main()
