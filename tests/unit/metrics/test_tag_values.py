"""Tags as labels of the aggregate metrics."""

import pytest
from builders import ACCOUNT, REGION, SV1, snapshot

from exporter.core import Increment
from exporter.metrics.aggregate_metrics import aggregate_families
from exporter.metrics.aggregates import Aggregates, Totals
from exporter.metrics.exposition import render
from exporter.metrics.tag_values import TagValues

OUTCOMES = "braket_job_outcomes_total"
GROUP = (ACCOUNT, REGION, SV1)


def tagged(team: str) -> tuple[tuple[str, str], ...]:
    return (("team", team),)


def outcome(team: str | None, amount: float | None = 1.0) -> Increment:
    return Increment(OUTCOMES, (*GROUP, "COMPLETED"), amount, () if team is None else tagged(team))


def lines(aggregates: Aggregates, name: str, keys: tuple[str, ...] = ("team",)) -> str:
    families = [family for family in aggregate_families(keys) if family.name == name]
    return render(families, aggregates.values())[0].decode()


def test_every_aggregate_family_has_the_tags_as_labels() -> None:
    assert {family.labels[:5] for family in aggregate_families(["team", "cost-centre"])} == {
        ("aws_account_id", "aws_region", "device", "tag_team", "tag_cost_centre")
    }


def test_counters_and_the_number_of_jobs_are_divided_by_tag_and_an_untagged_job_has_an_empty_value() -> None:
    aggregates = Aggregates(tag_values=TagValues(["team"]))
    aggregates.apply([outcome("ml"), outcome("ml"), outcome(None)])
    aggregates.move(None, snapshot(status="QUEUED", tags=tagged("ml")))
    place = f'aws_account_id="{ACCOUNT}",aws_region="{REGION}",device="{SV1}"'
    assert lines(aggregates, OUTCOMES) == (
        f'{OUTCOMES}{{{place},outcome="COMPLETED",tag_team=""}} 1.0\n'
        f'{OUTCOMES}{{{place},outcome="COMPLETED",tag_team="ml"}} 2.0\n'
    )
    assert f'braket_jobs{{{place},status="QUEUED",tag_team="ml"}} 1.0\n' in lines(aggregates, "braket_jobs")


def test_a_job_that_changes_keeps_its_tags() -> None:
    aggregates = Aggregates(tag_values=TagValues(["team"]))
    aggregates.move(None, snapshot(status="QUEUED", tags=tagged("ml")))
    aggregates.move(snapshot(status="QUEUED", tags=tagged("ml")), snapshot(tags=tagged("ml")))
    assert {key: count for key, count in aggregates.jobs.items() if count} == {((*GROUP, "ml"), "RUNNING"): 1}


def test_after_a_hundred_values_of_a_key_further_ones_are_other_for_good() -> None:
    values = TagValues(["team", "stage"])
    for number in range(100):
        assert values.labels([*tagged(f"team-{number}"), ("stage", "dev")]) == (f"team-{number}", "dev")
    assert values.labels([*tagged("late"), ("stage", "prod")]) == ("other", "prod")
    assert values.labels(tagged("team-99")) == ("team-99", "")
    assert values.labels(tagged("late")) == ("other", "")


def test_only_the_first_response_of_a_job_with_a_value_too_many_is_counted_as_such() -> None:
    aggregates = Aggregates(tag_values=TagValues(["team"]))
    for number in range(100):
        aggregates.apply([outcome(f"team-{number}")])
    assert aggregates.others([outcome("late", None), outcome("late")]) == ["team"]
    assert aggregates.others([outcome("late")]) == []
    assert aggregates.others([outcome("team-5", None)]) == []
    assert aggregates.others([outcome(None, None)]) == []
    assert aggregates.others([]) == []


def test_the_values_from_before_a_restart_count_towards_the_hundred() -> None:
    aggregates = Aggregates(tag_values=TagValues(["team"]))
    aggregates.restore(Totals({(OUTCOMES, (*GROUP, f"team-{number}", "COMPLETED")): 1.0 for number in range(100)}))
    aggregates.apply([outcome("late"), outcome("team-7")])
    assert aggregates.counters[OUTCOMES][*GROUP, "other", "COMPLETED"] == 1.0
    assert aggregates.counters[OUTCOMES][*GROUP, "team-7", "COMPLETED"] == 2.0


@pytest.mark.parametrize("keys", [(), ("team",), ("team", "stage", "owner")])
def test_the_number_of_labels_of_a_saved_series_must_fit_the_tags(keys: tuple[str, ...]) -> None:
    fitting = Totals({(OUTCOMES, (*GROUP, *keys, "COMPLETED")): 1.0})
    assert fitting.checked(len(keys)) == fitting
    with pytest.raises(ValueError, match="has no labels"):
        fitting.checked(len(keys) + 1)
