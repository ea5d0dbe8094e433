"""The effect of an event about a job on one target: the job is polled now, looked up, or nothing changes."""

from collections.abc import Sequence
from typing import Final

from exporter.core import EVENT_KNOWN, EVENT_UNSELECTED, QueueMessage, is_news
from exporter.polling.pending_events import Backlog, Handled, PendingEvents
from exporter.polling.queue_health import QueueHealth
from exporter.polling.target_state import TargetState

DEFERRED: Final = "deferred"
"""Too many jobs of the target are pending: the queue delivers the message again after its visibility timeout."""


class JobEvents:
    """The events about the jobs of one target. An event queue calls it while threads poll the jobs.

    Args:
        state: the target.
    """

    def __init__(self, state: TargetState) -> None:
        self._state = state

    def set_queue(self, health: QueueHealth | None) -> None:
        """Set the event queue of the target; ``None`` for none. Another queue delivers its own messages."""
        with self._state.lock:
            if health is not self._state.queue_health:
                self._state.queue_health, self._state.events = health, PendingEvents()

    def is_polling(self, arn: str) -> bool:
        """Return whether a job is still polled."""
        with self._state.lock:
            return self._state.jobs.get(arn) is not None

    def receive(self, message: QueueMessage) -> str | None:
        """Receive an event about a job; return the outcome, ``DEFERRED``, or ``None`` if a call has to show it."""
        return receive_job_event(self._state, message)

    def take_handled(self) -> tuple[Sequence[Handled], Backlog]:
        """Remove and return the messages that calls have handled; return the number of the other ones, too."""
        state = self._state
        with state.lock:
            is_polled = state.jobs.get
            state.events.drop_unwatched(lambda arn: is_polled(arn) is not None, discovers=state.discovery is not None)
            return state.events.take_handled(), state.events.backlog


def receive_job_event(state: TargetState, message: QueueMessage) -> str | None:
    """Receive an event about a job.

    Args:
        state: the target.
        message: a message with a job event.

    Returns:
        The outcome, or ``DEFERRED``; ``None`` if a call has to show the outcome.
    """
    event = message.event
    assert event is not None  # noqa: S101 -- the caller passes job events only
    assert event.job_arn is not None  # noqa: S101 -- see above
    arn, now = event.job_arn, state.clock.monotonic()
    with state.lock:
        outcome = _outcome(state, arn, event.status, now)
        if outcome is None:
            state.events.add(arn, message, now)
            if state.jobs.get(arn) is None:
                state.events.look_up(arn, now)
            else:
                state.expedite(arn, now)
    return outcome


def _outcome(state: TargetState, arn: str, reported: str | None, now: float) -> str | None:
    """Return the outcome of an event, or ``DEFERRED``; ``None`` if a call has to show the outcome."""
    schedule = state.jobs.get(arn)
    if schedule is not None:
        record = state.store.find(arn)
        status = None if record is None or record.snapshot is None else record.snapshot.status
        if schedule.ended or not is_news(status, reported):
            return EVENT_KNOWN
    elif arn in state.store:
        return EVENT_KNOWN
    elif state.discovery is None or state.events.is_unselected(arn, now):
        return EVENT_UNSELECTED
    return None if state.events.accepts(arn) else DEFERRED
