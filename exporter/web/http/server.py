"""A small HTTP/1.1 server: h11 reads and writes the protocol, asyncio the sockets, in a thread of its own.

It serves short GET answers to a scraper, probes and people. A peer gets so long for the handshake, so long to send a
request and so long to take the answer; then its connection is closed, so that silent or slow peers cost a socket each
and nothing else. When there are too many, the one that has waited longest goes, so that a new one is always served.

Whether a connection is secret and who may ask is the ``Guard``'s to say.
"""

import asyncio
import contextlib
import errno
import logging
import socket
import threading
from collections.abc import Callable, Collection, Coroutine, Iterable, Iterator, Mapping
from concurrent.futures import Executor, ThreadPoolExecutor
from dataclasses import dataclass, field, replace
from http import HTTPStatus
from typing import Any, Final, Protocol, TypeVar
from urllib.parse import parse_qs, unquote, urlsplit

import h11

IDLE_TIMEOUT: Final = 120.0
"""How long a connection may wait for its next request; longer than usual scrape intervals, seconds."""

HANDSHAKE_TIMEOUT: Final = 10.0
REQUEST_TIMEOUT: Final = 10.0
ANSWER_TIMEOUT: Final = 30.0

LINGER_TIMEOUT: Final = 1.0
"""How long the peer may take to see the end of its last answer before the connection is closed for good, seconds."""

STOP_TIMEOUT: Final = 5.0
"""How long answers under way may take to end, seconds; half of what Docker waits before it kills."""

MAX_HEADER_BYTES: Final = 16 * 1024
MAX_CONNECTIONS: Final = 512
MAX_CHECKS: Final = 64
"""How many logins may wait to be checked; at some 70 ms each the last one is still in time for a scrape."""

BACKLOG: Final = 256

_READ_SIZE: Final = 65536

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
class Body:
    """A body in parts, each made when it is its turn, so that nobody need hold all of it; and its size in bytes."""

    size: int
    parts: Iterable[bytes]


@dataclass(frozen=True, slots=True)
class Response:
    """One answer."""

    status: int
    body: bytes | Body
    content_type: str = "text/plain; charset=utf-8"
    headers: Mapping[str, str] = field(default_factory=dict)


_UNKNOWN: Final = Response(401, b"Unauthorized.\n", headers={"WWW-Authenticate": 'Basic realm="metrics"'})
_BUSY: Final = Response(503, b"Too many logins are being checked; try again.\n", headers={"Retry-After": "1"})
_TLS_WANTED: Final = Response(400, b"This port speaks TLS; use https.\n")

_GO_ON: Final = h11.InformationalResponse(status_code=100, headers=[], reason=b"Continue")
"""Without it, curl waits a second before it sends a body that is not small."""

_LOG: Final = logging.getLogger(__name__)

T = TypeVar("T")

Handler = Callable[[Request], Response]


class ChannelError(Exception):
    """The peer does not keep to the channel's protocol, or is not let in; the connection ends."""


class PlainPeerError(ChannelError):
    """The peer speaks plain HTTP where TLS is spoken."""


class Channel(Protocol):
    """What lies between the socket's bytes and HTTP's; it reads and writes no socket.

    Attributes:
        established: whether the handshake is done.
        ended: whether the peer said, within the channel, that it sends no more.
    """

    established: bool
    ended: bool

    def receive(self, data: bytes) -> bytes:
        """Take bytes from the socket, none at their end; return what they mean.

        Raises:
            ChannelError: they mean nothing good.
        """

    def pending(self) -> bytes:
        """Return what the channel itself has to say to the peer."""

    def send(self, data: bytes) -> Iterator[bytes]:
        """Yield the bytes for the socket, in pieces.

        Raises:
            ChannelError: the channel is broken.
        """

    def close(self) -> bytes:
        """Return the channel's last bytes."""


class PlainChannel:
    """Nothing in between."""

    established = True
    ended = False

    def receive(self, data: bytes) -> bytes:
        """Return the bytes as they are."""
        return data

    def pending(self) -> bytes:
        """Return nothing."""
        return b""

    def send(self, data: bytes) -> Iterator[bytes]:
        """Yield the bytes as they are."""
        yield data

    def close(self) -> bytes:
        """Return nothing."""
        return b""


class Guard(Protocol):
    """Says how connections are secured, and who may ask. All but ``check`` run on the loop and must be quick."""

    def channel(self) -> Channel:
        """Make the channel of a new connection."""

    def verdict(self, request: Request) -> bool | None:
        """Tell whether the request is let in; ``None`` when that takes a ``check``."""

    def check(self, request: Request) -> bool:
        """Tell whether the request is let in, however long that takes; runs in a thread, one at a time."""

    def headers(self) -> Mapping[str, str]:
        """Return headers for every answer; they win over the answer's own."""

    def turned_away(self, peer: str, error: str) -> None:
        """Take note that no channel came to be with a peer, and why."""


class OpenGuard:
    """Lets everyone in, without TLS."""

    def channel(self) -> Channel:
        """Make a plain channel."""
        return PlainChannel()

    def verdict(self, _: Request) -> bool | None:
        """Let the request in."""
        return True

    def check(self, _: Request) -> bool:
        """Let the request in."""
        return True

    def headers(self) -> Mapping[str, str]:
        """Return none."""
        return {}

    def turned_away(self, peer: str, error: str) -> None:
        """Do nothing: there is no handshake that could fail."""


class HttpServer:
    """Serves a handler from a thread of its own; the handler runs in worker threads.

    Args:
        handler: makes the answer to a request.
        host: the address to listen on; empty for every one.
        port: the port; 0 for any free one.
        guard: how connections are secured, and who may ask.
        urgent: paths whose answers are quick, and wait behind no other.
        slow: paths whose answers may take long; they are made one at a time, and others do not wait behind them.

    Raises:
        OSError: the address cannot be listened on.
    """

    def __init__(
        self,
        handler: Handler,
        host: str,
        port: int,
        *,
        guard: Guard | None = None,
        urgent: Collection[str] = (),
        slow: Collection[str] = (),
    ) -> None:
        self._socket = _listen(host, port)
        self.address: tuple[str, int] = self._socket.getsockname()[:2]
        self._guard = guard or OpenGuard()
        self._reception = _Reception(handler, self._guard, urgent, slow)
        self._connections: dict[asyncio.Task[None], _Connection] = {}
        self._loop: asyncio.AbstractEventLoop | None = None

    def start(self) -> None:
        """Begin to answer."""
        self._loop = asyncio.new_event_loop()
        self._thread = threading.Thread(target=self._loop.run_forever, name="web", daemon=True)
        self._thread.start()
        self._run(self._serve(), self._loop)

    def stop(self) -> None:
        """Stop listening, let answers that are being written end, and close the rest."""
        loop = self._loop
        if loop is None:  # it was never started
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
        self._make_room()
        task = asyncio.current_task()
        assert task is not None  # noqa: S101 -- asyncio runs this as a task
        connection = _Connection(reader, writer, self._guard.channel(), self._reception)
        self._connections[task] = connection
        try:
            await connection.serve()
        finally:
            del self._connections[task]

    def _make_room(self) -> None:
        """Close a connection when there are too many: of those that wait the oldest, else the oldest that answers."""
        staying = {task: connection for task, connection in self._connections.items() if not connection.leaving}
        if len(staying) >= MAX_CONNECTIONS:
            oldest = min(staying, key=lambda task: (staying[task].answering, staying[task].since))
            staying[oldest].leaving = True
            oldest.cancel()

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


class _Reception:
    """Makes the answers, each in a thread that fits: logins are checked one at a time, probes wait behind nobody."""

    def __init__(self, handler: Handler, guard: Guard, urgent: Collection[str], slow: Collection[str]) -> None:
        self._handler, self._guard = handler, guard
        self._checks = ThreadPoolExecutor(1, "login")
        self._probes = ThreadPoolExecutor(1, "probe")
        self._slow = ThreadPoolExecutor(1, "slow")
        self._executors = {**dict.fromkeys(slow, self._slow), **dict.fromkeys(urgent, self._probes)}
        self._checking = 0

    async def answer(self, request: Request) -> Response:
        """Answer one request, if it is let in."""
        response = await self._refusal(request)
        if response is None:
            executor = self._executors.get(request.path)  # or None, the loop's own
            response = await _within(executor, self._handle, request)
        return replace(response, headers={**response.headers, **self._guard.headers()})

    def turn_away(self, peer: str, error: str) -> None:
        """Take note that a peer's handshake failed."""
        self._guard.turned_away(peer, error)

    def close(self) -> None:
        """Take no more work."""
        for executor in (self._checks, self._probes, self._slow):
            executor.shutdown(wait=False, cancel_futures=True)

    async def _refusal(self, request: Request) -> Response | None:
        admitted = self._guard.verdict(request)
        if admitted is None:
            if self._checking >= MAX_CHECKS:
                return _BUSY
            self._checking += 1
            try:
                admitted = await _within(self._checks, self._guard.check, request)
            finally:
                self._checking -= 1
        return None if admitted else _UNKNOWN

    def _handle(self, request: Request) -> Response:
        try:
            return self._handler(request)
        except Exception:  # noqa: BLE001 -- a bug in an answer is the peer's 500 and our log line, not the end
            _LOG.exception("the answer to %s %s failed", request.method, request.path)
            return Response(500, b"Internal error; the exporter's log tells more.\n")


async def _within(executor: Executor | None, function: Callable[[Request], T], request: Request) -> T:
    return await asyncio.get_running_loop().run_in_executor(executor, function, request)


class _Connection:
    """One peer: requests come and answers go, one after the other.

    Attributes:
        answering: whether a request has come whose answer has not gone, or was the last one.
        since: when that last changed, in the loop's time.
        last: whether the connection ends with the answer under way.
        leaving: whether the connection is being closed to make room.
    """

    def __init__(
        self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter, channel: Channel, reception: _Reception
    ) -> None:
        self._reader, self._writer, self._channel, self._reception = reader, writer, channel, reception
        # So that drain() returns when the kernel has all of an answer, not when most of it is gone.
        writer.transport.set_write_buffer_limits(0)
        self._protocol = h11.Connection(h11.SERVER, max_incomplete_event_size=MAX_HEADER_BYTES)
        self._clock = asyncio.get_running_loop().time
        self.answering = False
        self.since = self._clock()
        self.last = False
        self.leaving = False

    async def serve(self) -> None:
        """Answer until the peer, a deadline or the server ends it."""
        try:
            if await self._shake_hands():
                while await self._serve_one():
                    self._protocol.start_next_cycle()
            await self._part()
        except (ChannelError, OSError, asyncio.CancelledError):
            self._writer.transport.abort()
        finally:
            self._writer.close()
            with contextlib.suppress(OSError, asyncio.CancelledError):
                await asyncio.wait_for(self._writer.wait_closed(), REQUEST_TIMEOUT)

    async def _shake_hands(self) -> bool:
        """Tell whether requests may come."""
        try:
            async with asyncio.timeout(HANDSHAKE_TIMEOUT):
                while not self._channel.established:
                    if not await self._take_in():
                        return False
        except PlainPeerError as error:
            self._turn_away(str(error))
            self._channel = PlainChannel()
            await self._write(_TLS_WANTED)
            return False
        except ChannelError as error:
            self._turn_away(str(error))
            return False
        except TimeoutError:
            self._turn_away(f"not done within {HANDSHAKE_TIMEOUT:g} seconds")
            raise
        return True

    def _turn_away(self, error: str) -> None:
        name = self._writer.get_extra_info("peername")
        self._reception.turn_away(str(name[0]) if name else "", error)

    async def _serve_one(self) -> bool:
        try:
            request = await self._read_request()
        except (h11.RemoteProtocolError, ValueError) as error:
            status = getattr(error, "error_status_hint", 400)
            await self._write(Response(status, b"This is no HTTP request that is understood here.\n"))
            return False
        except ChannelError:
            return False
        if request is None:
            return False
        self._turn(answering=True)
        response = await self._reception.answer(request)
        await self._write(response, with_body=request.method != "HEAD")
        goes_on = self._protocol.our_state is self._protocol.their_state is h11.DONE and not self.last
        if goes_on:
            self._turn(answering=False)
        return goes_on

    def _turn(self, *, answering: bool) -> None:
        self.answering, self.since = answering, self._clock()

    async def _read_request(self) -> Request | None:
        """Read one request and pass over its body; ``None`` when the peer has gone."""
        request: h11.Request | None = None
        deadline = self._clock() + IDLE_TIMEOUT
        while True:
            event = self._protocol.next_event()
            if event is h11.NEED_DATA:
                async with asyncio.timeout_at(deadline):
                    if self._protocol.they_are_waiting_for_100_continue:
                        await self._send(self._protocol.send(_GO_ON) or b"")
                    await self._take_in()
                deadline = min(deadline, self._clock() + REQUEST_TIMEOUT)
            elif isinstance(event, h11.Request):
                _check_size(event)
                request = event
            elif isinstance(event, h11.EndOfMessage) and request is not None:
                return _to_request(request)
            elif isinstance(event, h11.ConnectionClosed) or event is h11.PAUSED:
                return None

    async def _take_in(self) -> bool:
        """Read what the peer sends next; tell whether more can come."""
        data = await self._reader.read(_READ_SIZE)
        try:
            meant = self._channel.receive(data)
        finally:
            # An alert of TLS tells the peer what was wrong.
            if pending := self._channel.pending():
                self._writer.write(pending)
                await self._writer.drain()
        if meant:
            self._protocol.receive_data(meant)
        if data and not self._channel.ended:
            return True
        self._protocol.receive_data(b"")
        return False

    async def _write(self, response: Response, *, with_body: bool = True) -> None:
        if self._protocol.our_state not in {h11.IDLE, h11.SEND_RESPONSE}:
            return
        body = response.body if isinstance(response.body, Body) else Body(len(response.body), [response.body])
        headers = {
            "Content-Type": response.content_type,
            "Content-Length": str(body.size),
            **response.headers,
            **({"Connection": "close"} if self.last else {}),
        }
        reason = HTTPStatus(response.status).phrase
        head = h11.Response(status_code=response.status, headers=list(headers.items()), reason=reason.encode())
        data = self._protocol.send(head) or b""
        async with asyncio.timeout(ANSWER_TIMEOUT):
            for part in body.parts if with_body else ():
                # A small answer is one write: its head goes with it.
                await self._send(data + (self._protocol.send(h11.Data(data=part)) or b""))
                data = b""
            await self._send(data + (self._protocol.send(h11.EndOfMessage()) or b""))

    async def _send(self, data: bytes) -> None:
        for part in self._channel.send(data):
            self._writer.write(part)
            await self._writer.drain()

    async def _part(self) -> None:
        """Say that no more comes, and wait a little for the peer to see it.

        A socket that is closed with bytes unread resets the connection, and the reset may overtake the last answer.
        """
        self._writer.write(self._channel.close())
        self._writer.write_eof()
        async with asyncio.timeout(LINGER_TIMEOUT):
            while await self._reader.read(_READ_SIZE):
                pass


def _check_size(request: h11.Request) -> None:
    """Hold a request to the limit that h11 applies only to one that has not come whole.

    Raises:
        h11.RemoteProtocolError: it is too large.
    """
    size = len(request.target) + sum(len(name) + len(value) for name, value in request.headers)
    if size > MAX_HEADER_BYTES:
        raise h11.RemoteProtocolError("too large", error_status_hint=431)


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
