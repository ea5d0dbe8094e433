"""Structured logs: one event a line on stderr.

Lines of the libraries (botocore, urllib3, warnings) have the same form, so a log collector can parse every line.
"""

import logging
import sys
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Literal, TextIO

import structlog
from structlog.typing import EventDict, FilteringBoundLogger, Processor

from exporter.telemetry.log_sink import sink_of
from exporter.telemetry.log_writer import LogWriter

LogLevel = Literal["debug", "info", "warning", "error"]
LogFormat = Literal["auto", "json", "console"]


class _Lines:
    """The logger that structlog wraps: writes rendered events.

    Args:
        writer: writes the lines.
    """

    def __init__(self, writer: LogWriter) -> None:
        self._writer = writer

    def msg(self, line: str) -> None:
        """Write a line."""
        self._writer.write(f"{line}\n")

    log = debug = info = warn = warning = msg
    fatal = failure = err = error = critical = exception = msg


class _Handler(logging.Handler):
    """Writes the records of the standard library."""

    def __init__(self, writer: LogWriter) -> None:
        super().__init__()
        self._writer = writer

    def emit(self, record: logging.LogRecord) -> None:
        """Write a record."""
        try:
            self._writer.write(f"{self.format(record)}\n")
        except Exception:  # noqa: BLE001 -- as the handlers of the standard library do
            self.handleError(record)


def _ignore_drop() -> None:
    pass


def make_logger(
    level: LogLevel, form: LogFormat, stream: TextIO = sys.stderr, on_drop: Callable[[], None] = _ignore_drop
) -> FilteringBoundLogger:
    """Build the exporter's logger, and redirect the standard library's records to it.

    Args:
        level: the lowest level that is written.
        form: ``auto`` is ``console`` on a terminal and ``json`` elsewhere.
        stream: the destination.
        on_drop: is called for each line that cannot be written.
    """
    threshold = logging.getLevelNamesMapping()[level.upper()]
    console = form == "console" or (form == "auto" and stream.isatty())
    shared: list[Processor] = [
        structlog.stdlib.add_log_level,
        structlog.processors.TimeStamper(fmt="iso", utc=True),
        structlog.processors.format_exc_info,
        _order_keys,
    ]
    renderer: list[Processor] = (
        [_escape_unprintable, structlog.dev.ConsoleRenderer(colors=stream.isatty(), pad_event_to=18, sort_keys=False)]
        if console
        else [structlog.processors.JSONRenderer()]
    )
    processors = [*shared, *renderer]
    recovery = _bound(structlog.ReturnLogger(), processors, threshold)
    writer = LogWriter(sink_of(stream), recovery_line=lambda count: _recovery_line(recovery, count), on_drop=on_drop)
    _redirect_standard_logging(max(threshold, logging.WARNING), shared, renderer, writer)
    return _bound(_Lines(writer), processors, threshold)


def _bound(lines: object, processors: Sequence[Processor], threshold: int) -> FilteringBoundLogger:
    logger = structlog.wrap_logger(
        lines,
        processors=processors,
        wrapper_class=structlog.make_filtering_bound_logger(threshold),
        cache_logger_on_first_use=True,
    )
    bound: FilteringBoundLogger = logger.bind()
    return bound


def _recovery_line(logger: FilteringBoundLogger, dropped: int) -> str:
    line = logger.warning("log_recovered", dropped=dropped)
    return "" if line is None else f"{line}\n"


def _order_keys(_: object, __: str, event: EventDict) -> EventDict:
    return {**{key: event.pop(key) for key in ("timestamp", "level", "event")}, **event}


@dataclass(frozen=True, slots=True, repr=False)
class _Escaped:
    """A text with escape sequences, in quotes where it is a value."""

    text: str

    def __repr__(self) -> str:
        return repr(self.text)

    def __str__(self) -> str:
        return repr(self.text)[1:-1]


def _escape_unprintable(_: object, __: str, event: EventDict) -> EventDict:
    """Escape control characters, which a terminal would interpret; the renderer only escapes texts with blanks."""
    spelled = {key: _Escaped(value) if _is_unprintable(value) else value for key, value in event.items()}
    if "exception" in event:  # it has several lines, and the renderer accepts only text
        lines = event["exception"].split("\n")
        spelled["exception"] = "\n".join(str(_Escaped(line)) if _is_unprintable(line) else line for line in lines)
    return spelled


def _is_unprintable(value: object) -> bool:
    return isinstance(value, str) and not value.isprintable()


def _redirect_standard_logging(
    threshold: int, shared: Sequence[Processor], renderer: Sequence[Processor], writer: LogWriter
) -> None:
    handler = _Handler(writer)
    handler.setFormatter(
        structlog.stdlib.ProcessorFormatter(
            foreign_pre_chain=[*shared, structlog.stdlib.add_logger_name],
            processors=[structlog.stdlib.ProcessorFormatter.remove_processors_meta, *renderer],
        )
    )
    logging.basicConfig(level=threshold, handlers=[handler], force=True)
    logging.captureWarnings(capture=True)
