"""The operations: a request, the world and the time become a reply."""

import re
from collections.abc import Callable
from dataclasses import dataclass
from itertools import islice
from urllib.parse import parse_qs, unquote, urlsplit

from exporter.simulator import device_calls, search, sqs
from exporter.simulator.jobs import Job, SimulatedJob
from exporter.simulator.search import Entry
from exporter.simulator.sts import GET_CALLER_IDENTITY, identity_reply, is_identity_request
from exporter.simulator.wire import (
    Credential,
    JsonObject,
    Reply,
    ServiceError,
    account_of,
    credential,
    error_reply,
    invalid,
    json_reply,
    region_of,
)
from exporter.simulator.world import World

_JOB_ARN = re.compile(r"arn:aws[a-z-]*:braket:[a-z0-9-]+:[0-9]{12}:job/.*")
# An ARN holds a slash, so one that is not percent-encoded is a longer path and no operation's.
_JOB_PATH = re.compile(r"/job/([^/]+)")
_CANCEL_PATH = re.compile(r"/job/([^/]+)/cancel")
_ANY_ACCOUNT = "123456789012"


@dataclass(frozen=True, slots=True)
class Request:
    """An HTTP request: method, target as sent, Authorization and X-Amz-Target headers, body."""

    method: str
    target: str
    authorization: str = ""
    body: bytes = b""
    amz_target: str = ""


@dataclass(frozen=True, slots=True)
class Call:
    """Which operation a request calls.

    Attributes:
        operation: The name of a known operation, such as `GetJob`, or None.
        arn: The job or the device that it names.
        attributes: The `additionalAttributeNames` it asks for.
        signer: Who signed it; None when nobody did.
        body: The request's body.
    """

    operation: str | None
    arn: str | None
    attributes: tuple[str, ...]
    signer: Credential | None
    body: bytes


def call_of(request: Request) -> Call:
    """What `request` calls, going by its method and path."""
    target = urlsplit(request.target)
    if operation := sqs.operation_of(request.amz_target):
        return Call(operation, None, (), credential(request.authorization, "sqs"), request.body)
    operation, arn = device_calls.operation_of(request.method, target.path) or _operation(request, target.path)
    attributes = tuple(parse_qs(target.query).get("additionalAttributeNames", ()))
    service = "sts" if operation == GET_CALLER_IDENTITY else "braket"
    return Call(operation, arn, attributes, credential(request.authorization, service), request.body)


def reply_to(call: Call, world: World, now: float) -> Reply:
    """The right answer to `call` at `now` (unix seconds)."""
    if call.operation is None:
        return error_reply(404, "UnknownOperationException", "There is no such operation")
    if call.operation == GET_CALLER_IDENTITY:
        return identity_reply(call.signer, _account_of_signer(call, world))
    if call.operation in sqs.OPERATIONS:
        return sqs.reply_to(call.operation, call.body, call.signer, world.queues, now)
    try:
        return json_reply(_OPERATIONS[call.operation](call, world, now))
    except ServiceError as error:
        return error.reply


def _operation(request: Request, path: str) -> tuple[str | None, str | None]:
    match request.method:
        case "GET" if job := _JOB_PATH.fullmatch(path):
            return "GetJob", unquote(job[1])
        case "PUT" if job := _CANCEL_PATH.fullmatch(path):
            return "CancelJob", unquote(job[1])
        case "POST" if path == "/jobs":
            return "SearchJobs", None
        case "POST" if path == "/" and is_identity_request(request.body):
            return GET_CALLER_IDENTITY, None
        case _:
            return None, None


def _account_of_signer(call: Call, world: World) -> str:
    """The account of the caller's key; without accounts, the account of all jobs."""
    if world.accounts is not None and call.signer is not None:
        return world.accounts.get(call.signer.access_key_id, _ANY_ACCOUNT)
    return next(map(account_of, world.arns()), _ANY_ACCOUNT)


def _job(call: Call, world: World) -> Job:
    """The job that a call names, whether it exists yet or not."""
    region, account = _scope(call, world)
    arn = call.arn or ""
    if _JOB_ARN.fullmatch(arn) is None:
        raise invalid(f"{arn!r} is not the ARN of a job")
    if any(name != "QueueInfo" for name in call.attributes):
        raise invalid("additionalAttributeNames may hold QueueInfo only")
    job = world.job(arn) if region_of(arn) == region and _is_seen_by(account, arn) else None
    if job is None:
        raise _missing(arn)
    return job


def _missing(arn: str) -> ServiceError:
    return ServiceError(404, "ResourceNotFoundException", f"Job {arn} does not exist in this Region")


def _get_job(call: Call, world: World, now: float) -> JsonObject:
    job = _job(call, world)
    answer = job.answer(now, queue_info="QueueInfo" in call.attributes)
    if answer is None:
        raise _missing(job.arn)
    return answer


def _cancel_job(call: Call, world: World, now: float) -> JsonObject:
    job = _job(call, world)
    if job.summary(now) is None:
        raise _missing(job.arn)
    cancelled = job.cancelled(now) if isinstance(job, SimulatedJob) else None
    if cancelled is None:
        raise ServiceError(409, "ConflictException", f"Job {job.arn} cannot be cancelled in its current status")
    world.put(cancelled)
    return {"jobArn": job.arn, "cancellationStatus": "CANCELLING"}


def _search_jobs(call: Call, world: World, now: float) -> JsonObject:
    region, account = _scope(call, world)
    query = search.parsed(call.body)
    entries = search.candidates(world.entries(region), query, world.disorder, now)
    summaries = (
        (entry, summary)
        for entry in entries
        if _is_seen_by(account, entry[1])
        and (summary := _summary(world, entry, now)) is not None
        and query.matches(summary)
    )
    found = list(islice(summaries, query.limit + 1))
    page = found[: query.limit]
    more = {"nextToken": search.token(page[-1][0])} if len(found) > len(page) else {}
    return {"jobs": [summary for _, summary in page], **more}


def _summary(world: World, entry: Entry, now: float) -> JsonObject | None:
    job = world.job(entry[1])
    return None if job is None else job.summary(now)


def _scope(call: Call, world: World) -> tuple[str, str | None]:
    """The Region that the caller signed for, and the one account it may see (None for all)."""
    if call.signer is None:
        raise ServiceError(403, "MissingAuthenticationTokenException", "The request is not signed for Braket")
    if world.accounts is None:
        return call.signer.region, None
    account = world.accounts.get(call.signer.access_key_id)
    if account is None:
        raise ServiceError(403, "UnrecognizedClientException", "The security token in the request is invalid")
    return call.signer.region, account


def _is_seen_by(account: str | None, arn: str) -> bool:
    return account is None or account_of(arn) == account


_OPERATIONS: dict[str, Callable[[Call, World, float], JsonObject]] = {
    "CancelJob": _cancel_job,
    "GetDevice": lambda call, world, now: device_calls.get_device(_scope(call, world)[0], call.arn or "", world, now),
    "GetJob": _get_job,
    "SearchJobs": _search_jobs,
    "SearchSpendingLimits": lambda call, world, now: device_calls.search_spending_limits(
        *_scope(call, world), call.body, world, now
    ),
}
