"""What is news, what it counts as, and how long a job is remembered."""

from collections import Counter
from collections.abc import Iterable
from dataclasses import replace
from typing import Any

import pytest
from builders import ACCOUNT, ARN, CREATED, REGION, SV1, arn, event, finished, kept, record, snapshot
from hypothesis import given
from hypothesis import strategies as st

from exporter.core.jobs import EVENT_TYPES, MAX_RUNTIME_EXCEEDED, STATUSES, Increment, JobRecord, JobSnapshot
from exporter.core.transitions import (
    Observation,
    diff,
    entered_at,
    expires_at,
    is_complete,
    is_failure,
    observe,
    ran_out_of_time,
)
from exporter.metrics import Aggregates

BEFORE = CREATED - 1.0
"""The exporter began before the job was created: the job is news."""

AFTER = CREATED + 1.0
"""The exporter began after the job was created: the job is baseline."""

NOW = CREATED + 130.0
GROUP = (ACCOUNT, REGION, SV1)
FINAL = ("COMPLETED", "FAILED", "CANCELLED")
OUTCOMES = "braket_job_outcomes_total"
BILLABLE = "braket_billable_seconds_total"
TRANSITIONS = "braket_job_transitions_total"
QUEUE = "braket_job_queue_duration_seconds"
RUN = "braket_job_run_duration_seconds"
PHASE_SECONDS = "braket_job_phase_seconds_total"
PHASE_COUNT = "braket_job_phases_total"


def look(job: JobSnapshot, known: JobRecord | None = None, *, since: float = BEFORE, now: float = NOW) -> Observation:
    return observe(JobRecord(job.arn) if known is None else known, job, since=since, now=now)


def watch(jobs: Iterable[JobSnapshot], *, since: float = BEFORE) -> list[Observation]:
    """Look at one job again and again."""
    observations: list[Observation] = []
    known = None
    for number, job in enumerate(jobs):
        observations.append(look(job, known, since=since, now=NOW + number))
        known = observations[-1].record
    return observations


def steps(*observations: Observation) -> list[Increment]:
    """Return what was counted but the phases, without the zeros that make series exist, sorted."""
    every = (step for seen in observations for step in seen.increments if step.amount)
    return sorted(step for step in every if step.metric not in (PHASE_SECONDS, PHASE_COUNT))


def phases(*observations: Observation) -> list[tuple[str, str, float]]:
    """Return the phases that were counted, as (metric, phase, amount)."""
    every = (step for seen in observations for step in seen.increments)
    counted = ((step.metric, step.labels[-1], step.amount) for step in every if step.amount is not None)
    return [each for each in counted if each[0] in (PHASE_SECONDS, PHASE_COUNT)]


def outcome(name: str) -> Increment:
    return Increment(OUTCOMES, (*GROUP, name), 1.0)


def changed(from_status: str, to_status: str) -> Increment:
    return Increment(TRANSITIONS, (*GROUP, from_status, to_status), 1.0)


def billed(seconds: float) -> Increment:
    return Increment(BILLABLE, (*GROUP, "ml.m5.large"), seconds)


def queued(seconds: float) -> Increment:
    return Increment(QUEUE, GROUP, seconds)


def ran(seconds: float, status: str = "COMPLETED") -> Increment:
    return Increment(RUN, (*GROUP, status), seconds)


# First sight.


@pytest.mark.parametrize("job", [snapshot(status="QUEUED", started=None), snapshot(), *map(finished, FINAL)])
@pytest.mark.parametrize("since", [AFTER, CREATED])
def test_a_job_created_before_the_exporter_is_discovered_and_counts_nowhere(job: JobSnapshot, since: float) -> None:
    seen = look(job, since=since)
    assert seen.discovered
    assert seen.transition is None
    assert seen.events == ()
    assert steps(seen) == []
    assert seen.record.snapshot == kept(job)


def test_a_job_of_unknown_creation_is_taken_for_baseline() -> None:
    seen = look(finished(created=None))
    assert (seen.discovered, seen.transition, steps(seen)) == (True, None, [])


def test_what_a_baseline_job_has_done_so_far_is_known_though_not_told() -> None:
    job = snapshot(events=(event("RUNNING", CREATED + 84.0), event("RUNNING", CREATED + 85.0)))
    seen = look(job, since=AFTER)
    assert seen.record.events == (job.events[0].key, job.events[1].key)
    assert look(job, seen.record, since=AFTER).events == ()


@pytest.mark.parametrize("since", [BEFORE, AFTER])
def test_the_queue_of_a_response_is_in_the_observation_and_not_in_the_record(since: float) -> None:
    seen = look(snapshot(queue="JOBS_QUEUE", queue_message="Waiting."), since=since)
    assert (seen.queue, seen.queue_message) == ("JOBS_QUEUE", "Waiting.")
    assert seen.record.snapshot is not None
    assert (seen.record.snapshot.queue, seen.record.snapshot.queue_message) == ("", "")


@pytest.mark.parametrize("status", [*STATUSES, "PAUSED"])
def test_a_job_created_later_is_discovered_and_changes_from_nothing_to_its_status(status: str) -> None:
    seen = look(snapshot(status=status, started=None))
    assert seen.discovered
    assert seen.transition is not None
    assert (seen.transition.from_status, seen.transition.to_status) == (None, status)
    assert changed("", status) in steps(seen)


@pytest.mark.parametrize("status", FINAL)
@pytest.mark.parametrize("late", [0.0, 3600.0, 30 * 86400.0])
def test_a_job_that_lived_and_ended_unseen_is_counted_however_late_it_is_found(status: str, late: float) -> None:
    seen = look(finished(status), now=NOW + late)
    assert steps(seen) == sorted([outcome(status), changed("", status), billed(80.0), queued(40.0), ran(80.0, status)])
    assert seen.transition is not None
    assert seen.transition.event_time == CREATED + 120.0
    assert seen.transition.lag_seconds == 10.0 + late


def test_the_events_of_a_new_job_are_all_told_oldest_first() -> None:
    kinds = (("COMPLETED", 122.0), ("RUNNING", 84.0), ("STARTING_INSTANCE", 2.0))
    events = tuple(event(kind, CREATED + time) for kind, time in kinds)
    assert look(finished(events=events)).events == events[::-1]


@pytest.mark.parametrize("status", FINAL)
def test_a_job_that_was_active_at_first_sight_and_ends_later_counts_as_usual(status: str) -> None:
    first, last = watch([snapshot(), finished(status)], since=AFTER)
    assert steps(first) == []
    assert steps(last) == sorted(
        [outcome(status), changed("RUNNING", status), billed(80.0), queued(40.0), ran(80.0, status)]
    )
    assert not last.discovered
    assert last.transition is not None
    assert (last.transition.from_status, last.transition.to_status) == ("RUNNING", status)


def test_a_job_that_ran_at_first_sight_counts_nothing_while_it_runs_on() -> None:
    first, second, ended = watch([snapshot(), snapshot(), finished()], since=AFTER)
    assert steps(first, second) == []
    assert queued(40.0) in steps(ended)


def test_a_job_that_waited_at_first_sight_counts_its_queue_duration_when_it_starts() -> None:
    _, started, ended = watch([snapshot(status="QUEUED", started=None), snapshot(), finished()], since=AFTER)
    assert steps(started) == sorted([changed("QUEUED", "RUNNING"), queued(40.0)])
    assert steps(ended) == sorted([outcome("COMPLETED"), changed("RUNNING", "COMPLETED"), billed(80.0), ran(80.0)])


@pytest.mark.parametrize("status", FINAL)
def test_what_a_baseline_job_tells_after_its_end_counts_nowhere(status: str) -> None:
    late = event(MAX_RUNTIME_EXCEEDED, CREATED + 119.0)
    bare = finished(status, billable_seconds=None, started=None, ended=None, events=())
    full = finished(status, events=(event(status, CREATED + 120.0), late))
    seen = watch([bare, full], since=AFTER)
    assert steps(*seen) == []
    assert phases(*seen) == []
    assert [item.key.type for item in seen[1].events] == [MAX_RUNTIME_EXCEEDED, status]


@pytest.mark.parametrize("since", [BEFORE, AFTER])
@pytest.mark.parametrize("job", [snapshot(), finished()])
def test_every_counter_that_can_be_known_exists_from_zero_at_first_sight(job: JobSnapshot, since: float) -> None:
    zeros = [step for step in look(job, since=since).increments if not step.amount]
    assert zeros == [
        Increment(OUTCOMES, (*GROUP, "COMPLETED"), None),
        Increment(OUTCOMES, (*GROUP, "FAILED"), None),
        Increment(OUTCOMES, (*GROUP, "CANCELLED"), None),
        Increment(OUTCOMES, (*GROUP, MAX_RUNTIME_EXCEEDED), None),
        Increment(BILLABLE, (*GROUP, "ml.m5.large"), None),
        Increment(QUEUE, GROUP, None),
        Increment(RUN, (*GROUP, "COMPLETED"), None),
        Increment(RUN, (*GROUP, "FAILED"), None),
        Increment(RUN, (*GROUP, "CANCELLED"), None),
        Increment(PHASE_SECONDS, (*GROUP, "queued"), None),
        Increment(PHASE_SECONDS, (*GROUP, "starting"), None),
        Increment(PHASE_SECONDS, (*GROUP, "downloading"), None),
        Increment(PHASE_SECONDS, (*GROUP, "running"), None),
        Increment(PHASE_SECONDS, (*GROUP, "uploading"), None),
        Increment(PHASE_SECONDS, (*GROUP, "deprioritized"), None),
        Increment(PHASE_COUNT, (*GROUP, "queued"), None),
        Increment(PHASE_COUNT, (*GROUP, "starting"), None),
        Increment(PHASE_COUNT, (*GROUP, "downloading"), None),
        Increment(PHASE_COUNT, (*GROUP, "running"), None),
        Increment(PHASE_COUNT, (*GROUP, "uploading"), None),
        Increment(PHASE_COUNT, (*GROUP, "deprioritized"), None),
    ]


def test_zeros_come_with_the_first_answer_only() -> None:
    _, second = watch([snapshot(), snapshot()])
    assert second.increments == ()


# From status to status.


def test_a_whole_life_is_four_transitions() -> None:
    jobs = [snapshot(status="QUEUED", started=None), snapshot(), snapshot(status="CANCELLING"), finished("CANCELLED")]
    seen = [item.transition for item in watch(jobs)]
    assert [(item.from_status, item.to_status, item.event_time) for item in seen if item is not None] == [
        (None, "QUEUED", CREATED),
        ("QUEUED", "RUNNING", CREATED + 40.0),
        ("RUNNING", "CANCELLING", None),
        ("CANCELLING", "CANCELLED", CREATED + 120.0),
    ]


def test_the_same_answer_again_brings_nothing_new() -> None:
    for job in (snapshot(events=(event("RUNNING", 1.0),)), finished()):
        _, again = watch([job, job])
        assert again.transition is None
        assert again.events == ()
        assert again.increments == ()
        assert again.unknown == ()
        assert not again.discovered


def test_a_transition_is_the_same_after_a_restart_that_forgot_it() -> None:
    one = look(finished("FAILED"), record(snapshot()), now=NOW).transition
    other = look(finished("FAILED"), record(snapshot()), now=NOW + 3600.0).transition
    assert one is not None
    assert other is not None
    assert one.transition_id == other.transition_id


def test_every_transition_of_a_life_has_an_id_of_its_own() -> None:
    jobs = [snapshot(status="QUEUED", started=None), snapshot(), snapshot(status="CANCELLING"), finished("CANCELLED")]
    ids = {item.transition.transition_id for item in watch(jobs) if item.transition is not None}
    assert len(ids) == 4


def test_a_job_that_runs_a_second_time_has_a_second_transition_of_its_own_time_and_id() -> None:
    first_run = event("RUNNING", CREATED + 84.0)
    requeued = event("DEPRIORITIZED_DUE_TO_INACTIVITY", CREATED + 500.0)
    second_run = event("RUNNING", CREATED + 900.0)
    jobs = [
        snapshot(status="QUEUED", started=None),
        snapshot(events=(first_run,)),
        snapshot(status="QUEUED", events=(first_run, requeued)),
        snapshot(events=(first_run, requeued, second_run)),
    ]
    seen = [item.transition for item in watch(jobs) if item.transition is not None]
    assert [item.event_time for item in seen] == [CREATED, CREATED + 40.0, CREATED + 500.0, CREATED + 900.0]
    assert len({item.transition_id for item in seen}) == 4


@pytest.mark.parametrize(
    ("from_status", "members", "time"),
    [
        (None, {"status": "QUEUED", "started": None}, CREATED),
        (None, {"status": "QUEUED", "created": None}, None),
        ("RUNNING", {"status": "QUEUED"}, None),
        ("RUNNING", {"status": "QUEUED", "events": (event("DEPRIORITIZED_DUE_TO_INACTIVITY", 7.0),)}, 7.0),
        ("RUNNING", {"status": "QUEUED", "events": (event("WAITING_FOR_PRIORITY", 7.0),)}, 7.0),
        (
            "RUNNING",
            {"status": "QUEUED", "events": (event("QUEUED_FOR_EXECUTION", 9.0), event("QUEUED_FOR_EXECUTION", 7.0))},
            9.0,
        ),
        ("QUEUED", {"status": "RUNNING"}, CREATED + 40.0),
        ("QUEUED", {"status": "RUNNING", "started": None}, None),
        ("QUEUED", {"status": "RUNNING", "started": None, "events": (event("RUNNING", 7.0),)}, 7.0),
        ("QUEUED", {"status": "RUNNING", "started": None, "events": (event("RUNNING", None),)}, None),
        ("RUNNING", {"status": "CANCELLING", "events": (event("CANCELLED", 7.0),)}, None),
        ("RUNNING", {"status": "COMPLETED", "ended": CREATED + 99.0}, CREATED + 99.0),
        ("RUNNING", {"status": "COMPLETED", "events": (event("COMPLETED", 7.0), event("FAILED", 9.0))}, 7.0),
        ("RUNNING", {"status": "FAILED"}, None),
        ("RUNNING", {"status": "PAUSED"}, None),
        (None, {"status": "RUNNING", "started": 0.0}, 0.0),
        (None, {"status": "FAILED", "ended": 0.0}, 0.0),
    ],
)
def test_when_a_status_began_is_what_braket_tells_of_it(
    from_status: str | None, members: dict[str, Any], time: float | None
) -> None:
    assert entered_at(from_status, snapshot(**members)) == time


# The end and what it counts as.


@pytest.mark.parametrize("status", FINAL)
def test_a_job_that_ran_out_of_time_counts_under_its_status_and_under_max_runtime_exceeded(status: str) -> None:
    out_of_time = event(MAX_RUNTIME_EXCEEDED, CREATED + 119.0)
    job = finished(status, events=(event(status, CREATED + 120.0), out_of_time))
    for seen in (look(job), watch([snapshot(), job])[1], watch([snapshot(events=(out_of_time,)), job])[1]):
        assert [step for step in steps(seen) if step.metric == OUTCOMES] == sorted(
            [outcome(status), outcome(MAX_RUNTIME_EXCEEDED)]
        )
        assert ran_out_of_time(seen.record)
        assert is_failure(seen.record)


@pytest.mark.parametrize("status", FINAL)
def test_an_event_that_fell_out_of_the_last_twenty_still_says_that_the_job_ran_out_of_time(status: str) -> None:
    _, ended = watch([snapshot(events=(event(MAX_RUNTIME_EXCEEDED, CREATED + 119.0),)), finished(status)])
    assert outcome(MAX_RUNTIME_EXCEEDED) in steps(ended)


@pytest.mark.parametrize("status", FINAL)
def test_an_event_of_running_out_of_time_that_comes_after_the_end_counts_once(status: str) -> None:
    late = finished(status, events=(event(status, CREATED + 120.0), event(MAX_RUNTIME_EXCEEDED, CREATED + 119.0)))
    more = finished(status, events=(*late.events, event(MAX_RUNTIME_EXCEEDED, CREATED + 119.5)))
    seen = watch([snapshot(), finished(status), late, late, more])
    assert steps(*seen).count(outcome(MAX_RUNTIME_EXCEEDED)) == 1
    assert steps(*seen).count(outcome(status)) == 1


def test_a_job_that_runs_out_of_time_is_not_counted_before_it_ended() -> None:
    first, second = watch([snapshot(), snapshot(events=(event(MAX_RUNTIME_EXCEEDED, CREATED + 119.0),))])
    assert [step for step in steps(first, second) if step.metric == OUTCOMES] == []


def test_running_out_of_time_is_never_concluded_from_the_reason_or_the_duration() -> None:
    job = finished("FAILED", failure_reason="MAX_RUNTIME_EXCEEDED: too long", max_runtime_seconds=60)
    assert not ran_out_of_time(look(job).record)
    assert outcome(MAX_RUNTIME_EXCEEDED) not in steps(look(job))


def test_billable_time_that_comes_late_counts_once_times_the_instances() -> None:
    late = finished(instance_count=4, billable_seconds=80.0)
    seen = watch([snapshot(), finished(instance_count=4, billable_seconds=None), late, late, late])
    assert steps(seen[1]) == sorted([outcome("COMPLETED"), changed("RUNNING", "COMPLETED"), ran(80.0)])
    assert steps(*seen[2:]) == [billed(320.0)]


def test_billable_time_of_an_unknown_number_of_instances_is_that_of_one() -> None:
    assert billed(80.0) in steps(look(finished(instance_count=None)))


def test_billable_time_that_is_told_before_the_end_counts_at_the_end() -> None:
    running, ended = watch([snapshot(billable_seconds=20.0), finished(billable_seconds=80.0)])
    assert [step for step in steps(running) if step.metric == BILLABLE] == []
    assert billed(80.0) in steps(ended)


def test_a_billable_time_of_zero_counts_as_told() -> None:
    seen = look(finished(billable_seconds=0.0))
    assert "billable" in seen.record.counted


def test_a_job_cancelled_in_the_queue_has_an_outcome_and_no_durations() -> None:
    seen = look(finished("CANCELLED", started=None, billable_seconds=None))
    assert steps(seen) == sorted([outcome("CANCELLED"), changed("", "CANCELLED")])


def test_durations_that_come_late_count_once() -> None:
    seen = watch([snapshot(started=None), finished(started=None, ended=None), finished(), finished()])
    assert steps(seen[2]) == sorted([queued(40.0), ran(80.0)])
    assert steps(seen[3]) == []


def test_a_job_that_is_queued_again_counts_its_queue_duration_once() -> None:
    back = snapshot(status="QUEUED", started=None)
    again = snapshot(started=CREATED + 400.0)
    seen = watch([back, snapshot(), back, again, finished(started=CREATED + 100.0)])
    assert [step for step in steps(*seen) if step.metric == QUEUE] == [queued(40.0)]


def test_the_phases_of_a_job_count_once_at_its_end() -> None:
    ended = finished(events=(event("RUNNING", CREATED + 50.0), event("COMPLETED", CREATED + 120.0)))
    seen = watch([snapshot(), ended, ended])
    assert phases(seen[0]) == []
    assert phases(seen[1]) == [
        (PHASE_SECONDS, "queued", 40.0),
        (PHASE_COUNT, "queued", 1.0),
        (PHASE_SECONDS, "downloading", 10.0),
        (PHASE_COUNT, "downloading", 1.0),
        (PHASE_SECONDS, "running", 70.0),
        (PHASE_COUNT, "running", 1.0),
    ]
    assert phases(seen[2]) == []


def test_the_phases_include_events_that_braket_dropped_before_the_end() -> None:
    seen = watch([snapshot(events=(event("STARTING_INSTANCE", CREATED + 2.0),)), finished()])
    assert [(phase, amount) for metric, phase, amount in phases(seen[1]) if metric == PHASE_SECONDS] == [
        ("queued", 2.0),
        ("starting", 38.0),
        ("running", 80.0),
    ]


def test_the_phases_of_a_job_whose_end_comes_late_count_once_it_is_known() -> None:
    seen = watch([snapshot(), finished(ended=None), finished(), finished()])
    assert [len(phases(each)) for each in seen] == [0, 0, 4, 0]


def test_an_answer_from_before_the_end_does_not_bring_a_job_back() -> None:
    stale = snapshot(queue_position=3, events=(event("RUNNING", CREATED + 84.0),), unknown=(("status", "x"),))
    *_, ended, behind = watch([snapshot(), finished("FAILED"), stale])
    assert behind.transition is None
    assert behind.increments == ()
    assert behind.unknown == ()
    assert behind.record == ended.record


def test_an_answer_clears_the_failure_of_the_questions_before_it() -> None:
    assert look(snapshot(), JobRecord(arn(1), failing="AccessDeniedException")).record.failing is None
    assert look(finished(), record(finished(), failing="malformed")).record.failing is None
    assert look(snapshot(), record(finished(), failing="malformed")).record.failing is None


def test_the_time_of_the_last_poll_moves_while_a_job_is_active_and_stands_still_after_its_end() -> None:
    seen = watch([snapshot(), snapshot(), finished(), finished(), snapshot()])
    assert [item.record.polled_at for item in seen] == [NOW, NOW + 1.0, NOW + 2.0, NOW + 2.0, NOW + 2.0]


def test_looking_at_a_job_keeps_whether_it_is_named() -> None:
    assert look(snapshot(), JobRecord(arn(1), configured=False)).record.configured is False
    assert look(snapshot(), JobRecord(arn(1), configured=True)).record.configured is True


# Events.


def test_a_new_event_is_told_once_and_remembered_when_braket_drops_it() -> None:
    one, two = event("RUNNING", CREATED + 84.0, "first"), event("UPLOADING_RESULTS", CREATED + 110.0)
    seen = watch([snapshot(), snapshot(events=(one,)), snapshot(events=(two,)), snapshot(events=(one, two))])
    assert [item.events for item in seen] == [(), (one,), (two,), ()]
    assert seen[-1].record.events == (one.key, two.key)


def test_an_event_that_repeats_in_one_answer_is_told_once() -> None:
    twin = event("RUNNING", CREATED + 84.0)
    assert watch([snapshot(), snapshot(events=(twin, twin, twin))])[1].events == (twin,)


def test_events_of_one_type_at_two_times_are_two_events() -> None:
    pair = (event("RUNNING", CREATED + 84.0), event("RUNNING", CREATED + 84.001))
    seen = watch([snapshot(), snapshot(events=pair)])[1]
    assert seen.events == pair
    assert len(seen.record.events) == 2


def test_new_events_are_told_oldest_first_and_those_without_a_time_last() -> None:
    events = (event("FAILED", None), event(None, 5.0), event("RUNNING", 3.0), event("QUEUED_FOR_EXECUTION", 0.0))
    logged = watch([snapshot(), snapshot(events=events)])[1].events
    assert [item.key.time for item in logged] == [0.0, 3.0, 5.0, None]


# Values that this release does not know.


def test_an_unknown_value_is_told_when_it_first_shows_and_not_while_it_stays() -> None:
    paused = snapshot(status="PAUSED", unknown=(("status", "PAUSED"),))
    more = replace(paused, unknown=(("status", "PAUSED"), ("eventType", "TELEPORTED")))
    seen = watch([paused, paused, more, more])
    assert [item.unknown for item in seen] == [(("status", "PAUSED"),), (), (("eventType", "TELEPORTED"),), ()]


def test_an_unknown_value_that_comes_back_is_not_told_again() -> None:
    paused = snapshot(status="PAUSED", unknown=(("status", "PAUSED"),))
    seen = watch([paused, snapshot(), paused])
    assert [item.unknown for item in seen] == [(("status", "PAUSED"),), (), ()]


def test_an_unknown_value_of_a_baseline_job_is_told() -> None:
    assert look(snapshot(unknown=(("status", "x"),)), since=AFTER).unknown == (("status", "x"),)


# How long a job is remembered.


def end_of(job: JobSnapshot | None, **members: Any) -> float | None:
    known = record(job, **{"configured": False, **members})
    return expires_at(known, retention=1000.0, retention_failed=5000.0)


@pytest.mark.parametrize("status", ["COMPLETED", "CANCELLED"])
def test_a_finished_job_is_kept_for_the_retention_from_its_end(status: str) -> None:
    assert end_of(finished(status)) == CREATED + 120.0 + 1000.0


def test_a_failed_job_is_kept_for_the_retention_of_failed_jobs() -> None:
    assert end_of(finished("FAILED")) == CREATED + 120.0 + 5000.0


@pytest.mark.parametrize("status", FINAL)
def test_a_job_out_of_time_is_kept_for_the_retention_of_failed_jobs(status: str) -> None:
    assert end_of(finished(status, events=(event(MAX_RUNTIME_EXCEEDED, None),))) == CREATED + 120.0 + 5000.0


def test_a_job_without_an_end_time_is_kept_from_its_last_answer() -> None:
    assert end_of(finished(ended=None), polled_at=CREATED + 130.0) == CREATED + 130.0 + 1000.0
    assert end_of(finished(ended=None), polled_at=None) is None


@pytest.mark.parametrize("job", [None, snapshot(), snapshot(status="CANCELLING"), snapshot(ended=CREATED)])
def test_an_active_or_unknown_job_never_expires(job: JobSnapshot | None) -> None:
    assert end_of(job) is None


@pytest.mark.parametrize("status", FINAL)
def test_a_job_that_is_named_in_the_settings_never_expires(status: str) -> None:
    assert end_of(finished(status), configured=True) is None


def test_a_job_that_never_answered_has_not_failed() -> None:
    assert not is_failure(record())


@pytest.mark.parametrize(
    ("job", "expected"),
    [
        (finished(), True),
        (finished("CANCELLED", started=None, billable_seconds=None), True),
        (finished(billable_seconds=0.0), True),
        (finished(ended=None), False),
        (finished(events=()), False),
        (finished("FAILED", events=(event("COMPLETED", CREATED),)), False),
        (finished(billable_seconds=None), False),
        (snapshot(ended=CREATED, billable_seconds=1.0, events=(event("RUNNING", CREATED),)), False),
        (None, False),
    ],
)
def test_a_finished_job_is_complete_with_its_end_its_last_event_and_its_billable_time(
    job: JobSnapshot | None,
    expected: bool,  # noqa: FBT001
) -> None:
    assert is_complete(record(job)) is expected


# Whatever the answers are.

EVENTS = st.builds(
    event,
    st.none() | st.sampled_from(EVENT_TYPES),
    st.none() | st.sampled_from([CREATED + offset for offset in (0.0, 2.0, 43.0, 84.0, 110.0, 122.0)]),
    st.sampled_from(["", "message"]),
)
SNAPSHOTS = st.builds(
    snapshot,
    status=st.sampled_from([*STATUSES, *FINAL, "PAUSED"]),
    created=st.sampled_from([CREATED, CREATED, None]),
    started=st.sampled_from([None, CREATED + 40.0, CREATED + 41.0]),
    ended=st.sampled_from([None, CREATED + 120.0]),
    billable_seconds=st.sampled_from([None, 0.0, 80.0, 81.0]),
    instance_count=st.sampled_from([None, 1, 3]),
    queue_position=st.sampled_from([None, 2]),
    events=st.lists(EVENTS, max_size=4).map(tuple),
)
LIVES = st.lists(SNAPSHOTS, min_size=1, max_size=8)
BEGINNINGS = st.sampled_from([BEFORE, AFTER])


@given(SNAPSHOTS)
def test_nothing_changes_between_an_answer_and_itself(job: JobSnapshot) -> None:
    assert diff(job.status, job, NOW) is None


@given(SNAPSHOTS, SNAPSHOTS)
def test_there_is_a_transition_exactly_when_the_status_changes(before: JobSnapshot, after: JobSnapshot) -> None:
    transition = diff(before.status, after, NOW)
    assert (transition is None) == (before.status == after.status)
    assert transition is None or (transition.from_status, transition.to_status) == (before.status, after.status)


@given(LIVES, BEGINNINGS)
def test_replaying_the_transitions_of_any_life_leads_to_its_last_status(jobs: list[JobSnapshot], since: float) -> None:
    seen = watch(jobs, since=since)
    assert seen[0].record.snapshot is not None
    news = seen[0].transition is not None
    assert news == (jobs[0].created == CREATED and since == BEFORE)
    status = None if news else seen[0].record.snapshot.status
    for transition in [item.transition for item in seen if item.transition is not None]:
        assert transition.from_status == status
        status = transition.to_status
    assert seen[-1].record.snapshot is not None
    assert seen[-1].record.snapshot.status == status


@given(LIVES, BEGINNINGS)
def test_a_job_is_counted_at_most_once_whatever_the_answers_are(jobs: list[JobSnapshot], since: float) -> None:
    seen = watch(jobs, since=since)
    counted = Counter(
        (step.metric, step.labels[-1] == MAX_RUNTIME_EXCEEDED)
        for step in (step for item in seen for step in item.increments)
        if step.amount and step.metric in (OUTCOMES, BILLABLE)
    )
    observed = (step for item in seen for step in item.increments if step.amount is not None)
    counted.update((step.metric, False) for step in observed if step.metric in (QUEUE, RUN))
    counted.update((phase, False) for metric, phase, _ in phases(*seen) if metric == PHASE_COUNT)
    assert set(counted.values()) <= {1}
    ends = [item for item in seen if item.record.snapshot is not None and item.record.snapshot.finished]
    was_baseline_and_over = jobs[0].finished and seen[0].transition is None
    assert counted[OUTCOMES, False] == (1 if ends and not was_baseline_and_over else 0)


@given(LIVES, BEGINNINGS)
def test_the_transitions_counter_has_a_step_for_every_transition_that_is_told(
    jobs: list[JobSnapshot], since: float
) -> None:
    for seen in watch(jobs, since=since):
        expected = [] if seen.transition is None else [(seen.transition.from_status or "", seen.transition.to_status)]
        assert [step.labels[3:] for step in seen.increments if step.metric == TRANSITIONS] == expected


@given(LIVES, BEGINNINGS)
def test_no_counter_ever_falls(jobs: list[JobSnapshot], since: float) -> None:
    aggregates = Aggregates()
    events: Counter[str | None] = Counter()
    totals: dict[tuple[str, tuple[str, ...]], float] = {}
    for seen in watch(jobs, since=since):
        assert all(step.amount is None or step.amount >= 0.0 for step in seen.increments)
        aggregates.apply(seen.increments)
        now = {(name, labels): value for name, rows in aggregates.counters.items() for labels, value in rows.items()}
        assert all(now[key] >= value for key, value in totals.items())
        totals = now
        counts = Counter(key.type for key in seen.record.events)
        assert all(counts[kind] >= count for kind, count in events.items())
        events = counts


@given(LIVES, BEGINNINGS)
def test_every_distinct_event_is_told_at_most_once(jobs: list[JobSnapshot], since: float) -> None:
    logged = [item.key for seen in watch(jobs, since=since) for item in seen.events]
    assert len(logged) == len(set(logged))


@given(LIVES, BEGINNINGS)
def test_an_ended_job_stays_ended(jobs: list[JobSnapshot], since: float) -> None:
    ended = False
    for seen in watch(jobs, since=since):
        assert seen.record.snapshot is not None
        assert seen.record.snapshot.finished or not ended
        ended = seen.record.snapshot.finished


# A job that a list showed before GetJob did.


def sighted(status: str = "RUNNING") -> JobRecord:
    return JobRecord(ARN, first_listed_status=status, configured=False)


def test_a_job_that_a_list_showed_active_and_that_ended_before_its_first_answer_counts_as_usual() -> None:
    old = event("RUNNING", CREATED + 84.0)
    job = finished("FAILED", events=(old, event("FAILED", CREATED + 120.0)))
    seen = observe(sighted(), job, since=CREATED + 100.0, now=CREATED + 125.0)
    assert seen.discovered
    assert seen.transition is not None
    assert (seen.transition.from_status, seen.transition.to_status) == ("RUNNING", "FAILED")
    assert [found.key.type for found in seen.events] == ["FAILED"]
    outcomes = [step for step in seen.increments if step.metric == "braket_job_outcomes_total" and step.amount]
    assert [step.labels[-1] for step in outcomes] == ["FAILED"]
    assert seen.record.first_listed_status is None
    assert observe(seen.record, job, since=CREATED + 100.0, now=CREATED + 130.0).increments == ()


def test_a_job_that_is_still_as_the_list_showed_it_is_baseline() -> None:
    seen = observe(sighted(), snapshot(), since=CREATED + 100.0, now=CREATED + 125.0)
    assert (seen.transition, seen.events, seen.discovered) == (None, (), True)
    assert seen.record.first_listed_status is None


def test_a_list_that_lagged_makes_no_news_of_what_is_older_than_the_exporter() -> None:
    seen = observe(sighted(), finished("FAILED"), since=CREATED + 500.0, now=CREATED + 525.0)
    assert (seen.transition, seen.events) == (None, ())
    assert not any(step.amount for step in seen.increments)


def test_a_new_job_comes_from_nowhere_whatever_a_list_showed_meanwhile() -> None:
    seen = observe(sighted("QUEUED"), snapshot(), since=CREATED - 1.0, now=CREATED + 50.0)
    assert seen.transition is not None
    assert (seen.transition.from_status, seen.transition.to_status) == (None, "RUNNING")


def test_a_service_that_makes_up_events_and_values_does_not_let_a_record_grow_nor_repeats_a_line() -> None:
    known, logged, reported = record(snapshot()), [], []
    for number in range(0, 1500, 100):
        events = tuple(event(f"MADE_UP_{each}", CREATED + each) for each in range(number, number + 100))
        unknown = tuple(("eventType", f"MADE_UP_{each}") for each in range(number, number + 100))
        for _ in range(2):
            seen = observe(known, snapshot(events=events, unknown=unknown), since=0.0, now=CREATED + 1e6)
            known = seen.record
            logged += [each.key for each in seen.events]
            reported += [*seen.unknown]
    assert (len(known.events), len(known.unknown)) == (1000, 100)
    assert (len(logged), len(set(logged))) == (1000, 1000)
    assert (len(reported), len(set(reported))) == (100, 100)
