"""GetDevice and SearchSpendingLimits of the endpoint, as the SDK reads them."""

import json
from datetime import UTC, datetime
from typing import Any

import pytest
from botocore.exceptions import ClientError
from sim_support import START, simulator

from exporter.simulator import (
    DeviceState,
    Fault,
    FaultKind,
    Plan,
    SimulatedDevice,
    SimulatedLimit,
    World,
    generate_devices,
    generate_limits,
    limit_arn,
)

GARNET = "arn:aws:braket:eu-north-1::device/qpu/iqm/Garnet"
SV1 = "arn:aws:braket:::device/quantum-simulator/amazon/sv1"
PAUSES = SimulatedDevice(
    GARNET,
    (
        DeviceState(),
        DeviceState(100.0, "PAUSED", "MAINTENANCE", 50.0, ">4000", "12", "0 (3 prioritized job(s) running)"),
        DeviceState(150.0, "OFFLINE", "RESERVATION"),
    ),
    since=START,
    cycle_seconds=200.0,
)


def moment(seconds: float) -> datetime:
    return datetime.fromtimestamp(seconds, UTC)


def limit(name: str, region: str = "eu-north-1", account: str = "123456789012", **members: Any) -> SimulatedLimit:
    usual: dict[str, Any] = {"device": GARNET, "start": START, "end": START + 100.0, "limit": 50.0}
    return SimulatedLimit(limit_arn(name, region, account), **{**usual, **members})


def test_a_device_goes_through_its_states_over_and_over() -> None:
    with simulator(world=World(devices=[PAUSES])) as sim:
        client = sim.client("eu-north-1")
        seen = []
        for seconds in (0, 99, 100, 149, 150, 199, 200, 300):
            sim.clock.now = START + seconds
            device = client.get_device(deviceArn=GARNET)
            seen.append((device["deviceStatus"], device.get("deviceStatusReason", {}).get("reason")))
    online, paused, offline = ("ONLINE", None), ("PAUSED", "MAINTENANCE"), ("OFFLINE", "RESERVATION")
    assert seen == [online, online, paused, paused, offline, offline, online, paused]


def test_a_paused_device_has_all_members_of_the_service_model() -> None:
    with simulator(world=World(devices=[PAUSES])) as sim:
        sim.clock.now = START + 120.0
        device = sim.client("eu-north-1").get_device(deviceArn=GARNET)
    del device["ResponseMetadata"]
    assert device == {
        "deviceArn": GARNET,
        "deviceName": "Garnet",
        "providerName": "iqm",
        "deviceType": "QPU",
        "deviceStatus": "PAUSED",
        "deviceStatusReason": {
            "reason": "MAINTENANCE",
            "startedAt": moment(START + 100.0),
            "estimatedEndAt": moment(START + 150.0),
            "updatedAt": moment(START + 100.0),
        },
        "deviceCapabilities": '{"service": {"executionWindows": []}}',
        "deviceQueueInfo": [
            {"queue": "QUANTUM_TASKS_QUEUE", "queueSize": ">4000", "queuePriority": "Normal"},
            {"queue": "QUANTUM_TASKS_QUEUE", "queueSize": "12", "queuePriority": "Priority"},
            {"queue": "JOBS_QUEUE", "queueSize": "0 (3 prioritized job(s) running)"},
        ],
    }


def test_a_device_that_is_not_described_is_online_in_its_region_and_a_simulator_in_every_region() -> None:
    with simulator(world=World()) as sim:
        assert sim.client("eu-north-1").get_device(deviceArn=GARNET)["deviceStatus"] == "ONLINE"
        assert sim.client("us-west-1").get_device(deviceArn=SV1)["deviceType"] == "SIMULATOR"
        with pytest.raises(ClientError, match="ResourceNotFoundException"):
            sim.client("us-west-1").get_device(deviceArn=GARNET)
        with pytest.raises(ClientError, match="ValidationException"):
            sim.client().get_device(deviceArn="arn:aws:braket:::no-device")


def test_a_fault_of_one_device_operation_leaves_the_others() -> None:
    with simulator(world=World()) as sim:
        sim.server.faults.put(Fault(FaultKind.ACCESS_DENIED, operation="GetDevice"))
        with pytest.raises(ClientError, match="AccessDeniedException"):
            sim.client("eu-north-1").get_device(deviceArn=GARNET)
        assert sim.client().search_spending_limits()["spendingLimits"] == []


def test_a_fault_without_an_operation_is_one_of_job_operations() -> None:
    with simulator(world=World()) as sim:
        sim.server.faults.put(Fault(FaultKind.GATEWAY, times=1))
        assert sim.client("eu-north-1").get_device(deviceArn=GARNET)["deviceStatus"] == "ONLINE"
        with pytest.raises(ClientError):
            sim.client().search_jobs(filters=[])


def test_a_spending_limit_fills_up_until_it_is_used_up_or_its_period_is_over() -> None:
    world = World(limits=[limit("a", spent=10.0, per_second=1.0, queued=5.0), limit("b", per_second=0.1)])
    with simulator(world=world) as sim:
        client, seen = sim.client("eu-north-1"), []
        for seconds in (0, 30, 37, 60, 500):
            sim.clock.now = START + seconds
            entries = client.search_spending_limits()["spendingLimits"]
            seen.append([(entry["totalSpend"], entry["queuedSpend"]) for entry in entries])
        entry = entries[0]
    assert seen == [
        [("10.00", "5.00"), ("0.00", "0.00")],
        [("40.00", "5.00"), ("3.00", "0.00")],
        [("47.00", "3.00"), ("3.70", "0.00")],
        [("50.00", "0.00"), ("6.00", "0.00")],
        [("50.00", "0.00"), ("10.00", "0.00")],
    ]
    assert entry["timePeriod"] == {"startAt": moment(START), "endAt": moment(START + 100.0)}
    assert (entry["spendingLimit"], entry["deviceArn"]) == ("50.00", GARNET)
    assert entry["spendingLimitArn"] == "arn:aws:braket:eu-north-1:123456789012:spending-limit/a"


def test_spending_limits_are_those_of_the_region_and_account_in_pages() -> None:
    limits = [limit(f"{number:03d}") for number in range(45)]
    others = [limit("x", "us-east-1"), limit("y", account="210987654321")]
    accounts = {"AKIDEXAMPLE": "123456789012"}
    with simulator(world=World(limits=[*limits, *others], accounts=accounts)) as sim:
        client = sim.client("eu-north-1")
        pages = [*client.get_paginator("search_spending_limits").paginate()]
        whole = client.search_spending_limits(maxResults=100)["spendingLimits"]
        mine = {"name": "deviceArn", "operator": "EQUAL", "values": [SV1]}
        none = client.search_spending_limits(filters=[mine])["spendingLimits"]
    assert [len(page["spendingLimits"]) for page in pages] == [20, 20, 5]
    assert len(whole) == 45
    assert none == []


@pytest.mark.parametrize(
    "body",
    [
        b"[]",
        b"{",
        b'{"maxResults": 0}',
        b'{"maxResults": 101}',
        b'{"nextToken": 7}',
        b'{"nextToken": "x"}',
        b'{"filters": {}}',
        b'{"filters": [{"name": "status", "operator": "EQUAL", "values": ["x"]}]}',
        b'{"filters": [{"name": "deviceArn", "operator": "EQUAL", "values": []}]}',
    ],
)
def test_a_search_that_breaks_the_service_model_is_refused(body: bytes) -> None:
    with simulator(world=World()) as sim:
        response = sim.http("POST", "/spending-limits", body)
    assert (response.status, response.headers["x-amzn-errortype"]) == (400, "ValidationException")
    assert json.loads(response.body)["message"]


def test_the_devices_of_a_fleet_show_every_outage_within_minutes_at_thirty_times_the_speed() -> None:
    plan = Plan(7, START, speed=30.0)
    devices = [*generate_devices(plan)]
    seen = set()
    for device in devices:
        for second in range(0, 480, 5):
            answer: Any = device.answer(START + second)
            reason = answer.get("deviceStatusReason", {})
            seen.add((answer["deviceStatus"], reason.get("reason"), "estimatedEndAt" in reason))
    assert seen == {
        ("ONLINE", None, False),
        ("PAUSED", "MAINTENANCE", True),
        ("PAUSED", "MAINTENANCE", False),
        ("OFFLINE", "OUTSIDE_AVAILABILITY_WINDOW", True),
        ("OFFLINE", "RESERVATION", True),
    }


def test_of_the_limits_of_a_fleet_one_is_used_up_and_one_is_over_within_minutes() -> None:
    plan = Plan(7, START, speed=30.0)
    limits = [*generate_limits(plan)]
    late: list[Any] = [each.entry(START + 600.0) for each in limits]
    assert any(float(entry["totalSpend"]) == float(entry["spendingLimit"]) for entry in late)
    assert any(entry["timePeriod"]["endAt"] < START + 600.0 for entry in late)
    assert all(float(each.entry(START)["totalSpend"]) < each.limit for each in limits)  # type: ignore[arg-type]
