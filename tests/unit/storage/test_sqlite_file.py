"""The state file: what comes back from it, who may open it, and what is said of one that cannot be used."""

import json
import os
import random
import shutil
import sqlite3
import subprocess
import sys
import tempfile
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from contextlib import closing, contextmanager, suppress
from dataclasses import MISSING, fields, replace
from functools import partial
from itertools import pairwise
from pathlib import Path
from typing import Any

import pytest
from builders import ACCOUNT, ARN, CREATED, REGION, SV1, arn, event, finished, record, snapshot
from disks import fail_midway, no_file_larger_than, small_disk
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from ledgers import Past, past_in
from processes import environment
from profiles import examples
from pydantic import TypeAdapter
from strategies import ANSWERS, RECORDS, TEXT

from exporter.aws.get_job import parse_job
from exporter.aws.members import ParseError
from exporter.core import EventKey, JobRecord, JobSnapshot, observe
from exporter.metrics import AGGREGATE_FAMILIES, Histogram, Totals
from exporter.storage.job_rows import ROWS_AT_ONCE
from exporter.storage.persistence import Entry, Tombstone, check_record, mark_of
from exporter.storage.rows import Skipped
from exporter.storage.schema import APPLICATION_ID, MIGRATIONS
from exporter.storage.sqlite_file import LARGEST_LOG, State
from exporter.storage.state_errors import StateError, StateInUseError, StateUnreadableError, StateUnwritableError

POLLED = CREATED + 500.0
OUTCOME = ("braket_job_outcomes_total", (ACCOUNT, REGION, SV1, "COMPLETED"))
QUEUE = ("braket_job_queue_duration_seconds", (ACCOUNT, REGION, SV1))
REST = (0,) * 19
"""The last buckets of a duration."""

NUMBERS = Totals({OUTCOME: 3.0}, {QUEUE: Histogram((1, 0, 2, *REST), 40.5)})
TOMBSTONES = {1: Tombstone(CREATED, None, "lane"), -(2**63): Tombstone(CREATED + 1.0, record(snapshot()), "")}
FULL = Entry([record(finished()), JobRecord(arn(2))], tombstones=TOMBSTONES, totals=NUMBERS)
BASELINES = {"one": CREATED, "other": CREATED + 1.0}


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "state.db"


def opened(path: Path, migrations: Sequence[str] = MIGRATIONS) -> "closing[State]":
    return closing(State(str(path), migrations))


def reopened(path: Path) -> Past | None:
    """Read what a file tells somebody who opens it anew."""
    with opened(path) as state:
        return past_in(state)


def known(saved: Past | None) -> dict[str, JobRecord]:
    assert saved is not None
    return {each.arn: each for each in saved.records}


def some_jobs(count: int) -> list[JobRecord]:
    return [record(finished(arn=arn(number))) for number in range(count)]


def filled(path: Path, entry: Entry = FULL) -> None:
    """Make a file with a past."""
    with opened(path) as state:
        state.write(entry, polled=POLLED, baselines=BASELINES)


def everything(state: State) -> tuple[Any, ...]:
    saved = past_in(state)
    assert saved is not None
    return sorted(saved.records, key=repr), saved.tombstones, saved.totals, saved.baselines, saved.polled


# What comes back.


def test_a_new_file_has_no_past(path: Path) -> None:
    with opened(path) as state:
        assert past_in(state) is None
        assert not state.used
    assert reopened(path) is None


def test_a_file_of_no_bytes_is_a_new_one(path: Path) -> None:
    path.touch()
    assert reopened(path) is None


def test_a_file_is_one_whatever_its_name_means_to_sqlite(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    filled(Path(":memory:"))
    assert known(reopened(tmp_path / ":memory:")).keys() == {ARN, arn(2)}


def test_what_is_written_comes_back(path: Path) -> None:
    filled(path)
    with opened(path) as state:
        assert state.used
        saved = past_in(state)
    assert saved == Past(POLLED, saved.records if saved else [], TOMBSTONES, BASELINES, NUMBERS)
    assert known(saved) == {ARN: record(finished()), arn(2): JobRecord(arn(2))}


# Tags as labels of counters and histograms.

SHARED = (ACCOUNT, REGION, SV1)
OUTCOME_NAME, QUEUE_NAME = "braket_job_outcomes_total", "braket_job_queue_duration_seconds"
BY_TEAM_AND_STAGE = Totals(
    {
        (OUTCOME_NAME, (*SHARED, "ml", "dev", "FAILED")): 3.0,
        (OUTCOME_NAME, (*SHARED, "ml", "prod", "FAILED")): 4.0,
        (OUTCOME_NAME, (*SHARED, "", "dev", "FAILED")): 1.0,
    },
    {
        (QUEUE_NAME, (*SHARED, "ml", "dev")): Histogram((1, 0, 2, *REST), 40.5),
        (QUEUE_NAME, (*SHARED, "ml", "prod")): Histogram((0, 5, 2, *REST), 60.0),
    },
)
BY_TEAM = Totals(
    {(OUTCOME_NAME, (*SHARED, "ml", "FAILED")): 7.0, (OUTCOME_NAME, (*SHARED, "", "FAILED")): 1.0},
    {(QUEUE_NAME, (*SHARED, "ml")): Histogram((1, 5, 4, *REST), 100.5)},
)
BY_OWNER_AND_TEAM = Totals(
    {(OUTCOME_NAME, (*SHARED, "", "ml", "FAILED")): 7.0, (OUTCOME_NAME, (*SHARED, "", "", "FAILED")): 1.0},
    {(QUEUE_NAME, (*SHARED, "", "ml")): Histogram((1, 5, 4, *REST), 100.5)},
)
WITHOUT_TAGS = Totals(
    {(OUTCOME_NAME, (*SHARED, "FAILED")): 8.0}, {(QUEUE_NAME, SHARED): Histogram((1, 5, 4, *REST), 100.5)}
)


def totals_by(path: Path, *keys: str) -> Totals:
    with closing(State(str(path), tag_keys=keys)) as state:
        saved = past_in(state)
    assert saved is not None
    assert not state.skipped.rows
    return saved.totals


def filled_by_team_and_stage(path: Path) -> None:
    with closing(State(str(path), tag_keys=("team", "stage"))) as state:
        state.write(Entry(totals=BY_TEAM_AND_STAGE), polled=POLLED)


@pytest.mark.parametrize(
    ("keys", "expected"),
    [
        (("team", "stage"), BY_TEAM_AND_STAGE),
        (("team",), BY_TEAM),
        (("owner", "team"), BY_OWNER_AND_TEAM),
        ((), WITHOUT_TAGS),
    ],
)
def test_counters_and_histograms_are_added_up_over_tags_that_are_no_longer_labels(
    path: Path, keys: tuple[str, ...], expected: Totals
) -> None:
    filled_by_team_and_stage(path)
    assert totals_by(path, *keys) == expected
    assert totals_by(path, *keys) == expected


def test_a_series_of_other_tag_keys_counts_once_after_further_writes_and_starts(path: Path) -> None:
    filled_by_team_and_stage(path)
    series = (OUTCOME_NAME, (*SHARED, "ml", "FAILED"))
    with closing(State(str(path), tag_keys=("team",))) as state:
        assert past_in(state) is not None
        state.write(Entry(totals=Totals({series: 9.0})), polled=POLLED)
    assert totals_by(path, "team").counters[series] == 9.0
    assert totals_by(path, "team") == totals_by(path, "team")


def test_a_file_with_series_of_other_tag_keys_that_cannot_be_written_is_not_used(path: Path) -> None:
    filled_by_team_and_stage(path)
    with closing(State(str(path), tag_keys=("team",))) as state:
        state._connection.execute("PRAGMA query_only=ON")
        with pytest.raises(StateError):
            past_in(state)


@pytest.mark.parametrize("tags", ['"team"', '{"team": 7}', "7", "[]"])
def test_a_row_with_invalid_tags_is_skipped(path: Path, tags: str) -> None:
    filled_by_team_and_stage(path)
    with closing(sqlite3.connect(path)) as connection, connection:
        labels = json.dumps([*SHARED, "FAILED"])[:-1] + f", {tags}]"
        connection.execute("UPDATE counters SET labels = ? WHERE value = 4.0", (labels,))
    with closing(State(str(path), tag_keys=("team", "stage"))) as state:
        saved = past_in(state)
    assert saved is not None
    assert state.skipped.rows == 1
    assert sorted(saved.totals.counters.values()) == [1.0, 3.0]


def end_of(job: JobRecord) -> float:
    return 0.0 if job.snapshot is None else job.snapshot.ended or 0.0


def test_saved_jobs_are_read_in_the_order_of_their_ends(path: Path) -> None:
    jobs = [record(finished(arn=arn(number), ended=CREATED + 1000 + (7 * number) % 100)) for number in range(100)]
    jobs.append(JobRecord(arn(100)))
    with opened(path) as state:
        state.write(Entry(jobs), polled=POLLED)
        saved = past_in(state)
        assert saved is not None
        ends = [*map(end_of, saved.records)]
    assert ends == [0.0, *(CREATED + 1000 + number for number in range(100))]


def test_the_order_of_the_ends_holds_across_the_queries_and_is_the_same_each_time(path: Path) -> None:
    count = 3 * ROWS_AT_ONCE + 7
    jobs = [record(finished(arn=arn(number), ended=CREATED + 1000 + (97 * number) % count)) for number in range(count)]
    same = [record(finished(arn=arn(count + number), ended=CREATED)) for number in range(ROWS_AT_ONCE + 1)]
    filled(path, Entry([*jobs, *same]))
    in_order = sorted((*same, *jobs), key=lambda one: (end_of(one), mark_of(one.arn)))
    for _ in range(2):
        assert [*known(reopened(path)).values()] == in_order


@pytest.mark.parametrize("count", [0, 1, ROWS_AT_ONCE - 1, ROWS_AT_ONCE, ROWS_AT_ONCE + 1, 2 * ROWS_AT_ONCE])
def test_every_job_is_read_whatever_their_number(path: Path, count: int) -> None:
    filled(path, Entry(some_jobs(count)))
    assert len(known(reopened(path))) == count


def test_each_job_is_parsed_once(path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    filled(path, Entry(some_jobs(ROWS_AT_ONCE + 9)))
    parsed: Counter[str] = Counter()
    validate_json = TypeAdapter.validate_json

    def counted(adapter: TypeAdapter[Any], text: str) -> object:
        parsed[text] += 1
        return validate_json(adapter, text)

    monkeypatch.setattr(TypeAdapter, "validate_json", counted)
    assert len(known(reopened(path))) == len(parsed) == ROWS_AT_ONCE + 9
    assert {*parsed.values()} == {1}


def test_few_records_are_in_memory_while_a_file_is_read(path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    filled(path, Entry(some_jobs(3 * ROWS_AT_ONCE)))
    events: list[str] = []

    class Watched(sqlite3.Connection):
        def execute(self, sql: str, *parameters: Any) -> sqlite3.Cursor:
            events.append(sql)
            return super().execute(sql, *parameters)

    class Taking(Past):
        def restore_jobs(self, records: Sequence[JobRecord]) -> None:
            events.extend(record.arn for record in records)

    monkeypatch.setattr(sqlite3, "connect", partial(sqlite3.connect, factory=Watched))
    with opened(path) as state:
        assert state.read(Taking()) is not None
    queries = [place for place, event in enumerate(events) if " IN (" in event]
    assert [later - earlier for earlier, later in pairwise(queries)] == [ROWS_AT_ONCE + 1] * 2


def test_a_large_file_is_read_where_no_temporary_file_can_be_written(path: Path) -> None:
    filled(path, Entry(some_jobs(1)))
    edited(
        path,
        "WITH RECURSIVE numbers(n) AS (SELECT 1 UNION ALL SELECT n + 1 FROM numbers WHERE n < 40000)"
        """ INSERT INTO jobs SELECT n, '{"snapshot": {"ended": ' || n || '}}' FROM numbers""",
    )
    with opened(path) as state, no_file_larger_than(0):
        state._connection.execute("PRAGMA cache_size=10")  # so that less has to be sorted until memory is short
        assert len(known(past_in(state))) == 1
        assert state.skipped.rows == 40_000


@pytest.mark.parametrize(
    ("error", "mapped"),
    [
        (sqlite3.DatabaseError("database disk image is malformed"), StateUnreadableError),
        (sqlite3.OperationalError("disk I/O error"), StateUnwritableError),
    ],
)
def test_what_was_read_of_a_file_before_it_failed_is_handed_over(
    path: Path, monkeypatch: pytest.MonkeyPatch, error: sqlite3.Error, mapped: type[StateError]
) -> None:
    jobs = some_jobs(2 * ROWS_AT_ONCE)
    filled(path, Entry(jobs, totals=NUMBERS))
    fail_midway(monkeypatch, error)
    past = Past()
    with opened(path) as state, pytest.raises(mapped, match=f"^{error}$"):
        state.read(past)
    assert past.totals == NUMBERS
    assert past.records == sorted(jobs, key=lambda one: mark_of(one.arn))[:ROWS_AT_ONCE]


def test_an_error_of_who_takes_the_jobs_is_not_one_of_a_row(path: Path) -> None:
    class Broken(Past):
        def restore_jobs(self, records: Sequence[JobRecord]) -> None:
            raise ValueError(records[0].arn)

    filled(path)
    with opened(path) as state:
        with pytest.raises(ValueError, match="arn:aws:braket"):
            state.read(Broken())
        assert len(known(past_in(state))) == 2


MOMENTS = st.floats(0, 3e10)
KNOWN = st.builds(lambda one, number: replace(one, arn=arn(number)), RECORDS, st.integers(0, 99))
OUTCOMES = st.tuples(st.just(OUTCOME[0]), st.tuples(TEXT, TEXT, TEXT, TEXT))
QUEUES = st.tuples(st.just(QUEUE[0]), st.tuples(TEXT, TEXT, TEXT))
MARKS = st.integers(-(2**63), 2**63 - 1)
TOTALS = st.builds(
    Totals,
    st.dictionaries(OUTCOMES, st.floats(0, 1e300), max_size=3),
    st.dictionaries(
        QUEUES,
        st.builds(Histogram, st.lists(st.integers(0), min_size=22, max_size=22).map(tuple), st.floats(0, 1e300)),
        max_size=3,
    ),
)
ENTRIES = st.builds(
    Entry,
    st.lists(KNOWN, max_size=4, unique_by=lambda one: one.arn),
    tombstones=st.dictionaries(MARKS, st.builds(Tombstone, MOMENTS, st.none() | RECORDS, TEXT), max_size=3),
    totals=TOTALS,
)


@settings(suppress_health_check=[HealthCheck.too_slow, HealthCheck.function_scoped_fixture])
@given(entry=ENTRIES, polled=MOMENTS, baselines=st.dictionaries(TEXT, MOMENTS, max_size=3))
def test_whatever_is_written_comes_back_as_it_was(
    path: Path, entry: Entry, polled: float, baselines: dict[str, float]
) -> None:
    with scratch(path), opened(path) as state:
        state.write(entry, polled=polled, baselines=baselines)
        records = sorted(entry.records, key=repr)
        assert everything(state) == (records, entry.tombstones, entry.totals, baselines, polled)


@settings(max_examples=examples(100), suppress_health_check=[HealthCheck.too_slow, HealthCheck.function_scoped_fixture])
@given(response=ANSWERS, now=MOMENTS)
def test_every_job_that_can_be_read_from_the_wire_can_be_read_from_a_file(
    path: Path, response: dict[str, Any], now: float
) -> None:
    try:
        job = parse_job(ARN, response, frozenset({"team", "owner"}))
    except ParseError:
        return
    seen = observe(JobRecord(ARN), job, since=0.0, now=now).record
    with scratch(path), opened(path) as state:
        state.write(Entry([seen], tombstones={1: Tombstone(job.created or 0.0, seen)}), polled=now)
        saved = past_in(state, check_record)
        assert saved is not None
        assert ([*saved.records], saved.tombstones[1].record, state.skipped) == ([seen], seen, Skipped())


@pytest.mark.parametrize(
    "created", ["0001-01-01T00:00:00Z", "1970-01-01T00:00:00Z", "3500-01-01T00:00:00Z", "9999-12-31T23:59:59.999Z"]
)
def test_a_job_of_any_year_that_is_read_from_the_wire_comes_back(path: Path, created: str) -> None:
    job = parse_job(ARN, {"status": "RUNNING", "createdAt": created})
    assert job.created is not None
    filled(path, Entry([record(job)], tombstones={1: Tombstone(job.created, None)}))
    with opened(path) as state:
        saved = past_in(state, check_record)
        assert saved is not None
        assert ([*saved.records], saved.tombstones[1].created) == ([record(job)], job.created)


@contextmanager
def scratch(path: Path) -> Iterator[None]:
    """Have no file at first, and none that stays."""
    yield
    path.unlink()


KEYS = st.sampled_from([arn(number) for number in range(4)])
STEPS = st.builds(
    lambda records, left, tombstones: Entry([*records.values()], [*left.difference(records)], tombstones),
    st.dictionaries(KEYS, RECORDS, max_size=3).map(
        lambda jobs: {name: replace(job, arn=name) for name, job in jobs.items()}
    ),
    st.sets(KEYS, max_size=2),
    st.dictionaries(
        st.integers(0, 3), st.none() | st.builds(Tombstone, MOMENTS, st.none() | RECORDS, TEXT), max_size=3
    ),
)


@settings(
    max_examples=examples(40),
    suppress_health_check=[HealthCheck.too_slow, HealthCheck.function_scoped_fixture],
)
@given(steps=st.lists(STEPS, min_size=1, max_size=5))
def test_a_file_holds_what_its_entries_add_up_to_even_if_each_is_written_twice(path: Path, steps: list[Entry]) -> None:
    jobs: dict[str, JobRecord] = {}
    tombstones: dict[int, Tombstone | None] = {}
    with scratch(path), opened(path) as state:
        for step in steps:
            for _ in range(2):
                state.write(step, polled=POLLED)
            jobs = {one: job for one, job in jobs.items() if one not in step.gone} | {r.arn: r for r in step.records}
            tombstones |= step.tombstones
            saved = past_in(state)
            assert saved is not None
            assert known(saved) == jobs
            assert saved.tombstones == {
                mark: tombstone for mark, tombstone in tombstones.items() if tombstone is not None
            }


def test_lanes_stay_unless_they_are_given_anew(path: Path) -> None:
    filled(path)
    with opened(path) as state:
        state.write(Entry(), polled=POLLED + 1.0)
        assert everything(state)[3:] == (BASELINES, POLLED + 1.0)
        state.write(Entry(), polled=POLLED + 2.0, baselines={"one": 5.0})
        assert everything(state)[3:] == ({"one": 5.0}, POLLED + 2.0)
        state.write(Entry(), polled=POLLED + 2.0, baselines={})
        assert everything(state)[3:] == ({}, POLLED + 2.0)


def test_a_counter_that_moved_takes_the_place_of_what_it_was(path: Path) -> None:
    filled(path)
    moved = Totals({OUTCOME: 4.0}, {QUEUE: Histogram((2, 0, 2, *REST), 41.0)})
    with opened(path) as state:
        state.write(Entry(totals=moved), polled=POLLED)
        assert everything(state)[2] == moved


# All or nothing.


class Broken(Sequence[Any]):
    """Has something, and fails before its end."""

    def __init__(self, *items: object) -> None:
        self._items = items

    def __len__(self) -> int:
        return len(self._items) + 1

    def __getitem__(self, place: Any) -> Any:
        if place == len(self._items):
            raise ZeroDivisionError
        return self._items[place]


@pytest.mark.parametrize(
    "entry",
    [
        Entry(Broken(record(snapshot(arn=arn(3))))),
        Entry([record(snapshot(arn=arn(3)))], Broken(ARN)),
        Entry([], [ARN, arn(2)], {1: None}, Totals({OUTCOME: 9.0}, {QUEUE: Histogram(Broken(1))})),  # type: ignore[arg-type]
    ],
)
def test_a_write_that_fails_in_the_middle_leaves_the_file_as_it_was(path: Path, entry: Entry) -> None:
    filled(path)
    with opened(path) as state:
        before = everything(state)
        with pytest.raises((ZeroDivisionError, TypeError)):
            state.write(entry, polled=POLLED + 9.0, baselines={})
        assert everything(state) == before
        state.write(Entry([record(snapshot(arn=arn(4)))]), polled=POLLED + 10.0)
        assert everything(state)[4] == POLLED + 10.0
    assert known(reopened(path)).keys() == {ARN, arn(2), arn(4)}


# One process at a time.


def test_a_file_that_is_open_is_opened_by_nobody_else(path: Path) -> None:
    filled(path)
    with opened(path) as state:
        for _ in range(2):
            with pytest.raises(StateInUseError, match=r"^another process uses it$"):
                State(str(path))
        state.write(Entry([JobRecord(arn(3))]), polled=POLLED)
    assert known(reopened(path)).keys() == {ARN, arn(2), arn(3)}


WRITER = """
import sys
from exporter.storage.persistence import Entry
from exporter.core.jobs import JobRecord
from exporter.storage.sqlite_file import State

state = State(sys.argv[1])
first, second, third = (f"arn:aws:braket:us-west-2:123456789012:job/{number}" for number in (1, 2, 3))
state.write(Entry([JobRecord(first), JobRecord(second)]), polled=1.0, baselines={"lane": 1.0})
state.write(Entry([JobRecord(third)], [first]), polled=2.0)
print("written", flush=True)
sys.stdin.read()
"""


@contextmanager
def writer(path: Path) -> Iterator["subprocess.Popen[str]"]:
    """Have another process write to a file and keep it open."""
    with subprocess.Popen(
        [sys.executable, "-c", WRITER, str(path)],
        env=environment(),
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    ) as process:
        try:
            assert process.stdout is not None
            assert process.stdout.readline() == "written\n"
            yield process
        finally:
            process.kill()


def test_a_file_of_another_process_is_refused_until_that_is_killed_and_then_has_its_last_write(path: Path) -> None:
    with writer(path) as process:
        with pytest.raises(StateInUseError, match="another process uses it"):
            State(str(path))
        process.kill()
        process.wait()
        saved = reopened(path)
    assert saved == Past(2.0, saved.records if saved else [], baselines={"lane": 1.0})
    assert {name.rpartition("/")[2] for name in known(saved)} == {"2", "3"}


def test_a_new_file_is_locked_before_anything_is_written_to_it(path: Path) -> None:
    with opened(path), pytest.raises(StateInUseError):
        State(str(path))


# Files that make no sense.


def refused(path: Path, says: str) -> None:
    with pytest.raises(StateUnreadableError, match=says) as caught, opened(path) as state:
        past_in(state)
    assert "\n" not in str(caught.value)


def edited(path: Path, *statements: str) -> None:
    """Write to a file as no exporter does."""
    with closing(sqlite3.connect(path)) as connection:
        for statement in statements:
            connection.execute(statement)
        connection.commit()


@pytest.mark.parametrize(
    "content",
    [b"not a database, but some bytes that somebody wrote " * 100, random.Random(1).randbytes(8192)],
    ids=lambda content: f"{len(content)}-bytes",
)
def test_bytes_that_are_no_database_are_unreadable(path: Path, content: bytes) -> None:
    path.write_bytes(content)
    refused(path, "^file is not a database$")
    assert path.read_bytes() == content


@pytest.mark.parametrize("rest", [0.3, 0.6, 0.9])
def test_a_file_that_lost_its_end_is_unreadable(path: Path, rest: float) -> None:
    filled(path, Entry(some_jobs(500)))
    content = path.read_bytes()
    path.write_bytes(content[: int(len(content) * rest)])
    refused(path, "malformed|damaged")


def test_a_file_whose_pages_were_overwritten_is_unreadable(path: Path) -> None:
    filled(path, Entry(some_jobs(500)))
    content = bytearray(path.read_bytes())
    for page in range(4096, len(content), 4096):
        content[page : page + 64] = b"\xa5" * 64
    path.write_bytes(content)
    refused(path, "malformed|damaged")


@settings(max_examples=examples(50), suppress_health_check=[HealthCheck.too_slow, HealthCheck.function_scoped_fixture])
@given(place=st.floats(0.0, 1.0, exclude_max=True), bits=st.integers(1, 255), count=st.integers(1, 200))
def test_a_file_with_flipped_bytes_is_read_or_refused_and_nothing_else(
    path: Path, place: float, bits: int, count: int
) -> None:
    with scratch(path):
        filled(path, replace(FULL, records=some_jobs(60)))
        content = bytearray(path.read_bytes())
        start = int(place * len(content))
        for byte in range(start, min(start + count, len(content))):
            content[byte] ^= bits
        path.write_bytes(content)
        try:
            with opened(path) as state:
                past_in(state)
        except StateError as error:
            assert "\n" not in str(error)  # noqa: PT017 -- either way is well


# Rows that make no sense.

ONES = [record(finished(arn=arn(number), created=CREATED + number)) for number in range(1, 4)]
OTHER = ("braket_job_outcomes_total", (ACCOUNT, REGION, SV1, "FAILED"))
OTHERS = ("braket_job_queue_duration_seconds", (ACCOUNT, REGION, "d"))
TWO_TOMBSTONES = {1: Tombstone(CREATED, None, "lane"), 2: Tombstone(CREATED + 1.0, record(snapshot()), "")}
SOUND = Entry(
    ONES,
    tombstones=TWO_TOMBSTONES,
    totals=Totals(
        {OUTCOME: 3.0, OTHER: 1.0},
        {QUEUE: Histogram((1, 0, 2, *REST), 40.5), OTHERS: Histogram((0, 1, 0, *REST), 20.0)},
    ),
)
FIRST = f"WHERE mark = {mark_of(arn(1))}"
DEEP = "[" * 100_000


def without_one(table: str) -> Past:
    """Return what a sound file holds without the first row of a table."""
    saved = Past(POLLED, ONES, TWO_TOMBSTONES, BASELINES, SOUND.totals)
    counters, histograms = SOUND.totals.counters, SOUND.totals.histograms
    return {
        "jobs": replace(saved, records=ONES[1:], floor=POLLED),
        "tombstones": replace(saved, tombstones={2: saved.tombstones[2]}, floor=POLLED),
        "counters": replace(saved, totals=Totals({OTHER: 1.0}, histograms)),
        "histograms": replace(saved, totals=Totals(counters, {OTHERS: histograms[OTHERS]})),
        "baselines": replace(saved, baselines={"other": BASELINES["other"]}),
        # The newest of what else is known.
        "polled": replace(saved, polled=CREATED + 130.0),
    }[table]


@pytest.mark.parametrize(
    ("table", "change"),
    [
        ("jobs", f"record = 'no JSON' {FIRST}"),
        ("jobs", f"record = '{{}}' {FIRST}"),
        ("jobs", f"record = '[]' {FIRST}"),
        ("jobs", f"""record = '{{"arn": "{arn(1)}", "baseline_at": "yesterday"}}' {FIRST}"""),
        ("jobs", f"""record = '{{"arn": "{arn(9)}"}}' {FIRST}"""),
        ("jobs", f"""record = '{{"arn": "{arn(1)}", "baseline_at": {"9" * 400}}}' {FIRST}"""),
        ("jobs", f"record = x'00ff' {FIRST}"),
        ("jobs", f"record = CAST(x'7b22ff227d' AS TEXT) {FIRST}"),
        ("jobs", f"record = replace(record, 'vqe', CAST(x'fffe' AS TEXT)) {FIRST}"),
        ("jobs", f"record = 5 {FIRST}"),
        ("jobs", f"record = 5.5 {FIRST}"),
        ("jobs", f"record = 9e999 {FIRST}"),
        ("jobs", f"record = '' {FIRST}"),
        ("jobs", f"record = record || char(0) {FIRST}"),
        ("jobs", f"record = substr(record, 1, 100) {FIRST}"),
        ("jobs", f"record = zeroblob(100) {FIRST}"),
        ("jobs", f"""record = '{{"snapshot": {{"ended": "soon"}}}}' {FIRST}"""),
        ("jobs", f"""record = '{{"snapshot": {{"ended": {{"ended": []}}}}}}' {FIRST}"""),
        ("jobs", f"""record = '{{"snapshot": {{"ended": {"9" * 400}}}}}' {FIRST}"""),
        ("jobs", f"""record = '{{"snapshot": {{"ended": "' || CAST(x'ff' AS TEXT) || '"}}}}' {FIRST}"""),
        ("jobs", f"""record = '{{"snapshot": 1, "snapshot": []}}' {FIRST}"""),
        pytest.param("jobs", f"record = '{DEEP}' {FIRST}", id="deep job"),
        pytest.param("jobs", f"""record = '{{"snapshot": {{"ended": {DEEP}' {FIRST}""", id="deep end"),
        pytest.param("jobs", f"""record = '{{"snapshot": {DEEP}{"]" * len(DEEP)}}}' {FIRST}""", id="deep snapshot"),
        ("tombstones", "record = 'no JSON' WHERE mark = 1"),
        ("tombstones", "created = 'long ago' WHERE mark = 1"),
        ("tombstones", "created = 1e18 WHERE mark = 1"),
        ("counters", "value = 'many' WHERE value = 3"),
        ("counters", "value = -1 WHERE value = 3"),
        ("counters", "value = 9e999 WHERE value = 3"),
        ("counters", "labels = 'no JSON' WHERE value = 3"),
        ("counters", "labels = '5' WHERE value = 3"),
        ("counters", "labels = x'00' WHERE value = 3"),
        ("counters", "labels = CAST(x'ff' AS TEXT) WHERE value = 3"),
        ("counters", "labels = '[\"x\"]' WHERE value = 3"),
        ("counters", "labels = '[1, 2, 3, 4]' WHERE value = 3"),
        ("counters", r"""labels = '["1", "r", "d", "\ud800"]' WHERE value = 3"""),
        ("counters", "metric = 'braket_jobs' WHERE value = 3"),
        ("histograms", "observations = 'no JSON' WHERE sum = 40.5"),
        ("histograms", "observations = '[[1]]' WHERE sum = 40.5"),
        ("histograms", "observations = '7' WHERE sum = 40.5"),
        ("histograms", "observations = '[Infinity]' WHERE sum = 40.5"),
        ("histograms", f"observations = '{[-1, *[0] * 21]}' WHERE sum = 40.5"),
        pytest.param("histograms", f"observations = '{DEEP}' WHERE sum = 40.5", id="deep"),
        ("histograms", "sum = 'much' WHERE sum = 40.5"),
        ("histograms", "sum = -1 WHERE sum = 40.5"),
        ("baselines", "time = 'long ago' WHERE owner = 'one'"),
        ("baselines", "time = 9e999 WHERE owner = 'one'"),
        ("baselines", "time = 1e18, owner = CAST(x'ff' AS TEXT) WHERE owner = 'one'"),
        ("polled", "time = 'today'"),
        ("polled", "time = 1e18"),
        ("polled", "time = 1e300"),
    ],
)
def test_a_row_that_makes_no_sense_costs_itself_and_does_not_come_back(path: Path, table: str, change: str) -> None:
    filled(path, SOUND)
    edited(path, f"UPDATE {table} SET {change}")
    with opened(path) as state:
        saved = past_in(state, check_record)
        assert saved is not None
        assert replace(saved, records=sorted(saved.records, key=lambda one: one.arn)) == without_one(table)
        assert state.skipped.rows == 1
        assert state.skipped.reason.startswith(f"{table}: ")
        assert len(state.skipped.reason) < 250
        assert "\n" not in state.skipped.reason
    with opened(path) as state:
        assert past_in(state) is not None
        assert state.skipped == Skipped()


LOST = ("UPDATE jobs SET record = '' " + FIRST, "UPDATE tombstones SET created = 1e300 WHERE mark = 1")


@pytest.mark.parametrize("lost", LOST)
@pytest.mark.parametrize(
    "newest",
    [
        Entry([record(finished(arn=arn(9), created=POLLED + 5.0))]),
        Entry(tombstones={9: Tombstone(POLLED + 5.0, None)}),
    ],
)
def test_after_a_lost_row_the_floor_is_not_before_any_known_job(path: Path, lost: str, newest: Entry) -> None:
    filled(path, SOUND)
    filled(path, newest)
    edited(path, lost)
    saved = reopened(path)
    assert saved is not None
    assert saved.floor == POLLED + 5.0


def test_rows_that_make_no_sense_are_counted_over_all_tables(path: Path) -> None:
    filled(path, SOUND)
    edited(path, "UPDATE jobs SET record = '[]'", "UPDATE counters SET value = -1", "UPDATE baselines SET time = 1e300")
    with opened(path) as state:
        saved = past_in(state)
        assert saved == Past(POLLED, [], TWO_TOMBSTONES, {}, Totals({}, SOUND.totals.histograms), POLLED)
        assert state.skipped.rows == 7


def test_a_row_that_makes_no_sense_and_cannot_be_deleted_costs_itself_all_the_same(path: Path) -> None:
    filled(path, SOUND)
    edited(path, f"UPDATE jobs SET record = 'no JSON' {FIRST}")
    with opened(path) as state:
        with no_file_larger_than(0):
            saved = past_in(state)
            assert saved is not None
            assert sorted(each.arn for each in saved.records) == [arn(2), arn(3)]
            assert len(saved.records) == 2
        assert state.skipped.rows == 1
    with opened(path) as state:
        assert past_in(state) is not None
        assert state.skipped.rows == 1


@pytest.mark.parametrize("statement", ["DELETE FROM polled", "UPDATE polled SET time = 'today'"])
def test_without_the_time_of_the_last_write_the_last_poll_of_a_job_or_a_lane_stands_in(
    path: Path, statement: str
) -> None:
    filled(path, Entry([record(finished(), polled_at=CREATED + 300.0), JobRecord(arn(2))]))
    edited(path, statement)
    saved = reopened(path)
    assert saved is not None
    assert (saved.polled, len(saved.records)) == (CREATED + 300.0, 2)
    filled(path, Entry(gone=[ARN]))
    edited(path, statement)
    saved = reopened(path)
    assert saved is not None
    assert saved.polled == CREATED + 1.0


@pytest.mark.parametrize("statement", ["DELETE FROM polled", "UPDATE polled SET time = 'today'"])
def test_a_file_that_does_not_say_at_all_when_it_was_written_is_unreadable(path: Path, statement: str) -> None:
    filled(path, Entry([JobRecord(ARN)]))
    edited(path, statement, "DELETE FROM baselines")
    refused(path, "^the time of the last write is missing$")


TIMES = {"UPDATE jobs SET record = {value}", "UPDATE baselines SET time = {value}", "UPDATE polled SET time = {value}"}
"""After all of these, nothing says when the file was written."""

CHECKED = st.lists(
    st.sampled_from(
        [
            "UPDATE jobs SET record = {value}",
            "UPDATE tombstones SET record = {value}",
            "UPDATE tombstones SET created = {value}",
            "UPDATE OR IGNORE counters SET labels = {value} WHERE value = 3",  # other rows may have these labels
            "UPDATE counters SET value = {value}",
            "UPDATE histograms SET observations = {value}",
            "UPDATE histograms SET sum = {value}",
            "UPDATE baselines SET time = {value}",
            "UPDATE polled SET time = {value}",
        ]
    ),
    min_size=1,
    max_size=3,
).filter(lambda statements: not TIMES.issubset(statements))
VALUES = (
    st.binary(max_size=8).map(lambda value: f"x'{value.hex()}'")
    | st.binary(max_size=8).map(lambda value: f"CAST(x'{value.hex()}' AS TEXT)")
    | st.floats(allow_nan=False, allow_infinity=False).map(repr)
    | st.sampled_from(["'{}'", "'[]'", "'[1]'", "'null'", "'\"x\"'", "9e999", "'{\"arn\": 1}'"])
)


@pytest.mark.parametrize("labels", ["{}", '{"arn": 1}', "null", '"x"', "1"])
def test_a_counter_with_labels_that_are_not_a_list_is_skipped(path: Path, labels: str) -> None:
    filled(path, SOUND)
    edited(path, f"UPDATE OR IGNORE counters SET labels = '{labels}' WHERE value = 3")
    with opened(path) as state:
        assert past_in(state, check_record) is not None
        assert state.skipped.rows == 1


@settings(max_examples=examples(60), suppress_health_check=[HealthCheck.too_slow, HealthCheck.function_scoped_fixture])
@given(statements=CHECKED, value=VALUES)
def test_whatever_stands_in_a_row_the_others_are_read(path: Path, statements: list[str], value: str) -> None:
    with scratch(path):
        filled(path, SOUND)
        edited(path, *(statement.format(value=value) for statement in statements))
        with opened(path) as state:
            saved = past_in(state, check_record)
            assert saved is not None
            again = everything(state)
        with opened(path) as state:
            assert everything(state)[:3] == again[:3]
            assert state.skipped == Skipped()


def test_what_was_counted_for_a_family_that_is_no_more_is_left_out(path: Path) -> None:
    filled(path)
    edited(path, "UPDATE counters SET metric = 'braket_old_total'")
    saved = reopened(path)
    assert saved is not None
    assert saved.totals == Totals({}, NUMBERS.histograms)


ENDLESS = "WITH RECURSIVE n(x) AS (SELECT 1 UNION ALL SELECT x + 1 FROM n) SELECT max(x) FROM n"


@pytest.mark.parametrize(
    "statements",
    [
        ["DROP TABLE baselines"],
        ["ALTER TABLE jobs ADD COLUMN colour TEXT"],
        ["ALTER TABLE jobs RENAME COLUMN record TO text"],
        ["CREATE TABLE more (a)"],
        ["CREATE INDEX more ON jobs (record)"],
        [f"CREATE VIEW more AS {ENDLESS}"],
        ["DROP TABLE jobs", f"CREATE VIEW jobs AS SELECT * FROM ({ENDLESS}), (SELECT '')"],
        [f"CREATE TRIGGER more AFTER INSERT ON polled BEGIN {ENDLESS}; END"],
        [f"CREATE TRIGGER more BEFORE DELETE ON jobs BEGIN {ENDLESS}; END"],
        ["PRAGMA user_version=0"],
        ["PRAGMA user_version=-1"],
    ],
    ids=lambda statements: statements[-1][:40],
)
def test_a_file_with_other_tables_than_its_version_has_is_unreadable_and_nothing_in_it_runs(
    path: Path, statements: list[str]
) -> None:
    filled(path)
    edited(path, *statements)
    refused(path, "^the tables are not those of version -?[01]$")


def test_blanks_in_the_statements_that_made_the_tables_do_not_matter(path: Path) -> None:
    script = " ".join(MIGRATIONS[0].split())
    edited(path, *script.split(";"), "PRAGMA user_version=1", f"PRAGMA application_id={APPLICATION_ID}")
    assert reopened(path) is None


@pytest.mark.parametrize("mode", ["delete", "wal"])
def test_a_database_of_another_program_is_refused_and_stays_untouched(path: Path, mode: str) -> None:
    edited(path, f"PRAGMA journal_mode={mode}", "CREATE TABLE theirs (a)", "INSERT INTO theirs VALUES (5)")
    before = path.read_bytes()
    refused(path, "^a database of another program$")
    assert path.read_bytes() == before
    assert [each.name for each in path.parent.iterdir()] == ["state.db"]


def test_a_database_of_another_program_with_tables_named_as_ours_is_refused(path: Path) -> None:
    edited(path, *MIGRATIONS[0].split(";"), "PRAGMA user_version=1", f"PRAGMA application_id={APPLICATION_ID + 1}")
    refused(path, "^a database of another program$")


def test_a_file_of_a_newer_release_is_refused_and_stays_untouched(path: Path) -> None:
    filled(path)
    edited(path, f"PRAGMA user_version={len(MIGRATIONS) + 1}")
    before = path.read_bytes()
    refused(path, "^version 2 is newer than 1, the newest that this release knows$")
    assert path.read_bytes() == before


# Files that cannot be written, and by whom they may be read.


def test_only_the_owner_may_read_a_file_and_what_is_beside_it(path: Path) -> None:
    with opened(path) as state:
        state.write(FULL, polled=POLLED)
        modes = {each.name: each.stat().st_mode & 0o777 for each in path.parent.iterdir()}
    assert modes == {"state.db": 0o600, "state.db-wal": 0o600}


def test_a_file_that_is_there_keeps_its_rights(path: Path) -> None:
    path.touch()
    path.chmod(0o640)
    filled(path)
    assert path.stat().st_mode & 0o777 == 0o640


def test_a_file_in_no_directory_is_unwritable(tmp_path: Path) -> None:
    with pytest.raises(StateUnwritableError, match=r"^No such file or directory$"):
        State(str(tmp_path / "nowhere" / "state.db"))


def test_a_directory_is_unwritable(tmp_path: Path) -> None:
    with pytest.raises(StateUnwritableError, match=r"^Is a directory$"):
        State(str(tmp_path))


MANY = Entry(some_jobs(3000))


def test_a_file_that_may_not_grow_is_unwritable_and_takes_the_same_once_it_may(path: Path) -> None:
    with opened(path) as state:
        state.write(FULL, polled=POLLED, baselines=BASELINES)
        before = everything(state)
        for _ in range(2):
            with no_file_larger_than(256 * 1024), pytest.raises(StateUnwritableError):
                state.write(MANY, polled=POLLED + 1.0)
        assert everything(state) == before
        state.write(MANY, polled=POLLED + 2.0)
        assert len(everything(state)[0]) == 3001
    assert len(known(reopened(path))) == 3001


def test_a_file_on_a_full_disk_is_unwritable_and_takes_the_same_once_there_is_room(tmp_path: Path) -> None:
    with small_disk(tmp_path / "disk") as disk, opened(disk / "state.db") as state:
        state.write(FULL, polled=POLLED, baselines=BASELINES)
        before = everything(state)
        with pytest.raises(StateUnwritableError, match=r"^database or disk is full$"):
            state.write(MANY, polled=POLLED + 1.0)
        assert everything(state) == before
        subprocess.run(["mount", "-o", "remount,size=16m", disk], check=True)
        state.write(MANY, polled=POLLED + 2.0)
        assert len(everything(state)[0]) == 3001


def test_a_new_file_on_a_full_disk_is_unwritable_and_opens_once_there_is_room(tmp_path: Path) -> None:
    with small_disk(tmp_path / "disk") as disk:
        ballast = disk / "ballast"
        with suppress(OSError):
            ballast.write_bytes(bytes(1024 * 1024))
        assert shutil.disk_usage(disk).free == 0
        with pytest.raises(StateUnwritableError):
            State(str(disk / "state.db"))
        ballast.unlink()
        filled(disk / "state.db")
        assert known(reopened(disk / "state.db")).keys() == {ARN, arn(2)}


def test_a_file_on_a_disk_that_became_read_only_is_unwritable_and_opens_once_that_is_over(tmp_path: Path) -> None:
    with small_disk(tmp_path / "disk") as disk:
        filled(disk / "state.db")
        subprocess.run(["mount", "-o", "remount,ro", disk], check=True)
        for name in ("state.db", "other.db"):
            with pytest.raises(StateUnwritableError, match=r"^Read-only file system$"):
                State(str(disk / name))
        subprocess.run(["mount", "-o", "remount,rw", disk], check=True)
        assert known(reopened(disk / "state.db")).keys() == {ARN, arn(2)}


AS_NOBODY = """
import os, sys
from exporter.storage.sqlite_file import State
from exporter.storage.state_errors import StateError
if os.geteuid() == 0:
    os.setgid(65534)
    os.setuid(65534)
try:
    State(sys.argv[1])
except StateError as error:
    print(type(error).__name__, error)
"""


@pytest.mark.parametrize(("directory", "file"), [(0o555, 0o666), (0o777, 0o444)])
def test_a_file_or_directory_that_others_may_not_write_is_unwritable(directory: int, file: int) -> None:
    # Nobody else may enter the usual place.
    with tempfile.TemporaryDirectory(prefix="state-") as place:
        path = Path(place) / "state.db"
        filled(path)
        path.chmod(file)
        Path(place).chmod(directory)
        said = subprocess.run(
            [sys.executable, "-c", AS_NOBODY, path],
            # Nobody may write what is covered, either.
            env=environment({"COVERAGE_PROCESS_CONFIG": None, "COVERAGE_PROCESS_START": None}),
            capture_output=True,
            text=True,
            check=True,
        ).stdout
        Path(place).chmod(0o700)
    assert said.startswith("StateUnwritableError ")


# Migrations.

ADDED = (*MIGRATIONS, "CREATE TABLE notes (text TEXT); INSERT INTO notes VALUES ('new');")


def version_of(path: Path) -> tuple[Any, ...]:
    with closing(sqlite3.connect(path)) as connection:
        pragmas = ("user_version", "application_id", "auto_vacuum", "journal_mode")
        return tuple(connection.execute(f"PRAGMA {name}").fetchone()[0] for name in pragmas)


def test_a_new_file_is_of_the_newest_version_and_marked_as_ours(path: Path) -> None:
    filled(path)
    assert version_of(path) == (1, 0x42524B54, 2, "wal")
    assert path.read_bytes()[68:72] == b"BRKT"


def test_a_file_of_an_older_version_is_brought_to_the_newest_and_keeps_its_rows(path: Path) -> None:
    filled(path)
    with opened(path) as state:
        before = everything(state)
    with opened(path, ADDED) as state:
        assert everything(state) == before
    assert version_of(path)[0] == 2
    with opened(path, ADDED) as state:
        assert everything(state) == before
    with closing(sqlite3.connect(path)) as connection:
        assert connection.execute("SELECT text FROM notes").fetchall() == [("new",)]


@pytest.mark.parametrize(
    "bad", ["CREATE TABLE notes (text); INSERT INTO nowhere VALUES (1)", "DROP TABLE jobs; nonsense"]
)
def test_a_migration_that_fails_leaves_the_file_as_it_was(path: Path, bad: str) -> None:
    filled(path)
    with opened(path) as state:
        before = everything(state)
    with pytest.raises(StateError):
        State(str(path), (*MIGRATIONS, bad))
    assert version_of(path)[0] == 1
    with opened(path) as state:
        assert everything(state) == before


# Space.


def test_a_file_gives_back_what_forgotten_jobs_took(path: Path) -> None:
    many = some_jobs(5000)
    filled(path, Entry(many))
    before = path.stat().st_size
    with opened(path) as state:
        state.write(Entry(gone=[each.arn for each in many[500:]]), polled=POLLED)
        state.compact()
        assert len(everything(state)[0]) == 500
    # What is left, and 256 free pages of 4 KiB.
    assert before > 3_000_000
    assert path.stat().st_size < 0.2 * before + 256 * 4096
    assert len(known(reopened(path))) == 500


def test_a_file_with_little_to_give_back_keeps_it_for_what_comes(path: Path) -> None:
    filled(path)
    before = path.stat().st_size
    with opened(path) as state:
        state.write(Entry(gone=[ARN]), polled=POLLED)
        state.compact()
    assert path.stat().st_size == before


def test_a_large_log_is_brought_into_the_file_and_begins_from_nothing(path: Path) -> None:
    log = Path(f"{path}-wal")
    jobs = some_jobs(2000)
    with opened(path) as state:
        state.write(Entry(jobs), polled=POLLED)
        before = log.stat().st_size
        assert 1_000_000 < before < LARGEST_LOG
        assert state.size == path.stat().st_size + before
        for _ in range(10):
            state.write(Entry(jobs), polled=POLLED)
            assert log.stat().st_size < LARGEST_LOG
        assert path.stat().st_size > 1_000_000
        state.write(Entry(some_jobs(20_000)), polled=POLLED)
        assert (log.stat().st_size, state.size) == (0, path.stat().st_size)
        state.check()
        state.write(FULL, polled=POLLED)
        state.check()
    assert len(known(reopened(path))) == 20_001


def test_a_file_that_is_closed_leaves_nothing_beside_it(path: Path) -> None:
    filled(path)
    assert [each.name for each in path.parent.iterdir()] == ["state.db"]


# A file that is taken away.


def checked(state: State) -> str:
    """Return what a check finds."""
    try:
        state.check()
    except StateError as error:
        return f"{type(error).__name__}: {error}"
    return ""


def overwrite(path: Path, offset: int = 0, count: int = 100) -> None:
    """Write to a file in place, as a disk that fails or another program does."""
    with path.open("r+b") as file:
        file.seek(offset)
        file.write(b"\xa5" * count)


def log_of(path: Path) -> Path:
    return Path(f"{path}-wal")


def directory(path: Path) -> None:
    path.unlink()
    path.mkdir()


REMOVED = "StateLostError: it was removed while it was in use"
REPLACED = "StateLostError: it was replaced while it was in use"
CHANGED = "StateUnreadableError: another program changed it while it was in use"
LOG_REMOVED = "StateUnreadableError: its write-ahead log was removed while it was in use"
LOG_CHANGED = "StateUnreadableError: another program changed its write-ahead log while it was in use"

FAULTS: dict[str, tuple[Callable[[Path], object], str]] = {
    "removed": (Path.unlink, REMOVED),
    "moved": (lambda path: path.rename(path.with_name("elsewhere")), REMOVED),
    "replaced": (
        lambda path: shutil.copy(path, path.with_name("copy")) and path.with_name("copy").rename(path),
        REPLACED,
    ),
    "a directory in its place": (directory, REPLACED),
    "header overwritten": (overwrite, CHANGED),
    "overwritten with an older copy": (lambda path: path.write_bytes(path.with_name("older").read_bytes()), CHANGED),
    "page overwritten": (lambda path: overwrite(path, 3 * 4096, 4096), CHANGED),
    "last byte overwritten": (lambda path: overwrite(path, path.stat().st_size - 1, 1), CHANGED),
    "overwritten with itself": (lambda path: path.write_bytes(path.read_bytes()), CHANGED),
    "emptied": (lambda path: os.truncate(path, 0), CHANGED),
    "cut": (lambda path: os.truncate(path, path.stat().st_size - 4096), CHANGED),
    "grown": (lambda path: os.truncate(path, path.stat().st_size + 4096), CHANGED),
    "log removed": (lambda path: log_of(path).unlink(), LOG_REMOVED),
    "log replaced": (
        lambda path: Path(shutil.copy(log_of(path), path.with_name("copy"))).rename(log_of(path)),
        LOG_REMOVED,
    ),
    "log emptied": (lambda path: os.truncate(log_of(path), 0), LOG_CHANGED),
    "log cut": (lambda path: os.truncate(log_of(path), log_of(path).stat().st_size // 2), LOG_CHANGED),
    "log overwritten": (lambda path: overwrite(log_of(path)), LOG_CHANGED),
    "last page of the log overwritten": (
        lambda path: overwrite(log_of(path), log_of(path).stat().st_size - 100),
        LOG_CHANGED,
    ),
}


@pytest.mark.parametrize(("fault", "found"), FAULTS.values(), ids=FAULTS.keys())
def test_whatever_others_do_to_an_open_file_is_found_before_the_next_write(
    path: Path, fault: Callable[[Path], object], found: str
) -> None:
    filled(path, Entry(some_jobs(200)))
    shutil.copy(path, path.with_name("older"))
    with opened(path) as state:
        for number in range(3):
            state.write(Entry([JobRecord(arn(number))]), polled=POLLED + number)
        assert checked(state) == ""
        fault(path)
        assert checked(state) == found
        with pytest.raises(StateError, match=f"^{found.partition(': ')[2]}$"):
            state.write(Entry(), polled=POLLED)


class Meddling(Sequence[Any]):
    """Has a job, and does something to the file while it is written."""

    def __init__(self, act: Callable[[], object]) -> None:
        self._act = act

    def __len__(self) -> int:
        return 1

    def __getitem__(self, place: Any) -> Any:
        if place:
            raise IndexError
        self._act()
        return JobRecord(arn(9))


@pytest.mark.parametrize("place", [0, 3 * 4096])
def test_a_change_during_a_write_is_found_before_the_next(path: Path, place: int) -> None:
    filled(path, Entry(some_jobs(200)))
    with opened(path) as state:
        state.write(Entry(Meddling(lambda: overwrite(path, place))), polled=POLLED)
        assert checked(state) == CHANGED


def test_a_log_that_is_cut_during_a_write_that_fails_is_found_before_the_next(path: Path) -> None:
    with opened(path) as state:
        state.write(FULL, polled=POLLED)
        with pytest.raises(ZeroDivisionError):
            state.write(Entry(Meddling(lambda: os.truncate(log_of(path), 0)), Broken()), polled=POLLED)
        assert checked(state) == LOG_CHANGED


def test_what_changes_nothing_in_an_open_file_is_not_found(path: Path) -> None:
    many = some_jobs(3000)
    with opened(path) as state:
        state.write(Entry(many), polled=POLLED, baselines=BASELINES)
        state.write(Entry(gone=[each.arn for each in many[100:]]), polled=POLLED)
        state.compact()
        path.chmod(0o640)
        os.link(path, path.with_name("link"))
        path.read_bytes()
        log_of(path).read_bytes()
        assert checked(state) == ""
        with no_file_larger_than(0), pytest.raises(StateUnwritableError):
            state.write(Entry(many), polled=POLLED)
        assert checked(state) == ""
        assert past_in(state) is not None
        state.write(Entry(many), polled=POLLED)
        assert checked(state) == ""


def test_a_file_that_is_closed_leaves_the_log_of_the_file_in_its_place(path: Path) -> None:
    with opened(path) as state:
        state.write(FULL, polled=POLLED)
        path.unlink()
        log_of(path).unlink()
        path.write_bytes(b"theirs")
        log_of(path).write_bytes(b"their log")
    assert {each.name: each.read_bytes() for each in path.parent.iterdir()} == {
        "state.db": b"theirs",
        "state.db-wal": b"their log",
    }


def test_a_file_that_is_closed_removes_its_own_log_although_another_file_is_in_its_place(path: Path) -> None:
    with opened(path) as state:
        state.write(FULL, polled=POLLED)
        path.unlink()
        path.write_bytes(b"theirs")
    assert [each.name for each in path.parent.iterdir()] == ["state.db"]


# Old files.


def stored(path: Path, one: JobRecord) -> dict[str, Any]:
    filled(path, Entry([one]))
    with closing(sqlite3.connect(path)) as connection:
        ((text,),) = connection.execute("SELECT record FROM jobs")
    logged: dict[str, Any] = json.loads(text)
    return logged


GOLDEN = JobRecord(
    ARN,
    snapshot=snapshot(
        status="FAILED",
        ended=CREATED + 120.5,
        billable_seconds=80.0,
        queue_position=15,
        queue_position_is_floor=True,
        failure_reason="AlgorithmError: é",
        events=(event("RUNNING", CREATED + 40.0, "It runs."),),
        tags=(("team", "chemistry"),),
        unknown=(("status", "PAUSED"),),
    ),
    events=(EventKey("RUNNING", CREATED + 40.0), EventKey(None, None)),
    counted=("outcome",),
    polled_at=CREATED + 130.0,
    failing="AccessDeniedException",
    unknown=(("status", "PAUSED"),),
    first_listed_status="QUEUED",
    configured=False,
    baseline_at=CREATED - 1.0,
    owner="0123456789abcdef",
)

GOLDEN_TEXT = (
    '{"arn":"arn:aws:braket:us-west-2:123456789012:job/5d3c7bb0-6f0f-4d3c-9c55-5a2b1f1c0f01",'
    '"snapshot":{"arn":"arn:aws:braket:us-west-2:123456789012:job/5d3c7bb0-6f0f-4d3c-9c55-5a2b1f1c0f01",'
    '"name":"vqe-h2","status":"FAILED","account":"123456789012","region":"us-west-2",'
    '"device":"arn:aws:braket:::device/quantum-simulator/amazon/sv1","instance_type":"ml.m5.large",'
    '"instance_count":1,"max_runtime_seconds":3600,"created":1700000000.0,"started":1700000040.0,'
    '"ended":1700000120.5,"billable_seconds":80.0,"queue_position":15,"queue_position_is_floor":true,'
    '"failure_reason":"AlgorithmError: é","events":[{"key":["RUNNING",1700000040.0],"message":"It runs."}],'
    '"tags":[["team","chemistry"]],"unknown":[["status","PAUSED"]]},'
    '"events":[["RUNNING",1700000040.0],[null,null]],"counted":["outcome"],"polled_at":1700000130.0,'
    '"failing":"AccessDeniedException","unknown":[["status","PAUSED"]],"first_listed_status":"QUEUED","configured":false,'
    '"baseline_at":1699999999.0,"owner":"0123456789abcdef"}'
)


def test_a_record_is_written_as_files_of_this_version_have_it(path: Path) -> None:
    filled(path, Entry([GOLDEN]))
    with closing(sqlite3.connect(path)) as connection:
        assert connection.execute("SELECT * FROM jobs").fetchall() == [(mark_of(ARN), GOLDEN_TEXT)]
    assert known(reopened(path)) == {ARN: GOLDEN}


def test_of_a_record_only_what_is_not_usual_is_written(path: Path) -> None:
    assert stored(path, JobRecord(ARN)) == {"arn": ARN}


def test_members_that_a_later_release_added_are_passed_over(path: Path) -> None:
    filled(path, Entry([JobRecord(ARN)]))
    edited(path, f"""UPDATE jobs SET record = '{{"arn": "{ARN}", "colour": "red"}}'""")
    assert known(reopened(path)) == {ARN: JobRecord(ARN)}


OLD_RECORD = {
    "arn": MISSING,
    "snapshot": None,
    "events": (),
    "counted": (),
    "polled_at": None,
    "failing": None,
    "unknown": (),
    "first_listed_status": None,
    "configured": True,
    "baseline_at": 0.0,
    "owner": "",
}
OLD_SNAPSHOT = {
    "arn": MISSING,
    "name": MISSING,
    "status": MISSING,
    "account": MISSING,
    "region": MISSING,
    "device": "",
    "instance_type": "",
    "instance_count": None,
    "max_runtime_seconds": None,
    "created": None,
    "started": None,
    "ended": None,
    "billable_seconds": None,
    "queue_position": None,
    "queue_position_is_floor": False,
    "failure_reason": None,
    "events": (),
    "tags": (),
    "unknown": (),
}


@pytest.mark.parametrize(("kind", "old"), [(JobRecord, OLD_RECORD), (JobSnapshot, OLD_SNAPSHOT)])
def test_files_of_version_1_have_these_members_and_mean_these_values_where_they_lack_them(
    kind: type[JobRecord | JobSnapshot], old: dict[str, Any]
) -> None:
    """A member may come, with a default, which old files mean. For any other change they need a migration."""
    assert len(MIGRATIONS) == 1
    now = {field.name: field.default for field in fields(kind)}
    assert {name: now.get(name, "gone") for name in old} == old
    assert [name for name, default in now.items() if name not in old and default is MISSING] == []


def test_files_of_version_1_have_counters_and_histograms_of_these_labels_and_buckets() -> None:
    """A page would fail with other ones: other labels need a migration, former buckets stay in ``former_buckets``."""
    assert len(MIGRATIONS) == 1
    assert {family.name: (family.labels[3:], len(family.buckets)) for family in AGGREGATE_FAMILIES[1:]} == {
        "braket_job_transitions_total": (("from_status", "to_status"), 0),
        "braket_job_outcomes_total": (("outcome",), 0),
        "braket_billable_seconds_total": (("instance_type",), 0),
        "braket_job_queue_duration_seconds": ((), 21),
        "braket_job_run_duration_seconds": (("outcome",), 14),
        "braket_job_phase_seconds_total": (("phase",), 0),
        "braket_job_phases_total": (("phase",), 0),
    }
    first = (
        *(10.0, 30.0, 60.0, 120.0, 300.0, 600.0, 1800.0, 3600.0, 7200.0, 14400.0, 28800.0, 86400.0),
        *(172800.0, 432000.0),
    )
    queue, run = (family for family in AGGREGATE_FAMILIES if family.type == "histogram")
    assert (queue.former_buckets, run.buckets, run.former_buckets) == ((first,), first, ())


def test_the_first_version_of_the_schema_is_what_files_have() -> None:
    """What is released does not change: a change is another entry."""
    with closing(sqlite3.connect(":memory:")) as connection:
        connection.executescript(MIGRATIONS[0])
        tables = connection.execute("SELECT name, sql FROM sqlite_schema WHERE type = 'table' ORDER BY name")
        assert {name: " ".join(text.split()) for name, text in tables} == {
            "counters": (
                "CREATE TABLE counters ( metric TEXT, labels TEXT, value REAL NOT NULL, PRIMARY KEY (metric, labels) )"
                " WITHOUT ROWID"
            ),
            "floor": "CREATE TABLE floor (only INTEGER PRIMARY KEY CHECK (only = 0), created REAL NOT NULL)",
            "tombstones": (
                "CREATE TABLE tombstones (mark INTEGER PRIMARY KEY, created REAL NOT NULL, owner TEXT NOT NULL,"
                " record TEXT)"
            ),
            "histograms": (
                "CREATE TABLE histograms ( metric TEXT, labels TEXT, observations TEXT NOT NULL, sum REAL NOT NULL,"
                " PRIMARY KEY (metric, labels) ) WITHOUT ROWID"
            ),
            "jobs": "CREATE TABLE jobs (mark INTEGER PRIMARY KEY, record TEXT NOT NULL)",
            "baselines": "CREATE TABLE baselines (owner TEXT PRIMARY KEY, time REAL NOT NULL) WITHOUT ROWID",
            "polled": "CREATE TABLE polled (only INTEGER PRIMARY KEY CHECK (only = 0), time REAL NOT NULL)",
        }


def test_the_floor_of_the_tombstones_is_read_as_it_was_last_written(path: Path) -> None:
    with opened(path) as state:
        state.write(Entry(floor=CREATED), polled=POLLED)
        state.write(Entry(), polled=POLLED)
    with opened(path) as state:
        saved = past_in(state)
    assert saved is not None
    assert saved.floor == CREATED


def test_a_floor_that_makes_no_sense_is_the_last_write(path: Path) -> None:
    with opened(path) as state:
        state.write(Entry(floor=CREATED), polled=POLLED)
    edited(path, "UPDATE floor SET created = 'x'")
    for skipped in (1, 0):
        with opened(path) as state:
            saved = past_in(state)
            assert saved is not None
            assert (saved.floor, state.skipped.rows) == (POLLED, skipped)
