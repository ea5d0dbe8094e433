"""How far the first poll has come."""

from typing import Any

import pytest

from exporter.core.first_poll import FirstPollProgress, first_poll_progress
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
    assert first_poll_progress([target(active=250, waiting=230), slow]) == FirstPollProgress(
        targets=2, failing=0, total=400, waiting=280, listed=True, seconds=100.0
    )


def test_targets_of_one_account_and_region_share_its_rate_limit() -> None:
    named = [target(name="chemistry", active=100, waiting=50), target(name="physics", active=100, waiting=75)]
    assert first_poll_progress(named) == FirstPollProgress(
        targets=2, failing=0, total=200, waiting=125, listed=True, seconds=50.0
    )


@pytest.mark.parametrize(
    ("targets", "seconds"),
    [
        ([target(active=300, waiting=280), target(None, finished=100)], 112.0),
        ([target(finished=400)], 0.0),
        ([target(up=False, active=10, waiting=10), target(active=3, waiting=1)], None),
        ([target(up=False, active=10), target(active=3, waiting=1)], 0.4),
        ([target(active=1, waiting=1, budget={})], None),
        ([], 0.0),
    ],
)
def test_the_time_that_is_left_is_known_unless_a_target_holds_it_up(
    targets: list[TargetStatus], seconds: float | None
) -> None:
    assert first_poll_progress(targets).seconds == seconds


def test_failing_targets_and_unfinished_lists_show() -> None:
    fill = first_poll_progress([target(up=False), target(None, listed=False)])
    assert (fill.failing, fill.listed) == (1, False)


@pytest.mark.parametrize(
    ("seconds", "text"),
    [(-1.0, "0 s"), (0.9, "0 s"), (59.9, "59 s"), (60.0, "1 min"), (4320.0, "1 h 12 min"), (90061.0, "1 d 1 h")],
)
def test_a_time_span_has_two_units_at_the_most(seconds: float, text: str) -> None:
    assert format_span(seconds) == text
