"""The metrics of devices as a table. Pure."""

from collections.abc import Callable, Iterable
from typing import Final

from exporter.core import DEVICE_STATUSES, DeviceRecord, DeviceSnapshot, parse_device
from exporter.metrics.family import Labels, Sample, SubjectFamily

DeviceFamily = SubjectFamily[DeviceRecord]

_Samples = Iterable[tuple[Labels, float]]
"""Samples without the labels that every family of devices has."""

_DEVICE_LABELS: Final = ("aws_region", "device")


def _gauge(name: str, text: str, samples: Callable[[DeviceSnapshot], _Samples], *labels: str) -> DeviceFamily:
    return _record_gauge(name, text, lambda record: samples(record.snapshot), *labels)


def _record_gauge(name: str, text: str, samples: Callable[[DeviceRecord], _Samples], *labels: str) -> DeviceFamily:
    def of_device(record: DeviceRecord) -> list[Sample]:
        return [((*record.snapshot.key, *values), value) for values, value in samples(record)]

    return DeviceFamily(name, text, "gauge", (*_DEVICE_LABELS, *labels), own_samples=of_device)


def _one(value: float | None) -> _Samples:
    return () if value is None else [((), float(value))]


def _info(device: DeviceSnapshot) -> _Samples:
    return [(tuple(parse_device(device.key.arn)), 1.0)]


def _status(device: DeviceSnapshot) -> _Samples:
    names = dict.fromkeys((*DEVICE_STATUSES, device.status))
    return [((name,), float(name == device.status)) for name in names]


DEVICE_FAMILIES: Final = (
    _gauge(
        "braket_device_info",
        "Attributes of the device that do not change, as labels; the value is always 1.",
        _info,
        *("device_name", "device_provider", "device_type"),
    ),
    _gauge(
        "braket_device_status",
        "Current status of the device: 1 for the current status, 0 for the others.",
        _status,
        "status",
    ),
    _gauge(
        "braket_device_status_reason",
        "Reason of the status of the device: 1 while Braket reports one, otherwise no sample.",
        lambda device: [((device.reason,), 1.0)] if device.reason else [],
        "reason",
    ),
    _gauge(
        "braket_device_status_reason_started_timestamp_seconds",
        "Unix time of the start of the reason of the status.",
        lambda device: _one(device.reason_started),
    ),
    _gauge(
        "braket_device_status_estimated_end_timestamp_seconds",
        "Unix time of the estimated end of the status.",
        lambda device: _one(device.estimated_end),
    ),
    _gauge(
        "braket_device_queue_size",
        "Size of a queue of the device; N where Braket reports >N.",
        lambda device: [((size.queue, size.priority), float(size.size)) for size in device.queues],
        *("queue", "priority"),
    ),
    _gauge(
        "braket_device_queue_size_is_floor",
        "Precision of the queue size: 1 where Braket reports >N, so that the true size is higher, else 0.",
        lambda device: [((size.queue, size.priority), float(size.is_floor)) for size in device.queues],
        *("queue", "priority"),
    ),
    _gauge(
        "braket_device_running_priority_jobs",
        "Number of prioritized jobs that run on the device; no sample unless Braket reports it.",
        lambda device: _one(device.running_priority_jobs),
    ),
    _record_gauge(
        "braket_device_last_poll_timestamp_seconds",
        "Unix time of the last successful GetDevice call for the device.",
        lambda record: _one(record.polled_at),
    ),
)
