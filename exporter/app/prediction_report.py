"""The report of a prediction: calls to AWS, data age and series, one quantity in each line. Pure."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

from exporter.app.command_help import ONLINE
from exporter.app.cost_estimate import EventCosts, Prediction
from exporter.core import format_duration


@dataclass(frozen=True, slots=True)
class ActiveJobs:
    """The active jobs for which costs are predicted.

    Attributes:
        configured: the number of configured jobs of each target; they are taken as active.
        discovers: whether each target discovers jobs.
        found: the number of discovered active jobs of each target, ``None`` where SearchJobs failed; empty without
            calls to AWS.
    """

    configured: Sequence[int]
    discovers: Sequence[bool]
    found: Sequence[int | None] = ()

    @property
    def numbers(self) -> list[int]:
        """The number of active jobs of each target."""
        found = self.found or [0] * len(self.configured)
        return [number + (more or 0) for number, more in zip(self.configured, found, strict=True)]


def prediction_lines(
    jobs: ActiveJobs,
    cost: Prediction,
    optional: Mapping[str, float] | None = None,
    events: EventCosts | None = None,
) -> list[str]:
    """Return the prediction as YAML comments.

    Args:
        jobs: the active jobs.
        cost: the prediction for them.
        optional: calls a minute beside those for jobs, by their subject.
        events: the costs of event queues; ``None`` without one.
    """
    current = _current(jobs)
    return [
        f"# Predicted for {_subject(jobs)}:",
        "#   API calls",
        f"#     now: {current(f'{cost.calls_per_minute:.1f} calls per minute')}",
        f"#     per additional active job: {cost.calls_per_found_job:.1f} calls per minute",
        *_event_calls(events),
        *(f"#     {subject}: {calls:.1f} calls per minute" for subject, calls in (optional or {}).items()),
        f"#     ceiling: {cost.most_calls_per_minute:.0f} calls per minute{_per_operation(jobs, cost)}",
        "#   Data age",
        f"#     ceiling of an active job: {current(format_duration(round(cost.staleness, 1)))}",
        *_event_data_age(events),
        "#   Series",
        f"#     active jobs now: {current(f'{cost.series_of_jobs} series')}",
        *_series(cost),
    ]


def _event_calls(events: EventCosts | None) -> list[str]:
    if events is None:
        return []
    return [
        f"#     per RUNNING job with events: {events.calls_per_running_job:.1f} calls per minute",
        f"#     event queues: at least {events.receives_per_minute:.0f} ReceiveMessage calls per minute",
    ]


def _event_data_age(events: EventCosts | None) -> list[str]:
    if events is None:
        return []
    return [f"#     ceiling of a RUNNING job with events: {format_duration(events.interval)}"]


def _series(cost: Prediction) -> list[str]:
    return [
        f"#     per job: {cost.series_per_job} series",
        f"#     per device: {cost.series_per_device} series",
        f"#     ceiling of all jobs: {cost.most_series_of_jobs} series",
    ]


def _current(jobs: ActiveJobs) -> Callable[[str], str]:
    """Return the form of the quantities that depend on the number of active jobs.

    They are exact when this number is known, lower bounds when only some jobs are counted, and otherwise unknown.
    """
    if not any(jobs.discovers) or (jobs.found and None not in jobs.found):
        return str
    if sum(jobs.numbers):
        return "at least {}".format
    return f"unknown{', because SearchJobs failed' if jobs.found else f' without {ONLINE}'}".format


def _per_operation(jobs: ActiveJobs, cost: Prediction) -> str:
    """Return the share of one operation in the ceiling, when GetJob and SearchJobs are added."""
    if not any(jobs.discovers):
        return ""
    owner = "operation" if len(jobs.discovers) == 1 else "target and operation"
    return f" (per {owner}: {cost.most_calls_per_operation:.0f})"


def _subject(jobs: ActiveJobs) -> str:
    configured, total = sum(jobs.configured), sum(jobs.numbers)
    targets = _plural(len(jobs.configured), "target")
    if not any(jobs.discovers):
        return f"{_plural(total, 'active job')} in {targets}"
    if not jobs.found and not configured:
        return f"{targets} (discovered jobs are not counted; use {ONLINE})"
    if not jobs.found:
        return f"{_plural(total, 'active job')} in {targets} (discovered jobs are not counted; use {ONLINE})"
    failed = sum(number is None for number in jobs.found)
    missing = f" (SearchJobs failed in {failed}; their jobs are not counted)" if failed else ""
    if not configured:
        return f"{_plural(total, 'active job')} found in {targets}{missing}"
    return f"{_plural(total, 'active job')} in {targets}: {configured} configured, {total - configured} found{missing}"


def _plural(count: int, noun: str) -> str:
    return f"{count} {noun}" if count == 1 else f"{count} {noun}s"
