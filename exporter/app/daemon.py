"""The one place that wires: settings become a running exporter, from its start to its end."""

import random
import sys
import threading
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass, replace
from typing import Final

from structlog.typing import FilteringBoundLogger

from exporter import __version__
from exporter.app.build import (
    Sessions,
    StartError,
    check_state_file,
    count_jobs,
    environment_warnings,
    guard_of,
    lanes,
    web_config_errors,
)
from exporter.app.settings import Settings, SettingsError, warnings_of
from exporter.app.signals import TimeoutReached, called_by_sighup, interrupted_after, stopped_by_signals
from exporter.aws.client import BraketClient
from exporter.aws.sessions import CONNECTIONS
from exporter.core.clock import Clock
from exporter.core.first_poll import fill_line, fill_of
from exporter.core.jobs import JobRecord, Target
from exporter.core.targets import Lane
from exporter.core.text import format_duration, parse_listen
from exporter.metrics.families import job_families
from exporter.polling.discovered_jobs import Retention
from exporter.polling.discovery import Policy
from exporter.polling.manager import Crew
from exporter.polling.polling_plan import Changes
from exporter.polling.rate_limiter import Budgets
from exporter.storage.persistence import Entry, Past
from exporter.storage.sqlite_file import StateInUseError
from exporter.storage.state_writer import Keeper
from exporter.storage.store import Store
from exporter.telemetry.log_events import Journal, make_logger
from exporter.telemetry.self_metrics import Telemetry
from exporter.telemetry.status_line import StatusLine, status_line
from exporter.web.http.access import FileGuard
from exporter.web.http.server import HttpServer
from exporter.web.routes import PROBES, RELOAD, Reloaded, Web, expose

SWEEP_INTERVAL: Final = 5.0
GLANCE_INTERVAL: Final = 0.02
PROGRESS_INTERVAL: Final = 0.25
FIRST_FEW: Final = 3
"""The most names in a list of what is missing."""

RELOADED: Final = frozenset(
    {"jobs", "tags", "all_jobs", "job_name_regex", "regions", "targets", "shard", "total_shards"}
    | {"poll_interval", "discovery_interval", "lookback", "retention", "retention_failed"}
    | {"max_jobs", "disabled_metrics", "api_requests_per_second"}
)
"""The settings that can change while the exporter runs."""


class Exporter:
    """The parts that the commands drive. Nothing runs yet, and nothing is polled until settings are taken.

    Attributes:
        settings: those in force.
        store: the jobs.
        telemetry: the exporter's own metrics.
        journal: the log events.
        crew: the pollers.
        keeper: writes to the state file, if there is one.
        clock: the time.
        line: shows people how far the first poll has come, if anybody looks.

    Args:
        settings: those to begin with.
        logger: takes the log events.
        clock: the time.
        line: below the log lines, where they go to a terminal.
    """

    def __init__(
        self, settings: Settings, logger: FilteringBoundLogger, clock: Clock, line: StatusLine | None = None
    ) -> None:
        self.settings, self.journal, self.clock, self.line = settings, Journal(logger), clock, line
        self.telemetry = Telemetry(lambda: self.crew.statuses())  # noqa: PLW0108 -- the crew is made from it
        file, families = settings.state_file, job_families(settings.tag_labels) if settings.per_job_metrics else ()
        self.keeper = None if file is None else Keeper(file, self.journal, self.telemetry, clock)
        self.store = Store(families, self.keeper, most=settings.max_jobs)
        self.crew = Crew(
            store=self.store,
            journal=self.journal,
            telemetry=self.telemetry,
            budgets=Budgets(settings.api_requests_per_second),
            clock=clock,
            random=random.random,
        )
        self._sessions: Sessions = {}
        self._taking = threading.Lock()

    def recall(self) -> Past | None:
        """Take in what the state file tells, if there is one.

        Raises:
            StartError: another process has it.
        """
        if self.keeper is None:
            return None
        self.keeper.everything = self._everything
        try:
            past = self.keeper.load()
        except StateInUseError as error:
            file = self.settings.state_file
            raise StartError(f"state_file {file}: {error}; each exporter needs a file of its own") from error
        if past is not None:
            self.store.restore(past)
        return past

    def _everything(self) -> Entry:
        tombstones = self.crew.tombstones
        return replace(self.store.everything(), formers=tombstones.all(), floor=tombstones.floor)

    def take(self, settings: Settings, past: Past | None = None) -> Changes:
        """Have settings in force, all of them or none; what is known of jobs and targets stays.

        Args:
            settings: the settings.
            past: what was known before a restart.

        Raises:
            SettingsError: no Region is known to look for jobs in.
        """
        sessions = dict(self._sessions)
        policy = Policy(
            poll_interval=settings.poll_interval,
            discovery_interval=settings.discovery_interval,
            lookback=settings.lookback,
            retention=Retention(settings.retention, settings.retention_failed),
        )

        def connect(lane: Lane) -> BraketClient:
            labels = frozenset(settings.tag_labels)
            return BraketClient(sessions[lane.login], lane.target, self.telemetry.request, labels)

        wanted = lanes(settings, sessions)
        plan = self.crew.plan(wanted, policy, settings.api_requests_per_second, connect)
        for session in self._sessions.values():
            session.renew(forced=True)
        changes = self.crew.follow(plan, past)
        self.crew.limit(settings.max_jobs)
        if self.keeper is not None:
            self.keeper.watch(self.crew.lanes)
        self.store.flush()
        self.settings, self._sessions = settings, {lane.login: sessions[lane.login] for lane in wanted}
        self.telemetry.settings_loaded(self.clock.wall())
        return changes

    def reload(self, read: Callable[[], Settings], file: str | None, guard: FileGuard | None) -> Reloaded:
        """Read the settings anew and take them; bad ones change nothing. A bug in it ends the exporter.

        Args:
            read: reads them.
            file: where they stand, for the log.
            guard: reads the web configuration file, which is to be good, too, if there is one.
        """
        with self._taking:
            try:
                return self._reload(read, file, guard)
            except (SettingsError, StartError) as error:
                problems = error.problems if isinstance(error, SettingsError) else (str(error),)
                self.telemetry.reload_failed()
                self.journal.config_reload_failed(file, "; ".join(problems))
                return Reloaded(problems)
            except BaseException as bug:
                self.crew.fail(bug)
                raise

    def _reload(self, read: Callable[[], Settings], file: str | None, guard: FileGuard | None) -> Reloaded:
        given = read()
        with web_config_errors(self.settings.web_config_file):
            rules = None if guard is None else guard.read()
        kept = {key: getattr(self.settings, key) for key in Settings.model_fields if key not in RELOADED}
        later = [key for key, value in kept.items() if getattr(given, key) != value]
        changes = self.take(given.model_copy(update=kept))
        if guard is not None and rules is not None:
            guard.adopt(rules)
        self.journal.config_reloaded(
            file,
            configured_jobs=count_jobs(self.settings),
            targets=len(self.crew.pollers),
            added=changes.added,
            removed=changes.removed,
            changed=changes.changed,
            restart_needed=later,
        )
        self.warn()
        return Reloaded(restart_needed=later)

    def warn(self) -> None:
        """Log the settings, and variables of the AWS SDK, that are valid and probably a mistake."""
        regions = [target.region for target in self._targets]
        for warning in (*warnings_of(self.settings, regions), *environment_warnings(self.settings)):
            self.journal.config_warning(warning.setting, warning.message)

    @property
    def known_jobs(self) -> int:
        """How many of the watched jobs are known from the state file, before the first poll."""
        return len(self.store) - sum(job.snapshot is None for job in self.named_jobs)

    @property
    def named_jobs(self) -> list[JobRecord]:
        """The jobs that the settings name and this process polls."""
        named = dict.fromkeys(arn for selection in (self.settings, *self.settings.targets) for arn in selection.jobs)
        return [record for arn in named if (record := self.store.find(arn)) is not None]

    @property
    def _targets(self) -> list[Target]:
        return [poller.target for poller in self.crew.pollers]

    def tidy_up(self) -> None:
        """Drop the jobs whose retention is over, and write down what is not yet."""
        self.crew.forget_expired()
        if self.keeper is not None:
            self.keeper.watch(self.crew.lanes)  # the first response may have corrected them
        self.store.flush()
        if self.keeper is not None:
            self.keeper.beat()

    def close(self) -> None:
        """Write down the last of it."""
        self.store.flush()
        if self.keeper is not None:
            self.keeper.close()

    def expose(self) -> bytes:
        """Render the exposition as text."""
        page = expose(self.store, self.telemetry, "text", disabled=frozenset(self.settings.disabled_metrics))
        return b"".join(page.parts)


def build(settings: Settings) -> Exporter:
    """Make all parts; nothing runs yet.

    Raises:
        StartError: another process has the state file.
        SettingsError: no Region is known to look for jobs in.
    """
    exporter = _parts(settings)
    exporter.take(settings, exporter.recall())
    return exporter


def _parts(settings: Settings) -> Exporter:
    """Make the parts that nothing outside of the process can hold up."""
    check_state_file(settings)
    line = None if settings.log_format == "json" else status_line(sys.stderr)
    logger = make_logger(settings.log_level, settings.log_format, line or sys.stderr)
    return Exporter(settings, logger, Clock(), line)


def run(
    read: Callable[[], Settings],
    file: str | None = None,
    listening: Callable[[str, tuple[str, int]], None] = lambda *_: None,
    *,
    warn: bool = True,
) -> int:
    """Run the daemon until SIGTERM or SIGINT; return the exit status.

    Args:
        read: reads the settings, now and whenever they are to be read anew.
        file: where they stand, for the log.
        listening: told of the scheme, and of the address and port once they are open.
        warn: whether to log unusual settings.

    Raises:
        StartError: the exporter cannot start.
        SettingsError: the settings or the web configuration file are bad, or no Region is known to look for jobs in.
    """
    settings = read()
    guard = guard_of(settings)
    secure = guard is not None and guard.secure
    exporter = _parts(settings)

    def reload() -> Reloaded:
        return exporter.reload(read, file, guard)

    server = _listen(exporter, guard, reload)  # before anything that may take long: a port in use shows at once
    try:
        exporter.take(settings, exporter.recall())
    except BaseException:
        server.stop()
        raise
    began = exporter.clock.monotonic()
    with stopped_by_signals() as stop, called_by_sighup(reload):
        server.start()
        listening("https" if secure else "http", server.address)
        exporter.journal.started(
            version=__version__,
            listen_address=format_address(server.address),
            tls=secure,
            configured_jobs=count_jobs(settings),
            known_jobs=exporter.known_jobs,
            targets=len(exporter.crew.pollers),
            poll_interval_seconds=settings.poll_interval,
        )
        if warn:
            exporter.warn()
        exporter.crew.start(CONNECTIONS, stop)
        with progress_shown(exporter, stop):
            while not stop.wait(SWEEP_INTERVAL):
                exporter.tidy_up()
                if guard is not None:
                    guard.look(exporter.journal)
                    guard.tell(exporter.journal)
                    exporter.telemetry.web_config_looked_at(failing=guard.failing)
        server.stop()
        exporter.crew.join()
        exporter.close()
    exporter.journal.stopped(uptime_seconds=round(exporter.clock.monotonic() - began, 3))
    return 0


@dataclass(frozen=True, slots=True)
class Once:
    """The result of polling everything once.

    Attributes:
        page: the exposition.
        missing: what is missing in it, for people; empty when every target and every named job responded.
    """

    page: bytes
    missing: tuple[str, ...] = ()


def once(settings: Settings, timeout: float) -> Once:
    """Poll everything once, for so many seconds at most.

    The state file is the daemon's, and is left alone.

    Raises:
        StartError: the exporter cannot start.
        KeyboardInterrupt: a signal came before every job was polled.
    """
    late = f"timed out after {format_duration(timeout)}"
    clock = Clock()
    deadline = clock.monotonic() + timeout
    try:
        with interrupted_after(timeout):
            exporter = build(settings.model_copy(update={"state_file": None}))
    except TimeoutReached:
        return Once(b"", (f"{late} before the first call",))
    exporter.warn()
    with stopped_by_signals() as stop, progress_shown(exporter, stop):
        exporter.crew.start(CONNECTIONS, stop)
        while not (complete := exporter.crew.complete) and clock.monotonic() < deadline:
            if stop.wait(min(GLANCE_INTERVAL, timeout)):
                break
            exporter.crew.keep_within_limit()
        interrupted = stop.is_set()
        stop.set()
        exporter.crew.join()
        exporter.crew.keep_within_limit()
    if interrupted and not complete:
        raise KeyboardInterrupt
    return Once(exporter.expose(), (*(() if complete else (late, *_pending(exporter))), *_silent(exporter)))


def _pending(exporter: Exporter) -> Iterator[str]:
    """Yield what is not polled yet."""
    fill = fill_of(exporter.crew.statuses())
    if not fill.listed:
        yield "the list of jobs is not complete"
    if fill.waiting:
        yield f"{fill.waiting} of {fill.total} jobs are not polled yet"


def _silent(exporter: Exporter) -> Iterator[str]:
    """Yield which targets and named jobs have no response."""
    statuses, named = exporter.crew.statuses(), exporter.named_jobs
    down = [status.target for status in statuses if not status.health.up]
    if down:
        names = _first_few([f"{target.account or 'unknown account'}/{target.region}" for target in down])
        yield f"{len(down)} of {len(statuses)} targets did not respond: {names}"
    silent = [job for job in named if job.snapshot is None or job.failing is not None]
    if silent:
        names = _first_few([f"{job.arn} ({job.failing or 'no response'})" for job in silent])
        yield f"GetJob failed for {len(silent)} of {len(named)} jobs named in jobs: {names}"


def _first_few(names: Sequence[str]) -> str:
    more = len(names) - FIRST_FEW
    return ", ".join(names[:FIRST_FEW]) + (f" and {more} more" if more > 0 else "")


@contextmanager
def progress_shown(exporter: Exporter, stop: threading.Event) -> Iterator[None]:
    """Show on a terminal how far the first poll has come, until it is done or ``stop`` is set, which the end does."""
    line = exporter.line
    if line is None:
        yield
        return

    def show() -> None:
        with suppress(OSError):  # the terminal went away
            while not stop.wait(PROGRESS_INTERVAL) and not exporter.crew.complete:
                line.show(fill_line(fill_of(exporter.crew.statuses())))
            line.clear()

    shower = threading.Thread(target=show, name="progress", daemon=True)
    shower.start()
    try:
        yield
    finally:
        stop.set()
        shower.join()


def format_address(address: tuple[str, int]) -> str:
    """Write an address and port as ``listen_address`` takes them."""
    host, port = address
    return f"[{host}]:{port}" if ":" in host else f"{host}:{port}"


def _listen(exporter: Exporter, guard: FileGuard | None, reload: Callable[[], Reloaded]) -> HttpServer:
    web = Web(
        store=exporter.store,
        telemetry=exporter.telemetry,
        targets=exporter.crew.statuses,
        disabled=lambda: exporter.settings.disabled_metrics,
        healthy=lambda: exporter.crew.healthy,
        ready=lambda: exporter.crew.ready,
        reload=reload,
        clock=exporter.clock,
    )
    address = exporter.settings.listen_address
    try:
        return HttpServer(web, *parse_listen(address), guard=guard, urgent=PROBES, slow=[RELOAD])
    except OSError as error:
        reason = str(error.strerror).partition(" (while attempting")[0]  # Python names the address once more
        raise StartError(f"cannot listen on {address}: {reason}; set another listen_address") from error
