"""Structured logs: one event a line on stderr, with the fields that ``docs/logs.md`` lists.

Lines of the libraries (botocore, urllib3, warnings) take the same form, so that every line of a pod parses.
"""

import logging
import sys
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any, Final, Literal, TextIO, cast

import structlog
from structlog.typing import EventDict, FilteringBoundLogger, Processor

from exporter.core import (
    MAX_RUNTIME_EXCEEDED,
    BraketError,
    EntryProblem,
    FirstPollProgress,
    JobEvent,
    JobSnapshot,
    Observation,
    Target,
    Transition,
)

LogLevel = Literal["debug", "info", "warning", "error"]
LogFormat = Literal["auto", "json", "console"]

_LEVEL_OF_STATUS: Final = {"FAILED": logging.ERROR, "CANCELLED": logging.WARNING}
_LEVEL_OF_EVENT: Final = {
    MAX_RUNTIME_EXCEEDED: logging.ERROR,
    "DEPRIORITIZED_DUE_TO_INACTIVITY": logging.WARNING,
}


class _Patient:
    """A stream that is let off what it cannot take: an exporter whose log has nowhere to go can still be scraped."""

    def __init__(self, stream: TextIO) -> None:
        self._stream = stream

    def write(self, lines: str) -> int:
        """Write whole lines, if that can be done."""
        with suppress(OSError):
            self._stream.write(lines)
        return len(lines)

    def flush(self) -> None:
        """Have them arrive, if that can be done."""
        with suppress(OSError):
            self._stream.flush()


def make_logger(level: LogLevel, form: LogFormat, stream: TextIO = sys.stderr) -> FilteringBoundLogger:
    """Build the exporter's logger and send the standard library's records the same way.

    Args:
        level: the least important level that is written.
        form: ``auto`` is ``console`` on a terminal and ``json`` elsewhere.
        stream: where the lines go.
    """
    threshold = logging.getLevelNamesMapping()[level.upper()]
    console = form == "console" or (form == "auto" and stream.isatty())
    shared: list[Processor] = [
        structlog.stdlib.add_log_level,
        structlog.processors.TimeStamper(fmt="iso", utc=True),
        structlog.processors.format_exc_info,
        _lead_with_what_happened,
    ]
    renderer: list[Processor] = (
        [_spell_out, structlog.dev.ConsoleRenderer(colors=stream.isatty(), pad_event_to=18, sort_keys=False)]
        if console
        else [structlog.processors.JSONRenderer()]
    )
    _redirect_standard_logging(max(threshold, logging.WARNING), shared, renderer, stream)
    logger = structlog.wrap_logger(
        structlog.WriteLogger(cast("TextIO", _Patient(stream))),  # it writes and flushes, and does nothing else
        processors=[*shared, *renderer],
        wrapper_class=structlog.make_filtering_bound_logger(threshold),
        cache_logger_on_first_use=True,
    )
    bound: FilteringBoundLogger = logger.bind()
    return bound


def rfc3339(time: float | None) -> str | None:
    """Write unix seconds as RFC 3339 in UTC with milliseconds."""
    if time is None:
        return None
    return datetime.fromtimestamp(time, UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")


class EventLog:
    """Writes the log events about jobs and targets."""

    def __init__(self, logger: FilteringBoundLogger) -> None:
        self._logger = logger

    def observed(self, observation: Observation) -> None:
        """Write what one GetJob answer brought that is new."""
        job = observation.record.snapshot
        if job is None:
            return
        if observation.discovered:
            status = (observation.transition and observation.transition.from_status) or job.status
            self._logger.info("job_discovered", **_job_fields(job), status=status, created_time=rfc3339(job.created))
        for event in observation.events:
            self._event(job, event)
        if observation.transition is not None:
            self._transition(observation.transition)
        for field, value in observation.unknown:
            self._logger.warning("unknown_value", **_identity(job), field=field, value=value)

    def forgotten(self, arn: str, job: JobSnapshot | None, reason: str) -> None:
        """Write that a job lost its series."""
        self._logger.info("job_forgotten", **({"job_arn": arn} if job is None else _identity(job)), reason=reason)

    def poll_failed(
        self, target: Target, operation: str, error: BraketError, retry_in: float | None, arn: str | None = None
    ) -> None:
        """Write that a call failed, and in how many seconds it is tried again, if at all."""
        self._logger.warning(
            "poll_failed",
            operation=operation,
            code=error.code,
            retry_in_seconds=_rounded(retry_in),
            **({} if arn is None else {"job_arn": arn}),
            aws_account_id=target.account,
            aws_region=target.region,
            message=str(error),
        )

    def search_abandoned(self, target: Target, reason: str) -> None:
        """Write that the pages of a SearchJobs span do not end, so that the rest of the span is left out."""
        self._logger.warning("search_abandoned", aws_account_id=target.account, aws_region=target.region, reason=reason)

    def search_entry_ignored(self, target: Target, problem: EntryProblem) -> None:
        """Write that a SearchJobs entry cannot be used; the caller sees to it that each is written once."""
        self._logger.warning(
            "search_entry_ignored",
            job_arn=problem.arn,
            aws_account_id=target.account,
            aws_region=target.region,
            reason=problem.reason,
        )

    def search_without_tags(self, target: Target) -> None:
        """Write that SearchJobs entries lack ``tags`` although the settings select by tags."""
        self._logger.warning("search_without_tags", aws_account_id=target.account, aws_region=target.region)

    def started(self, **fields: Any) -> None:  # noqa: ANN401 -- whatever is worth telling, as JSON
        """Write that the exporter serves and polls."""
        self._logger.info("started", **fields)

    def first_poll_progress(self, fill: FirstPollProgress) -> None:
        """Write the progress of the first full poll, which takes long."""
        self._logger.info(
            "first_poll_progress",
            jobs_polled=max(0, fill.total - fill.waiting),
            jobs_known=fill.total,
            targets=fill.targets,
            targets_failing=fill.failing,
            seconds_left=_rounded(fill.seconds) if fill.listed else None,
        )

    def config_reloaded(self, file: str | None, *, restart_needed: Sequence[str] = (), **fields: Any) -> None:  # noqa: ANN401 -- likewise
        """Write that a file that was read anew is in force, but for the keys that only a restart changes."""
        level = logging.WARNING if restart_needed else logging.INFO
        needed = {"restart_needed": [*restart_needed]} if fields else {}
        self._logger.log(level, "config_reloaded", file=file, **fields, **needed)

    def config_reload_failed(self, file: str | None, error: str) -> None:
        """Write that a file that was read anew is bad; what was in force stays."""
        self._logger.error("config_reload_failed", file=file, error=error)

    def config_warning(self, setting: str, message: str) -> None:
        """Write that a setting is valid and probably a mistake."""
        self._logger.warning("config_warning", setting=setting, message=message)

    def tls_handshake_failed(self, *, count: int, peer_address: str, error: str) -> None:
        """Write that so many handshakes failed since the last line, and with whom and why the last one did."""
        self._logger.debug("tls_handshake_failed", count=count, peer_address=peer_address, error=error)

    def state_loaded(self, file: str, *, jobs: int, polled: float) -> None:
        """Write that the exporter goes on where the state file ended, which was last written at ``polled``."""
        self._logger.info("state_loaded", file=file, jobs=jobs, last_poll_time=rfc3339(polled))

    def state_rows_skipped(self, file: str, rows: int, error: str) -> None:
        """Write that so many rows of the state file cannot be used, and why the first of them cannot."""
        self._logger.error("state_rows_skipped", file=file, rows=rows, error=error)

    def state_failing(self, file: str, error: str) -> None:
        """Write that the state file cannot be written, so that all is kept in memory only."""
        self._logger.error("state_failing", file=file, error=error)

    def state_recovered(self, file: str, failing_seconds: float) -> None:
        """Write that the state file holds everything again."""
        self._logger.info("state_recovered", file=file, failing_seconds=_rounded(failing_seconds))

    def state_set_aside(self, file: str, moved_to: str, error: str) -> None:
        """Write that a state file made no sense, where it is now, and that another one begins."""
        self._logger.error("state_set_aside", file=file, moved_to=moved_to, error=error)

    def stopped(self, **fields: Any) -> None:  # noqa: ANN401 -- likewise
        """Write that the exporter ended in order."""
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
        end = _end_fields(job) if job.finished else {}
        self._logger.log(level, "job_transition", **_job_fields(job), **_transition_fields(transition), **end)


def _lead_with_what_happened(_: object, __: str, event: EventDict) -> EventDict:
    return {**{key: event.pop(key) for key in ("timestamp", "level", "event")}, **event}


@dataclass(frozen=True, slots=True, repr=False)
class _SpelledOut:
    """A text as Python would write it, in quotes where it is a value."""

    text: str

    def __repr__(self) -> str:
        return repr(self.text)

    def __str__(self) -> str:
        return repr(self.text)[1:-1]


def _spell_out(_: object, __: str, event: EventDict) -> EventDict:
    """Spell out what a terminal would obey and not show; the renderer does so only in texts with a blank in them."""
    spelled = {key: _SpelledOut(value) if _is_unseen(value) else value for key, value in event.items()}
    if "exception" in event:  # it has several lines, and the renderer takes nothing but text
        lines = event["exception"].split("\n")
        spelled["exception"] = "\n".join(str(_SpelledOut(line)) if _is_unseen(line) else line for line in lines)
    return spelled


def _is_unseen(value: object) -> bool:
    return isinstance(value, str) and not value.isprintable()


def _identity(job: JobSnapshot) -> dict[str, Any]:
    return {"job_arn": job.arn, "job_name": job.name, "aws_account_id": job.account, "aws_region": job.region}


def _job_fields(job: JobSnapshot) -> dict[str, Any]:
    return _identity(job) | {"device": job.device, "instance_type": job.instance_type}


def _transition_fields(transition: Transition) -> dict[str, Any]:
    return {
        "from_status": transition.from_status,
        "to_status": transition.to_status,
        "event_time": rfc3339(transition.event_time),
        "observed_time": rfc3339(transition.observed_time),
        "lag_seconds": _rounded(transition.lag_seconds),
        "transition_id": transition.transition_id,
    }


def _end_fields(job: JobSnapshot) -> dict[str, Any]:
    return {
        "failure_reason": job.failure_reason,
        "billable_duration_seconds": job.billable_seconds,
        "queue_duration_seconds": _rounded(job.queue_seconds),
        "run_duration_seconds": _rounded(job.run_seconds),
    }


def _rounded(seconds: float | None) -> float | None:
    return None if seconds is None else round(seconds, 3)


def _redirect_standard_logging(
    threshold: int, shared: Sequence[Processor], renderer: Sequence[Processor], stream: TextIO
) -> None:
    handler = logging.StreamHandler(stream)
    handler.setFormatter(
        structlog.stdlib.ProcessorFormatter(
            foreign_pre_chain=[*shared, structlog.stdlib.add_logger_name],
            processors=[structlog.stdlib.ProcessorFormatter.remove_processors_meta, *renderer],
        )
    )
    logging.basicConfig(level=threshold, handlers=[handler], force=True)
    logging.captureWarnings(capture=True)
