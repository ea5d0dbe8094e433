"""The SDK's HTTP connections, with a limit to what a response may hold and a deadline for reading it."""

import io
import time
from collections.abc import Callable
from contextlib import suppress
from http.client import HTTPResponse
from typing import Any, Final

from botocore.awsrequest import (
    AWSHTTPConnection,
    AWSHTTPConnectionPool,
    AWSHTTPSConnection,
    AWSHTTPSConnectionPool,
)

from exporter.aws.attempt import CURRENT

MAX_RESPONSE: Final = 8_000_000
"""Longest response that is read, bytes, with its head and framing; the longest of Braket's are some 2 MB."""


class ResponseTooLargeError(Exception):
    """A response is longer than ``MAX_RESPONSE``."""


class _Incoming(io.RawIOBase):
    """The bytes of one response, as the socket has them, until there are too many or the call's deadline is over.

    The SDK's own timeout is for the time between two bytes, so that a byte a second would keep a call for hours.
    """

    def __init__(self, socket: io.RawIOBase) -> None:
        self._socket, self._left, self._attempt = socket, MAX_RESPONSE, CURRENT.get()

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: Any) -> int | None:  # noqa: ANN401 -- any buffer
        attempt = self._attempt
        if attempt is not None and time.monotonic() > attempt.until:
            raise TimeoutError
        count: int | None = self._socket.readinto(buffer)
        self._left -= count or 0
        if self._left < 0:
            if attempt is not None:
                attempt.oversized = True
            raise ResponseTooLargeError
        return count

    def fileno(self) -> int:
        return self._socket.fileno()

    def close(self) -> None:
        self._socket.close()
        super().close()


class _Response(HTTPResponse):
    """A response whose head and body come through ``_Incoming``."""

    def __init__(self, *args: Any, **kwargs: Any) -> None:  # noqa: ANN401 -- as http.client has it
        super().__init__(*args, **kwargs)
        self.fp = io.BufferedReader(_Incoming(self.fp.detach()))


class _Connection(AWSHTTPConnection):
    response_class = _Response


class _SecureConnection(AWSHTTPSConnection):
    response_class = _Response


class _Direct:
    """Follows no redirection: only the signed request is sent, and the redirection is the response."""

    def urlopen(self, *args: Any, **kwargs: Any) -> Any:  # noqa: ANN401 -- as urllib3 has it
        return super().urlopen(*args, **kwargs, redirect=False)  # type: ignore[misc]


class _Pool(_Direct, AWSHTTPConnectionPool):
    ConnectionCls = _Connection


class _SecurePool(_Direct, AWSHTTPSConnectionPool):
    ConnectionCls = _SecureConnection


def sender_of(client: Any) -> Any:  # noqa: ANN401 -- botocore makes the classes at run time
    """Return what sends the requests of a client."""
    return client._endpoint.http_session  # noqa: SLF001


def bound(client: Any) -> None:  # noqa: ANN401 -- as above
    """Limit the responses of a client, and find its connections faster.

    The places are internal to botocore, so with a release without them the SDK's own connections are used.
    """
    session = sender_of(client)
    with suppress(AttributeError):
        session._pool_classes_by_scheme.update(http=_Pool, https=_SecurePool)  # noqa: SLF001
        session._manager.connection_from_url = _by_host(session._manager.connection_from_url)  # noqa: SLF001


def _by_host(pool_of: Callable[[str], Any]) -> Callable[[str], Any]:
    """Remember the connection pool of each host: urllib3 parses the whole URL for it, a twelfth of a call's time."""
    pools: dict[tuple[str, ...], Any] = {}

    def pool(url: str) -> Any:  # noqa: ANN401 -- urllib3's
        host = (*url.split("/", 3)[:3],)
        if host not in pools:
            pools[host] = pool_of(url)
        return pools[host]

    return pool
