"""Where the settings come from, and the errors about every invalid one.

A value comes from a command-line flag, else from the environment (``BRAKET_EXPORTER_`` and the key in upper case), else
from the YAML file, else from the default. One error has every problem: the key, the value and which values are valid.
"""

import re
from collections import Counter
from collections.abc import Collection, Iterable, Iterator, Mapping
from pathlib import Path
from types import MappingProxyType
from typing import Any, Final, Literal, get_args, get_origin

from pydantic import BaseModel, ValidationError, model_validator
from pydantic.fields import FieldInfo
from pydantic_core import ErrorDetails
from pydantic_settings import BaseSettings, InitSettingsSource, PydanticBaseSettingsSource

from exporter.app.settings import ENV_PREFIX, SCALAR_KEYS, Settings, SettingsError, TargetSettings
from exporter.core import (
    closest_name,
    format_name,
    format_value,
    key_text,
    parse_mapping,
    pod_ordinal,
    split_list,
    suggestion,
)

CONFIG_VARIABLE: Final = f"{ENV_PREFIX}CONFIG"
_TARGETS_VARIABLE: Final = f"{ENV_PREFIX}TARGETS"

LARGEST_FILE: Final = 4 * 1024 * 1024
"""The most bytes of a settings file: 40,000 ARNs."""

MOST_WRONG_ELEMENTS: Final = 10
"""The most wrong elements of one list that are reported; there may be thousands."""

_SERVICE_LINK: Final = re.compile(
    r"(.*_)?(SERVICE_HOST=.*|SERVICE_PORT(_.+)?=\d+|PORT_\d+_(TCP|UDP|SCTP)(_\w+)?=.*|PORT=(tcp|udp|sctp)://.*)"
)
"""What Kubernetes puts into the environment of each pod beside a Service called ``braket-exporter``."""


_NOTHING_TO_WATCH: Final = (
    "nothing to watch: set jobs (ARNs, as in --jobs arn:aws:braket:us-west-2:123456789012:job/<id>), "
    "tags (as in --tags team=chemistry) or all_jobs (--all-jobs); or list several accounts in targets"
)
_WATCHING: Final = ("jobs", "tags", "all_jobs", "targets")
_NOT_BESIDE_TARGETS: Final = ("jobs", "tags", "all_jobs", "job_name_regex", "regions")

_MAPPING: Final = "a mapping of keys to values"
_TARGETS: Final = "a list"
_LIST: Final = "a list, or text with commas"
_MANY: Final = (_MAPPING, _TARGETS, _LIST)

_FALSE: Final = (None, False, "", "0", "f", "false", "n", "no", "off")


def load(
    flags: Mapping[str, Any],
    environ: Mapping[str, str],
    config: str | None,
    defaults: Mapping[str, Any] = MappingProxyType({}),
    meant: Collection[str] = (),
) -> Settings:
    """Read the settings from all their sources.

    Args:
        flags: the command line's values, by key.
        environ: the process's environment, searched for unknown keys.
        config: the YAML file's path, if there is one.
        defaults: values that come last of all, in place of the fields' own.
        meant: keys that misspelled flags probably meant; an error that only follows from that is not reported.

    Raises:
        SettingsError: with every problem at once.
    """
    file, unread = ({}, []) if config is None else _read_yaml(config)
    problems = [*_unknown_variables(environ), *unread]
    misplaced = {"targets"} if _TARGETS_VARIABLE in environ else set()
    given: dict[str, Any] = {}

    class Sourced(Settings):
        @classmethod
        def settings_customise_sources(
            cls,
            settings_cls: type[BaseSettings],
            init_settings: PydanticBaseSettingsSource,  # noqa: ARG003 -- part of the signature
            env_settings: PydanticBaseSettingsSource,
            dotenv_settings: PydanticBaseSettingsSource,  # noqa: ARG003 -- likewise
            file_secret_settings: PydanticBaseSettingsSource,  # noqa: ARG003 -- likewise
        ) -> tuple[PydanticBaseSettingsSource, ...]:
            first, *rest = (InitSettingsSource(settings_cls, dict(values)) for values in (flags, file, defaults))
            return first, env_settings, *rest

        @model_validator(mode="before")
        @classmethod
        def take_note(cls, values: dict[str, Any]) -> dict[str, Any]:
            given.update(values)
            return values

    variables = (name.removeprefix(ENV_PREFIX).lower() for name in environ if name.startswith(ENV_PREFIX))
    unsure = {*meant, *_meant((*file, *variables))}
    try:
        settings = Sourced()
    except ValidationError as error:
        details = error.errors(include_url=False)
        problems += _described(detail for detail in details if detail["loc"][0] not in misplaced)
        unsure.update(str(detail["loc"][0]) for detail in details)
    if not unread and "config" not in unsure:
        problems += _conflicts(given, unsure)
    if problems:
        raise SettingsError(problems)
    return settings


def _is_set(given: Mapping[str, Any], key: str) -> bool:
    """Return whether a key has another value than its empty one; a wrong value is another."""
    value = given.get(key)
    if key == "all_jobs":
        return (value.lower() if isinstance(value, str) else value) not in _FALSE
    try:
        return bool(split_list(value))
    except ValueError:
        return True


def _conflicts(given: Mapping[str, Any], unsure: Collection[str]) -> Iterator[str]:
    """Yield what is wrong between keys, but for keys whose own value is wrong or misspelled."""
    watching = any(_is_set(given, key) for key in _WATCHING)
    if not watching and all(key not in unsure for key in _WATCHING):
        yield _NOTHING_TO_WATCH
    beside = [key for key in _NOT_BESIDE_TARGETS if _is_set(given, key)]
    if _is_set(given, "targets") and "targets" not in unsure and beside:
        yield f"targets: replaces {', '.join(beside)}; move them into an entry of targets"
    if "shard" not in unsure and "total_shards" not in unsure:
        shard, shards = _whole(pod_ordinal(given.get("shard", 0))), _whole(given.get("total_shards", 1))
        if shard >= shards:
            yield f"shard = {format_value(shard)}: expected less than total_shards, which is {shards}"


def _whole(value: Any) -> int:  # noqa: ANN401 -- any of the forms that a whole number has
    return int(value) if isinstance(value, int) or str(value).isdigit() else int(float(value))


def _meant(names: Iterable[str]) -> Iterator[str]:
    """Yield the keys that unknown names probably mean."""
    known = (*Settings.model_fields, "config")
    return (found for name in names if name not in known and (found := closest_name(name, known)) is not None)


def _read_yaml(path: str) -> tuple[dict[str, Any], list[str]]:
    """Return the file's keys with their values, or nothing and the problem."""
    try:
        with Path(path).open("rb") as file:
            content = file.read(LARGEST_FILE + 1)
        if len(content) > LARGEST_FILE:
            raise ValueError(f"expected at most {LARGEST_FILE:,} bytes")  # noqa: TRY301 -- told as the others are
        values = parse_mapping(content.decode(), "poll_interval: 30s") or {}
    except OSError as error:
        problem = f"cannot be read: {error.strerror}"
    except UnicodeDecodeError as error:
        problem = f"not UTF-8 text: byte {error.start + 1} is 0x{content[error.start]:02x}"
    except ValueError as error:
        problem = str(error)
    else:
        return {key_text(key): value for key, value in values.items()}, []
    return {}, [f"config file {path}: {problem}"]


def _unknown_variables(environ: Mapping[str, str]) -> Iterator[str]:
    known = {f"{ENV_PREFIX}{key.upper()}": key for key in (*SCALAR_KEYS, "config")}
    for name, value in sorted(environ.items()):
        if not name.startswith(ENV_PREFIX) or name in known:
            continue
        key = name.removeprefix(ENV_PREFIX)
        if name == _TARGETS_VARIABLE:
            yield f"{name}: set targets in the YAML file; it cannot be a variable"
        elif not _SERVICE_LINK.fullmatch(f"{key}={value}"):
            # The prefix is the same in all names, so it says nothing of how near they are.
            found = closest_name(key, known.values())
            yield f"unknown variable {format_name(name)}" + (
                "" if found is None else f" (did you mean {ENV_PREFIX}{found.upper()}?)"
            )


def _described(details: Iterable[ErrorDetails]) -> Iterator[str]:
    """Write each error in a line; of a list only the first wrong elements."""
    wrong: Counter[str] = Counter()
    for detail in details:
        *outer, last = detail["loc"]
        whole = _key(outer)
        wrong[whole] += isinstance(last, int)
        if wrong[whole] <= MOST_WRONG_ELEMENTS or not isinstance(last, int):
            yield _describe(detail)
    for key, count in wrong.items():
        if count > MOST_WRONG_ELEMENTS:
            yield f"{key}: {count - MOST_WRONG_ELEMENTS} more elements are wrong"


def _describe(detail: ErrorDetails) -> str:
    loc, value = detail["loc"], detail["input"]
    key = _key(loc)
    if detail["type"] == "extra_forbidden":
        where = "" if len(loc) == 1 else f"{_key(loc[:-1])}: "
        return (
            f"{where}unknown setting {format_name(str(loc[-1]))}{suggestion(str(loc[-1]), _model(loc)[0].model_fields)}"
        )
    if detail["type"] != "value_error":
        return f"{key} = {format_value(value)}: expected {_expected(loc)}"
    reason = str(detail["ctx"]["error"])
    if _expected(loc) in _MANY and _has_elements(value):  # the reason names the element
        return f"{key}: {reason}"
    return f"{key} = {format_value(value)}: {reason}"


def _has_elements(value: object) -> bool:
    try:
        return isinstance(split_list(value), list | tuple | dict)
    except ValueError:
        return False


def _key(loc: Iterable[int | str]) -> str:
    return "".join(f"[{part}]" if isinstance(part, int) else f".{part}" for part in loc).lstrip(".")


def _model(loc: tuple[int | str, ...]) -> tuple[type[BaseModel], tuple[int | str, ...]]:
    """Return the class that has the key, and the way to it from there."""
    return (TargetSettings, loc[2:]) if loc[0] == "targets" and len(loc) > 2 else (Settings, loc)


def _expected(loc: tuple[int | str, ...]) -> str:
    """Write which values a key takes, whatever pydantic found wrong with one."""
    model, (name, *element) = _model(loc)
    if element:
        return _MAPPING if name == "targets" else "text"
    field = model.model_fields[str(name)]
    if get_origin(field.annotation) is Literal:
        return f"one of {', '.join(get_args(field.annotation))}"
    if field.annotation is bool:
        return "true or false"
    if field.annotation in (int, float):
        return f"a {'whole ' * (field.annotation is int)}number{_bounds(field)}"
    if get_origin(field.annotation) is tuple:
        return _TARGETS if name == "targets" else _LIST
    return "text"


def _bounds(field: FieldInfo) -> str:
    """Write the bounds of a number."""
    bounds = {
        name: getattr(part, name) for part in field.metadata for name in ("gt", "ge", "le") if hasattr(part, name)
    }
    signs = {"gt": ">", "ge": ">=", "le": "<="}
    return " and".join(f" {signs[name]} {bound}" for name, bound in bounds.items())
