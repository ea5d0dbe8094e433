"""Generated fleets: pure, believable, and never short of something to see."""

import json
import re
from collections import Counter
from collections.abc import Iterable
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from profiles import examples
from sim_shapes import problems
from sim_support import START

from exporter.simulator import REGIONS, Births, Plan, SimulatedJob, Status, generate_fleet
from exporter.simulator.courses import KINDS
from exporter.simulator.phases import TERMINAL
from exporter.simulator.wire import unix_seconds

PLAN = Plan(seed=7, epoch=START, speed=30.0)
MINUTE = 60.0
HOUR = 3600.0


def status(job: SimulatedJob, now: float) -> str:
    summary = job.summary(now)
    assert summary is not None
    return str(summary["status"])


def statuses(job: SimulatedJob) -> list[str]:
    return [str(phase.status) for phase in job.phases if phase.status is not None]


def events(job: SimulatedJob) -> list[str]:
    return [str(phase.event) for phase in job.phases if phase.event is not None]


def changes(jobs: Iterable[SimulatedJob], since: float, until: float) -> list[tuple[str, str]]:
    """Every change of status in a span of time after the epoch."""
    return [
        pair
        for job in jobs
        for pair, phase in zip(
            zip(statuses(job), statuses(job)[1:], strict=False),
            [phase for phase in job.phases if phase.status is not None][1:],
            strict=True,
        )
        if since <= job.created + phase.offset - START < until
    ]


def test_equal_plans_give_equal_fleets_and_another_seed_another_one() -> None:
    assert generate_fleet(PLAN, 50) == generate_fleet(Plan(7, START, 30.0), 50)
    assert generate_fleet(PLAN, 50) != generate_fleet(Plan(8, START, 30.0), 50)


def test_a_fleet_has_as_many_jobs_as_asked_for_each_with_its_own_arn() -> None:
    assert len({job.arn for job in generate_fleet(PLAN, 403)}) == 403
    assert generate_fleet(PLAN, 0) == ()


def test_most_jobs_are_active_at_the_epoch_and_some_ended_long_before() -> None:
    fleet = generate_fleet(PLAN, 40)
    ended = [job for job in fleet if status(job, START) in TERMINAL]
    assert len(ended) == 8
    assert all(status(job, START - 20 * MINUTE) in TERMINAL for job in ended)


def test_within_five_minutes_transitions_of_every_kind_are_seen() -> None:
    seen = set(changes(generate_fleet(PLAN, 40), 0.0, 5 * MINUTE))
    assert seen >= {
        ("QUEUED", "RUNNING"),
        ("QUEUED", "CANCELLING"),
        ("QUEUED", "FAILED"),
        ("RUNNING", "COMPLETED"),
        ("RUNNING", "FAILED"),
        ("RUNNING", "CANCELLING"),
        ("RUNNING", "CANCELLED"),
        ("CANCELLING", "CANCELLED"),
    }


@pytest.mark.parametrize("speed", [20.0, 30.0, 60.0])
def test_after_most_of_an_hour_a_fixed_fleet_still_changes(speed: float) -> None:
    fleet = generate_fleet(Plan(7, START, speed), 40)
    assert len(changes(fleet, 40 * MINUTE, 70 * MINUTE)) >= 2


def test_at_real_speed_jobs_live_for_minutes_to_days() -> None:
    lives = [job.phases[-1].offset for job in generate_fleet(Plan(7, START), 200)]
    assert min(lives) >= 7 * MINUTE
    assert max(lives) <= 97 * HOUR


def test_speed_divides_every_duration() -> None:
    [slow, fast] = [generate_fleet(Plan(7, START, speed), 60) for speed in (1.0, 50.0)]
    for one, other in zip(slow, fast, strict=True):
        assert one.name == other.name
        assert other.phases[-1].offset == pytest.approx(one.phases[-1].offset / 50, abs=0.001)
        assert other.max_runtime_seconds == max(1, one.max_runtime_seconds // 50)


def test_all_kinds_of_ends_and_events_are_there() -> None:
    fleet = generate_fleet(PLAN, 60)
    overtime = {statuses(job)[-1] for job in fleet if "MAX_RUNTIME_EXCEEDED" in events(job)}
    assert overtime == {"COMPLETED", "FAILED", "CANCELLED"}
    reasons = {str(job.failure_reason).partition(":")[0] for job in fleet if job.failure_reason}
    assert reasons == {"AlgorithmError", "ClientError", "InternalServerError", "CapacityError"}
    assert any(len(events(job)) > 20 for job in fleet)
    assert any(Counter(events(job))["RUNNING"] > 1 for job in fleet)
    assert any("DEPRIORITIZED_DUE_TO_INACTIVITY" in events(job) for job in fleet)
    assert any(statuses(job) == ["QUEUED", "CANCELLING", "CANCELLED"] for job in fleet)
    assert any(statuses(job) == ["QUEUED", "RUNNING", "CANCELLING", "CANCELLED"] for job in fleet)


def test_a_qpu_queue_moves_up_from_more_than_fifteen_one_place_at_a_time() -> None:
    lines = [[phase.position for phase in job.phases if phase.position] for job in generate_fleet(PLAN, 60)]
    assert [">15", *map(str, range(15, 0, -1))] in lines
    assert [str(place) for place in range(5, 0, -1)] in lines


def test_qpu_jobs_live_in_the_region_of_their_device() -> None:
    qpu = [job for job in generate_fleet(PLAN, 200) if "/qpu/" in job.device]
    assert {job.arn.split(":")[3] for job in qpu} == {"us-east-1", "us-west-1", "eu-north-1"}
    assert all(job.arn.split(":")[3] == job.device.split(":")[3] for job in qpu)


def test_simulators_have_no_region_and_embedded_ones_no_arn() -> None:
    devices = {job.device for job in generate_fleet(PLAN, 100)}
    assert "arn:aws:braket:::device/quantum-simulator/amazon/sv1" in devices
    assert "local:pennylane/lightning.qubit" in devices


def test_jobs_live_in_every_region_unless_some_are_chosen() -> None:
    assert {job.arn.split(":")[3] for job in generate_fleet(PLAN, 100)} == set(REGIONS)
    chosen = Plan(7, START, 30.0, regions=("us-west-2",), account="999999999999")
    assert {tuple(job.arn.split(":")[3:5]) for job in generate_fleet(chosen, 100)} == {("us-west-2", "999999999999")}


def test_names_are_not_unique_and_some_arns_end_in_one() -> None:
    fleet = generate_fleet(PLAN, 200)
    assert len({job.name for job in fleet}) < 200
    old = [job for job in fleet if job.arn.rpartition("/")[2] == job.name]
    assert 10 < len(old) < 50
    uuid = re.compile(r"[0-9a-f]{8}-[0-9a-f]{4}-4[0-9a-f]{3}-[89ab][0-9a-f]{3}-[0-9a-f]{12}")
    assert all(uuid.fullmatch(job.arn.rpartition("/")[2]) for job in fleet if job not in old)


def test_jobs_carry_tags_of_team_stage_and_owner() -> None:
    fleet = generate_fleet(PLAN, 100)
    assert {job.tags["team"] for job in fleet} == {"chemistry", "optimisation", "ml"}
    assert {job.tags["stage"] for job in fleet} == {"prod", "dev"}
    assert all(job.tags["owner"] for job in fleet)


def run_seconds(job: SimulatedJob, until: str) -> float | None:
    start = next((phase.offset for phase in job.phases if phase.status == Status.RUNNING), None)
    end = next((phase.offset for phase in job.phases if until in (phase.event, phase.status)), None)
    return None if start is None or end is None else end - start


@settings(max_examples=examples(25))
@given(seed=st.integers(0, 10**6), speed=st.floats(1, 60))
def test_a_job_exceeds_its_maximum_runtime_exactly_when_its_events_say_so(seed: int, speed: float) -> None:
    for job in generate_fleet(Plan(seed, START, speed), 2 * len(KINDS)):
        exceeded = run_seconds(job, "MAX_RUNTIME_EXCEEDED")
        if exceeded is not None:
            assert job.max_runtime_seconds <= exceeded + 0.01
        elif (run := run_seconds(job, statuses(job)[-1])) is not None:
            assert job.max_runtime_seconds >= run - 0.01


@settings(max_examples=examples(25))
@given(seed=st.integers(0, 10**6), speed=st.floats(1, 3600), after=st.floats(0, 10_000))
def test_every_answer_keeps_to_the_model_and_lies_in_the_past(seed: int, speed: float, after: float) -> None:
    now = START + after
    for job in generate_fleet(Plan(seed, START, speed), 2 * len(KINDS)):
        answer: Any = json.loads(json.dumps(job.answer(now, queue_info=True)))
        summary = json.loads(json.dumps(job.summary(now)))
        assert problems("GetJob", answer) == []
        assert problems("SearchJobs", {"jobs": [summary]}) == []
        assert max(answered_times(answer)) <= now + 1e-6


def answered_times(answer: Any) -> list[float]:
    ends = [answer[name] for name in ("createdAt", "startedAt", "endedAt") if name in answer]
    return [unix_seconds(text) for text in (*ends, *(event["timeOfEvent"] for event in answer["events"]))]


def test_births_come_one_after_the_other_at_the_given_rate() -> None:
    births = Births(PLAN, per_minute=6.0)
    moments = [births.created(number) for number in range(60)]
    assert moments == sorted(moments)
    assert all(START <= moment < START + 10 * MINUTE for moment in moments)
    assert moments[-1] > START + 9 * MINUTE


def test_a_birth_depends_on_its_number_alone() -> None:
    births = Births(PLAN, per_minute=6.0)
    assert births.job(123_456) == Births(PLAN, per_minute=6.0).job(123_456)
    assert births.job(3).created == births.created(3)
    assert len({births.job(number).arn for number in range(200)}) == 200


def test_births_go_round_all_the_kinds() -> None:
    births = Births(PLAN, per_minute=6.0)
    ends = {statuses(births.job(number))[-1] for number in range(len(KINDS))}
    assert ends == {"COMPLETED", "FAILED", "CANCELLED"}
