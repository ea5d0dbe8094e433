"""Loads the settings from their sources, and reports every invalid one.

In order of precedence: the command-line flag, the environment variable (``BRAKET_EXPORTER_`` and the key in upper
case), the YAML file, the default. One error has every problem: the key, the value and which values are valid.
"""

import re
from collections import Counter
from collections.abc import Callable, Collection, Iterable, Iterator, Mapping
from pathlib import Path
from types import MappingProxyType
from typing import Any, Final

from pydantic import ValidationError
from pydantic_settings import EnvSettingsSource

from exporter.app.settings import ENV_PREFIX, SCALAR_KEYS, Settings, SettingsError, flag_of
from exporter.core import (
    closest_name,
    describe_errors,
    format_duration,
    format_name,
    format_value,
    key_text,
    parse_duration,
    parse_mapping,
    pod_ordinal,
    split_list,
)

CONFIG_VARIABLE: Final = f"{ENV_PREFIX}CONFIG"
_TARGETS_VARIABLE: Final = f"{ENV_PREFIX}TARGETS"

LARGEST_FILE: Final = 4 * 1024 * 1024
"""The maximum size of a settings file in bytes: 40,000 ARNs."""

_SERVICE_LINK: Final = re.compile(
    r"(.*_)?(SERVICE_HOST=.*|SERVICE_PORT(_.+)?=\d+|PORT_\d+_(TCP|UDP|SCTP)(_\w+)?=.*|PORT=(tcp|udp|sctp)://.*)"
)
"""The variables of a Kubernetes Service named ``braket-exporter``, which each pod of its namespace has."""


_NOTHING_TO_WATCH: Final = (
    "nothing to watch: set jobs (ARNs, as in --jobs arn:aws:braket:us-west-2:123456789012:job/<id>), "
    "tags (as in --tags team=chemistry) or all_jobs (--all-jobs); or list several accounts in targets"
)
_WATCHING: Final = ("jobs", "tags", "all_jobs", "targets")
_NOT_BESIDE_TARGETS: Final = ("jobs", "tags", "all_jobs", "job_name_regex", "regions")

_FALSE: Final = (None, False, "", "0", "f", "false", "n", "no", "off")


def load(
    flags: Mapping[str, Any],
    environ: Mapping[str, str],
    config: str | None,
    defaults: Mapping[str, Any] = MappingProxyType({}),
    meant: Collection[str] = (),
    *,
    files: Callable[[Mapping[str, Any]], Iterable[str]] | None = None,
) -> Settings:
    """Load the settings from all sources.

    Args:
        flags: the values of the flags, by key.
        environ: the environment, which is checked for unknown keys.
        config: the path of the YAML file, if configured.
        defaults: values that replace the defaults of the fields.
        meant: keys that invalid flags may stand for; conflicts of these keys are not reported.
        files: lists the problems of the files in the settings; called if a setting is invalid. Files of valid settings
            are checked when they are read.

    Raises:
        SettingsError: all problems.
    """
    file, unread = ({}, []) if config is None else _read_yaml(config)
    problems = [*_unknown_variables(environ), *unread]
    misplaced = {"targets"} if _TARGETS_VARIABLE in environ else set()
    environment = EnvSettingsSource(Settings)()
    given = {**defaults, **file, **environment, **flags}
    variables = (name.removeprefix(ENV_PREFIX).lower() for name in environ if name.startswith(ENV_PREFIX))
    unsure = {*meant, *_meant((*file, *variables))}
    try:
        settings = Settings(**given)
    except ValidationError as error:
        details = error.errors(include_url=False)
        placed = (detail for detail in details if detail["loc"][0] not in misplaced)
        problems += describe_errors(placed, Settings, "setting", _sources(environment, flags))
        unsure.update(str(detail["loc"][0]) for detail in details)
    if not unread and "config" not in unsure:
        problems += _conflicts(given, unsure)
    if problems:
        raise SettingsError([*problems, *(files(given) if files is not None else ())])
    return settings


def _sources(variables: Iterable[str], flags: Iterable[str]) -> dict[str, str]:
    """Return the variable or the flag that each key comes from."""
    return {**{key: f"{ENV_PREFIX}{key.upper()}" for key in variables}, **{key: flag_of(key) for key in flags}}


def _is_set(given: Mapping[str, Any], key: str) -> bool:
    """Return whether a key has a value that is not empty; it may be invalid."""
    value = given.get(key)
    if key == "all_jobs":
        return (value.lower() if isinstance(value, str) else value) not in _FALSE
    try:
        return bool(split_list(value))
    except ValueError:
        return True


def _conflicts(given: Mapping[str, Any], unsure: Collection[str]) -> Iterator[str]:
    """Yield conflicts between keys, except keys with an invalid value or a misspelling."""
    watching = any(_is_set(given, key) for key in _WATCHING)
    if not watching and all(key not in unsure for key in _WATCHING):
        yield _NOTHING_TO_WATCH
    beside = [key for key in _NOT_BESIDE_TARGETS if _is_set(given, key)]
    if _is_set(given, "targets") and "targets" not in unsure and beside:
        yield f"targets: not valid together with {', '.join(beside)}; move them into an entry of targets"
    for name in _duplicate_names(given.get("targets")):
        yield f"targets: duplicate name {format_name(name)}; give each target a different name"
    if "shard" not in unsure and "total_shards" not in unsure:
        shard, shards = _whole(pod_ordinal(given.get("shard", 0))), _whole(given.get("total_shards", 1))
        if shard >= shards:
            expected = f"expected a number from 0 to {shards - 1}, because total_shards is {shards}"
            yield f"shard = {format_value(shard)}: {expected}"
    if _has_event_queue(given) and not any(key in unsure for key in ("poll_interval", "event_poll_interval")):
        interval, event_interval = _duration(given, "poll_interval"), _duration(given, "event_poll_interval")
        if event_interval < interval:
            expected = f"expected at least poll_interval, which is {format_duration(interval)}"
            yield f"event_poll_interval = {format_value(format_duration(event_interval))}: {expected}"


def _has_event_queue(given: Mapping[str, Any]) -> bool:
    return any(entry.get("event_queue_url") for entry in (given, *_entries(given.get("targets"))))


def _duplicate_names(targets: object) -> list[str]:
    names = Counter(name for entry in _entries(targets) if isinstance(name := entry.get("name"), str))
    return [name for name, count in names.items() if count > 1]


def _entries(targets: object) -> list[Mapping[str, Any]]:
    return [entry for entry in targets if isinstance(entry, Mapping)] if isinstance(targets, list) else []


def _duration(given: Mapping[str, Any], key: str) -> float:
    return parse_duration(given.get(key, Settings.model_fields[key].default))


def _whole(value: Any) -> int:  # noqa: ANN401 -- a whole number in any form
    return int(value) if isinstance(value, int) or str(value).isdigit() else int(float(value))


def _meant(names: Iterable[str]) -> Iterator[str]:
    """Yield the closest key of each unknown name."""
    known = (*Settings.model_fields, "config")
    return (found for name in names if name not in known and (found := closest_name(name, known)) is not None)


def _read_yaml(path: str) -> tuple[dict[str, Any], list[str]]:
    """Return the values by key, or the problem."""
    try:
        with Path(path).open("rb") as file:
            content = file.read(LARGEST_FILE + 1)
        if len(content) > LARGEST_FILE:
            raise ValueError(f"expected at most {LARGEST_FILE:,} bytes")  # noqa: TRY301 -- reported like the others
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
            # Compare without the prefix, which all names share.
            found = closest_name(key, known.values())
            yield f"unknown variable {format_name(name)}" + (
                "; --help lists the settings" if found is None else f" (did you mean {ENV_PREFIX}{found.upper()}?)"
            )
