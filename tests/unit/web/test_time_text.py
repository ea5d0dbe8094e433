"""Times as text: dates of every year, and ages."""

import pytest

from exporter.web.time_text import age, date_and_time, time_of_day, time_until


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


def test_a_time_of_day_has_hour_and_minute() -> None:
    assert time_of_day(1_700_000_000.0) == "22:13"
    assert time_of_day(-62_135_596_800.0) == "00:00"


def test_a_time_until_is_never_negative() -> None:
    assert time_until(4000.0, 100.0) == "in 1 h 5 min"
    assert time_until(50.0, 100.0) == "in 0 s"
