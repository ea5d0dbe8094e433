"""Parsers and formatters of durations, addresses, lists, and values in error messages. Pure."""

import difflib
import json
import re
from collections.abc import Iterable
from decimal import Decimal
from itertools import islice
from typing import Final, NamedTuple, TypeVar

T = TypeVar("T")

LONGEST_DURATION: Final = 36500 * 86400.0
"""A hundred years, in seconds: dates that far away can still be written."""

LONGEST_SHOWN: Final = 120
"""The most characters of a value that an error shows."""

MOST_SHOWN: Final = 5
"""The most elements of a list that an error shows."""

_UNITS: Final = {"w": 604800, "d": 86400, "h": 3600, "m": 60, "s": 1}
_PART: Final = re.compile(r"(\d+(?:\.\d+)?)\s*([wdhms])\s*", re.ASCII)
_NUMBER: Final = re.compile(r"\d+(?:\.\d+)?", re.ASCII)
_POD: Final = re.compile(r"[a-z0-9][a-z0-9.-]*-(\d+)", re.ASCII)
_LISTEN: Final = re.compile(r"(?:\[(?P<v6>[0-9a-fA-F:.]+)\]|(?P<host>[^\s:\[\]]*)):(?P<port>\d{1,5})", re.ASCII)
_NAME: Final = re.compile(r"[!-~]{1,80}")
_LOGIN: Final = re.compile(r"(?<!\S)[^\s:@/]+:(?!//)[^\s:@]+@(?=[^\s@]+:\d)")
"""The user and the password before an address without a scheme."""


class Listen(NamedTuple):
    """A listen address; an empty host is every address, port 0 any free port."""

    host: str
    port: int


def parse_duration(value: object) -> float:
    """Read ``30s``, ``5m``, ``24h``, ``7d``, ``2w``, ``1h30m`` or a number of seconds.

    Raises:
        ValueError: the value is not a duration, not above 0, or longer than a hundred years.
    """
    seconds = _seconds(value)
    if not seconds > 0:
        raise ValueError("expected a duration above 0, such as 30s, 5m, 24h, 7d, 2w, 1h30m or a number of seconds")
    if seconds > LONGEST_DURATION:
        raise ValueError(f"expected a duration of at most {format_duration(LONGEST_DURATION)}")
    return seconds


def format_duration(seconds: float) -> str:
    """Write seconds in the largest unit from days on that takes a whole number of them."""
    for unit in ("d", "h", "m"):
        if seconds >= _UNITS[unit] and seconds % _UNITS[unit] == 0:
            return f"{seconds / _UNITS[unit]:.0f}{unit}"
    digits = format(Decimal(repr(seconds)), "f")
    return f"{digits.removesuffix('.0')}s"


def format_span(seconds: float) -> str:
    """Write seconds in their two largest units, such as ``1 h 12 min``; negative values as 0."""
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


def pod_ordinal(value: T) -> T | str:
    """Return the ordinal in a StatefulSet pod's name, such as ``braket-exporter-2``; any other value is unchanged."""
    match = _POD.fullmatch(value) if isinstance(value, str) else None
    return match[1] if match else value


def split_list(value: object) -> object:
    """Read a list from text, as JSON or with commas; return a value that is not text unchanged.

    Raises:
        ValueError: the text begins like JSON and is not valid JSON.
    """
    if not isinstance(value, str):
        return value
    if value.lstrip().startswith("["):
        try:
            return json.loads(value)
        except (ValueError, RecursionError) as error:
            raise ValueError("expected a JSON list or comma-separated values") from error
    return [part.strip() for part in value.split(",") if part.strip()]


def format_value(value: object) -> str:
    """Write a value for an error as JSON, without logins; a long or deeply nested one is cut."""
    try:
        text = json.dumps(_pruned(value, depth=3), default=str)
    except ValueError:  # Python does not write numbers of more than 4,300 digits
        text = "a number with too many digits"
    return text if len(text) <= LONGEST_SHOWN else f"{text[:LONGEST_SHOWN]}..."


def key_text(key: object) -> str:
    """Return a key, which may be a number or a date, as text."""
    return key if isinstance(key, str) else format_value(key)


def format_name(name: str) -> str:
    """Write a name for an error as it was typed, without a login.

    A long name, or a name with blanks or control characters, is quoted and cut.
    """
    return without_login(name) if _NAME.fullmatch(name) else format_value(name)


def without_login(text: str) -> str:
    """Replace the login in a URL or an address: a text that is not valid may contain one all the same."""
    start, end = text.find("//") + 2, text.rfind("@")
    return f"{text[:start]}***{text[end:]}" if 2 <= start <= end else _LOGIN.sub("***@", text)


def closest_name(name: str, known: Iterable[str], similarity: float = 0.6) -> str | None:
    """Return the most similar known name, ignoring dashes and case; ``None`` below this similarity, from 0 to 1."""
    forms = {_plain(each): each for each in known}
    close = difflib.get_close_matches(_plain(name[:LONGEST_SHOWN]), forms, n=1, cutoff=similarity)
    return forms[close[0]] if close else None


def suggestion(name: str, known: Iterable[str], similarity: float = 0.6) -> str:
    """Return a suggestion of a known name for an error message; empty below this similarity."""
    found = closest_name(name, known, similarity)
    return "" if found is None else f" (did you mean {found}?)"


def _seconds(value: object) -> float:
    """Return seconds; 0 for a value that is not a duration."""
    if isinstance(value, str):
        text = value.strip()
        return float(text) if _NUMBER.fullmatch(text) else _sum_of_parts(text)
    if isinstance(value, bool) or not isinstance(value, int | float):
        return 0.0
    return float(min(value, LONGEST_DURATION + 1))


def _sum_of_parts(text: str) -> float:
    """Add up numbers with units, the largest first and each once."""
    seconds, place, last = Decimal(), 0, float("inf")
    while place < len(text):
        part = _PART.match(text, place)
        if part is None or _UNITS[part[2]] >= last:
            return 0.0
        place, last = part.end(), _UNITS[part[2]]
        seconds += Decimal(part[1]) * last
    return float(seconds)


def _plain(name: str) -> str:
    return name.strip("-").replace("-", "_").lower()


def _pruned(value: object, depth: int) -> object:
    if isinstance(value, dict | list | tuple | set) and not depth:
        return "..."
    if isinstance(value, dict):
        pairs = islice(value.items(), MOST_SHOWN)
        return {without_login(str(key)): _pruned(each, depth - 1) for key, each in pairs}
    if isinstance(value, list | tuple | set):
        more = ["..."] if len(value) > MOST_SHOWN else []
        return [*(_pruned(each, depth - 1) for each in islice(value, MOST_SHOWN)), *more]
    return without_login(value)[: LONGEST_SHOWN + 1] if isinstance(value, str) else value
