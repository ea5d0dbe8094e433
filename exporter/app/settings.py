"""The settings: frozen classes that define the flags, ``--help`` and the table of the documentation. Pure.

The description of each field is its help text.
"""

from collections.abc import Iterator
from typing import Annotated, Any, Final, Literal

from pydantic import AfterValidator, BaseModel, ConfigDict, Field, model_validator
from pydantic_settings import BaseSettings, SettingsConfigDict

from exporter.app.setting_types import (
    OFF,
    SERIALIZED_DURATION,
    AggregateTagKeys,
    Count,
    Duration,
    FilePath,
    JobArns,
    JobLimit,
    ListenAddress,
    MetricNames,
    QueueUrl,
    Rate,
    Regex,
    Regions,
    RoleArn,
    Shard,
    TagKeys,
    TagRules,
    TargetName,
)
from exporter.core import GET_DEVICE, SEARCH_SPENDING_LIMITS, ProblemsError, format_duration, hidden_value

ENV_PREFIX: Final = "BRAKET_EXPORTER_"


class SettingsError(ProblemsError):
    """The settings are invalid."""


class Selection(BaseModel):
    """The selected jobs of all settings or of one entry of ``targets``."""

    jobs: JobArns = Field((), description="ARNs of jobs to watch; the Region is part of the ARN")
    tags: TagRules = Field(
        (),
        description="watch jobs with these tags: team=chemistry,stage=prod|dev,owner=*; a job must have every "
        "key, with one of the key's values",
    )
    all_jobs: bool = Field(default=False, description="watch every job of the account and Region")
    job_name_regex: Regex | None = Field(
        None, description="regular expression that must match the whole name of a discovered job"
    )
    regions: Regions = Field((), description="Regions in which to discover jobs; the Region of the AWS SDK if empty")

    @property
    def discovers(self) -> bool:
        """Whether jobs are discovered."""
        return self.all_jobs or bool(self.tags)


class TargetSettings(Selection):
    """One entry of ``targets``: an account and its selected jobs."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    name: TargetName | None = Field(None, description="value of the label target")
    role_arn: RoleArn | None = Field(None, description="role to assume")
    external_id: str | None = Field(None, description="external ID that the trust policy of the role requires")
    profile: str | None = Field(None, description="profile of the AWS configuration files")
    event_queue_url: QueueUrl | None = Field(None, description="SQS queue of the events about these jobs")

    @property
    def login(self) -> tuple[str | None, ...]:
        """The credentials: profile, role and external ID."""
        return (self.profile, self.role_arn, self.external_id)

    @model_validator(mode="after")
    def _complete(self) -> "TargetSettings":
        if not self.jobs and not self.discovers:
            raise hidden_value("nothing to watch: set jobs, tags or all_jobs")
        if self.external_id is not None and self.role_arn is None:
            raise hidden_value("external_id is valid only with role_arn; set role_arn or remove external_id")
        return self


def _check_targets(targets: tuple[TargetSettings, ...]) -> tuple[TargetSettings, ...]:
    return tuple(_with_each_job_once(targets))


def _with_each_job_once(targets: tuple[TargetSettings, ...]) -> Iterator[TargetSettings]:
    """Keep a job only in the first of several targets with the same credentials."""
    owners: dict[str, int] = {}
    for place, target in enumerate(targets):
        for arn in target.jobs:
            first = owners.setdefault(arn, place)
            if targets[first].login != target.login:
                pair = f"{_place(first, targets[first])} and {_place(place, target)}"
                raise hidden_value(f"{arn} is in {pair}, which have different credentials; keep it in one of them")
        jobs = tuple(arn for arn in target.jobs if owners[arn] == place)
        if jobs or target.discovers:
            yield target.model_copy(update={"jobs": jobs})


def _place(number: int, target: TargetSettings) -> str:
    return f"targets[{number}]{'' if target.name is None else f' ({target.name})'}"


class Settings(Selection, BaseSettings):
    """All settings."""

    model_config = SettingsConfigDict(
        env_prefix=ENV_PREFIX, extra="forbid", frozen=True, enable_decoding=False, env_ignore_empty=True
    )

    def __init__(self, /, **values: Any) -> None:  # noqa: ANN401 -- validated here
        """Validate values of all sources. The base class would read the environment again, and take other keys."""
        BaseModel.__init__(self, **values)

    targets: Annotated[tuple[TargetSettings, ...], AfterValidator(_check_targets)] = Field(
        (),
        description="only in the file: a list of name, regions, role_arn, external_id, profile, jobs, tags, "
        "all_jobs, job_name_regex, event_queue_url, for several accounts; replaces the keys above",
    )
    poll_interval: Duration = Field(30.0, description="maximum data age of an active job")
    discovery_interval: Duration = Field(60.0, description="interval between searches for new jobs")
    lookback: Duration = Field(1209600.0, description="maximum age of discovered jobs, by creation time")
    retention: Duration = Field(
        86400.0,
        description="time for which a finished job keeps its series after its end; a job named in jobs keeps its "
        "series while it is listed",
    )
    retention_failed: Duration = Field(
        259200.0, description="retention of FAILED jobs and of jobs with MAX_RUNTIME_EXCEEDED"
    )
    max_jobs: JobLimit = Field(
        10000,
        ge=1,
        description="maximum number of jobs with per-job series; the oldest finished jobs lose their series "
        "first, active and failed jobs last",
    )
    per_job_metrics: bool = Field(
        default=True, description="export per-job metrics; false exports only aggregate metrics"
    )
    disabled_metrics: MetricNames = Field((), description="names of metrics to omit")
    tag_labels: TagKeys = Field((), description="tag keys that become labels tag_<key> of braket_job_info")
    aggregate_tag_labels: AggregateTagKeys = Field(
        (),
        description="at most 3 tag keys that also become labels tag_<key> of the aggregate metrics; a job without the "
        "tag has an empty value, and values after the first 100 of a key become other",
    )
    api_requests_per_second: Rate = Field(
        2.5,
        gt=0,
        allow_inf_nan=False,
        description="calls per second for each account, Region and API operation; AWS allows 5 to all clients together",
    )
    device_metrics: Annotated[Literal["used", "off"], OFF] = Field(
        "used",
        description="devices to export: used (those of active jobs, and for the retention after the last one) or off "
        "(no GetDevice calls)",
    )
    device_interval: Duration = Field(60.0, description="interval between polls of a device")
    spending_limits: Annotated[Literal["auto", "off"], OFF] = Field(
        "auto",
        description="spending limits to export: auto (those of each account and Region) or off (no "
        "SearchSpendingLimits calls)",
    )
    spending_limit_interval: Duration = Field(300.0, description="interval between polls of the spending limits")
    event_queue_url: QueueUrl | None = Field(
        None,
        description="URL of the SQS queue with EventBridge's events about Amazon Braket; an entry of targets may have "
        "a queue of its own",
    )
    event_poll_interval: Duration = Field(
        300.0,
        description="maximum data age of a RUNNING job while its event queue is healthy; at least poll_interval",
    )
    listen_address: ListenAddress = Field(
        ":9834", description="HOST:PORT, :PORT or [::1]:PORT; port 0 selects a free port and logs it"
    )
    web_config_file: str | None = Field(
        None, description="file with TLS and basic authentication in the format of Prometheus's exporter-toolkit"
    )
    state_file: FilePath | None = Field(
        None, description="SQLite file in which jobs, counters and the log position survive a restart"
    )
    log_level: Literal["debug", "info", "warning", "error"] = Field("info", description="minimum level of log lines")
    log_format: Literal["auto", "json", "console"] = Field(
        "auto", description="format of log lines: json, console, or auto (console on a terminal, otherwise json)"
    )
    shard: Shard = Field(
        0,
        ge=0,
        description="number of this process among total_shards, from 0; or the name of a StatefulSet's pod, "
        "which ends with the number",
    )
    total_shards: Count = Field(1, ge=1, le=1000, description="number of processes that share the targets")


SCALAR_KEYS: Final = tuple(key for key in Settings.model_fields if key != "targets")
"""The keys with a flag and a variable."""


def flag_of(key: str) -> str:
    """Return the flag of a setting."""
    return f"--{key.replace('_', '-')}"


def format_default(key: str) -> str:
    """Format the default of a key; empty without a default."""
    default = Settings.model_fields[key].default
    if isinstance(default, bool):
        return str(default).lower()
    is_duration = isinstance(default, float) and any(
        part is SERIALIZED_DURATION for part in Settings.model_fields[key].metadata
    )
    if is_duration:
        return format_duration(default)
    return "" if default in (None, ()) else str(default)


def count_jobs(settings: Settings) -> int:
    """Count the jobs in ``jobs``."""
    return sum(len(selection.jobs) for selection in (settings, *settings.targets))


def optional_operations(settings: Settings) -> tuple[str, ...]:
    """Return the operations that the settings can switch off, without those that are off."""
    devices = () if settings.device_metrics == "off" else (GET_DEVICE,)
    return devices if settings.spending_limits == "off" else (*devices, SEARCH_SPENDING_LIMITS)
