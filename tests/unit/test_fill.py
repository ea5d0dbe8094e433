"""How far the first poll has come, in words."""

from typing import Any

import pytest

from exporter.core.first_poll import Fill, fill_line, fill_of
from exporter.core.jobs import Target
from exporter.core.target_status import Health, TargetStatus
from exporter.core.text import format_span


def target(up: bool | None = True, **members: Any) -> TargetStatus:  # noqa: FBT001, FBT002 -- one of three
    usual: dict[str, Any] = {
        "target": Target("123456789012", "us-west-2"),
        "health": Health(up=up),
        "active": 0,
        "finished": 0,
        "waiting": 0,
        "staleness": None,
        "poll_duration": None,
        "budget": {"GetJob": 2.5},
    }
    return TargetStatus(**{**usual, **members})


def test_the_targets_add_up_and_the_one_that_needs_longest_says_how_long() -> None:
    budget = {"GetJob": 0.5, "SearchJobs": 2.5}
    slow = target(target=Target("123456789012", "eu-north-1"), active=100, finished=50, waiting=50, budget=budget)
    assert fill_of([target(active=250, waiting=230), slow]) == Fill(
        targets=2, failing=0, total=400, waiting=280, listed=True, seconds=100.0, rate=0.5
    )


def test_targets_of_one_account_and_region_share_its_rate_limit() -> None:
    named = [target(name="chemistry", active=100, waiting=50), target(name="physics", active=100, waiting=75)]
    assert fill_of(named) == Fill(targets=2, failing=0, total=200, waiting=125, listed=True, seconds=50.0, rate=2.5)


@pytest.mark.parametrize(
    ("targets", "line"),
    [
        (
            [target(active=300, waiting=280), target(None, finished=100)],
            "first poll: 120 of 400 jobs asked for, 2 targets, about 1 min 52 s left at 2.5 calls a second",
        ),
        ([target(finished=400)], "first poll: 400 of 400 jobs asked for, 1 target"),
        ([target(None, listed=False)], "first poll: looking for jobs, 0 of 0 found asked for, 1 target"),
        (
            [target(active=1500, waiting=1000, listed=False)],
            "first poll: looking for jobs, 500 of 1,500 found asked for, 1 target",
        ),
        (
            [target(up=False, active=10, waiting=10), target(active=3, waiting=1)],
            "first poll: 2 of 13 jobs asked for, 2 targets (1 failing)",
        ),
        ([target(active=1, waiting=1, budget={})], "first poll: 0 of 1 jobs asked for, 1 target"),
        ([], "first poll: 0 of 0 jobs asked for, 0 targets"),
    ],
)
def test_one_line_tells_it(targets: list[TargetStatus], line: str) -> None:
    assert fill_line(fill_of(targets)) == line


@pytest.mark.parametrize(
    ("seconds", "text"),
    [(-1.0, "0 s"), (0.9, "0 s"), (59.9, "59 s"), (60.0, "1 min"), (4320.0, "1 h 12 min"), (90061.0, "1 d 1 h")],
)
def test_a_time_span_has_two_units_at_the_most(seconds: float, text: str) -> None:
    assert format_span(seconds) == text
