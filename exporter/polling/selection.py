"""The jobs that a target selects, and the baseline time that follows. Pure; all times are unix seconds."""

from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import NamedTuple

from exporter.core import JobSummary, Selector


class Era(NamedTuple):
    """A selector and the time from which on it was active."""

    start: float
    selector: Selector


@dataclass(frozen=True, slots=True)
class Selection:
    """The selectors of a target over time.

    Attributes:
        owner: the key of the target.
        eras: the selectors in the order of their starts; the last one is active.
    """

    owner: str
    eras: tuple[Era, ...]

    @property
    def selector(self) -> Selector:
        """The active selector."""
        return self.eras[-1].selector

    @property
    def start(self) -> float:
        """When the active selector started."""
        return self.eras[-1].start

    def selects(self, job: JobSummary) -> bool:
        """Return whether the active selector selects a job."""
        return self.selector.selects(job)

    def selected_since(self, job: JobSummary) -> float:
        """Return since when the selectors have selected a job without a break; infinity for a job not selected now."""
        start = float("inf")
        for era in reversed(self.eras):
            if not era.selector.selects(job):
                break
            start = era.start
        return start

    def with_selector(self, selector: Selector, now: float, owner: str) -> "Selection":
        """Return the selection with another active selector."""
        return Selection(owner, (*self.eras, Era(now, selector)))

    def corrected(self, corrected: Callable[[float], float]) -> "Selection":
        """Return the selection with corrected start times."""
        return replace(self, eras=tuple(Era(corrected(start), selector) for start, selector in self.eras))

    def pruned(self, before: float) -> "Selection":
        """Return the selection without the selectors that ended before a time."""
        eras = self.eras
        while len(eras) > 1 and eras[1].start < before:
            eras = eras[1:]
        return self if eras is self.eras else replace(self, eras=eras)
