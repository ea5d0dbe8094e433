"""Small jobs to say things about."""

from dataclasses import dataclass, replace
from typing import Any

from exporter.core import (
    Clock,
    DeviceKey,
    DeviceSnapshot,
    EventKey,
    JobEvent,
    JobRecord,
    JobSnapshot,
    SearchPage,
    Span,
    SpendingLimitPage,
)
from exporter.metrics import Lines

ACCOUNT = "123456789012"
REGION = "us-west-2"
ARN = f"arn:aws:braket:{REGION}:{ACCOUNT}:job/5d3c7bb0-6f0f-4d3c-9c55-5a2b1f1c0f01"
SV1 = "arn:aws:braket:::device/quantum-simulator/amazon/sv1"
GARNET = "arn:aws:braket:eu-north-1::device/qpu/iqm/Garnet"

CREATED = 1_700_000_000.0


def arn(number: int, region: str = REGION, account: str = ACCOUNT) -> str:
    return f"arn:aws:braket:{region}:{account}:job/00000000-0000-4000-8000-{number:012d}"


def event(kind: str | None, time: float | None, message: str = "") -> JobEvent:
    return JobEvent(EventKey(kind, time), message)


def snapshot(**members: Any) -> JobSnapshot:
    """Return a running job of ``CREATED``, with the given members in place of the usual ones."""
    usual: dict[str, Any] = {
        "arn": ARN,
        "name": "vqe-h2",
        "status": "RUNNING",
        "account": ACCOUNT,
        "region": REGION,
        "device": SV1,
        "instance_type": "ml.m5.large",
        "instance_count": 1,
        "max_runtime_seconds": 3600,
        "created": CREATED,
        "started": CREATED + 40.0,
    }
    return JobSnapshot(**{**usual, **members})


def finished(status: str = "COMPLETED", **members: Any) -> JobSnapshot:
    """Return a job that ran from 40 s to 120 s after ``CREATED``, its terminal event included."""
    usual: dict[str, Any] = {
        "status": status,
        "ended": CREATED + 120.0,
        "billable_seconds": 80.0,
        "events": (event(status, CREATED + 120.0),),
    }
    return snapshot(**{**usual, **members})


def kept(job: JobSnapshot) -> JobSnapshot:
    """Return what is kept of an answer."""
    return replace(job, events=())


def record(job: JobSnapshot | None = None, **members: Any) -> JobRecord:
    """Return what is known after one look at a job."""
    if job is None:
        return JobRecord(**{"arn": ARN, **members})
    events = tuple(dict.fromkeys(event.key for event in job.events))
    return JobRecord(
        **{"arn": job.arn, "snapshot": kept(job), "events": events, "polled_at": CREATED + 130.0, **members}
    )


class NoCalls:
    """A client that is never called; a test overrides the calls that it expects."""

    def get_job(self, job: str) -> JobSnapshot:
        raise AssertionError(job)

    def search_jobs(self, span: Span, token: str | None) -> SearchPage:
        raise AssertionError((span, token))

    def search_job(self, job: str) -> SearchPage:
        raise AssertionError(job)

    def get_device(self, key: DeviceKey) -> DeviceSnapshot:
        raise AssertionError(key)

    def search_spending_limits(self, token: str | None) -> SpendingLimitPage:
        raise AssertionError(token)

    def identify(self) -> None:
        raise AssertionError("the account is known")


@dataclass
class FakeTime:
    """Both clocks of the exporter, moved by hand."""

    wall: float = CREATED + 1000.0
    monotonic: float = 5000.0

    @property
    def clock(self) -> Clock:
        return Clock(lambda: self.wall, lambda: self.monotonic)

    def advance(self, seconds: float) -> None:
        self.wall += seconds
        self.monotonic += seconds


def text_of(lines: Lines) -> bytes:
    """Return the text of a family's lines, those of sealed jobs included."""
    return b"".join((*lines.plain, *(piece for segment in lines.sealed.segments for piece in segment.texts())))
