"""The fleet's counters and histograms."""

from bisect import bisect_left
from math import inf

import pytest
from builders import ACCOUNT, GARNET, REGION, SV1, finished, snapshot
from hypothesis import given
from hypothesis import strategies as st
from prometheus_client.parser import text_string_to_metric_families
from prometheus_client.samples import Sample

from exporter.core import STATUSES, Increment, JobSnapshot
from exporter.metrics.aggregate_metrics import AGGREGATE_FAMILIES, QUEUE_BUCKETS, RUN_BUCKETS
from exporter.metrics.aggregates import Aggregates, Series, Totals
from exporter.metrics.exposition import render
from exporter.metrics.family import Histogram

FAMILIES = {family.name: family for family in AGGREGATE_FAMILIES}
GROUP = (ACCOUNT, REGION, SV1)
JOBS = "braket_jobs"
BILLABLE = "braket_billable_seconds_total"
OUTCOMES = "braket_job_outcomes_total"
QUEUE = "braket_job_queue_duration_seconds"
RUN = "braket_job_run_duration_seconds"


def samples(aggregates: Aggregates, name: str) -> list[Sample]:
    (lines,) = render([FAMILIES[name]], aggregates.values())
    return [sample for family in text_string_to_metric_families(lines.decode()) for sample in family.samples]


def jobs(aggregates: Aggregates, device: str = SV1) -> dict[str, float]:
    return {
        sample.labels["status"]: sample.value
        for sample in samples(aggregates, JOBS)
        if sample.labels["device"] == device
    }


def buckets(aggregates: Aggregates, name: str = QUEUE) -> dict[str, float]:
    return {sample.labels["le"]: sample.value for sample in samples(aggregates, name) if "le" in sample.labels}


@pytest.mark.parametrize("name", FAMILIES)
def test_an_empty_fleet_has_no_samples(name: str) -> None:
    assert samples(Aggregates(), name) == []


def test_a_job_counts_under_its_status_and_every_other_status_of_its_group_is_zero() -> None:
    aggregates = Aggregates()
    aggregates.move(None, snapshot(status="QUEUED"))
    assert jobs(aggregates) == {
        "QUEUED": 1.0,
        "RUNNING": 0.0,
        "COMPLETED": 0.0,
        "FAILED": 0.0,
        "CANCELLING": 0.0,
        "CANCELLED": 0.0,
    }


def test_a_job_that_changes_leaves_its_old_status() -> None:
    aggregates = Aggregates()
    aggregates.move(None, snapshot(status="QUEUED"))
    aggregates.move(None, snapshot(status="QUEUED"))
    aggregates.move(snapshot(status="QUEUED"), snapshot(status="RUNNING"))
    assert (jobs(aggregates)["QUEUED"], jobs(aggregates)["RUNNING"]) == (1.0, 1.0)


def test_a_job_that_is_forgotten_leaves_zeros_behind() -> None:
    aggregates = Aggregates()
    aggregates.move(None, finished())
    aggregates.move(finished(), None)
    assert jobs(aggregates) == dict.fromkeys(STATUSES, 0.0)


def test_an_unknown_status_counts_under_its_own_name() -> None:
    aggregates = Aggregates()
    aggregates.move(None, snapshot(status="PAUSED"))
    assert jobs(aggregates) == {**dict.fromkeys(STATUSES, 0.0), "PAUSED": 1.0}


def test_devices_are_counted_apart() -> None:
    aggregates = Aggregates()
    aggregates.move(None, snapshot())
    aggregates.move(None, snapshot(device=GARNET))
    aggregates.move(None, snapshot(device=GARNET))
    assert (jobs(aggregates)["RUNNING"], jobs(aggregates, GARNET)["RUNNING"]) == (1.0, 2.0)


def test_a_job_that_never_answered_counts_nowhere() -> None:
    aggregates = Aggregates()
    aggregates.move(None, None)
    assert jobs(aggregates) == {}


def test_a_counter_adds_up_per_labels_and_its_samples_are_sorted() -> None:
    aggregates = Aggregates()
    small, large = (*GROUP, "ml.m5.large"), (*GROUP, "ml.m5.4xlarge")
    aggregates.apply([Increment(BILLABLE, small, 80.0), Increment(BILLABLE, large, 5.0)])
    aggregates.apply([Increment(BILLABLE, small, 0.5)])
    found = [(sample.labels["instance_type"], sample.value) for sample in samples(aggregates, BILLABLE)]
    assert found == [("ml.m5.4xlarge", 5.0), ("ml.m5.large", 80.5)]


def test_a_histogram_that_is_only_declared_has_all_its_lines_at_zero_and_loses_nothing() -> None:
    aggregates = Aggregates()
    aggregates.apply([Increment(QUEUE, GROUP, None)])
    assert [sample.value for sample in samples(aggregates, QUEUE)] == [0.0] * 24
    aggregates.apply([Increment(QUEUE, GROUP, 45.0), Increment(QUEUE, GROUP, None)])
    assert [sample.value for sample in samples(aggregates, QUEUE)[-2:]] == [1.0, 45.0]


def test_a_counter_that_is_only_declared_exists_and_one_that_does_loses_nothing() -> None:
    aggregates = Aggregates()
    labels = (*GROUP, "FAILED")
    aggregates.apply([Increment(OUTCOMES, labels, None)])
    assert [sample.value for sample in samples(aggregates, OUTCOMES)] == [0.0]
    aggregates.apply([Increment(OUTCOMES, labels, 1.0), Increment(OUTCOMES, labels, None)])
    assert [sample.value for sample in samples(aggregates, OUTCOMES)] == [1.0]


def test_a_counter_that_does_not_exist_is_a_bug() -> None:
    with pytest.raises(KeyError):
        Aggregates().apply([Increment("braket_no_such_total", GROUP, 1.0)])


def test_a_histogram_has_cumulative_buckets_a_count_and_a_sum() -> None:
    aggregates = Aggregates()
    aggregates.apply([Increment(QUEUE, GROUP, value) for value in (5.0, 45.0, 2e6)])
    lines = samples(aggregates, QUEUE)
    labels = dict(zip(("aws_account_id", "aws_region", "device"), GROUP, strict=True))
    assert lines[0] == Sample(f"{QUEUE}_bucket", {**labels, "le": "10.0"}, 1.0)
    assert lines[-2:] == [Sample(f"{QUEUE}_count", labels, 3.0), Sample(f"{QUEUE}_sum", labels, 2_000_050.0)]
    assert buckets(aggregates) == {
        "10.0": 1.0,
        "30.0": 1.0,
        "60.0": 2.0,
        "120.0": 2.0,
        "300.0": 2.0,
        "600.0": 2.0,
        "1800.0": 2.0,
        "3600.0": 2.0,
        "7200.0": 2.0,
        "14400.0": 2.0,
        "28800.0": 2.0,
        "43200.0": 2.0,
        "57600.0": 2.0,
        "72000.0": 2.0,
        "86400.0": 2.0,
        "172800.0": 2.0,
        "259200.0": 2.0,
        "432000.0": 2.0,
        "604800.0": 2.0,
        "864000.0": 2.0,
        "1.2096e+06": 2.0,
        "+Inf": 3.0,
    }


@pytest.mark.parametrize(
    ("value", "first"),
    [
        (0.0, "10.0"),
        (10.0, "10.0"),
        (10.001, "30.0"),
        (3600.0, "3600.0"),
        (432000.0, "432000.0"),
        (432000.001, "604800.0"),
        (1209600.0, "1.2096e+06"),
        (1209600.001, "+Inf"),
    ],
)
def test_the_bound_of_a_bucket_belongs_to_it(value: float, first: str) -> None:
    aggregates = Aggregates()
    aggregates.apply([Increment(QUEUE, GROUP, value)])
    assert next(bound for bound, count in buckets(aggregates).items() if count) == first


def test_histograms_are_sorted_by_labels_and_the_lines_of_one_stand_together() -> None:
    aggregates = Aggregates()
    aggregates.apply([Increment(RUN, (*GROUP, outcome), 60.0) for outcome in ("FAILED", "COMPLETED", "FAILED")])
    lines = samples(aggregates, RUN)
    assert [sample.labels["outcome"] for sample in lines] == ["COMPLETED"] * 17 + ["FAILED"] * 17
    assert [sample.value for sample in lines if sample.name == f"{RUN}_count"] == [1.0, 2.0]


MOVES = st.lists(
    st.tuples(
        st.integers(0, 4),
        st.none()
        | st.builds(snapshot, status=st.sampled_from([*STATUSES, "PAUSED"]), device=st.sampled_from([SV1, GARNET])),
    ),
    max_size=30,
)


@given(MOVES)
def test_the_jobs_by_status_add_up_to_the_jobs_that_are_known(moves: list[tuple[int, JobSnapshot | None]]) -> None:
    aggregates = Aggregates()
    known: dict[int, JobSnapshot | None] = {}
    for number, job in moves:
        aggregates.move(known.get(number), job)
        known[number] = job
    values = [sample.value for sample in samples(aggregates, JOBS)]
    assert sum(values) == sum(job is not None for job in known.values())
    assert all(value >= 0.0 for value in values)


@given(st.lists(st.floats(0.0, 2e6), min_size=1, max_size=50))
def test_every_observation_is_in_every_bucket_above_it(values: list[float]) -> None:
    aggregates = Aggregates()
    aggregates.apply([Increment(QUEUE, GROUP, value) for value in values])
    counts = buckets(aggregates)
    assert [float(bound) for bound in counts] == [*QUEUE_BUCKETS, inf]
    for text, count in counts.items():
        assert count == sum(value <= float(text) for value in values)
    assert counts["+Inf"] == len(values)


# What is written down.

COMPLETED, FAILED = (*GROUP, "COMPLETED"), (*GROUP, "FAILED")


def test_what_steps_will_come_to_is_told_before_they_are_made() -> None:
    aggregates = Aggregates()
    aggregates.apply([Increment(OUTCOMES, COMPLETED, 1.0), Increment(QUEUE, GROUP, 5.0)])
    steps = [
        Increment(OUTCOMES, COMPLETED, 1.0),
        Increment(OUTCOMES, COMPLETED, 2.0),
        Increment(OUTCOMES, FAILED, None),
        Increment(QUEUE, GROUP, 15.0),
        Increment(QUEUE, GROUP, None),
        Increment(RUN, FAILED, None),
    ]
    before = aggregates.totals()
    assert aggregates.after(steps) == Totals(
        {(OUTCOMES, COMPLETED): 4.0, (OUTCOMES, FAILED): 0.0},
        {(QUEUE, GROUP): Histogram((1, 1, *[0] * 20), 20.0), (RUN, FAILED): Histogram((0,) * 15)},
    )
    assert aggregates.totals() == before


def test_steps_that_are_none_touch_nothing() -> None:
    assert Aggregates().after([]) == Totals()


def test_totals_are_all_unless_some_are_named() -> None:
    aggregates = Aggregates()
    aggregates.apply(
        [Increment(OUTCOMES, COMPLETED, 1.0), Increment(OUTCOMES, FAILED, 2.0), Increment(QUEUE, GROUP, 5.0)]
    )
    queue = Histogram((1, *[0] * 21), 5.0)
    assert aggregates.totals() == Totals({(OUTCOMES, COMPLETED): 1.0, (OUTCOMES, FAILED): 2.0}, {(QUEUE, GROUP): queue})
    assert aggregates.totals({(OUTCOMES, FAILED), (RUN, FAILED)}) == Totals({(OUTCOMES, FAILED): 2.0})
    assert aggregates.totals({(QUEUE, GROUP)}) == Totals({}, {(QUEUE, GROUP): queue})
    assert aggregates.totals(()) == Totals()


def test_totals_that_are_set_take_the_place_of_those_that_are_named_alone() -> None:
    aggregates = Aggregates()
    aggregates.apply([Increment(OUTCOMES, COMPLETED, 1.0), Increment(OUTCOMES, FAILED, 2.0)])
    aggregates.set(Totals({(OUTCOMES, FAILED): 7.0}, {(QUEUE, GROUP): Histogram((0,) * 21 + (2,), 9.0)}))
    assert [sample.value for sample in samples(aggregates, OUTCOMES)] == [1.0, 7.0]
    assert [sample.value for sample in samples(aggregates, QUEUE)[-3:]] == [2.0, 2.0, 9.0]


# What comes from a file.


def test_former_buckets_are_a_part_of_those_of_today_and_known_by_their_number() -> None:
    for family in AGGREGATE_FAMILIES:
        numbers = [len(bounds) for bounds in (family.buckets, *family.former_buckets)]
        assert len(set(numbers)) == len(numbers)
        assert all(set(bounds) < set(family.buckets) for bounds in family.former_buckets)


def test_totals_of_today_are_taken_as_they_are() -> None:
    totals = Totals({(OUTCOMES, COMPLETED): 3.0}, {(QUEUE, GROUP): Histogram((1,) * 22, 9.0)})
    assert totals.checked() == totals


@given(st.lists(st.floats(0.0, 2e6), max_size=30))
def test_in_a_histogram_of_an_older_build_no_bucket_that_it_had_changes(values: list[float]) -> None:
    old = [0] * (len(RUN_BUCKETS) + 1)
    for value in values:
        old[bisect_left(RUN_BUCKETS, value)] += 1
    aggregates = Aggregates()
    aggregates.set(Totals({}, {(QUEUE, GROUP): Histogram(tuple(old), sum(values))}).checked())
    counts = buckets(aggregates)
    for bound in (*RUN_BUCKETS, inf):
        assert counts["+Inf" if bound == inf else str(bound)] == sum(value <= bound for value in values)
    assert [*counts.values()] == sorted(counts.values())
    assert [sample.value for sample in samples(aggregates, QUEUE)[-2:]] == [len(values), sum(values)]


def test_a_histogram_of_an_older_build_goes_on_counting_in_the_buckets_of_today() -> None:
    aggregates = Aggregates()
    aggregates.set(Totals({}, {(QUEUE, GROUP): Histogram((*[0] * 14, 7), 7e6)}).checked())
    aggregates.apply([Increment(QUEUE, GROUP, 1_000_000.0)])
    assert (buckets(aggregates)["864000.0"], buckets(aggregates)["1.2096e+06"], buckets(aggregates)["+Inf"]) == (
        0.0,
        1.0,
        8.0,
    )


@pytest.mark.parametrize("number", [0, 1, 14, 16, 21, 23, 100])
def test_a_histogram_with_unknown_buckets_is_dropped_and_nothing_else(number: int) -> None:
    other = Histogram((1,) * 15, 9.0)
    kept: dict[Series, float] = {(OUTCOMES, COMPLETED): 3.0}
    totals = Totals(kept, {(QUEUE, GROUP): Histogram((1,) * number, 9.0), (RUN, COMPLETED): other})
    assert totals.checked() == Totals(kept, {(RUN, COMPLETED): other})


@pytest.mark.parametrize(
    ("series", "histogram", "problem"),
    [
        ((OUTCOMES, COMPLETED), Histogram((1,)), "braket_job_outcomes_total is not a histogram"),
        ((QUEUE, GROUP), Histogram((-1, *[0] * 21)), "braket_job_queue_duration_seconds is no histogram of"),
        ((QUEUE, GROUP), Histogram((-1, *[0] * 14)), "braket_job_queue_duration_seconds is no histogram of"),
        ((QUEUE, GROUP), Histogram((1,) * 22, -1.0), "braket_job_queue_duration_seconds is no histogram of"),
        ((QUEUE, COMPLETED), Histogram((1,) * 22), "braket_job_queue_duration_seconds has no labels"),
    ],
)
def test_a_histogram_that_makes_no_sense_is_refused(
    series: tuple[str, tuple[str, ...]], histogram: Histogram, problem: str
) -> None:
    with pytest.raises(ValueError, match=problem):
        Totals({}, {series: histogram}).checked()


INCREMENTS = st.lists(
    st.one_of(
        st.builds(Increment, st.just(OUTCOMES), st.sampled_from([COMPLETED, FAILED]), st.none() | st.just(1.0)),
        st.builds(Increment, st.just(QUEUE), st.just(GROUP), st.none() | st.floats(0.0, 1e6)),
        st.builds(Increment, st.just(RUN), st.sampled_from([COMPLETED, FAILED]), st.none() | st.floats(0.0, 1e6)),
    ),
    max_size=12,
)


@given(st.lists(INCREMENTS, max_size=5))
def test_totals_that_are_set_come_to_what_one_step_after_the_other_does(steps: list[list[Increment]]) -> None:
    together, singly, logged = Aggregates(), Aggregates(), Aggregates()
    for some in steps:
        after = together.after(some)
        together.apply(some)
        for step in some:
            singly.apply([step])
        logged.set(after)
        touched = {(step.metric, step.labels) for step in some}
        assert together.totals(touched) == after
    assert together.totals() == singly.totals() == logged.totals()
