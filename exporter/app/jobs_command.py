"""The ``jobs`` command: lists jobs, from a running exporter or after polling everything once."""

from collections.abc import Callable, Collection, Mapping
from dataclasses import dataclass
from typing import Final

from exporter.app.help_text import OUTPUT, SINCE, STATUS, TIMEOUT, URL
from exporter.app.jobs_source import check_url, read_jobs
from exporter.app.jobs_table import FORMATS, Job, choose, render, statuses_of
from exporter.app.once import poll_once
from exporter.app.settings import Settings
from exporter.core import Clock, parse_duration, suggestion
from exporter.web import job_document


@dataclass(frozen=True, slots=True)
class JobsOptions:
    """The flags of the command.

    Attributes:
        form: one of ``jobs_table.FORMATS``.
        statuses: statuses in upper case; all when empty.
        since: the maximum age by creation time, seconds.
        url: the base URL of a running exporter; ``None`` polls once instead.
        timeout: the longest time that polling may take, seconds.
    """

    form: str
    statuses: Collection[str]
    since: float | None
    url: str | None
    timeout: float


@dataclass(frozen=True, slots=True)
class JobsOutput:
    """The output of the command.

    Attributes:
        text: for stdout.
        missing: the reasons why it is incomplete; empty when every target and every configured job responded.
        note: a line for stderr; empty without one.
    """

    text: str
    missing: tuple[str, ...] = ()
    note: str = ""


def read_options(flags: Mapping[str, str], timeout: str) -> JobsOptions:
    """Read the flags of the command, which ``CHECKS`` found valid.

    Args:
        flags: their values.
        timeout: the default of ``--timeout``.
    """
    return JobsOptions(
        form=flags.get(OUTPUT, FORMATS[0]),
        statuses=frozenset(status.strip().upper() for status in flags.get(STATUS, "").split(",") if status.strip()),
        since=parse_duration(flags[SINCE]) if SINCE in flags else None,
        url=flags.get(URL),
        timeout=parse_duration(flags.get(TIMEOUT, timeout)),
    )


def list_jobs(options: JobsOptions, settings: Callable[[], Settings]) -> JobsOutput:
    """List jobs.

    Args:
        options: the flags.
        settings: loads the settings, which a running exporter does not need.

    Raises:
        SourceError: the running exporter cannot be read.
        SettingsError: the settings are invalid.
        StartError: the exporter cannot start.
        KeyboardInterrupt: a signal arrived before every job was polled.
    """
    jobs, missing = _polled(settings(), options.timeout) if options.url is None else (read_jobs(options.url), ())
    now = Clock().wall()
    since = None if options.since is None else now - options.since
    chosen = choose(jobs, statuses=options.statuses, since=since)
    return JobsOutput(render(chosen, options.form, now), missing, "" if chosen else _empty_note(jobs, options.statuses))


def _polled(settings: Settings, timeout: float) -> tuple[list[Job], tuple[str, ...]]:
    polled = poll_once(settings, timeout)
    if polled.exporter is None:
        return [], polled.missing
    return [job_document(record) for record in polled.exporter.store.scan()], polled.missing


def _empty_note(jobs: Collection[Job], wanted: Collection[str]) -> str:
    statuses = sorted({status for job in jobs for status in statuses_of(job)})
    hints = "".join(suggestion(status, statuses) for status in sorted(wanted) if status not in statuses)
    return f"no job matches{hints}; {len(jobs)} jobs are known" if jobs else "no jobs"


def _check_format(form: str) -> None:
    if form not in FORMATS:
        raise ValueError(f"expected {', '.join(FORMATS[:-1])} or {FORMATS[-1]}{suggestion(form, FORMATS)}")


CHECKS: Final[Mapping[str, Callable[[str], object]]] = {
    OUTPUT: _check_format,
    SINCE: parse_duration,
    URL: check_url,
}
"""Each raises a ``ValueError`` for an invalid value of its flag."""
