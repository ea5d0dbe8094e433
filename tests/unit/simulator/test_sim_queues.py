"""The simulator's SQS queue: real boto3 over real HTTP."""

import json
import threading
import time
from collections.abc import Iterator
from typing import Any
from uuid import NAMESPACE_URL, uuid5

import boto3
import pytest
from botocore.config import Config
from botocore.exceptions import ClientError
from sim_support import ARN, START, Simulator, simulator

from exporter.simulator import (
    RECORDED_LIFE,
    DeviceState,
    Fault,
    FaultKind,
    Phase,
    Queue,
    ScriptedJob,
    SimulatedDevice,
    SimulatedJob,
    Status,
    World,
    job_arn,
)

GARNET = "arn:aws:braket:eu-north-1::device/qpu/iqm/Garnet"
JOB = SimulatedJob(ARN, "vqe-h2", START, RECORDED_LIFE, tags={"team": "chemistry"})


class Site:
    """A simulator with a queue, and clients for it."""

    def __init__(self, simulated: Simulator) -> None:
        self.simulated, self.clock, self.server = simulated, simulated.clock, simulated.server
        (self.queue,) = simulated.server.world.queues.values()
        self.sqs = self._client("sqs")
        self.braket = simulated.client()

    def _client(self, service: str) -> Any:
        client = boto3.client(
            service,
            region_name="us-east-1",
            endpoint_url=self.server.url,
            config=Config(retries={"total_max_attempts": 1}),
        )
        self.simulated.closing.callback(client.close)
        return client

    def receive(self, **parameters: Any) -> list[dict[str, Any]]:
        given = {"MaxNumberOfMessages": 10, **parameters}
        messages: list[dict[str, Any]] = self.sqs.receive_message(QueueUrl=self.server.queue_url(), **given).get(
            "Messages", []
        )
        return messages

    def events(self) -> list[dict[str, Any]]:
        """Receive and delete the events."""
        messages = self.receive()
        for message in messages:
            self.queue.delete(message["ReceiptHandle"])
        return [json.loads(message["Body"]) for message in messages]

    def statuses(self) -> list[tuple[str, str]]:
        return [
            (event["detail"].get("jobArn") or event["detail"]["deviceArn"], event["detail"]["status"])
            for event in self.events()
        ]

    def attributes(self) -> dict[str, str]:
        response = self.sqs.get_queue_attributes(QueueUrl=self.server.queue_url(), AttributeNames=["All"])
        attributes: dict[str, str] = response["Attributes"]
        return attributes

    def error(self, operation: str, **parameters: Any) -> tuple[int, str]:
        given = {"QueueUrl": self.server.queue_url(), **parameters}
        with pytest.raises(ClientError) as caught:
            getattr(self.sqs, operation)(**given)
        response = caught.value.response
        return response["ResponseMetadata"]["HTTPStatusCode"], response["Error"]["Code"]


@pytest.fixture
def site() -> Iterator[Site]:
    device = SimulatedDevice(GARNET, (DeviceState(), DeviceState(50.0, "OFFLINE"), DeviceState(90.0, tasks="7")), START)
    world = World([JOB], devices=[device], queues=[Queue()])
    with simulator(world=world) as simulated:
        yield Site(simulated)


def test_a_message_is_delivered_deleted_and_gone(site: Site) -> None:
    sent = site.sqs.send_message(QueueUrl=site.server.queue_url(), MessageBody="hello")
    (message,) = site.receive()
    assert (message["MessageId"], message["Body"]) == (sent["MessageId"], "hello")
    deletion = {"Id": "1", "ReceiptHandle": message["ReceiptHandle"]}
    response = site.sqs.delete_message_batch(QueueUrl=site.server.queue_url(), Entries=[deletion])
    assert (response["Successful"], response["Failed"]) == ([{"Id": "1"}], [])
    site.clock.now += 3600.0
    assert [each["Body"] for each in site.receive() if each["Body"] == "hello"] == []


def test_a_message_that_is_not_deleted_is_delivered_again_after_the_visibility_timeout(site: Site) -> None:
    site.queue.send("hello")
    (first,) = site.receive()
    site.clock.now += 29.0
    assert site.receive() == []
    site.clock.now += 1.0
    (second,) = site.receive()
    assert (second["MessageId"], second["Body"]) == (first["MessageId"], "hello")
    assert second["ReceiptHandle"] != first["ReceiptHandle"]
    site.sqs.delete_message(QueueUrl=site.server.queue_url(), ReceiptHandle=second["ReceiptHandle"])
    site.clock.now += 1000.0
    assert "hello" not in [message["Body"] for message in site.receive()]


def test_a_receive_may_have_a_visibility_timeout_of_its_own(site: Site) -> None:
    site.queue.send("hello")
    assert [len(site.receive(VisibilityTimeout=0)) for _ in range(2)] == [1, 1]
    assert len(site.receive(VisibilityTimeout=5)) == 1
    assert site.receive() == []


def test_at_most_as_many_messages_as_wanted_are_delivered_the_oldest_first(site: Site) -> None:
    site.queue.send(*(f"{number}" for number in range(13)))
    assert [message["Body"] for message in site.receive()] == [f"{number}" for number in range(10)]
    assert [message["Body"] for message in site.receive(MaxNumberOfMessages=1)] == ["10"]
    assert [message["Body"] for message in site.receive()] == ["11", "12"]


def test_the_numbers_of_messages_are_attributes(site: Site) -> None:
    site.queue.send("a", "b", "c")
    site.receive(MaxNumberOfMessages=1)
    assert site.attributes() == {
        "QueueArn": "arn:aws:sqs:us-east-1:123456789012:braket-events",
        "ApproximateNumberOfMessages": "2",
        "ApproximateNumberOfMessagesNotVisible": "1",
        "VisibilityTimeout": "30",
    }


def test_each_change_of_a_job_or_device_is_one_event_in_order_of_time(site: Site) -> None:
    site.clock.now += 42.0
    assert site.statuses() == []
    site.clock.now += 18.0
    assert site.statuses() == [(ARN, "RUNNING"), (GARNET, "OFFLINE")]
    site.clock.now += 70.0
    assert site.statuses() == [(GARNET, "ONLINE"), (ARN, "COMPLETED")]
    site.clock.now += 20.0
    assert site.statuses() == []


def test_a_job_that_is_created_later_has_an_event_for_each_of_its_statuses(site: Site) -> None:
    other = job_arn("22222222-2222-4222-8222-222222222222")
    site.server.world.put(
        SimulatedJob(other, "later", START + 10.0, (Phase(0.0, Status.QUEUED), Phase(2.0, Status.FAILED)))
    )
    site.clock.now += 20.0
    assert site.statuses() == [(other, "QUEUED"), (other, "FAILED")]


def test_a_cancellation_has_its_events(site: Site) -> None:
    site.clock.now += 60.0
    assert (ARN, "RUNNING") in site.statuses()
    site.braket.cancel_job(jobArn=ARN)
    assert site.statuses() == [(ARN, "CANCELLING")]
    site.clock.now += 5.0
    assert site.statuses() == [(ARN, "CANCELLED")]


def test_a_job_with_literal_responses_has_no_events(site: Site) -> None:
    odd = job_arn("odd")
    site.server.world.put(ScriptedJob(odd, START, [(START, {"jobArn": odd, "status": "RUNNING"})]))
    site.clock.now += 40.0
    assert site.statuses() == []


def test_every_queue_has_every_event() -> None:
    first, second = Queue("first"), Queue("second", account="210987654321")
    with simulator(world=World([JOB], queues=[first, second])) as simulated:
        simulated.clock.now += 60.0
        simulated.get_job()
        assert simulated.server.queue_url("second") == f"{simulated.server.url}/210987654321/second"
    (one,), (other,) = (queue.receive(simulated.clock.now) for queue in (first, second))
    assert one.body == other.body
    assert one.id != other.id


def test_the_event_of_a_job_is_what_eventbridge_sends(site: Site) -> None:
    site.clock.now += 60.0
    event = next(each for each in site.events() if "jobArn" in each["detail"])
    assert event == {
        "version": "0",
        "id": str(uuid5(NAMESPACE_URL, f"{ARN}#1")),
        "detail-type": "Braket Job State Change",
        "source": "aws.braket",
        "account": "123456789012",
        "time": "2025-06-15T15:07:22Z",
        "region": "us-east-1",
        "resources": [ARN],
        "detail": {
            "jobArn": ARN,
            "jobName": "vqe-h2",
            "status": "RUNNING",
            "createdAt": "2025-06-15T15:06:40.000Z",
            "startedAt": "2025-06-15T15:07:22.800Z",
            "tags": {"team": "chemistry"},
        },
    }


def test_the_event_of_a_device_names_it_and_its_status(site: Site) -> None:
    site.clock.now += 60.0
    event = next(each for each in site.events() if "deviceArn" in each["detail"])
    assert (event["detail-type"], event["source"], event["region"]) == (
        "Braket Device Status Change",
        "aws.braket",
        "eu-north-1",
    )
    assert (event["time"], event["resources"]) == ("2025-06-15T15:07:30Z", [GARNET])
    assert event["detail"] == {"deviceArn": GARNET, "status": "OFFLINE"}


# Long polls.


def test_a_long_poll_ends_with_the_first_message(site: Site) -> None:
    sender = threading.Timer(0.3, site.queue.send, ("hello",))
    sender.start()
    began = time.monotonic()
    assert [message["Body"] for message in site.receive(WaitTimeSeconds=20)] == ["hello"]
    assert 0.2 < time.monotonic() - began < 15
    sender.join()


def test_a_long_poll_ends_with_an_event_that_happens_meanwhile(site: Site) -> None:
    def run() -> None:
        site.clock.now += 45.0

    runner = threading.Timer(0.2, run)
    runner.start()
    (message,) = site.receive(WaitTimeSeconds=20)
    assert json.loads(message["Body"])["detail"]["status"] == "RUNNING"
    runner.join()


def test_a_long_poll_of_an_empty_queue_takes_its_time(site: Site) -> None:
    began = time.monotonic()
    assert site.receive(WaitTimeSeconds=1) == []
    assert 1.0 <= time.monotonic() - began < 10


def test_a_long_poll_ends_at_the_shutdown() -> None:
    began = time.monotonic()
    with simulator(world=World(queues=[Queue()])) as simulated:
        ended = long_poll(simulated)
    assert ended.wait(10)
    assert time.monotonic() - began < 15


def test_no_message_is_delivered_to_a_client_that_is_gone() -> None:
    queue = Queue()
    with simulator(world=World(queues=[queue])) as simulated:
        connection = simulated.connect()
        connection.sendall(raw_receive(simulated.server.queue_url()))
        while not simulated.server._listener._connections:
            time.sleep(0.01)
        connection.close()
        while simulated.server.requests == []:  # it has given up
            time.sleep(0.01)
        queue.send("hello")
        assert queue.numbers(simulated.clock.now) == (1, 0)


def long_poll(simulated: Simulator) -> threading.Event:
    """Begin a long poll; the event is set at its end."""
    ended, connection = threading.Event(), simulated.connect()
    connection.sendall(raw_receive(simulated.server.queue_url()))

    def read() -> None:
        with connection:
            while connection.recv(4096):
                pass
        ended.set()

    threading.Thread(target=read).start()
    while not simulated.server._listener._connections:
        time.sleep(0.01)
    return ended


def raw_receive(url: str) -> bytes:
    body = json.dumps({"QueueUrl": url, "WaitTimeSeconds": 20})
    scope = "Credential=AKIDEXAMPLE/20250101/us-east-1/sqs/aws4_request"
    head = "POST / HTTP/1.1\r\nHost: x\r\nX-Amz-Target: AmazonSQS.ReceiveMessage"
    return f"{head}\r\nAuthorization: AWS4-HMAC-SHA256 {scope}\r\nContent-Length: {len(body)}\r\n\r\n{body}".encode()


# Errors and faults.


@pytest.mark.parametrize(
    ("operation", "parameters", "code"),
    [
        ("receive_message", {"QueueUrl": "http://127.0.0.1/123456789012/other"}, "QueueDoesNotExist"),
        ("receive_message", {"QueueUrl": "http://127.0.0.1/210987654321/braket-events"}, "QueueDoesNotExist"),
        ("receive_message", {"MaxNumberOfMessages": 11}, "InvalidParameterValue"),
        ("receive_message", {"WaitTimeSeconds": 21}, "InvalidParameterValue"),
        ("receive_message", {"VisibilityTimeout": -1}, "InvalidParameterValue"),
        ("delete_message", {"ReceiptHandle": "x"}, "ReceiptHandleIsInvalid"),
        ("delete_message_batch", {"Entries": []}, "EmptyBatchRequest"),
        (
            "delete_message_batch",
            {"Entries": [{"Id": f"{number}", "ReceiptHandle": "x"} for number in range(11)]},
            "TooManyEntriesInBatchRequest",
        ),
        (
            "delete_message_batch",
            {"Entries": [{"Id": "1", "ReceiptHandle": "x"}] * 2},
            "BatchEntryIdsNotDistinct",
        ),
        ("send_message", {"MessageBody": ""}, "InvalidParameterValue"),
    ],
)
def test_a_wrong_request_is_refused_as_sqs_does(
    site: Site, operation: str, parameters: dict[str, Any], code: str
) -> None:
    assert site.error(operation, **parameters) == (400, code)


def test_a_receipt_that_is_not_one_fails_alone(site: Site) -> None:
    site.queue.send("hello")
    (message,) = site.receive()
    entries = [{"Id": "1", "ReceiptHandle": "x"}, {"Id": "2", "ReceiptHandle": message["ReceiptHandle"]}]
    response = site.sqs.delete_message_batch(QueueUrl=site.server.queue_url(), Entries=entries)
    assert response["Successful"] == [{"Id": "2"}]
    assert response["Failed"] == [{"Id": "1", "SenderFault": True, "Code": "ReceiptHandleIsInvalid"}]


@pytest.mark.parametrize(
    ("kind", "status", "code"),
    [
        (FaultKind.ACCESS_DENIED, 403, "AccessDeniedException"),
        (FaultKind.NO_QUEUE, 400, "QueueDoesNotExist"),
        (FaultKind.THROTTLE, 429, "ThrottlingException"),
    ],
)
def test_a_fault_takes_no_message_and_can_be_cleared(site: Site, kind: FaultKind, status: int, code: str) -> None:
    site.queue.send("hello")
    site.server.faults.put(Fault(kind, operation="ReceiveMessage"))
    assert site.error("receive_message", WaitTimeSeconds=20) == (status, code)
    site.server.faults.clear()
    assert [message["Body"] for message in site.receive()] == ["hello"]
    assert [record.operation for record in site.server.requests] == ["ReceiveMessage"] * 2


def test_a_deleted_queue_is_a_fault_of_queues_only() -> None:
    with pytest.raises(ValueError, match="no_queue needs an operation, one of ReceiveMessage"):
        Fault(FaultKind.NO_QUEUE, operation="GetJob")


def test_a_request_that_is_not_signed_for_sqs_is_refused(site: Site) -> None:
    connection = site.simulated.connect()
    request = raw_receive(site.server.queue_url()).replace(b"/sqs/", b"/braket/")
    connection.sendall(request)
    assert connection.recv(4096).startswith(b"HTTP/1.1 403 ")
    connection.close()
