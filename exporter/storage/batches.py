"""Batches: work on many jobs is done a few hundred at a time, so that no lock is held for long. Pure."""

from collections.abc import Iterable, Iterator
from itertools import islice
from typing import Final, TypeVar

T = TypeVar("T")

BATCH_JOBS: Final = 512
"""The number of jobs that change under one lock, or in one write."""


def in_batches(items: Iterable[T], size: int = BATCH_JOBS) -> Iterator[list[T]]:
    """Yield the items in lists of a size."""
    rest = iter(items)
    while batch := [*islice(rest, size)]:
        yield batch
