"""The polling plan: which targets stay, and which targets are new."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace

from exporter.core import TargetConfig, predecessors
from exporter.polling.client import JobClient
from exporter.polling.policy import Policy
from exporter.polling.polled_target import PolledTarget


@dataclass(frozen=True, slots=True)
class Plan:
    """The targets to poll. To follow a plan cannot fail.

    Attributes:
        kept: the targets that stay, each with its new configuration.
        new: the other targets, each with its client.
        policy: the polling policy.
        rate: the rate limit for each account, Region and operation, requests a second.
    """

    kept: Sequence[tuple[TargetConfig, PolledTarget]]
    new: Sequence[tuple[TargetConfig, JobClient]]
    policy: Policy
    rate: float


@dataclass(frozen=True, slots=True)
class Changes:
    """The numbers of targets that a plan changed."""

    added: int
    removed: int
    changed: int


def plan_polling(
    targets: Sequence[PolledTarget],
    configs: Sequence[TargetConfig],
    policy: Policy,
    rate: float,
    connect: Callable[[TargetConfig], JobClient],
) -> Plan:
    """Match the configurations with the polled targets, and connect the new targets.

    Args:
        targets: the polled targets.
        configs: the targets to poll.
        policy: the polling policy.
        rate: the rate limit for each account, Region and operation, requests a second.
        connect: returns the client of a new target.
    """
    known = [replace(target.config, target=target.target) for target in targets]
    kept: list[tuple[TargetConfig, PolledTarget]] = []
    new: list[tuple[TargetConfig, JobClient]] = []
    for config, number in zip(configs, predecessors(known, configs), strict=True):
        if number is None:
            new.append((config, connect(config)))
        else:
            kept.append((config, targets[number]))
    return Plan(kept, new, policy, rate)
