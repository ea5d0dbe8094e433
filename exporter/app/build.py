"""Builds the components of the exporter from the settings, without starting them."""

import random
import sys
from typing import NamedTuple

from structlog.typing import FilteringBoundLogger

from exporter.app.command_errors import StartError
from exporter.app.settings import Settings
from exporter.app.state_file_path import check_state_file
from exporter.core import Clock
from exporter.metrics import job_families
from exporter.polling import PollerManager, RateLimiter
from exporter.storage import SavedState, StateInUseError, StateWriter, Store
from exporter.telemetry import EventLog, SelfMetrics, make_logger


class Exporter(NamedTuple):
    """The components of the exporter.

    Attributes:
        event_log: the log events.
        telemetry: the exporter's own metrics.
        store: the jobs.
        manager: the pollers.
        state_writer: writes the state file, if configured.
        clock: the time.
    """

    event_log: EventLog
    telemetry: SelfMetrics
    store: Store
    manager: PollerManager
    state_writer: StateWriter | None
    clock: Clock

    def load_state(self, state_file: str | None) -> SavedState | None:
        """Load the state file, if configured, into the store.

        Args:
            state_file: the path, for the error message.

        Raises:
            StartError: another process has the state file open.
        """
        if self.state_writer is None:
            return None
        try:
            saved = self.state_writer.load(self.store.restoration, self.store.everything)
        except StateInUseError as error:
            raise StartError(f"state_file {state_file}: {error}; set a different path for each exporter") from error
        if saved is not None:
            self.store.tombstones.restore(saved.tombstones, saved.floor)
        return saved

    def maintain(self) -> None:
        """Drop the jobs after their retention, and write pending changes to the state file."""
        self.manager.drop_expired()
        if self.state_writer is not None:
            self.state_writer.set_baselines(self.manager.baselines)  # the first response corrects them
        self.store.flush()
        if self.state_writer is not None:
            self.state_writer.beat(self.store.everything)

    def close(self) -> None:
        """Write the last changes to the state file and close it."""
        self.store.flush()
        if self.state_writer is not None:
            self.state_writer.close(self.store.everything)


def build(settings: Settings) -> Exporter:
    """Build all components, with a log on stderr and the real clock.

    Raises:
        SettingsError: the path of the state file is invalid.
    """
    check_state_file(settings)
    telemetry = SelfMetrics()
    logger = make_logger(settings.log_level, settings.log_format, sys.stderr, telemetry.log_line_dropped)
    return build_parts(settings, logger, telemetry, Clock())


def build_parts(settings: Settings, logger: FilteringBoundLogger, telemetry: SelfMetrics, clock: Clock) -> Exporter:
    """Build all components.

    Args:
        settings: the settings at the start.
        logger: writes the log events.
        telemetry: the exporter's own metrics.
        clock: the time.
    """
    event_log, tags = EventLog(logger), settings.aggregate_tag_labels
    telemetry.tag_keys_used(tags)
    state_writer = (
        None if settings.state_file is None else StateWriter(settings.state_file, event_log, telemetry, clock, tags)
    )
    families = job_families(settings.tag_labels) if settings.per_job_metrics else ()
    store = Store(
        families, state_writer, most=settings.max_jobs, tag_keys=tags, count_other=telemetry.tag_value_dropped
    )
    manager = PollerManager(
        store=store,
        event_log=event_log,
        telemetry=telemetry,
        rate_limiter=RateLimiter(settings.api_requests_per_second),
        clock=clock,
        random=random.random,
    )
    return Exporter(event_log, telemetry, store, manager, state_writer, clock)
