"""Checks of the state file and the web configuration file."""

from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from exporter.app.settings import Settings, SettingsError
from exporter.web.http import FileAccessPolicy, WebConfigError


def check_state_file(settings: Settings) -> None:
    """Check the path of the state file.

    Raises:
        SettingsError: its directory does not exist, it is a directory, or the name is not valid or not accessible.
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
        raise SettingsError([f"state_file: {str(file)!a} cannot be used: {reason}; set another path"]) from error
    if is_directory:
        raise SettingsError([f"state_file: {file} is a directory; set the path of a file in it"])
    if not has_directory:
        raise SettingsError(
            [f"state_file: {file}: directory {file.parent} does not exist; create it or set another path"]
        )


def access_policy_of(settings: Settings) -> FileAccessPolicy | None:
    """Read the web configuration file, if configured.

    Raises:
        SettingsError: the file is invalid.
    """
    file = settings.web_config_file
    with web_config_errors(file):
        return None if file is None else FileAccessPolicy(file)


@contextmanager
def web_config_errors(file: str | None) -> Iterator[None]:
    """Report problems of the web configuration file as problems of the settings.

    Raises:
        SettingsError: the file is invalid.
    """
    try:
        yield
    except WebConfigError as error:
        raise SettingsError([f"web_config_file {file}: {problem}" for problem in error.problems]) from error
