"""The report of a permission check: results, next steps and IAM policies, as comments. Pure."""

import json
from collections import defaultdict
from collections.abc import Sequence
from typing import Any, Final

from exporter.app.access_results import Access, CallResult, Verdict
from exporter.app.next_steps import next_steps
from exporter.app.target_names import name_target

MAX_REASON_LENGTH: Final = 400


def report(accesses: Sequence[Access]) -> str:
    """Return the results as YAML comments, the next steps, and a policy for each identity with missing permissions."""
    if not accesses:
        return "# Access check: no API calls, because no target is in this shard\n"
    lines = ["# Access check:"]
    for access in accesses:
        name = _one_line(name_target(access.target, access.name))
        if access.endpoint:
            lines.append(f"#   {name} endpoint: {access.endpoint}")
        lines += [f"#   {name} {_line(result)}" for result in access.results]
    lines += [f"# Next step: {step}" for step in next_steps(accesses)]
    for holder, policy in policies(accesses).items():
        lines.append(f"# Next step: attach this IAM policy to {holder}:")
        lines.append(f"# {json.dumps(policy)}")
        if any(statement["Action"] == "sts:AssumeRole" for statement in policy["Statement"]):
            lines.append("# Next step: allow the same identity in the trust policy of the role, and check external_id")
    return "\n".join(lines) + "\n"


def policies(accesses: Sequence[Access]) -> dict[str, dict[str, Any]]:
    """Return the IAM policy that grants exactly the missing permissions, by identity."""
    needs: defaultdict[str, defaultdict[str, dict[str, None]]] = defaultdict(lambda: defaultdict(dict))
    for access in accesses:
        for result in access.results:
            if result.missing is not None:
                for action in (result.missing.action, *result.missing.more_actions):
                    needs[result.missing.holder][action][result.missing.resource] = None
    return {
        holder: {"Version": "2012-10-17", "Statement": [_allow(action, [*named]) for action, named in actions.items()]}
        for holder, actions in needs.items()
    }


def _allow(action: str, resources: list[str]) -> dict[str, Any]:
    return {"Effect": "Allow", "Action": action, "Resource": resources[0] if len(resources) == 1 else resources}


def _line(result: CallResult) -> str:
    conjunction = ", " if result.verdict is Verdict.OK else ": "
    return f"{result.operation}: {result.verdict}{conjunction if result.reason else ''}{_one_line(result.reason)}"


def _one_line(text: str) -> str:
    """Return a text as one line of a YAML comment."""
    line = " ".join("".join(letter if letter.isprintable() else " " for letter in text).split())
    return line if len(line) <= MAX_REASON_LENGTH else f"{line[:MAX_REASON_LENGTH]}..."
