"""How far polling has come: the first full poll, and how long each pass over all active jobs takes. A small state."""

from collections.abc import Iterable


class Progress:
    """Follows the jobs of one account and Region; all times are monotonic seconds.

    Attributes:
        waiting: active jobs that were not asked for yet, though known since the start.
        filling: the same for jobs that had ended before they were found.
        took: how long the last pass took, seconds; ``None`` before the first.
    """

    def __init__(self, waiting: Iterable[str]) -> None:
        self.waiting = set(waiting)
        self.filling: set[str] = set()
        self.took: float | None = None
        self._began: float | None = None
        self._members: set[str] = set()

    def expect(self, arn: str, *, ended: bool) -> None:
        """Wait for a job that was found."""
        (self.filling if ended else self.waiting).add(arn)

    def tried(self, arn: str) -> None:
        """Wait for a job no longer."""
        self.waiting.discard(arn)
        self.filling.discard(arn)
        self._members.discard(arn)

    def begin(self, members: Iterable[str], now: float) -> None:
        """Begin a pass over the given jobs, if none is under way."""
        if self._began is None:
            self._began, self._members = now, set(members)

    def had_turn(self, arns: Iterable[str], now: float, *, nothing_due: bool) -> None:
        """End the pass once nothing is due or, where that never happens, once every job had its turn."""
        self._members.difference_update(arns)
        if self._began is not None and (nothing_due or not self._members):
            self.took, self._began = now - self._began, None
