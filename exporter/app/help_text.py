"""The text of ``--help``, and the names of the flags."""

import argparse
from typing import Final

from exporter import __version__
from exporter.app.jobs_table import FORMATS
from exporter.app.load_settings import CONFIG_VARIABLE
from exporter.app.settings import ENV_PREFIX, SCALAR_KEYS, Settings, format_default

PROGRAM: Final = "braket-exporter"

ONLINE: Final = "--online"
TIMEOUT: Final = "--timeout"
OUTPUT: Final = "-o"
STATUS: Final = "--status"
SINCE: Final = "--since"
URL: Final = "--url"
DEFAULT_TIMEOUT: Final = "5m"

_DESCRIPTION: Final = """\
Prometheus exporter for Amazon Braket hybrid jobs.

commands:
  run           poll and serve metrics until SIGTERM or SIGINT (the default); SIGHUP reloads --config
  once          poll everything once and write the metrics to stdout; exits 1 if a target or a job
                named in jobs does not respond, or after --timeout
  jobs          list jobs, the newest first: those of a running exporter with --url, otherwise after polling
                everything once
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
  braket-exporter jobs --url http://localhost:9834 --status FAILED --since 24h
  braket-exporter check-config --config exporter.yaml --online

exit status: 0 after SIGTERM or SIGINT, 2 for invalid settings, 1 for anything else;
             once and check-config end with 1 when a signal interrupts them"""


def flag_of(key: str) -> str:
    """Return the flag of a setting."""
    return f"--{key.replace('_', '-')}"


def version_text() -> str:
    """Return the output of ``--version``."""
    return f"{PROGRAM} {__version__}\n"


def help_text() -> str:
    """Return the output of ``--help``."""
    parser = argparse.ArgumentParser(
        prog=PROGRAM,
        usage="%(prog)s [COMMAND] [--config FILE] [--KEY VALUE ...]",
        description=_DESCRIPTION,
        epilog=_EPILOG,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("--config", metavar="FILE", help=f"YAML file with settings; also {CONFIG_VARIABLE}")
    parser.add_argument(ONLINE, action="store_true", help="with check-config: also call AWS, and check permissions")
    timeout = f"with once and jobs: end after this time at the latest (default: {DEFAULT_TIMEOUT})"
    parser.add_argument(TIMEOUT, metavar="DURATION", help=timeout)
    parser.add_argument(OUTPUT, metavar="FORMAT", help=f"with jobs: {', '.join(FORMATS)} (default: {FORMATS[0]})")
    parser.add_argument(STATUS, metavar="STATUS", help="with jobs: only jobs with this status; repeatable")
    parser.add_argument(SINCE, metavar="DURATION", help="with jobs: only jobs created this recently")
    url = "with jobs: read the jobs of a running exporter, such as http://localhost:9834"
    parser.add_argument(URL, metavar="URL", help=url)
    parser.add_argument("--version", action="store_true", help="print the version")
    settings = parser.add_argument_group("settings")
    for key in SCALAR_KEYS:
        field, default = Settings.model_fields[key], format_default(key)
        switch = field.annotation is bool
        note = f" (default: {default})" if default else ""
        text = f"{field.description}{note}".replace("%", "%%")
        settings.add_argument(flag_of(key), metavar="[VALUE]" if switch else "VALUE", help=text)
    return parser.format_help()
