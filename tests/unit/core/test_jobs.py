"""What the nouns tell about themselves."""

from typing import Any

import pytest
from builders import ARN, CREATED, arn, finished, record, snapshot

from exporter.core.jobs import EventKey, Transition


@pytest.mark.parametrize(
    ("status", "is_the_end"),
    [
        ("QUEUED", False),
        ("RUNNING", False),
        ("CANCELLING", False),
        ("COMPLETED", True),
        ("FAILED", True),
        ("CANCELLED", True),
        ("PAUSED", False),
        ("completed", False),
    ],
)
def test_only_completed_failed_and_cancelled_are_the_end_of_a_job(status: str, is_the_end: bool) -> None:  # noqa: FBT001
    assert snapshot(status=status).finished is is_the_end
    assert record(snapshot(status=status)).active is not is_the_end


def test_a_job_that_never_answered_counts_as_active() -> None:
    assert record().active


def test_the_queue_lasts_from_creation_to_start_and_the_run_from_start_to_end() -> None:
    job = snapshot(created=CREATED, started=CREATED + 42.8, ended=CREATED + 122.2)
    assert job.queue_seconds == pytest.approx(42.8)
    assert job.run_seconds == pytest.approx(79.4)


@pytest.mark.parametrize("missing", ["created", "started"])
def test_a_queue_duration_needs_both_its_ends(missing: str) -> None:
    members: dict[str, Any] = {missing: None}
    assert finished(**members).queue_seconds is None


@pytest.mark.parametrize("missing", ["started", "ended"])
def test_a_run_duration_needs_both_its_ends(missing: str) -> None:
    members: dict[str, Any] = {missing: None}
    assert finished(**members).run_seconds is None


def test_durations_are_never_negative() -> None:
    job = snapshot(created=CREATED, started=CREATED - 1.0, ended=CREATED - 2.0)
    assert job.queue_seconds == 0.0
    assert job.run_seconds == 0.0


def test_a_time_of_zero_is_a_time() -> None:
    assert snapshot(created=0.0, started=0.0, ended=5.0).queue_seconds == 0.0
    assert snapshot(created=0.0, started=0.0, ended=5.0).run_seconds == 5.0


@pytest.mark.parametrize("status", ["QUEUED", "RUNNING", "CANCELLING", "COMPLETED", "FAILED", "CANCELLED", "PAUSED"])
@pytest.mark.parametrize(
    ("reason", "category"),
    [
        ("AlgorithmError: FileNotFoundError: [Errno 2] No such file, exit code: 1", "AlgorithmError"),
        ("ClientError: Access denied", "ClientError"),
        ("InternalServerError: please try again", "InternalServerError"),
        ("CapacityError: no ml.p3.8xlarge", "CapacityError"),
        (" AlgorithmError : padded", "AlgorithmError"),
        ("AlgorithmError", "AlgorithmError"),
        ("QuantumError: decohered", "Other"),
        ("algorithmerror: lower case", "Other"),
        ("the CapacityError: not at the start", "Other"),
        (": nothing before the colon", "Other"),
        ("no colon at all", "Other"),
        ('"quoted"\nand broken', "Other"),
    ],
)
def test_a_failure_has_a_known_class_or_other_whatever_the_status(status: str, reason: str, category: str) -> None:
    assert snapshot(status=status, failure_reason=reason).failure_category == category


def test_a_job_without_a_reason_has_no_failure_category_even_if_it_failed() -> None:
    assert finished("FAILED", failure_reason=None).failure_category is None


def transition(event_time: float | None = CREATED, **members: str) -> Transition:
    return Transition(snapshot(**members), "QUEUED", event_time, CREATED + 10.0)


def test_a_transition_leads_to_the_status_of_its_snapshot() -> None:
    assert transition(status="CANCELLING").to_status == "CANCELLING"


def test_the_lag_is_the_time_between_the_change_and_its_observation() -> None:
    assert transition(CREATED + 7.5).lag_seconds == 2.5


def test_the_lag_is_unknown_without_the_time_of_the_change() -> None:
    assert transition(None).lag_seconds is None


def test_the_lag_is_zero_when_the_clock_of_braket_is_ahead() -> None:
    assert transition(CREATED + 3600.0).lag_seconds == 0.0


def test_a_transition_id_depends_on_arn_status_and_time_alone() -> None:
    one = Transition(snapshot(status="RUNNING", name="a"), "QUEUED", CREATED, CREATED + 1.0)
    other = Transition(snapshot(status="RUNNING", name="b"), None, CREATED, CREATED + 99.0)
    assert one.transition_id == other.transition_id


def test_a_transition_id_survives_a_release() -> None:
    assert transition(status="RUNNING", arn=ARN).transition_id == "c575da1d446deb4b"
    assert transition(None, status="RUNNING", arn=ARN).transition_id == "315521793807ead6"


def test_transition_ids_differ_in_each_of_arn_status_and_time() -> None:
    ids = {
        transition(event_time, arn=job, status=status).transition_id
        for job in (arn(1), arn(2))
        for status in ("RUNNING", "COMPLETED", "CANCELLED")
        for event_time in (None, CREATED, CREATED + 0.001, CREATED + 1.0)
    }
    assert len(ids) == 24


def test_a_transition_id_does_not_depend_on_the_noise_of_floats() -> None:
    assert transition(0.1 + 0.2).transition_id == transition(0.3).transition_id


def test_two_events_are_the_same_by_type_and_time() -> None:
    assert EventKey("RUNNING", 1.0) == EventKey("RUNNING", 1.0)
    assert len({EventKey("RUNNING", 1.0), EventKey("RUNNING", 2.0), EventKey("FAILED", 1.0), EventKey(None, None)}) == 4
