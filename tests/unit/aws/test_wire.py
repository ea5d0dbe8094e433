"""Odd responses over HTTP, read with the SDK in between: one odd member or entry costs only itself."""

import json
import threading
from collections.abc import Iterator
from dataclasses import dataclass
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

import boto3
import pytest
from builders import ACCOUNT, ARN, REGION, arn

from exporter.aws.client import BraketClient
from exporter.aws.sessions import CredentialsSession
from exporter.core import (
    BraketError,
    CredentialsRef,
    EntryProblem,
    JobError,
    JobSnapshot,
    JobSummary,
    MalformedError,
    NotFoundError,
    SearchPage,
    Span,
    Target,
)


@dataclass
class Endpoint:
    """An endpoint that responds with exactly this status and these bytes, and a client of it."""

    status: int = 200
    body: bytes = b"{}"
    url: str = ""

    def jobs(self, *entries: object) -> "Endpoint":
        self.body = json.dumps({"jobs": entries}).encode()
        return self

    def job(self, **members: object) -> "Endpoint":
        self.body = json.dumps({"jobArn": ARN, "status": "RUNNING", **members}).encode()
        return self

    def search(self) -> SearchPage:
        return self._client().search_jobs(Span(0.0, None))

    def get(self) -> JobSnapshot:
        return self._client().get_job(ARN)

    def error(self) -> BraketError:
        with pytest.raises(BraketError) as caught:
            self.get()
        return caught.value

    def _client(self) -> BraketClient:
        return BraketClient(CredentialsSession(CredentialsRef()), Target(ACCOUNT, REGION), lambda *_: None)


@pytest.fixture(scope="module")
def server() -> Iterator[Endpoint]:
    endpoint = Endpoint()

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            self.rfile.read(int(self.headers.get("Content-Length") or 0))
            self.send_response(endpoint.status)
            self.send_header("Content-Length", str(len(endpoint.body)))
            self.end_headers()
            self.wfile.write(endpoint.body)

        def do_POST(self) -> None:
            self.do_GET()

        def log_message(self, *_: object) -> None:
            pass

    with ThreadingHTTPServer(("127.0.0.1", 0), Handler) as http:
        endpoint.url = f"http://127.0.0.1:{http.server_port}"
        thread = threading.Thread(target=http.serve_forever, args=(0.02,))
        thread.start()
        try:
            yield endpoint
        finally:
            http.shutdown()
            thread.join()


@pytest.fixture
def endpoint(server: Endpoint, monkeypatch: pytest.MonkeyPatch) -> Endpoint:
    monkeypatch.setenv("AWS_ENDPOINT_URL_BRAKET", server.url)
    server.status, server.body = 200, b"{}"
    return server


def summary(number: int, **members: Any) -> dict[str, Any]:
    usual = {"jobName": "vqe", "status": "RUNNING", "device": "d", "createdAt": "2023-11-14T22:13:20Z", "tags": {}}
    return {"jobArn": arn(number), **usual, **members}


READ = JobSummary(arn(2), "vqe", "RUNNING", 1_700_000_000.0, device="d", tags={})


@pytest.mark.parametrize(
    ("entry", "problem"),
    [
        (5, EntryProblem(None, "jobs: expected objects, got a number")),
        ("text", EntryProblem(None, "jobs: expected objects, got text")),
        ([], EntryProblem(None, "jobs: expected objects, got a list")),
        (None, EntryProblem(None, "jobs: expected objects, got null")),
        (False, EntryProblem(None, "jobs: expected objects, got a boolean")),
        ({}, EntryProblem(None, "jobs.jobArn: missing")),
        (summary(1, jobArn=7), EntryProblem(None, "jobs.jobArn: expected text, got a number")),
    ],
)
def test_an_entry_that_is_not_a_job_costs_the_page_only_itself(
    endpoint: Endpoint, entry: object, problem: EntryProblem
) -> None:
    page = endpoint.jobs(entry, summary(2)).search()
    assert page.jobs == (READ,)
    assert page.problems == (problem,)


@pytest.mark.parametrize(
    ("tags", "read"),
    [
        (["team"], None),
        ([], None),
        ("team", None),
        (5, None),
        ({"team": 5, "owner": "ada"}, {"owner": "ada"}),
        ({"team": {"a": "b"}}, {}),
        (None, None),
        ({}, {}),
    ],
)
def test_odd_tags_cost_only_the_tags(endpoint: Endpoint, tags: object, read: dict[str, str] | None) -> None:
    page = endpoint.jobs(summary(1, tags=tags), summary(2)).search()
    assert page.problems == ()
    assert [job.tags for job in page.jobs] == [read, {}]


@pytest.mark.parametrize("value", ["soon", [], {}, 1e300, True, 10**300])
def test_an_odd_time_costs_only_the_time(endpoint: Endpoint, value: object) -> None:
    page = endpoint.jobs(summary(1, createdAt=value), summary(2)).search()
    assert page.problems == ()
    assert [job.created for job in page.jobs] == [None, 1_700_000_000.0]


def test_an_arn_alone_is_a_usable_entry(endpoint: Endpoint) -> None:
    assert endpoint.jobs({"jobArn": ARN}).search().jobs == (JobSummary(ARN),)


def test_botocore_by_itself_loses_such_a_page(endpoint: Endpoint) -> None:
    """The reason for reading JSON ourselves: once this fails, botocore reads odd entries, too."""
    endpoint.jobs(summary(1, tags=[]), summary(2))
    plain = boto3.session.Session("AKIDEXAMPLE", "secret", region_name=REGION).client("braket")
    with pytest.raises(AttributeError):
        plain.search_jobs(filters=[])


@pytest.mark.parametrize(
    "members",
    [
        {"queueInfo": "x"},
        {"instanceConfig": []},
        {"tags": []},
        {"events": "x"},
        {"events": 5},
        {"events": ["x"]},
        {"algorithmSpecification": "x"},
        {"hyperParameters": []},
        {"inputDataConfig": 5},
        {"associations": "x"},
        {"startedAt": {}},
        {"createdAt": "9" * 5000},
    ],
    ids=lambda members: str(members)[:40],
)
def test_an_odd_member_of_a_job_costs_only_itself(endpoint: Endpoint, members: dict[str, object]) -> None:
    job = endpoint.job(jobName="vqe", **members).get()
    assert (job.status, job.name) == ("RUNNING", "vqe")


def test_a_queue_position_may_be_a_number(endpoint: Endpoint) -> None:
    job = endpoint.job(queueInfo={"queue": "JOBS_QUEUE", "position": 2}).get()
    assert (job.queue_position, job.queue_position_is_floor, job.unknown) == (2, False, ())


def test_a_number_of_thousands_of_digits_costs_only_its_member(endpoint: Endpoint) -> None:
    endpoint.body = b'{"status": "RUNNING", "billableDuration": %s, "createdAt": 1700000000, "instanceConfig": %s}' % (
        b"9" * 5000,
        b'{"instanceCount": 3}',
    )
    job = endpoint.get()
    assert (job.billable_seconds, job.created, job.instance_count) == (None, 1_700_000_000.0, 3)


def test_bytes_that_are_not_utf_8_cost_only_their_text(endpoint: Endpoint) -> None:
    endpoint.body = b'{"status": "RUNNING", "jobName": "a\xff\xfeb", "failureReason": "\xc3\xa9"}'
    job = endpoint.get()
    assert (job.name, job.failure_reason) == ("a��b", "é")


@pytest.mark.parametrize(
    "body",
    [b"", b"<html><body>Sign in</body></html>", b'{"status": "RUN', b"\xff\xfe", b"[" * 100_000, b"[]", b"null", b"5"],
    ids=lambda body: repr(body[:8]),
)
def test_a_body_that_is_not_of_braket_does_not_speak_of_the_job(endpoint: Endpoint, body: bytes) -> None:
    endpoint.body = body
    assert not isinstance(endpoint.error(), JobError)


@pytest.mark.parametrize("body", [b'{"status": 5}', b'{"jobArn": 5, "status": "RUNNING"}'])
def test_a_response_of_braket_without_a_status_or_for_another_job_is_malformed(endpoint: Endpoint, body: bytes) -> None:
    endpoint.body = body
    assert isinstance(endpoint.error(), MalformedError)


def test_members_named_as_those_that_botocore_adds_change_nothing(endpoint: Endpoint) -> None:
    endpoint.job(ResponseMetadata=5, Error="x", _body="x")
    assert endpoint.get() == JobSnapshot(ARN, "", "RUNNING", "123456789012", REGION)


def test_a_response_without_a_body_does_not_speak_of_the_job(endpoint: Endpoint) -> None:
    endpoint.status, endpoint.body = 204, b""
    assert not isinstance(endpoint.error(), JobError)


def test_an_error_response_stays_one(endpoint: Endpoint) -> None:
    endpoint.status, endpoint.body = 404, b'{"code": "ResourceNotFoundException", "message": "No such job"}'
    assert isinstance(endpoint.error(), NotFoundError)
