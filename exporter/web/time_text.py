"""Times as text for the status page. Pure."""

from datetime import UTC, datetime

from exporter.core import format_span


def date_and_time(time: float) -> str:
    """Write a Unix time in UTC, such as ``2023-11-14 22:13:20``."""
    return str(datetime.fromtimestamp(time, UTC))[:19]


def time_of_day(time: float) -> str:
    """Write the hour and minute of a Unix time in UTC, such as ``22:13``."""
    return date_and_time(time)[11:16]


def age(time: float, now: float) -> str:
    """Write the time since ``time``, such as ``3 min 5 s ago``."""
    return f"{format_span(now - time)} ago"


def time_until(time: float, now: float) -> str:
    """Write the time until ``time``, such as ``in 3 min 5 s``."""
    return f"in {format_span(time - now)}"
