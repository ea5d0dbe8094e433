"""The names of targets in the output of commands. Pure."""

from exporter.core import Target


def name_target(target: Target, name: str = "") -> str:
    """Return the account and Region of a target, after its name in the settings if it has one."""
    place = f"{target.account or 'unknown account'}/{target.region}"
    return f"{name} ({place})" if name else place
