"""Every fault, caused on purpose and seen by a client; and the control of a running simulator."""

import json
import socket
import struct
import time
from typing import Any

import pytest
from botocore.exceptions import ClientError, ConnectionClosedError, ReadTimeoutError
from sim_support import ARN, START, Simulator, job_path, raw_get, signature, simulator

from exporter.simulator import Fault, FaultKind, ScriptedJob, SimulatedJob, job_arn

JOB = SimulatedJob(ARN, "vqe-h2", START)
OTHER = SimulatedJob(job_arn("22222222-2222-4222-8222-222222222222"), "qaoa", START)


def statuses(sim: Simulator, requests: int, arn: str = ARN) -> list[int]:
    return [sim.get_job(arn).status for _ in range(requests)]


@pytest.mark.parametrize(
    ("kind", "status", "code"),
    [
        ("throttle", 429, "ThrottlingException"),
        ("internal_error", 500, "InternalServiceException"),
        ("access_denied", 403, "AccessDeniedException"),
        ("expired_token", 403, "ExpiredTokenException"),
        ("not_found", 404, "ResourceNotFoundException"),
    ],
)
def test_boto3_reads_a_modelled_error(kind: str, status: int, code: str) -> None:
    with simulator(JOB, faults=[Fault(FaultKind(kind))]) as sim:
        client = sim.client()
        for operation, arguments in ((client.get_job, {"jobArn": ARN}), (client.search_jobs, {"filters": []})):
            with pytest.raises(ClientError) as caught:
                operation(**arguments)
            assert caught.value.response["ResponseMetadata"]["HTTPStatusCode"] == status
            assert caught.value.response["Error"]["Code"] == code
        assert [(record.status, record.fault) for record in sim.server.requests] == [(status, kind)] * 2


@pytest.mark.parametrize("status", [429, 502, 599])
def test_a_gateway_answers_with_a_page_of_html(status: int) -> None:
    with simulator(JOB, faults=[Fault(FaultKind.GATEWAY, status=status)]) as sim:
        answer = sim.get_job()
        assert answer.status == status
        assert answer.headers["Content-Type"] == "text/html"
        assert answer.body.startswith(b"<html>")
        with pytest.raises(ClientError):
            sim.client().get_job(jobArn=ARN)


@pytest.mark.parametrize(
    "fault",
    [
        Fault(FaultKind.GATEWAY, status=200),
        Fault(FaultKind.TRUNCATED_JSON),
        Fault(FaultKind.CUT_BODY),
        Fault(FaultKind.EMPTY_BODY),
    ],
    ids=lambda fault: fault.kind,
)
def test_boto3_takes_a_spoiled_success_for_one_without_members(fault: Fault) -> None:
    with simulator(JOB, faults=[fault]) as sim:
        assert set(sim.client().get_job(jobArn=ARN)) == {"ResponseMetadata"}
        assert set(sim.client().search_jobs(filters=[])) == {"ResponseMetadata"}


def test_a_delayed_answer_is_right_but_late() -> None:
    with simulator(JOB, faults=[Fault(FaultKind.DELAY, delay=0.05)]) as sim:
        before = time.monotonic()
        assert sim.get_job().status == 200
        assert time.monotonic() - before >= 0.05


def test_a_client_gives_up_on_a_long_delay_which_ends_with_the_server() -> None:
    with simulator(JOB, faults=[Fault(FaultKind.DELAY, delay=3000.0)]) as sim:
        with pytest.raises(ReadTimeoutError):
            sim.client(read_timeout=0.05).get_job(jobArn=ARN)
        assert sim.server.requests[0].fault == "delay"


def test_a_hanging_request_is_never_answered_and_ends_with_the_server() -> None:
    with simulator(JOB, OTHER, faults=[Fault(FaultKind.HANG, arn=ARN)]) as sim:
        connection = sim.connect()
        connection.sendall(raw_get())
        assert sim.get_job(OTHER.arn).status == 200
        connection.settimeout(0.05)
        with pytest.raises(TimeoutError):
            connection.recv(1)
        connection.sendall(b"Anybody there?")
        connection.settimeout(10)
    with connection:
        assert connection.recv(1) == b""


def test_a_client_gives_up_on_a_hanging_request() -> None:
    with simulator(JOB, faults=[Fault(FaultKind.HANG)]) as sim:
        with pytest.raises(ReadTimeoutError):
            sim.client(read_timeout=0.05).get_job(jobArn=ARN)
        assert (sim.server.requests[0].status, sim.server.requests[0].fault) == (None, "hang")


def test_a_reset_is_a_reset() -> None:
    with simulator(JOB, faults=[Fault(FaultKind.RESET)]) as sim:
        with sim.connect() as connection:
            connection.sendall(raw_get())
            with pytest.raises(ConnectionResetError):
                connection.recv(1)
        with pytest.raises(ConnectionClosedError):
            sim.client().get_job(jobArn=ARN)
        assert sim.server.requests[0].status is None


def test_truncated_json_has_a_consistent_length() -> None:
    with simulator(JOB) as sim:
        whole = sim.get_job().body
        sim.server.faults.put(Fault(FaultKind.TRUNCATED_JSON))
        answer = sim.get_job()
    assert answer.body == whole[: len(whole) // 2]
    assert answer.headers["Content-Length"] == str(len(whole) // 2)


def test_a_cut_body_is_shorter_than_it_says_and_ends_the_connection() -> None:
    with simulator(JOB) as sim:
        whole = sim.get_job().body
        sim.server.faults.put(Fault(FaultKind.CUT_BODY))
        with sim.connect() as connection:
            connection.sendall(raw_get())
            received = b"".join(iter(lambda: connection.recv(65_536), b""))
    head, _, body = received.partition(b"\r\n\r\n")
    assert f"Content-Length: {len(whole)}".encode() in head
    assert body == whole[: len(whole) // 2]


def test_an_empty_body_comes_with_a_200() -> None:
    with simulator(JOB, faults=[Fault(FaultKind.EMPTY_BODY)]) as sim:
        answer = sim.get_job()
    assert (answer.status, answer.headers["Content-Length"], answer.body) == (200, "0", b"")


def test_a_fault_lasts_for_its_number_of_requests() -> None:
    with simulator(JOB, faults=[Fault(FaultKind.INTERNAL_ERROR, times=2)]) as sim:
        assert statuses(sim, 3) == [500, 500, 200]


def test_a_fault_lasts_for_its_time() -> None:
    with simulator(JOB, faults=[Fault(FaultKind.INTERNAL_ERROR, seconds=10.0)]) as sim:
        sim.clock.now += 9.9
        assert statuses(sim, 1) == [500]
        sim.clock.now += 0.1
        assert statuses(sim, 1) == [200]


def test_a_fault_without_limits_lasts_until_it_is_cleared() -> None:
    with simulator(JOB, faults=[Fault(FaultKind.INTERNAL_ERROR)]) as sim:
        sim.clock.now += 1e9
        assert statuses(sim, 1) == [500]
        sim.server.faults.clear()
        assert statuses(sim, 1) == [200]


def test_a_fault_of_one_operation_spares_the_other() -> None:
    with simulator(JOB, faults=[Fault(FaultKind.INTERNAL_ERROR, operation="SearchJobs")]) as sim:
        assert sim.get_job().status == 200
        assert sim.search({"filters": []}).status == 500


@pytest.mark.parametrize("arn", [ARN, "11111111-1111"])
def test_a_fault_of_one_job_spares_the_others_and_the_search(arn: str) -> None:
    with simulator(JOB, OTHER, faults=[Fault(FaultKind.INTERNAL_ERROR, arn=arn)]) as sim:
        assert sim.get_job(ARN).status == 500
        assert sim.get_job(OTHER.arn).status == 200
        assert sim.search({"filters": []}).status == 200


def test_a_fault_spares_unknown_operations() -> None:
    with simulator(faults=[Fault(FaultKind.INTERNAL_ERROR)]) as sim:
        assert sim.http("GET", "/").status == 404


def test_of_several_faults_the_first_strikes_until_it_is_used_up() -> None:
    faults = [Fault(FaultKind.THROTTLE, times=1), Fault(FaultKind.ACCESS_DENIED, times=1)]
    with simulator(JOB, faults=faults) as sim:
        assert statuses(sim, 3) == [429, 403, 200]


def test_throttling_above_a_rate_lets_the_rate_through() -> None:
    with simulator(JOB, faults=[Fault(FaultKind.THROTTLE, above_rate=2.0)]) as sim:
        assert statuses(sim, 4) == [200, 200, 429, 429]
        sim.clock.now += 0.5
        assert statuses(sim, 2) == [200, 429]
        sim.clock.now += 60
        assert statuses(sim, 3) == [200, 200, 429]


def test_throttling_above_a_rate_can_let_a_burst_through_as_aws_does() -> None:
    with simulator(JOB, faults=[Fault(FaultKind.THROTTLE, operation="GetJob", above_rate=5.0, burst=25.0)]) as sim:
        assert statuses(sim, 26) == [200] * 25 + [429]
        sim.clock.now += 1
        assert statuses(sim, 6) == [200] * 5 + [429]
        sim.clock.now += 60
        assert statuses(sim, 26) == [200] * 25 + [429]


@pytest.mark.parametrize(("method", "path"), [("PUT", job_path() + "/cancel"), ("POST", "/")])
def test_a_fault_spares_the_calls_of_other_clients(method: str, path: str) -> None:
    body = b"Action=GetCallerIdentity" if path == "/" else b""
    with simulator(JOB, faults=[Fault(FaultKind.INTERNAL_ERROR)]) as sim:
        signed = signature().replace("/braket/", "/sts/") if path == "/" else signature()
        assert sim.http(method, path, body, signed).status == 200
        assert sim.get_job().status == 500


def test_throttling_above_less_than_one_a_second_lets_one_through_at_a_time() -> None:
    with simulator(JOB, faults=[Fault(FaultKind.THROTTLE, above_rate=0.5, times=1)]) as sim:
        assert statuses(sim, 2) == [200, 429]
        assert statuses(sim, 2) == [200, 200]


KINDS = (
    "throttle, internal_error, access_denied, expired_token, not_found, no_queue, gateway, delay, hang, reset, "
    "truncated_json, cut_body, empty_body"
)
OPERATIONS = (
    "GetJob, SearchJobs, GetDevice, SearchSpendingLimits, ReceiveMessage, DeleteMessage, DeleteMessageBatch, "
    "GetQueueAttributes, SendMessage"
)
MEMBERS = "kind, operation, arn, times, seconds, status, delay, above_rate, burst"


@pytest.mark.parametrize(
    ("bad", "message"),
    [
        (
            {"operation": "GetQuantumTask"},
            f"operation must be one of {OPERATIONS}",
        ),
        ({"times": 0}, "times must be 1 or more"),
        ({"seconds": 0}, "seconds must be greater than 0"),
        ({"seconds": float("nan")}, "seconds must be greater than 0"),
        ({"status": 204}, "status must be an HTTP status with a body, 200 to 599"),
        ({"status": 600}, "status must be an HTTP status with a body, 200 to 599"),
        ({"delay": -1}, "delay must be 0 to 3600 seconds"),
        ({"delay": float("inf")}, "delay must be 0 to 3600 seconds"),
        ({"above_rate": 0}, "above_rate must be greater than 0"),
        ({"kind": "gateway", "above_rate": 5}, "above_rate goes with throttle only"),
        ({"above_rate": 5, "burst": 0.5}, "burst must be 1 or more"),
        ({"burst": 25}, "burst goes with above_rate only"),
        ({"kind": "flood"}, f"kind must be one of {KINDS}, not 'flood'"),
        ({"kind": None}, f"kind must be one of {KINDS}, not None"),
        ({"times": "3"}, "times must be a whole number, not '3'"),
        ({"times": True}, "times must be a whole number, not True"),
        ({"delay": "3"}, "delay must be a number, not '3'"),
        ({"arn": 3}, "arn must be a string, not 3"),
        ({"colour": "red"}, f"'colour' is no member of a fault; there are {MEMBERS}"),
    ],
)
def test_a_bad_fault_is_refused_with_one_clear_message(bad: dict[str, Any], message: str) -> None:
    with simulator(JOB) as sim:
        body = json.dumps({"kind": "throttle", **bad}).encode()
        answer = sim.http("POST", "/_simulator/faults", body)
        assert (answer.status, answer.json) == (400, {"message": message})
        assert statuses(sim, 1) == [200]


def test_a_fault_that_is_no_json_object_is_refused() -> None:
    with simulator() as sim:
        assert sim.http("POST", "/_simulator/faults", b"{").status == 400
        assert sim.http("POST", "/_simulator/faults", b"3").json == {
            "message": 'a fault must be a JSON object, such as {"kind": "throttle"}'
        }


def test_one_bad_fault_in_a_list_puts_none_in_place() -> None:
    with simulator(JOB) as sim:
        answer = sim.http("POST", "/_simulator/faults", b'[{"kind": "throttle"}, {}]')
        assert answer.status == 400
        assert statuses(sim, 1) == [200]


def test_faults_are_put_and_cleared_over_http() -> None:
    every = {
        "kind": "throttle",
        "operation": "GetJob",
        "arn": "11111111",
        "times": 5,
        "seconds": 60,
        "status": 502,
        "delay": 1,
        "above_rate": None,
        "burst": None,
    }
    with simulator(JOB) as sim:
        assert sim.http("POST", "/_simulator/faults", json.dumps(every).encode()).json == {"added": 1}
        assert statuses(sim, 1) == [429]
        assert sim.http("DELETE", "/_simulator/faults").json == {}
        assert statuses(sim, 1) == [200]
        listed = b'[{"kind": "gateway", "status": 503, "times": 1}, {"kind": "not_found"}]'
        assert sim.http("POST", "/_simulator/faults", listed).json == {"added": 2}
        assert statuses(sim, 2) == [503, 404]


def test_requests_are_counted_by_operation_and_status() -> None:
    with simulator(JOB) as sim:
        statuses(sim, 2)
        statuses(sim, 1, OTHER.arn)
        sim.search({"filters": []})
        sim.http("GET", "/")
        sim.server.faults.put(Fault(FaultKind.RESET))
        with sim.connect() as connection:
            connection.sendall(raw_get())
            with pytest.raises(ConnectionResetError):
                connection.recv(1)
        assert sim.http("GET", "/_simulator/requests").json == {
            "GetJob": {"200": 2, "404": 1, "reset": 1},
            "SearchJobs": {"200": 1},
            "Unknown": {"404": 1},
        }


def test_the_jobs_that_exist_are_listed() -> None:
    unborn = SimulatedJob(job_arn("unborn"), "later", START + 10)
    ghost = ScriptedJob(job_arn("ghost"), START, lambda _: None)
    with simulator(JOB, unborn, ghost) as sim:
        assert sim.http("GET", "/_simulator/jobs").json == [ARN]
        sim.clock.now += 10
        assert sim.http("GET", "/_simulator/jobs").json == [ARN, unborn.arn]


def test_the_truth_is_told_of_simulated_jobs() -> None:
    scripted = ScriptedJob(job_arn("scripted"), START, [(START, {"status": "QUEUED"})])
    with simulator(JOB, scripted) as sim:
        assert sim.http("GET", "/_simulator/truth").json == {"now": START, "jobs": [JOB.truth()]}


@pytest.mark.parametrize(("method", "path"), [("GET", "faults"), ("POST", "jobs"), ("GET", "")])
def test_an_unknown_control_is_not_found(method: str, path: str) -> None:
    with simulator() as sim:
        assert sim.http(method, f"/_simulator/{path}").status == 404
        assert sim.server.requests == []


def test_a_client_that_breaks_its_connection_is_no_news(capfd: pytest.CaptureFixture[str]) -> None:
    with simulator(JOB) as sim, sim.connect() as connection:
        connection.sendall(raw_get())
        assert connection.recv(65_536)
        connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        connection.close()
    assert capfd.readouterr() == ("", "")
