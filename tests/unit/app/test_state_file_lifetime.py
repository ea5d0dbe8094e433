"""The state file in the life of an exporter: the start, a reload, tidying up, the end."""

import sqlite3
from contextlib import closing
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest
from builders import FakeTime, snapshot
from disks import fail_midway
from ledgers import Past, past_in
from structlog import wrap_logger
from structlog.testing import LogCapture

from exporter.app.active_settings import ActiveSettings
from exporter.app.build import build_parts
from exporter.app.command_errors import StartError
from exporter.app.file_watch import FileWatch
from exporter.app.first_poll_log import FirstPollLog
from exporter.app.reload import Reloader
from exporter.app.settings import Settings, SettingsError
from exporter.app.state_file_path import check_state_file
from exporter.core import JobRecord
from exporter.metrics import Totals
from exporter.storage import Entry, SavedState
from exporter.storage.job_rows import ROWS_AT_ONCE
from exporter.storage.persistence import mark_of
from exporter.storage.sqlite_file import State
from exporter.telemetry import SelfMetrics

ACCOUNT = "123456789012"
REGION = "us-west-2"


def arn(number: int) -> str:
    return f"arn:aws:braket:{REGION}:{ACCOUNT}:job/00000000-0000-4000-8000-{number:012d}"


# The state file, without a daemon around it; ``test_restart`` has the daemon.

LOST = arn(1)
SETTINGS = Settings(jobs=(LOST,), regions=(REGION,))


@dataclass
class House:
    """An exporter whose time is moved by hand, and which asks nobody anything."""

    settings: Settings
    time: FakeTime = field(default_factory=FakeTime)
    log: LogCapture = field(default_factory=LogCapture)

    def __post_init__(self) -> None:
        self.exporter = build_parts(
            self.settings, wrap_logger(None, processors=[self.log]), SelfMetrics(), self.time.clock
        )
        self.active = ActiveSettings(self.exporter, self.settings)

    def recall(self) -> SavedState | None:
        return self.exporter.load_state(self.settings.state_file)

    def begin(self) -> None:
        self.active.apply(self.settings, self.recall())

    @property
    def told(self) -> list[str]:
        return [entry["event"] for entry in self.log.entries]

    def last_write(self) -> float:
        name = "braket_exporter_state_last_write_timestamp_seconds"
        page = self.exporter.telemetry.render("text", lambda family, _: family == name, ()).decode()
        return float(page.splitlines()[-1].removeprefix(name))


def stateful(file: Path, **members: Any) -> House:
    return House(SETTINGS.model_copy(update={"state_file": str(file), **members}))


def past_of(file: Path) -> Past:
    with closing(State(str(file))) as state:
        past = past_in(state)
        assert past is not None
        return past


def test_without_a_state_file_there_is_no_keeper_and_no_past() -> None:
    house = House(SETTINGS)
    assert house.exporter.state_writer is None
    assert house.recall() is None
    house.begin()
    house.exporter.maintain()
    house.exporter.close()
    page = house.exporter.telemetry.render("text", lambda name, _: "_state_" in name, ())
    assert page == b""


def test_what_an_exporter_begins_with_is_in_its_file_at_once_and_another_goes_on_with_it(tmp_path: Path) -> None:
    house = stateful(tmp_path / "state.db", all_jobs=True)
    house.begin()
    (lane,) = house.exporter.manager.baselines
    assert house.last_write() == house.time.wall
    house.exporter.close()
    began = house.time.wall
    known = JobRecord(LOST, baseline_at=began)
    assert past_of(tmp_path / "state.db") == Past(began, [known], baselines={lane: began})
    again = stateful(tmp_path / "state.db", all_jobs=True)
    again.time.advance(60.0)
    again.begin()
    assert [*again.exporter.store.scan()] == [known]
    assert again.exporter.manager.baselines == {lane: began}
    assert again.told == ["state_loaded"]
    again.exporter.close()


def test_the_jobs_that_a_state_file_knows_are_counted_and_not_those_that_are_only_named(tmp_path: Path) -> None:
    file = tmp_path / "state.db"
    house = stateful(file, all_jobs=True)
    house.begin()
    assert house.active.known_jobs == 0
    for number in (2, 3):
        house.exporter.store.put(JobRecord(arn(number), snapshot(arn=arn(number), account=ACCOUNT, region=REGION)))
    house.exporter.close()
    again = stateful(file, all_jobs=True)
    again.begin()
    assert again.active.known_jobs == 2
    assert [job.arn for job in again.active.configured_jobs] == [LOST]
    again.exporter.close()


def test_a_setting_that_is_probably_a_mistake_is_logged_at_the_start_and_with_a_reload() -> None:
    house = House(SETTINGS.model_copy(update={"api_requests_per_second": 10.0}))
    house.begin()
    house.active.warn()
    again = SETTINGS.model_copy(update={"regions": ("us-west-9",)})
    Reloader(house.exporter, house.active, lambda: again, FileWatch("a.yaml"), None).reload()
    told = [(line["setting"], line["message"]) for line in house.log.entries if line["event"] == "config_warning"]
    assert [setting for setting, _ in told] == ["api_requests_per_second", "regions"]
    assert told[0][1].startswith("10 calls per second are more than Braket's default quota of 5")
    assert told[1][1].startswith(
        "Region us-west-9 is not known to this release (did you mean us-west-2?); Braket is in: "
    )


def test_the_progress_of_a_long_first_poll_is_logged_every_10_seconds_until_it_is_done() -> None:
    house = House(SETTINGS)
    house.begin()
    progress = FirstPollLog(house.exporter)
    for _ in range(5):
        house.time.advance(5.0)
        progress.log_if_due()
    assert [entry for entry in house.log.entries if entry["event"] == "first_poll_progress"] == [
        {
            "event": "first_poll_progress",
            "log_level": "info",
            "jobs_polled": 0,
            "jobs_known": 1,
            "targets": 1,
            "targets_failing": 0,
            "seconds_left": 0.4,
        }
    ] * 2
    house.active.apply(house.settings.model_copy(update={"jobs": ()}))
    house.time.advance(60.0)
    progress.log_if_due()
    house.active.apply(house.settings)
    house.time.advance(60.0)
    progress.log_if_due()
    assert house.told.count("first_poll_progress") == 2


def test_a_state_file_that_another_process_has_is_told_in_a_line(tmp_path: Path) -> None:
    file = tmp_path / "state.db"
    with closing(State(str(file))), pytest.raises(StartError) as caught:
        stateful(file).recall()
    assert str(caught.value) == (f"state_file {file}: another process uses it; set a different path for each exporter")


def test_a_state_file_that_is_lost_is_written_whole_from_the_store(tmp_path: Path) -> None:
    file = tmp_path / "state.db"
    house = stateful(file)
    house.begin()
    file.unlink()
    house.exporter.store.amend(JobRecord(arn(2)))
    house.exporter.maintain()
    house.exporter.close()
    assert {record.arn for record in past_of(file).records} == {LOST, arn(2)}


def test_tidying_up_writes_what_waits_and_from_time_to_time_that_nothing_did(tmp_path: Path) -> None:
    house = stateful(tmp_path / "state.db")
    house.begin()
    began = house.time.wall
    house.time.advance(5.0)
    house.exporter.maintain()
    assert house.last_write() == began
    house.exporter.store.amend(JobRecord(LOST, failing="X"))
    house.exporter.maintain()
    assert house.last_write() == began + 5.0
    house.time.advance(30.0)
    house.exporter.maintain()
    assert house.last_write() == began + 35.0
    house.exporter.close()
    assert past_of(tmp_path / "state.db").records == [JobRecord(LOST, failing="X")]


def test_the_end_writes_what_waits(tmp_path: Path) -> None:
    house = stateful(tmp_path / "state.db")
    house.begin()
    house.exporter.store.amend(JobRecord(LOST, failing="X"))
    house.exporter.close()
    assert past_of(tmp_path / "state.db").records == [JobRecord(LOST, failing="X")]
    # The answer to a call that was under way changes the file no more.
    house.exporter.store.put(JobRecord(LOST, failing="Y"))
    house.exporter.store.flush()
    assert past_of(tmp_path / "state.db").records == [JobRecord(LOST, failing="X")]
    assert [file.name for file in tmp_path.iterdir()] == ["state.db"]


def test_a_reload_writes_the_lanes_that_are_new(tmp_path: Path) -> None:
    house = stateful(tmp_path / "state.db", all_jobs=True)
    house.begin()
    house.time.advance(60.0)
    regions = (REGION, "eu-north-1")
    house.active.apply(house.settings.model_copy(update={"regions": regions}))
    expected = house.exporter.manager.baselines
    assert sorted(expected.values()) == [house.time.wall - 60.0, house.time.wall]
    house.time.advance(30.0)
    house.exporter.maintain()
    house.exporter.close()
    assert past_of(tmp_path / "state.db").baselines == expected


def test_a_file_that_makes_no_sense_is_no_past(tmp_path: Path) -> None:
    (tmp_path / "state.db").write_bytes(b"no database at all")
    house = stateful(tmp_path / "state.db")
    assert house.recall() is None
    assert house.told == ["state_set_aside"]
    house.exporter.close()


@pytest.mark.parametrize(
    ("error", "logged"),
    [
        (sqlite3.DatabaseError("database disk image is malformed"), ["state_set_aside"]),
        (sqlite3.OperationalError("disk I/O error"), ["state_failing", "state_set_aside", "state_recovered"]),
    ],
)
def test_what_was_read_of_a_file_that_fails_midway_is_kept_and_the_next_file_has_it_whole(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, error: sqlite3.Error, logged: list[str]
) -> None:
    file, count = tmp_path / "state.db", 2 * ROWS_AT_ONCE
    totals = Totals({("braket_job_outcomes_total", (ACCOUNT, REGION, "d", "COMPLETED")): 7.0})
    house = stateful(file, jobs=(), all_jobs=True)
    house.begin()
    (lane,) = house.exporter.manager.baselines
    house.exporter.close()
    jobs = [
        JobRecord(arn(number), snapshot(arn=arn(number), account=ACCOUNT, region=REGION), configured=False, owner=lane)
        for number in range(2, 2 + count)
    ]
    with closing(State(str(file))) as state:
        state.write(Entry(jobs, totals=totals), polled=house.time.wall)
    with monkeypatch.context() as broken:
        fail_midway(broken, error)
        again = stateful(file, all_jobs=True)
        again.time.advance(60.0)
        assert again.recall() is None
    again.active.apply(again.settings)
    began = again.time.wall
    taken = sorted(jobs, key=lambda one: mark_of(one.arn))[:ROWS_AT_ONCE]
    assert [*again.exporter.store.scan()] == [*taken, JobRecord(LOST, baseline_at=began)]
    (target,) = again.exporter.manager.targets
    assert target.jobs == {LOST, *(one.arn for one in taken)}
    assert again.exporter.manager.baselines == {lane: began}
    again.time.advance(30.0)
    again.exporter.maintain()
    again.exporter.close()
    assert again.told == logged
    past = past_of(file)
    assert (past.totals, past.baselines, past.polled) == (totals, {lane: began}, again.time.wall)
    assert {one.arn: one for one in past.records} == {one.arn: one for one in again.exporter.store.scan()}
    (aside,) = tmp_path.glob("state.db.*Z")
    assert {one.arn: one for one in past_of(aside).records} == {one.arn: one for one in jobs}


def test_a_state_file_that_can_never_be_is_a_bad_setting(tmp_path: Path) -> None:
    check_state_file(SETTINGS)
    check_state_file(stateful(tmp_path / "state.db").settings)
    with pytest.raises(SettingsError) as caught:
        check_state_file(stateful(tmp_path).settings)
    assert caught.value.problems == (f"state_file: {tmp_path} is a directory; set the path of a file in it",)
    nowhere = tmp_path / "nowhere" / "state.db"
    with pytest.raises(SettingsError) as caught:
        check_state_file(stateful(nowhere).settings)
    said = f"state_file: {nowhere}: directory {nowhere.parent} does not exist; create it or set another path"
    assert caught.value.problems == (said,)


@pytest.mark.parametrize(
    ("name", "reason"), [("x" * 300, "File name too long"), ("a\0b", "embedded null byte")], ids=["long", "null"]
)
def test_a_state_file_with_a_name_that_no_file_can_have_is_a_bad_setting(
    tmp_path: Path, name: str, reason: str
) -> None:
    file = f"{tmp_path}/{name}"
    with pytest.raises(SettingsError) as caught:
        check_state_file(SETTINGS.model_copy(update={"state_file": file}))
    assert caught.value.problems == (f"state_file: {file!a} cannot be used: {reason}; set another path",)


def test_a_state_file_that_may_not_be_looked_up_is_a_bad_setting(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refuse(path: Path, **_: object) -> None:
        raise PermissionError(13, "Permission denied", str(path))

    file = tmp_path / "secret" / "state.db"
    monkeypatch.setattr(Path, "lstat", refuse)
    with pytest.raises(SettingsError) as caught:
        check_state_file(SETTINGS.model_copy(update={"state_file": str(file)}))
    assert caught.value.problems == (f"state_file: '{file}' cannot be used: Permission denied; set another path",)
