"""The types of single settings, with their checks. Pure."""

import re
from collections.abc import Mapping
from typing import Annotated, Final, TypeVar

from pydantic import AfterValidator, BeforeValidator, PlainSerializer

from exporter.core import (
    REGIONS_HINT,
    check_region,
    format_duration,
    hidden_value,
    parse_duration,
    parse_job_arn,
    parse_listen,
    parse_queue_url,
    parse_tag_rule,
    pod_ordinal,
    split_list,
    suggestion,
)
from exporter.metrics import all_families, tag_label
from exporter.telemetry import PROCESS_METRICS

T = TypeVar("T")

METRICS: Final = (*(family.name for family in all_families()), *PROCESS_METRICS)
"""Every metric that can be disabled."""

MOST_TAG_KEYS: Final = 3
"""The maximum number of keys of ``aggregate_tag_labels``: each multiplies the series of the aggregate metrics."""

MOST_JOBS: Final = 1_000_000_000
LOWEST_RATE: Final = 0.0001
HIGHEST_RATE: Final = 1_000_000.0

_MAY_HAVE_SECRETS: Final = re.compile(r"[@?#]")
"""The marks of a user, a query or a fragment in a URL."""

_ROLE: Final = re.compile(r"arn:aws[a-z-]*:iam::\d{12}:role/[\w+=,.@/-]+", re.ASCII)


def _check_arn(arn: str) -> str:
    parse_job_arn(arn)
    return arn


def _tag_list(value: object) -> object:
    if isinstance(value, Mapping):
        raise ValueError("expected a list, or text with commas, such as team=chemistry,stage=prod")  # noqa: TRY004
    return value


def _check_tag(text: str) -> str:
    parse_tag_rule(text)
    return text


def _check_tag_keys(texts: tuple[str, ...]) -> tuple[str, ...]:
    keys = [parse_tag_rule(text).key for text in texts]
    twice = next((key for key in keys if keys.count(key) > 1), None)
    if twice is not None:
        raise hidden_value(f"{twice} is set more than once; combine its values, as in {twice}=this|that")
    return texts


def _check_regex(text: str) -> str:
    try:
        re.compile(text)
    except re.error as error:
        raise ValueError(f"not a regular expression: {error}") from error
    return text


def _check_region(region: str) -> str:
    try:
        check_region(region)
    except ValueError as error:
        raise ValueError(f"not a Region name; {REGIONS_HINT}") from error
    return region


def _check_role(arn: str) -> str:
    if _ROLE.fullmatch(arn) is None:
        raise ValueError("not a role ARN; expected arn:aws:iam::<account>:role/<name>")
    return arn


def _check_name(name: str) -> str:
    if name.encode(errors="replace").decode() != name:
        raise ValueError("not valid Unicode text; remove the surrogate")
    return name


def _check_queue_url(url: str) -> str:
    try:
        parse_queue_url(url)
    except ValueError as error:
        if _MAY_HAVE_SECRETS.search(url):
            raise hidden_value(str(error)) from None
        raise
    return url


def _check_metric(name: str) -> str:
    if name not in METRICS:
        raise ValueError(f"unknown metric{suggestion(name, METRICS)}")
    return name


def _check_listen(value: object) -> object:
    parse_listen(value if isinstance(value, str) else "")
    return value


def _check_path(text: str) -> str:
    if not text:
        raise ValueError("expected the path of a file; to use no file, remove the key")
    return text


def _once(values: tuple[T, ...]) -> tuple[T, ...]:
    """Remove duplicates."""
    return tuple(dict.fromkeys(values))


def _number(value: object) -> object:
    if isinstance(value, bool):
        raise ValueError("expected a number, not true or false")  # noqa: TRY004 -- pydantic handles ValueErrors
    return value


def _ordinal(value: object) -> object:
    ordinal = pod_ordinal(value)
    if isinstance(ordinal, str):
        try:
            float(ordinal)
        except ValueError as error:
            raise ValueError("expected a whole number >= 0, or a pod name that ends with a number") from error
    return ordinal


def _check_most_jobs(most: int) -> int:
    if most > MOST_JOBS:
        raise ValueError(f"expected at most {MOST_JOBS}")
    return most


def _check_rate(rate: float) -> float:
    if not LOWEST_RATE <= rate <= HIGHEST_RATE:
        raise ValueError(f"expected a number from {LOWEST_RATE} to {HIGHEST_RATE:.0f}")
    return rate


def _check_labels(keys: tuple[str, ...]) -> tuple[str, ...]:
    owners: dict[str, str] = {}
    for key in keys:
        other = owners.setdefault(tag_label(key), key)
        if other != key:
            raise hidden_value(f"{other} and {key} become the same label {tag_label(key)}; keep one of them")
    return keys


def _check_few(keys: tuple[str, ...]) -> tuple[str, ...]:
    if len(keys) > MOST_TAG_KEYS:
        raise hidden_value(f"{len(keys)} keys; expected at most {MOST_TAG_KEYS}")
    return keys


SERIALIZED_DURATION: Final = PlainSerializer(format_duration)
"""Marks the fields with a duration."""

OFF: Final = BeforeValidator(lambda value: "off" if value is False else value)
"""Marks the fields with the value ``off``, which YAML reads as false."""

_List = BeforeValidator(split_list)
_Once = AfterValidator(_once)
_Number = BeforeValidator(_number)

Duration = Annotated[float, BeforeValidator(parse_duration), SERIALIZED_DURATION]
JobArns = Annotated[tuple[Annotated[str, AfterValidator(_check_arn)], ...], _List, _Once]
TagRules = Annotated[
    tuple[Annotated[str, AfterValidator(_check_tag)], ...],
    _List,
    BeforeValidator(_tag_list),
    _Once,
    AfterValidator(_check_tag_keys),
]
Regions = Annotated[tuple[Annotated[str, AfterValidator(_check_region)], ...], _List, _Once]
Regex = Annotated[str, AfterValidator(_check_regex)]
TargetName = Annotated[str, AfterValidator(_check_name)]
QueueUrl = Annotated[str, AfterValidator(_check_queue_url)]
RoleArn = Annotated[str, AfterValidator(_check_role)]
MetricNames = Annotated[tuple[Annotated[str, AfterValidator(_check_metric)], ...], _List, _Once]
TagKeys = Annotated[tuple[str, ...], _List, _Once, AfterValidator(_check_labels)]
AggregateTagKeys = Annotated[TagKeys, AfterValidator(_check_few)]
JobLimit = Annotated[int, _Number, AfterValidator(_check_most_jobs)]
Rate = Annotated[float, _Number, AfterValidator(_check_rate)]
ListenAddress = Annotated[str, BeforeValidator(_check_listen)]
FilePath = Annotated[str, AfterValidator(_check_path)]
Shard = Annotated[int, _Number, BeforeValidator(_ordinal)]
Count = Annotated[int, _Number]
