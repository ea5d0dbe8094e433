"""The scheduler of the shared threads: which target makes the next call. Pure; all times are monotonic seconds.

No operation walks the targets: waiting targets are in a heap, and due targets take turns in a queue. The targets of
accounts that do not respond in time are in a queue of their own, which gets at most half of the threads.
"""

from collections import deque
from collections.abc import Hashable, Iterator, Sequence
from dataclasses import dataclass, field
from enum import Enum, auto
from heapq import heappop, heappush
from itertools import count
from typing import Final, Generic, TypeVar
from weakref import WeakValueDictionary

MAX_CALLS: Final = 4
"""The calls of one target at the same time: enough to hide latency at the service's quota of 5 requests per second."""

SLOW_AFTER: Final = 2.0
"""The time of a call, seconds, after which its target is slow."""

MAX_TURNS: Final = 1000
"""The turns of other targets after which a slow target is next, so that its recovery is noticed under any load."""

T = TypeVar("T")


class _Place(Enum):
    """The place of a target. It is in one place only."""

    WAITING = auto()
    """In the heap, until it is due."""
    QUEUED = auto()
    """In a queue, until its turn."""
    ASKED = auto()
    """A thread asks it for its next call."""
    HELD = auto()
    """Nowhere, until a call in flight ends."""
    REMOVED = auto()


@dataclass(slots=True, weakref_slot=True)
class _Group:
    """The targets with the same credentials.

    Attributes:
        slow: whether the last call was slow; ``None`` before the first call.
        fast: the number of targets with a fast last call.
        calls: the start of each call in flight, in the order of the starts.
        untested_calls: the calls in flight of targets that are not known to be fast.
        held: the targets that wait for the end of such a call.
    """

    slow: bool | None = None
    fast: int = 0
    calls: list[float] = field(default_factory=list)
    untested_calls: int = 0
    held: "list[_Entry]" = field(default_factory=list)


@dataclass(slots=True, eq=False)
class _Entry:
    """One target.

    Attributes:
        target: the target.
        group: the targets with the same credentials.
        place: the place.
        due: when the target is due; valid in the heap only.
        queued_at: the number of turns of all targets before the target was queued.
        calls: the number of turns, with or without a call in flight yet.
        slow: whether the last call was slow; ``None`` before the first call.
        changed: whether the target changed while its next call was unknown.
    """

    target: Hashable
    group: _Group
    place: _Place = _Place.WAITING
    due: float = 0.0
    queued_at: int = 0
    calls: int = 0
    slow: bool | None = None
    changed: bool = False

    def doubt(self, now: float) -> int:
        """Return how likely the next call is slow: 0, 1 or 2. A target without a call is like the others of its group.

        1 stands for a target with a slow call in flight in its group.
        """
        group = self.group
        if self.slow or (self.slow is None and group.slow and not group.fast):
            return 2
        return int(bool(group.slow or (group.calls and now - group.calls[0] > SLOW_AFTER)))


@dataclass(frozen=True, slots=True, eq=False)
class Turn(Generic[T]):
    """The turn of a target, from the request for a call to the end of the call.

    Attributes:
        target: the target.
        since: when the turn began.
        doubtful: whether the call is likely to be slow.
        untested: whether the target was not known to be fast.
    """

    target: T
    since: float
    doubtful: bool
    untested: bool
    _entry: _Entry


class Scheduler(Generic[T]):
    """Gives each due target its turn, one call at a time. The caller ensures that one thread is inside.

    While at least half of the threads are in calls, a target has at most one call in flight, and so have all targets
    together that share credentials that are not known to respond in time.

    Args:
        threads: the number of threads.
    """

    def __init__(self, threads: int) -> None:
        self._half = max(1, threads // 2)
        self._entries: dict[T, _Entry] = {}
        self._groups: WeakValueDictionary[Hashable, _Group] = WeakValueDictionary()
        self._heap: list[tuple[float, int, _Entry]] = []
        self._numbers = count()
        self._queues: tuple[deque[_Entry], ...] = (deque(), deque(), deque())
        """The queues by doubt."""
        self._turns = 0
        self._calls = 0
        self._doubtful_calls = 0

    def __contains__(self, target: T) -> bool:
        """Return whether a target is scheduled."""
        return target in self._entries

    def __iter__(self) -> Iterator[T]:
        """Yield the targets."""
        return iter(self._entries)

    def __len__(self) -> int:
        """Return the number of targets."""
        return len(self._entries)

    @property
    def has_queued(self) -> bool:
        """Whether a target is due."""
        return any(self._queues)

    def add(self, target: T, group: Hashable, due: float) -> None:
        """Schedule a target.

        Args:
            target: the target.
            group: the credentials of the target.
            due: when the target is due.
        """
        entry = _Entry(target, self._groups.setdefault(group, _Group()))
        self._entries[target] = entry
        self._wait(entry, due)

    def remove(self, target: T) -> None:
        """Give a target no further turn."""
        entry = self._entries.pop(target)
        entry.group.fast -= entry.slow is False
        entry.place = _Place.REMOVED

    def wake(self, target: T) -> None:
        """Give a target its turn, because it changed."""
        self._changed(self._entries[target])

    def next(self, now: float) -> Turn[T] | float:
        """Return the next turn, or the seconds until a target is due."""
        self._queue_due(now)
        for doubt in self._order():
            if entry := self._pop(doubt, now):
                return self._turn(entry, now)
        return max(0.0, self._heap[0][0] - now) if self._heap else float("inf")

    def called(self, turn: Turn[T]) -> None:
        """Note that the target makes a call in its turn. It may get another turn meanwhile."""
        entry = turn._entry  # noqa: SLF001 -- a turn is the scheduler's own
        if entry.place is _Place.ASKED:
            self._enqueue(entry)

    def idle(self, turn: Turn[T], due: float) -> None:
        """End a turn without a call.

        Args:
            turn: the turn.
            due: when the target may be due.
        """
        entry = turn._entry  # noqa: SLF001 -- see above
        self._release(turn)
        if entry.place is not _Place.ASKED:
            return
        if entry.changed:
            self._enqueue(entry)
        else:
            self._wait(entry, due)

    def ended(self, turn: Turn[T], now: float) -> None:
        """End a turn after its call."""
        entry = turn._entry  # noqa: SLF001 -- see above
        slow = entry.group.slow = now - turn.since > SLOW_AFTER
        if entry.place is not _Place.REMOVED:
            entry.group.fast += (not slow) - (entry.slow is False)
            entry.slow = slow
        self._release(turn)
        self._changed(entry)

    def _order(self) -> Sequence[int]:
        """Return the queues in the order in which they may have the next turn."""
        if self._doubtful_calls >= self._half:
            return (0,)
        late = [doubt for doubt in (1, 2) if self._is_late(self._queues[doubt])]
        return (*late, 0, 1, 2)

    def _is_late(self, queue: "deque[_Entry]") -> bool:
        return bool(queue) and self._turns - queue[0].queued_at > MAX_TURNS

    def _turn(self, entry: _Entry, now: float) -> Turn[T]:
        turn = Turn(entry.target, now, entry.doubt(now) > 0, entry.slow is not False, entry)
        entry.place, entry.changed = _Place.ASKED, False
        self._turns += 1
        entry.calls += 1
        entry.group.calls.append(now)
        entry.group.untested_calls += turn.untested
        self._calls += 1
        self._doubtful_calls += turn.doubtful
        return turn  # type: ignore[return-value] # the target was added as a ``T``

    def _release(self, turn: Turn[T]) -> None:
        entry = turn._entry  # noqa: SLF001 -- see above
        group = entry.group
        entry.calls -= 1
        group.calls.remove(turn.since)
        group.untested_calls -= turn.untested
        self._calls -= 1
        self._doubtful_calls -= turn.doubtful
        held, group.held = group.held, []
        for other in held:
            self._changed(other)

    def _changed(self, entry: _Entry) -> None:
        if entry.place in {_Place.WAITING, _Place.HELD}:
            self._enqueue(entry)
        entry.changed = True

    def _wait(self, entry: _Entry, due: float) -> None:
        entry.place, entry.due = _Place.WAITING, due
        heappush(self._heap, (due, next(self._numbers), entry))

    def _enqueue(self, entry: _Entry) -> None:
        entry.place, entry.queued_at = _Place.QUEUED, self._turns
        self._queues[0].append(entry)

    def _queue_due(self, now: float) -> None:
        """Move the due targets into a queue, and delete the heap's outdated items."""
        while self._heap:
            due, _, entry = self._heap[0]
            outdated = entry.place is not _Place.WAITING or entry.due != due
            if due > now and not outdated:
                return
            heappop(self._heap)
            if not outdated:
                self._enqueue(entry)

    def _pop(self, doubt: int, now: float) -> _Entry | None:
        """Remove and return the first target of a queue that may make a call; hold the others back."""
        queue = self._queues[doubt]
        while queue:
            entry = queue.popleft()
            if entry.place is not _Place.QUEUED:
                continue
            if (actual := entry.doubt(now)) > doubt:
                self._queues[actual].append(entry)
            elif self._must_wait(entry):
                entry.place = _Place.HELD
            else:
                return entry
        return None

    def _must_wait(self, entry: _Entry) -> bool:
        """Return whether a target waits for the end of a call in flight, its own or its group's."""
        busy, group = self._calls >= self._half, entry.group
        if entry.calls >= (1 if busy else MAX_CALLS):
            return True
        if busy and entry.slow is not False and group.slow is not False and group.untested_calls:
            group.held.append(entry)
            return True
        return False
