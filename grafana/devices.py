"""Devices: status over time, queues, and the device of one job."""

from typing import Final

from grafana_foundation_sdk.cog.builder import Builder
from grafana_foundation_sdk.models.dashboard import Panel

from grafana.colours import BAD, DEVICE_STATUS_COLOURS, GOOD, NEUTRAL, NO_STATUS, WARNING
from grafana.dashboards import Row
from grafana.job_tables import or_unknown
from grafana.panels import COUNT, Query, Texts, timeline
from grafana.queries import (
    DEVICE_FILTER,
    JOB_FILTER,
    labelled,
    listed,
    of_devices,
    of_fleet,
    of_job_now,
    with_device_name,
)
from grafana.tables import DURATION, Column, rows

_STATUSES: Final = ("ONLINE", "PAUSED", "OFFLINE", "RETIRED")
_REASONS: Final = ("OUTSIDE_AVAILABILITY_WINDOW", "MAINTENANCE", "RESERVATION")
_LAST_POLL: Final = "braket_device_last_poll_timestamp_seconds"

_TASKS: Final = 'queue="tasks",priority="normal"'
_PRIORITY_TASKS: Final = 'queue="tasks",priority="priority"'
_JOBS: Final = 'queue="jobs"'

_REASON: Final = Column("reason", "Reason", width=235)
_FROM_NOW: Final = "dateTimeFromNow"


def devices() -> list[Row]:
    """Build the rows of devices."""
    return [Row(6, [(24, _history())], "Device status"), Row(6, [(24, _queues())])]


def _history() -> Builder[Panel]:
    statuses, reasons = (
        _codes(f"braket_device_{metric}", label, known)
        for metric, label, known in (("status", "status", _STATUSES), ("status_reason", "reason", _REASONS))
    )
    polled = of_devices(_LAST_POLL, where=DEVICE_FILTER)
    codes = f"10 * ({statuses}) + ({reasons} or 0 * {polled})"
    named = f'label_join({with_device_name(codes)}, "name", " ", "device_name", "aws_region")'
    nothing = f"{labelled('vector(-1)', 'name', 'none')} unless on () {_LAST_POLL}{{{DEVICE_FILTER}}} @ end()"
    return timeline(
        "Device status history",
        "Status of the devices of active jobs, and the reason that Braket reports for it.",
        Query(f"{named} or on () ({nothing})", "{{name}}"),
        texts={-1: ("No devices, or no exporter", NO_STATUS), **_texts()},
        missing="No data",
    )


def _codes(metric: str, label: str, known: tuple[str, ...]) -> str:
    """Number the value of a label by its place among the known ones."""
    matchers = [*(f'{label}="{value}"' for value in known), f'{label}!~"{"|".join(known)}"']
    return " or ".join(
        f"{code} * ({of_devices(metric, where=f'{DEVICE_FILTER},{matcher}')} == 1)"
        for code, matcher in enumerate(matchers, 1)
    )


def _texts() -> Texts:
    reasons = ("", *(f" ({reason.lower().replace('_', ' ')})" for reason in (*_REASONS, "other reason")))
    return {
        10 * code + number: (f"{status}{reason}", DEVICE_STATUS_COLOURS.get(status, NEUTRAL))
        for code, status in enumerate((*_STATUSES, "Unknown status"), 1)
        for number, reason in enumerate(reasons)
    }


def _queues() -> Builder[Panel]:
    def each(metric: str, *labels: str, where: str = "") -> str:
        return of_devices(metric, *labels, where=f"{DEVICE_FILTER},{where}" if where else DEVICE_FILTER)

    status = f"({each('braket_device_status', 'status')} == 1)"
    typed = f"{status} * on (aws_region, device) group_left (device_type) {each('braket_device_info', 'device_type')}"
    queued = of_fleet("braket_jobs", where='status="QUEUED"')
    own = f"sum by (aws_region, device) ({queued}) and on (aws_region, device) {each(_LAST_POLL)}"
    return rows(
        "Device queues",
        "Status and queues of the devices of active jobs, beside the queued jobs that the exporter watches.",
        Query(listed(with_device_name(typed), "device_name", "No devices")),
        *(
            Query(with_device_name(query))
            for query in (
                each("braket_device_status_reason", "reason"),
                f"1000 * {each('braket_device_status_reason_started_timestamp_seconds')}",
                f"1000 * {each('braket_device_status_estimated_end_timestamp_seconds')}",
                _depth("jobs", _JOBS, DEVICE_FILTER),
                own,
                _depth("tasks", _TASKS, DEVICE_FILTER),
                _depth("priority_tasks", _PRIORITY_TASKS, DEVICE_FILTER),
                f"time() - {each(_LAST_POLL)}",
            )
        ),
        columns=[
            Column("device_name", "Device", colours={}),
            Column("aws_region", "Region", width=95),
            Column("device_type", "Type", width=80),
            Column("status", "Status", width=85, colours=DEVICE_STATUS_COLOURS),
            _REASON,
            Column("Value #C", "Since", unit=_FROM_NOW, width=120),
            Column("Value #D", "Estimated end", unit=_FROM_NOW, width=120),
            Column("jobs", "Jobs queue", width=90),
            Column("Value #F", "Own jobs", unit=COUNT, width=80),
            Column("tasks", "Tasks queue", width=95),
            Column("priority_tasks", "Priority tasks", width=105),
            Column("Value #I", "Data age", unit=DURATION, decimals=0, width=85, steps=_STALE),
        ],
    )


_STALE: Final = ((None, GOOD), (300, WARNING), (600, BAD))


def _depth(label: str, queue: str, where: str = "") -> str:
    """Show the size of a queue as a text: 3, or >4000 where Braket does not report the exact size."""
    matcher = f"{where},{queue}" if where else queue
    size, floor = (of_devices(f"braket_device_queue_size{end}", where=matcher) for end in ("", "_is_floor"))
    exact, least = (
        f'count_values by (aws_region, device) ("{label}", {size} and {floor} == {is_floor})' for is_floor in (0, 1)
    )
    return f'{exact} or label_replace({least}, "{label}", ">$1", "{label}", "(.+)")'


def of_one_job() -> Row:
    """Build the row of the device of a job."""
    active = of_job_now("braket_job_status", where='status=~"QUEUED|RUNNING|CANCELLING"')
    own = f"(max by (aws_region, device) (braket_job_info{{{JOB_FILTER}}}) and on () {active} == 1)"

    def mine(series: str) -> str:
        return with_device_name(f"({series}) and on (aws_region, device) {own}")

    table = rows(
        "Why it waits",
        "Status and queues of the job's device while the job is active. Jobs start while the device is ONLINE.",
        Query(
            or_unknown(
                mine(f"{of_devices('braket_device_status', 'status')} == 1"), "device_name", "Not active, or not polled"
            )
        ),
        *(
            Query(mine(query))
            for query in (
                of_devices("braket_device_status_reason", "reason"),
                f"1000 * {of_devices('braket_device_status_reason_started_timestamp_seconds')}",
                f"1000 * {of_devices('braket_device_status_estimated_end_timestamp_seconds')}",
                _depth("jobs", _JOBS),
                of_devices("braket_device_running_priority_jobs"),
                _depth("tasks", _TASKS),
                _depth("priority_tasks", _PRIORITY_TASKS),
            )
        ),
        columns=[
            Column("device_name", "Device"),
            Column("status", "Status", width=85, colours=DEVICE_STATUS_COLOURS),
            _REASON,
            Column("Value #C", "Since", unit=_FROM_NOW, width=130),
            Column("Value #D", "Estimated end", unit=_FROM_NOW, width=130),
            Column("jobs", "Jobs queue", width=100),
            Column("Value #F", "Running priority jobs", unit=COUNT, width=160),
            Column("tasks", "Tasks queue", width=105),
            Column("priority_tasks", "Priority tasks", width=115),
        ],
    )
    return Row(3, [(24, table)])
