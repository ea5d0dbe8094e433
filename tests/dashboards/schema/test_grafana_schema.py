"""The dashboards in the words of Grafana's own types: nothing misspelt, nothing of the wrong kind."""

import copy
import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import grafana_schema
import pytest
from jsonschema import Draft7Validator

DASHBOARDS = sorted((Path(__file__).parents[3] / "grafana" / "dashboards").glob("*.json"))

PROMETHEUS = {"type": "prometheus", "uid": "${datasource}"}
TOOLTIP = {"mode": "multi", "sort": "none"}
LEGEND = {"displayMode": "list", "placement": "bottom", "showLegend": True, "calcs": ["lastNotNull"]}
SAMPLE: dict[str, Any] = {
    "uid": "sample",
    "title": "Sample",
    "schemaVersion": 42,
    "graphTooltip": 1,
    "time": {"from": "now-6h", "to": "now"},
    "templating": {"list": [{"name": "datasource", "type": "datasource", "query": "prometheus"}]},
    "panels": [
        {
            "id": 1,
            "type": "timeseries",
            "gridPos": {"x": 0, "y": 0, "w": 12, "h": 8},
            "datasource": PROMETHEUS,
            "targets": [{"refId": "A", "expr": "up", "range": True, "datasource": PROMETHEUS}],
            "options": {"legend": LEGEND, "tooltip": TOOLTIP},
            "fieldConfig": {
                "defaults": {
                    "unit": "s",
                    "custom": {"drawStyle": "line", "lineWidth": 2},
                    "thresholds": {"mode": "absolute", "steps": [{"value": None, "color": "green"}]},
                },
                "overrides": [
                    {
                        "matcher": {"id": "byName", "options": "limit"},
                        "properties": [{"id": "custom.fillOpacity", "value": 0}, {"id": "unit", "value": "short"}],
                    },
                ],
            },
        },
        {"id": 2, "type": "row", "collapsed": True, "panels": [{"type": "text", "title": "inside"}]},
    ],
}


@pytest.fixture(scope="module")
def schema() -> Draft7Validator:
    return grafana_schema.validator()


def test_there_are_dashboards_to_check() -> None:
    assert DASHBOARDS


@pytest.mark.parametrize("path", DASHBOARDS, ids=lambda path: path.stem)
def test_a_dashboard_says_only_what_grafana_understands(schema: Draft7Validator, path: Path) -> None:
    assert grafana_schema.complaints(schema, json.loads(path.read_text())) == []


@pytest.mark.parametrize("path", DASHBOARDS, ids=lambda path: path.stem)
def test_grafana_10_understands_all_but_the_colour_of_a_hidden_change(path: Path) -> None:
    dashboard = json.loads(path.read_text())
    for panel in dashboard["panels"]:
        # Grafana 13 requires the option, even with showPercentChange: false.
        assert panel.get("options", {}).pop("percentChangeColorMode", "standard") == "standard"
    assert grafana_schema.complaints(grafana_schema.validator(grafana_schema.OLDEST), dashboard) == []


def test_the_schema_is_one(schema: Draft7Validator) -> None:
    Draft7Validator.check_schema(schema.schema)


def test_a_sound_sample_is_accepted(schema: Draft7Validator) -> None:
    assert grafana_schema.complaints(schema, SAMPLE) == []


@pytest.mark.parametrize(
    ("spoil", "where"),
    [
        pytest.param(lambda d, _: d.update(titel="x"), "$", id="a_misspelt_field_of_the_dashboard"),
        pytest.param(lambda d, _: d.update(refresh=30), "$.refresh", id="a_number_for_a_text"),
        pytest.param(lambda _, p: p.update(type="timeserie"), "$.panels[0].type", id="an_unknown_kind_of_panel"),
        pytest.param(lambda _, p: p["gridPos"].update(w="12"), "$.panels[0].gridPos.w", id="a_text_for_a_number"),
        pytest.param(lambda _, p: p["options"].update(legends={}), "$.panels[0].options", id="a_misspelt_option"),
        pytest.param(
            lambda _, p: p["options"].update(colorMode="value"), "$.panels[0].options", id="an_option_of_another_panel"
        ),
        pytest.param(
            lambda _, p: p["options"]["legend"].update(placement="top"),
            "$.panels[0].options.legend.placement",
            id="an_option_that_is_none_of_the_choices",
        ),
        pytest.param(lambda _, p: p["options"].pop("tooltip"), "$.panels[0].options", id="options_left_half_said"),
        pytest.param(
            lambda _, p: p["fieldConfig"]["defaults"]["custom"].update(linewidth=2),
            "$.panels[0].fieldConfig.defaults.custom",
            id="a_misspelt_style",
        ),
        pytest.param(
            lambda _, p: p["fieldConfig"]["defaults"]["thresholds"]["steps"][0].update(value="0"),
            "$.panels[0].fieldConfig.defaults.thresholds.steps[0].value",
            id="a_threshold_that_is_a_text",
        ),
        pytest.param(
            lambda _, p: p["fieldConfig"]["overrides"][0]["properties"][0].update(id="custom.fill"),
            "$.panels[0].fieldConfig.overrides[0].properties[0].id",
            id="an_override_of_nothing",
        ),
        pytest.param(
            lambda _, p: p["fieldConfig"]["overrides"][0]["properties"][1].update(value=1),
            "$.panels[0].fieldConfig.overrides[0].properties[1].value",
            id="an_override_with_a_value_of_the_wrong_type",
        ),
        pytest.param(
            lambda _, p: p["targets"][0].update(legendformat="x"), "$.panels[0].targets[0]", id="a_misspelt_query"
        ),
        pytest.param(
            lambda d, _: d["panels"][1]["panels"][0].update(options={"contents": "x", "mode": "html"}),
            "$.panels[1].panels[0].options",
            id="a_misspelt_option_inside_a_row",
        ),
        pytest.param(
            lambda d, _: d["templating"]["list"][0].update(type="data"),
            "$.templating.list[0].type",
            id="an_unknown_kind_of_variable",
        ),
    ],
)
def test_what_grafana_would_ignore_is_refused(
    schema: Draft7Validator, spoil: Callable[[Any, Any], object], where: str
) -> None:
    dashboard = copy.deepcopy(SAMPLE)
    spoil(dashboard, dashboard["panels"][0])
    assert where in {complaint.partition(":")[0] for complaint in grafana_schema.complaints(schema, dashboard)}
