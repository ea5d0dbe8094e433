"""The cells and columns of the job table as data. The template escapes them and writes the HTML."""

from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass
from types import MappingProxyType
from typing import Any, Final, Literal, NamedTuple

from exporter.core import DeviceKey, DeviceRecord, JobRecord, JobSnapshot, Target

Order = Literal["asc", "desc"]
Value = Any
"""Text or a number, of one type for all jobs; ``None`` for a job without a value."""


class RowContext(NamedTuple):
    """The arguments that all cells share.

    Attributes:
        now: Unix time, seconds.
        several_accounts: whether the targets belong to more than one account.
        failing: the failing targets.
        devices: the devices with a record.
    """

    now: float
    several_accounts: bool = False
    failing: Collection[Target] = ()
    devices: Mapping[DeviceKey, DeviceRecord] = MappingProxyType({})


class Note(NamedTuple):
    """A small text, in a colour of the style sheet where it has one. It is isolated from the texts around it."""

    text: str
    colour: str = ""


class Cell(NamedTuple):
    """The content of a cell. ``job_table.html`` depends on the order of the members.

    Attributes:
        text: the text.
        title: the text in full, as a tooltip. Such a text comes from AWS and is isolated from the text around it.
        colour: a colour of the style sheet; the text becomes a badge.
        time: a date and time in UTC; the text is its age.
        url: the address of a link to another site.
        limit: a small text behind the text.
        notes: small texts below the text.
    """

    text: str = ""
    title: str = ""
    colour: str = ""
    time: str = ""
    url: str | None = None
    limit: str = ""
    notes: Sequence[Note] = ()


@dataclass(frozen=True, slots=True)
class Column:
    """A column of the job table.

    Attributes:
        key: the column's name in the page's address.
        title: the title.
        hint: the meaning of the values, as a tooltip of the title.
        cell: returns the cell of a job.
        unpolled: returns the cell of a job without a GetJob response so far; by default it is empty.
        value: returns the value that a job is sorted by; without it, the column cannot be sorted.
        numeric: whether the cells are right-aligned.
        wraps: whether long texts are wrapped.
        labelled: whether a narrow screen shows the title beside the value; without it, the cell has a line of its own.
        first_order: the direction of the first sort.
    """

    key: str
    title: str
    cell: Callable[[JobRecord, JobSnapshot, RowContext], Cell]
    unpolled: Callable[[JobRecord, RowContext], Cell] = lambda _, __: Cell()
    value: Callable[[JobRecord, float], Value] | None = None
    numeric: bool = False
    wraps: bool = False
    labelled: bool = True
    hint: str = ""
    first_order: Order = "asc"


EMPTY: Final = Cell()
