"""Error codes of AWS services, and the error class of each. Pure."""

from collections.abc import Collection, Mapping
from typing import Final

from exporter.core import (
    BraketError,
    DeniedError,
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
"""The code of every error that this release does not know: codes are label values, so their number is limited."""

ACCESS_DENIED: Final = frozenset({"AccessDenied", "AccessDeniedException"})

CLOCK_SKEW: Final = frozenset(
    {
        "InvalidSignatureException",
        "RequestExpired",
        "RequestInTheFuture",
        "RequestTimeTooSkewed",
        "SignatureDoesNotMatch",
    }
)
"""Codes that a wrong clock causes, among other things."""

THROTTLING: Final = frozenset(
    {"KmsThrottled", "RequestLimitExceeded", "RequestThrottled", "Throttling", "ThrottlingException"}
    | {"TooManyRequestsException"}
)

_UNAUTHENTICATED: Final = CLOCK_SKEW | {
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

COMMON_CODES: Final = (
    frozenset({"InternalFailure", "ServiceUnavailable"}) | ACCESS_DENIED | THROTTLING | _UNAUTHENTICATED
)
"""Codes that any AWS service may return; a service's model adds its own."""

CREDENTIAL_SERVICE_CODES: Final = frozenset(
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
"""Codes of the services that issue credentials; they only appear in messages."""

_REQUEST_ERRORS: Final[Mapping[str, type[BraketError]]] = {
    "AccessDenied": DeniedError,
    "AccessDeniedException": DeniedError,
    "KmsAccessDenied": DeniedError,
    "QueueDoesNotExist": NotFoundError,
    "ResourceNotFoundException": NotFoundError,
    "ValidationException": RejectedError,
}


def error_class(code: str, status: int, modelled: Collection[str]) -> type[BraketError]:
    """Return the class of an error response.

    Args:
        code: the error code.
        status: the HTTP status.
        modelled: the service's own error codes.
    """
    if code in THROTTLING or status == 429:
        return ThrottledError
    if code in _UNAUTHENTICATED or status == 401:
        return UnauthenticatedError
    return _REQUEST_ERRORS.get(code, UnavailableError) if code in modelled else UnavailableError
