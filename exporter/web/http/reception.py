"""Request handling: the access policy admits a request, then the handler makes its response, each in a thread."""

import asyncio
import logging
from collections.abc import Callable, Collection
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from typing import Final, TypeVar

from exporter.web.http.access import AccessPolicy
from exporter.web.http.messages import Handler, Request, Response
from exporter.web.http.repeated_warning import RepeatedWarning, call_later

MAX_CHECKS: Final = 64
"""The most logins that wait for a check; at about 70 ms each, the last one is within a scrape timeout."""

MAX_RENDERED: Final = 8
"""The most responses that are made at once; the others wait."""

RENDER_WAIT: Final = 5.0
"""Seconds that a request may wait for the others: half of Prometheus's default scrape timeout."""

_UNAUTHORIZED: Final = Response(401, b"Unauthorized.\n", headers={"WWW-Authenticate": 'Basic realm="metrics"'})
_BUSY: Final = Response(503, b"Too many logins at once; try again.\n", headers={"Retry-After": "1"})
_CROWDED: Final = Response(503, b"Too many scrapes at once; try again.\n", headers={"Retry-After": "5"})

_LOG: Final = logging.getLogger(__name__)

T = TypeVar("T")


class Reception:
    """Makes responses in threads: logins are checked one at a time, and probes do not wait for other requests.

    Args:
        handler: makes the response to an admitted request.
        access_policy: admits requests.
        urgent: paths with a thread of their own, because their responses are quick and must not wait.
        slow: paths with a thread of their own, because other requests must not wait for their responses.
        login_refused: counts a refused login.
    """

    def __init__(
        self,
        handler: Handler,
        access_policy: AccessPolicy,
        urgent: Collection[str],
        slow: Collection[str],
        login_refused: Callable[[], None],
    ) -> None:
        self._handler, self._access_policy, self._login_refused = handler, access_policy, login_refused
        self._checks = ThreadPoolExecutor(1, "login")
        self._probes = ThreadPoolExecutor(1, "probe")
        self._slow = ThreadPoolExecutor(1, "slow")
        self._renderers = ThreadPoolExecutor(MAX_RENDERED, "render")
        self._executors = {**dict.fromkeys(slow, self._slow), **dict.fromkeys(urgent, self._probes)}
        self._checking = 0
        self._refused_logins = RepeatedWarning("refused logins", call_later)
        self._free_renderers = asyncio.Semaphore(MAX_RENDERED)
        self._rendering: set[asyncio.Future[Response]] = set()

    async def respond(self, request: Request, peer: str) -> Response:
        """Make the response to one request: the handler's if the access policy admits the request.

        Args:
            request: the request.
            peer: the address that sent it, for the log.
        """
        response = await self._refusal(request)
        if response is _UNAUTHORIZED and "authorization" in request.headers:
            self._login_refused()
            self._refused_logins.add(peer)
        if response is None:
            executor = self._executors.get(request.path)
            response = await (self._render(request) if executor is None else _run_in(executor, self._handle, request))
        return replace(response, headers={**response.headers, **self._access_policy.headers()})

    def handshake_failed(self, peer: str, error: str) -> None:
        """Report the failed handshake of a peer to the access policy."""
        self._access_policy.handshake_failed(peer, error)

    def close(self) -> None:
        """Stop the threads, and drop the requests that wait for one."""
        for executor in (self._checks, self._probes, self._slow, self._renderers):
            executor.shutdown(wait=False, cancel_futures=True)

    def abandon(self) -> None:
        """Give up the responses that are still being made, before the event loop ends."""
        for work in self._rendering:
            work.cancel()

    async def _render(self, request: Request) -> Response:
        """Make a response that takes long, when fewer than ``MAX_RENDERED`` others are being made."""
        try:
            async with asyncio.timeout(RENDER_WAIT):
                await self._free_renderers.acquire()
        except TimeoutError:
            return _CROWDED
        work = asyncio.ensure_future(_run_in(self._renderers, self._handle, request))
        self._rendering.add(work)
        work.add_done_callback(self._rendered)
        # A closed connection does not end the thread, which occupies its place until it is done.
        return await asyncio.shield(work)

    def _rendered(self, work: asyncio.Future[Response]) -> None:
        self._rendering.discard(work)
        self._free_renderers.release()

    async def _refusal(self, request: Request) -> Response | None:
        admitted = self._access_policy.verdict(request)
        if admitted is None:
            if self._checking >= MAX_CHECKS:
                return _BUSY
            self._checking += 1
            try:
                admitted = await _run_in(self._checks, self._access_policy.check, request)
            finally:
                self._checking -= 1
        return None if admitted else _UNAUTHORIZED

    def _handle(self, request: Request) -> Response:
        try:
            return self._handler(request)
        except Exception:  # noqa: BLE001 -- a bug is a response 500 and a log line; the server continues
            _LOG.exception("the response to %s %s failed", request.method, request.path)
            return Response(500, b"Internal error. The exporter's log has the details.\n")


async def _run_in(executor: ThreadPoolExecutor, function: Callable[[Request], T], request: Request) -> T:
    return await asyncio.get_running_loop().run_in_executor(executor, function, request)
