"""The keeper of the state file: a real file, time moved by hand, and trouble in between."""

import os
import shutil
import sqlite3
import subprocess
import sys
from collections.abc import Callable, Iterator
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest
from builders import CREATED, FakeTime, arn, finished, record
from disks import no_file_larger_than
from ledgers import Past, past_in
from processes import environment
from structlog import wrap_logger
from structlog.testing import LogCapture
from structlog.typing import EventDict

from exporter.core import JobRecord
from exporter.metrics import Totals
from exporter.storage.persistence import Entry, SavedState, Tombstone, mark_of
from exporter.storage.schema import MIGRATIONS
from exporter.storage.sqlite_file import State
from exporter.storage.state_errors import StateInUseError, StateUnwritableError
from exporter.storage.state_writer import HEARTBEAT_INTERVAL, RETRY_INTERVAL, StateWriter
from exporter.telemetry import EventLog, SelfMetrics

ONE, TWO = record(finished(arn=arn(1))), record(finished(arn=arn(2)))
MANY = Entry([record(finished(arn=arn(number))) for number in range(1000)])
SERIES = ("braket_job_outcomes_total", ("1", "r", "d", "COMPLETED"))
BASELINES = {"lane": CREATED}
ASIDE = "state.db.20231114T223000Z"


class Harness:
    """A keeper with all that it is wired to, and a file that is a second one's at most in between."""

    def __init__(self, path: Path) -> None:
        self.path, self.time = path, FakeTime()
        self._log = LogCapture()
        self.telemetry = SelfMetrics()
        event_log = EventLog(wrap_logger(None, processors=[self._log]))
        self.state_writer = StateWriter(str(path), event_log, self.telemetry, self.time.clock)
        self.state_writer.set_baselines(BASELINES)
        self.everything: Callable[[], Entry] = Entry
        self.past = Past()

    def load(self) -> SavedState | None:
        return self.state_writer.load(self.past, self.everything)

    def write(self, entry: Entry) -> bool:
        return self.state_writer.write(entry, self.everything)

    def beat(self) -> None:
        self.state_writer.beat(self.everything)

    def close(self) -> None:
        self.state_writer.close(self.everything)

    @property
    def logged(self) -> list[tuple[str, str]]:
        return [(entry["event"], entry["log_level"]) for entry in self._log.entries]

    def log(self, name: str) -> EventDict:
        (entry,) = [entry for entry in self._log.entries if entry["event"] == name]
        return entry

    @property
    def files(self) -> list[str]:
        return sorted(each.name for each in self.path.parent.iterdir() if not each.is_dir())

    def metrics(self) -> dict[str, float]:
        """Read what is said of the file, without the beginning that is always the same."""
        lines = self.telemetry.render("text", lambda name, _: "_state_" in name, ()).decode().splitlines()
        samples = (line.partition(" ") for line in lines if not line.startswith("#"))
        return {name.removeprefix("braket_exporter_state_"): float(value) for name, _, value in samples}

    def reopened(self) -> Past:
        """Let go of the file, and read what it tells."""
        self.close()
        return content(self.path)


def content(path: Path) -> Past:
    with closing(State(str(path))) as state:
        past = past_in(state)
        assert past is not None
        return past


def jobs(saved: Past) -> set[str]:
    return {each.arn[-1] for each in saved.records}


def with_past(path: Path, entry: Entry | None = None) -> None:
    with closing(State(str(path))) as state:
        state.write(entry or Entry([ONE]), polled=CREATED + 100.0, baselines=BASELINES)


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "state.db"


@pytest.fixture
def harness(path: Path) -> Iterator[Harness]:
    one = Harness(path)
    yield one
    one.close()


def spoil(path: Path) -> None:
    """Overwrite a file in place, as a disk that fails does."""
    with path.open("r+b") as file:
        file.write(b"spoilt" * 1000)


def newer(path: Path) -> None:
    with closing(sqlite3.connect(path)) as connection:
        connection.execute("PRAGMA user_version=99")


# The start.


def test_a_new_file_has_no_past_and_is_there_to_be_written(harness: Harness) -> None:
    assert harness.load() is None
    assert harness.logged == []
    assert harness.metrics()["up"] == 1.0
    assert harness.metrics()["last_write_timestamp_seconds"] == harness.time.wall
    assert harness.write(Entry([ONE]))
    assert harness.reopened() == Past(harness.time.wall, [ONE], baselines=BASELINES)


def test_what_a_file_tells_is_loaded_and_told_once(harness: Harness) -> None:
    with_past(
        harness.path, Entry([ONE, TWO], tombstones={7: Tombstone(1.0, None, "lane")}, totals=Totals({SERIES: 2.0}))
    )
    saved = harness.load()
    assert saved is not None
    assert (saved.jobs, jobs(harness.past), saved.tombstones, harness.past.totals.counters) == (
        2,
        {"1", "2"},
        {7: (1.0, None, "lane")},
        {SERIES: 2.0},
    )
    assert harness.logged == [("state_loaded", "info")]
    entry = harness.log("state_loaded")
    assert (entry["file"], entry["jobs"], entry["last_poll_time"]) == (str(harness.path), 2, "2023-11-14T22:15:00.000Z")
    assert harness.metrics()["up"] == 1.0
    assert harness.metrics()["size_bytes"] >= harness.path.stat().st_size


def test_a_file_that_another_process_has_is_refused(harness: Harness) -> None:
    with closing(State(str(harness.path))), pytest.raises(StateInUseError, match="another process uses it"):
        harness.load()
    assert harness.logged == []


@pytest.mark.parametrize("ruin", [spoil, lambda path: path.write_bytes(b"no database at all"), newer])
def test_a_file_that_makes_no_sense_is_set_aside_and_a_new_one_begins(
    harness: Harness, ruin: Callable[[Path], Any]
) -> None:
    with_past(harness.path)
    ruin(harness.path)
    ruined = harness.path.read_bytes()
    harness.time.wall = 1_700_001_000.9
    assert harness.load() is None
    assert harness.logged == [("state_set_aside", "error")]
    aside = harness.path.with_name(ASIDE)
    assert harness.log("state_set_aside")["moved_to"] == str(aside)
    assert harness.log("state_set_aside")["file"] == str(harness.path)
    assert aside.read_bytes() == ruined
    assert harness.metrics()["up"] == 1.0
    assert harness.write(Entry([TWO]))
    assert jobs(harness.reopened()) == {"2"}
    assert harness.files == ["state.db", ASIDE]


KILLED = """
import os, sys
from exporter.storage.persistence import Entry
from exporter.core.jobs import JobRecord
from exporter.storage.sqlite_file import State

state = State(sys.argv[1])
names = [f"arn:aws:braket:us-west-2:123456789012:job/{number}" for number in range(200)]
state.write(Entry([*map(JobRecord, names)]), polled=1.0)
state._connection.execute("PRAGMA user_version=2")
os.kill(os.getpid(), 9)
"""


def test_what_belongs_to_a_file_is_set_aside_with_it(harness: Harness) -> None:
    subprocess.run([sys.executable, "-c", KILLED, harness.path], env=environment(), check=False)
    harness.path.with_name("state.db-shm").write_bytes(b"")
    harness.time.wall = 1_700_001_000.0
    # Where there is no room, the log of writes cannot be brought into its file when that is closed.
    with no_file_larger_than(0):
        assert harness.load() is None
    assert [name for name, _ in harness.logged] == ["state_set_aside", "state_failing"]
    assert {ASIDE, f"{ASIDE}-wal", f"{ASIDE}-shm"} <= {*harness.files}
    with closing(State(str(harness.path.with_name(ASIDE)), (*MIGRATIONS, ""))) as aside:
        past = past_in(aside)
        assert past is not None
        assert len(past.records) == 200
    assert harness.write(Entry([TWO]))
    assert jobs(harness.reopened()) == {"2"}


def edited(path: Path, statement: str) -> None:
    """Write to a file as no exporter does."""
    with closing(sqlite3.connect(path)) as connection:
        connection.execute(statement)
        connection.commit()


BAD_RECORD = (
    f'{{"arn": "{arn(1)}", "snapshot": '
    f'{{"arn": "{arn(1)}", "name": "n", "status": "FAILED", "account": "1", "region": "r", "ended": 1e18}}}}'
)
OF_ONE = f"WHERE mark = {mark_of(ONE.arn)}"


@pytest.mark.parametrize(
    ("statement", "error", "left"),
    [
        (f"UPDATE jobs SET record = '{{}}' {OF_ONE}", "jobs: arn: Field required", {"2"}),
        (f"UPDATE jobs SET record = '{BAD_RECORD}' {OF_ONE}", "jobs: outside the years 1 to 9999", {"2"}),
        ("UPDATE polled SET time = 9e999", "polled: outside the years 1 to 9999", {"1", "2"}),
        (
            f"INSERT INTO tombstones VALUES (1, 1.0, 'lane', '{BAD_RECORD}')",
            "tombstones: outside the years 1 to 9999",
            {"1", "2"},
        ),
        (
            "INSERT INTO counters VALUES ('braket_job_outcomes_total', '[1]', 1)",
            "counters: braket_job_outcomes_total has no labels (1,)",
            {"1", "2"},
        ),
    ],
)
def test_a_row_that_makes_no_sense_is_skipped_and_reported_once(
    harness: Harness, statement: str, error: str, left: set[str]
) -> None:
    with_past(harness.path, Entry([ONE, TWO], totals=Totals({SERIES: 2.0})))
    edited(harness.path, statement)
    saved = harness.load()
    assert saved is not None
    assert (saved.jobs, jobs(harness.past), harness.past.totals.counters) == (len(left), left, {SERIES: 2.0})
    assert harness.logged == [("state_rows_skipped", "error"), ("state_loaded", "info")]
    entry = harness.log("state_rows_skipped")
    assert (entry["file"], entry["rows"], entry["error"]) == (str(harness.path), 1, error)
    assert harness.metrics()["up"] == 1.0
    assert jobs(harness.reopened()) == left
    again = Harness(harness.path)
    assert again.load() is not None
    again.close()
    assert again.logged == [("state_loaded", "info")]


# Symbolic links.


def test_a_link_is_followed_once_and_the_file_behind_it_counts(harness: Harness, tmp_path: Path) -> None:
    target, other = tmp_path / "disk" / "real.db", tmp_path / "other.db"
    target.parent.mkdir()
    harness.path.symlink_to(target)
    linked = Harness(harness.path)
    assert linked.load() is None
    assert linked.write(Entry([ONE]))
    assert linked.metrics()["size_bytes"] == sum(each.stat().st_size for each in target.parent.iterdir())
    assert len([*target.parent.iterdir()]) == 2
    harness.path.unlink()
    harness.path.symlink_to(other)
    assert linked.write(Entry([TWO]))
    linked.close()
    assert jobs(content(target)) == {"1", "2"}
    assert not other.exists()


def test_the_file_behind_a_link_is_set_aside_and_the_link_stays(harness: Harness, tmp_path: Path) -> None:
    target = tmp_path / "disk" / "real.db"
    target.parent.mkdir()
    target.write_bytes(b"no database at all")
    harness.path.symlink_to(target)
    linked = Harness(harness.path)
    linked.time.wall = 1_700_001_000.0
    assert linked.load() is None
    assert linked.log("state_set_aside")["file"] == str(target)
    assert linked.write(Entry([ONE]))
    linked.close()
    assert harness.path.readlink() == target
    assert sorted(each.name for each in target.parent.iterdir()) == ["real.db", "real.db.20231114T223000Z"]
    assert jobs(content(target)) == {"1"}


def test_a_file_that_makes_no_sense_and_cannot_be_set_aside_stays_and_that_is_told(harness: Harness) -> None:
    harness.path.write_bytes(b"no database at all")
    harness.path.with_name("state.db.20231114T223000Z").mkdir()
    harness.time.wall = 1_700_001_000.0
    assert harness.load() is None
    assert harness.logged == [("state_failing", "error")]
    assert harness.log("state_failing")["error"] == "file is not a database, and it cannot be renamed: Is a directory"
    assert harness.metrics() == {"up": 0.0}
    assert not harness.write(Entry([ONE]))
    assert harness.path.read_bytes() == b"no database at all"
    harness.path.with_name("state.db.20231114T223000Z").rmdir()
    harness.time.advance(RETRY_INTERVAL)
    assert harness.write(Entry([ONE]))
    assert [name for name, _ in harness.logged] == ["state_failing", "state_set_aside", "state_recovered"]


# A file that cannot be written.


def test_a_file_that_takes_nothing_is_told_once_and_left_alone_between_tries(harness: Harness) -> None:
    harness.load()
    harness.write(Entry([ONE]))
    written, tries = harness.metrics()["last_write_timestamp_seconds"], []
    with no_file_larger_than(0):
        for _ in range(4):
            harness.time.advance(RETRY_INTERVAL)
            tries.append((harness.state_writer.open, harness.write(Entry([TWO])), harness.state_writer.open))
    assert tries == [(True, False, False)] * 4
    assert harness.logged == [("state_failing", "error")]
    assert (harness.metrics()["up"], harness.metrics()["last_write_timestamp_seconds"]) == (0.0, written)
    harness.time.advance(RETRY_INTERVAL - 0.001)
    before = harness.state_writer.open
    harness.time.advance(0.001)
    assert (before, harness.state_writer.open) == (False, True)
    assert harness.write(Entry([TWO]))
    assert harness.logged == [("state_failing", "error"), ("state_recovered", "info")]
    assert harness.log("state_recovered")["failing_seconds"] == 20.0
    assert harness.metrics()["up"] == 1.0
    assert harness.state_writer.open
    assert jobs(harness.reopened()) == {"1", "2"}


def test_trouble_that_comes_again_is_told_again(harness: Harness) -> None:
    harness.load()
    for _ in range(2):
        with no_file_larger_than(0):
            assert not harness.write(Entry([ONE]))
        assert harness.write(Entry([ONE]))
    assert [name for name, _ in harness.logged] == ["state_failing", "state_recovered"] * 2


def test_a_file_that_cannot_be_opened_at_the_start_is_begun_once_it_can(tmp_path: Path) -> None:
    harness = Harness(tmp_path / "mount" / "state.db")
    assert harness.load() is None
    assert harness.logged == [("state_failing", "error")]
    assert harness.metrics() == {"up": 0.0}
    harness.everything = lambda: Entry([ONE])
    assert not harness.write(Entry([TWO]))
    harness.path.parent.mkdir()
    assert harness.write(Entry([TWO]))
    assert [name for name, _ in harness.logged] == ["state_failing", "state_recovered"]
    past = harness.reopened()
    assert jobs(past) == {"1", "2"}
    assert past == Past(harness.time.wall, past.records, baselines=BASELINES)


def test_a_file_that_has_content_once_it_can_be_opened_is_set_aside_and_not_overwritten(tmp_path: Path) -> None:
    harness = Harness(tmp_path / "mount" / "state.db")
    assert harness.load() is None
    harness.path.parent.mkdir()
    with_past(harness.path, Entry([ONE]))
    harness.everything = lambda: Entry([TWO])
    harness.time.wall = 1_700_001_000.0
    assert harness.write(Entry())
    assert [name for name, _ in harness.logged] == ["state_failing", "state_set_aside", "state_recovered"]
    assert harness.log("state_set_aside")["error"] == "it was not read at the start"
    assert jobs(content(harness.path.with_name(ASIDE))) == {"1"}
    assert jobs(harness.reopened()) == {"2"}


def test_a_file_that_makes_no_sense_once_it_can_be_opened_is_set_aside(tmp_path: Path) -> None:
    harness = Harness(tmp_path / "mount" / "state.db")
    assert harness.load() is None
    harness.path.parent.mkdir()
    harness.path.write_bytes(b"no database at all")
    assert harness.write(Entry([ONE]))
    assert harness.log("state_set_aside")["error"] == "file is not a database"
    assert jobs(harness.reopened()) == {"1"}


def test_a_file_that_another_process_has_later_is_tried_again_until_that_is_gone(tmp_path: Path) -> None:
    harness = Harness(tmp_path / "mount" / "state.db")
    assert harness.load() is None
    harness.path.parent.mkdir()
    with closing(State(str(harness.path))):
        assert not harness.write(Entry([ONE]))
    assert harness.write(Entry([ONE]))
    assert [name for name, _ in harness.logged] == ["state_failing", "state_recovered"]


def test_a_file_that_could_be_opened_and_not_be_read_at_the_start_is_not_written_to(
    harness: Harness, monkeypatch: pytest.MonkeyPatch
) -> None:
    with_past(harness.path)

    def fail(*_: object) -> None:
        raise StateUnwritableError("disk I/O error")

    with monkeypatch.context() as broken:
        broken.setattr(State, "read", fail)
        assert harness.load() is None
    assert harness.log("state_failing")["error"] == "disk I/O error"
    harness.time.wall = 1_700_001_000.0
    assert harness.write(Entry([TWO]))
    assert jobs(content(harness.path.with_name(ASIDE))) == {"1"}
    assert jobs(harness.reopened()) == {"2"}


# A file that is lost while the exporter runs.


def test_a_file_that_was_removed_is_written_whole(harness: Harness) -> None:
    harness.load()
    harness.write(Entry([ONE]))
    for each in harness.files:
        harness.path.with_name(each).unlink()
    harness.everything = lambda: Entry([ONE], totals=Totals({SERIES: 1.0}))
    harness.time.advance(60.0)
    assert harness.write(Entry([TWO], totals=Totals({SERIES: 2.0})))
    assert harness.logged == [("state_failing", "error"), ("state_recovered", "info")]
    assert harness.log("state_failing")["error"] == "it was removed while it was in use"
    assert harness.metrics()["up"] == 1.0
    past = harness.reopened()
    assert jobs(past) == {"1", "2"}
    assert past == Past(harness.time.wall, past.records, {}, BASELINES, Totals({SERIES: 2.0}))


def test_a_file_in_whose_place_there_is_another_one_is_written_whole_and_the_other_is_kept(harness: Harness) -> None:
    harness.load()
    harness.write(Entry([ONE]))
    for each in harness.files:
        harness.path.with_name(each).unlink()
    with_past(harness.path, Entry([record(finished(arn=arn(3)))]))
    harness.everything = lambda: Entry([ONE])
    harness.time.wall = 1_700_001_000.0
    assert harness.write(Entry([TWO]))
    assert [name for name, _ in harness.logged] == ["state_failing", "state_set_aside", "state_recovered"]
    assert harness.log("state_failing")["error"] == "it was replaced while it was in use"
    assert jobs(content(harness.path.with_name(ASIDE))) == {"3"}
    assert jobs(harness.reopened()) == {"1", "2"}


def log_of(path: Path) -> Path:
    return Path(f"{path}-wal")


def overwrite(path: Path, offset: int = 0, count: int = 4096) -> None:
    with path.open("r+b") as file:
        file.seek(offset)
        file.write(b"\xa5" * count)


DAMAGE: dict[str, Callable[[Path], object]] = {
    "header overwritten": overwrite,
    "page overwritten": lambda path: overwrite(path, 20 * 4096),
    "all overwritten": lambda path: overwrite(path, 0, path.stat().st_size),
    "emptied": lambda path: os.truncate(path, 0),
    "cut": lambda path: os.truncate(path, path.stat().st_size // 2),
    "log removed": lambda path: log_of(path).unlink(),
    "log emptied": lambda path: os.truncate(log_of(path), 0),
    "log cut": lambda path: os.truncate(log_of(path), log_of(path).stat().st_size // 2),
    "log overwritten": lambda path: overwrite(log_of(path), 0, log_of(path).stat().st_size),
}


@pytest.mark.parametrize("damage", DAMAGE.values(), ids=DAMAGE.keys())
def test_a_file_that_is_damaged_while_it_is_open_is_set_aside_and_written_whole(
    harness: Harness, damage: Callable[[Path], object], tmp_path: Path
) -> None:
    with_past(harness.path, Entry([record(finished(arn=arn(number))) for number in range(500)]))
    harness.load()
    harness.write(Entry([ONE]))
    damage(harness.path)
    harness.everything = lambda: Entry([ONE], totals=Totals({SERIES: 7.0}))
    harness.time.wall = 1_700_001_000.0
    assert harness.write(Entry([TWO], totals=Totals({SERIES: 8.0})))
    assert harness.logged == [("state_loaded", "info"), ("state_set_aside", "error")]
    assert harness.log("state_set_aside")["error"].endswith(" while it was in use")
    assert ASIDE in harness.files
    assert harness.metrics()["up"] == 1.0
    # What a process finds that starts after this one was killed.
    crashed = tmp_path / "crashed"
    crashed.mkdir()
    for each in ("state.db", "state.db-wal"):
        shutil.copy(harness.path.with_name(each), crashed)
    saved = content(crashed / "state.db")
    assert (jobs(saved), saved.totals.counters) == ({"1", "2"}, {SERIES: 8.0})
    assert saved.baselines == BASELINES


@pytest.mark.parametrize("damage", DAMAGE.values(), ids=DAMAGE.keys())
def test_damage_is_found_by_the_next_beat_where_there_is_nothing_to_write(
    harness: Harness, damage: Callable[[Path], object]
) -> None:
    harness.load()
    harness.write(MANY)
    damage(harness.path)
    harness.everything = lambda: Entry([TWO])
    harness.time.advance(HEARTBEAT_INTERVAL)
    harness.beat()
    assert harness.logged == [("state_set_aside", "error")]
    assert jobs(harness.reopened()) == {"2"}


@pytest.mark.parametrize("damage", DAMAGE.values(), ids=DAMAGE.keys())
def test_damage_since_the_last_write_is_found_at_the_end(harness: Harness, damage: Callable[[Path], object]) -> None:
    harness.load()
    harness.write(MANY)
    damage(harness.path)
    harness.everything = lambda: Entry([TWO])
    harness.close()
    assert harness.logged == [("state_set_aside", "error")]
    assert jobs(content(harness.path)) == {"2"}


def test_what_is_set_aside_is_as_the_damage_left_it(harness: Harness) -> None:
    harness.load()
    harness.write(MANY)
    overwrite(harness.path, 4096)
    left = harness.path.read_bytes(), log_of(harness.path).read_bytes()
    harness.time.wall = 1_700_001_000.0
    assert harness.write(Entry([TWO]))
    aside = harness.path.with_name(ASIDE)
    assert (aside.read_bytes(), log_of(aside).read_bytes()) == left


def test_the_log_of_a_removed_file_is_not_applied_to_the_one_in_its_place(harness: Harness, tmp_path: Path) -> None:
    other = tmp_path / "other" / "state.db"
    other.parent.mkdir()
    with_past(other, Entry([record(finished(arn=arn(3)))]))
    harness.load()
    harness.write(MANY)
    other.rename(harness.path)
    harness.time.wall = 1_700_001_000.0
    assert harness.write(Entry([TWO]))
    assert jobs(content(harness.path.with_name(ASIDE))) == {"3"}


def test_a_file_that_begins_again_has_lanes_tombstones_and_floor_as_before(harness: Harness) -> None:
    harness.load()
    harness.state_writer.set_baselines({"lane": CREATED})
    harness.write(Entry([ONE]))
    harness.path.unlink()
    harness.everything = lambda: Entry([ONE], tombstones={7: Tombstone(CREATED, None, "lane")}, floor=CREATED - 1.0)
    harness.time.advance(60.0)
    assert harness.write(Entry([TWO]))
    past = harness.reopened()
    assert (jobs(past), past.baselines) == ({"1", "2"}, {"lane": CREATED})
    assert (past.tombstones, past.floor) == ({7: Tombstone(CREATED, None, "lane")}, CREATED - 1.0)


def test_a_file_that_began_anew_and_took_no_more_than_the_whole_is_not_set_aside_for_it(harness: Harness) -> None:
    harness.load()
    harness.write(Entry([ONE]))
    harness.path.unlink()
    harness.everything = lambda: Entry([ONE])
    with no_file_larger_than(256 * 1024):
        for _ in range(3):
            assert not harness.write(MANY)
            harness.time.advance(RETRY_INTERVAL)
    assert harness.write(MANY)
    assert [name for name, _ in harness.logged] == ["state_failing", "state_recovered"]
    assert len(harness.reopened().records) == 1000
    assert harness.files == ["state.db"]


def test_a_file_that_cannot_take_the_whole_is_tried_again_and_takes_it_once_there_is_room(harness: Harness) -> None:
    harness.load()
    harness.write(Entry([ONE]))
    harness.path.unlink()
    harness.everything = lambda: MANY
    with no_file_larger_than(256 * 1024):
        for _ in range(3):
            assert not harness.write(Entry([TWO]))
            harness.time.advance(RETRY_INTERVAL)
    assert harness.write(Entry([TWO]))
    assert [name for name, _ in harness.logged] == ["state_failing", "state_recovered"]
    assert len(harness.reopened().records) == 1000
    assert harness.files == ["state.db"]


# The time of the last poll, the baselines, the end.


def test_the_time_is_written_where_nothing_else_was_for_a_while(harness: Harness) -> None:
    harness.load()
    began = harness.time.wall
    harness.write(Entry([ONE]))
    harness.time.advance(HEARTBEAT_INTERVAL - 1.0)
    harness.beat()
    assert harness.metrics()["last_write_timestamp_seconds"] == began
    harness.time.advance(1.0)
    harness.beat()
    assert harness.metrics()["last_write_timestamp_seconds"] == began + HEARTBEAT_INTERVAL
    harness.time.advance(HEARTBEAT_INTERVAL - 1.0)
    harness.beat()
    assert harness.reopened().polled == began + HEARTBEAT_INTERVAL


def test_the_time_is_not_tried_more_often_where_the_file_takes_nothing(harness: Harness) -> None:
    harness.load()
    with no_file_larger_than(0):
        harness.time.advance(HEARTBEAT_INTERVAL)
        harness.beat()
        assert not harness.state_writer.open
    harness.time.advance(HEARTBEAT_INTERVAL)
    harness.beat()
    assert [name for name, _ in harness.logged] == ["state_failing", "state_recovered"]


def test_lanes_are_written_when_they_changed_and_only_then(harness: Harness) -> None:
    harness.load()
    harness.write(Entry([ONE]))
    assert harness.state_writer._state is not None
    with harness.state_writer._state._transaction():  # to see whether they are written again
        harness.state_writer._state._connection.execute("DELETE FROM baselines")
    harness.state_writer.set_baselines(dict(BASELINES))
    harness.write(Entry([ONE]))
    state = past_in(harness.state_writer._state)
    assert state is not None
    assert state.baselines == {}
    harness.state_writer.set_baselines({"other": CREATED + 5.0})
    harness.write(Entry([ONE]))
    assert harness.reopened().baselines == {"other": CREATED + 5.0}


def test_lanes_that_could_not_be_written_are_written_with_the_next(harness: Harness) -> None:
    harness.load()
    harness.write(Entry([ONE]))
    harness.state_writer.set_baselines({"other": CREATED + 5.0})
    with no_file_larger_than(0):
        assert not harness.write(Entry([TWO]))
    assert harness.write(Entry([TWO]))
    assert harness.reopened().baselines == {"other": CREATED + 5.0}


def test_a_file_from_which_jobs_are_gone_becomes_smaller(harness: Harness) -> None:
    many = [record(finished(arn=arn(number))) for number in range(5000)]
    harness.load()
    harness.write(Entry(many))
    harness.close()
    before = harness.path.stat().st_size
    again = Harness(harness.path)
    again.load()
    assert again.write(Entry(gone=[each.arn for each in many[500:]]))
    again.close()
    assert harness.path.stat().st_size < 0.2 * before + 256 * 4096


def test_a_keeper_that_was_closed_leaves_the_file_to_others_and_writes_no_more(harness: Harness) -> None:
    harness.load()
    harness.write(Entry([ONE]))
    harness.close()
    harness.close()
    harness.everything = lambda: Entry([JobRecord(arn(9))])
    assert not harness.write(Entry([TWO]))
    assert jobs(content(harness.path)) == {"1"}
    assert harness.logged == []
    assert harness.files == ["state.db"]


def test_a_keeper_that_never_opened_its_file_can_be_closed(harness: Harness) -> None:
    harness.close()
    assert harness.files == []


def test_one_without_anything_to_tell_begins_an_empty_file(harness: Harness) -> None:
    assert harness.everything() == Entry()
    assert harness.write(Entry())
    assert harness.reopened() == Past(harness.time.wall, [], baselines=BASELINES)
