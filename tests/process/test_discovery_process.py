"""Discovery end to end: which jobs are found, how soon, how often, and what becomes of them while Braket fails."""

import json
import re
import time
from collections import Counter
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, replace
from http.server import BaseHTTPRequestHandler, HTTPServer
from pathlib import Path
from threading import Thread
from typing import Any

import pytest
from processes import FAST, HASTY, SV1, Daemon, closed_port, daemon, eventually, iso, run, samples_of, wire_job
from prometheus_client.parser import text_string_to_metric_families as parse_text

from exporter.simulator import (
    REGIONS,
    Disorder,
    Event,
    Fault,
    FaultKind,
    Job,
    Phase,
    ScriptedJob,
    SimulatedJob,
    SimulatorServer,
    Status,
    World,
    job_arn,
)

ACCOUNT = "123456789012"
REGION = "us-west-2"
TARGET = f'aws_account_id="{ACCOUNT}",aws_region="{REGION}"'
GROUP = f'{TARGET},device="{SV1}"'
CHEMISTRY = {"team": "chemistry"}

OFTEN = (*FAST, "--discovery-interval", "0.1s")
FOR_EVER = ("--retention", "30d", "--retention-failed", "30d")
PROMPT = "import exporter.app.daemon; exporter.app.daemon.MAINTENANCE_INTERVAL = 0.05"
"""Run before the exporter: the end of a retention is looked for all the time."""

QUEUED = (Phase(0.0, Status.QUEUED, position="1"),)
RUNNING = (*QUEUED, Phase(0.001, Status.RUNNING, Event.DOWNLOADING_DATA))
STATUS = re.compile(r'braket_job_status\{job_arn="([^"]*)",job_name="[^"]*",status="([^"]*)"\} 1\.0')


def arn(number: int, region: str = REGION, account: str = ACCOUNT) -> str:
    return job_arn(f"00000000-0000-4000-8000-{number:012d}", region, account)


def job(number: int, age: float = 3600.0, **members: Any) -> SimulatedJob:
    """Make a running job of the chemists, with the given members in place of the usual ones."""
    usual = {"arn": arn(number), "name": "vqe-h2", "phases": RUNNING, "tags": CHEMISTRY}
    return SimulatedJob(**{**usual, "created": round(time.time() - age, 3), **members})


def over(one: SimulatedJob, status: str = "COMPLETED", at: float | None = None) -> SimulatedJob:
    """Return the job as it is once it ended, by now or at the given unix seconds."""
    offset = (time.time() if at is None else at) - one.created
    return replace(one, phases=(*one.phases, Phase(offset, status, status)))


@dataclass(frozen=True)
class Lagging:
    """A job of which one operation tells what was true some seconds ago."""

    job: SimulatedJob
    get_job: float = 0.0
    search_jobs: float = 0.0

    @property
    def arn(self) -> str:
        return self.job.arn

    @property
    def created(self) -> float:
        return self.job.created

    def answer(self, now: float, *, queue_info: bool = False) -> dict[str, object] | None:
        return self.job.answer(now - self.get_job, queue_info=queue_info)

    def summary(self, now: float) -> dict[str, object] | None:
        return self.job.summary(now - self.search_jobs)


@dataclass(frozen=True)
class Account:
    """The jobs that there are, and the endpoint that tells them."""

    server: SimulatorServer
    sts: str

    @property
    def env(self) -> dict[str, str | None]:
        return {"AWS_ENDPOINT_URL_BRAKET": self.server.url, "AWS_ENDPOINT_URL_STS": self.sts}

    def put(self, *jobs: Job) -> None:
        self.server.world.put(*jobs)

    def asked(self, one: Job) -> int:
        """Count the GetJob calls for a job."""
        return sum(request.arn == one.arn for request in self.server.requests[:])

    @property
    def last_asked(self) -> str | None:
        return next(request.arn for request in reversed(self.server.requests[:]) if request.operation == "GetJob")

    def times(self, operation: str) -> list[float]:
        return sorted(request.time for request in self.server.requests[:] if request.operation == operation)

    @property
    def searches(self) -> int:
        return len(self.times("SearchJobs"))

    def wait_for_searches(self, more: int = 4) -> None:
        before = self.searches
        eventually(lambda: self.searches >= before + more)


@contextmanager
def account(*jobs: Job, sts: str | None = None, **world: Any) -> Iterator[Account]:
    with SimulatorServer(World(jobs, **world), clock=time.time) as server:
        yield Account(server, sts or f"http://127.0.0.1:{closed_port()}")


@contextmanager
def discovering(jobs: Account, *arguments: str, prelude: str = "") -> Iterator[Daemon]:
    """Run an exporter that looks for jobs all the time, unless the arguments say otherwise."""
    with daemon("run", "--regions", REGION, *OFTEN, *arguments, env=jobs.env, prelude=prelude) as running:
        yield running


def once(jobs: Account, *arguments: str) -> str:
    """Poll once, and return the exposition."""
    speed = ("--api-requests-per-second", "1000")
    ended = run("once", "--regions", REGION, *speed, *arguments, env=jobs.env, timeout=60)
    assert ended.returncode == 0, ended.stderr
    return ended.stdout


def shown(samples: list[str]) -> dict[str, str]:
    """Pick each job's status from an exposition, by ARN."""
    found = (STATUS.match(line) for line in samples)
    return {match[1]: match[2] for match in found if match is not None}


def ready(exporter: Daemon) -> bool:
    return exporter.get("/-/ready").status == 200


def up(exporter: Daemon) -> float | None:
    return exporter.value("braket_exporter_target_up")


def transitions(exporter: Daemon, one: Job) -> list[tuple[str | None, str]]:
    return [(line["from_status"], line["to_status"]) for line in exporter.logs("job_transition", job_arn=one.arn)]


def sightings(exporter: Daemon, one: Job) -> int:
    return len(exporter.logs("job_discovered", job_arn=one.arn))


# Which jobs are found.

LIVES = (
    RUNNING,
    QUEUED,
    (*RUNNING, Phase(100.0, Status.COMPLETED, Event.COMPLETED)),
    (*RUNNING, Phase(100.0, Status.FAILED, Event.FAILED)),
    (*RUNNING, Phase(90.0, Status.CANCELLING)),
    (*RUNNING, Phase(90.0, Status.CANCELLING), Phase(100.0, Status.CANCELLED, Event.CANCELLED)),
    (*QUEUED, Phase(100.0, Status.CANCELLED, Event.CANCELLED)),
)


def various(number: int) -> SimulatedJob:
    """Make one of many jobs: half are the chemists', two thirds in prod or dev, four fifths have an owner."""
    tags = {"team": ("chemistry", "physics")[number % 2], "stage": ("prod", "dev", "test")[number % 3]}
    owner = {} if number % 5 == 0 else {"owner": f"user-{number}"}
    return job(number, 300.0 * number, phases=LIVES[number % 7], tags={**tags, **owner})


@pytest.mark.parametrize("disorder", [None, Disorder(3, shift=7), Disorder(11, shift=7)], ids=str)
def test_every_job_with_the_tags_is_found_and_no_other_one(disorder: Disorder | None) -> None:
    jobs = [various(number) for number in range(1, 1501)]
    wanted = {
        one.arn: one.phases[-1].status
        for number, one in enumerate(jobs, 1)
        if number % 2 == 0 and number % 3 != 2 and number % 5 != 0
    }
    assert len(wanted) == 400
    with account(*jobs, disorder=disorder) as fleet:
        page = once(fleet, "--tags", "team=chemistry,stage=prod|dev,owner=*", *FOR_EVER)
    assert shown(samples_of(page)) == wanted
    for line in (
        f'braket_jobs{{{GROUP},status="RUNNING"}} 57.0',
        f'braket_exporter_target_jobs{{{TARGET},state="finished",target=""}} 228.0',
        f'braket_exporter_target_up{{{TARGET},target=""}} 1.0',
    ):
        assert line in samples_of(page)


def test_jobs_that_appear_while_the_list_is_read_are_found() -> None:
    old = [job(number, 60.0 * number, tags={}) for number in range(1, 1001)]
    chosen = [job(2000 + number, 600.0 * number + 30.0) for number in range(50)]
    newborn = [job(3000 + number, -2.0 - 0.1 * number) for number in range(20)]
    with account(*old, *chosen, *newborn, disorder=Disorder(5, shift=7)) as fleet:
        rate = ("--api-requests-per-second", "20")
        with discovering(fleet, "--tags", "team=chemistry", *rate, *FOR_EVER) as exporter:
            eventually(lambda: len(shown(exporter.samples)) == 70)
            assert set(shown(exporter.samples)) == {one.arn for one in (*chosen, *newborn)}
            assert exporter.stop() == 0
    assert Counter(line["job_arn"] for line in exporter.logs("job_discovered")).most_common(1)[0][1] == 1


def test_jobs_of_one_batch_are_found_though_they_were_created_in_the_same_millisecond() -> None:
    created = round(time.time() - 3600.0, 3)
    with account(*(job(number, created=created) for number in range(250)), disorder=Disorder(4)) as fleet:
        assert len(shown(samples_of(once(fleet, "--all-jobs")))) == 250


def test_the_lookback_and_the_retention_decide_which_old_jobs_are_found() -> None:
    hour, day = 3600.0, 86400.0
    now = time.time()
    too_old, old = job(1, 3 * day), job(2, 47 * hour)
    long_gone, lately = (over(job(3 + late, 40 * hour), at=now - (30 - 7 * late) * hour) for late in (0, 1))
    failed_before, failed_lately = (
        over(job(5 + late, 47 * hour), "FAILED", now - (46 - 7 * late) * hour) for late in (0, 1)
    )
    with account(too_old, old, long_gone, lately, failed_before, failed_lately) as fleet:
        page = once(fleet, "--all-jobs", "--lookback", "2d", "--retention", "24h", "--retention-failed", "40h")
    assert shown(samples_of(page)) == {old.arn: "RUNNING", failed_lately.arn: "FAILED", lately.arn: "COMPLETED"}


NAMES = ("vqe-h2", "vqe-", "my-vqe-h2", "vqe", "VQE-h2", "vqe-h2\n", "vqe-\nh2", " vqe-h2", "")


def test_a_regular_expression_keeps_whole_names_only() -> None:
    with account(*(job(number, name=name) for number, name in enumerate(NAMES))) as fleet:
        page = once(fleet, "--all-jobs", "--job-name-regex", "vqe-.*|VQE")
        tagged = once(fleet, "--tags", "team=physics", "--job-name-regex", "vqe-.*")
    assert set(shown(samples_of(page))) == {arn(0), arn(1)}
    assert shown(samples_of(tagged)) == {}


HOSTILE = [
    'quote" backslash\\ newline\n end',
    "\\n \\\\ \\",
    "ψ 量子 \u2028 \x85 \x00 \r \t",
    "} 1.0\n# EOF\nbraket_job_status{",
    "<script>alert(1)</script>&amp;'",
    "",
    "x" * 5000,
    "\ud800 lone",
    "{{7*7}} %s %(name)s ${HOME} `id`",
]


def test_hostile_names_and_tags_do_no_harm() -> None:
    jobs = [job(number, name=name, tags={"team": name, name: "x"}) for number, name in enumerate(HOSTILE)]
    with account(*jobs) as fleet, discovering(fleet, "--tags", "team=*", "--tag-labels", "team") as exporter:
        eventually(lambda: ready(exporter))
        page = exporter.get("/metrics").text
        assert exporter.get("/").status == 200
        assert exporter.stop() == 0
    samples = [sample for family in parse_text(page) for sample in family.samples]
    info = {sample.labels["job_arn"]: sample.labels for sample in samples if sample.name == "braket_job_info"}
    clean = [name.encode("utf-8", "replace").decode() for name in HOSTILE]
    names = [name[:256] for name in clean]
    assert [info[one.arn]["job_name"] for one in jobs] == names
    assert [info[one.arn]["tag_team"] for one in jobs] == [name[:256] for name in clean]
    assert {line["job_arn"]: line["job_name"] for line in exporter.logged("job_discovered")} == {
        one.arn: name for one, name in zip(jobs, names, strict=True)
    }
    assert all(json.loads(line)["event"] for line in exporter.lines)


# The budget.


def most_in_ten_seconds(times: list[float]) -> int:
    return max(sum(start <= moment < start + 10 for moment in times) for start in times)


SAME_ACCOUNT_TWICE = """\
targets:
  - {regions: [us-west-2], tags: team=chemistry}
  - {regions: [us-west-2], tags: team=physics}
"""


def test_each_operation_stays_within_its_budget_in_any_ten_seconds(tmp_path: Path) -> None:
    config = tmp_path / "exporter.yaml"
    config.write_text(SAME_ACCOUNT_TWICE)
    slow = ("--poll-interval", "1s", "--discovery-interval", "1s", "--api-requests-per-second", "2.5")
    many = [job(number, 3600.0 + number, tags={"team": ("chemistry", "physics")[number % 2]}) for number in range(400)]
    with (
        account(*many) as fleet,
        account(*many) as shared,
        daemon("run", "--all-jobs", "--regions", REGION, *slow, env=fleet.env) as one,
        daemon("run", "--config", str(config), *slow, env=shared.env) as two,
    ):
        eventually(lambda: shared.times("GetJob") and shared.times("GetJob")[-1] - shared.times("GetJob")[0] > 10.5)
        rate = f'braket_exporter_api_budget_requests_per_second{{{TARGET},operation="SearchJobs"}} 2.5'
        assert one.has(rate)
        assert two.has(rate)
        assert one.stop() == two.stop() == 0
    for endpoint in (fleet, shared):
        for operation in ("GetJob", "SearchJobs"):
            # They are spaced when they leave; two may come in late, one behind the other.
            assert 18 <= most_in_ten_seconds(endpoint.times(operation)) <= 28, operation


def test_a_quota_below_the_budget_slows_the_exporter_and_takes_no_job_away() -> None:
    jobs = [job(number) for number in range(30)]
    with account(*jobs) as fleet, discovering(fleet, "--all-jobs", "--api-requests-per-second", "20") as exporter:
        eventually(lambda: ready(exporter))
        fleet.server.faults.put(Fault(FaultKind.THROTTLE, above_rate=5.0))
        put_in_place = time.time()
        eventually(lambda: exporter.logs("poll_failed", operation="GetJob", code="ThrottlingException"))
        eventually(lambda: exporter.logs("poll_failed", operation="SearchJobs", code="ThrottlingException"))
        eventually(lambda: time.time() > put_in_place + 6)
        assert shown(exporter.samples) == {one.arn: "RUNNING" for one in jobs}
        rate = exporter.value("braket_exporter_api_budget_requests_per_second", 'operation="GetJob"')
        assert up(exporter) == 1
        assert rate is not None
        assert rate < 10
        assert exporter.stop() == 0
    late = [request for request in fleet.server.requests if request.time > put_in_place + 2]
    answers = Counter(request.status for request in late)
    assert answers[200] >= 12
    assert answers[429] <= answers[200] / 3


def test_a_part_of_the_first_list_that_failed_is_asked_for_again() -> None:
    day = 86400.0
    jobs = [job(1), job(2, 2 * day), job(3, 5 * day)]
    slow = ("--api-requests-per-second", "2")
    with account(*jobs) as fleet, discovering(fleet, "--all-jobs", *slow, prelude=HASTY) as exporter:
        # The first list goes back in steps, of which the last is the one that no other list makes up for.
        eventually(lambda: fleet.searches >= 2)
        fleet.server.faults.put(Fault(FaultKind.INTERNAL_ERROR, operation="SearchJobs", times=1))
        eventually(lambda: set(shown(exporter.samples)) == {one.arn for one in jobs})
        assert len(exporter.logged("poll_failed", operation="SearchJobs")) == 1
        assert exporter.stop() == 0


# While Braket fails.

FAULTS = [
    (Fault(FaultKind.INTERNAL_ERROR), "InternalServiceException"),
    (Fault(FaultKind.ACCESS_DENIED), "AccessDeniedException"),
    (Fault(FaultKind.EXPIRED_TOKEN), "ExpiredTokenException"),
    (Fault(FaultKind.NOT_FOUND), "ResourceNotFoundException"),
    (Fault(FaultKind.GATEWAY, status=502), "other"),
    (Fault(FaultKind.GATEWAY, status=200), "malformed"),
    (Fault(FaultKind.HANG), "timeout"),
    (Fault(FaultKind.RESET), "connection"),
    (Fault(FaultKind.TRUNCATED_JSON), "malformed"),
    (Fault(FaultKind.CUT_BODY), "malformed"),
    (Fault(FaultKind.EMPTY_BODY), "malformed"),
    (Fault(FaultKind.THROTTLE), "ThrottlingException"),
]


@dataclass
class Troubled:
    """An exporter that meets every kind of trouble in turn, with new jobs each time."""

    fleet: Account
    exporter: Daemon
    jobs: int = 0

    def newborn(self) -> SimulatedJob:
        self.jobs += 1
        one = job(self.jobs, 0.0)
        self.fleet.put(one)
        return one

    @contextmanager
    def fault(self, fault: Fault) -> Iterator[None]:
        self.fleet.server.faults.put(fault)
        try:
            yield
        finally:
            self.fleet.server.faults.clear()

    def status(self, one: Job) -> str | None:
        return shown(self.exporter.samples).get(one.arn)

    def failures(self, operation: str, code: str) -> float:
        labels = (f'operation="{operation}"', f'code="{code}"')
        return self.exporter.value("braket_exporter_api_requests_total", *labels) or 0.0


@pytest.fixture(scope="module")
def troubled() -> Iterator[Troubled]:
    witness = job(0)
    with account(witness) as fleet, discovering(fleet, "--tags", "team=chemistry", prelude=HASTY) as exporter:
        eventually(lambda: ready(exporter))
        yield Troubled(fleet, exporter)


@pytest.mark.parametrize("operations", [("GetJob",), ("SearchJobs",), ("GetJob", "SearchJobs")], ids="+".join)
@pytest.mark.parametrize(("fault", "code"), FAULTS, ids=lambda value: getattr(value, "kind", value))
def test_trouble_takes_no_job_away_and_hides_no_end(
    fault: Fault, code: str, operations: tuple[str, ...], troubled: Troubled
) -> None:
    exporter, fleet = troubled.exporter, troubled.fleet
    ending, living = troubled.newborn(), troubled.newborn()
    eventually(lambda: (troubled.status(ending), troubled.status(living)) == ("RUNNING", "RUNNING"))
    eventually(lambda: up(exporter) == 1)
    failed = {operation: troubled.failures(operation, code) for operation in operations}
    # A job that is not found tells nothing of its target.
    stays_up = fault.kind is FaultKind.NOT_FOUND and operations == ("GetJob",)
    with troubled.fault(replace(fault, operation=operations[0] if len(operations) == 1 else None)):
        eventually(lambda: up(exporter) == 0 or (stays_up and exporter.value("braket_job_poll_failing", living.arn)))
        fleet.put(over(ending, "FAILED"))
        late = troubled.newborn()
        if "GetJob" in operations:
            asked = len(exporter.logs("poll_failed", operation="GetJob"))
            eventually(lambda: len(exporter.logs("poll_failed", operation="GetJob")) >= asked + 4)
            assert (troubled.status(ending), troubled.status(late)) == ("RUNNING", None)
        else:
            eventually(lambda: troubled.status(ending) == "FAILED")
            fleet.wait_for_searches(3)
            assert (troubled.status(living), troubled.status(late)) == ("RUNNING", None)
        assert troubled.status(living) == "RUNNING"
        assert up(exporter) == float(stays_up)
        assert exporter.get("/-/healthy").status == 200
        for operation in operations:
            assert troubled.failures(operation, code) > failed[operation]
    eventually(lambda: up(exporter) == 1)
    eventually(lambda: [troubled.status(one) for one in (ending, living, late)] == ["FAILED", "RUNNING", "RUNNING"])
    fleet.wait_for_searches()
    assert transitions(exporter, ending) == [(None, "RUNNING"), ("RUNNING", "FAILED")]
    assert transitions(exporter, living) == transitions(exporter, late) == [(None, "RUNNING")]
    assert [sightings(exporter, one) for one in (ending, living, late)] == [1, 1, 1]
    # Jobs of the trouble before may have been asked for once more in this one.
    eventually(lambda: not [line for line in exporter.samples if line.startswith("braket_job_poll_failing{")])
    fleet.put(over(living), over(late))


def test_all_trouble_together_was_counted_once_for_each_job(troubled: Troubled) -> None:
    failed = exporter_outcomes(troubled.exporter, "FAILED")
    logged = len(troubled.exporter.logs("job_transition", to_status="FAILED"))
    assert failed == logged > 0
    assert not troubled.exporter.logs("job_forgotten")


def exporter_outcomes(exporter: Daemon, outcome: str) -> float | None:
    return exporter.value("braket_job_outcomes_total", f'outcome="{outcome}"')


def test_credentials_that_expire_take_a_target_of_named_jobs_down() -> None:
    jobs = [job(number) for number in range(3)]
    with account(*jobs) as fleet:
        named = ("--jobs", ",".join(one.arn for one in jobs), "--poll-interval", "1s")
        with daemon("run", *named, env=fleet.env) as exporter:
            eventually(lambda: ready(exporter))
            fleet.server.faults.put(Fault(FaultKind.EXPIRED_TOKEN))
            eventually(lambda: up(exporter) == 0)
            assert shown(exporter.samples) == {one.arn: "RUNNING" for one in jobs}
            fleet.server.faults.clear()
            eventually(lambda: up(exporter) == 1)
            assert exporter.stop() == 0


def test_once_tells_by_its_status_that_jobs_could_not_be_looked_for() -> None:
    with account(job(1)) as fleet:
        fleet.server.faults.put(Fault(FaultKind.ACCESS_DENIED, operation="SearchJobs"))
        ended = run("once", "--all-jobs", "--regions", REGION, env=fleet.env, prelude=HASTY)
    assert ended.returncode == 1
    assert 'operation="SearchJobs"' in ended.stdout
    assert "AccessDeniedException" in ended.stderr


# New jobs.


def test_a_new_job_is_found_within_the_discovery_interval() -> None:
    with account(job(1)) as fleet:
        interval = ("--discovery-interval", "1s", "--poll-interval", "30s")
        with discovering(fleet, "--tags", "team=chemistry", *interval) as exporter:
            eventually(lambda: ready(exporter))
            new = job(2, 0.0)
            fleet.put(new)
            (found,) = eventually(lambda: exporter.logs("job_transition"))
            eventually(lambda: exporter.has(f'braket_jobs{{{GROUP},status="RUNNING"}} 2.0'))
            samples = exporter.samples
            fleet.wait_for_searches(2)
            assert exporter.stop() == 0
    assert (found["job_arn"], found["from_status"], found["to_status"]) == (new.arn, None, "RUNNING")
    assert found["lag_seconds"] < 15  # half of the poll interval: it was the list that found it
    assert f'braket_job_transitions_total{{{GROUP},from_status="",to_status="RUNNING"}} 1.0' in samples
    assert f'braket_jobs{{{GROUP},status="RUNNING"}} 2.0' in samples
    assert [sightings(exporter, job(number)) for number in (1, 2)] == [1, 1]
    assert len(exporter.logged("job_transition")) == 1


def test_a_job_that_lived_and_failed_between_two_looks_counts_once() -> None:
    with account(job(1)) as fleet, discovering(fleet, "--all-jobs", *FOR_EVER) as exporter:
        eventually(lambda: ready(exporter))
        lived = job(2, 0.0, failure_reason="AlgorithmError: ValueError, exit code: 1")
        eventually(lambda: time.time() > lived.created + 0.5)
        fleet.put(over(lived, "FAILED", lived.created + 0.4))
        eventually(lambda: exporter.value("braket_job_outcomes_total", 'outcome="FAILED"') == 1)
        fleet.wait_for_searches(6)
        samples = exporter.samples
        assert fleet.asked(lived) == 1
        assert exporter.stop() == 0
    for line in (
        f'braket_job_outcomes_total{{{GROUP},outcome="FAILED"}} 1.0',
        f'braket_job_outcomes_total{{{GROUP},outcome="COMPLETED"}} 0.0',
        f'braket_job_transitions_total{{{GROUP},from_status="",to_status="FAILED"}} 1.0',
        f'braket_billable_seconds_total{{{GROUP},instance_type="ml.m5.large"}} 1.0',
        f'braket_job_run_duration_seconds_count{{{GROUP},outcome="FAILED"}} 1.0',
        f"braket_job_queue_duration_seconds_count{{{GROUP}}} 1.0",
        f'braket_job_failure{{category="AlgorithmError",job_arn="{lived.arn}",job_name="vqe-h2"}} 1.0',
    ):
        assert line in samples
    (transition,) = exporter.logged("job_transition")
    assert (transition["from_status"], transition["to_status"], transition["level"]) == (None, "FAILED", "error")
    assert transition["event_time"] == iso(lived.created + 0.4)
    assert sightings(exporter, lived) == 1


def test_a_job_that_is_named_and_found_is_one_job() -> None:
    one, other = job(1), job(2, tags={})
    with account(one, other) as fleet:
        both = ("--jobs", f"{one.arn},{other.arn}", "--tags", "team=chemistry", "--retention", "0.5s")
        with discovering(fleet, *both, prelude=PROMPT) as exporter:
            eventually(lambda: ready(exporter))
            fleet.put(replace(one, tags={}), over(other))
            eventually(lambda: shown(exporter.samples) == {one.arn: "RUNNING", other.arn: "COMPLETED"})
            since = time.time()
            eventually(lambda: time.time() > since + 1.5)
            assert shown(exporter.samples) == {one.arn: "RUNNING", other.arn: "COMPLETED"}
            assert exporter.stop() == 0
    assert [sightings(exporter, job(number)) for number in (1, 2)] == [1, 1]
    assert exporter.logs("job_forgotten") == []


def test_a_burst_of_new_jobs_is_found_and_counted_once() -> None:
    with account(job(0), disorder=Disorder(2, shift=7)) as fleet, discovering(fleet, "--all-jobs") as exporter:
        eventually(lambda: ready(exporter))
        burst = [job(number, 0.0) for number in range(1, 251)]
        eventually(lambda: time.time() > burst[-1].created + 0.1)
        fleet.put(*(over(one, "FAILED") for one in burst))
        eventually(lambda: len(exporter.logs("job_transition")) >= 250)
        fleet.wait_for_searches()
        assert exporter.value("braket_job_outcomes_total", 'outcome="FAILED"') == 250
        assert exporter.stop() == 0
    assert {line["job_arn"] for line in exporter.logged("job_transition")} == {one.arn for one in burst}
    assert len(exporter.logged("job_transition", 250)) == 250


# Jobs whose tags change.


def test_a_job_that_loses_its_tag_is_forgotten_after_its_retention() -> None:
    one, witness = job(1), job(2)
    with account(one, witness) as fleet:
        arguments = ("--tags", "team=chemistry", "--retention", "1s")
        with discovering(fleet, *arguments, prelude=PROMPT) as exporter:
            eventually(lambda: ready(exporter))
            fleet.put(replace(one, tags={"team": "physics"}))
            changed = time.time()
            eventually(lambda: exporter.logs("job_forgotten"))
            assert time.time() > changed + 1
            eventually(lambda: shown(exporter.samples) == {witness.arn: "RUNNING"})
            assert exporter.value("braket_exporter_jobs_dropped_total", 'reason="deselected"') == 1
            assert exporter.has(f'braket_exporter_target_jobs{{{TARGET},state="active",target=""}} 1.0')
            asked, looked = fleet.asked(one), fleet.asked(witness)
            eventually(lambda: fleet.asked(witness) >= looked + 5)
            fleet.wait_for_searches()
            assert fleet.asked(one) == asked
            assert exporter.stop() == 0
    (forgotten,) = exporter.logged("job_forgotten")
    assert (forgotten["job_arn"], forgotten["reason"]) == (one.arn, "deselected")
    assert exporter.logs("job_transition") == []


def test_a_job_that_gets_its_tag_back_in_time_is_kept() -> None:
    one = job(1)
    with account(one) as fleet:
        arguments = ("--tags", "team=chemistry", "--retention", "5s")
        with discovering(fleet, *arguments, prelude=PROMPT) as exporter:
            eventually(lambda: ready(exporter))
            fleet.put(replace(one, tags={}))
            changed = time.time()
            fleet.wait_for_searches(3)
            fleet.put(one)
            assert time.time() < changed + 4.8, "too slow to tell anything"
            eventually(lambda: time.time() > changed + 6)
            asked = fleet.asked(one)
            eventually(lambda: fleet.asked(one) >= asked + 3)
            assert shown(exporter.samples) == {one.arn: "RUNNING"}
            assert exporter.value("braket_exporter_jobs_dropped_total", 'reason="deselected"') == 0
            assert exporter.stop() == 0
    assert exporter.logs("job_forgotten") == []
    assert sightings(exporter, one) == 1


def test_a_job_that_was_forgotten_and_gets_its_tag_back_goes_on_where_it_was() -> None:
    with account(job(1)) as fleet:
        arguments = ("--tags", "team=chemistry", "--retention", "0.3s")
        with discovering(fleet, *arguments, prelude=PROMPT) as exporter:
            eventually(lambda: ready(exporter))
            one = job(2, 0.0)
            fleet.put(one)
            eventually(lambda: transitions(exporter, one) == [(None, "RUNNING")])
            fleet.put(replace(one, tags={}))
            eventually(lambda: exporter.logs("job_forgotten", job_arn=one.arn))
            fleet.put(replace(over(one, "FAILED"), tags={}))
            fleet.wait_for_searches()
            assert one.arn not in shown(exporter.samples)
            fleet.put(over(one, "FAILED"))
            eventually(lambda: transitions(exporter, one) == [(None, "RUNNING"), ("RUNNING", "FAILED")])
            fleet.wait_for_searches()
            assert exporter.value("braket_job_outcomes_total", 'outcome="FAILED"') == 1
            assert exporter.stop() == 0
    assert transitions(exporter, one) == [(None, "RUNNING"), ("RUNNING", "FAILED")]


def test_a_job_that_gains_the_tag_is_found_by_a_later_list() -> None:
    one, witness = job(1, 30.0, tags={"team": "physics"}), job(2, 10.0)
    with account(one, witness) as fleet, discovering(fleet, "--tags", "team=chemistry") as exporter:
        eventually(lambda: ready(exporter))
        fleet.wait_for_searches()
        assert shown(exporter.samples) == {witness.arn: "RUNNING"}
        fleet.put(replace(one, tags=CHEMISTRY))
        eventually(lambda: shown(exporter.samples) == {one.arn: "RUNNING", witness.arn: "RUNNING"})
        assert exporter.stop() == 0
    assert sightings(exporter, one) == 1
    assert exporter.logs("job_transition") == []


def test_tags_of_jobs_that_no_list_shows_any_more_are_looked_at_again() -> None:
    gains, loses, new = job(1, 100_000.0, tags={}), job(2, 200_000.0), job(3, 1.0)
    full_scans = (
        f"{PROMPT}; import exporter.polling.search_planner; exporter.polling.search_planner.FULL_SCAN_INTERVAL = 0.3"
    )
    with account(gains, loses, new) as fleet:
        arguments = ("--tags", "team=chemistry", "--retention", "0.5s")
        with discovering(fleet, *arguments, prelude=full_scans) as exporter:
            eventually(lambda: ready(exporter))
            assert set(shown(exporter.samples)) == {loses.arn, new.arn}
            fleet.put(replace(gains, tags=CHEMISTRY), replace(loses, tags={}))
            eventually(lambda: set(shown(exporter.samples)) == {gains.arn, new.arn})
            assert exporter.stop() == 0
    assert [line["reason"] for line in exporter.logged("job_forgotten", job_arn=loses.arn)] == ["deselected"]


# Finished jobs.


def moment(line: Mapping[str, Any]) -> str:
    """Return when a line was logged, to the millisecond."""
    return f"{line['timestamp'][:23]}Z"


def test_a_finished_job_keeps_its_series_for_its_retention() -> None:
    with account(job(0), job(1), job(2)) as fleet:
        arguments = ("--all-jobs", "--retention", "1s", "--retention-failed", "2.5s")
        with discovering(fleet, *arguments, prelude=PROMPT) as exporter:
            eventually(lambda: ready(exporter))
            new = job(3, 0.0)
            eventually(lambda: time.time() > new.created + 0.01)
            now = round(time.time(), 3)
            old, failed = over(job(1), at=now), over(job(2), "FAILED", now)
            lived, lived_and_failed = over(new, at=now), over(replace(new, arn=arn(4)), "FAILED", now)
            gone = (old, failed, lived, lived_and_failed)
            fleet.put(*gone)
            eventually(lambda: len(shown(exporter.samples)) == 5)
            eventually(lambda: set(shown(exporter.samples)) == {arn(0), arn(2), arn(4)})
            eventually(lambda: set(shown(exporter.samples)) == {arn(0)})
            asked = [fleet.asked(one) for one in gone]
            fleet.wait_for_searches(6)
            assert [fleet.asked(one) for one in gone] == asked
            assert set(shown(exporter.samples)) == {arn(0)}
            assert exporter.value("braket_exporter_jobs_dropped_total", 'reason="retention"') == 4
            assert exporter.value("braket_job_outcomes_total", 'outcome="FAILED"') == 2
            assert exporter.value("braket_job_outcomes_total", 'outcome="COMPLETED"') == 2
            assert exporter.stop() == 0
    forgotten = {line["job_arn"]: moment(line) for line in exporter.logs("job_forgotten", reason="retention")}
    assert len(exporter.logs("job_forgotten")) == len(forgotten) == 4
    for kept, jobs in ((1.0, (old, lived)), (2.5, (failed, lived_and_failed))):
        for one in jobs:
            assert iso(now + kept) <= forgotten[one.arn] <= iso(now + kept + 1)
    assert [sightings(exporter, one) for one in gone] == [1, 1, 1, 1]


def test_a_finished_job_is_never_asked_for_again_once_it_told_everything() -> None:
    now = time.time()
    before, ending, witness = over(job(1), at=now - 60), job(2), job(3)
    with account(before, ending, witness) as fleet, discovering(fleet, "--all-jobs") as exporter:
        eventually(lambda: ready(exporter) and before.arn in shown(exporter.samples))
        fleet.put(over(ending))
        eventually(lambda: transitions(exporter, ending) == [("RUNNING", "COMPLETED")])
        eventually(lambda: shown(exporter.samples)[ending.arn] == "COMPLETED")
        asked, looked = fleet.asked(ending), fleet.asked(witness)
        polled = exporter.value("braket_job_last_poll_timestamp_seconds", ending.arn)
        eventually(lambda: fleet.asked(witness) >= looked + 8)
        fleet.wait_for_searches()
        assert (fleet.asked(before), fleet.asked(ending)) == (1, asked)
        assert exporter.value("braket_job_last_poll_timestamp_seconds", ending.arn) == polled
        assert exporter.stop() == 0


# Many active jobs, and lists that lag.


def crowd(count: int) -> list[SimulatedJob]:
    return [job(number, 3600.0 + number) for number in range(count)]


CROWDED = ("--all-jobs", "--poll-interval", "1s", "--discovery-interval", "60s", "--api-requests-per-second", "20")


def test_ends_among_many_active_jobs_are_told_by_few_lists() -> None:
    jobs = crowd(200)
    with account(*jobs) as fleet, discovering(fleet, *CROWDED) as exporter:
        eventually(lambda: ready(exporter))
        # The one that was asked for last is the last that GetJob alone would come to, and no list tells it any more.
        hidden = next(one for one in jobs if one.arn == fleet.last_asked)
        ending = [one for one in jobs[::17] if one is not hidden][:11]
        asked, listed = len(fleet.times("GetJob")), fleet.searches
        fleet.put(*(over(one) for one in ending), Lagging(over(hidden), search_jobs=1e9))
        eventually(lambda: len(exporter.logs("job_transition")) == 12)
        assert len(fleet.times("GetJob")) - asked < 100
        assert fleet.searches - listed < 30
        assert exporter.value("braket_job_outcomes_total", 'outcome="COMPLETED"') == 12
        staleness = exporter.value("braket_exporter_target_staleness_seconds")
        assert exporter.stop() == 0
    ends = exporter.logs("job_transition", from_status="RUNNING", to_status="COMPLETED")
    assert {line["job_arn"] for line in ends} == {one.arn for one in (*ending, hidden)}
    assert max(line["lag_seconds"] for line in ends) < 8  # GetJob alone would take 10 seconds
    assert staleness is not None
    assert staleness < 8


def test_an_end_is_noticed_soon_though_many_jobs_were_never_asked_for() -> None:
    jobs = crowd(300)
    with account(*jobs) as fleet, discovering(fleet, *CROWDED) as exporter:
        eventually(lambda: len(exporter.logs("job_discovered")) >= 20)
        known = {line["job_arn"] for line in exporter.logs("job_discovered")}
        ending = next(one for one in jobs if one.arn in known)
        fleet.put(over(ending, "FAILED"))
        (end,) = eventually(lambda: exporter.logs("job_transition", job_arn=ending.arn))
        assert end["lag_seconds"] < 10  # GetJob alone would take 15 seconds
        assert not ready(exporter), "too late to tell anything"
        assert exporter.stop() == 0


def test_a_job_that_was_listed_as_active_and_ends_before_it_is_asked_for_counts() -> None:
    jobs = crowd(100)
    with account(*jobs) as fleet, discovering(fleet, *CROWDED) as exporter:
        eventually(lambda: exporter.has(f'braket_exporter_target_jobs{{{TARGET},state="active",target=""}} 100.0'))
        ending = next(one for one in reversed(jobs) if not fleet.asked(one))
        fleet.put(over(ending, "FAILED"))
        assert not fleet.asked(ending), "too late to tell anything"
        eventually(lambda: sightings(exporter, ending))
        eventually(lambda: exporter.has(f'braket_job_outcomes_total{{{GROUP},outcome="FAILED"}} 1.0'))
        assert exporter.stop() == 0
    assert [to_status for _, to_status in transitions(exporter, ending)] == ["FAILED"]


def test_a_list_that_lags_never_turns_a_finished_job_back() -> None:
    one, witness = job(1), job(2)
    with account(Lagging(one, search_jobs=60.0), witness) as fleet, discovering(fleet, "--all-jobs") as exporter:
        eventually(lambda: ready(exporter))
        fleet.put(Lagging(over(one), search_jobs=60.0))
        eventually(lambda: transitions(exporter, one))
        asked = fleet.asked(one)
        fleet.wait_for_searches(8)
        assert shown(exporter.samples)[one.arn] == "COMPLETED"
        assert fleet.asked(one) == asked
        assert exporter.stop() == 0
    assert transitions(exporter, one) == [("RUNNING", "COMPLETED")]


def test_lists_of_many_jobs_that_lag_never_turn_a_finished_job_back() -> None:
    jobs: list[Job] = [Lagging(one, search_jobs=60.0) for one in crowd(40)]
    one = job(100)
    with account(*jobs, Lagging(one, search_jobs=60.0)) as fleet, discovering(fleet, *CROWDED) as exporter:
        eventually(lambda: ready(exporter))
        fleet.put(Lagging(over(one), search_jobs=60.0))
        eventually(lambda: transitions(exporter, one))
        asked = fleet.asked(one)
        fleet.wait_for_searches(3)
        assert shown(exporter.samples)[one.arn] == "COMPLETED"
        assert fleet.asked(one) == asked
        assert exporter.stop() == 0
    assert transitions(exporter, one) == [("RUNNING", "COMPLETED")]


def test_an_end_that_only_the_list_tells_is_looked_into_again() -> None:
    one = job(1)
    with account(one) as fleet, discovering(fleet, "--all-jobs", "--poll-interval", "30s") as exporter:
        eventually(lambda: ready(exporter))
        fleet.put(Lagging(over(one, "FAILED"), get_job=1.0))
        (end,) = eventually(lambda: exporter.logs("job_transition"))
        fleet.wait_for_searches()
        assert exporter.stop() == 0
    assert end["lag_seconds"] < 15  # half of the poll interval
    assert transitions(exporter, one) == [("RUNNING", "FAILED")]


# Regions, accounts, shards.


def test_each_region_is_asked_by_a_client_of_its_own_and_has_its_own_labels() -> None:
    jobs = [job(number, arn=arn(number, region)) for number, region in enumerate(("us-west-2", "eu-north-1"))]
    elsewhere = job(9, arn=arn(9, "us-east-1"))
    with account(*jobs, elsewhere) as fleet:
        page = once(fleet, "--tags", "team=chemistry", "--regions", "us-west-2,eu-north-1")
    asked = {(request.operation, request.region, request.arn) for request in fleet.server.requests}
    assert asked == {
        ("SearchJobs", "us-west-2", None),
        ("SearchJobs", "eu-north-1", None),
        ("GetJob", "us-west-2", jobs[0].arn),
        ("GetJob", "eu-north-1", jobs[1].arn),
        ("GetDevice", "us-west-2", SV1),
        ("GetDevice", "eu-north-1", SV1),
        ("SearchSpendingLimits", "us-west-2", None),
        ("SearchSpendingLimits", "eu-north-1", None),
    }
    samples = samples_of(page)
    for region in ("us-west-2", "eu-north-1"):
        target = f'aws_account_id="123456789012",aws_region="{region}"'
        for line in (
            f'braket_exporter_target_up{{{target},target=""}} 1.0',
            f'braket_exporter_target_jobs{{{target},state="active",target=""}} 1.0',
            f'braket_jobs{{{target},device="{SV1}",status="RUNNING"}} 1.0',
        ):
            assert line in samples
    assert "us-east-1" not in page
    assert not [line for line in samples if "target_" in line and 'aws_account_id=""' in line]


def test_one_region_that_fails_leaves_the_other_alone() -> None:
    jobs = [job(number, arn=arn(number, region)) for number, region in enumerate(("us-west-2", "eu-north-1"))]
    with account(*jobs) as fleet, discovering(fleet, "--all-jobs", "--regions", "us-west-2,eu-north-1") as exporter:
        eventually(lambda: ready(exporter))
        fleet.server.faults.put(Fault(FaultKind.RESET, arn="eu-north-1"))
        eventually(lambda: exporter.value("braket_exporter_target_up", "eu-north-1") == 0)
        fleet.put(over(jobs[0]))
        eventually(lambda: transitions(exporter, jobs[0]) == [("RUNNING", "COMPLETED")])
        assert exporter.value("braket_exporter_target_up", "us-west-2") == 1
        assert shown(exporter.samples)[jobs[1].arn] == "RUNNING"
        assert exporter.stop() == 0


def test_an_account_without_jobs_is_ready_and_up_and_its_first_job_tells_its_number() -> None:
    with account() as fleet, discovering(fleet, "--all-jobs", "--poll-interval", "0.5s") as exporter:
        eventually(lambda: ready(exporter))
        eventually(lambda: exporter.logs("poll_failed", operation="GetCallerIdentity"))
        assert exporter.has('braket_exporter_target_up{aws_account_id="",aws_region="us-west-2",target=""} 1.0')
        new = job(1, 0.0)
        fleet.put(new)
        eventually(lambda: exporter.has(f'braket_exporter_target_up{{{TARGET},target=""}} 1.0'))
        eventually(lambda: shown(exporter.samples) == {new.arn: "RUNNING"})
        assert exporter.value("braket_exporter_target_up") == 1
        tries = len(exporter.logs("poll_failed", operation="GetCallerIdentity"))
        fleet.wait_for_searches()
        assert len(exporter.logs("poll_failed", operation="GetCallerIdentity")) == tries
        assert exporter.stop() == 0
    assert transitions(exporter, new) == [(None, "RUNNING")]


class Sts(BaseHTTPRequestHandler):
    """Tells every caller that it is the account's."""

    ANSWER = (
        b'<GetCallerIdentityResponse xmlns="https://sts.amazonaws.com/doc/2011-06-15/"><GetCallerIdentityResult>'
        b"<Arn>arn:aws:iam::123456789012:user/x</Arn><UserId>X</UserId><Account>123456789012</Account>"
        b"</GetCallerIdentityResult></GetCallerIdentityResponse>"
    )

    def do_POST(self) -> None:
        self.rfile.read(int(self.headers["Content-Length"]))
        self.send_response(200)
        self.send_header("Content-Type", "text/xml")
        self.send_header("Content-Length", str(len(self.ANSWER)))
        self.end_headers()
        self.wfile.write(self.ANSWER)

    def log_message(self, format: str, *args: object) -> None:  # noqa: A002 - the name is inherited
        """There is no access log."""


@contextmanager
def sts() -> Iterator[str]:
    with HTTPServer(("127.0.0.1", 0), Sts) as server:
        thread = Thread(target=server.serve_forever, args=(0.02,))
        thread.start()
        yield f"http://127.0.0.1:{server.server_port}"
        server.shutdown()
        thread.join()


def test_in_an_account_without_jobs_its_number_is_asked_for() -> None:
    with sts() as url, account(sts=url) as fleet, discovering(fleet, "--all-jobs") as exporter:
        eventually(lambda: exporter.has(f'braket_exporter_target_up{{{TARGET},target=""}} 1.0'))
        requests = exporter.value("braket_exporter_api_requests_total", 'operation="GetCallerIdentity"')
        fleet.wait_for_searches()
        assert requests == 1
        assert exporter.value("braket_exporter_api_requests_total", 'operation="GetCallerIdentity"') == 1
        assert exporter.stop() == 0
    assert exporter.logs("poll_failed") == []


TARGETS = """\
targets:
  - name: chemistry
    profile: alpha
    regions: [us-west-2]
    tags: team=chemistry
  - name: everything
    profile: beta
    regions: [us-west-2, eu-north-1]
    all_jobs: true
    job_name_regex: vqe-.*
  - name: locked out
    profile: gamma
    regions: [us-west-2]
    all_jobs: true
"""

PROFILES = "".join(
    f"[{name}]\naws_access_key_id = AKID{name.upper()}\naws_secret_access_key = x\n"
    for name in ("alpha", "beta", "gamma")
)


def test_several_accounts_are_looked_through_each_with_its_own_login_and_tags(tmp_path: Path) -> None:
    credentials, config = tmp_path / "credentials", tmp_path / "exporter.yaml"
    credentials.write_text(PROFILES)
    config.write_text(TARGETS)
    alpha, beta = "111111111111", "222222222222"
    places = {1: ("us-west-2", alpha), 2: ("us-west-2", alpha), 3: ("us-west-2", beta), 4: ("eu-north-1", beta)}
    jobs = {number: job(number, arn=arn(number, *place)) for number, place in places.items()}
    jobs[2], jobs[5] = replace(jobs[2], tags={}), job(5, arn=arn(5, "us-west-2", beta), name="qaoa")
    with account(*jobs.values(), accounts={"AKIDALPHA": alpha, "AKIDBETA": beta}) as fleet:
        env = {**fleet.env, "AWS_SHARED_CREDENTIALS_FILE": str(credentials)}
        ended = run("once", "--config", str(config), *FAST, env=env, prelude=HASTY)
    samples = samples_of(ended.stdout)
    assert set(shown(samples)) == {jobs[number].arn for number in (1, 3, 4)}
    assert {line for line in samples if line.startswith("braket_exporter_target_up")} == {
        f'braket_exporter_target_up{{aws_account_id="{alpha}",aws_region="us-west-2",target="chemistry"}} 1.0',
        f'braket_exporter_target_up{{aws_account_id="{beta}",aws_region="us-west-2",target="everything"}} 1.0',
        f'braket_exporter_target_up{{aws_account_id="{beta}",aws_region="eu-north-1",target="everything"}} 1.0',
        'braket_exporter_target_up{aws_account_id="",aws_region="us-west-2",target="locked out"} 0.0',
    }
    assert ended.returncode == 1
    assert "UnrecognizedClientException" in ended.stderr
    assert {request.access_key_id for request in fleet.server.requests} == {"AKIDALPHA", "AKIDBETA", "AKIDGAMMA"}


def test_two_processes_share_the_regions_without_overlap() -> None:
    jobs = [job(number, arn=arn(number, region)) for number, region in enumerate(REGIONS)]
    assert len(jobs) == 5
    pages = []
    with account(*jobs) as fleet:
        for shard in ("0", "1"):
            env = {**fleet.env, "AWS_ACCESS_KEY_ID": f"AKID{shard}"}
            share = ("--shard", shard, "--total-shards", "2", "--regions", ",".join(REGIONS), "--all-jobs")
            pages.append(run("once", *share, env=env))
    assert [ended.returncode for ended in pages] == [0, 0]
    asked = {
        shard: {request.region for request in fleet.server.requests if request.access_key_id == f"AKID{shard}"}
        for shard in (0, 1)
    }
    assert asked[0] | asked[1] == set(REGIONS)
    assert asked[0] & asked[1] == set()
    assert min(len(asked[0]), len(asked[1])) > 0
    found = [set(shown(samples_of(ended.stdout))) for ended in pages]
    assert found[0] | found[1] == {one.arn for one in jobs}
    assert found[0] & found[1] == set()


def test_a_shard_without_any_region_is_ready_and_healthy() -> None:
    with account(job(1)) as fleet:
        (busy,) = (n for n in range(2) if shown(samples_of(once(fleet, "--all-jobs", *share_of(n)))))
        before = len(fleet.server.requests)
        with discovering(fleet, "--all-jobs", *share_of(1 - busy)) as exporter:
            assert ready(exporter)
            assert exporter.get("/-/healthy").status == 200
            assert exporter.get("/metrics").status == exporter.get("/").status == 200
            assert exporter.stop() == 0
        assert len(fleet.server.requests) == before


def share_of(shard: int) -> tuple[str, ...]:
    return ("--shard", str(shard), "--total-shards", "2")


# Pages with entries that cannot be read.

ODD: dict[str, dict[str, Any]] = {
    "no status": {"status": None},
    "no ARN": {"jobArn": None},
    "another kind of ARN": {"jobArn": f"arn:aws:braket:{REGION}:{ACCOUNT}:quantum-task/1"},
    "no ARN at all": {"jobArn": "vqe-h2"},
    "a status that is a number": {"status": 7},
}


USABLE: dict[str, dict[str, Any]] = {
    "no createdAt": {"createdAt": None},
    "a createdAt that is no time": {"createdAt": "yesterday"},
    "a createdAt beyond the calendar": {"createdAt": 1e300},
    "an endedAt that is no time": {"endedAt": "soon"},
    "a tag that is a number": {"tags": {"team": 7}},
    "tags that are a list": {"tags": ["team"]},
    "its ARN alone": dict.fromkeys(("jobName", "createdAt", "tags", "deviceConfig")),
}


def odd_job(members: dict[str, Any]) -> ScriptedJob:
    created = time.time() - 61.5
    answer = wire_job(arn(9), "RUNNING", createdAt=iso(created), tags=CHEMISTRY) | members
    return ScriptedJob(arn(9), created, [(0.0, {name: value for name, value in answer.items() if value is not None})])


@pytest.mark.parametrize("members", ODD.values(), ids=ODD.keys())
def test_an_entry_that_cannot_be_read_costs_nothing_but_itself(members: dict[str, Any]) -> None:
    good = [job(number, 60.0 + number) for number in range(3)]
    odd = odd_job(members)
    with account(*good, odd) as fleet, discovering(fleet, "--all-jobs", prelude=HASTY) as exporter:
        eventually(lambda: set(shown(exporter.samples)) >= {one.arn for one in good})
        eventually(lambda: (exporter.value("braket_exporter_parse_errors_total") or 0) >= 1)
        assert up(exporter) == 1
        new = job(4, 0.0)
        fleet.put(new)
        eventually(lambda: new.arn in shown(exporter.samples))
        assert set(shown(exporter.samples)) == {one.arn for one in (*good, new)}
        assert exporter.stop() == 0
    assert exporter.logs("poll_failed", operation="SearchJobs") == []
    assert all(json.loads(line)["event"] for line in exporter.lines)


@pytest.mark.parametrize("lookback", ["0.5s", "1s"])
def test_the_last_job_of_a_quiet_account_is_logged_and_counted_once_however_often_it_is_listed(lookback: str) -> None:
    quickly = ("--lookback", lookback, "--retention", "0.1s", "--retention-failed", "0.1s")
    with account() as jobs, discovering(jobs, "--all-jobs", *quickly, prelude=PROMPT) as running:
        eventually(lambda: running.logs("started"))
        failed = over(job(1, age=-0.01), "FAILED", time.time() + 0.05)
        jobs.put(failed)
        eventually(lambda: running.logs("job_forgotten", job_arn=failed.arn))
        jobs.wait_for_searches(30)
        assert len(running.logged("job_transition", to_status="FAILED")) == 1
        assert len(running.logged("job_discovered")) == 1
        outcomes = [line for line in running.samples if line.startswith("braket_job_outcomes_total")]
        assert {line.rpartition(" ")[2] for line in outcomes if 'outcome="FAILED"' in line} == {"1.0"}


@pytest.mark.parametrize("members", USABLE.values(), ids=USABLE.keys())
def test_an_entry_with_an_odd_or_missing_member_is_found_all_the_same(members: dict[str, Any]) -> None:
    odd = odd_job(members)
    with account(job(1, 60.0), odd) as fleet, discovering(fleet, "--all-jobs", prelude=HASTY) as exporter:
        eventually(lambda: set(shown(exporter.samples)) == {arn(1), odd.arn})
        assert exporter.value("braket_exporter_parse_errors_total") == 0
        assert exporter.stop() == 0
    assert exporter.logs("poll_failed") == []
