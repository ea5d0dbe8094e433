"""STS over real HTTP: moto's, in a process of its own, behind a gate that tests can read, close and spoil."""

import http.client
import os
import re
import subprocess
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any
from urllib.parse import parse_qsl, urlsplit

_RUNNING = re.compile(r"Running on (http://\S+)")
_CREDENTIAL = re.compile(r"Credential=([^/]+)/[^/]+/([^/]+)/sts/")
_ACCESS_KEY = re.compile(r"<AccessKeyId>([^<]+)<")
_EXPIRATION = re.compile(r"(?<=<Expiration>)[^<]+")


@dataclass(frozen=True)
class Asked:
    """One request to STS.

    Attributes:
        action: AssumeRole or GetCallerIdentity.
        key: the access key id that signed it.
        region: the Region that it was signed for.
        fields: the rest of the form.
    """

    action: str
    key: str
    region: str
    fields: dict[str, str]


@dataclass
class Sts:
    """STS as tests see it.

    Attributes:
        url: the value for ``AWS_ENDPOINT_URL_STS``.
        asked: every request so far.
        accounts: the account of each access key that was given out, as the simulator's ``World`` takes it.
        answer: what is said in place of moto's answer: status and body.
        about: the role or the action that is answered so; without it whatever is asked.
        lifetime: how long credentials live, seconds, in place of an hour.
    """

    url: str
    _server: "_Listener"
    asked: list[Asked] = field(default_factory=list)
    accounts: dict[str, str] = field(default_factory=dict)
    answer: tuple[int, bytes] | None = None
    about: str | None = None
    lifetime: float | None = None

    def open(self) -> None:
        """Take connections from now on."""
        self._server.begin()

    def refuse(self, code: str, message: str, status: int = 403, about: str | None = None) -> None:
        """Answer with an error from now on."""
        error = f"<Error><Type>Sender</Type><Code>{code}</Code><Message>{message}</Message></Error>"
        body = f'<ErrorResponse xmlns="https://sts.amazonaws.com/doc/2011-06-15/">{error}</ErrorResponse>'
        self.about, self.answer = about, (status, body.encode())

    def deny(self, role: str) -> None:
        """Let nobody assume a role."""
        self.refuse("AccessDenied", self.denial(role), about=role)

    @staticmethod
    def denial(role: str) -> str:
        """Write what AWS says to one who may not assume a role."""
        user = "arn:aws:iam::123456789012:user/exporter"
        return f"User: {user} is not authorized to perform: sts:AssumeRole on resource: {role}"

    def recover(self) -> None:
        """Answer as moto does from now on."""
        self.answer = None

    def assumed(self, role: str | None = None) -> list[Asked]:
        """Pick the requests for a role, or for any."""
        asked = [one for one in self.asked if one.action == "AssumeRole"]
        return [one for one in asked if role in (None, one.fields["RoleArn"])]


@contextmanager
def moto_server() -> Iterator[str]:
    """Run moto in a process of its own; give its URL."""
    with subprocess.Popen(
        [sys.executable, "-m", "moto.server", "-H", "127.0.0.1", "-p", "0"],
        env={name: value for name, value in os.environ.items() if not name.startswith(("AWS_", "COV"))},
        stdin=subprocess.DEVNULL,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.PIPE,
        text=True,
    ) as process:
        assert process.stderr is not None
        # Nobody wants the rest of what it says, but a full pipe would stop it.
        reader = threading.Thread(target=process.stderr.read)
        try:
            said = iter(process.stderr.readline, "")
            running = next((match for line in said if (match := _RUNNING.search(line))), None)
            assert running is not None, "moto did not start"
            reader.start()
            yield running[1]
        finally:
            process.kill()
            if reader.ident is not None:
                reader.join()


@contextmanager
def sts_before(moto: str, *, closed: bool = False) -> Iterator[Sts]:
    """Serve STS before the moto of that URL; a closed one refuses connections until it is opened."""

    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def do_POST(self) -> None:
            body = self.rfile.read(int(self.headers["Content-Length"]))
            asked = _asked(body, self.headers.get("Authorization", ""))
            sts.asked.append(asked)
            refusal = sts.answer if sts.about in {None, asked.action, asked.fields.get("RoleArn")} else None
            status, answer = refusal or _granted(sts, asked, *_forwarded(moto, body, dict(self.headers)))
            self.send_response(status)
            self.send_header("Content-Type", "text/xml")
            self.send_header("Content-Length", str(len(answer)))
            self.end_headers()
            self.wfile.write(answer)

        def log_message(self, *_: Any) -> None:
            pass

    with _Listener(("127.0.0.1", 0), Handler, bind_and_activate=False) as server:
        server.server_bind()
        sts = Sts(f"http://127.0.0.1:{server.server_port}", server)
        if not closed:
            sts.open()
        try:
            yield sts
        finally:
            server.end()


class _Listener(ThreadingHTTPServer):
    # Clients may keep their connections, so nobody waits for the ends of these.
    daemon_threads = True
    block_on_close = False
    _thread: threading.Thread | None = None

    def begin(self) -> None:
        self.server_activate()
        self._thread = threading.Thread(target=self.serve_forever, args=(0.02,))
        self._thread.start()

    def end(self) -> None:
        if self._thread is not None:
            self.shutdown()
            self._thread.join()


def _asked(body: bytes, authorization: str) -> Asked:
    fields = dict(parse_qsl(body.decode()))
    credential = _CREDENTIAL.search(authorization)
    assert credential is not None, authorization
    return Asked(fields.pop("Action"), credential[1], credential[2], fields)


def _forwarded(moto: str, body: bytes, headers: dict[str, str]) -> tuple[int, bytes]:
    connection = http.client.HTTPConnection(urlsplit(moto).netloc, timeout=30)
    try:
        connection.request("POST", "/", body, headers)
        answer = connection.getresponse()
        return answer.status, answer.read()
    finally:
        connection.close()


def _granted(sts: Sts, asked: Asked, status: int, answer: bytes) -> tuple[int, bytes]:
    text = answer.decode()
    if asked.action == "AssumeRole" and (key := _ACCESS_KEY.search(text)):
        sts.accounts[key[1]] = asked.fields["RoleArn"].split(":")[4]
    if sts.lifetime is not None:
        end = datetime.now(UTC) + timedelta(seconds=sts.lifetime)
        text = _EXPIRATION.sub(end.isoformat(timespec="seconds").replace("+00:00", "Z"), text)
    return status, text.encode()
