"""What the settings ask for beyond themselves: credentials, a Region, files. What is bad about these is told alike."""

import re
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

import boto3
from botocore.exceptions import BotoCoreError

from exporter.arn import check_region, parse_job_arn
from exporter.guard import FileGuard
from exporter.lanes import Entry, Lane, Login, plan_lanes
from exporter.selector import Selector, parse_tag_rule
from exporter.sessions import make_session
from exporter.settings import Selection, Settings, SettingsError, TargetSettings
from exporter.webconfig import WebConfigError

Sessions = dict[Login, boto3.session.Session]
"""The session of each login."""


class StartError(Exception):
    """The exporter cannot start; the text is one line for people."""


def check_state_file(settings: Settings) -> None:
    """Tell of a state file that can never be.

    Raises:
        SettingsError: it has no directory, or is one, or has a name that no file can have or that may not be looked up.
    """
    if settings.state_file is None:
        return
    file = Path(settings.state_file)
    try:
        with suppress(FileNotFoundError, NotADirectoryError):
            file.lstat()
        is_directory, has_directory = file.is_dir(), file.parent.is_dir()
    except (OSError, ValueError) as error:
        reason = getattr(error, "strerror", None) or error
        raise SettingsError([f"state_file: {str(file)!a} cannot be used: {reason}; name another file"]) from error
    if is_directory:
        raise SettingsError([f"state_file: {file} is a directory; expected a file in it"])
    if not has_directory:
        raise SettingsError([f"state_file: {file} has no directory {file.parent}; make it, or name another file"])


def count_jobs(settings: Settings) -> int:
    """Count the jobs that are named."""
    return sum(len(selection.jobs) for selection in (settings, *settings.targets))


def lanes(settings: Settings, sessions: Sessions) -> list[Lane]:
    """List what this process polls, and make the session of each login.

    Raises:
        SettingsError: no Region is known to look for jobs in.
    """
    entries = [_entry(selection, sessions) for selection in settings.targets or (settings,)]
    return plan_lanes(entries, shard=settings.shard, total_shards=settings.total_shards)


def _entry(selection: Selection, sessions: Sessions) -> Entry:
    login, target_name = Login(), ""
    if isinstance(selection, TargetSettings):
        login, target_name = Login(selection.profile, selection.role_arn, selection.external_id), selection.name or ""
    if login not in sessions:
        regions = (*selection.regions, *(parse_job_arn(arn).region for arn in selection.jobs))
        sessions[login] = make_session(login, next(iter(regions), None))
    if not selection.discovers:
        return Entry(login, selection.jobs, name=target_name)
    name = None if selection.job_name_regex is None else re.compile(selection.job_name_regex)
    selector = Selector(tuple(map(parse_tag_rule, selection.tags)), selection.all_jobs, name)
    return Entry(login, selection.jobs, selector, selection.regions or (_sdk_region(sessions[login]),), target_name)


def _sdk_region(session: boto3.session.Session) -> str:
    region = session.region_name
    if not region:
        raise SettingsError(["regions: none, and the AWS SDK knows none either; set regions or AWS_DEFAULT_REGION"])
    try:
        check_region(region)
    except ValueError as error:
        raise SettingsError([f"regions: none, and the AWS SDK's Region {region} {error}; set regions"]) from error
    return str(region)


def guard_of(settings: Settings) -> FileGuard | None:
    """Read the web configuration file, if there is one.

    Raises:
        SettingsError: it is bad.
    """
    file = settings.web_config_file
    with web_config_errors(file):
        return None if file is None else FileGuard(file)


@contextmanager
def web_config_errors(file: str | None) -> Iterator[None]:
    """Tell what is wrong with the web configuration file as with any setting.

    Raises:
        SettingsError: the file is bad.
    """
    try:
        yield
    except WebConfigError as error:
        raise SettingsError([f"web_config_file {file}: {problem}" for problem in error.problems]) from error


@contextmanager
def sdk_errors() -> Iterator[None]:
    """Tell what the SDK cannot be set up with as people would.

    Raises:
        StartError: the SDK's configuration is unusable.
    """
    try:
        yield
    except (BotoCoreError, ValueError) as error:
        raise StartError(f"the AWS SDK cannot be set up: {error}") from error
