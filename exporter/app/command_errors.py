"""Errors that end a command with one line on stderr."""


class OutputError(Exception):
    """The output of a command cannot be written."""


class UsageError(Exception):
    """The command line names no known command."""


class IncompleteError(Exception):
    """A command has written its output, and something is missing in it; the text is one line for people."""


class SourceError(Exception):
    """The jobs of a running exporter cannot be read; the text is one line without credentials."""
