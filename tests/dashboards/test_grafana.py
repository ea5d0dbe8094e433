"""The Grafana dashboards: layout, panels, queries and provisioning."""

import json
import re
from collections import defaultdict
from collections.abc import Iterator
from itertools import combinations
from pathlib import Path
from typing import Any

import pytest
import yaml
from dashboard_support import MADE, panels

from grafana.__main__ import DASHBOARDS, FOLDER
from grafana.dashboards import to_json

ROOT = Path(__file__).parents[2]
RULES = ROOT / "helm" / "braket-exporter" / "rules"

EVERY_PANEL = [(name, panel) for name in MADE for panel in panels(name)]
EVERY_VARIABLE = [(name, variable) for name, made in MADE.items() for variable in made["templating"]["list"]]
each_panel = pytest.mark.parametrize(
    ("name", "panel"), EVERY_PANEL, ids=[f"{name}-{panel['title']}" for name, panel in EVERY_PANEL]
)
each_dashboard = pytest.mark.parametrize("name", MADE)


# Layout and panels


@each_dashboard
def test_the_committed_file_is_up_to_date(name: str) -> None:
    assert (FOLDER / name).read_text(encoding="utf-8") == to_json(DASHBOARDS[name]()), "run make dashboards"


def test_nothing_but_the_dashboards_is_committed_beside_them() -> None:
    assert sorted(path.name for path in FOLDER.iterdir()) == sorted(DASHBOARDS)


def test_alerts_link_to_existing_dashboards_and_variables() -> None:
    files = [yaml.safe_load(path.read_text(encoding="utf-8")) for path in RULES.glob("*.yaml")]
    rules = [rule for file in files for group in file["groups"] for rule in group["rules"] if "alert" in rule]
    links = {rule["annotations"]["dashboard"] for rule in rules}
    assert links == {"/d/braket-exporter", "/d/braket-fleet", "/d/braket-job?var-job={{ $labels.job_arn | urlquery }}"}
    known = {made["uid"]: {variable["name"] for variable in made["templating"]["list"]} for made in MADE.values()}
    assert {"braket-exporter", "braket-fleet"} <= known.keys()
    assert "job" in known["braket-job"]


@each_dashboard
def test_no_panel_lies_over_another_or_beyond_the_grid(name: str) -> None:
    places = [panel["gridPos"] for panel in MADE[name]["panels"]]
    cells = [
        {(x, y) for x in range(at["x"], at["x"] + at["w"]) for y in range(at["y"], at["y"] + at["h"])} for at in places
    ]
    assert all(one.isdisjoint(other) for one, other in combinations(cells, 2))
    assert all(0 <= x < 24 for cell in cells for x, _ in cell)


@each_dashboard
def test_the_rows_leave_no_gap(name: str) -> None:
    places = [panel["gridPos"] for panel in MADE[name]["panels"]]
    assert sum(at["w"] * at["h"] for at in places) == 24 * max(at["y"] + at["h"] for at in places)


@each_dashboard
def test_the_first_rows_fit_on_a_screen_of_1080_pixels(name: str) -> None:
    # A row of the grid has 38 pixels; the headers of browser and Grafana have about 250 of the 1080.
    bottoms = {
        panel["gridPos"]["y"] + panel["gridPos"]["h"] for panel in MADE[name]["panels"] if panel["type"] != "row"
    }
    assert 38 * sorted(bottoms)[1] <= 830


@each_dashboard
def test_every_panel_has_an_id_of_its_own(name: str) -> None:
    ids = [panel["id"] for panel in MADE[name]["panels"]]
    assert sorted(ids) == list(range(1, len(ids) + 1))


def test_every_dashboard_has_an_identity_and_a_title_of_its_own() -> None:
    assert [made["uid"] for made in MADE.values()] == ["braket-fleet", "braket-job", "braket-exporter"]
    assert len({made["title"] for made in MADE.values()}) == 3


@each_panel
def test_every_panel_has_a_description_a_unit_and_a_text_without_data(name: str, panel: dict[str, Any]) -> None:
    assert panel["description"].endswith("."), name
    defaults = panel["fieldConfig"]["defaults"]
    assert defaults["noValue"]
    assert defaults["unit"]


@each_panel
def test_every_panel_uses_the_selected_data_source(name: str, panel: dict[str, Any]) -> None:
    sources = [panel["datasource"], *(target["datasource"] for target in panel["targets"])]
    assert sources == [{"type": "prometheus", "uid": "${datasource}"}] * len(sources), name


@each_panel
def test_values_are_reduced_and_legends_are_shown(name: str, panel: dict[str, Any]) -> None:
    if panel["type"] in {"stat", "bargauge"}:
        assert panel["options"]["reduceOptions"]["calcs"] == ["lastNotNull"], name
    if panel["type"] == "timeseries":
        assert panel["options"]["legend"]["showLegend"] is True, name


def test_no_data_source_is_named_anywhere() -> None:
    for name, made in MADE.items():
        text = json.dumps(made)
        assert set(re.findall(r'"uid": "([^"]+)"', text)) == {made["uid"], "${datasource}"}, name


def test_a_status_has_one_colour_everywhere() -> None:
    colours: defaultdict[str, set[str]] = defaultdict(set)
    for _, panel in EVERY_PANEL:
        for text, colour in _colours(panel):
            colours[text].add(colour)
    for status in ("QUEUED", "RUNNING", "COMPLETED", "FAILED", "CANCELLING", "CANCELLED", "MAX_RUNTIME_EXCEEDED"):
        assert len(colours[status]) == 1, status


def _colours(panel: dict[str, Any]) -> Iterator[tuple[str, str]]:
    """Yield each name of a series and each mapped text that has a colour of its own."""
    mappings = [*panel["fieldConfig"]["defaults"].get("mappings", [])]
    for override in panel["fieldConfig"]["overrides"]:
        for entry in override["properties"]:
            if entry["id"] == "color":
                yield override["matcher"]["options"], entry["value"]["fixedColor"]
            mappings += entry["value"] if entry["id"] == "mappings" else []
    yield from (
        (look["text"], look["color"]) for mapping in mappings for look in mapping["options"].values() if "color" in look
    )


def test_links_keep_the_selected_variables_from_the_fleet_to_a_job() -> None:
    links = {
        entry["value"][0]["url"]
        for name, panel in EVERY_PANEL
        if name == "braket-fleet.json"
        for override in panel["fieldConfig"]["overrides"]
        for entry in override["properties"]
        if entry["id"] == "links"
    }
    to_the_job = "/d/braket-job?var-job=${__data.fields.job_arn:percentencode}"
    choices = "".join(f"&${{{name}:queryparam}}" for name in ("datasource", "account", "region", "device", "tag"))
    assert links == {f"{to_the_job}{choices}&${{__url_time_range}}"}
    for made in MADE.values():
        link = made["links"][0]
        assert (link["type"], link["tags"], link["includeVars"], link["keepTime"]) == (
            "dashboards",
            ["amazon-braket"],
            True,
            True,
        )
        assert "amazon-braket" in made["tags"]


def test_a_job_links_to_the_console_of_its_region_and_to_its_logs() -> None:
    console, logs = (link["url"] for link in MADE["braket-job.json"]["links"][1:])
    assert console == "https://${job_region}.console.aws.amazon.com/braket/home?region=${job_region}#/jobs"
    assert logs.startswith("https://${job_region}.console.aws.amazon.com/cloudwatch/home?region=${job_region}#logsV2")
    assert logs.endswith("$252Faws$252Fbraket$252Fjobs$3FlogStreamNameFilter$3D${job_name}$252F")


def test_no_filter_and_no_refresh_replaces_the_job_of_a_url() -> None:
    variables = {variable["name"]: variable for variable in MADE["braket-job.json"]["templating"]["list"]}
    job = variables["job"]
    assert re.findall(r"\$\{?([a-z]\w*)", json.dumps(job["query"])) == []
    assert job["refresh"] == 1, "only when the dashboard loads"
    assert "status" not in variables
    # Whatever else changes, no shown variable but these two could filter the choice.
    assert [name for name, variable in variables.items() if not variable.get("hide")] == ["datasource", "job"]


@each_dashboard
def test_annotations_are_lines_of_at_most_two_graphs(name: str) -> None:
    types = {panel["id"]: panel["type"] for panel in MADE[name]["panels"]}
    for mark in MADE[name]["annotations"]["list"]:
        assert not mark["filter"]["exclude"]
        assert 1 <= len(mark["filter"]["ids"]) <= 2
        assert {types[number] for number in mark["filter"]["ids"]} <= {"timeseries", "state-timeline"}


@pytest.mark.parametrize(
    ("name", "panel"),
    [(name, panel) for name, panel in EVERY_PANEL if panel["type"] == "table"],
    ids=[f"{name}-{panel['title']}" for name, panel in EVERY_PANEL if panel["type"] == "table"],
)
def test_the_columns_of_a_table_fit_on_a_screen_of_1366_pixels(name: str, panel: dict[str, Any]) -> None:
    titles = [*panel["transformations"][-1]["options"]["renameByName"].values()]
    widths = {
        override["matcher"]["options"]: entry["value"]
        for override in panel["fieldConfig"]["overrides"]
        for entry in override["properties"]
        if entry["id"] == "custom.width"
    }
    pixels = (1366 - 32) * panel["gridPos"]["w"] / 24 - 8 - 16
    assert sum(widths.get(title, 110) for title in titles) <= pixels, name


# Provisioning


def test_a_plain_grafana_finds_the_dashboards_where_the_documentation_mounts_them() -> None:
    (provider,) = _provisioning("dashboards/braket.yaml")["providers"]
    path = provider["options"]["path"]
    assert (provider["type"], path) == ("file", "/etc/grafana/dashboards")
    documented = (ROOT / "docs" / "use" / "dashboards.md").read_text(encoding="utf-8")
    assert f"$PWD/grafana/dashboards:{path}:ro" in documented
    assert "$PWD/grafana/provisioning:/etc/grafana/provisioning:ro" in documented


def test_a_plain_grafana_has_the_data_source_of_its_environment() -> None:
    (source,) = _provisioning("datasources/prometheus.yaml")["datasources"]
    assert (source["type"], source["url"], source["isDefault"]) == ("prometheus", "$PROMETHEUS_URL", True)
    assert "-e PROMETHEUS_URL=" in (ROOT / "docs" / "use" / "dashboards.md").read_text(encoding="utf-8")


@each_dashboard
def test_each_dashboard_is_documented(name: str) -> None:
    row = f"| {MADE[name]['title']} | `{MADE[name]['uid']}` |"
    assert row in (ROOT / "docs" / "use" / "dashboards.md").read_text(encoding="utf-8")


def _provisioning(path: str) -> Any:
    document = yaml.safe_load((ROOT / "grafana" / "provisioning" / path).read_text(encoding="utf-8"))
    assert document["apiVersion"] == 1
    return document
