"""The colours of statuses and problems: distinct with deuteranopia and protanopia, in the light and the dark theme."""

from collections.abc import Sequence
from typing import Final

STATUS_COLOURS: Final = {
    "QUEUED": "#d87e01",
    "RUNNING": "#1297ff",
    "COMPLETED": "#50a37b",
    "FAILED": "#bb3523",
    "CANCELLING": "#ba729e",
    "CANCELLED": "#6b6766",
    "MAX_RUNTIME_EXCEEDED": "#9e3f9e",
}
"""Colours of the statuses and of the event MAX_RUNTIME_EXCEEDED."""

DEVICE_STATUS_COLOURS: Final = {
    "ONLINE": STATUS_COLOURS["COMPLETED"],
    "PAUSED": STATUS_COLOURS["QUEUED"],
    "OFFLINE": STATUS_COLOURS["FAILED"],
    "RETIRED": STATUS_COLOURS["CANCELLED"],
}

GOOD: Final = STATUS_COLOURS["COMPLETED"]
BAD: Final = STATUS_COLOURS["FAILED"]
WARNING: Final = STATUS_COLOURS["QUEUED"]
NEUTRAL: Final = "text"
PLAIN_BAR: Final = "blue"
NO_STATUS: Final = "#8e8e8e"

NO_EXPORTER_COLOURS: Final = {"No exporter": BAD}

PROBLEM_COLOURS: Final = {
    "FAILED": STATUS_COLOURS["FAILED"],
    "MAX_RUNTIME_EXCEEDED": STATUS_COLOURS["MAX_RUNTIME_EXCEEDED"],
    "NEAR MAX RUNTIME": WARNING,
    "STUCK IN QUEUE": STATUS_COLOURS["QUEUED"],
    "STUCK CANCELLING": STATUS_COLOURS["CANCELLING"],
    **NO_EXPORTER_COLOURS,
}

Steps = Sequence[tuple[float | None, str]]
"""Lower bounds (``None``: the lowest) and colours of thresholds."""

PLAIN: Final[Steps] = ((None, NEUTRAL),)
