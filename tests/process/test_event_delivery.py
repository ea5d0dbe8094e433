"""Events on their whole way: an EventBridge rule and an SQS queue of moto's, and the exporter's client."""

from collections.abc import Iterator

import pytest
from builders import ACCOUNT, ARN, GARNET, REGION
from event_bus import EventBus

from exporter.aws import CredentialsSession, EventQueueClient
from exporter.core import BraketError, CredentialsRef, NotFoundError, QueueMessage


class Account:
    """An event bus, and the exporter's client of its queue."""

    def __init__(self, name: str, endpoint: str, **attributes: str) -> None:
        self.bus = EventBus(name, REGION, endpoint, **attributes)
        self.sqs, self.url = self.bus.sqs, self.bus.url
        self.counts: list[tuple[str, str]] = []
        self.client = EventQueueClient(
            CredentialsSession(CredentialsRef()),
            self.url,
            REGION,
            lambda _target, operation, code, _seconds: self.counts.append((operation, code)),
        )


@pytest.fixture
def account(moto: str, monkeypatch: pytest.MonkeyPatch, request: pytest.FixtureRequest) -> Iterator[Account]:
    monkeypatch.setenv("AWS_ENDPOINT_URL_SQS", moto)
    name = request.node.name.partition("[")[0][:70]
    fifo = {"FifoQueue": "true", "ContentBasedDeduplication": "true"}
    made = Account(f"{name}.fifo", moto, **fifo) if "fifo" in name else Account(name, moto)
    yield made
    made.bus.close()


def of(message: QueueMessage) -> tuple[str | None, str | None, str | None]:
    assert message.event is not None
    return message.event.job_arn, message.event.device_arn, message.event.status


def test_an_event_of_braket_is_received_and_deleted(account: Account) -> None:
    account.bus.put("Braket Job State Change", jobArn=ARN, status="COMPLETED")
    account.bus.put("EC2 Instance State-change Notification", source="aws.ec2", instance="i-1")
    (message,) = account.client.receive(1)
    assert of(message) == (ARN, None, "COMPLETED")
    assert message.event is not None
    assert (message.event.detail_type, message.event.region) == ("Braket Job State Change", REGION)
    assert message.event.time is not None
    account.client.delete([message])
    assert account.client.receive(1) == []
    assert account.client.count_messages() == 0
    assert account.counts == [
        ("ReceiveMessage", "ok"),
        ("DeleteMessageBatch", "ok"),
        ("ReceiveMessage", "ok"),
        ("GetQueueAttributes", "ok"),
    ]
    assert account.client.arn == f"arn:aws:sqs:{REGION}:{ACCOUNT}:test_an_event_of_braket_is_received_and_deleted"


def test_an_event_of_a_device_is_received(account: Account) -> None:
    account.bus.put("Braket Device Status Change", deviceArn=GARNET, status="OFFLINE")
    (message,) = account.client.receive(1)
    assert of(message) == (None, GARNET, "OFFLINE")


def test_a_fifo_queue_delivers_events_as_well(account: Account) -> None:
    for status in ("QUEUED", "RUNNING"):
        account.bus.put("Braket Job State Change", jobArn=ARN, status=status)
    messages = account.client.receive(1)
    assert [of(message)[2] for message in messages] == ["QUEUED", "RUNNING"]
    account.client.delete(messages)
    assert account.client.receive(1) == []


def test_a_message_that_is_not_deleted_is_delivered_again(account: Account) -> None:
    account.sqs.set_queue_attributes(QueueUrl=account.url, Attributes={"VisibilityTimeout": "1"})
    account.bus.put("Braket Job State Change", jobArn=ARN, status="RUNNING")
    (first,) = account.client.receive(1)
    second = first
    while second.receipt == first.receipt:
        second = next(iter(account.client.receive(1)), first)
    assert second.id == first.id


def test_ten_of_many_messages_are_received_and_deleted_at_a_time(account: Account) -> None:
    for number in range(13):
        account.sqs.send_message(QueueUrl=account.url, MessageBody=f"not an event {number}")
    received = []
    while messages := account.client.receive(1):
        assert len(messages) <= 10
        assert [message.event for message in messages] == [None] * len(messages)
        account.client.delete(messages)
        received += [message.id for message in messages]
    assert len(set(received)) == len(received) == 13


def test_a_queue_that_is_deleted_is_not_found(account: Account) -> None:
    account.sqs.delete_queue(QueueUrl=account.url)
    with pytest.raises(BraketError) as caught:
        account.client.receive(1)
    assert (type(caught.value), caught.value.code) == (NotFoundError, "QueueDoesNotExist")
    assert str(caught.value) == (
        f"queue {ACCOUNT}/test_a_queue_that_is_deleted_is_not_found: SQS returned QueueDoesNotExist (HTTP 400)"
    )
