"""Errors of a call that ends before it has credentials, and of the SDK's configuration files."""

import os
from collections.abc import Mapping
from typing import Any, Final

from botocore.exceptions import (
    ClientError,
    CredentialRetrievalError,
    NoCredentialsError,
    PartialCredentialsError,
    ProfileNotFound,
    RefreshWithMFAUnsupportedError,
    SSOError,
    TokenRetrievalError,
)

from exporter.aws.attempt import Attempt, RefusedError
from exporter.aws.endpoints import endpoint_problem
from exporter.aws.error_codes import ACCESS_DENIED, COMMON_CODES, CREDENTIAL_SERVICE_CODES, CREDENTIALS
from exporter.aws.profiles import missing_profile
from exporter.aws.safe_text import LONGEST_MESSAGE, denial_in, errno_text, is_error_code
from exporter.core import AssumeRoleDeniedError, CredentialsRef, UnauthenticatedError

MFA_NEEDED: Final = "the profile requires an MFA code; use a profile without mfa_serial"

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
_REASONS: Final = {
    NoCredentialsError: "the AWS SDK finds none in variables, files, or the metadata of the container or instance",
    RefreshWithMFAUnsupportedError: MFA_NEEDED,
}
_PROVIDERS: Final = {
    "container-role": "the endpoint for container credentials returned none",
    "iam-role": "the instance metadata service returned none",
}


def credentials_failure(attempt: Attempt, error: BaseException, credentials: CredentialsRef) -> UnauthenticatedError:
    """Describe a call that did not get credentials, or could not sign with them."""
    denied = attempt.assuming and isinstance(error, ClientError) and _code(error) in ACCESS_DENIED
    kind = AssumeRoleDeniedError if denied else UnauthenticatedError
    subject = _subject(attempt, credentials)
    return kind(CREDENTIALS, f"{subject}: {_reason(attempt, error, credentials)}"[:LONGEST_MESSAGE])


def configuration_problem(error: BaseException, profile: str | None) -> str:
    """Return the reason why the SDK's configuration files cannot be read."""
    if isinstance(error, OSError):
        return _unreadable_file(error)
    if not isinstance(error, ProfileNotFound):
        return f"the AWS SDK failed with {type(error).__name__}"
    return missing_profile(profile)


def _subject(attempt: Attempt, credentials: CredentialsRef) -> str:
    if credentials.role_arn is not None:
        return f"cannot assume {credentials.role_arn}"
    if attempt.role:
        return f"cannot assume {attempt.role}"
    if credentials.profile is not None:
        return f"no credentials from profile {credentials.profile}"
    return "no credentials"


def _reason(attempt: Attempt, error: BaseException, credentials: CredentialsRef) -> str:
    """Return the reason: by the type of the exception if it is known, otherwise by the step that failed."""
    if isinstance(error, RefusedError):
        return str(error)
    if isinstance(error, ProfileNotFound):
        return configuration_problem(error, credentials.profile)
    if isinstance(error, PartialCredentialsError):
        name = error.kwargs.get("cred_var")
        return f"{name if str(name) in _CREDENTIAL_NAMES else 'one of them'} is missing"
    if isinstance(error, SSOError | TokenRetrievalError):
        profile = credentials.profile or "NAME"
        return f"the SSO token is missing or expired; log in with: aws sso login --profile {profile}"
    if isinstance(error, ClientError):
        issuer, result = attempt.issuer or "a credential service", _code_of(error) or "an error"
        return f"{issuer} returned {result} to {attempt.request or 'a call'}{denial_in(_message(error))}"
    known = next((reason for kind, reason in _REASONS.items() if isinstance(error, kind)), None)
    return known or _failed_step(attempt, error)


def _failed_step(attempt: Attempt, error: BaseException) -> str:
    if isinstance(error, RuntimeError) and "still expired" in str(error):
        return "the credentials that were returned are expired"
    if attempt.issuer:
        result = "returned no credentials" if attempt.served else "did not respond"
        return f"{attempt.issuer} {result} to {attempt.request}"
    if isinstance(error, OSError):
        return _unreadable_file(error)
    if attempt.process:
        return "credential_process wrote no valid credentials"
    provider = error.kwargs.get("provider") if isinstance(error, CredentialRetrievalError) else None
    return _PROVIDERS.get(str(provider)) or endpoint_problem("sts") or f"the AWS SDK failed with {type(error).__name__}"


def _unreadable_file(error: OSError) -> str:
    if error.filename is None:  # such as TLS without memory
        return f"the AWS SDK failed: {errno_text(error)}"
    name = next((name for name in _FILE_VARIABLES if os.environ.get(name) == error.filename), None)
    file = f"the file in {name}" if name else "a file"
    return f"{file} cannot be read: {errno_text(error)}"


def _code(error: ClientError) -> str:
    return str(_details(error).get("Code", ""))


def _message(error: ClientError) -> str:
    return str(_details(error).get("Message", ""))


def _details(error: ClientError) -> Mapping[str, Any]:
    response = getattr(error, "response", None)
    details = response.get("Error") if isinstance(response, dict) else None
    return details if isinstance(details, dict) else {}


def _code_of(error: ClientError) -> str:
    """Return the error code; empty if it does not have the form of an AWS error code."""
    code = _code(error)
    return code if code in COMMON_CODES | CREDENTIAL_SERVICE_CODES or is_error_code(code) else ""
