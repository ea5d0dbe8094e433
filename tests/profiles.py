"""Profiles of hypothesis: few examples for `make quick`, the same examples in each run with ``CI=true``."""

import os
from collections.abc import Sequence
from typing import TypeVar

from hypothesis import HealthCheck, settings

T = TypeVar("T")

USUAL = 100
"""Examples of a property in the default profile."""

UNTIMED = settings(deadline=None, suppress_health_check=[HealthCheck.too_slow])
"""A busy machine makes no test fail."""

settings.register_profile("default", UNTIMED, max_examples=USUAL)
settings.register_profile("quick", UNTIMED, max_examples=USUAL // 20)
settings.register_profile("ci", UNTIMED, max_examples=USUAL, derandomize=True, print_blob=True)


def load_profile() -> None:
    """Load the profile of this run; the option ``--hypothesis-profile`` of pytest replaces it."""
    settings.load_profile("ci" if os.environ.get("CI") == "true" else "default")


def examples(usual: int) -> int:
    """Scale a number of examples, as it is in the default profile, to the active profile."""
    return max(1, usual * settings().max_examples // USUAL)


def some(values: Sequence[T]) -> Sequence[T]:
    """Return all values in the default profile, and evenly spaced ones in a profile with fewer examples."""
    return values[:: max(1, USUAL // settings().max_examples)]
