"""The courses a generated job's life can take, in real seconds; time is compressed later.

The beginning of every run and its last seconds follow one recorded job: STARTING_INSTANCE 1.5 s after the
queue, DOWNLOADING_DATA (the start) after 42.8 s, RUNNING after 84.0 s, and 12.6 s of UPLOADING_RESULTS.
"""

from collections.abc import Callable
from dataclasses import dataclass
from enum import Enum, auto
from random import Random
from typing import TypeAlias

from exporter.simulator.phases import Event, Phase, Status

# The service counts no further than this; beyond it a position reads ">15".
LAST_COUNTED_PLACE = 15
SHORTEST_LIFE_SECONDS = 420.0
_SHORTEST_RUN_SECONDS = 300.0
_UPLOAD_SECONDS = 12.6
_STOPPING_SECONDS = 30.0
# Where on a QPU's queue jobs join; 16 is beyond the last counted place.
_FIRST_PLACES = (LAST_COUNTED_PLACE + 1, LAST_COUNTED_PLACE + 1, 12, 5)

Phases: TypeAlias = tuple[Phase, ...]
# From a random source, the seconds in the queue and the seconds of the whole life to what follows the queue.
Course: TypeAlias = Callable[[Random, float, float], Phases]


class Hardware(Enum):
    """The three sorts of device a job can name."""

    QPU = auto()
    SIMULATOR = auto()
    LOCAL = auto()


@dataclass(frozen=True, slots=True)
class Kind:
    """One kind of job.

    Attributes:
        hardware: What its device is.
        course: What follows the queue.
        failure_reason: As the service would answer it.
        starts: Whether it ever leaves the queue for a run.
        reserved: Whether it runs in a reservation of its device.
    """

    hardware: Hardware
    course: Course
    failure_reason: str | None = None
    starts: bool = True
    reserved: bool = False


def life(rng: Random, kind: Kind, seconds: float) -> Phases:
    """The phases of a job of `kind` that lives for `seconds` (at least `SHORTEST_LIFE_SECONDS`)."""
    wait = _queue_seconds(rng, kind, seconds)
    line = queue(wait, rng.choice(_FIRST_PLACES)) if kind.hardware is Hardware.QPU else _no_queue()
    # A job cancelled in the queue would still have moved up: its last places come after the cancellation.
    return tuple(sorted((*line, *kind.course(rng, wait, seconds)), key=lambda phase: phase.offset))


def queue(wait: float, first: int) -> Phases:
    """A queue that moves up one place at a time for `wait` seconds, from place `first`."""
    counted = [str(place) for place in range(min(first, LAST_COUNTED_PLACE), 0, -1)]
    places = [f">{LAST_COUNTED_PLACE}", *counted] if first > LAST_COUNTED_PLACE else counted
    joined = Phase(0.0, Status.QUEUED, Event.QUEUED_FOR_EXECUTION, "Job is queued for execution.", position=places[0])
    step = wait / len(places)
    return (joined, *(Phase(step * moves, position=place) for moves, place in enumerate(places) if moves))


def _no_queue() -> Phases:
    return (Phase(0.0, Status.QUEUED, position="1"),)


def _queue_seconds(rng: Random, kind: Kind, seconds: float) -> float:
    if not kind.starts:
        return seconds
    if kind.hardware is not Hardware.QPU:
        return 0.0
    return min(seconds * rng.uniform(0.2, 0.7), seconds - _SHORTEST_RUN_SECONDS)


def _boot(wait: float) -> Phases:
    return (
        Phase(wait + 1.5, event=Event.STARTING_INSTANCE, message="Starting the instances."),
        Phase(wait + 42.8, Status.RUNNING, Event.DOWNLOADING_DATA, "Downloading the input data."),
        Phase(wait + 84.0, event=Event.RUNNING, message="The algorithm is running."),
    )


def _completion(end: float) -> Phases:
    return (
        Phase(end - _UPLOAD_SECONDS, event=Event.UPLOADING_RESULTS, message="Uploading the results."),
        Phase(end, Status.COMPLETED, Event.COMPLETED, "The job completed."),
    )


def _completed(_: Random, wait: float, end: float) -> Phases:
    return (*_boot(wait), *_completion(end))


def _failed(_: Random, wait: float, end: float) -> Phases:
    return (*_boot(wait), _failure(end))


def _failed_in_the_queue(_rng: Random, _wait: float, end: float) -> Phases:
    return (_failure(end),)


def _failure(end: float) -> Phase:
    return Phase(end, Status.FAILED, Event.FAILED, "The job failed.")


def _cancelled(rng: Random, wait: float, end: float) -> Phases:
    return (*_boot(wait), *_cancellation(rng, end))


def _cancelled_in_the_queue(rng: Random, _: float, end: float) -> Phases:
    return _cancellation(rng, end)


def _cancellation(rng: Random, end: float) -> Phases:
    asked = end - min(rng.uniform(120.0, 600.0), end / 4)
    return (
        Phase(asked, Status.CANCELLING),
        Phase(end, Status.CANCELLED, Event.CANCELLED, "The job was cancelled."),
    )


def _exceeded(final: Status, event: Event) -> Course:
    """Running out of time is an event; which status follows nobody could confirm, so each is simulated."""

    def course(_: Random, wait: float, end: float) -> Phases:
        exceeded = Phase(
            end - _STOPPING_SECONDS,
            event=Event.MAX_RUNTIME_EXCEEDED,
            message="The maximum runtime is exceeded.",
        )
        return (*_boot(wait), exceeded, Phase(end, final, event, "The job stopped at its maximum runtime."))

    return course


def _deprioritized(times: int) -> Course:
    """A job that loses its priority on the QPU and wins it back, `times` times."""

    def course(_: Random, wait: float, end: float) -> Phases:
        running = wait + 84.0
        step = (end - _UPLOAD_SECONDS - running) / (times + 1)
        rounds = (_lost_and_regained(running + step * (turn + 0.5), step / 4) for turn in range(times))
        return (*_boot(wait), *(phase for turn in rounds for phase in turn), *_completion(end))

    return course


def _lost_and_regained(at: float, step: float) -> Phases:
    lost = "The job lost its priority because it created no quantum task for some time."
    return (
        Phase(at, event=Event.DEPRIORITIZED_DUE_TO_INACTIVITY, message=lost),
        Phase(at + step, event=Event.WAITING_FOR_PRIORITY, message="The job is waiting for priority."),
        Phase(at + 2 * step, event=Event.RUNNING, message="The algorithm is running."),
    )


_MISSING_FILE = (
    "AlgorithmError: FileNotFoundError: [Errno 2] No such file or directory: "
    "'/opt/braket/input/data/hamiltonian.json', exit code: 1"
)
_LIMIT_REACHED = (
    "AlgorithmError: ValidationException: An error occurred (ValidationException) when calling the CreateQuantumTask "
    "operation: the task would exceed the spending limit of the device, exit code: 1"
)
_NO_ACCESS = (
    "ClientError: Data download failed: Access Denied while reading the input data; "
    "check the permissions of the execution role"
)
_OUT_OF_TIME = "ClientError: the job did not end within its maximum runtime"
_INTERNAL = "InternalServerError: We encountered an internal error. Please try again."
_CAPACITY = (
    "CapacityError: Unable to provision requested ML compute capacity. Please retry using a different ML instance type."
)

# A fleet goes round this table, so that each kind is met early.
KINDS = (
    Kind(Hardware.QPU, _completed, reserved=True),
    Kind(Hardware.LOCAL, _failed, _MISSING_FILE),
    Kind(Hardware.SIMULATOR, _completed),
    Kind(Hardware.QPU, _cancelled_in_the_queue, starts=False),
    Kind(Hardware.LOCAL, _exceeded(Status.FAILED, Event.FAILED), _OUT_OF_TIME),
    Kind(Hardware.QPU, _deprioritized(1)),
    Kind(Hardware.SIMULATOR, _exceeded(Status.COMPLETED, Event.COMPLETED)),
    Kind(Hardware.LOCAL, _completed),
    Kind(Hardware.QPU, _failed, _INTERNAL),
    Kind(Hardware.SIMULATOR, _cancelled),
    Kind(Hardware.LOCAL, _failed_in_the_queue, _CAPACITY, starts=False),
    Kind(Hardware.QPU, _deprioritized(8)),
    Kind(Hardware.SIMULATOR, _failed, _NO_ACCESS),
    Kind(Hardware.LOCAL, _exceeded(Status.CANCELLED, Event.CANCELLED)),
    Kind(Hardware.QPU, _failed, _LIMIT_REACHED),
)
