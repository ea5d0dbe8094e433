"""A small HTTP/1.1 server: asyncio reads and writes the sockets in one thread, h11 parses the protocol.

The server sends short responses to scrapers, probes and browsers. The handshake, the request and the transfer of the
response each have a time limit. A connection that exceeds a limit is closed, so a silent or slow peer uses one socket
and no thread. When there are too many connections, a new one replaces the longest idle one.

The ``AccessPolicy`` decides on TLS and authentication.
"""

import asyncio
import socket
import threading
from collections.abc import Callable, Collection, Coroutine
from typing import Any, Final

from exporter.web.http.access import AccessPolicy
from exporter.web.http.connection import Connection
from exporter.web.http.crowd import MAX_REPLACED, current_connection_limit, longest_waiting
from exporter.web.http.listening import NO_DESCRIPTOR, Acceptor, listen, open_streams
from exporter.web.http.messages import Handler
from exporter.web.http.reception import Reception
from exporter.web.http.repeated_warning import RepeatedWarning, call_later

STOP_TIMEOUT: Final = 5.0
"""Seconds that current responses may take when the server stops; Docker kills a container after 10."""


class HttpServer:
    """Serves requests in a thread of its own; the handler runs in worker threads.

    Args:
        handler: makes the response to a request.
        host: the address to listen on; empty for all addresses.
        port: the port; 0 for any free port.
        access_policy: the TLS and authentication policy; without one, every request is admitted.
        urgent: paths with quick responses, which do not wait for others.
        slow: paths with slow responses, which are made one at a time; others do not wait for them.
        login_refused: counts a refused login.

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
        login_refused: Callable[[], None] = lambda: None,
    ) -> None:
        self._socket = listen(host, port)
        self.address: tuple[str, int] = self._socket.getsockname()[:2]
        self._access_policy = access_policy or AccessPolicy()
        self._reception = Reception(handler, self._access_policy, urgent, slow, login_refused)
        self._opening: set[asyncio.Task[None]] = set()
        self._connections: dict[asyncio.Task[None], Connection] = {}
        self._failures = RepeatedWarning("connections that cannot be accepted", call_later)
        self._limit = current_connection_limit()
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
        self._acceptor = Acceptor(self._socket, self._room, self._open, self._cannot_accept)

    @property
    def _free(self) -> int:
        """The number of further connections within the limit."""
        current = sum(not connection.evicted for connection in self._connections.values())
        return self._limit - current - len(self._opening)

    def _room(self) -> int:
        return max(self._free, MAX_REPLACED)

    def _open(self, accepted: socket.socket) -> None:
        """Serve a new connection, in place of another one if there are too many."""
        if self._free <= 0:
            self._evict_one()
        task = asyncio.get_running_loop().create_task(self._talk(accepted))
        self._opening.add(task)
        task.add_done_callback(self._opening.discard)

    def _cannot_accept(self, error: OSError) -> None:
        self._failures.add(str(error.strerror))
        if error.errno in NO_DESCRIPTOR:
            self._evict_one()

    def _evict_one(self) -> None:
        task = longest_waiting(self._connections, self._limit)
        if task is not None:
            self._connections[task].evicted = True
            task.cancel()

    async def _talk(self, accepted: socket.socket) -> None:
        task = asyncio.current_task()
        assert task is not None  # noqa: S101 -- this coroutine runs as a task
        reader, writer = await open_streams(accepted)
        connection = Connection(reader, writer, self._access_policy.channel(), self._reception)
        self._opening.discard(task)
        self._connections[task] = connection
        try:
            await connection.serve()
        finally:
            del self._connections[task]

    async def _finish(self) -> None:
        self._acceptor.close()
        for task in self._opening:
            task.cancel()
        for task, connection in self._connections.items():
            connection.ending = True
            if not connection.responding:
                task.cancel()
        if self._connections:
            _, late = await asyncio.wait(self._connections, timeout=STOP_TIMEOUT)
            for task in late:
                task.cancel()
            await asyncio.gather(*late, return_exceptions=True)
        self._reception.abandon()
