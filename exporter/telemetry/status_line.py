"""A line at the end of a terminal that is rewritten in place, while other lines pass above it."""

import os
import threading
from typing import Final, TextIO

_ANEW: Final = "\r\x1b[K"
"""Begins the last line anew: back to its start, and away with what stands there."""

_USUAL_WIDTH: Final = 80


class StatusLine:
    """A stream of whole lines with one more below them, for as long as one is shown.

    Args:
        stream: the terminal.
    """

    def __init__(self, stream: TextIO) -> None:
        self._stream, self._shown = stream, ""
        self._lock = threading.Lock()

    def show(self, text: str) -> None:
        """Show this, as much of it as fits, in place of what is shown."""
        with self._lock:
            # One that wraps could not be taken away again.
            self._shown = text[: self._width() - 1]
            self._stream.write(_ANEW + self._shown)
            self._stream.flush()

    def clear(self) -> None:
        """Show nothing any more."""
        with self._lock:
            if self._shown:
                self._shown = ""
                self._stream.write(_ANEW)
                self._stream.flush()

    def write(self, lines: str) -> int:
        """Write whole lines."""
        with self._lock:
            self._stream.write(f"{_ANEW}{lines}{self._shown}" if self._shown else lines)
        return len(lines)

    def flush(self) -> None:
        """Have the terminal take what was written."""
        self._stream.flush()

    def isatty(self) -> bool:
        """Tell whether it is a terminal."""
        return self._stream.isatty()

    def _width(self) -> int:
        return os.get_terminal_size(self._stream.fileno()).columns or _USUAL_WIDTH


def status_line(stream: TextIO) -> StatusLine | None:
    """Make a status line, if the stream is a terminal that can rewrite one."""
    return StatusLine(stream) if stream.isatty() and os.environ.get("TERM", "dumb") != "dumb" else None
