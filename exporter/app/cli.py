"""The command line. It and ``exporter.app.daemon`` are the only readers of the settings."""

import argparse
import os
import sys
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from functools import partial
from typing import Final

import yaml

from exporter import __version__
from exporter.app import build as setup
from exporter.app import daemon as app
from exporter.app import demo
from exporter.app.arguments import CommandLine, Grammar, read_arguments
from exporter.app.build import StartError
from exporter.app.cost_estimate import Demand, Prediction, predict
from exporter.app.load_settings import CONFIG_VARIABLE, load
from exporter.app.permission_check import ask_all, uncounted
from exporter.app.permission_report import report
from exporter.app.setting_warnings import environment_warnings, warnings_of
from exporter.app.settings import ENV_PREFIX, SCALAR_KEYS, Settings, SettingsError, format_default
from exporter.app.signals import interrupted_by_signals
from exporter.aws.client import BraketClient
from exporter.core.clock import Clock
from exporter.core.targets import Lane
from exporter.core.text import format_duration, parse_duration, shown
from exporter.metrics.families import job_families

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
        problems.append(f"{_TIMEOUT} = {shown(flags[_TIMEOUT])}: {error}")
    return problems


def _key(flag: str) -> str:
    return flag.removeprefix("--").replace("-", "_")


def _flag(key: str) -> str:
    return f"--{key.replace('_', '-')}"


def _run(flags: Flags, config: str | None, _: Flags) -> int:
    return app.run(partial(load, flags, os.environ, config), config)


def _once(flags: Flags, config: str | None, own: Flags) -> int:
    timeout = parse_duration(own.get(_TIMEOUT, _DEFAULT_TIMEOUT))
    result = app.once(load(flags, os.environ, config), timeout)
    _write(result.page)
    if result.missing:
        raise IncompleteError("; ".join(result.missing))
    return 0


def _check_config(flags: Flags, config: str | None, own: Flags) -> int:
    online = _ONLINE in own
    settings = load(flags, os.environ, config)
    setup.guard_of(settings)
    setup.check_state_file(settings)
    sessions: setup.Sessions = {}
    lanes = setup.lanes(settings, sessions)
    if not online:
        _write(describe(settings, lanes).encode())
        return 0
    since = Clock().wall() - settings.lookback
    clients = [BraketClient(sessions[lane.login], lane.target, uncounted) for lane in lanes]
    accesses = ask_all(lanes, clients, since)
    found = [access.active for access in accesses]
    _write((describe(settings, lanes, found) + report(accesses)).encode())
    return 0 if all(access.complete for access in accesses) else 1


def _demo(flags: Flags, config: str | None, _: Flags) -> int:
    with demo.endpoint():
        return app.run(partial(load, flags, os.environ, config, demo.DEFAULTS), config, _greet, warn=False)


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


def describe(settings: Settings, lanes: Sequence[Lane], found: Sequence[int] = ()) -> str:
    """Write the effective settings as YAML, with what they will cost as comments.

    Args:
        settings: the settings.
        lanes: what is polled.
        found: the number of active jobs that each lane's selector found, if AWS was called.
    """
    families = job_families(settings.tag_labels) if settings.per_job_metrics else ()
    cost = predict(
        [
            Demand(len(lane.jobs) + active, lane.selector is not None)
            for lane, active in zip(lanes, found or [0] * len(lanes), strict=True)
        ],
        interval=settings.poll_interval,
        discovery_interval=settings.discovery_interval,
        rate=settings.api_requests_per_second,
        max_jobs=settings.max_jobs,
        families=[family for family in families if family.name not in settings.disabled_metrics],
    )
    jobs = sum(len(lane.jobs) for lane in lanes) + sum(found)
    lines = [
        "# The settings are good. In force:",
        yaml.safe_dump(settings.model_dump(mode="json", exclude_none=True), sort_keys=False).rstrip(),
        f"# Predicted with {_plural(jobs, 'active job')} in {_plural(len(lanes), 'target')} (account and Region):",
        f"#   AWS calls: {cost.calls_per_minute:.1f} a minute; finished jobs cost none",
        *(_about_found_jobs(settings, cost) if any(lane.selector for lane in lanes) else ()),
        f"#   an active job is at most {format_duration(round(cost.staleness, 1))} stale",
        f"#   series of jobs: {cost.series_of_jobs}, {cost.series_per_job} for each",
        f"#   with max_jobs never more than about {cost.most_series_of_jobs}",
        f"#   series of the fleet: {cost.series_per_device} for each device that jobs run on",
        *(
            f"# Warning: {setting}: {message}"
            for setting, message in (
                *warnings_of(settings, [lane.target.region for lane in lanes]),
                *environment_warnings(settings),
            )
        ),
    ]
    return "\n".join(lines) + "\n"


def _about_found_jobs(settings: Settings, cost: Prediction) -> list[str]:
    return [
        f"#   and for each active job that is found: {cost.calls_per_found_job:.1f} a minute",
        f"#   with more than {cost.alone} of them in a target, one call tells the status of up to 100",
        f"#   at the start, then once an hour: one call for 100 jobs of the last {format_duration(settings.lookback)}",
        f"#   never more than {cost.most_calls_per_minute:.0f} a minute",
    ]


def _plural(count: int, noun: str) -> str:
    return f"{count} {noun}" if count == 1 else f"{count} {noun}s"


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
