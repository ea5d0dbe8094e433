"""The two clocks of the exporter. Time is handed in, so that tests can hold it in their hands."""

import time
from collections.abc import Callable
from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Clock:
    """Where the shells read the time.

    Attributes:
        wall: unix seconds; what people and Braket call the time. It may be stepped.
        monotonic: seconds that never run backwards; what waiting and planning go by.
    """

    wall: Callable[[], float] = time.time
    monotonic: Callable[[], float] = time.monotonic
