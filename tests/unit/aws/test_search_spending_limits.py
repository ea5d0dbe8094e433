"""A SearchSpendingLimits response becomes a page of spending limits."""

from decimal import Decimal
from typing import Any

import pytest
from botocore.session import Session
from builders import ACCOUNT, GARNET
from hypothesis import given, settings
from hypothesis import strategies as st
from profiles import examples
from strategies import JSON, NOT_OBJECTS

from exporter.aws.members import ParseError
from exporter.aws.search_spending_limits import parse_spending_limits
from exporter.core import SpendingLimit, SpendingLimitPage, Target

ARN = f"arn:aws:braket:eu-north-1:{ACCOUNT}:spending-limit/7d1f"
ENTRY: dict[str, Any] = {
    "spendingLimitArn": ARN,
    "deviceArn": GARNET,
    "timePeriod": {"startAt": 1_700_000_000, "endAt": 1_700_086_400.5},
    "spendingLimit": "100.10",
    "queuedSpend": "0.3",
    "totalSpend": "79.99",
    "createdAt": "2023-11-14T22:13:20Z",
    "updatedAt": "2023-11-14T22:13:20Z",
    "tags": {"team": "ml"},
}


def one(**members: Any) -> SpendingLimit:
    (limit,) = parse_spending_limits({"spendingLimits": [{**ENTRY, **members}]}).limits
    return limit


def test_a_whole_page_is_read_with_exact_amounts() -> None:
    assert parse_spending_limits({"spendingLimits": [ENTRY], "nextToken": "more"}) == SpendingLimitPage(
        limits=(
            SpendingLimit(
                id="7d1f",
                target=Target(ACCOUNT, "eu-north-1"),
                device=GARNET,
                start=1_700_000_000.0,
                end=1_700_086_400.5,
                limit=Decimal("100.10"),
                spent=Decimal("79.99"),
                queued=Decimal("0.3"),
            ),
        ),
        problems=0,
        token="more",
    )


def test_the_members_are_those_of_the_service_model() -> None:
    model = Session().get_service_model("braket")
    assert set(ENTRY) == set(model.shape_for("SpendingLimitSummary").members)


def test_the_last_page_has_no_token() -> None:
    assert parse_spending_limits({"spendingLimits": []}) == SpendingLimitPage((), 0, None)


@pytest.mark.parametrize(
    "amount",
    ["n/a", "", "NaN", "Infinity", "-inf", "$5", "1e99", "1,000.00", "1_000", "\u0661", "0x10", ".", "1 000", None],
)
def test_a_text_that_is_no_amount_has_no_value(amount: str | None) -> None:
    assert one(spendingLimit=amount).limit is None


@pytest.mark.parametrize(
    ("text", "amount"),
    [(" 5.00 ", "5"), ("-0.5", "-0.5"), ("1e3", "1000"), ("79.90", "79.9"), (".5", "0.5"), ("7.", "7")],
)
def test_an_amount_is_a_decimal_number(text: str, amount: str) -> None:
    assert one(spendingLimit=text).limit == Decimal(amount)


def test_an_amount_that_is_not_a_text_has_no_value_and_is_counted() -> None:
    page = parse_spending_limits({"spendingLimits": [{**ENTRY, "totalSpend": 7}]})
    assert (page.limits[0].spent, page.problems) == (None, 1)


@pytest.mark.parametrize(
    "entry", [None, 7, {}, {**ENTRY, "spendingLimitArn": None}, {**ENTRY, "spendingLimitArn": "arn:aws:s3:::x"}]
)
def test_an_entry_without_an_arn_costs_only_itself(entry: object) -> None:
    page = parse_spending_limits({"spendingLimits": [entry, ENTRY]})
    assert [limit.id for limit in page.limits] == ["7d1f"]
    assert page.problems


@pytest.mark.parametrize(
    "response", [{}, {"spendingLimits": None}, {"spendingLimits": {}}, {"spendingLimits": [], "nextToken": 7}]
)
def test_a_page_without_a_list_or_with_an_invalid_token_is_an_error(response: object) -> None:
    with pytest.raises(ParseError):
        parse_spending_limits(response)


@pytest.mark.parametrize(("response", "kind"), NOT_OBJECTS)
def test_a_page_that_is_not_an_object_is_an_error(response: object, kind: str) -> None:
    with pytest.raises(ParseError) as caught:
        parse_spending_limits(response)
    assert str(caught.value) == f"response: expected an object, got {kind}"


@settings(max_examples=examples(300))
@given(
    st.lists(
        JSON
        | st.fixed_dictionaries(
            {"spendingLimitArn": st.just(ARN)}, optional={name: JSON for name in ENTRY if name != "spendingLimitArn"}
        )
    )
)
def test_any_list_of_entries_is_read(entries: list[object]) -> None:
    page = parse_spending_limits({"spendingLimits": entries})
    assert len(page.limits) <= len(entries)
