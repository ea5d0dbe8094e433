"""Health of targets. Pure.

A failure of one job does not mean that its account and Region fail; failures of several jobs in a row do.
"""

from collections import defaultdict
from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import Final, NamedTuple

from exporter.core.jobs import Target

SERVICE_QUOTA: Final = 5.0
"""The default quota of GetJob and of SearchJobs calls per second, for all clients in an account and Region."""

ENOUGH: Final = 3
"""Different jobs in a row without a response that make the target fail; fewer if fewer are polled."""


class Health(NamedTuple):
    """Health of a target by its latest responses.

    Attributes:
        up: whether the target responds; ``None`` until that is known.
        last_success: the time of the last successful response, unix seconds.
        last_error: the last error since then, as text.
        streak: jobs that failed since the last response.
        pauses: the number of backoffs in a row because the target failed.
    """

    up: bool | None = None
    last_success: float | None = None
    last_error: str | None = None
    streak: frozenset[str] = frozenset()
    pauses: int = 0

    def after_response(self, error: str | None = None) -> "Health":
        """Return the health after a response, which may be an error such as a job that does not exist."""
        return self._replace(up=True, last_error=error, streak=frozenset(), pauses=0)

    def after_success(self, now: float) -> "Health":
        """Return the health after a successful response at ``now``, unix seconds."""
        return self.after_response()._replace(last_success=now)

    def after_failure(self, arn: str, error: str, *, polled_jobs: int, job_error: bool) -> "Health":
        """Return the health after a call for a job without a response.

        Args:
            arn: the job.
            error: the error, as text.
            polled_jobs: the number of polled jobs of the target.
            job_error: whether the cause may be the job itself: then the target fails only if all of several jobs do.
        """
        streak = self.streak | {arn}
        enough = max(2, polled_jobs) if job_error else min(ENOUGH, max(1, polled_jobs))
        up = False if len(streak) >= enough else (job_error or self.up)
        return self._replace(up=up, last_error=error, streak=streak)

    def after_target_failure(self, error: str) -> "Health":
        """Return the health after a failure that no single job causes; several in a row make the target fail."""
        return self.after_failure(f"#{len(self.streak)}", error, polled_jobs=ENOUGH, job_error=False)

    def settled(self) -> "Health":
        """Return the exposed health: a target without a successful response is down from the first failure on."""
        return self._replace(up=False) if self.up is None and self.last_error is not None else self

    def after_pause(self) -> "Health":
        """Return the health after the start of a backoff."""
        return self._replace(pauses=self.pauses + 1)


def combined_health(healths: Iterable[Health]) -> Health:
    """Combine the health of several operations of a target: it is up if none of them fails."""
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
        health: its health.
        active: the number of jobs that are polled.
        finished: the number of jobs that are no longer polled.
        waiting: the number of jobs that are not polled yet since the start.
        staleness: the data age of the active job that was polled longest ago, seconds; ``None`` without one.
        poll_duration: the duration of the last pass over all due jobs, seconds; ``None`` before the first.
        budget: the rate limit in requests per second, by operation.
        used: requests of the last minute, by operation.
        listed: whether all jobs that existed at the start are known.
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
    """Combine the statuses with the same account, Region and name."""
    groups: defaultdict[tuple[Target, str], list[TargetStatus]] = defaultdict(list)
    for status in statuses:
        groups[status.target, status.name].append(status)
    return [parts[0] if len(parts) == 1 else _joined(parts) for parts in groups.values()]


def _joined(parts: list[TargetStatus]) -> TargetStatus:
    # The rate limit is shared, so the parts agree on each operation.
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
