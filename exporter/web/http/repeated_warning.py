"""A log line for an event that may repeat thousands of times a second."""

import asyncio
import logging
from collections.abc import Callable
from typing import Final

INTERVAL: Final = 60.0
"""Seconds between two log lines about the same event."""

_LOG: Final = logging.getLogger(__name__)


def call_later(seconds: float, call: Callable[[], None]) -> None:
    """Call a function after some seconds in the running event loop."""
    asyncio.get_running_loop().call_later(seconds, call)


class RepeatedWarning:
    """Logs an event at once, and repetitions once per interval with their number.

    Args:
        text: the text of the log line.
        call_later: calls a function after some seconds, in the thread of the events.
    """

    def __init__(self, text: str, call_later: Callable[[float, Callable[[], None]], object]) -> None:
        self._text, self._call_later = text, call_later
        self._count, self._detail, self._waiting = 0, "", False

    def add(self, detail: str) -> None:
        """Count one event; the detail of the last one is logged."""
        self._count += 1
        self._detail = detail
        if not self._waiting:
            self._log()

    def _log(self) -> None:
        """Log the events since the last line, and wait an interval; without events, log the next one at once."""
        self._waiting = self._count > 0
        if self._waiting:
            _LOG.warning("%s: %d in the last minute; last one: %s", self._text, self._count, self._detail)
            self._count = 0
            self._call_later(INTERVAL, self._log)
