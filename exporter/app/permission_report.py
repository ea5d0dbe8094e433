"""The report of a permission check: results as comments, and IAM policies that grant missing permissions. Pure."""

import json
from collections import defaultdict
from collections.abc import Sequence
from typing import Any, Final

from exporter.app.permission_check import Access, Answer, Verdict
from exporter.core import Target

LONGEST_REASON: Final = 400


def report(accesses: Sequence[Access]) -> str:
    """Write the results as comments of a YAML file, and a policy for each login that lacks something."""
    if not accesses:
        return "# AWS was asked nothing: no target is in this shard\n"
    lines = ["# AWS says:"]
    for access in accesses:
        if access.endpoint:
            lines.append(f"#   {_name(access.target)} endpoint: {access.endpoint}")
        lines += [f"#   {_name(access.target)} {_told(answer)}" for answer in access.answers]
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


def _name(target: Target) -> str:
    return f"{target.account or 'unknown account'}/{target.region}"


def _told(answer: Answer) -> str:
    conjunction = ", " if answer.verdict is Verdict.OK else ": "
    return f"{answer.operation}: {answer.verdict}{conjunction if answer.reason else ''}{_one_line(answer.reason)}"


def _one_line(text: str) -> str:
    """Make a text fit for a comment of a YAML file, which nothing in it can end."""
    line = " ".join("".join(letter if letter.isprintable() else " " for letter in text).split())
    return line if len(line) <= LONGEST_REASON else f"{line[:LONGEST_REASON]}..."
