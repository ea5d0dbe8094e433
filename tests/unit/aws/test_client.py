"""The boundary: real boto3 over real HTTP, to an endpoint that behaves in every bad way."""

import json
import socket
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from decimal import Decimal
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

import pytest
from processes import GARNET, LONG_AGO, closed_port, iso, wire_event, wire_job

import exporter.aws.sdk_session
from exporter.aws.client import BraketClient
from exporter.aws.sessions import CredentialsSession
from exporter.core import (
    BraketError,
    CredentialsRef,
    DeniedError,
    DeviceKey,
    EventKey,
    JobEvent,
    JobSnapshot,
    MalformedError,
    NotFoundError,
    QueueSize,
    RejectedError,
    SpendingLimit,
    Target,
    ThrottledError,
    UnauthenticatedError,
    UnavailableError,
)
from exporter.simulator import (
    DeviceState,
    Fault,
    FaultKind,
    ScriptedJob,
    SimulatedDevice,
    SimulatedLimit,
    SimulatorServer,
    World,
    limit_arn,
)

REGION = "eu-north-1"
TARGET = Target("123456789012", REGION)
ARN = f"arn:aws:braket:{REGION}:123456789012:job/5d3c7bb0-6f0f-4d3c-9c55-5a2b1f1c0f01"
QUEUE_INFO = "additionalAttributeNames=QueueInfo"
GOOD = wire_job(ARN, "RUNNING", startedAt=iso(LONG_AGO + 40))


@dataclass
class Boundary:
    """A client, what it counted, and how to make more of them."""

    url: str
    monkeypatch: pytest.MonkeyPatch
    counts: list[tuple[Target, str, str]] = field(default_factory=list)
    seconds: list[float] = field(default_factory=list)

    def count(self, target: Target, operation: str, code: str, seconds: float) -> None:
        self.counts.append((target, operation, code))
        self.seconds.append(seconds)

    def client(self, target: Target = TARGET, tags: frozenset[str] = frozenset()) -> BraketClient:
        self.monkeypatch.setenv("AWS_ENDPOINT_URL_BRAKET", self.url)
        return BraketClient(CredentialsSession(CredentialsRef()), target, self.count, tags)

    def error(self) -> BraketError:
        with pytest.raises(BraketError) as caught:
            self.client().get_job(ARN)
        return caught.value


class Simulated(Boundary):
    server: SimulatorServer


@pytest.fixture
def braket(monkeypatch: pytest.MonkeyPatch) -> Iterator[Callable[..., Simulated]]:
    with ExitStack() as servers:

        def start(response: Any = GOOD, *faults: Fault, accounts: dict[str, str] | None = None) -> Simulated:
            world = World([ScriptedJob(ARN, LONG_AGO, lambda _: response)], accounts=accounts)
            server = servers.enter_context(SimulatorServer(world, clock=time.time, faults=faults))
            boundary = Simulated(server.url, monkeypatch)
            boundary.server = server
            return boundary

        yield start


@dataclass
class Raw:
    """An endpoint that answers with exactly these bytes and headers, and remembers what it was asked."""

    url: str = ""
    status: int = 200
    headers: dict[str, str] = field(default_factory=dict)
    body: bytes = b"{}"
    targets: list[str] = field(default_factory=list)
    requested: list[dict[str, str]] = field(default_factory=list)


@contextmanager
def raw_server() -> Iterator[Raw]:
    raw = Raw()

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            raw.targets.append(self.path)
            raw.requested.append(dict(self.headers))
            self.send_response(raw.status)
            for name, value in {"Content-Length": str(len(raw.body)), **raw.headers}.items():
                self.send_header(name, value)
            self.end_headers()
            self.wfile.write(raw.body)

        def log_message(self, *_: object) -> None:
            pass

    with ThreadingHTTPServer(("127.0.0.1", 0), Handler) as server:
        raw.url = f"http://127.0.0.1:{server.server_port}"
        thread = threading.Thread(target=server.serve_forever, args=(0.005,))
        thread.start()
        try:
            yield raw
        finally:
            server.shutdown()
            thread.join()


@pytest.fixture
def raw() -> Iterator[Raw]:
    with raw_server() as endpoint:
        yield endpoint


def test_a_good_answer_becomes_a_snapshot(braket: Callable[..., Simulated]) -> None:
    boundary = braket(
        wire_job(
            ARN,
            "FAILED",
            startedAt=iso(LONG_AGO + 42.8),
            endedAt=iso(LONG_AGO + 122.154),
            billableDuration=80000,
            deviceConfig={"device": GARNET},
            instanceConfig={"instanceType": "ml.m5.4xlarge", "instanceCount": 2, "volumeSizeInGb": 30},
            failureReason="AlgorithmError: exit code: 1",
            events=[wire_event("FAILED", LONG_AGO + 122.154, "The job failed.")],
            queueInfo={"queue": "JOBS_QUEUE", "position": ">15"},
            tags={"team": "chemistry", "owner": "amara"},
        )
    )
    assert boundary.client(tags=frozenset({"team"})).get_job(ARN) == JobSnapshot(
        arn=ARN,
        name="vqe-h2",
        status="FAILED",
        account="123456789012",
        region="eu-north-1",
        device="arn:aws:braket:eu-north-1::device/qpu/iqm/Garnet",
        instance_type="ml.m5.4xlarge",
        instance_count=2,
        max_runtime_seconds=3600,
        created=1750000000.0,
        started=1750000042.8,
        ended=1750000122.154,
        billable_seconds=80.0,
        queue_position=15,
        queue_position_is_floor=True,
        failure_reason="AlgorithmError: exit code: 1",
        events=(JobEvent(EventKey("FAILED", 1750000122.154), "The job failed."),),
        tags=(("team", "chemistry"),),
        queue="JOBS_QUEUE",
    )
    assert boundary.counts == [(Target("123456789012", "eu-north-1"), "GetJob", "ok")]
    assert 0 < boundary.seconds[0] < 10


def test_members_that_are_absent_stay_absent(braket: Callable[..., Simulated]) -> None:
    boundary = braket({"jobArn": ARN, "status": "QUEUED"})
    assert boundary.client().get_job(ARN) == JobSnapshot(
        arn=ARN, name="", status="QUEUED", account="123456789012", region="eu-north-1"
    )


def test_the_request_asks_for_the_queue_with_an_encoded_arn(raw: Raw, monkeypatch: pytest.MonkeyPatch) -> None:
    raw.body = json.dumps(GOOD).encode()
    Boundary(raw.url, monkeypatch).client().get_job(ARN)
    encoded = "arn%3Aaws%3Abraket%3Aeu-north-1%3A123456789012%3Ajob%2F5d3c7bb0-6f0f-4d3c-9c55-5a2b1f1c0f01"
    assert raw.targets == [f"/job/{encoded}?{QUEUE_INFO}"]
    assert "/eu-north-1/braket/aws4_request" in raw.requested[0]["Authorization"]
    assert "braket-exporter/" in raw.requested[0]["User-Agent"]


@pytest.mark.parametrize("name", ["old-style-name", "a.b_c", ".."])
def test_any_job_id_survives_the_url(name: str, raw: Raw, monkeypatch: pytest.MonkeyPatch) -> None:
    arn = f"arn:aws:braket:{REGION}:123456789012:job/{name}"
    raw.body = json.dumps(wire_job(arn, "RUNNING")).encode()
    assert Boundary(raw.url, monkeypatch).client().get_job(arn).arn == arn
    assert raw.targets == [f"/job/arn%3Aaws%3Abraket%3Aeu-north-1%3A123456789012%3Ajob%2F{name}?{QUEUE_INFO}"]


@pytest.mark.parametrize("region", ["us-east-1", "eu-west-2"])
def test_the_signature_is_for_the_region_of_the_job(
    region: str, braket: Callable[..., Simulated], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("AWS_DEFAULT_REGION", "us-west-1")
    boundary = braket()
    arn = ARN.replace(REGION, region)
    boundary.server.world.put(ScriptedJob(arn, LONG_AGO, lambda _: wire_job(arn, "QUEUED")))
    target = Target("123456789012", region)
    assert boundary.client(target).get_job(arn).region == region
    (request,) = boundary.server.requests
    assert (request.operation, request.arn, request.region, request.access_key_id) == (
        "GetJob",
        arn,
        region,
        "AKIDEXAMPLE",
    )
    assert boundary.counts == [(target, "GetJob", "ok")]


@pytest.mark.parametrize(
    ("fault", "kind", "code"),
    [
        (Fault(FaultKind.THROTTLE), ThrottledError, "ThrottlingException"),
        (Fault(FaultKind.GATEWAY, status=429), ThrottledError, "other"),
        (Fault(FaultKind.INTERNAL_ERROR), UnavailableError, "InternalServiceException"),
        (Fault(FaultKind.GATEWAY, status=502), UnavailableError, "other"),
        (Fault(FaultKind.GATEWAY, status=503), UnavailableError, "other"),
        (Fault(FaultKind.ACCESS_DENIED), DeniedError, "AccessDeniedException"),
        (Fault(FaultKind.GATEWAY, status=403), UnavailableError, "other"),
        (Fault(FaultKind.EXPIRED_TOKEN), UnauthenticatedError, "ExpiredTokenException"),
        (Fault(FaultKind.GATEWAY, status=401), UnauthenticatedError, "other"),
        (Fault(FaultKind.NOT_FOUND), NotFoundError, "ResourceNotFoundException"),
        (Fault(FaultKind.GATEWAY, status=404), UnavailableError, "other"),
        (Fault(FaultKind.GATEWAY, status=400), UnavailableError, "other"),
        (Fault(FaultKind.RESET), UnavailableError, "connection"),
        (Fault(FaultKind.HANG), UnavailableError, "timeout"),
        (Fault(FaultKind.DELAY, delay=60.0), UnavailableError, "timeout"),
        (Fault(FaultKind.TRUNCATED_JSON), UnavailableError, "malformed"),
        (Fault(FaultKind.CUT_BODY), UnavailableError, "malformed"),
        (Fault(FaultKind.EMPTY_BODY), UnavailableError, "malformed"),
        (Fault(FaultKind.GATEWAY, status=200), UnavailableError, "malformed"),
    ],
    ids=lambda value: f"{value.kind}-{value.status}" if isinstance(value, Fault) else "",
)
def test_each_fault_has_its_error_and_is_one_attempt(
    fault: Fault,
    kind: type[BraketError],
    code: str,
    braket: Callable[..., Simulated],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(exporter.aws.sdk_session, "READ_TIMEOUT", 0.1)
    boundary = braket(GOOD, fault)
    error = boundary.error()
    assert type(error) is kind
    assert error.code == code
    assert str(error)
    assert "\n" not in str(error)
    assert boundary.counts == [(TARGET, "GetJob", code)]
    assert len(boundary.server.requests) == 1


@pytest.mark.parametrize("mode", ["legacy", "standard"])
def test_the_sdk_never_retries_whatever_its_settings(
    mode: str, braket: Callable[..., Simulated], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("AWS_RETRY_MODE", mode)
    monkeypatch.setenv("AWS_MAX_ATTEMPTS", "5")
    boundary = braket()
    client = boundary.client()
    for kind in (FaultKind.THROTTLE, FaultKind.INTERNAL_ERROR, FaultKind.RESET):
        boundary.server.faults.put(Fault(kind, times=1))
        with pytest.raises(BraketError):
            client.get_job(ARN)
    assert client.get_job(ARN).status == "RUNNING"
    assert len(boundary.server.requests) == 4
    assert [code for _, _, code in boundary.counts] == [
        "ThrottlingException",
        "InternalServiceException",
        "connection",
        "ok",
    ]


@pytest.mark.parametrize(
    "members",
    [{"status": None}, {"status": ""}, {"status": 5}, {"status": ["RUNNING"]}, {"jobArn": ARN[:-1] + "2"}],
    ids=json.dumps,
)
def test_a_response_without_a_status_or_for_another_job_is_malformed(
    members: dict[str, Any], braket: Callable[..., Simulated]
) -> None:
    boundary = braket({**GOOD, **members})
    error = boundary.error()
    assert (type(error), error.code) == (MalformedError, "malformed")
    assert boundary.counts == [(TARGET, "GetJob", "malformed")]


@pytest.mark.parametrize(
    "members",
    [
        {"events": "none"},
        {"events": ["RUNNING"]},
        {"events": [{"eventType": 5, "timeOfEvent": "yesterday"}]},
        {"createdAt": "yesterday"},
        {"createdAt": 1e300},
        {"endedAt": float("inf")},
        {"jobName": {"a": "b"}},
        {"billableDuration": float("nan")},
        {"instanceConfig": "ml.m5.large"},
        {"stoppingCondition": []},
        {"queueInfo": "first"},
        {"deviceConfig": {"device": None, "x": 1}, "tags": ["team"]},
        {"failureReason": ["AlgorithmError"]},
    ],
    ids=json.dumps,
)
def test_a_member_of_another_shape_does_not_make_a_response_malformed(
    members: dict[str, Any], braket: Callable[..., Simulated]
) -> None:
    boundary = braket({**GOOD, **members})
    assert boundary.client().get_job(ARN).status == "RUNNING"
    assert boundary.counts == [(TARGET, "GetJob", "ok")]


@pytest.mark.parametrize(
    "body",
    [b"[]", b"null", b"5", b'"text"', b"\xff\xfe", b"[" * 100_000, b'{"a":' * 100_000, b"{}", b"9" * 5000],
    ids=lambda body: repr(body[:8]),
)
def test_a_body_that_is_no_job_is_not_the_jobs_fault(body: bytes, raw: Raw, monkeypatch: pytest.MonkeyPatch) -> None:
    raw.body = body
    boundary = Boundary(raw.url, monkeypatch)
    error = boundary.error()
    assert (type(error), error.code) == (UnavailableError, "malformed")
    assert boundary.counts == [(TARGET, "GetJob", "malformed")]


def test_an_error_with_an_unreadable_body_is_an_error_of_ours(raw: Raw, monkeypatch: pytest.MonkeyPatch) -> None:
    raw.status, raw.body = 500, b"[" * 100_000
    boundary = Boundary(raw.url, monkeypatch)
    assert isinstance(boundary.error(), BraketError)
    assert len(boundary.counts) == 1


@pytest.mark.parametrize("error_type", ["ValidationException", "ValidationException:http://internal.amazon.com/coral/"])
def test_a_request_that_braket_calls_invalid_is_rejected(
    error_type: str, raw: Raw, monkeypatch: pytest.MonkeyPatch
) -> None:
    raw.status, raw.body = 400, json.dumps({"code": error_type, "message": "no"}).encode()
    boundary = Boundary(raw.url, monkeypatch)
    error = boundary.error()
    assert (type(error), error.code) == (RejectedError, "ValidationException")
    assert str(error).endswith("returned ValidationException (HTTP 400)")
    assert boundary.counts == [(TARGET, "GetJob", "ValidationException")]


@pytest.mark.parametrize(
    ("error_type", "shown"),
    [
        ("QuantumException", "HTTP 400 and QuantumException"),
        ('Evil"}\n{x="y', "HTTP 400"),
        ("A" * 300, "HTTP 400"),
        ("wJalrXUtnFEMIK7MDENGbPxRfiCYEXAMPLEKEY", "HTTP 400"),
        ("<script>alert(1)</script>", "HTTP 400"),
        ("ü€", "HTTP 400"),
        (17, "HTTP 400"),
    ],
)
def test_an_unknown_error_code_is_other_and_shown_only_if_it_looks_like_one(
    error_type: object, shown: str, raw: Raw, monkeypatch: pytest.MonkeyPatch
) -> None:
    raw.status, raw.body = 400, json.dumps({"code": error_type, "message": "no"}).encode()
    boundary = Boundary(raw.url, monkeypatch)
    error = boundary.error()
    assert (type(error), error.code) == (UnavailableError, "other")
    assert str(error).endswith(f"returned {shown}, which is not an error of Amazon Braket")
    assert boundary.counts == [(TARGET, "GetJob", "other")]


@pytest.mark.parametrize(
    "code",
    [
        "InvalidSignatureException",
        "UnrecognizedClientException",
        "ExpiredTokenException",
        "ExpiredToken",
        "MissingAuthenticationTokenException",
        "InvalidClientTokenId",
    ],
)
def test_credentials_that_aws_does_not_accept_are_told_apart_from_a_denied_job(
    code: str, raw: Raw, monkeypatch: pytest.MonkeyPatch
) -> None:
    raw.status, raw.headers = 403, {"x-amzn-errortype": code}
    boundary = Boundary(raw.url, monkeypatch)
    error = boundary.error()
    assert (type(error), error.code) == (UnauthenticatedError, code)
    assert boundary.counts == [(TARGET, "GetJob", code)]


def test_a_key_of_nobody_is_unauthenticated(braket: Callable[..., Simulated]) -> None:
    assert braket(GOOD, accounts={"AKIDEXAMPLE": "123456789012"}).client().get_job(ARN).status == "RUNNING"
    error = braket(GOOD, accounts={}).error()
    assert (type(error), error.code) == (UnauthenticatedError, "UnrecognizedClientException")


def test_a_job_of_another_account_is_not_found(braket: Callable[..., Simulated]) -> None:
    error = braket(GOOD, accounts={"AKIDEXAMPLE": "999999999999"}).error()
    assert (type(error), error.code) == (NotFoundError, "ResourceNotFoundException")


def test_without_credentials_nothing_is_sent_and_nothing_counted(
    braket: Callable[..., Simulated], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("AWS_ACCESS_KEY_ID")
    monkeypatch.delenv("AWS_SECRET_ACCESS_KEY")
    boundary = braket()
    error = boundary.error()
    assert (type(error), error.code) == (UnauthenticatedError, "credentials")
    assert boundary.counts == []
    assert boundary.server.requests == []


def test_credentials_that_come_later_are_found(
    braket: Callable[..., Simulated], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("AWS_ACCESS_KEY_ID")
    monkeypatch.delenv("AWS_SECRET_ACCESS_KEY")
    boundary = braket(GOOD)
    client = boundary.client()
    for half in ({}, {"AWS_ACCESS_KEY_ID": "AKIDEXAMPLE"}):
        for name, value in half.items():
            monkeypatch.setenv(name, value)
        with pytest.raises(UnauthenticatedError):
            client.get_job(ARN)
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "secret")
    assert client.get_job(ARN).status == "RUNNING"


def test_half_of_the_credentials_are_named(braket: Callable[..., Simulated], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("AWS_SECRET_ACCESS_KEY")
    error = braket().error()
    assert (type(error), error.code) == (UnauthenticatedError, "credentials")
    assert str(error) == "no credentials: AWS_SECRET_ACCESS_KEY is missing"


def test_an_endpoint_that_is_not_there_is_a_connection_error(monkeypatch: pytest.MonkeyPatch) -> None:
    boundary = Boundary(f"http://127.0.0.1:{closed_port()}", monkeypatch)
    error = boundary.error()
    assert (type(error), error.code) == (UnavailableError, "connection")
    assert boundary.counts == [(TARGET, "GetJob", "connection")]


def test_a_host_that_never_accepts_is_a_timeout(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(exporter.aws.sdk_session, "CONNECT_TIMEOUT", 0.2)
    with ExitStack() as stack:
        full = stack.enter_context(socket.create_server(("127.0.0.1", 0), backlog=0))
        for _ in range(3):
            waiting = stack.enter_context(socket.socket())
            waiting.settimeout(0)
            waiting.connect_ex(full.getsockname())
        boundary = Boundary(f"http://127.0.0.1:{full.getsockname()[1]}", monkeypatch)
        error = boundary.error()
    assert (type(error), error.code) == (UnavailableError, "timeout")
    assert boundary.counts == [(TARGET, "GetJob", "timeout")]


def test_an_idle_connection_that_the_server_closed_is_replaced(braket: Callable[..., Simulated]) -> None:
    boundary = braket(GOOD, Fault(FaultKind.CUT_BODY, times=1))
    client = boundary.client()
    with pytest.raises(UnavailableError):
        client.get_job(ARN)
    assert client.get_job(ARN).status == "RUNNING"


def test_four_calls_are_under_way_at_once(braket: Callable[..., Simulated]) -> None:
    boundary = braket(GOOD, Fault(FaultKind.DELAY, delay=1.0))
    client = boundary.client()
    began = time.monotonic()
    threads = [threading.Thread(target=client.get_job, args=(ARN,)) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert time.monotonic() - began < 3.5  # one after the other they take 4 s
    assert boundary.counts == [(TARGET, "GetJob", "ok")] * 4


# Devices and spending limits.


def test_a_device_is_read_with_the_name_of_its_region(braket: Callable[..., Simulated]) -> None:
    boundary = braket()
    states = (DeviceState(0.0, "PAUSED", "MAINTENANCE", 50.0, jobs=">15"),)
    boundary.server.world.devices[GARNET] = SimulatedDevice(GARNET, states, since=LONG_AGO)
    device = boundary.client().get_device(DeviceKey(REGION, GARNET))
    assert (device.status, device.reason, device.estimated_end) == ("PAUSED", "MAINTENANCE", LONG_AGO + 50.0)
    assert QueueSize("jobs", "", 15, is_floor=True) in device.queues
    assert boundary.counts == [(TARGET, "GetDevice", "ok")]


def test_a_denied_device_is_a_denied_error(braket: Callable[..., Simulated]) -> None:
    boundary = braket(GOOD, Fault(FaultKind.ACCESS_DENIED, operation="GetDevice"))
    with pytest.raises(DeniedError):
        boundary.client().get_device(DeviceKey(REGION, GARNET))
    assert boundary.counts == [(TARGET, "GetDevice", "AccessDeniedException")]


def test_spending_limits_are_read_page_by_page(braket: Callable[..., Simulated]) -> None:
    boundary = braket()
    for number in range(101):
        arn = limit_arn(f"{number:03d}", REGION)
        boundary.server.world.limits[arn] = SimulatedLimit(arn, GARNET, LONG_AGO, LONG_AGO + 60.0, 100.0, 79.9)
    client = boundary.client()
    first = client.search_spending_limits()
    last = client.search_spending_limits(first.token)
    assert (len(first.limits), len(last.limits), last.token) == (100, 1, None)
    assert first.limits[0] == SpendingLimit(
        "000", TARGET, GARNET, LONG_AGO, LONG_AGO + 60.0, Decimal("100.00"), Decimal("79.90"), Decimal("0.00")
    )
    assert boundary.counts == [(TARGET, "SearchSpendingLimits", "ok")] * 2


@pytest.mark.parametrize("operation", ["GetDevice", "SearchSpendingLimits"])
def test_half_of_a_response_about_devices_is_malformed(operation: str, braket: Callable[..., Simulated]) -> None:
    boundary = braket(GOOD, Fault(FaultKind.TRUNCATED_JSON, operation=operation))
    client = boundary.client()
    with pytest.raises((MalformedError, UnavailableError)):
        client.get_device(DeviceKey(REGION, GARNET)) if operation == "GetDevice" else client.search_spending_limits()
