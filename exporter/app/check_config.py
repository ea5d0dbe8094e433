"""The ``check-config`` command: validates the settings and predicts calls and series."""

from collections.abc import Sequence
from dataclasses import dataclass

import yaml

from exporter.app.config_files import access_policy_of, check_state_file
from exporter.app.cost_estimate import Demand, Prediction, predict
from exporter.app.permission_check import check_all
from exporter.app.permission_report import report
from exporter.app.setting_warnings import environment_warnings, warnings_of
from exporter.app.settings import Settings
from exporter.app.target_configs import Sessions, target_configs
from exporter.aws import BraketClient
from exporter.core import Clock, TargetConfig, format_duration
from exporter.metrics import job_families
from exporter.telemetry import SelfMetrics


@dataclass(frozen=True, slots=True)
class Checked:
    """The result of ``check-config``.

    Attributes:
        text: the settings as YAML, with comments.
        permitted: whether every call to AWS succeeded; true without calls.
    """

    text: str
    permitted: bool = True


def check_config(settings: Settings, *, online: bool) -> Checked:
    """Check the settings and their files.

    Args:
        settings: the settings.
        online: whether to call AWS.

    Raises:
        SettingsError: a file is invalid, or no Region is configured for discovery.
    """
    access_policy_of(settings)
    check_state_file(settings)
    sessions: Sessions = {}
    polled = target_configs(settings, sessions)
    if not online:
        return Checked(describe(settings, polled))
    since = Clock().wall() - settings.lookback
    count = SelfMetrics().request
    clients = [BraketClient(sessions[config.credentials], config.target, count) for config in polled]
    accesses = check_all(polled, clients, since)
    found = [access.active for access in accesses]
    return Checked(describe(settings, polled, found) + report(accesses), all(access.is_complete for access in accesses))


def describe(settings: Settings, configs: Sequence[TargetConfig], found: Sequence[int] = ()) -> str:
    """Write the effective settings as YAML, with the predicted calls and series as comments.

    Args:
        settings: the settings.
        configs: the polled targets.
        found: the number of discovered active jobs of each target, after calls to AWS.
    """
    cost = _predicted(settings, configs, found)
    jobs = sum(len(config.jobs) for config in configs) + sum(found)
    lines = [
        "# The settings are good. In force:",
        yaml.safe_dump(settings.model_dump(mode="json", exclude_none=True), sort_keys=False).rstrip(),
        f"# Predicted with {_plural(jobs, 'active job')} in {_plural(len(configs), 'target')} (account and Region):",
        f"#   AWS calls: {cost.calls_per_minute:.1f} a minute; finished jobs cost none",
        *(_discovery_lines(settings, cost) if any(config.selector for config in configs) else ()),
        *_series_lines(cost),
        *_warning_lines(settings, configs),
    ]
    return "\n".join(lines) + "\n"


def _predicted(settings: Settings, configs: Sequence[TargetConfig], found: Sequence[int]) -> Prediction:
    families = job_families(settings.tag_labels) if settings.per_job_metrics else ()
    return predict(
        [
            Demand(len(config.jobs) + active, config.selector is not None)
            for config, active in zip(configs, found or [0] * len(configs), strict=True)
        ],
        interval=settings.poll_interval,
        discovery_interval=settings.discovery_interval,
        rate=settings.api_requests_per_second,
        max_jobs=settings.max_jobs,
        families=[family for family in families if family.name not in settings.disabled_metrics],
    )


def _series_lines(cost: Prediction) -> list[str]:
    return [
        f"#   an active job is at most {format_duration(round(cost.staleness, 1))} stale",
        f"#   series of jobs: {cost.series_of_jobs}, {cost.series_per_job} for each",
        f"#   with max_jobs never more than about {cost.most_series_of_jobs}",
        f"#   series of the fleet: {cost.series_per_device} for each device that jobs run on",
    ]


def _warning_lines(settings: Settings, configs: Sequence[TargetConfig]) -> list[str]:
    warnings = (*warnings_of(settings, [config.target.region for config in configs]), *environment_warnings(settings))
    return [f"# Warning: {setting}: {message}" for setting, message in warnings]


def _discovery_lines(settings: Settings, cost: Prediction) -> list[str]:
    return [
        f"#   and for each active job that is found: {cost.calls_per_found_job:.1f} a minute",
        f"#   with more than {cost.alone} of them in a target, one call tells the status of up to 100",
        f"#   at the start, then once an hour: one call for 100 jobs of the last {format_duration(settings.lookback)}",
        f"#   never more than {cost.most_calls_per_minute:.0f} a minute",
    ]


def _plural(count: int, noun: str) -> str:
    return f"{count} {noun}" if count == 1 else f"{count} {noun}s"
