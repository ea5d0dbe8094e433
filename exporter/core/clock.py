"""Wall clock and monotonic clock. All other code takes the time as an argument."""

import time
from collections.abc import Callable


class Clock:
    """Wall time and monotonic time.

    The local wall clock may be wrong by weeks, or may be stepped. The ``Date`` header of AWS's responses corrects it:
    after ``correct``, wall time follows AWS's clock, and advances with the monotonic clock. So no decision about first
    sight or retention depends on the local clock after the first response.

    Args:
        wall: the local wall clock, unix seconds.
        monotonic: seconds that never decrease, for intervals and schedules.
    """

    def __init__(self, wall: Callable[[], float] = time.time, monotonic: Callable[[], float] = time.monotonic) -> None:
        self._local_wall, self.monotonic = wall, monotonic
        self._anchor: tuple[float, float] | None = None
        """A corrected wall time, and the monotonic time of the correction."""

    def wall(self) -> float:
        """Return unix seconds."""
        if self._anchor is None:
            return self._local_wall()
        wall, monotonic = self._anchor
        return wall + self.monotonic() - monotonic

    def correct(self, offset: float) -> None:
        """Follow a clock that is ``offset`` seconds ahead of the local one."""
        self._anchor = (self._local_wall() + offset, self.monotonic())
