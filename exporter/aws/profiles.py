"""Profiles of the SDK's configuration files: the next step when one does not exist."""

import os
import re
from collections.abc import Sequence
from typing import Final

import botocore.session

from exporter.core import suggestion

MAX_LISTED: Final = 5
"""The maximum number of profiles in an error."""

_VARIABLES: Final = ("AWS_DEFAULT_PROFILE", "AWS_PROFILE")
"""The variables that name a profile; the SDK takes the first that is set."""

_NAME: Final = re.compile(r"(?!.*[A-Z0-9]{16})[\w.@/+-]{1,32}", re.ASCII)
"""A name that may be shown: neither an access key ID nor as long as a secret key."""


def missing_profile(profile: str | None) -> str:
    """Describe a profile that does not exist, and the next step.

    Args:
        profile: the profile of the settings; ``None`` for the profile of a variable.
    """
    variable = next((name for name in _VARIABLES if name in os.environ), _VARIABLES[-1])
    name = os.environ.get(variable, "") if profile is None else profile
    if not name:
        return f"{variable} is empty, and the AWS SDK looks for a profile without a name; unset it"
    shown = f"{name} " if _NAME.fullmatch(name) else ""
    subject = f"the profile {shown}in {variable}" if profile is None else "this profile"
    return f"{subject} does not exist in the AWS configuration files; {_next_step(name)}"


def _next_step(name: str) -> str:
    known = _known_profiles()
    if not known:
        return "they have no profiles; check AWS_CONFIG_FILE and AWS_SHARED_CREDENTIALS_FILE, or use other credentials"
    more = len(known) - MAX_LISTED
    listed = ", ".join(known[:MAX_LISTED]) + (f" and {more} more" if more > 0 else "")
    return f"known profiles: {listed}{suggestion(name, known)}"


def _known_profiles() -> Sequence[str]:
    try:
        return [name for name in botocore.session.Session().available_profiles if _NAME.fullmatch(name)]
    except Exception:  # noqa: BLE001 -- the SDK raises any exception for files that it cannot read
        return []
