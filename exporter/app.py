"""The one place that wires: settings become a running exporter. Signals, threads, the end."""

import random
import re
import signal
import sys
import threading
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from types import FrameType
from typing import Any, Final

import boto3
from botocore.exceptions import BotoCoreError
from structlog.typing import FilteringBoundLogger

from exporter import __version__
from exporter.arn import check_region, parse_job_arn
from exporter.braket import CONNECTIONS, BraketClient
from exporter.budget import Budgets
from exporter.clock import Clock
from exporter.families import job_families
from exporter.finder import Policy
from exporter.guard import FileGuard
from exporter.health import TargetStatus, merged
from exporter.lanes import Entry, Lane, Login, plan_lanes
from exporter.logs import Journal, make_logger
from exporter.poller import TargetPoller
from exporter.roster import Retention
from exporter.selector import Selector, parse_tag_rule
from exporter.server import HttpServer
from exporter.sessions import make_session
from exporter.settings import Selection, Settings, SettingsError, TargetSettings
from exporter.store import Store
from exporter.telemetry import Telemetry
from exporter.values import parse_listen
from exporter.web import PROBES, Web, expose
from exporter.webconfig import WebConfigError
from exporter.workers import Workers

STUCK_AFTER: Final = 60.0
"""A target whose workers did not stir for so long, seconds, is stuck: a call takes a few seconds at the most."""

SWEEP_INTERVAL: Final = 5.0
GLANCE_INTERVAL: Final = 0.02


class StartError(Exception):
    """The exporter cannot start; the text is one line for people."""


@dataclass(frozen=True, slots=True)
class Exporter:
    """The parts that the commands drive."""

    settings: Settings
    store: Store
    telemetry: Telemetry
    journal: Journal
    pollers: Sequence[TargetPoller]
    clock: Clock

    @property
    def ready(self) -> bool:
        """Whether the first full poll of active jobs is done."""
        return all(poller.first_poll_done for poller in self.pollers)

    @property
    def complete(self) -> bool:
        """Whether every job was asked for, those included that had ended before they were found."""
        return all(poller.full_poll_done for poller in self.pollers)

    @property
    def healthy(self) -> bool:
        """Whether every target's loop stirred lately."""
        return all(self.clock.monotonic() - poller.last_step < STUCK_AFTER for poller in self.pollers)

    def statuses(self) -> list[TargetStatus]:
        """Tell how the targets fare."""
        return merged(poller.status() for poller in self.pollers)

    def forget_expired(self) -> None:
        """Drop the jobs whose retention is over."""
        for poller in self.pollers:
            poller.forget_expired()

    def expose(self) -> bytes:
        """Render the exposition as text."""
        page = expose(self.store, self.telemetry, "text", disabled=frozenset(self.settings.disabled_metrics))
        return b"".join(page.parts)


def build(settings: Settings, logger: FilteringBoundLogger, clock: Clock) -> Exporter:
    """Make all parts; nothing runs yet.

    Raises:
        StartError: the SDK's own configuration is unusable.
        SettingsError: no Region is known to look for jobs in.
    """
    pollers: list[TargetPoller] = []
    telemetry = Telemetry(lambda: merged(poller.status() for poller in pollers))
    telemetry.settings_loaded(clock.wall())
    store = Store(job_families(settings.tag_labels) if settings.per_job_metrics else ())
    journal = Journal(logger)
    budgets = Budgets(settings.api_requests_per_second)
    policy = Policy(
        poll_interval=settings.poll_interval,
        discovery_interval=settings.discovery_interval,
        lookback=settings.lookback,
        retention=Retention(settings.retention, settings.retention_failed),
    )
    with sdk_errors():
        sessions: dict[Login, boto3.session.Session] = {}
        for lane in lanes(settings, sessions):
            client = BraketClient(sessions[lane.login], lane.target, telemetry.request, frozenset(settings.tag_labels))
            poller = TargetPoller(
                client,
                lane.jobs,
                lane.selector,
                store=store,
                journal=journal,
                telemetry=telemetry,
                budgets=budgets,
                policy=policy,
                clock=clock,
                random=random.random,
            )
            pollers.append(poller)
    return Exporter(settings, store, telemetry, journal, pollers, clock)


def lanes(settings: Settings, sessions: dict[Login, boto3.session.Session]) -> list[Lane]:
    """List what this process polls, and make the session of each login.

    Raises:
        SettingsError: no Region is known to look for jobs in.
    """
    entries = [_entry(selection, sessions) for selection in settings.targets or (settings,)]
    return plan_lanes(entries, shard=settings.shard, total_shards=settings.total_shards)


def _entry(selection: Selection, sessions: dict[Login, boto3.session.Session]) -> Entry:
    login = Login()
    if isinstance(selection, TargetSettings):
        login = Login(selection.profile, selection.role_arn, selection.external_id)
    if login not in sessions:
        regions = (*selection.regions, *(parse_job_arn(arn).region for arn in selection.jobs))
        sessions[login] = make_session(login, next(iter(regions), None))
    if not selection.discovers:
        return Entry(login, selection.jobs)
    name = None if selection.job_name_regex is None else re.compile(selection.job_name_regex)
    selector = Selector(tuple(map(parse_tag_rule, selection.tags)), selection.all_jobs, name)
    return Entry(login, selection.jobs, selector, selection.regions or (_sdk_region(sessions[login]),))


def _sdk_region(session: boto3.session.Session) -> str:
    region = session.region_name
    if not region:
        raise SettingsError(["regions: none, and the AWS SDK knows none either; set regions or AWS_DEFAULT_REGION"])
    try:
        check_region(region)
    except ValueError as error:
        raise SettingsError([f"regions: none, and the AWS SDK's Region {region} {error}; set regions"]) from error
    return str(region)


def guard_of(settings: Settings) -> FileGuard | None:
    """Read the web configuration file, if there is one.

    Raises:
        SettingsError: it is bad.
    """
    file = settings.web_config_file
    try:
        return None if file is None else FileGuard(file)
    except WebConfigError as error:
        raise SettingsError([f"web_config_file {file}: {problem}" for problem in error.problems]) from error


def run(settings: Settings, listening: Callable[[tuple[str, int]], None] = lambda _: None) -> int:
    """Run the daemon until SIGTERM or SIGINT; return the exit status.

    Args:
        settings: what to do.
        listening: told of the address and port once they are open.

    Raises:
        StartError: the exporter cannot start.
        SettingsError: the web configuration file is bad, or no Region is known to look for jobs in.
    """
    guard = guard_of(settings)
    exporter = build(settings, make_logger(settings.log_level, settings.log_format, sys.stderr), Clock())
    server = _listen(exporter, guard)
    began = exporter.clock.monotonic()
    with stopped_by_signals() as stop:
        workers = Workers(exporter.pollers, CONNECTIONS, stop)
        server.start()
        listening(server.address)
        workers.start()
        exporter.journal.started(
            version=__version__,
            listen_address=format_address(server.address),
            tls=guard is not None and guard.secure,
            jobs=sum(len(selection.jobs) for selection in (settings, *settings.targets)),
            targets=len(exporter.pollers),
            poll_interval_seconds=settings.poll_interval,
        )
        while not stop.wait(SWEEP_INTERVAL):
            exporter.forget_expired()
            if guard is not None:
                guard.look(exporter.journal)
        server.stop()
        workers.join()
    exporter.journal.stopped(uptime_seconds=round(exporter.clock.monotonic() - began, 3))
    return 0


def once(settings: Settings) -> tuple[bytes, bool]:
    """Poll everything once; return the exposition, and whether every target answered.

    Raises:
        StartError: the exporter cannot start.
    """
    exporter = build(settings, make_logger(settings.log_level, settings.log_format, sys.stderr), Clock())
    with stopped_by_signals() as stop:
        workers = Workers(exporter.pollers, CONNECTIONS, stop)
        workers.start()
        while not exporter.complete and not stop.wait(GLANCE_INTERVAL):
            pass
        stop.set()
        workers.join()
    return exporter.expose(), all(status.health.up for status in exporter.statuses())


@contextmanager
def stopped_by_signals() -> Iterator[threading.Event]:
    """Give an event that SIGTERM and SIGINT set."""
    stop = threading.Event()
    with _handled_by(lambda *_: stop.set()):
        yield stop


@contextmanager
def interrupted_by_signals() -> Iterator[None]:
    """Let SIGTERM end what is under way as SIGINT does.

    Raises:
        KeyboardInterrupt: one of them came.
    """
    with _handled_by(signal.default_int_handler):
        yield


@contextmanager
def _handled_by(handler: Callable[[int, FrameType | None], Any]) -> Iterator[None]:
    before = {number: signal.signal(number, handler) for number in (signal.SIGTERM, signal.SIGINT)}
    try:
        yield
    finally:
        for number, former in before.items():
            signal.signal(number, former)


def format_address(address: tuple[str, int]) -> str:
    """Write an address and port as ``listen_address`` takes them."""
    host, port = address
    return f"[{host}]:{port}" if ":" in host else f"{host}:{port}"


def _listen(exporter: Exporter, guard: FileGuard | None) -> HttpServer:
    web = Web(
        store=exporter.store,
        telemetry=exporter.telemetry,
        targets=exporter.statuses,
        disabled=exporter.settings.disabled_metrics,
        healthy=lambda: exporter.healthy,
        ready=lambda: exporter.ready,
        clock=exporter.clock,
    )
    address = exporter.settings.listen_address
    try:
        return HttpServer(web, *parse_listen(address), guard=guard, urgent=PROBES)
    except OSError as error:
        raise StartError(f"cannot listen on {address}: {error.strerror}; set another listen_address") from error


@contextmanager
def sdk_errors() -> Iterator[None]:
    """Tell what the SDK cannot be set up with as people would.

    Raises:
        StartError: the SDK's configuration is unusable.
    """
    try:
        yield
    except (BotoCoreError, ValueError) as error:
        raise StartError(f"the AWS SDK cannot be set up: {error}") from error
