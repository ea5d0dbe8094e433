"""What the sections of the web configuration file have in common. Pure."""

from typing import Any

from pydantic import BaseModel, BeforeValidator, ConfigDict, model_validator
from pydantic_core import PydanticUseDefault

from exporter.core import hidden_value, key_names


class Section(BaseModel):
    """A section of the web configuration file; a known key without a value is unset."""

    model_config = ConfigDict(extra="forbid", frozen=True, strict=True, hide_input_in_errors=True)

    @model_validator(mode="before")
    @classmethod
    def _drop_unset(cls, values: object) -> object:
        known = key_names(cls)
        return {key: value for key, value in check_mapping(values).items() if value is not None or key not in known}


def check_mapping(value: object) -> dict[Any, Any]:
    """Check that a section is a mapping. Another value is not shown: it may be a misplaced password."""
    if not isinstance(value, dict):
        raise hidden_value("expected keys with values")
    return value


def unset(empty: object) -> BeforeValidator:
    """Make a validator that replaces an empty value by the default."""

    def check(value: object) -> object:
        if value == empty:
            raise PydanticUseDefault
        return value

    return BeforeValidator(check)


def unsupported(reason: str) -> BeforeValidator:
    """Make a validator that rejects any value of a key, and shows none."""

    def refuse(_: object) -> None:
        raise hidden_value(f"is not supported; {reason}")

    return BeforeValidator(refuse)
