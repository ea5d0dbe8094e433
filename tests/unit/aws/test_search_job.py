"""SearchJobs for one job, by its ARN."""

from collections.abc import Iterator

import pytest
from processes import LONG_AGO

from exporter.aws import BraketClient, CredentialsSession
from exporter.core import CredentialsRef, Target
from exporter.simulator import RECORDED_LIFE, SimulatedJob, SimulatorServer, World, job_arn

REGION = "eu-north-1"
ARN = job_arn("0a1b2c3d-0000-4000-8000-000000000001", REGION)
OTHER = job_arn("0a1b2c3d-0000-4000-8000-000000000002", REGION)


@pytest.fixture
def braket(monkeypatch: pytest.MonkeyPatch) -> Iterator[BraketClient]:
    jobs = [SimulatedJob(arn, "vqe-h2", LONG_AGO, RECORDED_LIFE, tags={"team": "chemistry"}) for arn in (ARN, OTHER)]
    with SimulatorServer(World(jobs), clock=lambda: LONG_AGO + 60.0) as server:
        monkeypatch.setenv("AWS_ENDPOINT_URL_BRAKET", server.url)
        yield BraketClient(CredentialsSession(CredentialsRef()), Target("", REGION), lambda *_: None)


def test_the_page_has_the_job_and_no_other_one(braket: BraketClient) -> None:
    page = braket.search_job(ARN)
    (job,) = page.jobs
    assert (job.arn, job.status, job.tags) == (ARN, "RUNNING", {"team": "chemistry"})
    assert (page.problems, page.token) == ((), None)
    assert braket.target == Target("123456789012", REGION)


def test_the_page_is_empty_without_the_job(braket: BraketClient) -> None:
    assert braket.search_job(job_arn("0a1b2c3d-0000-4000-8000-000000000003", REGION)).jobs == ()
