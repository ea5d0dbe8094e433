"""The flags of the ``jobs`` command. Pure."""

from collections.abc import Callable, Collection, Mapping
from typing import Final, NamedTuple

from exporter.app.command_help import OUTPUT, SINCE, STATUS, TIMEOUT, URL
from exporter.app.jobs_source import check_url
from exporter.app.jobs_table import FORMATS
from exporter.core import parse_duration, suggestion


class JobsOptions(NamedTuple):
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


def _check_format(form: str) -> None:
    if form not in FORMATS:
        raise ValueError(f"expected {', '.join(FORMATS[:-1])} or {FORMATS[-1]}{suggestion(form, FORMATS)}")


CHECKS: Final[Mapping[str, Callable[[str], object]]] = {
    OUTPUT: _check_format,
    SINCE: parse_duration,
    URL: check_url,
}
"""Each raises a ``ValueError`` for an invalid value of its flag."""
