"""Derives the polled targets and their AWS sessions from the settings."""

import os
import re

from exporter.app.setting_warnings import ignores_region
from exporter.app.settings import Selection, Settings, SettingsError, TargetSettings
from exporter.aws import CredentialsSession, configuration_problem
from exporter.core import (
    CredentialsRef,
    Selector,
    TargetConfig,
    TargetSpec,
    check_region,
    parse_job_arn,
    parse_tag_rule,
    plan_targets,
)

Sessions = dict[CredentialsRef, CredentialsSession]
"""The session of each credentials reference."""


def target_configs(settings: Settings, sessions: Sessions) -> list[TargetConfig]:
    """List the targets that this process polls, and add missing sessions.

    Raises:
        SettingsError: no Region is configured for discovery.
    """
    if settings.targets:
        entries = [_entry(target, sessions, f"targets[{number}].") for number, target in enumerate(settings.targets)]
    else:
        entries = [_entry(settings, sessions)]
    return plan_targets(entries, shard=settings.shard, total_shards=settings.total_shards)


def _entry(selection: Selection, sessions: Sessions, path: str = "") -> TargetSpec:
    login, target_name = CredentialsRef(), ""
    if isinstance(selection, TargetSettings):
        login, target_name = (
            CredentialsRef(selection.profile, selection.role_arn, selection.external_id),
            selection.name or "",
        )
    if login not in sessions:
        regions = (*selection.regions, *(parse_job_arn(arn).region for arn in selection.jobs))
        sessions[login] = CredentialsSession(login, next(iter(regions), None))
    if not selection.discovers:
        return TargetSpec(login, selection.jobs, name=target_name)
    name = None if selection.job_name_regex is None else re.compile(selection.job_name_regex)
    selector = Selector(tuple(map(parse_tag_rule, selection.tags)), selection.all_jobs, name)
    regions = selection.regions or (_sdk_region(sessions[login], f"{path}regions"),)
    return TargetSpec(login, selection.jobs, selector, regions, target_name)


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
