"""Makes independent checks at the same time, so that their timeouts do not add up."""

import threading
from collections import deque
from collections.abc import Callable, Sequence
from contextlib import suppress
from typing import Final, TypeVar

from exporter.app.signals import SIGNAL_LATENCY

MAX_CONCURRENT: Final = 8
"""The maximum number of checks at the same time."""

T = TypeVar("T")


def make_checks(checks: Sequence[Callable[[], T]]) -> list[T]:
    """Make all checks, several at a time; return the results in their order."""
    waiting = deque(enumerate(checks))
    done: dict[int, T] = {}
    bugs: list[BaseException] = []

    def work() -> None:
        with suppress(IndexError):  # the queue is empty
            while True:
                try_one(*waiting.popleft())

    def try_one(number: int, check: Callable[[], T]) -> None:
        try:
            done[number] = check()
        except BaseException as bug:  # noqa: BLE001 -- raised again below
            bugs.append(bug)

    threads = [threading.Thread(target=work, daemon=True) for _ in checks[:MAX_CONCURRENT]]
    for thread in threads:
        thread.start()
    for thread in threads:
        while thread.is_alive():
            thread.join(SIGNAL_LATENCY)  # signal handlers run meanwhile
    if bugs:
        raise bugs[0]
    return [done[number] for number in sorted(done)]
