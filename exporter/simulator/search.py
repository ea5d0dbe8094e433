"""SearchJobs: what a request asks for, and which jobs of a list sorted by creation are its page."""

import base64
import binascii
import json
import re
import zlib
from bisect import bisect_left, bisect_right
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from itertools import chain, islice
from random import Random
from typing import TypeAlias

from exporter.simulator.wire import JsonObject, invalid, unix_seconds

MOST_FILTERS = 10
MOST_VALUES = 10
LARGEST_PAGE = 100

# A job's creation in unix seconds, in whole milliseconds as it is answered, and its ARN.
Entry: TypeAlias = tuple[float, str]
# A comparison with the creation: LT, LTE, GT or GTE, and unix seconds.
Cut: TypeAlias = tuple[str, float]
Test: TypeAlias = Callable[[Entry], bool]
SummaryTest: TypeAlias = Callable[[JsonObject], bool]

_OPERATORS = {
    "createdAt": ("LT", "LTE", "EQUAL", "GT", "GTE", "BETWEEN"),
    "jobArn": ("EQUAL",),
    "jobName": ("EQUAL", "CONTAINS"),
    "deviceArn": ("EQUAL",),
}
_MEMBERS = {"jobName": "jobName", "deviceArn": "device"}
"""The member of a summary that a filter compares."""
_RFC_3339 = re.compile(r"\d{4}-\d\d-\d\d[Tt ]\d\d:\d\d:\d\d(\.\d+)?([Zz]|[+-]\d\d:\d\d)", re.ASCII)
_VALUES_WANTED = {"LT": 1, "LTE": 1, "GT": 1, "GTE": 1, "BETWEEN": 2}
_FIRST_INSIDE = {"GT": bisect_right, "GTE": bisect_left}
_FIRST_BEYOND = {"LT": bisect_left, "LTE": bisect_right}


@dataclass(frozen=True, slots=True)
class Query:
    """A SearchJobs request that was understood.

    Attributes:
        cuts: Limits of the creation, all of which hold.
        tests: Further conditions on creation and ARN, all of which hold.
        summary_tests: Conditions on a summary, all of which hold.
        limit: Most jobs on the page.
        after: The last job of the page before; None for the first page.
    """

    cuts: tuple[Cut, ...]
    tests: tuple[Test, ...]
    summary_tests: tuple[SummaryTest, ...]
    limit: int
    after: Entry | None

    def matches(self, summary: JsonObject) -> bool:
        """Whether a summary meets the conditions on it."""
        return all(test(summary) for test in self.summary_tests)


@dataclass(frozen=True, slots=True)
class Disorder:
    """An order of results that no client can rely on, since the service documents none.

    Attributes:
        seed: Of the order, which stays the same from page to page.
        shift: Most places by which a page after the first begins too early (and so repeats jobs) or too
            late (and so misses some), as pages do while the list changes. It differs from time to time.
    """

    seed: int
    shift: int = 0


@dataclass(frozen=True, slots=True)
class _Filter:
    name: str
    operator: str
    values: tuple[str, ...]


def parsed(body: bytes) -> Query:
    """The query in the body of a SearchJobs request.

    Raises:
        ServiceError: A ValidationException that says what is wrong with it.
    """
    document = _document(body)
    filters = [_filter(entry) for entry in _filter_list(document)]
    if len(filters) > 1 and any(entry.name == "jobArn" for entry in filters):
        raise invalid("a jobArn filter cannot be combined with other filters")
    return Query(
        cuts=tuple(chain.from_iterable(_cuts(entry) for entry in filters)),
        tests=tuple(chain.from_iterable(_tests(entry) for entry in filters)),
        summary_tests=tuple(_summary_test(entry) for entry in filters if entry.name in _MEMBERS),
        limit=_limit(document.get("maxResults")),
        after=_entry(document.get("nextToken")),
    )


def candidates(entries: Sequence[Entry], query: Query, disorder: Disorder | None, now: float) -> Iterator[Entry]:
    """Yield the entries that match `query`, from the requested page to the end of the list.

    Args:
        entries: Sorted.
        query: The filters and the page.
        disorder: The shuffling of the response; None for the order of creation.
        now: Unix seconds.
    """
    inside = entries[_window(entries, query.cuts)]
    ordered = inside if disorder is None else sorted(inside, key=_shuffled(disorder))
    start = _page_start(ordered, query.after, disorder, now)
    return (entry for entry in islice(ordered, start, None) if all(test(entry) for test in query.tests))


def token(last: Entry) -> str:
    """The nextToken of a page that ends with `last`: opaque to clients, stable while the list changes."""
    return base64.urlsafe_b64encode(json.dumps(last).encode()).decode()


def _entry(given: object) -> Entry | None:
    if given is None:
        return None
    try:
        created, arn = json.loads(base64.urlsafe_b64decode(str(given)))
        return float(created), str(arn)
    except (binascii.Error, ValueError, TypeError):
        raise invalid("nextToken is not one of this service") from None


def _document(body: bytes) -> dict[str, object]:
    try:
        document = json.loads(body)
    except ValueError:
        raise invalid("the request body is not JSON") from None
    if not isinstance(document, dict):
        raise invalid("the request body must be a JSON object")
    return document


def _filter_list(document: dict[str, object]) -> list[object]:
    filters = document.get("filters")
    if not isinstance(filters, list):
        raise invalid("filters is required and must be a list")
    if len(filters) > MOST_FILTERS:
        raise invalid(f"at most {MOST_FILTERS} filters are allowed, not {len(filters)}")
    return filters


def _limit(given: object) -> int:
    if given is None:
        return LARGEST_PAGE
    if type(given) is not int or not 1 <= given <= LARGEST_PAGE:
        raise invalid(f"maxResults must be an integer from 1 to {LARGEST_PAGE}")
    return given


def _filter(given: object) -> _Filter:
    if not isinstance(given, dict):
        raise invalid("each filter must be an object")
    name, operator = given.get("name"), given.get("operator")
    if name not in _OPERATORS:
        raise invalid(f"a filter's name must be one of {', '.join(_OPERATORS)}")
    if operator not in _OPERATORS[name]:
        raise invalid(f"the operator of a {name} filter must be one of {', '.join(_OPERATORS[name])}")
    return _Filter(name, operator, _values(given.get("values"), operator))


def _values(given: object, operator: str) -> tuple[str, ...]:
    if not isinstance(given, list) or not all(isinstance(value, str) for value in given):
        raise invalid("a filter's values must be a list of strings")
    if not 1 <= len(given) <= MOST_VALUES:
        raise invalid(f"a filter must have 1 to {MOST_VALUES} values, not {len(given)}")
    wanted = _VALUES_WANTED.get(operator, len(given))
    if len(given) != wanted:
        raise invalid(f"{operator} takes {wanted} value(s), not {len(given)}")
    return tuple(given)


def _cuts(entry: _Filter) -> tuple[Cut, ...]:
    if entry.name != "createdAt":
        return ()
    moments = [_moment(value) for value in entry.values]
    match entry.operator:
        case "BETWEEN":
            return ("GTE", moments[0]), ("LTE", moments[1])
        case "EQUAL":
            return ("GTE", min(moments)), ("LTE", max(moments))
        case _:
            return ((entry.operator, moments[0]),)


def _moment(text: str) -> float:
    try:
        if _RFC_3339.fullmatch(text):
            return unix_seconds(text.upper())
    except ValueError:  # such as the 30th of February
        pass
    raise invalid(f"createdAt must be compared with an RFC 3339 time, not {text!r}")


def _tests(entry: _Filter) -> tuple[Test, ...]:
    match entry.name, entry.operator:
        case "createdAt", "EQUAL":
            moments = {_moment(value) for value in entry.values}
            return (lambda candidate: candidate[0] in moments,)
        case "jobArn", "EQUAL":
            return (lambda candidate: candidate[1] in entry.values,)
        case _:
            return ()


def _summary_test(entry: _Filter) -> SummaryTest:
    member = _MEMBERS[entry.name]
    if entry.operator == "CONTAINS":
        return lambda summary: any(value in str(summary.get(member, "")) for value in entry.values)
    return lambda summary: summary.get(member) in entry.values


def _window(entries: Sequence[Entry], cuts: Sequence[Cut]) -> slice:
    """The entries inside every cut, found in logarithmic time."""
    starts = [_FIRST_INSIDE[name](entries, at, key=_created) for name, at in cuts if name in _FIRST_INSIDE]
    stops = [_FIRST_BEYOND[name](entries, at, key=_created) for name, at in cuts if name in _FIRST_BEYOND]
    return slice(max(starts, default=0), min(stops, default=len(entries)))


def _created(entry: Entry) -> float:
    return entry[0]


def _shuffled(disorder: Disorder) -> Callable[[Entry], tuple[int, str]]:
    return lambda entry: (zlib.crc32(f"{disorder.seed}:{entry[1]}".encode()), entry[1])


def _page_start(ordered: Sequence[Entry], after: Entry | None, disorder: Disorder | None, now: float) -> int:
    if after is None:
        return 0
    if disorder is None:
        return bisect_right(ordered, after)
    key = _shuffled(disorder)
    start = bisect_right(ordered, key(after), key=key)
    wrong = Random(f"{disorder.seed}:{now}:{start}").randint(-disorder.shift, disorder.shift)
    return max(0, start + wrong)
