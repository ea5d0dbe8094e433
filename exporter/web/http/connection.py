"""One connection: h11 reads and writes HTTP over a channel, with a time limit for each step."""

import asyncio
import contextlib
from typing import Final

import h11

from exporter.web.http.channel import Channel, ChannelError, PlainPeerError
from exporter.web.http.messages import Body, Request, Response
from exporter.web.http.reception import Reception
from exporter.web.http.translation import MAX_HEADER_BYTES, check_request, response_head, to_request

IDLE_TIMEOUT: Final = 120.0
"""Seconds between two requests of a connection; longer than usual scrape intervals."""

HANDSHAKE_TIMEOUT: Final = 10.0
REQUEST_TIMEOUT: Final = 10.0
"""Seconds for a request from its first byte on, and for the first byte of a connection."""

RESPONSE_TIMEOUT: Final = 30.0

LINGER_TIMEOUT: Final = 1.0
"""Seconds that the peer may take to read the end of its last response before the socket is closed."""

_READ_SIZE: Final = 65536

_TLS_REQUIRED: Final = Response(400, b"This port requires TLS; use https.\n")

_BAD_REQUESTS: Final = {
    431: f"Request line and headers too large: more than {MAX_HEADER_BYTES} bytes.\n".encode(),
    501: b"Not implemented: Transfer-Encoding must be chunked.\n",
}
"""The texts of responses to requests that cannot be read, by status."""

_CONTINUE: Final = h11.InformationalResponse(status_code=100, headers=[], reason=b"Continue")
"""Without this response, curl waits a second before it sends a large body."""


class Connection:
    """The connection of one peer: reads requests and writes responses, one after the other.

    Args:
        reader: reads from the socket.
        writer: writes to the socket.
        channel: translates between the bytes of the socket and those of HTTP.
        reception: makes the responses.

    Attributes:
        responding: whether a response is due or being written; stays true after the last response.
        changed_at: time of the last change of ``responding``, by the event loop's clock.
        ending: whether the connection ends after the current response.
        evicted: whether the connection is being closed to make room for a new one.
    """

    def __init__(
        self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter, channel: Channel, reception: Reception
    ) -> None:
        self._reader, self._writer, self._channel, self._reception = reader, writer, channel, reception
        # With this limit, drain() returns when the kernel has all of a response, not most of it.
        writer.transport.set_write_buffer_limits(0)
        self._protocol = h11.Connection(h11.SERVER, max_incomplete_event_size=MAX_HEADER_BYTES)
        self._clock = asyncio.get_running_loop().time
        address = writer.get_extra_info("peername")
        # A socket for IPv4 and IPv6 shows the addresses of IPv4 as ::ffff:192.0.2.1.
        self._peer = str(address[0]).removeprefix("::ffff:") if address else ""
        self._used = False
        self.responding = False
        self.changed_at = self._clock()
        self.ending = False
        self.evicted = False

    async def serve(self) -> None:
        """Serve requests until the peer, a deadline or the server ends the connection."""
        try:
            if await self._shake_hands():
                while await self._serve_one():
                    self._protocol.start_next_cycle()
            await self._close_gracefully()
        except (ChannelError, OSError, asyncio.CancelledError):
            self._writer.transport.abort()
        finally:
            self._writer.close()
            with contextlib.suppress(OSError, asyncio.CancelledError):
                await asyncio.wait_for(self._writer.wait_closed(), REQUEST_TIMEOUT)

    async def _shake_hands(self) -> bool:
        """Complete the channel's handshake; return whether requests can follow."""
        try:
            async with asyncio.timeout(HANDSHAKE_TIMEOUT):
                while not self._channel.established:
                    if not await self._receive():
                        return False
        except PlainPeerError as error:
            self._report_failed_handshake(str(error))
            self._channel = Channel()
            self.ending = True
            await self._write(_TLS_REQUIRED)
            return False
        except ChannelError as error:
            self._report_failed_handshake(str(error))
            return False
        except TimeoutError:
            self._report_failed_handshake(f"not done within {HANDSHAKE_TIMEOUT:g} seconds")
            raise
        return True

    def _report_failed_handshake(self, error: str) -> None:
        self._reception.handshake_failed(self._peer, error)

    async def _serve_one(self) -> bool:
        """Serve one request; return whether the connection can be used for another."""
        try:
            request = await self._read_request()
        except (h11.RemoteProtocolError, ValueError) as error:
            status = getattr(error, "error_status_hint", 400)
            self.ending = True
            await self._write(Response(status, _BAD_REQUESTS.get(status, b"Bad request: not valid HTTP/1.1.\n")))
            return False
        except ChannelError:
            return False
        if request is None:
            return False
        self._used = True
        self._set_responding(responding=True)
        response = await self._reception.respond(request, self._peer)
        await self._write(response, with_body=request.method != "HEAD")
        reusable = self._protocol.our_state is self._protocol.their_state is h11.DONE and not self.ending
        if reusable:
            self._set_responding(responding=False)
        return reusable

    def _set_responding(self, *, responding: bool) -> None:
        self.responding, self.changed_at = responding, self._clock()

    async def _read_request(self) -> Request | None:
        """Read one request and discard its body; ``None`` when the peer has disconnected."""
        request: h11.Request | None = None
        deadline = self._clock() + (IDLE_TIMEOUT if self._used else REQUEST_TIMEOUT)
        while True:
            event = self._protocol.next_event()
            if event is h11.NEED_DATA:
                async with asyncio.timeout_at(deadline):
                    if self._protocol.they_are_waiting_for_100_continue:
                        await self._send(self._protocol.send(_CONTINUE) or b"")
                    await self._receive()
                deadline = min(deadline, self._clock() + REQUEST_TIMEOUT)
            elif isinstance(event, h11.Request):
                check_request(event)
                request = event
            elif isinstance(event, h11.EndOfMessage) and request is not None:
                return to_request(request)
            elif isinstance(event, h11.ConnectionClosed) or event is h11.PAUSED:
                return None

    async def _receive(self) -> bool:
        """Read the next bytes from the peer; return whether more can follow."""
        data = await self._reader.read(_READ_SIZE)
        try:
            received = self._channel.receive(data)
        finally:
            # After an error, this is the TLS alert that names the error to the peer.
            if pending := self._channel.pending():
                self._writer.write(pending)
                await self._writer.drain()
        if received:
            self._protocol.receive_data(received)
        if data and not self._channel.ended:
            return True
        self._protocol.receive_data(b"")
        return False

    async def _write(self, response: Response, *, with_body: bool = True) -> None:
        if self._protocol.our_state not in {h11.IDLE, h11.SEND_RESPONSE}:
            return
        body = response.body if isinstance(response.body, Body) else Body(len(response.body), [response.body])
        data = self._protocol.send(response_head(response, body.size, close=self.ending)) or b""
        async with asyncio.timeout(RESPONSE_TIMEOUT):
            for part in body.parts if with_body else ():
                # A small response is one write: the head and the first part are sent together.
                await self._send(data + (self._protocol.send(h11.Data(data=part)) or b""))
                data = b""
                await asyncio.sleep(0)  # a part may take milliseconds, and a fast reader never has to be waited for
            await self._send(data + (self._protocol.send(h11.EndOfMessage()) or b""))

    async def _send(self, data: bytes) -> None:
        for part in self._channel.send(data):
            self._writer.write(part)
            await self._writer.drain()

    async def _close_gracefully(self) -> None:
        """Close the sending side, and wait briefly for the peer to close its own.

        Closing a socket that has unread bytes resets the connection, and the reset can overtake the last response.
        """
        self._writer.write(self._channel.close())
        self._writer.write_eof()
        async with asyncio.timeout(LINGER_TIMEOUT):
            while await self._reader.read(_READ_SIZE):
                pass
