"""Times as text: dates of every year, and ages."""

import pytest

from exporter.web.time_text import age, date_and_time


@pytest.mark.parametrize(
    ("time", "text"),
    [
        (1_700_000_000.0, "2023-11-14 22:13:20"),
        (1_700_000_000.999, "2023-11-14 22:13:20"),
        (0.0, "1970-01-01 00:00:00"),
        (-62_135_596_800.0, "0001-01-01 00:00:00"),
        (253_402_300_799.0, "9999-12-31 23:59:59"),
    ],
)
def test_a_date_and_time_has_whole_seconds(time: float, text: str) -> None:
    assert date_and_time(time) == text


def test_an_age_is_never_negative() -> None:
    assert age(100.0, 4000.0) == "1 h 5 min ago"
    assert age(100.0, 50.0) == "0 s ago"
