"""The polling plan: which pollers go on, and which targets need a new one."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace

from exporter.core import TargetConfig, successors
from exporter.polling.client import JobSource
from exporter.polling.policy import Policy
from exporter.polling.poller import TargetPoller


@dataclass(frozen=True, slots=True, eq=False)
class PolledTarget:
    """A lane and its poller."""

    lane: TargetConfig
    poller: TargetPoller


@dataclass(frozen=True, slots=True)
class Plan:
    """What is to be polled. Whatever can fail about it is done.

    Attributes:
        kept: lanes with the pollers that go on with them.
        new: the other lanes, with what their pollers are to ask.
        policy: intervals.
        rate: requests a second for each account, Region and operation.
    """

    kept: Sequence[PolledTarget]
    new: Sequence[tuple[TargetConfig, JobSource]]
    policy: Policy
    rate: float


@dataclass(frozen=True, slots=True)
class Changes:
    """How many lanes a plan changed."""

    added: int
    removed: int
    changed: int


def plan_polling(
    members: Sequence[PolledTarget],
    lanes: Sequence[TargetConfig],
    policy: Policy,
    rate: float,
    connect: Callable[[TargetConfig], JobSource],
) -> Plan:
    """Match the lanes with the pollers that there are, and connect the others.

    Args:
        members: the lanes so far, with their pollers.
        lanes: what to poll.
        policy: intervals.
        rate: requests a second for each account, Region and operation.
        connect: makes the client of a new lane's poller.
    """
    known = [replace(member.lane, target=member.poller.target) for member in members]
    kept: list[PolledTarget] = []
    new: list[tuple[TargetConfig, JobSource]] = []
    for lane, number in zip(lanes, successors(known, lanes), strict=True):
        if number is None:
            new.append((lane, connect(lane)))
        else:
            kept.append(PolledTarget(lane, members[number].poller))
    return Plan(kept, new, policy, rate)
