"""A small validator: does raw JSON keep to a shape of botocore's own service model?"""

import re
from collections.abc import Iterator
from functools import cache
from typing import Any

import botocore.loaders
import botocore.model

_TIMESTAMP = re.compile(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z")
_JSON_TYPES = {"string": str, "integer": int, "long": int, "timestamp": str, "list": list, "map": dict}


def problems(operation: str, answer: Any) -> list[str]:
    """What is wrong with the JSON answer of an operation; empty when nothing is."""
    return list(_problems(_model().operation_model(operation).output_shape, answer, operation))


@cache
def _model() -> Any:
    return botocore.model.ServiceModel(botocore.loaders.Loader().load_service_model("braket", "service-2"))


def _problems(shape: Any, value: Any, path: str) -> Iterator[str]:
    if not _has_json_type(shape, value):
        yield f"{path}: {value!r} is no {shape.type_name}"
        return
    yield from _limit_problems(shape, value, path)
    match shape.type_name:
        case "structure":
            yield from _structure_problems(shape, value, path)
        case "list":
            for position, item in enumerate(value):
                yield from _problems(shape.member, item, f"{path}[{position}]")
        case "map":
            for key, item in value.items():
                yield from _problems(shape.key, key, f"{path} key")
                yield from _problems(shape.value, item, f"{path}.{key}")
        case "timestamp" if _TIMESTAMP.fullmatch(value) is None:
            yield f"{path}: {value!r} is not written as the service writes times"


def _has_json_type(shape: Any, value: Any) -> bool:
    return type(value) is _JSON_TYPES.get(shape.type_name, dict)


def _structure_problems(shape: Any, value: dict[str, Any], path: str) -> Iterator[str]:
    yield from (f"{path}: {name} is missing" for name in shape.required_members if name not in value)
    for name, item in value.items():
        if name not in shape.members:
            yield f"{path}: {name} is not in the model"
        else:
            yield from _problems(shape.members[name], item, f"{path}.{name}")


def _limit_problems(shape: Any, value: Any, path: str) -> Iterator[str]:
    limits = shape.metadata
    size = value if isinstance(value, int) else len(value)
    if size < limits.get("min", size) or size > limits.get("max", size):
        yield f"{path}: {value!r} is outside {limits}"
    if "enum" in limits and value not in limits["enum"]:
        yield f"{path}: {value!r} is none of {limits['enum']}"
    if "pattern" in limits and re.fullmatch(limits["pattern"], value) is None:
        yield f"{path}: {value!r} does not match {limits['pattern']}"
