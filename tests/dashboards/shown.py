"""What a panel shows for the answers to its queries, by Grafana's rules for mappings, thresholds and missing data."""

import math
from typing import Any, NamedTuple

VALUE = "a value"


class Shown(NamedTuple):
    """A text and its colour; ``VALUE`` stands for numbers, texts and graphs of data."""

    text: str
    colour: str


def shown(panel: dict[str, Any], answers: list[list[dict[str, Any]]]) -> Shown:
    """Say what a panel shows."""
    if panel["type"] == "stat":
        return _of_a_stat(panel, answers[0])
    if panel["type"] == "table":
        return _of_a_table(panel, answers[0])
    if panel["type"] == "state-timeline":
        values = {float(value) for series in answers[0] for _, value in series["values"]}
        return _displayed(values.pop() if len(values) == 1 else VALUE, *_of_defaults(panel))
    # A graph without series shows its text in grey.
    return Shown(VALUE, "series") if any(answers) else Shown(panel["fieldConfig"]["defaults"]["noValue"], "text")


def _of_a_stat(panel: dict[str, Any], answer: list[dict[str, Any]]) -> Shown:
    assert len(answer) <= 1, f"{panel['title']} shows one of {len(answer)} values"
    fields = panel["options"]["reduceOptions"].get("fields", "")
    found = [sample["metric"].get(fields.strip("/^$")) if fields else float(sample["value"][1]) for sample in answer]
    return _displayed(found[0] if found else None, *_of_defaults(panel))


def _of_defaults(panel: dict[str, Any]) -> tuple[list[Any], list[dict[str, Any]]]:
    defaults = panel["fieldConfig"]["defaults"]
    return defaults["mappings"], defaults["thresholds"]["steps"]


def _of_a_table(panel: dict[str, Any], answer: list[dict[str, Any]]) -> Shown:
    if not answer:
        return Shown(panel["fieldConfig"]["defaults"]["noValue"], "text")
    if not math.isnan(float(answer[0]["value"][1])):
        return Shown(VALUE, "cells")
    assert len(answer) == 1
    titles = panel["transformations"][-1]["options"]["renameByName"]
    ((label, text),) = ((name, answer[0]["metric"][name]) for name in titles if name in answer[0]["metric"])
    overrides = [each for each in panel["fieldConfig"]["overrides"] if each["matcher"]["options"] == titles[label]]
    mappings = [
        mapping
        for override in overrides
        for entry in override["properties"]
        if entry["id"] == "mappings"
        for mapping in entry["value"]
    ]
    return _displayed(text, mappings, [{"value": None, "color": "text"}], plain=text)


def _displayed(value: Any, mappings: list[Any], steps: list[dict[str, Any]], plain: str = VALUE) -> Shown:
    missing = value is None or (isinstance(value, float) and math.isnan(value))
    for mapping in mappings:
        options = mapping["options"]
        if mapping["type"] == "special" and missing:
            return Shown(options["result"]["text"], options["result"]["color"])
        key = f"{value:g}" if isinstance(value, float) else str(value)
        if mapping["type"] == "value" and not missing and key in options:
            return Shown(options[key]["text"], options[key]["color"])
    assert not missing, "nothing maps a missing value"
    reached = [
        step["color"]
        for step in steps
        if step.get("value") is None or (isinstance(value, float) and value >= step["value"])
    ]
    return Shown(plain, reached[-1])
