"""The simulator as a process of its own."""

import json
import signal
import socket
import subprocess
import sys
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import pytest
from processes import PATIENCE, eventually

from exporter.aws import CredentialsSession, EventQueueClient
from exporter.core import DETAIL_TYPES, CredentialsRef
from exporter.simulator.__main__ import main

COMMAND = (sys.executable, "-m", "exporter.simulator")


@contextmanager
def process(*arguments: str, stdin: int | None = subprocess.DEVNULL) -> Iterator[subprocess.Popen[str]]:
    pipe = subprocess.PIPE
    with subprocess.Popen([*COMMAND, *arguments], stdin=stdin, stdout=pipe, stderr=pipe, text=True) as running:
        try:
            yield running
        finally:
            running.kill()


def first_line(running: subprocess.Popen[str]) -> Any:
    assert running.stdout is not None
    return json.loads(running.stdout.readline())


@pytest.mark.parametrize("sent", [signal.SIGTERM, signal.SIGINT])
def test_it_says_where_it_listens_and_exits_with_0_on_a_signal(sent: signal.Signals) -> None:
    chosen = ("--listen", "127.0.0.1:0", "--jobs", "12", "--region", "eu-north-1", "--speed", "60")
    with process(*chosen, "--births-per-minute", "6") as running:
        said = first_line(running)
        with urllib.request.urlopen(said["url"] + "/_simulator/jobs", timeout=30) as answer:
            assert json.load(answer)[:12] == said["jobs"]
        assert len(said["jobs"]) == 12
        assert all(arn.startswith("arn:aws:braket:eu-north-1:123456789012:job/") for arn in said["jobs"])
        running.send_signal(sent)
        assert running.communicate(timeout=PATIENCE) == ("", "")
        assert running.returncode == 0


def test_with_exit_with_stdin_it_ends_with_its_parent() -> None:
    with process("--exit-with-stdin", stdin=subprocess.PIPE) as running:
        assert len(first_line(running)["jobs"]) == 40
        assert running.stdin is not None
        running.stdin.write("ignored\n")
        running.stdin.flush()
        assert running.poll() is None
        assert running.communicate(timeout=PATIENCE) == ("", "")
        assert running.returncode == 0


def test_with_events_its_line_has_the_url_of_a_queue_that_receives_them(monkeypatch: pytest.MonkeyPatch) -> None:
    with process("--events", "--jobs", "30", "--speed", "2000") as running:
        said = first_line(running)
        assert said["queue_url"] == f"{said['url']}/123456789012/braket-events"
        monkeypatch.setenv("AWS_ENDPOINT_URL_SQS", said["url"])
        queue = EventQueueClient(CredentialsSession(CredentialsRef()), said["queue_url"], "us-east-1", lambda *_: None)
        messages = eventually(lambda: queue.receive(5))
        assert all(message.event is not None and message.event.detail_type in DETAIL_TYPES for message in messages)
        queue.delete(messages)


def test_the_same_seed_gives_the_same_jobs() -> None:
    with process("--seed", "3", "--jobs", "5") as one, process("--seed", "3", "--jobs", "5") as other:
        assert first_line(one)["jobs"] == first_line(other)["jobs"]


def test_an_address_that_is_taken_is_refused(capsys: pytest.CaptureFixture[str]) -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken, pytest.raises(SystemExit) as caught:
        main(["--listen", f"127.0.0.1:{taken.getsockname()[1]}"])
    assert caught.value.code == 2
    assert "argument --listen: [Errno 98] Address already in use" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["--listen", "8080"], "argument --listen: '8080' is not valid; expected HOST:PORT"),
        (["--listen", "127.0.0.1:x"], "argument --listen: '127.0.0.1:x' is not valid; expected HOST:PORT"),
        (["--listen", "127.0.0.1:65536"], "argument --listen: '127.0.0.1:65536' is not valid; expected HOST:PORT"),
        (["--speed", "0"], "argument --speed: '0' is not valid; expected a number > 0"),
        (["--speed", "-1"], "argument --speed: '-1' is not valid; expected a number >= 0"),
        (["--speed", "fast"], "argument --speed: 'fast' is not valid; expected a number"),
        (["--births-per-minute", "nan"], "argument --births-per-minute: 'nan' is not valid; expected a number >= 0"),
        (["--jobs", "-1"], "argument --jobs: '-1' is not valid; expected a whole number >= 0"),
        (["--region", "mars-north-1"], "argument --region: invalid choice: 'mars-north-1'"),
    ],
)
def test_bad_arguments_are_refused(arguments: list[str], message: str, capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as caught:
        main(arguments)
    assert caught.value.code == 2
    assert message in capsys.readouterr().err


def test_help_teaches_how_to_point_the_sdk_at_it(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as caught:
        main(["--help"])
    assert caught.value.code == 0
    taught = capsys.readouterr().out
    assert "AWS_ENDPOINT_URL_BRAKET=http://127.0.0.1:" in taught
    assert '{"kind": "throttle", "operation": "GetJob", "above_rate": 5, "burst": 25, "seconds": 60}' in taught
    assert "AWS_ENDPOINT_URL_STS=http://127.0.0.1:" in taught
