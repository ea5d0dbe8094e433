"""Panel types with common defaults."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final, Protocol, Self, TypeVar

from grafana_foundation_sdk.builders import common, dashboard, prometheus, stat, statetimeline, timeseries
from grafana_foundation_sdk.cog.builder import Builder
from grafana_foundation_sdk.models.common import (
    BarAlignment,
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
)
from grafana_foundation_sdk.models.dashboard import (
    DashboardSpecialValueMapOptions,
    DynamicConfigValue,
    FieldColorModeId,
    Panel,
    SpecialValueMap,
    SpecialValueMatch,
    Threshold,
    ThresholdsMode,
    ValueMap,
    ValueMapping,
    ValueMappingResult,
)
from grafana_foundation_sdk.models.prometheus import PromQueryFormat, QueryEditorMode

from grafana.colours import GOOD, NEUTRAL, PLAIN, Steps
from grafana.variables import DATA_SOURCE

Texts = Mapping[int | str, tuple[str, str]]
"""A text and a colour for each value."""

COUNT: Final = "none"
"""The unit of counts: 1440, not 1.44 K."""


@dataclass(frozen=True, slots=True)
class Query:
    """One query of a panel.

    Attributes:
        expr: PromQL with Grafana variables.
        legend: name of each series, such as ``{{status}}``.
    """

    expr: str
    legend: str = "__auto"


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
    query: Query,
    *,
    missing: str,
    unit: str = COUNT,
    steps: Steps = PLAIN,
    decimals: int | None = None,
    texts: Texts | None = None,
) -> Builder[Panel]:
    """Build a panel with the latest value.

    Args:
        title: of the panel.
        description: of the panel.
        query: with at most one series.
        missing: neutral text without data.
        unit: Grafana unit.
        steps: thresholds.
        decimals: digits after the decimal point; as many as fit by default.
        texts: replacements of values.
    """
    panel = _stat(title, description, missing, texts or {}).unit(unit).thresholds(thresholds(steps))
    if decimals is not None:
        panel = panel.decimals(decimals)
    return with_queries(panel, [query], instant=True)


def text(
    title: str, description: str, query: Query, label: str, *, missing: str, texts: Texts, steps: Steps = PLAIN
) -> Builder[Panel]:
    """Build a panel with the value of a label; ``texts`` maps values to texts and colours, ``steps`` colours others."""
    panel = _stat(title, description, missing, texts).unit("string").thresholds(thresholds(steps))
    panel = panel.reduce_options(common.ReduceDataOptions().calcs(["lastNotNull"]).fields(f"/^{label}$/"))
    return with_queries(panel, [query], instant=True, form=PromQueryFormat.TABLE)


def _stat(title: str, description: str, missing: str, texts: Texts) -> stat.Panel:
    return (
        described(stat.Panel(), title, description, missing)
        .mappings(mapped(texts, missing))
        .reduce_options(common.ReduceDataOptions().calcs(["lastNotNull"]))
        .text_mode(BigValueTextMode.VALUE)
        .color_mode(BigValueColorMode.VALUE)
        .graph_mode(BigValueGraphMode.NONE)
        .color_scheme(dashboard.FieldColor().mode(FieldColorModeId.THRESHOLDS))
    )


def graph(
    title: str,
    description: str,
    *queries: Query,
    missing: str,
    unit: str = COUNT,
    colours: Mapping[str, str] | None = None,
    stacked: bool = False,
    bars: bool = False,
    limit: Steps = (),
    dashed: Sequence[str] = (),
    points: int | None = None,
    interval: str | None = None,
) -> Builder[Panel]:
    """Build a graph over time.

    Args:
        title: of the panel.
        description: of the panel.
        queries: one or more.
        missing: text without data.
        unit: Grafana unit.
        colours: by series name.
        stacked: whether to stack the series.
        bars: whether to draw bars instead of lines.
        limit: thresholds drawn as lines.
        dashed: names of series with dashed lines.
        points: most steps.
        interval: the shortest step, such as 10m.
    """
    panel = described(timeseries.Panel(), title, description, missing).unit(unit)
    panel = (
        panel.legend(_legend(["sum"] if bars else ["lastNotNull"] if stacked else ["mean", "max"]))
        .tooltip(common.VizTooltipOptions().mode(TooltipDisplayMode.MULTI).sort(SortOrder.DESCENDING))
        .min(0)
        .line_width(1 if bars else 2)
        .draw_style(GraphDrawStyle.BARS if bars else GraphDrawStyle.LINE)
        .line_interpolation(LineInterpolation.STEP_AFTER if stacked else LineInterpolation.LINEAR)
        .fill_opacity(80 if bars else 40 if stacked else 5)
        .show_points(VisibilityMode.AUTO)
        .span_nulls(span_nulls=False)
        .color_scheme(dashboard.FieldColor().mode(FieldColorModeId.PALETTE_CLASSIC))
        .thresholds(thresholds(((None, GOOD), *limit)))
    )
    if unit == COUNT:
        panel = panel.decimals(0)
    if bars:
        panel = panel.bar_alignment(BarAlignment.AFTER)  # as the query counts: from each step to the next
    if stacked or bars:
        panel = panel.stacking(common.StackingConfig().mode(StackingMode.NORMAL).group("A"))
    if unit == "percentunit" and limit:
        panel = panel.axis_soft_max(1)  # or the limit of 100 % is out of sight
    if limit:
        panel = panel.thresholds_style(common.GraphThresholdsStyleConfig().mode(GraphThresholdsStyleMode.DASHED))
    if points is not None:
        panel = panel.max_data_points(points)
    if interval is not None:
        panel = panel.interval(interval)
    for name in dashed:
        line = {"fill": "dash", "dash": [8, 6]}
        panel = panel.override_by_name(name, [DynamicConfigValue("custom.lineStyle", line)])
    for name, colour in (colours or {}).items():
        fixed = DynamicConfigValue("color", {"mode": "fixed", "fixedColor": colour})
        panel = panel.override_by_name(name, [fixed])
    return with_queries(panel, queries, instant=False)


def timeline(title: str, description: str, query: Query, *, missing: str, texts: Texts) -> Builder[Panel]:
    """Build a state timeline; ``texts`` maps each value to a text and a colour."""
    panel = described(statetimeline.Panel(), title, description, missing).unit(COUNT)
    panel = (
        panel.mappings(mapped(texts, missing))
        .legend(_legend([], shown=False))
        .tooltip(common.VizTooltipOptions().mode(TooltipDisplayMode.SINGLE).sort(SortOrder.NONE))
        .thresholds(thresholds(PLAIN))
        # With the mode ``thresholds``, Grafana shows the ranges of the thresholds instead of the mappings.
        .color_scheme(dashboard.FieldColor().mode(FieldColorModeId.PALETTE_CLASSIC))
        .show_value(VisibilityMode.AUTO)
        .fill_opacity(80)
        .row_height(0.8)
    )
    return with_queries(panel, [query], instant=False)


def described(panel: B, title: str, description: str, missing: str) -> B:
    """Set what each panel has."""
    return panel.title(title).description(description).datasource(DATA_SOURCE).no_value(missing)


def with_queries(
    panel: B, queries: Sequence[Query], *, instant: bool, form: PromQueryFormat = PromQueryFormat.TIME_SERIES
) -> B:
    """Add queries with the references A, B, and so on."""
    for letter, query in zip("ABCDEFGHIJKL", queries, strict=False):
        target = prometheus.Dataquery().ref_id(letter).datasource(DATA_SOURCE).expr(query.expr).format(form)
        target = target.legend_format(query.legend).editor_mode(QueryEditorMode.CODE)
        panel = panel.with_target(target.instant() if instant else target.range())
    return panel


def thresholds(steps: Steps) -> dashboard.ThresholdsConfig:
    """Build absolute thresholds."""
    made = [Threshold(value, colour) for value, colour in steps]
    return dashboard.ThresholdsConfig().mode(ThresholdsMode.ABSOLUTE).steps(made)


def mapped(texts: Texts, missing: str) -> list[ValueMapping]:
    """Build the mappings of values, and that of a missing value to a neutral text."""
    nothing = DashboardSpecialValueMapOptions(
        SpecialValueMatch.NULL_AND_NAN, ValueMappingResult(text=missing, color=NEUTRAL, index=len(texts))
    )
    values = {
        str(value): ValueMappingResult(text=text, color=colour, index=index)
        for index, (value, (text, colour)) in enumerate(texts.items())
    }
    return [*([ValueMap(values)] if values else []), SpecialValueMap(nothing)]


def _legend(calcs: Sequence[str], *, shown: bool = True) -> common.VizLegendOptions:
    return (
        common.VizLegendOptions()
        .show_legend(show_legend=shown)
        .display_mode(LegendDisplayMode.LIST)
        .placement(LegendPlacement.BOTTOM)
        .calcs([*calcs])
    )
