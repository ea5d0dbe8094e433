"""The sinks of log lines: a file descriptor, or a stream of Python without one."""

import os
import select
from contextlib import suppress
from typing import Protocol, TextIO


class Sink(Protocol):
    """Takes lines. It may block, and raises ``OSError`` or ``ValueError`` if it cannot take a line."""

    def write(self, text: str) -> None:
        """Write whole lines."""
        ...


class DescriptorSink:
    """Writes to a file descriptor, past Python's buffer: the buffer would keep a line that cannot be written.

    Args:
        descriptor: the file descriptor.
        encoding: the encoding of its text.
    """

    def __init__(self, descriptor: int, encoding: str) -> None:
        self._descriptor, self._encoding = descriptor, encoding
        self._is_cut = False
        """Whether the last line is incomplete. The next one starts on a line of its own."""

    def write(self, text: str) -> None:
        """Write whole lines."""
        if not text:
            return
        left = ("\n" * self._is_cut + text).encode(self._encoding, "backslashreplace")
        while left:
            written = self._write(left)
            self._is_cut = not left[:written].endswith(b"\n")
            left = left[written:]

    def _write(self, data: bytes) -> int:
        """Write some of the bytes; return their number."""
        while True:
            with suppress(BlockingIOError):  # another program made the pipe or the terminal non-blocking
                return os.write(self._descriptor, data)
            poll = select.poll()
            poll.register(self._descriptor, select.POLLOUT)
            poll.poll()


class StreamSink:
    """Writes to a stream without a file descriptor.

    Args:
        stream: the stream.
    """

    def __init__(self, stream: TextIO) -> None:
        self._stream = stream

    def write(self, text: str) -> None:
        """Write whole lines."""
        self._stream.write(text)
        self._stream.flush()


def sink_of(stream: TextIO) -> Sink:
    """Return the sink of a stream."""
    try:
        return DescriptorSink(stream.fileno(), stream.encoding or "utf-8")
    except (OSError, ValueError, AttributeError):  # it has no descriptor, or is closed
        return StreamSink(stream)
