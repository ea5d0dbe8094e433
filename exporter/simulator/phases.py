"""The moments that a job's life is made of. Offsets are seconds after the job's creation."""

from dataclasses import dataclass
from enum import StrEnum


class Status(StrEnum):
    """Every job status of the service model."""

    QUEUED = "QUEUED"
    RUNNING = "RUNNING"
    COMPLETED = "COMPLETED"
    FAILED = "FAILED"
    CANCELLING = "CANCELLING"
    CANCELLED = "CANCELLED"


class Event(StrEnum):
    """Every job event type of the service model."""

    WAITING_FOR_PRIORITY = "WAITING_FOR_PRIORITY"
    QUEUED_FOR_EXECUTION = "QUEUED_FOR_EXECUTION"
    STARTING_INSTANCE = "STARTING_INSTANCE"
    DOWNLOADING_DATA = "DOWNLOADING_DATA"
    RUNNING = "RUNNING"
    DEPRIORITIZED_DUE_TO_INACTIVITY = "DEPRIORITIZED_DUE_TO_INACTIVITY"
    UPLOADING_RESULTS = "UPLOADING_RESULTS"
    COMPLETED = "COMPLETED"
    FAILED = "FAILED"
    MAX_RUNTIME_EXCEEDED = "MAX_RUNTIME_EXCEEDED"
    CANCELLED = "CANCELLED"


TERMINAL = frozenset({Status.COMPLETED, Status.FAILED, Status.CANCELLED})


@dataclass(frozen=True, slots=True)
class Phase:
    """One change of a job.

    Attributes:
        offset: Seconds after the job's creation.
        status: The job's status from here on; None keeps the one before.
        event: Type of the event that happens here; None for no event.
        message: The event's message; the response omits an empty one.
        position: Queue position from here on, as the service writes it (`">15"`, `"15"` ... `"1"`);
            None keeps the one before. The response has it only while the status is QUEUED.
    """

    offset: float
    status: str | None = None
    event: str | None = None
    message: str = ""
    position: str | None = None


# A simulator job as it was recorded from the service. Its startedAt is the DOWNLOADING_DATA event, not the
# RUNNING one.
RECORDED_LIFE = (
    Phase(0.0, Status.QUEUED, position="1"),
    Phase(1.5, event=Event.STARTING_INSTANCE),
    Phase(42.8, Status.RUNNING, Event.DOWNLOADING_DATA),
    Phase(84.0, event=Event.RUNNING),
    Phase(109.6, event=Event.UPLOADING_RESULTS),
    Phase(122.2, Status.COMPLETED, Event.COMPLETED),
)
