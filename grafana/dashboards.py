"""The layout of a dashboard: rows of panels on a grid of 24 columns, and links to the other dashboards."""

import json
from collections.abc import Iterator, Mapping, Sequence
from typing import Any, Final, NamedTuple

from grafana_foundation_sdk.builders import dashboard
from grafana_foundation_sdk.cog.builder import Builder
from grafana_foundation_sdk.cog.encoder import JSONEncoder
from grafana_foundation_sdk.models.dashboard import (
    AnnotationQuery,
    Dashboard,
    DashboardCursorSync,
    DashboardLink,
    DashboardLinkType,
    GridPos,
    Panel,
    RowPanel,
)

from grafana.variables import DATA_SOURCE, Variable

TAG: Final = "amazon-braket"
COLUMNS: Final = 24

FLEET: Final = "braket-fleet"
JOB: Final = "braket-job"
EXPORTER: Final = "braket-exporter"
"""The UIDs of the dashboards. The alerts link to them."""

UNCHOSEN: Final[Mapping[str, frozenset[str]]] = {
    "links": frozenset({"placement"}),
    "annotations": frozenset({"placement", "builtIn", "hide"}),
    "variables": frozenset({"auto", "auto_count", "auto_min", "allowCustomValue", "skipUrlSync"}),
    "panels": frozenset({"transparent", "repeatDirection"}),
    "options": frozenset({"perPage", "footer", "showTypeIcons"}),
}
"""Defaults of the SDK that are not Grafana's, or that only new releases know: Grafana's own default is better."""

Stack = Builder[Panel] | Sequence[Builder[Panel]]
"""A panel, or several of the same height above each other."""


class Row(NamedTuple):
    """Panels side by side.

    Attributes:
        height: in grid units of about 38 pixels.
        panels: each with its width in columns; 24 in total.
        title: of the row, if it has one.
    """

    height: int
    panels: Sequence[tuple[int, Stack]]
    title: str | None = None


class Mark(NamedTuple):
    """An annotation of some panels at times that a query returns, in milliseconds of Unix time.

    Attributes:
        name: of the annotation.
        expr: PromQL.
        title: of each mark.
        text: of each mark.
        colour: of the line.
        panels: titles of the panels that show it. On every panel, the lines would hide the graphs.
    """

    name: str
    expr: str
    title: str
    text: str
    colour: str
    panels: Sequence[str]


def assemble(
    uid: str,
    title: str,
    description: str,
    rows: Sequence[Row],
    *,
    variables: Sequence[Variable],
    marks: Sequence[Mark] = (),
    since: str,
    links: Sequence[Builder[DashboardLink]] = (),
) -> Dashboard:
    """Build a dashboard; ``since`` is its default time range, such as 24h."""
    placed = _placed(rows)
    ids = {panel.title: panel.id_val for panel in placed}
    made = (
        dashboard.Dashboard(title)
        .uid(uid)
        .description(f"{description} Times are in the time zone of the browser.")
        .tags([TAG])
        .timezone("browser")
        .tooltip(DashboardCursorSync.CROSSHAIR)
        .time(f"now-{since}", "now")
        .refresh("1m")
        .editable()
        .variables([*variables])
        .annotations([_annotation(mark, [ids[panel] or 0 for panel in mark.panels]) for mark in marks])
        .links([_to_the_others(), *links])
        .build()
    )
    made.panels = placed
    return made


def _annotation(mark: Mark, panels: list[int]) -> Builder[AnnotationQuery]:
    return (
        dashboard.AnnotationQuery()
        .name(mark.name)
        .datasource(DATA_SOURCE)
        .enable(enable=True)
        .icon_color(mark.colour)
        .expr(mark.expr)
        .title_format(mark.title)
        .text_format(mark.text)
        .step("60s")
        .use_value_for_time(use_value_for_time=True)
        .filter(dashboard.AnnotationPanelFilter().exclude(exclude=False).ids(panels))
    )


def to_json(made: Dashboard) -> str:
    """Convert a dashboard to JSON for Grafana."""
    content = json.loads(json.dumps(made, cls=JSONEncoder))
    for part, entry in _parts(content):
        for key in UNCHOSEN[part] & entry.keys():
            del entry[key]
    return json.dumps(content, indent=2, ensure_ascii=False) + "\n"


def _parts(content: Any) -> Iterator[tuple[str, dict[str, Any]]]:  # noqa: ANN401 -- JSON
    found = {
        "links": content["links"],
        "annotations": content["annotations"]["list"],
        "variables": content["templating"]["list"],
        "panels": content["panels"],
        "options": [panel["options"] for panel in content["panels"] if "options" in panel],
    }
    yield from ((part, entry) for part, entries in found.items() for entry in entries)


def _to_the_others() -> dashboard.DashboardLink:
    return (
        dashboard.DashboardLink("Amazon Braket")
        .type(DashboardLinkType.DASHBOARDS)
        .tags([TAG])
        .include_vars(include_vars=True)
        .keep_time(keep_time=True)
    )


def _placed(rows: Sequence[Row]) -> list[Panel | RowPanel]:
    placed: list[Panel | RowPanel] = []
    top = 0
    for row in rows:
        if row.title is not None:
            heading = dashboard.Row(row.title).build()
            heading.grid_pos = GridPos(x=0, y=top, w=COLUMNS, h=1)
            placed.append(heading)
            top += 1
        placed += _side_by_side(row, top)
        top += row.height
    for number, panel in enumerate(placed, 1):
        panel.id_val = number
    return placed


def _side_by_side(row: Row, top: int) -> Iterator[Panel]:
    left = 0
    for width, stack in row.panels:
        builders = stack if isinstance(stack, Sequence) else [stack]
        height = row.height // len(builders)
        for index, builder in enumerate(builders):
            panel = builder.build()
            panel.grid_pos = GridPos(x=left, y=top + index * height, w=width, h=height)
            yield panel
        left += width
