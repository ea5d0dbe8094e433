"""The status page: targets and jobs, as HTML without scripts. Pure.

Every text from outside goes through ``html.escape``, also in addresses, whose parts are validated or encoded before.
Search and order are links and a form: they can be bookmarked, and the Content-Security-Policy allows no script at all.
Links to the exporter itself are relative: a proxy may serve the page below a path of its own.
"""

import re
from collections.abc import Iterable, Sequence
from dataclasses import replace
from html import escape
from typing import Final

from exporter.core import (
    MAX_RUNTIME_EXCEEDED,
    FirstPollProgress,
    JobRecord,
    JobSnapshot,
    TargetStatus,
    first_poll_progress,
    format_span,
)
from exporter.storage import NO_ANSWER, BlockSummary, statuses_of
from exporter.web.console_links import jobs_url, logs_url
from exporter.web.html_elements import ago, badge, cell, foreign, head, link, moment, number, table
from exporter.web.job_table import (
    EVERYTHING,
    MOST_CHARACTERS,
    Listing,
    Wish,
    billable_seconds,
    list_jobs,
    ran_seconds,
    short_device,
)
from exporter.web.style import STYLE

MOST_OF_AN_ERROR: Final = 300
MOST_OF_A_STATUS: Final = 40

_COLOURS: Final = {
    "FAILED": "red",
    MAX_RUNTIME_EXCEEDED: "purple",
    "RUNNING": "blue",
    "QUEUED": "yellow",
    "CANCELLING": "orange",
    "COMPLETED": "green",
    "CANCELLED": "grey",
}
"""The colours of the dashboards; statuses are listed in this order."""

_COLUMNS: Final = (
    ("status", "Status"),
    ("job", "Job"),
    ("device", "Device"),
    ("region", "Region"),
    ("queue", "Queue"),
    ("created", "Created"),
    ("used", "Ran"),
    ("billable", "Billable"),
    ("answered", "Last answer"),
)
"""The sort key and the title of each column."""

_TARGET_TITLES: Final = (
    "Account",
    "Region",
    "State",
    "Last success",
    "Jobs",
    "Budget used in the last minute",
    "Last error",
)

_NUMBERS: Final = frozenset({"queue", "used", "billable"})
_LOGIN: Final = re.compile(r"arn:[\w-]*:(?:iam|sts):\S*")
"""Some errors of AWS contain the ARN of the role, which the page must not show: it has more readers than the log."""


def render_page(
    version: str,
    uptime: float,
    targets: Sequence[TargetStatus],
    records: Iterable[JobRecord],
    now: float,
    *,
    summaries: Sequence[BlockSummary] = (),
    wish: Wish = EVERYTHING,
    hidden: int = 0,
) -> str:
    """Write the page.

    Args:
        version: the exporter's version.
        uptime: seconds since the start.
        targets: the status of each target.
        records: the jobs that are in no block.
        now: Unix time, seconds.
        summaries: the other jobs.
        wish: which jobs to list, and in which order.
        hidden: the number of jobs without series, because of ``max_jobs``.
    """
    listing = list_jobs(records, wish, now, summaries)
    several = len({target.target.account for target in targets}) > 1
    return f"""<!doctype html>
<html lang="en">
<head><meta charset="utf-8"><meta name="viewport" content="width=device-width, initial-scale=1">
<title>braket-exporter</title><style>{STYLE}</style></head>
<body>
<h1>braket-exporter</h1>
<p>Version {escape(version)}, up for {format_span(uptime)}. As of {moment(now)}. <a href="metrics">Metrics</a></p>
{_fill(first_poll_progress(targets))}
<h2 id="targets">Targets</h2>
{_target_table(targets, now)}
<h2 id="jobs">Jobs</h2>
{_filters(wish, listing)}
{_form(wish)}
<p>{_summary(wish, listing)}{_beyond_limit(hidden)}</p>
{table("jobs", _job_heads(wish), (_job_row(record, now, several=several) for record in listing.shown))}
</body>
</html>
"""


def _fill(fill: FirstPollProgress) -> str:
    """Write the progress of the first poll; nothing once it is done."""
    notes = []
    if not fill.listed:
        notes.append(f"Looking for jobs; {fill.total:,} found so far.")
    if fill.waiting:
        time = "" if fill.seconds is None else f"; this takes at least {format_span(fill.seconds)}"
        notes.append(f"{fill.waiting:,} of {fill.total:,} jobs were not asked for yet{time}.")
    if not notes:
        return ""
    done = max(0, fill.total - fill.waiting)
    bar = f'<progress max="{max(1, fill.total)}" value="{done}" aria-label="jobs that were asked for"></progress>'
    return f'<p class="fill">{bar} {" ".join(notes)}</p>'


def _target_table(targets: Sequence[TargetStatus], now: float) -> str:
    """Write the targets, with a column for their names where any target has one."""
    named = any(target.name for target in targets)
    titles = ("Target", *_TARGET_TITLES) if named else _TARGET_TITLES
    return table("targets", map(head, titles), (_target_row(target, now, named=named) for target in targets))


def _target_row(status: TargetStatus, now: float, *, named: bool) -> str:
    """Write a target's row, with its name where any target has one."""
    health = status.health
    state = {None: ("yellow", "starting"), True: ("green", "up"), False: ("red", "failing")}[health.up]
    jobs = f"{status.active:,} active, {status.finished:,} finished"
    if status.waiting:
        jobs += f", {status.waiting:,} not asked for yet"
    error = _LOGIN.sub("…", health.last_error or "")[:MOST_OF_AN_ERROR]
    region = status.target.region
    cells = (
        *((cell(foreign(status.name)),) if named else ()),
        cell(escape(status.target.account) or "not known yet"),
        cell(link(jobs_url(region), escape(region))),
        cell(badge(*state)),
        cell(ago(health.last_success, now)),
        cell(jobs),
        cell("".join(_use(operation, status) for operation in status.budget)),
        f'<td class="text">{foreign(error)}</td>',
    )
    return f"<tr>{''.join(cells)}</tr>"


def _use(operation: str, status: TargetStatus) -> str:
    used, allowed = status.used.get(operation, 0), 60 * status.budget[operation]
    text = f"{escape(operation)} {used:,} of {allowed:,.4g}"
    return f'<div><meter max="{allowed:g}" value="{used}" aria-label="{text}"></meter> {text}</div>'


def _filters(wish: Wish, listing: Listing) -> str:
    """Write a link for each status of a job, and for the selected status."""
    known = [status for status in _COLOURS if status in listing.found]
    statuses = [*known, *sorted(listing.found.keys() - _COLOURS.keys())]
    if wish.status and wish.status not in statuses:
        statuses.append(wish.status)
    links = [_filter(replace(wish, status=status), listing, current=status == wish.status) for status in statuses]
    everything = _filter(replace(wish, status=""), listing, current=not wish.status)
    return f'<nav aria-label="Status">{everything}{"".join(links)}</nav>'


def _filter(wish: Wish, listing: Listing, *, current: bool) -> str:
    found = listing.found.get(wish.status, 0) if wish.status else sum(listing.found.values())
    if not wish.status:
        found -= listing.found.get(MAX_RUNTIME_EXCEEDED, 0)  # these count under their own status as well
    mark = ' aria-current="true"' if current else ""
    colour = _COLOURS.get(wish.status, "grey") if wish.status else "plain"
    text = f"{foreign(wish.status.replace(NO_ANSWER, 'no answer yet')[:MOST_OF_A_STATUS]) or 'all'} {found:,}"
    return f'<a href="{escape(wish.href)}" class="{colour}"{mark}>{text}</a>'


def _form(wish: Wish) -> str:
    hidden = "".join(
        f'<input type="hidden" name="{name}" value="{escape(value)}">'
        for name, value in wish.parameters.items()
        if name != "q"
    )
    reset = ' <a href=".">Reset</a>' if wish.parameters else ""
    hint = escape("Words that must all be in a job's name, ARN, status, device, failure category or error code")
    given = f'id="q" name="q" value="{escape(wish.q)}" maxlength="{MOST_CHARACTERS}"'
    search = f'<label for="q">Search</label><input type="search" {given} title="{hint}">'
    return f'<form role="search">{search}{hidden}<button>Search</button>{reset}</form>'


def _summary(wish: Wish, listing: Listing) -> str:
    if not listing.total:
        return "There are no jobs yet."
    text = f"{listing.total:,} job{'s' * (listing.total != 1)}"
    if wish.q or wish.status:
        text = f"{listing.fitting:,} of {text}"
    if not wish.sort and listing.fitting > 1:
        text += ", those that ask for a look first"
    if len(listing.shown) < listing.fitting:
        text += f". The first {len(listing.shown):,} are shown; search or choose a status to see others"
    return f"{text}."


def _beyond_limit(hidden: int) -> str:
    jobs, have = ("job", "has") if hidden == 1 else ("jobs", "have")
    return f" {hidden:,} {jobs} beyond max_jobs {have} no series." if hidden else ""


def _job_heads(wish: Wish) -> Iterable[str]:
    words = {"asc": "ascending", "desc": "descending"}
    for key, title in _COLUMNS:
        mark = f' aria-sort="{words[wish.order]}"' if key == wish.sort else ""
        kind = ' class="number"' if key in _NUMBERS else ""
        yield f'<th scope="col"{kind}{mark}><a href="{escape(wish.sorted_by(key).href)}">{title}</a></th>'
    yield head("Logs")


def _job_row(record: JobRecord, now: float, *, several: bool) -> str:
    """Write a job's row, with the account where there are several."""
    job = record.snapshot
    if job is None:
        return f"<tr>{_status_cell(record)}{_name_cell(record, '')}{'<td></td>' * (len(_COLUMNS) - 1)}</tr>"
    billable, logs = billable_seconds(record), logs_url(record.arn, job.name)
    account = f"<div><small>{escape(job.account)}</small></div>" if several else ""
    cells = (
        _status_cell(record),
        _name_cell(record, job.name),
        f'<td title="{escape(job.device)}">{foreign(short_device(job.device))}</td>',
        cell(link(jobs_url(job.region), escape(job.region)) + account),
        number("" if job.queue_position is None else f"{'&gt;' * job.queue_position_is_floor}{job.queue_position}"),
        cell("" if job.created is None else ago(job.created, now)),
        number(_ran(record, job, now)),
        number("" if billable is None else format_span(billable)),
        cell(ago(record.polled_at, now)),
        cell(link(logs, "logs") if logs else ""),
    )
    return f"<tr>{''.join(cells)}</tr>"


def _status_cell(record: JobRecord) -> str:
    own, *more = statuses_of(record)
    if own == NO_ANSWER:
        status = badge("grey", "no answer yet" if record.failing else "not asked for yet")
    else:
        status = badge(_COLOURS.get(own, "grey"), escape(own[:MOST_OF_A_STATUS]))
    notes = [f'<span class="{_COLOURS[each]}">out of time</span>' for each in more]
    category = None if record.snapshot is None else record.snapshot.failure_category
    notes += [escape(note) for note in (category, record.failing) if note]
    return cell(status + (f"<div><small>{', '.join(notes)}</small></div>" if notes else ""))


def _name_cell(record: JobRecord, name: str) -> str:
    return f'<td class="text" title="{escape(record.arn)}">{foreign(name or record.arn)}</td>'


def _ran(record: JobRecord, job: JobSnapshot, now: float) -> str:
    ran = ran_seconds(record, now)
    if ran is None:
        return ""
    limit = "" if job.max_runtime_seconds is None else f" <small>of {format_span(job.max_runtime_seconds)}</small>"
    return f"{format_span(ran)}{limit}"
