"""Which poller watches which job after the targets change."""

from dataclasses import replace

import pytest
from builders import ACCOUNT, REGION, arn

from exporter.core import CredentialsRef, JobRecord, Selector, Target, TargetConfig
from exporter.polling.reassignment import OwnersAfterRestart, Place, configured_jobs, reassignment, released

A, B, C = arn(1), arn(2), arn(3)
WEST, NORTH = Target(ACCOUNT, REGION), Target(ACCOUNT, "eu-north-1")
ALL = Selector(all_jobs=True)


def config(*jobs: str, selector: Selector | None = None, target: Target = WEST) -> TargetConfig:
    return TargetConfig(CredentialsRef(), target, jobs, selector)


def place(poller: int, one: TargetConfig, target: Target | None = None) -> Place[int]:
    return Place(poller, one, one.target if target is None else target, one.selector is not None)


def test_jobs_are_configured_whichever_target_names_them() -> None:
    assert configured_jobs([config(A), config(), config(B, A)]) == {A, B}


def test_a_poller_that_ends_gives_up_all_jobs_and_another_one_those_that_other_targets_name() -> None:
    assert released([0, 1], {1: config(A)}, {A, B}) == {0: None, 1: {B}}
    assert released([0], {0: config(A, B)}, {A, B}) == {0: frozenset()}


@pytest.mark.parametrize(
    ("places", "taker"),
    [
        ([], None),
        ([place(0, config(B))], None),
        ([place(0, config(selector=ALL, target=NORTH))], None),
        ([place(0, config(selector=ALL)), place(1, config(selector=ALL))], 0),
        ([place(0, config(selector=ALL), Target("", REGION))], 0),
        ([place(0, config(selector=ALL), Target("", REGION)), place(1, config(selector=ALL))], 1),
        ([place(0, config(selector=ALL), Target("210987654321", REGION))], None),
    ],
)
def test_a_job_goes_to_the_first_that_looks_for_jobs_where_it_is_or_else_is_dropped(
    places: list[Place[int]], taker: int | None
) -> None:
    moves = reassignment(places, [A, C])
    assert (moves.to, moves.dropped) == (({}, [A, C]) if taker is None else ({taker: [A, C]}, []))


def test_after_a_restart_a_job_belongs_to_the_target_that_names_it_or_else_to_the_one_that_found_it() -> None:
    finding, naming = config(selector=ALL), config(A)
    owners = OwnersAfterRestart([place(0, naming), place(1, finding), place(2, finding)])
    found = JobRecord(A, baseline_at=0.0, configured=False, owner=finding.key)
    assert [owners.of(record) for record in (found, replace(found, arn=B))] == [0, 1]
    assert [owners.configures(record) for record in (found, replace(found, arn=B))] == [True, False]
    assert owners.of(JobRecord(B, baseline_at=0.0, configured=True, owner=finding.key)) is None
    assert owners.of(JobRecord(B, baseline_at=0.0, configured=False, owner="another")) is None
