"""The ``once`` command: polls everything once and renders the metrics."""

import threading
from collections.abc import Iterator, Sequence
from dataclasses import replace
from typing import Final, NamedTuple

from exporter.app.active_settings import ActiveSettings, policy_of
from exporter.app.build import Exporter, build
from exporter.app.first_poll_log import FirstPollLog
from exporter.app.settings import Settings
from exporter.app.signals import TimeoutReached, interrupted_after, stopped_by_signals
from exporter.app.target_names import name_target
from exporter.aws import CONNECTIONS
from exporter.core import (
    Clock,
    JobRecord,
    Target,
    TargetStatus,
    first_poll_progress,
    format_duration,
    parse_job_arn,
)
from exporter.polling import Policy
from exporter.telemetry import expose

CHECK_INTERVAL: Final = 0.02
"""Seconds between two checks whether everything is polled."""

MAX_LISTED: Final = 3
"""The maximum number of names in a list of failures."""

NEXT_STEP: Final = "run braket-exporter check-config --online"
"""The step after the failure of a target."""

NEVER: Final = float("inf")
"""The interval of a poll that is not repeated, seconds."""


class Once(NamedTuple):
    """The result of polling everything once.

    Attributes:
        page: the exposition.
        missing: the reasons why it is incomplete; empty when every target and every configured job responded.
    """

    page: bytes
    missing: tuple[str, ...] = ()


class PolledOnce(NamedTuple):
    """An exporter that has polled everything once.

    Attributes:
        exporter: the components; ``None`` after a timeout before the first call.
        missing: as in ``Once``.
    """

    exporter: Exporter | None
    missing: tuple[str, ...] = ()


def once(settings: Settings, timeout: float) -> Once:
    """Poll everything once and render the metrics; see ``poll_once``."""
    polled = poll_once(settings, timeout)
    return Once(b"" if polled.exporter is None else _page(polled.exporter, settings), polled.missing)


def poll_once(settings: Settings, timeout: float) -> PolledOnce:
    """Poll everything once, without the state file, which belongs to the daemon.

    Args:
        settings: the settings.
        timeout: the longest time, in seconds.

    Raises:
        StartError: the exporter cannot start.
        SettingsError: no Region is configured for discovery.
        KeyboardInterrupt: a signal arrived before every job was polled.
    """
    timed_out = f"timed out after {format_duration(timeout)}"
    deadline = Clock().monotonic() + timeout
    try:
        with interrupted_after(timeout):
            exporter, active = _prepare(settings.model_copy(update={"state_file": None}))
    except TimeoutReached:
        return PolledOnce(None, (f"{timed_out} before the first call",))
    active.warn()
    with stopped_by_signals() as stop:
        complete = _poll(exporter, stop, deadline, min(CHECK_INTERVAL, timeout))
    unfinished = () if complete else (timed_out, *_pending(exporter))
    return PolledOnce(exporter, (*unfinished, *_failures(exporter, active.configured_jobs)))


def _prepare(settings: Settings) -> tuple[Exporter, ActiveSettings]:
    exporter = build(settings)
    active = ActiveSettings(exporter, settings, _policy)
    active.apply(settings)
    return exporter, active


def _policy(settings: Settings) -> Policy:
    """Return a policy that polls everything once, however late the main thread stops the pollers."""
    policy = policy_of(settings)
    return replace(
        policy,
        poll_interval=NEVER,
        discovery_interval=NEVER,
        event_poll_interval=None,
        device_interval=None if policy.device_interval is None else NEVER,
        spending_limit_interval=None if policy.spending_limit_interval is None else NEVER,
    )


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
        progress.log_if_due()
    interrupted = stop.is_set()
    stop.set()
    exporter.manager.join()
    exporter.manager.enforce_limit()
    if interrupted and not complete:
        raise KeyboardInterrupt
    return complete


def _page(exporter: Exporter, settings: Settings) -> bytes:
    disabled = frozenset(settings.disabled_metrics)
    page = expose(
        exporter.store.view().families(), exporter.telemetry, exporter.manager.statuses(), "text", disabled=disabled
    )
    return b"".join(page.parts)


def _pending(exporter: Exporter) -> Iterator[str]:
    """Yield a line for the list of jobs and for the jobs that are not polled yet."""
    fill = first_poll_progress(exporter.manager.statuses())
    if not fill.listed:
        yield "the list of jobs is not complete"
    if fill.waiting:
        yield f"{fill.waiting} of {fill.total} jobs are not polled yet"


def _failures(exporter: Exporter, configured: Sequence[JobRecord]) -> Iterator[str]:
    """Yield a line for the targets and for the configured jobs without a response, and the next step."""
    statuses = exporter.manager.statuses()
    down = [status for status in statuses if not status.health.up]
    if down:
        names = _first_few([_with_cause(status) for status in down])
        yield f"{len(down)} of {len(statuses)} targets failed: {names}"
    yield from _job_failures(statuses, configured)
    if down:
        yield NEXT_STEP


def _job_failures(statuses: Sequence[TargetStatus], configured: Sequence[JobRecord]) -> Iterator[str]:
    failed = [job for job in configured if job.snapshot is None or job.failing is not None]
    if failed:
        causes = {status.target: status.health.last_error for status in statuses if status.health.up}
        names = _first_few(
            [f"{job.arn} ({job.failing or causes.get(_target_of(job)) or 'no response'})" for job in failed]
        )
        yield f"GetJob failed for {len(failed)} of {len(configured)} jobs named in jobs: {names}"


def _target_of(job: JobRecord) -> Target:
    parts = parse_job_arn(job.arn)
    return Target(parts.account, parts.region)


def _with_cause(status: TargetStatus) -> str:
    return f"{name_target(status.target, status.name)} ({status.health.last_error or 'no call has ended'})"


def _first_few(names: Sequence[str]) -> str:
    more = len(names) - MAX_LISTED
    return ", ".join(names[:MAX_LISTED]) + (f" and {more} more" if more > 0 else "")
