"""The settings: frozen classes from which the command line, ``--help`` and the table in the docs follow. Pure.

The description of each field is its help text.
"""

import re
from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from typing import Annotated, Final, Literal, NamedTuple, TypeVar

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

from exporter.core.arn import BRAKET_IS_IN, BRAKET_REGIONS, check_region, parse_job_arn
from exporter.core.selector import parse_tag_rule
from exporter.core.text import format_duration, near, parse_duration, parse_listen, shard_of, split_list
from exporter.metrics.families import EXPORTER_FAMILIES, FLEET_FAMILIES, job_families, tag_label

T = TypeVar("T")

ENV_PREFIX: Final = "BRAKET_EXPORTER_"

METRICS: Final = tuple(family.name for family in (*job_families(), *FLEET_FAMILIES, *EXPORTER_FAMILIES))
"""Every metric that can be disabled."""

SERVICE_QUOTA: Final = 5.0
"""GetJob and SearchJobs calls a second that Braket allows an account in a Region, everybody's together, by default."""

SHORTEST_INTERVAL: Final = 1.0
"""A shorter ``poll_interval``, in seconds, is valid but rarely meant."""

MOST_JOBS: Final = 1_000_000_000
LOWEST_RATE: Final = 0.0001
HIGHEST_RATE: Final = 1_000_000.0

_ROLE: Final = re.compile(r"arn:aws[a-z-]*:iam::\d{12}:role/[\w+=,.@/-]+", re.ASCII)


class SettingsError(Exception):
    """The settings are invalid.

    Attributes:
        problems: one line for each: the key, the value and which values are valid.
    """

    def __init__(self, problems: Sequence[str]) -> None:
        super().__init__("; ".join(problems))
        self.problems = tuple(problems)


class SettingsWarning(NamedTuple):
    """A valid setting that is probably a mistake.

    Attributes:
        setting: the key.
        message: what is unusual, and its effect.
    """

    setting: str
    message: str


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
        raise ValueError(f"not a regular expression: {error}") from error
    return text


def _check_region(region: str) -> str:
    check_region(region)
    return region


def _check_role(arn: str) -> str:
    if _ROLE.fullmatch(arn) is None:
        raise ValueError("not a role ARN; expected arn:aws:iam::<account>:role/<name>")
    return arn


def _check_name(name: str) -> str:
    if name.encode(errors="replace").decode() != name:
        raise ValueError("has a lone surrogate, which a label cannot carry; expected Unicode text")
    return name


def _check_targets(targets: "tuple[TargetSettings, ...]") -> "tuple[TargetSettings, ...]":
    names = Counter(target.name for target in targets if target.name is not None)
    if twice := [name for name, count in names.items() if count > 1]:
        raise ValueError(f"duplicate name {twice[0]}; give each target a name of its own")
    return tuple(_with_each_job_once(targets))


def _with_each_job_once(targets: "tuple[TargetSettings, ...]") -> "Iterator[TargetSettings]":
    """Leave a job to the first of several targets with the same credentials."""
    owners: dict[str, int] = {}
    for place, target in enumerate(targets):
        for arn in target.jobs:
            first = owners.setdefault(arn, place)
            if targets[first].login != target.login:
                pair = f"{_place(first, targets[first])} and {_place(place, target)}"
                raise ValueError(f"{arn} is in {pair}, which have different credentials; keep it in one of them")
        jobs = tuple(arn for arn in target.jobs if owners[arn] == place)
        if jobs or target.discovers:
            yield target.model_copy(update={"jobs": jobs})


def _place(number: int, target: "TargetSettings") -> str:
    return f"targets[{number}]{'' if target.name is None else f' ({target.name})'}"


def _check_metric(name: str) -> str:
    if name not in METRICS:
        raise ValueError(f"unknown metric{near(name, METRICS)}")
    return name


def _check_listen(text: str) -> str:
    parse_listen(text)
    return text


def _check_path(text: str) -> str:
    if not text:
        raise ValueError("expected the path of a file; to have none, leave the key out")
    return text


def _once(values: tuple[T, ...]) -> tuple[T, ...]:
    """Take each value once, where it is first."""
    return tuple(dict.fromkeys(values))


def _number(value: object) -> object:
    if isinstance(value, bool):
        raise ValueError("expected a number, not true or false")  # noqa: TRY004 -- pydantic takes ValueErrors
    return value


def _check_most_jobs(most: int) -> int:
    if most > MOST_JOBS:
        raise ValueError(f"expected at most {MOST_JOBS}")
    return most


def _check_rate(rate: float) -> float:
    if not LOWEST_RATE <= rate <= HIGHEST_RATE:
        raise ValueError(f"expected a number from {LOWEST_RATE} to {HIGHEST_RATE:.0f}")
    return rate


def _check_labels(keys: tuple[str, ...]) -> tuple[str, ...]:
    owners: dict[str, str] = {}
    for key in keys:
        other = owners.setdefault(tag_label(key), key)
        if other != key:
            raise ValueError(f"{other} and {key} become the same label {tag_label(key)}; keep one of them")
    return keys


_SERIALIZED_DURATION: Final = PlainSerializer(format_duration)
Duration = Annotated[float, BeforeValidator(parse_duration), _SERIALIZED_DURATION]
_List = BeforeValidator(split_list)


_Once = AfterValidator(_once)
_Number = BeforeValidator(_number)


_Jobs = Annotated[tuple[Annotated[str, AfterValidator(_check_arn)], ...], _List, _Once]
_Tags = Annotated[tuple[Annotated[str, AfterValidator(_check_tag)], ...], _List, _Once, AfterValidator(_check_tag_keys)]
_Regions = Annotated[tuple[Annotated[str, AfterValidator(_check_region)], ...], _List, _Once]


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

    @property
    def login(self) -> tuple[str | None, ...]:
        """Whose credentials it uses."""
        return (self.profile, self.role_arn, self.external_id)

    @model_validator(mode="after")
    def _complete(self) -> "TargetSettings":
        if not self.jobs and not self.discovers:
            raise ValueError("nothing to watch: set jobs, tags or all_jobs")
        if self.external_id is not None and self.role_arn is None:
            raise ValueError("external_id is valid only with role_arn")
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
    max_jobs: Annotated[int, _Number, AfterValidator(_check_most_jobs)] = Field(
        10000,
        ge=1,
        description="most jobs with per-job series; beyond it the oldest finished ones lose theirs first, "
        "active and failed ones last",
    )
    per_job_metrics: bool = Field(default=True, description="false keeps only the fleet metrics")
    disabled_metrics: Annotated[tuple[Annotated[str, AfterValidator(_check_metric)], ...], _List, _Once] = Field(
        (), description="metric names to leave out"
    )
    tag_labels: Annotated[tuple[str, ...], _List, _Once, AfterValidator(_check_labels)] = Field(
        (), description="tag keys that become labels tag_<key> of braket_job_info"
    )
    api_requests_per_second: Annotated[float, _Number, AfterValidator(_check_rate)] = Field(
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
    shard: Annotated[int, _Number, BeforeValidator(shard_of)] = Field(
        0,
        ge=0,
        description="which share of the targets is this process's, from 0; or the name of a StatefulSet's pod, "
        "which ends in it",
    )
    total_shards: Annotated[int, _Number] = Field(
        1, ge=1, le=1000, description="among how many processes the targets are shared"
    )


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


def warnings_of(settings: Settings, polled: Iterable[str] = ()) -> tuple[SettingsWarning, ...]:
    """List the settings that are valid and probably a mistake.

    Args:
        settings: the settings.
        polled: the Regions that are polled; one that the settings do not name is the AWS SDK's.
    """
    return (*_unknown_regions(settings, polled), *_quota(settings))


def _unknown_regions(settings: Settings, polled: Iterable[str]) -> Iterator[SettingsWarning]:
    named: dict[str, str] = {}
    for place, selection in enumerate(settings.targets or (settings,)):
        prefix = f"targets[{place}]." if settings.targets else ""
        named |= {region: f"{prefix}regions" for region in selection.regions if region not in named}
        named |= {region: f"{prefix}jobs" for region in map(_region_of, selection.jobs) if region not in named}
    for region, key in named.items():
        if region not in BRAKET_REGIONS:
            yield SettingsWarning(key, f"Region {region} is not known to this release; {BRAKET_IS_IN}")
    for region in dict.fromkeys(polled):
        if region not in BRAKET_REGIONS and region not in named:
            message = f"the AWS SDK's Region {region} is not known to this release; {BRAKET_IS_IN}"
            yield SettingsWarning("regions", message)


def _quota(settings: Settings) -> Iterator[SettingsWarning]:
    rate, interval = settings.api_requests_per_second, settings.poll_interval
    if rate > SERVICE_QUOTA:
        message = (
            f"{_rate(rate)} calls per second are more than Braket's default quota of {_rate(SERVICE_QUOTA)}, "
            "which all users of the account share"
        )
        yield SettingsWarning("api_requests_per_second", message)
    named = (parse_job_arn(arn) for selection in (settings, *settings.targets) for arn in selection.jobs)
    jobs = Counter(f" in {job.account}/{job.region}" for job in named) or {"": 1}
    beyond = {place: count for place, count in jobs.items() if count / interval > rate}
    for place, count in beyond.items():
        active = f"{count} active job{'s' * (count != 1)}{place}"
        message = (
            f"{active} would take {_rate(count / interval)} GetJob calls per second; "
            f"with api_requests_per_second {_rate(rate)} each is polled every {_rate(count / rate)}s"
        )
        yield SettingsWarning("poll_interval", message)
    if interval < SHORTEST_INTERVAL and not beyond:
        message = (
            f"{format_duration(interval)} is shorter than {format_duration(SHORTEST_INTERVAL)}; "
            f"each active job takes {_rate(1 / interval)} GetJob calls per second"
        )
        yield SettingsWarning("poll_interval", message)


def _rate(number: float) -> str:
    return f"{number:.0f}" if number >= 100 else f"{number:.3g}"


def _region_of(arn: str) -> str:
    return parse_job_arn(arn).region
