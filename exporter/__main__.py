"""`python -m exporter`, and the console script."""

import gc
import os
import signal
import sys
from contextlib import suppress
from typing import NoReturn


def main() -> None:
    """Run the command line and end the process with its status.

    The imports take a quarter of a second, in which SIGTERM must not be lost: the kernel drops it for process 1 of a
    container, which has no handler of its own, and elsewhere the status would be the signal's and not 0, or 1 for a
    command whose result is not there then. A SIGHUP remains pending until the daemon can reload; in other commands, it
    ends the process.
    """
    status = 0 if {"once", "check-config"}.isdisjoint(sys.argv[1:]) else 1
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, lambda *_: os._exit(status))
    if {"once", "jobs", "check-config"}.isdisjoint(sys.argv[1:]):
        signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGHUP})
    if sys.stderr is None:  # closed by whoever started us; log lines are not to go elsewhere for that
        sys.stderr = open(os.devnull, "w", encoding="utf-8")  # noqa: PTH123, SIM115 -- as long as it lives
    # A tenth of the imports' time would go into the search for garbage, of which they leave hardly any.
    gc.disable()
    try:
        from exporter.app import main as run  # noqa: PLC0415 -- as above
    except (ImportError, MemoryError, OSError) as error:  # the memory limit is too low for the libraries
        sys.exit(f"braket-exporter: cannot load its modules: {type(error).__name__}: {error}".strip(": "))

    gc.freeze()
    gc.enable()
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
