"""The wall clock that follows AWS's."""

from builders import CREATED, FakeTime

from exporter.core.clock import Clock


def test_without_a_response_the_local_clock_counts() -> None:
    time = FakeTime(wall=CREATED)
    clock = time.clock
    time.wall += 100.0
    assert (clock.wall(), clock.monotonic()) == (CREATED + 100.0, 5000.0)


def test_a_corrected_clock_shows_the_time_of_the_response() -> None:
    clock = FakeTime(wall=CREATED).clock
    clock.correct(-3600.0)
    assert clock.wall() == CREATED - 3600.0


def test_between_responses_it_runs_on_whatever_the_local_clock_does() -> None:
    time = FakeTime(wall=CREATED)
    clock = time.clock
    clock.correct(0.0)
    time.wall -= 1e6
    time.monotonic += 7.0
    assert clock.wall() == CREATED + 7.0
    clock.correct(1e6)
    assert clock.wall() == CREATED


def test_the_clocks_of_the_system_are_the_default() -> None:
    clock = Clock()
    assert clock.wall() > CREATED
    assert clock.monotonic() <= clock.monotonic()
