"""Descriptions of invalid values."""

from typing import Annotated, Any, Literal

import pytest
from pydantic import AfterValidator, BaseModel, BeforeValidator, ConfigDict, Field, ValidationError

from exporter.core import ProblemsError, describe_errors, hidden_value, split_list


def _check_even(number: int) -> int:
    if number % 2:
        raise ValueError("expected an even number")
    return number


def _check_secret(_: object) -> None:
    raise hidden_value("wrong {braces} and all")


def _check_few(numbers: tuple[int, ...]) -> tuple[int, ...]:
    if len(numbers) > 12:
        raise hidden_value("too many")
    return numbers


class Inner(BaseModel):
    model_config = ConfigDict(extra="forbid")

    size: Annotated[int, AfterValidator(_check_even)] = Field(0, alias="the-size", ge=0, le=8)


class Outer(BaseModel):
    model_config = ConfigDict(extra="forbid")

    mode: Literal["on", "off"] = "on"
    color: Literal["red", "green", "blue"] | None = None
    switch: bool = False
    rate: float | None = None
    name: str | None = None
    secret: Annotated[None, BeforeValidator(_check_secret)] = None
    inner: Inner | None = None
    many: tuple[Inner, ...] = ()
    by_name: dict[str, Inner] = {}
    numbers: Annotated[tuple[int, ...], BeforeValidator(split_list), AfterValidator(_check_few)] = ()


def problems(values: dict[Any, Any]) -> list[str]:
    with pytest.raises(ValidationError) as caught:
        Outer.model_validate(values)
    return [*describe_errors(caught.value.errors(include_url=False), Outer, "key")]


@pytest.mark.parametrize(
    ("values", "problem"),
    [
        ({"mode": "of"}, 'mode = "of": expected on or off'),
        ({"color": "grey"}, 'color = "grey": expected one of red, green, blue (did you mean green?)'),
        ({"switch": 3}, "switch = 3: expected true or false"),
        ({"rate": "fast"}, 'rate = "fast": expected a number'),
        ({"name": 7}, "name = 7: expected text"),
        ({"secret": "hunter2"}, "secret: wrong {braces} and all"),
        ({"inner": 1}, "inner = 1: expected a mapping of keys to values"),
        ({"inner": {"the-size": 9}}, "inner.the-size = 9: expected a whole number >= 0 and <= 8"),
        ({"inner": {"the-size": 7}}, "inner.the-size = 7: expected an even number"),
        ({"inner": {"the_size": 7}}, "inner: unknown key the_size (did you mean the-size?)"),
        ({"inner": {1: 7}}, "inner: unknown key 1; expected the-size"),
        ({"inner": {True: 7}}, "inner: unknown key true; expected the-size"),
        ({"nmae": 7}, "unknown key nmae (did you mean name?)"),
        ({"many": [{}, {"x": 1}]}, "many[1]: unknown key x; expected the-size"),
        ({"many": 1}, "many = 1: expected a list"),
        ({"by_name": {"a b": {"the-size": 7}}}, 'by_name."a b".the-size = 7: expected an even number'),
        ({"by_name": {7: {}}}, "by_name[7].[key] = 7: expected text"),
        ({"numbers": 1}, "numbers = 1: expected a list, or text with commas"),
        ({"numbers": "[1"}, 'numbers = "[1": expected a JSON list or comma-separated values'),
        ({"numbers": "1,x"}, 'numbers[1] = "x": expected a whole number'),
        ({"numbers": [*range(13)]}, "numbers: too many"),
    ],
)
def test_each_error_is_one_line_with_the_key_the_value_and_valid_values(values: dict[Any, Any], problem: str) -> None:
    (found,) = problems(values)
    assert found == problem


def test_only_the_first_invalid_elements_of_a_list_are_described() -> None:
    found = problems({"numbers": ["x"] * 12, "switch": 3})
    assert found[:2] == ["switch = 3: expected true or false", 'numbers[0] = "x": expected a whole number']
    assert found[10:] == ['numbers[9] = "x": expected a whole number', "numbers: 2 more elements are invalid"]


def test_an_error_with_several_problems_is_one_text_too() -> None:
    error = ProblemsError(["a", "b"])
    assert (str(error), error.problems) == ("a; b", ("a", "b"))
