"""Parser and limits of times. Pure."""

from datetime import UTC, datetime
from typing import Final

_MAX_TIME: Final = 64
_YEAR_1: Final = -62135596800.0
_YEAR_10000: Final = 253402300800.0


def parse_time(value: str | float) -> float:
    """Read a time as unix seconds: ISO 8601 (``Z`` or an offset, 0 to 6 fractional digits) or a number.

    Text without an offset is UTC.

    Raises:
        ValueError: it is not such a time, or ``check_time`` refuses it.
    """
    if isinstance(value, int | float):
        return check_time(value)
    if len(value) > _MAX_TIME:
        raise ValueError("too long for a time")
    moment = datetime.fromisoformat(value.strip())
    return check_time((moment if moment.tzinfo else moment.replace(tzinfo=UTC)).timestamp())


def check_time(seconds: float) -> float:
    """Return a time if it is within the limits for responses and the state file.

    The limits are those of dates in the log and on the status page. So a time from a response can be written to the
    state file and read again.

    Raises:
        ValueError: the time is outside the years 1 to 9999.
    """
    if not _YEAR_1 <= seconds < _YEAR_10000:
        raise ValueError("outside the years 1 to 9999")
    return float(seconds)
