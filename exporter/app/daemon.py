"""The ``run`` command: polls and serves until SIGTERM or SIGINT."""

import threading
from collections.abc import Callable
from concurrent.futures import Future, wait
from functools import partial
from typing import Final, Protocol

from exporter import __version__
from exporter.app.active_settings import ActiveSettings
from exporter.app.background import finish, in_background
from exporter.app.build import Exporter, build
from exporter.app.file_watch import FileWatch
from exporter.app.first_poll_log import FirstPollLog
from exporter.app.listen import format_address, listen
from exporter.app.reload import Reloader
from exporter.app.setting_files import check_files
from exporter.app.settings import Settings, count_jobs
from exporter.app.signals import called_by_sighup, stopped_by_signals, wait_for
from exporter.aws import CONNECTIONS
from exporter.web.http import FileAccessPolicy

MAINTENANCE_INTERVAL: Final = 5.0
"""Seconds between two runs of the maintenance."""

CLOSE_TIMEOUT: Final = 2.0
"""The longest time to close the state file, seconds. What is not written then may be logged again after a restart."""


class Announce(Protocol):
    """Shows the URL of the exporter, once it listens and again after the first full poll."""

    def __call__(self, url: str, *, polled: bool) -> None:
        """Show the URL; ``polled`` is whether the first full poll is complete."""


def run(
    read: Callable[[], Settings],
    file: str | None = None,
    announce: Announce | None = None,
    *,
    warn: bool = True,
) -> int:
    """Run the daemon until SIGTERM or SIGINT; return the exit status.

    Args:
        read: reads the settings, now and at each reload.
        file: the path of the settings file; a change of its content is a reload.
        announce: shows the URL.
        warn: whether to log unusual settings.

    Raises:
        StartError: the exporter cannot start.
        SettingsError: the settings or a file in them are invalid, or no Region is configured for discovery.
    """
    watched_file = FileWatch(file)
    settings = read()
    access_policy = check_files(settings)
    scheme = "https" if access_policy is not None and access_policy.secure else "http"
    exporter = build(settings)
    active = ActiveSettings(exporter, settings)
    reloader = Reloader(exporter, active, read, watched_file, access_policy)
    # Before slow work, so that a port in use is reported at once.
    server = listen(exporter, active, reloader, access_policy)
    try:
        finish(in_background(lambda: active.apply(settings, exporter.load_state(settings.state_file)), "start"))
    except BaseException:
        server.stop()
        raise
    started_at = exporter.clock.monotonic()
    with stopped_by_signals() as stop, called_by_sighup(reloader.reload) as started:
        server.start()
        url = f"{scheme}://localhost:{server.address[1]}"
        if announce is not None:
            announce(url, polled=False)
        _log_start(exporter, active, server.address, tls=scheme == "https")
        if warn:
            active.warn()
        exporter.manager.start(CONNECTIONS, stop)
        started.set()
        first_poll = None if announce is None else partial(announce, url, polled=True)
        rendering = in_background(partial(exporter.store.restoration.render, stop.is_set), "render")
        maintenance = in_background(
            partial(_run_maintenance, exporter, reloader, access_policy, stop, first_poll), "maintenance"
        )
        for work in (rendering, maintenance):
            work.add_done_callback(partial(_fail_on_bug, exporter))
        wait_for(stop)
        served = in_background(server.stop, "stop")  # slow readers may take a while
        exporter.manager.join()
        _close(exporter, maintenance, settings.state_file)
        finish(served)
    exporter.event_log.stopped(uptime_seconds=round(exporter.clock.monotonic() - started_at, 3))
    return 0


def _log_start(exporter: Exporter, active: ActiveSettings, address: tuple[str, int], *, tls: bool) -> None:
    exporter.event_log.started(
        version=__version__,
        listen_address=format_address(address),
        tls=tls,
        configured_jobs=count_jobs(active.settings),
        known_jobs=active.known_jobs,
        targets=len(exporter.manager.targets),
        poll_interval_seconds=active.settings.poll_interval,
    )


def _fail_on_bug(exporter: Exporter, outcome: "Future[None]") -> None:
    if bug := outcome.exception():
        exporter.manager.fail(bug)


def _close(exporter: Exporter, maintenance: "Future[None]", state_file: str | None) -> None:
    """Close the state file, unless its disk does not answer in time."""
    closed = in_background(exporter.close, "close")
    wait([maintenance, closed], CLOSE_TIMEOUT)
    if closed.done():
        closed.result()
    else:
        exporter.event_log.state_failing(str(state_file), f"not closed within {CLOSE_TIMEOUT:.0f} seconds")


def _run_maintenance(
    exporter: Exporter,
    reloader: Reloader,
    access_policy: FileAccessPolicy | None,
    stop: threading.Event,
    first_poll: Callable[[], None] | None,
) -> None:
    """Run the maintenance periodically until ``stop`` is set, and call ``first_poll`` after the first full poll."""
    progress = FirstPollLog(exporter)
    while not stop.wait(MAINTENANCE_INTERVAL):
        exporter.maintain()
        progress.log_if_due()
        reloader.reload_if_changed()
        if access_policy is not None:
            access_policy.reload_changed_files(exporter.event_log)
            access_policy.log_failed_handshakes(exporter.event_log)
            exporter.telemetry.web_config_checked(failing=access_policy.failing)
        if first_poll is not None and exporter.manager.ready:
            first_poll()
            first_poll = None
