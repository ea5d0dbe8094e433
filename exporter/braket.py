"""The only room that knows boto3: one client for an account and Region, and each of its errors mapped once."""

import re
import time
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any, ClassVar, Final, Protocol

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
from exporter.model import JobSnapshot, Target
from exporter.parse import ParseError, parse_job

GET_JOB: Final = "GetJob"
OPERATIONS: Final = (GET_JOB,)

CONNECTIONS: Final = 4
"""Calls to one target under way at once: enough to hide latency at the service's quota of 5 a second."""

CONNECT_TIMEOUT: Final = 3.0
READ_TIMEOUT: Final = 5.0

_NEVER_SENT: Final = "credentials"
"""The code of a call that ended before any HTTP attempt."""

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


class BraketError(Exception):
    """A call that brought no answer.

    Attributes:
        code: Braket's error code, or ``timeout``, ``connection``, ``credentials``, ``malformed``.
        own_fault: whether the trouble may be the asked job's own.
    """

    own_fault: ClassVar[bool] = False

    def __init__(self, code: str, message: str) -> None:
        super().__init__(message)
        self.code = code


class ThrottledError(BraketError):
    """The account and Region's quota is used up, by us or by others."""


class UnauthenticatedError(BraketError):
    """There are no credentials, or AWS does not accept them."""


class UnavailableError(BraketError):
    """The service is down, or cannot be reached in time."""


class JobError(BraketError):
    """Braket, or the parser, refuses this very job."""

    own_fault = True


class NotFoundError(JobError):
    """There is no such job in this account and Region, or not any more."""


class DeniedError(JobError):
    """The credentials are good, but may not read this job."""


class RejectedError(JobError):
    """Braket calls the request itself wrong."""


class MalformedError(JobError):
    """The answer cannot be read."""


class RequestCounter(Protocol):
    """Told of every HTTP attempt, with what came of it and how many seconds it took."""

    def __call__(self, target: Target, operation: str, code: str, seconds: float) -> None:
        """Take note of one attempt."""
        ...


class BraketClient:
    """Asks Braket in one account and Region. Calls may come from several threads.

    botocore's own retries are off: every HTTP attempt is a call of ours, so that the budget holds.

    Args:
        session: where credentials and endpoints come from.
        target: the account and Region.
        count: told of every HTTP attempt.
        tag_keys: the tags to keep of a job.

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
        self._target, self._count, self._tag_keys = target, count, tag_keys
        self._client: Any = session.client("braket", region_name=target.region, config=_config())

    def get_job(self, arn: str) -> JobSnapshot:
        """Ask for one job, with its place in the queue.

        Raises:
            BraketError: there is no answer; the subclass says what that means.
        """
        began, code = time.perf_counter(), "ok"
        try:
            return self._get_job(arn)
        except BraketError as error:
            code = error.code
            raise
        finally:
            if code != _NEVER_SENT:
                self._count(self._target, GET_JOB, code, time.perf_counter() - began)

    def _get_job(self, arn: str) -> JobSnapshot:
        with _mapped_errors():
            answer = self._client.get_job(jobArn=arn, additionalAttributeNames=["QueueInfo"])
        try:
            return parse_job(arn, answer, self._tag_keys)
        except ParseError as error:
            raise MalformedError("malformed", str(error)) from error


@contextmanager
def _mapped_errors() -> Iterator[None]:
    """Turn whatever a boto3 call raises into a ``BraketError``."""
    try:
        yield
    except ClientError as error:
        raise _service_error(error) from error
    except _NO_CREDENTIALS as error:
        raise UnauthenticatedError(_NEVER_SENT, str(error)) from error
    except (ConnectTimeoutError, ReadTimeoutError) as error:
        raise UnavailableError("timeout", str(error)) from error
    except BotoCoreError as error:
        raise UnavailableError("connection", str(error)) from error
    except _UNREADABLE as error:
        raise MalformedError("malformed", f"{type(error).__name__}: {error}") from error


def _service_error(error: ClientError) -> BraketError:
    """Map an error that came over the wire, by its code and, for gateways that have none of Braket's, its status."""
    code = _ERROR_CODE.sub("", str(error.response.get("Error", {}).get("Code", "")))[:64] or "unknown"
    status = error.response.get("ResponseMetadata", {}).get("HTTPStatusCode", 0)
    return _error_class(code, status)(code, str(error))


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


def _config() -> Config:
    return Config(
        connect_timeout=CONNECT_TIMEOUT,
        read_timeout=READ_TIMEOUT,
        retries={"total_max_attempts": 1},
        max_pool_connections=CONNECTIONS,
        user_agent_extra=f"braket-exporter/{__version__}",
    )
