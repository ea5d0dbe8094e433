"""The calls to Braket: one client for an account and Region, and each of boto3's errors mapped once."""

import re
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from datetime import UTC, datetime
from typing import Any, Final, Protocol, TypeVar

import boto3
from botocore.config import Config
from botocore.exceptions import (
    BotoCoreError,
    ClientError,
    ConnectTimeoutError,
    CredentialRetrievalError,
    NoCredentialsError,
    PartialCredentialsError,
    ReadTimeoutError,
    TokenRetrievalError,
    UnauthorizedSSOTokenError,
)
from botocore.parsers import ResponseParserError

from exporter import __version__
from exporter.arn import account_of, parse_job_arn
from exporter.errors import (
    ASSUME_ROLE,
    GET_CALLER_IDENTITY,
    GET_JOB,
    SEARCH_JOBS,
    AssumeRoleDeniedError,
    BraketError,
    DeniedError,
    MalformedError,
    NotFoundError,
    RejectedError,
    ThrottledError,
    UnauthenticatedError,
    UnavailableError,
)
from exporter.model import EntryProblem, JobSnapshot, SearchPage, Span, Target
from exporter.parse import ParseError, parse_job, parse_page
from exporter.windows import PAGE_SIZE
from exporter.wire import body_of, hand_over_bodies

CONNECTIONS: Final = 4
"""Calls to one target under way at once: enough to hide latency at the service's quota of 5 a second."""

CONNECT_TIMEOUT: Final = 3.0
READ_TIMEOUT: Final = 5.0

_NEVER_SENT: Final = "credentials"
"""The code of a call that ended before any HTTP attempt."""

_MILLISECOND: Final = 0.001

_ERROR_CODE: Final = re.compile(r"[^A-Za-z0-9._-]")
_THROTTLED: Final = {
    "429",
    "ThrottlingException",
    "Throttling",
    "TooManyRequestsException",
    "RequestLimitExceeded",
}
_UNAUTHENTICATED: Final = {
    "ExpiredToken",
    "ExpiredTokenException",
    "IncompleteSignature",
    "InvalidClientTokenId",
    "InvalidSignatureException",
    "MissingAuthenticationToken",
    "MissingAuthenticationTokenException",
    "OptInRequired",
    "RequestExpired",
    "SignatureDoesNotMatch",
    "UnrecognizedClientException",
}
_NO_CREDENTIALS: Final = (
    CredentialRetrievalError,
    NoCredentialsError,
    PartialCredentialsError,
    TokenRetrievalError,
    UnauthorizedSSOTokenError,
)
_UNREADABLE: Final = (
    ResponseParserError,
    ArithmeticError,
    AttributeError,
    LookupError,
    RuntimeError,
    TypeError,
    ValueError,
)
"""botocore reads an answer of another shape than its model until something in Python gives way."""


class RequestCounter(Protocol):
    """Told of every HTTP attempt, with what came of it and how many seconds it took."""

    def __call__(self, target: Target, operation: str, code: str, seconds: float) -> None:
        """Take note of one attempt."""
        ...


_T = TypeVar("_T")


class BraketClient:
    """Asks Braket in one account and Region. Calls may come from several threads.

    botocore's own retries are off: every HTTP attempt is a call of ours, so that the budget holds.

    Args:
        session: where credentials and endpoints come from.
        target: the account and Region; the account may be unknown, then the first answer tells it.
        count: told of every HTTP attempt.
        tag_keys: the tags to keep of a job.

    Attributes:
        target: the account and Region.

    Raises:
        BotoCoreError: the SDK's configuration is unusable.
        ValueError: likewise, for an endpoint that is no URL.
    """

    def __init__(
        self,
        session: boto3.session.Session,
        target: Target,
        count: RequestCounter,
        tag_keys: frozenset[str] = frozenset(),
    ) -> None:
        self.target = target
        self.clock_offset = 0.0
        self._session, self._count, self._tag_keys = session, count, tag_keys
        self._client = self._make_client()
        self._making = threading.Lock()

    @property
    def partition(self) -> str:
        """The part of AWS that the Region is in, as ARNs name it."""
        return str(self._client.meta.partition)

    def get_job(self, arn: str) -> JobSnapshot:
        """Ask for one job, with its place in the queue.

        Raises:
            BraketError: there is no answer; the subclass says what that means.
        """

        def read() -> JobSnapshot:
            return parse_job(
                arn, body_of(self._client.get_job(jobArn=arn, additionalAttributeNames=["QueueInfo"])), self._tag_keys
            )

        return self._call(GET_JOB, read)

    def search_jobs(self, span: Span, token: str | None = None) -> SearchPage:
        """Ask for a page of the jobs that were created in a span of time, whatever their status and tags.

        The documentation does not say whether BETWEEN includes its limits, so these are a millisecond outside.

        Raises:
            BraketError: there is no answer; the subclass says what that means.
        """
        limits = (
            [span.start - _MILLISECOND] if span.end is None else [span.start - _MILLISECOND, span.end + _MILLISECOND]
        )
        created = {"operator": "GTE" if span.end is None else "BETWEEN", "values": [_iso(limit) for limit in limits]}
        rest = {"nextToken": token} if token else {}

        def read() -> SearchPage:
            filters = [{"name": "createdAt", **created}]
            return self._belonging_here(
                parse_page(body_of(self._client.search_jobs(filters=filters, maxResults=PAGE_SIZE, **rest)))
            )

        return self._call(SEARCH_JOBS, read)

    def identify(self) -> None:
        """Ask AWS which account the credentials are of.

        Raises:
            BraketError: there is no answer; the subclass says what that means.
        """

        def read() -> str:
            client = self._session.client("sts", region_name=self.target.region, config=client_config())
            return str(client.get_caller_identity()["Account"])

        self._learn(self._call(GET_CALLER_IDENTITY, read))

    def _make_client(self) -> Any:  # noqa: ANN401 -- boto3 makes the class when it is asked for a client
        client = self._session.client("braket", region_name=self.target.region, config=client_config())
        hand_over_bodies(client)
        return client

    def _look_for_credentials_again(self, client: object) -> None:
        """Make another client: one that found no credentials when it was made never looks for them again."""
        with self._making, suppress(BotoCoreError):  # half of them is no better than none
            if self._client is client:
                self._client = self._make_client()

    def _belonging_here(self, page: SearchPage) -> SearchPage:
        """Leave out jobs of other Regions, which this client could never ask for; learn the account from the others."""
        region = self.target.region
        regions = {job.arn: parse_job_arn(job.arn).region for job in page.jobs}
        jobs = tuple(job for job in page.jobs if regions[job.arn] == region)
        strangers = tuple(
            EntryProblem(arn, f"jobs.jobArn: is not in {region}") for arn, other in regions.items() if other != region
        )
        if not self.target.account and jobs:
            self._learn(account_of(jobs[0].arn))
        return SearchPage(jobs, page.problems + strangers, page.token)

    def _learn(self, account: str) -> None:
        self.target = self.target._replace(account=account)

    def _call(self, operation: str, read: Callable[[], _T]) -> _T:
        began, code, client = time.perf_counter(), "ok", self._client
        try:
            with _mapped_errors(operation):
                return read()
        except BraketError as error:
            code = error.code
            if isinstance(error.__cause__, NoCredentialsError):
                self._look_for_credentials_again(client)
            raise
        finally:
            if code != _NEVER_SENT:
                self._count(self.target, operation, code, time.perf_counter() - began)


@contextmanager
def _mapped_errors(operation: str) -> Iterator[None]:
    """Turn whatever a boto3 call and the reading of its answer raise into a ``BraketError``."""
    try:
        yield
    except ParseError as error:
        raise MalformedError("malformed", str(error)) from error
    except ClientError as error:
        if error.operation_name != operation:  # the call was never sent: its credentials could not be had
            raise _without_credentials(error) from error
        raise _service_error(error) from error
    except _NO_CREDENTIALS as error:
        raise _without_credentials(error) from error
    except (ConnectTimeoutError, ReadTimeoutError) as error:
        raise UnavailableError("timeout", str(error)) from error
    except BotoCoreError as error:
        raise UnavailableError("connection", str(error)) from error
    except _UNREADABLE as error:
        # After the first line botocore quotes the answer, which may hold what the log must not.
        raise MalformedError("malformed", f"{type(error).__name__}: {error}".partition("\n")[0]) from error


def _without_credentials(error: Exception) -> UnauthenticatedError:
    cause = error if isinstance(error, ClientError) else error.__cause__
    asked_for_role = isinstance(cause, ClientError) and cause.operation_name == ASSUME_ROLE
    denied = asked_for_role and isinstance(_service_error(cause), DeniedError)
    return (AssumeRoleDeniedError if denied else UnauthenticatedError)(_NEVER_SENT, str(error))


def _service_error(error: ClientError) -> BraketError:
    """Map an error that came over the wire, by its code and, for gateways that have none of Braket's, its status."""
    code = _ERROR_CODE.sub("", str(error.response.get("Error", {}).get("Code", "")))[:64] or "unknown"
    status = error.response.get("ResponseMetadata", {}).get("HTTPStatusCode", 0)
    # That botocore does not try again is our wish and no news.
    return _error_class(code, status)(code, str(error).replace(" (reached max retries: 0)", ""))


def _error_class(code: str, status: int) -> type[BraketError]:
    if code in _THROTTLED or status == 429:
        return ThrottledError
    if code in _UNAUTHENTICATED or status == 401:
        return UnauthenticatedError
    if status == 403:
        return DeniedError
    if status == 404:
        return NotFoundError
    return UnavailableError if status >= 500 else RejectedError


def _iso(time: float) -> str:
    moment = datetime.fromtimestamp(max(0.0, round(time, 3)), UTC)
    return moment.isoformat(timespec="milliseconds").replace("+00:00", "Z")


def client_config() -> Config:
    """Return what every client of ours has: short deadlines, no retries of its own, a name for AWS's logs."""
    return Config(
        connect_timeout=CONNECT_TIMEOUT,
        read_timeout=READ_TIMEOUT,
        retries={"total_max_attempts": 1},
        max_pool_connections=CONNECTIONS,
        # botocore would put its own together anew at each call, for a ninth of the call's time.
        user_agent=f"braket-exporter/{__version__} boto3/{boto3.__version__}",
        parameter_validation=False,
    )
