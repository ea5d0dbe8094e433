"""Phases of a job that ended: the time from its creation to its end, divided by its events. Pure."""

from collections import defaultdict
from collections.abc import Iterable, Mapping
from itertools import pairwise
from typing import Final

from exporter.core.jobs import EventKey, JobSnapshot

PHASES: Final = ("queued", "starting", "downloading", "running", "uploading", "deprioritized")
"""Every phase, in the order of a usual job; ``deprioritized`` interrupts the others."""

_BEGINS: Final[Mapping[str, str]] = {
    "WAITING_FOR_PRIORITY": "queued",
    "QUEUED_FOR_EXECUTION": "queued",
    "STARTING_INSTANCE": "starting",
    "DOWNLOADING_DATA": "downloading",
    "RUNNING": "running",
    "UPLOADING_RESULTS": "uploading",
    "DEPRIORITIZED_DUE_TO_INACTIVITY": "deprioritized",
}
"""The phase that an event begins. Any other event, such as COMPLETED or an unknown one, begins none."""

_Step = tuple[float, int]
"""The time at which a phase begins, and its place in ``PHASES``: phases that begin together are in the usual order."""


def phase_seconds(job: JobSnapshot, events: Iterable[EventKey]) -> dict[str, float]:
    """Return the seconds in each phase that the job had; they add up to the time from its creation to its end.

    Neither the order of the events nor a repeated event matters. A job is queued until its first event, and starts at
    ``startedAt`` if there is no DOWNLOADING_DATA event. A job without a creation or an end has no phases.
    """
    if job.created is None or job.ended is None or job.ended < job.created:
        return {}
    begin, end = job.created, job.ended
    steps = sorted((min(max(time, begin), end), place) for time, place in _steps(job, events))
    phases = [("queued", begin), *((PHASES[place], time) for time, place in steps), ("", end)]
    seconds: defaultdict[str, float] = defaultdict(float)
    for (phase, since), (_, until) in pairwise(phases):
        seconds[phase] += until - since
    return dict(seconds)


def _steps(job: JobSnapshot, events: Iterable[EventKey]) -> Iterable[_Step]:
    begun = {(time, _BEGINS.get(kind or "", "")) for kind, time in events if time is not None}
    phases = {phase for _, phase in begun}
    if job.started is not None and "downloading" not in phases:
        begun.add((job.started, "downloading" if "running" in phases else "running"))
    return ((time, PHASES.index(phase)) for time, phase in begun if phase)
