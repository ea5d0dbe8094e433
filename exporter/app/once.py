"""The ``once`` command: polls everything once and renders the metrics."""

import threading
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Final

from exporter.app.active_settings import ActiveSettings
from exporter.app.build import Exporter, build
from exporter.app.first_poll_log import FirstPollLog
from exporter.app.settings import Settings
from exporter.app.signals import TimeoutReached, interrupted_after, stopped_by_signals
from exporter.aws import CONNECTIONS
from exporter.core import Clock, JobRecord, fill_of, format_duration
from exporter.web import expose

GLANCE_INTERVAL: Final = 0.02
"""Seconds between two looks at whether everything is polled."""

FIRST_FEW: Final = 3
"""The most names in a list of what is missing."""


@dataclass(frozen=True, slots=True)
class Once:
    """The result of polling everything once.

    Attributes:
        page: the exposition.
        missing: what is missing in it, human-readable; empty when every target and every named job responded.
    """

    page: bytes
    missing: tuple[str, ...] = ()


def once(settings: Settings, timeout: float) -> Once:
    """Poll everything once. The state file belongs to the daemon and is not used.

    Args:
        settings: the settings.
        timeout: the longest time, in seconds.

    Raises:
        StartError: the exporter cannot start.
        SettingsError: no Region is known to look for jobs in.
        KeyboardInterrupt: a signal came before every job was polled.
    """
    late = f"timed out after {format_duration(timeout)}"
    deadline = Clock().monotonic() + timeout
    try:
        with interrupted_after(timeout):
            exporter, active = _prepare(settings.model_copy(update={"state_file": None}))
    except TimeoutReached:
        return Once(b"", (f"{late} before the first call",))
    active.warn()
    with stopped_by_signals() as stop:
        complete = _poll(exporter, stop, deadline, min(GLANCE_INTERVAL, timeout))
    unfinished = () if complete else (late, *_pending(exporter))
    return Once(_page(exporter, settings), (*unfinished, *_silent(exporter, active.named_jobs)))


def _prepare(settings: Settings) -> tuple[Exporter, ActiveSettings]:
    exporter = build(settings)
    active = ActiveSettings(exporter, settings)
    active.take(settings)
    return exporter, active


def _poll(exporter: Exporter, stop: threading.Event, deadline: float, interval: float) -> bool:
    """Poll until everything is polled, until the deadline or until ``stop`` is set.

    Returns:
        Whether everything is polled.

    Raises:
        KeyboardInterrupt: ``stop`` was set before.
    """
    progress = FirstPollLog(exporter)
    exporter.manager.start(CONNECTIONS, stop)
    while not (complete := exporter.manager.complete) and exporter.clock.monotonic() < deadline:
        if stop.wait(interval):
            break
        exporter.manager.enforce_limit()
        progress.look()
    interrupted = stop.is_set()
    stop.set()
    exporter.manager.join()
    exporter.manager.enforce_limit()
    if interrupted and not complete:
        raise KeyboardInterrupt
    return complete


def _page(exporter: Exporter, settings: Settings) -> bytes:
    disabled = frozenset(settings.disabled_metrics)
    return b"".join(expose(exporter.store, exporter.telemetry, "text", disabled=disabled).parts)


def _pending(exporter: Exporter) -> Iterator[str]:
    """Yield what is not polled yet."""
    fill = fill_of(exporter.manager.statuses())
    if not fill.listed:
        yield "the list of jobs is not complete"
    if fill.waiting:
        yield f"{fill.waiting} of {fill.total} jobs are not polled yet"


def _silent(exporter: Exporter, named: Sequence[JobRecord]) -> Iterator[str]:
    """Yield which targets and named jobs have no response."""
    statuses = exporter.manager.statuses()
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
