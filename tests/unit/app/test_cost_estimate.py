"""What a configuration will cost."""

from collections.abc import Sequence

import pytest
from builders import snapshot
from hypothesis import given
from hypothesis import strategies as st

from exporter.app.cost_estimate import Demand, Prediction, predict
from exporter.core import JobRecord, observe
from exporter.metrics import AGGREGATE_FAMILIES, Aggregates, job_families, render
from exporter.polling.schedule import get_job_suffices

FOUND = Demand(0, discovers=True)


def prediction(
    *demands: int | Demand,
    interval: float = 30.0,
    discovery: float = 60.0,
    rate: float = 2.5,
    max_jobs: int = 10_000,
) -> Prediction:
    """Predict for targets; a number stands for so many named jobs and nothing else."""
    named = [Demand(demand, discovers=False) if isinstance(demand, int) else demand for demand in demands]
    return predict(
        named, interval=interval, discovery_interval=discovery, rate=rate, max_jobs=max_jobs, families=job_families()
    )


def test_every_named_job_costs_one_call_in_each_interval() -> None:
    assert prediction(10).calls_per_minute == 20.0
    assert prediction(10, interval=60.0).calls_per_minute == 10.0
    assert prediction(10, 5).calls_per_minute == 30.0


def test_looking_for_jobs_costs_one_call_in_each_discovery_interval_and_target() -> None:
    assert prediction(FOUND).calls_per_minute == 1.0
    assert prediction(FOUND, discovery=30.0).calls_per_minute == 2.0
    assert prediction(FOUND, FOUND).calls_per_minute == 2.0
    assert prediction(Demand(10, discovers=True)).calls_per_minute == 21.0
    assert prediction(Demand(10, discovers=True), 10).calls_per_minute == 41.0


def test_looking_for_jobs_costs_no_more_than_its_budget() -> None:
    assert prediction(FOUND, discovery=0.1).calls_per_minute == 150.0


def test_every_active_job_that_is_found_costs_one_call_in_each_interval() -> None:
    assert prediction(FOUND).calls_per_found_job == 2.0
    assert prediction(FOUND, interval=60.0).calls_per_found_job == 1.0


def test_a_budget_that_suffices_keeps_the_interval() -> None:
    assert prediction(75).staleness == 30.0
    assert prediction(75).calls_per_minute == 150.0


def test_a_budget_that_does_not_suffice_bounds_the_calls_and_makes_answers_stale() -> None:
    assert prediction(750).calls_per_minute == pytest.approx(150.0)
    assert prediction(750).staleness == 300.0


def test_each_target_has_a_budget_of_its_own() -> None:
    both = prediction(750, 10)
    assert both.calls_per_minute == pytest.approx(170.0)
    assert both.staleness == 300.0


def test_the_budgets_of_both_operations_bound_all_calls() -> None:
    assert prediction(10).most_calls_per_minute == 150.0
    assert prediction(FOUND).most_calls_per_minute == 300.0
    assert prediction(FOUND, 10, Demand(5, discovers=True)).most_calls_per_minute == 750.0
    assert prediction(FOUND, rate=0.5).most_calls_per_minute == 60.0
    assert prediction().most_calls_per_minute == 0.0


@pytest.mark.parametrize(("interval", "rate", "alone"), [(30.0, 2.5, 60), (1.0, 2.5, 2), (30.0, 0.1, 2), (1.0, 0.1, 0)])
def test_so_many_active_jobs_are_followed_by_getjob_alone(interval: float, rate: float, alone: int) -> None:
    assert prediction(FOUND, interval=interval, rate=rate).alone == alone


@given(rate=st.floats(0.01, 5.0), interval=st.floats(1.0, 3600.0))
def test_what_is_predicted_of_getjob_alone_is_what_happens(rate: float, interval: float) -> None:
    alone = prediction(FOUND, rate=rate, interval=interval).alone
    assert get_job_suffices(alone, rate=rate, interval=interval)
    assert not get_job_suffices(alone + 1, rate=rate, interval=interval)


@pytest.mark.parametrize("jobs", [(), (0,), (0, 0)])
def test_no_jobs_cost_nothing(jobs: Sequence[int]) -> None:
    nothing = prediction(*jobs)
    assert (nothing.calls_per_minute, nothing.staleness, nothing.series_of_jobs) == (0.0, 30.0, 0)


def test_a_job_that_ran_to_its_end_has_thirty_series() -> None:
    # info 1, status 6, billable 1, instances 1, limit 1, times 3, event counts 11, event times 5, last poll 1
    assert prediction(1).series_per_job == 30
    assert prediction(10, 5).series_of_jobs == 450
    assert prediction(Demand(2, discovers=True)).series_of_jobs == 60


def test_more_jobs_than_may_have_series_have_no_more_of_them() -> None:
    assert (prediction(10, 5).series_of_jobs, prediction(10, 5).most_series_of_jobs) == (450, 300_000)
    assert (prediction(10, 5, max_jobs=12).series_of_jobs, prediction(max_jobs=12).most_series_of_jobs) == (360, 360)


def test_families_that_are_left_out_cost_nothing() -> None:
    kept = [family for family in job_families() if family.name != "braket_job_events_total"]
    ten = [Demand(10, discovers=False)]
    some, none = (
        predict(ten, interval=30.0, discovery_interval=60.0, rate=2.5, max_jobs=10_000, families=families)
        for families in (kept, ())
    )
    assert (some.series_of_jobs, some.most_series_of_jobs) == (190, 190_000)
    assert (none.series_of_jobs, none.most_series_of_jobs) == (0, 0)


def test_the_fleet_has_as_many_series_for_each_device_as_one_completed_job_makes() -> None:
    job = snapshot(status="COMPLETED", started=43.0, ended=122.0, billable_seconds=80.0)
    fleet = Aggregates()
    fleet.move(None, job)
    fleet.apply(observe(JobRecord(job.arn), job, since=0.0, now=122.0).increments)
    series = b"".join(render(AGGREGATE_FAMILIES, fleet.values())).count(b"\n")
    assert prediction(1).series_per_device == series == 99


@given(
    demands=st.lists(st.builds(Demand, st.integers(0, 10**5), st.booleans()), max_size=5),
    interval=st.floats(1.0, 3600.0),
    discovery=st.floats(1.0, 3600.0),
    rate=st.floats(0.01, 5.0),
)
def test_no_prediction_is_beyond_the_budgets(
    demands: Sequence[Demand], interval: float, discovery: float, rate: float
) -> None:
    cost = prediction(*demands, interval=interval, discovery=discovery, rate=rate)
    assert 0.0 <= cost.calls_per_minute <= cost.most_calls_per_minute + 1e-6
    assert cost.staleness >= interval
