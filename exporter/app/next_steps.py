"""The next step after each failure of a permission check. Pure."""

from collections.abc import Iterable, Iterator, Mapping
from typing import Final

from exporter.app.access_results import Access, CallResult, Verdict
from exporter.app.setting_warnings import unknown_region
from exporter.core import ASSUME_ROLE, BRAKET_REGIONS, GET_CALLER_IDENTITY, GET_QUEUE_ATTRIBUTES, MALFORMED

_CREDENTIALS: Final = "provide credentials in variables, a profile or a role of the host, then run the check again"
_NETWORK: Final = "check the host name, network, proxy and AWS_ENDPOINT_URL_* variables, then run the check again"
_CLOCK: Final = "check the credentials, and the clock of this host, then run the check again"
_WAIT: Final = "run the check again in a minute"

_UNREACHABLE: Final = ("connection", "timeout")

_BY_CODE: Final[Mapping[str, str]] = {
    "credentials": _CREDENTIALS,
    **dict.fromkeys(_UNREACHABLE, _NETWORK),
    MALFORMED: "check that the endpoint is Amazon Braket, and not a proxy or a login page",
    "other": "check that the endpoint is Amazon Braket, and not a proxy or a login page",
    "ValidationException": "check the ARNs in jobs",
    **dict.fromkeys(("InternalFailure", "InternalServiceException", "ServiceUnavailable"), _WAIT),
    **dict.fromkeys(("RequestLimitExceeded", "Throttling", "ThrottlingException", "TooManyRequestsException"), _WAIT),
}

_QUEUE: Final[Mapping[str, str]] = {
    "QueueDoesNotExist": "check event_queue_url, and that the queue exists in the Region of its URL",
    **dict.fromkeys(_UNREACHABLE, f"check event_queue_url; {_NETWORK}"),
    **dict.fromkeys(
        (MALFORMED, "other"), "check that the endpoint of SQS is Amazon SQS, and not a proxy or a login page"
    ),
    **dict.fromkeys(("KmsThrottled", "RequestThrottled"), _WAIT),
}
"""The steps after a failed call to an event queue."""


def next_steps(accesses: Iterable[Access]) -> list[str]:
    """List the next steps after failures that no policy fixes, each once."""
    return list(dict.fromkeys(step for access in accesses for step in _steps(access)))


def _steps(access: Access) -> Iterator[str]:
    for result in access.results:
        if (result.verdict is Verdict.DENIED and result.missing is None) or _is_foreign(result):
            yield f"use credentials of account {access.target.account}; set role_arn or profile in targets"
        elif result.verdict is Verdict.FAILED and result.code:
            yield _region_step(access) if _is_mistyped(access, result) else _step(result)


def _is_of_queue(result: CallResult) -> bool:
    return result.operation == GET_QUEUE_ATTRIBUTES


def _is_mistyped(access: Access, result: CallResult) -> bool:
    """Return whether the Region is the probable reason why AWS did not respond."""
    in_aws = not access.endpoint and not _is_of_queue(result)
    return in_aws and result.code in _UNREACHABLE and access.target.region not in BRAKET_REGIONS


def _region_step(access: Access) -> str:
    region = access.target.region
    return f"correct the Region in regions or jobs: {region} {unknown_region(region)}; or, if it is correct, {_NETWORK}"


def _is_foreign(result: CallResult) -> bool:
    """Return whether the credentials belong to another account: the call succeeded, and the check failed."""
    return result.operation == GET_CALLER_IDENTITY and result.verdict is Verdict.FAILED and not result.code


def _step(result: CallResult) -> str:
    if result.operation == ASSUME_ROLE and result.code == "credentials":
        return "check role_arn, external_id and the credentials that assume the role, then run the check again"
    if _is_of_queue(result) and result.code in _QUEUE:
        return _QUEUE[result.code]
    return _BY_CODE.get(result.code, _CLOCK)
