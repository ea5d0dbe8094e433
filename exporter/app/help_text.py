"""The text of ``--help``, and the names of the flags."""

import argparse
from collections.abc import Mapping, Sequence
from typing import Final, Literal, get_args, get_origin

from exporter import __version__
from exporter.app.jobs_table import FORMATS
from exporter.app.load_settings import CONFIG_VARIABLE
from exporter.app.settings import ENV_PREFIX, Settings, format_default
from exporter.core import MAX_RUNTIME_EXCEEDED

PROGRAM: Final = "braket-exporter"

ONLINE: Final = "--online"
TIMEOUT: Final = "--timeout"
OUTPUT: Final = "-o"
STATUS: Final = "--status"
SINCE: Final = "--since"
URL: Final = "--url"
DEFAULT_TIMEOUT: Final = "5m"

GROUPS: Final[Mapping[str, Sequence[str]]] = {
    "job selection settings": ("jobs", "tags", "all_jobs", "job_name_regex", "regions"),
    "AWS call settings": ("poll_interval", "discovery_interval", "lookback", "api_requests_per_second"),
    "series settings": (
        *("retention", "retention_failed", "max_jobs"),
        *("per_job_metrics", "disabled_metrics", "tag_labels"),
    ),
    "HTTP server settings": ("listen_address", "web_config_file"),
    "state and log settings": ("state_file", "log_level", "log_format"),
    "sharding settings": ("shard", "total_shards"),
}
"""The keys of the settings by title. ``targets``, for several accounts, does not have a flag."""

_DESCRIPTION: Final = """\
Prometheus exporter for Amazon Braket hybrid jobs. It polls Amazon Braket, serves metrics on
http://localhost:9834/metrics, and logs each change of a job.

commands:
  run           poll and serve metrics until SIGTERM or SIGINT (default); SIGHUP reloads the settings
  once          poll everything once, and write the metrics to stdout
  jobs          list jobs, the newest first: those of a running exporter with --url, otherwise after
                polling everything once
  check-config  check the settings, and print them with the predicted API calls and series;
                with --online, also call AWS and report missing permissions
  demo          run the exporter with an embedded Braket endpoint and simulated jobs;
                it needs neither an AWS account nor a network"""

_EPILOG: Final = f"""\
sources of settings, in order of precedence:
  flag          --poll-interval 10s
  variable      {ENV_PREFIX}POLL_INTERVAL=10s
  YAML file     poll_interval: 10s
  The key targets, for several accounts, is valid only in the file.
  AWS credentials, endpoints and proxies come from the configuration of the AWS SDK.

values:
  list          comma-separated or JSON, such as us-west-2,eu-north-1
  duration      30s, 5m, 24h, 7d, 2w, 1h30m or a number of seconds
  [VALUE]       true or false; a flag without a value is true

examples:
  braket-exporter demo
      try the exporter with simulated jobs
  braket-exporter check-config --online --all-jobs --regions us-west-2
      check settings, credentials and permissions, and predict API calls and series
  braket-exporter --all-jobs --regions us-west-2
      watch every job of the account in a Region
  braket-exporter --jobs arn:aws:braket:us-west-2:123456789012:job/0a1b2c3d
      watch one job
  braket-exporter jobs --url http://localhost:9834 --status FAILED --since 24h
      list the jobs of a running exporter that were created in the last 24 hours and failed

exit status:
  0  success; with run and demo, after SIGTERM or SIGINT
  1  any other error: a port in use; a target or a job in jobs without a response (once, jobs);
     a failed call (check-config --online); an interruption (once, jobs, check-config)
  2  invalid settings or an invalid command line; stderr lists every problem"""


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
        usage="%(prog)s [COMMAND] [--config FILE] [--SETTING VALUE ...]",
        description=_DESCRIPTION,
        epilog=_EPILOG,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("--config", metavar="FILE", help=f"YAML file with settings, also in {CONFIG_VARIABLE}")
    parser.add_argument(ONLINE, action="store_true", help="with check-config: call AWS and check permissions")
    timeout = f"with once and jobs: maximum duration (default: {DEFAULT_TIMEOUT})"
    parser.add_argument(TIMEOUT, metavar="DURATION", help=timeout)
    parser.add_argument(
        OUTPUT, metavar="FORMAT", help=f"with jobs: one of {', '.join(FORMATS)} (default: {FORMATS[0]})"
    )
    status = f"with jobs: only jobs with this status, or with the event {MAX_RUNTIME_EXCEEDED}; repeatable"
    parser.add_argument(STATUS, metavar="STATUS", help=status)
    parser.add_argument(SINCE, metavar="DURATION", help="with jobs: only jobs created within this time")
    url = "with jobs: URL of a running exporter, such as http://localhost:9834"
    parser.add_argument(URL, metavar="URL", help=url)
    parser.add_argument("--version", action="store_true", help="print the version")
    for title, keys in GROUPS.items():
        group = parser.add_argument_group(title)
        for key in keys:
            metavar = "[VALUE]" if Settings.model_fields[key].annotation is bool else "VALUE"
            group.add_argument(flag_of(key), metavar=metavar, help=_help_of(key).replace("%", "%%"))
    return parser.format_help()


def _help_of(key: str) -> str:
    field, default = Settings.model_fields[key], format_default(key)
    choices = f"; one of {', '.join(get_args(field.annotation))}" if get_origin(field.annotation) is Literal else ""
    return f"{field.description}{choices}{f' (default: {default})' if default else ''}"
