"""The ``jobs`` command: lists jobs, from a running exporter or after polling everything once."""

from collections.abc import Callable, Collection, Iterator
from dataclasses import dataclass

from exporter.app.jobs_options import JobsOptions
from exporter.app.jobs_source import read_jobs
from exporter.app.jobs_table import Job, choose, render, statuses_of
from exporter.app.once import poll_once
from exporter.app.settings import Settings
from exporter.core import MAX_RUNTIME_EXCEEDED, STATUSES, Clock, format_name, suggestion
from exporter.web import job_document


@dataclass(frozen=True, slots=True)
class JobsOutput:
    """The output of the command.

    Attributes:
        text: for stdout.
        missing: the reasons why it is incomplete; empty when every target and every configured job responded.
        notes: lines for stderr: unknown statuses, and why the list is empty.
    """

    text: str
    missing: tuple[str, ...] = ()
    notes: tuple[str, ...] = ()


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
    notes = (*_unknown_statuses(jobs, options.statuses), *(() if chosen or missing else (_empty_note(jobs),)))
    return JobsOutput(render(chosen, options.form, now), missing, notes)


def _polled(settings: Settings, timeout: float) -> tuple[list[Job], tuple[str, ...]]:
    of_jobs = settings.model_copy(update={"device_metrics": "off", "spending_limits": "off"})
    polled = poll_once(of_jobs, timeout)
    if polled.exporter is None:
        return [], polled.missing
    return [job_document(record) for record in polled.exporter.store.scan()], polled.missing


def _unknown_statuses(jobs: Collection[Job], wanted: Collection[str]) -> Iterator[str]:
    """Yield a warning for each status that neither this release knows nor a job has; Braket may add statuses."""
    known = (*STATUSES, MAX_RUNTIME_EXCEEDED)
    found = {status for job in jobs for status in statuses_of(job)}
    for status in sorted(set(wanted).difference(known, found)):
        hint = suggestion(status, known) or f"; statuses are {', '.join(known)}"
        yield f"unknown status {format_name(status)}{hint}"


def _empty_note(jobs: Collection[Job]) -> str:
    return f"no job matches; {len(jobs)} jobs are known" if jobs else "no jobs"
