"""One log line for many equal events."""

from collections.abc import Callable

import pytest

from exporter.web.http.repeated_warning import RepeatedWarning


class Timer:
    """Calls what is due when the test says so."""

    def __init__(self) -> None:
        self.calls: list[tuple[float, Callable[[], None]]] = []

    def __call__(self, seconds: float, call: Callable[[], None]) -> None:
        self.calls.append((seconds, call))

    def expire(self) -> None:
        ((seconds, call),) = self.calls
        assert seconds == 60.0
        self.calls.clear()
        call()


def test_the_first_event_is_logged_at_once_and_the_next_ones_after_a_minute(caplog: pytest.LogCaptureFixture) -> None:
    timer = Timer()
    warning = RepeatedWarning("lost", timer)
    warning.add("a")
    assert caplog.messages == ["lost: 1 in the last minute; last one: a"]
    for _ in range(10_000):
        warning.add("b")
    warning.add("c")
    assert len(caplog.messages) == 1
    timer.expire()
    assert caplog.messages[1:] == ["lost: 10001 in the last minute; last one: c"]
    assert {record.levelname for record in caplog.records} == {"WARNING"}


def test_after_a_minute_without_events_the_next_one_is_logged_at_once(caplog: pytest.LogCaptureFixture) -> None:
    timer = Timer()
    warning = RepeatedWarning("lost", timer)
    warning.add("a")
    timer.expire()
    assert timer.calls == []
    warning.add("b")
    assert len(caplog.messages) == 2
