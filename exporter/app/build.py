"""Builds the parts of the exporter from the settings. Nothing runs and nothing is polled yet."""

import random
import sys
from dataclasses import dataclass, replace

from structlog.typing import FilteringBoundLogger

from exporter.app.config_files import check_state_file
from exporter.app.settings import Settings
from exporter.core.clock import Clock
from exporter.metrics.families import job_families
from exporter.polling.manager import Crew
from exporter.polling.rate_limiter import Budgets
from exporter.storage.persistence import Entry, Past
from exporter.storage.state_errors import StateInUseError
from exporter.storage.state_writer import Keeper
from exporter.storage.store import Store
from exporter.telemetry.log_events import Journal, make_logger
from exporter.telemetry.self_metrics import Telemetry


class StartError(Exception):
    """The exporter cannot start; the text is one human-readable line."""


@dataclass(frozen=True, slots=True)
class Exporter:
    """The parts that the commands drive.

    Attributes:
        journal: the log events.
        telemetry: the exporter's own metrics.
        store: the jobs.
        crew: the pollers.
        keeper: writes to the state file, if there is one.
        clock: the time.
    """

    journal: Journal
    telemetry: Telemetry
    store: Store
    crew: Crew
    keeper: Keeper | None
    clock: Clock

    def recall(self, state_file: str | None) -> Past | None:
        """Load the state file, if there is one, into the store.

        Args:
            state_file: the path, for the error message.

        Raises:
            StartError: another process has the state file open.
        """
        if self.keeper is None:
            return None
        try:
            past = self.keeper.load()
        except StateInUseError as error:
            raise StartError(f"state_file {state_file}: {error}; each exporter needs a file of its own") from error
        if past is not None:
            self.store.restore(past)
        return past

    def tidy_up(self) -> None:
        """Drop the jobs past their retention, and write pending changes to the state file."""
        self.crew.forget_expired()
        if self.keeper is not None:
            self.keeper.watch(self.crew.lanes)  # the first response may have corrected them
        self.store.flush()
        if self.keeper is not None:
            self.keeper.beat()

    def close(self) -> None:
        """Write the last changes to the state file and close it."""
        self.store.flush()
        if self.keeper is not None:
            self.keeper.close()


def build(settings: Settings) -> Exporter:
    """Build all parts, with a log on stderr and the real clock.

    Raises:
        SettingsError: the state file can never exist.
    """
    check_state_file(settings)
    logger = make_logger(settings.log_level, settings.log_format, sys.stderr)
    return build_parts(settings, logger, Clock())


def build_parts(settings: Settings, logger: FilteringBoundLogger, clock: Clock) -> Exporter:
    """Build all parts.

    Args:
        settings: the settings at the start.
        logger: writes the log events.
        clock: the time.
    """
    journal = Journal(logger)
    telemetry = Telemetry(lambda: crew.statuses())  # noqa: PLW0108 -- the pollers need it, too
    keeper = None if settings.state_file is None else Keeper(settings.state_file, journal, telemetry, clock)
    families = job_families(settings.tag_labels) if settings.per_job_metrics else ()
    store = Store(families, keeper, most=settings.max_jobs)
    crew = Crew(
        store=store,
        journal=journal,
        telemetry=telemetry,
        budgets=Budgets(settings.api_requests_per_second),
        clock=clock,
        random=random.random,
    )
    if keeper is not None:
        keeper.everything = lambda: _everything(store, crew)
    return Exporter(journal, telemetry, store, crew, keeper, clock)


def _everything(store: Store, crew: Crew) -> Entry:
    """Collect the whole state, for a new state file."""
    return replace(store.everything(), formers=crew.tombstones.all(), floor=crew.tombstones.floor)
