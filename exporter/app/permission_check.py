"""Tries the calls that polling needs, with the credentials of each target."""

import threading
from collections import deque
from collections.abc import Iterator, Sequence
from contextlib import suppress
from dataclasses import dataclass
from enum import StrEnum
from typing import Final, NamedTuple
from urllib.parse import urlsplit

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

MADE_UP_JOB: Final = "00000000-0000-4000-8000-000000000000"
"""A job that does not exist: AWS checks the permission before it says so."""

MOST_PAGES: Final = 20
"""Most SearchJobs pages that are read to count active jobs."""

AT_ONCE: Final = 8
"""Most targets that are tried at once, so that those that hang do not add up."""

_AWS: Final = (".amazonaws.com", ".amazonaws.com.cn", ".amazonaws.eu", ".api.aws", ".c2s.ic.gov", ".sc2s.sgov.gov")
"""Where AWS's own endpoints are. Any other endpoint is shown, also one of AWS's that is not on this list."""


class Verdict(StrEnum):
    """The result of a call."""

    OK = "ok"
    DENIED = "denied"
    FAILED = "failed"


class Permission(NamedTuple):
    """A permission that is missing.

    Attributes:
        holder: the login that needs it, human-readable.
        action: the action, as IAM names it.
        resource: the ARN, or ``*``.
    """

    holder: str
    action: str
    resource: str


@dataclass(frozen=True, slots=True)
class Answer:
    """The result of one call.

    Attributes:
        operation: the call.
        verdict: the result.
        reason: why it failed, or what a success showed.
        missing: the permission that is missing; ``None`` where no policy would help.
    """

    operation: str
    verdict: Verdict
    reason: str = ""
    missing: Permission | None = None


@dataclass(frozen=True, slots=True)
class Access:
    """The results for one target.

    Attributes:
        target: the account and Region.
        answers: the result of each call.
        endpoint: the URL of Braket; empty if it is AWS's own, or unknown.
        active: the number of active jobs that the selector found, beside those that are named.
    """

    target: Target
    answers: tuple[Answer, ...]
    endpoint: str = ""
    active: int = 0

    @property
    def complete(self) -> bool:
        """Whether every call succeeded."""
        return all(answer.verdict is Verdict.OK for answer in self.answers)


def ask(config: TargetConfig, source: BraketClient, since: float) -> Access:
    """Try whether a target's login exists, and may list and read jobs; failures are answers.

    Args:
        config: what would be polled.
        source: a client for it.
        since: the earliest creation time of the jobs to look for, unix seconds.
    """
    found = _Found()
    answers = tuple(_answers(config, source, since, found))
    return Access(_target(config, source), answers, _foreign(source.endpoint), found.active)


def ask_all(configs: Sequence[TargetConfig], sources: Sequence[BraketClient], since: float) -> list[Access]:
    """Try all targets, several at once; return the results in their order."""
    waiting = deque(zip(range(len(configs)), configs, sources, strict=True))
    done: dict[int, Access] = {}
    bugs: list[BaseException] = []

    def work() -> None:
        with suppress(IndexError):  # another thread took the last one
            while True:
                try_one(*waiting.popleft())

    def try_one(number: int, config: TargetConfig, source: BraketClient) -> None:
        try:
            done[number] = ask(config, source, since)
        except BaseException as bug:  # noqa: BLE001 -- raised again below
            bugs.append(bug)

    threads = [threading.Thread(target=work, daemon=True) for _ in configs[:AT_ONCE]]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    if bugs:
        raise bugs[0]
    return [done[number] for number in sorted(done)]


def uncounted(target: Target, operation: str, code: str, seconds: float) -> None:
    """Take no note of an HTTP attempt: there are no metrics here."""


@dataclass(slots=True)
class _Found:
    """The jobs that SearchJobs showed: some to read, and the number of active ones that are not named."""

    jobs: tuple[JobSummary, ...] = ()
    active: int = 0


def _answers(config: TargetConfig, source: BraketClient, since: float, found: _Found) -> Iterator[Answer]:
    try:
        source.identify()
    except UnauthenticatedError as error:
        # Every other call with these credentials would have the same result.
        yield _unusable(config.credentials, error)
        return
    except BraketError as error:
        # STS may be out of reach where Braket is not.
        yield _refused(GET_CALLER_IDENTITY, error)
    else:
        yield _identity(config, source)
    if config.selector is not None:
        yield _searching(config, config.selector, source, since, found)
    yield _reading(config, source, found)


def _identity(config: TargetConfig, source: BraketClient) -> Answer:
    account = source.target.account
    if config.target.account in {"", account}:
        return Answer(GET_CALLER_IDENTITY, Verdict.OK, source.caller_arn)
    return Answer(GET_CALLER_IDENTITY, Verdict.FAILED, f"these are credentials of account {account}")


def _searching(config: TargetConfig, selector: Selector, source: BraketClient, since: float, found: _Found) -> Answer:
    """List jobs, page by page up to a limit, and count the active ones that would be polled."""
    span, token, pages = Span(since, None), None, 0
    while pages < MOST_PAGES:
        try:
            page = source.search_jobs(span, token)
        except BraketError as error:
            return _refused(SEARCH_JOBS, error, Permission(_holder(config.credentials), "braket:SearchJobs", "*"))
        pages, token = pages + 1, page.token
        chosen = [job for job in page.jobs if selector.selects(job)]
        found.active += sum(not job.finished and job.arn not in config.jobs for job in chosen)
        found.jobs = found.jobs or tuple(chosen[:1]) or page.jobs[:1]
        if token is None:
            break
    number = f"at least {found.active}" if token is not None else str(found.active)
    return Answer(SEARCH_JOBS, Verdict.OK, f"found {number} active {'job' if number == '1' else 'jobs'}")


def _reading(config: TargetConfig, source: BraketClient, found: _Found) -> Answer:
    """Get a job: one that will be polled, if any is known, since a policy may depend on its ARN or tags."""
    target = _target(config, source)
    known = [*config.jobs[:1], *(job.arn for job in found.jobs)]
    if not known and not target.account:
        return Answer(GET_JOB, Verdict.FAILED, "not tried, since the account is not known")
    arn = known[0] if known else _job_arn(source.partition, target, MADE_UP_JOB)
    try:
        source.get_job(arn)
    except NotFoundError:
        return Answer(GET_JOB, Verdict.OK, f"but {arn} does not exist" if known else "")
    except RejectedError as error:
        return _refused(GET_JOB, error) if known else Answer(GET_JOB, Verdict.OK)
    except BraketError as error:
        all_jobs = _job_arn(source.partition, target._replace(region="*"), "*")
        need = Permission(_holder(config.credentials), "braket:GetJob", all_jobs)
        # No policy lets an account read the jobs of another.
        return _refused(GET_JOB, error, need if target.account == source.target.account else None)
    return Answer(GET_JOB, Verdict.OK)


def _job_arn(partition: str, target: Target, job: str) -> str:
    return f"arn:{partition}:braket:{target.region}:{target.account}:job/{job}"


def _foreign(endpoint: str) -> str:
    """Return scheme, host and port of an endpoint that is not AWS's own, or nothing."""
    parts = urlsplit(endpoint)
    return "" if (parts.hostname or "").endswith(_AWS) or not endpoint else f"{parts.scheme}://{host_of(endpoint)}"


def _refused(operation: str, error: BraketError, need: Permission | None = None) -> Answer:
    denied = isinstance(error, DeniedError)
    return Answer(operation, Verdict.DENIED if denied else Verdict.FAILED, _reason(error), need if denied else None)


def _unusable(login: CredentialsRef, error: UnauthenticatedError) -> Answer:
    if login.role_arn is None or error.code != "credentials":
        return Answer(GET_CALLER_IDENTITY, Verdict.FAILED, _reason(error))
    if not isinstance(error, AssumeRoleDeniedError):
        return Answer(ASSUME_ROLE, Verdict.FAILED, _reason(error))
    holder = _holder(CredentialsRef(login.profile))
    return Answer(ASSUME_ROLE, Verdict.DENIED, _reason(error), Permission(holder, "sts:AssumeRole", login.role_arn))


def _reason(error: BraketError) -> str:
    return f"{error.code}: {error}" if isinstance(error, MalformedError) else str(error)


def _target(config: TargetConfig, source: BraketClient) -> Target:
    return config.target if config.target.account else source.target


def _holder(login: CredentialsRef) -> str:
    if login.role_arn is not None:
        return login.role_arn
    return "the SDK's own credentials" if login.profile is None else f"profile {login.profile}"
