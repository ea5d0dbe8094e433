"""Logs the progress of the first full poll."""

from typing import Final

from exporter.app.build import Exporter
from exporter.core import first_poll_progress

LOG_INTERVAL: Final = 10.0
"""Seconds between two log events."""


class FirstPollLog:
    """Logs the progress at intervals until the first full poll is done.

    Args:
        exporter: the components. The first interval starts now.
    """

    def __init__(self, exporter: Exporter) -> None:
        self._exporter = exporter
        self._done = False
        self._logged_at = exporter.clock.monotonic()

    def log_if_due(self) -> None:
        """Log the progress if an interval is over and the first full poll is not done."""
        now = self._exporter.clock.monotonic()
        if self._done or now < self._logged_at + LOG_INTERVAL:
            return
        self._done, self._logged_at = self._exporter.manager.full_poll_done, now
        if not self._done:
            self._exporter.event_log.first_poll_progress(first_poll_progress(self._exporter.manager.statuses()))
