"""The two Braket operations: a request, the world and the time become a reply."""

import re
from collections.abc import Callable
from dataclasses import dataclass
from itertools import islice
from urllib.parse import parse_qs, unquote, urlsplit

from exporter.simulator import search
from exporter.simulator.search import Entry
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


@dataclass(frozen=True, slots=True)
class Request:
    """An HTTP request: method, target as sent, Authorization header, body."""

    method: str
    target: str
    authorization: str = ""
    body: bytes = b""


@dataclass(frozen=True, slots=True)
class Call:
    """Which operation a request calls.

    Attributes:
        operation: `GetJob`, `SearchJobs`, or None for none that is known.
        arn: The job that GetJob asks for.
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
    operation, arn = _operation(request.method, target.path)
    attributes = tuple(parse_qs(target.query).get("additionalAttributeNames", ()))
    return Call(operation, arn, attributes, credential(request.authorization), request.body)


def reply_to(call: Call, world: World, now: float) -> Reply:
    """The right answer to `call` at `now` (unix seconds)."""
    if call.operation is None:
        return error_reply(404, "UnknownOperationException", "There is no such operation")
    try:
        return json_reply(_OPERATIONS[call.operation](call, world, now))
    except ServiceError as error:
        return error.reply


def _operation(method: str, path: str) -> tuple[str | None, str | None]:
    job = _JOB_PATH.fullmatch(path)
    if method == "GET" and job is not None:
        return "GetJob", unquote(job[1])
    if method == "POST" and path == "/jobs":
        return "SearchJobs", None
    return None, None


def _get_job(call: Call, world: World, now: float) -> JsonObject:
    region, account = _scope(call, world)
    arn = call.arn or ""
    if _JOB_ARN.fullmatch(arn) is None:
        raise invalid(f"{arn!r} is not the ARN of a job")
    if any(name != "QueueInfo" for name in call.attributes):
        raise invalid("additionalAttributeNames may hold QueueInfo only")
    job = world.job(arn) if region_of(arn) == region and _is_seen_by(account, arn) else None
    answer = None if job is None else job.answer(now, queue_info="QueueInfo" in call.attributes)
    if answer is None:
        raise ServiceError(404, "ResourceNotFoundException", f"Job {arn} does not exist in this Region")
    return answer


def _search_jobs(call: Call, world: World, now: float) -> JsonObject:
    region, account = _scope(call, world)
    query = search.parsed(call.body)
    entries = search.candidates(world.entries(region), query, world.disorder, now)
    summaries = (
        (entry, summary)
        for entry in entries
        if _is_seen_by(account, entry[1]) and (summary := _summary(world, entry, now)) is not None
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
    "GetJob": _get_job,
    "SearchJobs": _search_jobs,
}
