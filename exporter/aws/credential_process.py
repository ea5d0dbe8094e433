"""Runs a ``credential_process`` without a terminal, within the call's deadline, with bounded output and no stderr."""

import atexit
import os
import signal
import subprocess
import threading
import time
from collections.abc import Sequence
from contextlib import suppress
from typing import Final

from exporter.aws.attempt import CURRENT, RefusedError

LONGEST_OUTPUT: Final = 64_000
"""Maximum output, bytes; credentials have about 2,000."""

GRACE: Final = 0.2
"""Seconds from the deadline to the kill: by then the call has failed because of its deadline."""

LONGEST_RUN: Final = 15.0
"""Maximum duration outside of a call, seconds."""


class CredentialProcess:
    """Replaces ``subprocess.Popen`` in the SDK.

    The program runs in its own session without a terminal, so it cannot prompt. The program and its children are killed
    soon after the deadline, which ends the waiting thread, and at the end of the exporter.

    Attributes:
        returncode: the exit status; ``None`` until the program has ended.

    Raises:
        RefusedError: the program cannot be started.
    """

    def __init__(self, command: Sequence[str], **_: object) -> None:
        self._ending = False
        attempt = CURRENT.get()
        self._until = time.monotonic() + LONGEST_RUN if attempt is None else attempt.until
        if attempt is not None:
            attempt.process = True
        try:
            self._process = subprocess.Popen(  # noqa: S603 -- the user's own setting
                command,
                stdin=subprocess.DEVNULL,
                stdout=subprocess.PIPE,
                stderr=subprocess.DEVNULL,
                start_new_session=True,
            )
        except OSError as error:
            reason = os.strerror(error.errno or 0)
            raise RefusedError(f"credential_process cannot be started: {reason}") from None

    @property
    def returncode(self) -> int | None:
        """The exit status; ``None`` until the program has ended."""
        return self._process.returncode

    def communicate(self) -> tuple[bytes, bytes]:
        """Wait for the end; return the output, and nothing for stderr.

        Raises:
            RefusedError: the program failed, wrote too much or did not end in time.
        """
        assert self._process.stdout is not None  # noqa: S101 -- a pipe was wanted
        killer = threading.Timer(max(0.0, self._until - time.monotonic()) + GRACE, self._kill)
        killer.daemon = True
        atexit.register(self._end)
        try:
            killer.start()
            with self._process.stdout as stdout:
                output = stdout.read(LONGEST_OUTPUT + 1)
            if self._ending:
                threading.Event().wait()  # forever: otherwise the next waiting thread starts another program
            if len(output) > LONGEST_OUTPUT:
                raise RefusedError(f"credential_process wrote more than {LONGEST_OUTPUT // 1000} KB")
            status = self._process.wait()
        finally:
            killer.cancel()
            atexit.unregister(self._end)
            if self._process.poll() is None:
                self._kill()
                self._process.wait()
        if status:
            raise RefusedError(f"credential_process {_ended(status)}")
        return output, b""

    def _end(self) -> None:
        """Kill the program because the exporter ends."""
        self._ending = True
        self._kill()

    def _kill(self) -> None:
        with suppress(ProcessLookupError, PermissionError):
            os.killpg(self._process.pid, signal.SIGKILL)


def _ended(status: int) -> str:
    return f"ended with status {status}" if status > 0 else f"was ended by signal {-status}"
