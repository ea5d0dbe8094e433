"""The limit end to end: which jobs have series, which are asked for, and what becomes of the others."""

import re
import time
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from threading import Event as Flag
from threading import Thread
from typing import Any

import pytest
import yaml
from processes import FAST, Daemon, daemon, eventually, fetch, run, samples_of

from exporter.simulator import Event, Phase, SimulatedJob, SimulatorServer, Status, World, job_arn

ACCOUNT, REGION = "123456789012", "us-west-2"
OFTEN = (*FAST, "--discovery-interval", "0.1s")
PROMPT = "import exporter.app.daemon; exporter.app.daemon.MAINTENANCE_INTERVAL = 0.05"
"""Run before the exporter: who is beyond the limit is looked at all the time."""

RUNNING = (Phase(0.0, Status.QUEUED, position="1"), Phase(0.001, Status.RUNNING, Event.DOWNLOADING_DATA))
STATUS = re.compile(r'braket_job_status\{job_arn="([^"]*)",job_name="[^"]*",status="([^"]*)"\} 1\.0')
DROPPED = 'reason="max_jobs"'


def arn(number: int) -> str:
    return job_arn(f"00000000-0000-4000-8000-{number:012d}", REGION, ACCOUNT)


def job(number: int, age: float = 36000.0) -> SimulatedJob:
    """Make a running job; the higher its number, the younger it is."""
    created = round(time.time() - age + number, 3)
    return SimulatedJob(arn=arn(number), name="vqe-h2", phases=RUNNING, created=created)


def over(one: SimulatedJob, status: str = "COMPLETED", after: float | None = None) -> SimulatedJob:
    """Return the job as it is once it ended, by now or so many seconds after its creation."""
    offset = time.time() - one.created if after is None else after
    return replace(one, phases=(*one.phases, Phase(offset, status, status)))


def shown(samples: list[str]) -> dict[str, str]:
    """Pick each job's status from an exposition, by ARN."""
    found = (STATUS.match(line) for line in samples)
    return {match[1]: match[2] for match in found if match is not None}


@dataclass
class House:
    """An exporter with a settings file, and the jobs that it finds."""

    server: SimulatorServer
    file: Path
    exporter: Daemon

    @property
    def env(self) -> dict[str, str | None]:
        return {"AWS_ENDPOINT_URL_BRAKET": self.server.url}

    def reload(self, **settings: Any) -> None:
        self.file.write_text(yaml.safe_dump(settings))
        answer = fetch(self.exporter.address, "/-/reload", method="POST")
        assert (answer.status, answer.text) == (200, "Reloaded.\n")

    @property
    def shown(self) -> set[str]:
        return set(shown(self.exporter.samples))

    def dropped(self) -> float | None:
        return self.exporter.value("braket_exporter_jobs_dropped_total", DROPPED)

    def asked(self) -> Counter[str | None]:
        return Counter(request.arn for request in self.server.requests[:] if request.operation == "GetJob")

    def wait_for_searches(self, more: int = 4) -> None:
        def searches() -> int:
            return sum(request.operation == "SearchJobs" for request in self.server.requests[:])

        before = searches()
        eventually(lambda: searches() >= before + more)

    def transitions(self, one: str) -> list[tuple[str | None, str]]:
        return [(line["from_status"], line["to_status"]) for line in self.exporter.logs("job_transition", job_arn=one)]


@contextmanager
def exporting(file: Path, *jobs: SimulatedJob, **settings: Any) -> Iterator[House]:
    file.write_text(yaml.safe_dump(settings))
    with SimulatorServer(World(jobs), clock=time.time) as server:
        env = {"AWS_ENDPOINT_URL_BRAKET": server.url}
        arguments = ("run", "--config", str(file), "--regions", REGION, *OFTEN)
        with daemon(*arguments, env=env, prelude=PROMPT) as exporter:
            yield House(server, file, exporter)


@contextmanager
def scraped_all_the_time(house: House) -> Iterator[list[int]]:
    """Scrape on and on; give the numbers of jobs with series."""
    counts: list[int] = []
    done = Flag()

    def scrape() -> None:
        while not done.is_set():
            counts.append(len(house.shown))

    thread = Thread(target=scrape)
    thread.start()
    try:
        yield counts
    finally:
        done.set()
        thread.join()


@pytest.fixture
def file(tmp_path: Path) -> Path:
    return tmp_path / "exporter.yaml"


COMPLETED = range(1, 31)
FAILED = range(31, 51)
ACTIVE = range(51, 61)


def sixty() -> list[SimulatedJob]:
    """Make ten active jobs, twenty failed ones and thirty others, which ended last."""
    return [
        *(over(job(number), after=300.0) for number in COMPLETED),
        *(over(job(number), "FAILED", after=100.0) for number in FAILED),
        *(job(number) for number in ACTIVE),
    ]


def test_active_and_then_failed_jobs_keep_their_series_and_the_others_are_not_even_asked_for(file: Path) -> None:
    kept = {arn(number) for number in range(41, 61)}
    with exporting(file, *sixty(), all_jobs=True, max_jobs=20) as house:
        with scraped_all_the_time(house) as counts:
            eventually(lambda: house.shown == kept)
            house.wait_for_searches()
            assert house.shown == kept
            assert house.dropped() == 40
            assert house.exporter.logs("job_forgotten") == []
            new = job(99, 99.0)
            eventually(lambda: time.time() > new.created + 0.01)
            house.server.world.put(new)
            eventually(lambda: house.shown == kept - {arn(41)} | {arn(99)})
            house.wait_for_searches()
        assert max(counts) == 20
        assert house.dropped() == 41
        assert house.asked().keys() == kept | {arn(99)}
        assert house.exporter.stop() == 0
    assert [(line["job_arn"], line["reason"]) for line in house.exporter.logged("job_forgotten")] == [
        (arn(41), "max_jobs")
    ]
    assert house.transitions(arn(99)) == [(None, "RUNNING")]
    assert {line["job_arn"] for line in house.exporter.logs("job_discovered")} == kept | {arn(99)}


def test_one_poll_of_everything_keeps_within_the_limit() -> None:
    with SimulatorServer(World(sixty()), clock=time.time) as server:
        arguments = ("--all-jobs", "--regions", REGION, "--max-jobs", "20", "--api-requests-per-second", "1000")
        ended = run("once", *arguments, env={"AWS_ENDPOINT_URL_BRAKET": server.url})
    assert ended.returncode == 0, ended.stderr
    assert shown(samples_of(ended.stdout)).keys() == {arn(number) for number in range(41, 61)}
    assert f"braket_exporter_jobs_dropped_total{{{DROPPED}}} 40.0" in samples_of(ended.stdout)


def test_active_jobs_beyond_the_limit_are_followed_and_come_back_when_it_is_raised(file: Path) -> None:
    jobs = [job(number) for number in range(1, 7)]
    with exporting(file, *jobs, all_jobs=True, max_jobs=3) as house:
        with scraped_all_the_time(house) as counts:
            eventually(lambda: house.shown == {arn(4), arn(5), arn(6)})
            eventually(lambda: house.asked().keys() == {one.arn for one in jobs})
            assert house.dropped() == 3
            assert house.exporter.value("braket_jobs", 'status="RUNNING"') == 6
            assert "6 jobs, failed and active jobs first. 3 jobs exceed max_jobs and have no series." in (
                house.exporter.get("/").text
            )
            house.server.world.put(over(jobs[0], "FAILED"))
            eventually(lambda: house.transitions(arn(1)) == [("RUNNING", "FAILED")])
            eventually(lambda: house.exporter.logs("job_forgotten", job_arn=arn(1), reason="max_jobs"))
            assert house.exporter.value("braket_job_outcomes_total", 'outcome="FAILED"') == 1
            assert house.exporter.value("braket_jobs", 'status="RUNNING"') == 5
            house.server.world.put(over(jobs[5]))
            eventually(lambda: house.shown == {arn(3), arn(4), arn(5)})
            eventually(lambda: house.exporter.logs("job_forgotten", job_arn=arn(6), reason="max_jobs"))
            assert house.dropped() == 4
        assert max(counts) == 3
        house.reload(all_jobs=True, max_jobs=4)
        eventually(lambda: house.shown == {arn(2), arn(3), arn(4), arn(5)})
        house.reload(all_jobs=True, max_jobs=1)
        eventually(lambda: house.shown == {arn(5)})
        eventually(lambda: house.dropped() == 7)
        house.reload(all_jobs=True)
        eventually(lambda: house.shown == {arn(2), arn(3), arn(4), arn(5)})
        house.wait_for_searches()
        assert house.shown == {arn(2), arn(3), arn(4), arn(5)}
        assert "max_jobs" not in house.exporter.get("/").text
        assert house.exporter.stop() == 0
    assert Counter(line["job_arn"] for line in house.exporter.logs("job_discovered")).most_common(1)[0][1] == 1
    assert len(house.exporter.logged("job_transition", 2)) == 2


def test_a_named_job_that_ended_loses_its_series_as_others_do_and_gets_them_back(file: Path) -> None:
    jobs = [over(job(1), after=60.0), over(job(2), after=60.0), job(3)]
    named = [one.arn for one in jobs]
    with exporting(file, *jobs, jobs=named, max_jobs=2) as house:
        eventually(lambda: house.shown == {arn(2), arn(3)})
        # Depending on the order of the first polls, a job may lose its series and get it back.
        assert (house.dropped() or 0.0) >= 1
        house.server.world.put(over(jobs[2], "FAILED"))
        eventually(lambda: house.transitions(arn(3)) == [("RUNNING", "FAILED")])
        house.reload(jobs=[arn(1), arn(3)], max_jobs=2)
        eventually(lambda: house.shown == {arn(1), arn(3)})
        assert house.exporter.stop() == 0
    assert [line["reason"] for line in house.exporter.logged("job_forgotten")] == ["deselected"]


def test_a_restart_brings_no_dropped_job_back_and_tells_of_none_again(file: Path, tmp_path: Path) -> None:
    settings = {"all_jobs": True, "max_jobs": 2, "state_file": str(tmp_path / "state.sqlite")}
    old, active = over(job(1), after=60.0), [job(2), job(3)]
    with exporting(file, old, *active, **settings) as house:
        eventually(lambda: house.shown == {arn(2), arn(3)})
        new = job(4, 4.0)
        eventually(lambda: time.time() > new.created + 0.01)
        house.server.world.put(new)
        eventually(lambda: house.shown == {arn(3), arn(4)})
        eventually(lambda: house.transitions(arn(4)) == [(None, "RUNNING")])
        house.server.world.put(over(active[0]))
        eventually(lambda: house.exporter.logs("job_forgotten", job_arn=arn(2)))
        house.server.world.put(over(new, "FAILED"))
        eventually(lambda: house.transitions(arn(4)) == [(None, "RUNNING"), ("RUNNING", "FAILED")])
        assert house.exporter.stop() == 0
        asked = house.asked()
        with daemon("run", "--config", str(file), "--regions", REGION, *OFTEN, env=house.env) as again:
            house.exporter = again
            eventually(lambda: house.asked()[arn(3)] >= asked[arn(3)] + 3)
            house.wait_for_searches()
            assert house.shown == {arn(3), arn(4)}
            assert {one: house.asked()[one] for one in (arn(1), arn(2), arn(4))} == {
                one: asked[one] for one in (arn(1), arn(2), arn(4))
            }
            assert house.dropped() == 0
            assert again.value("braket_job_outcomes_total", 'outcome="FAILED"') == 1
            assert again.stop() == 0
    assert [line["event"] for line in again.logs("job_discovered") + again.logs("job_transition")] == []
