"""Signals, each in a process of its own: its main thread handles them."""

import subprocess
import sys

import pytest

EARLY = """
import os, signal, threading
from exporter.app.signals import called_by_sighup
if BLOCKED:
    signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGHUP})
    os.kill(os.getpid(), signal.SIGHUP)
called = threading.Event()
with called_by_sighup(called.set) as started:
    if not BLOCKED:
        os.kill(os.getpid(), signal.SIGHUP)
    assert not called.wait(0.2), "called before the start"
    started.set()
    assert called.wait(30)
    called.clear()
    os.kill(os.getpid(), signal.SIGHUP)
    assert called.wait(30)
assert (signal.SIGHUP in signal.pthread_sigmask(signal.SIG_BLOCK, ())) is BLOCKED
"""


@pytest.mark.parametrize("blocked", [True, False])
def test_a_sighup_before_the_start_makes_its_call_after_it(*, blocked: bool) -> None:
    program = EARLY.replace("BLOCKED", str(blocked))
    ended = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, timeout=60, check=False)
    assert (ended.returncode, ended.stderr) == (0, "")
