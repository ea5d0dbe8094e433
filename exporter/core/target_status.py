"""Whether a target as a whole can be polled. Pure.

One job's trouble says nothing about its account and Region; several jobs in a row without an answer in between do.
"""

from collections import defaultdict
from collections.abc import Iterable
from dataclasses import dataclass, field, replace
from typing import Final

from exporter.core.jobs import Target

ENOUGH: Final = 3
"""So many different jobs without an answer in a row make the target fail; fewer where fewer are asked for."""


@dataclass(frozen=True, slots=True)
class Health:
    """What the latest answers tell of a target.

    Attributes:
        up: whether the target responds; ``None`` until that is known.
        last_success: when it last gave a good answer, unix seconds.
        last_error: the error that came last, until the next good answer; for people.
        streak: jobs that failed since the last answer.
        pauses: how often in a row the target was left alone because it failed.
    """

    up: bool | None = None
    last_success: float | None = None
    last_error: str | None = None
    streak: frozenset[str] = frozenset()
    pauses: int = 0

    def after_response(self, error: str | None = None) -> "Health":
        """Braket answered, if only with an error that says that there is no such job."""
        return replace(self, up=True, last_error=error, streak=frozenset(), pauses=0)

    def after_success(self, now: float) -> "Health":
        """Braket gave a good answer at ``now``, unix seconds."""
        return replace(self.after_response(), last_success=now)

    def after_failure(self, arn: str, error: str, *, polled_jobs: int, job_error: bool) -> "Health":
        """The question for a job came back without an answer.

        Args:
            arn: the job.
            error: the error, for people.
            polled_jobs: how many jobs of the target are asked for.
            job_error: the trouble may be the job's own, so that only all jobs together tell of the target, if
                there are several.
        """
        streak = self.streak | {arn}
        enough = max(2, polled_jobs) if job_error else min(ENOUGH, max(1, polled_jobs))
        up = False if len(streak) >= enough else (job_error or self.up)
        return replace(self, up=up, last_error=error, streak=streak)

    def after_target_failure(self, error: str) -> "Health":
        """A call that no single job is to blame for failed; several in a row make the target fail."""
        return self.after_failure(f"#{len(self.streak)}", error, polled_jobs=ENOUGH, job_error=False)

    def settled(self) -> "Health":
        """Count a target as down whose attempts have all failed so far: from the first attempt on it is up or down."""
        return replace(self, up=False) if self.up is None and self.last_error is not None else self

    def after_pause(self) -> "Health":
        """The target is left alone for a while."""
        return replace(self, pauses=self.pauses + 1)


def combined_health(healths: Iterable[Health]) -> Health:
    """Tell how a target fares of which several things are asked: it is up when none of them fails."""
    parts = [*healths]
    ups = {part.up for part in parts}
    return Health(
        up=False if False in ups else (True if True in ups else None),
        last_success=max((part.last_success for part in parts if part.last_success is not None), default=None),
        last_error=next((part.last_error for part in parts if part.last_error is not None), None),
    )


@dataclass(frozen=True, slots=True)
class TargetStatus:
    """State of one target: an account and Region, and the name that the settings give it.

    Attributes:
        target: the account and Region.
        health: what the latest answers tell.
        active: jobs that are still asked for.
        finished: jobs that are not asked for any more.
        waiting: jobs that were not asked for yet since the start.
        staleness: seconds since the active job that waits longest was answered; ``None`` without one.
        poll_duration: seconds that the last pass over all due jobs took; ``None`` before the first.
        budget: requests a second that the exporter allows itself, by operation.
        used: requests of the last minute, by operation.
        listed: whether all jobs that there were at the start are known.
        name: the target's name in the settings; empty without one.
    """

    target: Target
    health: Health
    active: int
    finished: int
    waiting: int
    staleness: float | None
    poll_duration: float | None
    budget: dict[str, float]
    used: dict[str, int] = field(default_factory=dict)
    listed: bool = True
    name: str = ""


def merged_statuses(statuses: Iterable[TargetStatus]) -> list[TargetStatus]:
    """Join the statuses that have an account, a Region and a name in common."""
    groups: defaultdict[tuple[Target, str], list[TargetStatus]] = defaultdict(list)
    for status in statuses:
        groups[status.target, status.name].append(status)
    return [parts[0] if len(parts) == 1 else _joined(parts) for parts in groups.values()]


def _joined(parts: list[TargetStatus]) -> TargetStatus:
    # The budget is shared, so each part tells the same of an operation.
    budget: dict[str, float] = {}
    used: dict[str, int] = {}
    for part in parts:
        budget |= part.budget
        used |= part.used
    return TargetStatus(
        target=parts[0].target,
        health=combined_health(part.health for part in parts),
        active=sum(part.active for part in parts),
        finished=sum(part.finished for part in parts),
        waiting=sum(part.waiting for part in parts),
        staleness=max((part.staleness for part in parts if part.staleness is not None), default=None),
        poll_duration=max((part.poll_duration for part in parts if part.poll_duration is not None), default=None),
        budget=budget,
        used=used,
        listed=all(part.listed for part in parts),
        name=parts[0].name,
    )
