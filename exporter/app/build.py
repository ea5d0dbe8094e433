"""What the settings ask for beyond themselves: credentials, a Region, files. What is bad about these is told alike."""

import os
import re
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from exporter.app.setting_warnings import ignores_region
from exporter.app.settings import Selection, Settings, SettingsError, TargetSettings
from exporter.aws.failures import why_no_configuration
from exporter.aws.sessions import LoginSession
from exporter.core.arn import check_region, parse_job_arn
from exporter.core.selector import Selector, parse_tag_rule
from exporter.core.targets import Entry, Lane, Login, plan_lanes
from exporter.web.http.access import FileGuard
from exporter.web.http.web_config import WebConfigError

Sessions = dict[Login, LoginSession]
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


def lanes(settings: Settings, sessions: Sessions) -> list[Lane]:
    """List what this process polls, and add the session of each login that has none.

    Raises:
        SettingsError: no Region is known to look for jobs in.
    """
    if settings.targets:
        entries = [_entry(target, sessions, f"targets[{number}].") for number, target in enumerate(settings.targets)]
    else:
        entries = [_entry(settings, sessions)]
    return plan_lanes(entries, shard=settings.shard, total_shards=settings.total_shards)


def _entry(selection: Selection, sessions: Sessions, path: str = "") -> Entry:
    login, target_name = Login(), ""
    if isinstance(selection, TargetSettings):
        login, target_name = Login(selection.profile, selection.role_arn, selection.external_id), selection.name or ""
    if login not in sessions:
        regions = (*selection.regions, *(parse_job_arn(arn).region for arn in selection.jobs))
        sessions[login] = LoginSession(login, next(iter(regions), None))
    if not selection.discovers:
        return Entry(login, selection.jobs, name=target_name)
    name = None if selection.job_name_regex is None else re.compile(selection.job_name_regex)
    selector = Selector(tuple(map(parse_tag_rule, selection.tags)), selection.all_jobs, name)
    regions = selection.regions or (_sdk_region(sessions[login], f"{path}regions"),)
    return Entry(login, selection.jobs, selector, regions, target_name)


def _sdk_region(session: LoginSession, key: str) -> str:
    """Read the Region of the SDK's configuration, whatever its files are like."""
    profile = session.login.profile
    configuration = "the AWS configuration" if profile is None else f"the AWS configuration of profile {profile}"
    try:
        region = session.region_name()
    except Exception as error:  # noqa: BLE001 -- the SDK raises anything for files that it cannot read
        problem = why_no_configuration(error, profile)
        raise SettingsError([f"{key}: none, and {configuration} cannot be read: {problem}; set regions"]) from None
    if not region:
        hint = " (boto3 does not read AWS_REGION)" if ignores_region(os.environ) else ""
        raise SettingsError(
            [f"{key}: none, and the AWS SDK knows none either; set regions or AWS_DEFAULT_REGION{hint}"]
        )
    try:
        check_region(region)
    except ValueError as error:
        raise SettingsError([f"{key}: none, and the AWS SDK's Region {region} {error}; set regions"]) from error
    return region


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
