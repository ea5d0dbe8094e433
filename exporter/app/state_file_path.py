"""Checks the path of the state file."""

from contextlib import suppress
from pathlib import Path

from exporter.app.settings import Settings, SettingsError


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
