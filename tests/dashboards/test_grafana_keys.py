"""The keys and values of each kind of panel, variable, annotation and link: each is a choice, not an unread default."""

import json
from collections import defaultdict
from collections.abc import Iterator
from typing import Any, Final

import pytest
from dashboard_support import MADE, panels
from keys import ANY, KEYS

FREE: Final = {"panels", "list", "links", "targets"}
"""Parts with a table of their own."""


def test_each_part_of_a_dashboard_has_only_chosen_keys_and_values() -> None:
    for kind, found in _found().items():
        assert found.keys() <= KEYS[kind].keys(), kind
        for key, values in found.items():
            assert KEYS[kind][key] is ANY or values <= set(KEYS[kind][key]), (kind, key)


def test_each_chosen_key_and_value_is_in_a_dashboard() -> None:
    found = _found()
    for kind, keys in KEYS.items():
        assert keys.keys() <= found[kind].keys(), kind
        for key, values in keys.items():
            assert values is ANY or set(values) <= found[kind][key], (kind, key)


@pytest.mark.parametrize(
    ("kind", "key"),
    [
        pytest.param("link", "placement", id="links_hide_in_a_menu"),
        pytest.param("annotation", "placement", id="annotations_hide_in_a_menu"),
        pytest.param("state-timeline", "options.perPage", id="a_timeline_has_a_pager"),
    ],
)
def test_a_default_of_the_generator_that_hides_something_is_not_a_choice(kind: str, key: str) -> None:
    assert key not in KEYS[kind]


def test_a_timeline_does_not_show_thresholds_instead_of_statuses() -> None:
    assert KEYS["state-timeline"]["fieldConfig.defaults.color.mode"] == ("palette-classic",)


def _found() -> dict[str, dict[str, set[Any]]]:
    """Find the values of each key, by kind of part."""
    found: defaultdict[str, defaultdict[str, set[Any]]] = defaultdict(lambda: defaultdict(set))
    for kind, part in _parts():
        for key, value in _flat(part):
            found[kind][key].add(value)
    return {kind: dict(keys) for kind, keys in found.items()}


def _parts() -> Iterator[tuple[str, dict[str, Any]]]:
    for name, made in MADE.items():
        yield "dashboard", {key: value for key, value in made.items() if key not in FREE}
        yield from (("link", link) for link in made["links"])
        yield from (("annotation", mark) for mark in made["annotations"]["list"])
        yield from ((f"variable of {variable['type']}", variable) for variable in made["templating"]["list"])
        yield from (("row", row) for row in made["panels"] if row["type"] == "row")
        for panel in panels(name):
            yield panel["type"], {key: value for key, value in panel.items() if key not in FREE}
            yield from (("query", target) for target in panel["targets"])


def _flat(part: Any, path: str = "") -> Iterator[tuple[str, Any]]:
    """Yield each path to a value. Of overrides, transformations and mappings only the kinds have a path."""
    if isinstance(part, dict):
        if path.endswith("mappings[]"):
            yield f"{path}.type", part["type"]
        elif path.endswith("transformations[]"):
            yield f"{path}.id", part["id"]
        elif path.endswith("properties[]"):
            simple = part["id"] in {"unit", "decimals", "min", "custom.cellOptions", "custom.lineStyle"}
            yield f"{path}.{part['id']}", json.dumps(part["value"], sort_keys=True) if simple else ANY
        else:
            for key, value in part.items():
                if key != "list":
                    yield from _flat(value, f"{path}.{key}" if path else key)
    elif isinstance(part, list):
        for value in part:
            yield from _flat(value, f"{path}[]")
    else:
        yield path, part
