"""A section of the web configuration file: reads its values and collects its problems. Pure."""

from collections.abc import Collection, Mapping
from typing import Any

from exporter.core import format_name, format_value, key_text, suggestion


class Section:
    """A mapping in the file; each invalid key or value is added to the problems, and read as if it were missing.

    Args:
        path: the keys that lead to the mapping.
        values: the mapping.
        known: the valid keys; any key when ``None``.
        problems: the list that problems are added to.
    """

    def __init__(
        self, path: str, values: Mapping[Any, Any], known: Collection[str] | None, problems: list[str]
    ) -> None:
        self.path, self.values, self.problems = path, values, problems
        if known is not None:
            where = f"{path}: " if path else ""
            unknown = (key_text(key) for key in values if key not in known)
            self.problems += (f"{where}unknown key {format_name(key)}{suggestion(key, known)}" for key in unknown)

    def name(self, key: str) -> str:
        """Return the full name of a key of this section."""
        return f"{self.path}.{key}" if self.path else key

    def note(self, key: str, problem: str) -> None:
        """Add a problem with a key."""
        self.problems.append(f"{self.name(key)}: {problem}")

    def wrong(self, key: str, value: object, expected: str) -> None:
        """Add a problem with a value, which is shown, and the valid values."""
        self.problems.append(f"{self.name(key)} = {format_value(value)}: expected {expected}")

    def section(self, key: str, known: Collection[str] | None) -> "Section":
        """Return the section under a key; an empty one when the key is missing or invalid."""
        value = self.values.get(key)
        if value is not None and not isinstance(value, dict):
            # The value is not shown: it may be a password that slipped out of its place.
            self.note(key, "expected keys with values")
            value = None
        return Section(self.name(key), value or {}, known, self.problems)

    def text(self, key: str) -> str:
        """Return the text under a key; an empty one when the key is missing or invalid."""
        value = self.values.get(key)
        if value is not None and not isinstance(value, str):
            self.wrong(key, value, "text")
        return value if isinstance(value, str) else ""

    def texts(self, key: str) -> list[str]:
        """Return the list of texts under a key; an empty one when the key is missing or invalid."""
        value = self.values.get(key)
        if value is None:
            return []
        if not isinstance(value, list) or not all(isinstance(item, str) for item in value):
            self.wrong(key, value, "a list of texts")
            return []
        return value

    def check_switch(self, key: str) -> None:
        """Check that the value under a key, if there is one, is true or false."""
        value = self.values.get(key)
        if value is not None and not isinstance(value, bool):
            self.wrong(key, value, "true or false")
