"""The HTTP server: threads, sockets, and the faults that only a socket can have."""

import socket
import struct
import sys
from collections.abc import Callable, Iterable
from contextlib import suppress
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from itertools import count
from socketserver import TCPServer
from threading import Lock, Thread
from types import TracebackType
from typing import Any, Self

from exporter.simulator.endpoint import Endpoint, Outcome, RequestRecord
from exporter.simulator.faults import Fault, FaultBoard, FaultKind
from exporter.simulator.service import Request
from exporter.simulator.wire import encoded, error_reply
from exporter.simulator.world import World

# How long a shutdown may go unnoticed by the loop that accepts connections.
_POLL_SECONDS = 0.02
# SO_LINGER on, for no time at all: closing then sends a RST.
_NO_LINGER = struct.pack("ii", 1, 0)


class SimulatorServer:
    """An embedded Braket endpoint on a loopback socket; a context manager that serves while it is entered.

    Args:
        world: The jobs.
        clock: Unix seconds; every answer, duration and rate follows it.
        faults: What goes wrong from the start.
        address: Host and port to listen on; port 0 takes a free one.
        keep_requests: Whether `requests` grows; a process that runs for weeks only counts.
    """

    def __init__(
        self,
        world: World,
        *,
        clock: Callable[[], float],
        faults: Iterable[Fault] = (),
        address: tuple[str, int] = ("127.0.0.1", 0),
        keep_requests: bool = True,
    ) -> None:
        self._endpoint = Endpoint(world, clock, keep_requests=keep_requests)
        self._endpoint.faults.put(*faults)
        world.advance(clock())  # events are those of later changes
        self._listener = _Listener(address, self._endpoint)
        self._thread = Thread(target=self._listener.serve_forever, args=(_POLL_SECONDS,), name="simulator")

    @property
    def url(self) -> str:
        """Where it listens; the value for AWS_ENDPOINT_URL_BRAKET, AWS_ENDPOINT_URL_STS and AWS_ENDPOINT_URL_SQS."""
        host, port = self._listener.socket.getsockname()
        return f"http://{host}:{port}"

    def queue_url(self, name: str = "braket-events") -> str:
        """The URL of a queue of the world."""
        return next(self.url + path for path, queue in self.world.queues.items() if queue.name == name)

    @property
    def world(self) -> World:
        """The jobs, which may be changed while it serves."""
        return self._endpoint.world

    @property
    def faults(self) -> FaultBoard:
        """The faults in place, which may be changed while it serves."""
        return self._endpoint.faults

    @property
    def requests(self) -> list[RequestRecord]:
        """Every request so far, apart from control requests, in the order they came."""
        return self._endpoint.requests

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self._listener.shutdown()
        self._listener.disconnect()
        self._listener.server_close()
        self._thread.join()


class _Listener(ThreadingHTTPServer):
    """A server that knows its connections, so that it can end those that wait for something."""

    # Threads are joined by server_close; they end because their connections are cut.
    daemon_threads = False
    request_queue_size = 128

    def __init__(self, address: tuple[str, int], endpoint: Endpoint) -> None:
        self.endpoint = endpoint
        self.request_numbers = count(1)
        self._connections: set[socket.socket] = set()
        self._connecting = Lock()
        super().__init__(address, _Handler)

    def server_bind(self) -> None:
        # http.server would look the host's name up here, which can take seconds and is used by nobody.
        TCPServer.server_bind(self)

    def process_request(self, request: Any, client_address: Any) -> None:  # noqa: ANN401 - as typeshed has it
        with self._connecting:
            self._connections.add(request)
        super().process_request(request, client_address)

    def shutdown_request(self, request: Any) -> None:  # noqa: ANN401 - as typeshed has it
        with self._connecting:
            self._connections.discard(request)
        super().shutdown_request(request)

    def handle_error(self, request: Any, client_address: Any) -> None:  # noqa: ANN401 - as typeshed has it
        # A client that goes away is no news; anything else is a bug and shows.
        if not isinstance(sys.exception(), ConnectionError):
            super().handle_error(request, client_address)

    def disconnect(self) -> None:
        """Close every connection, including those that hang or are delayed."""
        self.endpoint.closing.set()
        with self._connecting:
            for connection in self._connections:
                # Its client, or a reset on purpose, may have been faster.
                with suppress(OSError):
                    connection.shutdown(socket.SHUT_RDWR)


class _Handler(BaseHTTPRequestHandler):
    """One connection, which may carry many requests."""

    server: _Listener
    protocol_version = "HTTP/1.1"
    disable_nagle_algorithm = True

    def do_GET(self) -> None:
        self._serve()

    def do_POST(self) -> None:
        self._serve()

    def do_DELETE(self) -> None:
        self._serve()

    def do_PUT(self) -> None:
        self._serve()

    def do_PATCH(self) -> None:
        self._serve()

    def do_HEAD(self) -> None:
        self._serve()

    def do_OPTIONS(self) -> None:
        self._serve()

    def send_error(self, code: int, message: str | None = None, explain: str | None = None) -> None:  # noqa: ARG002
        """Send JSON where Python's server sends HTML: for a method or a request line that it does not accept."""
        self.close_connection = True
        self._send(Outcome(error_reply(code, "UnknownOperationException", message or "The request is not valid HTTP")))

    def log_message(self, format: str, *args: object) -> None:  # noqa: A002 - the name is inherited
        """There is no access log."""

    def _serve(self) -> None:
        body = self.rfile.read(int(self.headers.get("Content-Length", 0)))
        authorization = self.headers.get("Authorization", "")
        amz_target = self.headers.get("X-Amz-Target", "")
        request = Request(self.command, self.path, authorization, body, amz_target)
        outcome = self.server.endpoint.respond(request, self._is_gone)
        match outcome.fault:
            case Fault(kind=FaultKind.HANG):
                self._hang()
            case Fault(kind=FaultKind.RESET):
                self._reset()
            case Fault(kind=FaultKind.DELAY, delay=seconds):
                self._send_late(outcome, seconds)
            case _:
                self._send(outcome)

    def _is_gone(self) -> bool:
        """Whether the client has closed the connection."""
        try:
            return not self.connection.recv(1, socket.MSG_PEEK | socket.MSG_DONTWAIT)
        except BlockingIOError:
            return False
        except OSError:
            return True

    def _send(self, outcome: Outcome) -> None:
        request_id = f"00000000-0000-4000-8000-{next(self.server.request_numbers):012x}"
        self.wfile.write(encoded(outcome.reply, request_id, head_only=self.command == "HEAD"))
        if outcome.reply.declared_length is not None:
            self.close_connection = True

    def _send_late(self, outcome: Outcome, seconds: float) -> None:
        if self.server.endpoint.closing.wait(seconds):
            self.close_connection = True
        else:
            self._send(outcome)

    def _hang(self) -> None:
        """Send no response until the client closes the connection or the server stops."""
        self.close_connection = True
        while self.connection.recv(4096):
            pass

    def _reset(self) -> None:
        self.close_connection = True
        self.connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, _NO_LINGER)
        # The socket is only really closed, and the RST sent, when nothing reads from it any more.
        self.rfile.close()
        self.connection.close()
