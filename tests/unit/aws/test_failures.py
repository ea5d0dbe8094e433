"""What a call of the SDK ends with, whatever responds or fails: real boto3, over real HTTP, to an odd endpoint."""

import gzip
import json
import re
import resource
import threading
import time
from collections.abc import Callable, Iterator
from email.utils import formatdate
from typing import Any

import botocore.auth
import botocore.client
import botocore.exceptions
import botocore.httpsession
import botocore.session
import pytest
from odd import Odd, deadline_of, odd_endpoint
from processes import eventually, wire_job
from profiles import some

import exporter.aws.client
from exporter.aws.client import BraketClient
from exporter.aws.sessions import CredentialsSession
from exporter.core import (
    BraketError,
    CredentialsRef,
    DeniedError,
    EntryProblem,
    JobError,
    NotFoundError,
    RejectedError,
    Span,
    Target,
    ThrottledError,
    UnauthenticatedError,
    UnavailableError,
)

ACCOUNT = "123456789012"
REGION = "us-west-2"
ARN = f"arn:aws:braket:{REGION}:{ACCOUNT}:job/5d3c7bb0-6f0f-4d3c-9c55-5a2b1f1c0f01"
JOB = json.dumps(wire_job(ARN, "RUNNING")).encode()
EVERYTHING = Span(0.0, None)


class Caller:
    """A client, and what it counted."""

    def __init__(self, login: CredentialsRef | None = None, account: str = ACCOUNT) -> None:
        self.counts: list[tuple[str, str]] = []
        self.session = CredentialsSession(login or CredentialsRef(), REGION)
        self.client = BraketClient(self.session, Target(account, REGION), self._count)

    def _count(self, target: Target, operation: str, code: str, seconds: float) -> None:  # noqa: ARG002
        self.counts.append((operation, code))

    def error(self, operation: str = "GetJob", within: float = 15.0) -> BraketError:
        calls: dict[str, Callable[[], Any]] = {
            "GetJob": lambda: self.client.get_job(ARN),
            "SearchJobs": lambda: self.client.search_jobs(EVERYTHING),
            "GetCallerIdentity": self.client.identify,
        }
        with deadline_of(self.client, within), pytest.raises(BraketError) as caught:
            calls[operation]()
        assert caught.value.__cause__ is None
        assert caught.value.__context__ is None
        return caught.value


@pytest.fixture
def odd(monkeypatch: pytest.MonkeyPatch) -> Iterator[Odd]:
    with odd_endpoint() as server:
        monkeypatch.setenv("AWS_ENDPOINT_URL_BRAKET", server.url)
        monkeypatch.setenv("AWS_ENDPOINT_URL_STS", server.url)
        server.says(JOB, operation="GetJob")
        yield server


# Whose failure it is.

HTML = b"<html><body>Please log in to the network</body></html>"


@pytest.mark.parametrize("operation", ["GetJob", "SearchJobs", "GetCallerIdentity"])
@pytest.mark.parametrize(
    ("status", "body"),
    some(
        [
            *[
                (status, HTML)
                for status in (302, 303, 307, 400, 402, 403, 404, 405, 407, 408, 409, 410, 413, 418, 421, 451)
            ],
            *[(status, HTML) for status in (500, 501, 502, 503, 504, 511, 599)],
            *[(status, b"") for status in (302, 404, 500)],
            *[(status, b'{"message": "Missing Authentication Token"}') for status in (403, 404)],
            *[(status, b'["odd"]') for status in (404, 500)],
        ]
    ),
)
def test_an_error_without_a_type_of_the_service_speaks_of_the_way(
    operation: str, status: int, body: bytes, odd: Odd
) -> None:
    odd.says(body, status=status, headers={"Location": "http://127.0.0.1:1/login"}, operation=operation)
    caller = Caller()
    error = caller.error(operation)
    assert (type(error), error.code) == (UnavailableError, "other")
    assert f"returned HTTP {status}" in str(error)
    assert "log in" not in str(error)
    assert caller.counts == [(operation, "other")]
    assert odd.heard == [operation]


@pytest.mark.parametrize("operation", ["GetJob", "SearchJobs", "GetCallerIdentity"])
@pytest.mark.parametrize(
    ("status", "body"),
    [
        (200, HTML),
        (200, b""),
        (200, b"{}"),
        (200, b"[]"),
        (200, b"null"),
        (200, b'"text"'),
        (200, b'{"message": "ok"}'),
        (200, b'{"jobArn": null, "status": null, "jobs": null}'),
        (200, b"\xff\xfe\x00"),
        (200, b"[" * 100_000),
        (200, b"9" * 5000),
        (201, HTML),
        (204, b""),
        (206, JOB[:50]),
    ],
)
def test_a_success_with_another_body_speaks_of_the_way(operation: str, status: int, body: bytes, odd: Odd) -> None:
    odd.says(body, status=status, operation=operation)
    caller = Caller()
    error = caller.error(operation)
    assert (type(error), error.code) == (UnavailableError, "malformed")
    assert f"returned HTTP {status}" in str(error)
    assert caller.counts == [(operation, "malformed")]


@pytest.mark.parametrize(
    ("error_type", "status", "kind"),
    [
        ("ResourceNotFoundException", 404, NotFoundError),
        ("AccessDeniedException", 403, DeniedError),
        ("ValidationException", 400, RejectedError),
        ("ThrottlingException", 429, ThrottledError),
        ("ThrottlingException", 400, ThrottledError),
        ("InternalServiceException", 500, UnavailableError),
        ("ServiceQuotaExceededException", 402, UnavailableError),
        ("ConflictException", 409, UnavailableError),
        ("DeviceOfflineException", 424, UnavailableError),
    ],
)
def test_each_modelled_error_keeps_its_code(error_type: str, status: int, kind: type[BraketError], odd: Odd) -> None:
    odd.says(b'{"message": "no"}', status=status, headers={"x-amzn-errortype": error_type}, operation="GetJob")
    caller = Caller()
    error = caller.error()
    assert (type(error), error.code) == (kind, error_type)
    assert str(error) == f"Amazon Braket returned {error_type} (HTTP {status})"
    assert caller.counts == [("GetJob", error_type)]


@pytest.mark.parametrize(
    "code",
    [
        "ExpiredToken",
        "ExpiredTokenException",
        "InvalidClientTokenId",
        "InvalidSignatureException",
        "RequestExpired",
        "RequestInTheFuture",
        "RequestTimeTooSkewed",
        "SignatureDoesNotMatch",
        "UnrecognizedClientException",
    ],
)
def test_credentials_and_clocks_that_aws_refuses_are_not_the_jobs_fault(code: str, odd: Odd) -> None:
    odd.says(b'{"message": "no"}', status=403, headers={"x-amzn-errortype": code}, operation="GetJob")
    error = Caller().error()
    assert (type(error), error.code) == (UnauthenticatedError, code)


def test_a_refused_signature_is_told_with_the_difference_of_the_clocks(odd: Odd) -> None:
    headers = {"x-amzn-errortype": "RequestTimeTooSkewed", "Date": formatdate(time.time() + 7200, usegmt=True)}
    odd.says(b"{}", status=403, write=whole(403, headers, b"{}"), operation="GetJob")
    text = str(Caller().error())
    assert text.startswith("Amazon Braket returned RequestTimeTooSkewed (HTTP 403); this host's clock is 7")
    assert text.endswith(" s behind")


@pytest.mark.parametrize("status", [401, 429])
def test_a_status_that_says_enough_needs_no_type(status: int, odd: Odd) -> None:
    odd.says(HTML, status=status, operation="GetJob")
    error = Caller().error()
    assert (type(error), error.code) == ({401: UnauthenticatedError, 429: ThrottledError}[status], "other")


DENIAL = (
    "User: arn:aws:sts::123456789012:assumed-role/watch/i-0a1b is not authorized to perform: braket:GetJob "
    f"on resource: {ARN} because no identity-based policy allows the braket:GetJob action"
)


@pytest.mark.parametrize(
    ("message", "shown"),
    [
        (DENIAL, f": {DENIAL}"),
        (f"{DENIAL}. hunter2hunter2", f": {DENIAL}"),
        (DENIAL.partition(" because")[0], f": {DENIAL.partition(' because')[0]}"),
        (f"{DENIAL.partition(' because')[0]} hunter2", f": {DENIAL.partition(' because')[0]}"),
        ("User: hunter2 is not authorized to perform: braket:GetJob", ""),
        ("hunter2", ""),
        ("x" * 5_000_000, ""),
        (f"{'x' * 5000}{DENIAL}", ""),
    ],
    ids=lambda text: text[:20],
)
def test_of_a_denial_only_arns_and_actions_are_passed_on(message: str, shown: str, odd: Odd) -> None:
    body = json.dumps({"message": message}).encode()
    odd.says(body, status=403, headers={"x-amzn-errortype": "AccessDeniedException"}, operation="GetJob")
    assert str(Caller().error()) == f"Amazon Braket returned AccessDeniedException (HTTP 403){shown}"


def test_codes_are_bounded_whatever_responds(odd: Odd) -> None:
    caller = Caller()
    for number in range(30):
        odd.says(b"{}", status=400, headers={"x-amzn-errortype": f"Odd{'abcdefghij'[number % 10] * number}Exception"})
        odd.says(b"{}", status=400, headers={"x-amzn-errortype": f"Odd{number}Exception"}, operation="GetJob")
        caller.error()
    assert set(caller.counts) == {("GetJob", "other")}


# The clock.


def whole(status: int, headers: dict[str, str], body: bytes) -> Callable[[Callable[[bytes], object]], None]:
    """Write a response without the headers that the server adds by itself."""
    lines = "".join(f"{name}: {value}\r\n" for name, value in headers.items())
    head = f"HTTP/1.1 {status} Odd\r\nContent-Length: {len(body)}\r\nConnection: close\r\n{lines}\r\n"

    def write(send: Callable[[bytes], object]) -> None:
        send(head.encode() + body)

    return write


@pytest.mark.parametrize(
    ("date", "offset"),
    [
        (lambda: formatdate(time.time() + 3600, usegmt=True), 3600.0),
        (lambda: formatdate(time.time() - 86400 * 21, usegmt=True), -86400.0 * 21),
        (lambda: formatdate(time.time() + 2, usegmt=True), 0.0),
        (lambda: formatdate(time.time(), usegmt=True), 0.0),
        (lambda: "yesterday", 0.0),
        (lambda: "", 0.0),
        (lambda: "Sun, 31 Feb 2025 15:06:40 GMT", 0.0),
        (lambda: "Sun, 15 Jun 2025 25:06:40 GMT", 0.0),
        (lambda: "Sun, 15 Bad 2025 15:06:40 GMT", 0.0),
        (lambda: "Sun, 15 Jun 0000 15:06:40 GMT", 0.0),
    ],
)
@pytest.mark.parametrize("status", [200, 404])
def test_the_date_of_a_response_shows_how_wrong_the_clock_is(
    date: Callable[[], str], offset: float, status: int, odd: Odd
) -> None:
    odd.says(write=whole(status, {"Date": date()}, JOB), operation="GetJob")
    caller = Caller()
    assert caller.client.clock_offset == 0.0
    if status == 200:
        caller.client.get_job(ARN)
    else:
        caller.error()
    assert caller.client.clock_offset == pytest.approx(offset, abs=5.0)
    odd.says(JOB, operation="GetJob")
    caller.client.get_job(ARN)
    assert caller.client.clock_offset == 0.0


# The deadline.


def warm_caller() -> Caller:
    """Return a caller whose client is made and has counted nothing: that takes a slow machine long."""
    caller = Caller()
    assert caller.client.get_job(ARN).status == "RUNNING"
    caller.counts.clear()
    return caller


HEAD = b"HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nContent-Length: 1000\r\n\r\n"


@pytest.mark.parametrize("speed", some([0.02, 0.1]))
@pytest.mark.parametrize("data", [HEAD, b"X" * 1000, HEAD + b"{" * 900], ids=["head", "garbage", "body"])
def test_a_response_that_drips_is_a_failure_at_the_deadline(data: bytes, speed: float, odd: Odd) -> None:
    whole_at_once = data.partition(b"{")[0] if b"{" in data else b""
    drip = odd.drips(data.removeprefix(whole_at_once), speed)

    def write(send: Callable[[bytes], object]) -> None:
        send(whole_at_once)
        drip(send)

    caller = warm_caller()
    odd.says(write=write, operation="GetJob")
    began = time.monotonic()
    error = caller.error(within=1)
    assert (type(error), error.code) == (UnavailableError, "timeout")
    # The wait for the next byte and the whole call end at the same time; either may be noticed first.
    whole, next_byte = r"no complete response from \S+ within 1 s", r"\S+ did not respond in time"
    assert re.fullmatch(f"{whole}|{next_byte}", str(error))
    assert 1.0 <= time.monotonic() - began < 10
    assert caller.counts == [("GetJob", "timeout")]
    eventually(lambda: caller.client._calls._deadline._hanging == 0)  # the thread gave up, too
    odd.says(JOB, operation="GetJob")
    assert caller.client.get_job(ARN).status == "RUNNING"
    assert caller.counts == [("GetJob", "timeout"), ("GetJob", "ok")]


def test_an_endpoint_that_hangs_costs_a_bounded_number_of_threads(odd: Odd) -> None:
    caller = warm_caller()
    odd.says(write=odd.hangs, operation="GetJob")
    while caller.client._calls._deadline._hanging < 8:  # on a slow machine, a thread may begin too late for its call
        assert caller.error(within=0.3).code == "timeout"
    sent = len(caller.counts)
    error = caller.error()
    assert (type(error), error.code) == (UnavailableError, "timeout")
    assert str(error) == "GetJob was not sent: 8 earlier calls have not ended"
    assert caller.counts == [("GetJob", "timeout")] * sent
    odd.over.set()
    odd.says(JOB, operation="GetJob")
    eventually(lambda: caller.client._calls._deadline._hanging == 0)
    assert caller.client.get_job(ARN).status == "RUNNING"


def test_a_late_response_changes_nothing(odd: Odd) -> None:
    def late(send: Callable[[bytes], object]) -> None:
        time.sleep(1.1)
        whole(200, {}, JOB)(send)

    caller = warm_caller()
    odd.says(write=late, operation="GetJob")
    assert caller.error(within=1).code == "timeout"
    eventually(lambda: caller.client._calls._deadline._hanging == 0)
    assert caller.counts == [("GetJob", "timeout")]


def test_sts_that_accepts_and_never_responds_is_a_failure_at_the_deadline(odd: Odd) -> None:
    odd.says(write=odd.hangs, operation="AssumeRole")
    caller = Caller(CredentialsRef(role_arn=f"arn:aws:iam::{ACCOUNT}:role/watch"))
    error = caller.error(within=3)  # time to make the client of STS on a slow machine
    assert (type(error), error.code) == (UnavailableError, "timeout")
    assert str(error) == "no response of STS to AssumeRole within 3 s"
    assert caller.counts == []
    assert odd.heard == ["AssumeRole"]


def test_nothing_is_sent_after_the_deadline(odd: Odd, monkeypatch: pytest.MonkeyPatch) -> None:
    sign, signed = botocore.auth.SigV4Auth.add_auth, threading.Event()

    def slowly(auth: Any, request: Any) -> None:
        time.sleep(1.5)
        sign(auth, request)
        signed.set()

    monkeypatch.setattr(botocore.auth.SigV4Auth, "add_auth", slowly)
    caller = Caller()
    assert str(caller.error(within=1)) == "no credentials within 1 s"
    assert signed.wait(5)
    eventually(lambda: caller.client._calls._deadline._hanging == 0)
    assert odd.heard == []
    assert caller.counts == []


# The size of a response.

BIG = 200_000_000


def peak() -> int:
    """Return the most memory that this process has had, MB."""
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss // 1000


def flood(*head: bytes) -> Callable[[Callable[[bytes], object]], None]:
    """Write a head, and then 200 MB."""

    def write(send: Callable[[bytes], object]) -> None:
        for part in head:
            send(part)
        for _ in range(BIG // 100_000):
            send(b"x" * 100_000)

    return write


@pytest.mark.parametrize("status", [200, 500])
@pytest.mark.parametrize(
    "head",
    [
        f"Content-Length: {BIG}\r\n\r\n".encode(),
        b"Connection: close\r\n\r\n",
        b"Transfer-Encoding: chunked\r\n\r\n" + f"{BIG:x}\r\n".encode(),
        b"Transfer-Encoding: chunked\r\n\r\n2\r\n{}\r\n0\r\nTrailer: ",
        b"Transfer-Encoding: chunked\r\n\r\n2;",
    ],
    ids=["length", "until close", "one chunk", "endless trailer", "endless chunk size"],
)
def test_a_response_beyond_8_mb_is_not_read(status: int, head: bytes, odd: Odd) -> None:
    odd.says(JOB, operation="GetJob")
    caller = Caller()
    caller.client.get_job(ARN)
    before = peak()
    odd.says(write=flood(f"HTTP/1.1 {status} OK\r\n".encode(), head), operation="GetJob")
    error = caller.error()
    assert type(error) is UnavailableError
    if b"chunked\r\n\r\n2" in head:  # newer releases of urllib3 have a limit of their own for such lines
        assert error.code in {"connection", "malformed"}
    else:
        assert error.code == "malformed"
        assert str(error).endswith(" is larger than 8 MB")
    assert peak() - before < 60
    assert caller.counts == [("GetJob", "ok"), ("GetJob", error.code)]
    odd.says(JOB, operation="GetJob")
    assert caller.client.get_job(ARN).status == "RUNNING"


def test_many_small_chunks_count_together(odd: Odd) -> None:
    def write(send: Callable[[bytes], object]) -> None:
        send(b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n")
        for _ in range(200):
            send(b"186a0\r\n" + b"x" * 100_000 + b"\r\n")

    odd.says(write=write, operation="GetJob")
    assert str(Caller().error()).endswith(" is larger than 8 MB")


def test_a_compressed_response_is_not_unpacked(odd: Odd) -> None:
    bomb = gzip.compress(b" " * 50_000_000)
    caller = Caller()
    odd.says(bomb, headers={"Content-Encoding": "gzip"}, operation="GetJob")
    caller.error()
    before = peak()
    assert caller.error().code == "malformed"
    assert peak() - before < 20


def test_a_response_of_7_mb_is_read(odd: Odd) -> None:
    job = json.loads(JOB)
    job["hyperParameters"] = {"padding": "x" * 7_000_000}
    odd.says(json.dumps(job).encode(), operation="GetJob")
    assert Caller().client.get_job(ARN).status == "RUNNING"


# Whose jobs a page shows.


def page(*arns: str) -> bytes:
    members = {"status": "RUNNING", "jobName": "n", "device": "d", "createdAt": "2025-06-15T15:06:40Z"}
    return json.dumps({"jobs": [{"jobArn": arn, **members} for arn in arns]}).encode()


def arn(number: int, account: str = ACCOUNT, region: str = REGION) -> str:
    return f"arn:aws:braket:{region}:{account}:job/{number}"


OTHER = "999999999999"


@pytest.mark.parametrize(
    ("arns", "account"),
    [
        ([arn(1), arn(2)], ACCOUNT),
        ([arn(1, OTHER), arn(2), arn(3)], ACCOUNT),
        ([arn(1, OTHER), arn(2)], ""),
        ([arn(1, OTHER), arn(2), arn(3, "888888888888"), arn(4)], ""),
        ([], ""),
    ],
)
def test_the_account_is_that_of_most_entries(arns: list[str], account: str, odd: Odd) -> None:
    odd.says(page(*arns), operation="SearchJobs")
    caller = Caller(account="")
    caller.client.search_jobs(EVERYTHING)
    assert caller.client.target == Target(account, REGION)


def test_entries_of_elsewhere_are_problems_and_rename_nothing(odd: Odd) -> None:
    odd.says(page(arn(1, OTHER), arn(2), arn(3, region="eu-west-2")), operation="SearchJobs")
    caller = Caller()
    found = caller.client.search_jobs(EVERYTHING)
    assert [job.arn for job in found.jobs] == [arn(2)]
    assert found.problems == (
        EntryProblem(arn(1, OTHER), "is not of account 123456789012"),
        EntryProblem(arn(3, region="eu-west-2"), "is not in Region us-west-2"),
    )
    assert caller.client.target == Target(ACCOUNT, REGION)


@pytest.mark.parametrize("account", ["", "12", "123456789012x", "hunter2hunter"])
def test_an_identity_without_an_account_teaches_nothing(account: str, odd: Odd) -> None:
    result = f"<Arn>arn:aws:iam::1:user/x</Arn><Account>{account}</Account>"
    body = f"<a><GetCallerIdentityResult>{result}</GetCallerIdentityResult></a>".encode()
    odd.says(body, operation="GetCallerIdentity")
    caller = Caller(account="")
    assert caller.error("GetCallerIdentity").code == "malformed"
    assert caller.client.target == Target("", REGION)


# Whatever is raised, wherever.

RAISED = [
    kind
    for kind in (*vars(__import__("builtins")).values(), *vars(botocore.exceptions).values())
    if isinstance(kind, type) and issubclass(kind, BaseException)
]


def made(kind: type[BaseException]) -> BaseException:
    """Make an exception of any type, with a secret in it where it takes a text."""
    for arguments in (
        ("hunter2hunter2",),
        (),
        ("utf-8", b"hunter2", 0, 1, "x"),
        ("x", "hunter2", 0, 1),
        ("x", [OSError()]),
    ):
        try:
            return kind(*arguments)
        except (TypeError, KeyError):
            continue
    members = dict.fromkeys(
        [name.partition("}")[0].partition(":")[0] for name in str(getattr(kind, "fmt", "")).split("{")[1:]], "hunter2"
    )
    try:
        return kind(**members)
    except TypeError:
        return kind({"Error": {"Code": "hunter2", "Message": "hunter2"}}, "hunter2")


PLACES: dict[str, tuple[Any, str, str, str]] = {
    "session": (botocore.session.Session, "get_scoped_config", "credentials", ""),
    "credentials": (botocore.session.Session, "get_credentials", "credentials", ""),
    "client": (botocore.client.ClientCreator, "create_client", "connection", ""),
    "signing": (botocore.auth.SigV4Auth, "add_auth", "credentials", ""),
    "sending": (botocore.httpsession.URLLib3Session, "send", "connection", "GetJob"),
    "receiving": (json, "loads", "malformed", "GetJob"),
}


@pytest.mark.parametrize("place", PLACES)
def test_whatever_the_sdk_raises_is_a_failure_of_that_call_by_its_place(
    place: str, odd: Odd, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert len(RAISED) > 150
    holder, name, code, sent = PLACES[place]
    caller = Caller()
    if place in {"signing", "sending", "receiving"}:
        caller.client.get_job(ARN)  # a client that was made serves all of the calls
    for kind in some(RAISED):
        if place in {"session", "credentials", "client"}:
            caller = Caller()
        caller.counts.clear()
        with monkeypatch.context() as broken:

            def fail(*_: object, kind: type[BaseException] = kind, **__: object) -> None:
                raise made(kind)

            broken.setattr(holder, name, fail)
            error = caller.error()
        assert not isinstance(error, JobError), kind
        assert "hunter2" not in f"{error} {error.code}", kind
        codes = {code, "timeout"} if place == "sending" else {code}
        assert error.code in codes, kind
        assert isinstance(error, UnauthenticatedError) == (code == "credentials"), kind
        assert caller.counts == ([(sent, error.code)] if sent else []), kind
    assert set(odd.heard) <= {"GetJob"}


def test_a_bug_of_our_own_parser_is_not_hidden(odd: Odd, monkeypatch: pytest.MonkeyPatch) -> None:
    def bug(*_: object) -> None:
        raise KeyError("ours")

    odd.says(JOB, operation="GetJob")
    monkeypatch.setattr(exporter.aws.client, "parse_job", bug)
    with pytest.raises(KeyError, match="ours"):
        Caller().client.get_job(ARN)
