"""Client of Braket for one account and Region."""

from collections import Counter
from datetime import UTC, datetime
from typing import Any, Final

from exporter.aws.attempt import Attempt, Operation
from exporter.aws.failures import not_of_service
from exporter.aws.get_device import parse_device_response
from exporter.aws.get_job import parse_job
from exporter.aws.safe_text import account_in, arn_in
from exporter.aws.search_jobs import parse_page
from exporter.aws.search_spending_limits import parse_spending_limits
from exporter.aws.service_calls import RequestCounter, ServiceCalls
from exporter.aws.sessions import CredentialsSession
from exporter.core import (
    GET_CALLER_IDENTITY,
    GET_DEVICE,
    GET_JOB,
    SEARCH_JOBS,
    SEARCH_SPENDING_LIMITS,
    DeviceKey,
    DeviceSnapshot,
    EntryProblem,
    JobSnapshot,
    SearchPage,
    Span,
    SpendingLimitPage,
    Target,
    account_of,
    parse_job_arn,
)

CALL_DEADLINE: Final = 15.0
"""Deadline of a whole call, seconds: it includes credentials, making a client, sending and reading."""

PAGE_SIZE: Final = 100
"""Entries per page (``maxResults`` of SearchJobs and SearchSpendingLimits)."""

_MILLISECOND: Final = 0.001

_GET_JOB: Final = Operation("braket", GET_JOB, ("jobArn", "status"))
_SEARCH_JOBS: Final = Operation("braket", SEARCH_JOBS, ("jobs",))
_GET_DEVICE: Final = Operation("braket", GET_DEVICE, ("deviceArn", "deviceStatus"))
_SEARCH_SPENDING_LIMITS: Final = Operation("braket", SEARCH_SPENDING_LIMITS, ("spendingLimits",))
_GET_CALLER_IDENTITY: Final = Operation("sts", GET_CALLER_IDENTITY, ("Account",))


class BraketClient:
    """Calls Braket in one account and Region. Thread-safe.

    The constructor does no I/O. Each call ends within ``CALL_DEADLINE``, and raises a ``BraketError`` for any exception
    of the SDK. The SDK's own retries are off, so each HTTP attempt is a call that the rate limit includes.

    Args:
        session: the source of credentials and endpoints.
        target: the account and Region; the account may be unknown until a response contains it.
        count: counts every HTTP attempt.
        tag_keys: the tags to keep of a job.

    Attributes:
        target: the account and Region.
        caller_arn: the identity of the credentials; empty before ``identify``.
    """

    def __init__(
        self, session: CredentialsSession, target: Target, count: RequestCounter, tag_keys: frozenset[str] = frozenset()
    ) -> None:
        self.target, self.caller_arn, self._tag_keys = target, "", tag_keys
        self._calls = ServiceCalls(
            session,
            target.region,
            lambda operation, code, seconds: count(self.target, operation, code, seconds),
            CALL_DEADLINE,
        )

    @property
    def partition(self) -> str:
        """The partition of the Region; ``aws`` before the first call."""
        client = self._calls.clients.get("braket")
        return "aws" if client is None else str(client.meta.partition)

    @property
    def endpoint(self) -> str:
        """The URL of Braket that is used; empty before the first call."""
        client = self._calls.clients.get("braket")
        return "" if client is None else str(client.meta.endpoint_url)

    @property
    def clock_offset(self) -> float:
        """The seconds by which AWS's clock is ahead of this host's, from the latest response; 0 if small or unknown."""
        return self._calls.clock_offset

    def get_job(self, arn: str) -> JobSnapshot:
        """Get one job, with its queue position.

        Raises:
            BraketError: the call failed; the subclass is the kind of failure.
        """
        return self._calls.call(_GET_JOB, {"jobArn": arn, "additionalAttributeNames": ["QueueInfo"]}, self._job)

    def search_jobs(self, span: Span, token: str | None = None) -> SearchPage:
        """Get a page of the jobs that were created in a span of time, with any status and tags.

        It is undocumented whether BETWEEN includes its limits, so the limits are extended by a millisecond.

        Raises:
            BraketError: the call failed; the subclass is the kind of failure.
        """
        limits = (
            [span.start - _MILLISECOND] if span.end is None else [span.start - _MILLISECOND, span.end + _MILLISECOND]
        )
        created = {"operator": "GTE" if span.end is None else "BETWEEN", "values": [_iso(limit) for limit in limits]}
        parameters: dict[str, Any] = {"filters": [{"name": "createdAt", **created}], "maxResults": PAGE_SIZE}
        if token:
            parameters["nextToken"] = token
        return self._calls.call(_SEARCH_JOBS, parameters, self._page)

    def search_job(self, arn: str) -> SearchPage:
        """Get the summary of one job; the page is empty if the job does not exist.

        Raises:
            BraketError: the call failed; the subclass is the kind of failure.
        """
        by_arn = {"name": "jobArn", "operator": "EQUAL", "values": [arn]}
        return self._calls.call(_SEARCH_JOBS, {"filters": [by_arn], "maxResults": PAGE_SIZE}, self._page)

    def get_device(self, key: DeviceKey) -> DeviceSnapshot:
        """Get the status and the queues of one device.

        Raises:
            BraketError: the call failed; the subclass is the kind of failure.
        """
        return self._calls.call(
            _GET_DEVICE, {"deviceArn": key.arn}, lambda attempt: parse_device_response(key, attempt.payload)
        )

    def search_spending_limits(self, token: str | None = None) -> SpendingLimitPage:
        """Get a page of the spending limits of the account and Region.

        Raises:
            BraketError: the call failed; the subclass is the kind of failure.
        """
        parameters: dict[str, Any] = {"maxResults": PAGE_SIZE, **({"nextToken": token} if token else {})}
        return self._calls.call(
            _SEARCH_SPENDING_LIMITS, parameters, lambda attempt: parse_spending_limits(attempt.payload)
        )

    def identify(self) -> None:
        """Get the account and the identity of the credentials from STS.

        Raises:
            BraketError: the call failed; the subclass is the kind of failure.
        """
        self._calls.call(_GET_CALLER_IDENTITY, {}, self._identity)

    def _identity(self, attempt: Attempt) -> None:
        account = account_in(attempt.payload.get("Account"))
        if not account:
            raise not_of_service(attempt)
        self.caller_arn = arn_in(attempt.payload.get("Arn"))
        self._set_account(account)

    def _job(self, attempt: Attempt) -> JobSnapshot:
        return parse_job(attempt.parameters["jobArn"], attempt.payload, self._tag_keys)

    def _page(self, attempt: Attempt) -> SearchPage:
        """Skip jobs of other accounts and Regions. If the account is unknown, take it from the majority of entries."""
        page = parse_page(attempt.payload)
        owners = Counter(account_of(job.arn) for job in page.jobs)
        account, entries = owners.most_common(1)[0] if owners else ("", 0)
        if not self.target.account and 2 * entries > len(page.jobs):
            self._set_account(account)
        jobs, problems = [], [*page.problems]
        for job in page.jobs:
            parts = parse_job_arn(job.arn)
            if parts.region != self.target.region:
                problems.append(EntryProblem(job.arn, f"is not in Region {self.target.region}"))
            elif self.target.account not in {"", parts.account}:
                problems.append(EntryProblem(job.arn, f"is not of account {self.target.account}"))
            else:
                jobs.append(job)
        return SearchPage(tuple(jobs), tuple(problems), page.token)

    def _set_account(self, account: str) -> None:
        self.target = self.target._replace(account=account)


def _iso(time: float) -> str:
    moment = datetime.fromtimestamp(max(0.0, round(time, 3)), UTC)
    return moment.isoformat(timespec="milliseconds").replace("+00:00", "Z")
