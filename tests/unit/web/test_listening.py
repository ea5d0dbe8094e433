"""Accepting connections: failures, pauses and the end."""

import asyncio
import errno
import os
import socket
import time
from collections.abc import Callable

import pytest

from exporter.web.http import listening
from exporter.web.http.listening import Acceptor


class Failing(socket.socket):
    """A listening socket that fails for a while."""

    error = errno.EMFILE
    failures = 0
    tries = 0

    def accept(self) -> tuple[socket.socket, object]:
        self.tries += 1
        if self.failures > 0:
            self.failures -= 1
            raise OSError(self.error, os.strerror(self.error))
        return super().accept()


def run(listener: Failing, done: Callable[[list[OSError]], bool], room: int = 8) -> tuple[int, list[OSError]]:
    """Accept until it is done; return the number of connections and the failures."""
    accepted: list[socket.socket] = []
    errors: list[OSError] = []

    async def accept() -> None:
        acceptor = Acceptor(listener, lambda: room, accepted.append, errors.append)
        deadline = time.monotonic() + 30
        while not (done(errors) or accepted):
            assert time.monotonic() < deadline
            await asyncio.sleep(0.01)
        acceptor.close()

    asyncio.run(accept())
    for connection in accepted:
        connection.close()
    return len(accepted), errors


def listener(failures: int, error: int = errno.EMFILE) -> Failing:
    failing = Failing()
    failing.bind(("127.0.0.1", 0))
    failing.listen(8)
    failing.failures, failing.error = failures, error
    return failing


@pytest.mark.parametrize("error", [errno.EMFILE, errno.ENFILE, errno.ENOBUFS, errno.EPROTO])
def test_after_failures_a_connection_is_accepted_and_the_event_loop_logs_nothing(
    error: int, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setattr(listening, "RETRY_INTERVAL", 0.001)
    with listener(5, error) as failing, socket.create_connection(failing.getsockname()):
        count, errors = run(failing, lambda _: False)
    assert count == 1
    assert [each.errno for each in errors] == [error] * 5
    assert caplog.records == []


def test_a_failure_is_followed_by_a_pause_not_by_a_busy_loop(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(listening, "RETRY_INTERVAL", 0.2)
    began = time.monotonic()
    with listener(10**9) as failing, socket.create_connection(failing.getsockname()):
        run(failing, lambda errors: len(errors) >= 3)
        assert failing.tries <= 1 + (time.monotonic() - began) / 0.2


def test_out_of_descriptors_with_no_connection_waiting_is_no_failure() -> None:
    class Full(Failing):
        def accept(self) -> tuple[socket.socket, object]:
            accepted = super().accept()
            self.failures = 1
            return accepted

    full = Full()
    full.bind(("127.0.0.1", 0))
    full.listen(8)
    with full, socket.create_connection(full.getsockname()):
        count, errors = run(full, lambda _: False)
    assert (count, errors) == (1, [])


def test_closing_during_a_pause_ends_it() -> None:
    with listener(10**9) as failing, socket.create_connection(failing.getsockname()):
        assert len(run(failing, lambda errors: len(errors) == 1)[1]) == 1
        assert failing.fileno() == -1
