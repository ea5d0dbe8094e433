"""Reloads the settings while the exporter runs."""

import threading
from collections.abc import Callable, Sequence
from typing import Final

from exporter.app.active_settings import ActiveSettings
from exporter.app.build import Exporter
from exporter.app.command_errors import StartError
from exporter.app.file_watch import FileWatch
from exporter.app.settings import Settings, SettingsError, count_jobs
from exporter.app.web_config_file import web_config_errors
from exporter.polling import Changes
from exporter.web import Reloaded
from exporter.web.http import FileAccessPolicy

RELOADED: Final = frozenset(
    {"jobs", "tags", "all_jobs", "job_name_regex", "regions", "targets", "shard", "total_shards"}
    | {"poll_interval", "discovery_interval", "lookback", "retention", "retention_failed"}
    | {"device_metrics", "device_interval", "spending_limits", "spending_limit_interval"}
    | {"event_queue_url", "event_poll_interval"}
    | {"max_jobs", "disabled_metrics", "api_requests_per_second"}
)
"""The settings that can change while the exporter runs."""


class Reloader:
    """Reloads the settings, one reload at a time.

    Args:
        exporter: logs and counts the reloads.
        active: the active settings.
        read: reads the settings.
        file: the settings file.
        access_policy: reads the web configuration file, if configured; a reload reads it again.
    """

    def __init__(
        self,
        exporter: Exporter,
        active: ActiveSettings,
        read: Callable[[], Settings],
        file: FileWatch,
        access_policy: FileAccessPolicy | None,
    ) -> None:
        self._exporter, self._active, self._read, self._file, self._access_policy = (
            exporter,
            active,
            read,
            file,
            access_policy,
        )
        self._reloading = threading.Lock()

    def reload(self) -> Reloaded:
        """Reload the settings. Invalid settings change nothing; a bug ends the exporter."""
        with self._reloading:
            self._file.about_to_read()
            try:
                return self._reload()
            except (SettingsError, StartError) as error:
                return self._failed(error.problems if isinstance(error, SettingsError) else (str(error),))
            except BaseException as bug:
                self._exporter.manager.fail(bug)
                raise

    def reload_if_changed(self) -> None:
        """Reload the settings if their file changed."""
        if self._file.changed():
            self.reload()

    def _reload(self) -> Reloaded:
        given, current = self._read(), self._active.settings
        with web_config_errors(current.web_config_file):
            web_config = None if self._access_policy is None else self._access_policy.read()
        kept = {key: getattr(current, key) for key in Settings.model_fields if key not in RELOADED}
        later = [key for key, value in kept.items() if getattr(given, key) != value]
        changes = self._active.apply(given.model_copy(update=kept))
        if self._access_policy is not None and web_config is not None:
            self._access_policy.activate(web_config)
        self._succeeded(changes, later)
        return Reloaded(restart_needed=later)

    def _succeeded(self, changes: Changes, restart_needed: Sequence[str]) -> None:
        self._exporter.event_log.config_reloaded(
            self._file.path,
            configured_jobs=count_jobs(self._active.settings),
            targets=len(self._exporter.manager.targets),
            added=changes.added,
            removed=changes.removed,
            changed=changes.changed,
            restart_needed=restart_needed,
        )
        self._active.warn()

    def _failed(self, problems: Sequence[str]) -> Reloaded:
        self._exporter.telemetry.reload_failed()
        self._exporter.event_log.config_reload_failed(self._file.path, "; ".join(problems))
        return Reloaded(problems)
