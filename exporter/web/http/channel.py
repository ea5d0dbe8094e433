"""The channel between a socket and HTTP, and the guard that makes channels and admits requests."""

from collections.abc import Iterator, Mapping
from typing import Protocol

from exporter.web.http.messages import Request


class ChannelError(Exception):
    """The peer breaks the channel's protocol, or is not admitted; the connection ends."""


class PlainPeerError(ChannelError):
    """The peer sends plain HTTP to a TLS port."""


class Channel(Protocol):
    """Translates between the bytes of a socket and those of HTTP; it does not read or write the socket.

    Attributes:
        established: whether the handshake is done.
        ended: whether the peer closed its side of the channel.
    """

    established: bool
    ended: bool

    def receive(self, data: bytes) -> bytes:
        """Translate bytes from the socket, none at their end, into bytes of HTTP.

        Raises:
            ChannelError: the bytes are invalid.
        """

    def pending(self) -> bytes:
        """Return the bytes that the channel itself sends to the peer, such as its part of a handshake."""

    def send(self, data: bytes) -> Iterator[bytes]:
        """Yield the bytes for the socket, in pieces.

        Raises:
            ChannelError: the channel is broken.
        """

    def close(self) -> bytes:
        """Return the channel's last bytes."""


class PlainChannel:
    """Passes bytes on unchanged: HTTP without TLS."""

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


class AccessPolicy(Protocol):
    """The TLS and authentication policy. All methods but ``check`` run on the event loop and must be quick."""

    def channel(self) -> Channel:
        """Make the channel of a new connection."""

    def verdict(self, request: Request) -> bool | None:
        """Return whether the request is admitted; ``None`` when that takes a ``check``."""

    def check(self, request: Request) -> bool:
        """Return whether the request is admitted; slow, so it runs in a thread, one request at a time."""

    def headers(self) -> Mapping[str, str]:
        """Return headers for every response; they override the response's own."""

    def turned_away(self, peer: str, error: str) -> None:
        """Record the failed handshake of a peer, and its error."""


class OpenAccess:
    """Admits every request, without TLS."""

    def channel(self) -> Channel:
        """Make a plain channel."""
        return PlainChannel()

    def verdict(self, _: Request) -> bool | None:
        """Admit the request."""
        return True

    def check(self, _: Request) -> bool:
        """Admit the request."""
        return True

    def headers(self) -> Mapping[str, str]:
        """Return none."""
        return {}

    def turned_away(self, peer: str, error: str) -> None:
        """Do nothing: there is no handshake that could fail."""
