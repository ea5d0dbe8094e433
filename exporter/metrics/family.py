"""A metric family: one row of a table with a name, a help text, a type, labels and the source of its samples. Pure."""

from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from typing import Final, Generic, Literal, NamedTuple, TypeVar

Subject = TypeVar("Subject")
"""A job, a device, the aggregates: anything that has samples."""

Labels = tuple[str, ...]

ACCOUNT_LABELS: Final = ("aws_account_id", "aws_region")
GROUP_LABELS: Final = (*ACCOUNT_LABELS, "device")


class Histogram(NamedTuple):
    """The value of a histogram: observations for each bucket, the last one being +Inf, and their sum."""

    observations: tuple[int, ...]
    sum: float = 0.0


Sample = tuple[Labels, float | Histogram]
"""The values of a family's labels, in the order of their names, and the value."""


@dataclass(frozen=True, slots=True)
class Family:
    """One metric family as it is exposed; a counter's name ends in ``_total``.

    Attributes:
        buckets: upper bounds of a histogram without +Inf.
        former_buckets: the bounds of older builds, which state files may still have. Each is a part of ``buckets``, and
            all differ in length, because a state file has the counts alone.
    """

    name: str
    help: str
    type: Literal["gauge", "counter", "histogram"]
    labels: Labels
    buckets: tuple[float, ...] = ()
    former_buckets: tuple[tuple[float, ...], ...] = ()


@dataclass(frozen=True)
class SubjectFamily(Family, Generic[Subject]):
    """A family that is rendered from the state of a subject.

    Attributes:
        samples: returns the samples of a subject.
    """

    samples: Callable[[Subject], Iterable[Sample]] = field(kw_only=True)
