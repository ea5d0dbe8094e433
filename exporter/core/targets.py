"""Targets: accounts and Regions to poll, with their credentials and jobs. Pure."""

from collections import defaultdict
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from hashlib import sha256
from itertools import product
from typing import NamedTuple

from exporter.core.arn import account_of, parse_job_arn
from exporter.core.jobs import Target
from exporter.core.queue_url import parse_queue_url
from exporter.core.selector import Selector
from exporter.core.shard import owner


class CredentialsRef(NamedTuple):
    """Reference to credentials.

    Attributes:
        profile: the profile in the AWS configuration files; ``None`` for the SDK's default chain.
        role_arn: the role to assume with them.
        external_id: the external ID that the role's trust policy may require.
    """

    profile: str | None = None
    role_arn: str | None = None
    external_id: str | None = None


class TargetSpec(NamedTuple):
    """The jobs to watch with the same credentials, in any number of Regions.

    Attributes:
        credentials: the credentials.
        jobs: ARNs of configured jobs.
        selector: the selection of discovered jobs; ``None`` without discovery.
        regions: the Regions of the discovery.
        name: the target's name in the settings; empty without one.
        event_queue_url: the queue of the events about the jobs; ``None`` without one.
    """

    credentials: CredentialsRef
    jobs: Sequence[str] = ()
    selector: Selector | None = None
    regions: Sequence[str] = ()
    name: str = ""
    event_queue_url: str | None = None


@dataclass(frozen=True, slots=True)
class TargetConfig:
    """The jobs to watch in one account and Region with the same credentials; the account may be unknown yet.

    Neither the shard nor the key depends on the name, which is a label only, or on the event queue.
    """

    credentials: CredentialsRef
    target: Target
    jobs: tuple[str, ...]
    selector: Selector | None
    name: str = ""
    event_queue_url: str | None = None

    @property
    def shard_key(self) -> str:
        """Identifies the quota of the target as far as the settings determine it, equally in each process."""
        return f"{self.target.account or self.credentials.profile or ''}/{self.target.region}"

    @property
    def key(self) -> str:
        """Identifies the target across restarts: it depends on Region, credentials and selector.

        The account follows from the credentials. It is not part of the key: settings may or may not contain it.
        """
        selector = self.selector or Selector()
        tags = sorted((rule.key, sorted(rule.values or ("*",))) for rule in selector.tags)
        name = "" if selector.name is None else selector.name.pattern
        text = repr((tuple(self.credentials), self.target.region, tags, selector.all_jobs, name))
        return sha256(text.encode()).hexdigest()[:16]


def plan_targets(entries: Iterable[TargetSpec], *, shard: int = 0, total_shards: int = 1) -> list[TargetConfig]:
    """List the targets of this shard."""
    configs = (config for entry in entries for config in _targets(entry))
    return [config for config in configs if owner(config.shard_key, total_shards) == shard]


def queues_of_several_shards(entries: Iterable[TargetSpec], total_shards: int) -> list[str]:
    """List the event queues with targets in different shards."""
    shards: defaultdict[str, set[int]] = defaultdict(set)
    for config in (config for entry in entries for config in _targets(entry)):
        if config.event_queue_url is not None:
            shards[config.event_queue_url].add(owner(config.shard_key, total_shards))
    return [url for url, owners in shards.items() if len(owners) > 1]


def receiver_of(configs: Sequence[TargetConfig]) -> TargetConfig:
    """Return the target with the credentials that call the event queue of all these targets.

    It is a target in the account of the queue, if there is one, otherwise the first.
    """
    account = parse_queue_url(configs[0].event_queue_url or "").account
    return next((config for config in configs if config.target.account == account), configs[0])


def predecessors(before: Sequence[TargetConfig], after: Sequence[TargetConfig]) -> list[int | None]:
    """Return for each target the index of its predecessor: the most similar first, each predecessor once.

    The account of a target may be known although the settings do not contain it, and vice versa.
    """
    found: list[int | None] = [None] * len(after)
    free = dict(enumerate(before))
    for alike, renamed in product((_same, _same_target, _same_region), (False, True)):
        for place, config in enumerate(after):
            fitting = (number for number, other in free.items() if alike(other, config))
            number = next((number for number in fitting if renamed or before[number].name == config.name), None)
            if found[place] is None and number is not None:
                found[place] = number
                del free[number]
    return found


def _same(one: TargetConfig, other: TargetConfig) -> bool:
    return _same_region(one, other) and (one.jobs, one.selector) == (other.jobs, other.selector)


def _same_target(one: TargetConfig, other: TargetConfig) -> bool:
    return (one.credentials, one.target) == (other.credentials, other.target)


def _same_region(one: TargetConfig, other: TargetConfig) -> bool:
    accounts = {one.target.account, other.target.account}
    return (one.credentials, one.target.region) == (other.credentials, other.target.region) and (
        len(accounts) == 1 or "" in accounts
    )


def _targets(entry: TargetSpec) -> Iterator[TargetConfig]:
    configured: defaultdict[Target, list[str]] = defaultdict(list)
    for arn in entry.jobs:
        parts = parse_job_arn(arn)
        configured[Target(parts.account, parts.region)].append(arn)
    account = _account(entry, configured)
    searched = [] if entry.selector is None else [Target(account, region) for region in entry.regions]
    for target in dict.fromkeys((*configured, *searched)):
        selector = entry.selector if target in searched else None
        jobs = tuple(configured.get(target, ()))
        yield TargetConfig(entry.credentials, target, jobs, selector, entry.name, entry.event_queue_url)


def _account(entry: TargetSpec, configured: Iterable[Target]) -> str:
    """Return the account of the credentials: that of the role, or that of the configured jobs, which are private."""
    if entry.credentials.role_arn is not None:
        return account_of(entry.credentials.role_arn)
    accounts = {target.account for target in configured}
    return accounts.pop() if len(accounts) == 1 else ""
