"""GET /api/v1/jobs: the document of a job, and the list of all jobs."""

import json
from dataclasses import replace

from builders import ARN, CREATED, GARNET, SV1, arn, finished, record, snapshot

from exporter.core import DeviceKey, DeviceRecord, DeviceSnapshot, EventKey, JobEvent, JobRecord, JobSnapshot
from exporter.core.transitions import diff
from exporter.telemetry import job_fields, outcome_fields, transition_fields
from exporter.web.jobs_api import job_document, render_jobs

REQUEUED = "DEPRIORITIZED_DUE_TO_INACTIVITY"
LOGS = (
    "https://us-west-2.console.aws.amazon.com/cloudwatch/home?region=us-west-2"
    "#logsV2:log-groups/log-group/$252Faws$252Fbraket$252Fjobs$3FlogStreamNameFilter$3D"
    "vqe-h2$252F5d3c7bb0-6f0f-4d3c-9c55-5a2b1f1c0f01$252F"
)


def test_a_failed_job_has_the_fields_of_its_last_transition_and_of_the_page() -> None:
    job = finished("FAILED", failure_reason="AlgorithmError: exit code: 1")
    assert job_document(record(job)) == {
        "job_arn": ARN,
        "job_name": "vqe-h2",
        "aws_account_id": "123456789012",
        "aws_region": "us-west-2",
        "device": SV1,
        "instance_type": "ml.m5.large",
        "from_status": None,
        "to_status": "FAILED",
        "event_time": "2023-11-14T22:15:20.000Z",
        "observed_time": None,
        "lag_seconds": None,
        "transition_id": "b3803d4f470f035b",
        "failure_reason": "AlgorithmError: exit code: 1",
        "billable_duration_seconds": 80.0,
        "queue_duration_seconds": 40.0,
        "run_duration_seconds": 80.0,
        "status": "FAILED",
        "created": "2023-11-14T22:13:20.000Z",
        "started": "2023-11-14T22:14:00.000Z",
        "ended": "2023-11-14T22:15:20.000Z",
        "queue_position": None,
        "queue_position_is_floor": None,
        "instances": 1,
        "max_runtime_exceeded": False,
        "poll_error": None,
        "device_status": None,
        "device_status_reason": None,
        "device_status_estimated_end": None,
        "url": "https://us-west-2.console.aws.amazon.com/braket/home?region=us-west-2#/jobs",
        "logs_url": LOGS,
    }


def test_the_document_has_every_field_of_the_log_event() -> None:
    job = finished()
    transition = diff("RUNNING", job, CREATED + 125.0)
    assert transition is not None
    logged = {**job_fields(job), **transition_fields(transition), **outcome_fields(job)}
    document = job_document(record(job))
    assert logged.keys() <= document.keys()
    assert document["transition_id"] == logged["transition_id"]


def test_a_queued_job_has_its_position_as_a_number_and_whether_it_is_a_floor() -> None:
    job = snapshot(status="QUEUED", started=None, queue_position=15, queue_position_is_floor=True)
    document = job_document(record(job))
    assert (document["queue_position"], document["queue_position_is_floor"]) == (15, True)
    assert document["event_time"] == "2023-11-14T22:13:20.000Z"


def test_a_job_that_went_back_to_the_queue_has_no_time_of_that() -> None:
    document = job_document(record(snapshot(status="QUEUED")))
    assert (document["to_status"], document["event_time"], document["transition_id"]) == ("QUEUED", None, None)


def test_the_times_of_a_requeued_job_are_those_of_the_log() -> None:
    first, requeued, again = EventKey("RUNNING", CREATED + 5.0), EventKey(REQUEUED, CREATED + 20.0), CREATED + 30.0
    job = snapshot(status="QUEUED", started=CREATED + 5.0)
    waiting = job_document(replace(record(job), events=(first, requeued)))
    logged = diff("RUNNING", replace(job, events=(JobEvent(first, ""), JobEvent(requeued, ""))), CREATED + 21.0)
    assert logged is not None
    assert waiting["event_time"] == "2023-11-14T22:13:40.000Z"
    assert waiting["transition_id"] == transition_fields(logged)["transition_id"]
    events = (first, requeued, EventKey("RUNNING", again))
    running = job_document(replace(record(replace(job, status="RUNNING")), events=events))
    assert running["event_time"] == "2023-11-14T22:13:50.000Z"


def test_a_job_without_a_response_has_the_parts_of_its_arn_and_the_error() -> None:
    document = job_document(JobRecord(ARN, failing="AccessDeniedException", first_listed_status="RUNNING"))
    assert {name: value for name, value in document.items() if value is not None} == {
        "job_arn": ARN,
        "aws_account_id": "123456789012",
        "aws_region": "us-west-2",
        "status": "RUNNING",
        "max_runtime_exceeded": False,
        "poll_error": "AccessDeniedException",
        "url": "https://us-west-2.console.aws.amazon.com/braket/home?region=us-west-2#/jobs",
    }
    assert document.keys() == job_document(record(finished())).keys()


def test_a_job_with_the_event_exceeded_its_maximum_run_time() -> None:
    exceeded = replace(record(finished("FAILED")), events=(EventKey("MAX_RUNTIME_EXCEEDED", CREATED + 120.0),))
    assert job_document(exceeded)["max_runtime_exceeded"] is True


def test_a_list_of_many_jobs_comes_in_parts_that_are_one_document() -> None:
    records = [record(finished(arn=arn(number))) for number in range(250)]
    parts = [*render_jobs(records)]
    assert len(parts) == 5
    document = json.loads(b"".join(parts))
    assert [job["job_arn"] for job in document["jobs"]] == [arn(number) for number in range(250)]


def test_an_empty_list_is_a_document_too() -> None:
    assert json.loads(b"".join(render_jobs([]))) == {"jobs": []}


def test_hostile_names_stay_text() -> None:
    name = '"</script>\ud800\x1b[31m'
    text = b"".join(render_jobs([record(snapshot(name=name))])).decode("ascii")
    assert json.loads(text)["jobs"][0]["job_name"] == name


def test_an_active_job_has_the_state_of_its_device() -> None:
    key = DeviceKey("eu-north-1", GARNET)
    paused = DeviceSnapshot(key, "PAUSED", reason="MAINTENANCE", estimated_end=CREATED + 3600.0)
    devices = {key: DeviceRecord(paused, CREATED)}

    def fields(job: JobSnapshot) -> list[object]:
        document = job_document(record(job), devices)
        return [document[name] for name in ("device_status", "device_status_reason", "device_status_estimated_end")]

    assert fields(snapshot(status="QUEUED", device=GARNET)) == ["PAUSED", "MAINTENANCE", "2023-11-14T23:13:20.000Z"]
    assert fields(snapshot(status="QUEUED", device=SV1)) == [None, None, None]
    assert fields(finished(device=GARNET)) == [None, None, None]
    assert b'"device_status": "PAUSED"' in b"".join(
        render_jobs([record(snapshot(status="RUNNING", device=GARNET))], devices)
    )
