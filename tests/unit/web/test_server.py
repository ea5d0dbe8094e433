"""The HTTP server on real sockets: well-behaved peers, clumsy ones, hostile ones, and the end."""

import asyncio
import http.client
import socket
import struct
import threading
import time
from collections.abc import Callable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import ExitStack, contextmanager, suppress
from functools import partial
from typing import Any, Self

import pytest

from exporter.web.http import Body, HttpServer, Request, Response
from exporter.web.http import connection as connection_module
from exporter.web.http import crowd as crowd_module
from exporter.web.http import reception as reception_module
from exporter.web.http import server as server_module
from exporter.web.http.access import AccessPolicy
from exporter.web.http.messages import Handler

PATIENCE = 30.0
"""Nothing here takes long; a test that waits this long has failed."""

GET = b"GET /one HTTP/1.1\r\nHost: x\r\n\r\n"
GET_AND_CLOSE = b"GET /one HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n"
TWO_LENGTHS = b"POST /p HTTP/1.1\r\nHost: x\r\nContent-Length: 5\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n"

USUAL = {
    "content-type": "text/plain; charset=utf-8",
    "x-content-type-options": "nosniff",
    "cache-control": "no-store",
}


def echo(request: Request) -> Response:
    return Response(200, f"{request.method} {request.path}".encode())


def crash(_: Request) -> Response:
    raise RuntimeError("the secret reason")


@contextmanager
def serving(
    handler: Handler = echo,
    host: str = "127.0.0.1",
    send_buffer: int | None = None,
    access_policy: AccessPolicy | None = None,
    urgent: tuple[str, ...] = (),
    *,
    slow: tuple[str, ...] = (),
) -> Iterator[HttpServer]:
    server = HttpServer(handler, host, 0, access_policy=access_policy, urgent=urgent, slow=slow)
    if send_buffer is not None:
        server._socket.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, send_buffer)
    server.start()
    try:
        yield server
    finally:
        if server._thread.is_alive():
            server.stop()
        server._thread.join(PATIENCE)
        assert server._loop is not None
        sweep(server._loop)


def sweep(loop: asyncio.AbstractEventLoop) -> None:
    """Close a loop and whatever a test left in it, so that one failure is not the next test's."""
    if loop.is_closed():
        return
    loop.run_until_complete(cancel_all())
    loop.run_until_complete(loop.shutdown_default_executor())
    loop.close()


async def cancel_all() -> None:
    tasks = asyncio.all_tasks() - {asyncio.current_task()}
    for task in tasks:
        task.cancel()
    await asyncio.gather(*tasks, return_exceptions=True)


@contextmanager
def closing_unstarted(server: HttpServer) -> Iterator[HttpServer]:
    try:
        yield server
    finally:
        server.stop()


@pytest.fixture
def stack() -> Iterator[ExitStack]:
    with ExitStack() as stack:
        yield stack


class Peer:
    """A client that sends bytes and reads answers."""

    def __init__(self, server: HttpServer, receive_buffer: int | None = None) -> None:
        family = socket.AF_INET6 if ":" in server.address[0] else socket.AF_INET
        self.socket = socket.socket(family)
        if receive_buffer is not None:
            self.socket.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, receive_buffer)
        self.socket.settimeout(PATIENCE)
        try:
            self.socket.connect(server.address)
        except OSError:
            self.socket.close()
            raise

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.socket.close()

    def send(self, data: bytes) -> "Peer":
        self.socket.sendall(data)
        return self

    def finish_sending(self) -> "Peer":
        self.socket.shutdown(socket.SHUT_WR)
        return self

    def answer(self, method: str = "GET") -> tuple[int, dict[str, str], bytes]:
        """Read one answer and nothing after it."""
        response = http.client.HTTPResponse(self.socket, method=method)
        response.fp = _Unbuffered(self.socket)  # type: ignore[assignment]
        response.begin()
        headers = {name.lower(): value for name, value in response.getheaders()}
        return response.status, headers, response.read()

    def rest(self) -> bytes:
        """Read until the server closes; a reset counts as that."""
        data = bytearray()
        try:
            while part := self.socket.recv(65536):
                data += part
        except ConnectionError:
            pass
        return bytes(data)


class _Unbuffered:
    """A socket as a file that takes no byte more than it is asked for."""

    def __init__(self, connection: socket.socket) -> None:
        self._socket = connection

    def read(self, size: int) -> bytes:
        data = bytearray()
        while len(data) < size and (part := self._socket.recv(size - len(data))):
            data += part
        return bytes(data)

    def readline(self, limit: int = -1) -> bytes:
        line = bytearray()
        while not line.endswith(b"\n") and len(line) != limit and (part := self._socket.recv(1)):
            line += part
        return bytes(line)

    def flush(self) -> None: ...

    def close(self) -> None: ...


def wait_until(condition: Callable[[], bool]) -> None:
    """Look until it is so; fail rather than hang."""
    end = time.monotonic() + PATIENCE
    while not condition():
        assert time.monotonic() < end, "this never came true"
        time.sleep(0.002)


def talk(server: HttpServer, data: bytes) -> bytes:
    """Send bytes and read until the server closes."""
    with Peer(server) as peer:
        return peer.send(data).rest()


def status_of(answer: bytes) -> int:
    version, _, rest = answer.partition(b" ")
    assert version == b"HTTP/1.1"
    return int(rest[:3])


def assert_alive(server: HttpServer) -> None:
    assert talk(server, GET_AND_CLOSE).endswith(b"\r\n\r\nGET /one")


def test_a_connection_is_kept_for_a_second_request(stack: ExitStack) -> None:
    peer = stack.enter_context(Peer(stack.enter_context(serving())))
    first = peer.send(GET).answer()
    second = peer.send(b"GET /two?a=1 HTTP/1.1\r\nHost: x\r\n\r\n").answer()
    assert first == (200, {**USUAL, "content-length": "8"}, b"GET /one")
    assert second[2] == b"GET /two"


def test_a_client_of_the_standard_library_is_served(stack: ExitStack) -> None:
    server = stack.enter_context(serving())
    client = http.client.HTTPConnection(*server.address, timeout=PATIENCE)
    stack.callback(client.close)
    for path in ("/a", "/b", "/c"):
        client.request("GET", path)
        answer = client.getresponse()
        assert (answer.status, answer.read()) == (200, f"GET {path}".encode())


def test_http_1_0_is_answered_and_closed(stack: ExitStack) -> None:
    answer = talk(stack.enter_context(serving()), b"GET /one HTTP/1.0\r\n\r\n")
    assert status_of(answer) == 200
    assert b"\r\nConnection: close\r\n" in answer
    assert answer.endswith(b"\r\n\r\nGET /one")


def test_a_peer_that_asks_to_close_is_closed(stack: ExitStack) -> None:
    answer = talk(stack.enter_context(serving()), GET_AND_CLOSE)
    assert b"\r\nConnection: close\r\n" in answer


def test_head_is_answered_with_the_headers_alone_and_the_connection_goes_on(stack: ExitStack) -> None:
    peer = stack.enter_context(Peer(stack.enter_context(serving())))
    status, headers, body = peer.send(b"HEAD /one HTTP/1.1\r\nHost: x\r\n\r\n").answer("HEAD")
    assert (status, headers["content-length"], body) == (200, "9", b"")
    assert peer.send(GET).answer()[2] == b"GET /one"


@pytest.mark.parametrize(
    "head",
    [
        b"Content-Length: 5\r\n\r\nhello",
        b"Content-Length: 0\r\n\r\n",
        b"Transfer-Encoding: chunked\r\n\r\n5\r\nhello\r\n0\r\n\r\n",
    ],
    ids=["length", "empty", "chunked"],
)
def test_a_body_is_passed_over_and_the_connection_goes_on(stack: ExitStack, head: bytes) -> None:
    peer = stack.enter_context(Peer(stack.enter_context(serving())))
    assert peer.send(b"POST /p HTTP/1.1\r\nHost: x\r\n" + head).answer()[2] == b"POST /p"
    assert peer.send(GET).answer()[2] == b"GET /one"


@pytest.mark.parametrize("length", [b"Content-Length: 5", b"Transfer-Encoding: chunked"])
def test_a_peer_that_waits_to_be_told_sends_its_body_once_it_is(stack: ExitStack, length: bytes) -> None:
    peer = stack.enter_context(Peer(stack.enter_context(serving())))
    peer.send(b"POST /one HTTP/1.1\r\nHost: x\r\nExpect: 100-continue\r\n" + length + b"\r\n\r\n")
    told = b"HTTP/1.1 100 Continue\r\n\r\n"
    assert _Unbuffered(peer.socket).read(len(told)) == told
    peer.send(b"abcde" if b"5" in length else b"5\r\nabcde\r\n0\r\n\r\n")
    assert peer.answer()[::2] == (200, b"POST /one")
    assert peer.send(GET).answer()[::2] == (200, b"GET /one")


def test_a_peer_that_does_not_wait_for_it_gets_its_answer_alone(stack: ExitStack) -> None:
    head = b"POST /one HTTP/1.1\r\nHost: x\r\nConnection: close\r\nExpect: 100-continue\r\nContent-Length: 5\r\n\r\n"
    said = talk(stack.enter_context(serving()), head + b"abcde")
    assert (status_of(said), said.count(b"HTTP/1.1")) == (200, 1)


def test_who_expects_to_be_told_to_send_nothing_is_told_nothing(stack: ExitStack) -> None:
    peer = stack.enter_context(Peer(stack.enter_context(serving())))
    peer.send(b"GET /one HTTP/1.1\r\nHost: x\r\nExpect: 100-continue\r\n\r\n")
    assert peer.answer()[::2] == (200, b"GET /one")


def test_requests_that_are_sent_together_are_answered_in_order(stack: ExitStack) -> None:
    requests = [f"GET /{number} HTTP/1.1\r\nHost: x\r\n\r\n".encode() for number in range(20)]
    peer = stack.enter_context(Peer(stack.enter_context(serving())))
    peer.send(b"".join(requests))
    assert [peer.answer()[2] for _ in requests] == [f"GET /{number}".encode() for number in range(20)]


def test_a_request_may_come_in_pieces(stack: ExitStack) -> None:
    peer = stack.enter_context(Peer(stack.enter_context(serving())))
    peer.socket.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    for number in range(len(GET)):
        peer.send(GET[number : number + 1])
    assert peer.answer()[2] == b"GET /one"


def test_a_peer_that_stops_sending_still_gets_its_answer(stack: ExitStack) -> None:
    peer = stack.enter_context(Peer(stack.enter_context(serving())))
    assert peer.send(GET).finish_sending().rest().endswith(b"\r\n\r\nGET /one")


def test_a_peer_that_says_nothing_and_goes_leaves_nothing_behind(stack: ExitStack) -> None:
    server = stack.enter_context(serving())
    with Peer(server) as peer:
        wait_until(lambda: len(server._connections) == 1)
        assert peer.finish_sending().rest() == b""
    wait_until(lambda: not server._connections)


def test_a_peer_that_resets_the_connection_leaves_nothing_behind(stack: ExitStack) -> None:
    server = stack.enter_context(serving())
    peer = Peer(server).send(b"GET /one HT")
    wait_until(lambda: len(server._connections) == 1)
    peer.socket.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
    peer.socket.close()
    wait_until(lambda: not server._connections)
    assert_alive(server)


def test_the_handler_sees_method_path_query_and_headers(stack: ExitStack) -> None:
    seen: list[Request] = []

    def handler(request: Request) -> Response:
        seen.append(request)
        return Response(200, b"")

    server = stack.enter_context(serving(handler))
    target = b"/a%20b/%7Ec?name[]=x&name[]=y%2Bz&empty=&q=a+b"
    talk(server, b"GET " + target + b" HTTP/1.1\r\nHost: h\r\nACCEPT: T\xe9xt\r\nConnection: close\r\n\r\n")
    (request,) = seen
    assert (request.method, request.path) == ("GET", "/a%20b/%7Ec")
    assert request.query == {"name[]": ["x", "y+z"], "q": ["a b"]}
    assert request.headers == {"host": "h", "accept": "T\xe9xt", "connection": "close"}


@pytest.mark.parametrize(
    ("target", "path"),
    [
        (b"http://x:1/one", b"/one"),
        (b"HTTP://x?q=1", b"/"),
        (b"http://x//one", b"//one"),
        (b"//x/one", b"//x/one"),
        (b"//[", b"//["),
        (b"*", b"*"),
        (b"/one?http://x/two", b"/one"),
    ],
)
def test_only_an_absolute_target_is_cut_to_its_path(stack: ExitStack, target: bytes, path: bytes) -> None:
    server = stack.enter_context(serving())
    answer = talk(server, b"GET " + target + b" HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n")
    assert answer.endswith(b"\r\n\r\nGET " + path)


def test_the_answers_status_type_and_headers_reach_the_peer(stack: ExitStack) -> None:
    answer = Response(503, "no — yet".encode(), "text/x; charset=utf-8", {"Allow": "GET", "X-Y": "z"})
    peer = stack.enter_context(Peer(stack.enter_context(serving(lambda _: answer))))
    assert peer.send(GET).answer() == (
        503,
        {**USUAL, "content-type": "text/x; charset=utf-8", "content-length": "10", "allow": "GET", "x-y": "z"},
        "no — yet".encode(),
    )


def test_a_large_answer_arrives_whole(stack: ExitStack) -> None:
    body = bytes(range(256)) * 40_000
    peer = stack.enter_context(Peer(stack.enter_context(serving(lambda _: Response(200, body)))))
    assert peer.send(GET).answer()[2] == body
    assert peer.send(GET).answer()[2] == body


BAD_REQUESTS = {
    400: b"Bad request: not valid HTTP/1.1.\n",
    431: b"Request line and headers too large: more than 16384 bytes.\n",
    501: b"Not implemented: Transfer-Encoding must be chunked.\n",
}


@pytest.mark.parametrize(
    ("data", "status"),
    [
        pytest.param(b"garbage\r\n\r\n", 400, id="words"),
        pytest.param(b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03" + bytes(40), 400, id="tls"),
        pytest.param(b"GET /a HTTP/1.1\r\n\r\n", 400, id="no-host"),
        pytest.param(b"GET /\xff HTTP/1.1\r\nHost: x\r\n\r\n", 400, id="target-not-ascii"),
        pytest.param(b"GET /a b HTTP/1.1\r\nHost: x\r\n\r\n", 400, id="target-with-blank"),
        pytest.param(b"GET /a HTTP/1.1\r\nHost: x\r\nNo colon\r\n\r\n", 400, id="bad-header"),
        pytest.param(b"POST /a HTTP/1.1\r\nHost: x\r\nContent-Length: many\r\n\r\n", 400, id="bad-length"),
        pytest.param(b"POST /a HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: gzip\r\n\r\n", 501, id="bad-coding"),
        pytest.param(TWO_LENGTHS + GET, 400, id="two-lengths"),
        pytest.param(TWO_LENGTHS.replace(b"Tr", b"X: y\r\ntR") + GET, 400, id="two-lengths-apart"),
        pytest.param(b"GET /" + b"a" * 100_000 + b" HTTP/1.1\r\nHost: x\r\n\r\n", 431, id="long-target"),
        pytest.param(b"GET / HTTP/1.1\r\nHost: x\r\nA: " + b"a" * 100_000 + b"\r\n\r\n", 431, id="long-header"),
        pytest.param(b"GET / HTTP/1.1\r\nHost: x\r\nA: " + b"a" * 16_400 + b"\r\n\r\n", 431, id="header-in-one-piece"),
        pytest.param(b"GET / HTTP/1.1\r\nHost: x\r\n" + b"A: a\r\n" * 9_000 + b"\r\n", 431, id="many-headers"),
    ],
)
def test_what_is_no_request_gets_one_answer_and_is_closed(stack: ExitStack, data: bytes, status: int) -> None:
    server = stack.enter_context(serving())
    answer = talk(server, data)
    assert status_of(answer) == status
    assert answer.endswith(b"\r\n\r\n" + BAD_REQUESTS[status])
    assert answer.count(b"HTTP/1.1 ") == 1
    assert b"\r\nConnection: close\r\n" in answer
    assert b"Traceback" not in answer
    assert_alive(server)


@pytest.mark.parametrize(
    "data",
    [b"GET /one HT", b"POST /p HTTP/1.1\r\nHost: x\r\nContent-Length: 5\r\n\r\nhe"],
    ids=["head", "body"],
)
def test_a_request_that_breaks_off_is_400(stack: ExitStack, data: bytes) -> None:
    peer = stack.enter_context(Peer(stack.enter_context(serving())))
    assert status_of(peer.send(data).finish_sending().rest()) == 400


def test_a_good_request_before_garbage_is_answered(stack: ExitStack) -> None:
    answer = talk(stack.enter_context(serving()), GET + b"garbage\r\n\r\n")
    assert answer.index(b"GET /one") < answer.index(b"HTTP/1.1 400")


def test_a_handler_that_breaks_is_a_500_which_tells_nothing(stack: ExitStack, caplog: pytest.LogCaptureFixture) -> None:
    peer = stack.enter_context(Peer(stack.enter_context(serving(crash))))
    for _ in range(2):
        status, _, body = peer.send(GET).answer()
        assert status == 500
        assert b"secret" not in body
        assert b"Traceback" not in body
    assert [record.levelname for record in caplog.records] == ["ERROR", "ERROR"]
    assert "the secret reason" in caplog.text


def test_a_handler_that_breaks_does_not_break_the_server(stack: ExitStack) -> None:
    server = stack.enter_context(serving(lambda request: crash(request) if request.path == "/bad" else echo(request)))
    assert status_of(talk(server, b"GET /bad HTTP/1.0\r\n\r\n")) == 500
    assert_alive(server)


def test_an_upgrade_is_not_taken_up(stack: ExitStack) -> None:
    server = stack.enter_context(serving(lambda _: Response(404, b"no")))
    head = b"GET / HTTP/1.1\r\nHost: x\r\nConnection: Upgrade, close\r\nUpgrade: websocket\r\n\r\n"
    assert status_of(talk(server, head)) == 404
    assert status_of(talk(server, b"CONNECT a:1 HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n")) == 404


def test_many_peers_are_answered_at_once(stack: ExitStack) -> None:
    together = threading.Barrier(4, timeout=PATIENCE)

    def handler(_: Request) -> Response:
        together.wait()
        return Response(200, b"all here")

    server = stack.enter_context(serving(handler))
    peers = [stack.enter_context(Peer(server)).send(GET) for _ in range(4)]
    assert [peer.answer()[2] for peer in peers] == [b"all here"] * 4


class Blocking:
    """A handler that answers when it is told to."""

    def __init__(self, body: bytes = b"done") -> None:
        self.entered, self.go = threading.Event(), threading.Event()
        self.body = body

    def __call__(self, _: Request) -> Response:
        self.entered.set()
        assert self.go.wait(PATIENCE)
        return Response(200, self.body)


def stop_in_background(stack: ExitStack, server: HttpServer) -> Future[None]:
    executor = stack.enter_context(ThreadPoolExecutor(1))
    return executor.submit(server.stop)


def test_stopping_lets_an_answer_under_way_end_and_then_closes(
    stack: ExitStack, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(connection_module, "LINGER_TIMEOUT", 0.05)
    handler = Blocking()
    server = stack.enter_context(serving(handler))
    peer = stack.enter_context(Peer(server)).send(GET)
    assert handler.entered.wait(PATIENCE)
    stopped = stop_in_background(stack, server)
    wait_until(lambda: all(connection.ending for connection in server._connections.values()))
    handler.go.set()
    status, headers, body = peer.answer()
    assert (status, headers["connection"], body) == (200, "close", b"done")
    assert peer.rest() == b""
    stopped.result(PATIENCE)


def test_stopping_lets_an_answer_end_that_the_peer_is_slow_to_take(
    stack: ExitStack, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(connection_module, "LINGER_TIMEOUT", 0.05)
    body = b"x" * 50_000
    server = stack.enter_context(serving(lambda _: Response(200, body), send_buffer=4096))
    peer = stack.enter_context(Peer(server, receive_buffer=4096)).send(GET)
    wait_until(lambda: bool(server._connections) and is_handled(server))
    stopped = stop_in_background(stack, server)
    wait_until(lambda: all(connection.ending for connection in server._connections.values()))
    assert peer.rest().endswith(b"\r\n\r\n" + body)
    stopped.result(PATIENCE)


def is_responding(server: HttpServer, count: int) -> bool:
    """Tell whether so many requests have come whose answers have not gone."""
    return sum(connection.responding for connection in [*server._connections.values()]) == count


def is_handled(server: HttpServer) -> bool:
    """Tell whether the only connection has its answer written, if not sent."""
    (connection,) = server._connections.values()
    transport: Any = connection._writer.transport
    return bool(transport.get_write_buffer_size() > 0)


def test_stopping_closes_idle_connections_at_once(stack: ExitStack, monkeypatch: pytest.MonkeyPatch) -> None:
    server = stack.enter_context(serving())
    silent, kept = stack.enter_context(Peer(server)), stack.enter_context(Peer(server))
    assert kept.send(GET).answer()[0] == 200
    halfway = stack.enter_context(Peer(server)).send(b"GET /one HT")
    wait_until(lambda: len(server._connections) == 3)
    monkeypatch.setattr(server_module, "STOP_TIMEOUT", PATIENCE)
    began = time.monotonic()
    server.stop()
    assert time.monotonic() - began < PATIENCE / 2
    assert [peer.rest() for peer in (silent, kept, halfway)] == [b"", b"", b""]


def test_after_stopping_nobody_is_let_in_and_the_port_is_free(stack: ExitStack) -> None:
    server = stack.enter_context(serving())
    server.stop()
    with pytest.raises(ConnectionRefusedError):
        Peer(server)
    again = stack.enter_context(closing_unstarted(HttpServer(echo, *server.address)))
    assert again.address == server.address


def test_stopping_does_not_wait_forever_for_a_handler_that_hangs(
    stack: ExitStack, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(server_module, "STOP_TIMEOUT", 0.1)
    handler = Blocking()
    server = stack.enter_context(serving(handler))
    stack.callback(handler.go.set)
    stack.enter_context(Peer(server)).send(GET)
    assert handler.entered.wait(PATIENCE)
    began = time.monotonic()
    server.stop()
    assert time.monotonic() - began < PATIENCE / 2  # the handler hangs for PATIENCE
    handler.go.set()


def test_stopping_leaves_no_event_loop_open(stack: ExitStack) -> None:
    server = stack.enter_context(serving())
    server.stop()
    assert server._loop is not None
    assert server._loop.is_closed()


def test_a_port_in_use_is_an_os_error(stack: ExitStack) -> None:
    server = stack.enter_context(serving())
    with pytest.raises(OSError, match="Address already in use"):
        stack.enter_context(closing_unstarted(HttpServer(echo, *server.address)))


@pytest.mark.parametrize("host", ["", "127.0.0.1", "0.0.0.0"])
def test_a_port_in_use_on_every_address_is_an_os_error(stack: ExitStack, host: str) -> None:
    server = stack.enter_context(serving(host=""))
    with pytest.raises(OSError, match="Address already in use"):
        stack.enter_context(closing_unstarted(HttpServer(echo, host, server.address[1])))


@pytest.mark.parametrize("host", ["no-such-host.invalid", "300.1.1.1", "x" * 64, "a..b"])
def test_a_host_that_does_not_exist_is_an_os_error(host: str) -> None:
    with pytest.raises(OSError, match=r".+"):
        HttpServer(echo, host, 0)


def test_port_0_picks_a_free_one_and_tells_it(stack: ExitStack) -> None:
    host, port = stack.enter_context(serving()).address
    assert host == "127.0.0.1"
    assert 0 < port < 65536


needs_ipv6 = pytest.mark.skipif(not socket.has_dualstack_ipv6(), reason="no IPv6 here")


@needs_ipv6
@pytest.mark.parametrize("any_host", ["", "::", "0:0::0"])
def test_without_a_host_both_address_families_are_served_at_one_port(stack: ExitStack, any_host: str) -> None:
    server = stack.enter_context(serving(host=any_host))
    for host in ("127.0.0.1", "::1"):
        with socket.create_connection((host, server.address[1]), PATIENCE) as connection:
            connection.sendall(GET_AND_CLOSE)
            assert connection.recv(100).startswith(b"HTTP/1.1 200 ")


def test_without_ipv6_every_ipv4_address_is_served(stack: ExitStack, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(socket, "has_dualstack_ipv6", lambda: False)
    server = stack.enter_context(serving(host=""))
    assert server.address[0] == "0.0.0.0"
    with socket.create_connection(("127.0.0.1", server.address[1]), PATIENCE) as connection:
        connection.sendall(GET_AND_CLOSE)
        assert connection.recv(100).startswith(b"HTTP/1.1 200 ")


@needs_ipv6
def test_one_ipv6_address_serves_no_ipv4(stack: ExitStack) -> None:
    server = stack.enter_context(serving(host="::1"))
    with pytest.raises(ConnectionRefusedError):
        socket.create_connection(("127.0.0.1", server.address[1]), PATIENCE)


@needs_ipv6
def test_an_ipv6_address_is_served(stack: ExitStack) -> None:
    server = stack.enter_context(serving(host="::1"))
    assert server.address[0] == "::1"
    assert_alive(server)


@needs_ipv6
def test_a_port_that_is_taken_in_one_address_family_is_not_half_listened_on(stack: ExitStack) -> None:
    other = stack.enter_context(socket.create_server(("::1", 0), family=socket.AF_INET6))
    port = other.getsockname()[1]
    with pytest.raises(OSError, match="Address already in use"):
        stack.enter_context(closing_unstarted(HttpServer(echo, "", port)))


@pytest.mark.parametrize("first", [b"", b"GET /one HT"], ids=["silent", "halfway"])
def test_beyond_the_most_connections_the_one_that_waited_longest_makes_room(
    stack: ExitStack, monkeypatch: pytest.MonkeyPatch, first: bytes
) -> None:
    monkeypatch.setattr(crowd_module, "MAX_CONNECTIONS", 2)
    server = stack.enter_context(serving())
    oldest = stack.enter_context(Peer(server)).send(first)
    wait_until(lambda: len(server._connections) == 1)
    second = stack.enter_context(Peer(server))
    wait_until(lambda: len(server._connections) == 2)
    newest = stack.enter_context(Peer(server))
    assert newest.send(GET).answer()[2] == b"GET /one"
    assert oldest.rest() == b""
    assert second.send(GET).answer()[2] == b"GET /one"


def test_a_connection_that_was_used_lately_stays_before_one_that_came_later_and_waits(
    stack: ExitStack, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(crowd_module, "MAX_CONNECTIONS", 2)
    server = stack.enter_context(serving())
    scraper = stack.enter_context(Peer(server))
    wait_until(lambda: len(server._connections) == 1)
    silent = stack.enter_context(Peer(server))
    wait_until(lambda: len(server._connections) == 2)
    assert scraper.send(GET).answer()[0] == 200
    assert_alive(server)
    assert silent.rest() == b""
    assert scraper.send(GET).answer()[2] == b"GET /one"


def test_one_that_waits_makes_room_before_one_whose_answer_is_under_way(
    stack: ExitStack, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(crowd_module, "MAX_CONNECTIONS", 2)
    handler = Blocking()
    server = stack.enter_context(
        serving(lambda request: handler(request) if request.path == "/slow" else echo(request))
    )
    stack.callback(handler.go.set)
    busy = stack.enter_context(Peer(server)).send(b"GET /slow HTTP/1.1\r\nHost: x\r\n\r\n")
    assert handler.entered.wait(PATIENCE)
    silent = stack.enter_context(Peer(server))
    wait_until(lambda: len(server._connections) == 2)
    assert_alive(server)
    assert silent.rest() == b""
    handler.go.set()
    assert busy.answer()[2] == b"done"


def test_when_all_take_their_answers_slowly_the_slowest_makes_room(
    stack: ExitStack, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(crowd_module, "MAX_CONNECTIONS", 3)
    large = Response(200, b"x" * 5_000_000)
    server = stack.enter_context(
        serving(lambda request: large if request.path == "/large" else echo(request), send_buffer=4096)
    )
    for number in range(3):
        peer = stack.enter_context(Peer(server, receive_buffer=4096))
        peer.send(b"GET /large HTTP/1.1\r\nHost: x\r\n\r\n")
        wait_until(partial(is_responding, server, number + 1))
    for _ in range(3):
        assert_alive(server)


def test_a_probe_is_answered_while_200_peers_send_their_requests_slowly(
    stack: ExitStack, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(connection_module, "REQUEST_TIMEOUT", 2 * PATIENCE)
    server = stack.enter_context(serving())
    peers = [stack.enter_context(Peer(server)).send(b"GET /one HTTP/1.1\r\nX: ") for _ in range(200)]
    wait_until(lambda: len(server._connections) == 200)
    enough = threading.Event()
    stack.enter_context(background(lambda: drip_all(peers, enough)))
    stack.callback(enough.set)
    for _ in range(10):
        assert_alive(server)
    assert len(server._connections) >= 200


@contextmanager
def background(work: Callable[[], None]) -> Iterator[None]:
    """Run something beside the test; what breaks in it breaks the test."""
    with ThreadPoolExecutor(1) as executor:
        running = executor.submit(work)
        yield
        running.result(PATIENCE)


def drip_all(peers: list[Peer], enough: threading.Event) -> None:
    """Send a byte from each of them, over and over."""
    while not enough.wait(0.01):
        for peer in peers:
            peer.send(b"a")


def test_200_peers_that_take_their_answers_slowly_hold_up_no_probe(
    stack: ExitStack, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(connection_module, "RESPONSE_TIMEOUT", 2 * PATIENCE)
    large = Response(200, b"x" * 200_000)
    server = stack.enter_context(
        serving(lambda request: large if request.path == "/large" else echo(request), send_buffer=4096)
    )
    peers = [stack.enter_context(Peer(server, receive_buffer=4096)) for _ in range(200)]
    for peer in peers:
        peer.send(b"GET /large HTTP/1.1\r\nHost: x\r\n\r\n")
    wait_until(partial(is_responding, server, 200))
    assert_alive(server)
    assert sum(connection.responding for connection in [*server._connections.values()]) >= 200


def test_an_urgent_path_is_answered_while_every_worker_is_busy(stack: ExitStack) -> None:
    handler = Blocking()
    server = stack.enter_context(
        serving(lambda request: echo(request) if request.path == "/one" else handler(request), urgent=("/one",))
    )
    stack.callback(handler.go.set)
    scrapes = [stack.enter_context(Peer(server)).send(b"GET /slow HTTP/1.1\r\nHost: x\r\n\r\n") for _ in range(100)]
    wait_until(partial(is_responding, server, 100))
    assert_alive(server)
    handler.go.set()
    assert {scrape.answer()[2] for scrape in scrapes} == {b"done"}


def test_slow_paths_are_answered_one_after_the_other_and_hold_up_no_others(stack: ExitStack) -> None:
    handler, begun = Blocking(), list[str]()

    def answer(request: Request) -> Response:
        if request.path != "/slow":
            return echo(request)
        begun.append(request.path)
        return handler(request)

    server = stack.enter_context(serving(answer, slow=("/slow",)))
    stack.callback(handler.go.set)
    slow = [stack.enter_context(Peer(server)).send(b"POST /slow HTTP/1.1\r\nHost: x\r\n\r\n") for _ in range(100)]
    wait_until(partial(is_responding, server, 100))
    assert_alive(server)
    assert begun == ["/slow"]
    handler.go.set()
    assert {peer.answer()[2] for peer in slow} == {b"done"}


class Counting:
    """A handler that counts the requests in it, and holds them."""

    def __init__(self) -> None:
        self.go = threading.Event()
        self.now = self.most = 0
        self._lock = threading.Lock()

    def __call__(self, request: Request) -> Response:
        if request.path == "/one":
            return echo(request)
        with self._lock:
            self.now += 1
            self.most = max(self.most, self.now)
        assert self.go.wait(3 * PATIENCE)
        with self._lock:
            self.now -= 1
        return Response(200, b"done")


SLOW = b"GET /slow HTTP/1.1\r\nHost: x\r\n\r\n"


def test_at_most_8_responses_are_made_at_once_and_further_ones_wait(
    stack: ExitStack, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(reception_module, "RENDER_WAIT", 3 * PATIENCE)
    handler = Counting()
    server = stack.enter_context(serving(handler, urgent=("/one",)))
    stack.callback(handler.go.set)
    scrapes = [stack.enter_context(Peer(server)).send(SLOW) for _ in range(30)]
    wait_until(partial(is_responding, server, 30))
    wait_until(lambda: handler.now == 8)
    assert_alive(server)
    handler.go.set()
    assert {scrape.answer()[2] for scrape in scrapes} == {b"done"}
    assert handler.most == 8


def test_a_scrape_that_waits_too_long_is_told_to_come_again(stack: ExitStack, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(reception_module, "RENDER_WAIT", 0.1)
    handler = Counting()
    server = stack.enter_context(serving(handler, urgent=("/one",)))
    stack.callback(handler.go.set)
    scrapes = [stack.enter_context(Peer(server)).send(SLOW) for _ in range(8)]
    wait_until(lambda: handler.now == 8)
    late = stack.enter_context(Peer(server)).send(SLOW)
    status, headers, body = late.answer()
    assert (status, headers["retry-after"], body) == (503, "5", b"Too many scrapes at once; try again.\n")
    handler.go.set()
    assert {scrape.answer()[2] for scrape in scrapes} == {b"done"}
    assert late.send(SLOW).answer()[2] == b"done"


def test_a_peer_that_goes_away_does_not_make_place_for_a_ninth_response(
    stack: ExitStack, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(crowd_module, "MAX_CONNECTIONS", 8)
    handler = Counting()
    server = stack.enter_context(serving(handler))
    stack.callback(handler.go.set)
    for _ in range(20):
        stack.enter_context(Peer(server)).send(SLOW)
    wait_until(lambda: handler.now == 8)
    last = stack.enter_context(Peer(server)).send(SLOW)
    wait_until(lambda: not server._opening)
    handler.go.set()
    assert last.answer()[2] == b"done"
    assert handler.most == 8


def test_slow_readers_do_not_occupy_the_places_of_those_who_scrape(stack: ExitStack) -> None:
    large = Response(200, b"x" * 500_000)
    server = stack.enter_context(
        serving(lambda request: large if request.path == "/large" else echo(request), send_buffer=4096)
    )
    for number in range(20):
        peer = stack.enter_context(Peer(server, receive_buffer=4096))
        peer.send(b"GET /large HTTP/1.1\r\nHost: x\r\n\r\n")
        wait_until(partial(is_responding, server, number + 1))
    assert_alive(server)


def test_other_requests_have_a_turn_after_each_part_of_a_response(stack: ExitStack) -> None:
    turns, missed = list[int](), list[int]()

    def parts() -> Iterator[bytes]:
        """Make parts that a fast reader never has to be waited for."""
        for number in range(50):
            missed.append(number - len(turns))
            asyncio.get_running_loop().call_soon(turns.append, number)
            yield b"x" * 100

    server = stack.enter_context(serving(lambda _: Response(200, Body(None, parts()))))
    with Peer(server) as reader:
        assert reader.send(GET).answer()[2] == b"x" * 5000
    assert missed == [0] * 50


def test_50_scrapes_at_once_are_all_answered_whole(stack: ExitStack) -> None:
    body = bytes(range(256)) * 4_000
    server = stack.enter_context(serving(lambda _: Response(200, body)))
    executor = stack.enter_context(ThreadPoolExecutor(50))

    def scrape(_: int) -> bytes:
        with Peer(server) as peer:
            return peer.send(GET).answer()[2]

    assert all(answer == body for answer in executor.map(scrape, range(50)))


@pytest.mark.parametrize(
    ("status", "line"),
    [
        (200, b"HTTP/1.1 200 OK\r\n"),
        (404, b"HTTP/1.1 404 Not Found\r\n"),
        (503, b"HTTP/1.1 503 Service Unavailable\r\n"),
    ],
)
def test_the_status_line_says_what_the_status_means(stack: ExitStack, status: int, line: bytes) -> None:
    server = stack.enter_context(serving(lambda _: Response(status, b"")))
    assert talk(server, GET_AND_CLOSE).startswith(line)


def test_an_answer_is_not_lost_to_the_bytes_that_nobody_read(stack: ExitStack) -> None:
    peer = stack.enter_context(Peer(stack.enter_context(serving(send_buffer=4096))))
    peer.send(b"GET / HTTP/1.1\r\nHost: x\r\nA: ")
    sender = threading.Thread(target=lambda: until_refused(peer, b"a" * 65536), daemon=True)
    sender.start()
    sender.join(0.2)
    assert peer.rest().endswith(b"\r\n\r\n" + BAD_REQUESTS[431])
    sender.join(PATIENCE)


def until_refused(peer: Peer, data: bytes) -> None:
    with suppress(OSError):
        while True:
            peer.send(data)


def test_a_peer_that_goes_on_sending_after_its_last_answer_is_closed_soon(
    stack: ExitStack, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(connection_module, "LINGER_TIMEOUT", 0.05)
    server = stack.enter_context(serving())
    peer = stack.enter_context(Peer(server)).send(GET_AND_CLOSE)
    assert peer.answer()[2] == b"GET /one"
    assert drip(peer) < 3.0
    wait_until(lambda: not server._connections)


def test_several_requests_before_the_end_of_sending_are_all_answered(stack: ExitStack) -> None:
    peer = stack.enter_context(Peer(stack.enter_context(serving())))
    assert peer.send(GET * 3).finish_sending().rest().count(b"\r\n\r\nGET /one") == 3


def test_a_peer_that_never_ends_its_request_is_closed(stack: ExitStack, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(connection_module, "REQUEST_TIMEOUT", 0.05)
    server = stack.enter_context(serving())
    with Peer(server) as peer:
        assert peer.send(b"GET /one HT").rest() == b""
    wait_until(lambda: not server._connections)


def test_dripping_bytes_does_not_extend_the_deadline_of_a_request(
    stack: ExitStack, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(connection_module, "REQUEST_TIMEOUT", 0.2)
    peer = stack.enter_context(Peer(stack.enter_context(serving()))).send(b"GET /one HTTP/1.1\r\nX: ")
    assert drip(peer) < 3.0


def drip(peer: Peer) -> float:
    """Send a byte now and then until the server has had enough; return how long that took."""
    began = time.monotonic()
    while time.monotonic() - began < PATIENCE:
        try:
            peer.send(b"a")
        except ConnectionError:
            break
        time.sleep(0.01)
    return time.monotonic() - began


def test_between_two_requests_a_peer_may_wait_longer_than_for_its_first_byte(
    stack: ExitStack, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(connection_module, "REQUEST_TIMEOUT", 0.1)
    monkeypatch.setattr(connection_module, "IDLE_TIMEOUT", 0.3)
    server = stack.enter_context(serving())
    peer = stack.enter_context(Peer(server)).send(GET)
    assert peer.answer()[2] == b"GET /one"
    began = time.monotonic()
    assert peer.rest() == b""
    assert time.monotonic() - began > 0.2


def test_a_peer_that_never_sends_a_byte_is_closed_long_before_an_idle_one(
    stack: ExitStack, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(connection_module, "REQUEST_TIMEOUT", 0.1)
    server = stack.enter_context(serving())
    peer = stack.enter_context(Peer(server))
    assert peer.rest() == b""
    wait_until(lambda: not server._connections)


def test_a_peer_that_does_not_take_its_answer_is_closed(stack: ExitStack, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(connection_module, "RESPONSE_TIMEOUT", 0.05)
    body = b"x" * 5_000_000
    server = stack.enter_context(serving(lambda _: Response(200, body), send_buffer=4096))
    peer = stack.enter_context(Peer(server, receive_buffer=4096)).send(GET)
    wait_until(lambda: len(server._connections) == 1)
    wait_until(lambda: not server._connections)
    assert len(peer.rest()) < len(body)


def test_a_peer_that_does_not_take_the_end_of_its_last_answer_is_closed(
    stack: ExitStack, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(connection_module, "REQUEST_TIMEOUT", 0.05)
    monkeypatch.setattr(connection_module, "RESPONSE_TIMEOUT", 0.05)
    body = b"x" * 50_000
    server = stack.enter_context(serving(lambda _: Response(200, body), send_buffer=4096))
    peer = stack.enter_context(Peer(server, receive_buffer=4096)).send(GET_AND_CLOSE)
    wait_until(lambda: len(server._connections) == 1)
    wait_until(lambda: not server._connections)
    assert len(peer.rest()) < len(body)


def test_a_body_in_parts_arrives_whole_and_each_part_is_made_when_it_is_its_turn(stack: ExitStack) -> None:
    made: list[int] = []

    def parts() -> Iterator[bytes]:
        for number in range(40):
            made.append(number)
            yield bytes([number]) * 100_000

    server = stack.enter_context(serving(lambda _: Response(200, Body(4_000_000, parts())), send_buffer=4096))
    peer = stack.enter_context(Peer(server, receive_buffer=4096)).send(GET)
    wait_until(lambda: bool(made))
    # As long as the peer takes nothing, no more is made than fits in between.
    assert len(made) < 10
    status, headers, body = peer.answer()
    assert (status, headers["content-length"]) == (200, "4000000")
    assert body == b"".join(bytes([number]) * 100_000 for number in range(40))
    assert made == list(range(40))


def test_of_a_body_in_parts_only_the_size_is_told_to_who_asks_for_the_head(stack: ExitStack) -> None:
    server = stack.enter_context(serving(lambda _: Response(200, Body(3, iter([b"one"])))))
    peer = stack.enter_context(Peer(server)).send(b"HEAD / HTTP/1.1\r\nHost: x\r\n\r\n" + GET)
    assert peer.answer("HEAD")[1]["content-length"] == "3"
    assert peer.answer()[2] == b"one"
