"""The ``check-config`` command: validates the settings and predicts calls and series."""

from collections.abc import Sequence
from dataclasses import dataclass

import yaml

from exporter.app.config_files import access_policy_of, check_state_file
from exporter.app.cost_estimate import Demand, Prediction, predict
from exporter.app.permission_check import check_all
from exporter.app.permission_report import report
from exporter.app.prediction_report import ActiveJobs, prediction_lines
from exporter.app.setting_warnings import environment_warnings, warnings_of
from exporter.app.settings import Settings
from exporter.app.target_configs import Sessions, target_configs
from exporter.aws import BraketClient
from exporter.core import Clock, TargetConfig
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
        return Checked(describe(settings, polled, _active_jobs(polled)))
    since = Clock().wall() - settings.lookback
    count = SelfMetrics().request
    clients = [BraketClient(sessions[config.credentials], config.target, count) for config in polled]
    accesses = check_all(polled, clients, since)
    jobs = _active_jobs(polled, [access.active for access in accesses])
    permitted = all(access.is_complete for access in accesses)
    return Checked(describe(settings, polled, jobs) + report(accesses), permitted)


def describe(settings: Settings, configs: Sequence[TargetConfig], jobs: ActiveJobs) -> str:
    """Write the effective settings as YAML, with warnings and the predicted calls and series as comments.

    Args:
        settings: the settings.
        configs: the polled targets.
        jobs: the active jobs of the targets.
    """
    lines = [
        "# The settings are valid. Active settings:",
        *_warning_lines(settings, configs),
        yaml.safe_dump(settings.model_dump(mode="json", exclude_none=True), sort_keys=False).rstrip(),
        *prediction_lines(jobs, _predicted(settings, jobs)),
    ]
    return "\n".join(lines) + "\n"


def _active_jobs(configs: Sequence[TargetConfig], found: Sequence[int | None] = ()) -> ActiveJobs:
    discovers = [config.selector is not None for config in configs]
    return ActiveJobs([len(config.jobs) for config in configs], discovers, found)


def _predicted(settings: Settings, jobs: ActiveJobs) -> Prediction:
    families = job_families(settings.tag_labels) if settings.per_job_metrics else ()
    return predict(
        [Demand(number, discovers) for number, discovers in zip(jobs.numbers, jobs.discovers, strict=True)],
        interval=settings.poll_interval,
        discovery_interval=settings.discovery_interval,
        rate=settings.api_requests_per_second,
        max_jobs=settings.max_jobs,
        families=[family for family in families if family.name not in settings.disabled_metrics],
    )


def _warning_lines(settings: Settings, configs: Sequence[TargetConfig]) -> list[str]:
    warnings = (*warnings_of(settings, [config.target.region for config in configs]), *environment_warnings(settings))
    return [f"# Warning: {setting}: {message}" for setting, message in warnings]
