"""The pure timeline of one job."""

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from sim_support import ARN, START

from exporter.simulator import RECORDED_LIFE, Event, Phase, ScriptedJob, SimulatedJob, Status, job_arn
from exporter.simulator.jobs import billable_milliseconds

GARNET = "arn:aws:braket:eu-north-1::device/qpu/iqm/Garnet"


def job(**changes: Any) -> SimulatedJob:
    return SimulatedJob(**{"arn": ARN, "name": "vqe-h2", "created": START, **changes})


def answer(it: SimulatedJob, seconds: float, *, queue_info: bool = False) -> dict[str, Any]:
    found = it.answer(START + seconds, queue_info=queue_info)
    assert found is not None
    return found


def queue_info(it: SimulatedJob, seconds: float) -> Any:
    return answer(it, seconds, queue_info=True)["queueInfo"]


def test_a_job_does_not_exist_before_it_is_created() -> None:
    assert job().answer(START - 0.001) is None
    assert job().summary(START - 0.001) is None


@pytest.mark.parametrize(
    ("seconds", "status", "events"),
    [
        (0.0, "QUEUED", []),
        (1.5, "QUEUED", ["STARTING_INSTANCE"]),
        (42.8, "RUNNING", ["STARTING_INSTANCE", "DOWNLOADING_DATA"]),
        (84.0, "RUNNING", ["STARTING_INSTANCE", "DOWNLOADING_DATA", "RUNNING"]),
        (122.1, "RUNNING", ["STARTING_INSTANCE", "DOWNLOADING_DATA", "RUNNING", "UPLOADING_RESULTS"]),
        (
            122.2,
            "COMPLETED",
            ["STARTING_INSTANCE", "DOWNLOADING_DATA", "RUNNING", "UPLOADING_RESULTS", "COMPLETED"],
        ),
    ],
)
def test_a_job_goes_through_the_recorded_life(seconds: float, status: str, events: list[str]) -> None:
    found = answer(job(), seconds)
    assert found["status"] == status
    assert [event["eventType"] for event in found["events"]] == events


def test_a_completed_job_started_at_its_download_and_is_billed_in_milliseconds_of_whole_seconds() -> None:
    found = answer(job(), 1000.0)
    assert found["createdAt"] == "2025-06-15T15:06:40.000Z"
    assert found["startedAt"] == "2025-06-15T15:07:22.800Z"
    assert found["endedAt"] == "2025-06-15T15:08:42.200Z"
    assert found["billableDuration"] == 80_000
    assert found["events"][0] == {
        "eventType": "STARTING_INSTANCE",
        "timeOfEvent": "2025-06-15T15:06:41.500Z",
    }


def test_the_recorded_run_of_79_354_seconds_is_billed_as_80() -> None:
    assert billable_milliseconds(START, START + 79.354) == 80_000
    assert billable_milliseconds(START, START + 80.0) == 80_000
    assert billable_milliseconds(START, START + 80.001) == 81_000


def test_a_running_job_has_neither_an_end_nor_a_bill() -> None:
    found = answer(job(), 100.0)
    assert "endedAt" not in found
    assert "billableDuration" not in found
    assert "failureReason" not in found


def test_queue_information_is_there_only_when_it_is_asked_for() -> None:
    assert "queueInfo" not in answer(job(), 0.0)
    assert queue_info(job(), 0.0) == {"queue": "JOBS_QUEUE", "position": "1"}


def test_a_queued_qpu_job_counts_down_from_more_than_fifteen() -> None:
    phases = (
        Phase(0.0, Status.QUEUED, Event.QUEUED_FOR_EXECUTION, position=">15"),
        Phase(10.0, position="15"),
        Phase(20.0, position="14"),
        Phase(30.0, Status.RUNNING, Event.DOWNLOADING_DATA),
    )
    it = job(device=GARNET, phases=phases)
    positions = [queue_info(it, seconds)["position"] for seconds in (0.0, 9.9, 10.0, 20.0, 30.0)]
    assert positions == [">15", ">15", "15", "14", "None"]


@pytest.mark.parametrize("status", ["RUNNING", "CANCELLING", "COMPLETED", "FAILED", "CANCELLED"])
def test_outside_the_queue_the_position_is_the_word_none(status: str) -> None:
    it = job(phases=(Phase(0.0, Status.QUEUED, position="3"), Phase(5.0, status)))
    assert queue_info(it, 5.0) == {
        "queue": "JOBS_QUEUE",
        "position": "None",
        "message": f"Job is in {status} status. Amazon Braket does not show a queue position for this status.",
    }


def test_a_queued_job_without_a_place_has_the_position_none_too() -> None:
    assert queue_info(job(phases=(Phase(0.0, Status.QUEUED),)), 0.0)["position"] == "None"


def test_a_job_that_never_started_is_not_billed() -> None:
    phases = (Phase(0.0, Status.QUEUED), Phase(9.0, Status.FAILED, Event.FAILED))
    found = answer(job(phases=phases, failure_reason="CapacityError: no instance"), 9.0)
    assert "startedAt" not in found
    assert "billableDuration" not in found
    assert found["endedAt"] == "2025-06-15T15:06:49.000Z"
    assert found["failureReason"] == "CapacityError: no instance"


def test_only_the_newest_twenty_events_are_answered_in_their_order() -> None:
    many = tuple(Phase(float(number), event=Event.RUNNING, message=str(number)) for number in range(1, 31))
    found = answer(job(phases=(Phase(0.0, Status.RUNNING), *many)), 25.5)
    assert [event["message"] for event in found["events"]] == [str(number) for number in range(6, 26)]


def test_a_summary_has_the_device_as_a_plain_string_and_nothing_that_needs_get_job() -> None:
    it = job(tags={"team": "chemistry"}, device=GARNET)
    assert it.summary(START + 50.0) == {
        "jobArn": ARN,
        "jobName": "vqe-h2",
        "status": "RUNNING",
        "device": GARNET,
        "createdAt": "2025-06-15T15:06:40.000Z",
        "startedAt": "2025-06-15T15:07:22.800Z",
        "tags": {"team": "chemistry"},
    }


def test_the_truth_holds_the_whole_schedule() -> None:
    truth = job().truth()
    assert truth["started"] == START + 42.8
    assert truth["ended"] == START + 122.2
    assert truth["transitions"] == [
        {"time": START, "status": "QUEUED"},
        {"time": START + 42.8, "status": "RUNNING"},
        {"time": START + 122.2, "status": "COMPLETED"},
    ]
    assert truth["events"] == [
        {"time": START + 1.5, "type": "STARTING_INSTANCE"},
        {"time": START + 42.8, "type": "DOWNLOADING_DATA"},
        {"time": START + 84.0, "type": "RUNNING"},
        {"time": START + 109.6, "type": "UPLOADING_RESULTS"},
        {"time": START + 122.2, "type": "COMPLETED"},
    ]


def test_phases_out_of_order_are_refused() -> None:
    with pytest.raises(ValueError, match="not in order of time"):
        job(phases=(Phase(0.0, Status.QUEUED), Phase(9.0), Phase(8.0)))


@pytest.mark.parametrize("phases", [(), (Phase(1.0, Status.QUEUED),), (Phase(0.0),)])
def test_a_life_begins_at_once_and_with_a_status(phases: tuple[Phase, ...]) -> None:
    with pytest.raises(ValueError, match="must have offset 0 and a status"):
        job(phases=phases)


@given(st.floats(0, 200), st.floats(0, 200))
def test_later_answers_never_take_events_back(one: float, other: float) -> None:
    early, late = sorted((one, other))
    before, after = answer(job(), early)["events"], answer(job(), late)["events"]
    assert after[: len(before)] == before


def test_a_scripted_job_answers_word_for_word() -> None:
    first: dict[str, object] = {"status": "PAUSED", "events": None}
    second: dict[str, object] = {}
    it = ScriptedJob(ARN, START, [(START, first), (START + 10, second)])
    assert it.answer(START - 1) is None
    assert it.answer(START) is first
    assert it.answer(START + 9.9, queue_info=True) is first
    assert it.answer(START + 10) is second


def test_a_scripted_job_can_be_a_function_of_the_time() -> None:
    it = ScriptedJob(ARN, START, lambda now: {"status": "RUNNING"} if now < START else None)
    assert it.answer(START - 1) == {"status": "RUNNING"}
    assert it.answer(START) is None
    assert it.summary(START) is None


def test_the_summary_of_a_scripted_job_has_what_its_answer_has() -> None:
    script: list[tuple[float, dict[str, object]]] = [
        (START, {"jobArn": ARN, "status": None, "deviceConfig": {"device": GARNET}, "roleArn": "x"}),
        (START + 1, {"status": "QUEUED", "deviceConfig": None}),
        (START + 2, {"deviceConfig": {}}),
    ]
    it = ScriptedJob(ARN, START, script)
    assert it.summary(START) == {"jobArn": ARN, "status": None, "device": GARNET}
    assert it.summary(START + 1) == {"status": "QUEUED"}
    assert it.summary(START + 2) == {}


def test_the_arn_of_a_job_names_its_region_and_account() -> None:
    assert job_arn("x") == "arn:aws:braket:us-east-1:123456789012:job/x"
    assert job_arn("x", "eu-west-2", "999999999999") == "arn:aws:braket:eu-west-2:999999999999:job/x"


def test_the_recorded_life_has_the_recorded_offsets() -> None:
    assert [phase.offset for phase in RECORDED_LIFE] == [0.0, 1.5, 42.8, 84.0, 109.6, 122.2]
