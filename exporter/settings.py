"""The settings: one frozen class from which the command line, ``--help`` and the table in the docs follow.

A value comes from a command-line flag, else from the environment (``BRAKET_EXPORTER_`` and the key in upper case), else
from the YAML file, else from the default. Every problem is found before one error tells them all.
"""

import difflib
import json
import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from decimal import Decimal
from pathlib import Path
from types import MappingProxyType
from typing import Annotated, Any, Final, Literal, NamedTuple

import yaml
from pydantic import AfterValidator, BeforeValidator, Field, PlainSerializer, ValidationError, model_validator
from pydantic_core import ErrorDetails
from pydantic_settings import BaseSettings, InitSettingsSource, PydanticBaseSettingsSource, SettingsConfigDict

from exporter.arn import parse_job_arn
from exporter.families import EXPORTER_FAMILIES, FLEET_FAMILIES, job_families, tag_label

ENV_PREFIX: Final = "BRAKET_EXPORTER_"
CONFIG_VARIABLE: Final = f"{ENV_PREFIX}CONFIG"

METRICS: Final = tuple(family.name for family in (*job_families(), *FLEET_FAMILIES, *EXPORTER_FAMILIES))
"""Every metric that can be disabled."""

_UNITS: Final = {"s": 1.0, "m": 60.0, "h": 3600.0, "d": 86400.0}
_DURATION: Final = re.compile(r"(\d+(?:\.\d+)?)\s*([smhd]?)", re.ASCII)
_LISTEN: Final = re.compile(r"(?:\[(?P<v6>[0-9a-fA-F:.]+)\]|(?P<host>[^\s:\[\]]*)):(?P<port>\d{1,5})", re.ASCII)
_SERVICE_LINK: Final = re.compile(
    r"(.*_)?(SERVICE_HOST=.*|SERVICE_PORT(_.+)?=\d+|PORT_\d+_(TCP|UDP|SCTP)(_\w+)?=.*|PORT=(tcp|udp|sctp)://.*)"
)
"""What Kubernetes puts into the environment of each pod beside a Service called ``braket-exporter``."""


_NOTHING_TO_WATCH: Final = (
    "nothing to watch: list job ARNs in jobs, as in --jobs arn:aws:braket:us-west-2:123456789012:job/<id>"
    " (this release has no tags and all_jobs yet, which will find jobs by themselves)"
)


class SettingsError(Exception):
    """The settings are bad.

    Attributes:
        problems: one line for each: the key, the value and what would be right.
    """

    def __init__(self, problems: Sequence[str]) -> None:
        super().__init__("; ".join(problems))
        self.problems = tuple(problems)


class Listen(NamedTuple):
    """Where to listen; an empty host is every address, port 0 any free port."""

    host: str
    port: int


def parse_duration(value: object) -> float:
    """Read ``30s``, ``5m``, ``24h``, ``7d`` or a number of seconds.

    Raises:
        ValueError: it is none of them, or not above 0.
    """
    match = None if isinstance(value, bool) else _DURATION.fullmatch(str(value).strip())
    seconds = float(match[1]) * _UNITS[match[2] or "s"] if match else 0.0
    if not 0 < seconds < float("inf"):
        raise ValueError("expected a duration above 0, such as 30s, 5m, 24h, 7d or a number of seconds")
    return seconds


def format_duration(seconds: float) -> str:
    """Write seconds in the largest unit that takes a whole number of them."""
    for unit in ("d", "h", "m"):
        if seconds >= _UNITS[unit] and seconds % _UNITS[unit] == 0:
            return f"{seconds / _UNITS[unit]:.0f}{unit}"
    digits = format(Decimal(repr(seconds)), "f")
    return f"{digits.removesuffix('.0')}s"


def parse_listen(text: str) -> Listen:
    """Read ``HOST:PORT``, ``:PORT`` or ``[::1]:PORT``.

    Raises:
        ValueError: it is none of them, or the port is above 65535.
    """
    match = _LISTEN.fullmatch(text)
    if match is None or int(match["port"]) > 65535:
        raise ValueError("expected HOST:PORT, :PORT or [::1]:PORT, with a port from 0 to 65535")
    return Listen(match["v6"] or match["host"], int(match["port"]))


def _split(value: object) -> object:
    if not isinstance(value, str):
        return value
    if value.lstrip().startswith("["):
        try:
            return json.loads(value)
        except json.JSONDecodeError as error:
            raise ValueError("expected a JSON list or comma-separated values") from error
    return [part.strip() for part in value.split(",") if part.strip()]


def _check_arn(arn: str) -> str:
    parse_job_arn(arn)
    return arn


def _check_metric(name: str) -> str:
    if name not in METRICS:
        raise ValueError(f"is no metric of this exporter{_near(name, METRICS)}")
    return name


def _check_listen(text: str) -> str:
    parse_listen(text)
    return text


def _check_distinct(values: tuple[str, ...]) -> tuple[str, ...]:
    twice = sorted({value for value in values if values.count(value) > 1})
    if twice:
        raise ValueError(f"{', '.join(twice)} is listed more than once; list it once")
    return values


def _check_labels(keys: tuple[str, ...]) -> tuple[str, ...]:
    labels = [tag_label(key) for key in keys]
    clashing = [key for key, label in zip(keys, labels, strict=True) if labels.count(label) > 1]
    if clashing:
        raise ValueError(f"{', '.join(clashing)} become the same label {tag_label(clashing[0])}; keep one of them")
    return keys


_SERIALIZED_DURATION: Final = PlainSerializer(format_duration)
Duration = Annotated[float, BeforeValidator(parse_duration), _SERIALIZED_DURATION]
_List = BeforeValidator(_split)


class Settings(BaseSettings):
    """What people can set. The description of each field is its help text."""

    model_config = SettingsConfigDict(
        env_prefix=ENV_PREFIX, extra="forbid", frozen=True, enable_decoding=False, env_ignore_empty=True
    )

    jobs: Annotated[tuple[Annotated[str, AfterValidator(_check_arn)], ...], _List, AfterValidator(_check_distinct)] = (
        Field((), description="job ARNs to watch; each one's Region comes from its ARN")
    )
    poll_interval: Duration = Field(30.0, description="how stale an active job may become")
    retention: Duration = Field(
        86400.0,
        description="how long a finished job keeps its series, counted from its end; "
        "a job named in jobs keeps them as long as it is listed",
    )
    retention_failed: Duration = Field(
        259200.0, description="the same for FAILED jobs and jobs with MAX_RUNTIME_EXCEEDED"
    )
    per_job_metrics: bool = Field(default=True, description="false keeps only the fleet metrics")
    disabled_metrics: Annotated[tuple[Annotated[str, AfterValidator(_check_metric)], ...], _List] = Field(
        (), description="metric names to leave out"
    )
    tag_labels: Annotated[tuple[str, ...], _List, AfterValidator(_check_labels)] = Field(
        (), description="tag keys that become labels tag_<key> of braket_job_info"
    )
    api_requests_per_second: float = Field(
        2.5,
        gt=0,
        allow_inf_nan=False,
        description="budget per account, Region and API operation; the default is half of the service quota",
    )
    listen_address: Annotated[str, AfterValidator(_check_listen)] = Field(
        ":9834", description="HOST:PORT, :PORT or [::1]:PORT; port 0 picks a free one and logs it"
    )
    log_level: Literal["debug", "info", "warning", "error"] = Field("info", description="least important level to log")
    log_format: Literal["auto", "json", "console"] = Field(
        "auto", description="auto is console on a terminal, json elsewhere"
    )


def format_default(key: str) -> str:
    """Write a key's default as people would; empty when there is none."""
    default = Settings.model_fields[key].default
    if isinstance(default, bool):
        return str(default).lower()
    is_duration = isinstance(default, float) and any(
        part is _SERIALIZED_DURATION for part in Settings.model_fields[key].metadata
    )
    return format_duration(default) if is_duration else str(default or "")


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
        problems += [_describe(detail) for detail in error.errors()]
        wrong = {detail["loc"][0] for detail in error.errors()}
    if not unread and "jobs" not in wrong and not _split(given.get("jobs")):
        problems.append(_NOTHING_TO_WATCH)
    if problems:
        raise SettingsError(problems)
    return settings


def _read_yaml(path: str) -> tuple[dict[str, Any], list[str]]:
    """Return the file's keys with their values, or nothing and the problem."""
    try:
        values = yaml.safe_load(Path(path).read_text(encoding="utf-8"))
    except OSError as error:
        problem = f"cannot be read: {error.strerror}"
    except yaml.MarkedYAMLError as error:
        mark = error.problem_mark
        where = "" if mark is None else f"line {mark.line + 1}, column {mark.column + 1}: "
        problem = f"{where}is no valid YAML: {error.problem}"
    except (yaml.YAMLError, ValueError) as error:  # a scalar that only looks like a number or a date is a ValueError
        problem = f"is no valid YAML: {' '.join(str(error).split())}"
    except RecursionError:
        problem = "is nested too deeply"
    else:
        if values is None:
            return {}, []
        if isinstance(values, dict):
            return {str(key): value for key, value in values.items()}, []
        problem = "expected keys with values, such as 'poll_interval: 30s'"
    return {}, [f"config file {path}: {problem}"]


def _unknown_variables(environ: Mapping[str, str]) -> Iterator[str]:
    known = {f"{ENV_PREFIX}{key.upper()}" for key in Settings.model_fields} | {CONFIG_VARIABLE}
    for name, value in sorted(environ.items()):
        if not name.startswith(ENV_PREFIX) or name in known:
            continue
        if not _SERVICE_LINK.fullmatch(f"{name.removeprefix(ENV_PREFIX)}={value}"):
            yield f"{name}: is no known variable{_near(name, sorted(known))}"


def _describe(detail: ErrorDetails) -> str:
    key = "".join(f"[{part}]" if isinstance(part, int) else str(part) for part in detail["loc"])
    if detail["type"] == "extra_forbidden":
        return f"{key}: is no known key{_near(key, Settings.model_fields)}"
    if detail["type"] == "tuple_type":
        expected = "expected a list, or text with commas"
    else:
        reason = detail["msg"].removeprefix("Value error, ").removeprefix("Input should be ")
        expected = reason if detail["type"] == "value_error" else f"expected {reason}"
    return f"{key} = {_shown(detail['input'])}: {expected}"


def _shown(value: object) -> str:
    try:
        return json.dumps(value, default=str)
    except (TypeError, ValueError):  # YAML can write keys that JSON cannot, and lists that hold themselves
        return str(value)


def _near(name: str, known: Iterable[str]) -> str:
    close = difflib.get_close_matches(name, [*known], n=1)
    return f"; did you mean {close[0]}?" if close else ""
