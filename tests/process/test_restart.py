"""What survives a restart, in order or by ``kill -9``: logs and counters beside the truth of the simulator."""

import os
import signal
import sqlite3
import stat
import subprocess
import time
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from contextlib import closing, contextmanager, suppress
from dataclasses import dataclass, field
from pathlib import Path
from random import Random
from typing import Any

import pytest
from processes import FAST, PATIENCE, SV1, Daemon, daemon, eventually, iso, run, wire_event, wire_job

from exporter.simulator import Event, Phase, ScriptedJob, SimulatedJob, SimulatorServer, Status, World, job_arn
from exporter.storage.block import BLOCK_JOBS

FINDING = ("--all-jobs", "--regions", "us-east-1", "--discovery-interval", "0.1s")
HOUR_AGO = round(time.time(), 3) - 3600
A, B, C = job_arn("a"), job_arn("b"), job_arn("c")

HASTY = (
    "import exporter.storage.state_writer as writer; writer.RETRY_INTERVAL = writer.BEAT_INTERVAL = 0.2\n"
    "import exporter.app.daemon; exporter.app.daemon.MAINTENANCE_INTERVAL = 0.05"
)
"""Run before the exporter: it often looks whether the state file can be written."""

COUNTERS = ("braket_job_outcomes_total", "braket_job_transitions_total", "braket_billable_seconds_total")

OFTEN = "import exporter.app.daemon; exporter.app.daemon.MAINTENANCE_INTERVAL = 0.05"
"""Run before the exporter: it tidies up often."""


@dataclass
class Site:
    """Braket, and one state file for every exporter that is started here."""

    server: SimulatorServer
    file: Path
    answers: dict[str, dict[str, Any]] = field(default_factory=dict)
    created: dict[str, float] = field(default_factory=dict)

    def put(self, arn: str, status: str, created: float = HOUR_AGO, **members: Any) -> None:
        """Have Braket answer so for a job from now on."""
        if arn not in self.answers:
            self.created[arn] = created
            self.server.world.put(ScriptedJob(arn, created, lambda _: self.answers.get(arn)))
        self.answers[arn] = wire_job(arn, status, createdAt=iso(self.created[arn]), **members)

    def end(self, arn: str, status: str, events: Sequence[tuple[str, float]] = (), **members: Any) -> float:
        """Have a job end now, after the given events; return when."""
        now = round(time.time(), 3)
        told = [wire_event(kind, moment) for kind, moment in (*events, (status, now))]
        end = {"startedAt": iso(now - 60), "endedAt": iso(now), "billableDuration": 60000, "events": told}
        self.put(arn, status, **{**end, **members})
        return now

    @contextmanager
    def exporter(self, *arguments: str, prelude: str = "", started: bool = True) -> Iterator[Daemon]:
        given = (*FAST, "--state-file", str(self.file), *arguments)
        env = {"AWS_ENDPOINT_URL_BRAKET": self.server.url}
        with daemon("run", *given, env=env, prelude=prelude, started=started) as running:
            if started:
                eventually(lambda: running.get("/-/ready").status == 200)
            yield running

    def asked(self, arn: str) -> int:
        return sum(request.operation == "GetJob" and request.arn == arn for request in self.server.requests[:])

    def rows(self, query: str) -> list[Any]:
        """Look into the file of an exporter that has ended."""
        with closing(sqlite3.connect(self.file)) as connection:
            return connection.execute(query).fetchall()


@pytest.fixture
def site(tmp_path: Path) -> Iterator[Site]:
    with SimulatorServer(World(), clock=time.time) as server:
        yield Site(server, tmp_path / "state.sqlite")


def transitions(exporter: Daemon, arn: str) -> list[tuple[str | None, str]]:
    return [(line["from_status"], line["to_status"]) for line in exporter.logs("job_transition", job_arn=arn)]


def events(exporter: Daemon, arn: str) -> list[str]:
    return [line["event_type"] for line in exporter.logs("job_event", job_arn=arn)]


def of_the_jobs(samples: list[str]) -> list[str]:
    return [line for line in samples if not line.startswith(("braket_exporter_", "process_", "python_"))]


# Orderly restarts.


def test_series_and_counters_go_on_and_finished_jobs_are_not_asked_for_again(site: Site) -> None:
    for arn in (A, B, C):
        site.put(arn, "RUNNING")
    with site.exporter("--jobs", A, *FINDING) as before:
        site.end(B, "FAILED", failureReason="AlgorithmError: x")
        site.end(C, "COMPLETED")
        eventually(lambda: before.value("braket_job_run_duration_seconds_count", '"COMPLETED"') == 1)
        eventually(lambda: before.value("braket_job_run_duration_seconds_count", '"FAILED"') == 1)
        assert stat.S_IMODE(site.file.stat().st_mode) == 0o600
        assert before.stop() == 0
        asked = [site.asked(B), site.asked(C)]
    with site.exporter("--jobs", A, *FINDING) as first:
        shown = of_the_jobs(first.samples)
        first.process.kill()
        first.wait()
    searches = sum(request.operation == "SearchJobs" for request in site.server.requests[:])
    with site.exporter("--jobs", A, *FINDING) as second:
        eventually(lambda: sum(r.operation == "SearchJobs" for r in site.server.requests[:]) >= searches + 3)
        again = of_the_jobs(second.samples)
        (loaded,) = second.logged("state_loaded")
        assert (loaded["jobs"], loaded["file"]) == (3, str(site.file))
        assert second.stop() == 0
    moving = f'braket_job_last_poll_timestamp_seconds{{job_arn="{A}"'
    assert [line for line in again if not line.startswith(moving)] == [
        line for line in shown if not line.startswith(moving)
    ]
    assert [B in line for line in again if line.startswith("braket_job_failure{")] == [True]
    assert [site.asked(B), site.asked(C)] == asked
    for exporter in (first, second):
        assert [exporter.logs(name) for name in ("job_discovered", "job_transition", "job_event")] == [[], [], []]


def test_what_happened_while_it_was_down_is_logged_once_with_its_own_time_and_counted_once(site: Site) -> None:
    site.put(A, "QUEUED")
    with site.exporter("--jobs", A) as before:
        assert before.stop() == 0
    ran = round(time.time() - 30, 3)
    ended = site.end(A, "COMPLETED", [("STARTING_INSTANCE", ran - 9), ("RUNNING", ran), ("UPLOADING_RESULTS", ran + 9)])
    with site.exporter("--jobs", A) as after:
        eventually(lambda: transitions(after, A))
        (line,) = after.logged("job_transition")
        assert (line["from_status"], line["to_status"], line["event_time"]) == ("QUEUED", "COMPLETED", iso(ended))
        assert events(after, A) == ["STARTING_INSTANCE", "RUNNING", "UPLOADING_RESULTS", "COMPLETED"]
        assert after.value("braket_job_outcomes_total", 'outcome="COMPLETED"') == 1
        assert after.value("braket_job_transitions_total", 'from_status="QUEUED",to_status="COMPLETED"') == 1
        assert after.stop() == 0
    with site.exporter("--jobs", A) as last:
        assert last.value("braket_job_outcomes_total", 'outcome="COMPLETED"') == 1
        assert last.value("braket_billable_seconds_total") == 60
        assert last.stop() == 0
        assert last.logs("job_transition") == last.logs("job_event") == []


def test_a_job_that_lived_and_failed_while_it_was_down_is_news(site: Site) -> None:
    site.put(A, "RUNNING")
    with site.exporter(*FINDING) as before:
        assert before.stop() == 0
    site.put(B, "QUEUED", created=time.time())
    site.end(B, "FAILED", startedAt=iso(site.created[B]))
    with site.exporter(*FINDING) as after:
        eventually(lambda: transitions(after, B))
        assert transitions(after, B) == [(None, "FAILED")]
        assert [line["status"] for line in after.logged("job_discovered")] == ["FAILED"]
        eventually(lambda: after.value("braket_job_outcomes_total", 'outcome="FAILED"') == 1)
        assert after.stop() == 0


def test_a_job_that_is_named_anew_is_news_if_it_was_created_since_the_last_poll_and_else_baseline(site: Site) -> None:
    site.put(A, "RUNNING")
    with site.exporter("--jobs", A) as before:
        assert before.stop() == 0
    site.put(B, "RUNNING", created=time.time() - 600)
    site.put(C, "RUNNING", created=time.time())
    with site.exporter("--jobs", f"{A},{B},{C}") as after:
        eventually(lambda: len(after.logs("job_discovered")) == 2)
        assert [transitions(after, arn) for arn in (A, B, C)] == [[], [], [(None, "RUNNING")]]
        assert after.stop() == 0


def test_a_job_that_nobody_names_any_more_is_forgotten_at_the_start_and_leaves_the_file(site: Site) -> None:
    for arn in (A, B):
        site.put(arn, "RUNNING")
    with site.exporter("--jobs", f"{A},{B}") as before:
        assert before.stop() == 0
    with site.exporter("--jobs", A) as after:
        assert [line["job_arn"] for line in after.logged("job_forgotten", reason="deselected")] == [B]
        assert not [line for line in after.samples if B in line]
        assert after.stop() == 0
    assert [B in record for (record,) in site.rows("SELECT record FROM jobs")] == [False]


def test_a_forgotten_job_leaves_the_file_and_is_no_news_after_a_restart(site: Site) -> None:
    short = (*FINDING, "--retention", "0.2s", "--retention-failed", "0.2s")
    with site.exporter(*short, prelude=OFTEN) as before:
        site.put(A, "RUNNING", created=time.time())
        eventually(lambda: transitions(before, A))
        site.end(A, "FAILED")
        eventually(lambda: before.logs("job_forgotten", job_arn=A))
        assert before.stop() == 0
    assert site.rows("SELECT record FROM jobs") == []
    assert [record for (record,) in site.rows("SELECT record FROM tombstones")] == [None]
    searches = len(site.server.requests)
    with site.exporter(*short, prelude=OFTEN) as after:
        eventually(lambda: len(site.server.requests) >= searches + 4)
        eventually(lambda: after.value("braket_job_outcomes_total", 'outcome="FAILED"') == 1)
        assert after.stop() == 0
        assert after.logs("job_discovered") == after.logs("job_transition") == []


def test_once_leaves_the_file_of_a_running_exporter_alone(site: Site) -> None:
    site.put(A, "RUNNING")
    with site.exporter("--jobs", A) as running:
        arguments = ("once", "--jobs", A, "--state-file", str(site.file))
        done = run(*arguments, env={"AWS_ENDPOINT_URL_BRAKET": site.server.url})
        assert (done.returncode, done.stdout.count("braket_job_info{")) == (0, 1)
        assert running.stop() == 0


# Trouble with the file.


@pytest.mark.parametrize(
    ("content", "reason"),
    [
        (b"no database" * 1000, "file is not a database"),
        ("CREATE TABLE theirs (x)", "a database of another program"),
        ("PRAGMA application_id = 0x42524B54; CREATE TABLE jobs (x); PRAGMA user_version = 99", "is newer than 1"),
    ],
    ids=["corrupt", "foreign", "newer"],
)
def test_a_file_that_makes_no_sense_is_set_aside_and_the_exporter_starts_afresh(
    site: Site, content: bytes | str, reason: str
) -> None:
    if isinstance(content, bytes):
        site.file.write_bytes(content)
    else:
        with closing(sqlite3.connect(site.file)) as connection:
            connection.executescript(content)
    before = site.file.read_bytes()
    site.put(A, "RUNNING")
    with site.exporter("--jobs", A) as first:
        (line,) = first.logged("state_set_aside")
        assert first.value("braket_exporter_state_up") == 1
        assert first.stop() == 0
    assert (line["level"], line["file"]) == ("error", str(site.file))
    assert reason in line["error"]
    assert Path(line["moved_to"]).read_bytes() == before
    assert Path(line["moved_to"]).name.startswith("state.sqlite.20")
    with site.exporter("--jobs", A) as second:
        assert len(second.logged("state_loaded", jobs=1)) == 1
        assert len(second.logged("started", configured_jobs=1, known_jobs=1)) == 1
        assert second.stop() == 0
        assert second.logs("state_set_aside") == second.logs("job_discovered") == []


def test_the_second_process_on_one_file_refuses_with_one_clear_line(site: Site) -> None:
    site.put(A, "RUNNING")
    with site.exporter("--jobs", A) as first:
        arguments = ("run", "--jobs", A, "--listen-address", "127.0.0.1:0", "--state-file", str(site.file))
        second = run(*arguments, env={"AWS_ENDPOINT_URL_BRAKET": site.server.url})
        assert second.returncode == 1
        expected = (
            f"braket-exporter: state_file {site.file}: another process uses it; set a different path for each exporter"
        )
        assert second.stderr.splitlines() == [expected]
        assert first.stop() == 0


@pytest.mark.parametrize(
    ("name", "problem"),
    [
        ("missing/state.sqlite", "{file}: directory {folder}/missing does not exist; create it or set another path"),
        ("", "{folder} is a directory; set the path of a file in it"),
    ],
)
@pytest.mark.parametrize("command", ["run", "check-config"])
def test_a_file_that_can_never_be_is_a_bad_setting(tmp_path: Path, command: str, name: str, problem: str) -> None:
    file = tmp_path / name
    done = run(command, "--jobs", A, "--state-file", str(file))
    assert (done.returncode, done.stdout) == (2, "")
    expected = problem.format(file=file, folder=tmp_path)
    assert done.stderr.splitlines() == ["braket-exporter: invalid settings:", f"  state_file: {expected}"]


@pytest.fixture
def small_disk(site: Site, tmp_path: Path) -> Iterator[Path]:
    """Have the state file on a disk of a megabyte."""
    if os.geteuid() != 0:
        pytest.skip("only root mounts disks")
    disk = tmp_path / "disk"
    disk.mkdir()
    subprocess.run(["mount", "-t", "tmpfs", "-o", "size=1m", "tmpfs", disk], check=True)
    site.file = disk / "state.sqlite"
    try:
        yield disk
    finally:
        subprocess.run(["umount", "--lazy", disk], check=True)


def failing(exporter: Daemon) -> bool:
    return exporter.value("braket_exporter_state_up") == 0


def test_a_full_disk_is_told_once_and_when_it_has_room_again_nothing_is_missing(site: Site, small_disk: Path) -> None:
    site.put(A, "RUNNING")
    ballast = small_disk / "ballast"
    with site.exporter("--jobs", A, prelude=HASTY) as before:
        with ballast.open("wb", buffering=0) as file, suppress(OSError):
            while file.write(bytes(4096)):
                pass
        eventually(lambda: failing(before))
        site.end(A, "FAILED")
        eventually(lambda: before.value("braket_job_outcomes_total", 'outcome="FAILED"') == 1)
        (line,) = before.logged("state_failing")
        assert (line["level"], line["file"], line["error"]) == ("error", str(site.file), "database or disk is full")
        ballast.unlink()
        eventually(lambda: before.logs("state_recovered"))
        assert not failing(before)
        before.process.kill()
        before.wait()
    with site.exporter("--jobs", A) as after:
        eventually(lambda: after.value("braket_job_outcomes_total", 'outcome="FAILED"') == 1)
        assert after.stop() == 0
        assert after.logs("job_transition") == []
    assert len(before.logged("job_transition")) == 1


def test_a_disk_that_is_read_only_from_the_start_keeps_nobody_from_polling(site: Site, small_disk: Path) -> None:
    site.put(A, "RUNNING")
    subprocess.run(["mount", "-o", "remount,ro", small_disk], check=True)
    with site.exporter("--jobs", A, prelude=HASTY) as exporter:
        assert failing(exporter)
        assert [line["error"] for line in exporter.logged("state_failing")] == ["Read-only file system"]
        subprocess.run(["mount", "-o", "remount,rw", small_disk], check=True)
        eventually(lambda: exporter.logs("state_recovered"))
        assert not failing(exporter)
        assert exporter.stop() == 0
    assert [A in record for (record,) in site.rows("SELECT record FROM jobs")] == [True]


def test_polls_and_probes_do_not_wait_for_the_lines_of_restored_jobs(site: Site, tmp_path: Path) -> None:
    gate, ended = tmp_path / "gate", [job_arn(f"ended-{number}") for number in range(2 * BLOCK_JOBS)]
    for arn in ended:
        site.end(arn, "COMPLETED")
    with site.exporter(*FINDING) as before:
        eventually(lambda: before.value("braket_jobs", 'status="COMPLETED"') == len(ended))
        shown = sorted(line for line in before.samples if "job/ended-" in line)
        assert before.stop() == 0
    rendered_later = f"""
import os, time
from exporter.storage import block
make = block._segments
def waiting(rows):
    while not os.path.exists({str(gate)!r}):
        time.sleep(0.02)
    return make(rows)
block._segments = waiting
"""
    with site.exporter(*FINDING, prelude=rendered_later) as after:  # it is ready, so its probes and polls do not wait
        site.put(A, "RUNNING", created=time.time())
        eventually(lambda: transitions(after, A) == [(None, "RUNNING")])
        assert after.get("/metrics").status == 503
        assert len(after.get("/api/v1/jobs").body) > 512 * 100
        gate.touch()
        eventually(lambda: after.get("/metrics").status == 200)
        assert shown == sorted(line for line in after.samples if "job/ended-" in line)
        gate.unlink()
        assert after.stop() == 0
    with site.exporter(*FINDING, prelude=rendered_later) as stopped:
        assert stopped.stop() == 0


def test_a_file_that_is_removed_is_written_anew(site: Site) -> None:
    site.put(A, "RUNNING")
    with site.exporter("--jobs", A) as before:
        site.file.unlink()
        site.end(A, "FAILED")
        eventually(lambda: before.value("braket_job_outcomes_total", 'outcome="FAILED"') == 1)
        assert before.stop() == 0
    with site.exporter("--jobs", A) as after:
        eventually(lambda: after.value("braket_job_outcomes_total", 'outcome="FAILED"') == 1)
        assert after.stop() == 0
        assert after.logs("job_transition") == []


def overwrite(path: Path) -> None:
    """Write to every page of a file in place."""
    with path.open("r+b") as file:
        for page in range(0, path.stat().st_size, 4096):
            file.seek(page)
            file.write(b"\xa5" * 512)


DAMAGE: dict[str, Callable[[Path], object]] = {
    "overwritten": overwrite,
    "emptied": lambda path: os.truncate(path, 0),
    "log removed": lambda path: path.with_name(f"{path.name}-wal").unlink(),
    "log emptied": lambda path: os.truncate(path.with_name(f"{path.name}-wal"), 0),
    "removed": Path.unlink,
}


def damage_until_noticed(path: Path, damage: Callable[[Path], object], exporter: Daemon) -> None:
    """Damage a file again if that coincided with a write, since the change by the write hides the damage."""
    for _ in range(5):
        with suppress(FileNotFoundError):
            damage(path)
        with suppress(AssertionError):
            eventually(lambda: exporter.logs("state_set_aside") or exporter.logs("state_recovered"), PATIENCE / 5)
            return
    raise AssertionError("the exporter did not notice the damage")


@pytest.mark.parametrize("damage", DAMAGE.values(), ids=DAMAGE.keys())
def test_a_file_that_is_damaged_before_a_crash_costs_nothing(site: Site, damage: Callable[[Path], object]) -> None:
    for arn in (A, B):
        site.put(arn, "RUNNING")
    with site.exporter("--jobs", f"{A},{B}", prelude=HASTY) as before:
        site.end(A, "FAILED")
        eventually(lambda: before.value("braket_job_outcomes_total", 'outcome="FAILED"') == 1)
        damage_until_noticed(site.file, damage, before)
        site.end(B, "COMPLETED")
        eventually(lambda: before.value("braket_job_outcomes_total", 'outcome="COMPLETED"') == 1)
        scraped = [line for line in before.samples if line.startswith(COUNTERS)]
        before.process.kill()
        before.wait()
    with site.exporter("--jobs", f"{A},{B}") as after:
        assert len(after.logged("state_loaded", jobs=2)) == 1
        assert [line for line in after.samples if line.startswith(COUNTERS)] == scraped
        assert after.stop() == 0
        assert after.logs("job_transition") == after.logs("state_set_aside") == []
    assert len(before.logged("job_transition", 2)) == 2


def test_a_clock_that_steps_an_hour_forth_and_back_breaks_nothing(site: Site, tmp_path: Path) -> None:
    step = tmp_path / "step"
    step.write_text("0")
    prelude = f"""
import time
right = time.time
time.time = lambda: right() + float(open({str(step)!r}).read() or 0)
"""
    site.put(A, "RUNNING")
    site.put(B, "RUNNING")
    with site.exporter(*FINDING, prelude=prelude) as first:
        step.write_text("3600")
        ended = site.end(A, "FAILED")
        eventually(lambda: transitions(first, A))
        site.put(C, "RUNNING", created=time.time())
        eventually(lambda: transitions(first, C))
        assert first.stop() == 0
    step.write_text("-3600")
    late = job_arn("late")
    site.put(late, "RUNNING", created=time.time())
    with site.exporter(*FINDING, prelude=prelude) as second:
        eventually(lambda: transitions(second, late))
        step.write_text("0")
        site.end(B, "COMPLETED")
        eventually(lambda: transitions(second, B))
        ends = ("FAILED", "COMPLETED")
        eventually(lambda: [second.value("braket_job_outcomes_total", f'"{end}"') for end in ends] == [1, 1])
        assert second.stop() == 0
    lines = [*first.logs("job_transition"), *second.logs("job_transition")]
    assert [(line["job_arn"], line["from_status"], line["to_status"]) for line in lines] == [
        (A, "RUNNING", "FAILED"),
        (C, None, "RUNNING"),
        (late, None, "RUNNING"),
        (B, "RUNNING", "COMPLETED"),
    ]
    assert lines[0]["event_time"] == iso(ended)


HALF = """
import exporter.storage.job_rows as job_rows, sqlite3
from functools import partial
job_rows.ROWS_AT_ONCE = 1
class Failing(sqlite3.Connection):
    groups = 0
    def execute(self, sql, *parameters):
        self.groups += " IN (" in sql
        if self.groups == 2:
            raise sqlite3.DatabaseError("database disk image is malformed")
        return super().execute(sql, *parameters)
sqlite3.connect = partial(sqlite3.connect, factory=Failing)
"""
"""Run before the exporter: of the jobs in the state file it can read only the first, which is an active one."""


def test_a_file_that_fails_while_it_is_read_costs_the_rest_of_its_jobs_and_nothing_is_counted_twice(site: Site) -> None:
    site.put(A, "RUNNING")
    site.put(B, "RUNNING")
    with site.exporter(*FINDING) as before:
        site.end(A, "FAILED")
        eventually(lambda: before.value("braket_job_outcomes_total", 'outcome="FAILED"') == 1)
        assert before.stop() == 0
    site.end(B, "COMPLETED")
    with site.exporter(*FINDING, prelude=HALF) as second:
        (aside,) = second.logged("state_set_aside")
        assert aside["error"] == "database disk image is malformed"
        eventually(lambda: transitions(second, B) and any(A in line for line in second.samples))
        assert second.stop() == 0
        assert "Traceback" not in "\n".join(second.lines)
    with site.exporter(*FINDING) as third:
        assert len(third.logged("state_loaded", jobs=2)) == 1
        for end in ("FAILED", "COMPLETED"):
            assert third.value("braket_job_outcomes_total", f'outcome="{end}"') == 1
        assert third.stop() == 0
    assert transitions(before, A) == [("RUNNING", "FAILED")]
    assert transitions(second, B) == [("RUNNING", "COMPLETED")]
    assert transitions(second, A) == []
    assert third.logs("job_transition") == []


# Crashes.

DIE = "import os, signal\ndie = lambda: os.kill(os.getpid(), signal.SIGKILL)\n"
FAILED = "observation.transition is not None and observation.transition.to_status == 'FAILED'"

POINTS = {
    "before the log": f"""{DIE}
from exporter.telemetry.log_events import EventLog
observed = EventLog.observed
EventLog.observed = lambda self, observation: die() if {FAILED} else observed(self, observation)
""",
    "between the log and the file": f"""{DIE}
from exporter.telemetry.log_events import EventLog
observed = EventLog.observed
EventLog.observed = lambda self, observation: (observed(self, observation), {FAILED} and die())
""",
    "amid the transaction": f"""{DIE}
import exporter.storage.sqlite_file as sqlite_file
write = sqlite_file.write_entry
def crash(connection, entry, *rest):
    write(connection, entry, *rest)
    if any(each.snapshot and each.snapshot.status == "FAILED" for each in entry.records):
        die()
sqlite_file.write_entry = crash
""",
    "between the file and the metrics": f"""{DIE}
from exporter.storage.sqlite_file import State
write = State.write
def crash(self, entry, **rest):
    write(self, entry, **rest)
    if any(each.snapshot and each.snapshot.status == "FAILED" for each in entry.records):
        die()
State.write = crash
""",
    "after all": f"""{DIE}
from exporter.storage.store import Store
put = Store.put
def crash(self, record, increments=()):
    put(self, record, increments)
    if record.snapshot.status == "FAILED":
        die()
Store.put = crash
""",
}
"""Where a process kills itself when it learns that a job failed; run before the exporter."""

REPEATED = {"between the log and the file", "amid the transaction"}
"""The points after which the next process writes the same lines once more, as the docs say."""


@pytest.mark.parametrize("point", POINTS)
def test_killed_at_any_point_it_counts_once_and_repeats_only_what_the_file_did_not_get(site: Site, point: str) -> None:
    site.put(A, "RUNNING")
    with site.exporter("--jobs", A, prelude=POINTS[point]) as killed:
        ended = site.end(A, "FAILED", failureReason="AlgorithmError: x")
        assert killed.wait() == -signal.SIGKILL
    with site.exporter("--jobs", A) as after:
        eventually(lambda: after.value("braket_job_outcomes_total", 'outcome="FAILED"'))
        lines = [*killed.logs("job_transition"), *after.logs("job_transition")]
        assert after.value("braket_job_outcomes_total", 'outcome="FAILED"') == 1
        assert after.value("braket_job_transitions_total", 'from_status="RUNNING",to_status="FAILED"') == 1
        assert after.value("braket_billable_seconds_total") == 60
        assert after.stop() == 0
    assert len(lines) == (2 if point in REPEATED else 1)
    assert len({line["transition_id"] for line in lines}) == 1
    assert {line["event_time"] for line in lines} == {iso(ended)}
    with site.exporter("--jobs", A) as last:
        assert last.value("braket_job_outcomes_total", 'outcome="FAILED"') == 1
        assert last.stop() == 0
        assert last.logs("job_transition") == []


ENDS = (
    (Status.COMPLETED, Event.COMPLETED),
    (Status.FAILED, Event.FAILED),
    (Status.CANCELLED, Event.CANCELLED),
    (Status.FAILED, Event.MAX_RUNTIME_EXCEEDED),
)


def lived(random: Random, number: int, born: tuple[float, float], quiet: tuple[float, float]) -> SimulatedJob:
    """Draw a life of some seconds that does not end within the quiet time."""
    while True:
        created = round(random.uniform(*born), 3)
        started = round(random.uniform(0.2, 6.0), 3)
        ended = round(started + random.uniform(0.2, 10.0), 3)
        if not quiet[0] <= created + ended <= quiet[1]:
            break
    status, event = ENDS[number % len(ENDS)]
    return SimulatedJob(
        arn=job_arn(f"{number:08x}-0000-4000-8000-000000000000"),
        name=f"job-{number % 7}",
        created=created,
        phases=(
            Phase(0.0, Status.QUEUED, Event.QUEUED_FOR_EXECUTION),
            Phase(started, Status.RUNNING, Event.STARTING_INSTANCE),
            Phase(round(started + 0.1, 3), event=Event.RUNNING),
            *([Phase(round(ended - 0.05, 3), event=event)] if event is Event.MAX_RUNTIME_EXCEEDED else []),
            Phase(ended, status, event if event is not Event.MAX_RUNTIME_EXCEEDED else Event.FAILED),
        ),
        device=(SV1, "local:braket/braket.local.qubit")[number % 2],
        instance_count=1 + number % 3,
    )


KILLS = 30


def test_a_fleet_watched_by_an_exporter_that_is_killed_30_times_is_told_as_it_was(tmp_path: Path) -> None:
    random = Random(20261124)
    with SimulatorServer(World(), clock=time.time) as server:
        site = Site(server, tmp_path / "state.sqlite")
        began = time.time()
        # Whether a job that ends while the first exporter starts is baseline would hang on milliseconds.
        jobs = [lived(random, n, (began - 15.0, began + 60.0), (began - 1.0, began + 9.0)) for n in range(300)]
        server.world.put(*jobs)
        runs: list[Daemon] = []
        for number in range(KILLS + 1):
            with site.exporter(*FINDING, started=number == 0) as killed:
                runs.append(killed)
                seen, more = len(server.requests), random.randint(1, 80)
                eventually(lambda: len(server.requests) >= seen + more, 30)  # noqa: B023 -- asked at once
                killed.process.kill()
                killed.wait()
        schedules: list[dict[str, Any]] = [job.truth() for job in jobs]
        truth = [schedule for schedule in schedules if schedule["ended"] > began]
        with site.exporter(*FINDING) as last:
            runs.append(last)
            eventually(lambda: _total(last.samples, "braket_job_outcomes_total", "FAILED") >= 1)
            eventually(lambda: _told(runs) >= {job["arn"] for job in truth}, 120)
            seen = len(server.requests)
            eventually(lambda: len(server.requests) >= seen + 30)
            samples = last.samples
            assert last.stop() == 0
        bills = {job.arn: job.answer(time.time()) for job in jobs}
    _compare_counters(samples, truth, bills)
    _compare_logs(runs, truth)


def _told(runs: Sequence[Daemon]) -> set[str]:
    """List the jobs whose end was logged."""
    ends = {"COMPLETED", "FAILED", "CANCELLED"}
    lines = [line for one in runs for line in one.logs("job_transition")]
    return {line["job_arn"] for line in lines if line["to_status"] in ends}


def _total(samples: Sequence[str], name: str, *labels: str) -> float:
    """Add up the samples of a family that have all of the labels."""
    lines = [line for line in samples if line.startswith(f"{name}{{") and all(f'"{each}"' in line for each in labels)]
    return sum(float(line.rpartition(" ")[2]) for line in lines)


def _compare_counters(samples: Sequence[str], truth: Sequence[dict[str, Any]], bills: dict[str, Any]) -> None:
    ends = Counter(job["transitions"][-1]["status"] for job in truth)
    counted = {status: _total(samples, "braket_job_outcomes_total", status) for status in ends}
    assert counted == ends
    late = sum(any(event["type"] == "MAX_RUNTIME_EXCEEDED" for event in job["events"]) for job in truth)
    assert _total(samples, "braket_job_outcomes_total", "MAX_RUNTIME_EXCEEDED") == late
    billed = sum(bills[job["arn"]]["billableDuration"] / 1000 * job["instanceCount"] for job in truth)
    assert _total(samples, "braket_billable_seconds_total") == billed
    assert _total(samples, "braket_job_run_duration_seconds_count") == len(truth)
    assert _total(samples, "braket_job_queue_duration_seconds_count") == len(truth)


def _compare_logs(runs: Sequence[Daemon], truth: Sequence[dict[str, Any]]) -> None:
    lines = [line for one in runs for line in one.logs("job_transition")]
    each = {(line["job_arn"], line["to_status"]): line["transition_id"] for line in lines}
    times = Counter(line["transition_id"] for line in lines)
    assert len(times) == len(each), "a transition has one identifier, whoever tells it"
    assert max(times.values()) <= 2
    assert times.total() - len(times) <= KILLS
    for job in truth:
        end = job["transitions"][-1]
        told = [line for line in lines if (line["job_arn"], line["to_status"]) == (job["arn"], end["status"])]
        assert {line["event_time"] for line in told} == {iso(end["time"])}, job
    told_events = Counter((line["job_arn"], line["event_type"]) for one in runs for line in one.logs("job_event"))
    began = {line["job_arn"] for line in lines if line["from_status"] is None}
    expected = {(job["arn"], event["type"]) for job in truth if job["arn"] in began for event in job["events"]}
    assert expected <= told_events.keys()
    assert max(told_events.values()) <= 2
