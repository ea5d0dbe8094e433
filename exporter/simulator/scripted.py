"""Jobs with literal responses, for responses that the service does not normally send."""

from bisect import bisect_right
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import TypeAlias

from exporter.simulator.wire import JsonObject

Script: TypeAlias = Callable[[float], JsonObject | None] | Sequence[tuple[float, JsonObject]]

_MEMBERS_SHARED_WITH_SUMMARIES = (
    "jobArn",
    "jobName",
    "status",
    "createdAt",
    "startedAt",
    "endedAt",
    "tags",
)


@dataclass(frozen=True, slots=True)
class ScriptedJob:
    """A job with literal GetJob responses.

    Attributes:
        arn: The ARN of the request, whatever the responses say.
        created: Unix seconds that the `createdAt` filter of SearchJobs compares, whatever the responses say.
        answers: Pairs of (unix seconds, GetJob JSON from then on) in order of time, or a function of the
            time. Before the first pair, and while the function gives None, the job does not exist.
    """

    arn: str
    created: float
    answers: Script

    def answer(self, now: float, *, queue_info: bool = False) -> JsonObject | None:  # noqa: ARG002 - verbatim
        """The scripted JSON at `now` (unix seconds), with or without `queueInfo` as the script has it."""
        if callable(self.answers):
            return self.answers(now)
        past = bisect_right(self.answers, now, key=lambda pair: pair[0])
        return self.answers[past - 1][1] if past else None

    def summary(self, now: float) -> JsonObject | None:
        """The members of the answer that SearchJobs has as well."""
        answer = self.answer(now)
        return None if answer is None else _summary_of(answer)


def _summary_of(answer: JsonObject) -> JsonObject:
    shared = {name: answer[name] for name in _MEMBERS_SHARED_WITH_SUMMARIES if name in answer}
    device = answer.get("deviceConfig")
    return {**shared, "device": device["device"]} if isinstance(device, dict) and "device" in device else shared
