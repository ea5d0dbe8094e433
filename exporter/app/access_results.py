"""The results of a permission check. Pure."""

from dataclasses import dataclass
from enum import StrEnum
from typing import Final, NamedTuple
from urllib.parse import urlsplit

from exporter.aws import host_of
from exporter.core import BraketError, CredentialsRef, DeniedError, MalformedError, Target

_AWS: Final = (".amazonaws.com", ".amazonaws.com.cn", ".amazonaws.eu", ".api.aws", ".c2s.ic.gov", ".sc2s.sgov.gov")
"""The domains of AWS endpoints. The report shows every other endpoint."""


class Verdict(StrEnum):
    """The result of a call."""

    OK = "ok"
    DENIED = "denied"
    FAILED = "failed"


class Permission(NamedTuple):
    """A permission that is missing.

    Attributes:
        holder: the identity that needs it.
        action: the action, as IAM names it.
        resource: the ARN, or ``*``.
        more_actions: further actions on the same resource.
    """

    holder: str
    action: str
    resource: str
    more_actions: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class CallResult:
    """The result of one call.

    Attributes:
        operation: the call.
        verdict: the result.
        reason: the reason for a failure, or details of a success.
        missing: the missing permission; ``None`` where no policy would help.
        code: the error code of a failed call; empty for a success or without a call.
        required: whether the exporter needs the call.
    """

    operation: str
    verdict: Verdict
    reason: str = ""
    missing: Permission | None = None
    code: str = ""
    required: bool = True


@dataclass(frozen=True, slots=True)
class Access:
    """The results for one target.

    Attributes:
        target: the account and Region.
        results: the result of each call.
        endpoint: the URL of an endpoint outside AWS; empty for an AWS or unknown endpoint.
        active: the number of discovered active jobs; ``None`` if SearchJobs failed.
        name: the target's name in the settings; empty without one.
    """

    target: Target
    results: tuple[CallResult, ...]
    endpoint: str = ""
    active: int | None = 0
    name: str = ""

    @property
    def is_complete(self) -> bool:
        """Whether every required call succeeded."""
        return all(result.verdict is Verdict.OK or not result.required for result in self.results)


def custom_endpoint(endpoint: str) -> str:
    """Return scheme, host and port of an endpoint outside AWS, else an empty text."""
    parts = urlsplit(endpoint)
    return "" if (parts.hostname or "").endswith(_AWS) or not endpoint else f"{parts.scheme}://{host_of(endpoint)}"


def failed_call(operation: str, error: BraketError, need: Permission | None = None) -> CallResult:
    """Return the result of a call that failed.

    Args:
        operation: the call.
        error: its error.
        need: the permission that it needs; ``None`` where no policy would help.
    """
    denied = isinstance(error, DeniedError)
    verdict = Verdict.DENIED if denied else Verdict.FAILED
    return CallResult(operation, verdict, reason_of(error), need if denied else None, error.code)


def reason_of(error: BraketError) -> str:
    """Return the reason for a failure."""
    return f"{error.code}: {error}" if isinstance(error, MalformedError) else str(error)


def holder_of(login: CredentialsRef) -> str:
    """Name the identity of credentials."""
    if login.role_arn is not None:
        return login.role_arn
    return "the SDK's own credentials" if login.profile is None else f"profile {login.profile}"
