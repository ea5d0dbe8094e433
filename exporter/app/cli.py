"""The command line: commands, exit statuses and ``--help``."""

import argparse
import os
import sys
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from functools import partial
from typing import Final

from exporter import __version__
from exporter.app import daemon, demo
from exporter.app.arguments import CommandLine, Grammar, read_arguments
from exporter.app.build import StartError
from exporter.app.check_config import check_config
from exporter.app.load_settings import CONFIG_VARIABLE, load
from exporter.app.once import once
from exporter.app.settings import ENV_PREFIX, SCALAR_KEYS, Settings, SettingsError, format_default
from exporter.app.signals import interrupted_by_signals
from exporter.core import format_value, parse_duration

Flags = Mapping[str, str]

_PROGRAM: Final = "braket-exporter"
_NO_THREAD: Final = "can't start new thread"
"""Python's words."""

_ONLINE: Final = "--online"
_TIMEOUT: Final = "--timeout"
_DEFAULT_TIMEOUT: Final = "5m"

_DESCRIPTION: Final = """\
Prometheus exporter for Amazon Braket hybrid jobs.

commands:
  run           poll and serve metrics until SIGTERM or SIGINT (the default); SIGHUP reloads --config
  once          poll everything once and write the metrics to stdout; exits 1 if a target or a job
                named in jobs does not respond, or after --timeout
  check-config  validate the settings; print them with the predicted API calls and series;
                with --online, also call AWS and print denied permissions; exits 1 if there are any
  demo          an embedded Braket endpoint with simulated jobs; no AWS account, no network"""

_EPILOG: Final = f"""\
Each setting is a flag, a variable or a key of the YAML file, in this order of precedence:
  --poll-interval 10s        {ENV_PREFIX}POLL_INTERVAL=10s        poll_interval: 10s
Lists are comma-separated or JSON. Durations are 30s, 5m, 24h, 7d, 2w, 1h30m or seconds.
AWS credentials, endpoints and proxies come from the AWS SDK's own configuration.

examples:
  braket-exporter demo
  braket-exporter --jobs arn:aws:braket:us-west-2:123456789012:job/0a1b2c3d
  braket-exporter check-config --config exporter.yaml --online

exit status: 0 after SIGTERM or SIGINT, 2 for invalid settings, 1 for anything else;
             once and check-config end with 1 when a signal interrupts them"""


class OutputError(Exception):
    """The output of a command cannot be written."""


class UsageError(Exception):
    """The command line names no known command."""


class IncompleteError(Exception):
    """A command has written its output, and something is missing in it; the text is one line for people."""


def main(arguments: Sequence[str] | None = None) -> int:
    """Run a command; return the exit status."""
    line = read_arguments(sys.argv[1:] if arguments is None else arguments, GRAMMAR)
    try:
        with interrupted_by_signals():
            return _dispatch(line)
    except UsageError as error:
        _tell(f"{_PROGRAM}: {error}", f"{_PROGRAM} --help lists commands and flags.")
        return 2
    except SettingsError as error:
        _tell(f"{_PROGRAM}: invalid settings:", *(f"  {problem}" for problem in error.problems))
        return 2
    except KeyboardInterrupt:
        if line.command not in _UNDONE:
            return 0
        _tell(f"{_PROGRAM}: interrupted before {_UNDONE[line.command]}")
        return 1
    except (StartError, OutputError, IncompleteError, MemoryError, RuntimeError) as error:
        _tell(f"{_PROGRAM}: {_cause(error)}")
        return 1


def _cause(error: Exception) -> str:
    """Write in one line why a command ended; a bug is raised again."""
    if isinstance(error, MemoryError):
        return "out of memory; raise the memory limit"
    if isinstance(error, RuntimeError) and _NO_THREAD in str(error):
        return "cannot start a thread; raise the limits of memory and of processes"
    if isinstance(error, RuntimeError):
        raise error
    return str(error)


def _dispatch(line: CommandLine) -> int:
    if not {"--help", "-h"}.isdisjoint(line.flags):
        _write(_help().encode())
        return 0
    if "--version" in line.flags:
        _write(f"{_PROGRAM} {__version__}\n".encode())
        return 0
    if line.command is None:
        raise UsageError("; ".join(line.problems))
    return _run_command(line.command, line)


def _run_command(command: str, line: CommandLine) -> int:
    config = line.flags.get("--config", os.environ.get(CONFIG_VARIABLE) or None)
    flags = {_key(flag): value for flag, value in line.flags.items() if flag in _SETTINGS}
    problems = [*line.problems, *_misplaced(command, line.flags)]
    if problems:
        # Beside them the settings' own problems, but for those that only follow from a misspelled flag.
        try:
            load(flags, os.environ, config, demo.DEFAULTS if command == "demo" else {}, {*map(_key, line.meant)})
        except SettingsError as error:
            problems += error.problems
        raise SettingsError(problems)
    return COMMANDS[command](flags, config, {flag: line.flags[flag] for flag in _OF_COMMANDS if flag in line.flags})


def _misplaced(command: str, flags: Mapping[str, str]) -> list[str]:
    """List the problems of the flags that are not settings."""
    problems = [
        f"{flag} is valid only with {owner}, not with {command}"
        for flag, owner in _OF_COMMANDS.items()
        if flag in flags and owner != command
    ]
    try:
        parse_duration(flags.get(_TIMEOUT, _DEFAULT_TIMEOUT))
    except ValueError as error:
        problems.append(f"{_TIMEOUT} = {format_value(flags[_TIMEOUT])}: {error}")
    return problems


def _key(flag: str) -> str:
    return flag.removeprefix("--").replace("-", "_")


def _flag(key: str) -> str:
    return f"--{key.replace('_', '-')}"


def _run(flags: Flags, config: str | None, _: Flags) -> int:
    return daemon.run(partial(load, flags, os.environ, config), config)


def _once(flags: Flags, config: str | None, own: Flags) -> int:
    timeout = parse_duration(own.get(_TIMEOUT, _DEFAULT_TIMEOUT))
    result = once(load(flags, os.environ, config), timeout)
    _write(result.page)
    if result.missing:
        raise IncompleteError("; ".join(result.missing))
    return 0


def _check_config(flags: Flags, config: str | None, own: Flags) -> int:
    checked = check_config(load(flags, os.environ, config), online=_ONLINE in own)
    _write(checked.text.encode())
    return 0 if checked.permitted else 1


def _demo(flags: Flags, config: str | None, _: Flags) -> int:
    with demo.endpoint():
        return daemon.run(partial(load, flags, os.environ, config, demo.DEFAULTS), config, _greet, warn=False)


COMMANDS: Final[dict[str, Callable[[Flags, str | None, Flags], int]]] = {
    "run": _run,
    "once": _once,
    "check-config": _check_config,
    "demo": _demo,
}


_UNDONE: Final = {"once": "every job was polled", "check-config": "everything was checked"}
"""The commands whose result a signal takes away, and what was not done then."""


_OF_COMMANDS: Final = {_ONLINE: "check-config", _TIMEOUT: "once"}
"""The flags that are not settings, each with its command."""

_SETTINGS: Final = tuple(map(_flag, SCALAR_KEYS))
_SWITCHES: Final = tuple(_flag(key) for key in SCALAR_KEYS if Settings.model_fields[key].annotation is bool)

GRAMMAR: Final = Grammar(
    commands=tuple(COMMANDS),
    valued=("--config", _TIMEOUT, *(flag for flag in _SETTINGS if flag not in _SWITCHES)),
    switches=_SWITCHES,
    bare=(_ONLINE, "--help", "-h", "--version"),
    elsewhere={"--targets": "--targets: set targets in the YAML file; it cannot be a flag"},
)


def _greet(scheme: str, address: tuple[str, int]) -> None:
    url = f"{scheme}://localhost:{address[1]}"
    _tell(
        "",
        "The demo runs: simulated hybrid jobs whose hours pass in minutes. Open",
        f"  {url}/         the page for people",
        f"  {url}/metrics  what Prometheus scrapes",
        "Below are the exporter's log lines. Ctrl-C ends it.",
        "",
    )


def _write(page: bytes) -> None:
    """Write to stdout, to the last byte.

    Raises:
        OutputError: the disk is full, the reader went away, or there is no stdout.
    """
    if sys.stdout is None:
        raise OutputError("cannot write to stdout: it is closed")
    try:
        sys.stdout.buffer.write(page)
        sys.stdout.buffer.flush()
    except OSError as error:
        # What stays in the buffer would fail again, and be reported again, when the interpreter ends.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        raise OutputError(f"cannot write to stdout: {error.strerror}") from error


def _tell(*lines: str) -> None:
    with suppress(OSError):  # where stderr takes nothing, the exit status has to do
        sys.stderr.write("".join(f"{line}\n" for line in lines))


def _help() -> str:
    """Write what ``--help`` prints."""
    parser = argparse.ArgumentParser(
        prog=_PROGRAM,
        usage="%(prog)s [COMMAND] [--config FILE] [--KEY VALUE ...]",
        description=_DESCRIPTION,
        epilog=_EPILOG,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("--config", metavar="FILE", help=f"YAML file with settings; also {CONFIG_VARIABLE}")
    parser.add_argument(_ONLINE, action="store_true", help="with check-config: also call AWS, and check permissions")
    timeout = f"with once: end after this time at the latest (default: {_DEFAULT_TIMEOUT})"
    parser.add_argument(_TIMEOUT, metavar="DURATION", help=timeout)
    parser.add_argument("--version", action="store_true", help="print the version")
    settings = parser.add_argument_group("settings")
    for key in SCALAR_KEYS:
        field, default = Settings.model_fields[key], format_default(key)
        note = f" (default: {default})" if default else ""
        text = f"{field.description}{note}".replace("%", "%%")
        settings.add_argument(_flag(key), metavar="[VALUE]" if _flag(key) in _SWITCHES else "VALUE", help=text)
    return parser.format_help()
