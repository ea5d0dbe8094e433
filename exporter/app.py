"""The one place that wires: settings become a running exporter. Signals, threads, the end."""

import random
import signal
import sys
import threading
from collections import defaultdict
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from types import FrameType
from typing import Any, Final

import boto3
from botocore.exceptions import BotoCoreError
from structlog.typing import FilteringBoundLogger

from exporter import __version__
from exporter.arn import parse_job_arn
from exporter.braket import CONNECTIONS, BraketClient
from exporter.clock import Clock
from exporter.families import job_families
from exporter.health import TargetStatus
from exporter.logs import Journal, make_logger
from exporter.model import Target
from exporter.poller import Policy, TargetPoller, forget_expired
from exporter.server import HttpServer
from exporter.settings import Settings, parse_listen
from exporter.store import Store
from exporter.telemetry import Telemetry
from exporter.web import Web, expose
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
    policy: Policy
    clock: Clock

    @property
    def ready(self) -> bool:
        """Whether the first full poll is done."""
        return all(poller.first_poll_done for poller in self.pollers)

    @property
    def healthy(self) -> bool:
        """Whether every target's loop stirred lately."""
        return all(self.clock.monotonic() - poller.last_step < STUCK_AFTER for poller in self.pollers)

    def statuses(self) -> list[TargetStatus]:
        """Tell how the targets fare."""
        return [poller.status() for poller in self.pollers]

    def forget_expired(self) -> None:
        """Drop the jobs whose retention is over."""
        forget_expired(self.store, self.journal, self.telemetry, self.policy, self.clock.wall())

    def expose(self) -> bytes:
        """Render the exposition as text."""
        return expose(self.store, self.telemetry, "text", disabled=frozenset(self.settings.disabled_metrics))


def build(settings: Settings, logger: FilteringBoundLogger, clock: Clock) -> Exporter:
    """Make all parts; nothing runs yet.

    Raises:
        StartError: the SDK's own configuration is unusable.
    """
    pollers: list[TargetPoller] = []
    telemetry = Telemetry(lambda: [poller.status() for poller in pollers])
    telemetry.settings_loaded(clock.wall())
    store = Store(job_families(settings.tag_labels) if settings.per_job_metrics else ())
    journal = Journal(logger)
    policy = Policy(
        poll_interval=settings.poll_interval,
        requests_per_second=settings.api_requests_per_second,
        retention=settings.retention,
        retention_failed=settings.retention_failed,
    )
    with _sdk_errors():
        session = boto3.session.Session()
        for target, arns in group_by_target(settings.jobs).items():
            client = BraketClient(session, target, telemetry.request, frozenset(settings.tag_labels))
            pollers.append(
                TargetPoller(
                    target,
                    arns,
                    source=client,
                    store=store,
                    journal=journal,
                    telemetry=telemetry,
                    policy=policy,
                    clock=clock,
                    random=random.random,
                )
            )
    return Exporter(settings, store, telemetry, journal, pollers, policy, clock)


def group_by_target(arns: Sequence[str]) -> dict[Target, list[str]]:
    """Sort job ARNs by the account and Region that they name."""
    groups: defaultdict[Target, list[str]] = defaultdict(list)
    for arn in arns:
        parts = parse_job_arn(arn)
        groups[Target(parts.account, parts.region)].append(arn)
    return dict(groups)


def run(settings: Settings, listening: Callable[[tuple[str, int]], None] = lambda _: None) -> int:
    """Run the daemon until SIGTERM or SIGINT; return the exit status.

    Args:
        settings: what to do.
        listening: told of the address and port once they are open.

    Raises:
        StartError: the exporter cannot start.
    """
    exporter = build(settings, make_logger(settings.log_level, settings.log_format, sys.stderr), Clock())
    server = _listen(exporter)
    began = exporter.clock.monotonic()
    with stopped_by_signals() as stop:
        workers = Workers(exporter.pollers, CONNECTIONS, stop)
        server.start()
        listening(server.address)
        workers.start()
        exporter.journal.started(
            version=__version__,
            listen_address=format_address(server.address),
            jobs=len(settings.jobs),
            targets=len(exporter.pollers),
            poll_interval_seconds=settings.poll_interval,
        )
        while not stop.wait(SWEEP_INTERVAL):
            exporter.forget_expired()
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
        while not exporter.ready and not stop.wait(GLANCE_INTERVAL):
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


def _listen(exporter: Exporter) -> HttpServer:
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
        return HttpServer(web, *parse_listen(address))
    except OSError as error:
        raise StartError(f"cannot listen on {address}: {error.strerror}; set another listen_address") from error


@contextmanager
def _sdk_errors() -> Iterator[None]:
    try:
        yield
    except (BotoCoreError, ValueError) as error:
        raise StartError(f"the AWS SDK cannot be set up: {error}") from error
