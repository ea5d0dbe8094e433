"""The endpoint over real HTTP: raw JSON against the service model, and the real boto3 client."""

from contextlib import closing
from datetime import UTC, datetime
from typing import Any

import boto3
import pytest
from botocore.exceptions import ClientError
from sim_shapes import problems
from sim_support import ALL, ARN, START, Simulator, job_path, raw_get, signature, simulator

from exporter.simulator import (
    Births,
    Disorder,
    Plan,
    ScriptedJob,
    SimulatedJob,
    World,
    generate_fleet,
    job_arn,
)

JOB = SimulatedJob(ARN, "vqe-h2", START, tags={"team": "chemistry"})
OTHER_ACCOUNT = SimulatedJob(job_arn("other", account="999999999999"), "qaoa", START)


def failure(caught: pytest.ExceptionInfo[Any]) -> tuple[int, str]:
    response = caught.value.response
    return response["ResponseMetadata"]["HTTPStatusCode"], response["Error"]["Code"]


def test_boto3_reads_a_completed_job() -> None:
    with simulator(JOB) as sim:
        sim.clock.now += 500
        answer = sim.client().get_job(jobArn=ARN, additionalAttributeNames=["QueueInfo"])
    assert answer["status"] == "COMPLETED"
    assert answer["startedAt"] == datetime(2025, 6, 15, 15, 7, 22, 800_000, tzinfo=UTC)
    assert answer["billableDuration"] == 80_000
    assert (answer["queueInfo"]["queue"], answer["queueInfo"]["position"]) == ("JOBS_QUEUE", "None")
    assert answer["queueInfo"]["message"].startswith("Job is in COMPLETED status.")
    assert answer["tags"] == {"team": "chemistry"}
    assert answer["instanceConfig"]["instanceCount"] == 1
    assert answer["ResponseMetadata"]["RequestId"] == "00000000-0000-4000-8000-000000000001"


def test_boto3_pages_through_a_fleet() -> None:
    fleet = generate_fleet(Plan(seed=3, epoch=START, speed=30.0), 250)
    expected = {job.arn for job in fleet if ":us-east-1:" in job.arn}
    with simulator(world=World(fleet, disorder=Disorder(seed=5))) as sim:
        pages = sim.client().get_paginator("search_jobs").paginate(filters=[], maxResults=20)
        assert {job["jobArn"] for page in pages for job in page["jobs"]} == expected


@pytest.mark.parametrize("seconds", [0, 60, 600, 7200])
def test_a_fleet_keeps_to_the_model_on_the_wire(seconds: int) -> None:
    fleet = generate_fleet(Plan(seed=3, epoch=START, speed=30.0), 45)
    with simulator(*fleet) as sim:
        sim.clock.now += seconds
        for job in fleet:
            answer = sim.get_job(job.arn, "?additionalAttributeNames=QueueInfo", job.arn.split(":")[3])
            assert problems("GetJob", answer.json) == []


def test_an_answer_carries_json_and_a_request_id() -> None:
    with simulator(JOB) as sim:
        answer = sim.get_job()
    assert answer.status == 200
    assert answer.headers["Content-Type"] == "application/json"
    assert answer.headers["x-amzn-RequestId"] == "00000000-0000-4000-8000-000000000001"


def test_an_unknown_job_is_not_found() -> None:
    with simulator(JOB) as sim, pytest.raises(ClientError) as caught:
        sim.client().get_job(jobArn=job_arn("unknown"))
    assert failure(caught) == (404, "ResourceNotFoundException")


def test_a_job_is_not_found_from_another_region() -> None:
    with simulator(JOB) as sim, pytest.raises(ClientError) as caught:
        sim.client(region="eu-north-1").get_job(jobArn=ARN)
    assert failure(caught) == (404, "ResourceNotFoundException")


def test_a_job_is_not_found_before_it_is_created() -> None:
    with simulator(JOB) as sim:
        sim.clock.now -= 1
        assert sim.get_job().status == 404


def test_what_is_no_job_arn_is_invalid() -> None:
    with simulator() as sim, pytest.raises(ClientError) as caught:
        sim.client().get_job(jobArn="vqe-h2")
    assert failure(caught) == (400, "ValidationException")


def test_an_unknown_additional_attribute_is_invalid() -> None:
    with simulator(JOB) as sim:
        answer = sim.get_job(query="?additionalAttributeNames=Secrets")
    assert (answer.status, answer.headers["x-amzn-errortype"]) == (400, "ValidationException")


@pytest.mark.parametrize(
    ("method", "target"),
    [
        ("GET", "/"),
        ("GET", "/jobs"),
        ("POST", "/job"),
        ("DELETE", job_path()),
        ("GET", f"/job/{ARN}"),
        ("GET", "/quantum-task/sv1"),
        ("POST", "/"),
        ("PUT", job_path()),
        ("PATCH", job_path()),
        ("OPTIONS", "/jobs"),
    ],
)
def test_an_unknown_path_is_an_unknown_operation(method: str, target: str) -> None:
    with simulator(JOB) as sim:
        answer = sim.http(method, target)
        assert (answer.status, answer.headers["x-amzn-errortype"]) == (404, "UnknownOperationException")
        assert sim.server.requests[0].operation is None


@pytest.mark.parametrize(("method", "status"), [("HEAD", 404), ("BREW", 501)])
def test_a_method_that_no_operation_has_gets_json_and_no_page(method: str, status: int) -> None:
    with simulator(JOB) as sim:
        answer = sim.http(method, job_path())
    assert (answer.status, answer.headers["Content-Type"]) == (status, "application/json")
    assert answer.headers["x-amzn-errortype"] == "UnknownOperationException"
    assert method == "HEAD" or answer.json == {"message": "Unsupported method ('BREW')"}
    assert (answer.body == b"") == (method == "HEAD")


def test_a_line_that_is_not_http_gets_json_and_the_connection_ends() -> None:
    with simulator(JOB) as sim, sim.connect() as connection:
        connection.sendall(b"one two\r\n\r\n")
        received = b"".join(iter(lambda: connection.recv(65_536), b""))
    assert b"application/json" in received
    assert b"<html" not in received.lower()


def test_boto3_cancels_a_job_which_ends_later() -> None:
    with simulator(JOB) as sim:
        sim.clock.now = JOB.created + 60
        client = sim.client()
        assert client.get_job(jobArn=ARN)["status"] == "RUNNING"
        for _ in range(2):
            found = client.cancel_job(jobArn=ARN)
            assert (found["jobArn"], found["cancellationStatus"]) == (ARN, "CANCELLING")
            assert client.get_job(jobArn=ARN)["status"] == "CANCELLING"
        sim.clock.now += 5
        ended = client.get_job(jobArn=ARN)
        assert (ended["status"], ended["events"][-1]["eventType"]) == ("CANCELLED", "CANCELLED")
        assert ended["billableDuration"] == 23_000
        with pytest.raises(ClientError) as caught:
            client.cancel_job(jobArn=ARN)
        assert failure(caught) == (409, "ConflictException")
        with pytest.raises(ClientError) as caught:
            client.cancel_job(jobArn=OTHER_ACCOUNT.arn)
        assert failure(caught) == (404, "ResourceNotFoundException")
        assert [record.operation for record in sim.server.requests].count("CancelJob") == 4


def identity(sim: Simulator, key: str = "AKIDEXAMPLE") -> dict[str, Any]:
    client = boto3.client(
        "sts",
        region_name="us-east-1",
        endpoint_url=sim.server.url,
        aws_access_key_id=key,
        aws_secret_access_key="secret",
    )
    with closing(client):
        found: dict[str, Any] = client.get_caller_identity()
        return found


def test_boto3_reads_an_identity_of_the_account_of_the_jobs() -> None:
    with simulator(JOB) as sim:
        found = identity(sim)
        assert (found["Account"], found["Arn"]) == ("123456789012", "arn:aws:iam::123456789012:user/simulated")
        assert sim.server.requests[-1].operation == "GetCallerIdentity"
    with simulator(OTHER_ACCOUNT) as sim:
        assert identity(sim)["Account"] == "999999999999"
    with simulator(world=World([JOB], accounts={"AKIDTWO": "999999999999"})) as sim:
        assert identity(sim, "AKIDTWO")["Account"] == "999999999999"


def test_an_identity_request_without_a_signature_for_sts_is_refused_in_its_own_form() -> None:
    with simulator(JOB) as sim:
        answer = sim.http("POST", "/", b"Action=GetCallerIdentity&Version=2011-06-15")
    assert (answer.status, answer.headers["Content-Type"]) == (403, "text/xml")
    assert b"<Code>MissingAuthenticationToken</Code>" in answer.body


@pytest.mark.parametrize("authorization", ["", "Basic eDp5", signature().replace("braket", "s3")])
def test_an_unsigned_request_is_refused(authorization: str) -> None:
    with simulator(JOB) as sim:
        answer = sim.http("POST", "/jobs", ALL, authorization)
        record = sim.server.requests[0]
    assert (answer.status, answer.headers["x-amzn-errortype"]) == (403, "MissingAuthenticationTokenException")
    assert (record.region, record.access_key_id) == (None, None)


def test_without_accounts_any_key_sees_every_job() -> None:
    with simulator(JOB, OTHER_ACCOUNT) as sim:
        assert len(sim.client(key="AKIDANYBODY").search_jobs(filters=[])["jobs"]) == 2


def test_with_accounts_a_key_sees_the_jobs_of_its_own_account_only() -> None:
    accounts = {"AKIDONE": "123456789012", "AKIDTWO": "999999999999"}
    with simulator(world=World([JOB, OTHER_ACCOUNT], accounts=accounts)) as sim:
        one, two = sim.client(key="AKIDONE"), sim.client(key="AKIDTWO")
        assert [job["jobArn"] for job in one.search_jobs(filters=[])["jobs"]] == [ARN]
        assert [job["jobArn"] for job in two.search_jobs(filters=[])["jobs"]] == [OTHER_ACCOUNT.arn]
        assert one.get_job(jobArn=ARN)["jobName"] == "vqe-h2"
        with pytest.raises(ClientError) as caught:
            two.get_job(jobArn=ARN)
        assert failure(caught) == (404, "ResourceNotFoundException")


def test_with_accounts_an_unknown_key_is_refused() -> None:
    with simulator(world=World([JOB], accounts={})) as sim, pytest.raises(ClientError) as caught:
        sim.client().search_jobs(filters=[])
    assert failure(caught) == (403, "UnrecognizedClientException")


def test_a_scripted_job_answers_word_for_word_over_http() -> None:
    script: dict[str, object] = {"status": "PAUSED", "events": None, "billableDuration": "soon"}
    with simulator(ScriptedJob(ARN, START, [(START, script)])) as sim:
        assert sim.get_job().json == script


def test_jobs_can_be_added_and_replaced_while_it_serves() -> None:
    with simulator() as sim:
        assert sim.get_job().status == 404
        sim.server.world.put(JOB)
        assert sim.get_job().json["jobName"] == "vqe-h2"
        sim.server.world.put(SimulatedJob(ARN, "renamed", START - 50))
        assert sim.get_job().json["jobName"] == "renamed"
        assert len(sim.client().search_jobs(filters=[])["jobs"]) == 1


def test_births_join_when_their_time_has_come() -> None:
    births = Births(Plan(seed=7, epoch=START, regions=("us-east-1",)), per_minute=60.0)
    with simulator(world=World(births=births)) as sim:
        assert sim.search({"filters": []}).json == {"jobs": []}
        sim.clock.now += 60
        assert len(sim.search({"filters": []}).json["jobs"]) == 60
        sim.clock.now -= 30
        assert len(sim.search({"filters": []}).json["jobs"]) in (30, 31)
        sim.clock.now += 30
        assert sim.get_job(births.job(59).arn).status == 200


def test_a_connection_carries_many_requests() -> None:
    with simulator(JOB) as sim, sim.connect() as connection:
        for _ in range(3):
            connection.sendall(raw_get())
            head, _, rest = connection.recv(65_536).partition(b"\r\n\r\n")
            assert head.startswith(b"HTTP/1.1 200 OK\r\n")
            assert rest.endswith(b"}")


def test_an_idle_connection_does_not_hold_up_the_shutdown() -> None:
    with simulator(JOB) as sim:
        connection = sim.connect()
        connection.sendall(raw_get())
        assert connection.recv(65_536)
    with connection:
        assert connection.recv(1) == b""


def test_requests_are_recorded_with_time_operation_and_signer() -> None:
    with simulator(JOB) as sim:
        sim.get_job()
        sim.clock.now += 5
        sim.search({"filters": []}, region="eu-west-2")
        one, two = sim.server.requests
    assert (one.time, one.operation, one.arn, one.status) == (START, "GetJob", ARN, 200)
    assert (one.region, one.access_key_id, one.fault) == ("us-east-1", "AKIDEXAMPLE", None)
    assert (two.time, two.operation, two.arn, two.region) == (START + 5, "SearchJobs", None, "eu-west-2")


def test_a_process_that_keeps_no_requests_still_counts_them() -> None:
    with simulator(JOB, keep_requests=False) as sim:
        sim.get_job()
        assert sim.server.requests == []
        assert sim.http("GET", "/_simulator/requests").json == {"GetJob": {"200": 1}}


def test_a_script_that_fails_shows_its_traceback(capfd: pytest.CaptureFixture[str]) -> None:
    def broken(now: float) -> dict[str, object]:
        raise ZeroDivisionError(now)

    with simulator(ScriptedJob(ARN, START, broken)) as sim, sim.connect() as connection:
        connection.sendall(raw_get())
        assert connection.recv(1) == b""
    assert "ZeroDivisionError" in capfd.readouterr().err


def test_there_is_no_access_log(capfd: pytest.CaptureFixture[str]) -> None:
    with simulator(JOB) as sim:
        sim.get_job()
        sim.get_job(job_arn("unknown"))
        sim.http("PUT", "/job")
    assert capfd.readouterr() == ("", "")
