"""The metrics of spending limits as a table. Pure."""

from collections.abc import Callable
from decimal import Decimal
from typing import Final

from exporter.core import SpendingLimit
from exporter.metrics.family import GROUP_LABELS, Sample, SubjectFamily

SpendingLimitFamily = SubjectFamily[SpendingLimit]


def _gauge(name: str, text: str, value: Callable[[SpendingLimit], float | Decimal | None]) -> SpendingLimitFamily:
    def samples(limit: SpendingLimit) -> list[Sample]:
        amount = value(limit)
        return [] if amount is None else [((*limit.target, limit.device, limit.id), float(amount))]

    return SpendingLimitFamily(name, text, "gauge", (*GROUP_LABELS, "spending_limit"), own_samples=samples)


SPENDING_LIMIT_FAMILIES: Final = (
    _gauge(
        "braket_spending_limit_usd", "Amount that may be spent in the period, in US dollars.", lambda limit: limit.limit
    ),
    _gauge("braket_spending_limit_spent_usd", "Amount spent in the period, in US dollars.", lambda limit: limit.spent),
    _gauge(
        "braket_spending_limit_queued_usd",
        "Amount that queued quantum tasks will cost, in US dollars.",
        lambda limit: limit.queued,
    ),
    _gauge(
        "braket_spending_limit_start_timestamp_seconds",
        "Unix time of the start of the period of the spending limit.",
        lambda limit: limit.start,
    ),
    _gauge(
        "braket_spending_limit_end_timestamp_seconds",
        "Unix time of the end of the period of the spending limit; Braket rejects quantum tasks after it.",
        lambda limit: limit.end,
    ),
)
