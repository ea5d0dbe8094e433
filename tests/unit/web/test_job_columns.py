"""The columns of the job table: their sort keys and cells."""

from typing import Any

import pytest
from builders import CREATED, GARNET, SV1, finished, record, snapshot

from exporter.core import DeviceKey, DeviceRecord, DeviceSnapshot, JobRecord, QueueSize, short_device
from exporter.web.job_columns import (
    COLUMNS,
    SORTABLE,
    billable_seconds,
    ran_seconds,
    row_of,
)
from exporter.web.table_cells import Cell, Note, RowContext

NOW = CREATED + 1000.0


def cell(key: str, of: JobRecord, *devices: DeviceRecord, several_accounts: bool = False) -> Cell:
    known = {device.snapshot.key: device for device in devices}
    context = RowContext(NOW, several_accounts=several_accounts, devices=known)
    cells = [content for _, _, content in row_of(of, context)]
    return dict(zip([column.key for column in COLUMNS], cells, strict=True))[key]


def test_each_key_is_used_once_and_all_columns_but_the_links_can_be_sorted() -> None:
    keys = [column.key for column in COLUMNS]
    assert len({*keys}) == len(keys)
    assert [key for key in keys if key not in SORTABLE] == ["logs"]


def test_a_job_without_a_response_has_a_status_and_its_arn_only() -> None:
    cells = [content for _, _, content in row_of(JobRecord("arn", failing="AccessDeniedException"), RowContext(NOW))]
    notes = [Note("AccessDeniedException")]
    assert cells[:2] == [Cell("no data", colour="grey", notes=notes), Cell("arn", "arn")]
    assert {*cells[2:]} == {Cell()}


def test_a_time_has_its_age_and_its_date() -> None:
    assert cell("created", record(snapshot())) == Cell("16 min 40 s ago", time="2023-11-14 22:13:20")
    assert cell("created", record(snapshot(created=None))) == Cell()
    assert cell("age", record(snapshot())) == Cell("14 min 30 s", time="2023-11-14 22:15:30")
    assert cell("age", JobRecord("arn", snapshot())) == Cell("not polled yet")


def test_the_account_is_a_note_below_the_region_where_there_are_several() -> None:
    assert cell("region", record(snapshot())).notes == ()
    assert cell("region", record(snapshot()), several_accounts=True).notes == [Note("123456789012")]


def test_a_job_runs_from_its_start_to_its_end_or_until_now() -> None:
    assert ran_seconds(record(snapshot()), NOW) == 960.0
    assert ran_seconds(record(finished()), NOW) == 80.0
    assert ran_seconds(record(finished(ended=None)), NOW) is None
    assert ran_seconds(record(snapshot(started=None)), NOW) is None
    assert ran_seconds(record(snapshot(started=NOW + 5.0)), NOW) == 0.0
    assert ran_seconds(JobRecord("arn"), NOW) is None


def test_billable_seconds_count_for_each_instance() -> None:
    assert billable_seconds(record(finished())) == 80.0
    assert billable_seconds(record(finished(instance_count=3))) == 240.0
    assert billable_seconds(record(finished(instance_count=None))) == 80.0
    assert billable_seconds(record(snapshot())) is None
    assert billable_seconds(JobRecord("arn")) is None


@pytest.mark.parametrize(
    ("device", "short"),
    [
        (SV1, "amazon/sv1"),
        (GARNET, "iqm/Garnet"),
        ("local:pennylane/lightning.qubit", "local:pennylane/lightning.qubit"),
        ("arn:aws:braket:::device/annealer/x/y", "arn:aws:braket:::device/annealer/x/y"),
        ("", ""),
    ],
)
def test_a_device_has_its_provider_and_name(device: str, short: str) -> None:
    assert short_device(device) == short


# The state of the device beside a queued job.

KEY = DeviceKey("eu-north-1", GARNET)
QUEUED = record(snapshot(status="QUEUED", device=GARNET, region="eu-north-1"))


def device(status: str, *, polled_at: float = NOW, **members: Any) -> DeviceRecord:
    return DeviceRecord(DeviceSnapshot(KEY, status, **members), polled_at)


def sizes(*entries: tuple[str, int, bool]) -> tuple[QueueSize, ...]:
    return tuple(QueueSize(queue, "", size, is_floor) for queue, size, is_floor in entries)


@pytest.mark.parametrize(
    ("record", "notes"),
    [
        (device("ONLINE"), [("ONLINE", "green")]),
        (
            device("PAUSED", reason="MAINTENANCE", estimated_end=NOW + 5400.0, queues=sizes(("jobs", 12, False))),
            [
                ("PAUSED", "yellow"),
                ("MAINTENANCE", ""),
                ("estimated end 00:00 UTC (in 1 h 30 min)", ""),
                ("12 jobs queued", ""),
            ],
        ),
        (
            device("OFFLINE", estimated_end=NOW - 600.0),
            [("OFFLINE", "red"), ("estimated end 22:20 UTC (10 min ago)", "")],
        ),
        (
            device("OFFLINE", estimated_end=NOW + 90000.0),
            [("OFFLINE", "red"), ("estimated end 2023-11-15 23:30 UTC (in 1 d 1 h)", "")],
        ),
        (device("RETIRED", queues=sizes(("tasks", 7, False))), [("RETIRED", "grey")]),
        (device("RESTING" * 20, reason="x" * 90), [(("RESTING" * 20)[:40], "grey"), ("x" * 40, "")]),
        (device("ONLINE", queues=sizes(("jobs", 4000, True))), [("ONLINE", "green"), (">4000 jobs queued", "")]),
        (device("ONLINE", queues=sizes(("jobs", 1, False))), [("ONLINE", "green"), ("1 job queued", "")]),
        (device("ONLINE", queues=sizes(("jobs", 1, True))), [("ONLINE", "green"), (">1 jobs queued", "")]),
        (device("ONLINE", polled_at=NOW - 599.0), [("ONLINE", "green")]),
        (device("ONLINE", polled_at=NOW - 600.0), [("ONLINE", "green"), ("as of 10 min ago", "")]),
    ],
)
def test_the_state_of_the_device_is_beside_a_queued_job(record: DeviceRecord, notes: list[tuple[str, str]]) -> None:
    shown = cell("device", QUEUED, record)
    assert (shown.text, shown.title, [*shown.notes]) == ("iqm/Garnet", GARNET, [Note(*note) for note in notes])


@pytest.mark.parametrize(
    "of",
    [
        record(snapshot(status="RUNNING", device=GARNET, region="eu-north-1")),
        record(finished(device=GARNET, region="eu-north-1")),
        record(snapshot(status="QUEUED", device=SV1, region="eu-north-1")),
        record(snapshot(status="QUEUED", device="local:pennylane/lightning.qubit")),
        record(snapshot(status="QUEUED", device="")),
    ],
)
def test_other_jobs_have_their_device_only(of: JobRecord) -> None:
    assert cell("device", of, device("PAUSED")).notes == ()


def test_a_queued_job_has_its_device_only_where_devices_are_not_polled() -> None:
    assert cell("device", QUEUED) == Cell("iqm/Garnet", GARNET)


def test_a_job_of_a_simulator_has_the_state_of_its_own_region() -> None:
    there = DeviceRecord(DeviceSnapshot(DeviceKey("us-east-1", SV1), "OFFLINE"), NOW)
    here = DeviceRecord(DeviceSnapshot(DeviceKey("us-west-2", SV1), "ONLINE"), NOW)
    of = record(snapshot(status="QUEUED", device=SV1, region="us-west-2"))
    assert cell("device", of, there, here).notes == (Note("ONLINE", "green"),)
