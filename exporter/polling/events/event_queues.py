"""The event queues of all targets, each with a thread of its own beside the threads that poll."""

import threading
from collections.abc import Callable, Hashable, Iterable, Sequence

from exporter.core import QueueAddress, QueueStatus, parse_queue_url, receiver_of
from exporter.polling.events.event_queue import EventQueue
from exporter.polling.polled_target import PolledTarget
from exporter.polling.polling_plan import ConnectQueue
from exporter.polling.target_builder import Services


class EventQueues:
    """Starts and stops the event queues. A queue that several targets share has one thread.

    Args:
        services: the parts that all targets share.
        wake: has a target make its next call at once.
        fail: ends the exporter because of a bug.
    """

    def __init__(
        self, services: Services, wake: Callable[[PolledTarget], None], fail: Callable[[BaseException], None]
    ) -> None:
        self._services, self._wake, self._fail = services, wake, fail
        self._queues: dict[Hashable, EventQueue] = {}
        self._stop: threading.Event | None = None
        services.telemetry.events.watch(self.statuses)

    def statuses(self) -> Sequence[QueueStatus]:
        """Return the status of each queue."""
        return [queue.status for queue in [*self._queues.values()]]

    def follow(self, targets: Sequence[PolledTarget], connect: ConnectQueue | None) -> None:
        """Receive the events about the jobs of these targets. A queue that stays keeps its state.

        Args:
            targets: the polled targets.
            connect: returns the client of a target's queue; ``None`` for no events.
        """
        if connect is None:
            return
        queues = dict[Hashable, EventQueue]()
        for of_queue in _by_queue(targets):
            receiver = receiver_of([target.config for target in of_queue])
            key = (receiver.event_queue_url, receiver.credentials)
            queue = self._queues.get(key) or EventQueue(connect(receiver), (), self._services, self._wake)
            queue.targets, queues[key] = of_queue, queue
            for target in of_queue:
                target.events.set_queue(queue.health)
        for target in targets:
            if target.config.event_queue_url is None:
                target.events.set_queue(None)
        new = [queue for key, queue in queues.items() if key not in self._queues]
        self._queues = queues
        self._start(new)

    def start(self, stop: threading.Event) -> None:
        """Receive events until ``stop`` is set. The threads are daemons: a call in flight ends with the process."""
        self._stop = stop
        self._start(self._queues.values())

    def _start(self, queues: Iterable[EventQueue]) -> None:
        if self._stop is not None:
            for queue in queues:
                threading.Thread(target=self._run, args=(queue, self._stop), name="events", daemon=True).start()

    def _run(self, queue: EventQueue, stop: threading.Event) -> None:
        try:
            while not stop.is_set() and any(queue is one for one in [*self._queues.values()]):
                stop.wait(queue.step())
            if not stop.is_set():
                queue.delete_handled()  # another receiver of the queue would count them again
        except BaseException as bug:  # noqa: BLE001 -- the exporter raises it in its main thread
            self._fail(bug)


def _by_queue(targets: Sequence[PolledTarget]) -> Iterable[Sequence[PolledTarget]]:
    """Return the targets of each queue, which may have several hosts in its URLs."""
    of_queue: dict[QueueAddress, list[PolledTarget]] = {}
    for target in targets:
        if target.config.event_queue_url is not None:
            of_queue.setdefault(parse_queue_url(target.config.event_queue_url), []).append(target)
    return of_queue.values()
