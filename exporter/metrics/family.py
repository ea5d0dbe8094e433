"""A metric family: one row of a table with a name, a help text, a type, labels and the source of its samples. Pure."""

import re
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from typing import Final, Generic, Literal, NamedTuple, TypeVar

Subject = TypeVar("Subject")
"""A job, a device, the aggregates: anything that has samples."""

Labels = tuple[str, ...]

ACCOUNT_LABELS: Final = ("aws_account_id", "aws_region")
GROUP_LABELS: Final = (*ACCOUNT_LABELS, "device")


def tag_label(key: str) -> str:
    """Turn a tag's key into a label name: characters that Prometheus does not allow become underscores."""
    return "tag_" + re.sub(r"[^a-zA-Z0-9_]", "_", key)


class Histogram(NamedTuple):
    """The value of a histogram: observations for each bucket, the last one being +Inf, and their sum."""

    observations: tuple[int, ...]
    sum: float = 0.0

    def plus(self, other: "Histogram") -> "Histogram":
        """Return the observations of both, which have the same buckets."""
        counts = (one + more for one, more in zip(self.observations, other.observations, strict=True))
        return Histogram(tuple(counts), self.sum + other.sum)


Sample = tuple[Labels, float | Histogram]
"""The values of a family's labels, in the order of their names, and the value."""


@dataclass(frozen=True, slots=True, eq=False)
class Family:
    """One metric family as it is exposed; a counter's name ends in ``_total``. Each is equal to itself alone.

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


def _no_labels(_: object) -> Labels:
    return ()


@dataclass(frozen=True, eq=False)
class SubjectFamily(Family, Generic[Subject]):
    """A family that is rendered from the state of a subject.

    Attributes:
        own_samples: returns the samples of a subject, without the shared labels.
        shared: returns the values of the first labels, which are the same in all samples of a subject; these labels are
            sorted by name, and the same in all families with this function. The other labels have few values in all
            subjects.
        repetitive: whether many subjects have the same own samples, so that it pays to remember their lines.
    """

    own_samples: Callable[[Subject], Iterable[Sample]] = field(kw_only=True)
    shared: Callable[[Subject], Labels] = field(default=_no_labels, kw_only=True)
    repetitive: bool = field(default=False, kw_only=True)

    def samples(self, subject: Subject) -> list[Sample]:
        """Return the samples of a subject."""
        shared = self.shared(subject)
        return [((*shared, *labels), value) for labels, value in self.own_samples(subject)]
