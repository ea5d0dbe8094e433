"""The words of a command line: a command, flags with their values, and what is wrong with them. Pure."""

from collections import deque
from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Final

from exporter.core import closest_name, format_name

_TRUTH_VALUES: Final = frozenset({"true", "false", "yes", "no", "on", "off", "t", "f", "y", "n", "1", "0"})


@dataclass(frozen=True, slots=True)
class Grammar:
    """The words of a command line.

    Attributes:
        commands: the names of the commands; the first is the default.
        valued: flags that take a value, such as ``--config``.
        switches: flags that take ``true`` or ``false``, and are true without it.
        bare: flags that take no value.
        elsewhere: flags that do not exist, each with the reason.
    """

    commands: Sequence[str]
    valued: Collection[str]
    switches: Collection[str]
    bare: Collection[str]
    elsewhere: Mapping[str, str]

    @property
    def flags(self) -> tuple[str, ...]:
        """Every flag."""
        return (*self.valued, *self.switches, *self.bare)


@dataclass(frozen=True, slots=True)
class CommandLine:
    """A command line that was read.

    Attributes:
        command: the command; ``None`` for an unknown one.
        flags: the value of each flag; ``true`` where it takes none.
        problems: a line for each word that is wrong.
        meant: the flags that unknown ones probably mean.
    """

    command: str | None
    flags: Mapping[str, str]
    problems: tuple[str, ...] = ()
    meant: frozenset[str] = frozenset()


def read_arguments(arguments: Iterable[str], grammar: Grammar) -> CommandLine:
    """Read a command line. The last of several values of a flag counts."""
    left, words = deque(arguments), list[str]()
    flags: dict[str, str] = {}
    problems: list[str] = []
    meant: set[str] = set()
    while left:
        text = left.popleft()
        name, equals, value = text.partition("=")
        if text == "--":
            words += left
            break
        if not text.startswith("-") or text == "-":
            words.append(text)
        elif name in grammar.flags:
            try:
                flags[name] = value if equals and name not in grammar.bare else _value(name, equals, left, grammar)
            except ValueError as error:
                problems.append(str(error))
                meant.add(name)
        else:
            found = _meant(name, grammar.flags)
            problems.append(grammar.elsewhere.get(name, f"unknown flag {format_name(name)}{_hint(found)}"))
            meant.update(() if found is None else (found,))
            if not equals and _is_value(left) and left[0] not in grammar.commands:
                left.popleft()
    command, *more = words or grammar.commands[:1]
    problems += (f"unexpected argument {format_name(word)}; the command is {format_name(command)}" for word in more)
    if command in grammar.commands:
        return CommandLine(command, flags, tuple(problems), frozenset(meant))
    return CommandLine(None, flags, (_unknown_command(command, grammar.commands), *problems), frozenset(meant))


def _value(name: str, equals: str, left: deque[str], grammar: Grammar) -> str:
    """Take the value of a flag from the words behind it.

    Raises:
        ValueError: the flag needs one, or takes none.
    """
    if name in grammar.bare:
        if equals:
            raise ValueError(f"{name} takes no value")
        return "true"
    if name in grammar.switches:
        return left.popleft() if left and left[0].lower() in _TRUTH_VALUES else "true"
    if not _is_value(left):
        raise ValueError(f"{name} needs a value, as in {name} VALUE")
    return left.popleft()


def _is_value(left: Sequence[str]) -> bool:
    return bool(left) and not left[0].startswith("--")


def _meant(name: str, flags: Collection[str]) -> str | None:
    """Find the flag that was probably meant; a letter means the only flag that begins with it."""
    letter = name.strip("-")
    if len(letter) != 1:
        return closest_name(name, flags)
    begin_so = [flag for flag in flags if flag.startswith(f"--{letter}")]
    return begin_so[0] if len(begin_so) == 1 else None


def _unknown_command(command: str, commands: Sequence[str]) -> str:
    found = closest_name(command, commands)
    known = f"; commands are {', '.join(commands)}" if found is None else _hint(found)
    return f"unknown command {format_name(command)}{known}"


def _hint(found: str | None) -> str:
    return "" if found is None else f" (did you mean {found}?)"
