"""The exporter's paths over real sockets: what a client sees of each of them."""

import http.client
import json
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from typing import NamedTuple

import pytest
from builders import FakeTime, record, snapshot

from exporter.metrics import job_families
from exporter.storage import Store
from exporter.telemetry import SelfMetrics
from exporter.web import PROBES, RELOAD, Reloaded, Web
from exporter.web.http import HttpServer

PATHS = ("/", "/metrics", "/api/v1/jobs", *PROBES)


class Got(NamedTuple):
    status: int
    headers: Mapping[str, str]
    body: bytes


@contextmanager
def serving(reload: Callable[[], Reloaded] = Reloaded) -> Iterator[HttpServer]:
    store = Store(job_families())
    store.put(record(snapshot(queue_position=4)), [])
    web = Web(
        store=store,
        telemetry=SelfMetrics(),
        targets=list,
        disabled=lambda: (),
        healthy=lambda: True,
        ready=lambda: False,
        reload=reload,
        clock=FakeTime().clock,
    )
    server = HttpServer(web, "127.0.0.1", 0, urgent=PROBES, slow=[RELOAD])
    server.start()
    try:
        yield server
    finally:
        server.stop()


def fetch(server: HttpServer, method: str, path: str, headers: Mapping[str, str] | None = None) -> Got:
    client = http.client.HTTPConnection(*server.address, timeout=30)
    try:
        client.request(method, path, headers=dict(headers or {}))
        answer = client.getresponse()
        named = {name.lower(): value for name, value in answer.getheaders()}
        return Got(answer.status, named, answer.read())
    finally:
        client.close()


@pytest.mark.parametrize("path", [*PATHS, "/nothing", RELOAD])
def test_no_response_may_be_cached_or_sniffed(path: str) -> None:
    with serving() as server:
        headers = fetch(server, "GET", path).headers
    assert (headers["x-content-type-options"], headers["cache-control"]) == ("nosniff", "no-store")


@pytest.mark.parametrize("path", PATHS)
def test_head_has_the_status_and_the_headers_of_get_and_no_body(path: str) -> None:
    with serving() as server:
        fetch(server, "GET", path)
        got, head = fetch(server, "GET", path), fetch(server, "HEAD", path)
    assert (head.status, head.body) == (got.status, b"")
    assert head.headers.keys() == got.headers.keys()
    if path not in {"/", "/metrics"}:  # their size changes with time
        assert head.headers == got.headers


def test_head_of_a_page_of_known_size_has_its_length() -> None:
    with serving() as server:
        assert int(fetch(server, "HEAD", "/metrics").headers["content-length"]) > 1000


@pytest.mark.parametrize(
    "path", ["//x/-/reload", "//-/reload", "/%2d/reload", "/-/%72eload", "/./-/reload", "/-/x/../reload", "/-/reload/"]
)
def test_another_spelling_of_a_path_is_another_path(path: str) -> None:
    calls: list[str] = []

    def reload() -> Reloaded:
        calls.append(path)
        return Reloaded()

    with serving(reload) as server:
        assert fetch(server, "POST", path).status == 404
    assert calls == []


def test_the_jobs_arrive_whole_in_chunks() -> None:
    with serving() as server:
        answer = fetch(server, "GET", "/api/v1/jobs")
    assert answer.headers["transfer-encoding"] == "chunked"
    assert len(json.loads(answer.body)["jobs"]) == 1


class Counting:
    """Counts the reloads."""

    def __init__(self) -> None:
        self.calls = 0

    def __call__(self) -> Reloaded:
        self.calls += 1
        return Reloaded()


@pytest.mark.parametrize(
    "headers",
    [
        {"Origin": "https://evil.example"},
        {"Origin": "null"},
        {"origin": ""},
        {"Sec-Fetch-Site": "cross-site"},
        {"Sec-Fetch-Site": "same-site"},
        {"SEC-FETCH-SITE": " Cross-Site "},
        {"Sec-Fetch-Site": "same-origin", "Origin": "http://127.0.0.1:9834"},
    ],
)
def test_a_web_page_cannot_reload(headers: Mapping[str, str]) -> None:
    reload = Counting()
    with serving(reload) as server:
        refused = fetch(server, "POST", RELOAD, headers)
    assert refused.status == 403
    assert refused.body == b"A web page cannot reload the settings; send the request without a browser.\n"
    assert reload.calls == 0


@pytest.mark.parametrize("headers", [{}, {"Sec-Fetch-Site": "none"}, {"Referer": "http://x/"}])
def test_a_client_that_is_no_web_page_reloads(headers: Mapping[str, str]) -> None:
    reload = Counting()
    with serving(reload) as server:
        assert fetch(server, "POST", RELOAD, headers).status == 200
    assert reload.calls == 1


def test_a_web_page_may_read_what_any_client_reads() -> None:
    with serving() as server:
        assert fetch(server, "GET", "/metrics", {"Origin": "https://grafana.example"}).status == 200
