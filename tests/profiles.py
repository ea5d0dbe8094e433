"""Profiles of hypothesis: few examples for `make quick`, the same examples in each run with ``CI=true``."""

import os

from hypothesis import settings

USUAL = 100
"""Examples of a property in the default profile."""

settings.register_profile("default", deadline=None, max_examples=USUAL)
settings.register_profile("quick", deadline=None, max_examples=USUAL // 10)
settings.register_profile("ci", deadline=None, max_examples=USUAL, derandomize=True, print_blob=True)


def load_profile() -> None:
    """Load the profile of this run; the option ``--hypothesis-profile`` of pytest replaces it."""
    settings.load_profile("ci" if os.environ.get("CI") == "true" else "default")


def examples(usual: int) -> int:
    """Scale a number of examples, as it is in the default profile, to the active profile."""
    return max(1, usual * settings().max_examples // USUAL)
