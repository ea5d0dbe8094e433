"""HTML elements of the status page: tables, links, badges and times. Pure.

``link`` escapes its address and ``foreign`` its text, which come from outside; all other arguments are HTML already.
"""

from collections.abc import Iterable
from datetime import UTC, datetime
from html import escape

from exporter.core import format_span


def table(label: str, heads: Iterable[str], rows: Iterable[str]) -> str:
    """Write a table that scrolls on its own, with the keyboard as well.

    Args:
        label: the id of the heading that names the table.
        heads: the heads of the columns.
        rows: the rows.
    """
    inside = f"<thead><tr>{''.join(heads)}</tr></thead><tbody>{''.join(rows)}</tbody>"
    return f'<div class="wide" role="region" aria-labelledby="{label}" tabindex="0"><table>{inside}</table></div>'


def head(title: str) -> str:
    """Write the head of a column."""
    return f'<th scope="col">{title}</th>'


def link(url: str | None, html: str) -> str:
    """Write a link to another site; the content alone when there is no address."""
    if url is None:
        return html
    return f'<a href="{escape(url)}" target="_blank" rel="noreferrer noopener">{html}</a>'


def badge(colour: str, html: str) -> str:
    """Write a status in its colour."""
    return f'<span class="status {colour}">{html}</span>'


def cell(html: str) -> str:
    """Write a cell of a table."""
    return f"<td>{html}</td>"


def number(html: str) -> str:
    """Write a cell with a number."""
    return f'<td class="number">{html}</td>'


def foreign(text: str) -> str:
    """Write a text from outside, isolated so that its direction marks do not affect the text around it."""
    return f"<bdi>{escape(text)}</bdi>" if text else ""


def ago(time: float | None, now: float) -> str:
    """Write the time since a moment."""
    return "never" if time is None else moment(time, f"{format_span(now - time)} ago")


def moment(time: float, html: str = "") -> str:
    """Write a moment: with the given content, else in full."""
    machine = datetime.fromtimestamp(time, UTC).isoformat(timespec="seconds").replace("+00:00", "Z")
    exact = f"{machine[:10]} {machine[11:19]} UTC"
    return f'<time datetime="{machine}" title="{exact}">{html or exact}</time>'
