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


ELSEWHERE = """
import signal, threading, time
from exporter.app.background import finish, in_background
from exporter.app.signals import stopped_by_signals, wait_for

def signal_another_thread():
    time.sleep(0.3)  # the main thread waits by then; it does not matter if it does not
    signal.pthread_kill(threading.get_ident(), signal.SIGTERM)
    time.sleep(60)

with stopped_by_signals() as stop:
    threading.Thread(target=signal_another_thread, daemon=True).start()
    WAIT
assert stop.is_set()
"""


@pytest.mark.parametrize("waiting", ["wait_for(stop)", "finish(in_background(stop.wait, 'call'))"])
def test_a_signal_that_the_kernel_gives_to_another_thread_ends_the_wait_of_the_main_thread(waiting: str) -> None:
    program = ELSEWHERE.replace("WAIT", waiting)
    ended = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, timeout=30, check=False)
    assert (ended.returncode, ended.stderr) == (0, "")


DURING_THE_WAIT = """
import signal, sys, threading
from exporter.app.signals import stopped_by_signals

with stopped_by_signals() as stop:
    with stop._cond:  # what the main thread holds for a moment in each call of wait
        signal.raise_signal(signal.SIGTERM)
    assert stop.wait(30)
"""


def test_a_signal_while_the_main_thread_holds_the_lock_of_the_event_does_not_block_it() -> None:
    ended = subprocess.run(
        [sys.executable, "-c", DURING_THE_WAIT], capture_output=True, text=True, timeout=30, check=False
    )
    assert (ended.returncode, ended.stderr) == (0, "")
