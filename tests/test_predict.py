"""What a configuration will cost."""

import pytest

from exporter.families import job_families
from exporter.predict import Prediction, predict


def prediction(*jobs: int, interval: float = 30.0, rate: float = 2.5) -> Prediction:
    return predict(jobs, interval=interval, rate=rate, families=job_families())


def test_every_job_costs_one_call_in_each_interval() -> None:
    assert prediction(10).calls_per_minute == 20.0
    assert prediction(10, interval=60.0).calls_per_minute == 10.0
    assert prediction(10, 5).calls_per_minute == 30.0


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


@pytest.mark.parametrize("jobs", [(), (0,), (0, 0)])
def test_no_jobs_cost_nothing(jobs: tuple[int, ...]) -> None:
    nothing = prediction(*jobs)
    assert (nothing.calls_per_minute, nothing.staleness, nothing.series_of_jobs) == (0.0, 30.0, 0)


def test_a_job_that_ran_to_its_end_has_thirty_series() -> None:
    # info 1, status 6, billable 1, instances 1, limit 1, times 3, event counts 11, event times 5, last poll 1
    assert prediction(1).series_per_job == 30
    assert prediction(10, 5).series_of_jobs == 450


def test_families_that_are_left_out_cost_nothing() -> None:
    kept = [family for family in job_families() if family.name != "braket_job_events_total"]
    assert predict([10], interval=30.0, rate=2.5, families=kept).series_of_jobs == 190
    assert predict([10], interval=30.0, rate=2.5, families=()).series_of_jobs == 0


def test_the_fleet_has_some_series_for_each_device() -> None:
    # statuses 6, transitions 1, outcomes 4, billable 1, two histograms of 15 buckets, a count and a sum
    assert prediction(1).series_per_device == 46
