"""The progress of the first full poll, over all targets. Pure."""

from collections import Counter
from collections.abc import Sequence
from typing import NamedTuple

from exporter.core.errors import GET_JOB
from exporter.core.jobs import Target
from exporter.core.target_status import TargetStatus


class FirstPollProgress(NamedTuple):
    """The progress of all targets together.

    Attributes:
        targets: the number of targets.
        failing: the number of targets that do not respond.
        total: the number of known jobs.
        waiting: the number of known jobs that are not polled yet.
        listed: whether every job that existed at the start is known.
        seconds: the shortest remaining time that the rate limits allow; ``None`` if a target does not respond.
    """

    targets: int
    failing: int
    total: int
    waiting: int
    listed: bool
    seconds: float | None


def first_poll_progress(targets: Sequence[TargetStatus]) -> FirstPollProgress:
    """Return the progress of some targets together."""
    behind = [target for target in targets if target.waiting]
    # Several targets of one account and Region share its rate limit.
    waiting = Counter[Target]()
    for status in behind:
        waiting[status.target] += status.waiting
    rates = {status.target: status.budget.get(GET_JOB, 0.0) for status in behind}
    known = all(rates.values()) and all(target.health.up is not False for target in behind)
    return FirstPollProgress(
        targets=len(targets),
        failing=sum(target.health.up is False for target in targets),
        total=sum(target.active + target.finished for target in targets),
        waiting=sum(target.waiting for target in targets),
        listed=all(target.listed for target in targets),
        seconds=max((jobs / rates[target] for target, jobs in waiting.items()), default=0.0) if known else None,
    )
