"""Whether a target as a whole can be polled. Pure.

One job's trouble says nothing about its account and Region; several jobs in a row without an answer in between do.
"""

from dataclasses import dataclass, replace
from typing import Final

from exporter.model import Target

ENOUGH: Final = 3
"""So many different jobs without an answer in a row make the target fail; fewer where fewer are asked for."""


@dataclass(frozen=True, slots=True)
class Health:
    """What the latest answers tell of a target.

    Attributes:
        up: whether the target answers; ``None`` until that is known.
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

    def answered(self, error: str | None = None) -> "Health":
        """Braket answered, if only with an error that says that there is no such job."""
        return replace(self, up=True, last_error=error, streak=frozenset(), pauses=0)

    def succeeded(self, now: float) -> "Health":
        """Braket gave a good answer at ``now``, unix seconds."""
        return replace(self.answered(), last_success=now)

    def failed(self, arn: str, error: str, *, asked_jobs: int, own_fault: bool) -> "Health":
        """The question for a job came back without an answer.

        Args:
            arn: the job.
            error: the error, for people.
            asked_jobs: how many jobs of the target are asked for.
            own_fault: the trouble may be the job's own, so that only all jobs together tell of the target, if
                there are several.
        """
        streak = self.streak | {arn}
        enough = max(2, asked_jobs) if own_fault else min(ENOUGH, max(1, asked_jobs))
        up = False if len(streak) >= enough else (own_fault or self.up)
        return replace(self, up=up, last_error=error, streak=streak)

    def paused(self) -> "Health":
        """The target is left alone for a while."""
        return replace(self, pauses=self.pauses + 1)


@dataclass(frozen=True, slots=True)
class TargetStatus:
    """How one account and Region fares.

    Attributes:
        health: what the latest answers tell.
        active: jobs that are still asked for.
        finished: jobs that are not asked for any more.
        waiting: jobs that were not asked for yet since the start.
        staleness: seconds since the active job that waits longest was answered; ``None`` without one.
        poll_duration: seconds that the last pass over all due jobs took; ``None`` before the first.
        budget: requests a second that the exporter allows itself, by operation.
    """

    target: Target
    health: Health
    active: int
    finished: int
    waiting: int
    staleness: float | None
    poll_duration: float | None
    budget: dict[str, float]
