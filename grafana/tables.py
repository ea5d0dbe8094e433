"""Tables: one row per series, with the labels and values of its queries as columns."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Final

from grafana_foundation_sdk.builders import common, table
from grafana_foundation_sdk.cog.builder import Builder
from grafana_foundation_sdk.models.dashboard import (
    DashboardRegexMapOptions,
    DataTransformerConfig,
    DynamicConfigValue,
    MatcherConfig,
    Panel,
    RegexMap,
    ValueMap,
    ValueMappingResult,
)
from grafana_foundation_sdk.models.prometheus import PromQueryFormat

from grafana.colours import NO_EXPORTER_COLOURS, PLAIN, Steps
from grafana.panels import Query, Texts, described, mapped, thresholds, with_queries

EMPTY_CELL: Final = "-"

POINTS: Final = 50
"""Steps of the subqueries: their interval is the time range divided by this number."""

SHARE: Final = "percentunit"
DURATION: Final = "s"


@dataclass(frozen=True, slots=True)
class Column:
    """A column of a table.

    Attributes:
        label: of the query's result; ``Value`` is the sample's value.
        title: of the column.
        unit: Grafana unit; without one the column is text.
        decimals: digits after the decimal point.
        colours: of texts in the column.
        texts: texts and colours for numbers in the column.
        link: title and URL of the cells' link.
        width: in pixels; without one the column takes the remaining width.
        steps: thresholds of numbers.
        bar: colour of a bar behind the number.
        ending: pattern of a text; the column shows its group.
    """

    label: str
    title: str
    unit: str | None = None
    decimals: int | None = None
    colours: Mapping[str, str] | None = None
    texts: Texts | None = None
    link: tuple[str, str] | None = None
    width: int | None = None
    steps: Steps = ()
    bar: str | None = None
    ending: str | None = None


def rows(
    title: str,
    description: str,
    *queries: Query,
    columns: Sequence[Column],
    points: int = POINTS,
    sort_by: str | None = None,
) -> Builder[Panel]:
    """Build a table with one row per series and the given columns.

    Several queries are joined by their common labels; the value of query A is the column ``Value #A``. The first query
    always has a row (``queries.listed``): Grafana shows no text in place of an empty table that several queries fill.
    """
    panel = described(table.Panel(), title, description, EMPTY_CELL).unit("string").mappings(mapped({}, EMPTY_CELL))
    if len(queries) > 1:
        panel = panel.with_transformation(DataTransformerConfig(id_val="merge", options={}))
    for transformation in _chosen(columns):
        panel = panel.with_transformation(transformation)
    for column in columns:
        panel = panel.with_override(MatcherConfig("byName", column.title), [*_look_of(column)])
    if sort_by is not None:
        panel = panel.sort_by([common.TableSortByFieldState().display_name(sort_by).desc(desc=False)])
    panel = panel.thresholds(thresholds(PLAIN)).show_header(show_header=True).max_data_points(points)
    return with_queries(panel, queries, instant=True, form=PromQueryFormat.TABLE)


def _chosen(columns: Sequence[Column]) -> Iterator[DataTransformerConfig]:
    """Keep and rename the columns, in their order."""
    shown = [column.label for column in columns]
    yield DataTransformerConfig(id_val="filterFieldsByName", options={"include": {"names": shown}})
    order = {
        "indexByName": {label: index for index, label in enumerate(shown)},
        "renameByName": {column.label: column.title for column in columns},
    }
    yield DataTransformerConfig(id_val="organize", options=order)


def _look_of(column: Column) -> Iterator[DynamicConfigValue]:
    plain = {"unit": column.unit, "decimals": column.decimals, "custom.width": column.width}
    yield from (DynamicConfigValue(name, value) for name, value in plain.items() if value is not None)
    if column.link is not None:
        title, url = column.link
        yield DynamicConfigValue("links", [{"title": title, "url": url, "targetBlank": url.startswith("https:")}])
    if column.ending is not None:
        shown = DashboardRegexMapOptions(column.ending, ValueMappingResult(text="$1"))
        yield DynamicConfigValue("mappings", [RegexMap(shown)])
    yield from _bar(column.bar) if column.bar is not None else _colours_of(column)


def _colours_of(column: Column) -> Iterator[DynamicConfigValue]:
    if column.texts:
        yield DynamicConfigValue("mappings", mapped(column.texts, EMPTY_CELL))
    if column.colours is not None:
        yield DynamicConfigValue("mappings", [_coloured({**column.colours, **NO_EXPORTER_COLOURS})])
    if column.steps:
        yield DynamicConfigValue("thresholds", thresholds(column.steps).build())
    if column.colours is not None or column.steps or column.texts:
        yield DynamicConfigValue("custom.cellOptions", {"type": "color-text"})


def _bar(colour: str) -> Iterator[DynamicConfigValue]:
    yield DynamicConfigValue("min", 0)
    yield DynamicConfigValue("color", {"mode": "fixed", "fixedColor": colour})
    yield DynamicConfigValue("custom.cellOptions", {"type": "gauge", "mode": "basic", "valueDisplayMode": "text"})


def _coloured(colours: Mapping[str, str]) -> ValueMap:
    return ValueMap({text: ValueMappingResult(text=text, color=colour) for text, colour in colours.items()})
