"""Warnings about settings and AWS SDK variables that are valid but probably a mistake."""

import os
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping
from typing import Final, NamedTuple

from exporter.app.settings import Selection, Settings
from exporter.core import (
    BRAKET_REGIONS,
    REGIONS_HINT,
    SERVICE_QUOTA,
    format_duration,
    parse_job_arn,
    parse_queue_url,
    suggestion,
)

SHORTEST_INTERVAL: Final = 1.0
"""A shorter ``poll_interval``, in seconds, is valid but unusual."""

ONE_CHARACTER_OFF: Final = 0.85
"""The similarity from which a Region is suggested: real Regions without Braket are less similar to each other."""


class SettingsWarning(NamedTuple):
    """A valid setting that is probably a mistake.

    Attributes:
        setting: the key.
        message: the problem and its effect.
    """

    setting: str
    message: str


def warnings_of(settings: Settings, polled: Iterable[str] = ()) -> tuple[SettingsWarning, ...]:
    """List warnings about the settings.

    Args:
        settings: the settings.
        polled: the polled Regions; a Region that is not in the settings comes from the AWS SDK.
    """
    regions = [*polled]
    return (
        *_unknown_regions(settings, regions),
        *_queues_of_other_regions(settings, regions),
        *_unused_tags(settings),
        *_quota(settings),
    )


def environment_warnings(settings: Settings, environ: Mapping[str, str] = os.environ) -> list[SettingsWarning]:
    """List warnings about variables of the AWS SDK with an unexpected effect."""
    warnings = []
    role, token = environ.get("AWS_ROLE_ARN"), environ.get("AWS_WEB_IDENTITY_TOKEN_FILE")
    if role and not token:
        message = "AWS_WEB_IDENTITY_TOKEN_FILE is not set, so the AWS SDK ignores the role and uses other credentials"
        warnings.append(SettingsWarning("AWS_ROLE_ARN", f"{message}; set both or neither"))
    if token and not role:
        warnings.append(SettingsWarning("AWS_WEB_IDENTITY_TOKEN_FILE", "AWS_ROLE_ARN is not set; set both or neither"))
    if environ.get("AWS_PROFILE") == "":
        message = "the variable is empty, and the AWS SDK looks for a profile without a name; unset it"
        warnings.append(SettingsWarning("AWS_PROFILE", message))
    selections = settings.targets or (settings,)
    if ignores_region(environ) and any(one.discovers and not one.regions for one in selections):
        message = "boto3 does not read it; set regions or AWS_DEFAULT_REGION"
        warnings.append(SettingsWarning("AWS_REGION", message))
    return warnings


def ignores_region(environ: Mapping[str, str]) -> bool:
    """Return whether the Region is only in a variable that boto3 does not read."""
    return bool(environ.get("AWS_REGION")) and not environ.get("AWS_DEFAULT_REGION")


def _unknown_regions(settings: Settings, polled: Iterable[str]) -> Iterator[SettingsWarning]:
    named: dict[str, str] = {}
    for prefix, selection in _selections(settings):
        named |= {region: f"{prefix}regions" for region in selection.regions if region not in named}
        named |= {region: f"{prefix}jobs" for region in map(_region_of, selection.jobs) if region not in named}
    for region, key in named.items():
        if region not in BRAKET_REGIONS:
            yield SettingsWarning(key, f"Region {region} {unknown_region(region)}")
    for region in dict.fromkeys(polled):
        if region not in BRAKET_REGIONS and region not in named:
            yield SettingsWarning("regions", f"the AWS SDK's Region {region} {unknown_region(region)}")


def unknown_region(region: str) -> str:
    """Return the rest of a sentence about a Region that is not in the list, with a suggestion."""
    near = suggestion(region, BRAKET_REGIONS, ONE_CHARACTER_OFF)
    return f"is not known to this release{near}; {REGIONS_HINT}"


def _queues_of_other_regions(settings: Settings, polled: Iterable[str]) -> Iterator[SettingsWarning]:
    others: dict[tuple[str, str], list[str]] = {}
    for prefix, selection in _selections(settings):
        own = getattr(selection, "event_queue_url", None)
        url = own or settings.event_queue_url
        queue = "" if url is None else parse_queue_url(url).region
        regions = (*selection.regions, *map(_region_of, selection.jobs)) or (() if settings.targets else polled)
        key = f"{prefix if own else ''}event_queue_url"
        others.setdefault((key, queue), []).extend(region for region in regions if queue not in {"", region})
    for (key, queue), regions in others.items():
        if regions:
            message = (
                f"a rule sends to queues of its own Region only; events from {', '.join(dict.fromkeys(regions))} reach "
                f"the queue in {queue} only through an event bus there. Without one, RUNNING jobs are polled every "
                "event_poll_interval, and no event reports their changes; set a queue of the Region in targets"
            )
            yield SettingsWarning(key, message)


def _unused_tags(settings: Settings) -> Iterator[SettingsWarning]:
    effect = "tags have no effect, because all_jobs watches every job; remove all_jobs to select by tag"
    for prefix, selection in _selections(settings):
        if selection.tags and selection.all_jobs:
            yield SettingsWarning(f"{prefix}tags", effect)


def _selections(settings: Settings) -> Iterator[tuple[str, Selection]]:
    """Yield each selection with the path of its keys."""
    if not settings.targets:
        yield "", settings
    for place, target in enumerate(settings.targets):
        yield f"targets[{place}].", target


def _quota(settings: Settings) -> Iterator[SettingsWarning]:
    rate, interval = settings.api_requests_per_second, settings.poll_interval
    if rate > SERVICE_QUOTA:
        message = (
            f"{_rate(rate)} calls per second are more than Braket's default quota of {_rate(SERVICE_QUOTA)}, "
            "which all users of the account share"
        )
        yield SettingsWarning("api_requests_per_second", message)
    named = (parse_job_arn(arn) for selection in (settings, *settings.targets) for arn in selection.jobs)
    jobs = Counter(f" in {job.account}/{job.region}" for job in named) or {"": 1}
    beyond = {place: count for place, count in jobs.items() if count / interval > rate}
    for place, count in beyond.items():
        active = f"{count} active job{'s' * (count != 1)}{place}"
        message = (
            f"{active} would take {_rate(count / interval)} GetJob calls per second; "
            f"with api_requests_per_second {_rate(rate)} each is polled every {_rate(count / rate)}s"
        )
        yield SettingsWarning("poll_interval", message)
    if interval < SHORTEST_INTERVAL and not beyond:
        message = (
            f"{format_duration(interval)} is shorter than {format_duration(SHORTEST_INTERVAL)}; "
            f"each active job takes {_rate(1 / interval)} GetJob calls per second"
        )
        yield SettingsWarning("poll_interval", message)


def _rate(number: float) -> str:
    return f"{number:.0f}" if number >= 100 else f"{number:.3g}"


def _region_of(arn: str) -> str:
    return parse_job_arn(arn).region
