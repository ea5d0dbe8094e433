"""Parser of SearchJobs responses: a JSON value in, a page of job summaries out. Pure.

Without a usable ``jobs`` or ``nextToken``, the page or its successors are lost (``ParseError``). An entry without a
valid ``jobArn`` costs only itself (``EntryProblem``). Any other member of an entry with an unexpected shape has no
value, since GetJob reports it again; ``tags`` that are not an object are unknown (``None``).
"""

from collections.abc import Mapping
from typing import Final

from exporter.aws.members import (
    MAX_CODE,
    MAX_DEVICE,
    MAX_NAME,
    MAX_SHOWN_ARN,
    MAX_TAG_KEY,
    MAX_TAG_VALUE,
    Members,
    ParseError,
    encodable,
    json_object,
    kind_of,
    missing_or_not_text,
)
from exporter.core import EntryProblem, JobSummary, SearchPage, parse_job_arn

MAX_TAGS: Final = 100
"""Tags of a job that are kept. AWS allows 50, and adds its own, which start with ``aws:``."""

MAX_ENTRIES: Final = 1000
"""Entries of a SearchJobs page that are read, the first ones. The exporter requests 100."""

MAX_ARN: Final = 256
"""Characters of a job ARN; a longer one is not valid."""

MAX_TOKEN: Final = 8192
"""Characters of a ``nextToken``; a longer one is refused, since a token cannot be cut."""


def parse_page(response: object) -> SearchPage:
    """Read a SearchJobs response. An entry that cannot be used costs the page only itself.

    Raises:
        ParseError: the response is not an object, does not have a list of jobs, or its token cannot be used.
    """
    members = json_object("response", response)
    entries, token = members.get("jobs"), members.get("nextToken")
    if entries is None:
        raise ParseError("jobs: missing")
    if not isinstance(entries, list):
        raise ParseError(f"jobs: expected a list, got {kind_of(entries)}")
    if token is not None and not isinstance(token, str):
        raise ParseError(f"nextToken: expected text, got {kind_of(token)}")
    if token is not None and len(token) > MAX_TOKEN:
        raise ParseError(f"nextToken: expected at most {MAX_TOKEN} characters, got {len(token)}")
    read = [_entry(entry) for entry in entries[:MAX_ENTRIES]]
    problems = [each for each in read if isinstance(each, EntryProblem)]
    if len(entries) > MAX_ENTRIES:
        problems.append(EntryProblem(None, f"jobs: expected at most {MAX_ENTRIES} entries, got {len(entries)}"))
    return SearchPage(tuple(each for each in read if isinstance(each, JobSummary)), tuple(problems), token or None)


def _entry(entry: object) -> JobSummary | EntryProblem:
    if not isinstance(entry, dict):
        return EntryProblem(None, f"jobs: expected objects, got {kind_of(entry)}")
    arn = entry.get("jobArn")
    if not arn or not isinstance(arn, str):
        return EntryProblem(None, f"jobs.jobArn: {missing_or_not_text(arn)}")
    reason = _arn_problem(arn)
    if reason is not None:
        return EntryProblem(encodable(arn[:MAX_SHOWN_ARN]), f"jobs.jobArn: {reason}")
    job, tags = Members(entry, []), entry.get("tags")
    return JobSummary(
        arn=arn,
        name=job.text("jobName", MAX_NAME),
        status=job.text("status", MAX_CODE) or None,
        created=job.time("createdAt"),
        started=job.time("startedAt"),
        ended=job.time("endedAt"),
        device=job.text("device", MAX_DEVICE),
        tags=_all_tags(tags) if isinstance(tags, dict) else None,
    )


def _arn_problem(arn: str) -> str | None:
    if len(arn) > MAX_ARN:
        return f"expected at most {MAX_ARN} characters, got {len(arn)}"
    try:
        parse_job_arn(arn)
    except ValueError as error:
        return str(error)
    return None


def _all_tags(tags: Mapping[str, object]) -> dict[str, str]:
    texts = [(key, value) for key, value in tags.items() if isinstance(value, str)]
    return {encodable(key[:MAX_TAG_KEY]): encodable(value[:MAX_TAG_VALUE]) for key, value in texts[:MAX_TAGS]}
