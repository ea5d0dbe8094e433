"""The command line: commands, exit statuses and ``--help``."""

import gc
import os
import sys
from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from contextlib import contextmanager
from functools import partial
from typing import Any, Final

from exporter.app import command_help, demo
from exporter.app.arguments import CommandLine, Grammar, read_arguments
from exporter.app.command_errors import (
    IncompleteError,
    OutputError,
    SourceError,
    StartError,
    UsageError,
    print_to_stderr,
)
from exporter.app.jobs_options import CHECKS, read_options
from exporter.app.load_settings import CONFIG_VARIABLE, load
from exporter.app.settings import SCALAR_KEYS, Settings, SettingsError, flag_of
from exporter.app.signals import interrupted_by_signals
from exporter.core import format_value, parse_duration

Flags = Mapping[str, str]

_YOUNG_OBJECTS: Final = 5_000
"""New objects at which Python looks for cycles among them. At its default of 700, this takes 4 % of a first fill."""

_NO_THREAD: Final = "can't start new thread"
"""The text of Python's RuntimeError."""


def main(arguments: Sequence[str] | None = None) -> int:
    """Run a command; return the exit status."""
    line = read_arguments(sys.argv[1:] if arguments is None else arguments, GRAMMAR)
    try:
        with interrupted_by_signals():
            return _dispatch(line)
    except UsageError as error:
        print_to_stderr(f"{command_help.PROGRAM}: {error}", f"{command_help.PROGRAM} --help lists commands and flags.")
        return 2
    except SettingsError as error:
        print_to_stderr(f"{command_help.PROGRAM}: invalid settings:", *(f"  {problem}" for problem in error.problems))
        return 2
    except KeyboardInterrupt:
        if line.command not in _INTERRUPTED:
            return 0
        print_to_stderr(f"{command_help.PROGRAM}: interrupted before {_INTERRUPTED[line.command]}")
        return 1
    except (StartError, OutputError, IncompleteError, SourceError, MemoryError, RuntimeError) as error:
        print_to_stderr(f"{command_help.PROGRAM}: {_cause(error)}")
        return 1


def _cause(error: Exception) -> str:
    """Return the reason for the end of a command in one line; raise a bug again."""
    if isinstance(error, MemoryError):
        return "out of memory; raise the memory limit"
    if isinstance(error, RuntimeError) and _NO_THREAD in str(error):
        return "cannot start a thread; raise the limits of memory and of processes"
    if isinstance(error, RuntimeError):
        raise error
    return str(error)


def _dispatch(line: CommandLine) -> int:
    if "--version" in line.flags:
        from exporter.app.help_text import version_text

        _write(version_text().encode())
        return 0
    if line.command is None:
        raise UsageError("; ".join(line.problems))
    if not {"--help", "-h"}.isdisjoint(line.flags):
        from exporter.app.help_text import help_text

        command = line.command if line.names_command else None
        _write(help_text(command, DEFAULTS.get(line.command)).encode())
        return 0
    return _run_command(line.command, line)


def _run_command(command: str, line: CommandLine) -> int:
    config = line.flags.get("--config", os.environ.get(CONFIG_VARIABLE) or None)
    flags = {_key(flag): value for flag, value in line.flags.items() if flag in _SETTINGS}
    problems = [*line.problems, *_misplaced(command, line.flags)]
    if problems:
        own = () if command_help.URL in line.flags else _setting_problems(command, flags, config, line.suggested)
        raise SettingsError([*problems, *own])
    return COMMANDS[command](flags, config, {flag: line.flags[flag] for flag in _COMMAND_FLAGS if flag in line.flags})


def _setting_problems(command: str, flags: Flags, config: str | None, suggested: Collection[str]) -> Sequence[str]:
    """List the problems of the settings on an invalid command line, without those that only follow from it.

    "nothing to watch" is not listed, because the invalid part of the command line may stand for ``--jobs``.
    """
    meant, has_files = {*map(_key, suggested), "jobs"}, command in _WITH_FILES
    files = _file_problems if has_files else None
    try:
        settings = load(flags, os.environ, config, DEFAULTS.get(command, {}), meant, files=files)
    except SettingsError as error:
        return error.problems
    return _file_problems(settings.model_dump()) if has_files else ()


def _misplaced(command: str, flags: Mapping[str, str]) -> list[str]:
    """List the problems of the flags that are not settings."""
    problems = [
        f"{flag} is valid only with {' and '.join(owners)}, not with {command}"
        for flag, owners in _COMMAND_FLAGS.items()
        if flag in flags and command not in owners
    ]
    for flag, check in {command_help.TIMEOUT: parse_duration, **CHECKS}.items():
        try:
            if flag in flags:
                check(flags[flag])
        except ValueError as error:
            problems.append(f"{flag} = {format_value(flags[flag])}: {error}")
    return problems


def _key(flag: str) -> str:
    return flag.removeprefix("--").replace("-", "_")


def _file_problems(given: Mapping[str, Any]) -> tuple[str, ...]:
    from exporter.app.setting_files import file_problems

    return file_problems(given)


@contextmanager
def _loading() -> Iterator[None]:
    """Load the modules of a command; start garbage collection, which imports do without (see ``__main__``).

    Raises:
        StartError: the memory limit is too low for the libraries.
    """
    try:
        yield
    except (ImportError, MemoryError, OSError) as error:
        raise StartError(f"cannot load its modules: {type(error).__name__}: {error}".strip(": ")) from error
    if not gc.isenabled():
        gc.freeze()
        gc.set_threshold(_YOUNG_OBJECTS)
        gc.enable()


def _run(flags: Flags, config: str | None, _: Flags) -> int:
    with _loading():
        from exporter.app import daemon
    return daemon.run(partial(load, flags, os.environ, config, files=_file_problems), config)


def _once(flags: Flags, config: str | None, own: Flags) -> int:
    with _loading():
        from exporter.app.once import once
    timeout = parse_duration(own.get(command_help.TIMEOUT, command_help.DEFAULT_TIMEOUT))
    result = once(load(flags, os.environ, config), timeout)
    _write(result.page)
    if result.missing:
        raise IncompleteError("; ".join(result.missing))
    return 0


def _jobs(flags: Flags, config: str | None, own: Flags) -> int:
    with _loading():
        from exporter.app.jobs_command import list_jobs
    read = partial(load, flags, os.environ, config, DEFAULTS["jobs"])
    output = list_jobs(read_options(own, command_help.DEFAULT_TIMEOUT), read)
    _write(output.text.encode(errors="replace"))
    if output.notes:
        print_to_stderr(*(f"{command_help.PROGRAM}: {note}" for note in output.notes))
    if output.missing:
        raise IncompleteError("; ".join(output.missing))
    return 0


def _check_config(flags: Flags, config: str | None, own: Flags) -> int:
    with _loading():
        from exporter.app.check_config import check_config
    settings = load(flags, os.environ, config, files=_file_problems)
    checked = check_config(settings, online=command_help.ONLINE in own)
    _write(checked.text.encode())
    return 0 if checked.permitted else 1


def _demo(flags: Flags, config: str | None, own: Flags) -> int:
    with _loading():
        from exporter.app import daemon
    read = partial(load, flags, os.environ, config, files=_file_problems)
    rate = read(DEFAULTS["demo"]).api_requests_per_second
    with demo.endpoint(events=command_help.EVENTS in own) as simulated:
        defaults = {**DEFAULTS["demo"], "event_queue_url": simulated.queue_url}

        def announce(url: str, *, polled: bool) -> None:
            print_to_stderr(*demo.banner(url, simulated, rate, polled=polled))

        return daemon.run(partial(read, defaults), config, announce, warn=False)


COMMANDS: Final[dict[str, Callable[[Flags, str | None, Flags], int]]] = {
    "run": _run,
    "once": _once,
    "jobs": _jobs,
    "check-config": _check_config,
    "demo": _demo,
}

DEFAULTS: Final[Mapping[str, Mapping[str, Any]]] = {"demo": demo.DEFAULTS, "jobs": {"log_level": "warning"}}
"""The defaults of a command that differ from those of the settings. A table is readable without lines of progress."""


_WITH_FILES: Final = ("run", "check-config", "demo")
"""The commands that use the state file and the web configuration file."""


_INTERRUPTED: Final = {
    "once": "every job was polled",
    "jobs": "every job was listed",
    "check-config": "everything was checked",
}
"""The commands without a result after a signal, and their unfinished work."""


_COMMAND_FLAGS: Final = {flag: command_help.commands_of(flag) for flag in command_help.OWN_FLAGS}
"""The flags that are not settings, each with its commands."""

_SETTINGS: Final = tuple(map(flag_of, SCALAR_KEYS))
_SWITCHES: Final = tuple(flag_of(key) for key in SCALAR_KEYS if Settings.model_fields[key].annotation is bool)
_LISTS: Final = tuple(flag_of(key) for key in SCALAR_KEYS if Settings.model_fields[key].default == ())

GRAMMAR: Final = Grammar(
    commands=tuple(COMMANDS),
    valued=(
        "--config",
        *(name for name, flag in command_help.OWN_FLAGS.items() if flag.metavar),
        *(flag for flag in _SETTINGS if flag not in _SWITCHES),
    ),
    switches=_SWITCHES,
    valueless=(
        *(name for name, flag in command_help.OWN_FLAGS.items() if not flag.metavar),
        "--help",
        "-h",
        "--version",
    ),
    unsupported={"--targets": "--targets: set targets in the YAML file; it cannot be a flag"},
    repeatable=(command_help.STATUS,),
    lists=(command_help.STATUS, *_LISTS),
)


def _write(page: bytes) -> None:
    """Write all bytes to stdout.

    Raises:
        OutputError: the disk is full, the pipe is closed, or there is no stdout.
    """
    if sys.stdout is None:
        raise OutputError("cannot write to stdout: it is closed")
    try:
        sys.stdout.buffer.write(page)
        sys.stdout.buffer.flush()
    except OSError as error:
        # The interpreter would flush the buffer at its end, fail again and report that.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        raise OutputError(f"cannot write to stdout: {error.strerror}") from error
