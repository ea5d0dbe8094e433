"""The HTTP paths and their responses: metrics, probes, reload and the status page."""

from collections.abc import Callable, Collection, Iterable, Sequence
from typing import Final, NamedTuple

from exporter import __version__
from exporter.core import Clock, TargetStatus
from exporter.metrics import CONTENT_TYPES
from exporter.storage import Store
from exporter.telemetry import SelfMetrics, expose
from exporter.web.browser_requests import sent_by_page
from exporter.web.http import Body, Request, Response
from exporter.web.job_table import parse_query
from exporter.web.jobs_api import render_jobs
from exporter.web.negotiate import accepts_gzip, choose_format

PROBES: Final = ("/-/healthy", "/-/ready")
"""Paths with quick responses, which must not wait for others."""

RELOAD: Final = "/-/reload"
"""The path of a reload, which may take as long as the state file or the SDK; no other request waits for it."""


RENDER_WAIT: Final = 5.0
"""Seconds that a scrape waits for the lines of restored jobs: half of Prometheus's default scrape timeout."""


class Reloaded(NamedTuple):
    """The result of a reload.

    Attributes:
        problems: why the reload failed; empty when the new settings are active.
        restart_needed: changed keys that need a restart.
    """

    problems: Sequence[str] = ()
    restart_needed: Sequence[str] = ()


class Web:
    """Answers requests.

    Args:
        store: the jobs.
        telemetry: the exporter's own metrics.
        targets: returns the status of each target.
        disabled: returns the disabled metrics.
        healthy: returns whether the polling loop is alive.
        ready: returns whether the first full poll is done.
        reload: reloads the settings.
        clock: the time.
    """

    def __init__(
        self,
        *,
        store: Store,
        telemetry: SelfMetrics,
        targets: Callable[[], Iterable[TargetStatus]],
        disabled: Callable[[], Collection[str]],
        healthy: Callable[[], bool],
        ready: Callable[[], bool],
        reload: Callable[[], Reloaded],
        clock: Clock,
    ) -> None:
        self._store, self._telemetry, self._targets = store, telemetry, targets
        self._disabled, self._healthy, self._ready, self._reload = disabled, healthy, ready, reload
        self._clock = clock
        self._began = clock.monotonic()
        self._routes = {
            "/": ("GET", self._page),
            "/metrics": ("GET", self._metrics),
            "/api/v1/jobs": ("GET", self._jobs),
            "/-/healthy": ("GET", self._health),
            "/-/ready": ("GET", self._readiness),
            RELOAD: ("POST", self._reloading),
        }

    def __call__(self, request: Request) -> Response:
        """Make the response to one request."""
        method, route = self._routes.get(request.path, ("", None))
        if route is None:
            return Response(404, f"Not found. Paths: {', '.join(self._routes)}.\n".encode())
        allowed = ("GET", "HEAD") if method == "GET" else (method,)
        if request.method not in allowed:
            return Response(405, f"Method not allowed; use {method}.\n".encode(), headers={"Allow": ", ".join(allowed)})
        return route(request)

    def _metrics(self, request: Request) -> Response:
        if not self._store.restoration.wait_for_lines(RENDER_WAIT):
            text = b"The metrics of the jobs from the state file are not rendered yet; try again.\n"
            return Response(503, text, headers={"Retry-After": "5"})
        form = choose_format(request.headers.get("accept", ""))
        names = frozenset(request.query.get("name[]", ()))
        compressed = accepts_gzip(request.headers.get("accept-encoding", ""))
        disabled = frozenset(self._disabled())
        families, targets = self._store.view().families(), self._targets()
        page = expose(families, self._telemetry, targets, form, disabled=disabled, names=names, compressed=compressed)
        headers = {"Vary": "Accept, Accept-Encoding", **({"Content-Encoding": "gzip"} if compressed else {})}
        return Response(200, Body(page.size, page.parts), CONTENT_TYPES[form], headers)

    def _jobs(self, _: Request) -> Response:
        return Response(
            200, Body(None, render_jobs(self._store.scan(), self._store.devices.records())), "application/json"
        )

    def _health(self, _: Request) -> Response:
        if self._healthy():
            return Response(200, b"Healthy.\n")
        return Response(503, b"The polling loop does not respond.\n")

    def _readiness(self, _: Request) -> Response:
        if self._ready():
            return Response(200, b"Ready.\n")
        return Response(503, b"The first full poll is not complete.\n")

    def _reloading(self, request: Request) -> Response:
        if sent_by_page(request.headers):
            return Response(403, b"A web page cannot reload the settings; send the request without a browser.\n")
        problems, restart_needed = self._reload()
        if problems:
            lines = "".join(f"  {problem}\n" for problem in problems)
            text = f"The new settings are invalid; the previous ones stay active:\n{lines}"
            return Response(500, text.encode(errors="replace"))
        later = f" Changes that need a restart: {', '.join(restart_needed)}." if restart_needed else ""
        return Response(200, f"Reloaded.{later}\n".encode())

    def _page(self, request: Request) -> Response:
        from exporter.web.status_page import SECURITY_POLICY, render_page  # noqa: PLC0415 -- Jinja2 takes 17 ms and 2 MB

        uptime, query = self._clock.monotonic() - self._began, parse_query(request.query)
        targets, hidden, (records, summaries) = [*self._targets()], self._store.hidden, self._store.summaries()
        page = render_page(
            __version__,
            uptime,
            targets,
            records,
            self._clock.wall(),
            summaries=summaries,
            query=query,
            hidden=hidden,
            devices=self._store.devices.records(),
        )
        headers = {
            "Content-Security-Policy": SECURITY_POLICY,
            "Referrer-Policy": "no-referrer",
        }
        return Response(200, page.encode(errors="replace"), "text/html; charset=utf-8", headers)
