"""Errors of calls: ``exporter.aws`` maps every failure of the SDK to one of these classes."""

from typing import Final

MALFORMED: Final = "malformed"
"""The code of a response that cannot be parsed."""

GET_JOB: Final = "GetJob"
SEARCH_JOBS: Final = "SearchJobs"
GET_DEVICE: Final = "GetDevice"
SEARCH_SPENDING_LIMITS: Final = "SearchSpendingLimits"
OPTIONAL_OPERATIONS: Final = (GET_DEVICE, SEARCH_SPENDING_LIMITS)
"""Operations on which neither jobs nor the health of a target depend."""

GET_CALLER_IDENTITY: Final = "GetCallerIdentity"
ASSUME_ROLE: Final = "AssumeRole"


class BraketError(Exception):
    """A failed call. The message is the exporter's own and has no text of the SDK or of a service.

    Unless the error is a ``JobError``, the way to AWS failed.

    Attributes:
        code: a known error code of AWS, or ``timeout``, ``connection``, ``credentials``, ``malformed``, ``other``.
    """

    def __init__(self, code: str, message: str) -> None:
        super().__init__(message)
        self.code = code


class ThrottledError(BraketError):
    """The quota of the account and Region is used up, by the exporter or by others."""


class UnauthenticatedError(BraketError):
    """There are no credentials, or AWS does not accept them."""


class AssumeRoleDeniedError(UnauthenticatedError):
    """There are credentials, but AWS does not let them assume the role in the settings."""


class UnavailableError(BraketError):
    """The service failed or did not respond in time, or another host responded in its place."""


class JobError(BraketError):
    """The service, or the parser, rejects the job or whatever else was requested."""


class NotFoundError(JobError):
    """The job, device or queue does not exist in this account and Region, or no longer exists."""


class DeniedError(JobError):
    """The credentials are valid, but no policy allows this call."""


class RejectedError(JobError):
    """Braket rejects the request as invalid."""


class MalformedError(JobError):
    """A member of Braket's response has an unexpected shape."""
