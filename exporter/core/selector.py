"""Selection of discovered jobs by tags and name. Pure."""

import re
from typing import NamedTuple

from exporter.core.jobs import JobSummary


class TagRule(NamedTuple):
    """A condition on a tag: the job has it with one of the values, or with any value if these are ``None``."""

    key: str
    values: frozenset[str] | None


class Selector(NamedTuple):
    """Selects jobs by tags and name.

    Attributes:
        tags: the conditions, all of which must hold; without any, no job is selected by its tags.
        all_jobs: whether every job is selected.
        name: the pattern for the whole name of a selected job; ``None`` matches all.
    """

    tags: tuple[TagRule, ...] = ()
    all_jobs: bool = False
    name: re.Pattern[str] | None = None

    def selects(self, job: JobSummary) -> bool:
        """Return whether the job is selected."""
        if self.name is not None and self.name.fullmatch(job.name) is None:
            return False
        return self.all_jobs or (bool(self.tags) and all(_holds(rule, job) for rule in self.tags))


def parse_tag_rule(text: str) -> TagRule:
    """Read ``key=value``, ``key=this|that`` or ``key=*``.

    Raises:
        ValueError: it is none of them.
    """
    key, equals, values = (part.strip() for part in text.partition("="))
    if not key or not equals:
        raise ValueError("expected key=value, key=this|that or key=*")
    return TagRule(key, None if values == "*" else frozenset(value.strip() for value in values.split("|")))


def _holds(rule: TagRule, job: JobSummary) -> bool:
    value = None if job.tags is None else job.tags.get(rule.key)
    return value is not None and (rule.values is None or value in rule.values)
