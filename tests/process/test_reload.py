"""Settings that change while the daemon runs: the file and a nudge on one side, log and metrics on the other."""

import random
import signal
import time
from collections import Counter
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest
import yaml
from processes import FAST, LONG_AGO, Answer, Daemon, daemon, eventually, fetch, iso, wire_event, wire_job

from exporter.simulator import Event, Fault, FaultKind, Phase, ScriptedJob, SimulatedJob, SimulatorServer, Status, World

ACCOUNT = "123456789012"
REGION = "us-west-2"
SUCCESSFUL = "braket_exporter_config_last_reload_successful"
OFTEN = (*FAST, "--discovery-interval", "0.1s")


def arn(number: int, region: str = REGION) -> str:
    return f"arn:aws:braket:{region}:{ACCOUNT}:job/00000000-0000-4000-8000-{number:012d}"


A, B, C, ELSEWHERE = arn(1), arn(2), arn(3), arn(4, "eu-north-1")


class House:
    """An exporter, its settings file, and the jobs whose answers the test changes."""

    def __init__(self, server: SimulatorServer, file: Path) -> None:
        self.server, self.file = server, file
        self.answers: dict[str, dict[str, Any]] = {}
        self.exporter: Daemon

    def put(self, one: str, status: str, **members: Any) -> None:
        if one not in self.answers:
            self.server.world.put(ScriptedJob(one, LONG_AGO, lambda _: self.answers.get(one)))
        self.answers[one] = wire_job(one, status, **members)

    def write(self, **settings: Any) -> None:
        self.file.write_text(yaml.safe_dump(settings))

    def post(self) -> Answer:
        return fetch(self.exporter.address, "/-/reload", method="POST")

    def reload(self, **settings: Any) -> None:
        """Have the exporter take other settings."""
        self.write(**settings)
        answer = self.post()
        assert (answer.status, answer.text) == (200, "Reloaded.\n")

    def requests(self, one: str) -> int:
        return sum(request.arn == one for request in self.server.requests[:])

    def series(self, one: str) -> list[str]:
        return [line for line in self.exporter.samples if one in line]

    def ready(self) -> bool:
        return self.exporter.get("/-/ready").status == 200


@contextmanager
def exporting(file: Path, settings: Mapping[str, Any], *jobs: tuple[str, str]) -> Iterator[House]:
    with SimulatorServer(World(), clock=time.time) as server:
        house = House(server, file)
        for one, status in jobs:
            house.put(one, status)
        house.write(**settings)
        env = {"AWS_ENDPOINT_URL_BRAKET": server.url}
        with daemon("run", "--config", str(file), *OFTEN, env=env) as exporter:
            house.exporter = exporter
            eventually(house.ready)
            yield house


@pytest.fixture
def file(tmp_path: Path) -> Path:
    return tmp_path / "exporter.yaml"


def test_sighup_takes_the_changed_file(file: Path) -> None:
    with exporting(file, {"jobs": [A]}, (A, "RUNNING"), (B, "RUNNING")) as house:
        house.write(jobs=[A, B])
        house.exporter.process.send_signal(signal.SIGHUP)
        eventually(lambda: house.series(B))
        told = eventually(lambda: house.exporter.logs("config_reloaded"))
        assert house.exporter.stop() == 0
    fields = {name: value for name, value in told[0].items() if name not in {"timestamp", "event"}}
    assert fields == {
        "level": "info",
        "file": str(file),
        "configured_jobs": 2,
        "targets": 1,
        "added": 0,
        "removed": 0,
        "changed": 1,
        "restart_needed": [],
    }


def blocks_sighup(pid: int) -> bool:
    """Tell whether a process keeps SIGHUP for later."""
    status = Path(f"/proc/{pid}/status").read_text()
    (mask,) = (line.split()[1] for line in status.splitlines() if line.startswith("SigBlk:"))
    return bool(int(mask, 16) & 1 << signal.SIGHUP - 1)


def test_a_sighup_during_the_start_is_served_after_it(file: Path) -> None:
    with SimulatorServer(World(), clock=time.time) as server:
        file.write_text(yaml.safe_dump({"jobs": [A]}))
        env = {"AWS_ENDPOINT_URL_BRAKET": server.url}
        with daemon("run", "--config", str(file), env=env, started=False) as exporter:
            eventually(lambda: blocks_sighup(exporter.process.pid))
            exporter.process.send_signal(signal.SIGHUP)
            (line,) = eventually(lambda: exporter.logs("config_reloaded"))
            (started,) = exporter.logged("started")
            assert started["timestamp"] <= line["timestamp"]
            eventually(lambda: not blocks_sighup(exporter.process.pid))
            exporter.process.send_signal(signal.SIGHUP)
            eventually(lambda: len(exporter.logs("config_reloaded")) == 2)
            assert exporter.stop() == 0


def test_a_sighup_before_bad_settings_are_found_does_not_hide_them(file: Path) -> None:
    file.write_text("poll_interval: soon")
    with daemon("run", "--config", str(file), started=False) as exporter:
        eventually(lambda: blocks_sighup(exporter.process.pid))
        exporter.process.send_signal(signal.SIGHUP)
        assert exporter.wait() == 2


def test_a_target_gets_the_name_that_a_reload_brings(file: Path) -> None:
    target = {"jobs": [A]}
    with exporting(file, {"targets": [{**target, "name": "chemistry"}]}, (A, "RUNNING")) as house:
        assert house.exporter.value("braket_exporter_target_up", 'target="chemistry"') == 1
        house.reload(targets=[{**target, "name": "physics"}])
        assert house.exporter.value("braket_exporter_target_up", 'target="physics"') == 1
        assert house.exporter.value("braket_exporter_target_up", 'target="chemistry"') is None
        assert house.exporter.stop() == 0
    (line,) = house.exporter.logged("config_reloaded")
    assert (line["added"], line["removed"], line["changed"]) == (0, 0, 1)
    assert len(house.exporter.logged("job_discovered")) == 1


def test_an_added_job_is_polled_and_a_removed_one_is_gone_at_once(file: Path) -> None:
    with exporting(file, {"jobs": [A, B]}, (A, "RUNNING"), (B, "RUNNING"), (C, "RUNNING")) as house:
        house.reload(jobs=[A, C])
        assert house.series(B) == []
        asked = house.requests(B)
        eventually(lambda: house.series(C))
        before = house.requests(A)
        eventually(lambda: house.requests(A) >= before + 5)
        assert house.requests(B) <= asked + 1
        assert house.exporter.value("braket_exporter_jobs_dropped_total", 'reason="deselected"') == 1
        assert house.exporter.value("braket_exporter_target_jobs", 'state="active"') == 2
    assert [line["reason"] for line in house.exporter.logged("job_forgotten", job_arn=B)] == ["deselected"]
    assert len(house.exporter.logged("job_discovered", job_arn=A)) == 1
    assert len(house.exporter.logged("job_discovered", job_arn=C)) == 1


def test_what_a_removed_job_counted_stays_counted(file: Path) -> None:
    with exporting(file, {"jobs": [A, B]}, (A, "RUNNING"), (B, "RUNNING")) as house:
        now = time.time()
        ended = {"startedAt": iso(now - 9), "endedAt": iso(now), "billableDuration": 9000}
        house.put(A, "COMPLETED", **ended, events=[wire_event("COMPLETED", now)])
        eventually(lambda: house.exporter.value("braket_billable_seconds_total") == 9)
        house.reload(jobs=[B])
        assert house.series(A) == []
        assert house.exporter.value("braket_billable_seconds_total") == 9
        assert house.exporter.value("braket_job_outcomes_total", 'outcome="COMPLETED"') == 1
        house.reload(jobs=[A, B])
        eventually(lambda: house.series(A))
        assert house.exporter.value("braket_billable_seconds_total") == 9
    assert len(house.exporter.logged("job_transition", job_arn=A)) == 1


BAD = [
    ("jobs: [nonsense]\npoll_intervall: 3\n", ["unknown setting poll_intervall", "jobs[0] = "]),
    ("jobs: [\n", ["not valid YAML"]),
    ("poll_interval: 10s\n", ["nothing to watch"]),
    (
        "targets: [{profile: nobody, all_jobs: true}]\n",
        ["targets[0].regions: not set", "profile nobody", "this profile does not exist"],
    ),
    ("all_jobs: true\n", ["regions: not set"]),
]


@pytest.mark.parametrize(("text", "told"), BAD)
def test_a_bad_file_changes_nothing_and_shows_everywhere(file: Path, text: str, told: list[str]) -> None:
    with exporting(file, {"jobs": [A]}, (A, "RUNNING")) as house:
        read_at = house.exporter.value("braket_exporter_config_last_reload_success_timestamp_seconds")
        file.write_text(text)
        answer = house.post()
        assert answer.status == 500
        told_there = eventually(lambda: house.exporter.logs("config_reload_failed", level="error", file=str(file)))
        error = told_there[0]["error"]
        for part in told:
            assert part in answer.text
            assert part in error
        assert house.exporter.value(SUCCESSFUL) == 0
        assert house.exporter.value("braket_exporter_config_last_reload_success_timestamp_seconds") == read_at
        before = house.requests(A)
        eventually(lambda: house.requests(A) >= before + 5)
        assert house.series(A)
        assert house.ready()
        house.reload(jobs=[A])
        assert house.exporter.value(SUCCESSFUL) == 1
        assert house.exporter.stop() == 0


def test_a_file_that_is_gone_changes_nothing(file: Path) -> None:
    with exporting(file, {"jobs": [A]}, (A, "RUNNING")) as house:
        file.unlink()
        house.exporter.process.send_signal(signal.SIGHUP)
        eventually(lambda: house.exporter.logs("config_reload_failed"))
        assert house.post().status == 500
        assert house.series(A)


def test_without_a_file_a_reload_succeeds_and_changes_nothing() -> None:
    with SimulatorServer(World(), clock=time.time) as server:
        env = {"AWS_ENDPOINT_URL_BRAKET": server.url}
        with daemon("run", "--jobs", A, *FAST, env=env) as exporter:
            assert fetch(exporter.address, "/-/reload", method="POST").status == 200
            told = eventually(lambda: exporter.logs("config_reloaded"))[0]
            assert (told["file"], told["added"], told["removed"], told["changed"]) == (None, 0, 0, 0)
            assert exporter.stop() == 0


def test_what_only_a_restart_changes_is_named_and_the_rest_is_taken(file: Path) -> None:
    with exporting(file, {"jobs": [A]}, (A, "RUNNING")) as house:
        house.write(jobs=[A], disabled_metrics=["braket_jobs"], tag_labels=["team"], per_job_metrics=False)
        answer = house.post()
        assert answer.text == "Reloaded. Changes that need a restart: per_job_metrics, tag_labels.\n"
        assert house.series(A)
        assert not [line for line in house.exporter.samples if line.startswith("braket_jobs{")]
    told = house.exporter.logs("config_reloaded", level="warning")
    assert [line["restart_needed"] for line in told] == [["per_job_metrics", "tag_labels"]]


def test_ready_stays_ready_while_a_new_target_cannot_be_reached(file: Path) -> None:
    with exporting(file, {"jobs": [A]}, (A, "RUNNING")) as house:
        house.server.faults.put(Fault(FaultKind.HANG, arn=ELSEWHERE))
        house.reload(jobs=[A, ELSEWHERE])
        eventually(lambda: house.requests(ELSEWHERE))
        assert house.exporter.value("braket_exporter_target_jobs", "eu-north-1", 'state="active"') == 1
        assert house.ready()
        assert house.exporter.get("/-/healthy").status == 200


def test_an_answer_that_comes_after_its_job_was_removed_changes_nothing(file: Path) -> None:
    with exporting(file, {"jobs": [A, B]}, (A, "RUNNING"), (B, "RUNNING")) as house:
        house.server.faults.put(Fault(FaultKind.DELAY, arn=B, delay=0.5))
        asked = house.requests(B)
        now = time.time()
        house.put(B, "FAILED", endedAt=iso(now), events=[wire_event("FAILED", now)])
        eventually(lambda: house.requests(B) > asked)
        under_way = house.requests(B)
        house.reload(jobs=[A])
        dropped = time.monotonic()
        before = house.requests(A)
        eventually(lambda: time.monotonic() > dropped + 1.0 and house.requests(A) >= before + 5)
        assert house.requests(B) == under_way
        assert house.series(B) == []
        assert house.exporter.value("braket_job_outcomes_total", 'outcome="FAILED"') == 0
        assert house.exporter.stop() == 0
    assert house.exporter.logs("job_transition", job_arn=B) == []


def test_one_target_comes_and_goes_and_the_other_does_not_notice(file: Path) -> None:
    with exporting(file, {"jobs": [A]}, (A, "RUNNING"), (ELSEWHERE, "RUNNING")) as house:
        house.reload(jobs=[A, ELSEWHERE])
        eventually(lambda: house.series(ELSEWHERE))
        assert house.exporter.value("braket_exporter_target_up", 'aws_region="eu-north-1"') == 1
        house.reload(jobs=[A])
        assert house.series(ELSEWHERE) == []
        assert house.exporter.value("braket_exporter_target_up", 'aws_region="eu-north-1"') is None
        before = house.requests(A)
        eventually(lambda: house.requests(A) >= before + 5)
        assert house.exporter.stop() == 0
    told = [(line["added"], line["removed"], line["changed"]) for line in house.exporter.logs("config_reloaded")]
    assert told == [(1, 0, 0), (0, 1, 0)]


COUNTING_THREADS = """
import json, sys, threading, time
def count():
    while True:
        time.sleep(0.2)
        polling = sum(thread.name.startswith("poll-") for thread in threading.enumerate())
        sys.stderr.write(json.dumps({"event": "threads", "polling": polling}) + "\\n")
threading.Thread(target=count, daemon=True).start()
"""
"""Run before the exporter: it tells how many threads poll."""

CHEMISTS = {"all_jobs": False, "tags": ["team=chemistry"], "regions": [REGION]}


def living(number: int, team: str, rng: random.Random) -> SimulatedJob:
    """Make a job that waits, runs and ends within the test."""
    created = round(time.time(), 3)
    start = rng.uniform(0.2, 1.5)
    phases = (
        Phase(0.0, Status.QUEUED, position="1"),
        Phase(start, Status.RUNNING, Event.DOWNLOADING_DATA),
        Phase(start + rng.uniform(0.2, 2.0), Status.FAILED, Event.FAILED),
    )
    return SimulatedJob(arn(number), "vqe", created, phases=phases, tags={"team": team})


def counters(exporter: Daemon) -> dict[str, float]:
    lines = [
        line for line in exporter.samples if line.partition("{")[0].endswith(("_total", "_count", "_sum", "_bucket"))
    ]
    return {name: float(value) for name, _, value in (line.rpartition(" ") for line in lines) if "job_arn" not in name}


@pytest.mark.parametrize("seed", [1, 2])
def test_many_reloads_while_jobs_live_neither_repeat_nor_lose_what_was_counted(file: Path, seed: int) -> None:
    rng = random.Random(seed)
    wide = {"all_jobs": True, "regions": [REGION]}
    choices: list[dict[str, Any]] = [
        wide,
        CHEMISTS,
        {**wide, "jobs": [arn(1), arn(2)]},
        {**CHEMISTS, "jobs": [arn(2)]},
        {**wide, "regions": [REGION, "eu-north-1"], "retention": "2d"},
        {**wide, "api_requests_per_second": 100, "lookback": "7d"},
    ]
    with SimulatorServer(World(), clock=time.time) as server:
        env = {"AWS_ENDPOINT_URL_BRAKET": server.url}
        file.write_text(yaml.safe_dump(wide))
        often = ("--poll-interval", "0.1s", "--discovery-interval", "0.1s")
        with daemon("run", "--config", str(file), *often, env=env, prelude=COUNTING_THREADS) as exporter:
            before: dict[str, float] = {}
            for turn in range(20):
                team = rng.choice(["chemistry", "physics"])
                server.world.put(living(turn + 1, team, rng))
                file.write_text(yaml.safe_dump({"api_requests_per_second": 200, **rng.choice(choices)}))
                if turn % 2:
                    assert fetch(exporter.address, "/-/reload", method="POST").status == 200
                else:
                    exporter.process.send_signal(signal.SIGHUP)
                    eventually(lambda: len(exporter.logs("config_reloaded")) > turn)  # noqa: B023 -- asked at once
                now = counters(exporter)
                assert [name for name, value in before.items() if now.get(name, 0.0) < value] == []
                before = now
            file.write_text(yaml.safe_dump({**wide, "api_requests_per_second": 200}))
            assert fetch(exporter.address, "/-/reload", method="POST").status == 200
            ends = 'braket_job_status{job_arn="%s",job_name="vqe",status="FAILED"} 1.0'
            eventually(lambda: exporter.has(*(ends % arn(turn + 1) for turn in range(20))))
            assert max(line["polling"] for line in exporter.logs("threads")) <= 8  # four for each of two targets
            assert exporter.stop() == 0
    said = Counter(line["transition_id"] for line in exporter.logs("job_transition"))
    assert [one for one, times in said.items() if times > 1] == []
    discovered = Counter(line["job_arn"] for line in exporter.logs("job_discovered"))
    assert set(discovered.values()) == {1}


def test_a_changed_file_is_reloaded_without_a_request_and_invalid_content_once(file: Path) -> None:
    with exporting(file, {"jobs": [A]}, (A, "RUNNING"), (B, "QUEUED")) as house:
        house.write(jobs=[A, B])
        eventually(lambda: house.series(B), 30)
        assert len(house.exporter.logged("config_reloaded")) == 1
        house.write(jobs=["nonsense"])
        eventually(lambda: house.exporter.has(f"{SUCCESSFUL} 0.0"), 30)
        house.write(jobs=[B])
        eventually(lambda: house.exporter.has(f"{SUCCESSFUL} 1.0"), 30)
        assert len(house.exporter.logged("config_reload_failed")) == 1
        assert house.exporter.stop() == 0
