"""The dashboards over the past: what each query costs, and what a page shows when there is nothing to show."""

import re
from collections.abc import Iterator
from typing import Any, Final, NamedTuple

import history
import pytest
from dashboard_support import ASKED, MADE, Asked, interpolated, panels
from expected_texts import BAD, TEXTS
from history import DAY, END
from servers import Prometheus, prometheus_with
from shown import Shown, shown

from grafana.colours import NO_STATUS

EVERY_PANEL: Final = [(name, panel) for name in MADE for panel in panels(name)]
MOST_SAMPLES: Final = 5_000_000


@pytest.fixture(scope="module")
def prometheus(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Prometheus]:
    folder = tmp_path_factory.mktemp("history")
    history.build(folder)
    config = folder / "prometheus.yaml"
    config.write_text("global: {}\n", encoding="utf-8")
    with prometheus_with(config, folder, "--storage.tsdb.retention.time=10y") as server:
        yield server


class State(NamedTuple):
    """A moment, a fleet and a job to look at."""

    at: int = END
    account: str = ".*"
    instance: str = ".*"
    job: str = history.RUNNING


LARGE: Final = State()


def _ask(prometheus: Prometheus, asked: Asked, seconds: int, state: State = LARGE) -> Any:
    """Ask as Grafana does, with the statistics of the query."""
    interval = asked.interval(seconds)
    choice = {"account": state.account, "instance": state.instance}
    expr = interpolated(asked.expr, state.job, **choice, seconds=seconds, interval=interval)
    if not asked.ranges:
        return prometheus.ask("query", query=expr, time=str(state.at), stats="all")
    step = 60 if asked.place.startswith("annotation") else interval
    start, end = ((state.at - seconds) // step * step, state.at // step * step)
    return prometheus.ask("query_range", query=expr, start=str(start), end=str(end), step=str(step), stats="all")


def look(prometheus: Prometheus, dashboard: str, panel: dict[str, Any], state: State) -> Shown:
    """Look at a panel of a day."""
    mine = [asked for asked in ASKED if (asked.dashboard, asked.place) == (dashboard, panel["title"])]
    return shown(panel, [_ask(prometheus, asked, DAY, state)["result"] for asked in mine])


def samples_of(prometheus: Prometheus, asked: Asked, seconds: int) -> int:
    """Count the samples that a query reads with 10,000 jobs and a scrape every 15 seconds; see ``history``."""
    counted: int = _ask(prometheus, asked, seconds)["stats"]["samples"]["totalQueryableSamples"]
    if "$job" in asked.expr:
        return counted
    reads_ranges = re.search(r"\[(\d+[smh]|\$__rate_interval)\]", asked.expr)
    return counted * history.SHARE * (history.SPACING // 15 if reads_ranges else 1)


@pytest.mark.parametrize("days", [1, 7])
@pytest.mark.parametrize("asked", ASKED, ids=lambda asked: "-".join(asked.key))
def test_a_query_reads_less_than_5_million_samples_of_10000_jobs(
    prometheus: Prometheus, asked: Asked, days: int, record_property: Any
) -> None:
    samples = samples_of(prometheus, asked, days * DAY)
    record_property("samples", samples)
    assert samples < MOST_SAMPLES


# Panels without data

NOTHING_WRONG: Final = State(account=history.SMALL, instance="exporter-1.*")
NO_EXPORTER: Final = State(at=END + 40 * DAY)
NO_SUCH_JOB: Final = NOTHING_WRONG._replace(job=history.UNKNOWN)
STATES: Final = (NOTHING_WRONG, NO_EXPORTER, NO_SUCH_JOB)


@pytest.mark.parametrize(("dashboard", "panel"), EVERY_PANEL, ids=[f"{d}-{p['title']}" for d, p in EVERY_PANEL])
def test_a_panel_names_its_state_when_it_has_no_data(
    prometheus: Prometheus, dashboard: str, panel: dict[str, Any]
) -> None:
    seen = tuple(look(prometheus, dashboard, panel, state) for state in STATES)
    assert seen == TEXTS[dashboard.removeprefix("braket-").removesuffix(".json"), panel["title"]]


def test_no_text_for_missing_data_has_the_colour_of_a_good_value() -> None:
    for key, (_, no_exporter, no_such_job) in TEXTS.items():
        assert no_exporter.colour in {"text", NO_STATUS, BAD}, key
        assert key[0] != "job" or no_such_job.colour in {"text", NO_STATUS}, key
        assert no_exporter.text not in {"No problems", "No failures", "None", "Successful"}, key


# The past

DIED: Final = State(at=END + 600, account=history.LARGE)
LATER: Final = State(at=END + 3 * DAY, job=history.COMPLETED)


def _answer(prometheus: Prometheus, dashboard: str, place: str, state: State, days: int = 1) -> list[dict[str, Any]]:
    (asked, *_) = (a for a in ASKED if (a.dashboard, a.place) == (f"braket-{dashboard}.json", place))
    answer: list[dict[str, Any]] = _ask(prometheus, asked, days * DAY, state)["result"]
    return answer


def _value(prometheus: Prometheus, dashboard: str, place: str, state: State, days: int = 1) -> float:
    (sample,) = _answer(prometheus, dashboard, place, state, days)
    return float(sample["value"][1])


def test_failures_remain_after_the_exporter_died(prometheus: Prometheus) -> None:
    before = _answer(prometheus, "fleet", "Problems", DIED._replace(at=END))
    after = _answer(prometheus, "fleet", "Problems", DIED)
    failed = {sample["metric"]["job_arn"] for sample in before if sample["metric"]["problem"] == "FAILED"}
    assert failed
    assert failed == {sample["metric"]["job_arn"] for sample in after if sample["metric"]["problem"] == "FAILED"}
    assert {sample["metric"]["category"] for sample in after} == {"AlgorithmError"}
    assert _value(prometheus, "fleet", "Failed", DIED) > 0
    assert _value(prometheus, "fleet", "Exporters", DIED) == 0
    (running,) = (panel for panel in panels("braket-fleet.json") if panel["title"] == "Running")
    assert look(prometheus, "braket-fleet.json", running, DIED) == ("No exporter", "text")


def test_a_job_that_ended_days_ago_shows_its_last_state(prometheus: Prometheus) -> None:
    (status,) = _answer(prometheus, "job", "Status", LATER, 4)
    assert status["metric"]["status"] == "COMPLETED"
    assert _value(prometheus, "job", "Data age", LATER, 4) == -1
    assert _value(prometheus, "job", "Time left", LATER, 4) == -1
    assert _value(prometheus, "job", "Run time used", LATER, 4) == pytest.approx(2 / 120)
    assert _value(prometheus, "job", "Billed time", LATER, 4) == 7200
    facts = {
        row["metric"]["fact"]: row["metric"]["value"] for row in _answer(prometheus, "job", "Job details", LATER, 4)
    }
    assert (facts["ID"], facts["Max run time"]) == (history.COMPLETED.partition("/")[2], "7200 min")
    phases = {row["metric"]["phase"]: float(row["value"][1]) for row in _answer(prometheus, "job", "Phases", LATER, 4)}
    assert phases == {"queued": 3600, "preparing": 60, "running": 7140}


def test_a_job_of_a_dead_exporter_has_old_data(prometheus: Prometheus) -> None:
    state = State(at=END + 2 * history.HOUR)
    (status,) = _answer(prometheus, "job", "Status", state)
    assert status["metric"]["status"] == "RUNNING"
    assert _value(prometheus, "job", "Data age", state) == 2 * history.HOUR


def test_a_job_that_ended_days_ago_can_be_chosen(prometheus: Prometheus) -> None:
    (variable,) = (each for each in MADE["braket-job.json"]["templating"]["list"] if each["name"] == "job")
    query = interpolated(variable["definition"], seconds=4 * DAY).removeprefix("query_result(").removesuffix(")")
    found = prometheus.ask("query", query=query, time=str(END + 3 * DAY))["result"]
    assert history.COMPLETED in {sample["metric"]["job_arn"] for sample in found}
