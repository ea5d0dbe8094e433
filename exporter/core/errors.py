"""What a call can end with instead of a result: a small tree to which the boundary maps every failure of the SDK."""

from typing import Final

MALFORMED: Final = "malformed"
"""The code of a response that cannot be read."""

GET_JOB: Final = "GetJob"
SEARCH_JOBS: Final = "SearchJobs"
GET_CALLER_IDENTITY: Final = "GetCallerIdentity"
ASSUME_ROLE: Final = "AssumeRole"


class BraketError(Exception):
    """A call without a result. The message is the exporter's own and holds no text of the SDK or of a service.

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
    """There are credentials, and AWS does not let them assume the role of the settings."""


class UnavailableError(BraketError):
    """The service failed, or did not respond in time, or something on the way responded in its place."""


class JobError(BraketError):
    """Braket, or the parser, refuses this very job."""


class NotFoundError(JobError):
    """The job does not exist in this account and Region, or does not exist any more."""


class DeniedError(JobError):
    """The credentials are valid, and no policy allows this call."""


class RejectedError(JobError):
    """Braket calls the request invalid."""


class MalformedError(JobError):
    """Braket responded, and a member of the response has the wrong shape."""
