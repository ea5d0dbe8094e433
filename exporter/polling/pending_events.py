"""The events of one target that wait for a poll of their jobs. All times are monotonic seconds."""

from collections import OrderedDict
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field, replace
from typing import Final, NamedTuple

from exporter.core import EVENT_APPLIED, EVENT_UNSELECTED, QueueMessage, is_behind, is_news
from exporter.polling.schedule import JobSchedule, Priority

RETRY_DELAYS: Final = (2.0, 5.0, 15.0)
"""The delays of further calls, seconds, while the responses are older than the event."""

MAX_JOBS: Final = 500
"""The pending jobs of a target at which no event about another job is added."""

UNSELECTED_FOR: Final = 3600.0
"""The time, seconds, for which events about an unselected job cause no further SearchJobs call."""

MAX_UNSELECTED: Final = 10_000
"""The maximum number of unselected jobs that are remembered."""


class Handled(NamedTuple):
    """A message that can be deleted once the state file has the result.

    Attributes:
        message: the message.
        outcome: one of ``EVENT_OUTCOMES``.
    """

    message: QueueMessage
    outcome: str


class Backlog(NamedTuple):
    """The number of pending jobs, and of the messages about them."""

    jobs: int
    messages: int


@dataclass(slots=True)
class _PendingJob:
    """The events about one job.

    Attributes:
        since: when the last event arrived. An earlier call may have an older response.
        latest: the latest status in the events; it changes a few times at most, whatever arrives.
        attempts: the responses that were older than the events, since there is this status.
        messages: the messages, by their ID: a message may be delivered again.
    """

    since: float
    latest: str | None
    attempts: int = 0
    messages: dict[str, QueueMessage] = field(default_factory=dict)

    def is_settled(self, status: str | None) -> bool:
        """Return whether a status is at least as recent as all events, whenever it was requested."""
        return not any(is_news(status, reported) for reported in self._statuses())

    def is_behind(self, status: str | None) -> bool:
        """Return whether a status is certainly older than an event."""
        return any(is_behind(status, reported) for reported in self._statuses())

    def retry_at(self, now: float) -> float | None:
        """Count an attempt; return the time of the next one, if there is one."""
        self.attempts += 1
        return now + RETRY_DELAYS[self.attempts - 1] if self.attempts <= len(RETRY_DELAYS) else None

    def _statuses(self) -> Iterator[str | None]:
        return (message.event.status for message in self.messages.values() if message.event is not None)


class PendingEvents:
    """The pending events of one target, by job. The caller holds the target's lock."""

    def __init__(self) -> None:
        self._jobs: dict[str, _PendingJob] = {}
        self._look_ups: dict[str, float] = {}
        """When SearchJobs is called for each pending job that is not watched; infinite while a call is in flight."""
        self._handled: list[Handled] = []
        self._unselected: OrderedDict[str, float] = OrderedDict()

    def __contains__(self, arn: object) -> bool:
        """Return whether an event about a job is pending."""
        return arn in self._jobs

    @property
    def backlog(self) -> Backlog:
        """The pending jobs and messages."""
        return Backlog(len(self._jobs), sum(len(pending.messages) for pending in self._jobs.values()))

    def accepts(self, arn: str) -> bool:
        """Return whether an event about a job can be added."""
        return arn in self._jobs or len(self._jobs) < MAX_JOBS

    def add(self, arn: str, message: QueueMessage, now: float) -> None:
        """Add an event about a job. A later status has all its calls; a message that is delivered again has none."""
        status = None if message.event is None else message.event.status
        pending = self._jobs.setdefault(arn, _PendingJob(now, status))
        if message.id not in pending.messages:
            pending.since = now
        if is_behind(pending.latest, status):
            pending.latest, pending.attempts = status, 0
        pending.messages[message.id] = message

    def take_handled(self) -> Sequence[Handled]:
        """Remove and return the handled messages."""
        handled, self._handled = self._handled, []
        return handled

    def handle(self, arn: str, outcome: str) -> None:
        """Handle all events about a job."""
        pending = self._jobs.pop(arn, None)
        self._look_ups.pop(arn, None)
        if pending is not None:
            self._handled += (Handled(message, outcome) for message in pending.messages.values())

    def drop_unwatched(self, is_watched: Callable[[str], bool], *, discovers: bool) -> None:
        """Handle the events about jobs that are not watched any more.

        Args:
            is_watched: returns whether a job is still polled.
            discovers: whether SearchJobs is called for other jobs.
        """
        looked_up = self._look_ups if discovers else {}
        for arn in [arn for arn in self._jobs if arn not in looked_up and not is_watched(arn)]:
            self.handle(arn, EVENT_UNSELECTED)

    def after_poll(
        self, arn: str, status: str | None, following: JobSchedule | None, *, requested_at: float, now: float
    ) -> JobSchedule | None:
        """Return the schedule after a successful poll: sooner while the response is older than an event.

        Args:
            arn: the job.
            status: the status in the response.
            following: the schedule without events; ``None`` if no further details are expected.
            requested_at: when GetJob was called.
            now: the time.
        """
        pending = self._jobs.get(arn)
        if pending is None:
            return following
        due: float | None = None
        if pending.is_settled(status):
            pass
        elif requested_at < pending.since:
            due = now
        elif pending.is_behind(status):
            due = pending.retry_at(now)
        if due is None or following is None:
            self.handle(arn, EVENT_APPLIED)
            return following
        return expedited(following, due)

    def after_refusal(self, arn: str) -> None:
        """Handle the events about a job that Braket refuses. It is polled again after its backoff."""
        self.handle(arn, EVENT_APPLIED)

    def look_up(self, arn: str, now: float) -> None:
        """Have SearchJobs called for a job with pending events."""
        self._look_ups.setdefault(arn, now)

    def take_look_up(self, now: float) -> str | float:
        """Return the job for which SearchJobs is called now, or the seconds until one is due."""
        for arn, due in self._look_ups.items():
            if due <= now:
                self._look_ups[arn] = float("inf")
                return arn
        return min(self._look_ups.values(), default=float("inf")) - now

    def look_up_failed(self, arn: str, now: float) -> None:
        """Have SearchJobs called again for a job after an error."""
        if arn in self._look_ups:
            self._look_ups[arn] = now

    def found(self, arn: str) -> None:
        """Record that SearchJobs returned a job that is watched from now on."""
        self._look_ups.pop(arn, None)

    def missed(self, arn: str, now: float) -> None:
        """Record that SearchJobs did not return a job. It may lag behind the event, so it is called a few times."""
        pending = self._jobs.get(arn)
        retry_at = None if pending is None else pending.retry_at(now)
        if retry_at is None:
            self.unselected(arn, now)
        else:
            self._look_ups[arn] = retry_at

    def unselected(self, arn: str, now: float) -> None:
        """Record that the settings do not select a job."""
        self.handle(arn, EVENT_UNSELECTED)
        self._unselected[arn] = now + UNSELECTED_FOR
        self._unselected.move_to_end(arn)
        if len(self._unselected) > MAX_UNSELECTED:
            self._unselected.popitem(last=False)

    def is_unselected(self, arn: str, now: float) -> bool:
        """Return whether SearchJobs showed recently that the settings do not select a job."""
        return self._unselected.get(arn, now) > now

    def settings_changed(self, now: float) -> None:
        """Look up all jobs again: the settings may select other jobs now."""
        self._unselected.clear()
        self._look_ups = dict.fromkeys(self._look_ups, now)


def expedited(schedule: JobSchedule, due: float) -> JobSchedule:
    """Return the schedule of a job with an event: it is polled before other jobs.

    Args:
        schedule: the schedule before.
        due: when to poll the job at the latest.
    """
    return replace(schedule, due=min(schedule.due, due), priority=Priority.CHANGED)
