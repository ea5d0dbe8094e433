"""The CloudFormation template of the event queue, deployed into moto: real boto3 over real HTTP."""

import ast
import json
import re
import subprocess
import sys
import uuid
from pathlib import Path
from typing import Any, NamedTuple, cast

import boto3
import pytest
import yaml

from exporter.core import JOB_STATE_CHANGE

TEMPLATE = Path(__file__).parents[2] / "cloudformation" / "events.yaml"
REGION = "us-west-2"
ACCOUNT = "123456789012"  # of each key that moto does not know
OTHER = "210987654321"
JOB = f"arn:aws:braket:{REGION}:{ACCOUNT}:job/5d3c7bb0-6f0f-4d3c-9c55-5a2b1f1c0f01"
QUEUE = f"arn:aws:sqs:{REGION}:{ACCOUNT}:braket-exporter-events"


class Account(NamedTuple):
    """One account of moto.

    Attributes:
        url: the URL of moto.
        keys: the credentials, as arguments of a session.
    """

    url: str
    keys: dict[str, str]

    def client(self, service: str) -> Any:
        return boto3.session.Session(**self.keys, region_name=REGION).client(service, endpoint_url=self.url)


class Stack(NamedTuple):
    """One deployed stack.

    Attributes:
        account: its account.
        outputs: values by key.
        resources: physical IDs by logical ID, of all resources but queue policies: moto does not list these.
    """

    account: Account
    outputs: dict[str, str]
    resources: dict[str, str]


@pytest.fixture(scope="module")
def account(moto: str) -> Account:
    return Account(moto, {"aws_access_key_id": "key", "aws_secret_access_key": "secret"})


@pytest.fixture(scope="module")
def stack(account: Account) -> Stack:
    """Deploy the template with its defaults."""
    return deploy(account)


@pytest.fixture
def other(account: Account) -> Account:
    role = f"arn:aws:iam::{OTHER}:role/administrator"
    given = account.client("sts").assume_role(RoleArn=role, RoleSessionName="test")["Credentials"]
    keys = {
        "aws_access_key_id": given["AccessKeyId"],
        "aws_secret_access_key": given["SecretAccessKey"],
        "aws_session_token": given["SessionToken"],
    }
    return Account(account.url, keys)


def deploy(account: Account, **parameters: str) -> Stack:
    """Deploy the template."""
    cloudformation, name = account.client("cloudformation"), f"events-{uuid.uuid4()}"
    cloudformation.create_stack(
        StackName=name,
        TemplateBody=TEMPLATE.read_text(encoding="utf-8"),
        Parameters=[{"ParameterKey": key, "ParameterValue": value} for key, value in parameters.items()],
        Capabilities=["CAPABILITY_IAM"],
    )
    cloudformation.get_waiter("stack_create_complete").wait(StackName=name, WaiterConfig={"Delay": 0.1})
    (stack,) = cloudformation.describe_stacks(StackName=name)["Stacks"]
    resources = cloudformation.describe_stack_resources(StackName=name)["StackResources"]
    return Stack(
        account,
        {output["OutputKey"]: output["OutputValue"] for output in stack.get("Outputs", [])},
        {each["LogicalResourceId"]: each["PhysicalResourceId"] for each in resources if "LogicalResourceId" in each},
    )


def put(account: Account, source: str, detail_type: str, **detail: str) -> None:
    entry = {"Source": source, "DetailType": detail_type, "Detail": json.dumps(detail)}
    assert account.client("events").put_events(Entries=[entry])["FailedEntryCount"] == 0


def received(stack: Stack, output: str = "QueueUrl", *, delete: bool = True) -> list[dict[str, Any]]:
    """Receive the events in a queue."""
    sqs, url = stack.account.client("sqs"), stack.outputs[output]
    messages = sqs.receive_message(QueueUrl=url, MaxNumberOfMessages=10, WaitTimeSeconds=0).get("Messages", [])
    for message in messages if delete else ():
        sqs.delete_message(QueueUrl=url, ReceiptHandle=message["ReceiptHandle"])
    return [json.loads(message["Body"]) for message in messages]


def attributes(stack: Stack, url: str) -> dict[str, str]:
    attributes: dict[str, str] = stack.account.client("sqs").get_queue_attributes(
        QueueUrl=stack.outputs[url], AttributeNames=["All"]
    )["Attributes"]
    return attributes


def statements(resource: str) -> list[dict[str, Any]]:
    """Read a queue policy from the template: moto does not deploy any."""
    properties = template()["Resources"][resource]["Properties"]
    (queue,), found = properties["Queues"], properties["PolicyDocument"]["Statement"]
    assert queue == {"Ref": resource.removesuffix("Policy")}
    return cast("list[dict[str, Any]]", found)


class _Loader(yaml.SafeLoader):
    """Reads a template with CloudFormation's functions in their long form."""


def _function(loader: yaml.SafeLoader, name: str, node: yaml.Node) -> dict[str, Any]:
    if isinstance(node, yaml.ScalarNode):
        return {name: node.value}
    assert isinstance(node, yaml.SequenceNode)
    return {name: loader.construct_sequence(node, deep=True)}


_Loader.add_multi_constructor("!", _function)


def template() -> dict[str, Any]:
    return cast("dict[str, Any]", yaml.load(TEMPLATE.read_text(encoding="utf-8"), _Loader))


def test_cfn_lint_finds_nothing() -> None:
    command = [str(Path(sys.executable).with_name("cfn-lint")), "--include-checks", "I", "--", str(TEMPLATE)]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert (done.stdout + done.stderr, done.returncode) == ("", 0)


def test_an_event_about_a_job_arrives_in_the_queue_as_it_was_put(stack: Stack) -> None:
    put(stack.account, "aws.braket", JOB_STATE_CHANGE, jobArn=JOB, status="COMPLETED")
    (first,) = received(stack)
    assert (first["source"], first["detail-type"], first["region"], first["detail"]) == (
        "aws.braket",
        "Braket Job State Change",
        REGION,
        {"jobArn": JOB, "status": "COMPLETED"},
    )
    assert re.fullmatch(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\dZ", first["time"])


@pytest.mark.parametrize("detail_type", ["Braket Device Status Change", "Braket QPU Status Change"])
def test_an_event_about_a_device_arrives_in_the_queue(detail_type: str, stack: Stack) -> None:
    put(stack.account, "aws.braket", detail_type, deviceArn="arn:aws:braket:::device/qpu/ionq/Aria-1")
    (event,) = received(stack)
    assert (event["detail-type"], event["detail"]["deviceArn"]) == (
        detail_type,
        "arn:aws:braket:::device/qpu/ionq/Aria-1",
    )


@pytest.mark.parametrize(
    ("source", "detail_type"),
    [
        ("aws.batch", "Braket Job State Change"),
        ("aws.braket", "Braket Task State Change"),
        ("aws.braket", "AWS API Call via CloudTrail"),
    ],
)
def test_an_event_of_another_source_or_type_does_not_arrive(source: str, detail_type: str, stack: Stack) -> None:
    put(stack.account, source, detail_type, jobArn=JOB, status="COMPLETED")
    assert received(stack) == []


def test_the_queue_is_encrypted_long_polls_and_moves_a_message_to_the_dead_letter_queue_after_ten_receipts(
    stack: Stack,
) -> None:
    found = attributes(stack, "QueueUrl")
    names = (
        "QueueArn",
        "VisibilityTimeout",
        "ReceiveMessageWaitTimeSeconds",
        "MessageRetentionPeriod",
        "SqsManagedSseEnabled",
    )
    assert tuple(found[name] for name in names) == (QUEUE, "60", "20", "86400", "true")
    assert "FifoQueue" not in found
    dead = attributes(stack, "DeadLetterQueueUrl")
    assert (dead["QueueArn"], dead["MessageRetentionPeriod"]) == (f"{QUEUE}-dead-letter", "1209600")
    redrive = json.loads(found["RedrivePolicy"])
    assert (redrive["deadLetterTargetArn"], int(redrive["maxReceiveCount"])) == (f"{QUEUE}-dead-letter", 10)


def test_a_message_that_is_never_deleted_ends_in_the_dead_letter_queue(stack: Stack) -> None:
    sqs, url = stack.account.client("sqs"), stack.outputs["QueueUrl"]
    sqs.set_queue_attributes(QueueUrl=url, Attributes={"VisibilityTimeout": "0"})
    put(stack.account, "aws.braket", JOB_STATE_CHANGE, jobArn=JOB, status="RUNNING")
    assert [len(received(stack, delete=False)) for _ in range(11)] == [1] * 10 + [0]
    sqs.set_queue_attributes(QueueUrl=url, Attributes={"VisibilityTimeout": "60"})
    (dead,) = received(stack, "DeadLetterQueueUrl")
    assert dead["detail"] == {"jobArn": JOB, "status": "RUNNING"}


ARN_OF_QUEUE, ARN_OF_DEAD_LETTER_QUEUE = {"GetAtt": "Queue.Arn"}, {"GetAtt": "DeadLetterQueue.Arn"}
NOT_WITHOUT_TLS = {
    "Sid": "OnlyTls",
    "Effect": "Deny",
    "Principal": "*",
    "Action": "sqs:*",
    "Condition": {"Bool": {"aws:SecureTransport": "false"}},
}


def test_only_the_rule_and_the_source_accounts_may_send_and_nobody_without_tls() -> None:
    rule, accounts, tls = statements("QueuePolicy")
    assert rule == {
        "Sid": "EventBridgeRule",
        "Effect": "Allow",
        "Principal": {"Service": "events.amazonaws.com"},
        "Action": "sqs:SendMessage",
        "Resource": ARN_OF_QUEUE,
        "Condition": {"ArnEquals": {"aws:SourceArn": {"GetAtt": "Rule.Arn"}}},
    }
    condition, allowed, nothing = accounts["If"]
    assert (condition, nothing) == ("HasSourceAccounts", {"Ref": "AWS::NoValue"})
    assert allowed == {
        "Sid": "SourceAccounts",
        "Effect": "Allow",
        "Principal": {"AWS": {"Ref": "SourceAccounts"}},
        "Action": "sqs:SendMessage",
        "Resource": ARN_OF_QUEUE,
    }
    assert tls == {**NOT_WITHOUT_TLS, "Resource": ARN_OF_QUEUE}


def test_nobody_but_the_queue_sends_to_the_dead_letter_queue() -> None:
    assert statements("DeadLetterQueuePolicy") == [{**NOT_WITHOUT_TLS, "Resource": ARN_OF_DEAD_LETTER_QUEUE}]


def test_the_policy_of_the_exporter_allows_to_receive_and_to_delete_and_is_attached_to_its_role(
    account: Account,
) -> None:
    iam = account.client("iam")
    iam.create_role(RoleName="braket-exporter", AssumeRolePolicyDocument="{}")
    stack = deploy(account, QueueName="other", ExporterRoleName="braket-exporter")
    arn = stack.outputs["ExporterPolicyArn"]
    version = iam.get_policy(PolicyArn=arn)["Policy"]["DefaultVersionId"]
    document = iam.get_policy_version(PolicyArn=arn, VersionId=version)["PolicyVersion"]["Document"]
    assert document["Statement"] == [
        {
            "Effect": "Allow",
            "Action": ["sqs:ReceiveMessage", "sqs:DeleteMessage", "sqs:GetQueueAttributes"],
            "Resource": f"arn:aws:sqs:{REGION}:{ACCOUNT}:other",
        }
    ]
    attached = iam.list_attached_role_policies(RoleName="braket-exporter")["AttachedPolicies"]
    assert [policy["PolicyArn"] for policy in attached] == [arn]


def test_another_account_sends_to_the_queue_with_a_rule_and_a_role_and_has_no_queue(other: Account) -> None:
    stack = deploy(other, QueueArn=QUEUE)
    assert set(stack.resources) == {"Rule", "SenderRole"}
    assert stack.outputs == {}
    iam, events = other.client("iam"), other.client("events")
    role = iam.get_role(RoleName=stack.resources["SenderRole"])["Role"]
    (target,) = events.list_targets_by_rule(Rule=stack.resources["Rule"])["Targets"]
    assert target == {"Id": "queue", "Arn": QUEUE, "RoleArn": role["Arn"]}
    assert role["Arn"].startswith(f"arn:aws:iam::{OTHER}:role/")
    written = iam.get_role_policy(RoleName=stack.resources["SenderRole"], PolicyName="send")["PolicyDocument"]
    policy = ast.literal_eval(written)  # moto writes Python, not JSON
    assert policy["Statement"] == [{"Effect": "Allow", "Action": "sqs:SendMessage", "Resource": QUEUE}]
    (trusted,) = role["AssumeRolePolicyDocument"]["Statement"]
    assert trusted["Principal"] == {"Service": "events.amazonaws.com"}
    assert trusted["Condition"] == {"StringEquals": {"aws:SourceAccount": OTHER}}


def test_the_rule_of_the_queues_own_account_has_no_role(stack: Stack) -> None:
    (target,) = stack.account.client("events").list_targets_by_rule(Rule=stack.resources["Rule"])["Targets"]
    assert target == {"Id": "queue", "Arn": QUEUE}


@pytest.mark.parametrize(
    ("name", "valid", "invalid"),
    [
        ("QueueName", ["braket-exporter-events", "a"], ["", "events.fifo", "a b", "a" * 69]),
        ("SourceAccounts", ["", "123456789012"], ["12345678901", "arn:aws:iam::123456789012:root"]),
        ("ExporterRoleName", ["", "braket-exporter"], ["arn:aws:iam::123456789012:role/braket-exporter"]),
        ("QueueArn", ["", QUEUE, "arn:aws-us-gov:sqs:us-gov-west-1:123456789012:q"], ["q", f"{QUEUE}.fifo"]),
    ],
)
def test_a_parameter_accepts_only_what_can_work(name: str, valid: list[str], invalid: list[str]) -> None:
    parameter = template()["Parameters"][name]
    pattern = re.compile(parameter["AllowedPattern"])
    assert pattern.fullmatch(parameter["Default"])
    assert [text for text in valid if not pattern.fullmatch(text)] == []
    assert [text for text in invalid if pattern.fullmatch(text)] == []
