"""A small HTTP/1.1 server: h11 reads and writes the protocol, asyncio the sockets, in a thread of its own.

It serves short GET answers to a scraper, probes and people. A peer gets so long to send a request and so long to take
the answer; then its connection is closed, so that silent or slow peers cost a socket each and nothing else.
"""

import asyncio
import contextlib
import errno
import logging
import socket
import threading
from collections.abc import Callable, Coroutine, Mapping
from dataclasses import dataclass, field
from typing import Any, Final
from urllib.parse import parse_qs, unquote, urlsplit

import h11

IDLE_TIMEOUT: Final = 120.0
"""How long a connection may wait for its next request; longer than usual scrape intervals, seconds."""

REQUEST_TIMEOUT: Final = 10.0
ANSWER_TIMEOUT: Final = 30.0
STOP_TIMEOUT: Final = 2.0
MAX_HEADER_BYTES: Final = 16 * 1024
MAX_CONNECTIONS: Final = 512
BACKLOG: Final = 256

_NO_IPV6: Final = (errno.EADDRNOTAVAIL, errno.EAFNOSUPPORT)
"""How a kernel that knows IPv6 says that it is switched off; anything else, such as a taken port, is an error."""


@dataclass(frozen=True, slots=True)
class Request:
    """One request; header names are in lower case."""

    method: str
    path: str
    query: Mapping[str, list[str]]
    headers: Mapping[str, str]


@dataclass(frozen=True, slots=True)
class Response:
    """One answer."""

    status: int
    body: bytes
    content_type: str = "text/plain; charset=utf-8"
    headers: Mapping[str, str] = field(default_factory=dict)


_LOG: Final = logging.getLogger(__name__)

Handler = Callable[[Request], Response]


class HttpServer:
    """Serves a handler from a thread of its own; the handler runs in worker threads.

    Args:
        handler: makes the answer to a request.
        host: the address to listen on; empty for every one.
        port: the port; 0 for any free one.

    Raises:
        OSError: the address cannot be listened on.
    """

    def __init__(self, handler: Handler, host: str, port: int) -> None:
        self._handler = handler
        self._socket = _listen(host, port)
        self.address: tuple[str, int] = self._socket.getsockname()[:2]
        self._loop = asyncio.new_event_loop()
        self._connections: dict[asyncio.Task[None], _Connection] = {}
        self._thread = threading.Thread(target=self._loop.run_forever, name="web", daemon=True)

    def start(self) -> None:
        """Begin to answer."""
        self._thread.start()
        self._run(self._serve())

    def stop(self) -> None:
        """Stop listening, let answers that are being written end, and close the rest."""
        self._run(self._finish())
        self._loop.call_soon_threadsafe(self._loop.stop)
        self._thread.join(STOP_TIMEOUT)
        if not self._thread.is_alive():
            self._loop.close()

    def _run(self, coroutine: Coroutine[Any, Any, Any]) -> None:
        asyncio.run_coroutine_threadsafe(coroutine, self._loop).result(2 * STOP_TIMEOUT)

    async def _serve(self) -> None:
        self._server = await asyncio.start_server(
            self._accept, sock=self._socket, backlog=BACKLOG, limit=MAX_HEADER_BYTES
        )

    async def _accept(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        if len(self._connections) >= MAX_CONNECTIONS:
            writer.transport.abort()
            return
        task = asyncio.current_task()
        assert task is not None  # noqa: S101 -- asyncio runs this as a task
        connection = _Connection(reader, writer, self._handler)
        self._connections[task] = connection
        try:
            await connection.serve()
        finally:
            del self._connections[task]

    async def _finish(self) -> None:
        self._server.close()
        for task, connection in self._connections.items():
            connection.last = True
            if not connection.answering:
                task.cancel()
        if self._connections:
            _, late = await asyncio.wait(self._connections, timeout=STOP_TIMEOUT)
            for task in late:
                task.cancel()
            await asyncio.gather(*late, return_exceptions=True)


class _Connection:
    """One peer: requests come and answers go, one after the other."""

    def __init__(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter, handler: Handler) -> None:
        self._reader, self._writer, self._handler = reader, writer, handler
        # So that drain() returns when the kernel has all of an answer, not when most of it is gone.
        writer.transport.set_write_buffer_limits(0)
        self._protocol = h11.Connection(h11.SERVER, max_incomplete_event_size=MAX_HEADER_BYTES)
        self.answering = False
        self.last = False

    async def serve(self) -> None:
        """Answer until the peer, a deadline or the server ends it."""
        try:
            while await self._serve_one() and not self.last:
                self._protocol.start_next_cycle()
        except (TimeoutError, ConnectionError, asyncio.CancelledError):
            self._writer.transport.abort()
        finally:
            self._writer.close()
            with contextlib.suppress(ConnectionError, TimeoutError, asyncio.CancelledError):
                await asyncio.wait_for(self._writer.wait_closed(), REQUEST_TIMEOUT)

    async def _serve_one(self) -> bool:
        try:
            request = await self._read_request()
        except (h11.RemoteProtocolError, ValueError) as error:
            status = getattr(error, "error_status_hint", 400)
            await self._write(Response(status, b"This is no HTTP request that is understood here.\n"))
            return False
        if request is None:
            return False
        self.answering = True
        response = await asyncio.to_thread(self._handle, request)
        await self._write(response, with_body=request.method != "HEAD")
        self.answering = False
        return self._protocol.our_state is h11.DONE and self._protocol.their_state is h11.DONE

    def _handle(self, request: Request) -> Response:
        try:
            return self._handler(request)
        except Exception:  # noqa: BLE001 -- a bug in an answer is the peer's 500 and our log line, not the end
            _LOG.exception("the answer to %s %s failed", request.method, request.path)
            return Response(500, b"Internal error; the exporter's log tells more.\n")

    async def _read_request(self) -> Request | None:
        """Read one request and pass over its body; ``None`` when the peer has gone."""
        request: h11.Request | None = None
        clock = asyncio.get_running_loop().time
        deadline = clock() + IDLE_TIMEOUT
        while True:
            event = self._protocol.next_event()
            if event is h11.NEED_DATA:
                async with asyncio.timeout_at(deadline):
                    self._protocol.receive_data(await self._reader.read(65536))
                deadline = min(deadline, clock() + REQUEST_TIMEOUT)
            elif isinstance(event, h11.Request):
                request = event
            elif isinstance(event, h11.EndOfMessage) and request is not None:
                return _to_request(request)
            elif isinstance(event, h11.ConnectionClosed) or event is h11.PAUSED:
                return None

    async def _write(self, response: Response, *, with_body: bool = True) -> None:
        if self._protocol.our_state not in {h11.IDLE, h11.SEND_RESPONSE}:
            return
        headers = {
            "Content-Type": response.content_type,
            "Content-Length": str(len(response.body)),
            **response.headers,
            **({"Connection": "close"} if self.last else {}),
        }
        head = h11.Response(status_code=response.status, headers=list(headers.items()))
        body = [h11.Data(data=response.body)] if with_body else []
        events = (head, *body, h11.EndOfMessage())
        self._writer.write(b"".join(self._protocol.send(event) or b"" for event in events))
        async with asyncio.timeout(ANSWER_TIMEOUT):
            await self._writer.drain()


def _to_request(request: h11.Request) -> Request:
    parts = urlsplit(request.target.decode("ascii"))
    return Request(
        method=request.method.decode("ascii"),
        path=unquote(parts.path),
        query=parse_qs(parts.query),
        headers={name.decode("ascii").lower(): value.decode("latin-1") for name, value in request.headers},
    )


def _listen(host: str, port: int) -> socket.socket:
    """Open the socket here rather than in asyncio, which would give IPv4 and IPv6 different free ports."""
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
        raise OSError(errno.EADDRNOTAVAIL, "is no name of a host") from error
    family, _, _, _, address = found[0]
    return family, (str(address[0]), int(address[1]))
