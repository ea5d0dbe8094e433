"""The command line. It and ``exporter.app`` are the only readers of the settings."""

import argparse
import os
import sys
from collections.abc import Callable, Iterator, Sequence
from functools import partial
from itertools import pairwise
from typing import Any, Final

import yaml

from exporter import __version__, app, demo, setup
from exporter.braket import BraketClient
from exporter.clock import Clock
from exporter.families import job_families
from exporter.lanes import Lane
from exporter.permissions import ask_all, report, uncounted
from exporter.predict import Demand, Prediction, predict
from exporter.settings import ENV_PREFIX, SCALAR_KEYS, Settings, SettingsError, format_default
from exporter.setup import StartError
from exporter.signals import interrupted_by_signals
from exporter.sources import CONFIG_VARIABLE, load
from exporter.values import format_duration

Flags = dict[str, Any]

_PROGRAM: Final = "braket-exporter"
_COMMAND: Final = "the command"
"""Where the parser keeps it: under a name that no flag can have."""

_ONLINE: Final = "online"

_DESCRIPTION: Final = """\
Prometheus exporter for Amazon Braket hybrid jobs.

commands:
  run           poll and serve metrics until SIGTERM or SIGINT (the default); SIGHUP reads --config anew
  once          poll everything once, write the metrics to stdout; exits 1 if a target did not answer
  check-config  say whether the settings are good, and what they will cost in calls and series;
                with --online, ask AWS, too, and say what is denied; exits 1 if anything is
  demo          try it: an embedded Braket endpoint with lively jobs; no AWS account, no network"""

_EPILOG: Final = f"""\
Each setting is a flag, a variable or a key of the YAML file, in this order of precedence:
  --poll-interval 10s        {ENV_PREFIX}POLL_INTERVAL=10s        poll_interval: 10s
Lists are comma-separated or JSON. Durations are 30s, 5m, 24h, 7d or seconds.
AWS credentials, endpoints and proxies are found as every AWS SDK finds them.

examples:
  braket-exporter demo
  braket-exporter --jobs arn:aws:braket:us-west-2:123456789012:job/0a1b2c3d
  braket-exporter check-config --config exporter.yaml --online

exit status: 0 after SIGTERM or SIGINT, 2 for bad settings, 1 for anything else;
             once and check-config end with 1 when a signal interrupts them"""


class OutputError(Exception):
    """What a command made could not be written."""


def main(arguments: Sequence[str] | None = None) -> int:
    """Run a command; return the exit status."""
    given = [*_spelled_out(sys.argv[1:] if arguments is None else arguments)]
    flags = vars(_parser(given).parse_intermixed_args(given))
    command = flags.pop(_COMMAND)
    config = flags.pop("config", os.environ.get(CONFIG_VARIABLE) or None)
    try:
        with interrupted_by_signals():
            _check_online(command, flags)
            return COMMANDS[command](flags, config)
    except SettingsError as error:
        _tell(f"{_PROGRAM}: bad settings:", *(f"  {problem}" for problem in error.problems))
        return 2
    except (StartError, OutputError) as error:
        _tell(f"{_PROGRAM}: {error}")
        return 1
    except KeyboardInterrupt:
        if command not in _UNDONE:
            return 0
        _tell(f"{_PROGRAM}: interrupted before {_UNDONE[command]}")
        return 1


def _check_online(command: str, flags: Flags) -> None:
    if _ONLINE in flags and command != "check-config":
        raise SettingsError([f"--{_ONLINE}: goes with check-config only, not with {command}"])


def _run(flags: Flags, config: str | None) -> int:
    return app.run(partial(load, flags, os.environ, config), config)


def _once(flags: Flags, config: str | None) -> int:
    page, all_answered = app.once(load(flags, os.environ, config))
    _write(page)
    return 0 if all_answered else 1


def _check_config(flags: Flags, config: str | None) -> int:
    online = flags.pop(_ONLINE, False)
    settings = load(flags, os.environ, config)
    setup.guard_of(settings)
    setup.check_state_file(settings)
    sessions: setup.Sessions = {}
    lanes = setup.lanes(settings, sessions)
    warnings = "".join(f"# Warning: {text}\n" for text in setup.environment_warnings(settings))
    if not online:
        _write((describe(settings, lanes) + warnings).encode())
        return 0
    since = Clock().wall() - settings.lookback
    clients = [BraketClient(sessions[lane.login], lane.target, uncounted) for lane in lanes]
    accesses = ask_all(lanes, clients, since)
    found = [access.active for access in accesses]
    _write((describe(settings, lanes, found) + warnings + report(accesses)).encode())
    return 0 if all(access.complete for access in accesses) else 1


def _demo(flags: Flags, config: str | None) -> int:
    with demo.endpoint():
        return app.run(partial(load, flags, os.environ, config, demo.DEFAULTS), config, _greet)


COMMANDS: Final[dict[str, Callable[[Flags, str | None], int]]] = {
    "run": _run,
    "once": _once,
    "check-config": _check_config,
    "demo": _demo,
}


_UNDONE: Final = {"once": "every job was asked for", "check-config": "everything was checked"}
"""The commands whose result a signal takes away, and what was not done then."""


_FLAGS: Final = {
    "--",
    "--help",
    "--version",
    "--config",
    f"--{_ONLINE}",
    *(f"--{key.replace('_', '-')}" for key in SCALAR_KEYS),
}


_SWITCHES: Final = {
    f"--{key.replace('_', '-')}" for key in SCALAR_KEYS if Settings.model_fields[key].annotation is bool
}
_TRUTH_VALUES: Final = {"true", "false", "yes", "no", "on", "off", "t", "f", "y", "n", "1", "0"}


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
        # What stays in the buffer would fail once more, and be told once more, when the interpreter ends.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        raise OutputError(f"cannot write to stdout: {error.strerror}") from error


def _tell(*lines: str) -> None:
    sys.stderr.write("".join(f"{line}\n" for line in lines))


def _spelled_out(given: Sequence[str]) -> Iterator[str]:
    """Give each switch its value where people left it out: ``--all-jobs`` means ``--all-jobs=true``."""
    for text, following in pairwise((*given, "")):
        yield f"{text}=true" if text in _SWITCHES and following.lower() not in _TRUTH_VALUES else text


def _parser(given: Sequence[str]) -> argparse.ArgumentParser:
    """Make the parser; a flag that is no setting is taken in, too, for the settings to say which one is near."""
    parser = argparse.ArgumentParser(
        prog=_PROGRAM,
        usage="%(prog)s [COMMAND] [--config FILE] [--KEY VALUE ...]",
        description=_DESCRIPTION,
        epilog=_EPILOG,
        formatter_class=argparse.RawDescriptionHelpFormatter,
        argument_default=argparse.SUPPRESS,
        allow_abbrev=False,
    )
    parser.add_argument(_COMMAND, metavar="command", nargs="?", choices=COMMANDS, default="run", help=argparse.SUPPRESS)
    parser.add_argument("--config", metavar="FILE", help=f"YAML file with settings; also {CONFIG_VARIABLE}")
    parser.add_argument(
        f"--{_ONLINE}", action="store_true", help="with check-config: ask AWS who we are and whether we may poll"
    )
    parser.add_argument("--version", action="version", version=f"{_PROGRAM} {__version__}")
    settings = parser.add_argument_group("settings")
    for key in SCALAR_KEYS:
        field, default = Settings.model_fields[key], format_default(key)
        note = f" (default: {default})" if default else ""
        text = f"{field.description}{note}".replace("%", "%%")
        flag = f"--{key.replace('_', '-')}"
        settings.add_argument(flag, metavar="[VALUE]" if flag in _SWITCHES else "VALUE", help=text)
    for flag in sorted({text.partition("=")[0] for text in given if text.startswith("--")}.difference(_FLAGS)):
        parser.add_argument(flag, nargs="?", help=argparse.SUPPRESS)
    return parser
