"""The help of each command: what it does, its flags, exit statuses and an example."""

from collections.abc import Mapping, Sequence
from typing import Final, NamedTuple

from exporter.app.jobs_table import FORMATS
from exporter.core import MAX_RUNTIME_EXCEEDED

PROGRAM: Final = "braket-exporter"

ONLINE: Final = "--online"
TIMEOUT: Final = "--timeout"
OUTPUT: Final = "-o"
STATUS: Final = "--status"
SINCE: Final = "--since"
URL: Final = "--url"
EVENTS: Final = "--events"
DEFAULT_TIMEOUT: Final = "5m"


class Flag(NamedTuple):
    """A flag that is not a setting.

    Attributes:
        metavar: the placeholder of its value; empty without a value.
        help: its meaning.
    """

    metavar: str
    help: str


OWN_FLAGS: Final[Mapping[str, Flag]] = {
    ONLINE: Flag("", "call AWS and check permissions"),
    TIMEOUT: Flag("DURATION", f"maximum duration (default: {DEFAULT_TIMEOUT})"),
    OUTPUT: Flag("FORMAT", f"one of {', '.join(FORMATS)} (default: {FORMATS[0]})"),
    STATUS: Flag("STATUS", f"only jobs with this status, or with the event {MAX_RUNTIME_EXCEEDED}; repeatable"),
    SINCE: Flag("DURATION", "only jobs created within this time"),
    EVENTS: Flag("", "add an event queue, so that changes show sooner"),
    URL: Flag("URL", "URL of a running exporter, such as http://localhost:9834"),
}


class CommandHelp(NamedTuple):
    """The help of one command.

    Attributes:
        summary: its line in the overview.
        details: sentences after the summary.
        flags: its own flags.
        without: the keys of settings without an effect on it.
        statuses: the meaning of each exit status.
        example: a command line, and its purpose.
    """

    summary: str
    details: str
    flags: Sequence[str]
    without: Sequence[str]
    statuses: Sequence[str]
    example: tuple[str, str]


_DAEMON: Final = ("listen_address", "web_config_file", "state_file", "event_queue_url", "event_poll_interval")
_INVALID: Final = "invalid settings or an invalid command line; stderr lists the problems"
_NO_RESPONSE: Final = (
    "a target, or a job in jobs, did not respond; the time ran out; or the command was interrupted.\n"
    "The last line on stderr gives the reason"
)
_STOPPED: Final = (
    "SIGTERM or SIGINT",
    "any other error, such as a port in use; stderr gives the reason",
    _INVALID,
)

COMMANDS: Final[Mapping[str, CommandHelp]] = {
    "run": CommandHelp(
        summary="poll and serve metrics until SIGTERM or SIGINT (default); SIGHUP reloads the settings",
        details="The log goes to stderr: JSON, or readable lines on a terminal.",
        flags=(),
        without=(),
        statuses=_STOPPED,
        example=("--all-jobs --regions us-west-2", "watch every job of the account in a Region"),
    ),
    "once": CommandHelp(
        summary="poll everything once, and write the metrics to stdout",
        details="The log goes to stderr. The state file is not used.",
        flags=(TIMEOUT,),
        without=_DAEMON,
        statuses=("every target, and every job in jobs, responded", _NO_RESPONSE, _INVALID),
        example=("once --all-jobs --regions us-west-2", "print the metrics of every job of the account in a Region"),
    ),
    "jobs": CommandHelp(
        summary="list jobs, the newest first: those of a running exporter with --url, otherwise after polling "
        "everything once",
        details="A user name and a password in the URL are sent as basic auth. The log goes to stderr.",
        flags=(URL, STATUS, SINCE, OUTPUT, TIMEOUT),
        without=(*_DAEMON, "per_job_metrics", "disabled_metrics"),
        statuses=(
            "the list is complete, even if it is empty",
            f"the running exporter cannot be read; or, without --url: {_NO_RESPONSE}",
            _INVALID,
        ),
        example=(
            "jobs --url http://localhost:9834 --status FAILED --since 24h",
            "list the jobs of a running exporter that were created in the last 24 hours and failed",
        ),
    ),
    "check-config": CommandHelp(
        summary="check the settings, and print them with the predicted API calls and series; with --online, also "
        "call AWS and report missing permissions",
        details="The output is valid YAML. Without --online, AWS is not called.",
        flags=(ONLINE,),
        without=(),
        statuses=(
            "the settings are valid; with --online, every required call also succeeded",
            "with --online, a call failed: the output has the next step; or the command was interrupted",
            _INVALID,
        ),
        example=(
            "check-config --online --all-jobs --regions us-west-2",
            "check settings, credentials and permissions, and predict API calls and series",
        ),
    ),
    "demo": CommandHelp(
        summary="run the exporter with an embedded Braket endpoint and simulated jobs; it needs neither an AWS "
        "account nor a network",
        details="The rate limit is raised above the quota of AWS, so that changes show within seconds. With --events, "
        "an embedded SQS queue receives the events of EventBridge.",
        flags=(EVENTS,),
        without=(),
        statuses=_STOPPED,
        example=("demo --listen-address :9835", "try the exporter with simulated jobs, on another port"),
    ),
}
"""The help of each command, by name."""


def commands_of(flag: str) -> tuple[str, ...]:
    """Return the commands that take a flag that is not a setting."""
    return tuple(name for name, command in COMMANDS.items() if flag in command.flags)
