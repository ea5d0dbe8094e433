"""The active settings: applies new settings to the running components."""

from collections.abc import Callable, Sequence

from exporter.app.build import Exporter
from exporter.app.setting_warnings import environment_warnings, warnings_of
from exporter.app.settings import Settings
from exporter.app.target_configs import Sessions, target_configs
from exporter.aws import BraketClient, EventQueueClient, Sdk
from exporter.core import JobRecord, TargetConfig
from exporter.polling import Changes, Plan, Policy, Retention
from exporter.storage import SavedState


def policy_of(settings: Settings) -> Policy:
    """Return the poll policy of the daemon."""
    return Policy(
        poll_interval=settings.poll_interval,
        discovery_interval=settings.discovery_interval,
        lookback=settings.lookback,
        retention=Retention(settings.retention, settings.retention_failed),
        device_interval=None if settings.device_metrics == "off" else settings.device_interval,
        spending_limit_interval=None if settings.spending_limits == "off" else settings.spending_limit_interval,
        event_poll_interval=settings.event_poll_interval,
    )


class ActiveSettings:
    """The active settings and their AWS sessions.

    Attributes:
        settings: the active settings.

    Args:
        exporter: the components that the settings configure.
        settings: the settings at the start; the first ``apply`` activates them.
        policy: returns the poll policy that the settings describe.
    """

    def __init__(
        self, exporter: Exporter, settings: Settings, policy: Callable[[Settings], Policy] = policy_of
    ) -> None:
        self.settings = settings
        self._exporter, self._policy = exporter, policy
        self._sdk = Sdk()
        self._sessions: Sessions = {}

    def apply(self, settings: Settings, saved: SavedState | None = None) -> Changes:
        """Apply settings, all of them or none. The state of jobs and targets is kept.

        Args:
            settings: the settings.
            saved: the state before a restart.

        Raises:
            SettingsError: no Region is configured for discovery.
        """
        sessions, exporter = dict(self._sessions), self._exporter
        configs = target_configs(settings, sessions, self._sdk)
        plan = self._plan(settings, configs, sessions)
        for session in self._sessions.values():
            session.renew(forced=True)
        changes = exporter.manager.follow(plan, saved)
        exporter.manager.set_limit(settings.max_jobs)
        if exporter.state_writer is not None:
            exporter.state_writer.set_baselines(exporter.manager.baselines)
        exporter.store.flush()
        self.settings, self._sessions = (
            settings,
            {config.credentials: sessions[config.credentials] for config in configs},
        )
        exporter.telemetry.settings_loaded(exporter.clock.wall())
        return changes

    def _plan(self, settings: Settings, configs: Sequence[TargetConfig], sessions: Sessions) -> Plan:
        count = self._exporter.telemetry.request

        def connect(config: TargetConfig) -> BraketClient:
            labels = frozenset((*settings.tag_labels, *settings.aggregate_tag_labels))
            return BraketClient(sessions[config.credentials], config.target, count, labels)

        def connect_queue(config: TargetConfig) -> EventQueueClient:
            url = config.event_queue_url or ""
            return EventQueueClient(sessions[config.credentials], url, config.target.region, count)

        policy, rate = self._policy(settings), settings.api_requests_per_second
        with_events = policy.event_poll_interval is not None
        return self._exporter.manager.plan(
            configs, policy, rate, connect, connect_queue=connect_queue if with_events else None
        )

    def warn(self) -> None:
        """Log warnings about unusual settings and AWS SDK variables."""
        regions = [poller.target.region for poller in self._exporter.manager.targets]
        for warning in (*warnings_of(self.settings, regions), *environment_warnings(self.settings)):
            self._exporter.event_log.config_warning(warning.setting, warning.message)

    @property
    def known_jobs(self) -> int:
        """The number of jobs in the state file that have responded, before the first poll."""
        return len(self._exporter.store) - sum(job.snapshot is None for job in self.configured_jobs)

    @property
    def configured_jobs(self) -> list[JobRecord]:
        """The jobs in ``jobs`` that this process polls."""
        arns = dict.fromkeys(arn for selection in (self.settings, *self.settings.targets) for arn in selection.jobs)
        return [record for arn in arns if (record := self._exporter.store.find(arn)) is not None]
