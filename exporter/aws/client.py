"""Client of Braket for one account and Region. Each failure of the SDK is mapped once, here."""

import time
from collections import Counter
from collections.abc import Callable
from datetime import UTC, datetime
from typing import Any, Final, Protocol, TypeVar

from botocore import xform_name

from exporter.aws.attempt import CURRENT, Attempt, Operation, Phase
from exporter.aws.deadline import Deadline, DeadlineError
from exporter.aws.failures import failure, late, not_of_service, unreadable
from exporter.aws.get_job import parse_job
from exporter.aws.members import ParseError
from exporter.aws.safe_text import account_in, arn_in
from exporter.aws.search_jobs import parse_page
from exporter.aws.sessions import CredentialsSession
from exporter.aws.transport import http_session_of
from exporter.core import (
    GET_CALLER_IDENTITY,
    GET_JOB,
    SEARCH_JOBS,
    BraketError,
    EntryProblem,
    JobSnapshot,
    SearchPage,
    Span,
    Target,
    UnauthenticatedError,
    account_of,
    parse_job_arn,
)

CALL_DEADLINE: Final = 15.0
"""Deadline of a whole call, seconds: it includes credentials, making a client, sending and reading."""

PAGE_SIZE: Final = 100
"""Jobs per page (``maxResults`` of SearchJobs)."""

_MILLISECOND: Final = 0.001

_GET_JOB: Final = Operation("braket", GET_JOB, ("jobArn", "status"))
_SEARCH_JOBS: Final = Operation("braket", SEARCH_JOBS, ("jobs",))
_GET_CALLER_IDENTITY: Final = Operation("sts", GET_CALLER_IDENTITY, ("Account",))

_STS_CODES: Final = frozenset({"AccessDenied", "AccessDeniedException"})


class RequestCounter(Protocol):
    """Counts HTTP attempts by code, and their duration."""

    def __call__(self, target: Target, operation: str, code: str, seconds: float) -> None:
        """Count one attempt."""
        ...


_T = TypeVar("_T")


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
        partition: the partition of the Region; ``aws`` before the first call.
        endpoint: the URL of Braket that is used; empty before the first call.
        caller_arn: the identity of the credentials; empty before ``identify``.
        clock_offset: the seconds by which AWS's clock is ahead of this host's, from the latest response; 0 if small or
            unknown.
    """

    def __init__(
        self, session: CredentialsSession, target: Target, count: RequestCounter, tag_keys: frozenset[str] = frozenset()
    ) -> None:
        self.target, self.partition, self.endpoint, self.caller_arn, self.clock_offset = target, "aws", "", "", 0.0
        self._session, self._count, self._tag_keys = session, count, tag_keys
        self._deadline = Deadline(CALL_DEADLINE)
        self._client: object = None
        self._codes: frozenset[str] = frozenset()

    def get_job(self, arn: str) -> JobSnapshot:
        """Get one job, with its queue position.

        Raises:
            BraketError: the call failed; the subclass is the kind of failure.
        """
        return self._call(_GET_JOB, {"jobArn": arn, "additionalAttributeNames": ["QueueInfo"]}, self._job)

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
        return self._call(_SEARCH_JOBS, parameters, self._page)

    def identify(self) -> None:
        """Get the account and the identity of the credentials from STS.

        Raises:
            BraketError: the call failed; the subclass is the kind of failure.
        """
        self._call(_GET_CALLER_IDENTITY, {}, self._identity)

    def _identity(self, attempt: Attempt) -> None:
        self.caller_arn = arn_in(attempt.payload.get("Arn"))
        self._set_account(account_in(attempt.payload["Account"]))

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

    def _call(self, operation: Operation, parameters: dict[str, Any], read: Callable[[Attempt], _T]) -> _T:
        """Make a call and parse its response. An exception of ``read`` other than ``ParseError`` is a bug."""
        began = time.perf_counter()
        attempt = Attempt(operation, parameters, time.monotonic() + self._deadline.seconds)
        error = self._attempt(attempt)
        sent = attempt.close()
        if attempt.phase is Phase.RECEIVED:
            self.clock_offset = attempt.clock_offset
        result: _T | None = None
        if error is None:
            try:
                result = read(attempt)
            except ParseError as problem:
                error = unreadable(problem)
        if sent:
            self._count(self.target, operation.name, "ok" if error is None else error.code, time.perf_counter() - began)
        if error is not None:
            raise error
        return result  # type: ignore[return-value] # there is one without an error

    def _attempt(self, attempt: Attempt) -> BraketError | None:
        """Make a call; return its error, or ``None`` after a successful response."""
        try:
            raised = self._deadline.run(self._perform, attempt, attempt.until).error
        except DeadlineError as overdue:
            if attempt.phase < Phase.SENDING:
                self._session.renew()  # the session may cause the delay
            return late(attempt, overdue, self._deadline.seconds)
        if raised is None:
            return None if _is_of_service(attempt) else not_of_service(attempt)
        codes = self._codes if attempt.operation.service == "braket" else _STS_CODES
        error = failure(attempt, raised, credentials=self._session.credentials, modelled=codes)
        if isinstance(error, UnauthenticatedError) and attempt.phase is not Phase.CREDENTIALS:
            self._session.renew()
        return error

    def _perform(self, attempt: Attempt) -> None:
        """Make the call in its own thread, and store the response in the attempt. Exceptions of the SDK propagate."""
        CURRENT.set(attempt)
        try:
            client = self._session.client(attempt.operation.service, self.target.region)
            attempt.phase, attempt.endpoint = Phase.CLIENT, client.meta.endpoint_url
            attempt.http = http_session_of(client)
            if attempt.operation.service == "braket" and client is not self._client:
                self._use(client)
            getattr(client, xform_name(attempt.operation.name))(**attempt.parameters)
        finally:
            CURRENT.set(None)

    def _use(self, client: Any) -> None:  # noqa: ANN401 -- botocore makes the class at run time
        self.partition, self.endpoint = str(client.meta.partition), str(client.meta.endpoint_url)
        self._codes = frozenset(shape.error_code for shape in client.meta.service_model.error_shapes)
        self._client = client


def _is_of_service(attempt: Attempt) -> bool:
    """Return whether a successful response comes from the service: proxies and login pages respond with 200 as well."""
    payload = attempt.payload
    if not isinstance(payload, dict):
        return False
    if attempt.operation is _GET_CALLER_IDENTITY:
        return bool(account_in(payload.get("Account")))
    return any(payload.get(member) is not None for member in attempt.operation.members)


def _iso(time: float) -> str:
    moment = datetime.fromtimestamp(max(0.0, round(time, 3)), UTC)
    return moment.isoformat(timespec="milliseconds").replace("+00:00", "Z")
