"""The page for people: what is watched and how it fares, as HTML that needs no script. Pure.

Every text that came over the network goes through ``html.escape``; the answer's Content-Security-Policy allows nothing
but the page's own style sheet.
"""

import base64
import hashlib
from collections.abc import Iterable, Sequence
from datetime import UTC, datetime
from html import escape
from typing import Final

from exporter.health import TargetStatus
from exporter.lifecycle import ran_out_of_time
from exporter.model import JobRecord

MOST_ROWS: Final = 500
"""Jobs on the page; more would only make a browser slow."""

_STYLE: Final = """
:root { color-scheme: light dark; --line: #8884; --quiet: #888; }
body { font: 15px/1.5 system-ui, sans-serif; margin: 2rem auto; max-width: 78rem; padding: 0 1rem; }
h1 { font-size: 1.4rem; margin: 0; } h2 { font-size: 1.05rem; margin: 2rem 0 .5rem; }
p { margin: .2rem 0; color: var(--quiet); }
.wide { overflow-x: auto; }
table { border-collapse: collapse; width: 100%; font-variant-numeric: tabular-nums; }
th, td { text-align: left; padding: .35rem .8rem .35rem 0; border-bottom: 1px solid var(--line); vertical-align: top; }
th { font-weight: 600; white-space: nowrap; } td { overflow-wrap: anywhere; }
td.short { white-space: nowrap; }
.status { border: 1px solid; border-radius: .6rem; padding: 0 .55rem; font-size: .85em; white-space: nowrap; }
.good { color: #1a7f37; } .bad { color: #cf222e; } .busy { color: #0969da; } .wait { color: #9a6700; }
.off { color: #777; }
@media (prefers-color-scheme: dark) {
  .good { color: #4ac26b; } .bad { color: #ff7b72; } .busy { color: #6cb6ff; } .wait { color: #d4a72c; }
  .off { color: #999; }
}
"""

_HASH: Final = base64.b64encode(hashlib.sha256(_STYLE.encode()).digest()).decode()
SECURITY_POLICY: Final = (
    f"default-src 'none'; style-src 'sha256-{_HASH}'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'"
)

_COLOURS: Final = {
    "COMPLETED": "good",
    "FAILED": "bad",
    "RUNNING": "busy",
    "QUEUED": "wait",
    "CANCELLING": "wait",
    "CANCELLED": "off",
}
_ORDER: Final = {"FAILED": 0, "RUNNING": 1, "QUEUED": 2, "CANCELLING": 3}


def render_page(
    version: str, uptime: float, targets: Sequence[TargetStatus], records: Sequence[JobRecord], now: float
) -> str:
    """Write the page.

    Args:
        version: the exporter's.
        uptime: seconds since the start.
        targets: how each account and Region fares.
        records: what is known of each job.
        now: unix seconds.
    """
    shown = sorted(records, key=_rank)[:MOST_ROWS]
    target_rows = (_target_row(target, now) for target in targets)
    job_rows = (_job_row(record, now) for record in shown)
    more = f"<p>{len(records) - len(shown)} more jobs are in the metrics only.</p>" if len(shown) < len(records) else ""
    return f"""<!doctype html>
<html lang="en">
<head><meta charset="utf-8"><meta name="viewport" content="width=device-width, initial-scale=1">
<title>braket-exporter</title><style>{_STYLE}</style></head>
<body>
<h1>braket-exporter</h1>
<p>Version {escape(version)}, up for {_span(uptime)}. <a href="/metrics">Metrics</a></p>
<h2>Targets</h2>
{_table(("Account", "Region", "State", "Last success", "Jobs", "Last error"), target_rows)}
<h2>Jobs</h2>
{_table(("Job", "Status", "Device", "Queue", "Created", "Ran", "Note"), job_rows)}
{more}
</body>
</html>
"""


def _table(heads: Sequence[str], rows: Iterable[str]) -> str:
    head = "".join(f"<th>{text}</th>" for text in heads)
    return f'<div class="wide"><table><thead><tr>{head}</tr></thead><tbody>{"".join(rows)}</tbody></table></div>'


def _target_row(status: TargetStatus, now: float) -> str:
    health = status.health
    state = {None: ("wait", "starting"), True: ("good", "up"), False: ("bad", "failing")}[health.up]
    jobs = f"{status.active} active, {status.finished} finished"
    if status.waiting:
        jobs += f", {status.waiting} not asked for yet"
    error = escape((health.last_error or "")[:300])
    cells = (
        _short(escape(status.target.account)),
        _short(escape(status.target.region)),
        _short(_badge(*state)),
        _short(_ago(health.last_success, now)),
        f"<td>{jobs}</td>",
        f"<td>{error}</td>",
    )
    return f"<tr>{''.join(cells)}</tr>"


def _job_row(record: JobRecord, now: float) -> str:
    job = record.snapshot
    if job is None:
        note = "not asked for yet" if record.failing is None else escape(record.failing)
        return f"<tr><td>{escape(record.arn)}</td><td></td><td></td><td></td><td></td><td></td><td>{note}</td></tr>"
    position = "" if job.queue_position is None else f"{'&gt;' * job.queue_position_is_floor}{job.queue_position}"
    end = job.ended if job.finished else now
    ran = "" if job.started is None or end is None else _span(end - job.started)
    cells = (
        f'<td title="{escape(job.arn)}">{escape(job.name) or escape(job.arn)}</td>',
        _short(_badge(_COLOURS.get(job.status, "off"), escape(job.status[:40]))),
        f"<td>{escape(job.device.rpartition('device/')[2])}</td>",
        _short(position),
        _short(_ago(job.created, now)),
        _short(ran),
        f"<td>{', '.join(_notes(record))}</td>",
    )
    return f"<tr>{''.join(cells)}</tr>"


def _notes(record: JobRecord) -> list[str]:
    notes = ["out of time"] if ran_out_of_time(record) else []
    if record.snapshot is not None and record.snapshot.failure_category is not None:
        notes.append(record.snapshot.failure_category)
    if record.failing is not None:
        notes.append(escape(record.failing))
    return notes


def _rank(record: JobRecord) -> tuple[int, float]:
    """Order jobs by how much they ask for a look, then the newest first."""
    if record.snapshot is None:
        return (5 if record.failing is None else 0), 0.0
    return _ORDER.get(record.snapshot.status, 4), -(record.snapshot.created or 0.0)


def _badge(colour: str, text: str) -> str:
    return f'<span class="status {colour}">{text}</span>'


def _short(text: str) -> str:
    return f'<td class="short">{text}</td>'


def _ago(time: float | None, now: float) -> str:
    if time is None:
        return "never"
    exact = datetime.fromtimestamp(time, UTC).strftime("%Y-%m-%d %H:%M:%S UTC")
    return f'<span title="{exact}">{_span(now - time)} ago</span>'


def _span(seconds: float) -> str:
    """Write a time span in its two largest units, such as ``1 h 12 min``."""
    left, parts = max(0, int(seconds)), []
    for size, unit in ((86400, "d"), (3600, "h"), (60, "min"), (1, "s")):
        count, left = divmod(left, size)
        if count:
            parts.append(f"{count} {unit}")
    return " ".join(parts[:2]) or "0 s"
