"""The settings in use: puts new settings into effect in the running parts."""

from exporter.app.build import Exporter
from exporter.app.setting_warnings import environment_warnings, warnings_of
from exporter.app.settings import Settings
from exporter.app.target_configs import Sessions, target_configs
from exporter.aws import BraketClient
from exporter.core import JobRecord, TargetConfig
from exporter.polling import Changes, Policy, Retention
from exporter.storage import SavedState


class ActiveSettings:
    """The settings in use, and the AWS sessions that belong to them.

    Attributes:
        settings: the settings in use.

    Args:
        exporter: the parts that follow the settings.
        settings: the settings at the start. They take effect with the first ``take``.
    """

    def __init__(self, exporter: Exporter, settings: Settings) -> None:
        self.settings = settings
        self._exporter = exporter
        self._sessions: Sessions = {}

    def take(self, settings: Settings, past: SavedState | None = None) -> Changes:
        """Put settings into effect, all of them or none. The state of jobs and targets stays.

        Args:
            settings: the settings.
            past: the state before a restart.

        Raises:
            SettingsError: no Region is known to look for jobs in.
        """
        sessions, exporter = dict(self._sessions), self._exporter
        wanted = target_configs(settings, sessions)

        def connect(config: TargetConfig) -> BraketClient:
            labels = frozenset(settings.tag_labels)
            return BraketClient(sessions[config.login], config.target, exporter.telemetry.request, labels)

        plan = exporter.manager.plan(wanted, _policy(settings), settings.api_requests_per_second, connect)
        for session in self._sessions.values():
            session.renew(forced=True)
        changes = exporter.manager.follow(plan, past)
        exporter.manager.set_limit(settings.max_jobs)
        if exporter.state_writer is not None:
            exporter.state_writer.watch(exporter.manager.baselines)
        exporter.store.flush()
        self.settings, self._sessions = settings, {config.login: sessions[config.login] for config in wanted}
        exporter.telemetry.settings_loaded(exporter.clock.wall())
        return changes

    def warn(self) -> None:
        """Log the settings, and variables of the AWS SDK, that are valid and probably a mistake."""
        regions = [target.target.region for target in self._exporter.manager.targets]
        for warning in (*warnings_of(self.settings, regions), *environment_warnings(self.settings)):
            self._exporter.event_log.config_warning(warning.setting, warning.message)

    @property
    def known_jobs(self) -> int:
        """The number of jobs with a response in the state file, before the first poll."""
        return len(self._exporter.store) - sum(job.snapshot is None for job in self.named_jobs)

    @property
    def named_jobs(self) -> list[JobRecord]:
        """The jobs that the settings name and this process polls."""
        named = dict.fromkeys(arn for selection in (self.settings, *self.settings.targets) for arn in selection.jobs)
        return [record for arn in named if (record := self._exporter.store.find(arn)) is not None]


def _policy(settings: Settings) -> Policy:
    return Policy(
        poll_interval=settings.poll_interval,
        discovery_interval=settings.discovery_interval,
        lookback=settings.lookback,
        retention=Retention(settings.retention, settings.retention_failed),
    )
