"""The settings: one frozen class from which the command line, ``--help`` and the table in the docs follow.

A value comes from a command-line flag, else from the environment (``BRAKET_EXPORTER_`` and the key in upper case), else
from the YAML file, else from the default. Every problem is found before one error tells them all.
"""

import difflib
import json
import re
from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from decimal import Decimal
from pathlib import Path
from types import MappingProxyType
from typing import Annotated, Any, Final, Literal, NamedTuple

import yaml
from pydantic import (
    AfterValidator,
    BaseModel,
    BeforeValidator,
    ConfigDict,
    Field,
    PlainSerializer,
    ValidationError,
    model_validator,
)
from pydantic_core import ErrorDetails
from pydantic_settings import BaseSettings, InitSettingsSource, PydanticBaseSettingsSource, SettingsConfigDict

from exporter.arn import check_region, parse_job_arn
from exporter.families import EXPORTER_FAMILIES, FLEET_FAMILIES, job_families, tag_label
from exporter.selector import parse_tag_rule

ENV_PREFIX: Final = "BRAKET_EXPORTER_"
_TARGETS_VARIABLE: Final = f"{ENV_PREFIX}TARGETS"
CONFIG_VARIABLE: Final = f"{ENV_PREFIX}CONFIG"

METRICS: Final = tuple(family.name for family in (*job_families(), *FLEET_FAMILIES, *EXPORTER_FAMILIES))
"""Every metric that can be disabled."""

_UNITS: Final = {"s": 1.0, "m": 60.0, "h": 3600.0, "d": 86400.0}
_DURATION: Final = re.compile(r"(\d+(?:\.\d+)?)\s*([smhd]?)", re.ASCII)
_LISTEN: Final = re.compile(r"(?:\[(?P<v6>[0-9a-fA-F:.]+)\]|(?P<host>[^\s:\[\]]*)):(?P<port>\d{1,5})", re.ASCII)
_ROLE: Final = re.compile(r"arn:aws[a-z-]*:iam::\d{12}:role/[\w+=,.@/-]+", re.ASCII)
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


def _check_tag(text: str) -> str:
    parse_tag_rule(text)
    return text


def _check_tag_keys(texts: tuple[str, ...]) -> tuple[str, ...]:
    keys = [parse_tag_rule(text).key for text in texts]
    twice = next((key for key in keys if keys.count(key) > 1), None)
    if twice is not None:
        raise ValueError(f"{twice} is given more than once; give its values together, as in {twice}=this|that")
    return texts


def _check_regex(text: str) -> str:
    try:
        re.compile(text)
    except re.error as error:
        raise ValueError(f"is no regular expression: {error}") from error
    return text


def _check_region(region: str) -> str:
    check_region(region)
    return region


def _check_role(arn: str) -> str:
    if _ROLE.fullmatch(arn) is None:
        raise ValueError("is no ARN of a role; one looks like arn:aws:iam::123456789012:role/name")
    return arn


def _check_targets(targets: "tuple[TargetSettings, ...]") -> "tuple[TargetSettings, ...]":
    _check_distinct(tuple(target.name for target in targets if target.name is not None))
    _check_distinct(tuple(arn for target in targets for arn in target.jobs))
    return targets


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


_Jobs = Annotated[tuple[Annotated[str, AfterValidator(_check_arn)], ...], _List, AfterValidator(_check_distinct)]
_Tags = Annotated[tuple[Annotated[str, AfterValidator(_check_tag)], ...], _List, AfterValidator(_check_tag_keys)]
_Regions = Annotated[tuple[Annotated[str, AfterValidator(_check_region)], ...], _List, AfterValidator(_check_distinct)]


class Selection(BaseModel):
    """Which jobs to watch, for all of the settings or for one of ``targets``."""

    jobs: _Jobs = Field((), description="job ARNs to watch; each one's Region comes from its ARN")
    tags: _Tags = Field(
        (),
        description="watch jobs that carry these tags: team=chemistry,stage=prod|dev,owner=*; "
        "all keys must fit, each with one of its values",
    )
    all_jobs: bool = Field(default=False, description="watch every job of the account and Region")
    job_name_regex: Annotated[str, AfterValidator(_check_regex)] | None = Field(
        None, description="keep only discovered jobs whose whole name matches"
    )
    regions: _Regions = Field((), description="Regions to discover jobs in; the SDK's Region if there are none")

    @property
    def discovers(self) -> bool:
        """Whether jobs are looked for."""
        return self.all_jobs or bool(self.tags)


class TargetSettings(Selection):
    """One of several accounts, and what to watch there."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    name: str | None = Field(None, description="for people")
    role_arn: Annotated[str, AfterValidator(_check_role)] | None = Field(None, description="role to assume")
    external_id: str | None = Field(None, description="what the role's trust policy asks for")
    profile: str | None = Field(None, description="profile of the AWS configuration files")

    @model_validator(mode="after")
    def _complete(self) -> "TargetSettings":
        if not self.jobs and not self.discovers:
            raise ValueError("nothing to watch: give the target jobs, tags or all_jobs")
        if self.external_id is not None and self.role_arn is None:
            raise ValueError("external_id goes with role_arn")
        return self


class Settings(Selection, BaseSettings):
    """What people can set. The description of each field is its help text."""

    model_config = SettingsConfigDict(
        env_prefix=ENV_PREFIX, extra="forbid", frozen=True, enable_decoding=False, env_ignore_empty=True
    )

    targets: Annotated[tuple[TargetSettings, ...], AfterValidator(_check_targets)] = Field(
        (),
        description="only in the file: a list of name, regions, role_arn, external_id, profile, jobs, tags, all_jobs, "
        "job_name_regex, for several accounts; in place of the keys above",
    )
    poll_interval: Duration = Field(30.0, description="how stale an active job may become")
    discovery_interval: Duration = Field(60.0, description="how often new jobs are looked for")
    lookback: Duration = Field(1209600.0, description="how far back jobs are looked for, by their creation")
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
    shard: int = Field(0, ge=0, description="which share of the targets is this process's, from 0")
    total_shards: int = Field(1, ge=1, le=1000, description="among how many processes the targets are shared")


SCALAR_KEYS: Final = tuple(key for key in Settings.model_fields if key != "targets")
"""The keys that can be flags and variables."""


def format_default(key: str) -> str:
    """Write a key's default as people would; empty when there is none."""
    default = Settings.model_fields[key].default
    if isinstance(default, bool):
        return str(default).lower()
    is_duration = isinstance(default, float) and any(
        part is _SERIALIZED_DURATION for part in Settings.model_fields[key].metadata
    )
    if is_duration:
        return format_duration(default)
    return "" if default in (None, ()) else str(default)


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
        return bool(_split(value))
    except ValueError:
        return True


def _conflicts(given: Mapping[str, Any], wrong: Collection[int | str]) -> Iterator[str]:
    """Yield what is wrong between keys, those left out that are wrong by themselves."""
    beside = [key for key in _NOT_BESIDE_TARGETS if _is_set(given, key)]
    if _is_set(given, "targets") and beside:
        yield f"targets: takes the place of {', '.join(beside)}; move them into a target"
    if "shard" not in wrong and "total_shards" not in wrong:
        shard, shards = int(given.get("shard", 0)), int(given.get("total_shards", 1))
        if shard >= shards:
            yield f"shard = {shard}: expected less than total_shards, which is {shards}"


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
    known = {f"{ENV_PREFIX}{key.upper()}" for key in SCALAR_KEYS} | {CONFIG_VARIABLE}
    for name, value in sorted(environ.items()):
        if not name.startswith(ENV_PREFIX) or name in known:
            continue
        if name == _TARGETS_VARIABLE:
            yield f"{name}: targets can be set in the file only"
        elif not _SERVICE_LINK.fullmatch(f"{name.removeprefix(ENV_PREFIX)}={value}"):
            yield f"{name}: is no known variable{_near(name, sorted(known))}"


def _describe(detail: ErrorDetails) -> str:
    key = "".join(f"[{part}]" if isinstance(part, int) else f".{part}" for part in detail["loc"]).lstrip(".")
    if detail["type"] == "extra_forbidden":
        known = Settings.model_fields if len(detail["loc"]) == 1 else TargetSettings.model_fields
        return f"{key}: is no known key{_near(str(detail['loc'][-1]), known)}"
    reason = _REASONS.get(detail["type"], detail["msg"]).removeprefix("Value error, ").removeprefix("Input should be ")
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
