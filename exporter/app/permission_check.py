"""Makes the calls that polling needs, with the credentials of each target."""

from collections.abc import Collection, Iterator, Sequence
from dataclasses import dataclass
from functools import partial
from typing import Final

from exporter.app.access_results import (
    Access,
    CallResult,
    Permission,
    Verdict,
    custom_endpoint,
    failed_call,
    holder_of,
    reason_of,
)
from exporter.app.concurrent_checks import make_checks
from exporter.aws import BraketClient
from exporter.core import (
    ASSUME_ROLE,
    GET_CALLER_IDENTITY,
    GET_DEVICE,
    GET_JOB,
    SEARCH_JOBS,
    SEARCH_SPENDING_LIMITS,
    AssumeRoleDeniedError,
    BraketError,
    CredentialsRef,
    DeviceKey,
    JobSummary,
    NotFoundError,
    RejectedError,
    Selector,
    Span,
    Target,
    TargetConfig,
    UnauthenticatedError,
    device_key,
)

UNKNOWN_JOB: Final = "00000000-0000-4000-8000-000000000000"
"""The ID of a job that does not exist; AWS checks the permission first."""

MAX_PAGES: Final = 20
"""The maximum number of SearchJobs pages to count active jobs."""


def check_access(config: TargetConfig, source: BraketClient, since: float, optional: Collection[str] = ()) -> Access:
    """Check the credentials of a target and their permissions.

    Args:
        config: the target.
        source: the client of the target.
        since: the earliest creation time of jobs to list, unix seconds.
        optional: the optional operations that polling makes: ``GET_DEVICE``, ``SEARCH_SPENDING_LIMITS``.
    """
    found = _SearchResult(active=0 if config.selector is None else None)
    results = tuple(_results(config, source, since, found, optional))
    return Access(_target(config, source), results, custom_endpoint(source.endpoint), found.active, config.name)


def check_all(
    configs: Sequence[TargetConfig], sources: Sequence[BraketClient], since: float, optional: Collection[str] = ()
) -> list[Access]:
    """Check all targets, several at a time; return the results in the order of the targets."""
    targets = zip(configs, sources, strict=True)
    return make_checks([partial(check_access, config, source, since, optional) for config, source in targets])


@dataclass(slots=True)
class _SearchResult:
    """The SearchJobs response: a job to read, and the number of discovered active jobs; ``None`` without a response."""

    jobs: tuple[JobSummary, ...] = ()
    active: int | None = None


def _results(
    config: TargetConfig, source: BraketClient, since: float, found: _SearchResult, optional: Collection[str]
) -> Iterator[CallResult]:
    try:
        source.identify()
    except UnauthenticatedError as error:
        # Every other call with these credentials fails, too.
        yield _credentials_failure(config.credentials, error)
        return
    except BraketError as error:
        # Braket may be reachable when STS is not.
        yield failed_call(GET_CALLER_IDENTITY, error)
    else:
        yield _identity_result(config, source)
    if config.selector is not None:
        yield _try_search_jobs(config, config.selector, source, since, found)
    yield _try_get_job(config, source, found)
    if GET_DEVICE in optional:
        yield _try_get_device(config, source, found)
    if SEARCH_SPENDING_LIMITS in optional:
        yield _try_search_spending_limits(config, source)


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
            return failed_call(SEARCH_JOBS, error, Permission(holder_of(config.credentials), "braket:SearchJobs", "*"))
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
        # A discovered job may be deleted since.
        return _missing_job(arn) if arn in config.jobs else CallResult(GET_JOB, Verdict.OK)
    except RejectedError as error:
        return failed_call(GET_JOB, error) if known else CallResult(GET_JOB, Verdict.OK)
    except BraketError as error:
        all_jobs = _job_arn(source.partition, target._replace(region="*"), "*")
        need = Permission(holder_of(config.credentials), "braket:GetJob", all_jobs)
        # No policy grants access to jobs of another account.
        return failed_call(GET_JOB, error, need if target.account == source.target.account else None)
    return CallResult(GET_JOB, Verdict.OK)


def _missing_job(arn: str) -> CallResult:
    return CallResult(GET_JOB, Verdict.FAILED, f"job {arn} does not exist; check the ARN and its Region")


def _try_get_device(config: TargetConfig, source: BraketClient, found: _SearchResult) -> CallResult:
    """Get the device of a job; without one, a simulator. AWS checks the permission before the device."""
    region = config.target.region
    keys = (device_key(job.device, region) for job in found.jobs)
    simulator = DeviceKey(region, f"arn:{source.partition}:braket:::device/quantum-simulator/amazon/sv1")
    try:
        source.get_device(next((key for key in keys if key is not None), simulator))
    except (NotFoundError, RejectedError):
        return CallResult(GET_DEVICE, Verdict.OK)
    except BraketError as error:
        devices = f"arn:{source.partition}:braket:*:*:device/*"
        return failed_call(GET_DEVICE, error, Permission(holder_of(config.credentials), "braket:GetDevice", devices))
    return CallResult(GET_DEVICE, Verdict.OK)


def _try_search_spending_limits(config: TargetConfig, source: BraketClient) -> CallResult:
    try:
        page = source.search_spending_limits()
    except BraketError as error:
        need = Permission(holder_of(config.credentials), "braket:SearchSpendingLimits", "*")
        return failed_call(SEARCH_SPENDING_LIMITS, error, need)
    number = f"{'at least ' if page.token else ''}{len(page.limits)}"
    return CallResult(
        SEARCH_SPENDING_LIMITS, Verdict.OK, f"found {number} spending {'limit' if number == '1' else 'limits'}"
    )


def _job_arn(partition: str, target: Target, job: str) -> str:
    return f"arn:{partition}:braket:{target.region}:{target.account}:job/{job}"


def _credentials_failure(login: CredentialsRef, error: UnauthenticatedError) -> CallResult:
    if login.role_arn is None or error.code != "credentials":
        return failed_call(GET_CALLER_IDENTITY, error)
    if not isinstance(error, AssumeRoleDeniedError):
        return failed_call(ASSUME_ROLE, error)
    need = Permission(holder_of(CredentialsRef(login.profile)), "sts:AssumeRole", login.role_arn)
    return CallResult(ASSUME_ROLE, Verdict.DENIED, reason_of(error), need, error.code)


def _target(config: TargetConfig, source: BraketClient) -> Target:
    return config.target if config.target.account else source.target
