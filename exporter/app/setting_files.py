"""Checks the files that the settings name, other than the settings file."""

from collections.abc import Mapping
from typing import Any, Final

from exporter.app.settings import Settings, SettingsError
from exporter.app.state_file_path import check_state_file
from exporter.app.web_config_file import access_policy_of
from exporter.web.http import FileAccessPolicy

_KEYS: Final = ("state_file", "web_config_file")


def check_files(settings: Settings) -> FileAccessPolicy | None:
    """Check the path of the state file, and read the web configuration file, if configured.

    Raises:
        SettingsError: all problems of both files.
    """
    problems: list[str] = []
    policy = None
    try:
        check_state_file(settings)
    except SettingsError as error:
        problems += error.problems
    try:
        policy = access_policy_of(settings)
    except SettingsError as error:
        problems += error.problems
    if problems:
        raise SettingsError(problems)
    return policy


def file_problems(given: Mapping[str, object]) -> tuple[str, ...]:
    """List the problems of the files when other settings are invalid.

    Args:
        given: the values of the settings by key, not validated.
    """
    named: dict[str, Any] = {key: given[key] for key in _KEYS if isinstance(given.get(key), str) and given[key]}
    try:
        check_files(Settings.model_construct(**named))
    except SettingsError as error:
        return error.problems
    return ()
