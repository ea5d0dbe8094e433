"""Maps each failed call of the SDK to one error, by the phase that failed and by the response.

No text of the SDK or of a service is passed on: either may quote credentials. Messages consist of the exporter's own
words, and of parts that match a strict pattern or a list.
"""

import socket
import ssl
from collections.abc import Collection, Iterator
from typing import Final

from botocore.exceptions import ConnectTimeoutError, ProxyConnectionError, ReadTimeoutError

from exporter.aws.attempt import Attempt, Phase, RefusedError
from exporter.aws.credential_failures import credentials_failure
from exporter.aws.deadline import DeadlineError
from exporter.aws.endpoints import endpoint_problem, host_of
from exporter.aws.error_codes import CLOCK_SKEW, COMMON_CODES, CONNECTION, OTHER, TIMEOUT, error_class
from exporter.aws.safe_text import LONGEST_MESSAGE, denial_in, errno_text, is_error_code
from exporter.core import MALFORMED, BraketError, CredentialsRef, MalformedError, UnavailableError

_STATUSES: Final = {
    204: "HTTP 204 (no content)",
    407: "HTTP 407 (a proxy requires a login)",
    408: "HTTP 408 (request timeout)",
    421: "HTTP 421 (misdirected request)",
}


def late(attempt: Attempt, error: DeadlineError, seconds: float) -> UnavailableError:
    """Describe a call that did not end in time."""
    if not error.started:
        return UnavailableError(
            TIMEOUT,
            f"{attempt.operation.name} was not sent: {error.hanging} earlier calls have not ended"
            if error.hanging
            else f"{attempt.operation.name} was not sent: the process cannot start another thread",
        )
    waited_for = (
        f"complete response from {host_of(attempt.endpoint)}"
        if attempt.phase >= Phase.SENDING
        else f"response of {attempt.issuer} to {attempt.request}"
        if attempt.issuer and not attempt.served
        else "credentials"
    )
    return UnavailableError(TIMEOUT, f"no {waited_for} within {seconds:g} s")


def failure(
    attempt: Attempt, error: BaseException, *, credentials: CredentialsRef, modelled: Collection[str]
) -> BraketError:
    """Map an exception of the SDK to an error.

    Args:
        attempt: the call.
        error: the exception, of any type.
        credentials: the credentials of the call.
        modelled: the service's own error codes.
    """
    match attempt.phase:
        case Phase.CREDENTIALS | Phase.SIGNING:
            return credentials_failure(attempt, error, credentials)
        case Phase.CLIENT:
            return UnavailableError(CONNECTION, _client_problem(attempt, error))
        case Phase.SENDING:
            return _no_response(attempt, error)
        case Phase.RECEIVED:
            return _error_response(attempt, modelled)


def not_of_service(attempt: Attempt) -> UnavailableError:
    """Describe a successful response with a body that is not the service's."""
    host, status, service = host_of(attempt.endpoint), _status(attempt), _service(attempt)
    return UnavailableError(MALFORMED, f"{host} returned {status} with a body that is not a response of {service}")


def unreadable(error: ValueError) -> MalformedError:
    """Describe a response of Braket that the exporter's parser refuses."""
    return MalformedError(MALFORMED, str(error)[:LONGEST_MESSAGE])


def _client_problem(attempt: Attempt, error: BaseException) -> str:
    if isinstance(error, RefusedError):
        return str(error)
    return endpoint_problem(attempt.operation.service) or f"the AWS SDK cannot create a client: {type(error).__name__}"


def _no_response(attempt: Attempt, error: BaseException) -> UnavailableError:
    host = host_of(attempt.endpoint)
    if attempt.oversized:
        return UnavailableError(MALFORMED, f"the response of {host} is larger than 8 MB")
    causes = [*_causes(error)]
    if any(isinstance(cause, ConnectTimeoutError | ReadTimeoutError | TimeoutError) for cause in causes):
        return UnavailableError(TIMEOUT, f"{host} did not respond in time")
    through = " through the proxy" if any(isinstance(cause, ProxyConnectionError) for cause in causes) else ""
    return UnavailableError(CONNECTION, f"no response from {host}{through}{_connection_problem(causes)}")


def _connection_problem(causes: Collection[BaseException]) -> str:
    for cause in causes:
        if isinstance(cause, ssl.SSLCertVerificationError):
            return ": the TLS certificate cannot be verified"
        if isinstance(cause, ssl.SSLError):
            return ": TLS failed"
        if isinstance(cause, socket.gaierror):
            return ": the host name cannot be resolved"
        if isinstance(cause, OSError) and cause.errno:
            return f": {errno_text(cause)}"
    return ""


def _causes(error: BaseException) -> Iterator[BaseException]:
    """Yield an exception and its causes; the SDK keeps some of them in arguments."""
    waiting, seen = [error], set[int]()
    while waiting:
        cause = waiting.pop()
        if id(cause) in seen:
            continue
        seen.add(id(cause))
        yield cause
        kept = getattr(cause, "kwargs", None)
        inner = [cause.__cause__, cause.__context__, kept.get("error") if isinstance(kept, dict) else None, *cause.args]
        waiting += [other for other in inner if isinstance(other, BaseException)]


def _error_response(attempt: Attempt, modelled: Collection[str]) -> BraketError:
    if attempt.status < 300:
        return not_of_service(attempt)
    code, service = attempt.code, _service(attempt)
    kind = error_class(code, attempt.status, modelled)
    if code in modelled or code in COMMON_CODES:
        detail = denial_in(attempt.message) or (_clock_note(attempt) if code in CLOCK_SKEW else "")
        return kind(code, f"{service} returned {code} (HTTP {attempt.status}){detail}"[:LONGEST_MESSAGE])
    with_code = f" and {code}" if is_error_code(code) else ""
    host, status = host_of(attempt.endpoint), _status(attempt)
    return kind(OTHER, f"{host} returned {status}{with_code}, which is not an error of {service}")


def _service(attempt: Attempt) -> str:
    return "Amazon Braket" if attempt.operation.service == "braket" else attempt.operation.service.upper()


def _status(attempt: Attempt) -> str:
    return _STATUSES.get(attempt.status, f"HTTP {attempt.status}")


def _clock_note(attempt: Attempt) -> str:
    offset = attempt.clock_offset
    return f"; this host's clock is {abs(offset):.0f} s {'behind' if offset > 0 else 'ahead'}" if offset else ""
