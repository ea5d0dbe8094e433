"""Parser of SearchSpendingLimits responses: a JSON value in, a page of spending limits out. Pure.

Without a usable ``spendingLimits`` or ``nextToken``, the page or its successors are lost (``ParseError``). An entry
without a valid ``spendingLimitArn`` costs only itself; any other member with an unexpected shape has no value. Both are
counted.
"""

import re
from decimal import Decimal
from typing import Final

from exporter.aws.members import (
    MAX_CODE,
    MAX_DEVICE,
    MAX_RESOURCE_ARN,
    Members,
    ParseError,
    encodable,
    json_object,
    kind_of,
)
from exporter.core import SpendingLimit, SpendingLimitPage, Target

MAX_LIMITS: Final = 1000
"""Entries of a page that are read, the first ones. The exporter requests 100."""

MAX_TOKEN: Final = 8192
"""Characters of a ``nextToken``; a longer one is refused, since a token cannot be cut."""

_MAX_AMOUNT: Final = Decimal("1e15")
_NUMBER: Final = re.compile(r"[+-]?(?:\d+\.?\d*|\.\d+)(?:[eE][+-]?\d{1,3})?", re.ASCII)
_ARN: Final = re.compile(r"arn:aws[a-z-]*:braket:([a-z0-9-]+):(\d{12}):spending-limit/(.+)", re.ASCII)


def parse_spending_limits(response: object) -> SpendingLimitPage:
    """Read a SearchSpendingLimits response. An entry that cannot be used costs the page only itself.

    Raises:
        ParseError: the response is not an object, does not have a list of limits, or its token cannot be used.
    """
    members = json_object("response", response)
    entries, token = members.get("spendingLimits"), members.get("nextToken")
    if not isinstance(entries, list):
        raise ParseError(f"spendingLimits: expected a list, got {kind_of(entries)}")
    if token is not None and (not isinstance(token, str) or len(token) > MAX_TOKEN):
        raise ParseError(f"nextToken: expected text of at most {MAX_TOKEN} characters, got {kind_of(token)}")
    problems = list[tuple[str, str]]()
    limits = [_limit(entry, problems) for entry in entries[:MAX_LIMITS]]
    return SpendingLimitPage(tuple(limit for limit in limits if limit is not None), len(problems), token or None)


def _limit(entry: object, problems: list[tuple[str, str]]) -> SpendingLimit | None:
    if not isinstance(entry, dict):
        problems.append(("spendingLimits", kind_of(entry)))
        return None
    limit = Members(entry, problems, "spendingLimits.")
    arn = _ARN.fullmatch(limit.text("spendingLimitArn", MAX_RESOURCE_ARN))
    if arn is None:
        problems.append(("spendingLimits.spendingLimitArn", "not an ARN"))
        return None
    period = limit.child("timePeriod")
    region, account, name = arn.groups()
    return SpendingLimit(
        id=encodable(name.rpartition("/")[2] or name),
        target=Target(account, region),
        device=limit.text("deviceArn", MAX_DEVICE),
        start=period.time("startAt"),
        end=period.time("endAt"),
        limit=_amount(limit, "spendingLimit"),
        spent=_amount(limit, "totalSpend"),
        queued=_amount(limit, "queuedSpend"),
    )


def _amount(limit: Members, name: str) -> Decimal | None:
    """Read an amount of money, which is a text; other texts, such as ``n/a``, are not an amount."""
    text = limit.text(name, MAX_CODE).strip()
    amount = Decimal(text) if _NUMBER.fullmatch(text) else None
    return None if amount is None or abs(amount) >= _MAX_AMOUNT else amount
