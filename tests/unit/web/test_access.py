"""TLS and logins over real sockets: who gets in, what hostile peers get, and files that change under its eyes."""

import base64
import http.client
import socket
import ssl
import subprocess
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from functools import partial
from pathlib import Path
from typing import Any

import bcrypt
import pytest
from certificates import Authority, Pair

from exporter.web.http import FileAccessPolicy, HttpServer, Request, Response, WebConfigError
from exporter.web.http import connection as connection_module
from exporter.web.http import reception as reception_module
from exporter.web.http.channel import ChannelError
from exporter.web.http.messages import Handler
from exporter.web.http.tls import TlsChannel, make_context
from exporter.web.http.web_config import parse_web_config

PATIENCE = 30.0
GET = b"GET /one HTTP/1.1\r\nHost: x\r\n\r\n"
LAST = b"GET /one HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n"
HASH = bcrypt.hashpw(b"wonderland", bcrypt.gensalt(4)).decode()
OTHER_HASH = bcrypt.hashpw(b"builder", bcrypt.gensalt(4)).decode()
TLS = "tls_server_config: {cert_file: server.crt, key_file: server.key%s}\n"
USERS = f"basic_auth_users: {{alice: {HASH}}}\n"


class Log:
    """A journal that collects."""

    def __init__(self) -> None:
        self.lines: list[tuple[str, str, str]] = []

    def config_reloaded(self, file: str) -> None:
        self.lines.append(("reloaded", Path(file).name, ""))

    def config_reload_failed(self, file: str, error: str) -> None:
        self.lines.append(("failed", Path(file).name, error))

    def tls_handshake_failed(self, count: int, peer_address: str, error: str) -> None:
        self.lines.append((f"{count} handshakes failed", peer_address, error))


class Place:
    """A folder with a web configuration file and what it names."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.file = folder / "web.yml"
        self.authority = Authority.in_folder(folder)
        self.authority.issue("server")
        self.log: Any = Log()

    def write(self, text: str) -> "Place":
        self.file.write_text(text)
        return self

    def access_policy(self) -> FileAccessPolicy:
        return FileAccessPolicy(str(self.file))

    def look_twice(self, access_policy: FileAccessPolicy) -> None:
        access_policy.reload_changed_files(self.log)
        access_policy.reload_changed_files(self.log)

    def problems(self) -> list[str]:
        with pytest.raises(WebConfigError) as caught:
            self.access_policy()
        return [problem.replace(f"{self.folder}/", "") for problem in caught.value.problems]


@pytest.fixture
def place(tmp_path: Path) -> Place:
    return Place(tmp_path)


@pytest.fixture
def stack() -> Iterator[ExitStack]:
    with ExitStack() as stack:
        yield stack


def echo(request: Request) -> Response:
    return Response(200, f"{request.method} {request.path}".encode())


@contextmanager
def serving(
    access_policy: FileAccessPolicy,
    handler: Handler = echo,
    send_buffer: int | None = None,
    host: str = "127.0.0.1",
    login_refused: Callable[[], None] = lambda: None,
) -> Iterator[HttpServer]:
    urgent = ("/-/healthy",)
    server = HttpServer(handler, host, 0, access_policy=access_policy, urgent=urgent, login_refused=login_refused)
    if send_buffer is not None:
        server._socket.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, send_buffer)
    server.start()
    try:
        yield server
    finally:
        if server._thread.is_alive():
            server.stop()


@contextmanager
def plain(server: HttpServer, receive_buffer: int | None = None) -> Iterator[socket.socket]:
    with socket.socket() as connection:
        if receive_buffer is not None:
            connection.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, receive_buffer)
        connection.settimeout(PATIENCE)
        connection.connect(server.address)
        yield connection


@contextmanager
def secure(server: HttpServer, context: ssl.SSLContext, receive_buffer: int | None = None) -> Iterator[ssl.SSLSocket]:
    with (
        plain(server, receive_buffer) as below,
        context.wrap_socket(below, server_hostname="localhost", suppress_ragged_eofs=False) as connection,
    ):
        yield connection


def rest(connection: socket.socket) -> bytes:
    """Read until the server closes; a reset counts as that."""
    data = bytearray()
    try:
        while part := connection.recv(65536):
            data += part
    except ConnectionError:
        pass
    return bytes(data)


def ask(server: HttpServer, context: ssl.SSLContext, request: bytes = LAST) -> bytes:
    """Make one request over TLS, and read to the end, which TLS must have told."""
    with secure(server, context) as connection:
        connection.sendall(request)
        return rest(connection)


def log_in(server: HttpServer, login: str | None, path: str = "/one") -> http.client.HTTPResponse:
    connection = http.client.HTTPConnection(*server.address, timeout=PATIENCE)
    headers = {} if login is None else {"Authorization": f"Basic {base64.b64encode(login.encode()).decode()}"}
    try:
        connection.request("GET", path, headers=headers)
        answer = connection.getresponse()
        answer.read()
        return answer
    finally:
        connection.close()


def wait_until(condition: Callable[[], bool]) -> None:
    end = time.monotonic() + PATIENCE
    while not condition():
        assert time.monotonic() < end, "this never came true"
        time.sleep(0.002)


def serial_of(server: HttpServer, context: ssl.SSLContext) -> str:
    with secure(server, context) as connection:
        certificate: Any = connection.getpeercert()
        return str(certificate["serialNumber"])


@pytest.fixture
def tls(place: Place, stack: ExitStack) -> HttpServer:
    return stack.enter_context(serving(place.write(TLS % "").access_policy()))


@pytest.mark.parametrize("version", [ssl.TLSVersion.TLSv1_2, ssl.TLSVersion.TLSv1_3])
def test_requests_are_answered_over_tls(tls: HttpServer, place: Place, version: ssl.TLSVersion) -> None:
    context = place.authority.trusted()
    context.minimum_version = context.maximum_version = version
    answer = ask(tls, context, GET * 3 + LAST)
    assert answer.count(b"\r\n\r\nGET /one") == 4


def test_a_client_of_the_standard_library_is_served_over_tls(tls: HttpServer, place: Place) -> None:
    client = http.client.HTTPSConnection(*tls.address, timeout=PATIENCE, context=place.authority.trusted())
    for path in ("/a", "/b"):
        client.request("GET", path)
        assert client.getresponse().read() == f"GET {path}".encode()
    client.close()


@pytest.mark.parametrize(
    ("kind", "mode"),
    [
        ("NoClientCert", ssl.CERT_NONE),
        ("RequestClientCert", ssl.CERT_NONE),
        ("VerifyClientCertIfGiven", ssl.CERT_OPTIONAL),
        ("RequireAndVerifyClientCert", ssl.CERT_REQUIRED),
    ],
)
def test_each_client_auth_type_verifies_as_it_says(place: Place, kind: str, mode: ssl.VerifyMode) -> None:
    authorities = "" if kind == "NoClientCert" else ", client_ca_file: ca.crt"
    config = parse_web_config(TLS % f", client_auth_type: {kind}{authorities}", str(place.folder)).tls
    assert config is not None
    assert make_context(config).verify_mode is mode


def test_an_older_tls_is_refused(tls: HttpServer, place: Place) -> None:
    context = place.authority.trusted()
    context.set_ciphers("ALL:@SECLEVEL=0")
    with pytest.warns(DeprecationWarning, match="TLSv1_1"):
        context.minimum_version = context.maximum_version = ssl.TLSVersion.TLSv1_1
    with pytest.raises(ssl.SSLError, match="PROTOCOL_VERSION"):
        ask(tls, context)


def test_versions_and_ciphers_are_those_of_the_file(place: Place, stack: ExitStack) -> None:
    text = TLS % ", max_version: TLS12, cipher_suites: [TLS_ECDHE_ECDSA_WITH_AES_256_GCM_SHA384]"
    server = stack.enter_context(serving(place.write(text).access_policy()))
    with secure(server, place.authority.trusted()) as connection:
        assert connection.version() == "TLSv1.2"
        assert (connection.cipher() or ("",))[0] == "ECDHE-ECDSA-AES256-GCM-SHA384"


def test_only_aead_cipher_suites_are_offered(tls: HttpServer, place: Place) -> None:
    config = parse_web_config(TLS % "", str(place.folder)).tls
    assert config is not None
    offered = make_context(config).get_ciphers()
    assert all(suite["aead"] for suite in offered)
    assert {"ECDHE-RSA-AES128-GCM-SHA256", "ECDHE-ECDSA-CHACHA20-POLY1305"} <= {suite["name"] for suite in offered}
    context = place.authority.trusted()
    context.maximum_version = ssl.TLSVersion.TLSv1_2
    assert ask(tls, context).endswith(b"GET /one")
    context.set_ciphers("ECDHE-ECDSA-AES128-SHA256:ECDHE-ECDSA-AES256-SHA:ECDHE-RSA-AES128-SHA256")
    with pytest.raises(ssl.SSLError, match="HANDSHAKE_FAILURE"):
        ask(tls, context)


def test_plain_http_on_a_tls_port_is_told_so(tls: HttpServer, place: Place) -> None:
    with plain(tls) as connection:
        connection.sendall(GET)
        answer = rest(connection)
    assert answer.startswith(b"HTTP/1.1 400 Bad Request\r\n")
    assert answer.endswith(b"\r\n\r\nThis port requires TLS; use https.\n")
    assert ask(tls, place.authority.trusted()).endswith(b"GET /one")


@pytest.mark.parametrize("data", [b"\x16\x03\x01\x00\x05hello", b"\x16" + b"\xff" * 70_000, b"\x16", b""])
def test_what_only_begins_like_tls_is_closed(tls: HttpServer, place: Place, data: bytes) -> None:
    with plain(tls) as connection:
        connection.sendall(data)
        connection.shutdown(socket.SHUT_WR)
        assert b"HTTP" not in rest(connection)
    wait_until(lambda: not tls._connections)
    assert ask(tls, place.authority.trusted()).endswith(b"GET /one")


@pytest.mark.parametrize("hello", [b"", b"\x16\x03\x01\x02\x00"], ids=["silent", "begun"])
def test_a_peer_that_does_not_end_its_handshake_is_closed_and_holds_up_nobody(
    tls: HttpServer, place: Place, monkeypatch: pytest.MonkeyPatch, hello: bytes
) -> None:
    monkeypatch.setattr(connection_module, "HANDSHAKE_TIMEOUT", 0.3)
    with plain(tls) as silent:
        silent.sendall(hello)
        wait_until(lambda: len(tls._connections) == 1)
        assert ask(tls, place.authority.trusted()).endswith(b"GET /one")
        assert rest(silent) == b""
    wait_until(lambda: not tls._connections)


Watched = tuple[HttpServer, Callable[[], list[tuple[str, str, str]]]]


@pytest.fixture
def watched(place: Place, stack: ExitStack) -> Watched:
    """A TLS server, and what of its handshakes is logged once all connections are closed."""
    access_policy = place.write(TLS % "").access_policy()
    server = stack.enter_context(serving(access_policy))

    def logged() -> list[tuple[str, str, str]]:
        wait_until(lambda: not server._connections)
        access_policy.log_failed_handshakes(place.log)
        return list(place.log.lines)

    return server, logged


@pytest.mark.parametrize(
    ("data", "error"),
    [
        (GET, "it does not speak TLS"),
        (b"\x16\x03\x01\x00\x05hello", "UNEXPECTED_MESSAGE"),
        (b"\x16\x03\x01", "UNEXPECTED_EOF_WHILE_READING"),
    ],
    ids=["plain", "nonsense", "cut off"],
)
def test_a_handshake_that_fails_is_logged_with_peer_and_reason(watched: Watched, data: bytes, error: str) -> None:
    server, logged = watched
    with plain(server) as connection:
        connection.sendall(data)
        connection.shutdown(socket.SHUT_WR)
        rest(connection)
    assert logged() == [("1 handshakes failed", "127.0.0.1", error)]


def test_a_client_that_does_not_trust_the_certificate_is_logged(watched: Watched) -> None:
    server, logged = watched
    with pytest.raises(ssl.SSLCertVerificationError):
        ask(server, ssl.create_default_context())
    assert logged() == [("1 handshakes failed", "127.0.0.1", "TLSV1_ALERT_UNKNOWN_CA")]


def test_a_handshake_that_takes_too_long_is_logged(watched: Watched, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(connection_module, "HANDSHAKE_TIMEOUT", 0.3)
    server, logged = watched
    with plain(server) as connection:
        assert rest(connection) == b""
    assert logged() == [("1 handshakes failed", "127.0.0.1", "not done within 0.3 seconds")]


def test_many_handshakes_that_fail_are_one_line_with_their_number(watched: Watched) -> None:
    server, logged = watched
    for _ in range(7):
        with plain(server) as connection:
            connection.sendall(GET)
            rest(connection)
    assert logged() == [("7 handshakes failed", "127.0.0.1", "it does not speak TLS")]
    assert len(logged()) == 1
    with plain(server) as connection:
        connection.sendall(GET)
        rest(connection)
    assert logged()[1:] == [("1 handshakes failed", "127.0.0.1", "it does not speak TLS")]


def test_neither_a_good_handshake_nor_a_probe_that_says_nothing_is_a_failure(watched: Watched, place: Place) -> None:
    server, logged = watched
    assert ask(server, place.authority.trusted()).endswith(b"GET /one")
    with plain(server) as connection:
        connection.shutdown(socket.SHUT_WR)
        assert rest(connection) == b""
    assert logged() == []


def test_silent_peers_of_a_tls_port_make_room(tls: HttpServer, place: Place, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(tls, "_limit", 2)
    with plain(tls) as first, plain(tls):
        wait_until(lambda: len(tls._connections) == 2)
        assert ask(tls, place.authority.trusted()).endswith(b"GET /one")
        assert rest(first) == b""


def test_200_peers_amid_their_handshakes_hold_up_no_probe(
    tls: HttpServer, place: Place, stack: ExitStack, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(connection_module, "HANDSHAKE_TIMEOUT", 2 * PATIENCE)
    for _ in range(200):
        stack.enter_context(plain(tls)).sendall(b"\x16\x03\x01\x02\x00")
    wait_until(lambda: len(tls._connections) == 200)
    assert ask(tls, place.authority.trusted()).endswith(b"GET /one")
    assert len(tls._connections) >= 200


@pytest.mark.parametrize("version", [ssl.TLSVersion.TLSv1_2, ssl.TLSVersion.TLSv1_3])
def test_a_peer_that_ends_its_side_of_tls_still_gets_its_answer(
    tls: HttpServer, place: Place, version: ssl.TLSVersion
) -> None:
    context = place.authority.trusted()
    context.minimum_version = context.maximum_version = version
    incoming, outgoing = ssl.MemoryBIO(), ssl.MemoryBIO()
    client = context.wrap_bio(incoming, outgoing, server_hostname="localhost")
    with plain(tls) as connection:

        def exchange(step: Callable[[], Any]) -> Any:
            """Do a step as often as it takes, with all that has to be sent and read for it."""
            while True:
                try:
                    return step()
                except ssl.SSLWantReadError:
                    connection.sendall(outgoing.read())
                    incoming.write(connection.recv(65536))

        exchange(client.do_handshake)
        # The tickets of TLS 1.3 come before the first answer; a client that has ended its side takes them for the end.
        client.write(GET)
        assert exchange(partial(client.read, 1000)).endswith(b"\r\n\r\nGET /one")
        client.write(GET)
        with pytest.raises(ssl.SSLWantReadError):
            client.unwrap()
        connection.sendall(outgoing.read())
        connection.shutdown(socket.SHUT_WR)
        incoming.write(rest(connection))
    assert client.read(1000).endswith(b"\r\n\r\nGET /one")


def test_a_peer_that_is_cut_off_within_tls_leaves_nothing_behind(tls: HttpServer, place: Place) -> None:
    with plain(tls) as below:
        connection = place.authority.trusted().wrap_socket(below, server_hostname="localhost")
        connection.sendall(b"GET /one HT")
        connection.close()
    wait_until(lambda: not tls._connections)


def test_large_headers_are_refused_over_tls(tls: HttpServer, place: Place) -> None:
    answer = ask(tls, place.authority.trusted(), b"GET / HTTP/1.1\r\nHost: x\r\nA: " + b"a" * 100_000)
    assert answer.startswith(b"HTTP/1.1 431 Request Header Fields Too Large\r\n")


def test_stopping_lets_a_large_answer_over_tls_end_that_the_peer_is_slow_to_take(
    place: Place, stack: ExitStack
) -> None:
    body = bytes(range(256)) * 4_000
    access_policy = place.write(TLS % "").access_policy()
    server = stack.enter_context(serving(access_policy, lambda _: Response(200, body), send_buffer=4096))
    connection = stack.enter_context(secure(server, place.authority.trusted(), receive_buffer=4096))
    connection.sendall(GET)
    head = connection.recv(1000)
    stopping = threading.Thread(target=server.stop)
    stopping.start()
    wait_until(lambda: all(each.ending for each in [*server._connections.values()]))
    received = head + rest(connection)
    connection.close()
    stopping.join(PATIENCE)
    assert received.endswith(b"\r\n\r\n" + body)


def test_50_scrapes_at_once_over_tls_are_all_answered_whole(place: Place, stack: ExitStack) -> None:
    body = bytes(range(256)) * 1_000
    server = stack.enter_context(serving(place.write(TLS % "").access_policy(), lambda _: Response(200, body)))
    context = place.authority.trusted()
    connections = [stack.enter_context(secure(server, context)) for _ in range(50)]
    for connection in connections:
        connection.sendall(LAST)
    assert all(rest(connection).endswith(b"\r\n\r\n" + body) for connection in connections)


def client_of(place: Place, kind: str, stack: ExitStack) -> tuple[HttpServer, Pair]:
    members = f", client_ca_file: ca.crt, client_auth_type: {kind}"
    return stack.enter_context(serving(place.write(TLS % members).access_policy())), place.authority.issue(
        "client", "prom.x"
    )


def test_only_clients_with_a_certificate_are_let_in(place: Place, stack: ExitStack, tmp_path: Path) -> None:
    server, client = client_of(place, "RequireAndVerifyClientCert", stack)
    assert ask(server, place.authority.trusted(client)).endswith(b"GET /one")
    with pytest.raises(ssl.SSLError, match="CERTIFICATE_REQUIRED"):
        ask(server, place.authority.trusted())
    (tmp_path / "other").mkdir()
    stranger = Authority.in_folder(tmp_path / "other").issue("stranger")
    with pytest.raises((ssl.SSLError, ConnectionError)):
        assert ask(server, place.authority.trusted(stranger)) == b"never"


def test_a_certificate_that_is_given_must_be_good(place: Place, stack: ExitStack, tmp_path: Path) -> None:
    server, client = client_of(place, "VerifyClientCertIfGiven", stack)
    assert ask(server, place.authority.trusted()).endswith(b"GET /one")
    assert ask(server, place.authority.trusted(client)).endswith(b"GET /one")
    (tmp_path / "other").mkdir()
    stranger = Authority.in_folder(tmp_path / "other").issue("stranger")
    with pytest.raises((ssl.SSLError, ConnectionError)):
        assert ask(server, place.authority.trusted(stranger)) == b"never"


@pytest.mark.parametrize("name", ["prom.x", "10.0.0.1", "2001:db8::1"])
def test_only_clients_with_the_right_name_are_let_in(place: Place, stack: ExitStack, name: str) -> None:
    members = ", client_ca_file: ca.crt, client_auth_type: RequireAndVerifyClientCert"
    members += ", client_allowed_sans: [prom.x, 10.0.0.1, '2001:0db8::1']"
    access_policy = place.write(TLS % members).access_policy()
    server = stack.enter_context(serving(access_policy))
    right, wrong = place.authority.issue("right", name), place.authority.issue("wrong", "prom.y")
    assert ask(server, place.authority.trusted(right)).endswith(b"GET /one")
    with pytest.raises((ssl.SSLError, ConnectionError)):
        assert ask(server, place.authority.trusted(wrong)) == b"never"
    deadline = time.monotonic() + 30
    while not place.log.lines:  # the alert is sent before the failure is counted
        access_policy.log_failed_handshakes(place.log)
        assert time.monotonic() < deadline
    assert place.log.lines == [("1 handshakes failed", "127.0.0.1", "its certificate has none of the allowed names")]


@pytest.mark.parametrize("version", [ssl.TLSVersion.TLSv1_2, ssl.TLSVersion.TLSv1_3])
def test_a_client_with_another_name_gets_an_alert(place: Place, stack: ExitStack, version: ssl.TLSVersion) -> None:
    members = ", client_ca_file: ca.crt, client_auth_type: RequireAndVerifyClientCert, client_allowed_sans: [prom.x]"
    server = stack.enter_context(serving(place.write(TLS % members).access_policy()))
    context = place.authority.trusted(place.authority.issue("wrong", "prom.y"))
    context.minimum_version = context.maximum_version = version
    with pytest.raises(ssl.SSLError, match="ALERT"):
        assert ask(server, context) == b"never"


@pytest.mark.parametrize("kept", [1, 5, 100, 1000])
def test_the_alert_is_sent_even_in_the_middle_of_a_record(place: Place, kept: int) -> None:
    """A client may send the start of its request together with the end of the handshake."""
    members = ", client_ca_file: ca.crt, client_auth_type: RequireAndVerifyClientCert"
    config = parse_web_config(TLS % members, str(place.folder)).tls
    assert config is not None
    channel = TlsChannel(make_context(config), frozenset({"prom.x"}))
    incoming, outgoing = ssl.MemoryBIO(), ssl.MemoryBIO()
    trusted = place.authority.trusted(place.authority.issue("wrong", "prom.y"))
    client = trusted.wrap_bio(incoming, outgoing, server_hostname="localhost")
    with pytest.raises(ssl.SSLWantReadError):
        client.do_handshake()
    channel.receive(outgoing.read())
    incoming.write(channel.pending())
    client.do_handshake()
    finished = outgoing.read()
    client.write(b"x" * 5000)
    client.write(b"x" * 5000)
    first_record = 5000 + 22
    with pytest.raises(ChannelError, match="none of the allowed names"):
        channel.receive(finished + outgoing.read()[: first_record + kept])
    incoming.write(channel.pending())
    with pytest.raises(ssl.SSLError, match="ALERT"):
        client.read(1)


def test_refused_logins_are_logged_with_their_number_and_without_the_login(
    place: Place, stack: ExitStack, caplog: pytest.LogCaptureFixture
) -> None:
    counted: list[None] = []
    policy = place.write(USERS).access_policy()
    server = stack.enter_context(serving(policy, login_refused=lambda: counted.append(None)))
    for login in (None, "alice:wonderland"):
        log_in(server, login)
    assert (caplog.messages, counted) == ([], [])
    for login in ("alice:hunter2", "alice:hunter2", "mallory:hunter2"):
        assert log_in(server, login).status == 401
    assert caplog.messages == ["refused logins: 1 in the last minute; last one: 127.0.0.1"]
    assert server._reception._refused_logins._count == 2
    assert len(counted) == 3


@pytest.mark.skipif(not socket.has_dualstack_ipv6(), reason="no IPv6 here")
def test_the_address_of_a_refused_login_is_written_as_its_client_writes_it(
    place: Place, stack: ExitStack, caplog: pytest.LogCaptureFixture
) -> None:
    server = stack.enter_context(serving(place.write(USERS).access_policy(), host=""))
    server.address = ("127.0.0.1", server.address[1])
    assert log_in(server, "alice:hunter2").status == 401
    assert caplog.messages == ["refused logins: 1 in the last minute; last one: 127.0.0.1"]


def test_the_password_is_asked_for_on_every_path(place: Place, stack: ExitStack) -> None:
    server = stack.enter_context(serving(place.write(USERS).access_policy()))
    for path in ("/metrics", "/-/healthy", "/-/ready", "/", "/nothing"):
        answer = log_in(server, None, path)
        assert (answer.status, answer.getheader("WWW-Authenticate")) == (401, 'Basic realm="metrics"')
        assert log_in(server, "alice:wonder", path).status == 401
        assert log_in(server, "carol:wonderland", path).status == 401
        assert log_in(server, "alice:wonderland", path).status == 200


def test_headers_of_the_file_are_on_every_answer_and_win(place: Place, stack: ExitStack) -> None:
    place.write(f"http_server_config: {{headers: {{X-Frame-Options: deny}}}}\n{USERS}")
    page = Response(200, b"", headers={"X-Frame-Options": "sameorigin", "X-Own": "1"})
    server = stack.enter_context(serving(place.access_policy(), lambda _: page))
    answer = log_in(server, "alice:wonderland")
    assert (answer.getheader("X-Frame-Options"), answer.getheader("X-Own")) == ("deny", "1")
    assert log_in(server, None).getheader("X-Frame-Options") == "deny"


class SlowChecks:
    """A bcrypt that takes as long as the test wants."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        self.go = threading.Event()
        self.at_once = self.most = self.count = 0
        self._check = bcrypt.checkpw
        monkeypatch.setattr(bcrypt, "checkpw", self)

    def __call__(self, password: bytes, hashed: bytes) -> bool:
        self.count += 1
        self.at_once += 1
        self.most = max(self.most, self.at_once)
        assert self.go.wait(PATIENCE)
        self.at_once -= 1
        return self._check(password, hashed)


def test_a_flood_of_wrong_passwords_holds_up_nobody_who_was_let_in_before(
    place: Place, stack: ExitStack, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(reception_module, "MAX_CHECKS", 10)
    server = stack.enter_context(serving(place.write(USERS).access_policy()))
    assert log_in(server, "alice:wonderland").status == 200
    checks = SlowChecks(monkeypatch)
    stack.callback(checks.go.set)
    guesses = [stack.enter_context(plain(server)) for _ in range(30)]
    for number, guess in enumerate(guesses):
        login = base64.b64encode(f"alice:{number}".encode())
        guess.sendall(b"GET / HTTP/1.0\r\nAuthorization: Basic " + login + b"\r\n\r\n")
    wait_until(lambda: server._reception._checking == 10)
    for path in ("/one", "/-/healthy"):
        assert log_in(server, "alice:wonderland", path).status == 200
        assert server._reception._checking == 10
    checks.go.set()
    statuses = sorted(rest(guess)[9:12] for guess in guesses)
    assert statuses == [b"401"] * 10 + [b"503"] * 20
    assert (checks.count, checks.most) == (10, 1)


def test_a_new_certificate_is_served_without_a_restart(tls: HttpServer, place: Place) -> None:
    access_policy: Any = tls._access_policy
    context = place.authority.trusted()
    before = serial_of(tls, context)
    with secure(tls, context) as kept:
        place.authority.issue("server")
        access_policy.reload_changed_files(place.log)
        assert serial_of(tls, context) == before, "it is not taken up before it has settled"
        access_policy.reload_changed_files(place.log)
        assert serial_of(tls, context) != before
        access_policy.reload_changed_files(place.log)
        kept.sendall(LAST)
        assert rest(kept).endswith(b"GET /one"), "a connection keeps what it began with"
    assert place.log.lines == [("reloaded", "web.yml", "")]


def test_a_bad_new_certificate_keeps_the_old_one_and_is_told_once(tls: HttpServer, place: Place) -> None:
    access_policy: Any = tls._access_policy
    context = place.authority.trusted()
    before = serial_of(tls, context)
    good = (place.folder / "server.key").read_bytes()
    place.authority.issue("other")
    (place.folder / "server.key").write_bytes((place.folder / "other.key").read_bytes())
    for _ in range(5):
        access_policy.reload_changed_files(place.log)
    assert serial_of(tls, context) == before
    (failed,) = place.log.lines
    assert failed[:2] == ("failed", "web.yml")
    assert failed[2].replace(f"{place.folder}/", "") == (
        "tls_server_config.key_file: server.key is not the key of server.crt"
    )
    (place.folder / "server.key").write_bytes(good)
    place.look_twice(access_policy)
    place.look_twice(access_policy)
    assert place.log.lines[1:] == [("reloaded", "web.yml", "")]


def test_a_file_that_is_gone_for_a_while_keeps_what_was_in_force(tls: HttpServer, place: Place) -> None:
    access_policy: Any = tls._access_policy
    place.file.rename(place.folder / "away")
    for _ in range(3):
        access_policy.reload_changed_files(place.log)
    assert place.log.lines == [("failed", "web.yml", "cannot be read: No such file or directory")]
    assert ask(tls, place.authority.trusted()).endswith(b"GET /one")
    (place.folder / "away").rename(place.file)
    place.look_twice(access_policy)
    assert place.log.lines[1:] == [("reloaded", "web.yml", "")]


def test_users_come_and_go_without_a_restart(place: Place, stack: ExitStack) -> None:
    access_policy = place.write(USERS).access_policy()
    server = stack.enter_context(serving(access_policy))
    assert log_in(server, "alice:wonderland").status == 200
    place.write(f"basic_auth_users: {{bob: {OTHER_HASH}}}\n")
    place.look_twice(access_policy)
    assert log_in(server, "alice:wonderland").status == 401
    assert log_in(server, "bob:builder").status == 200


@pytest.mark.parametrize("text", ["", "basic_auth_users: {alice: wonderland}", "tls_server_config: [", "\0"])
def test_a_bad_new_file_keeps_the_old_users_and_shows_no_password(place: Place, stack: ExitStack, text: str) -> None:
    access_policy = place.write(USERS).access_policy()
    server = stack.enter_context(serving(access_policy))
    place.write(text)
    for _ in range(4):
        access_policy.reload_changed_files(place.log)
    assert [line[0] for line in place.log.lines] == ["failed"]
    assert "wonderland" not in place.log.lines[0][2]
    assert log_in(server, None).status == 401
    assert log_in(server, "alice:wonderland").status == 200


@pytest.mark.parametrize(("before", "after"), [(TLS % "", USERS), (USERS, TLS % "")], ids=["goes", "comes"])
def test_tls_neither_comes_nor_goes_while_it_runs(place: Place, before: str, after: str) -> None:
    access_policy = place.write(before).access_policy()
    spoken = access_policy.secure
    place.write(after)
    place.look_twice(access_policy)
    expected = "tls_server_config: cannot be added or removed by a reload; restart the exporter"
    assert place.log.lines == [("failed", "web.yml", expected)]
    assert access_policy.secure is spoken


def test_a_certificate_is_no_reason_to_check_a_password_again(place: Place) -> None:
    access_policy = place.write(USERS + TLS % "").access_policy()
    login = base64.b64encode(b"alice:wonderland").decode()
    request = Request("GET", "/", {}, {"authorization": f"Basic {login}"})
    assert access_policy.check(request)
    place.authority.issue("server")
    place.look_twice(access_policy)
    assert place.log.lines == [("reloaded", "web.yml", "")]
    assert access_policy.verdict(request) is True


def test_a_file_that_is_not_there_is_told(place: Place) -> None:
    assert place.problems() == ["cannot be read: No such file or directory"]


def test_a_file_that_is_no_text_is_told(place: Place) -> None:
    place.file.write_bytes(b"\xff\xfe")
    assert place.problems() == ["is not valid UTF-8"]


def test_every_file_that_cannot_be_read_is_told_at_once(place: Place) -> None:
    place.write(
        "tls_server_config: {cert_file: a.crt, key_file: a.key, client_ca_file: '.', "
        "client_auth_type: RequireAndVerifyClientCert}"
    )
    assert [problem.replace(str(place.folder), "HERE") for problem in place.problems()] == [
        "tls_server_config.cert_file: a.crt cannot be read: No such file or directory",
        "tls_server_config.key_file: a.key cannot be read: No such file or directory",
        "tls_server_config.client_ca_file: . cannot be read: Is a directory",
    ]


def test_what_is_no_certificate_is_told(place: Place) -> None:
    (place.folder / "server.crt").write_text("no certificate")
    (place.folder / "ca.crt").write_text("no certificate")
    place.write(TLS % ", client_ca_file: ca.crt, client_auth_type: RequireAndVerifyClientCert")
    first, second = place.problems()
    assert first.startswith(
        "tls_server_config.cert_file, key_file: server.crt and server.key are no certificate and key"
    )
    assert second == "tls_server_config.client_ca_file: ca.crt holds no certificate"


def test_a_key_with_a_passphrase_is_told_and_asks_nobody_for_it(place: Place) -> None:
    key = place.folder / "server.key"
    openssl = ("openssl", "pkey", "-in", key, "-aes256", "-passout", "pass:secret", "-out", place.folder / "locked")
    subprocess.run(openssl, check=True, capture_output=True)
    (place.folder / "locked").replace(key)
    place.write(TLS % "")
    assert place.problems() == [
        "tls_server_config.key_file: server.key is encrypted; the exporter needs it without a passphrase"
    ]


def test_nothing_is_read_again_while_nothing_changes(place: Place, monkeypatch: pytest.MonkeyPatch) -> None:
    access_policy = place.write(TLS % "").access_policy()
    monkeypatch.setattr(access_policy, "read", partial(pytest.fail, "read again"))
    for _ in range(3):
        access_policy.reload_changed_files(place.log)
    assert place.log.lines == []
