"""A call that is due, and the source that it comes from."""

from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from typing import Any, Generic, Protocol, TypeVar

from exporter.core import BraketError

R = TypeVar("R")


def _nothing() -> None:
    pass


@dataclass(frozen=True, slots=True)
class Call(Generic[R]):
    """A call that is due.

    Attributes:
        operation: the operation that is called.
        make: makes the call; returns the response or raises ``BraketError``.
        is_current: returns whether the outcome still matters: what is watched may have changed meanwhile.
        answered: takes in the response.
        failed: takes in the error.
        done: is called in the end, whether or not the outcome matters.
    """

    operation: str
    make: Callable[[], R]
    is_current: Callable[[], bool]
    answered: Callable[[R], None]
    failed: Callable[[BraketError], None]
    done: Callable[[], None] = _nothing

    def outcome(self) -> Callable[[], None]:
        """Make the call; return the function that takes in its response or its error."""
        try:
            response = self.make()
        except BraketError as error:
            return partial(self.failed, error)
        return partial(self.answered, response)


class CallSource(Protocol):
    """One kind of call."""

    @property
    def operation(self) -> str:
        """The operation that is called."""
        ...

    @property
    def active(self) -> bool:
        """Whether the target has such calls made at present."""
        ...

    def due(self, now: float) -> Call[Any] | float:
        """Return a call that is due, or the seconds until there may be one.

        The source is active, and the caller holds the poller's lock.
        """
        ...
