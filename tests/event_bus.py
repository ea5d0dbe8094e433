"""EventBridge and SQS of moto: a rule sends the events of one bus to one queue."""

import json
from datetime import UTC, datetime
from typing import Any

import boto3

KEYS = {"aws_access_key_id": "AKIDEXAMPLE", "aws_secret_access_key": "secret"}


class EventBus:
    """A rule and its queue. The resource in each event keeps the events of tests apart.

    Attributes:
        name: the name of the rule, of the queue and of the resource.
        url: the URL of the queue.
        sqs: a client of SQS.

    Args:
        name: the name.
        region: the Region.
        endpoint: the URL of moto.
        attributes: the attributes of the queue.
    """

    def __init__(self, name: str, region: str, endpoint: str, **attributes: str) -> None:
        self.name = name
        self.sqs: Any = boto3.client("sqs", region_name=region, endpoint_url=endpoint, **KEYS)
        self._events: Any = boto3.client("events", region_name=region, endpoint_url=endpoint, **KEYS)
        self.url = str(self.sqs.create_queue(QueueName=name, Attributes=attributes)["QueueUrl"])
        target: dict[str, Any] = {"Id": "queue", "Arn": self._attributes("QueueArn")["QueueArn"]}
        if name.endswith(".fifo"):
            target["SqsParameters"] = {"MessageGroupId": "braket"}
        pattern = {"source": ["aws.braket"], "resources": [name]}
        self._events.put_rule(Name=name, EventPattern=json.dumps(pattern))
        self._events.put_targets(Rule=name, Targets=[target])

    def put(self, detail_type: str, source: str = "aws.braket", **detail: str) -> None:
        """Put an event on the bus."""
        entry = {
            "Source": source,
            "DetailType": detail_type,
            "Time": datetime.now(UTC),
            "Resources": [self.name],
            "Detail": json.dumps(detail),
        }
        assert self._events.put_events(Entries=[entry])["FailedEntryCount"] == 0

    def left(self) -> int:
        """Return the number of messages in the queue, those included that were received and not deleted."""
        found = self._attributes("ApproximateNumberOfMessages", "ApproximateNumberOfMessagesNotVisible")
        return sum(int(number) for number in found.values())

    def close(self) -> None:
        for client in (self.sqs, self._events):
            client.close()

    def _attributes(self, *names: str) -> dict[str, str]:
        found: dict[str, str] = self.sqs.get_queue_attributes(QueueUrl=self.url, AttributeNames=[*names])["Attributes"]
        return found
