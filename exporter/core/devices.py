"""Devices: their responses, and the exporter's records. Pure."""

from typing import Final, NamedTuple

from exporter.core.arn import parse_device, region_of_device

DEVICE_STATUSES: Final = ("ONLINE", "OFFLINE", "RETIRED", "PAUSED")
"""Every documented status of a device; an unknown one keeps its own name."""

STATUS_REASONS: Final = ("OUTSIDE_AVAILABILITY_WINDOW", "MAINTENANCE", "RESERVATION")
"""Every documented reason of a status; an unknown one keeps its own name."""

MOST_UNKNOWN: Final = 100
"""The maximum number of unknown values in a record."""


class DeviceKey(NamedTuple):
    """A device in a Region. Simulators are in several Regions under one ARN."""

    region: str
    arn: str


class QueueSize(NamedTuple):
    """The size of one queue of a device.

    Attributes:
        queue: ``jobs`` or ``tasks``; an unknown queue keeps its own name.
        priority: ``normal`` or ``priority``; empty without one.
        size: the number of entries, or N of ``">N"``.
        is_floor: whether the size was ``">N"``.
    """

    queue: str
    priority: str
    size: int
    is_floor: bool


class DeviceSnapshot(NamedTuple):
    """One GetDevice response. Times are unix seconds.

    Attributes:
        key: the device.
        status: its status.
        reason: the reason of the status; empty without one.
        reason_started: the start of the reason.
        estimated_end: the estimated end of the status.
        queues: its queues.
        running_priority_jobs: the number of prioritized jobs that run; ``None`` if Braket does not report it.
        unknown: values that this release does not know, as (field, value).
    """

    key: DeviceKey
    status: str
    reason: str = ""
    reason_started: float | None = None
    estimated_end: float | None = None
    queues: tuple[QueueSize, ...] = ()
    running_priority_jobs: int | None = None
    unknown: tuple[tuple[str, str], ...] = ()


class DeviceRecord(NamedTuple):
    """The exporter's state of one device.

    Attributes:
        snapshot: the last successful response.
        polled_at: its time, unix seconds.
        unknown: every unknown value of this device, as (field, value).
    """

    snapshot: DeviceSnapshot
    polled_at: float
    unknown: tuple[tuple[str, str], ...] = ()


class DeviceObservation(NamedTuple):
    """The result of one GetDevice response.

    Attributes:
        record: the new record.
        from_status: the status before, if it changed; ``None`` without a change or at the first response.
        unknown: new unknown values, as (field, value).
    """

    record: DeviceRecord
    from_status: str | None
    unknown: tuple[tuple[str, str], ...]


def device_key(device: str, region: str) -> DeviceKey | None:
    """Return the key of a job's device; ``None`` for an embedded simulator, which Braket does not know.

    Args:
        device: the device of the job.
        region: the Region of the job; the Region in the ARN of the device comes first.
    """
    if parse_device(device).type not in {"qpu", "simulator"}:
        return None
    return DeviceKey(region_of_device(device) or region, device)


def observe_device(before: DeviceRecord | None, snapshot: DeviceSnapshot, now: float) -> DeviceObservation:
    """Apply one response to a record.

    Args:
        before: the record so far.
        snapshot: the response.
        now: the time of the response, unix seconds.
    """
    known = () if before is None else before.unknown
    unknown = tuple(dict.fromkeys((*known, *snapshot.unknown)))[:MOST_UNKNOWN]
    changed = before is not None and before.snapshot.status != snapshot.status
    return DeviceObservation(
        DeviceRecord(snapshot, now, unknown),
        before.snapshot.status if before is not None and changed else None,
        unknown[len(known) :],
    )
