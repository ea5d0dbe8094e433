"""The token bucket."""

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from exporter.budget import TokenBucket


@pytest.mark.parametrize(("rate", "burst"), [(2.5, 5.0), (1.0, 2.0), (0.5, 1.0), (0.1, 1.0), (10.0, 20.0)])
def test_a_full_bucket_holds_two_seconds_worth_and_at_least_one_request(rate: float, burst: float) -> None:
    bucket = TokenBucket.full(rate, 100.0)
    taken = 0
    while bucket.take(100.0) == 0.0:
        taken += 1
    assert taken == burst


def test_an_empty_bucket_tells_how_long_the_next_request_takes_to_come() -> None:
    bucket = TokenBucket.full(0.5, 0.0)
    assert bucket.take(0.0) == 0.0
    assert bucket.take(0.0) == 2.0
    assert bucket.take(0.5) == 1.5
    assert bucket.take(2.0) == 0.0
    assert bucket.take(2.0) == 2.0


def test_a_refused_request_costs_nothing() -> None:
    bucket = TokenBucket.full(1.0, 0.0)
    assert [bucket.take(0.0) for _ in range(5)] == [0.0, 0.0, 1.0, 1.0, 1.0]
    assert bucket.take(1.0) == 0.0


def test_a_long_pause_saves_up_no_more_than_the_burst() -> None:
    bucket = TokenBucket.full(1.0, 0.0)
    bucket.take(0.0)
    assert [bucket.take(1e6) for _ in range(3)] == [0.0, 0.0, 1.0]


@pytest.mark.parametrize("rate", [0.1, 0.3, 2.5, 2.7, 7.0])
def test_waiting_as_long_as_was_told_is_enough(rate: float) -> None:
    now = 5000.0
    bucket = TokenBucket.full(rate, now)
    waits = 0
    for _ in range(500):
        if wait := bucket.take(now):
            waits += 1
            now += wait
            assert bucket.take(now) == 0.0
    assert waits > 400


def test_threads_that_read_the_clock_in_another_order_than_they_take_earn_nothing_twice() -> None:
    bucket = TokenBucket.full(1.0, 0.0)
    bucket.take(0.0)
    bucket.take(0.0)
    assert bucket.take(0.9) == pytest.approx(0.1)
    assert bucket.take(0.0) > 0.0
    assert bucket.take(0.9) == pytest.approx(0.1)


@settings(deadline=None)
@given(rate=st.floats(0.5, 5.0), readings=st.lists(st.floats(0.0, 10.0), min_size=50, max_size=100))
def test_no_order_of_clock_readings_earns_more_than_the_burst_and_the_rate_allow(
    rate: float, readings: list[float]
) -> None:
    bucket = TokenBucket.full(rate, 0.0)
    taken, latest = 0, 0.0
    for now in readings:
        latest = max(latest, now)
        taken += bucket.take(now) == 0.0
        assert taken <= bucket.burst + rate * latest + 1e-6


@settings(deadline=None)
@given(rate=st.floats(0.05, 50.0), steps=st.lists(st.floats(0.0, 3.0), max_size=100))
def test_no_window_sees_more_than_allowed_when_the_clock_is_read_in_order(rate: float, steps: list[float]) -> None:
    bucket = TokenBucket.full(rate, 0.0)
    now, taken = 0.0, []
    for step in steps:
        now += step
        while bucket.take(now) == 0.0:
            taken.append(now)
    for first, start in enumerate(taken):
        for last in range(first, len(taken), 7):
            assert last - first + 1 <= bucket.burst + rate * (taken[last] - start) + 1e-6
