"""How people write durations, addresses and lists, and how they are read. Pure."""

import difflib
import json
import re
from collections.abc import Iterable
from decimal import Decimal
from typing import Any, Final, NamedTuple, TypeVar

import yaml

T = TypeVar("T")

_UNITS: Final = {"s": 1.0, "m": 60.0, "h": 3600.0, "d": 86400.0}
_DURATION: Final = re.compile(r"(\d+(?:\.\d+)?)\s*([smhd]?)", re.ASCII)
_POD: Final = re.compile(r"[a-z0-9][a-z0-9.-]*-(\d+)", re.ASCII)
_LISTEN: Final = re.compile(r"(?:\[(?P<v6>[0-9a-fA-F:.]+)\]|(?P<host>[^\s:\[\]]*)):(?P<port>\d{1,5})", re.ASCII)


class Listen(NamedTuple):
    """Where to listen; an empty host is every address, port 0 any free port."""

    host: str
    port: int


def parse_duration(value: object) -> float:
    """Read ``30s``, ``5m``, ``24h``, ``7d`` or a number of seconds.

    Raises:
        ValueError: it is none of them, or not above 0.
    """
    match = None if isinstance(value, bool) else _DURATION.fullmatch(str(value).strip())
    seconds = float(match[1]) * _UNITS[match[2] or "s"] if match else 0.0
    if not 0 < seconds < float("inf"):
        raise ValueError("expected a duration above 0, such as 30s, 5m, 24h, 7d or a number of seconds")
    return seconds


def format_duration(seconds: float) -> str:
    """Write seconds in the largest unit that takes a whole number of them."""
    for unit in ("d", "h", "m"):
        if seconds >= _UNITS[unit] and seconds % _UNITS[unit] == 0:
            return f"{seconds / _UNITS[unit]:.0f}{unit}"
    digits = format(Decimal(repr(seconds)), "f")
    return f"{digits.removesuffix('.0')}s"


def format_span(seconds: float) -> str:
    """Write seconds for people in their two largest units, such as ``1 h 12 min``; none are less than 0."""
    left, parts = max(0, int(seconds)), []
    for size, unit in ((86400, "d"), (3600, "h"), (60, "min"), (1, "s")):
        count, left = divmod(left, size)
        if count:
            parts.append(f"{count} {unit}")
    return " ".join(parts[:2]) or "0 s"


def parse_listen(text: str) -> Listen:
    """Read ``HOST:PORT``, ``:PORT`` or ``[::1]:PORT``.

    Raises:
        ValueError: it is none of them, or the port is above 65535.
    """
    match = _LISTEN.fullmatch(text)
    if match is None or int(match["port"]) > 65535:
        raise ValueError("expected HOST:PORT, :PORT or [::1]:PORT, with a port from 0 to 65535")
    return Listen(match["v6"] or match["host"], int(match["port"]))


def shard_of(value: T) -> T | str:
    """Pick the ordinal from a StatefulSet pod's name, such as ``braket-exporter-2``; what is none stays as it is."""
    match = _POD.fullmatch(value) if isinstance(value, str) else None
    return match[1] if match else value


def split_list(value: object) -> object:
    """Read a list from text, as JSON or with commas; what is no text stays as it is.

    Raises:
        ValueError: it begins like JSON and is none.
    """
    if not isinstance(value, str):
        return value
    if value.lstrip().startswith("["):
        try:
            return json.loads(value)
        except json.JSONDecodeError as error:
            raise ValueError("expected a JSON list or comma-separated values") from error
    return [part.strip() for part in value.split(",") if part.strip()]


def parse_mapping(text: str, example: str) -> dict[Any, Any] | None:
    """Read YAML that is keys with values; ``None`` when there is nothing.

    Args:
        text: the YAML.
        example: a line of it that would be right.

    Raises:
        ValueError: it is something else, or no YAML.
    """
    try:
        values = yaml.safe_load(text)
    except yaml.MarkedYAMLError as error:
        mark = error.problem_mark
        where = "" if mark is None else f"line {mark.line + 1}, column {mark.column + 1}: "
        raise ValueError(f"{where}is no valid YAML: {error.problem}") from error
    except (yaml.YAMLError, ValueError) as error:  # a scalar that only looks like a number or a date is a ValueError
        raise ValueError(f"is no valid YAML: {' '.join(str(error).split())}") from error
    except RecursionError as error:
        raise ValueError("is nested too deeply") from error
    if values is not None and not isinstance(values, dict):
        raise ValueError(f"expected keys with values, such as '{example}'")
    return values


def near(name: str, known: Iterable[str]) -> str:
    """Ask whether another name was meant; empty when none of the known ones is near."""
    close = difflib.get_close_matches(name, [*known], n=1)
    return f"; did you mean {close[0]}?" if close else ""
