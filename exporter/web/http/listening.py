"""The listening socket, and accepting connections from it."""

import asyncio
import errno
import socket
from collections.abc import Callable
from typing import Final

from exporter.web.http.translation import MAX_HEADER_BYTES

BACKLOG: Final = 256

RETRY_INTERVAL: Final = 0.1
"""Seconds without accepting after a failure."""

NO_DESCRIPTOR: Final = (errno.EMFILE, errno.ENFILE)

_NO_IPV6: Final = (errno.EADDRNOTAVAIL, errno.EAFNOSUPPORT)
"""Error codes of a kernel without IPv6; another code, such as that of a port in use, is an error."""


def listen(host: str, port: int) -> socket.socket:
    """Open one socket; without a host or with ``::``, it serves IPv4 and IPv6.

    asyncio opens two sockets, with different ports when any free port is requested.

    Raises:
        OSError: the address cannot be opened.
    """
    dual = socket.has_dualstack_ipv6()
    if host:
        family, address = _resolve(host, port)
        dual = dual and address[0] == "::"
        return socket.create_server(address, family=family, backlog=BACKLOG, dualstack_ipv6=dual)
    if dual:
        try:
            return socket.create_server(("", port), family=socket.AF_INET6, backlog=BACKLOG, dualstack_ipv6=True)
        except OSError as error:
            if error.errno not in _NO_IPV6:
                raise
    return socket.create_server(("", port), backlog=BACKLOG)


def _resolve(host: str, port: int) -> tuple[int, tuple[str, int]]:
    try:
        found = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM, flags=socket.AI_PASSIVE)
    except UnicodeError as error:
        raise OSError(errno.EADDRNOTAVAIL, "is not a valid host name") from error
    family, _, _, _, address = found[0]
    return family, (str(address[0]), int(address[1]))


async def open_streams(accepted: socket.socket) -> tuple[asyncio.StreamReader, asyncio.StreamWriter]:
    """Make the streams of an accepted connection; without them, close its socket."""
    loop = asyncio.get_running_loop()
    reader = asyncio.StreamReader(limit=MAX_HEADER_BYTES)
    try:
        transport, protocol = await loop.connect_accepted_socket(lambda: asyncio.StreamReaderProtocol(reader), accepted)
    except BaseException:
        accepted.close()
        raise
    return reader, asyncio.StreamWriter(transport, protocol, reader, loop)


class Acceptor:
    """Accepts connections; pauses after a failure. The accept loop of asyncio logs a traceback for each failure.

    Args:
        listening: the listening socket.
        room: returns the number of connections to accept in one step of the event loop.
        accepted: called with each new connection.
        failed: called with each failure.
    """

    def __init__(
        self,
        listening: socket.socket,
        room: Callable[[], int],
        accepted: Callable[[socket.socket], object],
        failed: Callable[[OSError], object],
    ) -> None:
        self._socket, self._room, self._accepted, self._failed = listening, room, accepted, failed
        self._loop = asyncio.get_running_loop()
        self._retry: asyncio.TimerHandle | None = None
        listening.settimeout(0)
        self._resume()

    def close(self) -> None:
        """Stop accepting, and close the socket."""
        self._loop.remove_reader(self._socket)
        if self._retry is not None:
            self._retry.cancel()
        self._socket.close()

    def _resume(self) -> None:
        self._loop.add_reader(self._socket, self._accept_waiting)

    def _accept_waiting(self) -> None:
        """Accept connections that wait; the event loop calls again if more of them do."""
        for number in range(self._room()):
            try:
                connection, _ = self._socket.accept()
            except (BlockingIOError, InterruptedError, ConnectionAbortedError):
                return
            except OSError as error:
                # Without a free descriptor, accept() fails even if no connection waits.
                if number == 0 or error.errno not in NO_DESCRIPTOR:
                    self._pause(error)
                return
            connection.settimeout(0)
            self._accepted(connection)

    def _pause(self, error: OSError) -> None:
        """Pause: the event loop would call again at once, as the connection still waits."""
        self._loop.remove_reader(self._socket)
        self._retry = self._loop.call_later(RETRY_INTERVAL, self._resume)
        self._failed(error)
