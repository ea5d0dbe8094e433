"""What can come of a call instead of an answer: a small tree to which the boundary maps every error of the SDK."""

from typing import ClassVar, Final

GET_JOB: Final = "GetJob"
SEARCH_JOBS: Final = "SearchJobs"
GET_CALLER_IDENTITY: Final = "GetCallerIdentity"
ASSUME_ROLE: Final = "AssumeRole"


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


class AssumeRoleDeniedError(UnauthenticatedError):
    """There are credentials, but AWS does not let them assume the role."""


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
