"""Reads YAML with PyYAML, without what surprises: duplicate keys, unbounded aliases, values in error messages."""

import re
from typing import Any, Final

import yaml

from exporter.core.text import format_name

MOST_REPEATED: Final = 10_000
"""The most YAML values that aliases may repeat: nested aliases in a few lines can expand to billions of values."""

_QUOTED: Final = re.compile(r" ['\"](?!<)[^'\"]{2,}['\"]")
_MERGE: Final = "tag:yaml.org,2002:merge"
_TAB: Final = repr("\t")
"""A tab in PyYAML's messages."""


def read_yaml(text: str) -> Any:  # noqa: ANN401 -- any value
    """Read a YAML document.

    Raises:
        ValueError: it is not valid YAML, or has a key twice. The message quotes no value.
    """
    try:
        return _Loader(text).get_single_data()
    except yaml.MarkedYAMLError as error:
        mark = error.problem_mark
        where = "" if mark is None else f"line {mark.line + 1}, column {mark.column + 1}: "
        raise ValueError(f"{where}{_unquoted(error)}") from error
    except yaml.YAMLError as error:
        raise ValueError(f"not valid YAML: {' '.join(str(error).split())}") from error
    except RecursionError as error:
        raise ValueError("nested too deeply") from error


def _unquoted(error: yaml.MarkedYAMLError) -> str:
    """Return the problem without quoted text, which may be a password; the position shows where it is."""
    if isinstance(error, _RefusedError):
        return str(error.problem)
    if _TAB in str(error.problem):
        return "YAML does not accept this tab; replace it with spaces"
    return f"not valid YAML: {_QUOTED.sub('', str(error.problem))}"


class _RefusedError(yaml.MarkedYAMLError):
    """Valid YAML that this exporter does not accept."""


class _Loader(yaml.SafeLoader):
    """Rejects duplicate keys and unbounded aliases. PyYAML silently takes the last of several values."""

    def __init__(self, text: str) -> None:
        super().__init__(text)
        self._values = self._repeated = 0
        self._sizes: dict[int, int] = {}
        """The number of values in a node, including those that aliases repeat."""

    def compose_node(self, parent: yaml.Node | None, index: int) -> yaml.Node | None:
        """Count each value, including those that an alias repeats."""
        alias = self.peek_event() if self.check_event(yaml.AliasEvent) else None  # type: ignore[no-untyped-call]
        before = self._values
        node: yaml.Node | None = super().compose_node(parent, index)
        if alias is None:
            self._values += 1
            self._sizes[id(node)] = self._values - before
            return node
        size = self._sizes.get(id(node))
        if size is None:
            raise _RefusedError(problem="an alias is inside its own anchor", problem_mark=alias.start_mark)
        self._values += size
        self._repeated += size
        if self._repeated > MOST_REPEATED:
            problem = f"aliases repeat more than {MOST_REPEATED} values; write them out"
            raise _RefusedError(problem=problem, problem_mark=alias.start_mark)
        return node

    def compose_mapping_node(self, anchor: dict[Any, yaml.Node]) -> yaml.MappingNode:
        """Reject a duplicate key, before merge keys add keys that may be overridden."""
        node = super().compose_mapping_node(anchor)
        lines: dict[object, int] = {}
        for key, _ in node.value:
            name, line = self._name(key), key.start_mark.line + 1
            if name in lines:
                problem = f"duplicate key {format_name(key.value)}, first on line {lines[name]}; keep one of them"
                raise _RefusedError(problem=problem, problem_mark=key.start_mark)
            lines[name] = line
        return node

    def construct_object(self, node: yaml.Node, deep: bool = False) -> Any:  # noqa: ANN401, FBT001, FBT002 -- PyYAML's signature
        """Report the position of an invalid number or date; Python's own message would quote it."""
        try:
            return super().construct_object(node, deep)
        except ValueError as error:
            problem = "not a valid number or date; put text in quotes"
            raise _RefusedError(problem=problem, problem_mark=node.start_mark) from error

    def _name(self, key: yaml.Node) -> object:
        if not isinstance(key, yaml.ScalarNode):
            raise _RefusedError(problem="a key is a list or a mapping; expected text", problem_mark=key.start_mark)
        return "<<" if key.tag == _MERGE else self.construct_object(key)
