"""Checks the event queues with GetQueueAttributes: ReceiveMessage would hide messages from a running exporter."""

from collections.abc import Iterator, Sequence
from dataclasses import replace
from functools import partial
from typing import Final

from exporter.app.access_results import Access, CallResult, Permission, Verdict, custom_endpoint, failed_call, holder_of
from exporter.app.concurrent_checks import make_checks
from exporter.app.target_configs import Sessions
from exporter.aws import EventQueueClient, RequestCounter
from exporter.core import GET_QUEUE_ATTRIBUTES, BraketError, CredentialsRef, DeniedError, TargetConfig, receiver_of

ACTIONS: Final = ("sqs:ReceiveMessage", "sqs:DeleteMessage", "sqs:GetQueueAttributes")
"""The actions on an event queue; the last one is only for this check."""


def check_queues(configs: Sequence[TargetConfig], sessions: Sessions, count: RequestCounter) -> list[Access]:
    """Check each event queue, with the credentials that receive from it."""
    checks = [
        partial(check_queue, EventQueueClient(sessions[config.credentials], url, config.target.region, count), config)
        for url, config in _receivers(configs)
    ]
    return make_checks(checks)


def check_queue(queue: EventQueueClient, config: TargetConfig) -> Access:
    """Check one queue with the credentials of a target."""
    result = _try_attributes(queue, config.credentials)
    return Access(queue.target, (result,), custom_endpoint(queue.endpoint))


def _receivers(configs: Sequence[TargetConfig]) -> Iterator[tuple[str, TargetConfig]]:
    for url in dict.fromkeys(config.event_queue_url for config in configs):
        if url is not None:
            yield url, receiver_of([config for config in configs if config.event_queue_url == url])


def _try_attributes(queue: EventQueueClient, login: CredentialsRef) -> CallResult:
    """Call GetQueueAttributes. The exporter itself does not call it, so a denied call is not a failure."""
    try:
        messages = queue.count_messages()
    except DeniedError as error:
        action, *others = ACTIONS
        need = Permission(holder_of(login), action, queue.arn, tuple(others))
        return replace(failed_call(GET_QUEUE_ATTRIBUTES, error, need), required=False)
    except BraketError as error:
        return failed_call(GET_QUEUE_ATTRIBUTES, error)
    about = "" if messages is None else f" with about {messages} {'message' if messages == 1 else 'messages'}"
    return CallResult(GET_QUEUE_ATTRIBUTES, Verdict.OK, f"queue {queue.label}{about}")
