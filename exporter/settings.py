"""The settings: frozen classes from which the command line, ``--help`` and the table in the docs follow. Pure.

The description of each field is its help text.
"""

import re
from collections.abc import Sequence
from typing import Annotated, Final, Literal

from pydantic import (
    AfterValidator,
    BaseModel,
    BeforeValidator,
    ConfigDict,
    Field,
    PlainSerializer,
    model_validator,
)
from pydantic_settings import BaseSettings, SettingsConfigDict

from exporter.arn import check_region, parse_job_arn
from exporter.families import EXPORTER_FAMILIES, FLEET_FAMILIES, job_families, tag_label
from exporter.selector import parse_tag_rule
from exporter.values import format_duration, near, parse_duration, parse_listen, shard_of, split_list

ENV_PREFIX: Final = "BRAKET_EXPORTER_"

METRICS: Final = tuple(family.name for family in (*job_families(), *FLEET_FAMILIES, *EXPORTER_FAMILIES))
"""Every metric that can be disabled."""

_ROLE: Final = re.compile(r"arn:aws[a-z-]*:iam::\d{12}:role/[\w+=,.@/-]+", re.ASCII)


class SettingsError(Exception):
    """The settings are bad.

    Attributes:
        problems: one line for each: the key, the value and what would be right.
    """

    def __init__(self, problems: Sequence[str]) -> None:
        super().__init__("; ".join(problems))
        self.problems = tuple(problems)


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


def _check_name(name: str) -> str:
    if name.encode(errors="replace").decode() != name:
        raise ValueError("has a lone surrogate, which a label cannot carry; expected Unicode text")
    return name


def _check_targets(targets: "tuple[TargetSettings, ...]") -> "tuple[TargetSettings, ...]":
    _check_distinct(tuple(target.name for target in targets if target.name is not None))
    _check_distinct(tuple(arn for target in targets for arn in target.jobs))
    return targets


def _check_metric(name: str) -> str:
    if name not in METRICS:
        raise ValueError(f"is no metric of this exporter{near(name, METRICS)}")
    return name


def _check_listen(text: str) -> str:
    parse_listen(text)
    return text


def _check_path(text: str) -> str:
    if not text:
        raise ValueError("is empty; name a file, or leave the key out")
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
_List = BeforeValidator(split_list)


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

    name: Annotated[str, AfterValidator(_check_name)] | None = Field(None, description="value of the label target")
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
    max_jobs: int = Field(
        10000,
        ge=1,
        description="most jobs with per-job series; beyond it the oldest finished ones lose theirs first, "
        "active and failed ones last",
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
    web_config_file: str | None = Field(
        None, description="TLS and basic auth in the format of Prometheus's exporter-toolkit"
    )
    state_file: Annotated[str, AfterValidator(_check_path)] | None = Field(
        None, description="SQLite file in which jobs, counters and the log cursor survive a restart"
    )
    log_level: Literal["debug", "info", "warning", "error"] = Field("info", description="least important level to log")
    log_format: Literal["auto", "json", "console"] = Field(
        "auto", description="auto is console on a terminal, json elsewhere"
    )
    shard: Annotated[int, BeforeValidator(shard_of)] = Field(
        0,
        ge=0,
        description="which share of the targets is this process's, from 0; or the name of a StatefulSet's pod, "
        "which ends in it",
    )
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
