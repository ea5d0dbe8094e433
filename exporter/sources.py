"""Where the settings come from, and what people are told of every wrong one.

A value comes from a command-line flag, else from the environment (``BRAKET_EXPORTER_`` and the key in upper case), else
from the YAML file, else from the default. Every problem is found before one error tells them all.
"""

import json
import re
from collections.abc import Collection, Iterator, Mapping
from pathlib import Path
from types import MappingProxyType
from typing import Any, Final

from pydantic import ValidationError, model_validator
from pydantic_core import ErrorDetails
from pydantic_settings import BaseSettings, InitSettingsSource, PydanticBaseSettingsSource

from exporter.settings import ENV_PREFIX, SCALAR_KEYS, Settings, SettingsError, TargetSettings
from exporter.values import near, parse_mapping, shard_of, split_list

CONFIG_VARIABLE: Final = f"{ENV_PREFIX}CONFIG"
_TARGETS_VARIABLE: Final = f"{ENV_PREFIX}TARGETS"

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
_REASONS: Final = {"tuple_type": "a list, or text with commas", "model_type": "a mapping of keys to values"}
"""What is expected, where pydantic says it in the words of Python."""

_FALSE: Final = (None, False, "", "0", "f", "false", "n", "no", "off")


def load(
    flags: Mapping[str, Any],
    environ: Mapping[str, str],
    config: str | None,
    defaults: Mapping[str, Any] = MappingProxyType({}),
) -> Settings:
    """Read the settings from all their sources.

    Args:
        flags: what the command line gave, by key.
        environ: the process's environment, searched for unknown keys.
        config: the YAML file's path, if there is one.
        defaults: values that come last of all, in place of the fields' own.

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

    wrong: set[int | str] = set()
    try:
        settings = Sourced()
    except ValidationError as error:
        problems += [_describe(detail) for detail in error.errors() if detail["loc"][0] not in misplaced]
        wrong = {detail["loc"][0] for detail in error.errors()}
    if not unread and wrong.isdisjoint(_WATCHING) and not any(_is_set(given, key) for key in _WATCHING):
        problems.append(_NOTHING_TO_WATCH)
    problems += _conflicts(given, wrong)
    if problems:
        raise SettingsError(problems)
    return settings


def _is_set(given: Mapping[str, Any], key: str) -> bool:
    """Tell whether a key has another value than its empty one; a wrong value is another."""
    value = given.get(key)
    if key == "all_jobs":
        return (value.lower() if isinstance(value, str) else value) not in _FALSE
    try:
        return bool(split_list(value))
    except ValueError:
        return True


def _conflicts(given: Mapping[str, Any], wrong: Collection[int | str]) -> Iterator[str]:
    """Yield what is wrong between keys, those left out that are wrong by themselves."""
    beside = [key for key in _NOT_BESIDE_TARGETS if _is_set(given, key)]
    if _is_set(given, "targets") and beside:
        yield f"targets: takes the place of {', '.join(beside)}; move them into a target"
    if "shard" not in wrong and "total_shards" not in wrong:
        shard, shards = int(shard_of(given.get("shard", 0))), int(given.get("total_shards", 1))
        if shard >= shards:
            yield f"shard = {shard}: expected less than total_shards, which is {shards}"


def _read_yaml(path: str) -> tuple[dict[str, Any], list[str]]:
    """Return the file's keys with their values, or nothing and the problem."""
    try:
        values = parse_mapping(Path(path).read_text(encoding="utf-8"), "poll_interval: 30s") or {}
    except OSError as error:
        problem = f"cannot be read: {error.strerror}"
    except UnicodeDecodeError as error:
        problem = f"is no valid YAML: {error}"
    except ValueError as error:
        problem = str(error)
    else:
        return {str(key): value for key, value in values.items()}, []
    return {}, [f"config file {path}: {problem}"]


def _unknown_variables(environ: Mapping[str, str]) -> Iterator[str]:
    known = {f"{ENV_PREFIX}{key.upper()}" for key in SCALAR_KEYS} | {CONFIG_VARIABLE}
    for name, value in sorted(environ.items()):
        if not name.startswith(ENV_PREFIX) or name in known:
            continue
        if name == _TARGETS_VARIABLE:
            yield f"{name}: targets can be set in the file only"
        elif not _SERVICE_LINK.fullmatch(f"{name.removeprefix(ENV_PREFIX)}={value}"):
            yield f"{name}: is no known variable{near(name, sorted(known))}"


def _describe(detail: ErrorDetails) -> str:
    key = "".join(f"[{part}]" if isinstance(part, int) else f".{part}" for part in detail["loc"]).lstrip(".")
    if detail["type"] == "extra_forbidden":
        known = Settings.model_fields if len(detail["loc"]) == 1 else TargetSettings.model_fields
        return f"{key}: is no known key{near(str(detail['loc'][-1]), known)}"
    reason = _REASONS.get(detail["type"], detail["msg"]).removeprefix("Value error, ").removeprefix("Input should be ")
    expected = reason if detail["type"] == "value_error" else f"expected {reason}"
    return f"{key} = {_shown(detail['input'])}: {expected}"


def _shown(value: object) -> str:
    try:
        return json.dumps(value, default=str)
    except (TypeError, ValueError):  # YAML can write keys that JSON cannot, and lists that hold themselves
        return str(value)
