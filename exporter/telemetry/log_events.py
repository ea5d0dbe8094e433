"""The log events, with the fields that ``docs/use/logs.md`` lists."""

import logging
import math
from collections.abc import Sequence
from datetime import UTC, datetime
from typing import Any, Final

from structlog.typing import FilteringBoundLogger

from exporter.core import (
    MAX_RUNTIME_EXCEEDED,
    BraketError,
    DeviceObservation,
    EntryProblem,
    FirstPollProgress,
    JobEvent,
    JobSnapshot,
    Observation,
    Target,
    Transition,
)

_LEVEL_OF_STATUS: Final = {"FAILED": logging.ERROR, "CANCELLED": logging.WARNING}
_LEVEL_OF_EVENT: Final = {
    MAX_RUNTIME_EXCEEDED: logging.ERROR,
    "DEPRIORITIZED_DUE_TO_INACTIVITY": logging.WARNING,
}


def rfc3339(time: float | None) -> str | None:
    """Write unix seconds as RFC 3339 in UTC with milliseconds."""
    if time is None:
        return None
    return datetime.fromtimestamp(time, UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")


class EventLog:
    """Writes log events."""

    def __init__(self, logger: FilteringBoundLogger) -> None:
        self._logger = logger

    def observed(self, observation: Observation) -> None:
        """Log the news of one GetJob response."""
        job = observation.record.snapshot
        if job is None:
            return
        if observation.discovered:
            self._logger.info("job_discovered", **job_fields(job), **_discovery_fields(observation, job))
        for event in observation.events:
            self._event(job, event)
        if observation.transition is not None:
            self._transition(observation.transition)
        for field, value in observation.unknown:
            self._logger.warning("unknown_value", **_identity(job), field=field, value=value)

    def device_observed(self, observation: DeviceObservation) -> None:
        """Log the news of one GetDevice response."""
        device = observation.record.snapshot
        identity = {"device": device.key.arn, "aws_region": device.key.region}
        if observation.from_status is not None:
            level = logging.INFO if device.status == "ONLINE" else logging.WARNING
            self._logger.log(
                level,
                "device_status_changed",
                **identity,
                from_status=observation.from_status,
                to_status=device.status,
                reason=device.reason or None,
                estimated_end=rfc3339(device.estimated_end),
            )
        for field, value in observation.unknown:
            self._logger.warning("unknown_value", **identity, field=field, value=value)

    def forgotten(self, arn: str, job: JobSnapshot | None, reason: str) -> None:
        """Log that the series of a job are dropped."""
        self._logger.info("job_forgotten", **({"job_arn": arn} if job is None else _identity(job)), reason=reason)

    def poll_failed(
        self,
        target: Target,
        operation: str,
        error: BraketError,
        retry_in: float | None,
        arn: str | None = None,
        *,
        device: str | None = None,
    ) -> None:
        """Log a failed call, and the seconds until the next attempt, if there is one."""
        self._logger.warning(
            "poll_failed",
            operation=operation,
            code=error.code,
            retry_in_seconds=_rounded(retry_in),
            **({} if arn is None else {"job_arn": arn}),
            **({} if device is None else {"device": device}),
            aws_account_id=target.account,
            aws_region=target.region,
            message=str(error),
        )

    def event_queue_failing(self, url: str, operation: str, error: BraketError, retry_in: float) -> None:
        """Log that an event queue fails, and the seconds until the next call; each new error code once."""
        self._logger.warning(
            "event_queue_failing",
            queue=url,
            operation=operation,
            code=error.code,
            retry_in_seconds=_rounded(retry_in),
            message=str(error),
        )

    def event_queue_recovered(self, url: str) -> None:
        """Log that an event queue responds again."""
        self._logger.info("event_queue_recovered", queue=url)

    def search_abandoned(self, target: Target, reason: str) -> None:
        """Log that the pages of a SearchJobs span do not end, so the rest of the span is skipped."""
        self._logger.warning("search_abandoned", aws_account_id=target.account, aws_region=target.region, reason=reason)

    def search_entry_ignored(self, target: Target, problem: EntryProblem) -> None:
        """Log a SearchJobs entry that cannot be used; the caller ensures that each is logged once."""
        self._logger.warning(
            "search_entry_ignored",
            job_arn=problem.arn,
            aws_account_id=target.account,
            aws_region=target.region,
            reason=problem.reason,
        )

    def search_without_tags(self, target: Target) -> None:
        """Log that SearchJobs entries have no ``tags`` although the settings select by tags."""
        self._logger.warning("search_without_tags", aws_account_id=target.account, aws_region=target.region)

    def started(self, **fields: Any) -> None:  # noqa: ANN401 -- any JSON values
        """Log that the exporter serves and polls."""
        self._logger.info("started", **fields)

    def first_poll_progress(self, fill: FirstPollProgress) -> None:
        """Log the progress of a long first full poll."""
        self._logger.info(
            "first_poll_progress",
            jobs_polled=max(0, fill.total - fill.waiting),
            jobs_known=fill.total,
            targets=fill.targets,
            targets_failing=fill.failing,
            seconds_left=_rounded(fill.seconds) if fill.listed else None,
        )

    def config_reloaded(self, file: str | None, *, restart_needed: Sequence[str] = (), **fields: Any) -> None:  # noqa: ANN401 -- any JSON values
        """Log that a reloaded file is active, except for keys that need a restart."""
        level = logging.WARNING if restart_needed else logging.INFO
        needed = {"restart_needed": [*restart_needed]} if fields else {}
        self._logger.log(level, "config_reloaded", file=file, **fields, **needed)

    def config_reload_failed(self, file: str | None, error: str) -> None:
        """Log that a reloaded file is not valid; the previous values stay active."""
        self._logger.error("config_reload_failed", file=file, error=error)

    def config_warning(self, setting: str, message: str) -> None:
        """Log a setting that is valid but probably a mistake."""
        self._logger.warning("config_warning", setting=setting, message=message)

    def tls_handshake_failed(self, *, count: int, peer_address: str, error: str) -> None:
        """Log the number of failed TLS handshakes since the last line, with peer and error of the last one."""
        self._logger.debug("tls_handshake_failed", count=count, peer_address=peer_address, error=error)

    def state_loaded(self, file: str, *, jobs: int, polled: float) -> None:
        """Log that the state file, last written at ``polled``, is loaded."""
        self._logger.info("state_loaded", file=file, jobs=jobs, last_poll_time=rfc3339(polled))

    def state_rows_skipped(self, file: str, rows: int, error: str) -> None:
        """Log the number of invalid rows of the state file, with the error of the first."""
        self._logger.error("state_rows_skipped", file=file, rows=rows, error=error)

    def state_failing(self, file: str, error: str) -> None:
        """Log that the state file cannot be written; the state is in memory only."""
        self._logger.error("state_failing", file=file, error=error)

    def state_recovered(self, file: str, failing_seconds: float) -> None:
        """Log that the state file is complete again."""
        self._logger.info("state_recovered", file=file, failing_seconds=_rounded(failing_seconds))

    def state_set_aside(self, file: str, moved_to: str, error: str) -> None:
        """Log that an unreadable state file was renamed, and that a new one starts."""
        self._logger.error("state_set_aside", file=file, moved_to=moved_to, error=error)

    def stopped(self, **fields: Any) -> None:  # noqa: ANN401 -- any JSON values
        """Log an orderly end of the exporter."""
        self._logger.info("stopped", **fields)

    def _event(self, job: JobSnapshot, event: JobEvent) -> None:
        level = _LEVEL_OF_EVENT.get(event.key.type or "", logging.INFO)
        fields = {
            "event_type": event.key.type,
            "event_time": rfc3339(event.key.time),
            "message": event.message,
        }
        self._logger.log(level, "job_event", **_identity(job), **fields)

    def _transition(self, transition: Transition) -> None:
        job = transition.snapshot
        level = _LEVEL_OF_STATUS.get(job.status, logging.INFO)
        end = outcome_fields(job) if job.finished else {}
        self._logger.log(level, "job_transition", **job_fields(job), **transition_fields(transition), **end)


def _identity(job: JobSnapshot) -> dict[str, Any]:
    return {"job_arn": job.arn, "job_name": job.name, "aws_account_id": job.account, "aws_region": job.region}


def job_fields(job: JobSnapshot) -> dict[str, Any]:
    """Return the log fields that identify and describe a job."""
    return _identity(job) | {"device": job.device, "instance_type": job.instance_type}


def _discovery_fields(observation: Observation, job: JobSnapshot) -> dict[str, Any]:
    """Return the status of a discovered job, and its queue and reservation, where Braket reports them."""
    queue = {"queue": observation.queue, "queue_message": observation.queue_message}
    given = {**queue, "reservation_arn": job.reservation_arn}
    return {
        "status": (observation.transition and observation.transition.from_status) or job.status,
        "created_time": rfc3339(job.created),
        **{name: value for name, value in given.items() if value},
    }


def transition_fields(transition: Transition) -> dict[str, Any]:
    """Return the log fields of a transition."""
    return {
        "from_status": transition.from_status,
        "to_status": transition.to_status,
        "event_time": rfc3339(transition.event_time),
        "observed_time": rfc3339(transition.observed_time),
        "lag_seconds": _rounded(transition.lag_seconds),
        "transition_id": transition.transition_id,
    }


def outcome_fields(job: JobSnapshot) -> dict[str, Any]:
    """Return the log fields of a finished job."""
    return {
        "failure_reason": job.failure_reason,
        "billable_duration_seconds": job.billable_seconds,
        "queue_duration_seconds": _rounded(job.queue_seconds),
        "run_duration_seconds": _rounded(job.run_seconds),
    }


def _rounded(seconds: float | None) -> float | None:
    return None if seconds is None or math.isinf(seconds) else round(seconds, 3)
