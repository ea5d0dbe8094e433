"""What a failed call of the SDK means, by its place and by what came over the wire.

No text of the SDK or of a service is passed on: either may quote credentials. Messages consist of the exporter's own
words, and of parts that match a strict pattern or a list.
"""

import os
import re
import socket
import ssl
from collections.abc import Collection, Iterator, Mapping
from typing import Any, Final
from urllib.parse import urlsplit

from botocore.exceptions import (
    ClientError,
    ConnectTimeoutError,
    CredentialRetrievalError,
    NoCredentialsError,
    PartialCredentialsError,
    ProfileNotFound,
    ProxyConnectionError,
    ReadTimeoutError,
    RefreshWithMFAUnsupportedError,
    SSOError,
    TokenRetrievalError,
)

from exporter.aws.attempt import Attempt, Phase, RefusedError
from exporter.aws.deadline import DeadlineError
from exporter.core import (
    MALFORMED,
    AssumeRoleDeniedError,
    BraketError,
    CredentialsRef,
    DeniedError,
    MalformedError,
    NotFoundError,
    RejectedError,
    ThrottledError,
    UnauthenticatedError,
    UnavailableError,
)

CREDENTIALS: Final = "credentials"
CONNECTION: Final = "connection"
TIMEOUT: Final = "timeout"
OTHER: Final = "other"
"""The code of every error that this release does not know: codes are label values, so there is a limit to them."""

LONGEST_MESSAGE: Final = 400

MFA_NEEDED: Final = "it needs an MFA code, and the exporter never prompts; use a profile without mfa_serial"

_DENIED: Final = frozenset({"AccessDenied", "AccessDeniedException"})
_THROTTLED: Final = frozenset({"RequestLimitExceeded", "Throttling", "ThrottlingException", "TooManyRequestsException"})
_SKEWED: Final = frozenset(
    {
        "InvalidSignatureException",
        "RequestExpired",
        "RequestInTheFuture",
        "RequestTimeTooSkewed",
        "SignatureDoesNotMatch",
    }
)
"""Codes that a wrong clock causes, among other things."""

_UNAUTHENTICATED: Final = _SKEWED | {
    "AuthFailure",
    "ExpiredToken",
    "ExpiredTokenException",
    "IncompleteSignature",
    "IncompleteSignatureException",
    "InvalidAccessKeyId",
    "InvalidClientTokenId",
    "InvalidToken",
    "MissingAuthenticationToken",
    "MissingAuthenticationTokenException",
    "OptInRequired",
    "UnrecognizedClientException",
}
_COMMON: Final = frozenset({"InternalFailure", "ServiceUnavailable"}) | _DENIED | _THROTTLED | _UNAUTHENTICATED
"""Codes that any AWS service may return; a service's model adds its own."""

_OF_ISSUERS: Final = frozenset(
    {
        "IDPCommunicationError",
        "IDPRejectedClaim",
        "InvalidIdentityToken",
        "MalformedPolicyDocument",
        "PackedPolicyTooLarge",
        "RegionDisabledException",
        "ValidationError",
    }
)
"""Codes of the services that give credentials; they only appear in messages."""

_OF_THE_JOB: Final[Mapping[str, type[BraketError]]] = {
    "AccessDenied": DeniedError,
    "AccessDeniedException": DeniedError,
    "ResourceNotFoundException": NotFoundError,
    "ValidationException": RejectedError,
}

_CODE: Final = re.compile(r"[A-Z][A-Za-z]{2,54}(?:Exception|Error|Fault)")
_ARN_TEXT: Final = r"arn:aws[a-z-]{0,10}:[a-z0-9-]{1,40}:[a-z0-9-]{0,30}:\d{0,12}:[\w+=,.@/:*-]{1,256}"
_ARN: Final = re.compile(_ARN_TEXT, re.ASCII)
_ACCOUNT: Final = re.compile(r"\d{12}", re.ASCII)
_DENIAL: Final = re.compile(
    rf"User: (?P<user>{_ARN_TEXT}) is not authorized to perform: (?P<action>[a-z0-9-]{{2,40}}:[A-Za-z]{{2,64}})"
    rf"(?: on resource: (?P<resource>{_ARN_TEXT}|\*))?"
    r"(?: (?P<reason>because no [a-z -]{4,40} policy allows the [a-z0-9-]{2,40}:[A-Za-z]{2,64} action"
    r"|with an explicit deny in an? [A-Za-z -]{4,40} policy))?",
    re.ASCII,
)
"""What AWS says of a missing permission."""

_FILE_VARIABLES: Final = (
    "AWS_WEB_IDENTITY_TOKEN_FILE",
    "AWS_CONTAINER_AUTHORIZATION_TOKEN_FILE",
    "AWS_CONFIG_FILE",
    "AWS_SHARED_CREDENTIALS_FILE",
    "AWS_CA_BUNDLE",
)
_CREDENTIAL_NAMES: Final = frozenset(
    {
        "AWS_ACCESS_KEY_ID",
        "AWS_SECRET_ACCESS_KEY",
        "AWS_CREDENTIAL_EXPIRATION",
        "aws_access_key_id",
        "aws_secret_access_key",
        "source_profile or credential_source",
    }
)
_CAUSES: Final = {
    NoCredentialsError: "the AWS SDK finds none in variables, files, or the metadata of the container or instance",
    RefreshWithMFAUnsupportedError: MFA_NEEDED,
}
_PROVIDERS: Final = {
    "container-role": "the endpoint for container credentials returned none",
    "iam-role": "the instance metadata service returned none",
}
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
            f"{attempt.operation.name} is not sent: {error.hanging} earlier calls still hang"
            if error.hanging
            else f"{attempt.operation.name} is not sent: the process cannot start another thread",
        )
    waited_for = (
        f"complete response from {host_of(attempt.endpoint)}"
        if attempt.phase >= Phase.SENDING
        else f"response of {attempt.issuer} to {attempt.request}"
        if attempt.issuer and not attempt.served
        else "credentials"
    )
    return UnavailableError(TIMEOUT, f"no {waited_for} within {seconds:g} s")


def failure(attempt: Attempt, error: BaseException, *, login: CredentialsRef, modelled: Collection[str]) -> BraketError:
    """Describe a call that the SDK ended with an exception.

    Args:
        attempt: how far it came.
        error: the exception, of any type.
        login: the credentials that were used.
        modelled: the service's own error codes.
    """
    match attempt.phase:
        case Phase.LOGIN | Phase.SIGNING:
            return _without_credentials(attempt, error, login)
        case Phase.CLIENT:
            return UnavailableError(CONNECTION, _without_client(attempt, error))
        case Phase.SENDING:
            return _without_response(attempt, error)
        case Phase.RECEIVED:
            return _from_response(attempt, modelled)


def not_of_service(attempt: Attempt) -> UnavailableError:
    """Describe a successful response whose body is not the service's."""
    host, status, service = host_of(attempt.endpoint), _status(attempt), _service(attempt)
    return UnavailableError(MALFORMED, f"{host} returned {status} with a body that is not a response of {service}")


def unreadable(error: ValueError) -> MalformedError:
    """Describe a response of Braket that the exporter's own parser refuses."""
    return MalformedError(MALFORMED, str(error)[:LONGEST_MESSAGE])


def why_no_configuration(error: BaseException, profile: str | None) -> str:
    """Say why the SDK's configuration files cannot be read."""
    if isinstance(error, OSError):
        return _about_file(error)
    if not isinstance(error, ProfileNotFound):
        return f"the AWS SDK failed with {type(error).__name__}"
    if profile is not None:
        return "this profile does not exist in the AWS configuration files"
    if os.environ.get("AWS_PROFILE") == "":
        return "AWS_PROFILE is empty, and the AWS SDK takes that as a profile without a name; unset it"
    return "the profile in AWS_PROFILE does not exist in the AWS configuration files"


def host_of(url: str) -> str:
    """Return host and port of a URL, without anything else that may stand in it."""
    try:
        parts = urlsplit(url)
        host, port = parts.hostname or "", parts.port
    except ValueError:
        return "the endpoint"
    shown = f"[{host}]" if ":" in host else host
    return (f"{shown}:{port}" if port else shown) or "the endpoint"


def endpoint_problem(service: str, environ: Mapping[str, str] = os.environ) -> str:
    """Name the variable that holds an invalid endpoint URL for a service; empty if none does."""
    for name in (f"AWS_ENDPOINT_URL_{service.upper().replace('-', '_')}", "AWS_ENDPOINT_URL"):
        if value := environ.get(name):
            return "" if is_url(value) else f"{name} is not a valid URL; expected http(s)://HOST[:PORT]"
    return ""


def is_url(value: str) -> bool:
    """Whether a text is a URL of HTTP with a host and, if it has one, a valid port."""
    try:
        parts = urlsplit(value)
        return parts.scheme in {"http", "https"} and bool(parts.hostname) and parts.port != 0
    except ValueError:
        return False


def arn_in(value: object) -> str:
    """Return an ARN of a response; empty if the value is not an ARN."""
    return value if isinstance(value, str) and _ARN.fullmatch(value) else ""


def account_in(value: object) -> str:
    """Return an account of a response; empty if the value is not an account."""
    return value if isinstance(value, str) and _ACCOUNT.fullmatch(value) else ""


# Before anything was sent.


def _without_credentials(attempt: Attempt, error: BaseException, login: CredentialsRef) -> UnauthenticatedError:
    denied = attempt.assuming and isinstance(error, ClientError) and _code(error) in _DENIED
    kind = AssumeRoleDeniedError if denied else UnauthenticatedError
    if login.role_arn is not None:
        subject = f"cannot assume {login.role_arn}"
    elif attempt.role:
        subject = f"cannot assume {attempt.role}"
    elif login.profile is not None:
        subject = f"no credentials from profile {login.profile}"
    else:
        subject = "no credentials"
    return kind(CREDENTIALS, f"{subject}: {_why_no_credentials(attempt, error, login)}"[:LONGEST_MESSAGE])


def _why_no_credentials(attempt: Attempt, error: BaseException, login: CredentialsRef) -> str:
    """Give the cause: of a known type, or else by what was under way."""
    if isinstance(error, RefusedError):
        return str(error)
    if isinstance(error, ProfileNotFound):
        return why_no_configuration(error, login.profile)
    if isinstance(error, PartialCredentialsError):
        name = error.kwargs.get("cred_var")
        return f"{name if str(name) in _CREDENTIAL_NAMES else 'a part of them'} is missing"
    if isinstance(error, SSOError | TokenRetrievalError):
        return f"there is no valid SSO token; log in with: aws sso login --profile {login.profile or 'NAME'}"
    if isinstance(error, ClientError):
        return f"{attempt.issuer or 'AWS'} refused {attempt.request}{_with_code(error)}{_denial_in(_message(error))}"
    known = next((words for kind, words in _CAUSES.items() if isinstance(error, kind)), None)
    return known or _at_that_place(attempt, error)


def _at_that_place(attempt: Attempt, error: BaseException) -> str:
    if isinstance(error, RuntimeError) and "still expired" in str(error):
        return "the credentials that were returned are expired"
    if attempt.issuer:
        done = "returned no credentials" if attempt.served else "did not respond"
        return f"{attempt.issuer} {done} to {attempt.request}"
    if isinstance(error, OSError):
        return _about_file(error)
    if attempt.process:
        return "credential_process wrote no valid credentials"
    provider = error.kwargs.get("provider") if isinstance(error, CredentialRetrievalError) else None
    return _PROVIDERS.get(str(provider)) or endpoint_problem("sts") or f"the AWS SDK failed with {type(error).__name__}"


def _about_file(error: OSError) -> str:
    name = next((name for name in _FILE_VARIABLES if os.environ.get(name) == error.filename), None)
    return f"the file in {name} cannot be read: {_errno(error)}" if name else f"a file cannot be read: {_errno(error)}"


def _without_client(attempt: Attempt, error: BaseException) -> str:
    if isinstance(error, RefusedError):
        return str(error)
    return endpoint_problem(attempt.operation.service) or f"the AWS SDK cannot make a client: {type(error).__name__}"


# Sent, and no response.


def _without_response(attempt: Attempt, error: BaseException) -> UnavailableError:
    host = host_of(attempt.endpoint)
    if attempt.oversized:
        return UnavailableError(MALFORMED, f"the response of {host} is larger than 8 MB")
    causes = [*_causes(error)]
    if any(isinstance(cause, ConnectTimeoutError | ReadTimeoutError | TimeoutError) for cause in causes):
        return UnavailableError(TIMEOUT, f"{host} did not respond in time")
    through = " through the proxy" if any(isinstance(cause, ProxyConnectionError) for cause in causes) else ""
    return UnavailableError(CONNECTION, f"no response from {host}{through}{_why_no_connection(causes)}")


def _why_no_connection(causes: Collection[BaseException]) -> str:
    for cause in causes:
        if isinstance(cause, ssl.SSLCertVerificationError):
            return ": the TLS certificate cannot be verified"
        if isinstance(cause, ssl.SSLError):
            return ": TLS failed"
        if isinstance(cause, socket.gaierror):
            return ": the host name cannot be resolved"
        if isinstance(cause, OSError) and cause.errno:
            return f": {_errno(cause)}"
    return ""


def _causes(error: BaseException) -> Iterator[BaseException]:
    """Yield an exception and those that led to it, however the SDK keeps them."""
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


def _errno(error: OSError) -> str:
    return os.strerror(error.errno) if isinstance(error.errno, int) and error.errno > 0 else type(error).__name__


# A response.


def _from_response(attempt: Attempt, modelled: Collection[str]) -> BraketError:
    if attempt.status < 300:
        return not_of_service(attempt)
    code = attempt.code
    kind = _class_of(code, attempt, modelled)
    if code in modelled or code in _COMMON:
        detail = _denial_in(attempt.message) or (_clock_note(attempt) if code in _SKEWED else "")
        text = f"{_service(attempt)} returned {code} (HTTP {attempt.status}){detail}"
        return kind(code, text[:LONGEST_MESSAGE])
    shown = f" and {code}" if _CODE.fullmatch(code) else ""
    host, service = host_of(attempt.endpoint), _service(attempt)
    return kind(OTHER, f"{host} returned {_status(attempt)}{shown}, which is not an error of {service}")


def _service(attempt: Attempt) -> str:
    return "Amazon Braket" if attempt.operation.service == "braket" else attempt.operation.service.upper()


def _status(attempt: Attempt) -> str:
    return _STATUSES.get(attempt.status, f"HTTP {attempt.status}")


def _class_of(code: str, attempt: Attempt, modelled: Collection[str]) -> type[BraketError]:
    if code in _THROTTLED or attempt.status == 429:
        return ThrottledError
    if code in _UNAUTHENTICATED or attempt.status == 401:
        return UnauthenticatedError
    return _OF_THE_JOB.get(code, UnavailableError) if code in modelled else UnavailableError


def _code(error: BaseException) -> str:
    return str(_details(error).get("Code", ""))


def _message(error: BaseException) -> str:
    return str(_details(error).get("Message", ""))


def _details(error: BaseException) -> Mapping[str, Any]:
    response = getattr(error, "response", None) if isinstance(error, ClientError) else None
    details = response.get("Error") if isinstance(response, dict) else None
    return details if isinstance(details, dict) else {}


def _with_code(error: ClientError) -> str:
    code = _code(error)
    return f" with {code}" if code in _COMMON | _OF_ISSUERS or _CODE.fullmatch(code) else ""


def _denial_in(message: str) -> str:
    """Rebuild what AWS says of a missing permission, from parts that are ARNs and names of actions."""
    match = _DENIAL.search(message[:4096])
    if match is None:
        return ""
    resource = f" on resource: {match['resource']}" if match["resource"] else ""
    reason = f" {match['reason']}" if match["reason"] else ""
    return f": User: {match['user']} is not authorized to perform: {match['action']}{resource}{reason}"


def _clock_note(attempt: Attempt) -> str:
    offset = attempt.clock_offset
    return f"; this host's clock is {abs(offset):.0f} s {'behind' if offset > 0 else 'ahead'}" if offset else ""
