"""Parses a command line into a command, flags with values, and problems. Pure."""

from collections import deque
from collections.abc import Collection, Iterable, Mapping, Sequence
from typing import Final, NamedTuple

from exporter.core import closest_name, format_name, without_login

_TRUTH_VALUES: Final = frozenset({"true", "false", "yes", "no", "on", "off", "t", "f", "y", "n", "1", "0"})

_YAML: Final = (".yaml", ".yml")

LONGEST_EXAMPLE: Final = 120
"""The longest list that a hint repeats, characters."""


class Grammar(NamedTuple):
    """The commands and flags that a command line may have.

    Attributes:
        commands: the names of the commands; the first is the default.
        valued: flags with a value, such as ``--config``.
        switches: flags with ``true`` or ``false``; ``true`` is the default.
        valueless: flags without a value.
        unsupported: the reason for each flag that does not exist.
        repeatable: flags of ``valued`` that join repeated values with commas.
        lists: flags of ``valued`` with a list.
    """

    commands: Sequence[str]
    valued: Collection[str]
    switches: Collection[str]
    valueless: Collection[str]
    unsupported: Mapping[str, str]
    repeatable: Collection[str] = ()
    lists: Collection[str] = ()

    @property
    def flags(self) -> tuple[str, ...]:
        """Every flag."""
        return (*self.valued, *self.switches, *self.valueless)


class CommandLine(NamedTuple):
    """A parsed command line.

    Attributes:
        command: the command; ``None`` for an unknown one.
        flags: the value of each flag; ``true`` for a flag without a value.
        problems: one line for each invalid word.
        suggested: the flags suggested in place of unknown ones.
        names_command: whether the command was typed; otherwise it is the default.
    """

    command: str | None
    flags: Mapping[str, str]
    problems: tuple[str, ...] = ()
    suggested: frozenset[str] = frozenset()
    names_command: bool = True


class _Word(NamedTuple):
    """A word that is neither a flag nor its value.

    Attributes:
        text: the word.
        listed: the flag and its list that the word probably continues; empty without one.
    """

    text: str
    listed: str = ""


def read_arguments(arguments: Iterable[str], grammar: Grammar) -> CommandLine:
    """Read a command line. The last of several values of a flag counts."""
    left, words, listed = deque(arguments), list[_Word](), ""
    flags: dict[str, str] = {}
    problems: list[str] = []
    suggested: set[str] = set()
    while left:
        text = left.popleft()
        name, equals, value = text.partition("=")
        if text == "--":
            words += map(_Word, left)
            break
        if not text.startswith("-") or text == "-":
            listed = f"{listed},{text}" if listed and text not in grammar.commands else ""
            words.append(_Word(text, listed))
            continue
        listed = ""
        if name in grammar.flags:
            try:
                given = value if equals and name not in grammar.valueless else _value(name, equals, left, grammar)
                flags[name] = f"{flags[name]},{given}" if name in flags and name in grammar.repeatable else given
                listed = f"{name} {given}" if name in grammar.lists else ""
            except ValueError as error:
                problems.append(str(error))
                suggested.add(name)
        else:
            found = _suggestion(name, grammar.flags)
            hint = _hint(found) or "; --help lists the flags"
            problems.append(grammar.unsupported.get(name, f"unknown flag {format_name(name)}{hint}"))
            suggested.update(() if found is None else (found,))
            if not equals and _is_value(left) and left[0] not in grammar.commands:
                left.popleft()
    command, *more = words or [_Word(grammar.commands[0])]
    problems += (f"unexpected argument {format_name(word.text)}{_use(word, command.text)}" for word in more)
    if command.text in grammar.commands:
        return CommandLine(command.text, flags, tuple(problems), frozenset(suggested), bool(words))
    return CommandLine(None, flags, (_unknown_command(command, grammar.commands), *problems), frozenset(suggested))


def _value(name: str, equals: str, left: deque[str], grammar: Grammar) -> str:
    """Remove the value of a flag from the following words.

    Raises:
        ValueError: the value is missing or not allowed.
    """
    if name in grammar.valueless:
        if equals:
            raise ValueError(f"{name} does not take a value")
        return "true"
    if name in grammar.switches:
        return left.popleft() if left and _is_truth_value(left[0], grammar.commands) else "true"
    if not _is_value(left):
        raise ValueError(f"{name} needs a value, as in {name} VALUE")
    return left.popleft()


def _is_value(left: Sequence[str]) -> bool:
    return bool(left) and not left[0].startswith("--")


def _is_truth_value(word: str, commands: Collection[str]) -> bool:
    """Return whether a word is the value of a switch, valid or not, rather than a command or a file."""
    if word.lower() in _TRUTH_VALUES:
        return True
    return not word.startswith("-") and not word.endswith(_YAML) and closest_name(word, commands) is None


def _suggestion(name: str, flags: Collection[str]) -> str | None:
    """Return the closest flag; for one letter, the only flag that starts with it.

    For ``--config.file``, as in Prometheus, it is the flag before the dot.
    """
    stem, dot, _ = name.partition(".")
    if dot and stem in flags:
        return stem
    letter = name.strip("-")
    if len(letter) != 1:
        return closest_name(name, flags)
    matches = [flag for flag in flags if flag.startswith(f"--{letter}")]
    return matches[0] if len(matches) == 1 else None


def _unknown_command(command: _Word, commands: Sequence[str]) -> str:
    text = command.text
    found = f"--config {format_name(text)}" if text.endswith(_YAML) else closest_name(text, commands)
    known = _hint(found) or _separate(command.listed) or f"; commands are {', '.join(commands)}"
    return f"unknown command {format_name(text)}{known}"


def _use(word: _Word, command: str) -> str:
    """Return the probable meaning of a second word."""
    if word.text.endswith(_YAML):
        return f" (did you mean --config {format_name(word.text)}?)"
    return _separate(word.listed) or f"; the command is {format_name(command)}"


def _separate(listed: str) -> str:
    """Return a hint about the list that a word continues; empty without one."""
    if not listed:
        return ""
    short = listed.isprintable() and len(listed) <= LONGEST_EXAMPLE
    example = without_login(listed) if short else f"{listed.partition(' ')[0]} VALUE,VALUE"
    return f"; separate the values of a list with commas: {example}"


def _hint(found: str | None) -> str:
    return "" if found is None else f" (did you mean {found}?)"
