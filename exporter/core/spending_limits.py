"""Spending limits of devices. Pure."""

from decimal import Decimal
from typing import NamedTuple

from exporter.core.jobs import Target


class SpendingLimit(NamedTuple):
    """One entry of a SearchSpendingLimits response. Times are unix seconds, amounts US dollars.

    Attributes:
        id: the end of its ARN.
        target: the account and Region.
        device: the ARN of the device.
        start: the start of its period.
        end: the end of its period.
        limit: the most that may be spent in the period.
        spent: the amount spent.
        queued: the amount of queued tasks.
    """

    id: str
    target: Target
    device: str = ""
    start: float | None = None
    end: float | None = None
    limit: Decimal | None = None
    spent: Decimal | None = None
    queued: Decimal | None = None


class SpendingLimitPage(NamedTuple):
    """One SearchSpendingLimits response.

    Attributes:
        limits: its entries.
        problems: the number of entries and members that cannot be used.
        token: the token of the next page; ``None`` on the last page.
    """

    limits: tuple[SpendingLimit, ...]
    problems: int
    token: str | None
