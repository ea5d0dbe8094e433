"""The cell of a job's status, and the colours of the statuses. Pure."""

from collections.abc import Collection
from typing import Final

from exporter.core import MAX_RUNTIME_EXCEEDED, JobRecord, JobSnapshot, Target, parse_job_arn
from exporter.storage import statuses_of
from exporter.web.table_cells import Cell, Note, RowContext

MAX_STATUS_LENGTH: Final = 40
"""The number of characters of a status on the page."""

STATUS_COLOURS: Final = {
    "FAILED": "red",
    MAX_RUNTIME_EXCEEDED: "purple",
    "RUNNING": "blue",
    "QUEUED": "yellow",
    "CANCELLING": "orange",
    "COMPLETED": "green",
    "CANCELLED": "grey",
}
"""The colours of the dashboards, in the order of the status links."""

OTHER_STATUS_COLOUR: Final = "grey"

NO_DATA: Final = "no data"
"""The status on the page of a job without a GetJob response."""


def status_cell(record: JobRecord, job: JobSnapshot, _: RowContext) -> Cell:
    """Return the status of a job, and what is wrong with it."""
    own, *more = statuses_of(record)
    notes = [Note("maximum run time exceeded", STATUS_COLOURS[status]) for status in more]
    if job.failure_category:
        notes.append(Note(job.failure_category))
    if record.failing:
        notes.append(Note(record.failing))
    return Cell(own[:MAX_STATUS_LENGTH], colour=STATUS_COLOURS.get(own, OTHER_STATUS_COLOUR), notes=notes)


def unpolled_status_cell(record: JobRecord, context: RowContext) -> Cell:
    """Return the reason why a job does not have a GetJob response."""
    reason = record.failing or ("target failing" if _is_of(record, context.failing) else "not polled yet")
    return Cell(NO_DATA, colour=OTHER_STATUS_COLOUR, notes=[Note(reason)])


def _is_of(record: JobRecord, targets: Collection[Target]) -> bool:
    """Return whether one of the targets has the job; a target without a known account has all jobs of its Region."""
    try:
        job = parse_job_arn(record.arn)
    except ValueError:
        return False
    return any(target.region == job.region and target.account in ("", job.account) for target in targets)
