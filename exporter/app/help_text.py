"""The texts of ``--help``: the overview, and the help of one command."""

import argparse
import re
import textwrap
from collections.abc import Mapping, Sequence
from typing import Any, Final, Literal, get_args, get_origin

from pydantic.fields import FieldInfo

from exporter import __version__
from exporter.app.command_help import COMMANDS, OWN_FLAGS, PROGRAM, CommandHelp, commands_of
from exporter.app.load_settings import CONFIG_VARIABLE
from exporter.app.settings import ENV_PREFIX, Settings, flag_of, format_default

WIDTH: Final = 100
"""The longest line of the descriptions, characters."""

GROUPS: Final[Mapping[str, Sequence[str]]] = {
    "job selection settings": ("jobs", "tags", "all_jobs", "job_name_regex", "regions"),
    "AWS call settings": ("poll_interval", "discovery_interval", "lookback", "api_requests_per_second"),
    "series settings": (
        *("retention", "retention_failed", "max_jobs"),
        *("per_job_metrics", "disabled_metrics", "tag_labels", "aggregate_tag_labels"),
    ),
    "device and spending limit settings": (
        *("device_metrics", "device_interval", "spending_limits", "spending_limit_interval"),
    ),
    "event settings": ("event_queue_url", "event_poll_interval"),
    "HTTP server settings": ("listen_address", "web_config_file"),
    "state and log settings": ("state_file", "log_level", "log_format"),
    "sharding settings": ("shard", "total_shards"),
}
"""The keys of the settings by title. ``targets``, for several accounts, does not have a flag."""

_DESCRIPTION: Final = """\
Prometheus exporter for Amazon Braket hybrid jobs. It polls Amazon Braket, serves metrics on
http://localhost:9834/metrics, and logs each change of a job.
"""

_SOURCES: Final = f"""\
sources of settings, in order of precedence:
  flag          --poll-interval 10s
  variable      {ENV_PREFIX}POLL_INTERVAL=10s
  YAML file     poll_interval: 10s
  The key targets, for several accounts, is valid only in the file.
  AWS credentials, endpoints and proxies come from the configuration of the AWS SDK.

values:
  list          comma-separated or JSON, such as us-west-2,eu-north-1
  duration      30s, 5m, 24h, 7d, 2w, 1h30m or a number of seconds
  [VALUE]       true or false; a flag without a value is true"""

_STATUSES: Final = """\
exit status:
  0  success; with run and demo, after SIGTERM or SIGINT
  1  any other error: a port in use; a target or a job in jobs without a response (once, jobs);
     a failed call (check-config --online); an interruption (once, jobs, check-config)
  2  invalid settings or an invalid command line; stderr lists the problems"""

_ONE_JOB: Final = ("--jobs arn:aws:braket:us-west-2:123456789012:job/0a1b2c3d", "watch one job")


def version_text() -> str:
    """Return the output of ``--version``."""
    return f"{PROGRAM} {__version__}\n"


def help_text(command: str | None = None, defaults: Mapping[str, Any] | None = None) -> str:
    """Return the output of ``--help``.

    Args:
        command: the command; ``None`` for the overview.
        defaults: the defaults of the command that differ from those of the settings.
    """
    return _overview() if command is None else _command_text(command, COMMANDS[command], defaults or {})


def _overview() -> str:
    commands = "".join(_hanging(f"  {name:14}", command.summary) for name, command in COMMANDS.items())
    more = f"{PROGRAM} COMMAND --help describes one command."
    examples = _examples([*(command.example for command in COMMANDS.values()), _ONE_JOB])
    parser = _parser(
        f"{PROGRAM} [COMMAND] [--config FILE] [--SETTING VALUE ...]",
        f"{_DESCRIPTION}\ncommands:\n{commands}\n{more}",
        f"{_SOURCES}\n\n{examples}\n{_STATUSES}",
    )
    for name in OWN_FLAGS:
        _add_flag(parser, name, f"with {' and '.join(commands_of(name))}: ")
    _add_settings(parser, (), {})
    return parser.format_help()


def _command_text(name: str, command: CommandHelp, defaults: Mapping[str, Any]) -> str:
    statuses = "".join(_hanging(f"  {number}  ", text) for number, text in enumerate(command.statuses))
    flags = "".join(f" [{_usage_of(flag)}]" for flag in command.flags)
    usage = _hanging(f"usage: {PROGRAM} {name} ", f"[--config FILE]{flags} [--SETTING VALUE ...]")
    summary = f"{command.summary[0].upper()}{command.summary[1:]}. {command.details}"
    parser = _parser(
        usage.removeprefix("usage: ").rstrip(),
        _hanging("", summary),
        f"exit status:\n{statuses}\n{_examples([command.example])}\n"
        f"{PROGRAM} --help lists all commands, and the sources and forms of settings.",
    )
    for flag in command.flags:
        _add_flag(parser, flag)
    _add_settings(parser, command.without, defaults)
    return parser.format_help()


def _parser(usage: str, description: str, epilog: str) -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog=PROGRAM,
        usage=usage,
        description=description.rstrip(),
        epilog=epilog,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("--version", action="store_true", help="print the version")
    parser.add_argument("--config", metavar="FILE", help=f"YAML file with settings, also in {CONFIG_VARIABLE}")
    return parser


def _hanging(start: str, text: str) -> str:
    """Wrap a text that follows a start, with the following lines below its first word."""
    indent = " " * len(start)
    return textwrap.fill(text, WIDTH, initial_indent=start, subsequent_indent=indent, break_on_hyphens=False) + "\n"


def _examples(examples: Sequence[tuple[str, str]]) -> str:
    lines = "".join(f"  {PROGRAM} {arguments}\n      {purpose}\n" for arguments, purpose in examples)
    return f"{'examples' if len(examples) > 1 else 'example'}:\n{lines}"


def _usage_of(flag: str) -> str:
    return f"{flag} {OWN_FLAGS[flag].metavar}".rstrip()


def _add_flag(parser: argparse.ArgumentParser, name: str, prefix: str = "") -> None:
    flag = OWN_FLAGS[name]
    if flag.metavar:
        parser.add_argument(name, metavar=flag.metavar, help=prefix + flag.help)
    else:
        parser.add_argument(name, action="store_true", help=prefix + flag.help)


def _add_settings(parser: argparse.ArgumentParser, without: Sequence[str], defaults: Mapping[str, Any]) -> None:
    """Add the settings in groups, except some keys."""
    for title, keys in GROUPS.items():
        group = parser.add_argument_group(title)
        for key in (key for key in keys if key not in without):
            metavar = "[VALUE]" if Settings.model_fields[key].annotation is bool else "VALUE"
            group.add_argument(flag_of(key), metavar=metavar, help=_help_of(key, defaults).replace("%", "%%"))


def _help_of(key: str, defaults: Mapping[str, Any]) -> str:
    field, default = Settings.model_fields[key], _default_of(key, defaults)
    return f"{field.description}{_choices_of(field)}{f' (default: {default})' if default else ''}"


def _choices_of(field: FieldInfo) -> str:
    """Return the choices of a field, unless its description names all of them."""
    choices = get_args(field.annotation) if get_origin(field.annotation) is Literal else ()
    named = set(re.findall(r"\w+", str(field.description)))
    return "" if named.issuperset(choices) else f"; one of {', '.join(choices)}"


def _default_of(key: str, defaults: Mapping[str, Any]) -> str:
    if key not in defaults:
        return format_default(key)
    value = defaults[key]
    return ",".join(value) if isinstance(value, tuple | list) else str(value).lower()
