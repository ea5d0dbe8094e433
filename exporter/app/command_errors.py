"""Errors that end a command with one line on stderr."""

import sys

from exporter.telemetry import write_text


class StartError(Exception):
    """The exporter cannot start; the text is one line."""


class OutputError(Exception):
    """The output of a command cannot be written."""


class UsageError(Exception):
    """The command line names no known command."""


class IncompleteError(Exception):
    """The output of a command is incomplete; the text is one line that says why."""


class SourceError(Exception):
    """The jobs of a running exporter cannot be read; the text is one line without credentials."""


def print_to_stderr(*lines: str) -> None:
    """Print lines. The exit status remains when stderr is closed or full."""
    write_text(sys.stderr, "".join(f"{line}\n" for line in lines))
