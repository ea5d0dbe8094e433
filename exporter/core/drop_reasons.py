"""Reasons for dropping the series of a job, in a counter and in the log."""

from typing import Final

RETENTION: Final = "retention"
DESELECTED: Final = "deselected"
NOT_FOUND: Final = "not_found"
MAX_JOBS: Final = "max_jobs"
DROP_REASONS: Final = (RETENTION, DESELECTED, NOT_FOUND, MAX_JOBS)
"""The retention is over; the tags or name are no longer selected; Braket does not have the job; ``max_jobs``."""
