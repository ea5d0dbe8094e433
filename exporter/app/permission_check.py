"""Makes the calls that polling needs, with the credentials of each target."""

import threading
from collections import deque
from collections.abc import Iterator, Sequence
from contextlib import suppress
from dataclasses import dataclass
from enum import StrEnum
from typing import Final, NamedTuple
from urllib.parse import urlsplit

from exporter.app.signals import SIGNAL_LATENCY
from exporter.aws import BraketClient, host_of
from exporter.core import (
    ASSUME_ROLE,
    GET_CALLER_IDENTITY,
    GET_JOB,
    SEARCH_JOBS,
    AssumeRoleDeniedError,
    BraketError,
    CredentialsRef,
    DeniedError,
    JobSummary,
    MalformedError,
    NotFoundError,
    RejectedError,
    Selector,
    Span,
    Target,
    TargetConfig,
    UnauthenticatedError,
)

UNKNOWN_JOB: Final = "00000000-0000-4000-8000-000000000000"
"""The ID of a job that does not exist; AWS checks the permission first."""

MAX_PAGES: Final = 20
"""The maximum number of SearchJobs pages to count active jobs."""

MAX_CONCURRENT: Final = 8
"""The maximum number of targets checked at the same time, so that timeouts do not add up."""

_AWS: Final = (".amazonaws.com", ".amazonaws.com.cn", ".amazonaws.eu", ".api.aws", ".c2s.ic.gov", ".sc2s.sgov.gov")
"""The domains of AWS endpoints. The report shows every other endpoint."""


class Verdict(StrEnum):
    """The result of a call."""

    OK = "ok"
    DENIED = "denied"
    FAILED = "failed"


class Permission(NamedTuple):
    """A permission that is missing.

    Attributes:
        holder: the identity that needs it.
        action: the action, as IAM names it.
        resource: the ARN, or ``*``.
    """

    holder: str
    action: str
    resource: str


@dataclass(frozen=True, slots=True)
class CallResult:
    """The result of one call.

    Attributes:
        operation: the call.
        verdict: the result.
        reason: the reason for a failure, or details of a success.
        missing: the missing permission; ``None`` where no policy would help.
        code: the error code of a failed call; empty for a success or without a call.
    """

    operation: str
    verdict: Verdict
    reason: str = ""
    missing: Permission | None = None
    code: str = ""


@dataclass(frozen=True, slots=True)
class Access:
    """The results for one target.

    Attributes:
        target: the account and Region.
        results: the result of each call.
        endpoint: the URL of a Braket endpoint outside AWS; empty for an AWS or unknown endpoint.
        active: the number of discovered active jobs; ``None`` if SearchJobs failed.
    """

    target: Target
    results: tuple[CallResult, ...]
    endpoint: str = ""
    active: int | None = 0

    @property
    def is_complete(self) -> bool:
        """Whether every call succeeded."""
        return all(result.verdict is Verdict.OK for result in self.results)


def check_access(config: TargetConfig, source: BraketClient, since: float) -> Access:
    """Check the credentials of a target and their permissions to list and read jobs.

    Args:
        config: the target.
        source: the client of the target.
        since: the earliest creation time of jobs to list, unix seconds.
    """
    found = _SearchResult(active=0 if config.selector is None else None)
    results = tuple(_results(config, source, since, found))
    return Access(_target(config, source), results, _custom_endpoint(source.endpoint), found.active)


def check_all(configs: Sequence[TargetConfig], sources: Sequence[BraketClient], since: float) -> list[Access]:
    """Check all targets, several at a time; return the results in the order of the targets."""
    waiting = deque(zip(range(len(configs)), configs, sources, strict=True))
    done: dict[int, Access] = {}
    bugs: list[BaseException] = []

    def work() -> None:
        with suppress(IndexError):  # the queue is empty
            while True:
                try_one(*waiting.popleft())

    def try_one(number: int, config: TargetConfig, source: BraketClient) -> None:
        try:
            done[number] = check_access(config, source, since)
        except BaseException as bug:  # noqa: BLE001 -- raised again below
            bugs.append(bug)

    threads = [threading.Thread(target=work, daemon=True) for _ in configs[:MAX_CONCURRENT]]
    for thread in threads:
        thread.start()
    for thread in threads:
        while thread.is_alive():
            thread.join(SIGNAL_LATENCY)  # signal handlers run meanwhile
    if bugs:
        raise bugs[0]
    return [done[number] for number in sorted(done)]


@dataclass(slots=True)
class _SearchResult:
    """The SearchJobs response: a job to read, and the number of discovered active jobs; ``None`` without a response."""

    jobs: tuple[JobSummary, ...] = ()
    active: int | None = None


def _results(config: TargetConfig, source: BraketClient, since: float, found: _SearchResult) -> Iterator[CallResult]:
    try:
        source.identify()
    except UnauthenticatedError as error:
        # Every other call with these credentials fails, too.
        yield _credentials_failure(config.credentials, error)
        return
    except BraketError as error:
        # Braket may be reachable when STS is not.
        yield _failure(GET_CALLER_IDENTITY, error)
    else:
        yield _identity_result(config, source)
    if config.selector is not None:
        yield _try_search_jobs(config, config.selector, source, since, found)
    yield _try_get_job(config, source, found)


def _identity_result(config: TargetConfig, source: BraketClient) -> CallResult:
    account = source.target.account
    if config.target.account in {"", account}:
        return CallResult(GET_CALLER_IDENTITY, Verdict.OK, source.caller_arn)
    reason = f"the credentials belong to account {account}, not to {config.target.account}"
    return CallResult(GET_CALLER_IDENTITY, Verdict.FAILED, reason)


def _try_search_jobs(
    config: TargetConfig, selector: Selector, source: BraketClient, since: float, found: _SearchResult
) -> CallResult:
    """List jobs up to a maximum number of pages, and count the active jobs that the selector selects."""
    span, token, pages = Span(since, None), None, 0
    while pages < MAX_PAGES:
        try:
            page = source.search_jobs(span, token)
        except BraketError as error:
            return _failure(SEARCH_JOBS, error, Permission(_holder(config.credentials), "braket:SearchJobs", "*"))
        pages, token = pages + 1, page.token
        chosen = [job for job in page.jobs if selector.selects(job)]
        found.active = (found.active or 0) + sum(not job.finished and job.arn not in config.jobs for job in chosen)
        found.jobs = found.jobs or tuple(chosen[:1]) or page.jobs[:1]
        if token is None:
            break
    number = f"at least {found.active}" if token is not None else str(found.active)
    return CallResult(SEARCH_JOBS, Verdict.OK, f"found {number} active {'job' if number == '1' else 'jobs'}")


def _try_get_job(config: TargetConfig, source: BraketClient, found: _SearchResult) -> CallResult:
    """Get a job, preferably one to poll: a policy may depend on its ARN or tags."""
    target = _target(config, source)
    known = [*config.jobs[:1], *(job.arn for job in found.jobs)]
    if not known and not target.account:
        return CallResult(GET_JOB, Verdict.FAILED, "not called, because the account is unknown")
    arn = known[0] if known else _job_arn(source.partition, target, UNKNOWN_JOB)
    try:
        source.get_job(arn)
    except NotFoundError:
        return CallResult(GET_JOB, Verdict.OK, f"but {arn} does not exist" if known else "")
    except RejectedError as error:
        return _failure(GET_JOB, error) if known else CallResult(GET_JOB, Verdict.OK)
    except BraketError as error:
        all_jobs = _job_arn(source.partition, target._replace(region="*"), "*")
        need = Permission(_holder(config.credentials), "braket:GetJob", all_jobs)
        # No policy grants access to jobs of another account.
        return _failure(GET_JOB, error, need if target.account == source.target.account else None)
    return CallResult(GET_JOB, Verdict.OK)


def _job_arn(partition: str, target: Target, job: str) -> str:
    return f"arn:{partition}:braket:{target.region}:{target.account}:job/{job}"


def _custom_endpoint(endpoint: str) -> str:
    """Return scheme, host and port of an endpoint outside AWS, else an empty text."""
    parts = urlsplit(endpoint)
    return "" if (parts.hostname or "").endswith(_AWS) or not endpoint else f"{parts.scheme}://{host_of(endpoint)}"


def _failure(operation: str, error: BraketError, need: Permission | None = None) -> CallResult:
    denied = isinstance(error, DeniedError)
    verdict = Verdict.DENIED if denied else Verdict.FAILED
    return CallResult(operation, verdict, _reason(error), need if denied else None, error.code)


def _credentials_failure(login: CredentialsRef, error: UnauthenticatedError) -> CallResult:
    if login.role_arn is None or error.code != "credentials":
        return _failure(GET_CALLER_IDENTITY, error)
    if not isinstance(error, AssumeRoleDeniedError):
        return _failure(ASSUME_ROLE, error)
    need = Permission(_holder(CredentialsRef(login.profile)), "sts:AssumeRole", login.role_arn)
    return CallResult(ASSUME_ROLE, Verdict.DENIED, _reason(error), need, error.code)


def _reason(error: BraketError) -> str:
    return f"{error.code}: {error}" if isinstance(error, MalformedError) else str(error)


def _target(config: TargetConfig, source: BraketClient) -> Target:
    return config.target if config.target.account else source.target


def _holder(login: CredentialsRef) -> str:
    if login.role_arn is not None:
        return login.role_arn
    return "the SDK's own credentials" if login.profile is None else f"profile {login.profile}"
