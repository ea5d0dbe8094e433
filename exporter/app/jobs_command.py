"""The ``jobs`` command: lists jobs, from a running exporter or after polling everything once."""

from collections.abc import Callable, Collection
from dataclasses import dataclass

from exporter.app.jobs_options import JobsOptions
from exporter.app.jobs_source import read_jobs
from exporter.app.jobs_table import Job, choose, render, statuses_of
from exporter.app.once import poll_once
from exporter.app.settings import Settings
from exporter.core import Clock, suggestion
from exporter.web import job_document


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
    of_jobs = settings.model_copy(update={"device_metrics": "off", "spending_limits": "off"})
    polled = poll_once(of_jobs, timeout)
    if polled.exporter is None:
        return [], polled.missing
    return [job_document(record) for record in polled.exporter.store.scan()], polled.missing


def _empty_note(jobs: Collection[Job], wanted: Collection[str]) -> str:
    statuses = sorted({status for job in jobs for status in statuses_of(job)})
    hints = "".join(suggestion(status, statuses) for status in sorted(wanted) if status not in statuses)
    return f"no job matches{hints}; {len(jobs)} jobs are known" if jobs else "no jobs"
