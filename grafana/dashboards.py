"""The layout of a dashboard: rows of panels on a grid of 24 columns, and links to the other dashboards."""

import json
from collections.abc import Sequence
from typing import Final, NamedTuple

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
from grafana_foundation_sdk.models.table import Options as TableOptions

from grafana.variables import DATA_SOURCE, Variable

TAG: Final = "amazon-braket"
COLUMNS: Final = 24

FLEET: Final = "braket-fleet"
JOB: Final = "braket-job"
EXPORTER: Final = "braket-exporter"
"""The UIDs of the dashboards. The alerts link to the last two."""


class Row(NamedTuple):
    """Panels side by side.

    Attributes:
        height: in grid units of about 38 pixels.
        panels: each with its width in columns; at most 24 in total.
        title: of the row, if it has one.
    """

    height: int
    panels: Sequence[tuple[int, Builder[Panel]]]
    title: str | None = None


def assemble(
    uid: str,
    title: str,
    description: str,
    rows: Sequence[Row],
    *,
    variables: Sequence[Variable],
    annotations: Sequence[Builder[AnnotationQuery]],
    since: str,
    links: Sequence[Builder[DashboardLink]] = (),
) -> Dashboard:
    """Build a dashboard; ``since`` is its default time range, such as 24h."""
    made = (
        dashboard.Dashboard(title)
        .uid(uid)
        .description(description)
        .tags([TAG])
        .timezone("browser")
        .tooltip(DashboardCursorSync.CROSSHAIR)
        .time(f"now-{since}", "now")
        .refresh("1m")
        .editable()
        .variables([*variables])
        .annotations([*annotations])
        .links([_to_the_others(), *links])
        .build()
    )
    made.panels = _placed(rows)
    return made


def annotation(name: str, expr: str, title: str, text: str, colour: str) -> Builder[AnnotationQuery]:
    """Annotate the times that a query returns, in milliseconds of Unix time."""
    return (
        dashboard.AnnotationQuery()
        .name(name)
        .datasource(DATA_SOURCE)
        .enable(enable=True)
        .icon_color(colour)
        .expr(expr)
        .title_format(title)
        .text_format(text)
        .step("60s")
        .use_value_for_time(use_value_for_time=True)
    )


def to_json(made: Dashboard) -> str:
    """Convert a dashboard to JSON for Grafana."""
    return json.dumps(made, cls=JSONEncoder, indent=2, ensure_ascii=False) + "\n"


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
            heading.id_val, heading.grid_pos = len(placed) + 1, GridPos(x=0, y=top, w=COLUMNS, h=1)
            placed.append(heading)
            top += 1
        left = 0
        for width, builder in row.panels:
            panel = builder.build()
            if isinstance(panel.options, TableOptions):
                panel.options.footer = None  # the SDK's default; Grafana has moved this option
            panel.id_val, panel.grid_pos = len(placed) + 1, GridPos(x=left, y=top, w=width, h=row.height)
            placed.append(panel)
            left += width
        top += row.height
    return placed
