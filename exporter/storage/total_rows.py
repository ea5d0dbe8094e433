"""Rows of counters and histograms in the state file.

A row has the tag keys of its labels, so that a file can be read after a change of ``aggregate_tag_labels``.
"""

import json
import sqlite3
from collections.abc import Iterable, Sequence
from functools import partial

from exporter.metrics import Histogram, Labels, Series, Totals, fixed_and_tags, with_tags


def write_totals(connection: sqlite3.Connection, totals: Totals, tag_keys: Sequence[str]) -> None:
    """Write counters and histograms, with some tag keys as labels, in the transaction of the caller."""
    text = partial(_labels_text, tag_keys)
    connection.executemany(
        "REPLACE INTO counters VALUES (?, ?, ?)",
        ((metric, text(labels), value) for (metric, labels), value in totals.counters.items()),
    )
    connection.executemany(
        "REPLACE INTO histograms VALUES (?, ?, ?, ?)",
        (
            (metric, text(labels), json.dumps(histogram.observations), histogram.sum)
            for (metric, labels), histogram in totals.histograms.items()
        ),
    )


def sum_of(parts: Iterable[Totals]) -> Totals:
    """Add up the values of several rows."""
    counters, histograms = dict[Series, float](), dict[Series, Histogram]()
    for totals in parts:
        for series, value in totals.counters.items():
            counters[series] = counters.get(series, 0.0) + value
        for series, histogram in totals.histograms.items():
            histograms[series] = histogram.plus(histograms[series]) if series in histograms else histogram
    return Totals(counters, histograms)


def counter_of(tag_keys: Sequence[str], metric: str, text: str, value: float) -> tuple[Totals, list[str]]:
    """Read a counter, and the tag keys of its row.

    Raises:
        ValueError: the row is invalid.
    """
    labels, keys = _labels(tag_keys, text)
    return Totals({(metric, labels): float(value)}).checked(len(tag_keys)), keys


def histogram_of(
    tag_keys: Sequence[str], metric: str, text: str, observations: str, total: float
) -> tuple[Totals, list[str]]:
    """Read a histogram, and the tag keys of its row.

    Raises:
        ValueError: the row is invalid.
    """
    labels, keys = _labels(tag_keys, text)
    histogram = Histogram(tuple(map(int, json.loads(observations))), float(total))
    return Totals({}, {(metric, labels): histogram}).checked(len(tag_keys)), keys


def _labels_text(tag_keys: Sequence[str], labels: Labels) -> str:
    """Write label values as JSON: a list. If tags are labels, its last entry is an object with the tags."""
    own, tags = fixed_and_tags(labels, len(tag_keys))
    return json.dumps([*own, dict(zip(tag_keys, tags, strict=True))] if tag_keys else own)


def _labels(tag_keys: Sequence[str], text: str) -> tuple[Labels, list[str]]:
    """Read label values: those of the family and of ``tag_keys``, and all tag keys that the row has, sorted."""
    values = json.loads(text)
    if not isinstance(values, list):
        raise ValueError("labels: not a list")  # noqa: TRY004 -- any invalid row raises ValueError
    tags = values.pop() if values and isinstance(values[-1], dict) else {}
    return with_tags(tuple(values), tuple(tags.get(key, "") for key in tag_keys)), sorted(tags)
