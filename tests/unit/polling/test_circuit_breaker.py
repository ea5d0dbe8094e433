"""Whether a call may be made now."""

from collections.abc import Callable, Sequence

import pytest
from builders import CREATED, arn
from hypothesis import given
from hypothesis import strategies as st

from exporter.core import (
    GET_JOB,
    SEARCH_JOBS,
    BraketError,
    DeniedError,
    Health,
    MalformedError,
    NotFoundError,
    RejectedError,
    Target,
    ThrottledError,
    UnauthenticatedError,
    UnavailableError,
)
from exporter.polling.circuit_breaker import CircuitBreaker
from exporter.polling.rate_limiter import RateLimiter

TARGET = Target("123456789012", "us-west-2")
NAMELESS = Target("", "us-west-2")
NOW = 5000.0
WALL = CREATED

DENIED = DeniedError("AccessDeniedException", "denied")
THROTTLED = ThrottledError("ThrottlingException", "slow down")
LOGGED_OUT = UnauthenticatedError("credentials", "no credentials")
AWAY = UnavailableError("connection", "no way")
GONE = NotFoundError("ResourceNotFoundException", "no such job")
REJECTED = RejectedError("ValidationException", "bad request")
GARBLED = MalformedError("malformed", "no JSON")


def circuit_breaker(
    *operations: str,
    rate_limiter: RateLimiter | None = None,
    target: Callable[[], Target] = lambda: TARGET,
    random: Callable[[], float] = lambda: 0.0,
) -> CircuitBreaker:
    return CircuitBreaker(
        operations or (GET_JOB, SEARCH_JOBS),
        rate_limiter=RateLimiter(2.0) if rate_limiter is None else rate_limiter,
        target=target,
        random=random,
        now=NOW,
    )


def rates(one: CircuitBreaker, now: float) -> dict[str, float]:
    return {operation: one.rate(operation, now) for operation in one.operations}


def get_job(
    one: CircuitBreaker, error: BraketError, *jobs: int, requested_at: float = NOW, now: float = NOW, of: int = 10
) -> None:
    """Have the GetJob calls for some jobs fail."""
    for job in jobs:
        one.failed(GET_JOB, error, requested_at=requested_at, now=now, arn=arn(job), jobs=of)


def search(
    one: CircuitBreaker, error: BraketError, times: int = 1, *, requested_at: float = NOW, now: float = NOW
) -> None:
    for _ in range(times):
        one.failed(SEARCH_JOBS, error, requested_at=requested_at, now=now)


# The rate limit.


def test_a_request_is_taken_from_the_rate_limit_of_its_operation() -> None:
    one = circuit_breaker()
    assert [one.acquire(GET_JOB, NOW), one.acquire(GET_JOB, NOW)] == [0.0, 0.5]
    assert one.acquire(SEARCH_JOBS, NOW) == 0.0
    assert one.acquire(GET_JOB, NOW + 0.5) == 0.0


def test_targets_of_the_same_account_and_region_share_its_rate_limit() -> None:
    limiter = RateLimiter(2.0)
    assert circuit_breaker(rate_limiter=limiter).acquire(GET_JOB, NOW) == 0.0
    assert circuit_breaker(rate_limiter=limiter).acquire(GET_JOB, NOW) == 0.5


@pytest.mark.parametrize("first", ["take", "tell", "be refused"])
def test_the_rate_limit_continues_under_the_name_of_the_account_once_it_is_known(first: str) -> None:
    limiter = RateLimiter(2.0)
    targets = [NAMELESS]
    one = circuit_breaker(rate_limiter=limiter, target=lambda: targets[-1])
    get_job(one, THROTTLED, 1)
    assert limiter.rate(NAMELESS, GET_JOB, NOW) == 1.0
    targets.append(TARGET)
    if first == "tell":
        assert rates(one, NOW) == {GET_JOB: 1.0, SEARCH_JOBS: 2.0}
    elif first == "be refused":
        get_job(one, THROTTLED, 1, requested_at=NOW - 1.0)
    assert one.acquire(GET_JOB, NOW) == 1.0
    assert limiter.rate(TARGET, GET_JOB, NOW) == 1.0


def test_two_credentials_of_different_accounts_have_a_rate_limit_each() -> None:
    limiter = RateLimiter(2.0)
    targets = [NAMELESS]
    circuit_breakers = [circuit_breaker(rate_limiter=limiter, target=lambda: targets[-1]) for _ in range(2)]
    assert [one.acquire(GET_JOB, NOW) for one in circuit_breakers] == [0.0, 0.5]
    for one, account in zip(circuit_breakers, ("123456789012", "210987654321"), strict=True):
        targets.append(Target(account, "us-west-2"))
        assert one.acquire(GET_JOB, NOW + 0.5) == 0.0


def test_the_rate_limit_of_each_operation_is_shown() -> None:
    one = circuit_breaker()
    assert rates(one, NOW) == {GET_JOB: 2.0, SEARCH_JOBS: 2.0}
    assert rates(circuit_breaker(GET_JOB), NOW) == {GET_JOB: 2.0}


def test_the_used_requests_include_those_of_other_credentials() -> None:
    limiter = RateLimiter(2.0)
    one, other = circuit_breaker(rate_limiter=limiter), circuit_breaker(GET_JOB, rate_limiter=limiter)
    one.acquire(GET_JOB, NOW)
    other.acquire(GET_JOB, NOW + 1.0)
    assert [one.rate_limiter.used(TARGET, each, NOW + 1.0) for each in (GET_JOB, SEARCH_JOBS)] == [2, 0]
    assert other.rate_limiter.used(TARGET, GET_JOB, NOW + 1.0) == 2


def test_a_throttled_call_halves_the_rate_limit_of_getjob_alone() -> None:
    one = circuit_breaker()
    get_job(one, THROTTLED, 1)
    assert rates(one, NOW) == {GET_JOB: 1.0, SEARCH_JOBS: 2.0}
    assert rates(one, NOW + 60.0) == {GET_JOB: 1.0, SEARCH_JOBS: 2.0}
    assert one.acquire(GET_JOB, NOW) == 1.0
    one.succeeded(GET_JOB, requested_at=NOW, now=NOW, wall=WALL)
    assert rates(one, NOW + 10.0) == {GET_JOB: 1.875, SEARCH_JOBS: 2.0}


@pytest.mark.parametrize("error", [GONE, REJECTED, GARBLED, AWAY])
def test_after_any_error_but_throttling_the_rate_limit_recovers(error: BraketError) -> None:
    one = circuit_breaker(GET_JOB)
    get_job(one, THROTTLED, 1)
    get_job(one, error, 2)
    assert rates(one, NOW + 10.0) == {GET_JOB: 1.875}


def test_a_throttled_search_halves_the_rate_limit_of_searchjobs_alone() -> None:
    one = circuit_breaker(random=lambda: 0.5)
    search(one, THROTTLED)
    assert rates(one, NOW) == {GET_JOB: 2.0, SEARCH_JOBS: 1.0}
    one.succeeded(SEARCH_JOBS, requested_at=NOW, now=NOW, wall=WALL)
    assert rates(one, NOW + 15.0) == {GET_JOB: 2.0, SEARCH_JOBS: 1.875}


def test_calls_that_were_sent_before_the_rate_limit_was_halved_do_not_halve_it_again() -> None:
    one = circuit_breaker()
    get_job(one, THROTTLED, 1, requested_at=NOW - 1.0)
    get_job(one, THROTTLED, 2, requested_at=NOW - 0.5)
    assert rates(one, NOW)[GET_JOB] == 1.0


@pytest.mark.parametrize("error", [DENIED, LOGGED_OUT, AWAY, GONE, REJECTED, GARBLED])
def test_nothing_but_throttling_slows_down(error: BraketError) -> None:
    one = circuit_breaker()
    get_job(one, error, 1, 2, 3, 4, of=4)
    search(one, error)
    assert rates(one, NOW) == {GET_JOB: 2.0, SEARCH_JOBS: 2.0}


# The health of the target.


def test_at_first_nothing_is_known_and_everything_may_be_tried() -> None:
    one = circuit_breaker()
    assert one.health == Health()
    assert (one.paused_until(GET_JOB), one.paused_until(SEARCH_JOBS)) == (NOW, NOW)
    assert (one.pauses(GET_JOB), one.pauses(SEARCH_JOBS)) == (0, 0)
    assert (one.consecutive_failures(GET_JOB), one.consecutive_failures(SEARCH_JOBS)) == (0, 0)


def test_an_operation_that_is_never_called_never_failed() -> None:
    assert circuit_breaker(GET_JOB).consecutive_failures(SEARCH_JOBS) == 0


@pytest.mark.parametrize("operation", [GET_JOB, SEARCH_JOBS])
def test_a_good_response_makes_the_target_up(operation: str) -> None:
    one = circuit_breaker()
    one.succeeded(operation, requested_at=NOW, now=NOW, wall=WALL)
    assert one.health == Health(up=True, last_success=WALL)


@pytest.mark.parametrize("error", [GONE, REJECTED])
def test_a_response_that_refuses_a_job_shows_that_the_target_is_up(error: BraketError) -> None:
    one = circuit_breaker()
    get_job(one, AWAY, 1, 2)
    get_job(one, error, 3)
    get_job(one, AWAY, 4, 5)
    assert one.health.up is True
    assert one.health.last_success is None


def test_one_call_that_had_no_good_credentials_makes_the_target_down() -> None:
    one = circuit_breaker()
    one.succeeded(GET_JOB, requested_at=NOW, now=NOW, wall=WALL)
    get_job(one, LOGGED_OUT, 1)
    assert one.health.up is False
    assert one.health.last_error == "no credentials"


@pytest.mark.parametrize(("error", "up"), [(AWAY, False), (THROTTLED, False), (GONE, True)])
def test_three_calls_without_an_response_make_the_target_down(error: BraketError, up: bool) -> None:  # noqa: FBT001
    one = circuit_breaker()
    one.succeeded(GET_JOB, requested_at=NOW, now=NOW, wall=WALL)
    get_job(one, error, 1, 2)
    assert one.health.up is True
    get_job(one, error, 3)
    assert one.health.up is up
    assert one.health.last_error == str(error)
    assert one.health.last_success == WALL


def test_one_job_that_is_throttled_three_times_makes_the_target_down() -> None:
    one = circuit_breaker()
    get_job(one, THROTTLED, 1, 1)
    assert one.health.up is None
    get_job(one, THROTTLED, 1)
    assert one.health.up is False


@pytest.mark.parametrize("error", [DENIED, GARBLED])
def test_a_job_that_is_refused_says_nothing_of_the_target_unless_all_are(error: BraketError) -> None:
    one = circuit_breaker()
    get_job(one, error, 1, 2, 3, of=4)
    assert one.health.up is True
    get_job(one, error, 4, of=4)
    assert one.health.up is False


@pytest.mark.parametrize("error", [DENIED, LOGGED_OUT])
def test_a_search_that_is_refused_makes_the_target_down_at_once(error: BraketError) -> None:
    one = circuit_breaker()
    one.succeeded(GET_JOB, requested_at=NOW, now=NOW, wall=WALL)
    search(one, error)
    assert one.health.up is False
    assert one.health.last_error == str(error)


@pytest.mark.parametrize("error", [AWAY, THROTTLED, REJECTED, GARBLED, GONE])
def test_a_search_that_fails_otherwise_makes_the_target_down_the_third_time_in_a_row(error: BraketError) -> None:
    one = circuit_breaker()
    one.succeeded(GET_JOB, requested_at=NOW, now=NOW, wall=WALL)
    search(one, error, 2)
    assert one.health.up is True
    search(one, error)
    assert one.health.up is False


def test_the_target_is_down_while_one_operation_is_though_the_other_responds() -> None:
    one = circuit_breaker()
    search(one, DENIED)
    one.succeeded(GET_JOB, requested_at=NOW, now=NOW, wall=WALL)
    assert one.health.up is False
    one.succeeded(SEARCH_JOBS, requested_at=NOW, now=NOW, wall=WALL + 1.0)
    assert one.health == Health(up=True, last_success=WALL + 1.0)


def test_failures_are_counted_until_the_next_good_response() -> None:
    one = circuit_breaker()
    search(one, AWAY, 2)
    get_job(one, GONE, 1)
    assert (one.consecutive_failures(SEARCH_JOBS), one.consecutive_failures(GET_JOB)) == (2, 1)
    one.succeeded(SEARCH_JOBS, requested_at=NOW, now=NOW, wall=WALL)
    assert (one.consecutive_failures(SEARCH_JOBS), one.consecutive_failures(GET_JOB)) == (0, 1)


# Pauses.


def test_without_credentials_getjob_is_paused_at_once_and_twice_as_long_each_time() -> None:
    one = circuit_breaker()
    waits = []
    now = NOW
    for job in range(9):
        get_job(one, LOGGED_OUT, job, requested_at=now, now=now + 1.0)
        waits.append(one.paused_until(GET_JOB) - now - 1.0)
        now = one.paused_until(GET_JOB)
    assert waits == [1.0, 2.0, 4.0, 8.0, 16.0, 32.0, 60.0, 60.0, 60.0]
    assert one.pauses(GET_JOB) == 9
    assert one.paused_until(SEARCH_JOBS) == NOW


def test_a_service_that_cannot_be_reached_is_paused_once_that_is_certain() -> None:
    one = circuit_breaker()
    get_job(one, AWAY, 1, 2)
    assert one.paused_until(GET_JOB) == NOW
    get_job(one, AWAY, 3)
    assert one.paused_until(GET_JOB) == NOW + 1.0


@pytest.mark.parametrize("error", [DENIED, THROTTLED, GONE, REJECTED, GARBLED])
def test_a_service_that_responds_is_never_paused(error: BraketError) -> None:
    one = circuit_breaker()
    get_job(one, error, 1, 2, 3, 4, of=4)
    assert one.paused_until(GET_JOB) == NOW
    assert one.pauses(GET_JOB) == 0


@pytest.mark.parametrize("error", [DENIED, LOGGED_OUT, AWAY, GONE, REJECTED, GARBLED])
def test_a_search_that_failed_is_not_made_again_at_once(error: BraketError) -> None:
    one = circuit_breaker()
    search(one, error, requested_at=NOW, now=NOW + 3.0)
    assert one.paused_until(SEARCH_JOBS) == NOW + 4.0
    assert one.paused_until(GET_JOB) == NOW


def test_a_search_that_was_throttled_waits_for_its_rate_limit_alone() -> None:
    one = circuit_breaker()
    search(one, THROTTLED, 5)
    assert one.paused_until(SEARCH_JOBS) == NOW
    assert one.acquire(SEARCH_JOBS, NOW) > 0.0


def test_calls_that_were_sent_before_the_decision_to_wait_do_not_prolong_it() -> None:
    one = circuit_breaker()
    get_job(one, LOGGED_OUT, 1, requested_at=NOW, now=NOW + 1.0)
    get_job(one, LOGGED_OUT, 2, requested_at=NOW + 0.5, now=NOW + 1.9)
    search(one, AWAY, requested_at=NOW, now=NOW + 1.0)
    search(one, AWAY, requested_at=NOW + 0.5, now=NOW + 1.9)
    assert (one.paused_until(GET_JOB), one.paused_until(SEARCH_JOBS)) == (NOW + 2.0, NOW + 2.0)
    assert (one.pauses(GET_JOB), one.pauses(SEARCH_JOBS)) == (1, 1)


def test_after_a_response_the_waits_are_short_again() -> None:
    one = circuit_breaker()
    get_job(one, LOGGED_OUT, 1, requested_at=NOW, now=NOW)
    get_job(one, LOGGED_OUT, 1, requested_at=NOW + 1.0, now=NOW + 1.0)
    assert one.paused_until(GET_JOB) == NOW + 3.0
    one.succeeded(GET_JOB, requested_at=NOW, now=NOW, wall=WALL)
    assert one.pauses(GET_JOB) == 0
    get_job(one, LOGGED_OUT, 1, requested_at=NOW + 10.0, now=NOW + 10.0)
    assert one.paused_until(GET_JOB) == NOW + 11.0


def test_waits_are_shortened_at_random_so_that_exporters_do_not_come_back_in_step() -> None:
    one = circuit_breaker(random=lambda: 0.5)
    get_job(one, LOGGED_OUT, 1)
    assert one.paused_until(GET_JOB) == NOW + 0.75


ERRORS = st.sampled_from([DENIED, THROTTLED, LOGGED_OUT, AWAY, GONE, REJECTED, GARBLED])
CALLS = st.lists(
    st.tuples(
        st.sampled_from([GET_JOB, SEARCH_JOBS]),
        st.none() | ERRORS,
        st.floats(0.0, 90.0),
        st.floats(0.0, 10.0),
        st.integers(1, 5),
    ),
    max_size=40,
)


@given(calls=CALLS, jitter=st.floats(0.0, 1.0, exclude_max=True))
def test_no_pause_is_longer_than_a_minute_and_one_response_for_each_operation_makes_the_target_up(
    calls: Sequence[tuple[str, BraketError | None, float, float, int]], jitter: float
) -> None:
    one, now = circuit_breaker(random=lambda: jitter), NOW
    for operation, error, pause, took, job in calls:
        now += pause
        if error is None:
            one.succeeded(operation, requested_at=NOW, now=NOW, wall=WALL)
        elif operation == GET_JOB:
            get_job(one, error, job, requested_at=now - took, now=now, of=5)
        else:
            search(one, error, requested_at=now - took, now=now)
        assert one.paused_until(operation) <= now + 60.0
        assert all(2.0 / 32 <= rate <= 2.0 for rate in rates(one, now).values())
        assert one.consecutive_failures(operation) == 0 if error is None else one.consecutive_failures(operation) > 0
    for operation in (GET_JOB, SEARCH_JOBS):
        one.succeeded(operation, requested_at=NOW, now=NOW, wall=WALL + 1.0)
        assert one.pauses(operation) == 0
    assert one.health == Health(up=True, last_success=WALL + 1.0)


def test_an_operation_that_is_not_called_any_more_has_no_health_and_starts_again_later() -> None:
    circuit_breaker = CircuitBreaker(
        (GET_JOB, SEARCH_JOBS), rate_limiter=RateLimiter(2.5), target=lambda: TARGET, random=lambda: 0.0, now=NOW
    )
    circuit_breaker.succeeded(GET_JOB, requested_at=NOW, now=NOW, wall=WALL)
    circuit_breaker.failed(SEARCH_JOBS, DENIED, requested_at=NOW, now=NOW)
    before = circuit_breaker.health.up
    circuit_breaker.set_operations((GET_JOB,), NOW)
    assert (before, circuit_breaker.health) == (False, Health(up=True, last_success=WALL))
    assert rates(circuit_breaker, NOW) == {GET_JOB: 2.5}
    circuit_breaker.set_operations((GET_JOB, SEARCH_JOBS), NOW + 5.0)
    assert (
        circuit_breaker.paused_until(SEARCH_JOBS),
        circuit_breaker.consecutive_failures(SEARCH_JOBS),
        circuit_breaker.health.up,
    ) == (NOW + 5.0, 0, True)
