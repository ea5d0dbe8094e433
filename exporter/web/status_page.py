"""The status page: targets and jobs, as HTML without scripts.

Jinja2 escapes every text; the templates are in ``templates/``. Search and order are links and a form: they can be
bookmarked, and the Content-Security-Policy allows no script at all. The import of Jinja2 takes 17 ms and 2 MB, so
this module is imported at the first request for the page.
"""

import base64
import hashlib
import re
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from types import MappingProxyType
from typing import Final, NamedTuple

from jinja2 import Environment, FileSystemLoader, StrictUndefined

from exporter.core import (
    MAX_RUNTIME_EXCEEDED,
    SERVICE_QUOTA,
    DeviceKey,
    DeviceRecord,
    JobRecord,
    TargetStatus,
    first_poll_progress,
    format_span,
)
from exporter.storage import NO_ANSWER, BlockSummary
from exporter.web.console_links import jobs_url
from exporter.web.job_columns import COLUMNS, row_of
from exporter.web.job_table import ALL_JOBS, MAX_QUERY_LENGTH, JobQuery, Listing, list_jobs
from exporter.web.status_cell import MAX_STATUS_LENGTH, NO_DATA, OTHER_STATUS_COLOUR, STATUS_COLOURS
from exporter.web.table_cells import RowContext
from exporter.web.time_text import age, date_and_time

MAX_ERROR_LENGTH: Final = 300
"""The number of characters of a target's last error on the page."""

DOCUMENTATION: Final = "https://github.com/braket-exporter/braket-exporter/blob/main/docs"

_ROLE_ARN: Final = re.compile(r"arn:[\w-]*:(?:iam|sts):\S*")
"""Some errors of AWS contain the ARN of the role, which the page must not show: it has more readers than the log."""


class StatusLink(NamedTuple):
    """A link that lists the jobs of one status, or all jobs.

    Attributes:
        text: the status; empty for all jobs.
        colour: the colour of the status in the style sheet.
        href: the address.
        jobs: the number of jobs.
        current: whether these jobs are listed now.
    """

    text: str
    colour: str
    href: str
    jobs: int
    current: bool


def render_page(
    version: str,
    uptime: float,
    targets: Sequence[TargetStatus],
    records: Iterable[JobRecord],
    now: float,
    *,
    summaries: Sequence[BlockSummary] = (),
    query: JobQuery = ALL_JOBS,
    hidden: int = 0,
    devices: Mapping[DeviceKey, DeviceRecord] = MappingProxyType({}),
) -> str:
    """Render the page.

    Args:
        version: the exporter's version.
        uptime: seconds since the start.
        targets: the status of each target.
        records: the jobs that are in no block.
        now: Unix time, seconds.
        summaries: the other jobs.
        query: which jobs to list, and in which order.
        hidden: the number of jobs without series, because of ``max_jobs``.
        devices: the devices with a record.
    """
    listing = list_jobs(records, query, now, summaries)
    failing = [status for status in targets if status.health.up is False]
    responding = [status for status in targets if status.health.up is not False]
    several_accounts = len({status.target.account for status in targets}) > 1
    context = RowContext(now, several_accounts, {status.target for status in failing}, devices)
    return _PAGE.render(
        version=version,
        uptime=uptime,
        now=now,
        documentation=DOCUMENTATION,
        failing=failing,
        first_poll=first_poll_progress(responding),
        targets=targets,
        rate=max((rate for status in targets for rate in status.budget.values()), default=0.0),
        quota=SERVICE_QUOTA,
        columns=COLUMNS,
        rows=(row_of(record, context) for record in listing.shown),
        query=query,
        max_query_length=MAX_QUERY_LENGTH,
        status_links=_status_links(query, listing),
        listing=listing,
        hidden=hidden,
    )


def _status_links(query: JobQuery, listing: Listing) -> list[StatusLink]:
    """Return a link for all jobs, one for each status of a job, and one for the selected status."""
    known = [status for status in STATUS_COLOURS if status in listing.by_status]
    statuses = [*known, *sorted(listing.by_status.keys() - STATUS_COLOURS.keys())]
    if query.status and query.status not in statuses:
        statuses.append(query.status)
    return [_all_link(query, listing), *(_status_link(status, query, listing) for status in statuses)]


def _all_link(query: JobQuery, listing: Listing) -> StatusLink:
    # Jobs that ran out of time count under their own status as well.
    jobs = sum(listing.by_status.values()) - listing.by_status.get(MAX_RUNTIME_EXCEEDED, 0)
    return StatusLink("", "plain", query.with_status("").href, jobs, current=not query.status)


def _status_link(status: str, query: JobQuery, listing: Listing) -> StatusLink:
    return StatusLink(
        status.replace(NO_ANSWER, NO_DATA)[:MAX_STATUS_LENGTH],
        STATUS_COLOURS.get(status, OTHER_STATUS_COLOUR),
        query.with_status(status).href,
        listing.by_status.get(status, 0),
        current=status == query.status,
    )


def _public_error(error: str | None) -> str:
    """Return the part of an error that the page shows."""
    return _ROLE_ARN.sub("…", error or "")[:MAX_ERROR_LENGTH]


def _environment() -> Environment:
    """Return the templates, and the filters that they use."""
    environment = Environment(
        loader=FileSystemLoader(Path(__file__).with_name("templates")),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
        auto_reload=False,
    )
    environment.filters |= {
        "age": age,
        "date_and_time": date_and_time,
        "jobs_url": jobs_url,
        "public_error": _public_error,
        "span": format_span,
        "thousands": "{:,}".format,
    }
    return environment


def _security_policy(style: str) -> str:
    """Return the Content-Security-Policy: only this style, no script; the search form is sent to the page itself."""
    digest = base64.b64encode(hashlib.sha256(style.encode()).digest()).decode()
    return (
        f"default-src 'none'; style-src 'sha256-{digest}'; form-action 'self'; base-uri 'none'; frame-ancestors 'none'"
    )


def _style() -> str:
    return _TEMPLATES.get_template("style.css").render(columns=COLUMNS)


_TEMPLATES: Final = _environment()
_PAGE: Final = _TEMPLATES.get_template("status_page.html")
SECURITY_POLICY: Final = _security_policy(_style())
