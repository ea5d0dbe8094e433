"""What the simulator's tests share: a clock, a running simulator with real clients, and raw HTTP."""

import http.client
import json
import socket
from collections.abc import Iterable, Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from functools import cache
from typing import Any
from urllib.parse import quote, urlsplit

import boto3
from botocore.config import Config

from exporter.simulator import Fault, Job, SimulatorServer, World, job_arn

# 2025-06-15T15:06:40Z
START = 1_750_000_000.0
ARN = job_arn("11111111-1111-4111-8111-111111111111")
ALL = json.dumps({"filters": []}).encode()


@dataclass
class Clock:
    now: float = START

    def __call__(self) -> float:
        return self.now


@dataclass(frozen=True)
class Response:
    status: int
    headers: dict[str, str]
    body: bytes

    @property
    def json(self) -> Any:
        return json.loads(self.body)


@dataclass
class Simulator:
    server: SimulatorServer
    clock: Clock
    closing: ExitStack

    def client(self, region: str = "us-east-1", key: str = "AKIDEXAMPLE", read_timeout: float = 10.0) -> Any:
        client = _session().client(
            "braket",
            region_name=region,
            endpoint_url=self.server.url,
            aws_access_key_id=key,
            aws_secret_access_key="secret",
            config=Config(retries={"total_max_attempts": 1}, read_timeout=read_timeout),
        )
        self.closing.callback(client.close)
        return client

    def http(self, method: str, target: str, body: bytes = b"", authorization: str | None = None) -> Response:
        parts = urlsplit(self.server.url)
        connection = http.client.HTTPConnection(str(parts.hostname), parts.port, timeout=10)
        try:
            signed = signature() if authorization is None else authorization
            connection.request(method, target, body, {"Authorization": signed})
            answer = connection.getresponse()
            return Response(answer.status, dict(answer.getheaders()), answer.read())
        finally:
            connection.close()

    def get_job(self, arn: str = ARN, query: str = "", region: str = "us-east-1") -> Response:
        return self.http("GET", job_path(arn) + query, authorization=signature(region))

    def search(self, document: object, region: str = "us-east-1") -> Response:
        return self.http("POST", "/jobs", json.dumps(document).encode(), signature(region))

    def connect(self) -> socket.socket:
        parts = urlsplit(self.server.url)
        return socket.create_connection((str(parts.hostname), parts.port or 0), timeout=10)


@contextmanager
def simulator(
    *jobs: Job, world: World | None = None, faults: Iterable[Fault] = (), keep_requests: bool = True
) -> Iterator[Simulator]:
    clock = Clock()
    there = World(jobs) if world is None else world
    server = SimulatorServer(there, clock=clock, faults=faults, keep_requests=keep_requests)
    with ExitStack() as closing, server:
        yield Simulator(server, clock, closing)


def job_path(arn: str = ARN) -> str:
    return "/job/" + quote(arn, safe="")


def signature(region: str = "us-east-1", key: str = "AKIDEXAMPLE") -> str:
    scope = f"{key}/20250101/{region}/braket/aws4_request"
    return f"AWS4-HMAC-SHA256 Credential={scope}, SignedHeaders=host, Signature=00"


def raw_get(arn: str = ARN) -> bytes:
    head = f"GET {job_path(arn)} HTTP/1.1\r\nHost: simulator\r\nAuthorization: {signature()}\r\n\r\n"
    return head.encode()


@cache
def _session() -> Any:
    return boto3.session.Session()
