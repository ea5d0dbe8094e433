"""The line that shows progress: on a real terminal, by the real process, and never anywhere else."""

import fcntl
import os
import pty
import re
import signal
import struct
import subprocess
import termios
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Self

import pytest
from processes import LONG_AGO, command, environment, eventually, run, wire_job

from exporter.simulator import Fault, FaultKind, ScriptedJob, SimulatorServer, World, job_arn
from exporter.telemetry.status_line import StatusLine, status_line

ARNS = [job_arn(f"job-{number}", region) for number in range(5) for region in ("us-west-2", "eu-north-1")]
CODE = re.compile(r"\x1b\[[0-9;?]*[A-Za-z]|\r|\n|[^\x1b\r\n]+")


class Screen:
    """A terminal of so many columns, which remembers every state that its last line was in."""

    def __init__(self, columns: int = 120) -> None:
        self.near, self.far = pty.openpty()
        fcntl.ioctl(self.far, termios.TIOCSWINSZ, struct.pack("HHHH", 24, columns, 0, 0))
        self.data = bytearray()
        self._reader = threading.Thread(target=self._read, daemon=True)
        self._reader.start()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.hang_up()
        os.close(self.near)

    def hang_up(self) -> None:
        """Close our end of what the process writes to, and read what is left."""
        if self.far >= 0:
            os.close(self.far)
            self.far = -1
        self._reader.join(10)

    def _read(self) -> None:
        try:
            while part := os.read(self.near, 65536):
                self.data += part
        except OSError:
            pass  # everybody has closed the other end

    @property
    def lines(self) -> list[str]:
        """What a person sees, and could scroll back to."""
        return self._play()[0]

    @property
    def statuses(self) -> list[str]:
        """Each progress line that was seen at the bottom, in turn."""
        return [text for text in self._play()[1] if text.startswith("first poll")]

    def _play(self) -> tuple[list[str], list[str]]:
        lines, column, seen = [""], 0, list[str]()
        for code in CODE.findall(self.data.decode(errors="replace")):
            if code == "\n":
                lines.append("")
            elif code == "\r":
                column = 0
            elif code == "\x1b[K":
                lines[-1] = lines[-1][:column]
            elif not code.startswith("\x1b"):
                lines[-1] = lines[-1][:column] + code + lines[-1][column + len(code) :]
                column += len(code)
                seen.append(lines[-1])
        return lines, seen


@pytest.fixture
def simulator() -> Iterator[SimulatorServer]:
    jobs = [ScriptedJob(arn, LONG_AGO, [(LONG_AGO, wire_job(arn, "RUNNING"))]) for arn in ARNS]
    with SimulatorServer(World(jobs), clock=time.time) as server:
        yield server


@contextmanager
def started(screen: Screen, url: str, *arguments: str, **env: str) -> Iterator["subprocess.Popen[str]"]:
    """Start an exporter whose stderr is the screen; its ten jobs take it a good second."""
    variables = {"AWS_ENDPOINT_URL_BRAKET": url, "TERM": "xterm", **env}
    arguments = (*arguments, "--jobs", ",".join(ARNS), "--api-requests-per-second", "4")
    with subprocess.Popen(
        command(*arguments),
        env=environment(variables),
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=screen.far,
        text=True,
    ) as process:
        try:
            yield process
        finally:
            process.kill()


def is_whole(line: str) -> bool:
    """Whether it is a whole log line for people, which begins with its time."""
    return re.fullmatch(r"\d{4}-\d\d-\d\dT[\d:.]+Z \[\w+ *\] \w+ .*", line) is not None


def test_once_shows_how_far_it_is_below_whole_log_lines_and_nothing_of_it_stays(simulator: SimulatorServer) -> None:
    with Screen() as screen:
        with started(screen, simulator.url, "once") as process:
            page, _ = process.communicate(timeout=20)
        screen.hang_up()
        assert process.returncode == 0
        assert "braket_job_status" in page
        assert "first poll" not in page
        assert any(
            re.fullmatch(r"first poll: \d of 10 jobs asked for, 2 targets, about \d s left at 4 calls a second", text)
            for text in screen.statuses
        )
        *above, last = screen.lines
        assert last == ""
        assert len(above) == 10
        assert all(map(is_whole, above)), above


def test_run_shows_it_until_the_first_poll_is_done(simulator: SimulatorServer) -> None:
    with Screen() as screen:
        with started(screen, simulator.url, "run", "--listen-address", "127.0.0.1:0") as process:
            eventually(lambda: screen.statuses)
            eventually(lambda: sum("job_discovered" in line for line in screen.lines) == 10)
            eventually(lambda: screen.lines[-1] == "")
            process.send_signal(signal.SIGTERM)
            assert process.wait(10) == 0
        screen.hang_up()
        *above, last = screen.lines
        assert last == ""
        assert all(map(is_whole, above)), above
        assert sum("started" in line for line in above) == 1
        assert "stopped" in above[-1]


def test_a_signal_takes_the_line_away_before_the_last_word(simulator: SimulatorServer) -> None:
    simulator.faults.put(Fault(FaultKind.HANG))
    with Screen() as screen:
        with started(screen, simulator.url, "once") as process:
            eventually(lambda: screen.statuses)
            process.send_signal(signal.SIGTERM)
            assert process.wait(10) == 1
        screen.hang_up()
        assert screen.lines == ["braket-exporter: interrupted before every job was polled", ""]


@pytest.mark.parametrize(
    ("arguments", "variables"), [(("--log-format", "json"), {}), ((), {"TERM": "dumb"})], ids=["json", "dumb"]
)
def test_nothing_is_rewritten_among_json_lines_or_on_a_terminal_that_cannot(
    simulator: SimulatorServer, arguments: tuple[str, ...], variables: dict[str, str]
) -> None:
    with Screen() as screen:
        with started(screen, simulator.url, "once", *arguments, **variables) as process:
            process.communicate(timeout=20)
        screen.hang_up()
        assert process.returncode == 0
        assert screen.statuses == []
        assert b"\x1b[K" not in screen.data


def test_where_stderr_is_no_terminal_there_is_no_such_line(simulator: SimulatorServer) -> None:
    asked = ("once", "--jobs", ",".join(ARNS), "--api-requests-per-second", "4", "--log-format", "console")
    ended = run(*asked, env={"AWS_ENDPOINT_URL_BRAKET": simulator.url, "TERM": "xterm"})
    assert ended.returncode == 0
    assert "first poll" not in ended.stderr
    assert "\x1b" not in ended.stderr


@contextmanager
def line_on(screen: Screen) -> Iterator[StatusLine]:
    with os.fdopen(os.dup(screen.far), "w") as stream:
        yield StatusLine(stream)


def test_lines_pass_above_the_one_that_is_shown() -> None:
    with Screen() as screen:
        with line_on(screen) as line:
            line.write("one\n")
            line.show("working, 1 of 20 done")
            line.write("two\n")
            line.write("three\n")
            line.show("done")
            line.flush()
        screen.hang_up()
        assert screen.lines == ["one", "two", "three", "done"]


def test_what_was_cleared_comes_back_with_no_line() -> None:
    with Screen() as screen:
        with line_on(screen) as line:
            line.show("working")
            line.clear()
            line.clear()
            line.write("one\n")
            line.flush()
        screen.hang_up()
        assert screen.lines == ["one", ""]
        assert screen.data.count(b"\x1b[K") == 2


@pytest.mark.parametrize(("columns", "shown"), [(10, "working, "), (0, "working, 1 of 2")])
def test_a_line_is_cut_before_it_would_wrap(columns: int, shown: str) -> None:
    with Screen(columns) as screen:
        with line_on(screen) as line:
            line.show("working, 1 of 2")
        screen.hang_up()
        assert screen.lines == [shown]


def test_only_a_terminal_that_can_rewrite_a_line_gets_one(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with Screen() as screen, os.fdopen(os.dup(screen.far), "w") as terminal, (tmp_path / "log").open("w") as file:
        monkeypatch.setenv("TERM", "xterm")
        assert status_line(file) is None
        line = status_line(terminal)
        assert line is not None
        assert line.isatty()
        monkeypatch.delenv("TERM")
        assert status_line(terminal) is None
