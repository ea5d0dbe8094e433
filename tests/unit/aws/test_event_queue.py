"""The client of a queue: real boto3 over real HTTP, to an endpoint that responds with anything."""

import json
import time
from collections.abc import Callable, Iterator
from typing import Any

import pytest
from builders import ACCOUNT, ARN
from odd import Odd, deadline_of, odd_endpoint

import exporter.aws.event_queue
import exporter.aws.sdk_session
from exporter.aws import BraketClient, CredentialsSession, EventQueueClient
from exporter.core import (
    LONG_POLL_SECONDS,
    BraketError,
    CredentialsRef,
    DeniedError,
    MalformedError,
    NotFoundError,
    QueueMessage,
    Target,
    ThrottledError,
    UnauthenticatedError,
    UnavailableError,
)

REGION = "eu-north-1"
URL = f"https://sqs.{REGION}.amazonaws.com/{ACCOUNT}/braket-events"
EVENT = json.dumps(
    {"source": "aws.braket", "detail-type": "Braket Job State Change", "detail": {"jobArn": ARN, "status": "RUNNING"}}
)
MESSAGE = {"MessageId": "m-1", "ReceiptHandle": "r-1", "MD5OfBody": "0", "Body": EVENT}
HTML = b"<html><body>Please log in to the network</body></html>"


class Caller:
    """A client, and what it counted."""

    def __init__(self, url: str = URL, region: str = "us-west-2", *, login: CredentialsRef | None = None) -> None:
        self.counts: list[tuple[Target, str, str]] = []
        self.session = CredentialsSession(login or CredentialsRef(), REGION)
        self.client = EventQueueClient(self.session, url, region, self._count)

    def _count(self, target: Target, operation: str, code: str, seconds: float) -> None:  # noqa: ARG002
        self.counts.append((target, operation, code))

    def call(self, operation: str) -> object:
        calls: dict[str, Callable[[], object]] = {
            "ReceiveMessage": lambda: self.client.receive(1),
            "DeleteMessageBatch": lambda: self.client.delete([QueueMessage("m-1", "r-1", None)]),
            "GetQueueAttributes": self.client.count_messages,
        }
        return calls[operation]()

    def error(self, operation: str = "ReceiveMessage", within: float = 28.0) -> BraketError:
        with deadline_of(self.client, within), pytest.raises(BraketError) as caught:
            self.call(operation)
        return caught.value


OPERATIONS = ["ReceiveMessage", "DeleteMessageBatch", "GetQueueAttributes"]


@pytest.fixture
def odd(monkeypatch: pytest.MonkeyPatch) -> Iterator[Odd]:
    with odd_endpoint() as server:
        monkeypatch.setenv("AWS_ENDPOINT_URL_SQS", server.url)
        yield server


def says(odd: Odd, document: object, operation: str = "") -> None:
    odd.says(json.dumps(document).encode(), operation=operation)


def refuses(odd: Odd, code: str, message: str = "secret text", status: int = 400) -> None:
    odd.says(json.dumps({"__type": f"com.amazonaws.sqs#{code}", "message": message}).encode(), status=status)


def test_messages_are_received_with_their_events(odd: Odd) -> None:
    odd_one = {"MessageId": "m-2", "ReceiptHandle": "r-2", "Body": "not an event"}
    says(odd, {"Messages": [MESSAGE, odd_one]})
    caller = Caller()
    first, second = caller.client.receive(1)
    assert (first.id, first.receipt, first.event and first.event.job_arn) == ("m-1", "r-1", ARN)
    assert second == QueueMessage("m-2", "r-2", None)
    assert caller.counts == [(Target(ACCOUNT, REGION), "ReceiveMessage", "ok")]


@pytest.mark.parametrize("response", [{}, {"Messages": []}])
def test_an_empty_queue_has_no_messages(response: object, odd: Odd) -> None:
    says(odd, response)
    assert Caller().client.receive(1) == []


def test_no_call_is_made_to_delete_nothing(odd: Odd) -> None:
    caller = Caller()
    caller.client.delete([])
    assert (caller.counts, odd.heard) == ([], [])


@pytest.mark.parametrize(
    ("messages", "ids"),
    [
        ([{**MESSAGE, "Body": None}], ["m-1"]),
        ([{**MESSAGE, "MessageId": None}], [MESSAGE["ReceiptHandle"]]),
        ([MESSAGE, {**MESSAGE, "ReceiptHandle": None}, "text", None], ["m-1"]),
        ([MESSAGE, {**MESSAGE, "ReceiptHandle": "r" * 5000}], ["m-1"]),
        ([MESSAGE] * 11, ["m-1"] * 10),
    ],
)
def test_a_message_that_cannot_be_deleted_is_skipped(messages: list[Any], ids: list[str], odd: Odd) -> None:
    says(odd, {"Messages": messages})
    assert [message.id for message in Caller().client.receive(1)] == ids


@pytest.mark.parametrize(
    ("response", "problem"),
    [
        ({"Messages": "text"}, "Messages: expected a list, got text"),
        ({"Messages": [{"Body": EVENT}]}, "Messages: no message has a receipt"),
    ],
)
def test_messages_that_cannot_be_read_are_a_malformed_response(response: object, problem: str, odd: Odd) -> None:
    says(odd, response)
    caller = Caller()
    error = caller.error()
    assert (type(error), error.code) == (MalformedError, "malformed")
    assert str(error) == f"queue {ACCOUNT}/braket-events: {problem}"
    assert [code for _, _, code in caller.counts] == ["malformed"]


def test_a_receipt_that_has_expired_is_no_failure(odd: Odd) -> None:
    expired = {"Id": "0", "SenderFault": True, "Code": "ReceiptHandleIsInvalid"}
    says(odd, {"Successful": [], "Failed": [expired]})
    caller = Caller()
    caller.call("DeleteMessageBatch")
    assert [code for _, _, code in caller.counts] == ["ok"]


@pytest.mark.parametrize("fault", [{"Id": "0", "SenderFault": False, "Code": "InternalError"}, {"Id": "0"}, "text"])
def test_messages_that_the_service_did_not_delete_are_a_failure(fault: object, odd: Odd) -> None:
    says(odd, {"Successful": [{"Id": "1"}], "Failed": [fault]})
    caller = Caller()
    with pytest.raises(UnavailableError, match="SQS did not delete 1 of 2 messages"):
        caller.client.delete([QueueMessage("m-1", "r-1", None), QueueMessage("m-2", "r-2", None)])
    assert [code for _, _, code in caller.counts] == ["other"]


@pytest.mark.parametrize(
    ("attributes", "number"),
    [({"ApproximateNumberOfMessages": "12"}, 12), ({}, None), ({"ApproximateNumberOfMessages": "many"}, None)],
)
def test_the_number_of_messages_is_approximate_or_unknown(
    attributes: dict[str, str], number: int | None, odd: Odd
) -> None:
    says(odd, {"Attributes": attributes})
    assert Caller().client.count_messages() == number


@pytest.mark.parametrize("operation", OPERATIONS)
@pytest.mark.parametrize(
    ("code", "status", "kind"),
    [
        ("QueueDoesNotExist", 400, NotFoundError),
        ("AccessDeniedException", 400, DeniedError),
        ("AccessDenied", 403, DeniedError),
        ("KmsAccessDenied", 400, DeniedError),
        ("KmsDisabled", 400, UnavailableError),
        ("KmsThrottled", 400, ThrottledError),
        ("RequestThrottled", 400, ThrottledError),
        ("ThrottlingException", 400, ThrottledError),
        ("OverLimit", 403, UnavailableError),
        ("InvalidSecurity", 403, UnavailableError),
        ("UnrecognizedClientException", 400, UnauthenticatedError),
        ("InvalidClientTokenId", 403, UnauthenticatedError),
        ("InternalFailure", 500, UnavailableError),
    ],
)
def test_an_error_of_sqs_is_one_of_ours_and_names_the_queue(
    operation: str, code: str, status: int, kind: type[BraketError], odd: Odd
) -> None:
    refuses(odd, code, status=status)
    caller = Caller()
    error = caller.error(operation)
    assert (type(error), error.code) == (kind, code)
    assert str(error) == f"queue {ACCOUNT}/braket-events: SQS returned {code} (HTTP {status})"
    assert caller.counts == [(Target(ACCOUNT, REGION), operation, code)]


def test_an_error_that_no_release_knows_is_other(odd: Odd) -> None:
    refuses(odd, "QueueIsAsleepException")
    caller = Caller()
    error = caller.error()
    assert (type(error), error.code) == (UnavailableError, "other")
    assert "returned HTTP 400 and QueueIsAsleepException, which is not an error of SQS" in str(error)
    assert "secret text" not in str(error)


def test_a_missing_permission_is_named(odd: Odd) -> None:
    user, queue = f"arn:aws:iam::{ACCOUNT}:user/x", f"arn:aws:sqs:{REGION}:{ACCOUNT}:braket-events"
    reason = "because no identity-based policy allows the sqs:receivemessage action"
    refuses(
        odd,
        "AccessDenied",
        f"User: {user} is not authorized to perform: sqs:receivemessage on resource: {queue} {reason}",
    )
    assert str(Caller().error()).endswith(
        f": User: {user} is not authorized to perform: sqs:receivemessage on resource: {queue} {reason}"
    )


@pytest.mark.parametrize("operation", OPERATIONS)
@pytest.mark.parametrize(
    ("status", "body", "code"),
    [
        (200, HTML, "malformed"),
        (200, b"", "malformed"),
        (200, b"[]", "malformed"),
        (200, b'{"message": "ok"}', "malformed"),
        (302, HTML, "other"),
        (403, HTML, "other"),
        (404, b"", "other"),
        (502, HTML, "other"),
    ],
)
def test_a_response_that_is_not_of_sqs_speaks_of_the_way(
    operation: str, status: int, body: bytes, code: str, odd: Odd
) -> None:
    odd.says(body, status=status, headers={"Location": "http://127.0.0.1:1/login"})
    caller = Caller()
    error = caller.error(operation)
    assert (type(error), error.code) == (UnavailableError, code)
    assert str(error).startswith(f"queue {ACCOUNT}/braket-events: 127.0.0.1:")
    assert "log in" not in str(error)
    assert odd.heard == [operation]


@pytest.mark.parametrize("operation", OPERATIONS)
def test_an_endpoint_that_hangs_is_a_failure_at_the_deadline(operation: str, odd: Odd) -> None:
    says(odd, {"Messages": [], "Successful": [], "Attributes": {}})
    caller = Caller()
    caller.call(operation)  # a client of the SDK takes long to make on a busy machine
    caller.counts.clear()
    odd.says(write=odd.hangs)
    began = time.monotonic()
    error = caller.error(operation, within=0.3)
    assert (type(error), error.code) == (UnavailableError, "timeout")
    assert str(error).startswith(f"queue {ACCOUNT}/braket-events: no complete response from 127.0.0.1:")
    assert 0.3 <= time.monotonic() - began < 15
    assert caller.counts == [(Target(ACCOUNT, REGION), operation, "timeout")]


def test_a_receive_that_hangs_does_not_hold_up_the_calls_that_delete(odd: Odd) -> None:
    odd.says(write=odd.hangs, operation="ReceiveMessage")
    says(odd, {"Successful": [{"Id": "0"}]}, "DeleteMessageBatch")
    caller = Caller()
    while "was not sent: 8 earlier calls have not ended" not in str(caller.error(within=0.05)):
        pass
    caller.call("DeleteMessageBatch")


def test_a_long_poll_may_take_longer_than_any_call_to_braket(odd: Odd, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(exporter.aws.sdk_session, "READ_TIMEOUT", 0.2)
    monkeypatch.setenv("AWS_ENDPOINT_URL_BRAKET", odd.url)

    def late(send: Callable[[bytes], object]) -> None:
        time.sleep(0.6)
        send(b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\n{}")

    odd.says(write=late)
    caller = Caller()
    assert caller.client.receive(1) == []
    braket = BraketClient(caller.session, Target(ACCOUNT, REGION), lambda *_: None)
    with pytest.raises(UnavailableError, match="did not respond in time"):
        braket.get_job(ARN)


def test_the_read_timeout_and_the_deadline_leave_time_for_the_longest_poll() -> None:
    assert LONG_POLL_SECONDS < exporter.aws.sdk_session.READ_TIMEOUTS["sqs"] < exporter.aws.event_queue.RECEIVE_DEADLINE


@pytest.mark.parametrize(
    ("url", "region", "arn"),
    [
        (URL, "us-west-2", f"arn:aws:sqs:{REGION}:{ACCOUNT}:braket-events"),
        (f"http://localhost:4566/{ACCOUNT}/q.fifo", "us-west-2", f"arn:aws:sqs:us-west-2:{ACCOUNT}:q.fifo"),
        (
            f"https://sqs.cn-north-1.amazonaws.com.cn/{ACCOUNT}/q",
            "us-west-2",
            f"arn:aws-cn:sqs:cn-north-1:{ACCOUNT}:q",
        ),
    ],
)
def test_the_queue_is_called_in_its_own_region(url: str, region: str, arn: str, odd: Odd) -> None:
    caller = Caller(url, region)
    assert caller.client.receive(1) == []
    assert (caller.client.arn, caller.client.endpoint) == (arn, odd.url)
    assert f"/{arn.split(':')[3]}/sqs/aws4_request" in odd.asked[0]["Authorization"]


def test_credentials_that_aws_refuses_are_read_again(odd: Odd, monkeypatch: pytest.MonkeyPatch, tmp_path: Any) -> None:
    keys = tmp_path / "credentials"
    monkeypatch.delenv("AWS_ACCESS_KEY_ID")
    monkeypatch.delenv("AWS_SECRET_ACCESS_KEY")
    monkeypatch.setenv("AWS_SHARED_CREDENTIALS_FILE", str(keys))
    keys.write_text("[default]\naws_access_key_id = AKIDOLD\naws_secret_access_key = old\n")
    refuses(odd, "ExpiredToken")
    caller = Caller()
    assert isinstance(caller.error(), UnauthenticatedError)
    keys.write_text("[default]\naws_access_key_id = AKIDNEW\naws_secret_access_key = new\n")
    says(odd, {})
    assert caller.client.receive(1) == []
    assert "Credential=AKIDNEW/" in odd.asked[-1]["Authorization"]


def test_without_credentials_nothing_is_sent(odd: Odd, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("AWS_ACCESS_KEY_ID")
    monkeypatch.delenv("AWS_SECRET_ACCESS_KEY")
    caller = Caller()
    error = caller.error()
    assert (type(error), error.code) == (UnauthenticatedError, "credentials")
    assert (caller.counts, odd.heard) == ([], [])
