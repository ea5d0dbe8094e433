"""Values of the tags that are labels of the aggregate metrics. Their number is limited. Mutable."""

from collections.abc import Iterable, Sequence
from typing import Final

MOST_TAG_VALUES: Final = 100
"""The maximum number of values of a tag key. Further values are ``OTHER``."""

OTHER: Final = "other"


class TagValues:
    """The known values of each tag key. A value that is ``OTHER`` once stays so: a known value is never dropped.

    Args:
        keys: the tag keys, in the order of the labels.

    Attributes:
        keys: the tag keys.
    """

    def __init__(self, keys: Sequence[str] = ()) -> None:
        self.keys = tuple(keys)
        self._known: tuple[set[str], ...] = tuple(set() for _ in keys)

    def learn(self, values: Sequence[str]) -> None:
        """Add the values of one series from before a restart."""
        for known, value in zip(self._known, values, strict=True):
            known.add(value)

    def labels(self, tags: Iterable[tuple[str, str]]) -> tuple[str, ...]:
        """Return the values of the labels of a job with these tags; a missing tag is empty."""
        if not self.keys:
            return ()
        given = dict(tags)
        return tuple(_label(known, given.get(key, "")) for key, known in zip(self.keys, self._known, strict=True))

    def others(self, tags: Iterable[tuple[str, str]]) -> list[str]:
        """Return the keys that have a value too many in a job with these tags."""
        given = dict(tags)
        labels = zip(self.keys, self.labels(given.items()), strict=True)
        return [key for key, label in labels if label != given.get(key, "")]


def _label(known: set[str], value: str) -> str:
    if value == "" or value in known:
        return value
    if len(known) >= MOST_TAG_VALUES:
        return OTHER
    known.add(value)
    return value
