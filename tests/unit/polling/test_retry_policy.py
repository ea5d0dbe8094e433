"""What the retry policy says of each class of errors."""

from collections.abc import Iterator

import pytest

from exporter.core import (
    AssumeRoleDeniedError,
    BraketError,
    DeniedError,
    JobError,
    MalformedError,
    UnauthenticatedError,
)
from exporter.polling.retry_policy import RETRY_POLICY, OnRequest, Subject, rule_for


def kinds(kind: type[BraketError] = BraketError) -> Iterator[type[BraketError]]:
    yield kind
    for more in kind.__subclasses__():
        yield from kinds(more)


@pytest.mark.parametrize("subject", Subject)
@pytest.mark.parametrize("kind", [*kinds()])
def test_every_class_of_errors_has_a_rule(kind: type[BraketError], subject: Subject) -> None:
    assert rule_for(subject, kind("code", "message")) in RETRY_POLICY[subject].values()


@pytest.mark.parametrize("kind", [*kinds()])
def test_a_job_backs_off_alone_when_the_error_is_its_own(kind: type[BraketError]) -> None:
    assert (rule_for(Subject.JOB, kind("code", "message")).request is OnRequest.RETRY) is not issubclass(kind, JobError)


def test_a_class_without_a_row_follows_the_row_of_its_base() -> None:
    jobs, target = RETRY_POLICY[Subject.JOB], RETRY_POLICY[Subject.TARGET]
    denied = AssumeRoleDeniedError("AccessDenied", "may not assume the role")
    assert rule_for(Subject.JOB, denied) == jobs[UnauthenticatedError]
    assert rule_for(Subject.TARGET, denied) == target[UnauthenticatedError]
    assert rule_for(Subject.JOB, DeniedError("a", "b")) == rule_for(Subject.JOB, MalformedError("a", "b"))
