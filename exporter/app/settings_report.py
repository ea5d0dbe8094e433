"""The report of valid settings: YAML, with warnings and the predicted costs as comments. Pure."""

from collections.abc import Sequence

import yaml

from exporter.app.cost_estimate import Demand, EventCosts, Prediction, predict
from exporter.app.prediction_report import ActiveJobs, prediction_lines
from exporter.app.setting_warnings import environment_warnings, warnings_of
from exporter.app.settings import Settings, optional_operations
from exporter.core import GET_DEVICE, SEARCH_SPENDING_LIMITS, TargetConfig
from exporter.metrics import job_families


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
        *prediction_lines(
            jobs, _predicted(settings, jobs), optional_calls(settings, configs), event_costs(settings, configs)
        ),
    ]
    return "\n".join(lines) + "\n"


def active_jobs(configs: Sequence[TargetConfig], found: Sequence[int | None] = ()) -> ActiveJobs:
    """Return the active jobs of targets.

    Args:
        configs: the targets.
        found: the number of discovered active jobs of each target, as in ``ActiveJobs``.
    """
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


def optional_calls(settings: Settings, configs: Sequence[TargetConfig]) -> dict[str, float]:
    """Predict the calls a minute for devices and spending limits; targets of one account and Region share them."""
    accounts = {config.shard_key if config.target.account else config.key for config in configs}
    calls = {
        GET_DEVICE: ("per device in use", 60 / settings.device_interval),
        SEARCH_SPENDING_LIMITS: ("spending limits", len(accounts) * 60 / settings.spending_limit_interval),
    }
    return dict(calls[operation] for operation in optional_operations(settings))


def event_costs(settings: Settings, configs: Sequence[TargetConfig]) -> EventCosts | None:
    """Predict the costs of the event queues of targets; ``None`` without a queue."""
    queues = {config.event_queue_url for config in configs if config.event_queue_url is not None}
    return EventCosts(len(queues), settings.event_poll_interval) if queues else None


def _warning_lines(settings: Settings, configs: Sequence[TargetConfig]) -> list[str]:
    warnings = (*warnings_of(settings, [config.target.region for config in configs]), *environment_warnings(settings))
    return [f"# Warning: {setting}: {message}" for setting, message in warnings]
