"""The spending limits of each account and Region, with the lines for scrapes. Thread-safe."""

from collections.abc import Collection, Iterable, Sequence
from threading import Lock

from exporter.core import SpendingLimit, Target
from exporter.metrics import SPENDING_LIMIT_FAMILIES, Family, Row, joined_rows, render

_Key = tuple[Target, str, str]
"""The account and Region of a spending limit, its device and its id: the labels of its series."""


class SpendingLimitStore:
    """The current spending limits by account and Region."""

    def __init__(self) -> None:
        self._rows: dict[Target, dict[_Key, Row]] = {}
        self._lock = Lock()

    def replace(self, target: Target, limits: Iterable[SpendingLimit]) -> None:
        """Replace all spending limits of an account and Region."""
        by_key = {(limit.target, limit.device, limit.id): limit for limit in limits}
        rows = {key: render(SPENDING_LIMIT_FAMILIES, limit) for key, limit in by_key.items()}
        with self._lock:
            self._rows[target] = rows

    def retain(self, targets: Collection[Target]) -> None:
        """Drop the spending limits of other accounts and Regions."""
        with self._lock:
            self._rows = {target: rows for target, rows in self._rows.items() if target in targets}

    def lines(self) -> Sequence[tuple[Family, bytes]]:
        """Return the lines of each family; no family without a spending limit.

        A spending limit that several accounts or Regions report has one set of series.
        """
        rows = dict[_Key, Row]()
        with self._lock:
            for _, limits in sorted(self._rows.items()):
                rows |= limits
        return joined_rows(SPENDING_LIMIT_FAMILIES, [*rows.values()])
