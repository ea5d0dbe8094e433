"""docs/operate/permissions.md: its policies are those that check-config prints, and grant what the code calls."""

import json
import re
from pathlib import Path
from typing import TYPE_CHECKING, Any, cast

import pytest

from exporter.app.event_queue_check import check_queue
from exporter.app.permission_check import check_access
from exporter.app.permission_report import policies, report
from exporter.app.settings import Settings, TargetSettings, optional_operations
from exporter.core import (
    AssumeRoleDeniedError,
    BraketError,
    CredentialsRef,
    DeniedError,
    DeviceKey,
    DeviceSnapshot,
    NotFoundError,
    SearchPage,
    Selector,
    Span,
    SpendingLimitPage,
    Target,
    TargetConfig,
)

if TYPE_CHECKING:
    from exporter.aws import BraketClient, EventQueueClient

ROOT = Path(__file__).parents[3]
TEXT = (ROOT / "docs/operate/permissions.md").read_text(encoding="utf-8")
OWN = "the SDK's own credentials"
ACCOUNT = "123456789012"
ROLES = ["arn:aws:iam::111122223333:role/braket-exporter", "arn:aws:iam::444455556666:role/braket-exporter"]
ARN = f"arn:aws:braket:us-west-2:{ACCOUNT}:job/0a1b2c3d-0000-4000-8000-000000000001"
WHO = f"arn:aws:sts::{ACCOUNT}:assumed-role/braket-exporter/i-0a1b2c3d"
DENIED = DeniedError(
    "AccessDeniedException",
    f"Amazon Braket returned AccessDeniedException (HTTP 403): User: {WHO} is not authorized to perform: "
    "braket:SearchJobs on resource: *",
)


def section(title: str) -> str:
    (text,) = re.findall(rf"^## {re.escape(title)}\n(.*?)(?=^## |\Z)", TEXT, re.MULTILINE | re.DOTALL)
    return str(text)


def policies_of(title: str) -> list[dict[str, Any]]:
    return [json.loads(block) for block in re.findall(r"```json\n(.*?)```", section(title), re.DOTALL)]


def actions(policy: dict[str, Any]) -> set[str]:
    given = (statement["Action"] for statement in policy["Statement"])
    return {action for one in given for action in ([one] if isinstance(one, str) else one)}


class Aws:
    """Denies what it is told to deny, and knows no job."""

    partition = "aws"
    endpoint = "https://braket.us-west-2.amazonaws.com"
    caller_arn = WHO

    def __init__(self, target: Target, *denied: str, trouble: BraketError = DENIED) -> None:
        self.target, self._denied, self._trouble = target, denied, trouble

    def identify(self) -> None:
        self._refuse("GetCallerIdentity")

    def search_jobs(self, span: Span, token: str | None) -> SearchPage:  # noqa: ARG002 -- as the client has it
        self._refuse("SearchJobs")
        return SearchPage((), (), None)

    def get_job(self, arn: str) -> None:
        self._refuse("GetJob")
        raise NotFoundError("ResourceNotFoundException", arn)

    def get_device(self, key: DeviceKey) -> DeviceSnapshot:
        self._refuse("GetDevice")
        return DeviceSnapshot(key, "ONLINE")

    def search_spending_limits(self) -> SpendingLimitPage:
        self._refuse("SearchSpendingLimits")
        return SpendingLimitPage((), 0, None)

    def _refuse(self, operation: str) -> None:
        if operation in self._denied:
            raise self._trouble


def asked_for(
    *denied: str, jobs: tuple[str, ...] = (), selector: Selector | None = None, optional: tuple[str, ...] = ()
) -> dict[str, Any]:
    """Return the policy that check-config --online prints when these operations are denied."""
    target = Target(ACCOUNT, "us-west-2")
    access = check_access(
        TargetConfig(CredentialsRef(), target, jobs, selector),
        cast("BraketClient", Aws(target, *denied)),
        0.0,
        optional,
    )
    (policy,) = policies([access]).values()
    return policy


def test_every_policy_parses_and_has_only_what_a_policy_has() -> None:
    blocks = re.findall(r"```json\n(.*?)```", TEXT, re.DOTALL)
    assert len(blocks) == 8
    for block in blocks:
        policy = json.loads(block)
        assert [*policy] == ["Version", "Statement"]
        assert policy["Version"] == "2012-10-17"
        for statement in policy["Statement"]:
            assert statement["Effect"] == "Allow"
            assert ("Resource" in statement) != ("Principal" in statement)
            assert set(statement) <= {"Effect", "Action", "Resource", "Principal", "Condition"}


def test_the_policy_for_named_jobs_is_the_one_that_check_config_asks_for() -> None:
    assert policies_of("Named jobs") == [asked_for("GetJob", jobs=(ARN,))]


def test_the_policy_for_jobs_that_are_found_is_the_one_that_check_config_asks_for() -> None:
    operations = optional_operations(Settings(all_jobs=True))
    everything = asked_for("SearchJobs", "GetJob", *operations, selector=Selector(all_jobs=True), optional=operations)
    assert policies_of("Discovered jobs") == [everything]


def test_the_policy_for_devices_and_spending_limits_is_the_one_that_check_config_asks_for() -> None:
    operations = optional_operations(Settings(all_jobs=True))
    assert policies_of("Devices and spending limits") == [
        asked_for(*operations, selector=Selector(all_jobs=True), optional=operations)
    ]


def test_the_policy_for_the_event_queue_is_the_one_that_check_config_asks_for() -> None:
    class Refusing:
        target, label, endpoint = Target(ACCOUNT, "us-west-2"), f"{ACCOUNT}/braket-exporter-events", ""
        arn = f"arn:aws:sqs:us-west-2:{ACCOUNT}:braket-exporter-events"

        def count_messages(self) -> int:
            raise DENIED

    config = TargetConfig(CredentialsRef(), Target(ACCOUNT, "us-west-2"), (ARN,), None)
    access = check_queue(cast("EventQueueClient", Refusing()), config)
    assert policies([access]) == {OWN: policies_of("Event queue")[0]}


def test_check_config_does_not_call_operations_that_are_off() -> None:
    operations = optional_operations(Settings(all_jobs=True, device_metrics="off", spending_limits="off"))
    target = Target(ACCOUNT, "us-west-2")
    source = Aws(target, "GetDevice", "SearchSpendingLimits")
    config = TargetConfig(CredentialsRef(), target, (ARN,), None)
    access = check_access(config, cast("BraketClient", source), 0.0, operations)
    assert [result.operation for result in access.results] == ["GetCallerIdentity", "GetJob"]


def test_the_policy_for_several_accounts_is_the_one_that_check_config_asks_for() -> None:
    denied = AssumeRoleDeniedError("credentials", "no")
    accesses = []
    for role in ROLES:
        source = Aws(Target("", "us-west-2"), "GetCallerIdentity", trouble=denied)
        lane = TargetConfig(CredentialsRef(role_arn=role), source.target, (), Selector(all_jobs=True))
        accesses.append(check_access(lane, cast("BraketClient", source), 0.0))
    _, policy = policies_of("Several accounts")
    assert policies(accesses) == {OWN: policy}


def test_the_trust_of_the_other_accounts_fits_the_sample_settings() -> None:
    trust, _ = policies_of("Several accounts")
    (statement,) = trust["Statement"]
    configuration = (ROOT / "docs/operate/configuration.md").read_text(encoding="utf-8")
    assert f"external_id: {statement['Condition']['StringEquals']['sts:ExternalId']}\n" in configuration
    assert f"role_arn: {ROLES[0]}\n" in configuration
    assert statement["Principal"] == {"AWS": f"arn:aws:iam::{ACCOUNT}:role/braket-exporter"}
    assert {"role_arn", "external_id"} <= set(TargetSettings.model_fields)


def test_the_policies_grant_every_operation_that_the_code_calls_and_no_other() -> None:
    source = "".join(path.read_text(encoding="utf-8") for path in (ROOT / "exporter/aws").glob("*.py"))
    assert set(re.findall(r"\bOperation\(\"[a-z]+\", ([A-Z_]+)", source)) == {
        "GET_JOB",
        "SEARCH_JOBS",
        "GET_CALLER_IDENTITY",
        "GET_DEVICE",
        "SEARCH_SPENDING_LIMITS",
        "RECEIVE_MESSAGE",
        "DELETE_MESSAGE_BATCH",
        "GET_QUEUE_ATTRIBUTES",
    }
    assert set(re.findall(r"\bclient\.([a-z]+_[a-z_]+)\(", source)) == {"assume_role"}
    granted = [*policies_of("Named jobs"), *policies_of("Discovered jobs"), *policies_of("Devices and spending limits")]
    granted += [*policies_of("Event queue"), policies_of("Several accounts")[1]]
    # Nobody needs a permission for GetCallerIdentity.
    assert set.union(*map(actions, granted)) == {
        "braket:GetJob",
        "braket:SearchJobs",
        "braket:GetDevice",
        "braket:SearchSpendingLimits",
        "sqs:ReceiveMessage",
        "sqs:DeleteMessage",
        "sqs:GetQueueAttributes",
        "sts:AssumeRole",
    }


def test_roles_of_eks_are_trusted_as_the_chart_says() -> None:
    irsa, pod_identity = policies_of("In EKS")
    assert actions(irsa) == {"sts:AssumeRoleWithWebIdentity"}
    condition = irsa["Statement"][0]["Condition"]["StringEquals"]
    assert "system:serviceaccount:monitoring:braket-exporter" in condition.values()
    assert {key.rpartition(":")[0] for key in condition} == {
        irsa["Statement"][0]["Principal"]["Federated"].partition("oidc-provider/")[2]
    }
    assert pod_identity["Statement"][0]["Principal"] == {"Service": "pods.eks.amazonaws.com"}
    assert actions(pod_identity) == {"sts:AssumeRole", "sts:TagSession"}
    kubernetes = (ROOT / "docs/get-started/kubernetes.md").read_text(encoding="utf-8")
    assert "the role trusts `pods.eks.amazonaws.com` (`sts:AssumeRole` and `sts:TagSession`)" in kubernetes
    assert "--namespace monitoring \\\n    --service-account braket-exporter" in kubernetes


def test_the_answer_that_is_shown_is_the_one_that_check_config_prints() -> None:
    target = Target(ACCOUNT, "us-west-2")
    lane = TargetConfig(CredentialsRef(), target, (), Selector(all_jobs=True))
    printed = report(
        [
            check_access(
                lane, cast("BraketClient", Aws(target, "SearchJobs")), 0.0, optional_operations(Settings(all_jobs=True))
            )
        ]
    )
    assert printed in section("Check permissions")


@pytest.mark.parametrize("operation", ["AssumeRole", "GetCallerIdentity", "SearchJobs", "GetJob", "GetQueueAttributes"])
def test_each_question_has_its_row(operation: str) -> None:
    assert re.search(rf"^\| {operation}[ ,]", section("Check permissions"), re.MULTILINE)
