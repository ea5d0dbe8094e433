"""The generated dashboards, and their queries as Grafana sends them."""

import json
import re
from collections.abc import Iterator
from typing import Any, NamedTuple

from grafana.__main__ import DASHBOARDS
from grafana.dashboards import to_json

MADE: dict[str, dict[str, Any]] = {name: json.loads(to_json(make())) for name, make in DASHBOARDS.items()}


class Asked(NamedTuple):
    """A query of a dashboard, and its panel."""

    dashboard: str
    place: str
    letter: str
    expr: str
    ranges: bool

    @property
    def key(self) -> tuple[str, str, str]:
        return self.dashboard.removeprefix("braket-").removesuffix(".json"), self.place, self.letter


def panels(dashboard: str) -> list[dict[str, Any]]:
    return [panel for panel in MADE[dashboard]["panels"] if panel["type"] != "row"]


def _all_asked() -> Iterator[Asked]:
    for name, made in MADE.items():
        for panel in panels(name):
            for target in panel["targets"]:
                yield Asked(name, panel["title"], target["refId"], target["expr"], bool(target.get("range")))
        for mark in made["annotations"]["list"]:
            yield Asked(name, f"annotation {mark['name']}", "A", mark["expr"], ranges=True)


ASKED = [*_all_asked()]

INTERVALS = {"$__rate_interval": "2m", "$__interval": "2m", "$__range_s": "3600", "$__range": "1h"}
CHOICES = dict.fromkeys(("$account", "$region", "$device", "$status"), ".*")


def interpolated(text: str, job: str = "arn") -> str:
    """Replace Grafana variables."""
    for name, value in (INTERVALS | CHOICES | {"$job": job}).items():
        text = re.sub(rf"{re.escape(name)}(?!\w)", lambda _, value=value: value, text)  # type: ignore[misc]
    return text
