"""The generated dashboards, and their queries as Grafana sends them."""

import json
import re
from collections.abc import Iterator
from typing import Any, Final, NamedTuple

from grafana.__main__ import DASHBOARDS
from grafana.dashboards import to_json

MADE: dict[str, dict[str, Any]] = {name: json.loads(to_json(make())) for name, make in DASHBOARDS.items()}

DEFAULT_POINTS: Final = 1000
"""Steps of a graph about as wide as a screen, where the panel sets none."""

SCRAPE_SECONDS: Final = 15
"""The scrape interval of docs/prometheus.yaml."""


class Asked(NamedTuple):
    """A query of a dashboard, and its panel."""

    dashboard: str
    place: str
    letter: str
    expr: str
    ranges: bool
    points: int = DEFAULT_POINTS
    least: int = SCRAPE_SECONDS

    @property
    def key(self) -> tuple[str, str, str]:
        return self.dashboard.removeprefix("braket-").removesuffix(".json"), self.place, self.letter

    def interval(self, seconds: int) -> int:
        """Choose a step in seconds for a time range, as Grafana does."""
        return max(self.least, rounded(seconds / self.points))


STEPS: Final = {
    7.5: 5,
    12.5: 10,
    17.5: 15,
    25: 20,
    45: 30,
    90: 60,
    210: 120,
    450: 300,
    750: 600,
    1050: 900,
    1500: 1200,
    2700: 1800,
    5400: 3600,
    9000: 7200,
    16200: 10800,
    32400: 21600,
    86400: 43200,
    604800: 86400,
}
"""Grafana's rounding of steps: the step below each limit, in seconds."""


def rounded(seconds: float) -> int:
    return next((step for limit, step in STEPS.items() if seconds < limit), 604800)


def panels(dashboard: str) -> list[dict[str, Any]]:
    return [panel for panel in MADE[dashboard]["panels"] if panel["type"] != "row"]


def _all_asked() -> Iterator[Asked]:
    for name, made in MADE.items():
        for panel in panels(name):
            points = panel.get("maxDataPoints", DEFAULT_POINTS)
            least = int(panel.get("interval", "0m").removesuffix("m")) * 60 or SCRAPE_SECONDS
            for target in panel["targets"]:
                key = panel["title"], target["refId"], target["expr"], bool(target.get("range"))
                yield Asked(name, *key, points, least)
        for mark in made["annotations"]["list"]:
            yield Asked(name, f"annotation {mark['name']}", "A", mark["expr"], ranges=True, least=60)


ASKED = [*_all_asked()]

CHOICES = dict.fromkeys(("$account", "$region", "$device", "$status", "$instance"), ".*")


def interpolated(
    text: str, job: str = "arn", *, account: str = ".*", instance: str = ".*", seconds: int = 3600, interval: int = 120
) -> str:
    """Replace Grafana variables."""
    times = {
        "$__rate_interval": f"{max(4 * SCRAPE_SECONDS, interval + SCRAPE_SECONDS)}s",
        "$__interval": f"{interval}s",
        "$__range_s": str(seconds),
        "$__range": f"{seconds}s",
    }
    for name, value in (
        times | CHOICES | {"$account": account, "$instance": instance, "$job": job, "$tag": "tag_team"}
    ).items():
        text = re.sub(rf"{re.escape(name)}(?!\w)", lambda _, value=value: value, text)  # type: ignore[misc]
    return text
