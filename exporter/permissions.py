"""Asks AWS whether each login may do what polling needs, and writes which permission is missing and what grants it."""

import json
import re
from collections import defaultdict
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from enum import StrEnum
from typing import Any, Final, NamedTuple

from exporter.braket import BraketClient
from exporter.errors import (
    ASSUME_ROLE,
    GET_CALLER_IDENTITY,
    GET_JOB,
    SEARCH_JOBS,
    AssumeRoleDeniedError,
    BraketError,
    DeniedError,
    MalformedError,
    NotFoundError,
    RejectedError,
    UnauthenticatedError,
)
from exporter.lanes import Lane, Login
from exporter.model import SearchPage, Span, Target

MADE_UP_JOB: Final = "00000000-0000-4000-8000-000000000000"
"""Nobody's job: AWS tells whether one may ask for it before it tells that it does not exist."""

LONGEST_REASON: Final = 400

_WRAPPING: Final = re.compile(
    r"Error when retrieving credentials from [\w-]+: "
    r"|An error occurred \((?P<code>[^)]+)\) when calling the \w+ operation(?: \([^)]*\))?: "
)
"""What botocore puts around the words of AWS."""


class Verdict(StrEnum):
    """What came of a question."""

    OK = "ok"
    DENIED = "denied"
    FAILED = "failed"


class Permission(NamedTuple):
    """A permission that is missing.

    Attributes:
        holder: who needs it, for people.
        action: as IAM names it.
        resource: the ARN, or ``*``.
    """

    holder: str
    action: str
    resource: str


@dataclass(frozen=True, slots=True)
class Answer:
    """What AWS said to one question.

    Attributes:
        operation: what was called.
        verdict: what came of it.
        reason: why, or what else is worth telling.
        missing: what would have to be granted; ``None`` where no policy would help.
    """

    operation: str
    verdict: Verdict
    reason: str = ""
    missing: Permission | None = None


@dataclass(frozen=True, slots=True)
class Access:
    """What AWS said of one lane."""

    target: Target
    answers: tuple[Answer, ...]

    @property
    def complete(self) -> bool:
        """Whether everything that was asked for is allowed."""
        return all(answer.verdict is Verdict.OK for answer in self.answers)


def ask(lane: Lane, source: BraketClient, since: float) -> Access:
    """Ask AWS who a lane's login is and whether it may list and read jobs; failures are answers.

    Args:
        lane: what would be polled.
        source: a client for it.
        since: how far back jobs are looked for, unix seconds.
    """
    answers = tuple(_answers(lane, source, since))
    return Access(_target(lane, source), answers)


def report(accesses: Sequence[Access]) -> str:
    """Write the answers as comments of a YAML file, and a policy for each login that lacks something."""
    if not accesses:
        return "# AWS was asked nothing: no target is in this shard\n"
    lines = ["# AWS says:"]
    lines += [f"#   {_name(access.target)} {_told(answer)}" for access in accesses for answer in access.answers]
    for holder, policy in policies(accesses).items():
        lines.append(f"# Missing; this IAM policy grants it to {holder}:")
        lines.append(f"# {json.dumps(policy)}")
        if any(statement["Action"] == "sts:AssumeRole" for statement in policy["Statement"]):
            lines.append("# A role's trust policy, and its external ID if it asks for one, must fit, too.")
    return "\n".join(lines) + "\n"


def policies(accesses: Sequence[Access]) -> dict[str, dict[str, Any]]:
    """Make the IAM policy, by the login that needs it, that grants what is missing there and nothing else."""
    needs: defaultdict[str, defaultdict[str, dict[str, None]]] = defaultdict(lambda: defaultdict(dict))
    for access in accesses:
        for answer in access.answers:
            if answer.missing is not None:
                needs[answer.missing.holder][answer.missing.action][answer.missing.resource] = None
    return {
        holder: {"Version": "2012-10-17", "Statement": [_allow(action, [*named]) for action, named in actions.items()]}
        for holder, actions in needs.items()
    }


def _allow(action: str, resources: list[str]) -> dict[str, Any]:
    return {"Effect": "Allow", "Action": action, "Resource": resources[0] if len(resources) == 1 else resources}


def uncounted(target: Target, operation: str, code: str, seconds: float) -> None:
    """Take no note of an HTTP attempt: who asks for permissions serves no metrics."""


def _answers(lane: Lane, source: BraketClient, since: float) -> Iterator[Answer]:
    try:
        source.identify()
    except UnauthenticatedError as error:
        # Whatever is asked with these credentials would get the same answer.
        yield _unusable(lane.login, error)
        return
    except BraketError as error:
        # STS may be out of reach where Braket is not.
        yield _refused(GET_CALLER_IDENTITY, error)
    else:
        yield _identity(lane, source.target.account)
    page = SearchPage((), (), None)
    if lane.selector is not None:
        try:
            page = source.search_jobs(Span(since, None))
        except BraketError as error:
            yield _refused(SEARCH_JOBS, error, Permission(_holder(lane.login), "braket:SearchJobs", "*"))
        else:
            yield Answer(SEARCH_JOBS, Verdict.OK)
    yield _reading(lane, source, page)


def _identity(lane: Lane, account: str) -> Answer:
    if lane.target.account in {"", account}:
        return Answer(GET_CALLER_IDENTITY, Verdict.OK)
    return Answer(GET_CALLER_IDENTITY, Verdict.FAILED, f"these are credentials of account {account}")


def _reading(lane: Lane, source: BraketClient, page: SearchPage) -> Answer:
    """Ask for a job: one that will be polled, if any is known, since a policy may depend on its ARN or tags."""
    target = _target(lane, source)
    known = [*lane.jobs[:1], *_found(lane, page)]
    if not known and not target.account:
        return Answer(GET_JOB, Verdict.FAILED, "not asked, since the account is not known")
    arn = known[0] if known else _job_arn(source.partition, target, MADE_UP_JOB)
    try:
        source.get_job(arn)
    except NotFoundError:
        return Answer(GET_JOB, Verdict.OK, f"there is no {arn}" if known else "")
    except RejectedError as error:
        return _refused(GET_JOB, error) if known else Answer(GET_JOB, Verdict.OK)
    except BraketError as error:
        all_jobs = _job_arn(source.partition, target._replace(region="*"), "*")
        need = Permission(_holder(lane.login), "braket:GetJob", all_jobs)
        # No policy lets an account read the jobs of another.
        return _refused(GET_JOB, error, need if target.account == source.target.account else None)
    return Answer(GET_JOB, Verdict.OK)


def _job_arn(partition: str, target: Target, job: str) -> str:
    return f"arn:{partition}:braket:{target.region}:{target.account}:job/{job}"


def _found(lane: Lane, page: SearchPage) -> Iterator[str]:
    """Yield jobs that the search found, those first that would be polled."""
    chosen = [job.arn for job in page.jobs if lane.selector is not None and lane.selector.selects(job)]
    yield from chosen or (job.arn for job in page.jobs)


def _refused(operation: str, error: BraketError, need: Permission | None = None) -> Answer:
    denied = isinstance(error, DeniedError)
    return Answer(operation, Verdict.DENIED if denied else Verdict.FAILED, _reason(error), need if denied else None)


def _unusable(login: Login, error: UnauthenticatedError) -> Answer:
    if login.role_arn is None or error.code != "credentials":
        return Answer(GET_CALLER_IDENTITY, Verdict.FAILED, _reason(error))
    if not isinstance(error, AssumeRoleDeniedError):
        return Answer(ASSUME_ROLE, Verdict.FAILED, _reason(error))
    holder = _holder(Login(login.profile))
    return Answer(ASSUME_ROLE, Verdict.DENIED, _reason(error), Permission(holder, "sts:AssumeRole", login.role_arn))


def _reason(error: BraketError) -> str:
    """Tell why in AWS's own words, where it was AWS that said no."""
    told = f"{error.code}: {error}" if isinstance(error, MalformedError) else str(error)
    return _WRAPPING.sub(lambda match: f"{match['code']}: " if match["code"] else "", told)


def _target(lane: Lane, source: BraketClient) -> Target:
    return lane.target if lane.target.account else source.target


def _name(target: Target) -> str:
    return f"{target.account or 'unknown account'}/{target.region}"


def _holder(login: Login) -> str:
    if login.role_arn is not None:
        return login.role_arn
    return "the SDK's own credentials" if login.profile is None else f"profile {login.profile}"


def _told(answer: Answer) -> str:
    conjunction = ", but " if answer.verdict is Verdict.OK else ": "
    return f"{answer.operation}: {answer.verdict}{conjunction if answer.reason else ''}{_one_line(answer.reason)}"


def _one_line(text: str) -> str:
    """Make others' words fit for a comment of a YAML file, which nothing in them can end."""
    line = " ".join("".join(letter if letter.isprintable() else " " for letter in text).split())
    return line if len(line) <= LONGEST_REASON else f"{line[:LONGEST_REASON]}..."
