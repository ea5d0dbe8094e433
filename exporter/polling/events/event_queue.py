"""One event queue: receives its messages, passes them to the targets, and deletes those that are handled."""

from collections.abc import Callable, Sequence
from typing import Final

from exporter.core import (
    DELETE_MESSAGE_BATCH,
    DEVICE_DETAIL_TYPES,
    EVENT_APPLIED,
    EVENT_FOREIGN,
    EVENT_MALFORMED,
    EVENT_UNSELECTED,
    JOB_STATE_CHANGE,
    LONG_POLL_SECONDS,
    OTHER_DETAIL_TYPE,
    RECEIVE_MESSAGE,
    BraketError,
    BraketEvent,
    QueueMessage,
    QueueStatus,
    device_key,
    parse_job_arn,
)
from exporter.polling.client import EventQueueClient
from exporter.polling.job_events import DEFERRED
from exporter.polling.pending_events import MAX_JOBS, Backlog
from exporter.polling.polled_target import PolledTarget
from exporter.polling.queue_health import QueueHealth
from exporter.polling.sources import refresh_device
from exporter.polling.target_builder import Services

MAX_MESSAGES: Final = 5000
"""The messages, pending or not deleted yet, at which no further message is received."""

DELETE_BATCH: Final = 10
"""The messages of one DeleteMessageBatch call; the maximum of SQS."""

BACKLOG_WAIT: Final = 1.0
"""The wait, seconds, for the polls of pending events."""

EMPTY_WAIT: Final = 0.5
"""The time, seconds, for which no other call follows a response without a new message.

Some server may not wait for messages, and a queue may deliver a message again at once.
"""

SHORT_POLL: Final = 1
"""The wait of ReceiveMessage, seconds, while events are pending, so that their messages are deleted soon."""


class EventQueue:
    """One queue and its targets. One thread calls ``step``.

    Attributes:
        health: the health of the queue.
        targets: the targets; another thread may replace them.

    Args:
        client: calls the queue.
        targets: the targets.
        services: the parts that all targets share.
        wake: has a target make its next call at once.
    """

    def __init__(
        self,
        client: EventQueueClient,
        targets: Sequence[PolledTarget],
        services: Services,
        wake: Callable[[PolledTarget], None],
    ) -> None:
        self.health = QueueHealth(services.clock, services.random)
        self.targets = targets
        self._client, self._services, self._wake = client, services, wake
        self._handled: dict[str, QueueMessage] = {}
        """The messages to delete, by ID."""
        self._remaining: dict[str, Sequence[PolledTarget]] = {}
        """The targets that have not seen a message yet, by its ID, while it is pending at another one."""

    @property
    def status(self) -> QueueStatus:
        """The status for the metrics."""
        return self.health.status

    def step(self) -> float:
        """Receive messages once, and delete the handled ones; return the seconds until the next step."""
        backlog = self._collect()
        if wait := self.delete_handled():
            return wait
        messages = backlog.messages + len(self._handled)
        if backlog.jobs >= MAX_JOBS * len(self.targets) or messages >= MAX_MESSAGES:
            return BACKLOG_WAIT
        settled = not messages and self.status.last_receive is not None
        began = self._services.clock.monotonic()
        try:
            received = self._client.receive(LONG_POLL_SECONDS if settled else SHORT_POLL)
        except BraketError as error:
            return self._failed(RECEIVE_MESSAGE, error)
        if self.health.received():
            self._services.event_log.event_queue_recovered(self._client.url)
        before = len(self._handled) + len(self._remaining)
        for message in received:
            self._receive(message)
        has_new = len(self._handled) + len(self._remaining) > before
        return 0.0 if has_new else max(0.0, began + EMPTY_WAIT - self._services.clock.monotonic())

    def _collect(self) -> Backlog:
        """Collect the messages that the calls of the targets have handled; return the number of the other ones."""
        jobs = messages = 0
        for target in self.targets:
            handled, backlog = target.events.take_handled()
            jobs, messages = jobs + backlog.jobs, messages + backlog.messages
            for message, outcome in handled:
                self._end(message, outcome)
        return Backlog(jobs, messages)

    def _end(self, message: QueueMessage, outcome: str) -> None:
        """Record the outcome at one target; another one may select a job that this one does not."""
        remaining = self._remaining.pop(message.id, ())
        if remaining and outcome == EVENT_UNSELECTED:
            self._offer(message, remaining)
        else:
            self._record(message, outcome)

    def _record(self, message: QueueMessage, outcome: str) -> None:
        telemetry, event = self._services.telemetry.events, message.event
        telemetry.received(OTHER_DETAIL_TYPE if event is None else event.detail_type, outcome)
        if outcome == EVENT_APPLIED and event is not None and event.time is not None:
            telemetry.delayed(self._services.clock.wall() - event.time)
        self._remaining.pop(message.id, None)
        self._handled[message.id] = message

    def delete_handled(self) -> float:
        """Delete handled messages once the state file has their results; return the wait after an error."""
        while self._handled and self._services.store.flush():
            batch = [*self._handled.values()][:DELETE_BATCH]
            try:
                self._client.delete(batch)
            except BraketError as error:
                return self._failed(DELETE_MESSAGE_BATCH, error)
            for message in batch:
                del self._handled[message.id]
        return 0.0

    def _receive(self, message: QueueMessage) -> None:
        if message.id in self._handled:
            self._handled[message.id] = message  # the receipt handle of the last delivery deletes it
            return
        event = message.event
        if event is None or event.malformed:
            self._record(message, EVENT_MALFORMED)
        elif event.detail_type == JOB_STATE_CHANGE and event.job_arn is not None:
            self._receive_job_event(message, event.job_arn, event)
        elif event.detail_type in DEVICE_DETAIL_TYPES:
            self._record(message, self._refresh_device(event))
        else:
            self._record(message, EVENT_UNSELECTED if self._concerned(event.account, event.region) else EVENT_FOREIGN)

    def _receive_job_event(self, message: QueueMessage, arn: str, event: BraketEvent) -> None:
        parts = parse_job_arn(arn)
        same = event.account in {"", parts.account} and event.region in {"", parts.region}
        if not same or not (targets := self._concerned(parts.account, parts.region)):
            self._record(message, EVENT_FOREIGN)
            return
        polling = [target for target in targets if target.events.is_polling(arn)]
        self._offer(message, polling or [target for target in targets if target.discovers] or targets[:1])

    def _offer(self, message: QueueMessage, targets: Sequence[PolledTarget]) -> None:
        """Pass a message to the targets in turn, until one of them needs it."""
        outcome = EVENT_UNSELECTED
        for number, target in enumerate(targets, start=1):
            result = target.events.receive(message)
            if result == DEFERRED:
                return
            if result is None:
                self._remaining[message.id] = targets[number:]
                self._wake(target)
                return
            outcome = result
            if outcome != EVENT_UNSELECTED:
                break
        self._record(message, outcome)

    def _concerned(self, account: str, region: str) -> Sequence[PolledTarget]:
        """Return the targets in an account and Region. An account that is not known may be any account."""
        in_region = (target for target in self.targets if target.target.region == region)
        return [
            target for target in in_region if "" in {account, target.target.account} or target.target.account == account
        ]

    def _refresh_device(self, event: BraketEvent) -> str:
        """Have a device polled now if its status is exported; return the outcome."""
        services, key = self._services, device_key(event.device_arn or "", event.region)
        targets = [target for target in self.targets if key is not None and target.target.region == key.region]
        if key is None or not targets:
            return EVENT_FOREIGN
        if services.store.devices.find(key) is None:
            return EVENT_UNSELECTED
        refresh_device(services.shared_polls, key, services.clock.monotonic())
        for target in targets:
            self._wake(target)
        return EVENT_APPLIED

    def _failed(self, operation: str, error: BraketError) -> float:
        """Record a failed call; return the seconds until the next one."""
        retry_in, is_new = self.health.failed(error.code)
        if is_new:
            self._services.event_log.event_queue_failing(self._client.url, operation, error, retry_in)
        return retry_in
