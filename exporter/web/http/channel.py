"""A channel translates between the bytes of a socket and those of HTTP."""

from collections.abc import Iterator


class ChannelError(Exception):
    """The peer violates the channel's protocol, or is not admitted; the connection ends."""


class PlainPeerError(ChannelError):
    """The peer sends plain HTTP to a TLS port."""


class Channel:
    """HTTP without TLS: the bytes stay as they are. A subclass translates them; none reads or writes the socket.

    Attributes:
        established: whether the handshake is complete.
        ended: whether the peer has closed its side of the channel.
    """

    established = True
    ended = False

    def receive(self, data: bytes) -> bytes:
        """Translate bytes from the socket into bytes of HTTP; no bytes mean the end of the socket.

        Raises:
            ChannelError: the bytes are invalid.
        """
        return data

    def pending(self) -> bytes:
        """Return the bytes that the channel itself sends to the peer, such as its part of a handshake."""
        return b""

    def send(self, data: bytes) -> Iterator[bytes]:
        """Yield the bytes for the socket, in parts.

        Raises:
            ChannelError: the channel is broken.
        """
        yield data

    def close(self) -> bytes:
        """Return the last bytes of the channel."""
        return b""
