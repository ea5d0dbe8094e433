"""The cell of a job's device; for a queued job, with the state of the device. Pure."""

from collections.abc import Iterator, Mapping
from typing import Final

from exporter.core import DeviceKey, DeviceRecord, DeviceSnapshot, JobRecord, JobSnapshot, device_key, short_device
from exporter.web.status_cell import MAX_STATUS_LENGTH
from exporter.web.table_cells import Cell, Note, RowContext
from exporter.web.time_text import age, date_and_time, time_of_day, time_until

DEVICE_COLOURS: Final = {"ONLINE": "green", "PAUSED": "yellow", "OFFLINE": "red", "RETIRED": "grey"}
"""The colours of the dashboards."""

OLD: Final = 600.0
"""The data age of a device, seconds, from which the page shows it."""

DAY: Final = 86400.0
"""The distance of an estimated end, seconds, from which the page shows its date."""


def device_cell(_: JobRecord, job: JobSnapshot, context: RowContext) -> Cell:
    """Return the device of a job; for a queued job, also the status, its reason and end, and the queue size."""
    record = device_of(job, context.devices) if job.status == "QUEUED" else None
    notes = () if record is None else tuple(_notes(record, context.now))
    return Cell(short_device(job.device), job.device, notes=notes)


def device_of(job: JobSnapshot, devices: Mapping[DeviceKey, DeviceRecord]) -> DeviceRecord | None:
    """Return the record of a job's device, if there is one."""
    key = device_key(job.device, job.region) if devices else None
    return None if key is None else devices.get(key)


def _notes(record: DeviceRecord, now: float) -> Iterator[Note]:
    device = record.snapshot
    yield Note(device.status[:MAX_STATUS_LENGTH], DEVICE_COLOURS.get(device.status, "grey"))
    if device.reason:
        yield Note(device.reason[:MAX_STATUS_LENGTH])
    if device.estimated_end is not None:
        yield Note(_end(device.estimated_end, now))
    yield from _queue(device)
    if now - record.polled_at >= OLD:
        yield Note(f"as of {age(record.polled_at, now)}")


def _end(end: float, now: float) -> str:
    difference = time_until(end, now) if end > now else age(end, now)
    shown = time_of_day(end) if abs(end - now) < DAY else f"{date_and_time(end)[:10]} {time_of_day(end)}"
    return f"estimated end {shown} UTC ({difference})"


def _queue(device: DeviceSnapshot) -> Iterator[Note]:
    """Yield the size of the queue of hybrid jobs, if Braket reports it."""
    sizes = (size for size in device.queues if size.queue == "jobs")
    for size in sizes:
        yield Note(
            f"{'>' * size.is_floor}{size.size} {'job' if size.size == 1 and not size.is_floor else 'jobs'} queued"
        )
