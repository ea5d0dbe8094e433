"""Descriptions of invalid settings: each of pydantic's errors becomes one line. Pure."""

from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from types import MappingProxyType, NoneType, UnionType
from typing import Any, Final, Literal, Union, get_args, get_origin

from pydantic import BaseModel, BeforeValidator
from pydantic.fields import FieldInfo
from pydantic_core import ErrorDetails, PydanticCustomError

from exporter.core.text import format_name, format_value, key_text, split_list, suggestion

MOST_WRONG_ELEMENTS: Final = 10
"""The most invalid elements of one list that are reported; there may be thousands."""

MOST_KEYS: Final = 12
"""The most valid keys that an error lists."""

_HIDDEN: Final = "hidden_value"

Location = tuple[int | str, ...]


class ProblemsError(Exception):
    """The settings or a file are invalid.

    Attributes:
        problems: one line for each: the key, the value and which values are valid.
    """

    def __init__(self, problems: Sequence[str]) -> None:
        super().__init__("; ".join(problems))
        self.problems = tuple(problems)


def hidden_value(reason: str) -> PydanticCustomError:
    """Make the error of a validator for a value that is not shown: a secret, or a long list."""
    return PydanticCustomError(_HIDDEN, "{reason}", {"reason": reason})


def key_names(model: type[BaseModel]) -> dict[str, FieldInfo]:
    """Return the fields of a model by their keys in a file."""
    return {field.alias or name: field for name, field in model.model_fields.items()}


def describe_errors(
    details: Iterable[ErrorDetails],
    model: type[BaseModel],
    noun: str,
    sources: Mapping[str, str] = MappingProxyType({}),
) -> Iterator[str]:
    """Describe each error in one line: the key, the value and which values are valid.

    Args:
        details: the errors; of those in one list, only the first are described.
        model: the model that was validated.
        noun: the noun for a key.
        sources: the source of each value that is not from a file, such as a flag, by key.
    """
    wrong: Counter[str] = Counter()
    for detail in details:
        *outer, last = detail["loc"]
        whole = _path(outer)
        wrong[whole] += isinstance(last, int)
        if wrong[whole] <= MOST_WRONG_ELEMENTS or not isinstance(last, int):
            yield _describe(detail, model, noun, sources.get(str(detail["loc"][0])) if detail["loc"] else None)
    for path, count in wrong.items():
        if count > MOST_WRONG_ELEMENTS:
            yield f"{path}: {count - MOST_WRONG_ELEMENTS} more elements are invalid"


def _describe(detail: ErrorDetails, model: type[BaseModel], noun: str, source: str | None) -> str:
    kind, loc, value = detail["type"], detail["loc"], detail["input"]
    if kind in {"extra_forbidden", "invalid_key"}:
        return _describe_unknown(key_text(loc[-1] if kind == "extra_forbidden" else value), model, loc[:-1], noun)
    path, origin = _path(loc), "" if source is None else f" ({source})"
    if kind == _HIDDEN:
        return f"{path}{origin}: {detail['msg']}"
    field = _field(model, loc)
    reason = detail["ctx"]["error"] if kind == "value_error" else f"expected {_expected(field)}{_near(value, field)}"
    return f"{path} = {format_value(value)}{origin}: {reason}"


def _describe_unknown(key: str, model: type[BaseModel], outer: Location, noun: str) -> str:
    where = f"{_path(outer)}: " if outer else ""
    known = key_names(_without_none(_field(model, outer).annotation))
    valid = f"--help lists the {noun}s" if len(known) > MOST_KEYS else f"expected {_choices([*known])}"
    return f"{where}unknown {noun} {format_name(key)}{suggestion(key, known) or f'; {valid}'}"


def _path(loc: Iterable[int | str]) -> str:
    """Write a location, such as ``targets[0].name``."""
    return "".join(f"[{part}]" if isinstance(part, int) else f".{format_name(part)}" for part in loc).lstrip(".")


def _field(model: type[BaseModel], loc: Location) -> FieldInfo:
    """Return the field at a location, or the type of the element there."""
    field = FieldInfo.from_annotation(model)
    for part in loc:
        inner = _without_none(field.annotation)
        if isinstance(inner, type) and issubclass(inner, BaseModel):
            field = key_names(inner)[str(part)]
        else:
            elements = get_args(inner) or (str,)
            field = FieldInfo.from_annotation(elements[0 if isinstance(part, int) else -1])
    return field


def _without_none(annotation: Any) -> Any:  # noqa: ANN401 -- a type, or one of typing's special forms
    """Return the type of an optional field."""
    if get_origin(annotation) not in (Union, UnionType):
        return annotation
    return next(each for each in get_args(annotation) if each is not NoneType)


def _expected(field: FieldInfo) -> str:
    """Describe the valid values of a field, for any error of pydantic's own."""
    kind = _without_none(field.annotation)
    if get_origin(kind) is Literal:
        return _choices(get_args(kind))
    if kind is bool:
        return "true or false"
    if kind in (int, float):
        return f"a {'whole ' * (kind is int)}number{_bounds(field)}"
    if get_origin(kind) in (tuple, frozenset):
        return "a list" + ", or text with commas" * (BeforeValidator(split_list) in field.metadata)
    return "a mapping of keys to values" if isinstance(kind, type) and issubclass(kind, BaseModel) else "text"


def _near(value: object, field: FieldInfo) -> str:
    """Suggest one of a field's choices in place of a similar value; of two choices, the reader sees both."""
    kind = _without_none(field.annotation)
    choices = get_args(kind) if get_origin(kind) is Literal else ()
    return suggestion(value, choices) if isinstance(value, str) and len(choices) > 2 else ""


def _choices(names: Sequence[str]) -> str:
    return f"one of {', '.join(names)}" if len(names) > 2 else " or ".join(names)


def _bounds(field: FieldInfo) -> str:
    """Describe the bounds of a number."""
    bounds = {
        name: getattr(part, name) for part in field.metadata for name in ("gt", "ge", "le") if hasattr(part, name)
    }
    signs = {"gt": ">", "ge": ">=", "le": "<="}
    return " and".join(f" {signs[name]} {bound}" for name, bound in bounds.items())
