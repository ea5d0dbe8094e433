"""An endpoint that says anything: exact bytes, slowly if wanted, in place of Braket or STS."""

import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

from exporter.aws.client import BraketClient
from exporter.aws.event_queue import EventQueueClient
from exporter.aws.service_calls import ServiceCalls


@dataclass(frozen=True)
class Saying:
    """What is said to a request: status, headers, body; or whatever ``write`` writes to the socket in their place."""

    body: bytes = b"{}"
    status: int = 200
    headers: dict[str, str] = field(default_factory=dict)
    write: Callable[[Callable[[bytes], object]], None] | None = None


@dataclass
class Odd:
    """The endpoint.

    Attributes:
        url: where it is.
        heard: the operation of every request so far.
        asked: the headers of every request so far.
        over: set at the end; whatever is slow gives up then.
    """

    url: str = ""
    heard: list[str] = field(default_factory=list)
    asked: list[dict[str, str]] = field(default_factory=list)
    over: threading.Event = field(default_factory=threading.Event)
    _sayings: dict[str, Saying] = field(default_factory=dict)

    def says(
        self,
        body: bytes = b"{}",
        *,
        status: int = 200,
        headers: dict[str, str] | None = None,
        write: Callable[[Callable[[bytes], object]], None] | None = None,
        operation: str = "",
    ) -> None:
        """Say this from now on, to one operation or to every other one."""
        self._sayings[operation] = Saying(body, status, headers or {}, write)

    def to(self, operation: str) -> Saying:
        return self._sayings.get(operation) or self._sayings.get("", Saying())

    def drips(self, data: bytes, every: float = 0.05) -> Callable[[Callable[[bytes], object]], None]:
        """Make a writer of a byte now and then, and never of the last one."""

        def write(send: Callable[[bytes], object]) -> None:
            for byte in data:
                send(bytes([byte]))
                if self.over.wait(every):
                    return
            self.over.wait(60)

        return write

    def hangs(self, _: Callable[[bytes], object]) -> None:
        """Write nothing, ever."""
        self.over.wait(60)


@contextmanager
def odd_endpoint() -> Iterator[Odd]:
    odd = Odd()

    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"
        disable_nagle_algorithm = True  # a body that follows its headers does not wait

        def do_POST(self) -> None:
            body = self.rfile.read(int(self.headers.get("Content-Length") or 0))
            operation = _operation(self.command, body, self.headers.get("X-Amz-Target", ""))
            odd.heard.append(operation)
            odd.asked.append(dict(self.headers))
            saying = odd.to(operation)
            with suppress(OSError):
                if saying.write is not None:
                    saying.write(self._send)
                    self.close_connection = True
                    return
                self.send_response(saying.status)
                for name, value in {"Content-Length": str(len(saying.body)), **saying.headers}.items():
                    self.send_header(name, value)
                self.end_headers()
                self.wfile.write(saying.body)

        def do_GET(self) -> None:
            self.do_POST()

        def _send(self, data: bytes) -> None:
            self.wfile.write(data)
            self.wfile.flush()

        def log_message(self, *_: object) -> None:
            pass

    class Server(ThreadingHTTPServer):
        daemon_threads = True
        block_on_close = False

    with Server(("127.0.0.1", 0), Handler) as server:
        odd.url = f"http://127.0.0.1:{server.server_port}"
        thread = threading.Thread(target=server.serve_forever, args=(0.005,))
        thread.start()
        try:
            yield odd
        finally:
            odd.over.set()
            server.shutdown()
            thread.join()


def _operation(method: str, body: bytes, target: str) -> str:
    if target:
        return target.rpartition(".")[2]
    if b"Action=" in body:
        return body.partition(b"Action=")[2].partition(b"&")[0].decode()
    return "GetJob" if method == "GET" else "SearchJobs"


@contextmanager
def deadline_of(client: BraketClient | EventQueueClient, seconds: float) -> Iterator[None]:
    """Shorten the deadline of a client's calls for a while: only a call that must fail may be short of time."""
    deadlines = [calls._deadline for calls in vars(client).values() if isinstance(calls, ServiceCalls)]
    usual = [deadline.seconds for deadline in deadlines]
    for deadline in deadlines:
        deadline.seconds = seconds
    try:
        yield
    finally:
        for deadline, before in zip(deadlines, usual, strict=True):
            deadline.seconds = before
