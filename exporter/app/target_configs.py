"""Derives the polled targets and their AWS sessions from the settings."""

import os
import re

from exporter.app.setting_warnings import ignores_region
from exporter.app.settings import Settings, SettingsError, TargetSettings
from exporter.aws import CredentialsSession, Sdk, configuration_problem
from exporter.core import (
    CredentialsRef,
    Selector,
    TargetConfig,
    TargetSpec,
    check_region,
    parse_job_arn,
    parse_queue_url,
    parse_tag_rule,
    plan_targets,
    queues_of_several_shards,
)

Sessions = dict[CredentialsRef, CredentialsSession]
"""The session of each credentials reference."""


def target_configs(settings: Settings, sessions: Sessions, sdk: Sdk) -> list[TargetConfig]:
    """List the targets that this process polls, and add missing sessions.

    Args:
        settings: the settings.
        sessions: the sessions.
        sdk: the parts that all sessions share.

    Raises:
        SettingsError: no Region is configured for discovery, or several shards would receive from one event queue.
    """
    if settings.targets:
        named = enumerate(settings.targets)
        entries = [_entry(target, sessions, sdk, f"targets[{number}].") for number, target in named]
    else:
        entries = [_entry(settings, sessions, sdk)]
    entries = [entry._replace(event_queue_url=entry.event_queue_url or settings.event_queue_url) for entry in entries]
    if shared := queues_of_several_shards(entries, settings.total_shards):
        raise SettingsError([_shared_queue_problem(url) for url in shared])
    return plan_targets(entries, shard=settings.shard, total_shards=settings.total_shards)


def _shared_queue_problem(url: str) -> str:
    return (
        f"event_queue_url: the targets of queue {parse_queue_url(url).label} are in different shards, and each shard "
        "would delete the events of the others; set a different event_queue_url for each account and Region in targets"
    )


def _entry(selection: Settings | TargetSettings, sessions: Sessions, sdk: Sdk, path: str = "") -> TargetSpec:
    login, target_name = CredentialsRef(), ""
    if isinstance(selection, TargetSettings):
        login, target_name = (
            CredentialsRef(selection.profile, selection.role_arn, selection.external_id),
            selection.name or "",
        )
    if login not in sessions:
        regions = (*selection.regions, *(parse_job_arn(arn).region for arn in selection.jobs))
        sessions[login] = CredentialsSession(login, next(iter(regions), None), sdk)
    if not selection.discovers:
        return TargetSpec(login, selection.jobs, name=target_name, event_queue_url=selection.event_queue_url)
    name = None if selection.job_name_regex is None else re.compile(selection.job_name_regex)
    selector = Selector(tuple(map(parse_tag_rule, selection.tags)), selection.all_jobs, name)
    regions = selection.regions or (_sdk_region(sessions[login], f"{path}regions"),)
    return TargetSpec(login, selection.jobs, selector, regions, target_name, selection.event_queue_url)


def _sdk_region(session: CredentialsSession, key: str) -> str:
    """Return the Region of the SDK's configuration."""
    profile = session.credentials.profile
    configuration = "the AWS configuration" if profile is None else f"the AWS configuration of profile {profile}"
    try:
        region = session.region_name()
    except Exception as error:  # noqa: BLE001 -- the SDK raises any exception for files that it cannot read
        problem = configuration_problem(error, profile)
        raise SettingsError([f"{key}: not set, and {configuration} cannot be read: {problem}; set regions"]) from None
    if not region:
        hint = " (boto3 does not read AWS_REGION)" if ignores_region(os.environ) else ""
        raise SettingsError(
            [f"{key}: not set, and the AWS SDK does not have a Region either; set regions or AWS_DEFAULT_REGION{hint}"]
        )
    try:
        check_region(region)
    except ValueError as error:
        raise SettingsError(
            [f"{key}: not set, and the Region of the AWS SDK, {region}, {error}; set regions"]
        ) from error
    return region
