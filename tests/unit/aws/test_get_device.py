"""A GetDevice response becomes a snapshot, or one error that names the invalid member."""

from typing import Any

import pytest
from botocore.session import Session
from builders import GARNET
from hypothesis import given, settings
from hypothesis import strategies as st
from profiles import examples
from strategies import JSON, NOT_OBJECTS

from exporter.aws.get_device import parse_device_response, parse_queue_size
from exporter.aws.members import ParseError
from exporter.core import DEVICE_STATUSES, STATUS_REASONS, DeviceKey, DeviceRecord, DeviceSnapshot, QueueSize
from exporter.metrics import DEVICE_FAMILIES, render

KEY = DeviceKey("eu-north-1", GARNET)

PAUSED: dict[str, Any] = {
    "deviceArn": GARNET,
    "deviceCapabilities": "{ not even JSON",
    "deviceName": "Garnet",
    "deviceQueueInfo": [
        {"queue": "QUANTUM_TASKS_QUEUE", "queueSize": ">4000", "queuePriority": "Normal"},
        {"queue": "QUANTUM_TASKS_QUEUE", "queueSize": "12", "queuePriority": "Priority"},
        {"queue": "JOBS_QUEUE", "queueSize": "0 (3 prioritized job(s) running)"},
    ],
    "deviceStatus": "PAUSED",
    "deviceStatusReason": {
        "reason": "MAINTENANCE",
        "startedAt": "2023-11-14T22:13:20Z",
        "estimatedEndAt": "2023-11-14T23:13:20.500Z",
        "updatedAt": "2023-11-14T22:14:00Z",
    },
    "deviceType": "QPU",
    "providerName": "IQM",
}


def parse(**members: Any) -> DeviceSnapshot:
    return parse_device_response(KEY, {"deviceArn": GARNET, "deviceStatus": "ONLINE", **members})


def test_a_whole_response_is_read() -> None:
    assert parse_device_response(KEY, PAUSED) == DeviceSnapshot(
        key=KEY,
        status="PAUSED",
        reason="MAINTENANCE",
        reason_started=1_700_000_000.0,
        estimated_end=1_700_003_600.5,
        queues=(
            QueueSize("tasks", "normal", 4000, is_floor=True),
            QueueSize("tasks", "priority", 12, is_floor=False),
            QueueSize("jobs", "", 0, is_floor=False),
        ),
        running_priority_jobs=3,
    )


def test_a_device_without_further_members_has_its_status_alone() -> None:
    assert parse() == DeviceSnapshot(KEY, "ONLINE")


def test_the_statuses_and_reasons_are_those_of_the_service_model() -> None:
    model = Session().get_service_model("braket")
    assert tuple(model.shape_for("DeviceStatus").enum) == DEVICE_STATUSES
    assert tuple(model.shape_for("DeviceStatusReasonCode").enum) == STATUS_REASONS
    assert set(PAUSED["deviceStatusReason"]) == set(model.shape_for("DeviceStatusReason").members)
    assert set(PAUSED) == set(model.operation_model("GetDevice").output_shape.members)


@pytest.mark.parametrize(
    ("size", "expected"),
    [
        ("12", (12, False, None)),
        ("0", (0, False, None)),
        (7, (7, False, None)),
        (">4000", (4000, True, None)),
        ("> 1000", (1000, True, None)),
        ("0 (3 prioritized job(s) running)", (0, False, 3)),
        (">15 (1 prioritized job(s) running)", (15, True, 1)),
        ("None", None),
        ("", None),
        ("-1", None),
        ("1e3", None),
        (1.5, None),
        (True, None),
        (None, None),
        (["12"], None),
    ],
)
def test_a_queue_size_is_read_in_each_of_its_spellings(size: object, expected: object) -> None:
    assert parse_queue_size(size) == expected


def test_unknown_names_are_kept_and_reported() -> None:
    device = parse(
        deviceStatus="RESTING",
        deviceStatusReason={"reason": "HOLIDAY"},
        deviceQueueInfo=[
            {"queue": "A_QUEUE", "queueSize": "1", "queuePriority": "Urgent"},
            {"queue": "JOBS_QUEUE", "queueSize": "many"},
            {"queueSize": "4"},
        ],
    )
    assert (device.status, device.reason) == ("RESTING", "HOLIDAY")
    assert device.queues == (QueueSize("A_QUEUE", "Urgent", 1, is_floor=False),)
    assert set(device.unknown) >= {
        ("deviceStatus", "RESTING"),
        ("deviceStatusReason", "HOLIDAY"),
        ("queue", "A_QUEUE"),
        ("queuePriority", "Urgent"),
        ("queueSize", "many"),
    }


@pytest.mark.parametrize(
    ("response", "problem"),
    [
        ({"deviceArn": GARNET}, "deviceStatus: missing"),
        ({"deviceStatus": ["ONLINE"]}, "deviceStatus: expected text, got a list"),
        ({"deviceStatus": "ONLINE", "deviceArn": "arn:other"}, f"deviceArn: expected {GARNET}, got arn:other"),
    ],
)
def test_a_response_without_a_status_or_of_another_device_is_an_error(response: object, problem: str) -> None:
    with pytest.raises(ParseError) as caught:
        parse_device_response(KEY, response)
    assert str(caught.value) == problem


@pytest.mark.parametrize(("response", "kind"), NOT_OBJECTS)
def test_a_response_that_is_not_an_object_is_an_error(response: object, kind: str) -> None:
    with pytest.raises(ParseError) as caught:
        parse_device_response(KEY, response)
    assert str(caught.value) == f"response: expected an object, got {kind}"


QUEUES = st.lists(
    st.fixed_dictionaries(
        {},
        optional={
            "queue": st.sampled_from(["JOBS_QUEUE", "QUANTUM_TASKS_QUEUE", "X", 7]),
            "queueSize": st.sampled_from(["12", ">4000", "0 (3 prioritized job(s) running)", "x", None]) | JSON,
            "queuePriority": st.sampled_from(["Normal", "Priority", "Y"]) | JSON,
        },
    ),
    max_size=5,
)


@settings(max_examples=examples(300))
@given(
    st.fixed_dictionaries(
        {"deviceStatus": st.sampled_from(["ONLINE", "X"])},
        optional={"deviceStatusReason": JSON, "deviceQueueInfo": QUEUES | JSON, "deviceCapabilities": JSON},
    )
)
def test_any_response_with_a_status_is_exposed_without_a_duplicate_series(response: object) -> None:
    device = parse_device_response(KEY, response)
    lines = b"".join(render(DEVICE_FAMILIES, DeviceRecord(device, 0.0))).decode().splitlines()
    series = [line.rpartition(" ")[0] for line in lines]
    assert len(series) == len(set(series))
