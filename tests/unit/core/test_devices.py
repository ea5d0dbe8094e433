"""Devices: their keys, and the news of a response."""

import pytest
from builders import GARNET, SV1

from exporter.core.devices import DeviceKey, DeviceRecord, DeviceSnapshot, device_key, observe_device

KEY = DeviceKey("eu-north-1", GARNET)


def seen(status: str, *unknown: tuple[str, str]) -> DeviceSnapshot:
    return DeviceSnapshot(KEY, status, unknown=unknown)


@pytest.mark.parametrize(
    ("device", "key"),
    [
        (GARNET, DeviceKey("eu-north-1", GARNET)),
        (SV1, DeviceKey("us-west-2", SV1)),
        (
            "arn:aws:braket:::device/qpu/rigetti/Aspen-9",
            DeviceKey("us-west-2", "arn:aws:braket:::device/qpu/rigetti/Aspen-9"),
        ),
        ("local:pennylane/lightning.qubit", None),
        ("", None),
        ("something", None),
    ],
)
def test_a_device_is_in_the_region_of_its_arn_or_else_of_the_job(device: str, key: DeviceKey | None) -> None:
    assert device_key(device, "us-west-2") == key


def test_the_first_response_is_no_change() -> None:
    observation = observe_device(None, seen("OFFLINE"), 100.0)
    assert observation.from_status is None
    assert observation.record == DeviceRecord(seen("OFFLINE"), 100.0)


def test_another_status_is_a_change_and_the_same_is_not() -> None:
    before = DeviceRecord(seen("ONLINE"), 100.0)
    assert observe_device(before, seen("PAUSED"), 160.0).from_status == "ONLINE"
    assert observe_device(before, seen("ONLINE"), 160.0).from_status is None
    assert observe_device(before, seen("ONLINE"), 160.0).record.polled_at == 160.0


def test_an_unknown_value_is_news_once() -> None:
    first = observe_device(None, seen("RESTING", ("deviceStatus", "RESTING")), 1.0)
    again = observe_device(first.record, seen("RESTING", ("deviceStatus", "RESTING"), ("queue", "X")), 2.0)
    later = observe_device(again.record, seen("RESTING", ("deviceStatus", "RESTING")), 3.0)
    assert (first.unknown, again.unknown, later.unknown) == ((("deviceStatus", "RESTING"),), (("queue", "X"),), ())
