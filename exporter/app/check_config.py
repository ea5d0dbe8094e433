"""The ``check-config`` command: validates the settings and predicts calls and series."""

from dataclasses import dataclass

from exporter.app.event_queue_check import check_queues
from exporter.app.permission_check import check_all
from exporter.app.permission_report import report
from exporter.app.setting_files import check_files
from exporter.app.settings import Settings, optional_operations
from exporter.app.settings_report import active_jobs, describe
from exporter.app.target_configs import Sessions, target_configs
from exporter.aws import BraketClient, Sdk
from exporter.core import Clock
from exporter.telemetry import SelfMetrics


@dataclass(frozen=True, slots=True)
class Checked:
    """The result of ``check-config``.

    Attributes:
        text: the settings as YAML, with comments.
        permitted: whether every required call to AWS succeeded; true without calls.
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
    check_files(settings)
    sessions: Sessions = {}
    polled = target_configs(settings, sessions, Sdk())
    if not online:
        return Checked(describe(settings, polled, active_jobs(polled)))
    since = Clock().wall() - settings.lookback
    count = SelfMetrics().request
    clients = [BraketClient(sessions[config.credentials], config.target, count) for config in polled]
    accesses = check_all(polled, clients, since, optional_operations(settings))
    jobs = active_jobs(polled, [access.active for access in accesses])
    accesses += check_queues(polled, sessions, count)
    permitted = all(access.is_complete for access in accesses)
    return Checked(describe(settings, polled, jobs) + report(accesses), permitted)
