"""The columns of the job table: their sort keys and cells."""

import pytest
from builders import CREATED, GARNET, SV1, finished, record, snapshot

from exporter.core import JobRecord, short_device
from exporter.web.job_columns import (
    COLUMNS,
    SORTABLE,
    Cell,
    Note,
    RowContext,
    billable_seconds,
    ran_seconds,
    row_of,
)

NOW = CREATED + 1000.0


def cell(key: str, of: JobRecord, *, several_accounts: bool = False) -> Cell:
    cells = [content for _, _, content in row_of(of, RowContext(NOW, several_accounts=several_accounts))]
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
