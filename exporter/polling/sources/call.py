"""A due call, and the interface of the call sources."""

from collections.abc import Callable
from functools import partial
from typing import Any, Generic, NamedTuple, Protocol, TypeVar

from exporter.core import BraketError

R = TypeVar("R")


def _nothing() -> None:
    pass


class Call(NamedTuple, Generic[R]):
    """A due call.

    Attributes:
        operation: the operation to call.
        make: makes the call; returns the response or raises ``BraketError``.
        is_current: returns whether the outcome still matters: the watched jobs may have changed meanwhile.
        succeeded: records the response.
        failed: records the error.
        done: is called last, whether or not the outcome matters.
    """

    operation: str
    make: Callable[[], R]
    is_current: Callable[[], bool]
    succeeded: Callable[[R], None]
    failed: Callable[[BraketError], None]
    done: Callable[[], None] = _nothing

    def outcome(self) -> Callable[[], None]:
        """Make the call; return the function that records its response or its error."""
        try:
            response = self.make()
        except BraketError as error:
            return partial(self.failed, error)
        return partial(self.succeeded, response)


class CallSource(Protocol):
    """One kind of call."""

    @property
    def operation(self) -> str:
        """The operation to call."""
        ...

    @property
    def active(self) -> bool:
        """Whether the target makes such calls at present."""
        ...

    def due(self, now: float) -> Call[Any] | float:
        """Return a due call, or the seconds until a call may be due.

        The source is active, and the caller holds the target's lock.
        """
        ...
