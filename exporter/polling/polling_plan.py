"""The polling plan: which targets stay, and which targets are new."""

from collections.abc import Callable, Sequence
from dataclasses import replace
from typing import NamedTuple

from exporter.core import TargetConfig, predecessors
from exporter.polling.client import EventQueueClient, JobClient
from exporter.polling.policy import Policy
from exporter.polling.polled_target import PolledTarget

ConnectQueue = Callable[[TargetConfig], EventQueueClient]


class Plan(NamedTuple):
    """The targets to poll. To follow a plan cannot fail.

    Attributes:
        kept: the targets that stay, each with its new configuration.
        new: the other targets, each with its client.
        policy: the polling policy.
        rate: the rate limit for each account, Region and operation, requests a second.
        connect_queue: returns the client of a target's event queue; ``None`` for no events.
    """

    kept: Sequence[tuple[TargetConfig, PolledTarget]]
    new: Sequence[tuple[TargetConfig, JobClient]]
    policy: Policy
    rate: float
    connect_queue: ConnectQueue | None = None


class Changes(NamedTuple):
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
    *,
    connect_queue: ConnectQueue | None = None,
) -> Plan:
    """Match the configurations with the polled targets, and connect the new targets.

    Args:
        targets: the polled targets.
        configs: the targets to poll.
        policy: the polling policy.
        rate: the rate limit for each account, Region and operation, requests a second.
        connect: returns the client of a new target.
        connect_queue: returns the client of a target's event queue; ``None`` for no events.
    """
    known = [replace(target.config, target=target.target) for target in targets]
    kept: list[tuple[TargetConfig, PolledTarget]] = []
    new: list[tuple[TargetConfig, JobClient]] = []
    for config, number in zip(configs, predecessors(known, configs), strict=True):
        if number is None:
            new.append((config, connect(config)))
        else:
            kept.append((config, targets[number]))
    return Plan(kept, new, policy, rate, connect_queue)
