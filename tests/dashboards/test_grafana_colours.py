"""The colours of statuses: two of them never look alike, whatever the theme and the eyes."""

from itertools import combinations
from typing import Final

import pytest
from coloraide import Color

from grafana.colours import STATUS_COLOURS

LEAST_DIFFERENCE: Final = 15
LEAST_CONTRAST: Final = 3

BACKGROUNDS: Final = {"dark": "#181b1f", "light": "#ffffff"}
"""Grafana's backgrounds of panels. The colours are the same in both themes."""

PAIRS: Final = [*combinations(STATUS_COLOURS, 2)]


def _seen(colour: str, deficiency: str | None, method: str) -> Color:
    seen = Color(colour)
    return seen if deficiency is None else seen.filter(deficiency, 1, method=method).convert("srgb").clip()


@pytest.mark.parametrize("formula", ["76", "2000"])
@pytest.mark.parametrize("method", ["machado", "vienot", "brettel"])
@pytest.mark.parametrize("deficiency", ["deutan", "protan", None])
def test_two_statuses_never_look_alike(deficiency: str | None, method: str, formula: str) -> None:
    seen = {status: _seen(colour, deficiency, method) for status, colour in STATUS_COLOURS.items()}
    differences = {pair: seen[pair[0]].delta_e(seen[pair[1]], method=formula) for pair in PAIRS}
    assert min(differences.values()) >= LEAST_DIFFERENCE, min(differences, key=lambda pair: differences[pair])


@pytest.mark.parametrize("theme", BACKGROUNDS)
@pytest.mark.parametrize("status", STATUS_COLOURS)
def test_a_status_is_legible_on_the_background_of_each_theme(status: str, theme: str) -> None:
    assert Color(STATUS_COLOURS[status]).contrast(BACKGROUNDS[theme]) >= LEAST_CONTRAST


def test_the_test_finds_colours_that_look_alike() -> None:
    red, green = (_seen(colour, "deutan", "machado") for colour in ("#f2495c", "#b0a030"))
    assert red.delta_e(green, method="2000") < LEAST_DIFFERENCE
