"""The token bucket, and how it yields when the service refuses."""

import threading
from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from exporter.core import Target
from exporter.polling.rate_limiter import MIN_SHARE, RECOVERY_SECONDS, RateLimiter, TokenBucket, recovered_rate

HERE = Target("123456789012", "us-west-2")
ELSEWHERE = Target("123456789012", "eu-north-1")
OTHERS = Target("210987654321", "us-west-2")


def throttled_bucket(times: int = 1, limit: float = 3.2, jitter: float = 0.5) -> TokenBucket:
    """Return a bucket that was refused so many times, once at each second from 0."""
    bucket = TokenBucket.full(limit)
    for second in range(times):
        bucket.throttled(float(second), float(second), jitter)
    return bucket


# As long as nothing is refused.


@pytest.mark.parametrize("rate", [0.05, 0.5, 1.0, 2.5, 10.0])
def test_a_full_bucket_holds_one_request(rate: float) -> None:
    bucket = TokenBucket.full(rate)
    assert bucket.acquire(100.0) == 0.0
    assert bucket.acquire(100.0) == pytest.approx(1 / rate)


def test_an_empty_bucket_returns_how_long_the_next_request_takes_to_come() -> None:
    bucket = TokenBucket.full(0.5)
    assert bucket.acquire(0.0) == 0.0
    assert bucket.acquire(0.0) == 2.0
    assert bucket.acquire(0.5) == 1.5
    assert bucket.acquire(2.0) == 0.0
    assert bucket.acquire(2.0) == 2.0


def test_a_refused_request_costs_nothing() -> None:
    bucket = TokenBucket.full(1.0)
    assert [bucket.acquire(0.0) for _ in range(5)] == [0.0, 1.0, 1.0, 1.0, 1.0]
    assert bucket.acquire(1.0) == 0.0


def test_a_long_pause_saves_up_one_request() -> None:
    bucket = TokenBucket.full(1.0)
    bucket.acquire(0.0)
    assert [bucket.acquire(1e6) for _ in range(3)] == [0.0, 1.0, 1.0]


@pytest.mark.parametrize("rate", [0.1, 0.3, 2.5, 2.7, 7.0])
def test_waiting_as_long_as_returned_is_enough(rate: float) -> None:
    now = 5000.0
    bucket = TokenBucket.full(rate)
    for _ in range(500):
        assert bucket.acquire(now) == 0.0
        now += bucket.acquire(now)
    assert now == pytest.approx(5000.0 + 500 / rate)


def test_threads_that_read_the_clock_in_another_order_than_they_take_earn_nothing_twice() -> None:
    bucket = TokenBucket.full(1.0)
    assert bucket.acquire(1.0) == 0.0
    assert bucket.acquire(0.0) == 2.0
    assert bucket.acquire(1.9) == pytest.approx(0.1)
    assert bucket.acquire(2.0) == 0.0


# When the service refuses.


def test_a_refusal_halves_the_rate() -> None:
    bucket = throttled_bucket()
    assert bucket.rate(0.0) == 1.6
    assert bucket.acquire(0.0) == 1 / 1.6
    assert bucket.acquire(1 / 1.6) == 0.0


def test_one_refusal_after_the_other_halves_the_rate_down_to_a_thirty_second() -> None:
    rates = [throttled_bucket(times).rate(1000.0) for times in range(1, 8)]
    assert rates == [1.6, 0.8, 0.4, 0.2, 0.1, 0.1, 0.1]
    assert MIN_SHARE == 1 / 32


def test_after_a_refusal_the_next_request_waits_as_long_as_the_new_rate_says() -> None:
    bucket = TokenBucket.full(2.0)
    bucket.acquire(0.0)
    bucket.throttled(0.0, 0.3, 0.0)
    assert bucket.acquire(0.3) == 1.0


def test_refusals_of_requests_that_were_sent_before_the_rate_was_halved_show_nothing_new() -> None:
    bucket = TokenBucket.full(3.2)
    bucket.throttled(9.0, 10.0, 0.0)
    bucket.throttled(9.5, 10.1, 0.0)
    bucket.throttled(9.9, 10.2, 0.0)
    assert bucket.rate(10.2) == 1.6
    bucket.throttled(10.3, 10.3, 0.0)
    assert bucket.rate(10.3) == 0.8


@pytest.mark.parametrize(("jitter", "seconds"), [(0.0, 20.0), (0.5, 30.0), (0.9999999, 40.0)])
def test_the_rate_comes_back_in_twenty_to_forty_seconds_fast_at_first(jitter: float, seconds: float) -> None:
    bucket = throttled_bucket(jitter=jitter)
    bucket.not_throttled(1.0, 2.0)
    rates = [bucket.rate(2.0 + seconds * quarter / 4) for quarter in range(6)]
    assert rates == pytest.approx([1.6, 2.525, 3.0, 3.175, 3.2, 3.2])
    assert RECOVERY_SECONDS == 20.0


@pytest.mark.parametrize("times", [1, 2, 5, 50])
@pytest.mark.parametrize("jitter", [0.0, 0.5, 0.9999999])
def test_ten_seconds_after_the_first_success_half_is_back_and_after_two_minutes_all(times: int, jitter: float) -> None:
    bucket = throttled_bucket(times, jitter=jitter)
    bucket.not_throttled(100.0, 100.0)
    assert bucket.rate(110.0) >= 1.6
    assert bucket.rate(220.0) == 3.2


def test_a_rate_does_not_come_back_before_a_request_succeeds() -> None:
    bucket = throttled_bucket(2)
    assert bucket.rate(1e9) == 0.8
    bucket.not_throttled(0.9, 2.0)  # sent before the rate was halved
    assert bucket.rate(1e9) == 0.8
    bucket.not_throttled(1.0, 2.0)
    bucket.not_throttled(50.0, 60.0)
    assert bucket.rate(62.0) == 3.2


def test_a_refusal_on_the_way_back_makes_the_rate_stay_near_its_rate_then_before_it_tries_more() -> None:
    bucket = throttled_bucket(4, jitter=0.0)
    bucket.not_throttled(10.0, 10.0)
    former = bucket.rate(15.0)
    bucket.throttled(15.0, 15.0, 0.0)
    bucket.not_throttled(20.0, 20.0)
    assert former == pytest.approx(3.2 - 3.0 * 0.75**3)
    assert bucket.rate(20.0) == former / 2
    assert [bucket.rate(time) for time in (35.0, 40.0, 45.0)] == pytest.approx([former] * 3, rel=0.02)
    assert former < bucket.rate(50.0) < bucket.rate(59.0) < 3.2
    assert bucket.rate(60.0) == 3.2


def test_exporters_that_were_throttled_together_come_back_at_different_times() -> None:
    buckets = [throttled_bucket(jitter=jitter) for jitter in (0.0, 0.25, 0.5, 0.75)]
    for bucket in buckets:
        bucket.not_throttled(0.0, 0.0)
    rates = [bucket.rate(10.0) for bucket in buckets]
    assert all(later < earlier - 0.05 for earlier, later in pairwise(rates))


def test_a_rate_that_came_back_stays_at_the_limit() -> None:
    bucket = throttled_bucket()
    bucket.not_throttled(1.0, 1.0)
    assert bucket.rate(1e9) == 3.2
    assert [bucket.acquire(1e9) for _ in range(2)] == [0.0, pytest.approx(1 / 3.2)]


def test_a_request_takes_from_the_rate_as_it_has_come_back() -> None:
    bucket = throttled_bucket(limit=2.0)
    assert bucket.acquire(10.0) == 0.0
    bucket.not_throttled(10.0, 10.0)
    assert bucket.acquire(10.0) == 1.0
    assert bucket.acquire(10.95) == 0.0  # it waited for less than a second, as the rate rose


def test_a_clock_that_is_read_late_gives_nothing_back_twice() -> None:
    bucket = throttled_bucket(limit=2.0)
    bucket.not_throttled(5.0, 5.0)
    rate = bucket.rate(10.0)
    assert (bucket.rate(0.0), bucket.rate(10.0)) == (1.0, rate)


def test_a_refusal_that_arrives_late_lets_no_request_through_sooner() -> None:
    bucket = TokenBucket.full(2.0)
    assert bucket.acquire(10.0) == 0.0
    bucket.throttled(0.5, 1.0, 0.0)
    assert bucket.acquire(10.0) == 1.0


# Many buckets.


def test_each_account_region_and_operation_has_a_bucket_of_its_own() -> None:
    limiter = RateLimiter(1.0)
    assert limiter.acquire(HERE, "GetJob", 0.0) == 0.0
    assert limiter.acquire(HERE, "SearchJobs", 0.0) == 0.0
    assert limiter.acquire(ELSEWHERE, "GetJob", 0.0) == 0.0
    assert limiter.acquire(OTHERS, "GetJob", 0.0) == 0.0
    assert limiter.acquire(HERE, "GetJob", 0.0) == 1.0


def test_a_bucket_that_is_used_late_is_full_then() -> None:
    limiter = RateLimiter(1.0)
    assert limiter.acquire(HERE, "GetJob", 5000.0) == 0.0
    assert limiter.acquire(HERE, "GetJob", 5000.25) == 0.75


def test_a_refusal_slows_down_its_own_bucket_alone() -> None:
    limiter = RateLimiter(2.0)
    limiter.throttled(HERE, "GetJob", 0.0, 0.0, 0.0)
    assert limiter.rate(HERE, "GetJob", 0.0) == 1.0
    assert limiter.rate(HERE, "SearchJobs", 0.0) == 2.0
    assert limiter.rate(ELSEWHERE, "GetJob", 0.0) == 2.0
    assert limiter.acquire(HERE, "GetJob", 0.5) == 0.5


def test_the_rate_is_returned_as_it_has_recovered() -> None:
    limiter = RateLimiter(2.0)
    limiter.throttled(HERE, "GetJob", 0.0, 0.0, 0.0)
    assert limiter.rate(HERE, "GetJob", 60.0) == 1.0
    limiter.not_throttled(HERE, "GetJob", 60.0, 60.0)
    assert limiter.rate(HERE, "GetJob", 70.0) == 1.875
    assert limiter.rate(HERE, "GetJob", 1e6) == 2.0


def test_threads_that_take_at_the_same_time_get_one_request_between_them() -> None:
    limiter = RateLimiter(1.0)
    barrier = threading.Barrier(8)
    waits: list[float] = []

    def take() -> None:
        barrier.wait()
        waits.append(limiter.acquire(HERE, "GetJob", 0.0))

    threads = [threading.Thread(target=take) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert sorted(waits) == [0.0, *[1.0] * 7]


def test_once_the_account_is_known_its_buckets_continue_as_those_without_a_name() -> None:
    nameless = Target("", "us-west-2")
    limiter = RateLimiter(2.0)
    assert limiter.acquire(ELSEWHERE, "GetJob", 0.0) == 0.0
    limiter.throttled(nameless, "GetJob", 0.0, 0.0, 0.0)
    assert limiter.acquire(nameless, "SearchJobs", 0.0) == 0.0
    limiter.copy_buckets(nameless, HERE)
    assert limiter.rate(HERE, "GetJob", 0.0) == 1.0
    assert limiter.acquire(HERE, "GetJob", 0.0) == 1.0
    assert limiter.acquire(HERE, "SearchJobs", 0.0) == 0.5
    assert limiter.acquire(ELSEWHERE, "SearchJobs", 0.0) == 0.0


def test_an_account_that_has_buckets_keeps_them_when_other_credentials_turn_out_to_be_of_it() -> None:
    nameless = Target("", "us-west-2")
    limiter = RateLimiter(2.0)
    limiter.throttled(HERE, "GetJob", 0.0, 0.0, 0.0)
    assert limiter.acquire(nameless, "GetJob", 0.0) == 0.0
    limiter.copy_buckets(nameless, HERE)
    assert limiter.rate(HERE, "GetJob", 0.0) == 1.0


def test_accounts_that_had_no_name_in_the_same_region_do_not_share_a_bucket_once_they_have_one() -> None:
    nameless = Target("", "us-west-2")
    limiter = RateLimiter(2.0)
    limiter.throttled(nameless, "GetJob", 0.0, 0.0, 0.0)
    limiter.copy_buckets(nameless, HERE)
    limiter.copy_buckets(nameless, OTHERS)
    limiter.throttled(OTHERS, "GetJob", 1.0, 1.0, 0.0)
    assert limiter.rate(HERE, "GetJob", 1.0) == 1.0
    assert limiter.acquire(HERE, "GetJob", 1.0) == 0.0
    assert limiter.acquire(nameless, "GetJob", 1.0) == 0.0


# What is used.


def test_the_requests_of_the_last_minute_are_counted() -> None:
    limiter = RateLimiter(2.0)
    assert limiter.used(HERE, "GetJob", 0.0) == 0
    for half_second in range(200):
        assert limiter.acquire(HERE, "GetJob", half_second / 2) == 0.0
    assert limiter.used(HERE, "GetJob", 99.5) == 120
    assert limiter.used(HERE, "SearchJobs", 99.5) == 0
    assert limiter.used(ELSEWHERE, "GetJob", 99.5) == 0
    assert limiter.used(HERE, "GetJob", 159.0) == 1
    assert limiter.used(HERE, "GetJob", 159.5) == 0


def test_a_request_that_had_to_wait_is_not_counted_before_it_is_made() -> None:
    limiter = RateLimiter(1.0)
    assert [limiter.acquire(HERE, "GetJob", 0.0) for _ in range(3)] == [0.0, 1.0, 1.0]
    assert limiter.used(HERE, "GetJob", 0.0) == 1


def test_nothing_is_remembered_of_requests_that_nobody_counts() -> None:
    bucket = TokenBucket.full(1.0)
    for second in range(1000):
        bucket.acquire(float(second))
    assert len(bucket.acquired) == 60


def test_what_was_used_before_the_account_was_known_continues_under_its_name_for_each_credentials() -> None:
    nameless = Target("", "us-west-2")
    limiter = RateLimiter(2.0)
    limiter.acquire(nameless, "GetJob", 0.0)
    limiter.copy_buckets(nameless, HERE)
    limiter.acquire(HERE, "GetJob", 1.0)
    assert limiter.used(HERE, "GetJob", 1.0) == 2
    assert limiter.used(nameless, "GetJob", 1.0) == 1


# Whatever happens.

JITTERS = st.floats(0.0, 1.0, exclude_max=True)
EVENTS = st.lists(st.tuples(st.floats(0.0, 5.0), st.none() | st.tuples(st.floats(0.0, 20.0), JITTERS)), max_size=60)
"""After so many seconds, take all that there is, or be refused a request that was sent so many seconds ago."""

READINGS = st.lists(st.tuples(st.floats(0.0, 20.0), st.none() | JITTERS), min_size=30, max_size=80)
"""A clock reading in whatever order, and whether it acquires a request or reports a refusal."""


@given(limit=st.floats(0.05, 20.0), events=EVENTS)
def test_no_window_ever_sees_more_than_the_limit_and_one(
    limit: float, events: list[tuple[float, tuple[float, float] | None]]
) -> None:
    bucket = TokenBucket.full(limit)
    now, taken = 0.0, []
    for step, refusal in events:
        now += step
        if refusal is not None:
            bucket.throttled(now - refusal[0], now, refusal[1])
        while bucket.acquire(now) == 0.0:
            taken.append(now)
    for first, start in enumerate(taken):
        for requests, end in enumerate(taken[first:], 1):
            assert requests <= limit * (end - start) + 1 + 1e-6


@given(limit=st.floats(0.1, 5.0), readings=READINGS)
def test_no_order_of_clock_readings_lets_requests_come_closer_than_the_limit(
    limit: float, readings: list[tuple[float, float | None]]
) -> None:
    bucket = TokenBucket.full(limit)
    taken = []
    for now, jitter in readings:
        if jitter is not None:
            bucket.throttled(now, now, jitter)
        elif bucket.acquire(now) == 0.0:
            taken.append(now)
    assert all(after - before >= 1 / limit - 1e-6 for before, after in pairwise(taken))


@given(limit=st.floats(0.05, 20.0), events=EVENTS)
def test_the_rate_stays_between_a_thirty_second_of_the_limit_and_the_limit_and_comes_back_to_it(
    limit: float, events: list[tuple[float, tuple[float, float] | None]]
) -> None:
    bucket = TokenBucket.full(limit)
    now = 0.0
    for step, refusal in events:
        now += step
        if refusal is not None:
            bucket.throttled(now - refusal[0], now, refusal[1])
        bucket.acquire(now)
        assert limit / 32 <= bucket.rate(now) <= limit
        if refusal is None:
            bucket.not_throttled(now, now)
            assert limit / 32 <= bucket.rate(now) <= limit
    bucket.not_throttled(now, now)
    rates = [bucket.rate(now + second) for second in range(0, 81, 2)]
    assert rates == sorted(rates)
    assert rates[5] >= bucket.former / 2
    assert rates[-1] == limit


@given(
    rates=st.lists(st.floats(0.01, 100.0), min_size=3, max_size=3),
    progress=st.lists(st.floats(-1.0, 3.0), min_size=2, max_size=2),
)
def test_a_recovery_rises_from_the_low_rate_through_the_former_one_to_the_limit(
    rates: list[float], progress: list[float]
) -> None:
    low, former, limit = sorted(rates)
    early, late = (recovered_rate(low, former, limit, step) for step in sorted(progress))
    assert low * (1 - 1e-9) <= early <= late * (1 + 1e-9)
    assert late <= limit
    ends = [recovered_rate(low, former, limit, step) for step in (0.0, 1.0, 2.0)]
    assert ends == [pytest.approx(low), former, limit]


@given(limit=st.floats(0.05, 20.0), steps=st.lists(st.tuples(st.floats(0.0, 5.0), JITTERS), min_size=1, max_size=20))
def test_each_refusal_of_a_later_request_makes_the_next_wait_longer_than_before(
    limit: float, steps: list[tuple[float, float]]
) -> None:
    bucket = TokenBucket.full(limit)
    now = 0.0
    for step, jitter in steps:
        now += step
        before = bucket.rate(now)
        bucket.throttled(now, now, jitter)
        assert bucket.rate(now) == max(limit / 32, before / 2)
        assert bucket.acquire(now) >= 1 / bucket.rate(now) - 1e-6


# Another limit.


def test_another_limit_holds_at_once_for_buckets_that_are_there_and_for_new_ones() -> None:
    limiter = RateLimiter(0.1)
    assert limiter.acquire(HERE, "GetJob", 0.0) == 0.0
    limiter.set_limit(2.0)
    assert [limiter.acquire(HERE, "GetJob", 1.0) for _ in range(2)] == [0.0, 0.5]
    assert limiter.acquire(HERE, "GetJob", 1.5) == 0.0
    assert (limiter.rate(HERE, "GetJob", 2.0), limiter.rate(ELSEWHERE, "GetJob", 2.0)) == (2.0, 2.0)


def test_the_same_limit_changes_nothing() -> None:
    bucket, same = throttled_bucket(2), throttled_bucket(2)
    bucket.acquire(2.0)
    same.acquire(2.0)
    bucket.set_limit(3.2)
    assert bucket == same


def test_a_throttled_bucket_stays_so_to_the_same_degree_and_comes_back_in_the_same_time() -> None:
    bucket, same = throttled_bucket(), throttled_bucket(limit=6.4)
    bucket.set_limit(6.4)
    assert (bucket.limit, bucket.low, bucket.former) == (same.limit, same.low, same.former) == (6.4, 3.2, 6.4)
