"""The lines of a prediction that depend on whether discovered jobs were counted."""

from collections.abc import Sequence

import pytest

from exporter.app.cost_estimate import Demand, predict
from exporter.app.prediction_report import ActiveJobs, prediction_lines
from exporter.metrics import job_families


def quantities(configured: Sequence[int], found: Sequence[int | None]) -> list[str]:
    """Return the three quantities that depend on the number of active jobs; every target discovers."""
    jobs = ActiveJobs(configured, [True] * len(configured), found)
    cost = predict(
        [Demand(number, discovers=True) for number in jobs.numbers],
        interval=30.0,
        discovery_interval=60.0,
        rate=2.5,
        max_jobs=10_000,
        families=job_families(),
    )
    names = ("#     now: ", "#     ceiling of an active job: ", "#     active jobs now: ")
    lines = prediction_lines(jobs, cost)
    return [line.removeprefix(name) for name in names for line in lines if line.startswith(name)]


FAILED = "unknown, because SearchJobs failed"
OFFLINE = "unknown without --online"


@pytest.mark.parametrize(
    ("configured", "found", "expected"),
    [
        ([0], [3], ["7.0 calls per minute", "30s", "90 series"]),
        ([0], [0], ["1.0 calls per minute", "30s", "0 series"]),
        ([0], [None], [FAILED, FAILED, FAILED]),
        ([0, 0], [0, None], [FAILED, FAILED, FAILED]),
        ([0, 0], [3, None], ["at least 8.0 calls per minute", "at least 30s", "at least 90 series"]),
        ([2], [None], ["at least 5.0 calls per minute", "at least 30s", "at least 60 series"]),
        ([0], [], [OFFLINE, OFFLINE, OFFLINE]),
        ([2], [], ["at least 5.0 calls per minute", "at least 30s", "at least 60 series"]),
    ],
)
def test_quantities_are_exact_only_where_every_active_job_is_counted(
    configured: Sequence[int], found: Sequence[int | None], expected: list[str]
) -> None:
    assert quantities(configured, found) == expected
