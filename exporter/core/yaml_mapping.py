"""Reads a YAML mapping."""

from typing import Any


def parse_mapping(text: str, example: str) -> dict[Any, Any] | None:
    """Read a YAML mapping; ``None`` if the text is empty.

    Args:
        text: the YAML.
        example: a valid line of it.

    Raises:
        ValueError: the text is something else, or not valid YAML, or has a key twice. The message quotes no value.
    """
    from exporter.core.yaml_loader import read_yaml  # noqa: PLC0415 -- 10 ms and 1 MB, for which a start needs a file

    values = read_yaml(text)
    if values is not None and not isinstance(values, dict):
        raise ValueError(f"expected keys with values, such as '{example}'")
    return values
