"""check-config --online and the event queue: real boto3 over real HTTP, to the simulator."""

import json
import time
from collections.abc import Iterator

import pytest
from processes import closed_port

from exporter.app.access_results import Access
from exporter.app.check_config import check_config
from exporter.app.event_queue_check import check_queues
from exporter.app.permission_report import report
from exporter.app.settings import Settings
from exporter.app.target_configs import Sessions, target_configs
from exporter.aws import Sdk
from exporter.simulator import Fault, FaultKind, Queue, SimulatorServer, World

ACCOUNT = "123456789012"
REGION = "us-west-2"
CALL = f"#   {ACCOUNT}/{REGION} GetQueueAttributes"
RESOURCE = f"arn:aws:sqs:{REGION}:{ACCOUNT}:braket-events"


@pytest.fixture
def server(monkeypatch: pytest.MonkeyPatch) -> Iterator[SimulatorServer]:
    with SimulatorServer(World(queues=[Queue(), Queue("other")]), clock=time.time) as running:
        for service in ("SQS", "BRAKET", "STS"):
            monkeypatch.setenv(f"AWS_ENDPOINT_URL_{service}", running.url)
        yield running


def settings(server: SimulatorServer, **given: object) -> Settings:
    return Settings(**{"all_jobs": True, "regions": [REGION], "event_queue_url": server.queue_url(), **given})


def accesses(given: Settings) -> list[Access]:
    sessions: Sessions = {}
    configs = target_configs(given, sessions, Sdk())
    return check_queues(configs, sessions, lambda *_: None)


def printed(given: Settings) -> list[str]:
    return [line for line in report(accesses(given)).splitlines() if "endpoint: " not in line][1:]


def test_a_queue_that_responds_is_shown_with_its_messages(server: SimulatorServer) -> None:
    assert printed(settings(server)) == [f"{CALL}: ok, queue {ACCOUNT}/braket-events with about 0 messages"]
    (queue, _) = server.world.queues.values()
    queue.send("one")
    assert printed(settings(server)) == [f"{CALL}: ok, queue {ACCOUNT}/braket-events with about 1 message"]
    assert queue.numbers(time.time()) == (1, 0)
    assert {record.operation for record in server.requests} == {"GetQueueAttributes"}


def test_each_queue_is_checked_once_and_only_with_one(server: SimulatorServer) -> None:
    entries = [
        {"all_jobs": True, "regions": [REGION, "eu-north-1"]},
        {"all_jobs": True, "profile": None, "regions": [REGION], "event_queue_url": server.queue_url("other")},
    ]
    checked = Settings(targets=entries, event_queue_url=server.queue_url())
    lines = printed(checked)
    assert [line.partition(" with ")[0] for line in lines] == [
        f"{CALL}: ok, queue {ACCOUNT}/braket-events",
        f"{CALL}: ok, queue {ACCOUNT}/other",
    ]
    assert accesses(settings(server, event_queue_url=None)) == []


def test_a_denied_call_prints_the_policy_and_is_no_failure(server: SimulatorServer) -> None:
    server.faults.put(Fault(FaultKind.ACCESS_DENIED, operation="GetQueueAttributes"))
    (access,) = accesses(settings(server))
    assert access.is_complete
    *_, call, step, policy = report([access]).splitlines()
    reason = f"queue {ACCOUNT}/braket-events: SQS returned AccessDeniedException (HTTP 403)"
    assert call == f"{CALL}: denied: {reason}"
    assert step == "# Next step: attach this IAM policy to the SDK's own credentials:"
    assert json.loads(policy.removeprefix("# "))["Statement"] == [
        {"Effect": "Allow", "Action": action, "Resource": RESOURCE}
        for action in ("sqs:ReceiveMessage", "sqs:DeleteMessage", "sqs:GetQueueAttributes")
    ]
    checked = check_config(settings(server), online=True)
    assert checked.permitted
    assert f"{CALL}: denied" in checked.text


def test_a_queue_that_does_not_exist_is_a_failure_with_a_next_step(server: SimulatorServer) -> None:
    missing = settings(server, event_queue_url=f"{server.url}/{ACCOUNT}/missing")
    assert printed(missing) == [
        f"{CALL}: failed: queue {ACCOUNT}/missing: SQS returned QueueDoesNotExist (HTTP 400)",
        "# Next step: check event_queue_url, and that the queue exists in the Region of its URL",
    ]
    checked = check_config(missing, online=True)
    assert not checked.permitted
    assert f"{ACCOUNT}/{REGION} GetJob: ok" in checked.text


def test_a_queue_that_does_not_respond_is_a_failure_whatever_its_region(
    server: SimulatorServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("AWS_ENDPOINT_URL_SQS", f"http://127.0.0.1:{closed_port()}")
    url = f"https://sqs.eu-central-1.amazonaws.com/{ACCOUNT}/braket-events"
    call, step = printed(settings(server, event_queue_url=url))
    assert call.startswith(f"#   {ACCOUNT}/eu-central-1 GetQueueAttributes: failed: queue {ACCOUNT}/braket-events: no ")
    assert step.startswith("# Next step: check event_queue_url; check the host name, network, proxy")


def test_a_login_page_is_not_sqs(server: SimulatorServer) -> None:
    server.faults.put(Fault(FaultKind.GATEWAY, operation="GetQueueAttributes", status=200))
    assert printed(settings(server))[1:] == [
        "# Next step: check that the endpoint of SQS is Amazon SQS, and not a proxy or a login page"
    ]


def test_without_online_the_queue_is_not_called(server: SimulatorServer) -> None:
    assert check_config(settings(server), online=False).permitted
    assert server.requests == []
