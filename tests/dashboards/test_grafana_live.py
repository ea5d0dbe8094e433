"""Each query of the dashboards, on a real Prometheus: with a healthy fleet, and with the same fleet with problems."""

import json
import math
import re
import subprocess
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from pathlib import Path
from typing import Any, Final

import pytest
from dashboard_support import ASKED, MADE, Asked, interpolated
from processes import FAST, GARNET, Daemon, daemon, eventually, iso, tool, wire_event, wire_job
from servers import Prometheus, prometheus_with

from exporter.simulator import Fault, FaultKind, ScriptedJob, SimulatorServer, World, job_arn

ROOT = Path(__file__).parents[2]
RULES = ROOT / "helm" / "braket-exporter" / "rules"
CONFIG = ROOT / "docs" / "prometheus.yaml"

DAY: Final = 86400.0
EMPTY_WHEN_WELL: Final = {
    ("fleet", "Problems", "A"),
    ("fleet", "annotation Failed", "A"),
    ("fleet", "annotation Max runtime exceeded", "A"),
    ("job", "Queue position", "B"),
    ("job", "Failure category", "A"),
    ("job", "Queue position history", "B"),
    ("job", "GetJob errors", "A"),
    ("exporter", "API errors", "A"),
    ("exporter", "Drops", "A"),
    ("exporter", "Unexpected responses", "A"),
    ("exporter", "Unexpected responses", "B"),
}
"""Every other query has a result while jobs run."""


_QUEUED_FOR: Final = "aws_account_id_aws_region_device_le:braket_job_queue_duration_seconds_bucket:max"


class Braket:
    """An endpoint with one job of each kind; all are well until ``trouble`` comes."""

    def __init__(self) -> None:
        now = time.time()
        self._answers: dict[str, dict[str, Any]] = {}
        self._add("queued", "QUEUED", now - 600, queueInfo={"queue": "JOBS_QUEUE", "position": "3"})
        self._add("running", "RUNNING", now - 600, **_started(now - 500))
        self._add("done", "QUEUED", now - 60)
        for name in ("failed", "out-of-time", "near-limit", "cancelling", "hidden", "odd", "garbled"):
            self._add(name, "RUNNING", now - 600, **_started(now - 500))
        self._add("stuck", "QUEUED", now - 300, queueInfo={"queue": "JOBS_QUEUE", "position": "5"})
        self._add("old", "RUNNING", now - 7200, **_started(now - 7000))
        scripts = [ScriptedJob(arn, now - 600, self._script(arn)) for arn in self._answers]
        self.server = SimulatorServer(World(scripts), clock=time.time)

    @property
    def arns(self) -> list[str]:
        return [*self._answers]

    def live(self) -> None:
        """A job starts; a little later it ends as it should."""
        self.change("done", status="RUNNING", **_started(time.time() - 20))

    def end(self) -> None:
        now = time.time()
        events = [
            wire_event("RUNNING", now - 10),
            wire_event("UPLOADING_RESULTS", now - 2),
            wire_event("COMPLETED", now),
        ]
        self.change("done", status="COMPLETED", endedAt=iso(now), billableDuration=20000, events=events)

    def trouble(self) -> None:
        """Everything that a dashboard has a place for goes wrong."""
        now = time.time()
        reason = "AlgorithmError: FileNotFoundError, exit code: 1"
        over = {"endedAt": iso(now), "billableDuration": 500000}
        self.change("failed", status="FAILED", failureReason=reason, events=[wire_event("FAILED", now)], **over)
        self.change("out-of-time", status="COMPLETED", events=[wire_event("MAX_RUNTIME_EXCEEDED", now)], **over)
        self.change("near-limit", stoppingCondition={"maxRuntimeInSeconds": 600})
        self.change("cancelling", status="CANCELLING")
        self.change("stuck", createdAt=iso(now - 2 * DAY), queueInfo={"queue": "JOBS_QUEUE", "position": ">15"})
        self.change("odd", events=[wire_event("A_NEW_EVENT", now)])
        self.change("garbled", status=7)
        self.change("old", status="COMPLETED", **{**over, "endedAt": iso(now - 3600 + 5)})
        self.server.faults.put(Fault(FaultKind.ACCESS_DENIED, "GetJob", arn=job_arn("hidden")))

    def change(self, name: str, **members: object) -> None:
        self._answers[job_arn(name)] |= members

    def _add(self, name: str, status: str, created: float, **members: object) -> None:
        arn = job_arn(name)
        device = {"deviceConfig": {"device": GARNET}} if name != "running" else {}
        self._answers[arn] = wire_job(arn, status, jobName=name, createdAt=iso(created), **device, **members)

    def _script(self, arn: str) -> Callable[[float], dict[str, Any]]:
        return lambda _: dict(self._answers[arn])


def _started(start: float) -> dict[str, Any]:
    limit = {"stoppingCondition": {"maxRuntimeInSeconds": 36000}}
    return {"startedAt": iso(start), "events": [wire_event("RUNNING", start + 5)], **limit}


class Stage:
    """The exporter of a fleet, and a Prometheus that scrapes it and evaluates the rules every second."""

    def __init__(self, braket: Braket, exporter: Daemon, prometheus: Prometheus) -> None:
        self.braket = braket
        self.exporter = exporter
        self.prometheus = prometheus

    def answer(self, asked: Asked) -> list[dict[str, Any]]:
        """Ask as the dashboard would; of the queries on one job, for whichever job has an answer."""
        jobs = self.braket.arns if "$job" in asked.expr else [""]
        return next(filter(None, (self._ask(interpolated(asked.expr, job), ranges=asked.ranges) for job in jobs)), [])

    def _ask(self, expr: str, *, ranges: bool) -> list[dict[str, Any]]:
        if not ranges:
            found = self.prometheus.ask("query", query=expr)["result"]
            return [sample for sample in found if math.isfinite(float(sample["value"][1]))]
        now = time.time()
        asked = {"query": expr, "start": str(now - 30), "end": str(now), "step": "1"}
        found = self.prometheus.ask("query_range", **asked)["result"]
        return [series for series in found if any(math.isfinite(float(value)) for _, value in series["values"])]


@pytest.fixture(scope="module")
def stage(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Stage]:
    folder = tmp_path_factory.mktemp("grafana")
    with ExitStack() as stack:
        braket = Braket()
        stack.enter_context(braket.server)
        targets = folder / "exporter.yaml"
        targets.write_text("targets: [{name: chemistry, all_jobs: true, regions: [us-east-1]}]\n", encoding="utf-8")
        found = ("--config", str(targets), "--discovery-interval", "0.2s", "--retention", "1h")
        environment = {"AWS_ENDPOINT_URL_BRAKET": braket.server.url}
        state = ("--state-file", str(folder / "state.sqlite"))
        exporter = stack.enter_context(daemon(*found, *state, *FAST, env=environment))
        eventually(lambda: exporter.get("/-/ready").status == 200)
        _remember_a_cancelling_job(folder)
        config = folder / "prometheus.yaml"
        text = CONFIG.read_text(encoding="utf-8").replace("interval: 15s", "interval: 1s")
        text = text.replace("../helm/braket-exporter/rules", str(RULES)).replace("localhost:9834", exporter.address)
        config.write_text(text + _again(exporter), encoding="utf-8")
        yield Stage(braket, exporter, stack.enter_context(prometheus_with(config, folder)))


def _again(exporter: Daemon) -> str:
    """Have everything scraped twice, as when two exporters follow the same jobs."""
    return f"""
  - job_name: replica
    static_configs:
      - targets: ["{exporter.address}"]
"""


def _remember_a_cancelling_job(folder: Path) -> None:
    """Have Prometheus's storage know a job that has been CANCELLING for an hour already."""
    now = int(time.time())
    labels = f'job_arn="{job_arn("cancelling")}",job_name="cancelling",status="CANCELLING"'
    lines = [f"braket_job_status{{{labels}}} 1 {moment}" for moment in range(now - 3600, now - 600, 30)]
    past = folder / "past.txt"
    past.write_text("\n".join(["# TYPE braket_job_status gauge", *lines, "# EOF\n"]), encoding="utf-8")
    command = [tool("promtool"), "tsdb", "create-blocks-from", "openmetrics", str(past), str(folder / "prometheus")]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr


@pytest.fixture(scope="module")
def well(stage: Stage) -> Stage:
    """A fleet in which a job started, ran and completed."""
    prometheus = stage.prometheus
    done = f'job_arn="{job_arn("done")}"'
    eventually(lambda: prometheus.query("count(braket_job_info) == 24"))
    # A rule must have seen the zeros from which it counts.
    eventually(lambda: prometheus.query(f"{_QUEUED_FOR} == 0"))
    stage.braket.live()
    eventually(lambda: prometheus.query(f'braket_job_status{{{done},status="RUNNING"}} == 1'))
    stage.braket.end()
    # The rules count over what was recorded before and after.
    eventually(lambda: prometheus.query("aws_account_id_aws_region_device_outcome:braket_job_outcomes:increase1d > 0"))
    return stage


@pytest.fixture(scope="module")
def troubled(well: Stage) -> Stage:
    well.braket.trouble()
    return well


@pytest.mark.parametrize("asked", ASKED, ids=lambda asked: "-".join(asked.key))
def test_every_query_of_a_healthy_fleet_has_the_expected_result(asked: Asked, well: Stage) -> None:
    if asked.key in EMPTY_WHEN_WELL:
        assert well.answer(asked) == []
    else:
        eventually(lambda: well.answer(asked))


VARIABLES = [
    (name, variable)
    for name, made in MADE.items()
    for variable in made["templating"]["list"]
    if variable["type"] == "query"
]


@pytest.mark.parametrize(("name", "variable"), VARIABLES, ids=[f"{name}-{made['name']}" for name, made in VARIABLES])
def test_every_variable_has_options(name: str, variable: dict[str, Any], well: Stage) -> None:
    query = interpolated(variable["query"]["query"], job_arn("running"))
    if labelled := re.fullmatch(r"label_values\((.+), (\w+)\)", query):
        found = {metric[labelled[2]] for metric, _ in well.prometheus.query(labelled[1])}
    else:
        asked = re.fullmatch(r"query_result\((.+)\)", query)
        assert asked is not None, query
        found = _chosen(variable["regex"], well.prometheus.query(asked[1]))
    assert found == EXPECTED_CHOICES[variable["name"]], name


def _chosen(regex: str, answer: list[tuple[dict[str, str], float]]) -> set[str]:
    """Do as Grafana does with an answer: write each sample as text, and pick the value and the text from it."""
    pattern = re.sub(r"\(\?<(\w+)>", r"(?P<\1>", regex.strip("/"))
    texts = ["{" + ",".join(f'{label}="{value}"' for label, value in metric.items()) + "}" for metric, _ in answer]
    matches = [match for text in texts if (match := re.search(pattern, text))]
    assert len(matches) == len(answer)
    assert all(match["value"].startswith("arn:aws:braket:us-east-1:123456789012:job/") for match in matches)
    return {match["text"] for match in matches}


EXPECTED_CHOICES = {
    "account": {"123456789012"},
    "region": {"us-east-1"},
    "device": {GARNET, "arn:aws:braket:::device/quantum-simulator/amazon/sv1"},
    "status": {"QUEUED", "RUNNING", "COMPLETED", "FAILED", "CANCELLING", "CANCELLED"},
    "job": {
        f"{name} {name[:8]}"
        for name in (
            *("queued", "running", "done", "failed", "out-of-time", "near-limit"),
            *("cancelling", "hidden", "odd", "garbled", "stuck", "old"),
        )
    },
    "job_region": {"us-east-1"},
    "job_name": {"running"},
}


def test_a_graph_of_what_ended_counts_in_whole_numbers(well: Stage) -> None:
    (asked,) = (asked for asked in ASKED if asked.place == "Ended jobs")
    ended = {series["metric"]["outcome"]: float(series["values"][-1][1]) for series in well.answer(asked)}
    assert ended == {"COMPLETED": 1.0, "FAILED": 0.0, "CANCELLED": 0.0, "MAX_RUNTIME_EXCEEDED": 0.0}


@pytest.mark.parametrize(
    "asked", [asked for asked in ASKED if asked.key in EMPTY_WHEN_WELL], ids=lambda a: "-".join(a.key)
)
def test_the_other_queries_have_a_result_with_problems(asked: Asked, troubled: Stage) -> None:
    eventually(lambda: troubled.answer(asked), 30)


def test_each_problem_is_listed_once_with_the_labels_of_its_link(troubled: Stage) -> None:
    (asked,) = (asked for asked in ASKED if asked.place == "Problems")

    def problems() -> dict[str, str]:
        return {sample["metric"]["job_name"]: sample["metric"]["problem"] for sample in troubled.answer(asked)}

    expected = {
        "failed": "FAILED",
        "out-of-time": "MAX_RUNTIME_EXCEEDED",
        "near-limit": "NEAR MAX RUNTIME",
        "stuck": "STUCK IN QUEUE",
        "cancelling": "STUCK CANCELLING",
    }
    eventually(lambda: problems() == expected)
    for sample in troubled.answer(asked):
        assert sample["metric"]["job_arn"] == job_arn(sample["metric"]["job_name"])
        assert sample["metric"]["aws_region"] == "us-east-1"
        assert sample["metric"]["device_name"] == "Garnet"


def test_a_job_has_one_row_of_details(troubled: Stage) -> None:
    rows = [troubled.answer(asked) for asked in ASKED if asked.place == "Job details"]
    assert [len(row) for row in rows] == [1] * 7


def test_each_target_has_one_row_with_all_its_values(troubled: Stage) -> None:
    rows = [troubled.answer(asked) for asked in ASKED if asked.place == "Targets"]
    assert [len(row) for row in rows] == [1] * 6
    assert {json.dumps(row[0]["metric"], sort_keys=True) for row in rows} == {
        '{"aws_account_id": "123456789012", "aws_region": "us-east-1", "target": "chemistry"}'
    }
