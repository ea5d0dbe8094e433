"""Members of a JSON object, each read with its expected shape and at most its expected size. Pure.

Everything from the wire gets its shape and its size here, so no later module has to check either.

An absent or null member has no value. Neither has a member of another shape; it is reported with the expected and the
actual shape, and never with its value: a value that differs at each poll must not add up.
"""

from collections.abc import Iterable, Iterator, Mapping
from typing import Any, Final

from exporter.core import parse_time

MAX_MESSAGE: Final = 2500
"""Characters of an event message or a failure reason that are kept. Braket's limits are 2,500 and 1,024."""

MAX_NAME: Final = 256
"""Characters of a job name that are kept. Braket's names have at most 50."""

MAX_CODE: Final = 100
"""Characters of a status, event type, instance type or unknown value that are kept. Braket's have at most 40."""

MAX_DEVICE: Final = 256
"""Characters of a device that are kept: Braket's own limit."""

MAX_TAG_KEY: Final = 128
MAX_TAG_VALUE: Final = 256
"""Characters of a tag's key and value that are kept: AWS's own limits."""

MAX_RESOURCE_ARN: Final = 512
"""Characters of the ARN of a reservation or a spending limit that are kept."""

MAX_SHOWN_ARN: Final = 300
"""Characters of an invalid ARN in an error."""

_WHOLE_FLOATS: Final = 2**53

_KINDS: Final = {
    bool: "a boolean",
    int: "a number",
    float: "a number",
    str: "text",
    list: "a list",
    dict: "an object",
    type(None): "null",
}


class ParseError(ValueError):
    """The response cannot be used. The text names the member and the reason."""


class Members:
    """The members of one JSON object, each read by its expected shape.

    Args:
        members: the object.
        unexpected: collects the members of another shape, each with the expected and the actual one.
        path: the path of the object in the response, with a dot at its end.
    """

    __slots__ = ("_members", "_path", "_unexpected")

    def __init__(self, members: Mapping[str, Any], unexpected: list[tuple[str, str]], path: str = "") -> None:
        self._members, self._unexpected, self._path = members, unexpected, path

    def value(self, name: str) -> object:
        """Return a member of any shape; ``None`` without one."""
        return self._members.get(name)

    def text(self, name: str, limit: int) -> str:
        """Return a text, cut at ``limit`` characters; empty without one."""
        value = self._members.get(name)
        if isinstance(value, str):
            return encodable(value[:limit])
        if value is not None:
            self._report(name, "text", value)
        return ""

    def texts(self, names: Iterable[str], limit: int) -> Iterator[tuple[str, str]]:
        """Yield each of some texts with its name."""
        for name in names:
            if self._members.get(name) is None:
                continue
            if isinstance(self._members[name], str):
                yield name, self.text(name, limit)
            else:
                self._report(name, "text", self._members[name])

    def count(self, name: str) -> int | None:
        """Return a whole number from 0 on; ``None`` without one."""
        value = self._members.get(name)
        if value is None:
            return None
        number = whole_number(value)
        if number is None:
            self._report(name, "a whole number", value)
        return number

    def time(self, name: str) -> float | None:
        """Return a time, unix seconds; ``None`` without one."""
        value = self._members.get(name)
        if value is None:
            return None
        time = _time(value)
        if time is None:
            self._report(name, "a time", value)
        return time

    def child(self, name: str) -> "Members":
        """Return the members of an object; none without one."""
        value = self._members.get(name)
        if isinstance(value, dict):
            return Members(value, self._unexpected, f"{self._path}{name}.")
        if value is not None:
            self._report(name, "an object", value)
        return Members({}, self._unexpected)

    def children(self, name: str, most: int) -> Iterator["Members"]:
        """Yield the objects of a list, the last ones if there are more than ``most``."""
        value = self._members.get(name)
        if isinstance(value, list):
            for each in value[-most:]:
                if isinstance(each, dict):
                    yield Members(each, self._unexpected, f"{self._path}{name}.")
                elif each is not None:
                    self._report(name, "objects", each)
        elif value is not None:
            self._report(name, "a list", value)

    def _report(self, name: str, expected: str, value: object) -> None:
        self._unexpected.append((f"{self._path}{name}", f"expected {expected}, got {kind_of(value)}"))


def json_object(path: str, value: object) -> dict[str, Any]:
    """Return a value that must be an object.

    Args:
        path: its name in the response.
        value: the value.

    Raises:
        ParseError: it is not an object.
    """
    if not isinstance(value, dict):
        raise ParseError(f"{path}: expected an object, got {kind_of(value)}")
    return value


def missing_or_not_text(value: object) -> str:
    """Describe a value that must be a text."""
    return "missing" if value in (None, "") else f"expected text, got {kind_of(value)}"


def kind_of(value: object) -> str:
    """Name the JSON type of a value."""
    return _KINDS.get(type(value), type(value).__name__)


def encodable(text: str) -> str:
    """Replace lone surrogates, which JSON can carry and UTF-8 cannot."""
    return text if text.isascii() else text.encode("utf-8", "replace").decode()


def whole_number(value: object) -> int | None:
    """Return a number without its fraction; ``None`` for anything that cannot count something."""
    if isinstance(value, bool) or not isinstance(value, int | float) or not 0 <= value < _WHOLE_FLOATS:
        return None
    return int(value)


def _time(value: object) -> float | None:
    if isinstance(value, bool) or not isinstance(value, str | int | float):
        return None
    try:
        return parse_time(value)
    except (ValueError, OverflowError):
        return None
