"""Why a job loses its series: the reasons that a counter and the log name."""

from typing import Final

RETENTION: Final = "retention"
DESELECTED: Final = "deselected"
NOT_FOUND: Final = "not_found"
MAX_JOBS: Final = "max_jobs"
DROP_REASONS: Final = (RETENTION, DESELECTED, NOT_FOUND, MAX_JOBS)
"""Why a job loses its series: it ended long ago, its tags or name are not selected any more, Braket has no such job,
there are too many others."""
