"""The SDK's HTTP connections, with a maximum size of responses and a deadline for reading them."""

import io
import queue
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
"""Maximum size of a response with header and framing, bytes; the largest responses of Braket have about 2 MB."""

IDLE_AFTER: Final = 10.0
"""Seconds without a call after which a connection is closed."""


class ResponseTooLargeError(Exception):
    """A response is longer than ``MAX_RESPONSE``."""


class _Incoming(io.RawIOBase):
    """The bytes of one response from the socket, up to the maximum size and the call's deadline.

    The SDK's own timeout limits the time between two bytes, so one byte per second could extend a call to hours.
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
    """A response that is read through ``_Incoming``."""

    def __init__(self, *args: Any, **kwargs: Any) -> None:  # noqa: ANN401 -- as http.client has it
        super().__init__(*args, **kwargs)
        self.fp = io.BufferedReader(_Incoming(self.fp.detach()))


class _Connection(AWSHTTPConnection):
    response_class = _Response


class _SecureConnection(AWSHTTPSConnection):
    response_class = _Response


class _Limited:
    """A pool without redirections, which are the response to the signed request, and with a time for idle connections.

    All accounts share the pool of a Region.
    """

    pool: queue.LifoQueue[Any] | None

    def _put_conn(self, conn: Any) -> None:  # noqa: ANN401 -- as urllib3 has it
        if conn is not None:
            conn.idle_since = time.monotonic()
        super()._put_conn(conn)  # type: ignore[misc]

    def close_idle(self) -> None:
        """Close the connections that were not used for a while."""
        for conn in self._remove_idle():
            conn.close()

    def _remove_idle(self) -> list[Any]:
        """Remove and return the idle connections. An empty place is ``None`` in urllib3."""
        if self.pool is None:
            return []
        before, removed = time.monotonic() - IDLE_AFTER, []
        with self.pool.mutex:
            places = self.pool.queue
            for number, conn in enumerate(places):
                if conn is not None and conn.idle_since < before:
                    places[number] = None
                    removed.append(conn)
        return removed

    def urlopen(self, *args: Any, **kwargs: Any) -> Any:  # noqa: ANN401 -- as urllib3 has it
        return super().urlopen(*args, **kwargs, redirect=False)  # type: ignore[misc]


class _Pool(_Limited, AWSHTTPConnectionPool):
    ConnectionCls = _Connection


class _SecurePool(_Limited, AWSHTTPSConnectionPool):
    ConnectionCls = _SecureConnection


def http_session_of(client: Any) -> Any:  # noqa: ANN401 -- botocore makes the classes at run time
    """Return the HTTP session of a client."""
    return client._endpoint.http_session  # noqa: SLF001


def limit_responses(client: Any) -> None:  # noqa: ANN401 -- as above
    """Limit the responses of a client, and speed up the look-up of its connections.

    This depends on internals of botocore; with a release without them, the SDK's own connections are used.
    """
    session = http_session_of(client)
    with suppress(AttributeError):
        session._pool_classes_by_scheme.update(http=_Pool, https=_SecurePool)  # noqa: SLF001
        session._manager.connection_from_url = _by_host(session._manager.connection_from_url)  # noqa: SLF001


def close_idle_connections(client: Any) -> None:  # noqa: ANN401 -- as above
    """Close the connections of a client that were not used for a while, such as those of a burst of calls."""
    session = http_session_of(client)
    with suppress(AttributeError):  # see limit_responses
        for manager in (session._manager, *session._proxy_managers.values()):  # noqa: SLF001
            for key in manager.pools.keys():  # noqa: SIM118 -- urllib3's container cannot be iterated
                if (pool := manager.pools.get(key)) is not None:
                    pool.close_idle()


def _by_host(pool_of: Callable[[str], Any]) -> Callable[[str], Any]:
    """Cache the connection pool of each host: urllib3 parses the URL each time, for a twelfth of a call's duration."""
    pools: dict[tuple[str, ...], Any] = {}

    def pool(url: str) -> Any:  # noqa: ANN401 -- urllib3's
        host = (*url.split("/", 3)[:3],)
        if host not in pools:
            pools[host] = pool_of(url)
        return pools[host]

    return pool
