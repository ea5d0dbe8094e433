"""A small HTTP/1.1 server: asyncio reads and writes the sockets in one thread, h11 parses the protocol.

The server sends short responses to scrapers, probes and browsers. The handshake, the request and the transfer of the
response each have a time limit. A connection that exceeds a limit is closed, so a silent or slow peer uses one socket
and no thread. When there are too many connections, a new one replaces the one that has waited longest.

The ``AccessPolicy`` decides on TLS and authentication.
"""

import asyncio
import errno
import socket
import threading
from collections.abc import Collection, Coroutine
from typing import Any, Final

from exporter.web.http.access import AccessPolicy
from exporter.web.http.connection import MAX_HEADER_BYTES, Connection
from exporter.web.http.messages import Handler
from exporter.web.http.reception import Reception

STOP_TIMEOUT: Final = 5.0
"""Seconds that current responses may take when the server stops; Docker kills a container after 10."""

MAX_CONNECTIONS: Final = 512

BACKLOG: Final = 256

_NO_IPV6: Final = (errno.EADDRNOTAVAIL, errno.EAFNOSUPPORT)
"""Error codes of a kernel without IPv6; another code, such as that of a port in use, is an error."""


class HttpServer:
    """Serves requests in a thread of its own; the handler runs in worker threads.

    Args:
        handler: makes the response to a request.
        host: the address to listen on; empty for all addresses.
        port: the port; 0 for any free port.
        access_policy: the TLS and authentication policy; without one, every request is admitted.
        urgent: paths with quick responses, which do not wait for others.
        slow: paths with slow responses, which are made one at a time; others do not wait for them.

    Raises:
        OSError: the server cannot listen on the address.
    """

    def __init__(
        self,
        handler: Handler,
        host: str,
        port: int,
        *,
        access_policy: AccessPolicy | None = None,
        urgent: Collection[str] = (),
        slow: Collection[str] = (),
    ) -> None:
        self._socket = _listen(host, port)
        self.address: tuple[str, int] = self._socket.getsockname()[:2]
        self._access_policy = access_policy or AccessPolicy()
        self._reception = Reception(handler, self._access_policy, urgent, slow)
        self._connections: dict[asyncio.Task[None], Connection] = {}
        self._loop: asyncio.AbstractEventLoop | None = None

    def start(self) -> None:
        """Start serving requests."""
        self._loop = asyncio.new_event_loop()
        self._thread = threading.Thread(target=self._loop.run_forever, name="web", daemon=True)
        self._thread.start()
        self._run(self._serve(), self._loop)

    def stop(self) -> None:
        """Stop listening, complete the current responses, and close the other connections."""
        loop = self._loop
        if loop is None:  # the server was never started
            self._socket.close()
        else:
            self._run(self._finish(), loop)
            loop.call_soon_threadsafe(loop.stop)
            self._thread.join(STOP_TIMEOUT)
        self._reception.close()
        if loop is not None and not self._thread.is_alive():
            loop.close()

    @staticmethod
    def _run(coroutine: Coroutine[Any, Any, Any], loop: asyncio.AbstractEventLoop) -> None:
        asyncio.run_coroutine_threadsafe(coroutine, loop).result(2 * STOP_TIMEOUT)

    async def _serve(self) -> None:
        self._server = await asyncio.start_server(
            self._accept, sock=self._socket, backlog=BACKLOG, limit=MAX_HEADER_BYTES
        )

    async def _accept(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self._evict_one_if_full()
        task = asyncio.current_task()
        assert task is not None  # noqa: S101 -- asyncio runs this as a task
        connection = Connection(reader, writer, self._access_policy.channel(), self._reception)
        self._connections[task] = connection
        try:
            await connection.serve()
        finally:
            del self._connections[task]

    def _evict_one_if_full(self) -> None:
        """Close a connection when there are too many: the oldest idle one, else the oldest that is responding."""
        kept = {task: connection for task, connection in self._connections.items() if not connection.evicted}
        if len(kept) >= MAX_CONNECTIONS:
            oldest = min(kept, key=lambda task: (kept[task].responding, kept[task].changed_at))
            kept[oldest].evicted = True
            oldest.cancel()

    async def _finish(self) -> None:
        self._server.close()
        for task, connection in self._connections.items():
            connection.ending = True
            if not connection.responding:
                task.cancel()
        if self._connections:
            _, late = await asyncio.wait(self._connections, timeout=STOP_TIMEOUT)
            for task in late:
                task.cancel()
            await asyncio.gather(*late, return_exceptions=True)


def _listen(host: str, port: int) -> socket.socket:
    """Open one socket for IPv4 and IPv6; asyncio opens two, with different ports when any free port is requested."""
    if host:
        family, address = _resolve(host, port)
        return socket.create_server(address, family=family, backlog=BACKLOG)
    if socket.has_dualstack_ipv6():
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
