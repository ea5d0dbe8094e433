"""Errors of the state file."""


class StateError(Exception):
    """The file cannot be used; the text is one line with the reason."""


class StateInUseError(StateError):
    """Another process uses the file."""


class StateUnreadableError(StateError):
    """The file is damaged, was changed by another program, or belongs to another program or a newer release."""


class StateLostError(StateError):
    """The file was removed or replaced while it was open: its path holds another file, if any."""


class StateUnwritableError(StateError):
    """The disk is full or read-only, or similar: a later attempt may succeed."""


def first_line(text: object) -> str:
    """Return the first line of an error's text."""
    return str(text).partition("\n")[0]
