"""Panel types with common defaults, and the colours of statuses."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Final, Literal, Protocol, Self, TypeVar

from grafana_foundation_sdk.builders import (
    bargauge,
    common,
    dashboard,
    prometheus,
    stat,
    statetimeline,
    table,
    timeseries,
)
from grafana_foundation_sdk.cog.builder import Builder
from grafana_foundation_sdk.models.common import (
    BarGaugeDisplayMode,
    BarGaugeNamePlacement,
    BarGaugeSizing,
    BigValueColorMode,
    BigValueGraphMode,
    BigValueTextMode,
    GraphDrawStyle,
    GraphThresholdsStyleMode,
    LegendDisplayMode,
    LegendPlacement,
    LineInterpolation,
    SortOrder,
    StackingMode,
    TooltipDisplayMode,
    VisibilityMode,
    VizOrientation,
)
from grafana_foundation_sdk.models.dashboard import (
    DataTransformerConfig,
    DynamicConfigValue,
    FieldColorModeId,
    MatcherConfig,
    Panel,
    Threshold,
    ThresholdsMode,
    ValueMap,
    ValueMappingResult,
)
from grafana_foundation_sdk.models.prometheus import PromQueryFormat, QueryEditorMode

from grafana.variables import DATA_SOURCE

GOOD: Final = "green"
BAD: Final = "red"
WARNING: Final = "orange"
NEUTRAL: Final = "text"

STATUS_COLOURS: Final = {
    "QUEUED": "yellow",
    "RUNNING": "blue",
    "COMPLETED": "green",
    "FAILED": "red",
    "CANCELLING": "orange",
    "CANCELLED": "#8e8e8e",
    "MAX_RUNTIME_EXCEEDED": "purple",
}
"""Colours of the statuses and of the event MAX_RUNTIME_EXCEEDED."""

PROBLEM_COLOURS: Final = {
    "FAILED": STATUS_COLOURS["FAILED"],
    "MAX_RUNTIME_EXCEEDED": STATUS_COLOURS["MAX_RUNTIME_EXCEEDED"],
    "NEAR MAX RUNTIME": "orange",
    "STUCK IN QUEUE": "yellow",
    "STUCK CANCELLING": "orange",
}

Steps = Sequence[tuple[float | None, str]]
"""Lower bounds (``None``: the lowest) and colours of thresholds."""

PLAIN: Final[Steps] = ((None, NEUTRAL),)


@dataclass(frozen=True, slots=True)
class Query:
    """One query of a panel.

    Attributes:
        expr: PromQL with Grafana variables.
        legend: name of each series, such as ``{{status}}``.
    """

    expr: str
    legend: str = "__auto"


@dataclass(frozen=True, slots=True)
class Column:
    """A column of a table.

    Attributes:
        label: of the query's result; ``Value`` is the sample's value.
        title: of the column.
        unit: Grafana unit; without one the column is text.
        colours: of texts in the column.
        link: title and URL of the cells' link.
        width: in pixels; without one the column takes the remaining width.
        steps: thresholds of numbers.
    """

    label: str
    title: str
    unit: str | None = None
    colours: Mapping[str, str] = field(default_factory=dict)
    link: tuple[str, str] | None = None
    width: int | None = None
    steps: Steps = ()


class _Builder(Protocol):
    """The methods that this module uses of all panel builders."""

    def title(self, title: str) -> Self: ...
    def description(self, description: str) -> Self: ...
    def datasource(self, datasource: Any) -> Self: ...  # noqa: ANN401 -- as in the SDK
    def with_target(self, target: Any) -> Self: ...  # noqa: ANN401 -- as in the SDK
    def unit(self, unit: str) -> Self: ...
    def no_value(self, no_value: str) -> Self: ...
    def override_by_name(self, name: str, properties: list[DynamicConfigValue]) -> Self: ...


B = TypeVar("B", bound=_Builder)


def number(
    title: str,
    description: str,
    *queries: Query,
    unit: str = "short",
    steps: Steps = PLAIN,
    decimals: int | None = None,
    no_value: str = "No data",
    show: Literal["value", "name", "value_and_name"] = "value",
    colours: Mapping[str, str] | None = None,
    texts: Mapping[int, str] | None = None,
    graph: bool = False,
) -> Builder[Panel]:
    """Build a panel with the latest value.

    Args:
        title: of the panel.
        description: of the panel.
        queries: one or more.
        unit: Grafana unit.
        steps: thresholds.
        decimals: digits after the decimal point; as many as fit by default.
        no_value: text without data.
        show: the value, or the name of its series, or both.
        colours: by series name.
        texts: replacements of values.
        graph: whether to draw the history behind the value.
    """
    panel = _described(stat.Panel(), title, description, unit, no_value)
    panel = (
        panel.reduce_options(common.ReduceDataOptions().calcs(["lastNotNull"]))
        .text_mode(BigValueTextMode(show))
        .color_mode(BigValueColorMode.VALUE)
        .graph_mode(BigValueGraphMode.AREA if graph else BigValueGraphMode.NONE)
        .thresholds(_thresholds(steps))
        .color_scheme(dashboard.FieldColor().mode(FieldColorModeId.THRESHOLDS))
    )
    if decimals is not None:
        panel = panel.decimals(decimals)
    if texts:
        panel = panel.mappings([ValueMap({str(value): ValueMappingResult(text) for value, text in texts.items()})])
    return _coloured(_with_queries(panel, queries, instant=not graph), colours or {})


def graph(
    title: str,
    description: str,
    *queries: Query,
    unit: str = "short",
    colours: Mapping[str, str] | None = None,
    stacked: bool = False,
    bars: bool = False,
    limit: Steps = (),
    dashed: Sequence[str] = (),
    most: float | None = None,
    interval: str | None = None,
    no_value: str = "No data",
    beside: bool = False,
) -> Builder[Panel]:
    """Build a graph over time.

    Args:
        title: of the panel.
        description: of the panel.
        queries: one or more.
        unit: Grafana unit.
        colours: by series name.
        stacked: whether to stack the series.
        bars: whether to draw bars instead of lines.
        limit: thresholds drawn as lines.
        dashed: names of series with dashed lines.
        most: maximum of the axis.
        interval: the shortest step, such as 10m.
        no_value: text without data.
        beside: whether the legend is on the right, for many series.
    """
    panel = _described(timeseries.Panel(), title, description, unit, no_value)
    panel = (
        panel.legend(_legend(LegendPlacement.RIGHT if beside else LegendPlacement.BOTTOM))
        .tooltip(common.VizTooltipOptions().mode(TooltipDisplayMode.MULTI).sort(SortOrder.DESCENDING))
        .min(0)
        .line_width(1 if bars else 2)
        .draw_style(GraphDrawStyle.BARS if bars else GraphDrawStyle.LINE)
        .line_interpolation(LineInterpolation.STEP_AFTER if stacked else LineInterpolation.LINEAR)
        .fill_opacity(70 if bars else 30 if stacked else 5)
        .show_points(VisibilityMode.NEVER)
        .span_nulls(span_nulls=False)
        .color_scheme(dashboard.FieldColor().mode(FieldColorModeId.PALETTE_CLASSIC_BY_NAME))
        .thresholds(_thresholds(((None, GOOD), *limit)))
    )
    if stacked or bars:
        panel = panel.stacking(common.StackingConfig().mode(StackingMode.NORMAL).group("A"))
    if limit:
        panel = panel.thresholds_style(common.GraphThresholdsStyleConfig().mode(GraphThresholdsStyleMode.DASHED))
    if most is not None:
        panel = panel.max(most)
    if interval is not None:
        panel = panel.interval(interval)
    for name in dashed:
        line = {"fill": "dash", "dash": [8, 6]}
        panel = panel.override_by_name(
            name,
            [
                DynamicConfigValue("custom.lineStyle", line),
                DynamicConfigValue("custom.fillOpacity", 0),
                DynamicConfigValue("color", {"mode": "fixed", "fixedColor": WARNING}),
            ],
        )
    return _coloured(_with_queries(panel, queries, instant=False), colours or {})


def bars(
    title: str, description: str, *queries: Query, unit: str = "short", colours: Mapping[str, str] | None = None
) -> Builder[Panel]:
    """Build horizontal bars with the latest value of each series."""
    panel = _described(bargauge.Panel(), title, description, unit, "No data")
    panel = (
        panel.reduce_options(common.ReduceDataOptions().calcs(["lastNotNull"]))
        .orientation(VizOrientation.HORIZONTAL)
        .display_mode(BarGaugeDisplayMode.BASIC)
        .name_placement(BarGaugeNamePlacement.LEFT)
        .sizing(BarGaugeSizing.MANUAL)
        .min_viz_height(16)
        .max_viz_height(40)
        .min(0)
        .thresholds(_thresholds(((None, "blue"),)))
        .color_scheme(dashboard.FieldColor().mode(FieldColorModeId.THRESHOLDS))
        .legend(_legend(shown=False))
    )
    return _coloured(_with_queries(panel, queries, instant=True), colours or {})


def timeline(title: str, description: str, *queries: Query, texts: Mapping[int, tuple[str, str]]) -> Builder[Panel]:
    """Build a state timeline; ``texts`` maps each value to a text and a colour."""
    panel = _described(statetimeline.Panel(), title, description, "short", "No data")
    panel = (
        panel.mappings([ValueMap({str(value): _mapped(text, colour) for value, (text, colour) in texts.items()})])
        .legend(_legend(shown=False))
        .tooltip(common.VizTooltipOptions().mode(TooltipDisplayMode.SINGLE).sort(SortOrder.NONE))
        .thresholds(_thresholds(PLAIN))
        .color_scheme(dashboard.FieldColor().mode(FieldColorModeId.THRESHOLDS))
        .show_value(VisibilityMode.AUTO)
        .fill_opacity(80)
        .row_height(0.8)
    )
    return _with_queries(panel, queries, instant=False)


def rows(title: str, description: str, *queries: Query, columns: Sequence[Column], no_value: str) -> Builder[Panel]:
    """Build a table with one row per series and the given columns.

    Several queries are joined by their common labels; the value of query A is the column ``Value #A``.
    """
    panel = _described(table.Panel(), title, description, "string", no_value)
    shown = [column.label for column in columns]
    order = {
        "indexByName": {label: index for index, label in enumerate(shown)},
        "renameByName": {column.label: column.title for column in columns},
    }
    if len(queries) > 1:
        panel = panel.with_transformation(DataTransformerConfig(id_val="merge", options={}))
    only = {"include": {"names": shown}}
    panel = panel.with_transformation(DataTransformerConfig(id_val="filterFieldsByName", options=only))
    panel = panel.with_transformation(DataTransformerConfig(id_val="organize", options=order))
    for column in columns:
        panel = panel.with_override(MatcherConfig("byName", column.title), _look_of(column))
    panel = panel.thresholds(_thresholds(PLAIN)).show_header(show_header=True)
    return _with_queries(panel, queries, instant=True, form=PromQueryFormat.TABLE)


def _look_of(column: Column) -> list[DynamicConfigValue]:
    look: dict[str, object] = {} if column.unit is None else {"unit": column.unit, "noValue": "-"}
    if column.width is not None:
        look["custom.width"] = column.width
    if column.link is not None:
        title, url = column.link
        look["links"] = [{"title": title, "url": url, "targetBlank": url.startswith("https:")}]
    if column.colours:
        look["mappings"] = [ValueMap({text: _mapped(text, colour) for text, colour in column.colours.items()})]
    if column.steps:
        look["thresholds"] = _thresholds(column.steps).build()
    if column.colours or column.steps:
        look["custom.cellOptions"] = {"type": "color-text"}
    return [DynamicConfigValue(name, value) for name, value in look.items()]


def _described(panel: B, title: str, description: str, unit: str, no_value: str) -> B:
    return panel.title(title).description(description).datasource(DATA_SOURCE).unit(unit).no_value(no_value)


def _with_queries(
    panel: B, queries: Sequence[Query], *, instant: bool, form: PromQueryFormat = PromQueryFormat.TIME_SERIES
) -> B:
    for letter, query in zip("ABCDEFGH", queries, strict=False):
        target = prometheus.Dataquery().ref_id(letter).datasource(DATA_SOURCE).expr(query.expr).format(form)
        target = target.legend_format(query.legend).editor_mode(QueryEditorMode.CODE)
        panel = panel.with_target(target.instant() if instant else target.range())
    return panel


def _coloured(panel: B, colours: Mapping[str, str]) -> B:
    for name, colour in colours.items():
        fixed = DynamicConfigValue("color", {"mode": "fixed", "fixedColor": colour})
        panel = panel.override_by_name(name, [fixed])
    return panel


def _thresholds(steps: Steps) -> dashboard.ThresholdsConfig:
    made = [Threshold(value, colour) for value, colour in steps]
    return dashboard.ThresholdsConfig().mode(ThresholdsMode.ABSOLUTE).steps(made)


def _mapped(text: str, colour: str) -> ValueMappingResult:
    return ValueMappingResult(text=text, color=colour)


def _legend(placement: LegendPlacement = LegendPlacement.BOTTOM, *, shown: bool = True) -> common.VizLegendOptions:
    return (
        common.VizLegendOptions()
        .show_legend(show_legend=shown)
        .display_mode(LegendDisplayMode.LIST)
        .placement(placement)
        .calcs([])
    )
