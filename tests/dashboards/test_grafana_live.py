"""Each query of the dashboards, on a real Prometheus: with a healthy fleet, and with the same fleet with problems."""

import math
import re
import subprocess
import time
from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path
from typing import Any, Final

import pytest
from braket import SV1, Braket
from dashboard_support import ASKED, MADE, Asked, interpolated
from processes import FAST, GARNET, WITH_DEVICES, Daemon, daemon, eventually, tool
from servers import Prometheus, prometheus_with

from exporter.simulator import job_arn

ROOT = Path(__file__).parents[2]
RULES = ROOT / "helm" / "braket-exporter" / "rules"
CONFIG = ROOT / "docs" / "prometheus.yaml"

EMPTY_WHEN_WELL: Final = {
    ("fleet", "Problems", "A"),
    ("fleet", "Problems by kind", "A"),
    ("fleet", "Failures by category", "A"),
    *(("fleet", "Device queues", letter) for letter in "BCDH"),
    *(("job", "Why it waits", letter) for letter in "BCDFH"),
    ("job", "Queue position history", "B"),
    ("exporter", "API errors", "A"),
}
"""Every other query has a result while jobs run. Tables have a row without a value."""

OF_AN_EVENT_QUEUE: Final = {
    (asked.key)
    for asked in ASKED
    if asked.place in {"Events", "Event delay", "Transitions found", "Last receive"} and "exporter" in asked.dashboard
}
"""Queries without a result, because the exporter has no event queue."""

OF_THE_TIME_BEFORE: Final = {
    (asked.key) for asked in ASKED if asked.place.startswith("Billed time by") and asked.letter in "BC"
}
"""Queries about the time before the exporter started: the test of costs has data of that time."""


_DEVICES: Final = ("--device-interval", "0.5s", "--spending-limit-interval", "0.5s")


class Stage:
    """The exporter of a fleet, and a Prometheus that scrapes it and evaluates the rules every second."""

    def __init__(self, braket: Braket, exporter: Daemon, prometheus: Prometheus) -> None:
        self.braket = braket
        self.exporter = exporter
        self.prometheus = prometheus

    def answer(self, asked: Asked) -> list[dict[str, Any]]:
        """Ask as the dashboard would; of the queries on one job, for whichever job has an answer."""
        jobs = self.braket.arns if "$job" in asked.expr else [""]
        exprs = (_each_second(interpolated(asked.expr, job, interval=5)) for job in jobs)
        return next(filter(None, (self._ask(expr, ranges=asked.ranges) for expr in exprs)), [])

    def _ask(self, expr: str, *, ranges: bool) -> list[dict[str, Any]]:
        if not ranges:
            found = self.prometheus.ask("query", query=expr)["result"]
            return [sample for sample in found if math.isfinite(float(sample["value"][1]))]
        now = time.time()
        asked = {"query": expr, "start": str(now - 30), "end": str(now), "step": "1"}
        found = self.prometheus.ask("query_range", **asked)["result"]
        return [series for series in found if any(math.isfinite(float(value)) for _, value in series["values"])]


def _each_second(expr: str) -> str:
    """Evaluate subqueries as often as this Prometheus scrapes."""
    return re.sub(r":\d+[smh]\]", ":1s]", expr)


@pytest.fixture(scope="module")
def stage(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Stage]:
    folder = tmp_path_factory.mktemp("grafana")
    with ExitStack() as stack:
        braket = Braket()
        stack.enter_context(braket.server)
        targets = folder / "exporter.yaml"
        targets.write_text(
            "targets: [{name: chemistry, all_jobs: true, regions: [us-east-1]}]\n"
            "tag_labels: [team]\naggregate_tag_labels: [team]\n",
            encoding="utf-8",
        )
        found = ("--config", str(targets), "--discovery-interval", "0.2s", "--retention", "1h")
        environment = {"AWS_ENDPOINT_URL_BRAKET": braket.server.url, **WITH_DEVICES}
        state = ("--state-file", str(folder / "state.sqlite"))
        exporter = stack.enter_context(daemon(*found, *state, *FAST, *_DEVICES, env=environment))
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
    # The counters start with zeros.
    eventually(lambda: prometheus.query("braket_job_queue_duration_seconds_bucket == 0"))
    stage.braket.live()
    eventually(lambda: prometheus.query(f'braket_job_status{{{done},status="RUNNING"}} == 1'))
    stage.braket.end()
    eventually(lambda: prometheus.query("braket_job_outcomes_total > 0"))
    return stage


@pytest.fixture(scope="module")
def troubled(well: Stage) -> Stage:
    well.braket.trouble()
    return well


@pytest.mark.parametrize(
    "asked", [asked for asked in ASKED if asked.key not in OF_THE_TIME_BEFORE], ids=lambda asked: "-".join(asked.key)
)
def test_every_query_of_a_healthy_fleet_has_the_expected_result(asked: Asked, well: Stage) -> None:
    if asked.key in EMPTY_WHEN_WELL | OF_AN_EVENT_QUEUE:
        assert well.answer(asked) == []
    else:
        eventually(lambda: well.answer(asked))


VARIABLES = [
    (name, variable)
    for name, made in MADE.items()
    for variable in made["templating"]["list"]
    if variable["type"] == "query"
]


@pytest.mark.parametrize(
    "variable", [made for _, made in VARIABLES], ids=[f"{name}-{made['name']}" for name, made in VARIABLES]
)
def test_every_variable_has_options(variable: dict[str, Any], well: Stage) -> None:
    expected = EXPECTED_CHOICES[variable["name"]]
    options = {well.exporter.address: well.exporter.address} if expected is None else expected
    eventually(lambda: _options(variable, well) == options)  # a scrape may take too long on a slow machine


def _options(variable: dict[str, Any], well: Stage) -> dict[str, str]:
    query = interpolated(variable["query"]["query"], job_arn("running"))
    if query == "label_names()":
        found = _chosen(variable["regex"], well.prometheus.ask("labels"))
    elif labelled := re.fullmatch(r"label_values\((.+), (\w+)\)", query):
        labels = sorted({metric[labelled[2]] for metric, _ in well.prometheus.query(labelled[1])})
        found = _chosen(variable.get("regex", ""), labels)
    else:
        asked = re.fullmatch(r"query_result\((.+)\)", query)
        assert asked is not None, query
        answer = well.prometheus.query(_each_second(asked[1]))
        found = _chosen(variable["regex"], [_as_text(metric) for metric, _ in answer])
        assert len(found) == len(answer)
    return found


def _as_text(metric: dict[str, str]) -> str:
    return "{" + ",".join(f'{label}="{value}"' for label, value in metric.items()) + "}"


def _chosen(regex: str, options: list[str]) -> dict[str, str]:
    """Do as Grafana does with the options of a variable: pick the text and the value of each from it."""
    pattern = re.sub(r"\(\?<(\w+)>", r"(?P<\1>", regex.strip("/").replace(r"\/", "/")) or ".*"
    matches = [match for option in options if (match := re.search(pattern, option))]
    named = [match.groupdict() or {"value": match[0]} for match in matches]
    return {groups.get("text", groups["value"]): groups["value"] for groups in named}


def _plain(*options: str) -> dict[str, str]:
    return {option: option for option in options}


EXPECTED_CHOICES: dict[str, dict[str, str] | None] = {
    "account": _plain("123456789012"),
    "region": _plain("us-east-1"),
    "device": {"iqm/Garnet": GARNET, "amazon/sv1": SV1},
    "status": _plain("QUEUED", "RUNNING", "COMPLETED", "FAILED", "CANCELLING", "CANCELLED"),
    "tag": _plain("tag_team"),
    "instance": None,
    "job": {
        f"{name} {name[-8:]}": job_arn(name)
        for name in (
            *("queued", "running", "done", "failed", "out-of-time", "near-limit"),
            *("cancelling", "hidden", "odd", "garbled", "stuck", "old"),
        )
    },
    "job_region": _plain("us-east-1"),
    "job_name": _plain("running"),
}
"""The value of each choice by its text; for exporters, the address of the running one."""


def test_a_graph_of_what_ended_counts_in_whole_numbers_up_to_now(well: Stage) -> None:
    (asked,) = (asked for asked in ASKED if asked.place == "Ended jobs")

    def ended() -> dict[str, float]:
        expr = _each_second(interpolated(asked.expr, interval=5))
        now = time.time() // 5 * 5
        answer = well.prometheus.ask("query_range", query=expr, start=str(now - 600), end=str(now), step="5")
        return {
            series["metric"]["outcome"]: sum(float(value) for _, value in series["values"])
            for series in answer["result"]
        }

    expected = {"COMPLETED": 1.0, "FAILED": 0.0, "CANCELLED": 0.0, "MAX_RUNTIME_EXCEEDED": 0.0}
    eventually(lambda: ended() == expected)


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
        assert sample["metric"]["device_name"] == "Garnet"


def _rows(stage: Stage, dashboard: str, place: str) -> dict[str, list[tuple[dict[str, str], float]]]:
    """Return the answers to the queries of a table by letter; of one job, those about the job that runs on SV1."""
    found = [asked for asked in ASKED if asked.key[:2] == (dashboard, place)]
    job = job_arn("running")
    return {asked.letter: stage.prometheus.query(_each_second(interpolated(asked.expr, job))) for asked in found}


@pytest.mark.parametrize(("dashboard", "place"), [("fleet", "Device queues"), ("job", "Why it waits")])
def test_a_paused_device_has_its_reason_its_end_and_its_queues(dashboard: str, place: str, troubled: Stage) -> None:
    def of_sv1() -> dict[str, tuple[dict[str, str], float]]:
        rows = _rows(troubled, dashboard, place).items()
        return {letter: row for letter, found in rows for row in found if row[0].get("device") == SV1}

    eventually(lambda: of_sv1()["A"][0]["status"] == "PAUSED" and "B" in of_sv1())
    rows = of_sv1()
    assert rows["B"][0]["reason"] == "MAINTENANCE"
    assert rows["D"][1] - rows["C"][1] == pytest.approx(3600 * 1000, abs=1000)
    texts = {
        label: row[0][label]
        for row in rows.values()
        for label in ("jobs", "tasks", "priority_tasks")
        if label in row[0]
    }
    assert texts == {"jobs": "0", "tasks": ">4000", "priority_tasks": "12"}


def test_the_history_of_a_paused_device_names_its_reason(troubled: Stage) -> None:
    (asked,) = (asked for asked in ASKED if asked.place == "Device status history")
    (panel,) = (panel for panel in MADE[asked.dashboard]["panels"] if panel["title"] == asked.place)
    texts = panel["fieldConfig"]["defaults"]["mappings"][0]["options"]

    def shown() -> dict[str, str]:
        found = troubled.prometheus.query(interpolated(asked.expr))
        return {labels["name"]: texts[f"{value:g}"]["text"] for labels, value in found}

    # Braket does not have the Garnet of another Region, where the other jobs wait for it.
    eventually(lambda: shown() == {"amazon/sv1 us-east-1": "PAUSED (maintenance)"})


def test_the_left_amount_of_a_spending_limit_excludes_the_queued_one(troubled: Stage) -> None:
    rows = _rows(troubled, "fleet", "Spending limits")
    values = {letter: value for letter, ((_, value),) in rows.items()}
    expected = {"A": 25.0, "B": 100.0, "C": 70.0, "D": 5.0, "E": 0.7, "F": 1.0}
    assert {letter: values[letter] for letter in expected} == expected


def test_the_teams_of_aggregates_add_up_to_all_jobs(troubled: Stage) -> None:
    def active() -> dict[str, float]:
        return {labels["team"]: value for labels, value in _rows(troubled, "fleet", "Team totals")["A"]}

    def of_all() -> float:
        queries = [
            asked for asked in ASKED if asked.place in ("Running", "Queued") and asked.dashboard == "braket-fleet.json"
        ]
        return sum(float(troubled.answer(asked)[0]["value"][1]) for asked in queries) + 1  # one is CANCELLING

    eventually(lambda: active().keys() == {"chemistry", "untagged"} and active()["chemistry"] == 1)
    eventually(lambda: sum(active().values()) == of_all())


def test_a_job_has_one_row_of_each_detail(troubled: Stage) -> None:
    (asked,) = (asked for asked in ASKED if asked.place == "Job details")
    answer = troubled.prometheus.query(_each_second(interpolated(asked.expr, job_arn("running"))))
    assert {row["fact"]: row["value"] for row, _ in answer} == {
        "Name": "running",
        "ID": "running",
        "Account": "123456789012",
        "Region": "us-east-1",
        "Device": "amazon/sv1",
        "Device type": "simulator",
        "Instance type": "ml.m5.large",
        "Team": "chemistry",
        "Instances": "1",
        "Max run time": "600 min",
    }
    assert len(answer) == 10


def test_each_target_of_an_exporter_has_one_row_with_all_its_values(troubled: Stage) -> None:
    rows = [troubled.answer(asked) for asked in ASKED if asked.place == "Targets"]
    assert [len(row) for row in rows] == [2] * 6
    for row in rows:
        assert {sample["metric"]["job"] for sample in row} == {"braket-exporter", "replica"}
        assert {sample["metric"]["target"] for sample in row} == {"chemistry"}
