"""Reads the web configuration file that the settings name."""

from collections.abc import Iterator
from contextlib import contextmanager

from exporter.app.settings import Settings, SettingsError
from exporter.web.http import FileAccessPolicy, WebConfigError


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
