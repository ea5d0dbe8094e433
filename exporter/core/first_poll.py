"""How far the first look at every job has come, over all targets. Pure."""

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass

from exporter.core.errors import GET_JOB
from exporter.core.jobs import Target
from exporter.core.target_status import TargetStatus
from exporter.core.text import format_span


@dataclass(frozen=True, slots=True)
class Fill:
    """How far the targets together have come.

    Attributes:
        targets: how many there are.
        failing: how many of them do not answer.
        total: jobs that are known.
        waiting: those of them that were not asked for yet.
        listed: whether all jobs that there were at the start are known.
        seconds: how long the budgets need at the least; ``None`` where a target that does not answer holds it up.
        rate: the calls a second of the target that needs longest; 0 where nothing waits.
    """

    targets: int
    failing: int
    total: int
    waiting: int
    listed: bool
    seconds: float | None
    rate: float


def fill_of(targets: Sequence[TargetStatus]) -> Fill:
    """Sum up the targets."""
    behind = [target for target in targets if target.waiting]
    # Several targets of one account and Region share its rate limit.
    waiting = Counter[Target]()
    for status in behind:
        waiting[status.target] += status.waiting
    rates = {status.target: status.budget.get(GET_JOB, 0.0) for status in behind}
    known = all(rates.values()) and all(target.health.up is not False for target in behind)
    needs = [(jobs / rates[target], rates[target]) for target, jobs in waiting.items()] if known else []
    longest, rate = max(needs, default=(0.0, 0.0))
    return Fill(
        targets=len(targets),
        failing=sum(target.health.up is False for target in targets),
        total=sum(target.active + target.finished for target in targets),
        waiting=sum(target.waiting for target in targets),
        listed=all(target.listed for target in targets),
        seconds=longest if known else None,
        rate=rate,
    )


def fill_line(fill: Fill) -> str:
    """Tell it in one line for a terminal."""
    jobs = f"{max(0, fill.total - fill.waiting):,} of {fill.total:,}"
    asked = f"{jobs} jobs asked for" if fill.listed else f"looking for jobs, {jobs} found asked for"
    targets = f"{fill.targets:,} target{'s' * (fill.targets != 1)}"
    failing = f" ({fill.failing:,} failing)" if fill.failing else ""
    left = ""
    if fill.listed and fill.waiting and fill.seconds is not None:
        left = f", about {format_span(fill.seconds)} left at {fill.rate:.3g} calls a second"
    return f"first poll: {asked}, {targets}{failing}{left}"
